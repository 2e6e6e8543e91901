/* What a user leaves behind, and who must stay. */
#include "db/store_kit.h"

#include "app/company/company.h"
#include "app/customer/customer.h"
#include "app/tenant/tenant.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>

struct team {
    struct actor actor;
    struct uuid admin, leaver, heir, customer, company;
};

static enum err invite(struct ctx *cx, struct str email, struct uuid *out)
{
    const struct user in = {.email = email, .role = USER_AGENT};
    struct user made = {0};

    TRY(user_invite(cx, &in, &made));
    *out = made.id;
    return OK;
}

static enum err gather(struct ctx *cx, void *context)
{
    struct team *team = context;
    const struct tenant_founding founding = {
        .tenant = {.name = STR("Acme")}, .admin_email = STR("a@acme.example"), .key = true};
    struct tenant_founded made = {0};
    struct login_secret secret;
    struct customer customer = {.name = STR("Customer")}, customer_made = {0};
    struct company company = {.name = STR("Company")}, company_made = {0};
    struct key key = {.name = STR("theirs")}, key_made = {0};

    TRY(tenant_found(cx, &founding, &made));
    cx->actor.tenant_id = made.tenant.id;
    cx->actor.user_id = team->admin = made.admin.id;
    team->actor = cx->actor;
    TRY(invite(cx, STR("leaver@acme.example"), &team->leaver));
    TRY(invite(cx, STR("heir@acme.example"), &team->heir));
    key.user_id = customer.owner_id = company.owner_id = team->leaver;
    TRY(key_create(cx, &key, &key_made, &secret));
    TRY(company_create(cx, &company, &company_made));
    TRY(customer_create(cx, &customer, &customer_made));
    team->customer = customer_made.id;
    team->company = company_made.id;
    return OK;
}

struct leaving {
    struct team *team;
    struct uuid who, heir;
    struct user left;
};

static enum err leave(struct ctx *cx, void *context)
{
    struct leaving *leaving = context;

    cx->actor = leaving->team->actor;
    return user_deactivate(cx, leaving->who, leaving->heir, &leaving->left);
}

static enum err owners(struct ctx *cx, void *context)
{
    struct leaving *leaving = context;
    struct customer customer = {0};
    struct company company = {0};

    cx->actor = leaving->team->actor;
    TRY(customer_get(cx, leaving->team->customer, &customer));
    TRY(company_get(cx, leaving->team->company, &company));
    assert_true(uuid_equal(customer.owner_id, leaving->heir));
    assert_true(uuid_equal(company.owner_id, leaving->heir));
    return OK;
}

/* One open follow-up and one that is done, of the only customer and its owner. */
static void add_follow_ups(struct test_store *store)
{
#define COLUMNS                                                                                    \
    "tenant_id, id, interaction_number, customer_id, type, direction, participants, "              \
    "started_at, follow_up_required, follow_up_notified, follow_up_assignee, "                     \
    "follow_up_completed_at, follow_up_due, responded, version, created_at, updated_at"
    store_kit_sql(store, "INSERT INTO interactions (" COLUMNS ") "
                         "SELECT tenant_id, id, 'INT-2026-00001', id, 'call', 'outbound', '[]', "
                         "created_at, true, true, owner_id, NULL, created_at, false, 1, "
                         "created_at, created_at FROM customers");
    store_kit_sql(store, "INSERT INTO interactions (" COLUMNS ") "
                         "SELECT tenant_id, owner_id, 'INT-2026-00002', id, 'call', 'outbound', "
                         "'[]', created_at, true, true, owner_id, created_at, NULL, false, 1, "
                         "created_at, created_at FROM customers");
#undef COLUMNS
}

static int64_t events(struct test_store *store, const char *event_type)
{
    static char sql[5][128];
    static size_t next;
    char *text = sql[next++ % COUNT_OF(sql)];

    snprintf(text, sizeof sql[0], "SELECT count(*) FROM contact_events WHERE event_type = '%s'",
             event_type);
    return store_kit_number(store, text);
}

static void hand_over(struct test_store *store, bool to_nobody)
{
    struct team team = {0};
    struct leaving leaving = {.team = &team};

    assert_int_equal(store_kit_run(store, TX_WRITE, gather, &team), OK);
    add_follow_ups(store);
    leaving.who = team.leaver;
    leaving.heir = to_nobody ? UUID_NONE : team.heir;
    assert_int_equal(store_kit_run(store, TX_WRITE, leave, &leaving), OK);
    assert_false(leaving.left.active);
    assert_int_equal(store_kit_run(store, TX_READ, owners, &leaving), OK);

    assert_int_equal(events(store, "user_deactivated"), 1);
    assert_int_equal(events(store, to_nobody ? "agent_unassigned" : "agent_transferred"), 1);
    assert_int_equal(events(store, "follow_up_assigned"), 1);
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM api_keys WHERE revoked_at "
                                             "IS NULL"),
                     1); /* the admin's */
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM user_tokens"), 2);
    /* The one that is done stays whose it was. */
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM interactions i JOIN users u "
                                             "ON u.id = i.follow_up_assignee WHERE u.email = "
                                             "'leaver@acme.example'"),
                     1);
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM interactions i JOIN users u "
                                             "ON u.id = i.follow_up_assignee WHERE u.email = "
                                             "'heir@acme.example' AND NOT follow_up_notified"),
                     to_nobody ? 0 : 1);

    /* Again: nothing more happens. */
    assert_int_equal(store_kit_run(store, TX_WRITE, leave, &leaving), OK);
    assert_int_equal(events(store, "user_deactivated"), 1);
}

static void test_an_heir_takes_over(void **state)
{
    hand_over(*state, false);
}

static void test_nobody_takes_over(void **state)
{
    hand_over(*state, true);
}

/* Somebody gives the leaver a customer, and is not done yet when the leaver leaves. */
struct late_gift {
    struct test_store store;
    struct team *team;
    struct uuid customer;
    sem_t given;
    pthread_t thread;
};

static enum err give_late(struct ctx *cx, void *context)
{
    struct late_gift *gift = context;
    const struct customer customer = {.name = STR("Late"), .owner_id = gift->team->leaver};
    struct customer made = {0};

    cx->actor = gift->team->actor;
    TRY(customer_create(cx, &customer, &made));
    gift->customer = made.id;
    sem_post(&gift->given);
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    return OK;
}

static void *run_gift(void *context)
{
    struct late_gift *gift = context;

    must(store_kit_run(&gift->store, TX_WRITE, give_late, gift) == OK);
    return NULL;
}

static void test_nothing_is_given_to_who_has_left(void **state)
{
    struct test_store *store = *state;
    struct team team = {0};
    struct late_gift gift = {.store = *store, .team = &team};
    struct leaving leaving = {.team = &team};

    assert_int_equal(store_kit_run(store, TX_WRITE, gather, &team), OK);
    leaving.who = team.leaver;
    leaving.heir = team.heir;
    sem_init(&gift.given, 0, 0);
    assert_int_equal(pthread_create(&gift.thread, NULL, run_gift, &gift), 0);
    sem_wait(&gift.given);
    assert_int_equal(store_kit_run(store, TX_WRITE, leave, &leaving), OK);
    pthread_join(gift.thread, NULL);
    sem_destroy(&gift.given);
    team.customer = gift.customer;
    assert_int_equal(store_kit_run(store, TX_READ, owners, &leaving), OK);
}

static void test_the_last_admin_stays(void **state)
{
    struct test_store *store = *state;
    struct team team = {0};
    struct leaving leaving = {.team = &team};

    assert_int_equal(store_kit_run(store, TX_WRITE, gather, &team), OK);
    leaving.who = team.admin;
    leaving.heir = team.heir;
    assert_int_equal(store_kit_run(store, TX_WRITE, leave, &leaving), ERR_CONFLICT);
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM users WHERE NOT active"), 0);
    assert_int_equal(events(store, "user_deactivated"), 0);
}

#define TESTS(store)                                                                               \
    {                                                                                              \
        STORE_TEST(test_an_heir_takes_over, store), STORE_TEST(test_nobody_takes_over, store),     \
            STORE_TEST(test_nothing_is_given_to_who_has_left, store),                              \
            STORE_TEST(test_the_last_admin_stays, store),                                          \
    }

int main(void)
{
    static const struct CMUnitTest sqlite[] = TESTS(sqlite);
    static const struct CMUnitTest postgres[] = TESTS(postgres);

    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
