/* Routes, requests and answers: what a resource's `x_api.c` is written with.
 *
 * A route is a row of a table: method, path, least role, kind of transaction, handler,
 * and the records of its body, query and answer. The router, the decoder, the access
 * tests and /openapi.json are all made from these rows, so they cannot disagree.
 *
 * The way of a request:
 *
 *     loop thread    match route; media type; decode and validate body and query
 *                    (large bodies: on a slow thread)
 *     store thread   begin the route's transaction; authenticate; check the role;
 *                    answer what decoding found; Idempotency-Key; handler; encode; commit
 *     loop thread    send
 *
 * A handler holds nothing: memory is the request's arena, the transaction is the
 * dispatcher's. It may be run again from the start, so it changes only the store and
 * its `struct req`. It returns OK after a reply_…() or an error, with rq->cx.error filled. */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include "db/counts.h"
#include "db/db.h"
#include "db/exec.h"
#include "http/server.h"
#include "json/record.h"

#define PATH_PARAMS_MAX 4

struct req;

/* Shapes of an answer, for OpenAPI and for the tests that hold it to that. */
enum answer {
    ANSWER_UNSET = 0,
    ANSWER_RECORD,  /* 200, one record */
    ANSWER_CREATED, /* 201, Location, one record */
    ANSWER_LIST,    /* 200, {"data":[…],"total","page","page_size","next_cursor"} */
    ANSWER_EVENTS,  /* 200, {"events":[…],"total","page","limit","next_cursor"}: seed 001's list,
                       with EVENT_PAGE_DEFAULT and EVENT_PAGE_MAX rows */
    ANSWER_STREAM,  /* 101 to a WebSocket, 200 text/event-stream else */
    ANSWER_ROWS,    /* 200, {"rows":[{"index","status","id"|"errors"}…],"succeeded","failed"} */
    ANSWER_NONE,    /* 204 */
    ANSWER_OTHER,   /* what `other_answer` says: plain text, HTML, a schema of its own */
};

/* Route flags */
enum {
    ROUTE_PATCH = 1 << 0, /* the body is a JSON Merge Patch (RFC 7396) */
    ROUTE_ROWS = 1 << 1,  /* the body is {"rows":[…]} or a bare array, up to BULK_ROWS_MAX;
                             each row is decoded alone: see rq->rows */
    ROUTE_PAGED = 1 << 2, /* takes page/page_size, limit/offset, cursor/limit: rq->page */
    ROUTE_OPTIONAL_BODY = 1 << 3, /* no body counts as {} */
    ROUTE_UPSERT = 1 << 4,        /* ANSWER_RECORD may also be 201 (or ANSWER_CREATED 200) */
    ROUTE_ROOT = 1 << 5,          /* path stands as it is, not under /api/v1 */
    ROUTE_NO_CSRF = 1 << 6,       /* sign-in itself */
    ROUTE_INLINE = 1 << 7,        /* answered on the loop thread: must not block; ROLE_PUBLIC and
                                     TX_NONE only, rq->cx.db and .ids are NULL */
    ROUTE_STREAM = 1 << 8,        /* a cookie is believed only from this server's own pages, also on
                                     GET; a ticket in the query is a credential, which it uses up:
                                     TX_WRITE */
    ROUTE_HELD = 1 << 9,          /* with ROUTE_INLINE: the handler keeps the exchange and calls
                                     http_respond() itself, now or later, on the loop thread,
                                     if and only if it returns OK. rq lives until then (not its
                                     cx.error); see http_exchange.gone */
    ROUTE_RAW = 1 << 10,          /* the body is any bytes, and the handler's to read: body_text */
    ROUTE_LAX_QUERY = 1 << 11,    /* the query may have parameters that are no fields of it: other
                                     programs' own, which nobody here reads */
};

struct route {
    enum http_method method;
    const char *path; /* below the mount: "/{id}/outcome"; {…} takes one segment */
    enum role role;   /* the least; ROLE_NONE does not pass the router's check */
    enum tx tx;
    enum err (*handle)(struct req *rq);
    const char *summary; /* one line; the OpenAPI summary */
    enum answer answers;
    const struct record *answer; /* of the record, or of a list's rows */
    const struct record *body;   /* NULL: a body is refused */
    const struct record *query;  /* filters, NULL: none (any parameter is unknown_field) */
    unsigned flags;
    /* A path parameter or a body member (UUID) that names the customer whose writes queue
     * behind each other (exec.h lanes), or NULL. */
    const char *lane;
    const char *other_answer; /* ANSWER_OTHER: media type, or several, with commas between */
    const char *other_schema; /* ANSWER_OTHER with JSON: its JSON Schema */
    /* Rules between members of the body that need no store: adds its faults to rq->cx.error, so
     * that they are told together with those of decoding, whose members are zeros here. Or NULL.
     * Not of ROUTE_ROWS. */
    void (*check)(struct req *rq);
};

/* A resource: its table and where it stands below /api/v1. The same table may stand at
 * several places (SPEC.md §4: /interactions and /customer-mgmt/interactions). */
struct resource {
    const char *name;          /* the OpenAPI tag */
    const char *const *mounts; /* {"/interactions", "/customer-mgmt/interactions"} */
    size_t mount_count;
    const struct route *routes;
    size_t route_count;
};

/* Where a list is asked to begin. Lists sort by one key and the id; the cursor is the
 * last row's pair. Bind with PAGE_ARGS, ask for one row more than `limit`, and hand
 * what came to reply_list(): it cuts the extra row and makes the next cursor of it. */
struct page {
    int64_t limit, offset;
    int64_t number; /* of the page, from 1; 0 when a cursor was given */
    bool by_cursor;
    int64_t cursor_time;    /* for lists by time; without a cursor: TIME_END (downwards) */
    struct str cursor_text; /* for lists by text; without a cursor: "" (upwards) */
    struct uuid cursor_id;  /* without a cursor: UUID_MAX (downwards); see page_upwards() */
    uint32_t sort;          /* below PAGE_SORTS: see page_sort() */
    bool csv;               /* ?format=csv or Accept: text/csv: limit is CSV_ROWS_MAX */
};
#define PAGE_SORTS 4

/* For lists that run upwards by time: without a cursor it begins at the beginning. */
void page_upwards(struct page *page);
/* For lists that can be sorted in several ways, before any row is read: which of them it is, from
 * 0. The cursor of another one is a fault. */
enum err page_sort(struct req *rq, uint32_t sort);

#define PAGE_BINDS(page)                                                                           \
    {"limit", v_int((page)->limit + 1)}, {"offset", v_int((page)->offset)},                        \
        {"cursor_time", v_time((page)->cursor_time)},                                              \
        {"cursor_text", v_text((page)->cursor_text)},                                              \
    {                                                                                              \
        "cursor_id", v_uuid((page)->cursor_id)                                                     \
    }

/* One row of a bulk body. */
struct bulk_row {
    void *record; /* of route->body */
    struct given given;
    struct error *error; /* its own; a row that failed to decode is not handed to the handler */
};

struct req {
    struct ctx cx; /* first: what domain functions take */
    const struct route *route;
    const struct resource *resource;
    const char *mount;
    struct http_exchange *exchange;
    struct str path_params[PATH_PARAMS_MAX];
    void *body;           /* a struct of route->body, decoded; NULL without one */
    struct str body_text; /* its bytes */
    struct given given;
    struct bulk_row *rows;
    size_t row_count;
    void *query; /* a struct of route->query */
    struct given query_given;
    struct page page;
    struct app *app; /* http/app.h */
    void *user;      /* the handler's own, for the functions that it hands on */
};

/* Path parameters, in the order of the path. An id that is no UUID is ERR_NOT_FOUND in
 * the words of an unknown one. */
enum err path_id(struct req *rq, size_t index, struct uuid *out);
struct str path_text(struct req *rq, size_t index); /* percent-decoded */
/* A path parameter that is an enum's name; another is ERR_INVALID for `field`. */
enum err path_enum(struct req *rq, size_t index, const char *field, const struct enum_names *names,
                   int *out);

/* If-Match against the version of the row as it stands: ERR_STALE. Without the header: OK. */
enum err check_if_match(struct req *rq, int64_t version);
bool has_if_match(struct req *rq);
/* The same for what may not be there yet, which no tag matches, nor does `*`. */
enum err check_if_match_upsert(struct req *rq, bool there, int64_t version);

/* Answers. A record with an F_INT member named "version" gets its ETag from it. */
enum err reply_record(struct req *rq, const struct record *record, const void *value);
/* 201, with Location: the mount's path and the id. */
enum err reply_created(struct req *rq, const struct record *record, const void *value,
                       struct uuid id);
/* The same for what lives at another mount ("/interactions"). */
enum err reply_created_at(struct req *rq, const struct record *record, const void *value,
                          const char *mount, struct uuid id);
enum err reply_none(struct req *rq);
/* `key_of` gives a row's place in the sort: fills time or text, and the id. */
struct list_key {
    int64_t time;
    struct str text;
    struct uuid id;
};
/* What a list's total is: exact, or counted up to COUNT_CAP. `resume`: where a page goes on
 * that is not full because no more was looked at; NULL as a rule. */
struct total {
    int64_t rows;
    bool capped;
    const struct list_key *resume;
};
enum err reply_list(struct req *rq, const struct record *record, struct list *rows,
                    struct total total, void (*key_of)(const void *row, struct list_key *out));
/* The connection becomes this stream's. 101: a WebSocket (call upgrade_check() of http/upgrade.h
 * before making the stream); 200: text/event-stream. The header fields of either are added here.
 * The stream is handed over whatever follows: it is closed unopened when the answer cannot be
 * given, as to HEAD. NULL: no memory for one (503). */
enum err reply_stream(struct req *rq, int status, struct stream *stream);
/* A whole body of another kind, in the arena or static. */
enum err reply_text(struct req *rq, int status, const char *media_type, struct str body);

/* Bulk: calls fn for each row that decoded, in a savepoint of its own, and answers
 * ANSWER_ROWS: good rows kept, bad ones explained. fn fills *id; sets *status to 200 when
 * the row was there already (201 else), or returns an error with cx->error filled. */
enum err reply_rows(struct req *rq, enum err (*fn)(struct req *rq, const struct bulk_row *row,
                                                   struct uuid *id, int *status));

#endif
