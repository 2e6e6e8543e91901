/* Sessions: bounded conversations with one customer (SPEC.md §1, §3). Starting and ending
 * write their events on the customer's timeline. All functions work in the caller's
 * transaction and allocate from cx->arena; ids of other tenants and sessions of deleted
 * customers are ERR_NOT_FOUND. */
#ifndef APP_SESSION_H
#define APP_SESSION_H

#include "db/db.h"

struct session {
    struct uuid id;
    struct uuid customer_id;
    struct str customer_name;
    struct str channel, subject;
    struct uuid started_by;
    struct str started_by_name;
    int64_t started_at;
    struct maybe_int ended_at;
    int64_t version;
    int64_t created_at, updated_at;
};

extern const struct record session_record;

/* For ids inside bodies: the session is there and is of that customer (none: of any).
 * ERR_NOT_FOUND names the field. */
enum err session_require(struct ctx *cx, struct uuid id, struct uuid customer_id,
                         const char *field);

enum err session_get(struct ctx *cx, struct uuid id, struct session *out);
enum err session_get_locked(struct ctx *cx, struct uuid id, struct session *out);
/* `started_at` 0: now. */
enum err session_start(struct ctx *cx, const struct session *in, struct session *out);
/* Ends it, or corrects when it ended; `ended_at` not set: now, and one that has ended stays
 * as it is. ERR_INVALID before its start. */
enum err session_end(struct ctx *cx, const struct session *current, struct maybe_int ended_at,
                     struct session *out);
/* Newest first, from before (before_time, before_id) on. */
enum err session_list(struct ctx *cx, struct uuid customer_id, int64_t before_time,
                      struct uuid before_id, int64_t limit, int64_t offset, struct list *out,
                      int64_t *total);

#endif
