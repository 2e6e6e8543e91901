/* How fast the audit verifies, beside merely reading and hashing the same bytes.
 *
 *     audit --dir DIR [--events 200000] [--rounds 5]
 *
 * Makes a store of SQLite in the empty folder DIR with so many events, as the server records
 * a logged interaction, and then in turns
 *
 *     verifies them (audit_verify, in a transaction of the server's own kind), and
 *     reads every sealed column of the events and the seals, each table in the order in which
 *     it lies there, without a join, and puts all of it through one SHA-256, by the same library
 *
 * Each side runs once unmeasured. Prints a line of JSON: microseconds of every round, and the
 * ratios of the medians, by the clock and by the processor's time, which other programs do not
 * stretch. */
#include "kit/bench.h"

#include "app/tenant/tenant.h"
#include "app/timeline/audit.h"

#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PORTION 500
#define ROUNDS_MAX 100

struct audit_bench {
    struct exec *exec;
    struct uuid tenant_id;
    int64_t events, written;
    struct arena *arena;
    struct error error;
    sqlite3 *db;
    struct audit_result result;
};

static struct ctx context_of(struct audit_bench *bench, struct db *db, struct id_source *ids)
{
    return (struct ctx){.db = db,
                        .arena = bench->arena,
                        .error = &bench->error,
                        .actor = {.role = ROLE_ADMIN, .tenant_id = bench->tenant_id},
                        .now_us = bench_now_us(),
                        .ids = ids};
}

static enum err make_tenant(void *context, struct db *db, struct id_source *ids)
{
    struct audit_bench *bench = context;
    struct ctx cx = context_of(bench, db, ids);
    const struct tenant_founding in = {.tenant = {.name = STR("Acme")}};
    struct tenant_founded made = {0};

    TRY(tenant_found(&cx, &in, &made));
    bench->tenant_id = made.tenant.id;
    return OK;
}

static enum err write_portion(void *context, struct db *db, struct id_source *ids)
{
    struct audit_bench *bench = context;
    struct ctx cx = context_of(bench, db, ids);

    for (int i = 0; i < PORTION && bench->written < bench->events; i++, bench->written++) {
        struct event event = {
            .event_type = STR("interaction_logged"),
            .category = CATEGORY_GENERAL,
            .contact_id = uuid_new(ids, cx.now_us),
            .interaction_id = uuid_new(ids, cx.now_us),
            .title = STR("Follow-up on the offer of last week"),
            .payload = STR("{\"interaction_number\":\"INT-2026-00001\",\"type\":\"call\","
                           "\"direction\":\"outbound\",\"outcome\":\"successful\","
                           "\"started_at\":\"2026-01-05T10:00:00Z\"}")};

        TRY(timeline_record(&cx, &event));
    }
    return OK;
}

static enum err verify(void *context, struct db *db, struct id_source *ids)
{
    struct audit_bench *bench = context;
    struct ctx cx = context_of(bench, db, ids);

    return audit_verify(&cx, NULL, NULL, NULL, &bench->result);
}

static void run(struct audit_bench *bench, enum tx tx,
                enum err (*fn)(void *context, struct db *db, struct id_source *ids))
{
    arena_reset(bench->arena);
    if (exec_transaction(bench->exec, tx, fn, bench) != OK)
        bench_fail("%s", bench->error.detail);
}

static void verify_all(struct audit_bench *bench)
{
    run(bench, TX_REPORT, verify);
    if (bench->result.finding != AUDIT_FINE || bench->result.verified < bench->events)
        bench_fail("the round is void: %s", bench->result.detail);
}

static int64_t hash_rows(sqlite3 *db, const char *sql, crypto_hash_sha256_state *hash)
{
    sqlite3_stmt *statement;
    int64_t rows = 0;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        bench_fail("SQLite: %s", sqlite3_errmsg(db));
    for (; sqlite3_step(statement) == SQLITE_ROW; rows++) {
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            const int type = sqlite3_column_type(statement, i);
            const sqlite3_int64 number = sqlite3_column_int64(statement, i);

            if (type == SQLITE_INTEGER)
                crypto_hash_sha256_update(hash, (const unsigned char *)&number, sizeof number);
            else if (type != SQLITE_NULL)
                crypto_hash_sha256_update(hash, sqlite3_column_blob(statement, i),
                                          (unsigned long long)sqlite3_column_bytes(statement, i));
        }
    }
    sqlite3_finalize(statement);
    return rows;
}

static void read_all(struct audit_bench *bench)
{
    crypto_hash_sha256_state hash;
    unsigned char out[crypto_hash_sha256_BYTES];

    crypto_hash_sha256_init(&hash);
    if (hash_rows(bench->db,
                  "SELECT tenant_id, id, contact_id, session_id, interaction_id, subject_type,"
                  " subject_id, event_type, category, priority, title, description, payload,"
                  " metadata, source, triggered_by, integration_source, addressee_type,"
                  " addressee_id, is_realtime, visible_to_client, visible_to_agent, expires_at,"
                  " occurred_at, created_at, salt, text_hash FROM contact_events NOT INDEXED",
                  &hash) < bench->events ||
        hash_rows(bench->db,
                  "SELECT tenant_id, number, event_id, content_hash, expires_at, hash"
                  " FROM event_seals NOT INDEXED",
                  &hash) < bench->events)
        bench_fail("the round is void: rows are missing");
    crypto_hash_sha256_final(&hash, out);
}

/* As the server's readers have it. */
static void open_baseline(struct audit_bench *bench, const char *dir)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/touchpoint.db", dir);
    if (sqlite3_open_v2(path, &bench->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK ||
        sqlite3_exec(bench->db,
                     "PRAGMA query_only = ON; PRAGMA mmap_size = 2147418112;"
                     "PRAGMA wal_autocheckpoint = 0;",
                     NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_db_config(bench->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK)
        bench_fail("%s: %s", path, sqlite3_errmsg(bench->db));
}

static int64_t processor_us(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

static int compare(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

static double ratio(int64_t us[2][ROUNDS_MAX], int64_t rounds)
{
    const int64_t middle = rounds / 2;

    for (int side = 0; side < 2; side++)
        qsort(us[side], (size_t)rounds, sizeof us[side][0], compare);
    return (double)us[1][middle] / (double)us[0][middle];
}

static void print_rounds(const char *name, const int64_t *us, int64_t rounds)
{
    printf("\"%s\":[", name);
    for (int64_t i = 0; i < rounds; i++)
        printf("%s%lld", i > 0 ? "," : "", (long long)us[i]);
    printf("],");
}

int main(int argc, char **argv)
{
    const char *dir = bench_option(argc, argv, "dir", NULL);
    const int64_t rounds = bench_number(argc, argv, "rounds", "5", 1);
    struct audit_bench bench = {.events = bench_number(argc, argv, "events", "200000", 1),
                                .arena = arena_new(MIB(64))};
    const struct store_options options = {.data_dir = dir};
    void (*const sides[])(struct audit_bench *) = {verify_all, read_all};
    int64_t us[2][ROUNDS_MAX], cpu_us[2][ROUNDS_MAX];

    if (rounds > ROUNDS_MAX || bench.arena == NULL || sodium_init() < 0)
        bench_fail("at most %d rounds", ROUNDS_MAX);
    if (exec_open(&options, &bench.exec, &bench.error) != OK)
        bench_fail("%s", bench.error.detail);
    run(&bench, TX_WRITE, make_tenant);
    while (bench.written < bench.events)
        run(&bench, TX_WRITE, write_portion);
    /* Opened anew, all of it is in the database file and nothing in the WAL. */
    exec_close(bench.exec);
    if (exec_open(&options, &bench.exec, &bench.error) != OK)
        bench_fail("%s", bench.error.detail);
    open_baseline(&bench, dir);
    for (int64_t round = -1; round < rounds; round++) {
        for (int side = 0; side < 2; side++) {
            const int64_t began_us = bench_monotonic_us(), cpu_began_us = processor_us();

            sides[side](&bench);
            if (round < 0)
                continue;
            us[side][round] = bench_monotonic_us() - began_us;
            cpu_us[side][round] = processor_us() - cpu_began_us;
        }
    }
    printf("{\"events\":%lld,", (long long)bench.result.verified);
    print_rounds("verify_us", us[0], rounds);
    print_rounds("baseline_us", us[1], rounds);
    printf("\"ratio\":%.3f,\"cpu_ratio\":%.3f}\n", ratio(us, rounds), ratio(cpu_us, rounds));
    sqlite3_close(bench.db);
    exec_close(bench.exec);
    arena_free(bench.arena);
    return 0;
}
