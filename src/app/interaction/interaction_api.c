#include "app/interaction/interaction.h"
#include "http/route.h"

extern const struct resource interaction_resource;

/* --- Bodies and queries -------------------------------------------------------------------- */

static const struct field content_fields[] = {
    FIELD(interaction, subject, F_TEXT, ONE_LINE, .min = 1, .max = INTERACTION_SUBJECT_MAX),
    FIELD(interaction, description, F_TEXT, NULLABLE, .max = INTERACTION_DESCRIPTION_MAX),
};
static const struct record content_record =
    RECORD_NAMED("InteractionContent", interaction, content_fields);

static const struct field outcome_fields[] = {
    FIELD(interaction, outcome, F_ENUM, REQUIRED, .names = &outcomes),
};
static const struct record outcome_record =
    RECORD_NAMED("InteractionOutcome", interaction, outcome_fields);

struct end_body {
    struct maybe_int ended_at;
};
static const struct field end_fields[] = {
    FIELD(end_body, ended_at, F_TIME, NULLABLE, .doc = "Left out: now"),
};
static const struct record end_record = RECORD_NAMED("InteractionEnd", end_body, end_fields);

static const struct field follow_up_fields[] = {
    FIELD(interaction, follow_up_required, F_BOOL, REQUIRED),
    FIELD(interaction, follow_up_date, F_TIME, NULLABLE),
    FIELD(interaction, follow_up_notes, F_TEXT, NULLABLE, .max = 2000),
    FIELD(interaction, follow_up_assignee, F_UUID, NULLABLE,
          .doc = "Left out: who has it now, else who logged the interaction"),
};
static const struct record follow_up_record =
    RECORD_NAMED("FollowUp", interaction, follow_up_fields);

struct snooze_body {
    int64_t until;
};
static const struct field snooze_fields[] = {
    FIELD(snooze_body, until, F_TIME, REQUIRED),
};
static const struct record snooze_record = RECORD_NAMED("Snooze", snooze_body, snooze_fields);

struct attendee_body {
    struct uuid attendee_id;
};
static const struct field attendee_fields[] = {
    FIELD(attendee_body, attendee_id, F_UUID, REQUIRED, .doc = "A user"),
};
static const struct record attendee_record =
    RECORD_NAMED("Attendee", attendee_body, attendee_fields);

static const struct field filter_fields[] = {
    FIELD(interaction_filter, customer_id, F_UUID, 0),
    FIELD(interaction_filter, company_id, F_UUID, 0),
    FIELD(interaction_filter, type, F_ENUM, 0, .names = &interaction_type_words),
    FIELD(interaction_filter, direction, F_ENUM, 0, .names = &directions),
    FIELD(interaction_filter, outcome, F_ENUM, 0, .names = &outcomes),
    FIELD(interaction_filter, channel, F_TEXT, ONE_LINE, .min = 1, .max = INTERACTION_CHANNEL_MAX),
    FIELD(interaction_filter, created_by, F_UUID, 0),
    FIELD(interaction_filter, session_id, F_UUID, 0),
    FIELD(interaction_filter, sentiment, F_ENUM, 0, .names = &sentiments),
    FIELD(interaction_filter, from, F_TIME, NULLABLE, .doc = "started_at at this time or later"),
    FIELD(interaction_filter, to, F_TIME, NULLABLE, .doc = "started_at before this time"),
    FIELD(interaction_filter, q, F_TEXT, ONE_LINE, .min = 1, .max = INTERACTION_QUERY_MAX,
          .doc = "Words of subject and description; the last one may be a beginning"),
};
static const struct record filter_record =
    RECORD_NAMED("InteractionFilter", interaction_filter, filter_fields);

static const struct field search_fields[] = {
    FIELD(interaction_filter, q, F_TEXT, REQUIRED | ONE_LINE, .min = 1,
          .max = INTERACTION_QUERY_MAX,
          .doc = "Words of subject and description; the last one may be a beginning"),
};
static const struct record search_record =
    RECORD_NAMED("InteractionSearch", interaction_filter, search_fields);

struct follow_up_query {
    int bucket;
    struct uuid assignee;
};
static const struct field follow_up_query_fields[] = {
    FIELD(follow_up_query, bucket, F_ENUM, 0, .names = &follow_up_buckets,
          .doc = "By the caller's day; left out: all that are pending"),
    FIELD(follow_up_query, assignee, F_UUID, 0),
};
static const struct record follow_up_query_record =
    RECORD_NAMED("FollowUpQuery", follow_up_query, follow_up_query_fields);

/* --- One -------------------------------------------------------------------------------------- */

static enum err create(struct req *rq)
{
    struct interaction made = {0};

    TRY(interaction_create(&rq->cx, rq->body, &made));
    return reply_created(rq, &interaction_record, &made, made.id);
}

static enum err create_row(struct req *rq, const struct bulk_row *row, struct uuid *id, int *status)
{
    const struct interaction *in = row->record;
    struct interaction made = {0};
    bool there;

    TRY(interaction_find_external(&rq->cx, in->external_id, &made, &there));
    if (there)
        *status = 200;
    else
        TRY(interaction_create(&rq->cx, in, &made));
    *id = made.id;
    return OK;
}

static enum err create_many(struct req *rq)
{
    struct uuid *ids = ARENA_ARRAY(rq->cx.arena, rq->row_count, struct uuid);
    size_t count = 0;

    if (!ids)
        return error_set(rq->cx.error, ERR_TOO_LARGE, "The request unfolds to more than is taken.");
    for (size_t i = 0; i < rq->row_count; i++) {
        if (!rq->rows[i].error)
            ids[count++] = ((const struct interaction *)rq->rows[i].record)->customer_id;
    }
    TRY(interaction_lock_customers(&rq->cx, ids, count));
    return reply_rows(rq, create_row);
}

static enum err show(struct req *rq)
{
    struct interaction interaction = {0};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(interaction_get(&rq->cx, id, &interaction));
    return reply_record(rq, &interaction_record, &interaction);
}

/* The interaction of the path, locked, as the caller saw it. */
static enum err current_interaction(struct req *rq, struct interaction *out)
{
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(interaction_get_locked(&rq->cx, id, out));
    return check_if_match(rq, out->version);
}

static enum err edit(struct req *rq)
{
    struct interaction current = {0}, changed = {0};

    TRY(current_interaction(rq, &current));
    TRY(interaction_update(&rq->cx, &current, rq->body, &rq->given, &changed));
    return reply_record(rq, &interaction_record, &changed);
}

/* What a body of another record gave, as the family's own record has it. */
static void give(struct given *given, const char *name)
{
    const size_t i =
        (size_t)(record_field(&interaction_record, str_of(name)) - interaction_record.fields);

    given->bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static enum err edit_content(struct req *rq)
{
    struct interaction current = {0}, changed = {0};
    struct given given = {0};

    TRY(current_interaction(rq, &current));
    for (size_t i = 0; i < content_record.count; i++) {
        if (given_has(&rq->given, &content_record, content_record.fields[i].name))
            give(&given, content_record.fields[i].name);
    }
    TRY(interaction_update(&rq->cx, &current, rq->body, &given, &changed));
    return reply_record(rq, &interaction_record, &changed);
}

static enum err set_outcome(struct req *rq)
{
    const struct interaction *body = rq->body;
    struct interaction current = {0}, changed = {0};

    TRY(current_interaction(rq, &current));
    TRY(interaction_set_outcome(&rq->cx, &current, body->outcome, &changed));
    return reply_record(rq, &interaction_record, &changed);
}

static enum err end(struct req *rq)
{
    const struct end_body *body = rq->body;
    struct interaction current = {0}, changed = {0};

    TRY(current_interaction(rq, &current));
    TRY(interaction_end(&rq->cx, &current,
                        body->ended_at.set ? body->ended_at.value : rq->cx.now_us, &changed));
    return reply_record(rq, &interaction_record, &changed);
}

static enum err set_follow_up(struct req *rq)
{
    struct interaction current = {0}, changed = {0};

    TRY(current_interaction(rq, &current));
    TRY(interaction_set_follow_up(&rq->cx, &current, rq->body, &changed));
    return reply_record(rq, &interaction_record, &changed);
}

static enum err complete_follow_up(struct req *rq)
{
    struct interaction current = {0}, changed = {0};

    TRY(current_interaction(rq, &current));
    TRY(interaction_complete_follow_up(&rq->cx, &current, &changed));
    return reply_record(rq, &interaction_record, &changed);
}

static enum err snooze_follow_up(struct req *rq)
{
    const struct snooze_body *body = rq->body;
    struct interaction current = {0}, changed = {0};

    TRY(current_interaction(rq, &current));
    TRY(interaction_snooze_follow_up(&rq->cx, &current, body->until, &changed));
    return reply_record(rq, &interaction_record, &changed);
}

static enum err add_attendee(struct req *rq)
{
    const struct attendee_body *body = rq->body;
    struct interaction current = {0}, changed = {0};

    TRY(current_interaction(rq, &current));
    TRY(interaction_add_attendee(&rq->cx, &current, body->attendee_id, &changed));
    return reply_record(rq, &interaction_record, &changed);
}

static enum err remove_attendee(struct req *rq)
{
    struct interaction current = {0}, changed = {0};
    struct uuid user_id;

    TRY(current_interaction(rq, &current));
    TRY(path_id(rq, 1, &user_id));
    TRY(interaction_remove_attendee(&rq->cx, &current, user_id, &changed));
    return reply_none(rq);
}

static enum err delete (struct req *rq) {
    struct interaction current = {0};

    TRY(current_interaction(rq, &current));
    TRY(interaction_delete(&rq->cx, &current));
    return reply_none(rq);
}

static enum err restore(struct req *rq)
{
    struct interaction interaction = {0};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(interaction_get_any_locked(&rq->cx, id, &interaction));
    TRY(check_if_match(rq, interaction.version));
    TRY(interaction_restore(&rq->cx, id, &interaction));
    return reply_record(rq, &interaction_record, &interaction);
}

/* --- Lists ---------------------------------------------------------------------------------------
 */

static void started_key(const void *row, struct list_key *out)
{
    const struct interaction *interaction = row;

    out->time = interaction->started_at;
    out->id = interaction->id;
}

static void due_key(const void *row, struct list_key *out)
{
    const struct interaction *interaction = row;

    out->time = interaction->follow_up_due.value;
    out->id = interaction->id;
}

static enum err reply_filtered(struct req *rq, const struct interaction_filter *filter)
{
    const struct page *page = &rq->page;
    const struct interaction_place place = {page->cursor_time, page->cursor_id, page->limit + 1,
                                            page->offset};
    struct interaction_page found;
    struct list_key key = {0};

    TRY(interaction_list(&rq->cx, filter, &place, &found));
    key.time = found.cut_time;
    key.id = found.cut_id;
    return reply_list(rq, &interaction_record, &found.rows,
                      (struct total){.rows = found.total,
                                     .capped = found.capped,
                                     .resume = found.cut ? &key : NULL},
                      started_key);
}

static enum err list(struct req *rq)
{
    return reply_filtered(rq, rq->query);
}

/* The list of somebody: 404 on every page where that one is not there. */
static enum err reply_owned(struct req *rq, const struct interaction_filter *filter)
{
    TRY(interaction_list_owner(&rq->cx, filter));
    return reply_filtered(rq, filter);
}

static enum err list_of_customer(struct req *rq)
{
    struct interaction_filter filter = {.q = STR_NULL};

    TRY(path_id(rq, 0, &filter.customer_id));
    return reply_owned(rq, &filter);
}

static enum err list_of_company(struct req *rq)
{
    struct interaction_filter filter = {.q = STR_NULL};

    TRY(path_id(rq, 0, &filter.company_id));
    return reply_owned(rq, &filter);
}

static enum err list_of_creator(struct req *rq)
{
    struct interaction_filter filter = {.q = STR_NULL};

    TRY(path_id(rq, 0, &filter.created_by));
    return reply_owned(rq, &filter);
}

static enum err list_of_type(struct req *rq)
{
    struct interaction_filter filter = {.q = STR_NULL};

    TRY(path_enum(rq, 0, "type", &interaction_type_words, &filter.type));
    return reply_filtered(rq, &filter);
}

static enum err follow_ups(struct req *rq)
{
    const struct follow_up_query *query = rq->query;
    struct page *page = &rq->page;
    struct total total = {0};
    struct list rows;

    page_upwards(page);
    TRY(interaction_follow_ups(&rq->cx, query->bucket, query->assignee, page->cursor_time,
                               page->cursor_id, page->limit + 1, page->offset, &rows, &total.rows,
                               &total.capped));
    return reply_list(rq, &interaction_record, &rows, total, due_key);
}

static const struct route routes[] = {
    {HTTP_POST, "", ROLE_AGENT, TX_WRITE, create, "Log an interaction", ANSWER_CREATED,
     &interaction_record, .body = &interaction_record, .lane = "customer_id"},
    {HTTP_GET, "", ROLE_VIEWER, TX_READ, list,
     "List interactions, newest first, also those with deleted customers", ANSWER_LIST,
     &interaction_record, .query = &filter_record, .flags = ROUTE_PAGED},
    {HTTP_POST, "/bulk", ROLE_AGENT, TX_WRITE, create_many,
     "Log many interactions; a row whose external_id is there answers its id", ANSWER_ROWS,
     .body = &interaction_record, .flags = ROUTE_ROWS},
    {HTTP_GET, "/search", ROLE_VIEWER, TX_READ, list, "Search in subjects and descriptions",
     ANSWER_LIST, &interaction_record, .query = &search_record, .flags = ROUTE_PAGED},
    {HTTP_GET, "/customer/{id}", ROLE_VIEWER, TX_READ, list_of_customer,
     "List the interactions with a customer who is not deleted", ANSWER_LIST, &interaction_record,
     .flags = ROUTE_PAGED},
    {HTTP_GET, "/company/{id}", ROLE_VIEWER, TX_READ, list_of_company,
     "List the interactions with a company that is not deleted", ANSWER_LIST, &interaction_record,
     .flags = ROUTE_PAGED},
    {HTTP_GET, "/type/{type}", ROLE_VIEWER, TX_READ, list_of_type,
     "List the interactions of a type", ANSWER_LIST, &interaction_record, .flags = ROUTE_PAGED},
    {HTTP_GET, "/created-by/{id}", ROLE_VIEWER, TX_READ, list_of_creator,
     "List the interactions that a user logged", ANSWER_LIST, &interaction_record,
     .flags = ROUTE_PAGED},
    {HTTP_GET, "/follow-ups", ROLE_VIEWER, TX_READ, follow_ups,
     "List pending follow-ups, earliest first", ANSWER_LIST, &interaction_record,
     .query = &follow_up_query_record, .flags = ROUTE_PAGED},
    {HTTP_GET, "/{id}", ROLE_VIEWER, TX_READ, show, "Get an interaction", ANSWER_RECORD,
     .answer = &interaction_record},
    {HTTP_PATCH, "/{id}", ROLE_AGENT, TX_WRITE, edit, "Change an interaction", ANSWER_RECORD,
     &interaction_record, .body = &interaction_record, .flags = ROUTE_PATCH},
    {HTTP_DELETE, "/{id}", ROLE_AGENT, TX_WRITE, delete,
     "Delete an interaction; it can be restored", .answers = ANSWER_NONE},
    {HTTP_POST, "/{id}/restore", ROLE_AGENT, TX_WRITE, restore, "Restore a deleted interaction",
     ANSWER_RECORD, .answer = &interaction_record},
    {HTTP_PUT, "/{id}/content", ROLE_AGENT, TX_WRITE, edit_content,
     "Change subject and description", ANSWER_RECORD, &interaction_record, .body = &content_record},
    {HTTP_PUT, "/{id}/outcome", ROLE_AGENT, TX_WRITE, set_outcome, "Set the outcome", ANSWER_RECORD,
     &interaction_record, .body = &outcome_record},
    {HTTP_PUT, "/{id}/end", ROLE_AGENT, TX_WRITE, end, "End it, or correct when it ended",
     ANSWER_RECORD, &interaction_record, .body = &end_record, .flags = ROUTE_OPTIONAL_BODY},
    {HTTP_PUT, "/{id}/follow-up", ROLE_AGENT, TX_WRITE, set_follow_up, "Set the follow-up",
     ANSWER_RECORD, &interaction_record, .body = &follow_up_record},
    {HTTP_POST, "/{id}/follow-up/complete", ROLE_AGENT, TX_WRITE, complete_follow_up,
     "Complete the follow-up", ANSWER_RECORD, .answer = &interaction_record},
    {HTTP_POST, "/{id}/follow-up/snooze", ROLE_AGENT, TX_WRITE, snooze_follow_up,
     "Put the follow-up off", ANSWER_RECORD, &interaction_record, .body = &snooze_record},
    {HTTP_POST, "/{id}/attendees", ROLE_AGENT, TX_WRITE, add_attendee, "Add an attendee",
     ANSWER_RECORD, &interaction_record, .body = &attendee_record},
    {HTTP_DELETE, "/{id}/attendees/{attendee_id}", ROLE_AGENT, TX_WRITE, remove_attendee,
     "Remove an attendee", .answers = ANSWER_NONE},
};

static const char *const mounts[] = {"/interactions", "/customer-mgmt/interactions"};

const struct resource interaction_resource = {"Interactions", mounts, COUNT_OF(mounts), routes,
                                              COUNT_OF(routes)};
