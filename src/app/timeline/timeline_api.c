#include "app/timeline/timeline.h"
#include "http/route.h"

extern const struct resource event_resource, contact_event_resource, session_event_resource;

/* --- Bodies and queries ---------------------------------------------------------------------- */

#define EVENT_BODY_FIELDS                                                                          \
    FIELD(event, session_id, F_UUID, NULLABLE, .doc = "A session with this contact"),              \
        FIELD(event, interaction_id, F_UUID, NULLABLE, .doc = "An interaction with this contact"), \
        FIELD(event, event_type, F_TEXT, REQUIRED | ONE_LINE, .min = 1, .max = 64,                 \
              .example = "\"pipeline_stage_changed\""),                                            \
        FIELD(event, category, F_ENUM, REQUIRED, .names = &event_categories),                      \
        FIELD(event, priority, F_ENUM, 0, .names = &event_priorities, .doc = "Left out: normal"),  \
        FIELD(event, title, F_TEXT, NULLABLE | ONE_LINE, .max = 255),                              \
        FIELD(event, description, F_TEXT, NULLABLE, .max = 10000),                                 \
        FIELD(event, payload, F_JSON, NULLABLE, .doc = "Kept byte for byte"),                      \
        FIELD(event, metadata, F_JSON, NULLABLE, .doc = "Kept byte for byte"),                     \
        FIELD(event, source, F_ENUM, 0, .names = &event_sources,                                   \
              .doc = "Left out: agent, or system where no user asks"),                             \
        FIELD(event, integration_source, F_TEXT, NULLABLE | ONE_LINE, .min = 1, .max = 64),        \
        FIELD(event, addressee_type, F_ENUM, NULLABLE, .names = &event_addressees,                 \
              .doc = "Left out: user where addressee_id is given, else contact where the event "   \
                     "is visible to the client, else nobody"),                                     \
        FIELD(event, addressee_id, F_UUID, NULLABLE, .doc = "A user"),                             \
        FIELD(event, is_realtime, F_BOOL, 0),                                                      \
        FIELD(event, visible_to_client, F_BOOL, 0, .doc = "Left out: false"),                      \
        FIELD(event, visible_to_agent, F_BOOL, 0, .doc = "Left out: true"),                        \
        FIELD(event, expires_at, F_TIME, NULLABLE),                                                \
        FIELD(event, occurred_at, F_TIME, 0, .doc = "Left out: now")

static const struct field body_fields[] = {FIELD(event, contact_id, F_UUID, REQUIRED),
                                           EVENT_BODY_FIELDS};
static const struct record body_record = RECORD_NAMED("ContactEvent", event, body_fields);
static const struct field own_body_fields[] = {EVENT_BODY_FIELDS};
static const struct record own_body_record = RECORD_NAMED("TimelineEvent", event, own_body_fields);

static const struct field timeline_query_fields[] = {
    FIELD(event_filter, view, F_ENUM, 0, .names = &event_views, .doc = "Left out: agent"),
    FIELD(event_filter, category, F_ENUM, 0, .names = &event_categories),
    FIELD(event_filter, event_type, F_TEXT, ONE_LINE, .min = 1, .max = 64),
    FIELD(event_filter, from, F_TIME, NULLABLE, .doc = "occurred_at at this time or later"),
    FIELD(event_filter, to, F_TIME, NULLABLE, .doc = "occurred_at before this time"),
};
static const struct record timeline_query =
    RECORD_NAMED("TimelineQuery", event_filter, timeline_query_fields);

static const struct field tenant_query_fields[] = {
    FIELD(event_filter, event_type, F_TEXT, ONE_LINE, .min = 1, .max = 64),
    FIELD(event_filter, category, F_ENUM, 0, .names = &event_categories),
    FIELD_AS(event_filter, "since", from, F_TIME, NULLABLE,
             .doc = "occurred_at at this time or later"),
    FIELD_AS(event_filter, "until", to, F_TIME, NULLABLE, .doc = "occurred_at before this time"),
};
static const struct record tenant_query =
    RECORD_NAMED("ContactEventQuery", event_filter, tenant_query_fields);

static const struct field contact_query_fields[] = {
    FIELD(event_filter, contact_id, F_UUID, 0),
};
static const struct record contact_query =
    RECORD_NAMED("UndeliveredQuery", event_filter, contact_query_fields);

static const struct field view_query_fields[] = {
    FIELD(event_filter, view, F_ENUM, 0, .names = &event_views, .doc = "Left out: agent"),
};
static const struct record view_query =
    RECORD_NAMED("TimelineCountQuery", event_filter, view_query_fields);

static const struct field search_query_fields[] = {
    FIELD(event_filter, q, F_TEXT, REQUIRED | ONE_LINE, .min = 1, .max = EVENT_QUERY_MAX,
          .doc = "Words of title and description; the last one may be a beginning"),
    FIELD(event_filter, contact_id, F_UUID, 0),
    FIELD(event_filter, category, F_ENUM, 0, .names = &event_categories),
    FIELD(event_filter, event_type, F_TEXT, ONE_LINE, .min = 1, .max = 64),
    FIELD(event_filter, from, F_TIME, NULLABLE, .doc = "occurred_at at this time or later"),
    FIELD(event_filter, to, F_TIME, NULLABLE, .doc = "occurred_at before this time"),
};
static const struct record search_query =
    RECORD_NAMED("ContactEventSearch", event_filter, search_query_fields);

struct place_body {
    struct uuid event_id;
};
static const struct field place_fields[] = {
    FIELD(place_body, event_id, F_UUID, REQUIRED, .doc = "The last one that was read"),
};
static const struct record place_record = RECORD_NAMED("ReadUpTo", place_body, place_fields);

struct ids_body {
    struct list event_ids;
};
static const struct field ids_fields[] = {
    FIELD(ids_body, event_ids, F_LIST, REQUIRED, .of = F_UUID, .unique = true, .min = 1,
          .max = BULK_ROWS_MAX),
};
static const struct record ids_record = RECORD_NAMED("ReadMany", ids_body, ids_fields);

struct forget_body {
    struct maybe_int before;
};
static const struct field forget_fields[] = {
    FIELD(forget_body, before, F_TIME, NULLABLE,
          .doc = "Only what expired by then; left out, or ahead of now: by now"),
};
static const struct record forget_record =
    RECORD_NAMED("DeleteExpired", forget_body, forget_fields);

/* --- Answers -----------------------------------------------------------------------------------
 */

struct delivered_answer {
    bool success;
    struct uuid event_id;
    int64_t delivered_at;
};
static const struct field delivered_fields[] = {
    FIELD(delivered_answer, success, F_BOOL, READ_ONLY),
    FIELD(delivered_answer, event_id, F_UUID, READ_ONLY),
    FIELD(delivered_answer, delivered_at, F_TIME, READ_ONLY),
};
static const struct record delivered_record =
    RECORD_NAMED("EventDelivered", delivered_answer, delivered_fields);

struct read_answer {
    bool success;
    struct uuid event_id;
    int64_t read_at;
};
static const struct field read_fields[] = {
    FIELD(read_answer, success, F_BOOL, READ_ONLY),
    FIELD(read_answer, event_id, F_UUID, READ_ONLY),
    FIELD(read_answer, read_at, F_TIME, READ_ONLY),
};
static const struct record read_record = RECORD_NAMED("EventRead", read_answer, read_fields);

/* Of a mark over several events, and of counts. */
struct count_answer {
    bool success;
    int64_t marked, unread, count, deleted;
    bool more, capped;
};
static const struct field marked_fields[] = {
    FIELD(count_answer, success, F_BOOL, READ_ONLY),
    FIELD(count_answer, marked, F_INT, READ_ONLY, .doc = "How many were not read before"),
    FIELD(count_answer, more, F_BOOL, READ_ONLY, .doc = "There are others: ask again"),
};
static const struct record marked_record = RECORD_NAMED("EventsRead", count_answer, marked_fields);
static const struct field unread_fields[] = {
    FIELD(count_answer, unread, F_INT, READ_ONLY),
    FIELD(count_answer, capped, F_BOOL, READ_ONLY, .doc = "There are more than unread says"),
};
static const struct record unread_record = RECORD_NAMED("UnreadCount", count_answer, unread_fields);
static const struct field count_fields[] = {FIELD(count_answer, count, F_INT, READ_ONLY)};
static const struct record count_record = RECORD_NAMED("TimelineCount", count_answer, count_fields);
static const struct field deleted_fields[] = {
    FIELD(count_answer, deleted, F_INT, READ_ONLY),
    FIELD(count_answer, more, F_BOOL, READ_ONLY, .doc = "There are others: ask again"),
};
static const struct record deleted_record =
    RECORD_NAMED("ExpiredDeleted", count_answer, deleted_fields);

/* --- Writing -----------------------------------------------------------------------------------
 */

static enum err post(struct req *rq, const struct record *record, const struct event *in)
{
    const bool shown = !given_has(&rq->given, record, "visible_to_agent") || in->visible_to_agent;
    struct event made = {.id = UUID_NONE};

    TRY(timeline_post(&rq->cx, in, shown, &made));
    return reply_created(rq, &event_record, &made, made.id);
}

static enum err create(struct req *rq)
{
    return post(rq, &body_record, rq->body);
}

static enum err create_for_contact(struct req *rq)
{
    struct event in = *(const struct event *)rq->body;

    TRY(path_id(rq, 0, &in.contact_id));
    TRY(timeline_owner(&rq->cx, in.contact_id, &in.contact_id));
    return post(rq, &own_body_record, &in);
}

static enum err create_row(struct req *rq, const struct bulk_row *row, struct uuid *id, int *status)
{
    const struct event *in = row->record;
    const bool shown =
        !given_has(&row->given, &body_record, "visible_to_agent") || in->visible_to_agent;
    struct event made = {.id = UUID_NONE};

    *status = 201;
    TRY(timeline_post(&rq->cx, in, shown, &made));
    *id = made.id;
    return OK;
}

static enum err create_many(struct req *rq)
{
    return reply_rows(rq, create_row);
}

static enum err erase(struct req *rq)
{
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(timeline_erase(&rq->cx, id));
    return reply_none(rq);
}

static enum err redact(struct req *rq)
{
    struct event event = {.id = UUID_NONE};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(timeline_redact(&rq->cx, id, &event));
    return reply_record(rq, &event_record, &event);
}

static enum err delete_expired(struct req *rq)
{
    const struct forget_body *body = rq->body;
    struct count_answer answer = {.success = true};

    TRY(timeline_forget_expired(&rq->cx, body->before.set ? body->before.value : rq->cx.now_us,
                                &answer.deleted, &answer.more));
    return reply_record(rq, &deleted_record, &answer);
}

/* --- Reading -----------------------------------------------------------------------------------
 */

static enum err show(struct req *rq)
{
    struct event event = {.id = UUID_NONE};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(timeline_get(&rq->cx, id, &event));
    return reply_record(rq, &event_record, &event);
}

static void occurred_key(const void *row, struct list_key *out)
{
    const struct event *event = row;

    out->time = event->occurred_at;
    out->id = event->id;
}

static void number_key(const void *row, struct list_key *out)
{
    const struct event *event = row;

    out->time = event->number;
    out->id = event->id;
}

static enum err reply_events(struct req *rq, enum event_list list, struct uuid id,
                             const struct event_filter *filter)
{
    const struct page *page = &rq->page;
    const struct event_place place = {page->cursor_time, page->cursor_id, page->limit + 1,
                                      page->offset};
    struct event_page found;
    struct list_key key = {0};

    TRY(timeline_list(&rq->cx, list, id, filter, &place, &found));
    key.time = found.cut_time;
    key.id = found.cut_id;
    return reply_list(rq, &event_record, &found.rows,
                      (struct total){.rows = found.total,
                                     .capped = found.capped,
                                     .resume = found.cut ? &key : NULL},
                      list == LIST_AUDIT ? number_key : occurred_key);
}

static const struct event_filter everything = {.category = 0};

static enum err list_of_contact(struct req *rq)
{
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(timeline_owner(&rq->cx, id, &id));
    return reply_events(rq, LIST_TIMELINE, id, rq->query);
}

static enum err list_of_session(struct req *rq)
{
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    page_upwards(&rq->page);
    return reply_events(rq, LIST_SESSION, id, &everything);
}

static enum err list_of_tenant(struct req *rq)
{
    const struct event_filter *filter = rq->query;

    if (filter->event_type.ptr || filter->category)
        return reply_events(rq, LIST_TENANT, UUID_NONE, filter);
    if (filter->from.set || filter->to.set)
        return error_fault(rq->cx.error, filter->from.set ? "since" : "until", "conflict",
                           "needs event_type or category beside it");
    return reply_events(rq, LIST_AUDIT, UUID_NONE, filter);
}

/* A contact that a query names, if any: an unknown one is 404. */
static enum err query_contact(struct req *rq, struct uuid *out)
{
    const struct event_filter *filter = rq->query;

    *out = filter->contact_id;
    return uuid_is_none(*out) ? OK : timeline_owner(&rq->cx, *out, out);
}

static enum err list_undelivered(struct req *rq)
{
    struct uuid id;

    TRY(query_contact(rq, &id));
    return reply_events(rq, LIST_UNDELIVERED, id, &everything);
}

static enum err list_unread(struct req *rq)
{
    return reply_events(rq, LIST_UNREAD, UUID_NONE, &everything);
}

static enum err search(struct req *rq)
{
    struct event_filter filter = *(const struct event_filter *)rq->query;

    TRY(query_contact(rq, &filter.contact_id));
    return reply_events(rq, LIST_TEXTS, UUID_NONE, &filter);
}

static enum err count(struct req *rq)
{
    const struct event_filter *filter = rq->query;
    const bool is_client = filter->view == VIEW_CLIENT || rq->cx.actor.role == ROLE_CONTACT;
    struct count_answer answer = {.success = true};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(timeline_owner(&rq->cx, id, &id));
    TRY(timeline_total(&rq->cx, id, is_client ? VIEW_CLIENT : VIEW_AGENT, &answer.count));
    return reply_record(rq, &count_record, &answer);
}

static enum err count_unread(struct req *rq)
{
    struct count_answer answer = {.success = true};

    TRY(timeline_unread(&rq->cx, &answer.unread, &answer.capped));
    return reply_record(rq, &unread_record, &answer);
}

/* --- Marks ---------------------------------------------------------------------------------------
 */

static enum err mark_delivered(struct req *rq)
{
    struct delivered_answer answer = {.success = true};
    struct event_mark mark;

    TRY(path_id(rq, 0, &answer.event_id));
    TRY(timeline_mark_delivered(&rq->cx, answer.event_id, &mark));
    answer.delivered_at = mark.at_us;
    return reply_record(rq, &delivered_record, &answer);
}

static enum err mark_read(struct req *rq)
{
    struct read_answer answer = {.success = true};
    struct event_mark mark;

    TRY(path_id(rq, 0, &answer.event_id));
    TRY(timeline_mark_read(&rq->cx, answer.event_id, &mark));
    answer.read_at = mark.at_us;
    return reply_record(rq, &read_record, &answer);
}

static enum err mark_many_read(struct req *rq)
{
    const struct ids_body *body = rq->body;
    struct count_answer answer = {.success = true};

    for (size_t i = 0; i < body->event_ids.count; i++) {
        struct event_mark mark;
        const enum err result =
            timeline_mark_read(&rq->cx, *LIST_AT(body->event_ids, struct uuid, i), &mark);

        if (result == ERR_NOT_FOUND)
            return error_set(rq->cx.error, ERR_NOT_FOUND,
                             "There is no such record: event_ids[%zu].", i);
        TRY(result);
        answer.marked += mark.changed;
    }
    return reply_record(rq, &marked_record, &answer);
}

static enum err reply_up_to(struct req *rq, struct uuid timeline_id)
{
    const struct place_body *body = rq->body;
    struct count_answer answer = {.success = true};

    TRY(timeline_mark_read_up_to(&rq->cx, timeline_id, body->event_id, &answer.marked,
                                 &answer.more));
    return reply_record(rq, &marked_record, &answer);
}

static enum err mark_contact_read_up_to(struct req *rq)
{
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(timeline_owner(&rq->cx, id, &id));
    return reply_up_to(rq, id);
}

static enum err mark_mine_read_up_to(struct req *rq)
{
    return reply_up_to(rq, UUID_NONE);
}

/* --- Routes --------------------------------------------------------------------------------------
 */

static const struct route routes[] = {
    {HTTP_POST, "", ROLE_AGENT, TX_WRITE, create, "Write an event", ANSWER_CREATED, &event_record,
     .body = &body_record, .lane = "contact_id"},
    {HTTP_GET, "", ROLE_VIEWER, TX_READ, list_of_tenant,
     "List events of a type or category, newest first; without either all in the order of the "
     "audit, the last one first",
     ANSWER_EVENTS, &event_record, .query = &tenant_query, .flags = ROUTE_PAGED},
    {HTTP_POST, "/bulk", ROLE_AGENT, TX_WRITE, create_many, "Write many events", ANSWER_ROWS,
     .body = &body_record, .flags = ROUTE_ROWS},
    {HTTP_GET, "/undelivered", ROLE_VIEWER, TX_READ, list_undelivered,
     "List realtime events that their addressee has not acknowledged, newest first", ANSWER_EVENTS,
     &event_record, .query = &contact_query, .flags = ROUTE_PAGED},
    {HTTP_GET, "/unread", ROLE_CONTACT, TX_READ, list_unread,
     "List the caller's events that are not read, newest first", ANSWER_EVENTS, &event_record,
     .flags = ROUTE_PAGED},
    {HTTP_GET, "/unread-count", ROLE_CONTACT, TX_READ, count_unread,
     "Count the caller's events that are not read", .answers = ANSWER_RECORD,
     .answer = &unread_record},
    {HTTP_GET, "/search", ROLE_VIEWER, TX_READ, search,
     "Search in titles and descriptions of events and notes that people or systems wrote",
     ANSWER_EVENTS, &event_record, .query = &search_query, .flags = ROUTE_PAGED},
    {HTTP_POST, "/mark-read", ROLE_CONTACT, TX_WRITE, mark_many_read, "Mark events as read",
     ANSWER_RECORD, &marked_record, .body = &ids_record},
    {HTTP_POST, "/mark-read-up-to", ROLE_CONTACT, TX_WRITE, mark_mine_read_up_to,
     "Mark the caller's events as read, up to and including one", ANSWER_RECORD, &marked_record,
     .body = &place_record},
    {HTTP_POST, "/delete-expired", ROLE_ADMIN, TX_WRITE, delete_expired,
     "Delete events that have expired; their seals stay", ANSWER_RECORD, &deleted_record,
     .body = &forget_record, .flags = ROUTE_OPTIONAL_BODY},
    {HTTP_GET, "/{id}", ROLE_CONTACT, TX_READ, show, "Get an event", .answers = ANSWER_RECORD,
     .answer = &event_record},
    {HTTP_DELETE, "/{id}", ROLE_ADMIN, TX_WRITE, erase, "Erase an event; its seal stays",
     .answers = ANSWER_NONE},
    {HTTP_POST, "/{id}/redact", ROLE_ADMIN, TX_WRITE, redact,
     "Erase an event's title, description, payload and metadata", .answers = ANSWER_RECORD,
     .answer = &event_record},
    {HTTP_POST, "/{id}/mark-delivered", ROLE_CONTACT, TX_WRITE, mark_delivered,
     "Mark an event as delivered to the caller, whom it is addressed to", .answers = ANSWER_RECORD,
     .answer = &delivered_record},
    {HTTP_POST, "/{id}/mark-read", ROLE_CONTACT, TX_WRITE, mark_read,
     "Mark an event as read by the caller", .answers = ANSWER_RECORD, .answer = &read_record},
};

static const struct route contact_routes[] = {
    {HTTP_GET, "/{id}/events", ROLE_CONTACT, TX_READ, list_of_contact,
     "List a contact's timeline, newest first", ANSWER_EVENTS, &event_record,
     .query = &timeline_query, .flags = ROUTE_PAGED},
    {HTTP_POST, "/{id}/events", ROLE_AGENT, TX_WRITE, create_for_contact,
     "Write an event on a contact's timeline", ANSWER_CREATED, &event_record,
     .body = &own_body_record, .lane = "id"},
    {HTTP_GET, "/{id}/events/count", ROLE_CONTACT, TX_READ, count,
     "Count the events of a contact's timeline", ANSWER_RECORD, &count_record,
     .query = &view_query},
    {HTTP_POST, "/{id}/events/mark-read-up-to", ROLE_CONTACT, TX_WRITE, mark_contact_read_up_to,
     "Mark the caller's events on a contact's timeline as read, up to and including one",
     ANSWER_RECORD, &marked_record, .body = &place_record},
};

static const struct route session_routes[] = {
    {HTTP_GET, "/{id}/events", ROLE_VIEWER, TX_READ, list_of_session,
     "List a session's events, oldest first", ANSWER_EVENTS, &event_record, .flags = ROUTE_PAGED},
};

static const char *const mounts[] = {"/contact-events"};
static const char *const contact_mounts[] = {"/contacts", "/customers", "/leads"};
static const char *const session_mounts[] = {"/sessions"};

const struct resource event_resource = {"Contact events", mounts, COUNT_OF(mounts), routes,
                                        COUNT_OF(routes)};
const struct resource contact_event_resource = {"Contact events", contact_mounts,
                                                COUNT_OF(contact_mounts), contact_routes,
                                                COUNT_OF(contact_routes)};
const struct resource session_event_resource = {"Contact events", session_mounts,
                                                COUNT_OF(session_mounts), session_routes,
                                                COUNT_OF(session_routes)};
