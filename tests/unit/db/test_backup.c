/* Backup while others write, and restore. */
#include "store_kit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct query insert_query = {
    .name = "pair_insert",
    .sqlite = "INSERT INTO pairs (n, text) VALUES (?1, hex(zeroblob(500)))",
    .postgres = "INSERT INTO pairs (n, text) VALUES ($1, '')",
    .params = (const char *const[]){"n"},
    .param_count = 1,
    .writes = true,
};

/* Two rows in each transaction: a copy with an odd number caught one half-way. */
static enum err insert_pair(struct ctx *cx, void *context)
{
    (void)context;
    TRY(db_run(cx, &insert_query, ARGS({"n", v_int(1)})));
    return db_run(cx, &insert_query, ARGS({"n", v_int(2)}));
}

static atomic_bool stop_writing;

static void *write_on(void *context)
{
    while (!atomic_load(&stop_writing))
        must(store_kit_run(context, TX_WRITE, insert_pair, NULL) == OK);
    return NULL;
}

struct seen {
    int64_t calls, done, total;
};

static void note(void *context, int64_t done, int64_t total)
{
    struct seen *seen = context;

    assert_true(done >= seen->done && done <= total);
    *seen = (struct seen){seen->calls + 1, done, total};
}

static void path_in(const struct test_store *store, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", store->dir, name);
}

static void test_backup_and_restore(void **state)
{
    struct test_store *store = *state;
    struct test_store writing = *store, restored = {0};
    struct seen seen = {0};
    struct stat info;
    char path[128], beside[128];
    int64_t rows, copied;
    pthread_t thread;

    if (store->is_postgres) {
        assert_int_equal(exec_backup(&store->options, "/nowhere", &store->error, NULL, NULL),
                         ERR_CONFLICT);
        return;
    }
    store_kit_sql(store, "CREATE TABLE pairs (n bigint NOT NULL, text text NOT NULL)");
    for (int i = 0; i < 2000; i++)
        assert_int_equal(store_kit_run(store, TX_WRITE, insert_pair, NULL), OK);
    path_in(store, "copy.db", path);
    atomic_store(&stop_writing, false);
    assert_int_equal(pthread_create(&thread, NULL, write_on, &writing), 0);
    if (exec_backup(&store->options, path, &store->error, note, &seen) != OK)
        fail_msg("%s", store->error.detail);
    atomic_store(&stop_writing, true);
    pthread_join(thread, NULL);
    rows = store_kit_number(store, "SELECT count(*) FROM pairs");
    assert_true(seen.calls > 1);
    assert_int_equal(seen.done, seen.total);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    path_in(store, "copy.db.part", beside);
    assert_int_not_equal(access(beside, F_OK), 0);
    path_in(store, "copy.db-wal", beside);
    assert_int_not_equal(access(beside, F_OK), 0);
    /* Never over another file. */
    assert_int_equal(exec_backup(&store->options, path, &store->error, NULL, NULL), ERR_CONFLICT);

    store_kit_prepare(&restored, false);
    assert_int_equal(exec_restore(path, restored.dir, &restored.error, NULL, NULL), OK);
    store_kit_reopen(&restored);
    copied = store_kit_number(&restored, "SELECT count(*) FROM pairs");
    assert_in_range(copied, 4000, rows);
    assert_int_equal(copied % 2, 0);
    /* Not over a store, and not where one is running. */
    assert_int_equal(exec_restore(path, restored.dir, &restored.error, NULL, NULL), ERR_CONFLICT);
    exec_close(restored.exec);
    restored.exec = NULL;
    assert_int_equal(exec_restore(path, restored.dir, &restored.error, NULL, NULL), ERR_CONFLICT);
    store_kit_close(&restored);
}

/* What is damaged, or no store at all, is found out before anything is made of it. */
static void test_damage(void **state)
{
    struct test_store *store = *state;
    struct test_store target;
    char path[128], made[128];
    FILE *file;

    if (store->is_postgres)
        return;
    store_kit_sql(store, "CREATE TABLE pairs (n bigint NOT NULL, text text NOT NULL)");
    store_kit_sql(store, "CREATE INDEX pairs_n ON pairs (n)");
    for (int i = 0; i < 500; i++)
        assert_int_equal(store_kit_run(store, TX_WRITE, insert_pair, NULL), OK);
    path_in(store, "copy.db", path);
    assert_int_equal(exec_backup(&store->options, path, &store->error, NULL, NULL), OK);
    file = fopen(path, "r+b");
    assert_non_null(file);
    for (long page = 20; page < 60; page++) {
        assert_int_equal(fseek(file, page * 4096 + 100, SEEK_SET), 0);
        for (int i = 0; i < 1000; i++)
            assert_int_not_equal(fputc(0x5A, file), EOF);
    }
    assert_int_equal(fclose(file), 0);
    store_kit_prepare(&target, false);
    assert_int_not_equal(exec_restore(path, target.dir, &target.error, NULL, NULL), OK);
    path_in(&target, "touchpoint.db", made);
    assert_int_not_equal(access(made, F_OK), 0);

    file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fputs("This is not a store.\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_not_equal(exec_restore(path, target.dir, &target.error, NULL, NULL), OK);
    path_in(store, "missing.db", path);
    assert_int_not_equal(exec_restore(path, target.dir, &target.error, NULL, NULL), OK);
    assert_int_not_equal(access(made, F_OK), 0);
    assert_int_equal(
        exec_backup(&store->options, "/no/such/folder/copy.db", &store->error, NULL, NULL),
        ERR_UNAVAILABLE);
    store_kit_close(&target);
}

int main(void)
{
    static const struct CMUnitTest sqlite[] = {STORE_TEST(test_backup_and_restore, sqlite),
                                               STORE_TEST(test_damage, sqlite)};
    static const struct CMUnitTest postgres[] = {STORE_TEST(test_backup_and_restore, postgres),
                                                 STORE_TEST(test_damage, postgres)};

    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
