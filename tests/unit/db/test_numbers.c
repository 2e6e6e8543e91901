/* Human numbers: never twice, rising on a node, whatever happens between. */
#include "store_kit.h"

#include "db/numbers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct draw {
    const char *kind;
    int year;
    int64_t number;
    enum err fails_with;
};

static enum err draw_number(struct ctx *cx, void *context)
{
    struct draw *draw = context;

    TRY(number_next(cx, draw->kind, draw->year, &draw->number));
    return draw->fails_with == OK ? OK : error_set(cx->error, draw->fails_with, "As asked.");
}

static int64_t next(struct test_store *store, const char *kind, int year)
{
    struct draw draw = {kind, year, 0, OK};

    assert_int_equal(store_kit_run(store, TX_WRITE, draw_number, &draw), OK);
    return draw.number;
}

static void test_order(void **state)
{
    struct test_store *store = *state;
    struct draw failing = {"interaction", 2026, 0, ERR_INVALID};
    int64_t number = 0;

    assert_int_equal(next(store, "interaction", 2026), 1);
    assert_int_equal(next(store, "interaction", 2026), 2);
    assert_int_equal(next(store, "interaction", 2027), 1);
    assert_int_equal(next(store, "message", 2026), 1);
    assert_int_equal(store_kit_run(store, TX_WRITE, draw_number, &failing), ERR_INVALID);
    for (int i = 0; i < 250; i++) { /* past the end of a block */
        const int64_t newer = next(store, "interaction", 2026);

        assert_true(newer > number && newer > 2);
        number = newer;
    }
    store->actor.tenant_id = (struct uuid){{5}};
    assert_int_equal(next(store, "interaction", 2026), 1);
}

/* A node that ends in the middle of a block leaves a gap; two nodes share no number. */
static void test_restart(void **state)
{
    struct test_store *store = *state;
    struct test_store other;
    int64_t first = next(store, "interaction", 2026), second;

    store_kit_reopen(store);
    second = next(store, "interaction", 2026);
    assert_true(second > first);
    if (!store->is_postgres)
        return;
    assert_int_equal(second, 101);
    other = *store;
    other.exec = NULL;
    store_kit_reopen(&other);
    assert_int_equal(next(&other, "interaction", 2026), 201);
    assert_int_equal(next(store, "interaction", 2026), 102);
    assert_int_equal(next(&other, "interaction", 2026), 202);
    exec_close(other.exec);
}

enum { MANY = 350, RUNS_ENOUGH = 8 };

struct draws {
    int64_t numbers[MANY];
    int runs;
};

static enum err draw_many(struct ctx *cx, void *context)
{
    struct draws *draws = context;

    if (++draws->runs > RUNS_ENOUGH)
        return error_set(cx->error, ERR_INTERNAL, "It would run for ever.");
    for (int i = 0; i < MANY; i++)
        TRY(number_next(cx, "interaction", 2026, &draws->numbers[i]));
    return OK;
}

/* More than a node reserves at a time: a bulk request, a portion of an import. */
static void test_many_in_one_transaction(void **state)
{
    static struct draws draws;
    struct test_store *store = *state;

    for (int round = 0; round < 2; round++) {
        const int64_t before = next(store, "interaction", 2026);

        draws.runs = 0;
        assert_int_equal(store_kit_run(store, TX_WRITE, draw_many, &draws), OK);
        assert_true(draws.numbers[0] > before);
        for (int i = 1; i < MANY; i++)
            assert_true(draws.numbers[i] > draws.numbers[i - 1]);
    }
}

/* The tenant is made by the job itself, anew in each run. */
static enum err draw_for_new_tenant(struct ctx *cx, void *context)
{
    cx->actor.tenant_id = uuid_new(cx->ids, cx->now_us);
    return draw_many(cx, context);
}

static void test_a_new_tenant(void **state)
{
    static struct draws draws;

    draws.runs = 0;
    assert_int_equal(store_kit_run(*state, TX_WRITE, draw_for_new_tenant, &draws), OK);
    assert_int_equal(draws.numbers[0], 1);
    assert_int_equal(draws.numbers[MANY - 1], MANY);
}

enum { THREADS = 4, EACH = 150 };

struct drawer {
    pthread_t thread;
    struct test_store store;
    int64_t numbers[EACH];
};

static void *draw_all(void *context)
{
    struct drawer *drawer = context;

    for (int i = 0; i < EACH; i++) {
        struct draw draw = {"interaction", 2026, 0, OK};

        must(store_kit_run(&drawer->store, TX_WRITE, draw_number, &draw) == OK);
        drawer->numbers[i] = draw.number;
    }
    return NULL;
}

static void test_many_at_once(void **state)
{
    static struct drawer drawers[THREADS];
    static bool seen[2 * THREADS * EACH + 1];

    memset(seen, 0, sizeof(seen));
    for (size_t i = 0; i < THREADS; i++) {
        drawers[i].store = *(struct test_store *)*state;
        assert_int_equal(pthread_create(&drawers[i].thread, NULL, draw_all, &drawers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(drawers[i].thread, NULL);
    for (size_t i = 0; i < THREADS; i++) {
        for (size_t j = 0; j < EACH; j++) {
            const int64_t number = drawers[i].numbers[j];

            assert_in_range(number, 1, 2 * THREADS * EACH);
            assert_false(seen[number]);
            assert_true(j == 0 || number > drawers[i].numbers[j - 1]);
            seen[number] = true;
        }
    }
}

int main(void)
{
    static const struct CMUnitTest sqlite[] = {
        STORE_TEST(test_order, sqlite), STORE_TEST(test_restart, sqlite),
        STORE_TEST(test_many_in_one_transaction, sqlite), STORE_TEST(test_a_new_tenant, sqlite),
        STORE_TEST(test_many_at_once, sqlite)};
    static const struct CMUnitTest postgres[] = {
        STORE_TEST(test_order, postgres), STORE_TEST(test_restart, postgres),
        STORE_TEST(test_many_in_one_transaction, postgres), STORE_TEST(test_a_new_tenant, postgres),
        STORE_TEST(test_many_at_once, postgres)};

    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
