/* Who asks: from a credential to an actor, by an index lookup or two. http/auth.c has the
 * credential from a request, work/live_store.c from a stream's handshake; nobody else looks
 * credentials up. (SPEC.md §2, Credentials)
 *
 * All of them run in the caller's transaction (a read will do, but for tickets) and fill all of
 * cx->actor; its texts are in the arena. What is unknown, wrong, revoked or expired, or belongs
 * to a user who is deactivated or a customer who is deleted, is ERR_UNAUTHENTICATED in words
 * that reveal nothing, with cx->actor empty. */
#ifndef DB_CALLER_H
#define DB_CALLER_H

#include "db/credential.h"
#include "db/ctx.h"
#include "json/record.h"

extern const struct enum_names role_names;
const char *role_name(enum role role);

/* By text: "tp_…" an API key, "tpc_…" a contact token, "tps_…" a ticket, which is used up: it
 * needs a write transaction (credential_is_ticket()), and counts as unused when that rolls
 * back. A ticket makes the actor whom the credential that asked for it makes now. */
enum err caller_by_text(struct ctx *cx, struct str text);

/* By the value of the sign-in's cookie. */
struct caller_login {
    struct str csrf_hash; /* of the token that changes need beside it */
    int64_t seen_us;      /* when its use was noted last */
};
/* cx->actor.credential_expires_us: when it ends by this use of it, once that is noted. */
enum err caller_by_cookie(struct ctx *cx, struct str text, struct caller_login *out);

/* The demo's caller without a credential. */
enum err caller_by_demo(struct ctx *cx, struct uuid tenant_id, struct uuid user_id);

/* Whom an earlier actor's credential makes by now: kind, credential_id and user_id as they stood
 * in that, and cx->actor.tenant_id already its tenant. The operator stays the operator. */
enum err caller_again(struct ctx *cx, enum credential_kind kind, struct uuid credential_id,
                      struct uuid user_id);

/* Who had no credential to show. */
enum err caller_refuse(struct ctx *cx);

#endif
