#include "app/interaction/attempt.h"
#include "http/route.h"

extern const struct resource attempt_resource, attempt_response_resource;

static const struct field filter_fields[] = {
    FIELD_AS(interaction_filter, "method", type, F_ENUM, 0, .names = &interaction_type_words,
             .doc = "social_media is without linkedin here"),
    FIELD(interaction_filter, direction, F_ENUM, 0, .names = &directions),
};
static const struct record filter_record =
    RECORD_NAMED("ContactAttemptFilter", interaction_filter, filter_fields);

/* --- One -------------------------------------------------------------------------------------- */

static void settle(struct req *rq)
{
    struct new_attempt *in = rq->body;

    in->touch.type = attempt_type(in->method);
    if (!given_has(&rq->given, &new_attempt_record, "started_at"))
        in->touch.started_at = rq->cx.now_us;
}

static void check_new(struct req *rq)
{
    const struct new_attempt *in = rq->body;

    settle(rq);
    interaction_check_attempt(&rq->cx, &in->touch, &in->override);
}

static enum err create(struct req *rq)
{
    struct new_attempt *in = rq->body;
    struct interaction made = {0};

    settle(rq);
    TRY(path_id(rq, 0, &in->touch.customer_id));
    TRY(interaction_attempt(&rq->cx, &in->touch, &in->override, &made));
    return reply_created_at(rq, &attempt_record, &made, "/interactions", made.id);
}

static enum err set_response(struct req *rq)
{
    const struct attempt_response *body = rq->body;
    const bool responded =
        body->responded || !given_has(&rq->given, &attempt_response_record, "responded");
    struct interaction current = {0}, changed = {0};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(interaction_get_locked(&rq->cx, id, &current));
    TRY(check_if_match(rq, current.version));
    TRY(interaction_set_response(&rq->cx, &current, responded, body->response_at, &changed));
    return reply_record(rq, &attempt_record, &changed);
}

/* --- The history ------------------------------------------------------------------------------ */

static void started_key(const void *row, struct list_key *out)
{
    const struct interaction *interaction = row;

    out->time = interaction->started_at;
    out->id = interaction->id;
}

static enum err list(struct req *rq)
{
    const struct page *page = &rq->page;
    const struct interaction_place place = {page->cursor_time, page->cursor_id, page->limit + 1,
                                            page->offset};
    struct interaction_filter *filter = rq->query;
    struct interaction_page found;
    struct list_key key = {0};

    TRY(path_id(rq, 0, &filter->customer_id));
    if (filter->type == TYPE_SOCIAL_MEDIA)
        filter->not_channel = STR("linkedin");
    TRY(interaction_list_owner(&rq->cx, filter));
    TRY(interaction_list(&rq->cx, filter, &place, &found));
    key.time = found.cut_time;
    key.id = found.cut_id;
    return reply_list(rq, &attempt_record, &found.rows,
                      (struct total){.rows = found.total,
                                     .capped = found.capped,
                                     .resume = found.cut ? &key : NULL},
                      started_key);
}

static const struct route routes[] = {
    {HTTP_POST, "/{id}/contacts", ROLE_AGENT, TX_WRITE, create,
     "Log a contact attempt, unless the outreach policy is against it: 429 where it blocks, 409 "
     "where it warns, with the facts under `check`",
     ANSWER_CREATED, &attempt_record, .body = &new_attempt_record, .lane = "id",
     .check = check_new},
    {HTTP_GET, "/{id}/contacts", ROLE_VIEWER, TX_READ, list,
     "List all contacts with a lead, newest first", ANSWER_LIST, &attempt_record,
     .query = &filter_record, .flags = ROUTE_PAGED},
};

/* A lead is a customer by another name, so that its history is found under each. */
static const char *const mounts[] = {"/leads", "/customers", "/contacts"};

const struct resource attempt_resource = {"Contact attempts", mounts, COUNT_OF(mounts), routes,
                                          COUNT_OF(routes)};

static const struct route response_routes[] = {
    {HTTP_PATCH, "/{id}/responded", ROLE_AGENT, TX_WRITE, set_response,
     "Mark a contact attempt as responded to, correct when, or take that back", ANSWER_RECORD,
     &attempt_record, .body = &attempt_response_record, .flags = ROUTE_OPTIONAL_BODY},
};

/* Seed 004 calls attempts contacts here: the id is an attempt's, not a customer's. */
static const char *const response_mounts[] = {"/contact-attempts", "/contacts"};

const struct resource attempt_response_resource = {"Contact attempts", response_mounts,
                                                   COUNT_OF(response_mounts), response_routes,
                                                   COUNT_OF(response_routes)};
