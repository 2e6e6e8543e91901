#include "app/session/session.h"
#include "http/route.h"

extern const struct resource session_resource, customer_session_resource;

struct ending {
    struct maybe_int ended_at;
};

static const struct field ending_fields[] = {
    FIELD(ending, ended_at, F_TIME, NULLABLE, .doc = "Left out: now"),
};
static const struct record ending_record = RECORD_NAMED("SessionEnd", ending, ending_fields);

static enum err start(struct req *rq)
{
    struct session made = {0};

    TRY(session_start(&rq->cx, rq->body, &made));
    return reply_created(rq, &session_record, &made, made.id);
}

static enum err show(struct req *rq)
{
    struct session session = {0};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(session_get(&rq->cx, id, &session));
    return reply_record(rq, &session_record, &session);
}

static enum err end(struct req *rq)
{
    const struct ending *ending = rq->body;
    struct session current = {0}, ended = {0};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(session_get_locked(&rq->cx, id, &current));
    TRY(check_if_match(rq, current.version));
    TRY(session_end(&rq->cx, &current, ending->ended_at, &ended));
    return reply_record(rq, &session_record, &ended);
}

static void session_key(const void *row, struct list_key *out)
{
    const struct session *session = row;

    out->time = session->started_at;
    out->id = session->id;
}

static enum err list_of_customer(struct req *rq)
{
    const struct page *page = &rq->page;
    struct total total = {0};
    struct list rows;
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(session_list(&rq->cx, id, page->cursor_time, page->cursor_id, page->limit + 1, page->offset,
                     &rows, &total.rows));
    return reply_list(rq, &session_record, &rows, total, session_key);
}

static const struct route routes[] = {
    {HTTP_POST, "", ROLE_AGENT, TX_WRITE, start, "Start a session with a customer",
     .answers = ANSWER_CREATED, .answer = &session_record, .body = &session_record,
     .lane = "customer_id"},
    {HTTP_GET, "/{id}", ROLE_VIEWER, TX_READ, show, "Get a session", .answers = ANSWER_RECORD,
     .answer = &session_record},
    {HTTP_PUT, "/{id}/end", ROLE_AGENT, TX_WRITE, end,
     "End a session; a second time corrects the first", .answers = ANSWER_RECORD,
     .answer = &session_record, .body = &ending_record, .flags = ROUTE_OPTIONAL_BODY},
};

static const struct route customer_routes[] = {
    {HTTP_GET, "/{id}/sessions", ROLE_VIEWER, TX_READ, list_of_customer,
     "List the sessions with a customer, newest first", .answers = ANSWER_LIST,
     .answer = &session_record, .flags = ROUTE_PAGED},
};

static const char *const mounts[] = {"/sessions"};
static const char *const customer_mounts[] = {"/customers", "/contacts", "/leads"};

const struct resource session_resource = {"Sessions", mounts, COUNT_OF(mounts), routes,
                                          COUNT_OF(routes)};
const struct resource customer_session_resource = {"Sessions", customer_mounts,
                                                   COUNT_OF(customer_mounts), customer_routes,
                                                   COUNT_OF(customer_routes)};
