#include "app/analytics/report.h"

#include "app/analytics/attempts.h"
#include "app/analytics/report_sql.h"
#include "app/customer/customer.h"
#include "app/interaction/interaction.h"
#include "app/tenant/tenant.h"
#include "base/civil.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_ROWS 2000 /* cells read at once */
#define DAYS_OF_WEEK 7
#define MONDAY_OFFSET 3 /* 1970-01-01 was a Thursday */
#define MONTHS_OF_YEAR 12
#define HOUR_SECONDS 3600
#define USERS_AT_FIRST 64

static const char *const interval_names[] = {"day", "week", "month"};
const struct enum_names report_intervals = ENUM_NAMES(interval_names);

/* --- Days ----------------------------------------------------------------------------------- */

static bool check_date(struct str text)
{
    int64_t us;

    return time_parse_date(text, &us) || time_parse(text, &us);
}

const struct text_format format_report_date = {
    "date", check_date, "must be a date like 2026-02-01, or a time as RFC 3339 has it"};

static int64_t day_of(struct str text, struct str zone)
{
    int64_t us = 0;

    if (time_parse_date(text, &us))
        return us / DAY_US;
    time_parse(text, &us);
    return attempt_day(zone, us);
}

static enum err settle_days(struct ctx *cx, const struct report_query *query,
                            struct outreach_report *out)
{
    const bool has_from = query->from_date.ptr, has_to = query->to_date.ptr;

    out->to_day =
        has_to ? day_of(query->to_date, out->timezone) : attempt_day(out->timezone, cx->now_us);
    out->from_day = has_from ? day_of(query->from_date, out->timezone)
                             : out->to_day - (REPORT_DAYS_DEFAULT - 1);
    if (out->from_day > out->to_day)
        return has_to
                   ? error_fault(cx->error, "to_date", "too_small", "must not be before from_date")
                   : error_fault(cx->error, "from_date", "too_large",
                                 "must not be after today, unless there is a to_date");
    if (out->to_day - out->from_day >= REPORT_DAYS_MAX)
        return error_fault(cx->error, has_to ? "to_date" : "from_date",
                           has_to ? "too_large" : "too_small", "a report has at most %d days",
                           REPORT_DAYS_MAX);
    out->previous.to_day = out->from_day - 1;
    out->previous.from_day = out->from_day - (out->to_day - out->from_day + 1);
    return OK;
}

/* Which stretch of its kind a day is in: they are numbered without gaps. */
static int64_t stretch_of(int interval, int64_t day)
{
    int64_t year;
    int month, day_of_month;

    switch (interval) {
    case INTERVAL_WEEK:
        return floor_divide(day + MONDAY_OFFSET, DAYS_OF_WEEK);
    case INTERVAL_MONTH:
        civil_from_days(day, &year, &month, &day_of_month);
        return year * MONTHS_OF_YEAR + month;
    default:
        return day;
    }
}

/* --- Groups --------------------------------------------------------------------------------- */

/* A line that is being added up. */
struct group {
    struct outreach_line line;
    int64_t response_seconds;
    struct response_times *times; /* NULL: no responses so far */
};

struct groups {
    struct group *items;
    size_t count, room;
};

struct tally {
    const struct report_query *query;
    struct outreach_report *report;
    struct group total, previous;
    struct groups methods;   /* in the order of interaction_type_words */
    struct groups statuses;  /* not known, then in the order of the lifecycle */
    struct groups stretches; /* all of them */
    struct groups users;     /* by id */
    int64_t first_stretch;
    int64_t page_rows;
    struct uuid last_delta_id;
    /* The last of attempt_counts. */
    int64_t last_day;
    int last_method, last_status;
    struct uuid last_user_id;
};

static enum err too_large(struct ctx *cx)
{
    return error_set(cx->error, ERR_TOO_LARGE, "The report unfolds to more than is allowed.");
}

static enum err make_groups(struct ctx *cx, struct groups *groups, size_t count)
{
    groups->items = ARENA_ARRAY(cx->arena, count, struct group);
    groups->count = groups->room = count;
    return groups->items ? OK : too_large(cx);
}

static enum err make_stretches(struct ctx *cx, struct tally *tally)
{
    const struct outreach_report *report = tally->report;
    const int64_t first = stretch_of(report->interval, report->from_day);
    const int64_t last = stretch_of(report->interval, report->to_day);

    tally->first_stretch = first;
    TRY(make_groups(cx, &tally->stretches, (size_t)(last - first + 1)));
    for (int64_t day = report->to_day; day >= report->from_day; day--)
        tally->stretches.items[stretch_of(report->interval, day) - first].line.from_day = day;
    for (int64_t day = report->from_day; day <= report->to_day; day++)
        tally->stretches.items[stretch_of(report->interval, day) - first].line.to_day = day;
    return OK;
}

/* Where the user's group is, or belongs. */
static size_t place_of_user(const struct groups *users, struct uuid id)
{
    size_t from = 0, to = users->count;

    while (from < to) {
        const size_t middle = from + (to - from) / 2;

        if (uuid_compare(users->items[middle].line.user.id, id) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* NULL past the arena's budget. */
static struct group *user_group(struct arena *arena, struct groups *users, struct uuid id)
{
    const size_t place = place_of_user(users, id);

    if (place < users->count && uuid_equal(users->items[place].line.user.id, id))
        return &users->items[place];
    if (users->count == users->room) {
        const size_t room = users->room == 0 ? USERS_AT_FIRST : 2 * users->room;
        struct group *grown = arena_grow(arena, users->items, users->room * sizeof(struct group),
                                         room * sizeof(struct group));

        if (!grown)
            return NULL;
        users->items = grown;
        users->room = room;
    }
    memmove(&users->items[place + 1], &users->items[place],
            (users->count - place) * sizeof(struct group));
    users->items[place] = (struct group){.line.user.id = id};
    users->count++;
    return &users->items[place];
}

/* --- Cells ---------------------------------------------------------------------------------- */

/* A cell's response times, read once for all groups: the steps that it has are few. */
struct cell_times {
    struct response_times times;
    uint16_t steps[RESPONSE_STEPS]; /* those with a count */
    size_t step_count;
};

static enum err read_times(struct ctx *cx, const struct attempt_cell *cell, struct cell_times *out)
{
    memset(&out->times, 0, sizeof(out->times));
    out->step_count = 0;
    if (cell->response_times.len == 0)
        return OK;
    TRY(response_times_add(&out->times, cell->response_times, cx->error));
    for (size_t step = 0; step < RESPONSE_STEPS; step++) {
        out->steps[out->step_count] = (uint16_t)step;
        out->step_count += out->times.counts[step] != 0;
    }
    return OK;
}

static enum err add(struct ctx *cx, struct group *group, const struct attempt_cell *cell,
                    const struct cell_times *cell_times)
{
    group->line.figures.attempts += cell->attempts;
    group->line.figures.responses += cell->responses;
    group->response_seconds += cell->response_seconds;
    if (cell_times->step_count == 0)
        return OK;
    if (!group->times)
        group->times = ARENA_NEW(cx->arena, struct response_times);
    if (!group->times)
        return too_large(cx);
    for (size_t i = 0; i < cell_times->step_count; i++) {
        const size_t step = cell_times->steps[i];

        group->times->counts[step] += cell_times->times.counts[step];
    }
    return OK;
}

static enum err add_cell(struct ctx *cx, struct tally *tally, const struct attempt_cell *cell)
{
    const int method = enum_value(&interaction_type_words, cell->method);
    const int status = enum_value(&customer_statuses, cell->lead_status);
    const int64_t stretch = stretch_of(tally->report->interval, cell->day) - tally->first_stretch;
    struct cell_times times;
    struct group *user;

    TRY(read_times(cx, cell, &times));
    if (cell->day < tally->report->from_day)
        return add(cx, &tally->previous, cell, &times);
    user = user_group(cx->arena, &tally->users, cell->user_id);
    if (!user)
        return too_large(cx);
    TRY(add(cx, user, cell, &times));
    TRY(add(cx, &tally->methods.items[method], cell, &times));
    TRY(add(cx, &tally->statuses.items[status], cell, &times));
    TRY(add(cx, &tally->stretches.items[stretch], cell, &times));
    return add(cx, &tally->total, cell, &times);
}

static enum err add_count(struct ctx *cx, void *context, void *row)
{
    struct tally *tally = context;
    const struct attempt_cell *cell = row;

    tally->page_rows++;
    tally->last_day = cell->day;
    tally->last_method = enum_value(&interaction_type_words, cell->method);
    tally->last_user_id = cell->user_id;
    tally->last_status = enum_value(&customer_statuses, cell->lead_status);
    return add_cell(cx, tally, cell);
}

static enum err add_delta(struct ctx *cx, void *context, void *row)
{
    struct tally *tally = context;
    const struct attempt_cell *cell = row;

    tally->page_rows++;
    tally->last_delta_id = cell->id;
    return add_cell(cx, tally, cell);
}

static struct value name_or_blank(const struct enum_names *names, int value)
{
    const char *name = enum_name(names, value);

    return v_text(name ? str_of(name) : STR(""));
}

static enum err read_counts(struct ctx *cx, struct tally *tally)
{
    const struct report_query *query = tally->query;

    tally->last_day = tally->report->previous.from_day;
    tally->last_user_id = UUID_MAX;
    do {
        tally->page_rows = 0;
        TRY(db_each(
            cx, &sql_report_counts,
            ARGS({"day", v_int(tally->last_day)},
                 {"after_method", name_or_blank(&interaction_type_words, tally->last_method)},
                 {"after_user", v_uuid(tally->last_user_id)},
                 {"after_status", name_or_blank(&customer_statuses, tally->last_status)},
                 {"to_day", v_int(tally->report->to_day)},
                 {"method", v_enum(&interaction_type_words, query->method)},
                 {"user_id", v_uuid(query->user_id)}, {"limit", v_int(PAGE_ROWS)}),
            &attempt_cell_record, add_count, tally));
    } while (tally->page_rows == PAGE_ROWS);
    return OK;
}

static enum err read_deltas(struct ctx *cx, struct tally *tally)
{
    const struct report_query *query = tally->query;

    tally->last_delta_id = UUID_MIN;
    do {
        tally->page_rows = 0;
        TRY(db_each(cx, &sql_report_deltas,
                    ARGS({"after_id", v_uuid(tally->last_delta_id)},
                         {"from_day", v_int(tally->report->previous.from_day)},
                         {"to_day", v_int(tally->report->to_day)},
                         {"method", v_enum(&interaction_type_words, query->method)},
                         {"user_id", v_uuid(query->user_id)}, {"limit", v_int(PAGE_ROWS)}),
                    &attempt_cell_record, add_delta, tally));
    } while (tally->page_rows == PAGE_ROWS);
    return OK;
}

/* --- Names ---------------------------------------------------------------------------------- */

static const struct field name_fields[] = {
    FIELD(outreach_user, id, F_UUID, 0),
    FIELD(outreach_user, name, F_TEXT, 0),
};
static const struct record name_record = RECORD(outreach_user, name_fields);

static enum err set_name(struct ctx *cx, void *context, void *row)
{
    const struct groups *users = context;
    const struct outreach_user *user = row;
    const size_t place = place_of_user(users, user->id);
    struct outreach_user *named = &users->items[place].line.user;

    if (place == users->count || !uuid_equal(named->id, user->id))
        return OK;
    named->name = str_copy(cx->arena, user->name);
    return named->name.ptr ? OK : too_large(cx);
}

static enum err read_names(struct ctx *cx, struct groups *users)
{
    if (users->count == 0)
        return OK;
    return db_each(cx, &sql_report_user_names,
                   ARGS({"first_id", v_uuid(users->items[0].line.user.id)},
                        {"last_id", v_uuid(users->items[users->count - 1].line.user.id)}),
                   &name_record, set_name, users);
}

static enum err check_user(struct ctx *cx, struct uuid id)
{
    struct outreach_user user;
    bool found;

    if (uuid_is_none(id))
        return OK;
    TRY(db_find(cx, &sql_report_user, ARGS({"id", v_uuid(id)}), &name_record, &user, &found));
    return found ? OK : error_set(cx->error, ERR_NOT_FOUND, "There is no such record: user_id.");
}

/* --- Figures and tables --------------------------------------------------------------------- */

static void settle(struct group *group)
{
    struct outreach_figures *figures = &group->line.figures;
    struct maybe_real median = {false, 0};

    if (figures->attempts > 0)
        figures->response_rate =
            (struct maybe_real)SOME((double)figures->responses / (double)figures->attempts);
    if (figures->responses <= 0)
        return;
    figures->avg_response_time_hours = (struct maybe_real)SOME(
        (double)group->response_seconds / (double)figures->responses / HOUR_SECONDS);
    if (group->times)
        median = response_times_median(group->times);
    median.value /= HOUR_SECONDS;
    figures->median_response_time_hours = median;
}

static struct maybe_real difference(struct maybe_real now, struct maybe_real before)
{
    return (struct maybe_real){now.set && before.set,
                               now.set && before.set ? now.value - before.value : 0};
}

static void compare_periods(struct outreach_report *report)
{
    const struct outreach_figures *now = &report->total, *before = &report->previous.figures;

    if (before->attempts > 0)
        report->change.attempts = (struct maybe_real)SOME(
            (double)(now->attempts - before->attempts) / (double)before->attempts);
    report->change.response_rate = difference(now->response_rate, before->response_rate);
    report->change.avg_response_time_hours =
        difference(now->avg_response_time_hours, before->avg_response_time_hours);
    report->change.median_response_time_hours =
        difference(now->median_response_time_hours, before->median_response_time_hours);
}

/* The lines of those with at least so many attempts. */
static enum err make_table(struct ctx *cx, const struct groups *groups, int64_t min_attempts,
                           struct list *out)
{
    struct outreach_line *lines = ARENA_ARRAY(cx->arena, groups->count, struct outreach_line);

    *out = (struct list){lines, 0};
    if (groups->count > 0 && !lines)
        return too_large(cx);
    for (size_t i = 0; i < groups->count; i++) {
        if (groups->items[i].line.figures.attempts < min_attempts)
            continue;
        settle(&groups->items[i]);
        lines[out->count++] = groups->items[i].line;
    }
    return OK;
}

static void sort_table(struct list *table, int (*order)(const void *a, const void *b))
{
    if (order && table->count > 0)
        qsort(table->items, table->count, sizeof(struct outreach_line), order);
    for (size_t i = 0; i < table->count; i++)
        LIST_AT(*table, struct outreach_line, i)->place = (int64_t)i + 1;
}

static int more_attempts(const struct outreach_line *a, const struct outreach_line *b)
{
    return (a->figures.attempts < b->figures.attempts) -
           (a->figures.attempts > b->figures.attempts);
}

static int order_of_methods(const void *left, const void *right)
{
    const struct outreach_line *a = left, *b = right;
    const int order = more_attempts(a, b);

    return order != 0 ? order : a->method - b->method;
}

static int order_of_statuses(const void *left, const void *right)
{
    const struct outreach_line *a = left, *b = right;

    if (!a->lead_status != !b->lead_status)
        return a->lead_status ? -1 : 1;
    return a->lead_status - b->lead_status;
}

/* Equal fractions are equal numbers: both are divided and rounded in the same way. */
static int order_of_users(const void *left, const void *right)
{
    const struct outreach_line *a = left, *b = right;
    const double a_rate = a->figures.response_rate.value, b_rate = b->figures.response_rate.value;
    int order = (a_rate < b_rate) - (a_rate > b_rate);

    if (order == 0)
        order = more_attempts(a, b);
    if (order == 0 && !a->user.name.ptr != !b->user.name.ptr)
        order = a->user.name.ptr ? -1 : 1;
    if (order == 0)
        order = str_compare(a->user.name, b->user.name);
    return order != 0 ? order : uuid_compare(a->user.id, b->user.id);
}

static enum err make_user_table(struct ctx *cx, struct tally *tally)
{
    struct outreach_report *report = tally->report;
    const int64_t min_attempts = tally->query->min_attempts, most = tally->query->users;

    TRY(read_names(cx, &tally->users));
    TRY(make_table(cx, &tally->users, min_attempts > 0 ? min_attempts : 1, &report->by_user));
    sort_table(&report->by_user, order_of_users);
    report->user_count = (int64_t)report->by_user.count;
    if (report->user_count > most)
        report->by_user.count = (size_t)most;
    for (size_t i = 0; i < report->by_user.count; i++) {
        struct outreach_user *user = &LIST_AT(report->by_user, struct outreach_line, i)->user;

        if (uuid_equal(user->id, UUID_MAX))
            user->id = UUID_NONE;
    }
    return OK;
}

static enum err make_tables(struct ctx *cx, struct tally *tally)
{
    struct outreach_report *report = tally->report;

    TRY(make_table(cx, &tally->methods, 1, &report->by_method));
    TRY(make_table(cx, &tally->statuses, 1, &report->by_status));
    TRY(make_table(cx, &tally->stretches, INT64_MIN, &report->over_time));
    sort_table(&report->by_method, order_of_methods);
    sort_table(&report->by_status, order_of_statuses);
    sort_table(&report->over_time, NULL);
    TRY(make_user_table(cx, tally));
    settle(&tally->total);
    settle(&tally->previous);
    report->total = tally->total.line.figures;
    report->previous.figures = tally->previous.line.figures;
    compare_periods(report);
    return OK;
}

enum err outreach_report(struct ctx *cx, const struct report_query *query,
                         struct outreach_report *out)
{
    struct tally tally = {.query = query, .report = out};
    struct tenant tenant = {0};

    *out = (struct outreach_report){.interval = query->interval};
    TRY(tenant_get(cx, &tenant));
    out->timezone = tenant.timezone;
    TRY(settle_days(cx, query, out));
    TRY(check_user(cx, query->user_id));
    TRY(attempts_recounting(cx, &out->recounting));

    TRY(make_groups(cx, &tally.methods, interaction_type_words.count + 1));
    TRY(make_groups(cx, &tally.statuses, customer_statuses.count + 1));
    for (size_t i = 0; i < tally.methods.count; i++)
        tally.methods.items[i].line.method = (int)i;
    for (size_t i = 0; i < tally.statuses.count; i++)
        tally.statuses.items[i].line.lead_status = (int)i;
    TRY(make_stretches(cx, &tally));
    TRY(read_counts(cx, &tally));
    TRY(read_deltas(cx, &tally));
    return make_tables(cx, &tally);
}
