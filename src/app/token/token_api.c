#include "app/token/token.h"
#include "http/route.h"

extern const struct resource contact_token_resource;
extern const struct resource stream_ticket_resource;

struct making {
    int64_t expires_in;
};
static const struct field making_fields[] = {
    FIELD(making, expires_in, F_INT, 0, .min = TOKEN_SECONDS_MIN, .max = TOKEN_SECONDS_MAX,
          .doc = "Seconds; left out: an hour"),
};
static const struct record making_record = RECORD_NAMED("ContactTokenBody", making, making_fields);

static enum err create(struct req *rq)
{
    const struct making *making = rq->body;
    struct token made = {0};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(token_create(&rq->cx, id, making->expires_in ? making->expires_in : TOKEN_SECONDS_DEFAULT,
                     &made));
    return reply_created(rq, &token_record, &made, made.id);
}

static void time_key(const void *row, struct list_key *out)
{
    const struct token *token = row;

    out->time = token->created_at;
    out->id = token->id;
}

static enum err list(struct req *rq)
{
    const struct page *page = &rq->page;
    struct total total = {0};
    struct list rows;
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(token_list(&rq->cx, id, page->cursor_time, page->cursor_id, page->limit + 1, page->offset,
                   &rows, &total.rows));
    total.capped = total.rows > COUNT_CAP;
    if (total.capped)
        total.rows = COUNT_CAP;
    return reply_list(rq, &token_record, &rows, total, time_key);
}

static enum err show(struct req *rq)
{
    struct uuid customer_id, id;
    struct token token = {0};

    TRY(path_id(rq, 0, &customer_id));
    TRY(path_id(rq, 1, &id));
    TRY(token_get(&rq->cx, customer_id, id, &token));
    return reply_record(rq, &token_record, &token);
}

static enum err revoke(struct req *rq)
{
    struct uuid customer_id, id;

    TRY(path_id(rq, 0, &customer_id));
    TRY(path_id(rq, 1, &id));
    TRY(token_revoke(&rq->cx, customer_id, id));
    return reply_none(rq);
}

static enum err create_ticket(struct req *rq)
{
    struct ticket made = {0};

    TRY(ticket_create(&rq->cx, &made));
    return reply_created(rq, &ticket_record, &made, made.id);
}

static const struct route routes[] = {
    {HTTP_POST, "/{id}/tokens", ROLE_AGENT, TX_WRITE, create,
     "Create a contact token, for the customer's own app", .answers = ANSWER_CREATED,
     .answer = &token_record, .body = &making_record, .flags = ROUTE_OPTIONAL_BODY, .lane = "id"},
    {HTTP_GET, "/{id}/tokens", ROLE_AGENT, TX_READ, list,
     "List the contact tokens of a customer, newest first", .answers = ANSWER_LIST,
     .answer = &token_record, .flags = ROUTE_PAGED},
    {HTTP_GET, "/{id}/tokens/{token_id}", ROLE_AGENT, TX_READ, show, "Get a contact token",
     .answers = ANSWER_RECORD, .answer = &token_record},
    {HTTP_DELETE, "/{id}/tokens/{token_id}", ROLE_AGENT, TX_WRITE, revoke, "Revoke a contact token",
     .answers = ANSWER_NONE, .lane = "id"},
};

static const struct route ticket_routes[] = {
    {HTTP_POST, "", ROLE_CONTACT, TX_WRITE, create_ticket,
     "Create a ticket that opens a stream once, within 30 seconds", .answers = ANSWER_CREATED,
     .answer = &ticket_record},
};

static const char *const mounts[] = {"/customers", "/contacts", "/leads"};
static const char *const ticket_mounts[] = {"/stream/tickets"};

const struct resource contact_token_resource = {"Contact tokens", mounts, COUNT_OF(mounts), routes,
                                                COUNT_OF(routes)};
const struct resource stream_ticket_resource = {"Stream", ticket_mounts, COUNT_OF(ticket_mounts),
                                                ticket_routes, COUNT_OF(ticket_routes)};
