/* The chain: dense numbers in the order of commits, whatever fails, whoever seals. */
#include "../db/store_kit.h"

#include "app/timeline/seal.h"
#include "db/backend.h"
#include "db/migrate.h"
#include "db/notice.h"
#include "work/sealer.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct uuid other_tenant = {{4, 5, 6}}, third_tenant = {{7, 8, 9}};

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Tenants by number: 0 is the kit's actor's. */
static struct uuid tenant_of(const struct test_store *store, int n)
{
    return n == 0 ? store->actor.tenant_id : n == 1 ? other_tenant : third_tenant;
}

static enum err add_tenants(struct ctx *cx, void *context)
{
    static const char *const params[] = {"tenant", "slug"};
    static const struct query add = {
        .name = "test",
        .sqlite = "INSERT INTO tenants (id, slug, name, timezone, version, created_at, updated_at)"
                  " VALUES (?1, ?2, 'T', 'UTC', 1, 0, 0)",
        .postgres =
            "INSERT INTO tenants (id, slug, name, timezone, version, created_at, updated_at)"
            " VALUES ($1, $2, 'T', 'UTC', 1, now(), now())",
        .params = params,
        .param_count = 2,
        .writes = true};
    static const char *const slugs[] = {"a", "b", "c"};

    for (int i = 0; i < 3; i++)
        TRY(db_run(
            cx, &add,
            ARGS({"tenant", v_uuid(tenant_of(context, i))}, {"slug", v_text(str_of(slugs[i]))})));
    return OK;
}

static struct test_store *with_tenants(void **state)
{
    struct test_store *store = *state;

    assert_int_equal(store_kit_run(store, TX_WRITE, add_tenants, store), OK);
    return store;
}

static enum err write_event(struct ctx *cx, const char *title)
{
    struct event event = {.contact_id = {{42}},
                          .session_id = {{43}},
                          .event_type = STR("tag_added"),
                          .category = CATEGORY_TAG,
                          .title = str_of(title),
                          .payload = STR("{\"b\":1,\"a\":\"\\u00e9\"}"),
                          .visible_to_client = true};

    return timeline_record(cx, &event);
}

/* The chain as it stands, read and hashed again. */

struct sealed {
    int64_t number;
    struct uuid event_id, sealed_id;
    struct str title, content_hash, hash;
    struct maybe_int seal_expires_at;
};

static const struct field sealed_fields[] = {
    FIELD(sealed, number, F_INT, 0),        FIELD(sealed, event_id, F_UUID, 0),
    FIELD(sealed, title, F_TEXT, NULLABLE), FIELD(sealed, content_hash, F_TEXT, 0),
    FIELD(sealed, hash, F_TEXT, 0),         FIELD(sealed, seal_expires_at, F_TIME, NULLABLE),
};
static const struct record sealed_record = RECORD(sealed, sealed_fields);

#define SEALS                                                                                      \
    "SELECT s.number, s.event_id, s.content_hash, s.hash, s.expires_at AS seal_expires_at,"        \
    " e.title FROM event_seals s"                                                                  \
    " LEFT JOIN contact_events e ON e.tenant_id = s.tenant_id AND e.id = s.event_id"               \
    " WHERE s.tenant_id = "
#define EVENT                                                                                      \
    "SELECT id, contact_id, session_id, interaction_id, subject_type, subject_id, event_type,"     \
    " category, priority, title, description, payload, metadata, source, triggered_by,"            \
    " integration_source, addressee_type, addressee_id, is_realtime, visible_to_client,"           \
    " visible_to_agent, expires_at, occurred_at, created_at, salt, text_hash, timeline_id"         \
    " FROM contact_events WHERE tenant_id = "

static const char *const tenant_param[] = {"tenant_id"};
static const char *const event_params[] = {"tenant_id", "id"};
static const struct query seals = {.name = "test",
                                   .sqlite = SEALS "?1 ORDER BY s.number",
                                   .postgres = SEALS "$1 ORDER BY s.number",
                                   .params = tenant_param,
                                   .param_count = 1};
static const struct query event_get = {.name = "test",
                                       .sqlite = EVENT "?1 AND id = ?2",
                                       .postgres = EVENT "$1 AND id = $2",
                                       .params = event_params,
                                       .param_count = 2};
static const struct query chain_end = {
    .name = "test",
    .sqlite = "SELECT number FROM event_chains WHERE tenant_id = ?1",
    .postgres = "SELECT number FROM event_chains WHERE tenant_id = $1",
    .params = tenant_param,
    .param_count = 1};

struct reading {
    struct uuid tenant_id;
    int64_t count;
    char titles[4096]; /* one behind the other */
};

static enum err read_chain(struct ctx *cx, void *context)
{
    struct reading *reading = context;
    uint8_t before[HASH_BYTES] = {0}, hash[HASH_BYTES], content[HASH_BYTES], text[HASH_BYTES];
    struct list rows;
    int64_t end;

    cx->actor.tenant_id = reading->tenant_id;
    reading->titles[0] = '\0';
    TRY(db_all(cx, &seals, NO_ARGS, &sealed_record, &rows));
    for (size_t i = 0; i < rows.count; i++) {
        const struct sealed *row = LIST_AT(rows, struct sealed, i);
        const size_t len = strlen(reading->titles);
        struct event event;

        must_equal(row->number, (int64_t)i + 1);
        TRY(db_one(cx, &event_get, ARGS({"id", v_uuid(row->event_id)}), &event_record, &event));
        must_equal(event.salt.len, (size_t)SALT_BYTES);
        seal_text_hash(&event, text);
        seal_content_hash(reading->tenant_id, &event, text, content);
        must_equal(row->content_hash.len, (size_t)HASH_BYTES);
        must_same_bytes(row->content_hash.ptr, content, HASH_BYTES);
        seal_link(before, row->number, row->event_id, row->seal_expires_at, content, hash);
        must_equal(row->hash.len, (size_t)HASH_BYTES);
        must_same_bytes(row->hash.ptr, hash, HASH_BYTES);
        memcpy(before, hash, HASH_BYTES);
        if (rows.count <= 64)
            snprintf(reading->titles + len, sizeof reading->titles - len, "%.*s",
                     STR_FMT(row->title));
    }
    TRY(db_int(cx, &chain_end, NO_ARGS, &end));
    must_equal(end, (int64_t)rows.count);
    reading->count = end;
    return OK;
}

static int64_t chain_of(struct test_store *store, int tenant, char titles[4096])
{
    struct reading reading = {.tenant_id = tenant_of(store, tenant)};

    assert_int_equal(store_kit_run(store, TX_READ, read_chain, &reading), OK);
    if (titles)
        memcpy(titles, reading.titles, sizeof reading.titles);
    return reading.count;
}

static enum err seal_some(struct ctx *cx, void *context)
{
    cx->actor = (struct actor){.role = ROLE_NONE};
    return seal_waiting(cx, 3, context);
}

/* Until nothing waits. On SQLite it has nothing to do. */
static void seal_all(struct test_store *store)
{
    int64_t done;

    do {
        assert_int_equal(store_kit_run(store, TX_WRITE, seal_some, &done), OK);
    } while (done > 0);
}

static enum err write_abc(struct ctx *cx, void *context)
{
    (void)context;
    TRY(write_event(cx, "a"));
    TRY(write_event(cx, "b"));
    return write_event(cx, "c");
}

static enum err write_title(struct ctx *cx, void *title)
{
    return write_event(cx, title);
}

static void test_dense_numbers_in_order(void **state)
{
    struct test_store *store = with_tenants(state);
    char titles[4096];

    assert_int_equal(store_kit_run(store, TX_WRITE, write_abc, NULL), OK);
    assert_int_equal(store_kit_run(store, TX_WRITE, write_title, "d"), OK);
    seal_all(store);
    assert_int_equal(chain_of(store, 0, titles), 4);
    assert_string_equal(titles, "abcd");
    assert_int_equal(store_kit_run(store, TX_WRITE, write_title, "e"), OK);
    seal_all(store);
    assert_int_equal(chain_of(store, 0, titles), 5);
    assert_string_equal(titles, "abcde");
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM unsealed_events"), 0);
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM kept_counts WHERE n = 5 AND "
                                             "name LIKE 'events.%'"),
                     3);
}

static enum err fail_after_writing(struct ctx *cx, void *context)
{
    (void)context;
    TRY(write_event(cx, "x"));
    return error_set(cx->error, ERR_CONFLICT, "No.");
}

static enum err write_around_a_savepoint(struct ctx *cx, void *context)
{
    (void)context;
    TRY(write_event(cx, "a"));
    TRY(db_savepoint(cx));
    TRY(write_event(cx, "y"));
    TRY(db_rollback_to(cx));
    TRY(db_savepoint(cx));
    TRY(write_event(cx, "b"));
    return db_release(cx);
}

static void test_what_is_rolled_back_leaves_no_gap(void **state)
{
    struct test_store *store = with_tenants(state);
    char titles[4096];

    assert_int_equal(store_kit_run(store, TX_WRITE, fail_after_writing, NULL), ERR_CONFLICT);
    assert_int_equal(store_kit_run(store, TX_WRITE, write_around_a_savepoint, NULL), OK);
    assert_int_equal(store_kit_run(store, TX_WRITE, fail_after_writing, NULL), ERR_CONFLICT);
    assert_int_equal(store_kit_run(store, TX_WRITE, write_title, "c"), OK);
    seal_all(store);
    assert_int_equal(chain_of(store, 0, titles), 3);
    assert_string_equal(titles, "abc");
}

/* Jobs of several tenants that wait while the writer is held, so that on SQLite they are one
 * batch; every fifth fails. */

#define JOBS 30

struct writing {
    struct job job;
    struct test_store *store;
    struct error error;
    int n;
    atomic_int *left;
};

static atomic_bool held;

static enum err run_writing(struct job *job, struct db *db, struct id_source *ids)
{
    struct writing *writing = (struct writing *)job;
    struct arena *arena = arena_new(MIB(1));
    struct ctx cx = {
        .db = db,
        .arena = arena,
        .error = &writing->error,
        .actor = {.role = ROLE_ADMIN, .tenant_id = tenant_of(writing->store, writing->n % 3)},
        .now_us = time_now_us(),
        .ids = ids};
    char title[8];
    enum err result;

    snprintf(title, sizeof title, "%02d,", writing->n);
    result = write_event(&cx, title);
    arena_free(arena);
    return writing->n % 5 == 4 && result == OK ? ERR_CONFLICT : result;
}

static void done_writing(struct job *job, enum err result)
{
    struct writing *writing = (struct writing *)job;

    must_equal(result, writing->n % 5 == 4 ? ERR_CONFLICT : OK);
    atomic_fetch_sub(writing->left, 1);
}

static enum err run_holding(struct job *job, struct db *db, struct id_source *ids)
{
    (void)job;
    (void)db;
    (void)ids;
    while (held)
        pause_ms(1);
    return OK;
}

static void done_holding(struct job *job, enum err result)
{
    (void)job;
    must_equal(result, OK);
}

static void test_several_tenants_in_a_batch(void **state)
{
    struct test_store *store = with_tenants(state);
    struct job holding = {.tx = TX_WRITE, .run = run_holding, .done = done_holding};
    struct writing writings[JOBS];
    atomic_int left = JOBS;
    char titles[4096];

    held = true;
    assert_true(exec_submit(store->exec, &holding));
    for (int i = 0; i < JOBS; i++) {
        writings[i] = (struct writing){
            .job = {.tx = TX_WRITE, .lane = {{1}}, .run = run_writing, .done = done_writing},
            .store = store,
            .n = i,
            .left = &left};
        assert_true(exec_submit(store->exec, &writings[i].job));
    }
    held = false;
    while (left > 0)
        pause_ms(1);
    seal_all(store);
    assert_int_equal(chain_of(store, 0, titles), 8);
    assert_string_equal(titles, "00,03,06,12,15,18,21,27,");
    assert_int_equal(chain_of(store, 1, titles), 8);
    assert_string_equal(titles, "01,07,10,13,16,22,25,28,");
    assert_int_equal(chain_of(store, 2, titles), 8);
    assert_string_equal(titles, "02,05,08,11,17,20,23,26,");
}

/* As an older program left them: without salt, without a number, and without what is erased. */
static void test_what_was_written_before_seals(void **state)
{
    struct test_store *store = with_tenants(state);
    char titles[4096];

    assert_int_equal(store_kit_run(store, TX_WRITE, write_abc, NULL), OK);
    assert_int_equal(store_kit_run(store, TX_WRITE, write_title, "d"), OK);
    seal_all(store);
    store_kit_sql(store, "DELETE FROM event_seals");
    store_kit_sql(store, "DELETE FROM event_chains");
    store_kit_sql(store, "UPDATE contact_events SET salt = NULL");
    store_kit_sql(store, "INSERT INTO unsealed_events (tenant_id, event_id)"
                         " SELECT tenant_id, id FROM contact_events ORDER BY created_at, id");
    store_kit_sql(store, "DELETE FROM contact_events WHERE title = 'b'");
    seal_all(store);
    assert_int_equal(chain_of(store, 0, titles), 3);
    assert_string_equal(titles, "acd");
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM unsealed_events"), 0);
}

/* A store as it was before there were seals, opened by this program. */

static enum err write_old_events(struct ctx *cx, const struct test_store *store)
{
    static const char *const params[] = {"tenant_id", "id", "customer", "session",
                                         "title",     "at", "no",       "yes"};
#define OLD_EVENT                                                                                  \
    "INSERT INTO events (tenant_id, id, contact_id, session_id, event_type, category, priority,"   \
    " title, source, is_realtime, delivered, read, visible_to_client, visible_to_agent,"           \
    " occurred_at, created_at) VALUES "
    static const struct query add = {
        .name = "test",
        .sqlite = OLD_EVENT "(?1, ?2, ?3, ?4, 'tag_added', 'tag', 'normal', ?5, 'agent', ?7, ?7,"
                            " ?7, ?8, ?8, ?6, ?6)",
        .postgres = OLD_EVENT "($1, $2, $3, $4, 'tag_added', 'tag', 'normal', $5, 'agent', $7, $7,"
                              " $7, $8, $8, $6, $6)",
        .params = params,
        .param_count = 8,
        .writes = true};
    static const char *const titles[] = {"a", "b", "c"};

    cx->actor.tenant_id = UUID_NONE;
    TRY(add_tenants(cx, (void *)(uintptr_t)store));
    cx->actor = store->actor;
    for (int i = 0; i < 3; i++)
        TRY(db_run(cx, &add,
                   ARGS({"id", v_uuid(uuid_new(cx->ids, cx->now_us))},
                        {"customer", v_uuid((struct uuid){{0xAB, 42}})},
                        {"session", v_uuid(i == 0 ? UUID_NONE : (struct uuid){{43}})},
                        {"title", v_text(str_of(titles[i]))}, {"at", v_time(cx->now_us + i)},
                        {"no", v_bool(false)}, {"yes", v_bool(true)})));
    return OK;
}

static void make_old_store(struct test_store *store)
{
    static struct node node;
    struct error *error = &store->error;
    struct arena *arena = arena_new(MIB(1));
    struct id_source ids;
    struct ctx cx = {.arena = arena, .error = error, .now_us = 1700000000000000, .ids = &ids};

    memset(&node, 0, sizeof node);
    node.options = store->options;
    id_source_init(&ids);
    if (store->is_postgres)
        assert_int_equal(postgres_open(&node, 0, &cx.db, error), OK);
    else
        assert_int_equal(sqlite_open(&node, SQLITE_WRITER, 0, MIB(1), &cx.db, error), OK);
    assert_int_equal(migrate_run(cx.db, all_migrations, 4, error), OK);
    assert_int_equal(db_begin(cx.db, TX_WRITE), OK);
    assert_int_equal(write_old_events(&cx, store), OK);
    assert_int_equal(db_commit(cx.db), OK);
    db_close(cx.db);
    arena_free(arena);
}

static int64_t kept(struct test_store *store, const char *name)
{
    char sql[160];

    snprintf(sql, sizeof sql, "SELECT n FROM kept_counts WHERE name = '%s'", name);
    return store_kit_number(store, sql);
}

static void test_an_old_store_is_sealed(void **state)
{
    struct test_store *store = *state, old;
    char titles[4096];

    store_kit_prepare(&old, store->is_postgres);
    make_old_store(&old);
    store_kit_reopen(&old);
    assert_int_equal(kept(&old, "events.timeline:ab2a0000-0000-0000-0000-000000000000"), 3);
    assert_int_equal(kept(&old, "events.client:ab2a0000-0000-0000-0000-000000000000"), 3);
    assert_int_equal(kept(&old, "events.session:2b000000-0000-0000-0000-000000000000"), 2);
    assert_int_equal(store_kit_number(&old, "SELECT count(*) FROM unsealed_events"), 3);
    seal_all(&old);
    assert_int_equal(chain_of(&old, 0, titles), 3);
    assert_string_equal(titles, "abc");
    store_kit_close(&old);
}

/* Notices */

struct hearing {
    pthread_mutex_t mutex;
    int sealed, written;
    int64_t last_number;
    struct uuid timeline_id, tenant_id;
};

static void hear(void *context, const struct notice *notices, size_t count)
{
    struct hearing *hearing = context;

    pthread_mutex_lock(&hearing->mutex);
    for (size_t i = 0; i < count; i++) {
        if (notices[i].kind == NOTICE_WRITTEN)
            hearing->written++;
        if (notices[i].kind != NOTICE_SEALED)
            continue;
        must_equal(notices[i].number, hearing->last_number + 1);
        hearing->last_number = notices[i].number;
        hearing->timeline_id = notices[i].timeline_id;
        hearing->tenant_id = notices[i].tenant_id;
        hearing->sealed++;
    }
    pthread_mutex_unlock(&hearing->mutex);
}

static void test_each_seal_is_told_once(void **state)
{
    struct test_store *store = *state;
    struct hearing hearing = {.mutex = PTHREAD_MUTEX_INITIALIZER};

    exec_on_commit(store->exec, hear, &hearing);
    with_tenants(state);
    assert_int_equal(store_kit_run(store, TX_WRITE, fail_after_writing, NULL), ERR_CONFLICT);
    assert_int_equal(store_kit_run(store, TX_WRITE, write_around_a_savepoint, NULL), OK);
    assert_int_equal(hearing.written, store->is_postgres ? 2 : 0);
    assert_int_equal(hearing.sealed, store->is_postgres ? 0 : 2);
    seal_all(store);
    assert_int_equal(hearing.sealed, 2);
    assert_int_equal(hearing.last_number, 2);
    assert_int_equal(hearing.timeline_id.bytes[0], 42);
    assert_true(uuid_equal(hearing.tenant_id, store->actor.tenant_id));
}

/* The sealer */

static void wait_until_sealed(struct test_store *store)
{
    while (store_kit_number(store, "SELECT count(*) FROM unsealed_events") > 0)
        pause_ms(20);
}

/* Ticks for a sealer as the server's loop gives them. */
struct ticking {
    void (*fn)(void *);
    void *context;
    pthread_t thread;
    atomic_bool ends;
};

static void *tick(void *context)
{
    struct ticking *ticking = context;

    while (!ticking->ends) {
        ticking->fn(ticking->context);
        pause_ms(50);
    }
    return NULL;
}

static void every(void *keeper, int seconds, void (*fn)(void *), void *context)
{
    struct ticking *ticking = keeper;

    (void)seconds;
    ticking->fn = fn;
    ticking->context = context;
    must(pthread_create(&ticking->thread, NULL, tick, ticking) == 0);
}

static void stop_ticking(struct ticking *ticking)
{
    ticking->ends = true;
    must(pthread_join(ticking->thread, NULL) == 0);
}

static void test_the_sealer_needs_no_clock(void **state)
{
    struct test_store *store = *state;
    struct sealer *sealer = sealer_new(store->exec);
    char titles[4096];

    assert_non_null(sealer);
    with_tenants(state);
    for (int i = 0; i < 20; i++)
        assert_int_equal(store_kit_run(store, TX_WRITE, write_title, "."), OK);
    wait_until_sealed(store);
    assert_int_equal(chain_of(store, 0, titles), 20);
    exec_close(store->exec);
    store->exec = NULL;
    sealer_free(sealer);
}

#define NODES 2
#define EVENTS_EACH 300

static void test_two_nodes_seal_in_turns(void **state)
{
    struct test_store *store = *state;
    struct exec *execs[NODES] = {store->exec, NULL};
    struct sealer *sealers[NODES];
    struct ticking ticking[NODES] = {{0}};
    static struct writing writings[NODES * EVENTS_EACH];
    atomic_int left = NODES * EVENTS_EACH;
    int64_t total = 0;

    assert_int_equal(exec_open(&store->options, &execs[1], &store->error), OK);
    for (int node = 0; node < NODES; node++) {
        sealers[node] = sealer_new(execs[node]);
        assert_non_null(sealers[node]);
    }
    with_tenants(state);
    for (int node = 0; node < NODES; node++)
        sealer_start(sealers[node], every, &ticking[node]);
    for (int i = 0; i < NODES * EVENTS_EACH; i++) {
        writings[i] =
            (struct writing){.job = {.tx = TX_WRITE, .run = run_writing, .done = done_writing},
                             .store = store,
                             .n = i,
                             .left = &left};
        while (!exec_submit(execs[i % NODES], &writings[i].job))
            pause_ms(1);
    }
    while (left > 0)
        pause_ms(1);
    wait_until_sealed(store);
    for (int tenant = 0; tenant < 3; tenant++)
        total += chain_of(store, tenant, NULL);
    assert_int_equal(total, NODES * EVENTS_EACH * 4 / 5);
    assert_int_equal(store_kit_number(store, "SELECT count(DISTINCT event_id) FROM event_seals"),
                     total);
    for (int node = 0; node < NODES; node++) {
        stop_ticking(&ticking[node]);
        exec_close(execs[node]);
        sealer_free(sealers[node]);
    }
    store->exec = NULL;
}

/* A node that has the turn and froze: its connection stands idle in the transaction. */
static void test_a_frozen_sealer_loses_its_turn(void **state)
{
    struct test_store *store = *state;
    struct sealer *sealer;
    struct ticking ticking = {0};
    PGconn *frozen;
    PGresult *result;
    int64_t began_us;

    sealer = sealer_new(store->exec);
    with_tenants(state);
    frozen = PQconnectdb(store->url);
    PQclear(PQexec(frozen, "BEGIN"));
    for (size_t i = 0; i < all_query_count; i++) {
        if (strcmp(all_queries[i]->name, "sealing_turn") != 0)
            continue;
        result = PQexec(frozen, all_queries[i]->postgres);
        assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
        PQclear(result);
    }
    began_us = time_monotonic_us();
    assert_int_equal(store_kit_run(store, TX_WRITE, write_abc, NULL), OK);
    sealer_start(sealer, every, &ticking);
    wait_until_sealed(store);
    print_message("         another took over after %lld ms\n",
                  (long long)(time_monotonic_us() - began_us) / 1000);
    assert_int_equal(chain_of(store, 0, NULL), 3);
    result = PQexec(frozen, "COMMIT");
    assert_int_not_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    PQfinish(frozen);
    stop_ticking(&ticking);
    exec_close(store->exec);
    store->exec = NULL;
    sealer_free(sealer);
}

/* What is hashed is what is documented: this must never change for events that exist. */
static void test_the_layout_of_what_is_hashed(void **state)
{
    static const uint8_t zeros[HASH_BYTES];
    struct event event = {.id = {{1}},
                          .contact_id = {{2}},
                          .event_type = STR("note_added"),
                          .category = CATEGORY_NOTE,
                          .priority = PRIORITY_NORMAL,
                          .title = STR("Title"),
                          .payload = STR("{}"),
                          .source = SOURCE_AGENT,
                          .visible_to_agent = true,
                          .occurred_at = 1700000000000000,
                          .created_at = 1700000000000001,
                          .salt = STR("0123456789abcdef")};
    uint8_t text[HASH_BYTES], content[HASH_BYTES], link[HASH_BYTES];
    char hex[2 * HASH_BYTES + 1] = "";

    (void)state;
    seal_text_hash(&event, text);
    str_to_hex(text, sizeof text, hex);
    assert_string_equal(hex, "542e365e71f7da631b05db80b0add4db2f85fa4754600d7fc3c1d6dde0f00907");
    seal_content_hash((struct uuid){{9}}, &event, text, content);
    str_to_hex(content, sizeof content, hex);
    assert_string_equal(hex, "2d674fba8cce7b938fb5978b128b0afbe662d7e9db2d1e449dc9e18320128fa0");
    seal_link(zeros, 1, event.id, (struct maybe_int){0}, content, link);
    str_to_hex(link, sizeof link, hex);
    assert_string_equal(hex, "c4f3eb734f7194fd42c7c6b4943c59a4b85e89ef299603c371fe5cbc63fd7b04");
}

#define TESTS(store)                                                                               \
    {                                                                                              \
        STORE_TEST(test_dense_numbers_in_order, store),                                            \
            STORE_TEST(test_what_is_rolled_back_leaves_no_gap, store),                             \
            STORE_TEST(test_several_tenants_in_a_batch, store),                                    \
            STORE_TEST(test_what_was_written_before_seals, store),                                 \
            STORE_TEST(test_an_old_store_is_sealed, store),                                        \
            STORE_TEST(test_each_seal_is_told_once, store),                                        \
            STORE_TEST(test_the_sealer_needs_no_clock, store),                                     \
            STORE_TEST(test_the_layout_of_what_is_hashed, store),                                  \
    }

static const struct CMUnitTest sqlite_tests[] = TESTS(sqlite);
static const struct CMUnitTest postgres_tests[] = TESTS(postgres);

static const struct CMUnitTest nodes_tests[] = {
    STORE_TEST(test_two_nodes_seal_in_turns, postgres),
    STORE_TEST(test_a_frozen_sealer_loses_its_turn, postgres),
};

int main(void)
{
    int failed = store_kit_main(sqlite_tests, postgres_tests, COUNT_OF(sqlite_tests));

    if (store_kit_has_postgres())
        failed += cmocka_run_group_tests(nodes_tests, NULL, NULL);
    return failed;
}
