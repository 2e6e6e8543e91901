/* Merging two customers and taking it back (SPEC.md §3): totals, summaries, and the day that
 * the undoing has. */
#include "db/store_kit.h"

#include "app/customer/customer_merge.h"
#include "app/interaction/interaction.h"
#include "app/session/session.h"
#include "app/tenant/tenant.h"
#include "app/timeline/timeline.h"
#include "db/counts.h"

#include <string.h>

#define NOW_US INT64_C(1790000000000000)

struct people {
    struct test_store *store;
    struct uuid tenant_id, user_id, anna, anne;
    struct customer_merge merge;
    int64_t now_us;
    enum err (*ask)(struct ctx *cx, struct people *people);
};

static enum err log_meeting(struct ctx *cx, struct uuid customer_id, int64_t started_at)
{
    const struct interaction in = {.customer_id = customer_id,
                                   .type = TYPE_MEETING,
                                   .direction = DIRECTION_OUTBOUND,
                                   .subject = STR("Meeting"),
                                   .started_at = started_at};
    struct interaction made;

    return interaction_create(cx, &in, &made);
}

/* Each with meetings, one of them planned, a note, a session, and an event that its client sees. */
static enum err make_person(struct ctx *cx, struct str name, int64_t started_at, struct uuid *id)
{
    const struct customer in = {.name = name};
    struct customer made = {0};
    struct customer_note note = {0};
    struct session session = {0};

    TRY(customer_create(cx, &in, &made));
    *id = made.id;
    TRY(log_meeting(cx, made.id, started_at));
    TRY(log_meeting(cx, made.id, NOW_US + HOUR_US));
    TRY(customer_note_add(cx, made.id, STR("A note"), &note));
    TRY(session_start(cx, &(struct session){.customer_id = made.id}, &session));
    return timeline_record(cx, &(struct event){.contact_id = made.id,
                                               .event_type = STR("order_shipped"),
                                               .category = CATEGORY_TRACKING,
                                               .visible_to_client = true});
}

static enum err make_people(struct ctx *cx, void *context)
{
    struct people *people = context;
    struct tenant_founded made = {0};
    const struct tenant_founding in = {.tenant = {.name = STR("Acme")},
                                       .admin_email = STR("ada@acme.example"),
                                       .admin_name = STR("Ada")};

    cx->now_us = NOW_US;
    TRY(tenant_found(cx, &in, &made));
    people->tenant_id = made.tenant.id;
    people->user_id = made.admin.id;
    cx->actor = (struct actor){
        .role = ROLE_ADMIN, .tenant_id = people->tenant_id, .user_id = people->user_id};
    TRY(make_person(cx, STR("Anna"), NOW_US - 2 * HOUR_US, &people->anna));
    return make_person(cx, STR("Anne"), NOW_US - HOUR_US, &people->anne);
}

static enum err run_ask(struct ctx *cx, void *context)
{
    struct people *people = context;

    cx->now_us = people->now_us;
    cx->actor = (struct actor){
        .role = ROLE_ADMIN, .tenant_id = people->tenant_id, .user_id = people->user_id};
    return people->ask(cx, people);
}

static enum err ask(struct people *people, int64_t now_us,
                    enum err (*what)(struct ctx *cx, struct people *people))
{
    people->now_us = now_us;
    people->ask = what;
    return store_kit_run(people->store, TX_WRITE, run_ask, people);
}

static enum err merge(struct ctx *cx, struct people *people)
{
    struct customer anna = {0}, anne = {0};

    TRY(customer_lock_two(cx, people->anna, people->anne, &anna, &anne));
    return customer_merge(cx, &anna, &anne, &people->merge);
}

static enum err undo(struct ctx *cx, struct people *people)
{
    struct customer_merge found = {0}, undone = {0};
    struct customer survivor = {0};

    TRY(customer_merge_get_locked(cx, people->anna, people->merge.id, &found, &survivor));
    return customer_unmerge(cx, &found, &survivor, &undone);
}

static enum err count_due(struct ctx *cx, struct people *people)
{
    int64_t counted = 0;

    (void)people;
    return customer_count_due(cx, 100, NULL, &counted);
}

/* The kept totals against the rows, and what the summary says. */
static void assert_person(struct ctx *cx, struct uuid id, int64_t rows, int64_t events,
                          int64_t client, int64_t calls, int64_t contacted_at)
{
    static const char *const lists[] = {"interactions.customer", "customer_notes.customer",
                                        "sessions.customer", COUNT_EVENTS_TIMELINE,
                                        COUNT_EVENTS_CLIENT};
    const int64_t expected[] = {2 * rows, rows, rows, events, client};
    struct customer now = {0};
    int64_t total;

    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        assert_int_equal(count_get_uuid(cx, lists[i], id, &total), OK);
        if (total != expected[i])
            fail_msg("%s: %lld, not %lld", lists[i], (long long)total, (long long)expected[i]);
    }
    if (rows == 0)
        return;
    assert_int_equal(customer_get(cx, id, &now), OK);
    assert_int_equal(now.contact_count, calls);
    assert_int_equal(now.last_contacted_at.value, contacted_at);
}

/* Created, two meetings logged, contacted, note, session, shipped: seven events of each. */
static enum err check_apart(struct ctx *cx, struct people *people)
{
    assert_person(cx, people->anna, 1, 7, 1, 1, NOW_US - 2 * HOUR_US);
    assert_person(cx, people->anne, 1, 7, 1, 1, NOW_US - HOUR_US);
    return OK;
}

static enum err check_merged(struct ctx *cx, struct people *people)
{
    struct uuid followed = people->anne;

    assert_person(cx, people->anna, 2, 15, 2, 2, NOW_US - HOUR_US);
    assert_person(cx, people->anne, 0, 0, 0, 0, 0);
    assert_int_equal(customer_follow(cx, &followed), OK);
    assert_true(uuid_equal(followed, people->anna));
    return OK;
}

/* With the merge's own event, and the undoing's on both. */
static enum err check_undone(struct ctx *cx, struct people *people)
{
    assert_person(cx, people->anna, 1, 9, 1, 1, NOW_US - 2 * HOUR_US);
    assert_person(cx, people->anne, 1, 8, 1, 1, NOW_US - HOUR_US);
    return OK;
}

static enum err check_due(struct ctx *cx, struct people *people)
{
    assert_person(cx, people->anna, 1, 9, 1, 2, NOW_US + HOUR_US);
    assert_person(cx, people->anne, 1, 8, 1, 2, NOW_US + HOUR_US);
    return OK;
}

static enum err check_due_merged(struct ctx *cx, struct people *people)
{
    assert_person(cx, people->anna, 2, 15, 2, 4, NOW_US + HOUR_US);
    return OK;
}

static void found(void **state, struct people *people)
{
    *people = (struct people){.store = *state};
    assert_int_equal(store_kit_run(people->store, TX_WRITE, make_people, people), OK);
    assert_int_equal(ask(people, NOW_US, check_apart), OK);
    assert_int_equal(ask(people, NOW_US, merge), OK);
    assert_int_equal(ask(people, NOW_US, check_merged), OK);
}

static void test_undo(void **state)
{
    struct people people;

    found(state, &people);
    assert_int_equal(ask(&people, NOW_US + CUSTOMER_UNDO_US, undo), OK);
    assert_int_equal(ask(&people, NOW_US, check_undone), OK);
    assert_int_equal(ask(&people, NOW_US + 1, undo), ERR_CONFLICT);
    assert_non_null(strstr(people.store->error.detail, "undone already"));
    /* What was planned counts for whose it is. */
    assert_int_equal(ask(&people, NOW_US + 2 * HOUR_US, count_due), OK);
    assert_int_equal(ask(&people, NOW_US + 2 * HOUR_US, check_due), OK);
}

static void test_too_late(void **state)
{
    struct people people;

    found(state, &people);
    assert_int_equal(ask(&people, NOW_US + CUSTOMER_UNDO_US + 1, undo), ERR_CONFLICT);
    assert_non_null(strstr(people.store->error.detail, "older than a day"));
    assert_int_equal(ask(&people, NOW_US, check_merged), OK);
    assert_int_equal(ask(&people, NOW_US + 2 * HOUR_US, count_due), OK);
    assert_int_equal(ask(&people, NOW_US + 2 * HOUR_US, check_due_merged), OK);
}

static const struct CMUnitTest sqlite[] = {
    STORE_TEST(test_undo, sqlite),
    STORE_TEST(test_too_late, sqlite),
};
static const struct CMUnitTest postgres[] = {
    STORE_TEST(test_undo, postgres),
    STORE_TEST(test_too_late, postgres),
};

int main(void)
{
    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
