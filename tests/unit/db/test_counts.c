/* Kept totals: always what counting would say. */
#include "store_kit.h"

#include "db/counts.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct change {
    const char *list;
    struct str key;
    int64_t delta;
    enum err fails_with;
};

static enum err add(struct ctx *cx, void *context)
{
    const struct change *change = context;

    TRY(count_add(cx, change->list, change->key, change->delta));
    return change->fails_with == OK ? OK : error_set(cx->error, change->fails_with, "As asked.");
}

struct total {
    const char *list;
    struct str key;
    int64_t n;
};

static enum err get(struct ctx *cx, void *context)
{
    struct total *total = context;

    return count_get(cx, total->list, total->key, &total->n);
}

static int64_t total_of(struct test_store *store, const char *list, struct str key)
{
    struct total total = {list, key, -1};

    assert_int_equal(store_kit_run(store, TX_READ, get, &total), OK);
    return total.n;
}

static void change(struct test_store *store, const char *list, struct str key, int64_t delta)
{
    struct change change = {list, key, delta, OK};

    assert_int_equal(store_kit_run(store, TX_WRITE, add, &change), OK);
}

static void test_totals(void **state)
{
    struct test_store *store = *state;
    struct change failing = {"things", STR(""), 100, ERR_INVALID};
    char long_key[65];

    assert_int_equal(total_of(store, "things", STR("")), 0);
    change(store, "things", STR(""), 3);
    change(store, "things", STR(""), -1);
    change(store, "things.type", STR("call"), 7);
    assert_int_equal(total_of(store, "things", STR("")), 2);
    assert_int_equal(total_of(store, "things.type", STR("call")), 7);
    assert_int_equal(total_of(store, "things.type", STR("calls")), 0);
    assert_int_equal(store_kit_run(store, TX_WRITE, add, &failing), ERR_INVALID);
    assert_int_equal(total_of(store, "things", STR("")), 2);
    /* Another tenant's are its own. */
    store->actor.tenant_id = (struct uuid){{9}};
    assert_int_equal(total_of(store, "things", STR("")), 0);
    change(store, "things", STR(""), 1);
    store->actor.tenant_id = (struct uuid){{1, 2, 3}};
    assert_int_equal(total_of(store, "things", STR("")), 2);
    memset(long_key, 'x', sizeof(long_key));
    failing.key = (struct str){long_key, sizeof(long_key)};
    assert_int_equal(store_kit_run(store, TX_WRITE, add, &failing), ERR_INTERNAL);
}

/* Several in one transaction, by id; up and down again leaves no row behind to be added. */
static enum err add_many(struct ctx *cx, void *context)
{
    (void)context;
    for (uint8_t i = 1; i <= 20; i++) {
        TRY(count_add_uuid(cx, "things.owner", (struct uuid){{(uint8_t)(1 + i % 4)}}, 1));
        TRY(count_add(cx, "things", STR(""), 1));
        TRY(count_add(cx, "none", STR(""), i % 2 == 0 ? 1 : -1));
    }
    return OK;
}

static enum err get_owner(struct ctx *cx, void *context)
{
    return count_get_uuid(cx, "things.owner", (struct uuid){{1}}, context);
}

static void test_sums(void **state)
{
    struct test_store *store = *state;
    int64_t n = 0;

    assert_int_equal(store_kit_run(store, TX_WRITE, add_many, NULL), OK);
    assert_int_equal(store_kit_run(store, TX_WRITE, add_many, NULL), OK);
    assert_int_equal(total_of(store, "things", STR("")), 40);
    assert_int_equal(store_kit_run(store, TX_READ, get_owner, &n), OK);
    assert_int_equal(n, 10);
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM kept_counts"), 5);
}

/* Many at once, on the same totals in any order: none is lost, and no one waits in a circle. */
enum { THREADS = 6, EACH = 60 };

static enum err add_in_some_order(struct ctx *cx, void *context)
{
    const int start = *(const int *)context;

    for (int i = 0; i < 5; i++) {
        char key = (char)('a' + (start + i) % 5);

        TRY(count_add(cx, "hot", (struct str){&key, 1}, 1));
    }
    return OK;
}

static void *add_all(void *context)
{
    for (int i = 0; i < EACH; i++)
        must(store_kit_run(context, TX_WRITE, add_in_some_order, &i) == OK);
    return NULL;
}

static void test_many_at_once(void **state)
{
    struct test_store *store = *state;
    struct test_store copies[THREADS]; /* each has its own error */
    pthread_t threads[THREADS];
    struct exec_stats stats;

    for (size_t i = 0; i < THREADS; i++) {
        copies[i] = *store;
        assert_int_equal(pthread_create(&threads[i], NULL, add_all, &copies[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (const char *key = "abcde"; *key != '\0'; key++)
        assert_int_equal(total_of(store, "hot", (struct str){key, 1}), THREADS * EACH);
    exec_stats(store->exec, &stats);
    assert_int_equal(stats.reruns, 0);
    if (!store->is_postgres)
        assert_int_equal(store_kit_number(store, "SELECT max(shard) FROM kept_counts"), 0);
}

int main(void)
{
    static const struct CMUnitTest sqlite[] = {STORE_TEST(test_totals, sqlite),
                                               STORE_TEST(test_sums, sqlite),
                                               STORE_TEST(test_many_at_once, sqlite)};
    static const struct CMUnitTest postgres[] = {STORE_TEST(test_totals, postgres),
                                                 STORE_TEST(test_sums, postgres),
                                                 STORE_TEST(test_many_at_once, postgres)};

    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
