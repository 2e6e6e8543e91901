/* Events at their end, with the clock in the test's hand (SPEC.md §5): between the instant of
 * expiry and the task that marks it, after it, and seven days later; and that totals, lists and
 * marks are what a recount says, whatever was done. */
#include "db/store_kit.h"

#include "app/customer/customer.h"
#include "app/session/session.h"
#include "app/tenant/tenant.h"
#include "app/timeline/timeline.h"
#include "app/user/user.h"

#include <stdio.h>

#define EVENTS_MAX 400

struct world {
    struct test_store *store;
    int64_t now_us;
    struct uuid tenant_id, users[2], customer, session;
    bool as_contact;
    enum err (*ask)(struct ctx *cx, struct world *world);
    uint32_t random;
    struct uuid events[EVENTS_MAX];
    size_t count;
    int64_t done;
};

static void act(struct ctx *cx, const struct world *world)
{
    cx->now_us = world->now_us;
    cx->actor = (struct actor){.role = ROLE_ADMIN,
                               .tenant_id = world->tenant_id,
                               .user_id = world->users[0],
                               .timezone = STR("UTC")};
}

static void act_as_contact(struct ctx *cx, const struct world *world)
{
    cx->actor = (struct actor){.role = ROLE_CONTACT,
                               .tenant_id = world->tenant_id,
                               .contact_id = world->customer,
                               .timezone = STR("UTC")};
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
    struct customer customer = {0};
    struct session session = {0};

    cx->now_us = world->now_us;
    TRY(tenant_found(cx, &in, &made));
    world->tenant_id = made.tenant.id;
    world->users[0] = made.admin.id;
    act(cx, world);
    TRY(user_invite(cx, &second, &invited));
    world->users[1] = invited.id;
    TRY(customer_create(cx, &(struct customer){.name = STR("Jane")}, &customer));
    world->customer = customer.id;
    TRY(session_start(cx, &(struct session){.customer_id = customer.id}, &session));
    world->session = session.id;
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

static void begin(struct world *world, void **state)
{
    *world = (struct world){.store = *state, .now_us = 1800000000 * SECOND_US, .random = 1};
    if (store_kit_run(world->store, TX_WRITE, make_world, world) != OK)
        fail_msg("%s", world->store->error.detail);
}

static struct event_page list(struct ctx *cx, enum event_list which, struct uuid id, int view)
{
    const struct event_filter filter = {.view = view};
    const bool upwards = which == LIST_SESSION;
    const struct uuid lowest = {{[15] = 1}};
    const struct event_place place = {upwards ? TIME_MIN_US : TIME_END, upwards ? lowest : UUID_MAX,
                                      500, 0};
    struct event_page page;

    must_equal(timeline_list(cx, which, id, &filter, &place, &page), OK);
    must(!page.capped && !page.cut && page.total == (int64_t)page.rows.count);
    return page;
}

/* --- Expiry ------------------------------------------------------------------------------------
 */

static enum err write_short(struct ctx *cx, struct world *world)
{
    const struct event in = {.contact_id = world->customer,
                             .session_id = world->session,
                             .event_type = STR("notification_sent"),
                             .category = CATEGORY_NOTIFICATION,
                             .title = STR("Payment Reminder"),
                             .addressee_id = world->users[0],
                             .is_realtime = true,
                             .visible_to_client = true,
                             .expires_at = SOME(world->now_us + HOUR_US)};
    struct event made = {.id = UUID_NONE};

    TRY(timeline_post(cx, &in, true, &made));
    world->events[0] = made.id;
    return OK;
}

/* How many each list has: all of them agree with their totals (list()). */
static void check_lists(struct ctx *cx, struct world *world, size_t others, size_t own)
{
    const struct event_filter word = {.q = STR("payment")};
    const struct event_place top = {TIME_END, UUID_MAX, 500, 0};
    struct event_page page;
    struct event event;

    must_equal(list(cx, LIST_TIMELINE, world->customer, VIEW_AGENT).rows.count, others + own);
    must_equal(list(cx, LIST_TIMELINE, world->customer, VIEW_CLIENT).rows.count, own);
    must_equal(list(cx, LIST_SESSION, world->session, 0).rows.count, 1 + own);
    must_equal(list(cx, LIST_UNREAD, UUID_NONE, 0).rows.count, own);
    must_equal(list(cx, LIST_UNDELIVERED, world->customer, 0).rows.count, own);
    must_equal(timeline_list(cx, LIST_TEXTS, UUID_NONE, &word, &top, &page), OK);
    must(page.rows.count == own && page.total == (int64_t)own);
    must_equal(timeline_get(cx, world->events[0], &event), own ? OK : ERR_NOT_FOUND);
    error_clear(cx->error);
    act_as_contact(cx, world);
    must_equal(list(cx, LIST_TIMELINE, world->customer, VIEW_AGENT).rows.count, own);
}

static enum err see_it(struct ctx *cx, struct world *world)
{
    check_lists(cx, world, 2, 1);
    return OK;
}

static enum err see_it_no_more(struct ctx *cx, struct world *world)
{
    struct event_mark mark;

    must_equal(timeline_mark_read(cx, world->events[0], &mark), ERR_NOT_FOUND);
    must_equal(timeline_mark_delivered(cx, world->events[0], &mark), ERR_NOT_FOUND);
    must_equal(timeline_acknowledge(cx, world->events[0]), ERR_NOT_FOUND);
    error_clear(cx->error);
    check_lists(cx, world, 2, 0);
    return OK;
}

static enum err run_expire(struct ctx *cx, struct world *world)
{
    cx->actor = (struct actor){.role = ROLE_NONE};
    return timeline_expire(cx, 200, &world->done);
}

static enum err run_forget(struct ctx *cx, struct world *world)
{
    cx->actor = (struct actor){.role = ROLE_NONE};
    return timeline_forget(cx, 200, &world->done);
}

static int64_t rows_of(struct world *world, const char *table)
{
    char sql[120];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
    return store_kit_number(world->store, sql);
}

static void test_expiry(void **state)
{
    struct world world;
    int64_t events, expires;

    begin(&world, state);
    ask(&world, TX_WRITE, write_short);
    ask(&world, TX_READ, see_it);
    events = rows_of(&world, "contact_events");
    expires = world.now_us + HOUR_US;

    world.now_us = expires - 1;
    ask(&world, TX_WRITE, run_expire);
    assert_int_equal(world.done, 0);
    ask(&world, TX_READ, see_it);
    world.now_us = expires; /* from this instant on, and before any task came by */
    ask(&world, TX_WRITE, see_it_no_more);
    ask(&world, TX_WRITE, run_expire);
    assert_int_equal(world.done, 1);
    ask(&world, TX_WRITE, see_it_no_more);
    ask(&world, TX_WRITE, run_expire);
    assert_int_equal(world.done, 0);
    ask(&world, TX_WRITE, see_it_no_more);

    world.now_us = expires + EVENT_KEPT_US - 1;
    ask(&world, TX_WRITE, run_forget);
    assert_int_equal(world.done, 0);
    assert_int_equal(rows_of(&world, "contact_events"), events);
    world.now_us = expires + EVENT_KEPT_US;
    ask(&world, TX_WRITE, run_forget);
    assert_int_equal(world.done, 1);
    assert_int_equal(rows_of(&world, "contact_events"), events - 1);
    ask(&world, TX_WRITE, run_forget);
    assert_int_equal(world.done, 0);
    ask(&world, TX_WRITE, see_it_no_more);
}

/* --- Acknowledgement ---------------------------------------------------------------------------
 */

static enum err acknowledge(struct ctx *cx, struct world *world)
{
    struct event event;
    struct event_mark mark;

    cx->actor.user_id = world->users[1]; /* not whom it is for: nothing happens */
    TRY(timeline_acknowledge(cx, world->events[0]));
    act_as_contact(cx, world);
    TRY(timeline_acknowledge(cx, world->events[0]));
    act(cx, world);
    TRY(timeline_get(cx, world->events[0], &event));
    must(!event.delivered && !event.read);
    TRY(timeline_acknowledge(cx, world->events[0]));
    TRY(timeline_get(cx, world->events[0], &event));
    must(event.delivered && event.delivered_at.value == cx->now_us && !event.read);
    cx->now_us += SECOND_US;
    TRY(timeline_acknowledge(cx, world->events[0])); /* the first time stays */
    TRY(timeline_mark_read(cx, world->events[0], &mark));
    must(mark.changed && mark.at_us == cx->now_us);
    TRY(timeline_get(cx, world->events[0], &event));
    must_equal(event.delivered_at.value, cx->now_us - SECOND_US);
    must_equal(event.read_at.value, cx->now_us);
    return OK;
}

static void test_acknowledgement(void **state)
{
    struct world world;

    begin(&world, state);
    ask(&world, TX_WRITE, write_short);
    ask(&world, TX_WRITE, acknowledge);
}

/* --- Whatever is done --------------------------------------------------------------------------
 */

static uint32_t random_below(struct world *world, uint32_t bound)
{
    world->random = world->random * 1664525 + 1013904223;
    return (world->random >> 8) % bound;
}

static enum err write_one(struct ctx *cx, struct world *world)
{
    struct event made = {.id = UUID_NONE};
    struct event in = {.contact_id = world->customer,
                       .event_type = STR("x"),
                       .category = CATEGORY_TRACKING,
                       .title = STR("payment due")};
    const uint32_t kind = random_below(world, 4);

    in.session_id = random_below(world, 2) ? world->session : UUID_NONE;
    in.visible_to_client = kind < 3;
    in.is_realtime = random_below(world, 2);
    in.addressee_id = kind == 2 ? world->users[0] : UUID_NONE;
    if (random_below(world, 2))
        in.expires_at =
            (struct maybe_int)SOME(cx->now_us + 1 + random_below(world, 10) * SECOND_US);
    TRY(timeline_post(cx, &in, kind > 0, &made));
    world->events[world->count++] = made.id;
    return OK;
}

/* One of the events; those that are gone or not seen are nobody's. */
static enum err change_one(struct ctx *cx, struct world *world)
{
    const struct uuid id = world->events[random_below(world, (uint32_t)world->count)];
    struct event_mark mark;
    struct event event;
    int64_t marked;
    bool more;
    enum err result = OK;

    switch (random_below(world, 6)) {
    case 0:
        result = timeline_mark_read(cx, id, &mark);
        break;
    case 1:
        result = timeline_mark_delivered(cx, id, &mark);
        break;
    case 2:
        result = timeline_erase(cx, id);
        break;
    case 3:
        result = timeline_redact(cx, id, &event);
        break;
    case 4:
        act_as_contact(cx, world);
        result = timeline_mark_read(cx, id, &mark);
        break;
    default:
        result = timeline_mark_read_up_to(cx, world->customer, id, &marked, &more);
    }
    act(cx, world);
    if (result != ERR_NOT_FOUND && result != ERR_FORBIDDEN)
        return result;
    error_clear(cx->error);
    return OK;
}

static enum err operate(struct ctx *cx, struct world *world)
{
    for (size_t i = 0; i < 20; i++) {
        if (world->count < 5 || random_below(world, 2))
            TRY(write_one(cx, world));
        else
            TRY(change_one(cx, world));
    }
    return OK;
}

static enum err check_all(struct ctx *cx, struct world *world)
{
    const struct event_filter word = {.q = STR("payment due"), .contact_id = world->customer};
    const struct event_place top = {TIME_END, UUID_MAX, 500, 0};
    struct event_page agents = list(cx, LIST_TIMELINE, world->customer, VIEW_AGENT), page;
    int64_t unread = 0, undelivered = 0, found = 0, counted;
    bool capped;

    for (size_t i = 0; i < agents.rows.count; i++) {
        const struct event *event = LIST_AT(agents.rows, struct event, i);

        must(!event->expires_at.set || event->expires_at.value > cx->now_us);
        must(event->visible_to_agent);
        unread += uuid_equal(event->addressee_id, world->users[0]) && !event->read;
        undelivered += event->is_realtime && event->addressee_type && !event->delivered;
        found += str_is(event->title, "payment due");
    }
    must_equal(list(cx, LIST_UNREAD, UUID_NONE, 0).total, unread);
    TRY(timeline_unread(cx, &counted, &capped));
    must(counted == unread && !capped);
    must_equal(list(cx, LIST_UNDELIVERED, world->customer, 0).total, undelivered);
    must_equal(timeline_list(cx, LIST_TEXTS, UUID_NONE, &word, &top, &page), OK);
    must(page.total == found && (int64_t)page.rows.count == found);
    list(cx, LIST_TIMELINE, world->customer, VIEW_CLIENT);
    list(cx, LIST_SESSION, world->session, 0);
    return OK;
}

static void test_whatever_is_done(void **state)
{
    struct world world;

    begin(&world, state);
    for (size_t i = 0; i < 25; i++) {
        ask(&world, TX_WRITE, operate);
        ask(&world, TX_READ, check_all);
        world.now_us += SECOND_US;
        ask(&world, TX_READ, check_all);
        if (i % 3 == 0)
            ask(&world, TX_WRITE, run_expire);
        ask(&world, TX_READ, check_all);
    }
    if (!world.store->is_postgres)
        store_kit_sql(world.store, "INSERT INTO contact_event_words (contact_event_words) "
                                   "VALUES ('integrity-check')");
    world.now_us += EVENT_KEPT_US + HOUR_US;
    do
        ask(&world, TX_WRITE, run_expire);
    while (world.done > 0);
    ask(&world, TX_WRITE, run_forget);
    assert_true(world.done > 20);
    ask(&world, TX_READ, check_all);
}

/* --- What an older program wrote ---------------------------------------------------------------
 */

static enum err redact_first(struct ctx *cx, struct world *world)
{
    struct event event;

    return timeline_redact(cx, world->events[0], &event);
}

/* It has no salt and no number until it is sealed: a redaction before would come before it in the
 * chain, and could not cover it. */
static void test_what_waits_for_its_seal_keeps_its_texts(void **state)
{
    struct world world;

    begin(&world, state);
    ask(&world, TX_WRITE, write_short);
    store_kit_sql(world.store, "UPDATE contact_events SET salt = NULL");
    world.ask = redact_first;
    assert_int_equal(store_kit_run(world.store, TX_WRITE, run_ask, &world), ERR_UNAVAILABLE);
    assert_int_equal(store_kit_number(world.store, "SELECT count(*) FROM contact_events "
                                                   "WHERE text_hash IS NOT NULL"),
                     0);
}

static const struct CMUnitTest sqlite[] = {
    STORE_TEST(test_expiry, sqlite),
    STORE_TEST(test_acknowledgement, sqlite),
    STORE_TEST(test_whatever_is_done, sqlite),
    STORE_TEST(test_what_waits_for_its_seal_keeps_its_texts, sqlite),
};
static const struct CMUnitTest postgres[] = {
    STORE_TEST(test_expiry, postgres),
    STORE_TEST(test_acknowledgement, postgres),
    STORE_TEST(test_whatever_is_done, postgres),
    STORE_TEST(test_what_waits_for_its_seal_keeps_its_texts, postgres),
};

int main(void)
{
    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
