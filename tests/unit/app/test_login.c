/* What of signing in depends on the clock, and on what the store holds. */
#include "db/store_kit.h"

#include "app/login/login.h"
#include "app/login/password.h"

#include <sodium.h>
#include <string.h>

#define PASSWORD STR("correct horse battery")
#define EMAIL STR("ada@acme.example")
#define START_US INT64_C(1790000000000000)

/* A caller without a transaction, as a handler on a slow thread is one. */
struct caller {
    struct exec *exec;
    struct ctx cx;
    struct error error;
    struct uuid tenant_id, user_id;
    struct str token;
};

static enum err found(struct ctx *cx, void *context)
{
    struct caller *caller = context;
    struct tenant_founded made = {0};
    const struct tenant_founding in = {
        .tenant = {.name = STR("Acme")}, .admin_email = EMAIL, .admin_name = STR("Ada")};

    cx->now_us = START_US;
    TRY(tenant_found(cx, &in, &made));
    caller->tenant_id = made.tenant.id;
    caller->user_id = made.admin.id;
    caller->token = str_copy(caller->cx.arena, made.admin.token);
    return OK;
}

static void caller_init(struct caller *caller, struct test_store *store)
{
    memset(caller, 0, sizeof *caller);
    caller->exec = store->exec;
    caller->cx.arena = arena_new(MIB(4));
    caller->cx.error = &caller->error;
    caller->cx.now_us = START_US;
    assert_non_null(caller->cx.arena);
    assert_int_equal(store_kit_run(store, TX_WRITE, found, caller), OK);
}

static void caller_set_password(struct caller *caller)
{
    struct ctx cx = caller->cx;

    cx.actor.role = ROLE_OPERATOR;
    cx.actor.tenant_id = caller->tenant_id;
    assert_int_equal(login_set_password(&cx, caller->exec, caller->user_id, PASSWORD), OK);
}

static enum err try_as(struct caller *caller, struct str tenant, struct str email,
                       struct str password)
{
    static const char csrf_hash[32];
    const struct sign_in in = {tenant, email, password, STR("192.0.2.1"), {csrf_hash, 32}, DAY_US};
    struct signed_in out = {0};

    error_clear(&caller->error);
    return login_sign_in(&caller->cx, caller->exec, &in, &out);
}

static enum err try(struct caller *caller, struct str password)
{
    return try_as(caller, STR("acme"), EMAIL, password);
}

static void test_ten_failures_lock_for_a_while(void **state)
{
    struct caller caller;

    caller_init(&caller, *state);
    caller_set_password(&caller);
    for (int i = 0; i < LOGIN_ACCOUNT_FAILURES; i++)
        assert_int_equal(try(&caller, STR("wrong")), ERR_UNAUTHENTICATED);
    assert_int_equal(try(&caller, PASSWORD), ERR_TOO_MANY);
    assert_int_equal(caller.error.retry_after_s, LOGIN_LOCK_US / SECOND_US);
    caller.cx.now_us += LOGIN_LOCK_US - SECOND_US;
    assert_int_equal(try(&caller, PASSWORD), ERR_TOO_MANY);
    assert_int_equal(caller.error.retry_after_s, 1);
    caller.cx.now_us += SECOND_US;
    assert_int_equal(try(&caller, PASSWORD), OK);
    arena_free(caller.cx.arena);
}

static void test_failures_are_forgotten_with_the_window(void **state)
{
    struct test_store *store = *state;
    struct caller caller;

    caller_init(&caller, store);
    caller_set_password(&caller);
    for (int i = 0; i < LOGIN_ACCOUNT_FAILURES - 1; i++)
        assert_int_equal(try(&caller, STR("wrong")), ERR_UNAUTHENTICATED);
    caller.cx.now_us += LOGIN_WINDOW_US;
    assert_int_equal(try(&caller, STR("wrong")), ERR_UNAUTHENTICATED);
    assert_int_equal(try(&caller, STR("wrong")), ERR_UNAUTHENTICATED);
    assert_int_equal(try(&caller, PASSWORD), OK);
    /* The account's row is gone; the address keeps the two that were wrong. */
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM login_failures"), 1);
    assert_int_equal(store_kit_number(store, "SELECT failures FROM login_failures"), 2);
    arena_free(caller.cx.arena);
}

static void test_one_address_cannot_try_many_accounts(void **state)
{
    struct test_store *store = *state;
    struct caller caller;

    caller_init(&caller, store);
    caller_set_password(&caller);
    assert_int_equal(try_as(&caller, STR("nowhere"), STR("a@b.example"), STR("x")),
                     ERR_UNAUTHENTICATED);
    store_kit_sql(store, "UPDATE login_failures SET failures = 49");
    assert_int_equal(try_as(&caller, STR("acme"), STR("nobody@acme.example"), STR("x")),
                     ERR_UNAUTHENTICATED);
    assert_int_equal(try(&caller, PASSWORD), ERR_TOO_MANY);
    arena_free(caller.cx.arena);
}

static void test_an_invitation_is_good_for_seven_days(void **state)
{
    struct caller caller;

    caller_init(&caller, *state);
    caller.cx.now_us = START_US + INVITATION_US;
    assert_int_equal(login_set_password_by_token(&caller.cx, caller.exec, caller.token, PASSWORD),
                     ERR_INVALID);
    caller.cx.now_us -= SECOND_US;
    assert_int_equal(login_set_password_by_token(&caller.cx, caller.exec, caller.token, PASSWORD),
                     OK);
    error_clear(&caller.error);
    assert_int_equal(login_set_password_by_token(&caller.cx, caller.exec, caller.token, PASSWORD),
                     ERR_INVALID);
    assert_int_equal(try(&caller, PASSWORD), OK);
    arena_free(caller.cx.arena);
}

/* As if written years ago, with less memory. */
static enum err weaken(struct ctx *cx, void *context)
{
    static const char *const params[] = {"tenant_id", "hash"};
    static const struct query weaken_query = {
        "weaken",
        "UPDATE users SET password_hash = ?2 WHERE tenant_id = ?1",
        "UPDATE users SET password_hash = $2 WHERE tenant_id = $1",
        params,
        2,
        true};
    struct caller *caller = context;
    char text[crypto_pwhash_STRBYTES];

    if (crypto_pwhash_str_alg(text, PASSWORD.ptr, PASSWORD.len, crypto_pwhash_OPSLIMIT_MIN,
                              crypto_pwhash_MEMLIMIT_MIN, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return ERR_UNAVAILABLE;
    cx->actor.tenant_id = caller->tenant_id;
    return db_run(cx, &weaken_query, ARGS({"hash", v_text(str_of(text))}));
}

static void test_an_old_hash_is_made_anew(void **state)
{
    struct test_store *store = *state;
    struct caller caller;

    caller_init(&caller, store);
    assert_int_equal(store_kit_run(store, TX_WRITE, weaken, &caller), OK);
    assert_int_equal(try(&caller, STR("wrong")), ERR_UNAUTHENTICATED);
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM users WHERE password_hash "
                                             "LIKE '%m=65536%'"),
                     0);
    assert_int_equal(try(&caller, PASSWORD), OK);
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM users WHERE password_hash "
                                             "LIKE '%m=65536,t=2,p=1%'"),
                     1);
    assert_int_equal(try(&caller, PASSWORD), OK);
    arena_free(caller.cx.arena);
}

static void test_a_token_reads_back(void **state)
{
    struct arena *arena = arena_new(KIB(64));
    struct id_source ids;
    struct login_secret secret, read;
    struct uuid tenant_id, id, tenant_read, id_read;
    struct str text;

    (void)state;
    id_source_init(&ids);
    tenant_id = uuid_new(&ids, START_US);
    id = uuid_new(&ids, START_US);
    login_secret_make(&secret);
    text = token_text(arena, tenant_id, id, &secret);
    assert_true(token_parse(text, &tenant_read, &id_read, &read));
    assert_true(uuid_equal(tenant_id, tenant_read) && uuid_equal(id, id_read));
    assert_memory_equal(&secret, &read, sizeof secret);
    assert_false(token_parse(str_slice(text, 0, text.len - 1), &tenant_read, &id_read, &read));
    assert_false(token_parse(str_slice(text, 1, text.len), &tenant_read, &id_read, &read));
    ((char *)(uintptr_t)text.ptr)[10] = '+'; /* base64, but not that of URLs */
    assert_false(token_parse(text, &tenant_read, &id_read, &read));
    arena_free(arena);
}

#define TESTS(store)                                                                               \
    {                                                                                              \
        STORE_TEST(test_ten_failures_lock_for_a_while, store),                                     \
            STORE_TEST(test_failures_are_forgotten_with_the_window, store),                        \
            STORE_TEST(test_one_address_cannot_try_many_accounts, store),                          \
            STORE_TEST(test_an_invitation_is_good_for_seven_days, store),                          \
            STORE_TEST(test_an_old_hash_is_made_anew, store),                                      \
    }

int main(void)
{
    static const struct CMUnitTest sqlite[] = TESTS(sqlite);
    static const struct CMUnitTest postgres[] = TESTS(postgres);
    static const struct CMUnitTest plain[] = {cmocka_unit_test(test_a_token_reads_back)};

    if (cmocka_run_group_tests(plain, NULL, NULL) != 0)
        return 1;
    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
