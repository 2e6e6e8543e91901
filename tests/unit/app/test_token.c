/* Contact tokens and tickets, by a clock of the test's own; and what a credential is worth when
 * it is looked at again. */
#include "db/store_kit.h"

#include "app/customer/customer.h"
#include "app/tenant/tenant.h"
#include "app/token/token.h"
#include "db/caller.h"
#include "live/identity.h"
#include "work/janitor.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX (CREDENTIAL_LEN_MAX + 1)

struct scene {
    struct actor actor; /* the admin, by a key */
    int64_t start_us;
    struct uuid customer, other, key_id, token_id;
    char key[TEXT_MAX], token[TEXT_MAX];
};

/* One step of a test: who does what when. */
struct step {
    struct scene *scene;
    struct actor as;
    int64_t at_us;
    const char *text;
    char made[TEXT_MAX];
    struct uuid id;
    struct actor actor; /* who it was */
    int64_t count;
};

static void keep_text(struct str text, char out[TEXT_MAX])
{
    must(text.len < TEXT_MAX);
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
}

static enum err gather(struct ctx *cx, void *context)
{
    struct scene *scene = context;
    const struct tenant_founding founding = {
        .tenant = {.name = STR("Acme")}, .admin_email = STR("a@acme.example"), .key = true};
    const struct customer anna = {.name = STR("Anna"), .timezone = STR("Asia/Tokyo")};
    const struct customer bert = {.name = STR("Bert")};
    struct customer made = {0};
    struct tenant_founded founded = {0};
    struct credential key;
    struct login_secret secret;
    const struct key wanted = {.name = STR("k")};
    struct key key_made = {0};
    struct token token = {0};

    TRY(tenant_found(cx, &founding, &founded));
    cx->actor.tenant_id = founded.tenant.id;
    cx->actor.user_id = founded.admin.id;
    TRY(key_create(cx, &wanted, &key_made, &secret));
    key = (struct credential){.tenant_id = founded.tenant.id, .id = key_made.id};
    memcpy(key.secret, secret.bytes, sizeof(key.secret));
    scene->key[credential_text(&key, FORM_KEY, scene->key)] = '\0';
    scene->key_id = cx->actor.credential_id = key_made.id;
    cx->actor.credential_kind = CREDENTIAL_KEY;
    scene->actor = cx->actor;
    scene->start_us = cx->now_us;
    TRY(customer_create(cx, &anna, &made));
    scene->customer = made.id;
    TRY(customer_create(cx, &bert, &made));
    scene->other = made.id;
    TRY(token_create(cx, scene->customer, 60, &token));
    scene->token_id = token.id;
    keep_text(token.token, scene->token);
    return OK;
}

static struct scene begin(struct test_store *store)
{
    struct scene scene = {0};

    assert_int_equal(store_kit_run(store, TX_WRITE, gather, &scene), OK);
    return scene;
}

/* But for its texts, which end with the transaction. */
static struct actor keep_actor(const struct ctx *cx)
{
    struct actor actor = cx->actor;

    actor.user_name = actor.timezone = STR_NULL;
    return actor;
}

static enum err show(struct ctx *cx, void *context)
{
    struct step *step = context;
    enum err result;

    cx->now_us = step->at_us;
    cx->actor = (struct actor){0};
    result = caller_by_text(cx, str_of(step->text));
    step->actor = keep_actor(cx);
    must(result == OK || cx->actor.role == ROLE_NONE);
    return result;
}

/* Shows a text after so many seconds. */
static enum err shown(struct test_store *store, struct scene *scene, const char *text,
                      int64_t seconds, struct actor *out)
{
    struct step step = {
        .scene = scene, .at_us = scene->start_us + seconds * SECOND_US, .text = text};
    const enum err result = store_kit_run(store, TX_WRITE, show, &step);

    *out = step.actor;
    return result;
}

static enum err again(struct ctx *cx, void *context)
{
    struct step *step = context;

    cx->now_us = step->at_us;
    cx->actor = (struct actor){.tenant_id = step->as.tenant_id};
    TRY(caller_again(cx, step->as.credential_kind, step->as.credential_id, step->as.user_id));
    step->actor = keep_actor(cx);
    return OK;
}

static enum err rechecked(struct test_store *store, struct scene *scene, struct actor was,
                          int64_t seconds, struct actor *now)
{
    struct step step = {.as = was, .at_us = scene->start_us + seconds * SECOND_US};
    const enum err result = store_kit_run(store, TX_READ, again, &step);

    *now = step.actor;
    return result;
}

static enum err ticket(struct ctx *cx, void *context)
{
    struct step *step = context;
    struct ticket made = {0};

    cx->actor = step->as;
    cx->now_us = step->at_us;
    TRY(ticket_create(cx, &made));
    must_equal(made.expires_at, cx->now_us + 30 * SECOND_US);
    keep_text(made.ticket, step->made);
    return OK;
}

static struct step ticket_of(struct test_store *store, struct scene *scene, struct actor as)
{
    struct step step = {.scene = scene, .as = as, .at_us = scene->start_us};

    assert_int_equal(store_kit_run(store, TX_WRITE, ticket, &step), OK);
    return step;
}

static enum err revoke(struct ctx *cx, void *context)
{
    struct scene *scene = context;

    cx->actor = scene->actor;
    return token_revoke(cx, scene->customer, scene->token_id);
}

static enum err revoke_key(struct ctx *cx, void *context)
{
    struct scene *scene = context;

    cx->actor = scene->actor;
    return key_revoke(cx, scene->key_id);
}

/* ------------------------------------------------------------------ contact tokens */

static void test_a_token_until_it_expires(void **state)
{
    struct test_store *store = *state;
    struct scene scene = begin(store);
    struct actor actor, now;
    char wrong[3 * TEXT_MAX];

    assert_int_equal(shown(store, &scene, scene.token, 59, &actor), OK);
    assert_int_equal(actor.role, ROLE_CONTACT);
    assert_int_equal(actor.credential_kind, CREDENTIAL_CONTACT);
    assert_int_equal(actor.credential_expires_us, scene.start_us + 60 * SECOND_US);
    assert_true(uuid_equal(actor.contact_id, scene.customer));
    assert_true(uuid_equal(actor.credential_id, scene.token_id));
    assert_true(uuid_is_none(actor.user_id));
    assert_int_equal(shown(store, &scene, scene.token, 60, &now), ERR_UNAUTHENTICATED);
    assert_int_equal(rechecked(store, &scene, actor, 59, &now), OK);
    assert_true(uuid_equal(now.contact_id, scene.customer));
    assert_int_equal(rechecked(store, &scene, actor, 60, &now), ERR_UNAUTHENTICATED);
    memcpy(wrong, scene.token, TEXT_MAX);
    wrong[60] = wrong[60] == 'A' ? 'B' : 'A'; /* in the secret */
    assert_int_equal(shown(store, &scene, wrong, 0, &now), ERR_UNAUTHENTICATED);
    /* What is of one kind is not of another. */
    snprintf(wrong, sizeof(wrong), "tp_%s", scene.token + 4);
    assert_int_equal(shown(store, &scene, wrong, 0, &now), ERR_UNAUTHENTICATED);
    snprintf(wrong, sizeof(wrong), "tpc_%s", scene.key + 3);
    assert_int_equal(shown(store, &scene, wrong, 0, &now), ERR_UNAUTHENTICATED);
    assert_int_equal(shown(store, &scene, "", 0, &now), ERR_UNAUTHENTICATED);
}

static void test_a_revoked_token(void **state)
{
    struct test_store *store = *state;
    struct scene scene = begin(store);
    struct actor actor, now;

    assert_int_equal(shown(store, &scene, scene.token, 0, &actor), OK);
    assert_int_equal(store_kit_run(store, TX_WRITE, revoke, &scene), OK);
    assert_int_equal(store_kit_run(store, TX_WRITE, revoke, &scene), OK);
    assert_int_equal(shown(store, &scene, scene.token, 0, &now), ERR_UNAUTHENTICATED);
    assert_int_equal(rechecked(store, &scene, actor, 0, &now), ERR_UNAUTHENTICATED);
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM contact_events e "
                                             "JOIN contact_tokens k ON e.subject_id = k.id "
                                             "AND e.contact_id = k.customer_id WHERE "
                                             "e.subject_type = 'contact_token' AND e.event_type "
                                             "IN ('contact_token_created', "
                                             "'contact_token_revoked') AND NOT "
                                             "e.visible_to_client"),
                     2);
}

static enum err list(struct ctx *cx, void *context)
{
    struct step *step = context;
    struct list rows;

    cx->actor = step->as;
    TRY(token_list(cx, step->id, TIME_END, UUID_MAX, 10, 0, &rows, &step->count));
    must_equal((int64_t)rows.count, step->count);
    return OK;
}

static void test_a_merged_customer_is_the_other(void **state)
{
    struct test_store *store = *state;
    struct scene scene = begin(store);
    struct step listing = {.as = scene.actor, .id = scene.other};
    struct identity was, is;
    struct actor actor, now;

    assert_int_equal(shown(store, &scene, scene.token, 0, &actor), OK);
    store_kit_sql(store, "UPDATE customers SET deleted_at = created_at, merged_into = (SELECT id "
                         "FROM customers WHERE name = 'Bert') WHERE name = 'Anna'");
    assert_int_equal(shown(store, &scene, scene.token, 0, &now), OK);
    assert_true(uuid_equal(now.contact_id, scene.other));
    assert_int_equal(rechecked(store, &scene, actor, 0, &now), OK);
    identity_of(&actor, &was);
    identity_of(&now, &is);
    assert_true(identity_lost(&was, &is));
    assert_false(identity_lost(&is, &is));
    assert_int_equal(store_kit_run(store, TX_READ, list, &listing), OK);
    assert_int_equal(listing.count, 1);
    assert_int_equal(store_kit_run(store, TX_WRITE, revoke, &scene), OK);
    assert_int_equal(shown(store, &scene, scene.token, 0, &now), ERR_UNAUTHENTICATED);
}

static void test_a_deleted_customer_has_no_app(void **state)
{
    struct test_store *store = *state;
    struct scene scene = begin(store);
    struct actor actor, now;

    assert_int_equal(shown(store, &scene, scene.token, 0, &actor), OK);
    store_kit_sql(store, "UPDATE customers SET deleted_at = created_at, merged_into = (SELECT id "
                         "FROM customers WHERE name = 'Bert') WHERE name = 'Anna'");
    store_kit_sql(store, "UPDATE customers SET deleted_at = created_at WHERE name = 'Bert'");
    assert_int_equal(shown(store, &scene, scene.token, 0, &now), ERR_UNAUTHENTICATED);
    assert_int_equal(rechecked(store, &scene, actor, 0, &now), ERR_UNAUTHENTICATED);
    store_kit_sql(store, "UPDATE customers SET merged_into = NULL");
    assert_int_equal(shown(store, &scene, scene.token, 0, &now), ERR_UNAUTHENTICATED);
    store_kit_sql(store, "UPDATE customers SET deleted_at = NULL WHERE name = 'Anna'");
    assert_int_equal(shown(store, &scene, scene.token, 0, &now), OK);
}

/* ------------------------------------------------------------------ tickets */

static void test_a_ticket_opens_once(void **state)
{
    struct test_store *store = *state;
    struct scene scene = begin(store);
    struct step early = ticket_of(store, &scene, scene.actor);
    struct step late = ticket_of(store, &scene, scene.actor);
    struct actor contact, actor;

    assert_int_equal(shown(store, &scene, early.made, 29, &actor), OK);
    assert_int_equal(actor.role, ROLE_ADMIN);
    assert_true(uuid_equal(actor.user_id, scene.actor.user_id));
    assert_true(uuid_equal(actor.credential_id, scene.key_id));
    assert_int_equal(actor.credential_kind, CREDENTIAL_KEY);
    assert_int_equal(shown(store, &scene, early.made, 29, &actor), ERR_UNAUTHENTICATED);
    assert_int_equal(shown(store, &scene, late.made, 30, &actor), ERR_UNAUTHENTICATED);

    assert_int_equal(shown(store, &scene, scene.token, 0, &contact), OK);
    early = ticket_of(store, &scene, contact);
    assert_int_equal(shown(store, &scene, early.made, 1, &actor), OK);
    assert_int_equal(actor.role, ROLE_CONTACT);
    assert_true(uuid_equal(actor.contact_id, scene.customer));
    assert_int_equal(actor.credential_expires_us, scene.start_us + 60 * SECOND_US);
}

static void test_a_ticket_is_worth_its_credential(void **state)
{
    struct test_store *store = *state;
    struct scene scene = begin(store);
    struct step by_key = ticket_of(store, &scene, scene.actor);
    struct actor demo = scene.actor, gone = scene.actor, actor;

    assert_int_equal(store_kit_run(store, TX_WRITE, revoke_key, &scene), OK);
    assert_int_equal(shown(store, &scene, by_key.made, 0, &actor), ERR_UNAUTHENTICATED);
    demo.credential_kind = CREDENTIAL_DEMO;
    demo.credential_id = UUID_NONE;
    by_key = ticket_of(store, &scene, demo);
    assert_int_equal(shown(store, &scene, by_key.made, 0, &actor), OK);
    assert_int_equal(actor.credential_kind, CREDENTIAL_DEMO);
    assert_true(uuid_equal(actor.user_id, scene.actor.user_id));
    gone.credential_kind = CREDENTIAL_LOGIN; /* a sign-in that has ended */
    by_key = ticket_of(store, &scene, gone);
    assert_int_equal(shown(store, &scene, by_key.made, 0, &actor), ERR_UNAUTHENTICATED);
}

static void test_the_operator_gets_no_ticket(void **state)
{
    struct test_store *store = *state;
    struct scene scene = begin(store);
    struct step step = {.as = scene.actor, .at_us = scene.start_us};
    struct actor now;

    step.as.role = ROLE_OPERATOR;
    step.as.user_id = step.as.credential_id = UUID_NONE;
    step.as.credential_kind = CREDENTIAL_OPERATOR;
    assert_int_equal(store_kit_run(store, TX_WRITE, ticket, &step), ERR_FORBIDDEN);
    assert_int_equal(rechecked(store, &scene, step.as, 0, &now), OK);
    assert_int_equal(now.role, ROLE_OPERATOR);
}

/* Two at the same instant: the first has used it and does not commit before the second comes. */
struct race {
    struct test_store store; /* the second's own view: its errors are its own */
    struct step step;
    sem_t used, coming;
    enum err second;
};

static enum err use_and_wait(struct ctx *cx, void *context)
{
    struct race *race = context;

    TRY(show(cx, &race->step));
    sem_post(&race->used);
    sem_wait(&race->coming);
    return OK;
}

static void *come_second(void *context)
{
    struct race *race = context;
    struct step step;

    sem_wait(&race->used);
    step = race->step;
    sem_post(&race->coming);
    race->second = store_kit_run(&race->store, TX_WRITE, show, &step);
    return NULL;
}

static void test_two_with_one_ticket(void **state)
{
    struct test_store *store = *state;
    struct scene scene = begin(store);

    for (int round = 0; round < 10; round++) {
        struct step made = ticket_of(store, &scene, scene.actor);
        struct race race = {.store = *store, .second = OK};
        pthread_t thread;

        race.step = (struct step){.at_us = scene.start_us, .text = made.made};
        sem_init(&race.used, 0, 0);
        sem_init(&race.coming, 0, 0);
        assert_int_equal(pthread_create(&thread, NULL, come_second, &race), 0);
        assert_int_equal(store_kit_run(store, TX_WRITE, use_and_wait, &race), OK);
        pthread_join(thread, NULL);
        sem_destroy(&race.used);
        sem_destroy(&race.coming);
        assert_int_equal(race.second, ERR_UNAUTHENTICATED);
    }
}

static enum err fail_after_use(struct ctx *cx, void *context)
{
    TRY(show(cx, context));
    return error_set(cx->error, ERR_INVALID, "The rest of the request is wrong.");
}

static void test_a_ticket_outlives_a_failure(void **state)
{
    struct test_store *store = *state;
    struct scene scene = begin(store);
    struct step made = ticket_of(store, &scene, scene.actor);
    struct step step = {.at_us = scene.start_us, .text = made.made};
    struct actor actor;

    assert_int_equal(store_kit_run(store, TX_WRITE, fail_after_use, &step), ERR_INVALID);
    assert_int_equal(shown(store, &scene, made.made, 0, &actor), OK);
}

static enum err sweep(struct ctx *cx, void *context)
{
    struct step *step = context;

    cx->now_us = step->at_us;
    return janitor_sweep(cx, 100, &step->count);
}

static void test_the_expired_are_swept(void **state)
{
    struct test_store *store = *state;
    struct scene scene = begin(store);
    struct step step = {0};

    (void)ticket_of(store, &scene, scene.actor);
    step.at_us = scene.start_us + 30 * SECOND_US;
    assert_int_equal(store_kit_run(store, TX_WRITE, sweep, &step), OK);
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM stream_tickets"), 1);
    step.at_us = scene.start_us + 31 * SECOND_US;
    assert_int_equal(store_kit_run(store, TX_WRITE, sweep, &step), OK);
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM stream_tickets"), 0);
    step.at_us = scene.start_us + 7 * DAY_US;
    assert_int_equal(store_kit_run(store, TX_WRITE, sweep, &step), OK);
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM contact_tokens"), 1);
    step.at_us = scene.start_us + 7 * DAY_US + 61 * SECOND_US;
    assert_int_equal(store_kit_run(store, TX_WRITE, sweep, &step), OK);
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM contact_tokens"), 0);
}

/* ------------------------------------------------------------------ identities */

static void test_rights_that_are_lost(void **state)
{
    struct test_store *store = *state;
    struct scene scene = begin(store);
    struct identity was, is;
    struct actor actor;

    assert_int_equal(shown(store, &scene, scene.key, 0, &actor), OK);
    actor.user_name = STR("sixty-two bytes, then an umlaut: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxö!");
    assert_int_equal(actor.user_name.len, 65);
    identity_of(&actor, &was);
    assert_true(was.may_follow_tenant && was.may_audit);
    assert_int_equal(was.credential_kind, 'k');
    assert_int_equal(strlen(was.name), 62); /* not half of the ö */
    actor.role = ROLE_MANAGER;
    identity_of(&actor, &is);
    assert_true(identity_lost(&was, &is));
    assert_false(identity_lost(&is, &was));
    actor.role = ROLE_VIEWER;
    was = is;
    identity_of(&actor, &is);
    assert_true(identity_lost(&was, &is));
    actor.user_name = STR_NULL;
    identity_of(&actor, &is);
    assert_string_equal(is.name, "");
}

#define TESTS(store)                                                                               \
    {                                                                                              \
        STORE_TEST(test_a_token_until_it_expires, store), STORE_TEST(test_a_revoked_token, store), \
            STORE_TEST(test_a_merged_customer_is_the_other, store),                                \
            STORE_TEST(test_a_deleted_customer_has_no_app, store),                                 \
            STORE_TEST(test_a_ticket_opens_once, store),                                           \
            STORE_TEST(test_a_ticket_is_worth_its_credential, store),                              \
            STORE_TEST(test_the_operator_gets_no_ticket, store),                                   \
            STORE_TEST(test_two_with_one_ticket, store),                                           \
            STORE_TEST(test_a_ticket_outlives_a_failure, store),                                   \
            STORE_TEST(test_the_expired_are_swept, store),                                         \
            STORE_TEST(test_rights_that_are_lost, store),                                          \
    }

int main(void)
{
    static const struct CMUnitTest sqlite[] = TESTS(sqlite);
    static const struct CMUnitTest postgres[] = TESTS(postgres);

    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
