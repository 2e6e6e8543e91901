/* The outreach guard (SPEC.md §7): its windows to the microsecond, the customer's own day, what
 * it sees and what not, when an answer is free, and the words it finds. At the end it is held
 * against its own rules said plainly, over hundreds of random histories. */
#include "db/store_kit.h"

#include "app/customer/customer.h"
#include "app/customer/customer_merge.h"
#include "app/interaction/interaction.h"
#include "app/outreach/guard.h"
#include "app/tenant/tenant.h"
#include "app/timeline/timeline.h"
#include "app/user/user.h"

#include <stdio.h>
#include <string.h>

#define NOW "2026-03-10T12:00:00Z"
#define MICROSECOND INT64_C(1)

#define HOURS_ONLY "{\"min_hours\":24,\"warn_days\":0,\"max_per_day\":null}"
#define DAYS_ONLY "{\"min_hours\":0,\"warn_days\":7,\"max_per_day\":null}"
#define ONE_A_DAY "{\"min_hours\":0,\"warn_days\":0,\"max_per_day\":1}"

struct world {
    struct test_store *store;
    struct uuid tenant_id, alice, bob, customer;
    struct str rules;         /* of all decisions; STR_NULL: what the store says */
    struct str timezone;      /* the same */
    struct outreach outreach; /* the last one asked about */
    struct outreach_check check;
    enum err (*ask)(struct ctx *cx, struct world *world);
};

static int64_t at(const char *text)
{
    int64_t us = 0;

    must(time_parse(str_of(text), &us));
    return us;
}

static void act_as(struct ctx *cx, const struct world *world, enum role role)
{
    cx->actor = (struct actor){.role = role,
                               .tenant_id = world->tenant_id,
                               .user_id = world->alice,
                               .user_name = STR("Alice"),
                               .timezone = STR("UTC")};
}

static struct uuid new_customer(struct ctx *cx, const char *timezone)
{
    struct customer created = {0};

    must_equal(
        customer_create(cx, &(struct customer){.name = STR("Jane"), .timezone = str_of(timezone)},
                        &created),
        OK);
    return created.id;
}

static enum err make_world(struct ctx *cx, void *context)
{
    struct world *world = context;
    const struct tenant_founding in = {
        .tenant = {.name = STR("Acme"), .timezone = STR("Europe/Berlin")},
        .admin_email = STR("alice@acme.example"),
        .admin_name = STR("Alice")};
    const struct user second = {
        .email = STR("bob@acme.example"), .name = STR("Bob"), .role = USER_AGENT};
    struct tenant_founded made = {0};
    struct user bob = {0};

    cx->now_us = at(NOW);
    TRY(tenant_found(cx, &in, &made));
    world->tenant_id = made.tenant.id;
    world->alice = made.admin.id;
    act_as(cx, world, ROLE_ADMIN);
    TRY(user_invite(cx, &second, &bob));
    world->bob = bob.id;
    world->customer = new_customer(cx, NULL);
    return OK;
}

/* PostgreSQL may want the transaction again, whatever call it is in that learns of it. */
static jmp_buf again;

static enum err run_ask(struct ctx *cx, void *context)
{
    struct world world = *(const struct world *)context; /* each time as it was */

    if (setjmp(again))
        return ERR_RERUN;
    cx->now_us = at(NOW);
    act_as(cx, &world, ROLE_AGENT);
    return world.ask(cx, &world);
}

static void run(void **state, enum err (*ask)(struct ctx *cx, struct world *world))
{
    struct world world = {.store = *state, .ask = ask};

    if (store_kit_run(world.store, TX_WRITE, make_world, &world) != OK)
        fail_msg("%s", world.store->error.detail);
    if (store_kit_run(world.store, TX_WRITE, run_ask, &world) != OK)
        fail_msg("%s", world.store->error.detail);
}

static struct interaction email_to(struct uuid customer, int64_t started_at)
{
    return (struct interaction){.customer_id = customer,
                                .type = TYPE_EMAIL,
                                .direction = DIRECTION_OUTBOUND,
                                .subject = STR("Your quote"),
                                .started_at = started_at};
}

static struct uuid log_one(struct ctx *cx, const struct interaction *in)
{
    struct interaction made = {0};
    const enum err result = interaction_create(cx, in, &made);

    if (result == ERR_RERUN)
        longjmp(again, 1);
    must_equal(result, OK);
    return made.id;
}

static struct uuid log_email(struct ctx *cx, const struct world *world, int64_t started_at)
{
    const struct interaction in = email_to(world->customer, started_at);

    return log_one(cx, &in);
}

static void log_inbound(struct ctx *cx, const struct world *world, int type, int64_t started_at)
{
    struct interaction in = email_to(world->customer, started_at);

    in.type = type;
    in.direction = DIRECTION_INBOUND;
    log_one(cx, &in);
}

/* Reads what a caller has of the customer, and asks. */
static int decide_by(struct ctx *cx, struct world *world, int method, int64_t us)
{
    struct touched customer = {0};

    must_equal(customer_for_touch(cx, world->customer,
                                  str_of(enum_name(&interaction_type_words, method)), &customer),
               OK);
    world->outreach.customer_id = world->customer;
    world->outreach.method = method;
    world->outreach.at = us;
    world->outreach.last_response_at = customer.last_response_at;
    world->outreach.rules = world->rules.ptr ? world->rules : customer.outreach_rules;
    world->outreach.timezone = world->timezone.ptr     ? world->timezone
                               : customer.timezone.ptr ? customer.timezone
                                                       : customer.tenant_timezone;
    must_equal(outreach_decide(cx, &world->outreach, &world->check), OK);
    return world->check.decision;
}

static int decide(struct ctx *cx, struct world *world, int64_t us)
{
    return decide_by(cx, world, TYPE_EMAIL, us);
}

static bool broke(const struct world *world, enum outreach_limit first, enum outreach_limit second)
{
    const struct list *broken = &world->check.broken;

    return broken->count == (second ? 2 : 1) && *LIST_AT(*broken, int, 0) == (int)first &&
           (!second || *LIST_AT(*broken, int, 1) == (int)second);
}

static bool retry_is(const struct world *world, int64_t us)
{
    return world->check.retry_at.set && world->check.retry_at.value == us;
}

#define TOUCH(world, i) LIST_AT((world)->check.touches, struct outreach_touch, i)

/* --- Windows on instants --------------------------------------------------------------------- */

static enum err ask_min_hours(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);

    world->rules = STR(HOURS_ONLY);
    log_email(cx, world, us);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    must_equal(decide(cx, world, us + DAY_US - MICROSECOND), OUTREACH_BLOCKED);
    must(broke(world, LIMIT_MIN_HOURS, 0));
    must(retry_is(world, us + DAY_US));
    must_equal(decide(cx, world, us + DAY_US), OUTREACH_ALLOWED);
    must(world->check.broken.count == 0 && world->check.touches.count == 0);
    must(!world->check.retry_at.set);
    /* The same the other way: what is logged late, or was planned. */
    must_equal(decide(cx, world, us - DAY_US + MICROSECOND), OUTREACH_BLOCKED);
    must(retry_is(world, us + DAY_US));
    must_equal(decide(cx, world, us - DAY_US), OUTREACH_ALLOWED);
    return OK;
}

static enum err ask_warn_days(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);

    world->rules = STR(DAYS_ONLY);
    log_email(cx, world, us);
    must_equal(decide(cx, world, us + 7 * DAY_US - MICROSECOND), OUTREACH_WARNING);
    must(broke(world, LIMIT_WARN_DAYS, 0));
    must(!world->check.retry_at.set);
    must_equal(decide(cx, world, us + 7 * DAY_US), OUTREACH_ALLOWED);
    must_equal(decide(cx, world, us - 7 * DAY_US + MICROSECOND), OUTREACH_WARNING);
    must_equal(decide(cx, world, us - 7 * DAY_US), OUTREACH_ALLOWED);
    return OK;
}

static enum err ask_default(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);

    log_email(cx, world, us - 2 * HOUR_US);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    must_equal(world->check.broken.count, 3);
    must_equal(*LIST_AT(world->check.broken, int, 0), LIMIT_MIN_HOURS);
    must_equal(*LIST_AT(world->check.broken, int, 1), LIMIT_MAX_PER_DAY);
    must_equal(*LIST_AT(world->check.broken, int, 2), LIMIT_WARN_DAYS);
    must(retry_is(world, us + 22 * HOUR_US));
    must_equal(world->check.limits.warn_days, 7);
    must_equal(decide(cx, world, us + 3 * DAY_US), OUTREACH_WARNING);
    must_equal(decide(cx, world, us + 8 * DAY_US), OUTREACH_ALLOWED);
    return OK;
}

static void test_hours_block_to_the_microsecond(void **state)
{
    run(state, ask_min_hours);
}

static void test_days_warn_to_the_microsecond(void **state)
{
    run(state, ask_warn_days);
}

static void test_the_default_has_all_three(void **state)
{
    run(state, ask_default);
}

/* --- The customer's own day ------------------------------------------------------------------ */

/* One touch at `first`: another one is blocked until `end` and free from then on. */
static void day_ends(struct ctx *cx, struct world *world, const char *timezone, const char *first,
                     const char *end)
{
    world->customer = new_customer(cx, timezone);
    log_email(cx, world, at(first));
    must_equal(decide(cx, world, at(first)), OUTREACH_BLOCKED);
    must(broke(world, LIMIT_MAX_PER_DAY, 0));
    must(retry_is(world, at(end)));
    must_equal(decide(cx, world, at(end) - MICROSECOND), OUTREACH_BLOCKED);
    must_equal(decide(cx, world, at(end)), OUTREACH_ALLOWED);
}

static enum err ask_days(struct ctx *cx, struct world *world)
{
    world->rules = STR(ONE_A_DAY);
    /* The tenant's, which is Berlin's: 24, 23 and 25 hours from midnight on. */
    day_ends(cx, world, NULL, "2026-03-10T23:00:00Z", "2026-03-11T23:00:00Z");
    day_ends(cx, world, NULL, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z");
    day_ends(cx, world, NULL, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");
    /* The last microsecond of a day. */
    day_ends(cx, world, NULL, "2026-03-10T22:59:59.999999Z", "2026-03-10T23:00:00Z");
    /* Theirs goes before the tenant's. */
    day_ends(cx, world, "Pacific/Auckland", "2026-03-10T12:00:00Z", "2026-03-11T11:00:00Z");
    day_ends(cx, world, "America/New_York", "2026-03-10T23:00:00Z", "2026-03-11T04:00:00Z");
    day_ends(cx, world, "America/New_York", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z");
    return OK;
}

static enum err ask_day_before(struct ctx *cx, struct world *world)
{
    world->rules = STR(ONE_A_DAY);
    log_email(cx, world, at("2026-10-25T22:59:59.999999Z"));
    /* The whole of the 25 hours before, and not a microsecond more. */
    must_equal(decide(cx, world, at("2026-10-24T22:00:00Z")), OUTREACH_BLOCKED);
    must_equal(decide(cx, world, at("2026-10-24T21:59:59.999999Z")), OUTREACH_ALLOWED);
    return OK;
}

static enum err ask_several_a_day(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);

    world->rules = STR("{\"min_hours\":0,\"warn_days\":0,\"max_per_day\":3}");
    log_email(cx, world, us - HOUR_US);
    log_email(cx, world, us + HOUR_US);
    log_email(cx, world, us - DAY_US);
    must_equal(decide(cx, world, us), OUTREACH_ALLOWED);
    log_email(cx, world, us + 2 * HOUR_US);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    must(broke(world, LIMIT_MAX_PER_DAY, 0));
    must_equal(world->check.touches.count, 3); /* yesterday's says nothing */
    must(retry_is(world, at("2026-03-10T23:00:00Z")));
    return OK;
}

static enum err ask_greatest_day(struct ctx *cx, struct world *world)
{
    const int64_t midnight = at("2026-03-09T23:00:00Z");

    world->rules = STR("{\"min_hours\":0,\"warn_days\":0,\"max_per_day\":20}");
    for (int64_t i = 0; i < MAX_PER_DAY_MAX - 1; i++)
        log_email(cx, world, midnight + i * HOUR_US);
    for (int64_t i = 1; i <= 30; i++) /* the day before, nearer to the beginning of this one */
        log_email(cx, world, midnight - i * MINUTE_US);
    must_equal(decide(cx, world, midnight + 23 * HOUR_US), OUTREACH_ALLOWED);
    must_equal(decide(cx, world, midnight), OUTREACH_ALLOWED);
    log_email(cx, world, midnight + 19 * HOUR_US);
    must_equal(decide(cx, world, midnight + 23 * HOUR_US), OUTREACH_BLOCKED);
    must_equal(decide(cx, world, midnight), OUTREACH_BLOCKED);
    return OK;
}

static void test_a_day_is_the_customers(void **state)
{
    run(state, ask_days);
}

static void test_a_day_reaches_back_to_its_midnight(void **state)
{
    run(state, ask_day_before);
}

static void test_several_a_day(void **state)
{
    run(state, ask_several_a_day);
}

static void test_twenty_a_day(void **state)
{
    run(state, ask_greatest_day);
}

/* --- When it opens again --------------------------------------------------------------------- */

static enum err ask_retry(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);

    world->rules = STR(HOURS_ONLY);
    log_email(cx, world, us - HOUR_US);
    log_email(cx, world, us + 40 * HOUR_US);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    must(retry_is(world, us + 64 * HOUR_US)); /* 23 hours on it would be in the planned one's way */
    must_equal(decide(cx, world, us + 64 * HOUR_US), OUTREACH_ALLOWED);

    world->customer = new_customer(cx, NULL);
    log_email(cx, world, us - HOUR_US);
    log_email(cx, world, us + 47 * HOUR_US);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    must(retry_is(world, us + 23 * HOUR_US)); /* exactly between the two */
    must_equal(decide(cx, world, us + 23 * HOUR_US), OUTREACH_ALLOWED);
    return OK;
}

static enum err ask_retry_by_day(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);

    world->rules = STR("{\"min_hours\":1,\"warn_days\":7,\"max_per_day\":1}");
    log_email(cx, world, us - MINUTE_US);
    log_email(cx, world, us + 20 * HOUR_US); /* tomorrow */
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    must_equal(world->check.broken.count, 3);
    must(retry_is(world, at("2026-03-11T23:00:00Z")));
    must_equal(decide(cx, world, at("2026-03-11T23:00:00Z")), OUTREACH_WARNING);

    /* Midnight is within an hour of the last one of the day. */
    world->customer = new_customer(cx, NULL);
    log_email(cx, world, at("2026-03-10T22:30:00Z"));
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    must(broke(world, LIMIT_MAX_PER_DAY, LIMIT_WARN_DAYS));
    must(retry_is(world, at("2026-03-10T23:30:00Z")));
    return OK;
}

static void test_it_opens_where_nothing_planned_is_in_the_way(void **state)
{
    run(state, ask_retry);
}

static void test_it_opens_on_a_day_with_room(void **state)
{
    run(state, ask_retry_by_day);
}

/* --- Whose limits ---------------------------------------------------------------------------- */

static enum err ask_exceptions(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);
    const struct uuid campaign = {{7}};

    world->rules = STR("{\"min_hours\":48,\"exceptions\":["
                       "{\"role\":\"manager\",\"warn_days\":2,\"min_hours\":0,"
                       "\"max_per_day\":null},"
                       "{\"campaign_id\":\"07000000-0000-0000-0000-000000000000\",\"warn_days\":0,"
                       "\"min_hours\":6,\"max_per_day\":null}]}");
    log_email(cx, world, us - 30 * HOUR_US);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    must_equal(world->check.limits.min_hours, 48);
    act_as(cx, world, ROLE_MANAGER);
    must_equal(decide(cx, world, us), OUTREACH_WARNING);
    must(world->check.limits.min_hours == 0 && world->check.limits.warn_days == 2);
    must_equal(decide(cx, world, us + DAY_US), OUTREACH_ALLOWED);
    act_as(cx, world, ROLE_ADMIN);
    must_equal(decide(cx, world, us), OUTREACH_WARNING);
    world->outreach.campaign_id = campaign; /* goes before the role's */
    must_equal(decide(cx, world, us), OUTREACH_ALLOWED);
    must_equal(decide(cx, world, us - 25 * HOUR_US), OUTREACH_BLOCKED);
    must_equal(world->check.limits.min_hours, 6);
    act_as(cx, world, ROLE_AGENT);
    must_equal(decide(cx, world, us), OUTREACH_ALLOWED);
    return OK;
}

/* Asks again and sees that the store was not. */
static int decide_unread(struct ctx *cx, struct world *world)
{
    struct db_cost cost;

    db_cost(cx, &cost);
    must_equal(outreach_decide(cx, &world->outreach, &world->check), OK);
    db_cost(cx, &cost);
    must_equal(cost.vm_steps, 0);
    return world->check.decision;
}

static enum err ask_unguarded(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);

    log_email(cx, world, us);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    world->outreach.transactional = true;
    must_equal(decide_unread(cx, world), OUTREACH_ALLOWED);
    world->outreach.rules = STR("{\"bypass\":false}");
    must_equal(outreach_decide(cx, &world->outreach, &world->check), OK);
    must_equal(world->check.decision, OUTREACH_BLOCKED);
    world->outreach.transactional = false;
    world->outreach.rules = STR("{\"guarded\":false}");
    must_equal(decide_unread(cx, world), OUTREACH_ALLOWED);
    must(world->check.limits.warn_days == 0 && !world->check.limits.max_per_day.set);
    world->outreach.rules = STR("{\"warn_days\":0,\"min_hours\":0,\"max_per_day\":null}");
    must_equal(decide_unread(cx, world), OUTREACH_ALLOWED);
    world->outreach.rules = STR_NULL;
    for (size_t i = 0; i < 3; i++) {
        world->outreach.method = (const int[]){TYPE_NOTE, TYPE_MEETING, TYPE_SYSTEM}[i];
        must_equal(decide_unread(cx, world), OUTREACH_ALLOWED);
        must(!world->check.may_override);
    }
    return OK;
}

static void test_exceptions_for_campaigns_and_roles(void **state)
{
    run(state, ask_exceptions);
}

static void test_what_is_not_guarded_reads_nothing(void **state)
{
    run(state, ask_unguarded);
}

static enum err ask_may_override(struct ctx *cx, struct world *world)
{
    static const struct {
        enum role role;
        bool warned, blocked;
    } roles[] = {{ROLE_VIEWER, false, false},
                 {ROLE_AGENT, true, false},
                 {ROLE_MANAGER, true, true},
                 {ROLE_ADMIN, true, true}};
    const int64_t us = at(NOW);

    log_email(cx, world, us);
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        act_as(cx, world, roles[i].role);
        must_equal(decide(cx, world, us + 3 * DAY_US), OUTREACH_WARNING);
        must_equal(world->check.may_override, roles[i].warned);
        must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
        must_equal(world->check.may_override, roles[i].blocked);
    }
    return OK;
}

static void test_who_may_override(void **state)
{
    run(state, ask_may_override);
}

/* --- What it sees ---------------------------------------------------------------------------- */

static enum err ask_unseen(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);
    struct interaction in = email_to(world->customer, us - HOUR_US), row = {0};
    struct uuid id;

    in.type = TYPE_SMS;
    log_one(cx, &in);
    in.type = TYPE_NOTE;
    log_one(cx, &in);
    in.type = TYPE_CALL;
    in.outcome = OUTCOME_NO_ANSWER;
    log_one(cx, &in);
    in.outcome = OUTCOME_BUSY;
    log_one(cx, &in);
    in = email_to(new_customer(cx, NULL), us - HOUR_US);
    log_one(cx, &in);
    id = log_email(cx, world, us - HOUR_US);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    must_equal(interaction_get_locked(cx, id, &row), OK);
    must_equal(interaction_delete(cx, &row), OK);
    must_equal(decide(cx, world, us), OUTREACH_ALLOWED);
    must_equal(decide_by(cx, world, TYPE_CALL, us), OUTREACH_ALLOWED);
    must_equal(decide_by(cx, world, TYPE_SMS, us), OUTREACH_BLOCKED);
    must_equal(interaction_restore(cx, id, &row), OK);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    world->outreach.interaction_id = id; /* it is no touch before itself */
    must_equal(decide(cx, world, us), OUTREACH_ALLOWED);
    return OK;
}

static enum err ask_linkedin(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);
    struct interaction in = email_to(world->customer, us - HOUR_US);

    in.type = TYPE_LINKEDIN;
    log_one(cx, &in);
    must_equal(decide_by(cx, world, TYPE_LINKEDIN, us), OUTREACH_BLOCKED);
    must_equal(decide_by(cx, world, TYPE_SOCIAL_MEDIA, us), OUTREACH_ALLOWED);
    return OK;
}

static enum err ask_foreign(struct ctx *cx, struct world *world)
{
    const struct tenant_founding in = {.tenant = {.name = STR("Other")}};
    const int64_t us = at(NOW);
    struct tenant_founded made = {0};

    log_email(cx, world, us - HOUR_US);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    must_equal(tenant_found(cx, &in, &made), OK);
    cx->actor.tenant_id = made.tenant.id;
    must_equal(outreach_decide(cx, &world->outreach, &world->check), OK);
    must_equal(world->check.decision, OUTREACH_ALLOWED);
    return OK;
}

static enum err ask_many(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);

    for (int64_t i = 1; i <= 25; i++) {
        log_email(cx, world, us - 10 * i * MINUTE_US);
        log_email(cx, world, us + (10 * i + 5) * MINUTE_US);
    }
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    must_equal(world->check.touches.count, OUTREACH_TOUCHES_MAX);
    for (int64_t i = 0; i < OUTREACH_TOUCHES_MAX; i++) {
        const int64_t away = (i % 2 == 0 ? -10 : 10) * (i / 2 + 1) - (i % 2 == 0 ? 0 : -5);

        must_equal(TOUCH(world, i)->started_at, us + away * MINUTE_US);
    }
    return OK;
}

static void test_what_it_does_not_see(void **state)
{
    run(state, ask_unseen);
}

static void test_linkedin_is_a_method(void **state)
{
    run(state, ask_linkedin);
}

static void test_other_tenants_are_not_seen(void **state)
{
    run(state, ask_foreign);
}

static void test_of_many_it_lists_the_nearest(void **state)
{
    run(state, ask_many);
}

static enum err ask_listed(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);
    struct interaction in = email_to(world->customer, us - 2 * DAY_US);
    struct interaction row = {0};
    struct uuid id;

    cx->actor.user_id = world->bob;
    id = log_one(cx, &in);
    must_equal(interaction_get_locked(cx, id, &row), OK);
    cx->actor.user_id = world->alice;
    log_email(cx, world, us - 10 * DAY_US); /* beyond the week */
    world->outreach.subject = STR("Re: Your QUOTE");
    must_equal(decide(cx, world, us), OUTREACH_WARNING);
    must_equal(world->check.touches.count, 1);
    must(uuid_equal(TOUCH(world, 0)->id, id));
    must(uuid_equal(TOUCH(world, 0)->user_id, world->bob));
    must(str_is(TOUCH(world, 0)->user_name, "Bob"));
    must(str_is(TOUCH(world, 0)->subject, "Your quote"));
    must_equal(TOUCH(world, 0)->method, TYPE_EMAIL);
    must(!TOUCH(world, 0)->responded);
    must(TOUCH(world, 0)->similarity == 1);
    must(
        str_is(world->check.message, "Bob emailed this lead 2 days ago. The text is 100 % alike."));
    world->outreach.subject = STR("Summer party");
    must_equal(decide(cx, world, us), OUTREACH_WARNING);
    must(TOUCH(world, 0)->similarity < 0.3);
    must(str_is(world->check.message, "Bob emailed this lead 2 days ago."));
    return OK;
}

static void test_who_when_and_how_alike(void **state)
{
    run(state, ask_listed);
}

/* --- Answers --------------------------------------------------------------------------------- */

static enum err ask_answer(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);
    struct interaction call = email_to(world->customer, us - HOUR_US);

    log_email(cx, world, us - 5 * HOUR_US);
    call.type = TYPE_CALL;
    call.started_at = us - 4 * HOUR_US;
    log_one(cx, &call);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    log_inbound(cx, world, TYPE_SMS, us - 3 * HOUR_US);
    must_equal(decide(cx, world, us), OUTREACH_ALLOWED);
    must(str_is(world->check.message,
                "The customer was last heard of 3 hours ago: this is an answer."));
    must_equal(decide_by(cx, world, TYPE_CALL, us), OUTREACH_ALLOWED);
    /* Once by each method. */
    log_email(cx, world, us - 2 * HOUR_US);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    must_equal(world->check.touches.count, 1); /* what was answered speaks no more */
    must_equal(decide_by(cx, world, TYPE_CALL, us), OUTREACH_ALLOWED);
    call.started_at = us - HOUR_US;
    log_one(cx, &call);
    must_equal(decide_by(cx, world, TYPE_CALL, us), OUTREACH_BLOCKED);
    return OK;
}

/* Another node, whose clock is ahead, has heard of the customer and answered. */
static enum err ask_clock_behind(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);

    log_email(cx, world, us - 5 * HOUR_US);
    cx->now_us = us + 2 * SECOND_US;
    log_inbound(cx, world, TYPE_EMAIL, us + SECOND_US);
    cx->now_us = us;
    must_equal(decide(cx, world, us), OUTREACH_ALLOWED);
    cx->now_us = us + 2 * SECOND_US;
    log_email(cx, world, us + 2 * SECOND_US);
    cx->now_us = us;
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    must_equal(world->check.touches.count, 1);
    return OK;
}

static enum err ask_response(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);
    const struct uuid id = log_email(cx, world, us - 2 * HOUR_US);
    const struct maybe_int when = SOME(us - HOUR_US), never = {0};
    struct interaction row = {0};

    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    must_equal(interaction_get_locked(cx, id, &row), OK);
    must_equal(interaction_set_response(cx, &row, true, when, &row), OK);
    must_equal(decide(cx, world, us), OUTREACH_ALLOWED);
    must_equal(interaction_get_locked(cx, id, &row), OK);
    must_equal(interaction_set_response(cx, &row, false, never, &row), OK);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    return OK;
}

/* What starts at the very instant when the customer is heard of has been answered. */
static enum err ask_same_instant(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);

    log_email(cx, world, us - HOUR_US);
    log_inbound(cx, world, TYPE_EMAIL, us - HOUR_US - MICROSECOND);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    log_inbound(cx, world, TYPE_EMAIL, us - HOUR_US);
    must_equal(decide(cx, world, us), OUTREACH_ALLOWED);
    return OK;
}

static enum err ask_no_words(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);

    log_email(cx, world, us - 2 * HOUR_US);
    log_inbound(cx, world, TYPE_NOTE, us - HOUR_US);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    log_inbound(cx, world, TYPE_CALL, us + HOUR_US); /* planned: not heard of yet */
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    return OK;
}

/* Planned touches stay in the way, also after the customer was heard of. */
static enum err ask_planned(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);

    log_email(cx, world, us + 3 * HOUR_US);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    must(str_is(world->check.message,
                "Alice plans to email this lead in 3 hours. At most one email in 24 hours, and 1 "
                "on the customer's day: from 2026-03-11T15:00:00Z on."));
    log_inbound(cx, world, TYPE_CALL, us - HOUR_US);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    return OK;
}

/* Between what was logged late and the others, words count as if it had been logged in time. */
static enum err ask_backdated(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);

    world->rules = STR(HOURS_ONLY);
    log_email(cx, world, us - 50 * HOUR_US);
    log_inbound(cx, world, TYPE_EMAIL, us - 40 * HOUR_US);
    log_inbound(cx, world, TYPE_EMAIL, us - 10 * HOUR_US);
    log_email(cx, world, us - 5 * HOUR_US);
    /* Before the first word: the email of then is not answered yet. */
    must_equal(decide(cx, world, us - 45 * HOUR_US), OUTREACH_BLOCKED);
    must_equal(world->check.touches.count, 1);
    must(str_is(world->check.message, "Alice emailed this lead 5 hours earlier. At most one email "
                                      "in 24 hours: from 2026-03-09T10:00:00Z on."));
    /* Between the two: both emails are beyond a word. */
    must_equal(decide(cx, world, us - 35 * HOUR_US), OUTREACH_ALLOWED);
    must_equal(decide(cx, world, us - 15 * HOUR_US), OUTREACH_ALLOWED);
    /* After the second. */
    must_equal(decide(cx, world, us - 8 * HOUR_US), OUTREACH_BLOCKED);
    must(str_is(world->check.message, "Alice emailed this lead 3 hours later. At most one email "
                                      "in 24 hours: from 2026-03-11T07:00:00Z on."));
    return OK;
}

/* A touch is no answer to what was answered to itself. */
static enum err ask_own_response(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);
    const struct maybe_int when = SOME(us - 2 * HOUR_US);
    struct interaction row = {0};
    struct uuid id;

    log_email(cx, world, us - 3 * HOUR_US);
    id = log_email(cx, world, us - 2 * HOUR_US);
    must_equal(interaction_get_locked(cx, id, &row), OK);
    must_equal(interaction_set_response(cx, &row, true, when, &row), OK);
    world->outreach.interaction_id = id;
    must_equal(decide(cx, world, us - 2 * HOUR_US), OUTREACH_BLOCKED);
    world->outreach.interaction_id = UUID_NONE;
    must_equal(decide(cx, world, us - 2 * HOUR_US), OUTREACH_ALLOWED);
    return OK;
}

static void test_an_answer_is_free_once_by_each_method(void **state)
{
    run(state, ask_answer);
}

static void test_a_node_whose_clock_is_behind_sees_the_answer(void **state)
{
    run(state, ask_clock_behind);
}

static void test_a_response_frees(void **state)
{
    run(state, ask_response);
}

static void test_the_same_instant_is_answered(void **state)
{
    run(state, ask_same_instant);
}

static void test_notes_and_plans_are_no_words(void **state)
{
    run(state, ask_no_words);
}

static void test_what_is_planned_counts(void **state)
{
    run(state, ask_planned);
}

static void test_what_was_logged_late(void **state)
{
    run(state, ask_backdated);
}

static void test_its_own_response_does_not_free_it(void **state)
{
    run(state, ask_own_response);
}

/* --- In words -------------------------------------------------------------------------------- */

static enum err ask_sentences(struct ctx *cx, struct world *world)
{
    static const struct {
        int method;
        int64_t away_us;
        const char *says;
    } cases[] = {
        {TYPE_CALL, -30 * SECOND_US, "Alice called this lead just now."},
        {TYPE_VIDEO_CALL, -MINUTE_US, "Alice called this lead by video 1 minute ago."},
        {TYPE_SMS, -59 * MINUTE_US, "Alice texted this lead 59 minutes ago."},
        {TYPE_CHAT, -HOUR_US, "Alice chatted with this lead 1 hour ago."},
        {TYPE_IN_PERSON, -47 * HOUR_US, "Alice visited this lead 47 hours ago."},
        {TYPE_PUSH, -2 * DAY_US, "Alice sent a push message to this lead 2 days ago."},
        {TYPE_SOCIAL_MEDIA, -3 * DAY_US, "Alice messaged this lead on social media 3 days ago."},
        {TYPE_LINKEDIN, -6 * DAY_US, "Alice messaged this lead on LinkedIn 6 days ago."},
        {TYPE_OTHER, 30 * SECOND_US, "Alice plans to contact this lead in a moment."},
        {TYPE_EMAIL, 2 * DAY_US, "Alice plans to email this lead in 2 days."},
    };
    struct interaction in = email_to(world->customer, 0);

    world->rules = STR(DAYS_ONLY);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        in.type = cases[i].method;
        in.started_at = at(NOW) + cases[i].away_us;
        log_one(cx, &in);
        must_equal(decide_by(cx, world, cases[i].method, at(NOW)), OUTREACH_WARNING);
        must(str_is(world->check.message, cases[i].says));
    }
    return OK;
}

static enum err ask_limit_sentences(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);

    log_email(cx, world, us);
    world->rules = STR("{\"min_hours\":1,\"warn_days\":7,\"max_per_day\":null}");
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    must(str_is(world->check.message, "Alice emailed this lead just now. At most one email in 1 "
                                      "hour: from 2026-03-10T13:00:00Z on."));
    world->rules = STR("{\"min_hours\":0,\"warn_days\":7,\"max_per_day\":1}");
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    must(str_is(world->check.message, "Alice emailed this lead just now. At most 1 email on the "
                                      "customer's day: from 2026-03-10T23:00:00Z on."));
    world->customer = new_customer(cx, NULL);
    world->rules = STR("{\"min_hours\":0,\"warn_days\":7,\"max_per_day\":2}");
    log_email(cx, world, us - 2 * HOUR_US - MICROSECOND);
    log_email(cx, world, us - HOUR_US - MICROSECOND);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    must(str_is(world->check.message, "Alice emailed this lead 1 hour ago. At most 2 emails on the "
                                      "customer's day: from 2026-03-10T23:00:00Z on."));
    world->rules = STR("{\"min_hours\":8760,\"warn_days\":365,\"max_per_day\":2}");
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED); /* whole seconds, none too early */
    must(str_is(world->check.message,
                "Alice emailed this lead 1 hour ago. At most one email in 8760 hours, and 2 on the "
                "customer's day: from 2027-03-10T11:00:00Z on."));
    must(retry_is(world, us + 365 * DAY_US - HOUR_US - MICROSECOND));
    return OK;
}

/* The longest that there is still fits into a problem's detail, cut at no character's middle. */
static enum err ask_longest_sentence(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);
    struct interaction in = email_to(world->customer, us + 1000 * HOUR_US);
    char name[64 * 3];
    struct user user = {0}, changed;

    for (size_t i = 0; i < sizeof name; i += 3)
        memcpy(name + i, "\xE5\x90\x8D", 3);
    act_as(cx, world, ROLE_ADMIN);
    must_equal(user_get_locked(cx, world->alice, &user), OK);
    changed = user;
    changed.name = (struct str){name, sizeof name};
    must_equal(user_update(cx, &user, &changed, &changed), OK);
    world->rules = STR("{\"min_hours\":8760,\"warn_days\":365,\"max_per_day\":20}");
    in.type = TYPE_SOCIAL_MEDIA;
    for (int i = 0; i < 20; i++)
        log_one(cx, &in);
    world->outreach.subject = in.subject;
    must_equal(decide_by(cx, world, TYPE_SOCIAL_MEDIA, us + 1000 * HOUR_US), OUTREACH_BLOCKED);
    must(str_is_utf8(world->check.message));
    must(str_ends(world->check.message, STR(" The text is 100 % alike.")));
    must(world->check.message.len < sizeof cx->error->detail);
    return OK;
}

/* One whom nobody knows by name. */
static enum err ask_somebody(struct ctx *cx, struct world *world)
{
    cx->actor.user_id = UUID_NONE;
    log_email(cx, world, at(NOW) - 3 * DAY_US);
    must_equal(decide(cx, world, at(NOW)), OUTREACH_WARNING);
    must(str_is(world->check.message, "Somebody emailed this lead 3 days ago."));
    return OK;
}

static void test_sentences(void **state)
{
    run(state, ask_sentences);
}

static void test_sentences_of_limits(void **state)
{
    run(state, ask_limit_sentences);
}

static void test_the_longest_sentence(void **state)
{
    run(state, ask_longest_sentence);
}

static void test_somebody(void **state)
{
    run(state, ask_somebody);
}

/* --- Answers and events ---------------------------------------------------------------------- */

static struct json_t *parsed(struct ctx *cx, struct str text)
{
    struct json_t *value = NULL;

    must_equal(json_parse(cx->arena, text, &value, cx->error), OK);
    return value;
}

static struct str text_of(const struct json_t *object, const char *name)
{
    return json_value_text(json_member_of(object, name));
}

static enum err ask_refusals(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);
    const struct json_t *facts, *touch;
    enum err result;

    log_email(cx, world, us - DAY_US + SECOND_US + MICROSECOND);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    result = outreach_refuse(cx, &world->check);
    must_equal(result, ERR_TOO_MANY);
    must_equal(cx->error->retry_after_s, 2);
    must(str_equal(str_of(cx->error->detail), world->check.message));
    must(strcmp(cx->error->facts_name, "check") == 0);
    facts = parsed(cx, cx->error->facts);
    must(str_is(text_of(facts, "decision"), "blocked"));
    must(str_is(text_of(facts, "method"), "email"));
    must(str_equal(text_of(facts, "message"), world->check.message));
    must(str_is(text_of(facts, "retry_at"), "2026-03-10T12:00:01.000001Z"));
    must_equal(json_item_count(json_member_of(facts, "broken")), 2);
    must(str_is(json_value_text(json_item(json_member_of(facts, "broken"), 0)), "min_hours"));
    must_equal(json_kind_of(json_member_of(facts, "may_override")), JSON_IS_BOOL);
    must_equal(json_value_int(json_member_of(json_member_of(facts, "limits"), "warn_days")), 7);
    touch = json_item(json_member_of(facts, "touches"), 0);
    must(str_is(text_of(json_member_of(touch, "user"), "name"), "Alice"));
    must(str_is(text_of(touch, "subject"), "Your quote"));
    must(str_is(text_of(touch, "started_at"), "2026-03-09T12:00:01.000001Z"));
    must(!json_member_of(touch, "body"));

    error_clear(cx->error);
    must_equal(decide(cx, world, us + 3 * DAY_US), OUTREACH_WARNING);
    result = outreach_refuse(cx, &world->check);
    must_equal(result, ERR_CONFLICT);
    must_equal(cx->error->retry_after_s, 0);
    must_equal(json_kind_of(json_member_of(parsed(cx, cx->error->facts), "retry_at")),
               JSON_IS_NULL);
    error_clear(cx->error);
    return OK;
}

/* Whole seconds, rounded up, and never none. */
static enum err ask_retry_after(struct ctx *cx, struct world *world)
{
    static const struct {
        int64_t left_us, seconds;
    } cases[] = {{1, 1}, {SECOND_US, 1}, {SECOND_US + 1, 2}, {-HOUR_US, 1}, {0, 1}};

    log_email(cx, world, at(NOW));
    must_equal(decide(cx, world, at(NOW)), OUTREACH_BLOCKED);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum err result;

        world->check.retry_at.value = cx->now_us + cases[i].left_us;
        result = outreach_refuse(cx, &world->check);
        must_equal(result, ERR_TOO_MANY);
        must_equal(cx->error->retry_after_s, cases[i].seconds);
        error_clear(cx->error);
    }
    return OK;
}

static struct event event_of(struct ctx *cx, const struct world *world, const char *type)
{
    const struct event_filter filter = {.event_type = str_of(type)};
    const struct event_place place = {.time = TIME_END, .id = UUID_MAX, .limit = 10};
    struct event_page page = {0};

    must_equal(timeline_list(cx, LIST_TIMELINE, world->customer, &filter, &place, &page), OK);
    must_equal(page.rows.count, 1);
    return *LIST_AT(page.rows, struct event, 0);
}

static enum err ask_events(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);
    const struct json_t *payload, *touch;
    struct event event;
    struct uuid first, second;
    char id[UUID_TEXT_LEN];

    first = log_email(cx, world, us - 3 * DAY_US);
    second = log_email(cx, world, us); /* flagged as it is logged */
    event = event_of(cx, world, "outreach_flagged");
    must(uuid_equal(event.interaction_id, second));
    must(uuid_equal(event.triggered_by, world->alice));
    must_equal(event.priority, PRIORITY_NORMAL);
    must(str_is(event.description, "Alice emailed this lead 3 days ago. The text is 100 % alike."));
    payload = parsed(cx, event.payload);
    must(str_is(text_of(payload, "decision"), "warning"));
    must(str_is(text_of(payload, "method"), "email"));
    must(!json_member_of(payload, "reason"));
    must_equal(json_item_count(json_member_of(payload, "touches")), 1);
    touch = json_item(json_member_of(payload, "touches"), 0);
    uuid_format(first, id);
    must(str_equal(text_of(touch, "id"), (struct str){id, sizeof id}));

    for (int64_t i = 1; i <= 8; i++)
        log_email(cx, world, us - i * MINUTE_US);
    must_equal(decide(cx, world, us), OUTREACH_BLOCKED);
    world->outreach.interaction_id = second;
    must_equal(outreach_record_override(cx, &world->outreach, &world->check, STR("They asked.")),
               OK);
    event = event_of(cx, world, "outreach_override");
    must(uuid_equal(event.interaction_id, second));
    must_equal(event.priority, PRIORITY_HIGH);
    payload = parsed(cx, event.payload);
    must(str_is(text_of(payload, "reason"), "They asked."));
    must_equal(json_item_count(json_member_of(payload, "touches")), 5);
    must_equal(json_value_int(json_member_of(json_member_of(payload, "limits"), "min_hours")), 24);
    return OK;
}

static void test_refusals_carry_the_facts(void **state)
{
    run(state, ask_refusals);
}

static void test_retry_after_is_rounded_up(void **state)
{
    run(state, ask_retry_after);
}

static void test_events_tell_of_it(void **state)
{
    run(state, ask_events);
}

/* --- Who only asks --------------------------------------------------------------------------- */

static int ask_for(struct ctx *cx, struct world *world, struct uuid customer)
{
    const enum err result =
        outreach_ask(cx, customer, TYPE_EMAIL, STR("Your quote"), STR_NULL, &world->check);

    if (result == ERR_NOT_FOUND) {
        error_clear(cx->error);
        return 0;
    }
    must_equal(result, OK);
    return world->check.decision;
}

static enum err ask_asking(struct ctx *cx, struct world *world)
{
    const int64_t us = at(NOW);
    const struct uuid other = new_customer(cx, "Pacific/Auckland");
    struct customer survivor = {0}, merged = {0};
    struct customer_merge merge = {0};
    struct tenant_founded foreign = {0};

    log_email(cx, world, us - 2 * HOUR_US);
    must_equal(ask_for(cx, world, world->customer), OUTREACH_BLOCKED);
    must(TOUCH(world, 0)->similarity == 1);
    must_equal(ask_for(cx, world, other), OUTREACH_ALLOWED);
    must_equal(ask_for(cx, world, (struct uuid){{9}}), 0);

    act_as(cx, world, ROLE_ADMIN);
    must_equal(customer_lock_two(cx, other, world->customer, &survivor, &merged), OK);
    must_equal(customer_merge(cx, &survivor, &merged, &merge), OK);
    must_equal(ask_for(cx, world, world->customer), OUTREACH_BLOCKED);
    /* By the survivor's own zone, where another day began an hour ago. */
    must(broke(world, LIMIT_MIN_HOURS, LIMIT_WARN_DAYS));

    must_equal(customer_get_locked(cx, other, &survivor), OK);
    must_equal(customer_delete(cx, &survivor), OK);
    must_equal(ask_for(cx, world, other), 0);
    must_equal(ask_for(cx, world, world->customer), 0);
    must_equal(
        tenant_found(cx, &(struct tenant_founding){.tenant = {.name = STR("Other")}}, &foreign),
        OK);
    must_equal(customer_restore(cx, other, &survivor), OK);
    must_equal(ask_for(cx, world, other), OUTREACH_BLOCKED);
    cx->actor.tenant_id = foreign.tenant.id;
    must_equal(ask_for(cx, world, other), 0);
    return OK;
}

static void test_who_only_asks(void **state)
{
    run(state, ask_asking);
}

/* --- Against its own rules, said plainly ----------------------------------------------------- */

#define EVENTS_MAX 16

struct history {
    int64_t touches[EVENTS_MAX], words[EVENTS_MAX];
    size_t touch_count, word_count;
};

static uint32_t draw(uint32_t *random, uint32_t below)
{
    *random = *random * 1664525 + 1013904223;
    return (*random >> 8) % below;
}

static bool word_between(const struct history *history, int64_t a, int64_t b)
{
    for (size_t i = 0; i < history->word_count; i++) {
        if (history->words[i] >= (a < b ? a : b) && history->words[i] <= (a < b ? b : a))
            return true;
    }
    return false;
}

static int expected(const struct history *history, int64_t us, const struct outreach_limits *limits,
                    struct str timezone)
{
    int64_t from_us, to_us, that_day = 0;
    int result = OUTREACH_ALLOWED;

    zone_day(timezone, us, &from_us, &to_us);
    for (size_t i = 0; i < history->touch_count; i++) {
        const int64_t touch = history->touches[i];
        const int64_t away = touch < us ? us - touch : touch - us;

        if (word_between(history, touch, us))
            continue;
        that_day += touch >= from_us && touch < to_us;
        if (away < limits->warn_days * DAY_US && result == OUTREACH_ALLOWED)
            result = OUTREACH_WARNING;
        if (away < limits->min_hours * HOUR_US)
            result = OUTREACH_BLOCKED;
    }
    if (limits->max_per_day.set && that_day >= limits->max_per_day.value)
        result = OUTREACH_BLOCKED;
    return result;
}

/* Instants on a grid of hours, a few microseconds off, so that edges are met. */
static int64_t any_time(uint32_t *random, int64_t around, uint32_t days)
{
    return around + ((int64_t)draw(random, 2 * days * 24) - (int64_t)days * 24) * HOUR_US +
           ((int64_t)draw(random, 3) - 1) * (draw(random, 2) == 0 ? 1 : 17 * MINUTE_US);
}

static void make_history(struct ctx *cx, struct world *world, uint32_t *random,
                         struct history *history)
{
    *history = (struct history){.touch_count = draw(random, 9), .word_count = draw(random, 4)};
    world->customer = new_customer(cx, draw(random, 2) == 0 ? NULL : "America/New_York");
    for (size_t i = 0; i < history->touch_count; i++) {
        history->touches[i] = any_time(random, at(NOW), 6);
        log_email(cx, world, history->touches[i]);
    }
    for (size_t i = 0; i < history->word_count; i++) {
        /* Never at the same instant as a touch or a question. */
        history->words[i] = any_time(random, at(NOW) - 4 * DAY_US, 3) + 5 * MICROSECOND;
        log_inbound(cx, world, TYPE_CALL, history->words[i]);
    }
}

static enum err ask_random(struct ctx *cx, struct world *world)
{
    static const char *const rules[] = {"{}",
                                        "{\"warn_days\":3,\"min_hours\":30,\"max_per_day\":2}",
                                        "{\"warn_days\":2,\"min_hours\":48,\"max_per_day\":null}",
                                        "{\"warn_days\":0,\"min_hours\":0,\"max_per_day\":1}",
                                        "{\"warn_days\":1,\"min_hours\":2,\"max_per_day\":3}"};
    uint32_t random = world->store->is_postgres ? 2 : 1;
    int seen[4] = {0};

    for (int i = 0; i < 60; i++) {
        struct history history;

        make_history(cx, world, &random, &history);
        for (int j = 0; j < 12; j++) {
            const int64_t us = any_time(&random, at(NOW), 5);
            int decision, wanted;

            world->rules = str_of(rules[draw(&random, COUNT_OF(rules))]);
            decision = decide(cx, world, us);
            wanted = expected(&history, us, &world->check.limits, world->outreach.timezone);
            must_equal(decision, wanted);
            seen[decision]++;
            if (decision == OUTREACH_BLOCKED && us >= at(NOW)) { /* no word comes after it */
                const int64_t open_at = world->check.retry_at.value;

                must(open_at > us);
                must(decide(cx, world, open_at) != OUTREACH_BLOCKED);
                must_equal(decide(cx, world, open_at - MICROSECOND), OUTREACH_BLOCKED);
                must_equal(decide(cx, world, us + (open_at - us) / 2), OUTREACH_BLOCKED);
            }
        }
    }
    must(seen[OUTREACH_ALLOWED] > 20 && seen[OUTREACH_WARNING] > 20 && seen[OUTREACH_BLOCKED] > 20);
    return OK;
}

static void test_random_histories(void **state)
{
    run(state, ask_random);
}

#define TESTS(store)                                                                               \
    STORE_TEST(test_hours_block_to_the_microsecond, store),                                        \
        STORE_TEST(test_days_warn_to_the_microsecond, store),                                      \
        STORE_TEST(test_the_default_has_all_three, store),                                         \
        STORE_TEST(test_a_day_is_the_customers, store),                                            \
        STORE_TEST(test_a_day_reaches_back_to_its_midnight, store),                                \
        STORE_TEST(test_several_a_day, store), STORE_TEST(test_twenty_a_day, store),               \
        STORE_TEST(test_it_opens_where_nothing_planned_is_in_the_way, store),                      \
        STORE_TEST(test_it_opens_on_a_day_with_room, store),                                       \
        STORE_TEST(test_exceptions_for_campaigns_and_roles, store),                                \
        STORE_TEST(test_what_is_not_guarded_reads_nothing, store),                                 \
        STORE_TEST(test_who_may_override, store), STORE_TEST(test_what_it_does_not_see, store),    \
        STORE_TEST(test_linkedin_is_a_method, store),                                              \
        STORE_TEST(test_other_tenants_are_not_seen, store),                                        \
        STORE_TEST(test_of_many_it_lists_the_nearest, store),                                      \
        STORE_TEST(test_who_when_and_how_alike, store),                                            \
        STORE_TEST(test_an_answer_is_free_once_by_each_method, store),                             \
        STORE_TEST(test_a_node_whose_clock_is_behind_sees_the_answer, store),                      \
        STORE_TEST(test_a_response_frees, store),                                                  \
        STORE_TEST(test_the_same_instant_is_answered, store),                                      \
        STORE_TEST(test_notes_and_plans_are_no_words, store),                                      \
        STORE_TEST(test_what_is_planned_counts, store),                                            \
        STORE_TEST(test_what_was_logged_late, store),                                              \
        STORE_TEST(test_its_own_response_does_not_free_it, store),                                 \
        STORE_TEST(test_sentences, store), STORE_TEST(test_sentences_of_limits, store),            \
        STORE_TEST(test_the_longest_sentence, store), STORE_TEST(test_somebody, store),            \
        STORE_TEST(test_refusals_carry_the_facts, store),                                          \
        STORE_TEST(test_retry_after_is_rounded_up, store),                                         \
        STORE_TEST(test_events_tell_of_it, store), STORE_TEST(test_who_only_asks, store),          \
        STORE_TEST(test_random_histories, store)

static const struct CMUnitTest sqlite[] = {TESTS(sqlite)};
static const struct CMUnitTest postgres[] = {TESTS(postgres)};

int main(void)
{
    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
