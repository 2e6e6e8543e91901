/* What proves who asks: API keys and browser sign-ins. A credential is the tenant's id, its
 * own id, and a secret of which the store keeps the SHA-256 only (the secret has 256 random
 * bits: a slow hash would add nothing). In text:
 *
 *     an API key    "tp_" and base64url of the three
 *     a cookie      base64url of the three, in the cookie LOGIN_COOKIE
 *
 * Any thread. */
#ifndef HTTP_CREDENTIAL_H
#define HTTP_CREDENTIAL_H

#include "base/str.h"
#include "base/time.h"
#include "base/uuid.h"

#define SECRET_BYTES 32
#define SECRET_HASH_BYTES 32
#define SECRET_TEXT_LEN 43  /* base64url of a secret alone */
#define LOGIN_COOKIE_LEN 86 /* base64url, without padding, of 16 + 16 + 32 bytes */
#define KEY_TEXT_LEN (3 + LOGIN_COOKIE_LEN)

#define LOGIN_COOKIE "tp_session"
/* A sign-in ends so long after it was last used, and so long after it was made at the latest. */
#define LOGIN_IDLE_US (7 * DAY_US)
#define LOGIN_LIFE_US (30 * DAY_US)
/* Its use is noted no more often than this. */
#define LOGIN_SEEN_US (5 * MINUTE_US)

struct credential {
    struct uuid tenant_id, id;
    uint8_t secret[SECRET_BYTES];
};

struct credential credential_new(struct uuid tenant_id, struct uuid id); /* with a new secret */
void credential_key_text(const struct credential *credential, char out[KEY_TEXT_LEN]);
void credential_cookie_text(const struct credential *credential, char out[LOGIN_COOKIE_LEN]);
/* False for whatever is not exactly that shape. */
bool credential_parse_key(struct str text, struct credential *out);
bool credential_parse_cookie(struct str text, struct credential *out);
void credential_hash(const struct credential *credential, uint8_t out[SECRET_HASH_BYTES]);
/* In constant time. */
bool credential_matches(const struct credential *credential, struct str stored_hash);

/* A secret that stands alone as text (a CSRF token, an invitation), and its hash. */
void secret_new(char out[SECRET_TEXT_LEN]);
void secret_hash(struct str text, uint8_t out[SECRET_HASH_BYTES]);
bool secret_matches(struct str text, struct str stored_hash);

#endif
