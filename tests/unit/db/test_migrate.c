/* Migrations: all or nothing, once, and never backwards. */
#include "store_kit.h"

#include "db/backend.h"
#include "db/migrate.h"

#include <pthread.h>
#include <string.h>

#define SAME(text) (text), (text)

static const struct migration migrations[] = {
    {1, "first", SAME("CREATE TABLE first (n bigint); CREATE TABLE also (n bigint);")},
    {2, "second", SAME("CREATE TABLE second (n bigint); INSERT INTO first VALUES (1);")},
    {3, "third", SAME("CREATE TABLE third (n bigint); CREATE TABLE first (n bigint);")},
};

static struct node node;
static struct error error;

static int prepare(void **state, bool postgres)
{
    static struct test_store store;

    store_kit_prepare(&store, postgres);
    memset(&node, 0, sizeof(node));
    node.options = store.options;
    *state = &store;
    return 0;
}

static int setup_sqlite(void **state)
{
    return prepare(state, false);
}

static int setup_postgres(void **state)
{
    return prepare(state, true);
}

static int teardown(void **state)
{
    store_kit_close(*state);
    return 0;
}

static struct db *open_db(const struct test_store *store)
{
    struct db *db = NULL;

    assert_int_equal(store->is_postgres ? postgres_open(&node, 0, &db, &error)
                                        : sqlite_open(&node, SQLITE_WRITER, 0, MIB(1), &db, &error),
                     OK);
    return db;
}

static int64_t number(struct db *db, const struct query *query)
{
    struct ctx cx = {.db = db, .error = &error};
    int64_t out = -1;

    assert_int_equal(db_begin(db, TX_READ), OK);
    if (db_int(&cx, query, NO_ARGS, &out) != OK)
        out = -1;
    db_rollback(db);
    return out;
}

static const struct query newest = {
    .name = "newest",
    .sqlite = "SELECT max(number) FROM schema_migrations",
    .postgres = "SELECT max(number) FROM schema_migrations",
};
static const struct query firsts = {
    .name = "firsts",
    .sqlite = "SELECT count(*) FROM first",
    .postgres = "SELECT count(*) FROM first",
};
static const struct query thirds = {
    .name = "thirds",
    .sqlite = "SELECT count(*) FROM third",
    .postgres = "SELECT count(*) FROM third",
};

static void test_steps(void **state)
{
    struct db *db = open_db(*state);

    assert_int_equal(migrate_run(db, migrations, 1, &error), OK);
    assert_int_equal(number(db, &newest), 1);
    assert_int_equal(migrate_run(db, migrations, 2, &error), OK);
    assert_int_equal(migrate_run(db, migrations, 2, &error), OK); /* again: nothing */
    assert_int_equal(number(db, &newest), 2);
    assert_int_equal(number(db, &firsts), 1);
    db_close(db);
}

static void test_half_is_nothing(void **state)
{
    struct db *db = open_db(*state);

    assert_int_equal(migrate_run(db, migrations, 1, &error), OK);
    assert_int_not_equal(migrate_run(db, migrations, 3, &error), OK);
    assert_non_null(strstr(error.detail, "Migration 3 (third) failed"));
    assert_int_equal(number(db, &newest), 1);
    assert_int_equal(number(db, &firsts), 0);
    assert_int_equal(number(db, &thirds), -1);
    assert_int_equal(migrate_run(db, migrations, 2, &error), OK);
    assert_int_equal(number(db, &firsts), 1);
    db_close(db);
}

static void test_newer_is_refused(void **state)
{
    struct db *db = open_db(*state);

    assert_int_equal(migrate_run(db, migrations, 2, &error), OK);
    assert_int_equal(migrate_run(db, migrations, 1, &error), ERR_CONFLICT);
    assert_non_null(strstr(error.detail, "newer than this program"));
    db_close(db);
}

/* Nodes that start at once: one works, the others find it done. */
struct starter {
    pthread_t thread;
    const struct test_store *store;
    struct error error;
    enum err result;
};

static void *start(void *context)
{
    struct starter *starter = context;
    struct db *db = NULL;

    starter->result = postgres_open(&node, 0, &db, &starter->error);
    if (starter->result == OK)
        starter->result = migrate_run(db, migrations, 2, &starter->error);
    db_close(db);
    return NULL;
}

static void test_several_at_once(void **state)
{
    static struct starter starters[4];
    const struct test_store *store = *state;
    struct db *db;

    if (!store->is_postgres)
        return; /* the lock file keeps them apart */
    for (size_t i = 0; i < COUNT_OF(starters); i++) {
        starters[i].store = store;
        assert_int_equal(pthread_create(&starters[i].thread, NULL, start, &starters[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(starters); i++) {
        pthread_join(starters[i].thread, NULL);
        if (starters[i].result != OK)
            fail_msg("%s", starters[i].error.detail);
    }
    db = open_db(store);
    assert_int_equal(number(db, &firsts), 1);
    db_close(db);
}

#define TEST(test, store)                                                                          \
    {                                                                                              \
#test " on " #store, test, setup_##store, teardown, NULL                                   \
    }
#define TESTS(store)                                                                               \
    {                                                                                              \
        TEST(test_steps, store), TEST(test_half_is_nothing, store),                                \
            TEST(test_newer_is_refused, store), TEST(test_several_at_once, store),                 \
    }

int main(void)
{
    static const struct CMUnitTest sqlite[] = TESTS(sqlite);
    static const struct CMUnitTest postgres[] = TESTS(postgres);

    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
