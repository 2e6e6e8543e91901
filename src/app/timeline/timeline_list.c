#include "app/customer/customer.h"
#include "app/search/words.h"
#include "app/timeline/timeline_list_sql.h"
#include "app/timeline/timeline_parts.h"
#include "db/counts.h"

#include <string.h>

#define WALK_ROWS 200        /* read at a time where words are looked for in the rows */
#define SEARCH_SCAN_CAP 5000 /* and so many in all */

static const char *const view_names[] = {"agent", "client"};
const struct enum_names event_views = ENUM_NAMES(view_names);

/* --- Who sees what --------------------------------------------------------------------------- */

bool timeline_sees_all(const struct ctx *cx)
{
    return cx->actor.role >= ROLE_ADMIN;
}

enum err timeline_viewer(struct ctx *cx, struct uuid *out)
{
    struct customer own = {0};

    *out = UUID_NONE;
    if (cx->actor.role != ROLE_CONTACT)
        return OK;
    TRY(customer_get(cx, cx->actor.contact_id, &own));
    *out = own.id;
    return OK;
}

bool timeline_is_addressee(const struct ctx *cx, struct uuid own_id, const struct event *event)
{
    if (!uuid_is_none(own_id))
        return event->addressee_type == ADDRESSEE_CONTACT && uuid_equal(event->timeline_id, own_id);
    return event->addressee_type == ADDRESSEE_USER && !uuid_is_none(cx->actor.user_id) &&
           uuid_equal(event->addressee_id, cx->actor.user_id);
}

enum err timeline_get(struct ctx *cx, struct uuid id, struct event *out)
{
    struct uuid viewer;

    TRY(timeline_viewer(cx, &viewer));
    return db_one(cx, &sql_event_get,
                  ARGS({"id", v_uuid(id)}, {"viewer_id", v_uuid(viewer)},
                       {"is_admin", v_bool(timeline_sees_all(cx))}),
                  &event_record, out);
}

enum err timeline_get_locked(struct ctx *cx, struct uuid id, struct event *out)
{
    struct event row;

    TRY(db_one(cx, &sql_event_lock, ARGS({"id", v_uuid(id)}), &event_record, &row));
    return timeline_get(cx, id, out);
}

enum err timeline_owner(struct ctx *cx, struct uuid contact_id, struct uuid *out)
{
    struct customer customer = {0};
    struct uuid viewer;

    TRY(timeline_viewer(cx, &viewer));
    TRY(customer_get(cx, contact_id, &customer));
    if (!uuid_is_none(viewer) && !uuid_equal(viewer, customer.id))
        return error_set(cx->error, ERR_NOT_FOUND, "There is no such record.");
    *out = customer.id;
    return OK;
}

/* --- Readings ----------------------------------------------------------------------------------
 */

/* An index that can lead. */
struct lead {
    const struct query *page, *count, *edge;
};

static const struct lead by_timeline = {&sql_event_filtered_by_timeline,
                                        &sql_event_count_by_timeline, &sql_event_edge_by_timeline};
static const struct lead by_client = {&sql_event_filtered_by_client, &sql_event_count_by_client,
                                      &sql_event_edge_by_client};
static const struct lead by_type = {&sql_event_filtered_by_type, &sql_event_count_by_type,
                                    &sql_event_edge_by_type};
static const struct lead by_category = {&sql_event_filtered_by_category,
                                        &sql_event_count_by_category, &sql_event_edge_by_category};
static const struct lead by_undelivered = {&sql_event_filtered_by_undelivered,
                                           &sql_event_count_by_undelivered,
                                           &sql_event_edge_by_undelivered};
static const struct lead by_undelivered_contact = {&sql_event_filtered_by_undelivered_contact,
                                                   &sql_event_count_by_undelivered_contact,
                                                   &sql_event_edge_by_undelivered_contact};
static const struct lead by_unread = {&sql_event_filtered_by_unread, &sql_event_count_by_unread,
                                      &sql_event_edge_by_unread};
static const struct lead by_unread_contact = {&sql_event_filtered_by_unread_contact,
                                              &sql_event_count_by_unread_contact,
                                              &sql_event_edge_by_unread_contact};
static const struct lead by_texts = {&sql_event_filtered_by_texts, &sql_event_count_by_texts,
                                     &sql_event_edge_by_texts};
static const struct lead by_timeline_texts = {&sql_event_filtered_by_timeline_texts,
                                              &sql_event_count_by_timeline_texts,
                                              &sql_event_edge_by_timeline_texts};

/* One reading: what leads, what else must hold, and the stretch that is left to read: from
 * (before_time, before_id), which is not in it, down to (edge_time, edge_id), which is. */
struct reading {
    const struct lead *lead;
    struct value lead_value;
    int category;
    struct str event_type, match;
    struct uuid contact_id;
    struct maybe_int from, to;
    int64_t before_time, edge_time;
    struct uuid before_id, edge_id;
};

static void whole_stretch(struct reading *reading)
{
    reading->before_time = reading->to.set ? reading->to.value : TIME_END;
    reading->before_id = reading->to.set ? UUID_MIN : UUID_MAX;
    reading->edge_time = reading->from.set ? reading->from.value : TIME_MIN_US;
    reading->edge_id = UUID_MIN;
}

static void begin_at(struct reading *reading, int64_t time, struct uuid id)
{
    if (time < reading->before_time ||
        (time == reading->before_time && uuid_compare(id, reading->before_id) < 0)) {
        reading->before_time = time;
        reading->before_id = id;
    }
}

#define READING_BINDS 16

static struct args reading_args(const struct ctx *cx, const struct reading *reading, int64_t limit,
                                int64_t offset, struct bind binds[READING_BINDS])
{
    const struct bind all[] = {
        {"lead", reading->lead_value},
        {"category", v_enum(&event_categories, reading->category)},
        {"event_type", v_text(reading->event_type)},
        {"match", v_text(reading->match)},
        {"contact_id", v_uuid(reading->contact_id)},
        {"is_admin", v_bool(timeline_sees_all(cx))},
        {"cursor_time", v_time(reading->before_time)},
        {"cursor_id", v_uuid(reading->before_id)},
        {"edge_time", v_time(reading->edge_time)},
        {"edge_id", v_uuid(reading->edge_id)},
        {"limit", v_int(limit)},
        {"offset", v_int(offset)},
        {"window", v_int(offset)},
        {"count_cap", v_int(COUNT_CAP + 1)},
    };

    _Static_assert(COUNT_OF(all) <= READING_BINDS, "room for all");
    memcpy(binds, all, sizeof(all));
    return (struct args){NULL, NULL, binds, COUNT_OF(all)};
}

static enum err read_rows(struct ctx *cx, const struct query *query, const struct reading *reading,
                          int64_t limit, int64_t offset, struct list *out)
{
    struct bind binds[READING_BINDS];

    return db_all(cx, query, reading_args(cx, reading, limit, offset, binds), &event_record, out);
}

static enum err read_count(struct ctx *cx, const struct query *query, const struct reading *reading,
                           int64_t *out)
{
    struct bind binds[READING_BINDS];

    return db_int(cx, query, reading_args(cx, reading, 0, 0, binds), out);
}

/* The last of the next `entries` of the leading index; false where fewer are left. */
static enum err find_edge(struct ctx *cx, const struct reading *reading, int64_t entries,
                          int64_t *time, struct uuid *id, bool *found)
{
    struct bind binds[READING_BINDS];
    struct event edge;

    TRY(db_find(cx, reading->lead->edge, reading_args(cx, reading, 0, entries - 1, binds),
                &event_record, &edge, found));
    *time = edge.occurred_at;
    *id = edge.id;
    return OK;
}

/* Reads step by step, so that a page that fills at once costs little and one that never does
 * costs SCAN_CAP entries. */
static enum err scan(struct ctx *cx, const struct reading *whole, int64_t limit, int64_t offset,
                     struct event_page *out)
{
    static const int64_t steps[] = {500, 4500, SCAN_CAP - 5000};
    struct reading part = *whole;
    struct list rows;
    int64_t skipped;
    bool more;

    out->rows = (struct list){NULL, 0};
    out->cut = false;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        part.edge_time = whole->edge_time;
        part.edge_id = whole->edge_id;
        TRY(find_edge(cx, &part, steps[i], &out->cut_time, &out->cut_id, &more));
        if (more) {
            part.edge_time = out->cut_time;
            part.edge_id = out->cut_id;
        }
        TRY(read_rows(cx, part.lead->page, &part, limit - (int64_t)out->rows.count, offset, &rows));
        TRY(list_append(cx->arena, &out->rows, &rows, sizeof(struct event), cx->error));
        if (!more || (int64_t)out->rows.count >= limit)
            return OK;
        if (offset > 0 && rows.count == 0) {
            TRY(read_count(cx, part.lead->count, &part, &skipped));
            offset -= skipped;
        } else {
            offset = 0;
        }
        part.before_time = out->cut_time;
        part.before_id = out->cut_id;
    }
    out->cut = true;
    return OK;
}

/* How many there are, of the first SCAN_CAP entries. Where all of them count, COUNT_CAP of them
 * are enough. */
static enum err count_all(struct ctx *cx, struct reading reading, int64_t *total, bool *capped)
{
    static const int64_t steps[] = {COUNT_CAP + 1, SCAN_CAP - COUNT_CAP - 1};
    bool more = true;

    whole_stretch(&reading);
    *total = 0;
    for (size_t i = 0; i < COUNT_OF(steps) && more && *total <= COUNT_CAP; i++) {
        struct reading part = reading;
        int64_t counted;

        TRY(find_edge(cx, &reading, steps[i], &reading.before_time, &reading.before_id, &more));
        if (more) {
            part.edge_time = reading.before_time;
            part.edge_id = reading.before_id;
        }
        TRY(read_count(cx, reading.lead->count, &part, &counted));
        *total += counted;
    }
    *capped = more || *total > COUNT_CAP;
    if (*capped)
        *total = COUNT_CAP;
    return OK;
}

static enum err counted_page(struct ctx *cx, const struct reading *reading,
                             const struct event_place *place, struct event_page *out)
{
    TRY(count_all(cx, *reading, &out->total, &out->capped));
    return scan(cx, reading, place->limit, place->offset, out);
}

/* --- Timelines and sessions --------------------------------------------------------------------
 */

/* A kept total, less what has expired and was not taken out of it yet. */
static enum err kept_total(struct ctx *cx, const char *list, const struct query *overdue,
                           struct uuid id, int64_t *out)
{
    int64_t gone;

    TRY(count_get_uuid(cx, list, id, out));
    TRY(db_int(cx, overdue, ARGS({"lead", v_uuid(id)}), &gone));
    *out = *out > gone ? *out - gone : 0;
    return OK;
}

enum err timeline_total(struct ctx *cx, struct uuid timeline_id, enum event_view view, int64_t *out)
{
    if (view == VIEW_CLIENT)
        return kept_total(cx, COUNT_EVENTS_CLIENT, &sql_event_overdue_client, timeline_id, out);
    return kept_total(cx, COUNT_EVENTS_TIMELINE, &sql_event_overdue_timeline, timeline_id, out);
}

static enum err timeline_page(struct ctx *cx, struct reading *reading, struct uuid id,
                              enum event_view view, const struct event_place *place,
                              struct event_page *out)
{
    reading->lead = view == VIEW_CLIENT ? &by_client : &by_timeline;
    reading->lead_value = v_uuid(id);
    if (reading->category || reading->event_type.ptr || reading->from.set || reading->to.set)
        return counted_page(cx, reading, place, out);
    TRY(timeline_total(cx, id, view, &out->total));
    return read_rows(cx, reading->lead->page, reading, place->limit, place->offset, &out->rows);
}

static enum err session_page(struct ctx *cx, struct uuid id, const struct event_place *place,
                             struct event_page *out)
{
    struct event found;

    TRY(db_one(cx, &sql_event_session_there, ARGS({"id", v_uuid(id)}), &event_record, &found));
    TRY(kept_total(cx, COUNT_EVENTS_SESSION, &sql_event_overdue_session, id, &out->total));
    return db_all(cx, &sql_event_page_by_session,
                  ARGS({"lead", v_uuid(id)}, {"cursor_time", v_time(place->time)},
                       {"cursor_id", v_uuid(place->id)}, {"limit", v_int(place->limit)},
                       {"offset", v_int(place->offset)}),
                  &event_record, &out->rows);
}

/* --- The chain's order --------------------------------------------------------------------------
 */

static struct args number_args(const struct ctx *cx, const struct event_place *place,
                               int64_t before, int64_t edge, struct bind binds[6])
{
    const struct bind all[] = {
        {"before_number", v_int(before)},    {"edge_number", v_int(edge)},
        {"limit", v_int(place->limit)},      {"offset", v_int(place->offset)},
        {"count_cap", v_int(COUNT_CAP + 1)}, {"is_admin", v_bool(timeline_sees_all(cx))},
    };

    memcpy(binds, all, sizeof(all));
    return (struct args){NULL, NULL, binds, COUNT_OF(all)};
}

static enum err audit_page(struct ctx *cx, const struct event_place *place, struct event_page *out)
{
    struct bind binds[6];
    int64_t last, before, edge;

    TRY(db_int(cx, &sql_event_last_number, NO_ARGS, &last));
    before = place->time <= last ? place->time : last + 1;
    edge = before - SCAN_CAP;
    TRY(db_all(cx, &sql_event_page_by_number, number_args(cx, place, before, edge, binds),
               &event_record, &out->rows));
    if ((int64_t)out->rows.count < place->limit && edge > 1) {
        out->cut = true;
        out->cut_time = edge;
        out->cut_id = UUID_MAX;
    }
    TRY(db_int(cx, &sql_event_count_by_number,
               number_args(cx, place, last + 1, last + 1 - SCAN_CAP, binds), &out->total));
    out->capped = out->total > COUNT_CAP || last > SCAN_CAP;
    return OK;
}

/* --- Search ----------------------------------------------------------------------------------- */

static bool is_narrowed(const struct reading *reading)
{
    return !uuid_is_none(reading->contact_id) || reading->category || reading->event_type.ptr ||
           reading->from.set || reading->to.set;
}

/* Words that few have: all whom the index of texts finds are looked at. */
static enum err few_found(struct ctx *cx, const struct reading *reading,
                          const struct event_place *place, struct event_page *out)
{
    struct reading all = *reading;

    whole_stretch(&all);
    TRY(read_count(cx, &sql_event_count_found_filtered, &all, &out->total));
    return read_rows(cx, &sql_event_page_found, reading, place->limit, place->offset, &out->rows);
}

/* Reads on through the list and looks for the words in the rows: fn says whether it has enough.
 * out->cut: there may be more, behind out->cut_time and out->cut_id. */
static enum err walk(struct ctx *cx, const struct reading *whole, const struct search *search,
                     struct event_page *out, bool (*hit)(void *context, const struct event *event),
                     void *context)
{
    struct reading part = *whole;

    out->cut = true;
    for (int64_t looked = 0; looked < SEARCH_SCAN_CAP; looked += WALK_ROWS) {
        struct event_page rows;

        TRY(scan(cx, &part, WALK_ROWS, 0, &rows));
        for (size_t i = 0; i < rows.rows.count; i++) {
            const struct event *event = LIST_AT(rows.rows, struct event, i);

            out->cut_time = part.before_time = event->occurred_at;
            out->cut_id = part.before_id = event->id;
            if (search_found(search, timeline_words(cx, event)) && hit(context, event)) {
                out->cut = false;
                return OK;
            }
        }
        if (rows.cut) {
            out->cut_time = rows.cut_time;
            out->cut_id = rows.cut_id;
            return OK;
        }
        if (rows.rows.count < WALK_ROWS) {
            out->cut = false;
            return OK;
        }
    }
    return OK;
}

struct gathering {
    struct event *rows;
    int64_t count, limit, skip;
};

static bool gather(void *context, const struct event *event)
{
    struct gathering *gathering = context;

    if (gathering->skip > 0) {
        gathering->skip--;
        return false;
    }
    gathering->rows[gathering->count++] = *event;
    return gathering->count == gathering->limit;
}

static bool count_hit(void *context, const struct event *event)
{
    (void)event;
    return ++*(int64_t *)context > COUNT_CAP;
}

static enum err many_found(struct ctx *cx, const struct reading *reading,
                           const struct event_place *place, const struct search *search,
                           struct event_page *out)
{
    struct gathering gathering = {.rows =
                                      ARENA_ARRAY(cx->arena, (size_t)place->limit, struct event),
                                  .limit = place->limit,
                                  .skip = place->offset};
    struct event_page counted = {.total = 0};
    struct reading all = *reading;

    if (!gathering.rows)
        return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
    out->capped = true;
    if (is_narrowed(reading)) {
        whole_stretch(&all);
        TRY(walk(cx, &all, search, &counted, count_hit, &counted.total));
        out->capped = counted.cut || counted.total > COUNT_CAP;
        out->total = counted.total;
    }
    TRY(walk(cx, reading, search, out, gather, &gathering));
    out->rows = (struct list){gathering.rows, (size_t)gathering.count};
    return OK;
}

static enum err search_page(struct ctx *cx, struct reading *reading, struct str q,
                            const struct event_place *place, struct event_page *out)
{
    struct search search;
    int64_t found;

    reading->lead = uuid_is_none(reading->contact_id) ? &by_texts : &by_timeline_texts;
    reading->lead_value = v_uuid(reading->contact_id);
    TRY(search_parse(cx, q, &search));
    if (search.count == 0)
        return OK;
    reading->match = search.match;
    TRY(read_count(cx, &sql_event_count_found, reading, &found));
    return found <= COUNT_CAP ? few_found(cx, reading, place, out)
                              : many_found(cx, reading, place, &search, out);
}

/* --- All of them ---------------------------------------------------------------------------------
 */

static enum err undelivered_page(struct ctx *cx, struct reading *reading, struct uuid id,
                                 const struct event_place *place, struct event_page *out)
{
    reading->lead = uuid_is_none(id) ? &by_undelivered : &by_undelivered_contact;
    reading->lead_value = v_uuid(id);
    return counted_page(cx, reading, place, out);
}

/* What is addressed to the actor: false where that is nobody. */
static enum err lead_by_unread(struct ctx *cx, struct reading *reading, bool *somebody)
{
    struct uuid viewer;

    TRY(timeline_viewer(cx, &viewer));
    reading->lead = uuid_is_none(viewer) ? &by_unread : &by_unread_contact;
    reading->lead_value = v_uuid(uuid_is_none(viewer) ? cx->actor.user_id : viewer);
    *somebody = !reading->lead_value.null;
    return OK;
}

static enum err unread_page(struct ctx *cx, struct reading *reading,
                            const struct event_place *place, struct event_page *out)
{
    bool somebody;

    TRY(lead_by_unread(cx, reading, &somebody));
    return somebody ? counted_page(cx, reading, place, out) : OK;
}

enum err timeline_unread(struct ctx *cx, int64_t *out, bool *capped)
{
    struct reading reading = {.lead = NULL};
    bool somebody;

    *out = 0;
    *capped = false;
    TRY(lead_by_unread(cx, &reading, &somebody));
    return somebody ? count_all(cx, reading, out, capped) : OK;
}

enum err timeline_list(struct ctx *cx, enum event_list list, struct uuid id,
                       const struct event_filter *filter, const struct event_place *place,
                       struct event_page *out)
{
    const bool is_client = filter->view == VIEW_CLIENT || cx->actor.role == ROLE_CONTACT;
    struct reading reading = {.category = filter->category,
                              .event_type = filter->event_type,
                              .contact_id = filter->contact_id,
                              .from = filter->from,
                              .to = filter->to};
    enum err result = OK;

    *out = (struct event_page){.total = 0};
    whole_stretch(&reading);
    begin_at(&reading, place->time, place->id);
    switch (list) {
    case LIST_TIMELINE:
        result = timeline_page(cx, &reading, id, is_client ? VIEW_CLIENT : VIEW_AGENT, place, out);
        break;
    case LIST_SESSION:
        result = session_page(cx, id, place, out);
        break;
    case LIST_TENANT:
        reading.lead = filter->event_type.ptr ? &by_type : &by_category;
        reading.lead_value = filter->event_type.ptr ? v_text(filter->event_type)
                                                    : v_enum(&event_categories, filter->category);
        result = counted_page(cx, &reading, place, out);
        break;
    case LIST_UNDELIVERED:
        result = undelivered_page(cx, &reading, id, place, out);
        break;
    case LIST_UNREAD:
        result = unread_page(cx, &reading, place, out);
        break;
    case LIST_TEXTS:
        result = search_page(cx, &reading, filter->q, place, out);
        break;
    case LIST_AUDIT:
        result = audit_page(cx, place, out);
        break;
    }
    if (out->capped)
        out->total = COUNT_CAP;
    return result;
}
