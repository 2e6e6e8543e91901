/* Reports of outreach (SPEC.md §8): every figure, the days and stretches that they are of, who
 * leads, and what a report costs with few attempts and with many. Nothing here looks at a clock:
 * steps of SQLite's virtual machine, and the rows and buffers that PostgreSQL touches.
 *
 * TOUCHPOINT_GROWTH_ROWS says how many attempts are many; 1,000,000 takes a minute. */
#include "db/store_kit.h"

#include "app/analytics/attempts.h"
#include "app/analytics/report.h"
#include "app/customer/customer.h"
#include "app/interaction/interaction.h"
#include "app/tenant/tenant.h"
#include "base/civil.h"

#include <libpq-fe.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_US INT64_C(1774823400000000) /* 2026-03-29T22:30:00Z: 30 March in Berlin, just */
#define HOUR INT64_C(3600)
#define PAGES_ROWS_LEAST 4500 /* of a report, more than one page of its query */

#define LOGGERS 10

enum { ADA, BEN, CLEO, DORA, USERS };

struct world {
    struct uuid tenant_id, other_tenant_id, other_user_id;
    struct uuid users[USERS];
    struct uuid loggers[LOGGERS]; /* for the costs */
};

static void act_for(struct ctx *cx, struct uuid tenant_id, struct uuid user_id)
{
    cx->now_us = NOW_US;
    cx->actor = (struct actor){.role = ROLE_ADMIN, .tenant_id = tenant_id, .user_id = user_id};
}

static int64_t day_of(int64_t year, int month, int day)
{
    return civil_to_days(year, month, day);
}

static enum err make_world(struct ctx *cx, void *context)
{
    static const struct user others[] = {
        {.name = STR("Ben"), .email = STR("ben@acme.example"), .role = USER_AGENT},
        {.name = STR("Cleo"), .email = STR("cleo@acme.example"), .role = USER_AGENT},
        {.name = STR("Dora"), .email = STR("dora@acme.example"), .role = USER_AGENT},
    };
    const struct tenant_founding acme = {
        .tenant = {.name = STR("Acme"), .timezone = STR("Europe/Berlin")},
        .admin_email = STR("ada@acme.example"),
        .admin_name = STR("Ada")};
    const struct tenant_founding other = {.tenant = {.name = STR("Other")},
                                          .admin_email = STR("eve@other.example"),
                                          .admin_name = STR("Eve")};
    struct world *world = context;
    struct tenant_founded made = {0};

    act_for(cx, UUID_NONE, UUID_NONE);
    TRY(tenant_found(cx, &other, &made));
    world->other_tenant_id = made.tenant.id;
    world->other_user_id = made.admin.id;
    made = (struct tenant_founded){0};
    TRY(tenant_found(cx, &acme, &made));
    world->tenant_id = made.tenant.id;
    world->users[ADA] = made.admin.id;
    act_for(cx, world->tenant_id, world->users[ADA]);
    for (int i = BEN; i < USERS; i++) {
        struct user user = {0};

        TRY(user_invite(cx, &others[i - BEN], &user));
        world->users[i] = user.id;
    }
    return OK;
}

/* So many attempts, the first of which were answered, each after so many seconds more. */
struct batch {
    int64_t day;
    int method, user, lead_status;
    int attempts, responses;
    int64_t seconds, more_seconds;
};
#define NOBODY (-1)

static enum err count_batch(struct ctx *cx, const struct world *world, const struct batch *batch)
{
    struct attempt attempt = {.day = batch->day,
                              .method = batch->method,
                              .lead_status = batch->lead_status,
                              .started_at = batch->day * DAY_US};

    if (batch->user != NOBODY)
        attempt.user_id = world->users[batch->user];
    for (int i = 0; i < batch->attempts; i++) {
        attempt.response_at = (struct maybe_int){
            i < batch->responses,
            attempt.started_at + (batch->seconds + i * batch->more_seconds) * SECOND_US};
        TRY(attempts_count(cx, &attempt, 1));
    }
    return OK;
}

struct call {
    struct world *world;
    const struct batch *batches;
    size_t count;
    enum err (*check)(struct ctx *cx, struct world *world);
};

static enum err count_all(struct ctx *cx, void *context)
{
    const struct call *call = context;

    act_for(cx, call->world->tenant_id, call->world->users[ADA]);
    for (size_t i = 0; i < call->count; i++)
        TRY(count_batch(cx, call->world, &call->batches[i]));
    return OK;
}

static enum err run_check(struct ctx *cx, void *context)
{
    const struct call *call = context;

    act_for(cx, call->world->tenant_id, call->world->users[ADA]);
    return call->check(cx, call->world);
}

static void run(struct test_store *store, enum tx tx, store_kit_fn fn, void *context)
{
    if (store_kit_run(store, tx, fn, context) != OK)
        fail_msg("%s", store->error.detail);
}

static enum err fold_some(struct ctx *cx, void *done)
{
    return attempts_fold(cx, 10000, done);
}

static void fold(struct test_store *store)
{
    int64_t done;

    do {
        run(store, TX_WRITE, fold_some, &done);
    } while (done > 0);
}

/* Before the deltas are folded, and after. */
static void check_twice(struct test_store *store, struct world *world,
                        enum err (*check)(struct ctx *cx, struct world *world))
{
    struct call call = {.world = world, .check = check};

    run(store, TX_READ, run_check, &call);
    fold(store);
    run(store, TX_READ, run_check, &call);
}

static void count(struct test_store *store, struct world *world, const struct batch *batches,
                  size_t batch_count)
{
    struct call call = {.world = world, .batches = batches, .count = batch_count};

    run(store, TX_WRITE, count_all, &call);
}

/* --- Figures -------------------------------------------------------------------------------- */

static struct report_query from_to(struct str from_date, struct str to_date)
{
    return (struct report_query){.from_date = from_date,
                                 .to_date = to_date,
                                 .interval = INTERVAL_DAY,
                                 .min_attempts = REPORT_MIN_ATTEMPTS_DEFAULT,
                                 .users = REPORT_USERS_DEFAULT};
}

static const struct outreach_line *line(const struct list *table, size_t index)
{
    must(index < table->count);
    must_equal(LIST_AT(*table, struct outreach_line, index)->place, (int64_t)index + 1);
    return LIST_AT(*table, struct outreach_line, index);
}

static bool is_near(struct maybe_real value, double expected, double error)
{
    return value.set && fabs(value.value - expected) <= expected * error + 1e-12;
}

/* `median_seconds` is where it would be if it were exact. */
static void must_be(const struct outreach_figures *figures, int64_t attempts, int64_t responses,
                    int64_t seconds, double median_seconds)
{
    must_equal(figures->attempts, attempts);
    must_equal(figures->responses, responses);
    must_equal(figures->response_rate.set, attempts > 0);
    must(attempts == 0 || is_near(figures->response_rate, (double)responses / (double)attempts, 0));
    must_equal(figures->avg_response_time_hours.set, responses > 0);
    must_equal(figures->median_response_time_hours.set, responses > 0);
    if (responses == 0)
        return;
    must(is_near(figures->avg_response_time_hours, (double)seconds / (double)responses / HOUR,
                 1e-12));
    must(is_near(figures->median_response_time_hours, median_seconds / HOUR, REPORT_MEDIAN_ERROR));
}

static enum err check_week(struct ctx *cx, struct world *world)
{
    struct report_query query = from_to(STR("2026-03-09"), STR("2026-03-15"));
    struct outreach_report report;

    TRY(outreach_report(cx, &query, &report));
    must_equal(report.from_day, day_of(2026, 3, 9));
    must_equal(report.to_day, day_of(2026, 3, 15));
    must(str_is(report.timezone, "Europe/Berlin") && !report.recounting);
    must_be(&report.total, 57, 21, 86880, HOUR);

    must_equal(report.by_method.count, 3);
    must_equal(line(&report.by_method, 0)->method, TYPE_EMAIL);
    must_be(&line(&report.by_method, 0)->figures, 42, 12, 36480, 60);
    must_equal(line(&report.by_method, 1)->method, TYPE_CALL);
    must_be(&line(&report.by_method, 1)->figures, 10, 4, 4 * HOUR, HOUR);
    must_equal(line(&report.by_method, 2)->method, TYPE_LINKEDIN);
    must_be(&line(&report.by_method, 2)->figures, 5, 5, 10 * HOUR, 2 * HOUR);

    must_equal(report.by_status.count, 5);
    must_equal(line(&report.by_status, 0)->lead_status, CUSTOMER_NEW);
    must_be(&line(&report.by_status, 0)->figures, 10, 4, 10 * HOUR, 2.5 * HOUR);
    must_equal(line(&report.by_status, 1)->lead_status, CUSTOMER_CONTACTED);
    must_equal(line(&report.by_status, 2)->lead_status, CUSTOMER_QUALIFIED);
    must_equal(line(&report.by_status, 3)->lead_status, CUSTOMER_LOST);
    must_be(&line(&report.by_status, 3)->figures, 12, 0, 0, 0);
    must_equal(line(&report.by_status, 4)->lead_status, 0);
    must_be(&line(&report.by_status, 4)->figures, 5, 5, 10 * HOUR, 2 * HOUR);

    must_equal(report.over_time.count, 7);
    for (size_t i = 0; i < 7; i++) {
        static const int64_t attempts[] = {12, 10, 20, 10, 0, 0, 5};

        must_equal(line(&report.over_time, i)->from_day, report.from_day + (int64_t)i);
        must_equal(line(&report.over_time, i)->to_day, report.from_day + (int64_t)i);
        must_equal(line(&report.over_time, i)->figures.attempts, attempts[i]);
    }
    must_be(&line(&report.over_time, 1)->figures, 10, 4, 10 * HOUR, 2.5 * HOUR);
    must_be(&line(&report.over_time, 4)->figures, 0, 0, 0, 0);

    must_equal(report.previous.from_day, day_of(2026, 3, 2));
    must_equal(report.previous.to_day, day_of(2026, 3, 8));
    must_be(&report.previous.figures, 20, 5, 5 * HOUR, HOUR);
    must(is_near(report.change.attempts, 37.0 / 20, 0));
    must(report.change.response_rate.set &&
         fabs(report.change.response_rate.value - (21.0 / 57 - 5.0 / 20)) < 1e-12);
    must(report.change.avg_response_time_hours.set &&
         fabs(report.change.avg_response_time_hours.value - (86880.0 / 21 / HOUR - 1)) < 1e-12);
    must(report.change.median_response_time_hours.set &&
         fabs(report.change.median_response_time_hours.value) < 1e-12);
    (void)world;
    return OK;
}

/* Best rate, then more attempts, then the name; who is not known has none. */
static enum err check_leaders(struct ctx *cx, struct world *world)
{
    struct report_query query = from_to(STR("2026-03-09"), STR("2026-03-15"));
    struct outreach_report report;

    TRY(outreach_report(cx, &query, &report));
    must(report.by_user.count == 4 && report.user_count == 4);
    must(uuid_equal(line(&report.by_user, 0)->user.id, world->users[DORA]));
    must_be(&line(&report.by_user, 0)->figures, 20, 8, 480, 60);
    must(str_is(line(&report.by_user, 1)->user.name, "Ada"));
    must_be(&line(&report.by_user, 1)->figures, 10, 4, 10 * HOUR, 2.5 * HOUR);
    must(str_is(line(&report.by_user, 2)->user.name, "Ben")); /* who works no more */
    must(uuid_is_none(line(&report.by_user, 3)->user.id));
    must(!line(&report.by_user, 3)->user.name.ptr);
    must_be(&line(&report.by_user, 3)->figures, 12, 0, 0, 0);

    query.min_attempts = 0;
    query.users = 1;
    TRY(outreach_report(cx, &query, &report));
    must(report.by_user.count == 1 && report.user_count == 5);
    must(str_is(line(&report.by_user, 0)->user.name, "Cleo"));

    query.min_attempts = 12;
    query.users = 5;
    TRY(outreach_report(cx, &query, &report));
    must(report.by_user.count == 2 && report.user_count == 2);
    must(str_is(line(&report.by_user, 0)->user.name, "Dora"));
    return OK;
}

static enum err check_filters(struct ctx *cx, struct world *world)
{
    struct report_query query = from_to(STR("2026-03-09"), STR("2026-03-15"));
    struct outreach_report report;

    query.method = TYPE_EMAIL;
    TRY(outreach_report(cx, &query, &report));
    must_be(&report.total, 42, 12, 36480, 60);
    must_equal(report.by_method.count, 1);
    query.user_id = world->users[ADA];
    TRY(outreach_report(cx, &query, &report));
    must_be(&report.total, 10, 4, 10 * HOUR, 2.5 * HOUR);
    must_be(&report.previous.figures, 20, 5, 5 * HOUR, HOUR);
    must(report.by_user.count == 1 && str_is(line(&report.by_user, 0)->user.name, "Ada"));
    query.method = TYPE_CALL;
    TRY(outreach_report(cx, &query, &report));
    must_be(&report.total, 0, 0, 0, 0);
    must(report.by_method.count == 0 && report.by_status.count == 0 && report.by_user.count == 0);
    must(report.over_time.count == 7 && !report.change.attempts.set);
    query.method = TYPE_LINKEDIN;
    query.user_id = world->users[CLEO];
    TRY(outreach_report(cx, &query, &report));
    must_be(&report.total, 5, 5, 10 * HOUR, 2 * HOUR);

    query.user_id = world->other_user_id;
    must_equal(outreach_report(cx, &query, &report), ERR_NOT_FOUND);
    must(strcmp(cx->error->detail, "There is no such record: user_id.") == 0);
    error_clear(cx->error);
    return OK;
}

static enum err deactivate_ben(struct ctx *cx, void *context)
{
    const struct world *world = context;
    struct user user = {0};

    act_for(cx, world->tenant_id, world->users[ADA]);
    return user_deactivate(cx, world->users[BEN], UUID_NONE, &user);
}

static enum err count_elsewhere(struct ctx *cx, void *context)
{
    struct world *world = context;
    struct world there = {.users = {world->other_user_id}};
    const struct batch batch = {day_of(2026, 3, 10), TYPE_EMAIL, ADA, CUSTOMER_NEW, 50, 25, 1, 1};

    act_for(cx, world->other_tenant_id, world->other_user_id);
    return count_batch(cx, &there, &batch);
}

static enum err take_back(struct ctx *cx, void *context)
{
    const struct world *world = context;
    const struct attempt attempt = {.day = day_of(2026, 3, 13),
                                    .method = TYPE_SMS,
                                    .user_id = world->users[BEN],
                                    .lead_status = CUSTOMER_CONVERTED,
                                    .started_at = 0,
                                    .response_at = SOME(SECOND_US)};

    act_for(cx, world->tenant_id, world->users[ADA]);
    return attempts_count(cx, &attempt, -1);
}

static void test_figures(void **state)
{
    struct test_store *store = *state;
    struct world world;
    const struct batch batches[] = {
        {day_of(2026, 3, 9), TYPE_EMAIL, NOBODY, CUSTOMER_LOST, 12, 0, 0, 0},
        {day_of(2026, 3, 10), TYPE_EMAIL, ADA, CUSTOMER_NEW, 10, 4, HOUR, HOUR},
        {day_of(2026, 3, 11), TYPE_EMAIL, DORA, CUSTOMER_QUALIFIED, 20, 8, 60, 0},
        {day_of(2026, 3, 12), TYPE_CALL, BEN, CUSTOMER_CONTACTED, 10, 4, HOUR, 0},
        {day_of(2026, 3, 13), TYPE_SMS, BEN, CUSTOMER_CONVERTED, 1, 1, 1, 0},
        {day_of(2026, 3, 15), TYPE_LINKEDIN, CLEO, 0, 5, 5, 2 * HOUR, 0},
        /* The days before, and what is outside of both. */
        {day_of(2026, 3, 8), TYPE_EMAIL, ADA, CUSTOMER_NEW, 10, 5, HOUR, 0},
        {day_of(2026, 3, 2), TYPE_EMAIL, ADA, CUSTOMER_NEW, 10, 0, 0, 0},
        {day_of(2026, 3, 1), TYPE_EMAIL, ADA, CUSTOMER_NEW, 7, 7, 1, 0},
        {day_of(2026, 3, 16), TYPE_EMAIL, ADA, CUSTOMER_NEW, 7, 7, 1, 0},
    };

    run(store, TX_WRITE, make_world, &world);
    count(store, &world, batches, COUNT_OF(batches));
    run(store, TX_WRITE, count_elsewhere, &world);
    run(store, TX_WRITE, deactivate_ben, &world);
    run(store, TX_WRITE, take_back, &world); /* the SMS: nothing is left of it */
    check_twice(store, &world, check_week);
    check_twice(store, &world, check_leaders);
    check_twice(store, &world, check_filters);
}

/* --- Days and stretches --------------------------------------------------------------------- */

struct stretch {
    int64_t from_day, to_day, attempts;
};

static enum err expect_stretches(struct ctx *cx, struct str from_date, struct str to_date,
                                 int interval, const struct stretch *expected, size_t count)
{
    struct report_query query = from_to(from_date, to_date);
    struct outreach_report report;

    query.interval = interval;
    TRY(outreach_report(cx, &query, &report));
    must_equal(report.over_time.count, count);
    for (size_t i = 0; i < count; i++) {
        must_equal(line(&report.over_time, i)->from_day, expected[i].from_day);
        must_equal(line(&report.over_time, i)->to_day, expected[i].to_day);
        must_equal(line(&report.over_time, i)->figures.attempts, expected[i].attempts);
    }
    return OK;
}

static enum err check_stretches(struct ctx *cx, struct world *world)
{
    const struct stretch weeks[] = {
        {day_of(2025, 12, 31), day_of(2026, 1, 4), 3},
        {day_of(2026, 1, 5), day_of(2026, 1, 11), 4},
        {day_of(2026, 1, 12), day_of(2026, 1, 18), 0},
        {day_of(2026, 1, 19), day_of(2026, 1, 25), 0},
        {day_of(2026, 1, 26), day_of(2026, 2, 1), 24},
        {day_of(2026, 2, 2), day_of(2026, 2, 2), 32},
    };
    const struct stretch months[] = {
        {day_of(2025, 12, 31), day_of(2025, 12, 31), 1},
        {day_of(2026, 1, 1), day_of(2026, 1, 31), 2 + 4 + 8},
        {day_of(2026, 2, 1), day_of(2026, 2, 2), 16 + 32},
    };
    const struct stretch long_ago[] = {
        {day_of(1969, 12, 25), day_of(1969, 12, 28), 64},
        {day_of(1969, 12, 29), day_of(1970, 1, 4), 128},
        {day_of(1970, 1, 5), day_of(1970, 1, 5), 0},
    };

    (void)world;
    TRY(expect_stretches(cx, STR("2025-12-31"), STR("2026-02-02"), INTERVAL_WEEK, weeks,
                         COUNT_OF(weeks)));
    TRY(expect_stretches(cx, STR("2025-12-31"), STR("2026-02-02"), INTERVAL_MONTH, months,
                         COUNT_OF(months)));
    return expect_stretches(cx, STR("1969-12-25"), STR("1970-01-05"), INTERVAL_WEEK, long_ago,
                            COUNT_OF(long_ago));
}

static void test_stretches(void **state)
{
    struct test_store *store = *state;
    struct world world;
    const struct batch batches[] = {
        {day_of(2025, 12, 31), TYPE_CALL, ADA, CUSTOMER_NEW, 1, 0, 0, 0},
        {day_of(2026, 1, 4), TYPE_CALL, ADA, CUSTOMER_NEW, 2, 0, 0, 0},
        {day_of(2026, 1, 5), TYPE_CALL, ADA, CUSTOMER_NEW, 4, 0, 0, 0},
        {day_of(2026, 1, 31), TYPE_CALL, ADA, CUSTOMER_NEW, 8, 0, 0, 0},
        {day_of(2026, 2, 1), TYPE_CALL, ADA, CUSTOMER_NEW, 16, 0, 0, 0},
        {day_of(2026, 2, 2), TYPE_CALL, ADA, CUSTOMER_NEW, 32, 0, 0, 0},
        {day_of(1969, 12, 28), TYPE_CALL, ADA, CUSTOMER_NEW, 64, 0, 0, 0},
        {day_of(1969, 12, 29), TYPE_CALL, ADA, CUSTOMER_NEW, 128, 0, 0, 0},
    };

    run(store, TX_WRITE, make_world, &world);
    count(store, &world, batches, COUNT_OF(batches));
    check_twice(store, &world, check_stretches);
}

static enum err expect_days(struct ctx *cx, struct str from_date, struct str to_date,
                            int64_t from_day, int64_t to_day)
{
    const struct report_query query = from_to(from_date, to_date);
    struct outreach_report report;

    TRY(outreach_report(cx, &query, &report));
    must_equal(report.from_day, from_day);
    must_equal(report.to_day, to_day);
    must_equal(report.previous.to_day, from_day - 1);
    must_equal(report.previous.to_day - report.previous.from_day, to_day - from_day);
    return OK;
}

static void expect_fault(struct ctx *cx, struct str from_date, struct str to_date,
                         const char *field, const char *code)
{
    const struct report_query query = from_to(from_date, to_date);
    struct outreach_report report;

    must_equal(outreach_report(cx, &query, &report), ERR_INVALID);
    must_equal(cx->error->fault_count, 1);
    must(strcmp(cx->error->faults[0].field, field) == 0);
    must(strcmp(cx->error->faults[0].code, code) == 0);
    error_clear(cx->error);
}

/* Nothing is counted here: every figure is null, and nothing fails. */
static enum err check_days(struct ctx *cx, struct world *world)
{
    const struct str none = STR_NULL;
    const int64_t today = day_of(2026, 3, 30);
    const struct report_query query = from_to(none, none);
    struct outreach_report report;

    TRY(outreach_report(cx, &query, &report));
    must_be(&report.total, 0, 0, 0, 0);
    must_be(&report.previous.figures, 0, 0, 0, 0);
    must(!report.change.attempts.set && !report.change.response_rate.set);
    must(report.by_user.count == 0 && report.over_time.count == 30);

    TRY(expect_days(cx, none, none, today - 29, today));
    TRY(expect_days(cx, STR("2026-03-30"), none, today, today));
    TRY(expect_days(cx, none, STR("2026-01-30"), day_of(2026, 1, 1), day_of(2026, 1, 30)));
    TRY(expect_days(cx, STR("2027-01-01"), STR("2027-01-02"), day_of(2027, 1, 1),
                    day_of(2027, 1, 2)));
    /* An hour before midnight in winter, an hour and a half after it in summer. */
    TRY(expect_days(cx, STR("2026-03-28T22:30:00Z"), STR("2026-03-29T22:30:00Z"),
                    day_of(2026, 3, 28), day_of(2026, 3, 30)));
    TRY(expect_days(cx, STR("2026-03-29T00:00:00-08:00"), STR("2026-03-29T23:30:00-08:00"),
                    day_of(2026, 3, 29), day_of(2026, 3, 30)));
    TRY(expect_days(cx, STR("2016-03-23"), STR("2026-03-30"), today - (REPORT_DAYS_MAX - 1),
                    today));
    TRY(expect_days(cx, STR("0001-01-01"), STR("0001-01-02"), day_of(1, 1, 1), day_of(1, 1, 2)));
    TRY(expect_days(cx, none, STR("9999-12-31"), day_of(9999, 12, 2), day_of(9999, 12, 31)));
    expect_fault(cx, STR("2026-03-30"), STR("2026-03-29"), "to_date", "too_small");
    expect_fault(cx, STR("2026-03-31"), none, "from_date", "too_large");
    expect_fault(cx, STR("2016-03-22"), STR("2026-03-30"), "to_date", "too_large");
    expect_fault(cx, STR("2016-03-22"), none, "from_date", "too_small");
    (void)world;
    return OK;
}

static void test_days(void **state)
{
    struct test_store *store = *state;
    struct world world;

    run(store, TX_WRITE, make_world, &world);
    check_twice(store, &world, check_days);
}

static void test_dates(void **state)
{
    (void)state;
    assert_true(format_report_date.check(STR("2026-02-28")));
    assert_true(format_report_date.check(STR("2026-02-28T23:59:59.5+01:00")));
    assert_false(format_report_date.check(STR("2026-02-29")));
    assert_false(format_report_date.check(STR("2026-2-28")));
    assert_false(format_report_date.check(STR("2026-02-28T10:00:00")));
    assert_false(format_report_date.check(STR("")));
}

/* --- What it costs -------------------------------------------------------------------------- */

#define FEW 10000
#define MANY 100000
#define AT_ONCE 50000 /* attempts of one transaction */
#define DAYS 30
#define METHODS 5
#define STATUSES 3
#define UNFOLDED 300
#define OLD_ATTEMPTS 3650 /* ten a day */

static size_t many(void)
{
    const char *text = getenv("TOUCHPOINT_GROWTH_ROWS");
    int64_t rows;

    return text && str_to_int(str_of(text), &rows) && rows > FEW ? (size_t)rows : MANY;
}

struct fill {
    const struct world *world;
    size_t from, to;
    bool old; /* of the years before */
};

/* Over the same cells in turn; one of three is answered, within some days. */
static enum err fill_some(struct ctx *cx, void *context)
{
    static const int methods[METHODS] = {TYPE_EMAIL, TYPE_LINKEDIN, TYPE_CALL, TYPE_SMS,
                                         TYPE_IN_PERSON};
    const struct fill *fill = context;
    uint64_t random = fill->from + 1;

    act_for(cx, fill->world->tenant_id, fill->world->users[ADA]);
    for (size_t i = fill->from; i < fill->to; i++) {
        const size_t day = i % DAYS, of_day = i / DAYS;
        struct attempt attempt = {
            .day = fill->old ? day_of(2026, 3, 30) - 100 - (int64_t)i / LOGGERS
                             : day_of(2026, 3, 1) + (int64_t)day,
            .method = methods[of_day % METHODS],
            .user_id = fill->world->loggers[of_day / METHODS % LOGGERS],
            .lead_status = 1 + (int)(of_day / METHODS / LOGGERS % STATUSES),
        };

        random = random * 6364136223846793005u + 1442695040888963407u;
        if (i % 3 == 0)
            attempt.response_at = (struct maybe_int)SOME((int64_t)(random >> 40) %
                                                         (5 * DAY_US / SECOND_US) * SECOND_US);
        TRY(attempts_count(cx, &attempt, 1));
    }
    return OK;
}

static void fill(struct test_store *store, const struct world *world, size_t from, size_t to,
                 bool old)
{
    while (from < to) {
        struct fill part = {world, from, from + AT_ONCE < to ? from + AT_ONCE : to, old};

        run(store, TX_WRITE, fill_some, &part);
        fold(store);
        from = part.to;
    }
}

/* The printed route and the three queries of seed 004 are tables of one report; then the same
 * with filters. */
enum asked { ALL, ONE_METHOD, ONE_USER, BY_MONTH, ASKED };

static struct report_query query_of(const struct world *world, enum asked asked)
{
    struct report_query query = from_to(STR("2026-03-01"), STR("2026-03-30"));

    if (asked == ONE_METHOD)
        query.method = TYPE_EMAIL;
    if (asked == ONE_USER)
        query.user_id = world->loggers[3];
    if (asked == BY_MONTH)
        query.interval = INTERVAL_MONTH;
    return query;
}

struct costs {
    const struct world *world;
    int64_t attempts; /* in all */
    int64_t steps[ASKED];
    int64_t rows[ASKED], buffers[ASKED]; /* PostgreSQL */
};

static enum err read_reports(struct ctx *cx, void *context)
{
    struct costs *costs = context;

    act_for(cx, costs->world->tenant_id, costs->world->users[ADA]);
    for (enum asked asked = ALL; asked < ASKED; asked++) {
        const struct report_query query = query_of(costs->world, asked);
        struct outreach_report report;
        struct db_cost cost;
        int64_t sum = 0;

        db_cost(cx, &cost);
        TRY(outreach_report(cx, &query, &report));
        db_cost(cx, &cost);
        must(db_is_postgres(cx) || cost.vm_steps > PAGES_ROWS_LEAST);
        must_equal(cost.full_scan_steps, 0);
        costs->steps[asked] = cost.vm_steps;
        if (asked == ALL || asked == BY_MONTH)
            must_equal(report.total.attempts, costs->attempts);
        else
            must(report.total.attempts > 0 && report.total.attempts < costs->attempts);
        for (size_t i = 0; i < report.over_time.count; i++)
            sum += line(&report.over_time, i)->figures.attempts;
        must_equal(sum, report.total.attempts);
        sum = 0;
        for (size_t i = 0; i < report.by_user.count; i++)
            sum += line(&report.by_user, i)->figures.attempts;
        must_equal(sum, report.total.attempts);
    }
    return OK;
}

static PGresult *say(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);

    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    return result;
}

static int64_t number_after(const char *text, const char *mark)
{
    const char *at = text ? strstr(text, mark) : NULL;

    return at ? strtoll(at + strlen(mark), NULL, 10) : 0;
}

static void add_uuid(struct buf *sql, struct uuid id)
{
    char text[UUID_TEXT_LEN];

    uuid_format(id, text);
    buf_addf(sql, "'%.*s'", UUID_TEXT_LEN, text);
}

static void add_param(struct buf *sql, struct str name, const struct costs *costs,
                      const struct report_query *query)
{
    const bool is_user = str_is(name, "user_id");

    if (str_is(name, "tenant_id"))
        add_uuid(sql, costs->world->tenant_id);
    else if (str_is(name, "after_user"))
        add_uuid(sql, UUID_MAX);
    else if (str_is(name, "after_id"))
        add_uuid(sql, UUID_MIN);
    else if (is_user && !uuid_is_none(query->user_id))
        add_uuid(sql, query->user_id);
    else if (str_is(name, "method") && query->method != 0)
        buf_add(sql, STR("'email'"));
    else if (is_user || str_is(name, "method"))
        buf_add(sql, STR("NULL"));
    else if (str_is(name, "day") || str_is(name, "from_day"))
        buf_addf(sql, "%lld", (long long)day_of(2026, 1, 30));
    else if (str_is(name, "to_day"))
        buf_addf(sql, "%lld", (long long)day_of(2026, 3, 30));
    else if (str_is(name, "limit"))
        buf_add(sql, STR("1000000"));
    else
        buf_add(sql, STR("''"));
}

static const struct query *query_named(const char *name)
{
    for (size_t i = 0; i < all_query_count; i++) {
        if (strcmp(all_queries[i]->name, name) == 0)
            return all_queries[i];
    }
    fail_msg("no query %s", name);
    return all_queries[0];
}

/* Of a query as the server runs it, with a plan that knows no values: the rows that were looked
 * at, and the buffers. */
static void add_cost_of(PGconn *connection, const char *query_name, const struct report_query *ask,
                        struct costs *costs, enum asked asked)
{
    const struct query *query = query_named(query_name);
    struct buf sql;
    PGresult *result;

    buf_init(&sql, NULL, KIB(16));
    buf_addf(&sql, "PREPARE q AS %s", query->postgres);
    buf_add_char(&sql, '\0');
    PQclear(say(connection, sql.ptr));
    buf_reset(&sql);
    buf_addf(&sql, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF) EXECUTE q (");
    for (size_t i = 0; i < query->param_count; i++) {
        buf_add(&sql, i > 0 ? STR(", ") : STR(""));
        add_param(&sql, str_of(query->params[i]), costs, ask);
    }
    buf_add(&sql, STR(")"));
    buf_add_char(&sql, '\0');
    result = say(connection, sql.ptr);
    for (int i = 0; i < PQntuples(result); i++) {
        const char *text = PQgetvalue(result, i, 0);

        if (strstr(text, "Scan") && strstr(text, " on "))
            costs->rows[asked] += number_after(text, "actual rows=");
        costs->rows[asked] += number_after(text, "Rows Removed by Filter: ");
    }
    for (int i = 0; i < PQntuples(result); i++) { /* the first line is the whole plan's */
        const char *text = strstr(PQgetvalue(result, i, 0), "Buffers: shared");

        costs->buffers[asked] += number_after(text, "hit=") + number_after(text, "read=");
        if (text)
            break;
    }
    PQclear(result);
    PQclear(say(connection, "DEALLOCATE q"));
    buf_clear(&sql);
}

static void measure(struct test_store *store, struct costs *costs)
{
    PGconn *connection;

    run(store, TX_READ, read_reports, costs);
    if (!store->is_postgres)
        return;
    connection = PQconnectdb(store->url);
    if (PQstatus(connection) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(connection));
    PQclear(say(connection, "VACUUM ANALYZE attempt_counts"));
    PQclear(say(connection, "VACUUM ANALYZE attempt_deltas"));
    PQclear(say(connection, "SET plan_cache_mode = force_generic_plan"));
    for (enum asked asked = ALL; asked < ASKED; asked++) {
        const struct report_query query = query_of(costs->world, asked);

        add_cost_of(connection, "report_counts", &query, costs, asked);
        add_cost_of(connection, "report_deltas", &query, costs, asked);
        assert_true(costs->rows[asked] > 0 && costs->buffers[asked] > 0);
    }
    PQfinish(connection);
}

/* Buffers may grow with the histograms, whose steps are bounded: so they are told, not held. */
static void hold_within_double(const struct costs *few, const struct costs *now)
{
    for (enum asked asked = ALL; asked < ASKED; asked++) {
        print_message("report %d: %lld steps, %lld rows, %lld buffers with %lld attempts; %lld, "
                      "%lld, %lld with %lld\n",
                      (int)asked, (long long)few->steps[asked], (long long)few->rows[asked],
                      (long long)few->buffers[asked], (long long)few->attempts,
                      (long long)now->steps[asked], (long long)now->rows[asked],
                      (long long)now->buffers[asked], (long long)now->attempts);
        assert_true(now->steps[asked] <= 2 * few->steps[asked]);
        assert_true(now->rows[asked] <= 2 * few->rows[asked]);
    }
}

static enum err make_loggers(struct ctx *cx, void *context)
{
    struct world *world = context;

    act_for(cx, world->tenant_id, world->users[ADA]);
    for (size_t i = 0; i < LOGGERS; i++) {
        char email[32];
        struct user user = {.role = USER_AGENT}, made = {0};

        snprintf(email, sizeof(email), "logger%zu@acme.example", i);
        user.email = str_of(email);
        TRY(user_invite(cx, &user, &made));
        world->loggers[i] = made.id;
    }
    return OK;
}

static void test_cost_does_not_grow(void **state)
{
    struct test_store *store = *state;
    const size_t rows = many();
    struct world world;
    struct costs few = {.world = &world, .attempts = FEW};
    struct costs now = {.world = &world, .attempts = (int64_t)rows};
    struct costs unfolded = {.world = &world, .attempts = (int64_t)rows + UNFOLDED};
    struct fill more = {&world, 0, UNFOLDED, false};

    run(store, TX_WRITE, make_world, &world);
    run(store, TX_WRITE, make_loggers, &world);
    fill(store, &world, 0, FEW, false);
    measure(store, &few);
    fill(store, &world, FEW, rows, false);
    fill(store, &world, 0, OLD_ATTEMPTS, true);
    measure(store, &now);
    hold_within_double(&few, &now);
    run(store, TX_WRITE, fill_some, &more);
    measure(store, &unfolded);
    hold_within_double(&few, &unfolded);
}

static const struct CMUnitTest sqlite[] = {
    cmocka_unit_test(test_dates),
    STORE_TEST(test_figures, sqlite),
    STORE_TEST(test_stretches, sqlite),
    STORE_TEST(test_days, sqlite),
    STORE_TEST(test_cost_does_not_grow, sqlite),
};
static const struct CMUnitTest postgres[] = {
    cmocka_unit_test(test_dates),
    STORE_TEST(test_figures, postgres),
    STORE_TEST(test_stretches, postgres),
    STORE_TEST(test_days, postgres),
    STORE_TEST(test_cost_does_not_grow, postgres),
};

int main(void)
{
    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
