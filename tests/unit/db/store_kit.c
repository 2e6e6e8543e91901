#include "store_kit.h"

#include <dirent.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *postgres_url(void)
{
    return getenv("TOUCHPOINT_TEST_POSTGRES");
}

bool store_kit_has_postgres(void)
{
    return postgres_url() != NULL;
}

void store_kit_fail(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
    abort();
}

void store_kit_remove(const char *dir)
{
    DIR *folder = opendir(dir);
    const struct dirent *entry;
    char path[512];

    if (!folder)
        return;
    while ((entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        unlink(path);
    }
    closedir(folder);
    rmdir(dir);
}

static void run_on_postgres(const char *sql)
{
    PGconn *connection = PQconnectdb(postgres_url());
    PGresult *result = PQexec(connection, sql);

    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("PostgreSQL: %s", PQerrorMessage(connection));
    PQclear(result);
    PQfinish(connection);
}

void store_kit_prepare(struct test_store *store, bool postgres)
{
    static int made;
    char sql[128];

    *store = (struct test_store){.is_postgres = postgres};
    store->actor = (struct actor){.role = ROLE_ADMIN, .tenant_id = {{1, 2, 3}}, .user_id = {{7}}};
    snprintf(store->dir, sizeof(store->dir), "/tmp/touchpoint-test-XXXXXX");
    assert_non_null(mkdtemp(store->dir));
    store->options.data_dir = store->dir;
    if (!postgres)
        return;
    snprintf(store->schema, sizeof(store->schema), "test_%ld_%d", (long)getpid(), ++made);
    snprintf(sql, sizeof(sql), "CREATE SCHEMA %s", store->schema);
    run_on_postgres(sql);
    /* Named by the schema: programs that run at the same time tell their connections apart. */
    snprintf(store->url, sizeof(store->url), "%s%soptions=-csearch_path%%3D%s&application_name=%s",
             postgres_url(), strchr(postgres_url(), '?') ? "&" : "?", store->schema, store->schema);
    store->options.url = store->url;
    store->options.connections = 4;
}

void store_kit_open(struct test_store *store, bool postgres)
{
    store_kit_prepare(store, postgres);
    store_kit_reopen(store);
}

void store_kit_reopen(struct test_store *store)
{
    if (store->exec)
        exec_close(store->exec);
    store->exec = NULL;
    if (exec_open(&store->options, &store->exec, &store->error) != OK)
        fail_msg("%s", store->error.detail);
}

void store_kit_close(struct test_store *store)
{
    char sql[128];

    if (store->exec)
        exec_close(store->exec);
    store->exec = NULL;
    if (store->is_postgres) {
        snprintf(sql, sizeof(sql), "SET client_min_messages = error; DROP SCHEMA %s CASCADE",
                 store->schema);
        run_on_postgres(sql);
    }
    store_kit_remove(store->dir);
}

struct call {
    struct test_store *store;
    store_kit_fn fn;
    void *context;
};

static enum err run_call(void *context, struct db *db, struct id_source *ids)
{
    struct call *call = context;
    struct arena *arena = arena_new(MIB(64));
    struct ctx cx = {.db = db,
                     .arena = arena,
                     .error = &call->store->error,
                     .actor = call->store->actor,
                     .now_us = time_now_us(),
                     .ids = ids};
    enum err result;

    error_clear(cx.error);
    result = call->fn(&cx, call->context);
    arena_free(arena);
    return result;
}

enum err store_kit_run(struct test_store *store, enum tx tx, store_kit_fn fn, void *context)
{
    struct call call = {store, fn, context};

    return exec_transaction(store->exec, tx, run_call, &call);
}

struct statement_call {
    struct query query;
    int64_t number;
};

static enum err run_statement(struct ctx *cx, void *context)
{
    struct statement_call *call = context;

    /* Waited for inside a savepoint, so that the query may go. */
    TRY(db_savepoint(cx));
    if (call->query.writes)
        TRY(db_run(cx, &call->query, NO_ARGS));
    else
        TRY(db_int(cx, &call->query, NO_ARGS, &call->number));
    return db_release(cx);
}

/* Statements are remembered by their query's address: it must not come back as another's.
 * So these live until the program ends, where the leak checker still finds them. */
static struct statement_call *calls[4096];
static size_t call_count;

static struct statement_call *keep_call(const char *sql, bool writes)
{
    struct statement_call *call = calloc(1, sizeof(*call));

    assert_non_null(call);
    assert_true(call_count < COUNT_OF(calls));
    calls[call_count++] = call;
    call->query = (struct query){.name = "test", .sqlite = sql, .postgres = sql, .writes = writes};
    return call;
}

void store_kit_sql(struct test_store *store, const char *sql)
{
    struct statement_call *call = keep_call(sql, true);

    if (store_kit_run(store, TX_WRITE, run_statement, call) != OK)
        fail_msg("%s: %s", sql, store->error.detail);
}

int64_t store_kit_number(struct test_store *store, const char *sql)
{
    struct statement_call *call = keep_call(sql, false);

    if (store_kit_run(store, TX_WRITE, run_statement, call) != OK)
        fail_msg("%s: %s", sql, store->error.detail);
    return call->number;
}

static int set_up(void **state, bool postgres)
{
    struct test_store *store = calloc(1, sizeof(*store));

    assert_non_null(store);
    store_kit_open(store, postgres);
    *state = store;
    return 0;
}

int store_kit_setup_sqlite(void **state)
{
    return set_up(state, false);
}

int store_kit_setup_postgres(void **state)
{
    return set_up(state, true);
}

int store_kit_teardown(void **state)
{
    store_kit_close(*state);
    free(*state);
    return 0;
}

int store_kit_main(const struct CMUnitTest *sqlite, const struct CMUnitTest *postgres, size_t count)
{
    int failed = _cmocka_run_group_tests("sqlite", sqlite, count, NULL, NULL);

    if (store_kit_has_postgres())
        failed += _cmocka_run_group_tests("postgres", postgres, count, NULL, NULL);
    for (size_t i = 0; i < call_count; i++)
        free(calls[i]);
    return failed;
}
