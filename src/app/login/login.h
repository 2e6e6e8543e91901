/* Signing in, and passwords (SPEC.md §2). A browser that signs in gets a login: a row with
 * the hash of its cookie's secret and of its CSRF token. ("Session" means a conversation.)
 *
 * Argon2id takes its time, so what needs it runs on a slow thread, without a transaction of
 * its own, and goes to the store in steps: the functions with `exec` below. cx->db is not
 * used there. The others run in the caller's transaction.
 *
 * Guessing is limited by account and by the peer's address. An attempt is counted in the
 * store before the password is looked at, and taken back when it was right, so that no
 * number of attempts at once, on any number of nodes, gets past the limit. */
#ifndef APP_LOGIN_H
#define APP_LOGIN_H

#include "app/login/secret.h"
#include "app/tenant/tenant.h"
#include "db/exec.h"

#define LOGIN_ACCOUNT_FAILURES 10 /* so many within the window lock the account … */
#define LOGIN_ADDRESS_FAILURES 50 /* … or the address, behind which many may sit, … */
#define LOGIN_WINDOW_US (15 * MINUTE_US)
#define LOGIN_LOCK_US (15 * MINUTE_US) /* … for so long */

struct sign_in {
    struct str tenant; /* slug; ptr NULL: the one there is */
    struct str email, password;
    struct str peer;      /* the client's address */
    struct str csrf_hash; /* SHA-256 of the CSRF token that the answer will show */
    int64_t life_us;
};

struct signed_in {
    struct tenant tenant;
    struct user user;
    struct uuid login_id;
    struct login_secret secret; /* for the cookie */
    int64_t expires_at;
};

/* ERR_UNAUTHENTICATED in the same words, after the same time, whether the tenant, the user
 * or the password was wrong. ERR_TOO_MANY while the account or the address is locked.
 * ERR_INVALID when a tenant must be named and is not. */
enum err login_sign_in(struct ctx *cx, struct exec *exec, const struct sign_in *in,
                       struct signed_in *out);
/* Ends the actor's own login, if that is what proved who it is. */
enum err login_sign_out(struct ctx *cx);

/* By an invitation or a reset, which it uses up; signs the user out everywhere.
 * ERR_INVALID for a token that is unknown, used or expired. */
enum err login_set_password_by_token(struct ctx *cx, struct exec *exec, struct str token,
                                     struct str password);
/* One's own; signs one out everywhere else. ERR_INVALID when `current` is wrong, which
 * counts as a failed attempt. */
enum err login_change_password(struct ctx *cx, struct exec *exec, struct str peer,
                               struct str current, struct str password);
/* By the operator; signs the user out everywhere. */
enum err login_set_password(struct ctx *cx, struct exec *exec, struct uuid user_id,
                            struct str password);

#endif
