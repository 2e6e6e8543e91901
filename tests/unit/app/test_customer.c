/* The rules of the summary (SPEC.md §3), and by what a customer is found. */
#include "db/store_kit.h"

#include "app/customer/customer.h"
#include "app/tenant/tenant.h"
#include "db/counts.h"

#include <stdio.h>

#define NOW_US INT64_C(1790000000000000)

/* A tenant with one customer; each test fills in what it asks about. */
struct people {
    struct test_store *store;
    struct uuid tenant_id, user_id, customer_id;
    enum err (*ask)(struct ctx *cx, struct people *people);
};

static enum err make_people(struct ctx *cx, void *context)
{
    struct people *people = context;
    struct tenant_founded made = {0};
    const struct tenant_founding in = {.tenant = {.name = STR("Acme")},
                                       .admin_email = STR("ada@acme.example"),
                                       .admin_name = STR("Ada")};
    const struct customer customer = {.name = STR("Zoë O'Brien"),
                                      .external_id = STR("crm-007"),
                                      .email = STR("Zoe.OBrien@Example.com"),
                                      .phone = STR("+493012345678")};
    struct customer created = {0};

    cx->now_us = NOW_US;
    TRY(tenant_found(cx, &in, &made));
    people->tenant_id = made.tenant.id;
    people->user_id = made.admin.id;
    cx->actor = (struct actor){
        .role = ROLE_ADMIN, .tenant_id = people->tenant_id, .user_id = people->user_id};
    TRY(customer_create(cx, &customer, &created));
    people->customer_id = created.id;
    return OK;
}

static enum err run_ask(struct ctx *cx, void *context)
{
    struct people *people = context;

    cx->now_us = NOW_US;
    cx->actor = (struct actor){
        .role = ROLE_ADMIN, .tenant_id = people->tenant_id, .user_id = people->user_id};
    return people->ask(cx, people);
}

static void run(void **state, enum err (*ask)(struct ctx *cx, struct people *people))
{
    struct people people = {.store = *state, .ask = ask};

    assert_int_equal(store_kit_run(people.store, TX_WRITE, make_people, &people), OK);
    assert_int_equal(store_kit_run(people.store, TX_WRITE, run_ask, &people), OK);
}

static struct touch touch_at(const struct people *people, uint8_t number, bool outbound,
                             int64_t started_at)
{
    return (struct touch){.interaction_id = {{1, [15] = number}},
                          .customer_id = people->customer_id,
                          .outbound = outbound,
                          .method = outbound ? STR("call") : STR("email"),
                          .started_at = started_at};
}

/* Both at once: what the customer's summary says now. */
static void assert_summary(struct ctx *cx, const struct people *people, int status, int64_t count,
                           int64_t contacted_at, int64_t response_at)
{
    struct customer now = {0};

    assert_int_equal(customer_get(cx, people->customer_id, &now), OK);
    assert_int_equal(now.status, status);
    assert_int_equal(now.contact_count, count);
    assert_int_equal(now.last_contacted_at.set ? now.last_contacted_at.value : 0, contacted_at);
    assert_int_equal(now.last_response_at.set ? now.last_response_at.value : 0, response_at);
    assert_int_equal(now.version, 1); /* summaries are no edits */
}

/* The customer's row is held, then the touch counted. `before`, if not NULL: as it was held. */
static enum err touched(struct ctx *cx, const struct touch *touch, struct touched *before)
{
    struct touched held = {0};

    TRY(customer_for_touch(cx, touch->customer_id, touch->method, &held));
    if (before)
        *before = held;
    return customer_touched(cx, touch, &held);
}

static enum err ask_outbound(struct ctx *cx, struct people *people)
{
    struct touch later = touch_at(people, 1, true, NOW_US - 1000);
    struct touch earlier = touch_at(people, 2, true, NOW_US - 5000);
    struct touched before = {0};

    TRY(touched(cx, &later, &before));
    assert_int_equal(before.status, CUSTOMER_NEW);
    assert_false(before.last_contacted_at.set);
    assert_summary(cx, people, CUSTOMER_CONTACTED, 1, NOW_US - 1000, 0);
    TRY(touched(cx, &earlier, &before));
    assert_int_equal(before.status, CUSTOMER_CONTACTED);
    assert_summary(cx, people, CUSTOMER_CONTACTED, 2, NOW_US - 1000, 0);
    return OK;
}

static void test_outbound_counts_and_the_latest_start_wins(void **state)
{
    run(state, ask_outbound);
}

static enum err ask_inbound(struct ctx *cx, struct people *people)
{
    struct touch first = touch_at(people, 1, false, NOW_US - 9000);
    struct touch out = touch_at(people, 2, true, NOW_US - 8000);
    struct touch old = touch_at(people, 3, false, NOW_US - 9500);

    TRY(touched(cx, &first, NULL)); /* new stays new */
    assert_summary(cx, people, CUSTOMER_NEW, 0, 0, NOW_US - 9000);
    TRY(touched(cx, &out, NULL));
    assert_summary(cx, people, CUSTOMER_CONTACTED, 1, NOW_US - 8000, NOW_US - 9000);
    TRY(touched(cx, &old, NULL)); /* contacted moves, the later response stays */
    assert_summary(cx, people, CUSTOMER_CONVERSING, 1, NOW_US - 8000, NOW_US - 9000);
    TRY(touched(cx, &out, NULL)); /* conversing does not fall back */
    assert_summary(cx, people, CUSTOMER_CONVERSING, 2, NOW_US - 8000, NOW_US - 9000);
    return OK;
}

static void test_inbound_moves_only_contacted(void **state)
{
    run(state, ask_inbound);
}

static enum err ask_planned(struct ctx *cx, struct people *people)
{
    struct touch meeting = touch_at(people, 1, true, NOW_US + 1000);
    struct touch dropped = touch_at(people, 2, true, NOW_US + 2000);
    int64_t counted;

    TRY(touched(cx, &meeting, NULL));
    TRY(touched(cx, &dropped, NULL));
    assert_summary(cx, people, CUSTOMER_NEW, 0, 0, 0);
    TRY(customer_count_due(cx, 10, NULL, &counted));
    assert_int_equal(counted, 0);
    cx->now_us = NOW_US + 1000;
    TRY(customer_count_due(cx, 10, NULL, &counted));
    assert_int_equal(counted, 1);
    assert_true(uuid_equal(cx->actor.tenant_id, people->tenant_id));
    assert_summary(cx, people, CUSTOMER_CONTACTED, 1, NOW_US + 1000, 0);
    TRY(customer_untouched(cx, &dropped)); /* was never counted */
    assert_summary(cx, people, CUSTOMER_CONTACTED, 1, NOW_US + 1000, 0);
    cx->now_us = NOW_US + 2000;
    TRY(customer_count_due(cx, 10, NULL, &counted));
    assert_int_equal(counted, 0);
    return OK;
}

static void test_a_planned_touch_counts_once_its_start_has_passed(void **state)
{
    run(state, ask_planned);
}

/* An outbound touch, and what the customer said to it: the other way round they would not be in
 * a conversation. */
static enum err ask_planned_together(struct ctx *cx, struct people *people)
{
    struct touch said = touch_at(people, 1, false, NOW_US + 2000);
    struct touch asked = touch_at(people, 2, true, NOW_US + 1000);
    int64_t counted;

    TRY(touched(cx, &said, NULL));
    TRY(touched(cx, &asked, NULL));
    cx->now_us = NOW_US + 3000;
    TRY(customer_count_due(cx, 10, NULL, &counted));
    assert_int_equal(counted, 2);
    assert_summary(cx, people, CUSTOMER_CONVERSING, 1, NOW_US + 1000, NOW_US + 2000);
    return OK;
}

static void test_what_falls_due_together_counts_in_its_order(void **state)
{
    run(state, ask_planned_together);
}

static enum err ask_planned_and_deleted(struct ctx *cx, struct people *people)
{
    struct touch meeting = touch_at(people, 1, true, NOW_US + 1000);
    struct customer current = {0};
    int64_t counted;

    TRY(touched(cx, &meeting, NULL));
    TRY(customer_get_locked(cx, people->customer_id, &current));
    TRY(customer_delete(cx, &current));
    cx->now_us = NOW_US + 1000;
    TRY(customer_count_due(cx, 10, NULL, &counted));
    assert_int_equal(counted, 1);
    return OK;
}

static enum err ask_restored(struct ctx *cx, struct people *people)
{
    struct customer back = {0};

    TRY(customer_restore(cx, people->customer_id, &back));
    assert_int_equal(back.status, CUSTOMER_CONTACTED);
    return OK;
}

static enum err ask_totals(struct ctx *cx, struct people *people)
{
    int64_t fresh, contacted;
    struct customer current;

    TRY(count_get(cx, "customers.status", STR("new"), &fresh));
    TRY(count_get(cx, "customers.status", STR("contacted"), &contacted));
    assert_int_equal(fresh, 0);
    assert_int_equal(contacted, customer_get(cx, people->customer_id, &current) == OK);
    return OK;
}

/* What comes to pass meanwhile is in its summary, and in no total until it is back. */
static void test_a_deleted_customer_is_in_no_total(void **state)
{
    static const struct {
        enum err (*ask)(struct ctx *cx, struct people *people);
    } steps[] = {{ask_planned_and_deleted}, {ask_totals}, {ask_restored}, {ask_totals}};
    struct people people = {.store = *state};

    assert_int_equal(store_kit_run(people.store, TX_WRITE, make_people, &people), OK);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        people.ask = steps[i].ask;
        assert_int_equal(store_kit_run(people.store, TX_WRITE, run_ask, &people), OK);
    }
}

static enum err ask_undone(struct ctx *cx, struct people *people)
{
    struct touch out = touch_at(people, 1, true, NOW_US - 1000);
    struct touch in = touch_at(people, 2, false, NOW_US - 500);

    TRY(touched(cx, &out, NULL));
    TRY(touched(cx, &in, NULL));
    TRY(customer_responded(cx, people->customer_id, NOW_US - 100));
    assert_summary(cx, people, CUSTOMER_CONVERSING, 1, NOW_US - 1000, NOW_US - 100);
    TRY(customer_untouched(cx, &in)); /* not the latest */
    assert_summary(cx, people, CUSTOMER_CONVERSING, 1, NOW_US - 1000, NOW_US - 100);
    TRY(customer_untouched(cx, &out)); /* no other is left; the status stays */
    assert_summary(cx, people, CUSTOMER_CONVERSING, 0, 0, NOW_US - 100);
    TRY(customer_unresponded(cx, people->customer_id, NOW_US - 100));
    assert_summary(cx, people, CUSTOMER_CONVERSING, 0, 0, 0);
    return OK;
}

static void test_a_touch_can_be_taken_back(void **state)
{
    run(state, ask_undone);
}

static bool is_found(struct ctx *cx, const struct customer_filter *filter)
{
    const struct customer_place all = {{.name = STR(""), .id = {{[15] = 1}}}, 10, 0};
    struct customer_page page;

    assert_int_equal(customer_list(cx, filter, &all, &page), OK);
    assert_int_equal(page.rows.count, page.total);
    assert_false(page.capped || page.cut);
    return page.rows.count == 1;
}

static bool finds(struct ctx *cx, const char *q)
{
    const struct customer_filter filter = {.q = str_of(q)};

    return is_found(cx, &filter);
}

static enum err ask_search(struct ctx *cx, struct people *people)
{
    static const char *const hits[] = {
        "zoe",           "ZOË",          "z",         "brien",
        "obrien",        "o'brien",      "brien zoe", "zoe.obrien@exam",
        "example",       "crm",          "crm-007",   "7",
        "+49 30 12",     "0301234",      "0049301",   "crm zoe obr",
        "=zoe.obrien@e", "<zoe.obrien@e"};
    static const char *const misses[] = {
        "oe", "zoex", "brien anna", "xample", "@", "345678", "zoe.obrien@example.org", "..."};

    (void)people;
    for (size_t i = 0; i < COUNT_OF(hits); i++) {
        if (!finds(cx, hits[i]))
            fail_msg("'%s' does not find the customer", hits[i]);
    }
    for (size_t i = 0; i < COUNT_OF(misses); i++) {
        if (finds(cx, misses[i]))
            fail_msg("'%s' finds the customer", misses[i]);
    }
    assert_true(is_found(cx, &(struct customer_filter){.email = STR("zoe.obrien@EXAMPLE.com")}));
    assert_false(is_found(cx, &(struct customer_filter){.email = STR("zoe.obrien@example.co")}));
    assert_true(is_found(cx, &(struct customer_filter){.phone = STR("+49 30 12345678")}));
    assert_false(is_found(cx, &(struct customer_filter){.phone = STR("30 12345678")}));
    return OK;
}

static void test_search_finds_by_beginnings(void **state)
{
    run(state, ask_search);
}

/* A row that changed is found by what it says now, and by nothing that it said. */
static enum err ask_renamed(struct ctx *cx, struct people *people)
{
    struct customer current = {0}, wanted, saved = {0};

    TRY(customer_get_locked(cx, people->customer_id, &current));
    wanted = current;
    wanted.name = STR("Bob");
    TRY(customer_save(cx, &current, &wanted, &saved));
    assert_int_equal(saved.version, 2);
    assert_true(finds(cx, "bob"));
    assert_false(finds(cx, "brien zoe"));
    assert_true(finds(cx, "crm"));
    TRY(customer_save(cx, &saved, &saved, &wanted));
    assert_int_equal(wanted.version, 2); /* nothing changed */
    TRY(customer_delete(cx, &saved));
    assert_false(finds(cx, "bob"));
    assert_int_equal(customer_get(cx, people->customer_id, &wanted), ERR_NOT_FOUND);
    TRY(customer_restore(cx, people->customer_id, &wanted));
    assert_true(finds(cx, "bob"));
    return OK;
}

static void test_search_follows_the_row(void **state)
{
    run(state, ask_renamed);
}

/* How many events of that type the customer has. */
static int64_t events(struct people *people, const char *type)
{
    char sql[120];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM contact_events WHERE event_type = '%s'", type);
    return store_kit_number(people->store, sql);
}

static enum err ask_patch(struct ctx *cx, struct people *people)
{
    struct customer current = {0}, wanted, saved = {0};
    struct str tags[] = {STR("vip"), STR("new")};

    TRY(customer_get_locked(cx, people->customer_id, &current));
    wanted = current;
    wanted.status = CUSTOMER_QUALIFIED;
    wanted.owner_id = people->user_id;
    wanted.tags = (struct list){tags, 2};
    wanted.custom_fields = STR("{\"plan\":\"gold\",\"seats\":{\"n\":3}}");
    wanted.locale = STR("de");
    return customer_save(cx, &current, &wanted, &saved);
}

static enum err ask_patch_back(struct ctx *cx, struct people *people)
{
    struct customer current = {0}, wanted, saved = {0};

    TRY(customer_get_locked(cx, people->customer_id, &current));
    wanted = current;
    wanted.owner_id = UUID_NONE;
    wanted.tags.count = 1;
    wanted.custom_fields = STR("{\"seats\": {\"n\":4}}");
    TRY(customer_save(cx, &current, &wanted, &saved));
    TRY(customer_tag(cx, &saved, STR("vip"), true, &saved)); /* has it */
    TRY(customer_set_field(cx, &saved, STR("none"), STR_NULL, &saved));
    return customer_set_status(cx, &saved, CUSTOMER_QUALIFIED, &saved);
}

static void test_each_kind_of_change_has_its_event(void **state)
{
    struct people people = {.store = *state, .ask = ask_patch};
    static const struct {
        const char *type;
        int64_t first, second;
    } expected[] = {
        {"contact_created", 1, 1},  {"contact_updated", 1, 1},
        {"status_changed", 1, 1},   {"agent_assigned", 1, 1},
        {"agent_unassigned", 0, 1}, {"agent_transferred", 0, 0},
        {"tag_added", 2, 2},        {"tag_removed", 0, 1},
        {"custom_field_set", 2, 3}, {"custom_field_cleared", 0, 1},
    };

    assert_int_equal(store_kit_run(people.store, TX_WRITE, make_people, &people), OK);
    assert_int_equal(store_kit_run(people.store, TX_WRITE, run_ask, &people), OK);
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        if (events(&people, expected[i].type) != expected[i].first)
            fail_msg("%s, first", expected[i].type);
    }
    people.ask = ask_patch_back;
    assert_int_equal(store_kit_run(people.store, TX_WRITE, run_ask, &people), OK);
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        if (events(&people, expected[i].type) != expected[i].second)
            fail_msg("%s, second", expected[i].type);
    }
    assert_int_equal(store_kit_number(people.store,
                                      "SELECT count(*) FROM contact_events WHERE event_type = "
                                      "'status_changed' AND payload = "
                                      "'{\"old_status\":\"new\",\"new_status\":"
                                      "\"qualified\"}'"),
                     1);
}

#define TESTS(store)                                                                               \
    {                                                                                              \
        STORE_TEST(test_outbound_counts_and_the_latest_start_wins, store),                         \
            STORE_TEST(test_inbound_moves_only_contacted, store),                                  \
            STORE_TEST(test_a_planned_touch_counts_once_its_start_has_passed, store),              \
            STORE_TEST(test_what_falls_due_together_counts_in_its_order, store),                   \
            STORE_TEST(test_a_deleted_customer_is_in_no_total, store),                             \
            STORE_TEST(test_a_touch_can_be_taken_back, store),                                     \
            STORE_TEST(test_search_finds_by_beginnings, store),                                    \
            STORE_TEST(test_search_follows_the_row, store),                                        \
            STORE_TEST(test_each_kind_of_change_has_its_event, store),                             \
    }

int main(void)
{
    static const struct CMUnitTest sqlite[] = TESTS(sqlite), postgres[] = TESTS(postgres);

    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
