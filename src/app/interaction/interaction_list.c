#include "app/customer/customer.h"
#include "app/interaction/interaction_parts.h"
#include "app/interaction/interaction_sql.h"
#include "db/counts.h"

#include <string.h>

#define WALK_ROWS 200 /* read at a time where words are looked for in the rows themselves */

/* An index that can lead: its queries, and the list whose total is kept. */
struct lead {
    const struct query *page, *filtered, *count, *edge;
    const char *total;
};

static const struct lead by_all = {&sql_interaction_page_by_all, &sql_interaction_filtered_by_all,
                                   &sql_interaction_count_by_all, &sql_interaction_edge_by_all,
                                   "interactions"};
static const struct lead by_session = {
    &sql_interaction_page_by_session, &sql_interaction_filtered_by_session,
    &sql_interaction_count_by_session, &sql_interaction_edge_by_session, "interactions.session"};
static const struct lead by_customer = {
    &sql_interaction_page_by_customer, &sql_interaction_filtered_by_customer,
    &sql_interaction_count_by_customer, &sql_interaction_edge_by_customer, "interactions.customer"};
static const struct lead by_company = {
    &sql_interaction_page_by_company, &sql_interaction_filtered_by_company,
    &sql_interaction_count_by_company, &sql_interaction_edge_by_company, "interactions.company"};
static const struct lead by_created_by = {
    &sql_interaction_page_by_created_by, &sql_interaction_filtered_by_created_by,
    &sql_interaction_count_by_created_by, &sql_interaction_edge_by_created_by,
    "interactions.created_by"};
static const struct lead by_type = {
    &sql_interaction_page_by_type, &sql_interaction_filtered_by_type,
    &sql_interaction_count_by_type, &sql_interaction_edge_by_type, "interactions.type"};
static const struct lead by_outcome = {
    &sql_interaction_page_by_outcome, &sql_interaction_filtered_by_outcome,
    &sql_interaction_count_by_outcome, &sql_interaction_edge_by_outcome, NULL};
static const struct lead by_sentiment = {
    &sql_interaction_page_by_sentiment, &sql_interaction_filtered_by_sentiment,
    &sql_interaction_count_by_sentiment, &sql_interaction_edge_by_sentiment, NULL};
static const struct lead by_channel = {
    &sql_interaction_page_by_channel, &sql_interaction_filtered_by_channel,
    &sql_interaction_count_by_channel, &sql_interaction_edge_by_channel, NULL};

/* One reading: what leads, what else must hold, and the stretch that is left to read:
 * from (before_time, before_id), which is not in it, down to (edge_time, edge_id), which is. */
struct reading {
    const struct lead *lead;
    struct value lead_value; /* type 0: none */
    const struct interaction_filter *filter;
    size_t conditions; /* of the filter, the leading one included */
    struct str match;
    int64_t before_time, edge_time;
    struct uuid before_id, edge_id;
};

static void consider(struct reading *reading, const struct lead *lead, struct value value)
{
    if (value.null)
        return;
    reading->conditions++;
    if (reading->lead == &by_all) {
        reading->lead = lead;
        reading->lead_value = value;
    }
}

/* In the order in which they lead to the fewest rows as a rule. */
static void choose_lead(struct reading *reading, const struct interaction_filter *filter)
{
    reading->lead = &by_all;
    consider(reading, &by_session, v_uuid(filter->session_id));
    consider(reading, &by_customer, v_uuid(filter->customer_id));
    consider(reading, &by_company, v_uuid(filter->company_id));
    consider(reading, &by_created_by, v_uuid(filter->created_by));
    consider(reading, &by_outcome, v_enum(&outcomes, filter->outcome));
    consider(reading, &by_sentiment, v_enum(&sentiments, filter->sentiment));
    consider(reading, &by_channel, v_text(filter->channel));
    consider(reading, &by_type, v_enum(&interaction_types, filter->type));
    reading->conditions += filter->direction != 0;
    reading->conditions += filter->not_channel.ptr != NULL;
    reading->conditions += filter->from.set || filter->to.set;
}

static void whole_stretch(struct reading *reading)
{
    const struct interaction_filter *filter = reading->filter;

    reading->before_time = filter->to.set ? filter->to.value : TIME_END;
    reading->before_id = filter->to.set ? UUID_MIN : UUID_MAX;
    reading->edge_time = filter->from.set ? filter->from.value : TIME_MIN_US;
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

#define READING_BINDS 23

static struct args reading_args(const struct reading *reading, int64_t limit, int64_t offset,
                                struct bind binds[READING_BINDS])
{
    const struct interaction_filter *filter = reading->filter;
    const struct bind all[] = {
        {"lead", reading->lead_value},
        {"customer_id", v_uuid(filter->customer_id)},
        {"company_id", v_uuid(filter->company_id)},
        {"created_by", v_uuid(filter->created_by)},
        {"session_id", v_uuid(filter->session_id)},
        {"type", v_enum(&interaction_types, filter->type)},
        {"direction", v_enum(&directions, filter->direction)},
        {"outcome", v_enum(&outcomes, filter->outcome)},
        {"channel", v_text(filter->channel)},
        {"not_channel", v_text(filter->not_channel)},
        {"sentiment_label", v_enum(&sentiments, filter->sentiment)},
        {"match", v_text(reading->match)},
        {"cursor_time", v_time(reading->before_time)},
        {"cursor_id", v_uuid(reading->before_id)},
        {"edge_time", v_time(reading->edge_time)},
        {"edge_id", v_uuid(reading->edge_id)},
        {"limit", v_int(limit)},
        {"offset", v_int(offset)},
        {"window", v_int(offset)},
        {"count_cap", v_int(COUNT_CAP + 1)},
        {"found_cap", v_int(COUNT_CAP + 1)},
    };

    _Static_assert(COUNT_OF(all) <= READING_BINDS, "room for all");
    memcpy(binds, all, sizeof(all));
    return (struct args){NULL, NULL, binds, COUNT_OF(all)};
}

static enum err read_rows(struct ctx *cx, const struct query *query, const struct reading *reading,
                          int64_t limit, int64_t offset, struct list *out)
{
    struct bind binds[READING_BINDS];

    return db_all(cx, query, reading_args(reading, limit, offset, binds), &interaction_row_record,
                  out);
}

static enum err read_count(struct ctx *cx, const struct query *query, const struct reading *reading,
                           int64_t *out)
{
    struct bind binds[READING_BINDS];

    return db_int(cx, query, reading_args(reading, 0, 0, binds), out);
}

/* The last of the next `entries` of the leading index; false where fewer are left. */
static enum err find_edge(struct ctx *cx, const struct reading *reading, int64_t entries,
                          int64_t *time, struct uuid *id, bool *found)
{
    struct bind binds[READING_BINDS];
    struct interaction edge;

    TRY(db_find(cx, reading->lead->edge, reading_args(reading, 0, entries - 1, binds),
                &interaction_row_record, &edge, found));
    *time = edge.started_at;
    *id = edge.id;
    return OK;
}

/* Reads step by step, so that a page that fills at once costs little and one that never does
 * costs SCAN_CAP entries. */
static enum err scan(struct ctx *cx, const struct reading *whole, int64_t limit, int64_t offset,
                     struct interaction_page *out)
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
        TRY(read_rows(cx, part.lead->filtered, &part, limit - (int64_t)out->rows.count, offset,
                      &rows));
        TRY(list_append(cx->arena, &out->rows, &rows, sizeof(struct interaction), cx->error));
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

/* How many there are, of the first SCAN_CAP entries. */
static enum err count_filtered(struct ctx *cx, struct reading reading, struct interaction_page *out)
{
    int64_t time;
    struct uuid id;
    bool more;

    whole_stretch(&reading);
    TRY(find_edge(cx, &reading, SCAN_CAP, &time, &id, &more));
    if (more) {
        reading.edge_time = time;
        reading.edge_id = id;
    }
    TRY(read_count(cx, reading.lead->count, &reading, &out->total));
    out->capped = more || out->total > COUNT_CAP;
    return OK;
}

/* --- Plain lists ----------------------------------------------------------------------------- */

static enum err plain(struct ctx *cx, const struct reading *reading,
                      const struct interaction_place *place, struct interaction_page *out)
{
    const struct value *value = &reading->lead_value;
    const char *list = reading->lead->total;

    if (value->type == V_UUID)
        TRY(count_get_uuid(cx, list, value->uuid, &out->total));
    else
        TRY(count_get(cx, list, value->type == V_TEXT ? value->text : STR(""), &out->total));
    return read_rows(cx, reading->lead->page, reading, place->limit, place->offset, &out->rows);
}

/* --- Search --------------------------------------------------------------------------------- */

static enum err few_found(struct ctx *cx, const struct reading *reading,
                          const struct interaction_place *place, int64_t found,
                          struct interaction_page *out)
{
    struct reading all = *reading;

    out->total = found;
    if (reading->conditions > 0) {
        whole_stretch(&all);
        TRY(read_count(cx, &sql_interaction_count_found_filtered, &all, &out->total));
    }
    return read_rows(cx, &sql_interaction_page_found, reading, place->limit, place->offset,
                     &out->rows);
}

/* Reads on through the list and looks for the words in the rows: fn says whether it has enough.
 * *cut: there may be more, behind out->cut_time and out->cut_id. */
static enum err walk(struct ctx *cx, const struct reading *whole, const struct search *search,
                     struct interaction_page *out,
                     bool (*hit)(void *context, const struct interaction *row), void *context)
{
    struct reading part = *whole;

    out->cut = true;
    for (int64_t looked = 0; looked < SEARCH_SCAN_CAP; looked += WALK_ROWS) {
        struct interaction_page rows;

        TRY(scan(cx, &part, WALK_ROWS, 0, &rows));
        for (size_t i = 0; i < rows.rows.count; i++) {
            const struct interaction *row = LIST_AT(rows.rows, struct interaction, i);

            out->cut_time = part.before_time = row->started_at;
            out->cut_id = part.before_id = row->id;
            if (search_found(search, interaction_words(cx, row)) && hit(context, row)) {
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
    struct interaction *rows;
    int64_t count, limit, skip;
};

static bool gather(void *context, const struct interaction *row)
{
    struct gathering *gathering = context;

    if (gathering->skip > 0) {
        gathering->skip--;
        return false;
    }
    gathering->rows[gathering->count++] = *row;
    return gathering->count == gathering->limit;
}

static bool count_hit(void *context, const struct interaction *row)
{
    (void)row;
    return ++*(int64_t *)context > COUNT_CAP;
}

static enum err many_found(struct ctx *cx, const struct reading *reading,
                           const struct interaction_place *place, const struct search *search,
                           struct interaction_page *out)
{
    struct gathering gathering = {
        .rows = ARENA_ARRAY(cx->arena, (size_t)place->limit, struct interaction),
        .limit = place->limit,
        .skip = place->offset};
    struct interaction_page counted = {.total = 0};
    struct reading all = *reading;

    if (!gathering.rows)
        return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
    out->capped = true;
    if (reading->conditions > 0) {
        whole_stretch(&all);
        TRY(walk(cx, &all, search, &counted, count_hit, &counted.total));
        out->capped = counted.cut || counted.total > COUNT_CAP;
        out->total = counted.total;
    }
    TRY(walk(cx, reading, search, out, gather, &gathering));
    out->rows = (struct list){gathering.rows, (size_t)gathering.count};
    return OK;
}

static enum err search(struct ctx *cx, struct reading *reading,
                       const struct interaction_place *place, struct interaction_page *out)
{
    struct search search;
    int64_t found;

    TRY(search_parse(cx, reading->filter->q, &search));
    if (search.count == 0)
        return OK;
    reading->match = search.match;
    TRY(read_count(cx, &sql_interaction_count_found, reading, &found));
    return found <= COUNT_CAP ? few_found(cx, reading, place, found, out)
                              : many_found(cx, reading, place, &search, out);
}

/* --- All of them ---------------------------------------------------------------------------- */

static enum err require_there(struct ctx *cx, const struct query *query, struct uuid id)
{
    int64_t there = 0;

    if (uuid_is_none(id))
        return OK;
    TRY(db_int(cx, query, ARGS({"id", v_uuid(id)}), &there));
    return there ? OK : error_set(cx->error, ERR_NOT_FOUND, "There is no such record.");
}

enum err interaction_list_owner(struct ctx *cx, const struct interaction_filter *filter)
{
    struct uuid customer_id = filter->customer_id;

    if (!uuid_is_none(customer_id))
        TRY(customer_follow(cx, &customer_id));
    TRY(require_there(cx, &sql_interaction_customer_there, customer_id));
    TRY(require_there(cx, &sql_interaction_company_there, filter->company_id));
    return require_there(cx, &sql_interaction_user_there, filter->created_by);
}

enum err interaction_list(struct ctx *cx, const struct interaction_filter *filter,
                          const struct interaction_place *place, struct interaction_page *out)
{
    struct interaction_filter settled = *filter;
    struct reading reading = {.filter = &settled};

    *out = (struct interaction_page){.total = 0};
    if (settled.type == TYPE_LINKEDIN) {
        settled.type = TYPE_SOCIAL_MEDIA;
        if (settled.channel.ptr && !str_is(settled.channel, "linkedin"))
            return OK; /* both at once: nothing is */
        settled.channel = STR("linkedin");
    }
    if (!uuid_is_none(settled.customer_id))
        TRY(customer_follow(cx, &settled.customer_id));
    choose_lead(&reading, &settled);
    whole_stretch(&reading);
    begin_at(&reading, place->before_time, place->before_id);
    if (settled.q.ptr)
        TRY(search(cx, &reading, place, out));
    else if (reading.conditions == 0 ||
             (reading.conditions == 1 && reading.lead->total && reading.lead != &by_all))
        TRY(plain(cx, &reading, place, out));
    else {
        TRY(count_filtered(cx, reading, out));
        TRY(scan(cx, &reading, place->limit, place->offset, out));
    }
    if (out->capped)
        out->total = COUNT_CAP;
    return OK;
}
