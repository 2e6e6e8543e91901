/* Contact tokens: what a customer's own app proves itself by, for a while; it sees that one
 * timeline, and of it what is visible to the client. And stream tickets: they open one stream,
 * once, for a page that cannot send headers. Who comes with either is found in db/caller.h.
 * Functions run in the caller's transaction and allocate from cx->arena. (SPEC.md §2, §5) */
#ifndef APP_TOKEN_H
#define APP_TOKEN_H

#include "db/db.h"

#define TOKEN_SECONDS_DEFAULT 3600
#define TOKEN_SECONDS_MIN 60
#define TOKEN_SECONDS_MAX 86400

struct token {
    struct uuid id;
    struct uuid created_by; /* none: the operator */
    struct str created_by_name;
    int64_t created_at, expires_at;
    struct maybe_int revoked_at;
    struct str token; /* the text that the app sends; only in the answer that makes one */
};

extern const struct record token_record;

/* `customer_id` may be of one who was merged: then it is the other's token, and so are those
 * that the merged one had. Each change writes its event; ERR_NOT_FOUND where there is no such
 * customer, or no such token of theirs. */
enum err token_create(struct ctx *cx, struct uuid customer_id, int64_t life_seconds,
                      struct token *out);
enum err token_get(struct ctx *cx, struct uuid customer_id, struct uuid id, struct token *out);
/* Repeating it changes nothing. */
enum err token_revoke(struct ctx *cx, struct uuid customer_id, struct uuid id);

/* Newest first, before (before_time, before_id). They are deleted some days after they expired.
 * *total is counted, up to COUNT_CAP + 1. */
enum err token_list(struct ctx *cx, struct uuid customer_id, int64_t before_time,
                    struct uuid before_id, int64_t limit, int64_t offset, struct list *out,
                    int64_t *total);

struct ticket {
    struct uuid id;
    struct str ticket; /* the text */
    int64_t expires_at;
};

extern const struct record ticket_record;

/* Stands for the credential by which the actor came: worth nothing any more when that is not.
 * ERR_FORBIDDEN to the operator, whose rights do not leave the owner-only socket. No event: it
 * changes no record and lives for seconds. */
enum err ticket_create(struct ctx *cx, struct ticket *out);

#endif
