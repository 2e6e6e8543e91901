/* One request on its way through http/: what stands behind the `struct req` that handlers
 * see. For the files of http/ only. */
#ifndef HTTP_DISPATCH_H
#define HTTP_DISPATCH_H

#include "http/app.h"
#include "http/auth.h"
#include "http/idempotency.h"
#include "http/rate.h"
#include "http/router.h"

/* Bodies up to this are decoded on the loop thread, larger ones on a slow thread. */
#define INLINE_BODY_MAX KIB(16)

struct app {
    struct app_options options;
    struct router *router;
    struct http_server *server; /* or NULL */
    struct route_metrics unmatched;
    struct running_keys running;
    struct rate *rate;                 /* or NULL: no limit; the loop thread's */
    const struct resource **resources; /* those of the options, and ours */
    size_t resource_count;
    struct buf openapi, docs; /* made once, heap */
};

/* A record as it was decoded, and the copy that the handler may change: a run that is
 * repeated begins with the first. */
struct decoded {
    const void *fresh;
    void *working;
    size_t size;
    struct given given;
};

struct waiter; /* app_call() */

struct call {
    struct job job;
    struct req rq;
    struct app *app;
    struct http_exchange *exchange;
    struct route_entry *entry; /* NULL: no route */
    bool is_decoded;
    struct arena_mark decoded_mark; /* what the arena holds after it is a run's own */
    enum err input;                 /* what decoding found; told after authentication */
    struct error *input_error;      /* in words; NULL also when there was no memory for them */
    struct decoded body, rows, query;
    struct bulk_row *fresh_rows;
    struct page page;      /* as parsed */
    enum err problem;      /* what the response says, when it is a failure */
    struct uuid tenant_id; /* for the log */
    bool login_seen;       /* the sign-in's last use is to be noted */
    struct credential_use use;
    struct idempotency idempotency;
    struct waiter *waiter;
};

static inline struct call *call_of(struct req *rq)
{
    return (struct call *)(void *)((char *)rq - offsetof(struct call, rq));
}

/* app.c: answers a request that came by no connection, before it returns. Not on the loop. */
void app_run(struct app *app, struct http_exchange *exchange);

/* decode.c: body and query by the route's records. What is wrong goes to input_error. Sets
 * is_decoded and decoded_mark. */
void decode_request(struct call *call);
void input_failed(struct call *call, enum err err, const struct error *error);
/* Gives the handler its own copy of what was decoded. */
void decode_reset(struct call *call);

/* bulk.c */
enum err bulk_decode(struct call *call, struct error *error);

/* reply.c: JSON that is made already. */
enum err reply_json(struct req *rq, int status, struct str body);

#endif
