/* Threads, queues, batches, reruns. */
#include "store_kit.h"

#include "base/time.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAME(text) .sqlite = (text), .postgres = (text)
#define PARAMS(...)                                                                                \
    .params = (const char *const[]){__VA_ARGS__},                                                  \
    .param_count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static const struct query insert_query = {
    .name = "row_insert",
    .sqlite = "INSERT INTO rows (n, text) VALUES (?1, ?2)",
    .postgres = "INSERT INTO rows (n, text) VALUES ($1, $2)",
    PARAMS("n", "text"),
    .writes = true,
};
static const struct query bump_query = {
    .name = "row_bump",
    .sqlite = "UPDATE rows SET bumps = bumps + 1 WHERE n = ?1 RETURNING bumps",
    .postgres = "UPDATE rows SET bumps = bumps + 1 WHERE n = $1 RETURNING bumps",
    PARAMS("n"),
    .writes = true,
};
static const struct query count_query = {.name = "row_count", SAME("SELECT count(*) FROM rows")};

/* A job that is waited for together with others. */
struct task {
    struct job job;
    struct test_store *store;
    int64_t n;
    enum err fails_with;
    enum err (*fn)(struct ctx *cx, struct task *task);
    struct error error;
    enum err result;
    char why[200];
    int runs;
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int left;
    bool open; /* the gate that hold_gate() waits for */
    int holding;
} wait = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false, 0};

static enum err run_task(struct job *job, struct db *db, struct id_source *ids)
{
    struct task *task = (struct task *)job;
    struct arena *arena = db ? arena_new(MIB(1)) : NULL;
    struct ctx cx = {.db = db,
                     .arena = arena,
                     .error = &task->error,
                     .actor = task->store->actor,
                     .now_us = time_now_us(),
                     .ids = ids};
    enum err result;

    task->runs++;
    result = task->fn(&cx, task);
    arena_free(arena);
    return result;
}

static void done_task(struct job *job, enum err result)
{
    pthread_mutex_lock(&wait.mutex);
    ((struct task *)job)->result = result;
    snprintf(((struct task *)job)->why, sizeof(((struct task *)job)->why), "%s",
             job->why ? job->why : "");
    wait.left--;
    pthread_cond_broadcast(&wait.changed);
    pthread_mutex_unlock(&wait.mutex);
}

static void wait_for_all(void)
{
    pthread_mutex_lock(&wait.mutex);
    while (wait.left > 0)
        pthread_cond_wait(&wait.changed, &wait.mutex);
    pthread_mutex_unlock(&wait.mutex);
}

static struct task *make_tasks(struct test_store *store, size_t count, enum tx tx,
                               enum err (*fn)(struct ctx *cx, struct task *task))
{
    struct task *tasks = calloc(count, sizeof(*tasks));

    assert_non_null(tasks);
    for (size_t i = 0; i < count; i++) {
        tasks[i].job = (struct job){.tx = tx, .run = run_task, .done = done_task};
        tasks[i].store = store;
        tasks[i].fn = fn;
        tasks[i].n = (int64_t)i;
    }
    return tasks;
}

static bool submit(struct task *task)
{
    bool taken;

    pthread_mutex_lock(&wait.mutex);
    wait.left++;
    pthread_mutex_unlock(&wait.mutex);
    taken = exec_submit(task->store->exec, &task->job);
    if (!taken) {
        pthread_mutex_lock(&wait.mutex);
        wait.left--;
        pthread_mutex_unlock(&wait.mutex);
    }
    return taken;
}

static int64_t count_rows(struct test_store *store)
{
    return store_kit_number(store, "SELECT count(*) FROM rows");
}

static enum err insert_row(struct ctx *cx, struct task *task)
{
    TRY(db_run(cx, &insert_query, ARGS({"n", v_int(task->n)}, {"text", v_text(STR("some text"))})));
    return task->fails_with == OK ? OK : error_set(cx->error, task->fails_with, "As asked.");
}

/* Occupies a store thread until open_gate(). */
static enum err hold_gate(struct ctx *cx, struct task *task)
{
    (void)cx;
    (void)task;
    pthread_mutex_lock(&wait.mutex);
    wait.holding++;
    pthread_cond_broadcast(&wait.changed);
    while (!wait.open)
        pthread_cond_wait(&wait.changed, &wait.mutex);
    pthread_mutex_unlock(&wait.mutex);
    return OK;
}

static void close_gate(struct task *holders, size_t count)
{
    wait.open = false;
    wait.holding = 0;
    for (size_t i = 0; i < count; i++)
        assert_true(submit(&holders[i]));
    pthread_mutex_lock(&wait.mutex);
    while (wait.holding < (int)count)
        pthread_cond_wait(&wait.changed, &wait.mutex);
    pthread_mutex_unlock(&wait.mutex);
}

static void open_gate(void)
{
    pthread_mutex_lock(&wait.mutex);
    wait.open = true;
    pthread_cond_broadcast(&wait.changed);
    pthread_mutex_unlock(&wait.mutex);
}

/* As many as it takes to occupy every thread that writes. */
static size_t writers(const struct test_store *store)
{
    return store->is_postgres ? (size_t)store->options.connections : 1;
}

static void make_table(struct test_store *store)
{
    store_kit_sql(store, "CREATE TABLE rows (n bigint NOT NULL, text text NOT NULL, "
                         "bumps bigint NOT NULL DEFAULT 0)");
}

static int setup_sqlite(void **state)
{
    store_kit_setup_sqlite(state);
    make_table(*state);
    return 0;
}

static int setup_postgres(void **state)
{
    store_kit_setup_postgres(state);
    make_table(*state);
    return 0;
}

/* Every job stands alone: what fails takes nothing with it, and shares the commit. */
static void test_batches(void **state)
{
    enum { COUNT = 300 };
    struct test_store *store = *state;
    struct task *gate = make_tasks(store, writers(store), TX_WRITE, hold_gate);
    struct task *tasks = make_tasks(store, COUNT, TX_WRITE, insert_row);
    struct exec_stats before, after;

    exec_stats(store->exec, &before);
    close_gate(gate, writers(store));
    for (size_t i = 0; i < COUNT; i++) {
        if (i % 3 == 0)
            tasks[i].fails_with = i % 2 == 0 ? ERR_CONFLICT : ERR_INVALID;
        assert_true(submit(&tasks[i]));
    }
    exec_stats(store->exec, &after);
    assert_int_equal(after.queued, COUNT);
    open_gate();
    wait_for_all();
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(tasks[i].result, tasks[i].fails_with);
        assert_string_equal(tasks[i].why, "");
    }
    exec_stats(store->exec, &after);
    assert_int_equal(after.jobs[TX_WRITE] - before.jobs[TX_WRITE], COUNT + (int64_t)writers(store));
    assert_int_equal(after.queued, 0);
    if (!store->is_postgres)
        assert_in_range(after.commits - before.commits, COUNT / BATCH_MAX, COUNT / 4);
    assert_int_equal(count_rows(store), 200);
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM rows WHERE n % 3 = 0"), 0);
    free(tasks);
    free(gate);
}

/* Many threads submit, read and write at once; each sees its own. */
static enum err read_rows(struct ctx *cx, struct task *task)
{
    int64_t first, second;

    (void)task;
    TRY(db_int(cx, &count_query, NO_ARGS, &first));
    TRY(db_int(cx, &count_query, NO_ARGS, &second));
    must(first == second); /* one snapshot */
    return OK;
}

struct submitter {
    pthread_t thread;
    struct task *tasks;
    size_t count;
};

static void *submit_all(void *context)
{
    struct submitter *submitter = context;

    for (size_t i = 0; i < submitter->count; i++)
        must(submit(&submitter->tasks[i]));
    return NULL;
}

static void test_threads(void **state)
{
    enum { THREADS = 6, EACH = 100 };
    const enum tx kinds[] = {TX_WRITE, TX_READ, TX_REPORT};
    struct test_store *store = *state;
    struct submitter submitters[THREADS];

    for (size_t i = 0; i < THREADS; i++) {
        const enum tx tx = kinds[i % COUNT_OF(kinds)];

        submitters[i].tasks = make_tasks(store, EACH, tx, tx == TX_WRITE ? insert_row : read_rows);
        submitters[i].count = EACH;
        assert_int_equal(pthread_create(&submitters[i].thread, NULL, submit_all, &submitters[i]),
                         0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(submitters[i].thread, NULL);
    wait_for_all();
    for (size_t i = 0; i < THREADS; i++) {
        for (size_t j = 0; j < EACH; j++)
            assert_int_equal(submitters[i].tasks[j].result, OK);
        free(submitters[i].tasks);
    }
    assert_int_equal(count_rows(store), EACH * 2);
}

/* What is taken when the store closes is still done. */
static void test_close_drains(void **state)
{
    enum { COUNT = 100 };
    struct test_store *store = *state;
    struct task *tasks = make_tasks(store, COUNT, TX_WRITE, insert_row);

    for (size_t i = 0; i < COUNT; i++) {
        tasks[i].job.lane = (struct uuid){{(uint8_t)(1 + i % 3)}};
        assert_true(submit(&tasks[i]));
    }
    store_kit_reopen(store);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(tasks[i].result, OK);
    assert_int_equal(count_rows(store), COUNT);
    free(tasks);
}

static void test_queue_full(void **state)
{
    enum { ROOM = 5 };
    struct test_store *store = *state;
    struct task *gate = make_tasks(store, 8, TX_WRITE, hold_gate);
    struct task *tasks = make_tasks(store, ROOM + 1, TX_WRITE, insert_row);
    struct exec_stats stats;

    store->options.queue_max = ROOM;
    store->options.connections = 2;
    store_kit_reopen(store);
    close_gate(gate, writers(store));
    for (size_t i = 0; i < ROOM; i++)
        assert_true(submit(&tasks[i]));
    assert_false(submit(&tasks[ROOM]));
    exec_stats(store->exec, &stats);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(stats.queued, ROOM);
    open_gate();
    wait_for_all();
    assert_int_equal(count_rows(store), ROOM);
    free(tasks);
    free(gate);
}

/* Same lane: one after another, and a thread for others is left. */
static atomic_int inside_lane;

static enum err stay_in_lane(struct ctx *cx, struct task *task)
{
    must(atomic_exchange(&inside_lane, 1) == 0);
    TRY(insert_row(cx, task));
    usleep(500);
    must(atomic_exchange(&inside_lane, 0) == 1);
    return OK;
}

static void test_lanes(void **state)
{
    enum { COUNT = 40, OTHERS = 2 };
    struct test_store *store = *state;
    struct task *laned = make_tasks(store, COUNT, TX_WRITE, stay_in_lane);
    struct task *holder = make_tasks(store, 1, TX_WRITE, hold_gate);
    struct task *others = make_tasks(store, OTHERS, TX_WRITE, insert_row);

    for (size_t i = 0; i < COUNT; i++) {
        laned[i].job.lane = (struct uuid){{7, 7}};
        assert_true(submit(&laned[i]));
    }
    wait_for_all();
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(laned[i].result, OK);
    assert_int_equal(count_rows(store), COUNT);
    if (store->is_postgres) {
        /* A lane that is stuck with many waiting leaves the other connections free. */
        holder->job.lane = (struct uuid){{7, 7}};
        close_gate(holder, 1);
        for (size_t i = 0; i < COUNT; i++)
            assert_true(submit(&laned[i]));
        /* One is in no lane, and the lane of the other hangs in the same slot. */
        others[1].job.lane = (struct uuid){{9, 29, 229}};
        for (size_t i = 0; i < OTHERS; i++)
            assert_true(submit(&others[i]));
        pthread_mutex_lock(&wait.mutex);
        while (wait.left > COUNT + 1)
            pthread_cond_wait(&wait.changed, &wait.mutex);
        pthread_mutex_unlock(&wait.mutex);
        for (size_t i = 0; i < OTHERS; i++)
            assert_int_equal(others[i].result, OK);
        open_gate();
        wait_for_all();
    }
    free(laned);
    free(holder);
    free(others);
}

/* Two jobs that take the same rows in opposite order meet in a deadlock; both succeed. */
static atomic_int met;

static enum err bump(struct ctx *cx, int64_t n)
{
    int64_t bumps;

    return db_int(cx, &bump_query, ARGS({"n", v_int(n)}), &bumps);
}

static enum err bump_both(struct ctx *cx, struct task *task)
{
    TRY(bump(cx, task->n));
    if (db_is_postgres(cx) && task->runs == 1) {
        atomic_fetch_add(&met, 1);
        for (int i = 0; i < 2000 && atomic_load(&met) < 2; i++)
            usleep(1000);
    }
    return bump(cx, 1 - task->n);
}

static void test_rerun(void **state)
{
    struct test_store *store = *state;
    struct task *tasks = make_tasks(store, 2, TX_WRITE, insert_row);
    struct exec_stats stats;

    for (size_t i = 0; i < 2; i++)
        assert_true(submit(&tasks[i]));
    wait_for_all();
    atomic_store(&met, 0);
    for (size_t i = 0; i < 2; i++) {
        tasks[i].fn = bump_both;
        tasks[i].runs = 0;
        assert_true(submit(&tasks[i]));
    }
    wait_for_all();
    assert_int_equal(tasks[0].result, OK);
    assert_int_equal(tasks[1].result, OK);
    assert_int_equal(store_kit_number(store, "SELECT sum(bumps) FROM rows"), 4);
    exec_stats(store->exec, &stats);
    assert_int_equal(tasks[0].runs + tasks[1].runs, 2 + stats.reruns);
    if (store->is_postgres) /* on a slow machine they may meet once more */
        assert_in_range(stats.reruns, 1, 10);
    else
        assert_int_equal(stats.reruns, 0);
    free(tasks);
}

/* Deferred work: once for each commit, in order, without what was rolled back. */
static atomic_int deferred_calls, deferred_items;

static enum err take_deferred(struct ctx *cx, const void *items, size_t count)
{
    const int64_t *numbers = items;

    atomic_fetch_add(&deferred_calls, 1);
    atomic_fetch_add(&deferred_items, (int)count);
    for (size_t i = 0; i < count; i++)
        TRY(db_run(cx, &insert_query,
                   ARGS({"n", v_int(1000 + numbers[i])}, {"text", v_text(STR("deferred"))})));
    return OK;
}

static enum err defer_some(struct ctx *cx, struct task *task)
{
    int64_t number = task->n;

    TRY(db_defer(cx, take_deferred, &number, sizeof(number)));
    TRY(db_savepoint(cx));
    number += 500;
    TRY(db_defer(cx, take_deferred, &number, sizeof(number)));
    TRY(db_rollback_to(cx));
    return insert_row(cx, task);
}

static enum err fail_deferred(struct ctx *cx, const void *items, size_t count)
{
    (void)items;
    (void)count;
    return error_set(cx->error, ERR_INTERNAL, "As asked.");
}

static enum err defer_failure(struct ctx *cx, struct task *task)
{
    TRY(db_defer(cx, fail_deferred, &task->n, sizeof(task->n)));
    return insert_row(cx, task);
}

static void test_deferred(void **state)
{
    enum { COUNT = 30 };
    struct test_store *store = *state;
    struct task *gate = make_tasks(store, writers(store), TX_WRITE, hold_gate);
    struct task *tasks = make_tasks(store, COUNT, TX_WRITE, defer_some);
    struct task *failing = make_tasks(store, 1, TX_WRITE, defer_failure);

    atomic_store(&deferred_calls, 0);
    atomic_store(&deferred_items, 0);
    close_gate(gate, writers(store));
    for (size_t i = 0; i < COUNT; i++) {
        tasks[i].fails_with = i % 2 == 0 ? OK : ERR_INVALID;
        assert_true(submit(&tasks[i]));
    }
    open_gate();
    wait_for_all();
    assert_int_equal(count_rows(store), 30);
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM rows WHERE n >= 1000"), 15);
    assert_int_equal(atomic_load(&deferred_items), 15);
    if (store->is_postgres)
        assert_int_equal(atomic_load(&deferred_calls), 15);
    else
        assert_in_range(atomic_load(&deferred_calls), 1, 3);

    assert_true(submit(failing));
    wait_for_all();
    assert_int_not_equal(failing->result, OK);
    assert_int_equal(count_rows(store), 30);
    free(failing);
    free(tasks);
    free(gate);
}

/* Slow work may ask for a transaction of its own. */
static enum err insert_from_slow(void *context, struct db *db, struct id_source *ids)
{
    struct task *task = context;
    struct ctx cx = {.db = db, .error = &task->error, .actor = task->store->actor, .ids = ids};

    return insert_row(&cx, task);
}

static enum err work_slowly(struct ctx *cx, struct task *task)
{
    must(cx->db == NULL);
    return exec_transaction(task->store->exec, TX_WRITE, insert_from_slow, task);
}

static void test_slow(void **state)
{
    enum { COUNT = 20 };
    struct test_store *store = *state;
    struct task *tasks = make_tasks(store, COUNT, TX_NONE, work_slowly);

    for (size_t i = 0; i < COUNT; i++)
        assert_true(submit(&tasks[i]));
    wait_for_all();
    assert_int_equal(count_rows(store), COUNT);
    free(tasks);
}

static void test_one_process(void **state)
{
    struct test_store *store = *state;
    struct exec *second = NULL;
    struct error error;
    char pid[32];

    if (store->is_postgres)
        return; /* several nodes may work over one database: see test_migrate.c */
    assert_int_equal(exec_open(&store->options, &second, &error), ERR_CONFLICT);
    snprintf(pid, sizeof(pid), "Process %ld ", (long)getpid());
    assert_memory_equal(error.detail, pid, strlen(pid));
}

/* A full store: 503 for all of the batch, reads go on, writes come back by themselves. */
static const struct query limit_query = {.name = "limit", SAME("PRAGMA max_page_count = 200")};
static const struct query no_limit_query = {.name = "no_limit",
                                            SAME("PRAGMA max_page_count = 1000000")};
static const struct query big_query = {
    .name = "big",
    SAME("INSERT INTO rows (n, text) SELECT -1, hex(zeroblob(1000000))"),
    .writes = true};

static enum err set_limit(struct ctx *cx, void *query)
{
    int64_t pages;

    return db_int(cx, query, NO_ARGS, &pages);
}

static enum err insert_big(struct ctx *cx, struct task *task)
{
    (void)task;
    return db_run(cx, &big_query, NO_ARGS);
}

static void test_store_full(void **state)
{
    enum { COUNT = 9 };
    struct test_store *store = *state;
    struct task *gate, *tasks;
    struct exec_stats stats;

    if (store->is_postgres)
        return;
    gate = make_tasks(store, 1, TX_WRITE, hold_gate);
    tasks = make_tasks(store, COUNT, TX_WRITE, insert_row);
    assert_int_equal(store_kit_run(store, TX_WRITE, set_limit, (void *)(uintptr_t)&limit_query),
                     OK);
    close_gate(gate, 1);
    tasks[4].fn = insert_big;
    tasks[2].fails_with = ERR_INVALID;
    for (size_t i = 0; i < COUNT; i++)
        assert_true(submit(&tasks[i]));
    open_gate();
    wait_for_all();
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(tasks[i].result, ERR_UNAVAILABLE);
        assert_string_equal(tasks[i].why, "The store is full.");
    }
    exec_stats(store->exec, &stats);
    assert_false(stats.ready);
    tasks[0].job.tx = TX_READ;
    tasks[0].fn = read_rows;
    assert_true(submit(&tasks[0]));
    wait_for_all();
    assert_int_equal(tasks[0].result, OK);
    /* Nobody writes: it finds out by itself that it can. */
    for (int i = 0; i < 40 && !stats.ready; i++) {
        usleep(100 * 1000);
        exec_stats(store->exec, &stats);
    }
    assert_true(stats.ready);
    tasks[1].fails_with = OK;
    assert_true(submit(&tasks[1]));
    wait_for_all();
    assert_int_equal(tasks[1].result, OK);
    assert_int_equal(count_rows(store), 1);
    assert_int_equal(store_kit_run(store, TX_WRITE, set_limit, (void *)(uintptr_t)&no_limit_query),
                     OK);
    tasks[4].result = ERR_INTERNAL;
    assert_true(submit(&tasks[4]));
    wait_for_all();
    assert_int_equal(tasks[4].result, OK);
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM pragma_integrity_check "
                                             "WHERE integrity_check <> 'ok'"),
                     0);
    free(tasks);
    free(gate);
}

/* Connections that the server ends, between jobs and inside one. */
static const struct query end_others_query = {
    .name = "end_others",
    SAME("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
         "WHERE application_name = current_setting('application_name') "
         "AND pid <> pg_backend_pid()"),
};
static const struct query end_self_query = {
    .name = "end_self", SAME("SELECT count(pg_terminate_backend(pg_backend_pid()))")};

static enum err end_others(struct ctx *cx, void *context)
{
    int64_t count;

    (void)context;
    return db_int(cx, &end_others_query, NO_ARGS, &count);
}

static enum err end_self_once(struct ctx *cx, struct task *task)
{
    int64_t count;

    TRY(insert_row(cx, task));
    return task->runs == 1 ? db_int(cx, &end_self_query, NO_ARGS, &count) : OK;
}

static void test_lost_connections(void **state)
{
    enum { COUNT = 20 };
    struct test_store *store = *state;
    struct task *tasks;

    if (!store->is_postgres)
        return;
    tasks = make_tasks(store, COUNT, TX_WRITE, insert_row);
    assert_int_equal(store_kit_run(store, TX_READ, end_others, NULL), OK);
    for (size_t i = 0; i < COUNT; i++) {
        tasks[i].fn = i == 7 ? end_self_once : insert_row;
        assert_true(submit(&tasks[i]));
    }
    wait_for_all();
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(tasks[i].result, OK);
    assert_int_equal(tasks[7].runs, 2);
    assert_int_equal(count_rows(store), COUNT);
    free(tasks);
}

#define TEST(test, store)                                                                          \
    {                                                                                              \
#test " on " #store, test, setup_##store, store_kit_teardown, NULL                         \
    }
#define TESTS(store)                                                                               \
    {                                                                                              \
        TEST(test_batches, store), TEST(test_threads, store), TEST(test_close_drains, store),      \
            TEST(test_queue_full, store), TEST(test_lanes, store), TEST(test_rerun, store),        \
            TEST(test_deferred, store), TEST(test_slow, store), TEST(test_one_process, store),     \
            TEST(test_store_full, store), TEST(test_lost_connections, store),                      \
    }

int main(void)
{
    static const struct CMUnitTest sqlite[] = TESTS(sqlite);
    static const struct CMUnitTest postgres[] = TESTS(postgres);

    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
