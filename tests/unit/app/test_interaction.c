/* Interactions (SPEC.md §4): rules, follow-ups by the user's day, reminders once, what the
 * outreach guard counts, the days of attempts, and that totals, summaries and the index of texts
 * stay what a recount says, whatever was done. */
#include "db/store_kit.h"

#include "app/analytics/attempts.h"
#include "app/company/company.h"
#include "app/customer/customer.h"
#include "app/interaction/interaction.h"
#include "app/session/session.h"
#include "app/tenant/tenant.h"
#include "app/timeline/timeline.h"
#include "db/counts.h"

#include <stdio.h>
#include <string.h>

#define CUSTOMERS 4
#define COMPANIES 2
#define ROWS_MAX 2000
#define OPERATIONS_A_TURN 20

struct world {
    struct test_store *store;
    int64_t now_us;
    struct str timezone;
    struct uuid tenant_id, users[2], customers[CUSTOMERS], companies[COMPANIES], sessions[2];
    enum err (*ask)(struct ctx *cx, struct world *world);
    uint32_t random;
    struct uuid rows[ROWS_MAX];
    bool deleted[ROWS_MAX];
    size_t count;
    int64_t next_start;
    int64_t told;
};

static int64_t at(const char *text)
{
    int64_t us = 0;

    must(time_parse(str_of(text), &us));
    return us;
}

static void act(struct ctx *cx, const struct world *world)
{
    cx->now_us = world->now_us;
    cx->actor = (struct actor){.role = ROLE_ADMIN,
                               .tenant_id = world->tenant_id,
                               .user_id = world->users[0],
                               .user_name = STR("Ada"),
                               .timezone = world->timezone};
}

static enum err make_world(struct ctx *cx, void *context)
{
    struct world *world = context;
    const struct tenant_founding in = {.tenant = {.name = STR("Acme")},
                                       .admin_email = STR("ada@acme.example"),
                                       .admin_name = STR("Ada")};
    struct tenant_founded made = {0};
    struct user second = {.email = STR("bo@acme.example"), .name = STR("Bo"), .role = USER_AGENT};
    struct user invited = {0};

    cx->now_us = world->now_us;
    TRY(tenant_found(cx, &in, &made));
    world->tenant_id = made.tenant.id;
    world->users[0] = made.admin.id;
    act(cx, world);
    TRY(user_invite(cx, &second, &invited));
    world->users[1] = invited.id;
    for (size_t i = 0; i < COMPANIES; i++) {
        struct company company = {0};

        TRY(company_create(cx, &(struct company){.name = STR("Company")}, &company));
        world->companies[i] = company.id;
    }
    for (size_t i = 0; i < CUSTOMERS; i++) {
        const struct customer customer = {
            .name = STR("Jane"), .company_id = i > 1 ? world->companies[i % 2] : UUID_NONE};
        struct customer created = {0};

        TRY(customer_create(cx, &customer, &created));
        world->customers[i] = created.id;
    }
    for (size_t i = 0; i < COUNT_OF(world->sessions); i++) {
        struct session session = {0};

        TRY(session_start(cx, &(struct session){.customer_id = world->customers[i]}, &session));
        world->sessions[i] = session.id;
    }
    return OK;
}

static enum err run_ask(struct ctx *cx, void *context)
{
    struct world *world = context;

    act(cx, world);
    return world->ask(cx, world);
}

static void ask(struct world *world, enum tx tx,
                enum err (*fn)(struct ctx *cx, struct world *world))
{
    world->ask = fn;
    if (store_kit_run(world->store, tx, run_ask, world) != OK)
        fail_msg("%s", world->store->error.detail);
}

static void begin(struct world *world, void **state, const char *now, const char *timezone)
{
    *world = (struct world){
        .store = *state, .now_us = at(now), .timezone = str_of(timezone), .random = 1};
    if (store_kit_run(world->store, TX_WRITE, make_world, world) != OK)
        fail_msg("%s", world->store->error.detail);
}

static struct interaction call_with(const struct world *world, size_t customer)
{
    return (struct interaction){.customer_id = world->customers[customer],
                                .type = TYPE_CALL,
                                .direction = DIRECTION_OUTBOUND,
                                .subject = STR("A call"),
                                .started_at = world->now_us - HOUR_US};
}

static struct interaction get(struct ctx *cx, struct uuid id)
{
    struct interaction row = {0};

    must_equal(interaction_get_locked(cx, id, &row), OK);
    return row;
}

/* --- Defaults and rules ------------------------------------------------------------------ */

static enum err ask_defaults(struct ctx *cx, struct world *world)
{
    struct interaction in = call_with(world, 2), made = {0}, read;

    in.follow_up_required = true;
    in.type = TYPE_LINKEDIN;
    TRY(interaction_create(cx, &in, &made));
    must(uuid_equal(made.company_id, world->companies[0]));
    must(str_is(made.company_name, "Company"));
    must(uuid_equal(made.created_by, world->users[0]));
    must(str_is(made.created_by_name, "Ada"));
    must(uuid_equal(made.follow_up_assignee, world->users[0]));
    must(made.follow_up_due.set && made.follow_up_due.value == TIME_END);
    must_equal(made.type, TYPE_SOCIAL_MEDIA);
    must(str_is(made.channel, "linkedin"));
    must(str_is(made.interaction_number, "INT-2026-00001"));
    /* What create() answers without reading is what a read finds. */
    read = get(cx, made.id);
    for (size_t i = 0; i < interaction_row_record.count; i++) {
        const struct field *field = &interaction_row_record.fields[i];
        struct buf a, b;
        struct json_out out;

        buf_init(&a, cx->arena, KIB(4));
        buf_init(&b, cx->arena, KIB(4));
        json_out_init(&out, &a);
        field_encode(field, &made, &out);
        json_out_init(&out, &b);
        field_encode(field, &read, &out);
        must(str_equal(buf_str(&a), buf_str(&b)));
    }
    return OK;
}

static void test_what_is_left_out_has_a_default(void **state)
{
    struct world world;

    begin(&world, state, "2026-05-05T12:00:00Z", "UTC");
    ask(&world, TX_WRITE, ask_defaults);
}

static int64_t duration_of(struct ctx *cx, const char *started, const char *ended)
{
    const struct interaction row = {.started_at = at(started),
                                    .ended_at = (struct maybe_int)SOME(at(ended))};
    struct buf buf;
    struct json_out out;
    int64_t seconds = -1;

    buf_init(&buf, cx->arena, KIB(1));
    json_out_init(&out, &buf);
    field_encode(record_field(&interaction_record, STR("duration_sec")), &row, &out);
    must(str_to_int(buf_str(&buf), &seconds));
    return seconds;
}

static enum err ask_durations(struct ctx *cx, struct world *world)
{
    (void)world;
    must_equal(duration_of(cx, "2025-12-28T10:30:00Z", "2025-12-28T10:45:00Z"), 900);
    must_equal(duration_of(cx, "2025-12-28T10:30:00.9Z", "2025-12-28T10:30:01.1Z"), 1);
    must_equal(duration_of(cx, "2025-12-28T10:30:00.1Z", "2025-12-28T10:30:00.9Z"), 0);
    must_equal(duration_of(cx, "1969-12-31T23:59:59.5Z", "1970-01-01T00:00:00.5Z"), 1);
    return OK;
}

static void test_durations_are_differences_of_whole_seconds(void **state)
{
    struct world world;

    begin(&world, state, "2026-05-05T12:00:00Z", "UTC");
    ask(&world, TX_WRITE, ask_durations);
}

/* --- Follow-ups by the user's day ----------------------------------------------------------- */

static enum err add_due(struct ctx *cx, const struct world *world, const char *due, struct uuid *id)
{
    struct interaction in = call_with(world, 0), made = {0};

    in.follow_up_required = true;
    if (due)
        in.follow_up_date = (struct maybe_int)SOME(at(due));
    TRY(interaction_create(cx, &in, &made));
    if (id)
        *id = made.id;
    return OK;
}

static int64_t in_bucket(struct ctx *cx, int bucket)
{
    struct list rows;
    int64_t total;
    bool capped;

    must_equal(interaction_follow_ups(cx, bucket, UUID_NONE, TIME_MIN_US, (struct uuid){{[15] = 1}},
                                      100, 0, &rows, &total, &capped),
               OK);
    must_equal((int64_t)rows.count, total);
    return total;
}

static enum err ask_short_day(struct ctx *cx, struct world *world)
{
    TRY(add_due(cx, world, "2026-03-28T22:59:59.999999Z", NULL)); /* the last of yesterday */
    TRY(add_due(cx, world, "2026-03-28T23:00:00Z", NULL));
    TRY(add_due(cx, world, "2026-03-29T21:59:59Z", NULL));
    TRY(add_due(cx, world, "2026-03-29T22:00:00Z", NULL)); /* the day has 23 hours */
    TRY(add_due(cx, world, NULL, NULL));
    must_equal(in_bucket(cx, FOLLOW_UP_OVERDUE), 1);
    must_equal(in_bucket(cx, FOLLOW_UP_TODAY), 2);
    must_equal(in_bucket(cx, FOLLOW_UP_UPCOMING), 1);
    must_equal(in_bucket(cx, FOLLOW_UP_UNDATED), 1);
    return OK;
}

static enum err ask_long_day(struct ctx *cx, struct world *world)
{
    TRY(add_due(cx, world, "2026-10-24T21:59:59Z", NULL));
    TRY(add_due(cx, world, "2026-10-24T22:00:00Z", NULL));
    TRY(add_due(cx, world, "2026-10-25T22:59:59Z", NULL)); /* the day has 25 hours */
    TRY(add_due(cx, world, "2026-10-25T23:00:00Z", NULL));
    must_equal(in_bucket(cx, FOLLOW_UP_OVERDUE), 1);
    must_equal(in_bucket(cx, FOLLOW_UP_TODAY), 2);
    must_equal(in_bucket(cx, FOLLOW_UP_UPCOMING), 1);
    return OK;
}

static void test_buckets_go_by_the_users_day(void **state)
{
    struct world world;

    begin(&world, state, "2026-03-29T12:00:00Z", "Europe/Berlin");
    ask(&world, TX_WRITE, ask_short_day);
}

static void test_a_day_of_25_hours_is_one_day(void **state)
{
    struct world world;

    begin(&world, state, "2026-10-25T12:00:00Z", "Europe/Berlin");
    ask(&world, TX_WRITE, ask_long_day);
}

/* --- Reminders ---------------------------------------------------------------------------------
 */

static enum err tell(struct ctx *cx, struct world *world)
{
    cx->actor = (struct actor){.role = ROLE_OPERATOR};
    return interaction_follow_ups_due(cx, 10, &world->told);
}

static int64_t told_now(struct world *world)
{
    ask(world, TX_WRITE, tell);
    return world->told;
}

static enum err add_three(struct ctx *cx, struct world *world)
{
    TRY(add_due(cx, world, "2026-05-05T11:00:00Z", &world->rows[0]));
    TRY(add_due(cx, world, "2026-05-05T13:00:00Z", &world->rows[1]));
    return add_due(cx, world, NULL, &world->rows[2]);
}

static enum err snooze_first(struct ctx *cx, struct world *world)
{
    const struct interaction row = get(cx, world->rows[0]);
    struct interaction changed;

    return interaction_snooze_follow_up(cx, &row, world->now_us + HOUR_US, &changed);
}

static enum err rename_first(struct ctx *cx, struct world *world)
{
    const struct interaction row = get(cx, world->rows[0]);
    const struct interaction patch = {.subject = STR("Renamed")};
    struct given given = {{0}, NULL};
    struct interaction changed;
    const size_t subject =
        (size_t)(record_field(&interaction_record, STR("subject")) - interaction_record.fields);

    given.bits[subject / 64] |= UINT64_C(1) << (subject % 64);
    return interaction_update(cx, &row, &patch, &given, &changed);
}

static enum err set_first_anew(struct ctx *cx, struct world *world)
{
    const struct interaction row = get(cx, world->rows[0]);
    const struct interaction wanted = {.follow_up_required = true,
                                       .follow_up_date =
                                           (struct maybe_int)SOME(world->now_us - MINUTE_US)};
    struct interaction changed;

    return interaction_set_follow_up(cx, &row, &wanted, &changed);
}

static enum err complete_second_delete_third(struct ctx *cx, struct world *world)
{
    const struct interaction second = get(cx, world->rows[1]), third = get(cx, world->rows[2]);
    struct interaction changed;

    TRY(interaction_complete_follow_up(cx, &second, &changed));
    return interaction_delete(cx, &third);
}

static void test_a_reminder_comes_once_for_each_due_time(void **state)
{
    struct world world;

    begin(&world, state, "2026-05-05T12:00:00Z", "UTC");
    ask(&world, TX_WRITE, add_three);
    assert_int_equal(told_now(&world), 1);
    assert_int_equal(told_now(&world), 0);
    assert_int_equal(store_kit_number(world.store,
                                      "SELECT count(*) FROM contact_events e JOIN users u ON "
                                      "u.id = e.addressee_id WHERE event_type = 'follow_up_due' "
                                      "AND category = 'notification' AND is_realtime "
                                      "AND triggered_by IS NULL AND u.name = 'Ada'"),
                     1);
    ask(&world, TX_WRITE, rename_first); /* no new due time */
    assert_int_equal(told_now(&world), 0);
    ask(&world, TX_WRITE, snooze_first);
    assert_int_equal(told_now(&world), 0);
    world.now_us += 90 * MINUTE_US; /* both: the snoozed one, and the one of 13:00 */
    assert_int_equal(told_now(&world), 2);
    assert_int_equal(told_now(&world), 0);
    ask(&world, TX_WRITE, set_first_anew);
    ask(&world, TX_WRITE, complete_second_delete_third);
    assert_int_equal(told_now(&world), 1);
    world.now_us += 400 * DAY_US;
    assert_int_equal(told_now(&world), 0);
    assert_int_equal(
        store_kit_number(world.store,
                         "SELECT count(*) FROM contact_events WHERE event_type = 'follow_up_due'"),
        4);
}

/* --- Whatever was done, a recount says the same -------------------------------------------------
 */

static const char *const words[] = {"alpha", "beta", "gamma", "Straße", "会议安排", "delta"};

static uint32_t pick(struct world *world, uint32_t below)
{
    world->random = world->random * 1664525U + 1013904223U;
    return (uint32_t)(((uint64_t)world->random * below) >> 32);
}

static struct str some_words(struct ctx *cx, struct world *world)
{
    struct buf text;

    buf_init(&text, cx->arena, 200);
    for (uint32_t i = 0, count = 1 + pick(world, 3); i < count; i++)
        buf_addf(&text, "%s%s", i ? " " : "", words[pick(world, COUNT_OF(words))]);
    return buf_str(&text);
}

/* Starts differ, so that which one is the latest is no matter of chance; some lie ahead. */
static int64_t some_start(struct world *world)
{
    world->next_start += 7 * SECOND_US;
    return world->now_us - 10 * DAY_US + world->next_start +
           (pick(world, 5) == 0 ? 400 * DAY_US : (int64_t)pick(world, 100) * HOUR_US);
}

static void some_follow_up(struct world *world, struct interaction *in)
{
    in->follow_up_required = pick(world, 2) == 0;
    in->follow_up_date =
        (struct maybe_int){pick(world, 2) == 0, world->now_us + (int64_t)pick(world, 99) * HOUR_US};
    in->follow_up_assignee = world->users[pick(world, 2)];
}

static void some_kind(struct world *world, struct interaction *in)
{
    in->type = 1 + (int)pick(world, TYPE_OTHER);
    in->direction = 1 + (int)pick(world, 2);
}

static enum err random_create(struct ctx *cx, struct world *world)
{
    const size_t customer = pick(world, CUSTOMERS);
    struct interaction in = call_with(world, customer), made = {0};

    some_kind(world, &in);
    in.subject = some_words(cx, world);
    if (pick(world, 2) == 0)
        in.description = some_words(cx, world);
    in.started_at = some_start(world);
    some_follow_up(world, &in);
    if (customer < COUNT_OF(world->sessions) && pick(world, 2) == 0)
        in.session_id = world->sessions[customer];
    if (pick(world, 3) == 0)
        in.company_id = world->companies[pick(world, COMPANIES)];
    TRY(interaction_create(cx, &in, &made));
    world->deleted[world->count] = false;
    world->rows[world->count++] = made.id;
    return OK;
}

static void give(struct given *given, const char *name)
{
    const size_t i =
        (size_t)(record_field(&interaction_record, str_of(name)) - interaction_record.fields);

    given->bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static enum err random_edit(struct ctx *cx, struct world *world, const struct interaction *row)
{
    static const char *const names[] = {
        "type",           "direction",         "subject",    "description",
        "started_at",     "company_id",        "session_id", "follow_up_required",
        "follow_up_date", "follow_up_assignee"};
    struct interaction patch = {0}, changed;
    struct given given = {{0}, NULL};

    some_kind(world, &patch);
    patch.subject = some_words(cx, world);
    patch.started_at = some_start(world);
    if (row->responded && patch.started_at > row->response_at.value) /* else it is refused */
        patch.started_at = row->response_at.value;
    patch.company_id = world->companies[0];
    some_follow_up(world, &patch);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (pick(world, 3) == 0)
            give(&given, names[i]);
    }
    return interaction_update(cx, row, &patch, &given, &changed);
}

/* Where it may be: an outbound touch that has been. */
static enum err random_response(struct ctx *cx, struct world *world, const struct interaction *row)
{
    const bool responded = pick(world, 3) > 0;
    const int64_t soon = row->started_at + (int64_t)pick(world, 100) * HOUR_US;
    const struct maybe_int response_at = {responded, soon < world->now_us ? soon : world->now_us};
    struct interaction changed = {0};

    if (row->direction != DIRECTION_OUTBOUND || row->type == TYPE_NOTE ||
        row->type == TYPE_SYSTEM || row->started_at > world->now_us)
        return OK;
    return interaction_set_response(cx, row, responded, response_at, &changed);
}

static enum err random_operation(struct ctx *cx, struct world *world)
{
    const uint32_t what = pick(world, 10);
    struct interaction row = {0}, changed = {0};
    size_t i;
    enum err result = OK;

    if (world->count == 0 || (what < 3 && world->count < ROWS_MAX))
        return random_create(cx, world);
    i = pick(world, (uint32_t)world->count);
    if (world->deleted[i]) {
        world->deleted[i] = false;
        return interaction_restore(cx, world->rows[i], &changed);
    }
    row = get(cx, world->rows[i]);
    switch (what) {
    case 4:
        world->deleted[i] = true;
        return interaction_delete(cx, &row);
    case 5:
        some_follow_up(world, &changed);
        return interaction_set_follow_up(
            cx, &row,
            &(struct interaction){.follow_up_required = changed.follow_up_required,
                                  .follow_up_date = changed.follow_up_date,
                                  .follow_up_assignee = changed.follow_up_assignee},
            &row);
    case 6:
        result = interaction_complete_follow_up(cx, &row, &changed);
        break;
    case 3:
        return random_response(cx, world, &row);
    case 7:
        result = interaction_snooze_follow_up(cx, &row, world->now_us + DAY_US, &changed);
        break;
    default:
        return random_edit(cx, world, &row);
    }
    return result == ERR_CONFLICT ? OK : result; /* there was none, which changes nothing */
}

/* Several in a transaction: a row may be edited and deleted before its commit. */
static enum err random_turn(struct ctx *cx, struct world *world)
{
    const struct world before = *world;
    enum err result = OK;

    for (size_t i = 0; i < OPERATIONS_A_TURN && result == OK; i++)
        result = random_operation(cx, world);
    if (result == ERR_RERUN)
        *world = before;
    return result;
}

#define RECOUNT(query_name, condition)                                                             \
    static const struct query query_name = {                                                       \
        .name = #query_name,                                                                       \
        .sqlite = "SELECT count(*) FROM interactions WHERE tenant_id = ?1 AND deleted_at IS NULL " \
                  "AND " condition " = ?2",                                                        \
        .postgres = "SELECT count(*) FROM interactions WHERE tenant_id = $1 "                      \
                    "AND deleted_at IS NULL AND " condition " = $2",                               \
        .params = (const char *const[]){"tenant_id", "id"},                                        \
        .param_count = 2}

RECOUNT(of_tenant, "tenant_id");
RECOUNT(of_customer, "customer_id");
RECOUNT(of_company, "company_id");
RECOUNT(of_session, "session_id");
RECOUNT(of_creator, "created_by");
RECOUNT(of_assignee, "follow_up_required AND follow_up_completed_at IS NULL AND "
                     "follow_up_assignee");

static int64_t recount(struct ctx *cx, const struct query *query, struct uuid id)
{
    int64_t n = -1;

    must_equal(db_int(cx, query, ARGS({"id", v_uuid(id)}), &n), OK);
    return n;
}

static int64_t kept(struct ctx *cx, const char *list, struct uuid id)
{
    int64_t n = -1;

    must_equal(count_get_uuid(cx, list, id, &n), OK);
    return n;
}

static enum err ask_totals(struct ctx *cx, struct world *world)
{
    int64_t all;

    for (size_t i = 0; i < CUSTOMERS; i++)
        must_equal(kept(cx, "interactions.customer", world->customers[i]),
                   recount(cx, &of_customer, world->customers[i]));
    for (size_t i = 0; i < COMPANIES; i++)
        must_equal(kept(cx, "interactions.company", world->companies[i]),
                   recount(cx, &of_company, world->companies[i]));
    for (size_t i = 0; i < COUNT_OF(world->sessions); i++)
        must_equal(kept(cx, "interactions.session", world->sessions[i]),
                   recount(cx, &of_session, world->sessions[i]));
    for (size_t i = 0; i < COUNT_OF(world->users); i++)
        must_equal(kept(cx, "interactions.follow_up_assignee", world->users[i]),
                   recount(cx, &of_assignee, world->users[i]));
    must_equal(kept(cx, "interactions.created_by", world->users[0]),
               recount(cx, &of_creator, world->users[0]));
    TRY(count_get(cx, "interactions", STR(""), &all));
    must_equal(all, recount(cx, &of_tenant, world->tenant_id));
    must(all > 0);
    return OK;
}

static void compare_types(struct world *world)
{
    for (int type = 1; type <= TYPE_OTHER; type++) {
        char sql[300];

        snprintf(sql, sizeof(sql),
                 "SELECT (SELECT count(*) FROM interactions WHERE type = '%s' AND deleted_at IS "
                 "NULL) - coalesce((SELECT sum(n) FROM kept_counts WHERE name = "
                 "'interactions.type:%s'), 0)",
                 enum_name(&interaction_types, type), enum_name(&interaction_types, type));
        assert_int_equal(store_kit_number(world->store, sql), 0);
    }
}

static struct str word_to_find;
static int64_t words_found;

static enum err ask_search(struct ctx *cx, struct world *world)
{
    const struct interaction_filter filter = {.q = word_to_find};
    const struct interaction_place top = {TIME_END, UUID_MAX, ROWS_MAX + 1, 0};
    struct interaction_page page;

    (void)world;
    TRY(interaction_list(cx, &filter, &top, &page));
    must_equal(page.total, (int64_t)page.rows.count);
    words_found = page.total;
    return OK;
}

static void compare_searches(struct world *world)
{
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        char sql[300];

        snprintf(sql, sizeof(sql),
                 "SELECT count(*) FROM interactions WHERE deleted_at IS NULL AND "
                 "(subject LIKE '%%%s%%' OR description LIKE '%%%s%%')",
                 words[i], words[i]);
        word_to_find = str_of(words[i]);
        ask(world, TX_READ, ask_search);
        assert_int_equal(words_found, store_kit_number(world->store, sql));
    }
}

#define TOUCHES(wanted)                                                                            \
    "FROM interactions i WHERE i.customer_id = c.id AND i.deleted_at IS NULL AND i.type NOT IN "   \
    "('note', 'system') AND i.direction = '" wanted "' AND NOT EXISTS (SELECT 1 FROM "             \
    "planned_touches p WHERE p.interaction_id = i.id)"

static void compare_summaries(struct world *world)
{
    static const char *const wrong[] = {
        "SELECT count(*) FROM customers c WHERE c.contact_count <> (SELECT count(*) " TOUCHES(
            "outbound") ")",
        "SELECT count(*) FROM customers c WHERE c.last_contacted_at IS DISTINCT FROM "
        "(SELECT max(i.started_at) " TOUCHES("outbound") ")",
        "SELECT count(*) FROM customers c WHERE c.last_contact_method IS DISTINCT FROM "
        "(SELECT i.type " TOUCHES("outbound") " ORDER BY i.started_at DESC LIMIT 1)",
        "SELECT count(*) FROM customers c WHERE c.last_response_at IS DISTINCT FROM "
        "(SELECT max(x.heard_at) FROM (SELECT i.started_at AS heard_at " TOUCHES(
            "inbound") " UNION ALL SELECT i.response_at FROM interactions i WHERE i.customer_id = "
                       "c.id "
                       "AND i.deleted_at IS NULL AND i.responded) x)",
        /* planned ones are those ahead */
        "SELECT count(*) FROM planned_touches p WHERE NOT EXISTS (SELECT 1 FROM interactions i "
        "WHERE i.id = p.interaction_id AND i.deleted_at IS NULL "
        "AND i.started_at = p.started_at AND i.type = p.method)",
    };

    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(store_kit_number(world->store, wrong[i]), 0);
    assert_true(store_kit_number(world->store, "SELECT count(*) FROM planned_touches") > 0);
}

/* --- What the outreach guard counts ------------------------------------------------------------
 */

static int guarded_with(struct ctx *cx, struct uuid id, const char *name, struct interaction patch)
{
    struct given given = {{0}, NULL};
    struct interaction row = get(cx, id), changed = {0};

    give(&given, name);
    must_equal(interaction_update(cx, &row, &patch, &given, &changed), OK);
    row = get(cx, id);
    must_equal(row.guarded_as, changed.guarded_as);
    return row.guarded_as;
}

static int guarded_by_outcome(struct ctx *cx, struct uuid id, int outcome)
{
    return guarded_with(cx, id, "outcome", (struct interaction){.outcome = outcome});
}

static int guarded_by_type(struct ctx *cx, struct uuid id, int type)
{
    return guarded_with(cx, id, "type", (struct interaction){.type = type});
}

static enum err ask_guarded(struct ctx *cx, struct world *world)
{
    struct interaction in = call_with(world, 0), made = {0}, row;

    in.outcome = OUTCOME_NO_ANSWER;
    TRY(interaction_create(cx, &in, &made));
    must_equal(made.guarded_as, 0);
    must_equal(guarded_by_outcome(cx, made.id, OUTCOME_SUCCESSFUL), TYPE_CALL);
    must_equal(guarded_by_outcome(cx, made.id, OUTCOME_VOICEMAIL), TYPE_CALL);
    must_equal(guarded_by_outcome(cx, made.id, OUTCOME_BUSY), 0);
    must_equal(guarded_by_type(cx, made.id, TYPE_VIDEO_CALL), 0);
    must_equal(guarded_by_type(cx, made.id, TYPE_EMAIL), TYPE_EMAIL);
    must_equal(guarded_by_type(cx, made.id, TYPE_MEETING), 0);
    must_equal(guarded_by_type(cx, made.id, TYPE_NOTE), 0);
    must_equal(guarded_by_type(cx, made.id, TYPE_SYSTEM), 0);
    must_equal(guarded_by_type(cx, made.id, TYPE_SOCIAL_MEDIA), TYPE_SOCIAL_MEDIA);
    must_equal(
        guarded_with(cx, made.id, "channel", (struct interaction){.channel = STR("LinkedIn")}),
        TYPE_LINKEDIN);
    must(str_is(get(cx, made.id).channel, "linkedin"));
    must_equal(guarded_with(cx, made.id, "direction",
                            (struct interaction){.direction = DIRECTION_INBOUND}),
               0);
    must_equal(guarded_with(cx, made.id, "direction",
                            (struct interaction){.direction = DIRECTION_OUTBOUND}),
               TYPE_LINKEDIN);
    row = get(cx, made.id);
    TRY(interaction_delete(cx, &row));
    TRY(interaction_restore(cx, made.id, &row));
    must_equal(get(cx, made.id).guarded_as, TYPE_LINKEDIN);
    return OK;
}

static void test_what_the_guard_counts_follows_every_edit(void **state)
{
    struct world world;

    begin(&world, state, "2026-05-05T12:00:00Z", "UTC");
    ask(&world, TX_WRITE, ask_guarded);
}

/* --- Days of attempts -------------------------------------------------------------------------
 */

/* Attempts as they are kept, less those of a plain recount, of each cell: 0 where they agree. */
static const char differing_cells[] =
    "SELECT count(*) FROM ("
    "SELECT x.day, x.method, x.status, sum(x.n) AS n, sum(x.r) AS r FROM ("
    "SELECT c.day, c.method, c.lead_status AS status, c.attempts AS n, c.responses AS r "
    "FROM attempt_counts c UNION ALL "
    "SELECT i.attempt_day, CASE WHEN i.type = 'social_media' AND i.channel = 'linkedin' "
    "THEN 'linkedin' ELSE i.type END, coalesce(i.lead_status, ''), -1, "
    "CASE WHEN i.responded THEN -1 ELSE 0 END FROM interactions i "
    "WHERE i.deleted_at IS NULL AND i.attempt_day IS NOT NULL"
    ") x GROUP BY x.day, x.method, x.status HAVING sum(x.n) <> 0 OR sum(x.r) <> 0) y";

static enum err fold(struct ctx *cx, struct world *world)
{
    int64_t folded;

    (void)world;
    cx->actor = (struct actor){.role = ROLE_OPERATOR};
    return attempts_fold(cx, INT64_C(10) * ROWS_MAX, &folded);
}

static void compare_attempts(struct world *world)
{
    if (world->store->is_postgres)
        ask(world, TX_WRITE, fold);
    assert_int_equal(store_kit_number(world->store, differing_cells), 0);
}

static void test_totals_and_summaries_are_what_a_recount_says(void **state)
{
    static struct world world;
    size_t turns;

    begin(&world, state, "2026-05-05T12:00:00Z", "UTC");
    turns = world.store->is_postgres ? 25 : 200;
    for (size_t i = 0; i < turns; i++)
        ask(&world, TX_WRITE, random_turn);
    ask(&world, TX_READ, ask_totals);
    compare_types(&world);
    compare_searches(&world);
    if (!world.store->is_postgres)
        store_kit_sql(world.store, "INSERT INTO interaction_words (interaction_words) "
                                   "VALUES ('integrity-check')");
    compare_summaries(&world);
    compare_attempts(&world);
}

enum { AT_NOON, BEFORE_MIDNIGHT, ANSWERED, INCOMING, NOTED, DELETED, PLANNED, PLACES };

static enum err log_places(struct ctx *cx, struct world *world)
{
    static const char *const starts[PLACES] = {
        [AT_NOON] = "2026-05-04T12:00:00Z",  [BEFORE_MIDNIGHT] = "2026-05-04T23:30:00Z",
        [ANSWERED] = "2026-05-03T20:00:00Z", [INCOMING] = "2026-05-04T23:30:00Z",
        [NOTED] = "2026-05-04T23:30:00Z",    [DELETED] = "2026-05-04T23:30:00Z",
        [PLANNED] = "2026-05-05T23:30:00Z"};

    for (size_t i = 0; i < PLACES; i++) {
        struct interaction in = call_with(world, 0), made = {0};

        in.started_at = at(starts[i]);
        in.responded = i == ANSWERED;
        if (i == INCOMING)
            in.direction = DIRECTION_INBOUND;
        if (i == NOTED)
            in.type = TYPE_NOTE;
        TRY(interaction_create(cx, &in, &made));
        must_equal(made.attempt_day.set, i != INCOMING && i != NOTED && i != PLANNED);
        world->rows[i] = made.id;
        if (i == DELETED)
            TRY(interaction_delete(cx, &made));
    }
    return OK;
}

/* The day of the month of May; 0 without one. */
static int64_t day_of_may(struct ctx *cx, const struct world *world, size_t place)
{
    struct interaction row = {0};

    must_equal(interaction_get_any_locked(cx, world->rows[place], &row), OK);
    return row.attempt_day.set
               ? row.attempt_day.value - attempt_day(STR("UTC"), at("2026-04-30T12:00:00Z"))
               : 0;
}

static enum err ask_days_in_utc(struct ctx *cx, struct world *world)
{
    must_equal(day_of_may(cx, world, AT_NOON), 4);
    must_equal(day_of_may(cx, world, BEFORE_MIDNIGHT), 4);
    must_equal(day_of_may(cx, world, ANSWERED), 3);
    return OK;
}

static enum err move_to_tokyo(struct ctx *cx, struct world *world)
{
    struct tenant tenant = {.name = STR_NULL}, changed, now;
    bool recounting = false;

    (void)world;
    TRY(tenant_get_locked(cx, &tenant));
    changed = tenant;
    changed.timezone = STR("Asia/Tokyo");
    TRY(tenant_update(cx, &tenant, &changed, &now));
    TRY(attempts_recounting(cx, &recounting));
    must(recounting);
    return OK;
}

static enum err recount_two(struct ctx *cx, struct world *world)
{
    cx->actor = (struct actor){.role = ROLE_OPERATOR};
    return interaction_recount(cx, 2, &world->told);
}

static enum err ask_days_in_tokyo(struct ctx *cx, struct world *world)
{
    struct interaction row = {0};
    bool recounting = true;

    must_equal(day_of_may(cx, world, AT_NOON), 4);
    must_equal(day_of_may(cx, world, BEFORE_MIDNIGHT), 5);
    must_equal(day_of_may(cx, world, ANSWERED), 4);
    must_equal(day_of_may(cx, world, INCOMING), 0);
    must_equal(day_of_may(cx, world, NOTED), 0);
    must_equal(day_of_may(cx, world, PLANNED), 0);
    TRY(attempts_recounting(cx, &recounting));
    must(!recounting);
    /* What was deleted meanwhile comes back on the new calendar. */
    TRY(interaction_restore(cx, world->rows[DELETED], &row));
    must_equal(day_of_may(cx, world, DELETED), 5);
    return OK;
}

static enum err count_due_touches(struct ctx *cx, struct world *world)
{
    cx->actor = (struct actor){.role = ROLE_OPERATOR};
    return interaction_touches_due(cx, 10, &world->told);
}

static enum err ask_planned_day(struct ctx *cx, struct world *world)
{
    must_equal(day_of_may(cx, world, PLANNED), 6);
    return OK;
}

static void test_attempts_move_to_the_days_of_a_new_calendar(void **state)
{
    static struct world world;
    size_t portions = 0;

    begin(&world, state, "2026-05-05T12:00:00Z", "UTC");
    ask(&world, TX_WRITE, log_places);
    ask(&world, TX_WRITE, ask_days_in_utc);
    compare_attempts(&world);
    ask(&world, TX_WRITE, move_to_tokyo);
    do {
        ask(&world, TX_WRITE, recount_two);
        compare_attempts(&world);
        portions++;
    } while (world.told == 2);
    assert_int_equal(portions, PLACES / 2 + 1);
    ask(&world, TX_WRITE, ask_days_in_tokyo);
    compare_attempts(&world);
    world.now_us += DAY_US;
    ask(&world, TX_WRITE, count_due_touches);
    assert_int_equal(world.told, 1);
    ask(&world, TX_WRITE, ask_planned_day);
    compare_attempts(&world);
    /* Before anything was counted, as after an update of the program. */
    store_kit_sql(world.store, "UPDATE interactions SET attempt_day = NULL");
    store_kit_sql(world.store, "DELETE FROM attempt_counts");
    store_kit_sql(world.store, "INSERT INTO attempt_recounts (tenant_id, after_id) "
                               "SELECT id, NULL FROM tenants WHERE true "
                               "ON CONFLICT (tenant_id) "
                               "DO UPDATE SET after_id = NULL, again_at = NULL");
    do
        ask(&world, TX_WRITE, recount_two);
    while (world.told == 2);
    ask(&world, TX_WRITE, ask_planned_day);
    compare_attempts(&world);
    assert_int_equal(store_kit_number(world.store, "SELECT sum(attempts) FROM attempt_counts"), 5);
    assert_int_equal(store_kit_number(world.store, "SELECT sum(responses) FROM attempt_counts"), 1);
}

/* --- What changed, in an event ------------------------------------------------------------------
 */

static struct str repeated(struct ctx *cx, const char *before, char c, size_t count,
                           const char *after)
{
    struct buf buf;

    buf_init(&buf, cx->arena, MIB(1));
    buf_add(&buf, str_of(before));
    for (size_t i = 0; i < count; i++)
        buf_add_char(&buf, c);
    buf_add(&buf, str_of(after));
    return buf_str(&buf);
}

static struct str told(struct str payload, const char *name)
{
    return json_raw_member(json_raw_member(payload, STR("changed")), str_of(name));
}

/* Both values of one field are more than a payload holds; so are many that are not long. */
static enum err ask_changes(struct ctx *cx, struct world *world)
{
    enum { MANY = 100 };
    static char names[MANY][8];
    static struct field fields[MANY];
    struct record many = {"Many", MANY * sizeof(struct str), fields, MANY};
    struct str before_texts[MANY] = {{NULL, 0}}, after_texts[MANY];
    struct customer before = {.name = STR("A"), .custom_fields = STR("{}")}, after = before;
    struct interaction call = call_with(world, 0), changed = call;
    struct str payload;

    before.custom_fields = repeated(cx, "{\"a\":\"", 'x', 60000, "\"}");
    after.custom_fields = repeated(cx, "{\"a\":\"", 'y', 60000, "\"}");
    after.name = STR("B");
    payload = timeline_changes(cx, &customer_record, &before, &after);
    must(payload.ptr && payload.len < KIB(1));
    must(str_is(told(payload, "custom_fields"), "{}"));
    must(str_is(told(payload, "name"), "{\"from\":\"A\",\"to\":\"B\"}"));

    changed.description = repeated(cx, "", 'd', 1100, "");
    changed.subject = STR("Another call");
    payload = timeline_changes(cx, &interaction_record, &call, &changed);
    must(str_is(told(payload, "description"), "{}"));
    must(str_is(told(payload, "subject"), "{\"from\":\"A call\",\"to\":\"Another call\"}"));

    for (size_t i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof(names[i]), "f%zu", i);
        fields[i] = (struct field){.name = names[i],
                                   .type = F_TEXT,
                                   .flags = NULLABLE,
                                   .offset = i * sizeof(struct str),
                                   .size = sizeof(struct str)};
        after_texts[i] = repeated(cx, "", 't', 900, "");
    }
    payload = timeline_changes(cx, &many, before_texts, after_texts);
    must(payload.ptr && payload.len <= FREE_JSON_MAX);
    must(told(payload, "f0").len > 900);
    must(str_is(told(payload, "f99"), "{}"));
    return OK;
}

static void test_changes_always_fit_a_payload(void **state)
{
    struct world world;

    begin(&world, state, "2026-05-05T12:00:00Z", "UTC");
    ask(&world, TX_WRITE, ask_changes);
}

#define TESTS(store)                                                                               \
    STORE_TEST(test_what_is_left_out_has_a_default, store),                                        \
        STORE_TEST(test_changes_always_fit_a_payload, store),                                      \
        STORE_TEST(test_durations_are_differences_of_whole_seconds, store),                        \
        STORE_TEST(test_buckets_go_by_the_users_day, store),                                       \
        STORE_TEST(test_a_day_of_25_hours_is_one_day, store),                                      \
        STORE_TEST(test_a_reminder_comes_once_for_each_due_time, store),                           \
        STORE_TEST(test_totals_and_summaries_are_what_a_recount_says, store),                      \
        STORE_TEST(test_what_the_guard_counts_follows_every_edit, store),                          \
        STORE_TEST(test_attempts_move_to_the_days_of_a_new_calendar, store)

static const struct CMUnitTest sqlite[] = {TESTS(sqlite)};
static const struct CMUnitTest postgres[] = {TESTS(postgres)};

int main(void)
{
    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
