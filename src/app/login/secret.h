/* Random secrets: of API keys, of browsers that are signed in, of one-time tokens. The
 * secret is shown once; what is kept is its SHA-256 (a plain hash is enough for 256 random
 * bits). Safe on any thread. */
#ifndef APP_SECRET_H
#define APP_SECRET_H

#include "base/arena.h"
#include "base/str.h"
#include "base/uuid.h"

#define LOGIN_SECRET_BYTES 32

struct login_secret {
    uint8_t bytes[LOGIN_SECRET_BYTES];
    uint8_t hash[LOGIN_SECRET_BYTES];
};

void login_secret_make(struct login_secret *out);
/* The hash as it stands in the store; lives as long as `secret`. */
struct str login_secret_hash(const struct login_secret *secret);

/* SHA-256 as lower-case hexadecimal, in the arena. STR_NULL past its budget. */
struct str text_digest(struct arena *arena, struct str text);

/* The text of a one-time token: "tpt_" and tenant, id and secret in base64url. STR_NULL
 * past the arena's budget. */
struct str token_text(struct arena *arena, struct uuid tenant_id, struct uuid id,
                      const struct login_secret *secret);
/* False for anything else; `secret` gets its hash too. */
bool token_parse(struct str text, struct uuid *tenant_id, struct uuid *id,
                 struct login_secret *secret);

#endif
