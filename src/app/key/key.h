/* API keys: what programs prove with who asks. A key acts for a user, with a role of its
 * own that is at most the user's. Only the hash of its secret is kept. Functions run in the
 * caller's transaction, allocate from cx->arena and record their events. */
#ifndef APP_KEY_H
#define APP_KEY_H

#include "app/login/secret.h"
#include "db/db.h"

struct key {
    struct uuid id;
    struct uuid user_id;
    struct str user_name;
    struct str name;
    int role; /* enum user_role */
    int64_t created_at;
    struct uuid created_by; /* none: the operator */
    struct maybe_int expires_at, revoked_at;
    struct str key; /* the text that programs send; only in the answer that makes one */
};

extern const struct record key_record;

/* Of `in`, user_id (none: the actor), name, role (0: the lesser of the actor's and the
 * user's) and expires_at count. Others than admins make keys for themselves only:
 * ERR_FORBIDDEN. The caller makes out->key of `secret`. */
enum err key_create(struct ctx *cx, const struct key *in, struct key *out,
                    struct login_secret *secret);

/* Below admins, whose keys are others' is not told: those are ERR_NOT_FOUND. */
enum err key_get(struct ctx *cx, struct uuid id, struct key *out);
/* Repeating it changes nothing. */
enum err key_revoke(struct ctx *cx, struct uuid id);

/* Newest first, before (before_time, before_id). `user_id` none: everybody's, which below
 * admins means one's own; another's is ERR_FORBIDDEN to them. */
enum err key_list(struct ctx *cx, struct uuid user_id, int64_t before_time, struct uuid before_id,
                  int64_t limit, int64_t offset, struct list *out, int64_t *total);

#endif
