/* What proves who asks: API keys, browser sign-ins, contact tokens, and tickets that open one
 * stream. A credential is the tenant's id, its own id, and a secret of which the store keeps the
 * SHA-256 only (the secret has 256 random bits: a slow hash would add nothing). In text it is
 * base64url of the three, behind a prefix that says what it is:
 *
 *     an API key        "tp_…"
 *     a contact token   "tpc_…"
 *     a stream ticket   "tps_…"
 *     a sign-in         no prefix, in the cookie LOGIN_COOKIE
 *
 * Any thread. */
#ifndef DB_CREDENTIAL_H
#define DB_CREDENTIAL_H

#include "base/str.h"
#include "base/time.h"
#include "base/uuid.h"

#define SECRET_BYTES 32
#define SECRET_HASH_BYTES 32
#define SECRET_TEXT_LEN 43  /* base64url of a secret alone */
#define LOGIN_COOKIE_LEN 86 /* base64url, without padding, of 16 + 16 + 32 bytes */
#define CREDENTIAL_LEN_MAX (4 + LOGIN_COOKIE_LEN)

#define LOGIN_COOKIE "tp_session"
/* A sign-in ends so long after it was last used, and so long after it was made at the latest. */
#define LOGIN_IDLE_US (7 * DAY_US)
#define LOGIN_LIFE_US (30 * DAY_US)
/* Its use is noted no more often than this. */
#define LOGIN_SEEN_US (5 * MINUTE_US)
/* A ticket is good for so long. */
#define TICKET_LIFE_US (30 * SECOND_US)

struct credential {
    struct uuid tenant_id, id;
    uint8_t secret[SECRET_BYTES];
};

struct credential credential_new(struct uuid tenant_id, struct uuid id); /* with a new secret */

enum credential_form { FORM_NONE = 0, FORM_KEY, FORM_CONTACT_TOKEN, FORM_TICKET };

/* The text's length; no NUL. */
size_t credential_text(const struct credential *credential, enum credential_form form,
                       char out[CREDENTIAL_LEN_MAX]);
/* FORM_NONE for whatever is not exactly of one of the forms. */
enum credential_form credential_parse(struct str text, struct credential *out);
/* By its prefix alone. */
bool credential_is_ticket(struct str text);
void credential_cookie_text(const struct credential *credential, char out[LOGIN_COOKIE_LEN]);
/* False for whatever is not exactly that shape. */
bool credential_parse_cookie(struct str text, struct credential *out);

void credential_hash(const struct credential *credential, uint8_t out[SECRET_HASH_BYTES]);
/* In constant time. */
bool credential_matches(const struct credential *credential, struct str stored_hash);

/* A secret that stands alone as text (a CSRF token, an invitation), and its hash. */
void secret_new(char out[SECRET_TEXT_LEN]);
void secret_hash(struct str text, uint8_t out[SECRET_HASH_BYTES]);
bool secret_matches(struct str text, struct str stored_hash);

#endif
