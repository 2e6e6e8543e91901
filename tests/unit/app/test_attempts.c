/* Attempts as they are counted (app/analytics/attempts.h): days, response times, and that the
 * counts are what a recount of the interactions says, whatever was done. */
#include "db/store_kit.h"

#include "app/analytics/attempts.h"
#include "app/customer/customer_merge.h"
#include "app/interaction/interaction.h"
#include "app/tenant/tenant.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t at(const char *text)
{
    int64_t us = 0;

    must(time_parse(str_of(text), &us));
    return us;
}

static uint32_t draw(uint64_t *random)
{
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*random >> 33);
}

/* --- Days ----------------------------------------------------------------------------------- */

static int64_t day_of(const char *date)
{
    int64_t us = 0;

    assert_true(time_parse_date(str_of(date), &us));
    return us / DAY_US;
}

static void test_a_day_is_that_of_the_zone(void **state)
{
    static const struct {
        const char *zone, *begins, *date; /* the first instant of the day */
    } days[] = {
        {"UTC", "2026-11-21T00:00:00Z", "2026-11-21"},
        {"Europe/Berlin", "2026-11-20T23:00:00Z", "2026-11-21"},
        {"Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29"}, /* 23 hours long */
        {"Europe/Berlin", "2026-03-29T22:00:00Z", "2026-03-30"},
        {"Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25"}, /* 25 hours long */
        {"Europe/Berlin", "2026-10-25T23:00:00Z", "2026-10-26"},
        {"America/New_York", "2026-11-01T04:00:00Z", "2026-11-01"},
        {"America/New_York", "2026-11-02T05:00:00Z", "2026-11-02"},
        {"Pacific/Kiritimati", "2026-11-20T10:00:00Z", "2026-11-21"},
        {"Asia/Kathmandu", "2026-11-20T18:15:00Z", "2026-11-21"},
        {"Nowhere/AtAll", "2026-11-21T00:00:00Z", "2026-11-21"},
    };

    (void)state;
    assert_int_equal(attempt_day(STR("UTC"), 0), 0);
    assert_int_equal(attempt_day(STR("UTC"), -1), -1);
    for (size_t i = 0; i < COUNT_OF(days); i++) {
        const struct str zone = str_of(days[i].zone);

        assert_int_equal(attempt_day(zone, at(days[i].begins)), day_of(days[i].date));
        assert_int_equal(attempt_day(zone, at(days[i].begins) - 1), day_of(days[i].date) - 1);
    }
}

/* --- Response times ------------------------------------------------------------------------- */

#define TEN_YEARS_S (INT64_C(3653) * 24 * 3600)

/* Of all lengths alike: most are long otherwise. */
static int64_t some_seconds(uint64_t *random)
{
    const int64_t below = INT64_C(1) << (1 + draw(random) % 29);

    return (int64_t)draw(random) % (below < TEN_YEARS_S ? below : TEN_YEARS_S);
}

static bool is_near(double wanted, double found)
{
    const double away = wanted > found ? wanted - found : found - wanted;

    return away * 32 <= wanted;
}

static void test_the_middle_of_a_step_is_near(void **state)
{
    uint64_t random = 1;

    (void)state;
    for (int64_t seconds = 0; seconds < 32; seconds++) {
        assert_int_equal(response_step(seconds), seconds);
        assert_true(is_near((double)seconds, response_step_middle((int)seconds)));
    }
    for (int64_t seconds = 1; seconds < 100000; seconds++) {
        const int up = response_step(seconds) - response_step(seconds - 1);

        assert_true(up == 0 || up == 1);
    }
    for (int i = 0; i < 100000; i++) {
        const int64_t seconds = some_seconds(&random);

        assert_true(is_near((double)seconds, response_step_middle(response_step(seconds))));
    }
    assert_true(response_step(TEN_YEARS_S) < RESPONSE_STEPS - 1);
    assert_int_equal(response_step(INT64_MAX), RESPONSE_STEPS - 1);
    assert_int_equal(response_step(-1), 0);
}

static struct str written(struct arena *arena, const struct response_times *times)
{
    struct error error = {0};
    struct str text;

    assert_int_equal(response_times_write(times, arena, &text, &error), OK);
    return text;
}

static enum err added(struct response_times *times, const char *text)
{
    struct error error = {0};

    return response_times_add(times, str_of(text), &error);
}

static void test_what_is_added_can_be_taken_back(void **state)
{
    struct arena *arena = arena_new(MIB(1));
    struct response_times times = {{0}}, read = {{0}}, minus = {{0}};
    struct error error = {0};
    uint64_t random = 2;
    struct str text;

    (void)state;
    assert_true(str_equal(written(arena, &times), STR("")));
    for (int i = 0; i < 5000; i++)
        times.counts[response_step(some_seconds(&random))]++;
    text = written(arena, &times);
    assert_int_equal(response_times_add(&read, text, &error), OK);
    assert_memory_equal(&read, &times, sizeof(times));
    for (int step = 0; step < RESPONSE_STEPS; step++)
        minus.counts[step] = -times.counts[step];
    assert_int_equal(response_times_add(&read, written(arena, &minus), &error), OK);
    assert_true(str_equal(written(arena, &read), STR("")));

    /* The longest there is. */
    for (int step = 0; step < RESPONSE_STEPS; step++)
        times.counts[step] = INT64_MIN;
    assert_true(written(arena, &times).len > 10000);
    arena_free(arena);
}

static void test_a_broken_text_is_refused(void **state)
{
    static const char *const broken[] = {
        "x",    "1",        "1:",      ":1",      "1:0",      "1:1 ",
        " 1:1", "1:1  2:1", "2:1 1:1", "1:1 1:1", "-1:1",     "512:1",
        "1:1x", "1:+1",     "1:1:1",   "1,1",     "1:1\n2:1", "1:99999999999999999999",
        " ",    "1:-",      "1:--1",   "1:-0",    "1:1 2",    "18446744073709551617:1"};
    static const char *const too_much[] = {"1:9223372036854775808", "1:-9223372036854775809"};
    struct response_times times = {{0}};

    (void)state;
    assert_int_equal(added(&times, "0:3 31:1 511:-2"), OK);
    assert_int_equal(times.counts[511], -2);
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        memset(&times, 0, sizeof(times));
        assert_int_equal(added(&times, broken[i]), ERR_INTERNAL);
    }
    for (size_t i = 0; i < COUNT_OF(too_much); i++)
        assert_int_equal(added(&times, too_much[i]), ERR_INTERNAL);
    memset(&times, 0, sizeof(times));
    assert_int_equal(added(&times, "1:-9223372036854775808"), OK);
    assert_true(times.counts[1] == INT64_MIN);
    assert_int_equal(added(&times, "1:-1"), ERR_INTERNAL);
    memset(&times, 0, sizeof(times));
    assert_int_equal(added(&times, "1:9223372036854775807"), OK);
    assert_int_equal(added(&times, "1:1"), ERR_INTERNAL);
}

static int compare_seconds(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

static void test_the_median_is_near(void **state)
{
    struct response_times times = {{0}};
    int64_t seconds[60];
    uint64_t random = 3;

    (void)state;
    assert_false(response_times_median(&times).set);
    for (int turn = 0; turn < 2000; turn++) {
        const size_t count = 1 + draw(&random) % COUNT_OF(seconds);
        const size_t low = (count - 1) / 2, high = count / 2;
        struct maybe_real median;

        memset(&times, 0, sizeof(times));
        for (size_t i = 0; i < count; i++) {
            seconds[i] = some_seconds(&random);
            times.counts[response_step(seconds[i])]++;
        }
        qsort(seconds, count, sizeof(seconds[0]), compare_seconds);
        median = response_times_median(&times);
        assert_true(median.set);
        assert_true(is_near(((double)seconds[low] + (double)seconds[high]) / 2, median.value));
    }
}

/* --- A tenant ------------------------------------------------------------------------------- */

#define CUSTOMERS 6
#define USERS 3
#define ROWS_MAX 4000

enum what {
    CREATE,
    EDIT,
    REMOVE,
    RESTORE,
    RESPOND,
    UNRESPOND,
    MERGE,
    UNDO,
    STATUS,
    TIME,
    DUE,
    ZONE,
    RECOUNT,
    FOLD,
    WHATS
};

struct world {
    struct test_store *store;
    int64_t now_us;
    uint64_t random;
    struct uuid tenant_id, users[USERS], customers[CUSTOMERS];
    size_t user; /* who acts; USERS: nobody who is known */
    struct uuid rows[ROWS_MAX];
    size_t count;
    bool merged;
    size_t merged_customer;
    struct customer_merge merge;
    int64_t done[WHATS];
    int operations;         /* of one turn */
    bool fails;             /* what is done in a turn is rolled back */
    int64_t attempts_least; /* else the comparison would say little */
};

static void act(struct ctx *cx, const struct world *world)
{
    cx->now_us = world->now_us;
    cx->actor =
        (struct actor){.role = ROLE_ADMIN,
                       .tenant_id = world->tenant_id,
                       .user_id = world->user < USERS ? world->users[world->user] : UUID_NONE,
                       .user_name = STR("Ada"),
                       .timezone = STR("UTC")};
}

/* As the background does it. */
static struct ctx nobody(const struct ctx *cx)
{
    struct ctx job = *cx;

    job.actor = (struct actor){.role = 0};
    return job;
}

static enum err make_customer(struct ctx *cx, struct uuid *out)
{
    struct customer made = {0};

    TRY(customer_create(cx, &(struct customer){.name = STR("Jane")}, &made));
    *out = made.id;
    return OK;
}

static enum err make_world(struct ctx *cx, void *context)
{
    struct world *world = context;
    const struct tenant_founding in = {
        .tenant = {.name = STR("Acme"), .timezone = STR("Europe/Berlin")},
        .admin_email = STR("ada@acme.example"),
        .admin_name = STR("Ada")};
    const struct user others[] = {
        {.email = STR("bo@acme.example"), .name = STR("Bo"), .role = USER_AGENT},
        {.email = STR("cy@acme.example"), .name = STR("Cy"), .role = USER_AGENT}};
    struct tenant_founded made = {0};

    cx->now_us = world->now_us;
    TRY(tenant_found(cx, &in, &made));
    world->tenant_id = made.tenant.id;
    world->users[0] = made.admin.id;
    act(cx, world);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct user invited = {0};

        TRY(user_invite(cx, &others[i], &invited));
        world->users[1 + i] = invited.id;
    }
    for (size_t i = 0; i < CUSTOMERS; i++)
        TRY(make_customer(cx, &world->customers[i]));
    return OK;
}

static void begin(struct world *world, void **state, uint64_t seed)
{
    *world = (struct world){.store = *state, .now_us = at("2026-10-20T12:00:00Z"), .random = seed};
    if (store_kit_run(world->store, TX_WRITE, make_world, world) != OK)
        fail_msg("%s", world->store->error.detail);
}

/* --- A plain recount ------------------------------------------------------------------------ */

/* What is kept of one cell, less what the interactions say. */
struct tally {
    int64_t day;
    struct str method;
    struct uuid user_id;
    struct str lead_status;
    int64_t attempts, responses, response_seconds;
    struct str response_times;
    struct response_times *times;
};

static const struct field tally_fields[] = {
    FIELD(tally, day, F_INT, 0),
    FIELD(tally, method, F_TEXT, 0),
    FIELD(tally, user_id, F_UUID, 0),
    FIELD(tally, lead_status, F_TEXT, 0),
    FIELD(tally, attempts, F_INT, 0),
    FIELD(tally, responses, F_INT, 0),
    FIELD(tally, response_seconds, F_INT, 0),
    FIELD(tally, response_times, F_TEXT, 0),
};
static const struct record tally_record = RECORD(tally, tally_fields);

#define KEPT(table, parameter)                                                                     \
    "SELECT day, method, user_id, lead_status, attempts, responses, response_seconds, "            \
    "response_times FROM " table " WHERE tenant_id = " parameter
#define COUNTED(parameter)                                                                         \
    "SELECT type, channel, created_by, lead_status, attempt_day, started_at, responded, "          \
    "response_at FROM interactions WHERE tenant_id = " parameter                                   \
    " AND deleted_at IS NULL AND direction = 'outbound' AND type NOT IN ('note', 'system')"

static const char *const tenant_only_param[] = {"tenant_id"};
static const struct query read_kept = {
    .name = "read_kept",
    .sqlite = KEPT("attempt_counts", "?1") " UNION ALL " KEPT("attempt_deltas", "?1"),
    .postgres = KEPT("attempt_counts", "$1") " UNION ALL " KEPT("attempt_deltas", "$1"),
    .params = tenant_only_param,
    .param_count = 1};
static const struct query read_touches = {.name = "read_touches",
                                          .sqlite = COUNTED("?1"),
                                          .postgres = COUNTED("$1"),
                                          .params = tenant_only_param,
                                          .param_count = 1};

struct tallies {
    struct tally *items;
    size_t count, max;
    int64_t attempts, responses; /* by the interactions */
};

static struct tally *tally_of(struct ctx *cx, struct tallies *all, const struct tally *key)
{
    struct tally *tally = all->items;

    for (; tally < all->items + all->count; tally++) {
        if (tally->day == key->day && uuid_equal(tally->user_id, key->user_id) &&
            str_equal(tally->method, key->method) &&
            str_equal(tally->lead_status, key->lead_status))
            return tally;
    }
    must(all->count < all->max);
    *tally = (struct tally){.day = key->day,
                            .method = key->method,
                            .user_id = key->user_id,
                            .lead_status = key->lead_status,
                            .times = ARENA_NEW(cx->arena, struct response_times)};
    must(tally->times != NULL);
    all->count++;
    return tally;
}

static void add_kept(struct ctx *cx, struct tallies *all, const struct tally *kept)
{
    struct tally *tally = tally_of(cx, all, kept);

    tally->attempts += kept->attempts;
    tally->responses += kept->responses;
    tally->response_seconds += kept->response_seconds;
    must_equal(response_times_add(tally->times, kept->response_times, cx->error), OK);
}

static void subtract(struct ctx *cx, struct tallies *all, const struct interaction *row)
{
    const bool linkedin = row->type == TYPE_SOCIAL_MEDIA && str_is(row->channel, "linkedin");
    const char *status = enum_name(&customer_statuses, row->lead_status);
    struct tally *tally = tally_of(
        cx, all,
        &(struct tally){.day = row->attempt_day.value,
                        .method = linkedin ? STR("linkedin")
                                           : str_of(enum_name(&interaction_types, row->type)),
                        .user_id = uuid_is_none(row->created_by) ? UUID_MAX : row->created_by,
                        .lead_status = status ? str_of(status) : STR("")});

    tally->attempts--;
    all->attempts++;
    if (row->responded) {
        const int64_t after = row->response_at.value / SECOND_US - row->started_at / SECOND_US;
        const int64_t seconds = after < 0 ? 0 : after; /* the start was moved behind it */

        must(row->response_at.set);
        tally->responses--;
        tally->response_seconds -= seconds;
        tally->times->counts[response_step(seconds)]--;
        all->responses++;
    }
}

static void must_be_nothing(const struct tally *tally)
{
    int64_t steps = 0;

    for (int step = 0; step < RESPONSE_STEPS; step++)
        steps += tally->times->counts[step] != 0;
    if (tally->attempts == 0 && tally->responses == 0 && tally->response_seconds == 0 && steps == 0)
        return;
    fprintf(stderr,
            "day %" PRId64 ", %.*s, user %02x, '%.*s': kept are %+" PRId64 " attempts, %+" PRId64
            " responses, %+" PRId64 " seconds too many, and %" PRId64 " steps are wrong\n",
            tally->day, STR_FMT(tally->method), tally->user_id.bytes[15],
            STR_FMT(tally->lead_status), tally->attempts, tally->responses, tally->response_seconds,
            steps);
    must(false);
}

/* `settled`: what was planned and is past has come due, and no recount goes on. */
static void compare(struct ctx *cx, const struct world *world, bool settled)
{
    struct list kept, touches;
    struct tallies all = {NULL, 0, 0, 0, 0};
    struct tenant tenant = {0};

    must_equal(tenant_get(cx, &tenant), OK);
    must_equal(db_all(cx, &read_kept, NO_ARGS, &tally_record, &kept), OK);
    must_equal(db_all(cx, &read_touches, NO_ARGS, &interaction_row_record, &touches), OK);
    all.max = kept.count + touches.count;
    all.items = ARENA_ARRAY(cx->arena, all.max + 1, struct tally);
    must(all.items != NULL);
    for (size_t i = 0; i < kept.count; i++)
        add_kept(cx, &all, LIST_AT(kept, struct tally, i));
    for (size_t i = 0; i < touches.count; i++) {
        const struct interaction *row = LIST_AT(touches, struct interaction, i);

        if (row->attempt_day.set)
            subtract(cx, &all, row);
        if (!settled)
            continue;
        must_equal(row->attempt_day.set, row->started_at <= world->now_us);
        if (row->attempt_day.set)
            must_equal(row->attempt_day.value, attempt_day(tenant.timezone, row->started_at));
    }
    for (size_t i = 0; i < all.count; i++)
        must_be_nothing(&all.items[i]);
    must(all.attempts >= world->attempts_least);
    must(!settled || all.attempts > 0);
    must(all.responses * 10 >= world->attempts_least);
}

static enum err run_compare(struct ctx *cx, void *context)
{
    act(cx, context);
    compare(cx, context, false);
    return OK;
}

static enum err run_compare_settled(struct ctx *cx, void *context)
{
    act(cx, context);
    compare(cx, context, true);
    return OK;
}

/* --- Whatever is done ----------------------------------------------------------------------- */

static uint32_t pick(struct world *world, uint32_t below)
{
    return draw(&world->random) % below;
}

/* Many are at the ends of days; some lie ahead. */
static int64_t some_start(struct world *world)
{
    int64_t us = world->now_us - (int64_t)pick(world, 20 * 24 * 60) * MINUTE_US;

    if (pick(world, 5) == 0)
        us = world->now_us + (int64_t)pick(world, 48 * 60) * MINUTE_US + 1;
    if (pick(world, 2) == 0)
        us += HOUR_US - us % HOUR_US - pick(world, 2);
    return us;
}

static void some_kind(struct world *world, struct interaction *in)
{
    in->type = 1 + (int)pick(world, TYPE_LINKEDIN);
    in->direction = pick(world, 4) == 0 ? DIRECTION_INBOUND : DIRECTION_OUTBOUND;
    in->outcome = (int)pick(world, OUTCOME_NOT_INTERESTED + 1);
    if (in->type == TYPE_SOCIAL_MEDIA && pick(world, 2) == 0)
        in->channel = STR("LinkedIn");
}

static int64_t some_response(struct world *world, int64_t started_at)
{
    const int64_t us =
        started_at + (INT64_C(1) << pick(world, 21)) * SECOND_US + (int64_t)pick(world, 2000000);

    return us < world->now_us ? us : world->now_us;
}

static enum err create(struct ctx *cx, struct world *world)
{
    struct interaction in = {.customer_id = world->customers[pick(world, CUSTOMERS)],
                             .subject = STR("A touch"),
                             .started_at = some_start(world)},
                       made = {0};

    if (world->count == ROWS_MAX)
        return ERR_CONFLICT;
    some_kind(world, &in);
    if (in.direction == DIRECTION_OUTBOUND && in.started_at < world->now_us &&
        pick(world, 6) == 0) {
        in.responded = true;
        if (pick(world, 3) > 0)
            in.response_at = (struct maybe_int)SOME(some_response(world, in.started_at));
    }
    TRY(interaction_create(cx, &in, &made));
    world->rows[world->count++] = made.id;
    return OK;
}

static void give(struct given *given, const char *name)
{
    const size_t i =
        (size_t)(record_field(&interaction_record, str_of(name)) - interaction_record.fields);

    given->bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static enum err edit(struct ctx *cx, struct world *world, const struct interaction *row)
{
    static const char *const names[] = {"type", "direction", "started_at", "outcome", "channel"};
    struct interaction patch = {.started_at = some_start(world)}, changed;
    struct given given = {{0}, NULL};

    some_kind(world, &patch);
    give(&given, names[pick(world, COUNT_OF(names))]);
    give(&given, names[pick(world, COUNT_OF(names))]);
    return interaction_update(cx, row, &patch, &given, &changed);
}

static enum err respond(struct ctx *cx, struct world *world, const struct interaction *row)
{
    struct maybe_int response_at = {false, 0};
    struct interaction changed;

    if (pick(world, 4) > 0)
        response_at = (struct maybe_int)SOME(some_response(world, row->started_at));
    return interaction_set_response(cx, row, true, response_at, &changed);
}

static enum err merge(struct ctx *cx, struct world *world)
{
    const size_t first = pick(world, CUSTOMERS);
    const size_t second = (first + 1 + pick(world, CUSTOMERS - 1)) % CUSTOMERS;
    struct customer survivor = {0}, merged = {0};

    if (world->merged)
        return ERR_CONFLICT;
    TRY(customer_lock_two(cx, world->customers[first], world->customers[second], &survivor,
                          &merged));
    TRY(customer_merge(cx, &survivor, &merged, &world->merge));
    world->merged = true;
    world->merged_customer = second;
    return OK;
}

/* After a day it stays, and another customer comes. */
static enum err undo(struct ctx *cx, struct world *world)
{
    struct customer_merge found = {0}, undone = {0};
    struct customer survivor = {0};

    if (!world->merged)
        return ERR_CONFLICT;
    world->merged = false;
    if (world->now_us - world->merge.merged_at >= DAY_US)
        return make_customer(cx, &world->customers[world->merged_customer]);
    TRY(customer_merge_get_locked(cx, world->merge.customer_id, world->merge.id, &found,
                                  &survivor));
    return customer_unmerge(cx, &found, &survivor, &undone);
}

static enum err set_status(struct ctx *cx, struct world *world)
{
    struct customer current = {0}, changed = {0};

    TRY(customer_get_locked(cx, world->customers[pick(world, CUSTOMERS)], &current));
    return customer_set_status(cx, &current, 1 + (int)pick(world, CUSTOMER_LOST), &changed);
}

static enum err move_zone(struct ctx *cx, struct world *world)
{
    static const char *const zones[] = {"UTC", "Europe/Berlin", "Pacific/Kiritimati",
                                        "America/New_York", "Asia/Kathmandu"};
    struct tenant current = {0}, wanted, changed = {0};

    TRY(tenant_get_locked(cx, &current));
    wanted = current;
    wanted.timezone = str_of(zones[pick(world, COUNT_OF(zones))]);
    return tenant_update(cx, &current, &wanted, &changed);
}

static enum err operate_on_row(struct ctx *cx, struct world *world, enum what what)
{
    struct interaction row = {0}, changed = {0};
    struct uuid id;

    if (world->count == 0)
        return ERR_CONFLICT;
    id = world->rows[pick(world, (uint32_t)world->count)];
    if (what == RESTORE) {
        TRY(interaction_get_any_locked(cx, id, &row));
        return row.deleted_at.set ? interaction_restore(cx, id, &changed) : ERR_CONFLICT;
    }
    TRY(interaction_get_locked(cx, id, &row));
    if (what == EDIT)
        return edit(cx, world, &row);
    if (what == REMOVE)
        return interaction_delete(cx, &row);
    if (what == RESPOND)
        return respond(cx, world, &row);
    return row.responded
               ? interaction_set_response(cx, &row, false, (struct maybe_int){false, 0}, &changed)
               : ERR_CONFLICT;
}

static enum err operate(struct ctx *cx, struct world *world, enum what what)
{
    struct ctx job = nobody(cx);
    int64_t done = 0;
    enum err result;

    switch (what) {
    case CREATE:
        return create(cx, world);
    case MERGE:
        return merge(cx, world);
    case UNDO:
        return undo(cx, world);
    case STATUS:
        return set_status(cx, world);
    case TIME:
        world->now_us += (int64_t)pick(world, 6 * 3600) * SECOND_US;
        return OK;
    case ZONE:
        return move_zone(cx, world);
    case DUE:
        result = interaction_touches_due(&job, 1 + pick(world, 20), &done);
        break;
    case RECOUNT:
        result = interaction_recount(&job, 1 + pick(world, 60), &done);
        break;
    case FOLD:
        result = attempts_fold(&job, 1 + pick(world, 40), &done);
        break;
    default:
        return operate_on_row(cx, world, what);
    }
    return result == OK && done == 0 ? ERR_CONFLICT : result;
}

static enum what some_operation(struct world *world)
{
    /* Out of a hundred. */
    static const uint8_t weights[WHATS] = {
        [CREATE] = 32,   [EDIT] = 16, [REMOVE] = 8,  [RESTORE] = 5, [RESPOND] = 8,
        [UNRESPOND] = 5, [MERGE] = 2, [UNDO] = 2,    [STATUS] = 5,  [TIME] = 3,
        [DUE] = 4,       [ZONE] = 1,  [RECOUNT] = 5, [FOLD] = 4};
    uint32_t at_weight = pick(world, 100);
    int what = 0;

    while (at_weight >= weights[what])
        at_weight -= weights[what++];
    return (enum what)what;
}

/* One alone: what is refused, and some of the rest, is rolled back and was never there. */
static enum err operate_alone(struct ctx *cx, struct world *world)
{
    const enum what what = some_operation(world);
    struct world *before = ARENA_NEW(cx->arena, struct world);
    uint64_t random;
    enum err result;

    must(before != NULL);
    world->user = pick(world, USERS + 1);
    act(cx, world);
    *before = *world;
    TRY(db_savepoint(cx));
    result = operate(cx, world, what);
    if (result == OK && pick(world, 12) > 0) {
        world->done[what]++;
        return db_release(cx);
    }
    if (result != OK && result != ERR_CONFLICT && result != ERR_INVALID && result != ERR_NOT_FOUND)
        return result;
    random = world->random;
    *world = *before;
    world->random = random;
    error_clear(cx->error);
    return db_rollback_to(cx);
}

/* Several in a transaction: a row may be edited and deleted before its commit. It may run more
 * than once, so it works on a copy. */
static enum err run_turn(struct ctx *cx, void *context)
{
    struct world **worlds = context, *next = worlds[1];

    *next = *worlds[0];
    for (int i = 0; i < next->operations; i++) {
        const struct arena_mark mark = arena_mark(cx->arena);

        TRY(operate_alone(cx, next));
        arena_release(cx->arena, mark);
    }
    return next->fails ? ERR_CONFLICT : OK;
}

static void turn(struct world *world)
{
    static struct world next;
    struct world *worlds[] = {world, &next};
    enum err result;

    world->operations = 1 + (int)pick(world, 30);
    world->fails = pick(world, 20) == 0;
    result = store_kit_run(world->store, TX_WRITE, run_turn, worlds);
    if (world->fails && result == ERR_CONFLICT)
        world->random = next.random;
    else if (result == OK)
        *world = next;
    else
        fail_msg("%s", world->store->error.detail);
}

static void run(struct world *world, enum tx tx, store_kit_fn fn)
{
    if (store_kit_run(world->store, tx, fn, world) != OK)
        fail_msg("%s", world->store->error.detail);
}

struct portion {
    const struct world *world;
    enum err (*work)(struct ctx *cx, int64_t limit, int64_t *done);
    int64_t done;
};

static enum err run_portion(struct ctx *cx, void *context)
{
    struct portion *portion = context;

    cx->actor = (struct actor){.role = 0};
    cx->now_us = portion->world->now_us;
    return portion->work(cx, 50, &portion->done);
}

/* Until nothing is left; a task goes on while it finds something. */
static void finish(struct world *world,
                   enum err (*work)(struct ctx *cx, int64_t limit, int64_t *done))
{
    struct portion portion = {world, work, 0};

    for (int i = 0; i < 1000; i++) {
        if (store_kit_run(world->store, TX_WRITE, run_portion, &portion) != OK)
            fail_msg("%s", world->store->error.detail);
        if (portion.done == 0)
            return;
    }
    fail_msg("it never ends");
}

static void settle(struct world *world)
{
    finish(world, interaction_touches_due);
    finish(world, interaction_recount);
    assert_int_equal(store_kit_number(world->store, "SELECT count(*) FROM attempt_recounts "
                                                    "WHERE again_at IS NULL"),
                     0);
    world->now_us += 2 * MINUTE_US; /* the second round */
    finish(world, interaction_touches_due);
    finish(world, interaction_recount);
    assert_int_equal(store_kit_number(world->store, "SELECT count(*) FROM attempt_recounts"), 0);
    run(world, TX_READ, run_compare_settled);
}

static enum err remove_all(struct ctx *cx, void *context)
{
    struct world *world = context;

    act(cx, world);
    for (size_t i = 0; i < world->count; i++) {
        struct interaction row = {0};

        TRY(interaction_get_any_locked(cx, world->rows[i], &row));
        if (!row.deleted_at.set)
            TRY(interaction_delete(cx, &row));
    }
    return OK;
}

#define PLANNED                                                                                    \
    "SELECT count(*) FROM interactions WHERE deleted_at IS NULL AND attempt_day IS NULL AND "      \
    "direction = 'outbound' AND type NOT IN ('note', 'system')"

static enum err move_to_another_zone(struct ctx *cx, void *context)
{
    struct world *world = context;
    struct tenant current = {0}, wanted, changed = {0};

    act(cx, world);
    TRY(tenant_get_locked(cx, &current));
    wanted = current;
    wanted.timezone =
        str_is(current.timezone, "Asia/Kathmandu") ? STR("UTC") : STR("Asia/Kathmandu");
    return tenant_update(cx, &current, &wanted, &changed);
}

static void test_counts_are_what_a_recount_says(void **state)
{
    static struct world world;
    const char *chosen = getenv("TOUCHPOINT_TEST_SEED"); /* to look for others by hand */
    const uint64_t seed = chosen ? strtoull(chosen, NULL, 10) : 20261121;
    int64_t done = 0, compared = 0;

    begin(&world, state, seed);
    print_message("seed %" PRIu64 "\n", seed);
    while (done < (world.store->is_postgres ? 2500 : 6000)) {
        turn(&world);
        done += world.operations;
        if (done / 300 == compared)
            continue;
        compared = done / 300;
        run(&world, TX_READ, run_compare);
    }
    for (int what = 0; what < WHATS; what++) {
        if (what != FOLD || world.store->is_postgres)
            assert_true(world.done[what] > 0);
    }
    settle(&world);
    /* What was planned comes due where nothing else would count it. */
    assert_true(store_kit_number(world.store, PLANNED) > 0);
    world.now_us += 3 * DAY_US;
    world.attempts_least = 100;
    settle(&world);
    assert_int_equal(store_kit_number(world.store, PLANNED), 0);
    run(&world, TX_WRITE, move_to_another_zone);
    settle(&world);
    finish(&world, attempts_fold);
    run(&world, TX_READ, run_compare_settled);
    assert_int_equal(store_kit_number(world.store, "SELECT count(*) FROM attempt_deltas"), 0);
    assert_int_equal(
        store_kit_number(world.store, "SELECT count(*) FROM attempt_counts WHERE attempts <= 0"),
        0);

    run(&world, TX_WRITE, remove_all);
    finish(&world, attempts_fold);
    assert_int_equal(store_kit_number(world.store, "SELECT count(*) FROM attempt_counts"), 0);
}

/* --- Nothing is left of nothing ------------------------------------------------------------- */

#define ANYTHING                                                                                   \
    "SELECT (SELECT count(*) FROM attempt_counts) + (SELECT count(*) FROM attempt_deltas)"

static struct attempt an_attempt(void)
{
    return (struct attempt){.day = 20000,
                            .method = TYPE_CALL,
                            .user_id = {{9}},
                            .lead_status = CUSTOMER_NEW,
                            .started_at = 20000 * DAY_US,
                            .response_at = SOME(20000 * DAY_US + 90 * SECOND_US)};
}

static enum err count_and_roll_back(struct ctx *cx, void *context)
{
    const struct attempt attempt = an_attempt();
    struct world *world = context;

    act(cx, world);
    TRY(db_savepoint(cx));
    TRY(attempts_count(cx, &attempt, 1));
    TRY(create(cx, world));
    return db_rollback_to(cx);
}

static enum err count_and_fail(struct ctx *cx, void *context)
{
    const struct attempt attempt = an_attempt();

    act(cx, context);
    TRY(attempts_count(cx, &attempt, 1));
    return ERR_CONFLICT;
}

static enum err count_and_take_back(struct ctx *cx, void *context)
{
    const struct attempt attempt = an_attempt();

    act(cx, context);
    for (int i = 0; i < 3; i++) {
        TRY(attempts_count(cx, &attempt, 1));
        TRY(attempts_count(cx, &attempt, -1));
    }
    return OK;
}

static enum err count_one(struct ctx *cx, void *context)
{
    const struct attempt attempt = an_attempt();

    act(cx, context);
    return attempts_count(cx, &attempt, 1);
}

static enum err take_one_back(struct ctx *cx, void *context)
{
    const struct attempt attempt = an_attempt();

    act(cx, context);
    return attempts_count(cx, &attempt, -1);
}

static void test_what_is_rolled_back_or_taken_back_leaves_nothing(void **state)
{
    static struct world world;

    begin(&world, state, 4);
    run(&world, TX_WRITE, count_and_roll_back);
    assert_int_equal(store_kit_number(world.store, ANYTHING), 0);
    assert_int_equal(store_kit_run(world.store, TX_WRITE, count_and_fail, &world), ERR_CONFLICT);
    assert_int_equal(store_kit_number(world.store, ANYTHING), 0);
    run(&world, TX_WRITE, count_and_take_back);
    assert_int_equal(store_kit_number(world.store, ANYTHING), 0);

    run(&world, TX_WRITE, count_one);
    assert_int_equal(store_kit_number(world.store, ANYTHING), 1);
    finish(&world, attempts_fold);
    assert_int_equal(store_kit_number(world.store,
                                      "SELECT count(*) FROM attempt_counts WHERE attempts = 1 AND "
                                      "responses = 1 AND response_seconds = 90 AND method = "
                                      "'call' AND lead_status = 'new' AND day = 20000"),
                     1);
    run(&world, TX_WRITE, take_one_back);
    finish(&world, attempts_fold);
    assert_int_equal(store_kit_number(world.store, ANYTHING), 0);
}

/* --- A new calendar ------------------------------------------------------------------------- */

static enum err rename_tenant(struct ctx *cx, void *context)
{
    struct tenant current = {0}, wanted, changed = {0};
    bool recounting = true;

    act(cx, context);
    TRY(tenant_get_locked(cx, &current));
    wanted = current;
    wanted.name = STR("Acme & Co.");
    TRY(tenant_update(cx, &current, &wanted, &changed));
    TRY(attempts_recounting(cx, &recounting));
    must(!recounting);
    return OK;
}

static enum err rezone_tenant(struct ctx *cx, void *context)
{
    bool recounting = false;

    TRY(move_to_another_zone(cx, context));
    TRY(attempts_recounting(cx, &recounting));
    must(recounting);
    return OK;
}

static void test_another_zone_is_another_calendar(void **state)
{
    static struct world world;

    begin(&world, state, 5);
    run(&world, TX_WRITE, rename_tenant);
    run(&world, TX_WRITE, rezone_tenant);
    /* From the first one again, also when it was half done. */
    store_kit_sql(world.store, "UPDATE attempt_recounts SET after_id = tenant_id");
    run(&world, TX_WRITE, rezone_tenant);
    assert_int_equal(store_kit_number(world.store, "SELECT count(*) FROM attempt_recounts "
                                                   "WHERE after_id IS NULL"),
                     1);
}

/* Half an hour before midnight in London. */
static enum err log_late_call(struct ctx *cx, void *context)
{
    struct world *world = context;
    const struct interaction in = {.customer_id = world->customers[0],
                                   .type = TYPE_CALL,
                                   .direction = DIRECTION_OUTBOUND,
                                   .subject = STR("A late call"),
                                   .started_at = world->now_us / DAY_US * DAY_US - HOUR_US / 2};
    struct interaction made = {0};

    act(cx, world);
    return interaction_create(cx, &in, &made);
}

/* On PostgreSQL a transaction that has read the former zone can commit after the first round has
 * passed its place. */
static void test_a_straggler_of_the_former_calendar_is_found(void **state)
{
    static struct world world;

    begin(&world, state, 7);
    store_kit_sql(world.store, "UPDATE tenants SET timezone = 'UTC'");
    run(&world, TX_WRITE, rezone_tenant);
    if (world.store->is_postgres) {
        finish(&world, interaction_recount);
        store_kit_sql(world.store, "UPDATE tenants SET timezone = 'UTC'");
    }
    run(&world, TX_WRITE, log_late_call);
    store_kit_sql(world.store, "UPDATE tenants SET timezone = 'Asia/Kathmandu'");
    settle(&world);
}

/* --- Several at once ------------------------------------------------------------------------ */

#define WRITERS 2
#define FOLDERS 2
#define WRITES 120 /* of each */

/* Every write adds one attempt each to two cells: a reader who sees a write by half, or what a
 * fold moves twice or not at all, finds them different. */
struct crowd {
    const struct world *world;
    uint64_t random;
    atomic_int *writing;
    int64_t first, second; /* read */
    enum err result;
    enum err (*run)(struct ctx *cx, struct crowd *crowd);
};

static enum err run_in_crowd(void *context, struct db *db, struct id_source *ids)
{
    struct crowd *crowd = context;
    struct arena *arena = arena_new(MIB(16));
    struct error error = {0};
    struct ctx cx = {.db = db, .arena = arena, .error = &error, .ids = ids};
    enum err result;

    act(&cx, crowd->world);
    result = crowd->run(&cx, crowd);
    arena_free(arena);
    return result;
}

static enum err write_two(struct ctx *cx, struct crowd *crowd)
{
    struct attempt attempt = an_attempt();

    attempt.response_at.set = draw(&crowd->random) % 2 == 0;
    TRY(attempts_count(cx, &attempt, 1));
    attempt.day++;
    TRY(attempts_count(cx, &attempt, 1));
    /* One that comes and goes, for the rows that folds make and drop. */
    attempt.day++;
    return attempts_count(cx, &attempt, draw(&crowd->random) % 2 == 0 ? 1 : -1);
}

static enum err fold_some(struct ctx *cx, struct crowd *crowd)
{
    int64_t done;

    cx->actor = (struct actor){.role = 0};
    return attempts_fold(cx, 1 + draw(&crowd->random) % 5, &done);
}

static enum err read_two(struct ctx *cx, struct crowd *crowd)
{
    struct list kept;

    crowd->first = crowd->second = 0;
    TRY(db_all(cx, &read_kept, NO_ARGS, &tally_record, &kept));
    for (size_t i = 0; i < kept.count; i++) {
        const struct tally *tally = LIST_AT(kept, struct tally, i);

        crowd->first += tally->day == 20000 ? tally->attempts : 0;
        crowd->second += tally->day == 20001 ? tally->attempts : 0;
    }
    return OK;
}

static void go(struct crowd *crowd, enum tx tx,
               enum err (*what)(struct ctx *cx, struct crowd *crowd))
{
    enum err result;

    crowd->run = what;
    result = exec_transaction(crowd->world->store->exec, tx, run_in_crowd, crowd);
    if (crowd->result == OK)
        crowd->result = result;
}

static void *write_many(void *context)
{
    struct crowd *crowd = context;

    for (int i = 0; i < WRITES; i++)
        go(crowd, TX_WRITE, write_two);
    atomic_fetch_sub(crowd->writing, 1);
    return NULL;
}

static void *fold_many(void *context)
{
    struct crowd *crowd = context;

    while (atomic_load(crowd->writing) > 0)
        go(crowd, TX_WRITE, fold_some);
    return NULL;
}

static void test_readers_see_each_attempt_once(void **state)
{
    static struct world world;
    struct crowd crowd[WRITERS + FOLDERS + 1];
    pthread_t threads[WRITERS + FOLDERS];
    struct crowd *reader = &crowd[WRITERS + FOLDERS];
    atomic_int writing = WRITERS;
    int64_t before = 0, reads = 0, wrong = 0;

    begin(&world, state, 6);
    for (size_t i = 0; i < COUNT_OF(crowd); i++)
        crowd[i] = (struct crowd){.world = &world, .random = i, .writing = &writing};
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < WRITERS ? write_many : fold_many, &crowd[i]), 0);
    while (atomic_load(&writing) > 0) {
        go(reader, TX_READ, read_two);
        wrong += reader->first != reader->second || reader->first < before;
        before = reader->first;
        reads++;
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < COUNT_OF(crowd); i++)
        assert_int_equal(crowd[i].result, OK);
    assert_true(reads > 0);
    assert_int_equal(wrong, 0);
    finish(&world, attempts_fold);
    go(reader, TX_READ, read_two);
    assert_int_equal(reader->first, WRITERS * WRITES);
    assert_int_equal(reader->second, WRITERS * WRITES);
    assert_int_equal(store_kit_number(world.store, "SELECT count(*) FROM attempt_deltas"), 0);
}

#define TESTS(store)                                                                               \
    STORE_TEST(test_what_is_rolled_back_or_taken_back_leaves_nothing, store),                      \
        STORE_TEST(test_another_zone_is_another_calendar, store),                                  \
        STORE_TEST(test_a_straggler_of_the_former_calendar_is_found, store),                       \
        STORE_TEST(test_readers_see_each_attempt_once, store),                                     \
        STORE_TEST(test_counts_are_what_a_recount_says, store)

static const struct CMUnitTest sqlite[] = {TESTS(sqlite)};
static const struct CMUnitTest postgres[] = {TESTS(postgres)};

int main(void)
{
    static const struct CMUnitTest alone[] = {
        cmocka_unit_test(test_a_day_is_that_of_the_zone),
        cmocka_unit_test(test_the_middle_of_a_step_is_near),
        cmocka_unit_test(test_what_is_added_can_be_taken_back),
        cmocka_unit_test(test_a_broken_text_is_refused),
        cmocka_unit_test(test_the_median_is_near),
    };
    const int failed = cmocka_run_group_tests(alone, NULL, NULL);

    return failed + store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
