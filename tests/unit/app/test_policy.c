/* The rules of the outreach guard: how a column holds them, whose limits hold, and that a
 * version never comes again. */
#include "db/store_kit.h"

#include "app/interaction/interaction.h"
#include "app/outreach/policy.h"
#include "app/tenant/tenant.h"
#include "app/user/user.h"

#include <string.h>

#define CAMPAIGN ((struct uuid){{1, [15] = 7}})
#define OTHER_CAMPAIGN ((struct uuid){{1, [15] = 8}})

/* What a test does, as the manager of a tenant. */
struct scene {
    enum err (*ask)(struct ctx *cx);
    struct actor actor;
};

static enum err found_tenant(struct ctx *cx, void *context)
{
    struct scene *scene = context;
    const struct tenant_founding in = {.tenant = {.name = STR("Acme")},
                                       .admin_email = STR("ada@acme.example"),
                                       .admin_name = STR("Ada")};
    struct tenant_founded made = {0};

    TRY(tenant_found(cx, &in, &made));
    scene->actor =
        (struct actor){.role = ROLE_MANAGER, .tenant_id = made.tenant.id, .user_id = made.admin.id};
    return OK;
}

static enum err run_ask(struct ctx *cx, void *context)
{
    const struct scene *scene = context;

    cx->actor = scene->actor;
    return scene->ask(cx);
}

static void run(void **state, enum err (*ask)(struct ctx *cx))
{
    struct scene scene = {.ask = ask};

    assert_int_equal(store_kit_run(*state, TX_WRITE, found_tenant, &scene), OK);
    assert_int_equal(store_kit_run(*state, TX_WRITE, run_ask, &scene), OK);
}

static void must_have_limits(struct outreach_limits limits, int64_t warn_days, int64_t min_hours,
                             int64_t max_per_day)
{
    must_equal(limits.warn_days, warn_days);
    must_equal(limits.min_hours, min_hours);
    must_equal(limits.max_per_day.set ? limits.max_per_day.value : 0, max_per_day);
}

static enum err ask_default(struct ctx *cx)
{
    static const char *const unsound[] = {
        "{",
        "null",
        "[]",
        "{\"warn_days\":\"many\"}",
        "{\"warn_days\":1000000000000000000}",
        "{\"warn_days\":-1}",
        "{\"min_hours\":9223372036854775807}",
        "{\"max_per_day\":0}",
        "{\"exceptions\":[{\"role\":\"agent\",\"warn_days\":1000000000000000000}]}",
        "{\"exceptions\":[{}]}", /* for nobody */
    };
    struct outreach_rules rules;

    TRY(outreach_rules_read(cx, STR_NULL, &rules));
    must(rules.guarded && rules.bypass);
    must_have_limits(rules.limits, 7, 24, 1);
    must_equal(rules.exceptions.count, 0);
    for (size_t i = 0; i < COUNT_OF(unsound); i++) {
        must_equal(outreach_rules_read(cx, str_of(unsound[i]), &rules), ERR_INTERNAL);
        must_equal(cx->error->fault_count, 0);
    }
    return OK;
}

static void test_no_rules_are_the_default_and_broken_ones_an_error(void **state)
{
    run(state, ask_default);
}

static enum err ask_methods(struct ctx *cx)
{
    static const int without[] = {0, TYPE_NOTE, TYPE_SYSTEM, TYPE_MEETING, TYPE_LINKEDIN + 1};
    struct outreach_policy policy;
    struct list all;

    for (size_t i = 0; i < COUNT_OF(without); i++) {
        must(!outreach_has_policy(without[i]));
        must_equal(outreach_policy_get(cx, without[i], &policy), ERR_NOT_FOUND);
    }
    error_clear(cx->error);
    TRY(outreach_policy_list(cx, &all));
    must_equal(all.count, interaction_type_words.count - 3);
    for (size_t i = 0; i < all.count; i++) {
        const struct outreach_policy *at = LIST_AT(all, struct outreach_policy, i);

        must(outreach_has_policy(at->method));
        must(i == 0 || at->method > LIST_AT(all, struct outreach_policy, i - 1)->method);
        must_equal(at->version, 0);
        must_have_limits(at->rules.limits, 7, 24, 1);
    }
    return OK;
}

static void test_which_methods_have_a_policy(void **state)
{
    run(state, ask_methods);
}

/* Every value that differs from the default. */
static enum err ask_round_trip(struct ctx *cx)
{
    struct outreach_exception exceptions[] = {
        {.role = USER_MANAGER, .limits = {.warn_days = 1, .min_hours = 2}},
        {.campaign_id = CAMPAIGN, .limits = {WARN_DAYS_MAX, MIN_HOURS_MAX, SOME(MAX_PER_DAY_MAX)}},
    };
    struct outreach_policy current, wanted, saved, read;
    struct given difference;

    TRY(outreach_policy_get_locked(cx, TYPE_LINKEDIN, &current));
    wanted = current;
    wanted.rules = (struct outreach_rules){.limits = {.warn_days = 3, .min_hours = 72},
                                           .exceptions = {exceptions, COUNT_OF(exceptions)}};
    TRY(outreach_policy_save(cx, &current, &wanted, &saved));
    must_equal(saved.version, 1);
    TRY(outreach_policy_get(cx, TYPE_LINKEDIN, &read));
    difference = record_difference(&outreach_policy_record, &wanted, &read);
    must(!given_any(&difference));
    must(!read.rules.guarded && !read.rules.bypass && !read.rules.limits.max_per_day.set);
    must_have_limits(LIST_AT(read.rules.exceptions, struct outreach_exception, 1)->limits,
                     WARN_DAYS_MAX, MIN_HOURS_MAX, MAX_PER_DAY_MAX);
    /* One method's rules are nobody else's. */
    TRY(outreach_policy_get(cx, TYPE_SOCIAL_MEDIA, &read));
    must(read.stored.ptr == NULL && read.rules.guarded);
    return OK;
}

static void test_rules_come_back_as_they_were_written(void **state)
{
    run(state, ask_round_trip);
}

/* As many exceptions as there may be, each as long as it can be, fit into the column. */
static enum err ask_full(struct ctx *cx)
{
    struct outreach_exception exceptions[EXCEPTIONS_MAX] = {0};
    struct outreach_policy current, wanted, saved;

    for (size_t i = 0; i < EXCEPTIONS_MAX; i++)
        exceptions[i] = (struct outreach_exception){
            .campaign_id = {{1, [15] = (uint8_t)i}},
            .limits = {WARN_DAYS_MAX, MIN_HOURS_MAX, SOME(MAX_PER_DAY_MAX)}};
    TRY(outreach_policy_get_locked(cx, TYPE_SMS, &current));
    wanted = current;
    wanted.rules.exceptions = (struct list){exceptions, EXCEPTIONS_MAX};
    TRY(outreach_policy_save(cx, &current, &wanted, &saved));
    must_equal(saved.rules.exceptions.count, EXCEPTIONS_MAX);
    return OK;
}

static void test_as_many_exceptions_as_there_may_be(void **state)
{
    run(state, ask_full);
}

static enum err ask_limits(struct ctx *cx)
{
    struct outreach_exception exceptions[] = {
        {.role = USER_MANAGER, .limits = {.warn_days = 30}},
        {.role = USER_AGENT, .limits = {.warn_days = 20}},
        {.campaign_id = CAMPAIGN, .limits = {.warn_days = 10}},
    };
    const struct outreach_rules rules = {.limits = {.warn_days = 7},
                                         .exceptions = {exceptions, COUNT_OF(exceptions)}};
    const struct {
        enum role role;
        struct uuid campaign_id;
        int64_t warn_days;
    } cases[] = {
        {ROLE_NONE, UUID_NONE, 7}, /* the system itself */
        {ROLE_CONTACT, UUID_NONE, 7},   {ROLE_VIEWER, UUID_NONE, 7},
        {ROLE_AGENT, UUID_NONE, 20},    {ROLE_MANAGER, UUID_NONE, 30},
        {ROLE_ADMIN, UUID_NONE, 30}, /* the highest below */
        {ROLE_OPERATOR, UUID_NONE, 30}, {ROLE_NONE, CAMPAIGN, 10},
        {ROLE_ADMIN, CAMPAIGN, 10}, /* goes before a role's */
        {ROLE_NONE, OTHER_CAMPAIGN, 7}, {ROLE_AGENT, OTHER_CAMPAIGN, 20},
    };

    (void)cx;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        must_have_limits(outreach_limits_for(&rules, cases[i].role, cases[i].campaign_id),
                         cases[i].warn_days, 0, 0);
    must_have_limits(outreach_limits_for(&outreach_default_rules, ROLE_ADMIN, CAMPAIGN), 7, 24, 1);
    return OK;
}

static void test_whose_limits_hold(void **state)
{
    run(state, ask_limits);
}

static enum err ask_versions(struct ctx *cx)
{
    struct outreach_policy none, first, again, last;
    struct outreach_policy wanted;

    TRY(outreach_policy_get_locked(cx, TYPE_EMAIL, &none));
    TRY(outreach_policy_reset(cx, &none)); /* there is nothing to set back */
    wanted = none;
    wanted.rules.limits.warn_days = 9;
    TRY(outreach_policy_save(cx, &none, &wanted, &first));
    must_equal(first.version, 1);
    /* Whoever read before the first one was written is told so. */
    must_equal(outreach_policy_save(cx, &none, &wanted, &again), ERR_CONFLICT);
    error_clear(cx->error);
    TRY(outreach_policy_reset(cx, &first));
    TRY(outreach_policy_get_locked(cx, TYPE_EMAIL, &again));
    must(again.stored.ptr == NULL && again.rules.limits.warn_days == 7);
    must_equal(again.version, 2);
    TRY(outreach_policy_save(cx, &again, &wanted, &last));
    must_equal(last.version, 3);
    must(uuid_equal(last.id, first.id));
    must_equal(outreach_policy_save(cx, &first, &none, &again), ERR_CONFLICT);
    error_clear(cx->error);
    return OK;
}

static void test_a_version_never_comes_again(void **state)
{
    run(state, ask_versions);
}

#define TESTS(store)                                                                               \
    STORE_TEST(test_no_rules_are_the_default_and_broken_ones_an_error, store),                     \
        STORE_TEST(test_which_methods_have_a_policy, store),                                       \
        STORE_TEST(test_rules_come_back_as_they_were_written, store),                              \
        STORE_TEST(test_as_many_exceptions_as_there_may_be, store),                                \
        STORE_TEST(test_whose_limits_hold, store),                                                 \
        STORE_TEST(test_a_version_never_comes_again, store)

static const struct CMUnitTest sqlite[] = {TESTS(sqlite)};
static const struct CMUnitTest postgres[] = {TESTS(postgres)};

int main(void)
{
    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
