#include "app/analytics/report.h"
#include "app/customer/customer.h"
#include "app/interaction/interaction.h"
#include "http/route.h"

extern const struct resource report_resource;

#define DATE_TEXT_LEN 10 /* of a time's text */
#define DATE_SCHEMA "{\"type\":\"string\",\"format\":\"date\"}"
#define COUNTS_SCHEMA "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}"

/* --- What is answered ----------------------------------------------------------------------- */

static void put_date(struct json_out *out, int64_t day)
{
    char text[TIME_TEXT_MAX];

    time_format(day * DAY_US, text);
    json_text(out, (struct str){text, DATE_TEXT_LEN});
}

static struct str status_name(const struct outreach_line *line)
{
    const char *name = enum_name(&customer_statuses, line->lead_status);

    return str_of(name ? name : "unknown");
}

/* clang-format off */
#define DATES(put_from, put_to)                                                                    \
    VIEW("from_date", put_from, NULL, READ_ONLY, .schema = DATE_SCHEMA),                           \
    VIEW("to_date", put_to, NULL, READ_ONLY, .schema = DATE_SCHEMA, .doc = "The last day of it")

#define RATES(type_name, member)                                                                   \
    FIELD_AS(type_name, "response_rate", member response_rate, F_REAL,                             \
             READ_ONLY | NULLABLE | NO_COLUMN, .example = "0.35"),                                 \
    FIELD_AS(type_name, "avg_response_time_hours", member avg_response_time_hours, F_REAL,         \
             READ_ONLY | NULLABLE | NO_COLUMN, .example = "18.5"),                                 \
    FIELD_AS(type_name, "median_response_time_hours", member median_response_time_hours, F_REAL,   \
             READ_ONLY | NULLABLE | NO_COLUMN, .example = "11.25")

#define FIGURES(type_name, attempts_name, member)                                                  \
    FIELD_AS(type_name, attempts_name, member attempts, F_INT, READ_ONLY | NO_COLUMN),             \
    FIELD_AS(type_name, "responses", member responses, F_INT, READ_ONLY | NO_COLUMN),              \
    RATES(type_name, member)
/* clang-format on */

static const struct field method_fields[] = {
    FIELD(outreach_line, method, F_ENUM, READ_ONLY, .names = &interaction_type_words),
    FIGURES(outreach_line, "attempts", figures.),
};
static const struct record method_record =
    RECORD_NAMED("OutreachByMethod", outreach_line, method_fields);

static void put_status(struct json_out *out, const void *record)
{
    json_text(out, status_name(record));
}

static const struct field status_fields[] = {
    VIEW("status", put_status, NULL, READ_ONLY, .schema = "{\"type\":\"string\"}",
         .doc = "What the lead was before the attempt; unknown where that is not kept"),
    FIGURES(outreach_line, "attempts", figures.),
};
static const struct record status_record =
    RECORD_NAMED("OutreachByStatus", outreach_line, status_fields);

static const struct field user_fields[] = {
    FIELD(outreach_user, id, F_UUID, READ_ONLY),
    FIELD(outreach_user, name, F_TEXT, READ_ONLY),
};
static const struct record user_record = RECORD_NAMED("OutreachUser", outreach_user, user_fields);

static const struct field leader_fields[] = {
    FIELD(outreach_line, user, F_OBJECT, READ_ONLY | NULLABLE, .record = &user_record,
          .doc = "null: not known"),
    FIGURES(outreach_line, "attempts", figures.),
};
static const struct record leader_record =
    RECORD_NAMED("OutreachLeader", outreach_line, leader_fields);

/* The same as a row of a table. */
static const struct field user_line_fields[] = {
    FIELD_AS(outreach_line, "user_id", user.id, F_UUID, READ_ONLY | NULLABLE | NO_COLUMN,
             .doc = "null: not known"),
    FIELD_AS(outreach_line, "user_name", user.name, F_TEXT, READ_ONLY | NULLABLE | NO_COLUMN),
    FIGURES(outreach_line, "attempts", figures.),
};
static const struct record user_line_record =
    RECORD_NAMED("OutreachByUser", outreach_line, user_line_fields);

static void put_line_from(struct json_out *out, const void *record)
{
    put_date(out, ((const struct outreach_line *)record)->from_day);
}

static void put_line_to(struct json_out *out, const void *record)
{
    put_date(out, ((const struct outreach_line *)record)->to_day);
}

static const struct field stretch_fields[] = {
    DATES(put_line_from, put_line_to),
    FIGURES(outreach_line, "attempts", figures.),
};
static const struct record stretch_record =
    RECORD_NAMED("OutreachOverTime", outreach_line, stretch_fields);

static void put_previous_from(struct json_out *out, const void *record)
{
    put_date(out, ((const struct outreach_previous *)record)->from_day);
}

static void put_previous_to(struct json_out *out, const void *record)
{
    put_date(out, ((const struct outreach_previous *)record)->to_day);
}

static const struct field previous_fields[] = {
    DATES(put_previous_from, put_previous_to),
    FIGURES(outreach_previous, "total_attempts", figures.),
};
static const struct record previous_record =
    RECORD_NAMED("OutreachBefore", outreach_previous, previous_fields);

static const struct field change_fields[] = {
    FIELD(outreach_change, attempts, F_REAL, READ_ONLY | NULLABLE,
          .doc = "As a fraction: 0.5 is half as many again; null where there were none"),
    RATES(outreach_change, ),
};
static const struct record change_record =
    RECORD_NAMED("OutreachChange", outreach_change, change_fields);

static void put_by_method(struct json_out *out, const void *record)
{
    const struct outreach_report *report = record;

    json_object_begin(out);
    for (size_t i = 0; i < report->by_method.count; i++) {
        const struct outreach_line *line = LIST_AT(report->by_method, struct outreach_line, i);

        json_key(out, str_of(enum_name(&interaction_type_words, line->method)));
        json_int(out, line->figures.attempts);
    }
    json_object_end(out);
}

static void put_by_status(struct json_out *out, const void *record)
{
    const struct outreach_report *report = record;

    json_object_begin(out);
    for (size_t i = 0; i < report->by_status.count; i++) {
        const struct outreach_line *line = LIST_AT(report->by_status, struct outreach_line, i);

        json_key(out, status_name(line));
        json_int(out, line->figures.attempts);
    }
    json_object_end(out);
}

static void put_median_error(struct json_out *out, const void *record)
{
    (void)record;
    json_double(out, REPORT_MEDIAN_ERROR);
}

static void put_from(struct json_out *out, const void *record)
{
    put_date(out, ((const struct outreach_report *)record)->from_day);
}

static void put_to(struct json_out *out, const void *record)
{
    put_date(out, ((const struct outreach_report *)record)->to_day);
}

static const struct field report_fields[] = {
    FIELD_AS(outreach_report, "total_attempts", total.attempts, F_INT, READ_ONLY | NO_COLUMN,
             .example = "245"),
    VIEW("by_method", put_by_method, NULL, READ_ONLY, .schema = COUNTS_SCHEMA,
         .doc = "Attempts by method, most first", .example = "{\"email\":120,\"linkedin\":100}"),
    RATES(outreach_report, total.),
    VIEW("median_error", put_median_error, NULL, READ_ONLY, .schema = "{\"type\":\"number\"}",
         .doc = "A median may be off by this part of itself, at most; all else is exact"),
    FIELD_AS(outreach_report, "responses", total.responses, F_INT, READ_ONLY | NO_COLUMN),
    DATES(put_from, put_to),
    FIELD(outreach_report, timezone, F_TEXT, READ_ONLY,
          .doc = "The tenant's, whose calendar the days are of"),
    FIELD(outreach_report, interval, F_ENUM, READ_ONLY, .names = &report_intervals),
    VIEW("by_status", put_by_status, NULL, READ_ONLY, .schema = COUNTS_SCHEMA,
         .doc = "Attempts by what the lead was before"),
    FIELD_AS(outreach_report, "methods", by_method, F_LIST, READ_ONLY | NO_COLUMN, .of = F_OBJECT,
             .record = &method_record),
    FIELD_AS(outreach_report, "statuses", by_status, F_LIST, READ_ONLY | NO_COLUMN, .of = F_OBJECT,
             .record = &status_record),
    FIELD_AS(outreach_report, "users", by_user, F_LIST, READ_ONLY | NO_COLUMN, .of = F_OBJECT,
             .record = &leader_record, .doc = "Best response rate first"),
    FIELD(outreach_report, user_count, F_INT, READ_ONLY,
          .doc = "Users with enough attempts, also those who are not listed"),
    FIELD(outreach_report, over_time, F_LIST, READ_ONLY, .of = F_OBJECT, .record = &stretch_record,
          .doc = "Oldest first, also stretches without attempts"),
    FIELD(outreach_report, previous, F_OBJECT, READ_ONLY, .record = &previous_record,
          .doc = "As many days, right before"),
    FIELD(outreach_report, change, F_OBJECT, READ_ONLY, .record = &change_record,
          .doc =
              "From the days before to these: what is added to each, and attempts as a fraction"),
    FIELD(outreach_report, recounting, F_BOOL, READ_ONLY,
          .doc = "The tenant's time zone has changed, and not all attempts are moved to the days "
                 "of its new calendar yet"),
};
static const struct record report_record =
    RECORD_NAMED("OutreachReport", outreach_report, report_fields);

/* --- What is asked -------------------------------------------------------------------------- */

/* clang-format off */
#define FILTERS                                                                                    \
    FIELD(report_query, method, F_ENUM, 0, .names = &interaction_type_words),                      \
    FIELD(report_query, from_date, F_TEXT, 0, .format = &format_report_date,                       \
          .doc = "On the tenant's calendar; left out: 30 days in all"),                            \
    FIELD(report_query, to_date, F_TEXT, 0, .format = &format_report_date,                         \
          .doc = "The last day of the report; left out: today"),                                   \
    FIELD(report_query, user_id, F_UUID, 0, .doc = "Attempts that this user logged")
#define INTERVAL                                                                                   \
    FIELD(report_query, interval, F_ENUM, 0, .names = &report_intervals, .doc = "Left out: day")
#define MIN_ATTEMPTS                                                                               \
    FIELD(report_query, min_attempts, F_INT, 0, .min = 0, .max = 1000000,                          \
          .doc = "Users with fewer are not listed; left out: 10")
/* clang-format on */

static const struct field query_fields[] = {
    FILTERS,
    INTERVAL,
    MIN_ATTEMPTS,
    FIELD(report_query, users, F_INT, 0, .min = 1, .max = REPORT_USERS_MAX,
          .doc = "Users to list at most; left out: 10"),
};
static const struct record query_record = RECORD_NAMED("OutreachQuery", report_query, query_fields);

static const struct field filter_fields[] = {FILTERS};
static const struct record filter_record =
    RECORD_NAMED("OutreachFilter", report_query, filter_fields);

static const struct field user_query_fields[] = {FILTERS, MIN_ATTEMPTS};
static const struct record user_query_record =
    RECORD_NAMED("OutreachUserQuery", report_query, user_query_fields);

static const struct field stretch_query_fields[] = {FILTERS, INTERVAL};
static const struct record stretch_query_record =
    RECORD_NAMED("OutreachTimeQuery", report_query, stretch_query_fields);

/* --- The routes ----------------------------------------------------------------------------- */

static enum err read_report(struct req *rq, int64_t users, struct outreach_report *out)
{
    struct report_query query = *(const struct report_query *)rq->query;

    if (!given_has(&rq->query_given, rq->route->query, "min_attempts"))
        query.min_attempts = REPORT_MIN_ATTEMPTS_DEFAULT;
    if (query.users == 0)
        query.users = users;
    if (query.interval == 0)
        query.interval = INTERVAL_DAY;
    return outreach_report(&rq->cx, &query, out);
}

static enum err show(struct req *rq)
{
    struct outreach_report report;

    TRY(read_report(rq, REPORT_USERS_DEFAULT, &report));
    return reply_record(rq, &report_record, &report);
}

static void line_key(const void *row, struct list_key *out)
{
    out->time = ((const struct outreach_line *)row)->place;
    out->id = UUID_MAX;
}

/* A page of a table that is all there. Its cursor is a place. */
static enum err reply_table(struct req *rq, const struct list *table)
{
    const struct page *page = &rq->page;
    const int64_t count = (int64_t)table->count;
    const struct total total = {.rows = count};
    int64_t from = page->by_cursor ? page->cursor_time : page->offset;
    struct list rows;

    if (from < 0 || from > count)
        from = count;
    rows.items = LIST_AT(*table, struct outreach_line, from);
    rows.count = (size_t)(count - from < page->limit + 1 ? count - from : page->limit + 1);
    return reply_list(rq, rq->route->answer, &rows, total, line_key);
}

static enum err list_methods(struct req *rq)
{
    struct outreach_report report;

    TRY(read_report(rq, 0, &report));
    return reply_table(rq, &report.by_method);
}

static enum err list_statuses(struct req *rq)
{
    struct outreach_report report;

    TRY(read_report(rq, 0, &report));
    return reply_table(rq, &report.by_status);
}

static enum err list_users(struct req *rq)
{
    struct outreach_report report;

    TRY(read_report(rq, INT64_MAX, &report));
    return reply_table(rq, &report.by_user);
}

static enum err list_over_time(struct req *rq)
{
    struct outreach_report report;

    TRY(read_report(rq, 0, &report));
    return reply_table(rq, &report.over_time);
}

static const struct route routes[] = {
    {HTTP_GET, "", ROLE_VIEWER, TX_REPORT, show,
     "How the outreach went: totals, by method, status and user, over time, and before",
     .answers = ANSWER_RECORD, .answer = &report_record, .query = &query_record},
    {HTTP_GET, "/methods", ROLE_VIEWER, TX_REPORT, list_methods,
     "Outreach by method, most attempts first", .answers = ANSWER_LIST, .answer = &method_record,
     .query = &filter_record, .flags = ROUTE_PAGED},
    {HTTP_GET, "/statuses", ROLE_VIEWER, TX_REPORT, list_statuses,
     "Outreach by what the lead was before", .answers = ANSWER_LIST, .answer = &status_record,
     .query = &filter_record, .flags = ROUTE_PAGED},
    {HTTP_GET, "/users", ROLE_VIEWER, TX_REPORT, list_users,
     "Outreach by user, best response rate first", .answers = ANSWER_LIST,
     .answer = &user_line_record, .query = &user_query_record, .flags = ROUTE_PAGED},
    {HTTP_GET, "/over-time", ROLE_VIEWER, TX_REPORT, list_over_time,
     "Outreach by day, week or month, oldest first", .answers = ANSWER_LIST,
     .answer = &stretch_record, .query = &stretch_query_record, .flags = ROUTE_PAGED},
};

static const char *const mounts[] = {"/analytics/outreach"};

const struct resource report_resource = {"Analytics", mounts, COUNT_OF(mounts), routes,
                                         COUNT_OF(routes)};
