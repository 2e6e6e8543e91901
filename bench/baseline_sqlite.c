/* What SQLite alone does with the rows of the server: the measure for the server.
 *
 *     baseline_sqlite creates --db FILE --customers 1-50000 --totals NAMES --words WORDS
 *                             [--requests 20000] [--seed 1]
 *     baseline_sqlite lists   --db FILE --customers 1-50000 --query NAME
 *                             [--requests 20000] [--seed 1]
 *     baseline_sqlite query   --query NAME [--store sqlite]
 *
 * `creates` works on a copy of a data file that the server made, so schema and indexes are
 * the server's, and sets the server's pragmas. It writes the rows of one interaction after
 * the other, prepared, and commits (with its fsync) after each 64: the interaction, the
 * words of its texts, the customer's summary, the event and its seal, the number, the kept
 * totals, the count of attempts. What the rows hold is taken from the youngest interaction and its
 * event, which came over HTTP; only ids, number, salt, hashes and times are new. NAMES are the kept
 * totals that one interaction changes, with | between them and {customer} and {company} for ids,
 * and WORDS what the index of texts has of it; bench/run sees both from the server's own work.
 *
 * `lists` runs the server's own named query in a loop and reads every column.
 * `query` prints the text of a named query, and one parameter's name a line.
 *
 * The other two print one line of JSON. */
#include "kit/bench.h"

#include "app/timeline/seal.h"
#include "base/time.h"
#include "db/query.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 64
#define COLUMNS_MAX 100
#define TOTALS_MAX 16
#define NAME_MAX_BYTES 128
#define LIST_LIMIT 21 /* a page of 20, and the row that says whether there are more */

struct prototype {
    sqlite3_stmt *insert;
    int column_count;
    char *columns[COLUMNS_MAX];
    sqlite3_value *values[COLUMNS_MAX];
};

struct baseline {
    sqlite3 *db;
    struct prototype interaction, event;
    sqlite3_stmt *begin, *commit, *summary, *number, *words, *total, *attempts, *seal, *chain;
    struct event sealed; /* what is hashed of the event */
    int64_t seal_number;
    uint8_t seal_hash[HASH_BYTES]; /* of the newest seal */
    int64_t year;
    char names[1024];
    char *totals[TOTALS_MAX];
    int total_count;
    struct bench_chance chance;
    struct bench_range customers;
    unsigned char tenant_id[16];
    int64_t id_count;
};

static void check(sqlite3 *db, int code)
{
    if (code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE)
        bench_fail("SQLite: %s", sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;

    check(db, sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL));
    return statement;
}

static void run(sqlite3 *db, sqlite3_stmt *statement)
{
    while (sqlite3_step(statement) == SQLITE_ROW)
        ;
    check(db, sqlite3_reset(statement));
}

/* The server's pragmas, as its writer and its readers have them (db_sqlite.c). */
static sqlite3 *open_store(const char *path, bool writes)
{
    sqlite3 *db;

    check(NULL, sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
    check(db, sqlite3_exec(db, "PRAGMA foreign_keys = ON; PRAGMA cache_size = -65536;", NULL, NULL,
                           NULL));
    if (writes)
        check(db, sqlite3_exec(db,
                               "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                               "PRAGMA wal_autocheckpoint = 10000;",
                               NULL, NULL, NULL));
    else
        check(db, sqlite3_exec(db, "PRAGMA query_only = ON; PRAGMA mmap_size = 2147418112;", NULL,
                               NULL, NULL));
    return db;
}

/* Rows like one that is there. */

static void take_prototype(sqlite3 *db, const char *table, const char *which,
                           struct prototype *prototype)
{
    char sql[1024];
    sqlite3_stmt *read;
    size_t length;

    snprintf(sql, sizeof sql, "SELECT * FROM %s %s", table, which);
    read = prepare(db, sql);
    if (sqlite3_step(read) != SQLITE_ROW)
        bench_fail("%s has no row to take after", table);
    prototype->column_count = sqlite3_column_count(read);
    if (prototype->column_count > COLUMNS_MAX)
        bench_fail("%s has too many columns", table);
    snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (", table);
    for (int i = 0; i < prototype->column_count; i++) {
        prototype->columns[i] = strdup(sqlite3_column_name(read, i));
        prototype->values[i] = sqlite3_value_dup(sqlite3_column_value(read, i));
        if (!prototype->columns[i] || !prototype->values[i])
            bench_fail("there is no memory left");
        length = strlen(sql);
        snprintf(sql + length, sizeof sql - length, "%s?%d", i > 0 ? "," : "", i + 1);
    }
    length = strlen(sql);
    snprintf(sql + length, sizeof sql - length, ")");
    sqlite3_finalize(read);
    prototype->insert = prepare(db, sql);
    for (int i = 0; i < prototype->column_count; i++)
        sqlite3_bind_value(prototype->insert, i + 1, prototype->values[i]);
}

static void free_prototype(struct prototype *prototype)
{
    for (int i = 0; i < prototype->column_count; i++) {
        free(prototype->columns[i]);
        sqlite3_value_free(prototype->values[i]);
    }
    sqlite3_finalize(prototype->insert);
}

static int place_of(const struct prototype *prototype, const char *column)
{
    for (int i = 0; i < prototype->column_count; i++) {
        if (strcmp(prototype->columns[i], column) == 0)
            return i + 1;
    }
    bench_fail("there is no column %s any more", column);
}

static void set_id(struct prototype *prototype, const char *column, const unsigned char id[16])
{
    sqlite3_bind_blob(prototype->insert, place_of(prototype, column), id, 16, SQLITE_STATIC);
}

static void set_time(struct prototype *prototype, const char *column, int64_t us)
{
    sqlite3_bind_int64(prototype->insert, place_of(prototype, column), us);
}

/* UUIDv7, as the server's: the young end of the index. */
static void new_id(struct baseline *baseline, int64_t now_us, unsigned char id[16])
{
    const uint64_t low = bench_next(&baseline->chance);
    const int64_t count = baseline->id_count++;
    const int64_t ms = now_us / 1000;

    for (int i = 0; i < 6; i++)
        id[i] = (unsigned char)(ms >> (40 - 8 * i));
    id[6] = (unsigned char)(0x70 | (count >> 8 & 0x0f));
    id[7] = (unsigned char)count;
    memcpy(id + 8, &low, sizeof low);
    id[8] = (unsigned char)(0x80 | (id[8] & 0x3f));
}

/* Creates */

static void cut_totals(struct baseline *baseline, const char *names)
{
    char *rest = baseline->names;
    char *name;

    if (strlen(names) >= sizeof baseline->names)
        bench_fail("--totals is too long");
    snprintf(baseline->names, sizeof baseline->names, "%s", names);
    while ((name = strsep(&rest, "|")) != NULL) {
        if (baseline->total_count == TOTALS_MAX)
            bench_fail("--totals has too many names");
        baseline->totals[baseline->total_count++] = name;
    }
}

static void take_tenant(struct baseline *baseline)
{
    const struct prototype *interaction = &baseline->interaction;
    sqlite3_value *value = interaction->values[place_of(interaction, "tenant_id") - 1];

    if (sqlite3_value_bytes(value) != 16)
        bench_fail("a tenant_id is 16 bytes");
    memcpy(baseline->tenant_id, sqlite3_value_blob(value), 16);
}

static struct str text_of(const struct prototype *prototype, const char *column)
{
    sqlite3_value *value = prototype->values[place_of(prototype, column) - 1];

    if (sqlite3_value_type(value) == SQLITE_NULL)
        return STR_NULL;
    return (struct str){(const char *)sqlite3_value_text(value),
                        (size_t)sqlite3_value_bytes(value)};
}

static void take_sealed(struct baseline *baseline)
{
    const struct prototype *event = &baseline->event;

    baseline->sealed = (struct event){
        .event_type = text_of(event, "event_type"),
        .category = enum_value(&event_categories, text_of(event, "category")),
        .priority = enum_value(&event_priorities, text_of(event, "priority")),
        .title = text_of(event, "title"),
        .payload = text_of(event, "payload"),
        .source = enum_value(&event_sources, text_of(event, "source")),
        .visible_to_agent = true,
    };
}

static void take_chain(struct baseline *baseline)
{
    sqlite3_stmt *read =
        prepare(baseline->db, "SELECT number, hash FROM event_chains WHERE tenant_id = ?1");

    sqlite3_bind_blob(read, 1, baseline->tenant_id, 16, SQLITE_STATIC);
    if (sqlite3_step(read) != SQLITE_ROW || sqlite3_column_bytes(read, 1) != HASH_BYTES)
        bench_fail("the tenant has no chain");
    baseline->seal_number = sqlite3_column_int64(read, 0);
    memcpy(baseline->seal_hash, sqlite3_column_blob(read, 1), HASH_BYTES);
    sqlite3_finalize(read);
}

static int64_t take_year(sqlite3 *db)
{
    sqlite3_stmt *read =
        prepare(db, "SELECT max(year) FROM human_numbers WHERE kind = 'interaction'");
    int64_t year = 0;

    if (sqlite3_step(read) == SQLITE_ROW)
        year = sqlite3_column_int64(read, 0);
    sqlite3_finalize(read);
    if (year == 0)
        bench_fail("no interaction has a number yet");
    return year;
}

/* All are of one cell: of the day, method, user and status that the prototype has. */
static void prepare_attempts(struct baseline *baseline)
{
    static const char *const columns[] = {"tenant_id", "attempt_day", "guarded_as", "created_by",
                                          "lead_status"};
    const struct prototype *interaction = &baseline->interaction;

    baseline->attempts = prepare(
        baseline->db,
        "INSERT INTO attempt_counts (tenant_id, day, method, user_id, lead_status, attempts,"
        " responses, response_seconds, response_times) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, '')"
        " ON CONFLICT (tenant_id, day, method, user_id, lead_status) DO UPDATE"
        " SET attempts = attempt_counts.attempts + excluded.attempts"
        " RETURNING attempts, responses, response_seconds, response_times");
    for (int i = 0; i < (int)(sizeof columns / sizeof columns[0]); i++)
        sqlite3_bind_value(baseline->attempts, i + 1,
                           interaction->values[place_of(interaction, columns[i]) - 1]);
}

static void prepare_creates(struct baseline *baseline, const char *words)
{
    sqlite3 *db = baseline->db;

    take_prototype(db, "interactions", "ORDER BY rowid DESC LIMIT 1", &baseline->interaction);
    take_prototype(db, "contact_events",
                   "WHERE interaction_id IS NOT NULL ORDER BY rowid DESC LIMIT 1",
                   &baseline->event);
    take_tenant(baseline);
    take_sealed(baseline);
    take_chain(baseline);
    prepare_attempts(baseline);
    baseline->year = take_year(db);
    baseline->begin = prepare(db, "BEGIN IMMEDIATE");
    baseline->commit = prepare(db, "COMMIT");
    baseline->summary = prepare(
        db, "UPDATE customers SET last_contacted_at = max(coalesce(last_contacted_at, 0), ?3),"
            " last_contact_key = max(last_contact_key, ?3), last_contact_method = 'call', "
            "contact_count = contact_count + 1,"
            " last_response_at = last_response_at WHERE tenant_id = ?1 AND id = ?2");
    baseline->number =
        prepare(db, "UPDATE human_numbers SET last = last + 1"
                    " WHERE tenant_id = ?1 AND kind = 'interaction' AND year = ?2 RETURNING last");
    baseline->words = prepare(db, "INSERT INTO interaction_words (rowid, words) VALUES (?1, ?2)");
    baseline->total = prepare(
        db, "INSERT INTO kept_counts (tenant_id, name, shard, n) VALUES (?1, ?2, 0, ?3)"
            " ON CONFLICT (tenant_id, name, shard) DO UPDATE SET n = kept_counts.n + excluded.n");
    baseline->seal = prepare(
        db, "INSERT INTO event_seals (tenant_id, number, event_id, content_hash, expires_at, hash)"
            " VALUES (?1, ?2, ?3, ?4, NULL, ?5)");
    baseline->chain =
        prepare(db, "UPDATE event_chains SET number = ?2, hash = ?3 WHERE tenant_id = ?1");
    sqlite3_bind_blob(baseline->seal, 1, baseline->tenant_id, 16, SQLITE_STATIC);
    sqlite3_bind_blob(baseline->chain, 1, baseline->tenant_id, 16, SQLITE_STATIC);
    sqlite3_bind_blob(baseline->summary, 1, baseline->tenant_id, 16, SQLITE_STATIC);
    sqlite3_bind_blob(baseline->number, 1, baseline->tenant_id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(baseline->number, 2, baseline->year);
    sqlite3_bind_text(baseline->words, 2, words, -1, SQLITE_STATIC);
    sqlite3_bind_blob(baseline->total, 1, baseline->tenant_id, 16, SQLITE_STATIC);
}

static void next_number(struct baseline *baseline, char text[NAME_MAX_BYTES])
{
    if (sqlite3_step(baseline->number) != SQLITE_ROW)
        bench_fail("human_numbers: %s", sqlite3_errmsg(baseline->db));
    snprintf(text, NAME_MAX_BYTES, "INT-%04lld-%05lld", (long long)baseline->year,
             (long long)sqlite3_column_int64(baseline->number, 0));
    run(baseline->db, baseline->number);
}

static struct uuid uuid_from(const unsigned char bytes[16])
{
    struct uuid id;

    memcpy(id.bytes, bytes, sizeof id.bytes);
    return id;
}

/* By the server's own functions: the hashes are part of the work. */
static void seal(struct baseline *baseline)
{
    const struct event *event = &baseline->sealed;
    uint8_t text_hash[HASH_BYTES], content_hash[HASH_BYTES], hash[HASH_BYTES];

    seal_text_hash(event, text_hash);
    seal_content_hash(uuid_from(baseline->tenant_id), event, text_hash, content_hash);
    baseline->seal_number++;
    seal_link(baseline->seal_hash, baseline->seal_number, event->id, event->expires_at,
              content_hash, hash);
    memcpy(baseline->seal_hash, hash, sizeof hash);
    sqlite3_bind_int64(baseline->seal, 2, baseline->seal_number);
    sqlite3_bind_blob(baseline->seal, 3, event->id.bytes, 16, SQLITE_STATIC);
    sqlite3_bind_blob(baseline->seal, 4, content_hash, HASH_BYTES, SQLITE_STATIC);
    sqlite3_bind_blob(baseline->seal, 5, hash, HASH_BYTES, SQLITE_STATIC);
    run(baseline->db, baseline->seal);
}

static void end_chain(struct baseline *baseline)
{
    sqlite3_bind_int64(baseline->chain, 2, baseline->seal_number);
    sqlite3_bind_blob(baseline->chain, 3, baseline->seal_hash, HASH_BYTES, SQLITE_STATIC);
    run(baseline->db, baseline->chain);
}

static void create(struct baseline *baseline, uint64_t customer)
{
    struct prototype *interaction = &baseline->interaction, *event = &baseline->event;
    const int64_t now_us = bench_now_us();
    const int64_t started_us =
        now_us - now_us % 1000000 -
        (int64_t)(bench_next(&baseline->chance) % BENCH_CALL_AGE_SECONDS) * 1000000;
    unsigned char id[16], event_id[16], customer_id[16], company_id[16];
    uint64_t salt[2];
    char number[NAME_MAX_BYTES];

    new_id(baseline, now_us, id);
    new_id(baseline, now_us, event_id);
    bench_id(BENCH_CUSTOMER, customer, customer_id);
    bench_id(BENCH_COMPANY, 1 + customer % BENCH_COMPANIES, company_id);

    sqlite3_bind_blob(baseline->summary, 2, customer_id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(baseline->summary, 3, started_us);
    run(baseline->db, baseline->summary);
    if (sqlite3_changes(baseline->db) != 1)
        bench_fail("customer %llu is not there", (unsigned long long)customer);

    next_number(baseline, number);
    sqlite3_bind_null(interaction->insert, place_of(interaction, "row")); /* the next one */
    set_id(interaction, "id", id);
    set_id(interaction, "customer_id", customer_id);
    set_id(interaction, "company_id", company_id);
    sqlite3_bind_text(interaction->insert, place_of(interaction, "interaction_number"), number, -1,
                      SQLITE_STATIC);
    set_time(interaction, "started_at", started_us);
    set_time(interaction, "created_at", now_us);
    set_time(interaction, "updated_at", now_us);
    run(baseline->db, interaction->insert);
    sqlite3_bind_int64(baseline->words, 1, sqlite3_last_insert_rowid(baseline->db));
    run(baseline->db, baseline->words);

    sqlite3_bind_null(event->insert, place_of(event, "row"));
    set_id(event, "id", event_id);
    set_id(event, "contact_id", customer_id);
    set_id(event, "timeline_id", customer_id);
    set_id(event, "interaction_id", id);
    set_time(event, "occurred_at", now_us);
    set_time(event, "created_at", now_us);
    for (int i = 0; i < 2; i++)
        salt[i] = bench_next(&baseline->chance);
    sqlite3_bind_blob(event->insert, place_of(event, "salt"), salt, sizeof salt, SQLITE_STATIC);
    run(baseline->db, event->insert);

    baseline->sealed.id = uuid_from(event_id);
    baseline->sealed.contact_id = uuid_from(customer_id);
    baseline->sealed.interaction_id = uuid_from(id);
    baseline->sealed.occurred_at = baseline->sealed.created_at = now_us;
    baseline->sealed.salt = (struct str){(const char *)salt, sizeof salt};
    seal(baseline);
    baseline->sealed.salt = STR_NULL;
}

static void add_total(struct baseline *baseline, const char *name, int64_t delta)
{
    sqlite3_bind_text(baseline->total, 2, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(baseline->total, 3, delta);
    run(baseline->db, baseline->total);
}

/* A total's name with the id of this customer, or of their company. */
static bool name_for(const char *total, uint64_t customer, char name[NAME_MAX_BYTES])
{
    const char *mark = strchr(total, '{');
    char id[BENCH_UUID_TEXT];

    if (!mark)
        return false;
    if (strncmp(mark, "{customer}", 10) == 0)
        bench_id_text(BENCH_CUSTOMER, customer, id);
    else
        bench_id_text(BENCH_COMPANY, 1 + customer % BENCH_COMPANIES, id);
    snprintf(name, NAME_MAX_BYTES, "%.*s%s", (int)(mark - total), total, id);
    return true;
}

/* Once for the batch, as the server does. */
static void add_totals(struct baseline *baseline, const uint64_t *customers, int count)
{
    for (int t = 0; t < baseline->total_count; t++) {
        const char *total = baseline->totals[t];
        char name[NAME_MAX_BYTES];

        if (!strchr(total, '{'))
            add_total(baseline, total, count);
        for (int i = 0; i < count; i++) {
            if (name_for(total, customers[i], name))
                add_total(baseline, name, 1);
        }
    }
}

static void creates(struct baseline *baseline, int64_t requests)
{
    uint64_t customers[BATCH];

    for (int64_t done = 0; done < requests;) {
        int count = 0;

        run(baseline->db, baseline->begin);
        for (; count < BATCH && done < requests; count++, done++) {
            customers[count] = bench_pick(&baseline->chance, baseline->customers);
            create(baseline, customers[count]);
        }
        add_totals(baseline, customers, count);
        sqlite3_bind_int64(baseline->attempts, 6, count);
        run(baseline->db, baseline->attempts);
        end_chain(baseline);
        run(baseline->db, baseline->commit);
    }
}

static void free_creates(struct baseline *baseline)
{
    free_prototype(&baseline->interaction);
    free_prototype(&baseline->event);
    sqlite3_finalize(baseline->begin);
    sqlite3_finalize(baseline->commit);
    sqlite3_finalize(baseline->summary);
    sqlite3_finalize(baseline->number);
    sqlite3_finalize(baseline->words);
    sqlite3_finalize(baseline->total);
    sqlite3_finalize(baseline->attempts);
    sqlite3_finalize(baseline->seal);
    sqlite3_finalize(baseline->chain);
}

/* Lists */

static const struct query *find_query(const char *name)
{
    for (size_t i = 0; i < all_query_count; i++) {
        if (strcmp(all_queries[i]->name, name) == 0)
            return all_queries[i];
    }
    bench_fail("there is no query %s", name);
}

/* Filters that are not set are null; a page without a cursor begins at its end. Gives the
 * place of the customer's id. */
static int bind_page(struct baseline *baseline, const struct query *query, sqlite3_stmt *page)
{
    static const unsigned char last_id[16] = {255, 255, 255, 255, 255, 255, 255, 255,
                                              255, 255, 255, 255, 255, 255, 255, 255};
    int customer = 0;

    for (int i = 1; i <= (int)query->param_count; i++) {
        const char *name = query->params[i - 1];

        if (strcmp(name, "tenant_id") == 0)
            sqlite3_bind_blob(page, i, baseline->tenant_id, 16, SQLITE_STATIC);
        else if (strcmp(name, "limit") == 0)
            sqlite3_bind_int64(page, i, LIST_LIMIT);
        else if (strcmp(name, "offset") == 0)
            sqlite3_bind_int64(page, i, 0);
        else if (strcmp(name, "cursor_time") == 0)
            sqlite3_bind_int64(page, i, TIME_END);
        else if (strcmp(name, "cursor_id") == 0)
            sqlite3_bind_blob(page, i, last_id, 16, SQLITE_STATIC);
        else if (strcmp(name, "customer_id") == 0 || strcmp(name, "lead") == 0)
            customer = i;
    }
    if (customer == 0)
        bench_fail("%s takes no customer", query->name);
    return customer;
}

/* Reads the columns as whoever shows them has to. */
static int64_t read_columns(sqlite3_stmt *page)
{
    int64_t bytes = 0;

    for (int i = 0; i < sqlite3_column_count(page); i++) {
        switch (sqlite3_column_type(page, i)) {
        case SQLITE_INTEGER:
            bytes += sqlite3_column_int64(page, i) != 0;
            break;
        case SQLITE_FLOAT:
            bytes += sqlite3_column_double(page, i) != 0;
            break;
        case SQLITE_TEXT:
            bytes += sqlite3_column_text(page, i) != NULL;
            break;
        case SQLITE_BLOB:
            bytes += sqlite3_column_blob(page, i) != NULL;
            break;
        default:
            break;
        }
        bytes += sqlite3_column_bytes(page, i);
    }
    return bytes;
}

static int64_t lists(struct baseline *baseline, const struct query *query, int64_t requests)
{
    sqlite3_stmt *page = prepare(baseline->db, query->sqlite);
    sqlite3_stmt *tenant = prepare(baseline->db, "SELECT id FROM tenants");
    unsigned char customer_id[16];
    int64_t rows = 0, bytes = 0;
    int customer;

    if (sqlite3_step(tenant) != SQLITE_ROW || sqlite3_column_bytes(tenant, 0) != 16)
        bench_fail("there is no tenant");
    memcpy(baseline->tenant_id, sqlite3_column_blob(tenant, 0), 16);
    sqlite3_finalize(tenant);
    customer = bind_page(baseline, query, page);
    for (int64_t done = 0; done < requests; done++) {
        bench_id(BENCH_CUSTOMER, bench_pick(&baseline->chance, baseline->customers), customer_id);
        sqlite3_bind_blob(page, customer, customer_id, 16, SQLITE_STATIC);
        while (sqlite3_step(page) == SQLITE_ROW) {
            bytes += read_columns(page);
            rows++;
        }
        check(baseline->db, sqlite3_reset(page));
    }
    sqlite3_finalize(page);
    if (bytes == 0)
        bench_fail("%s finds nothing", query->name);
    return rows;
}

static void print_query(const struct query *query, const char *store)
{
    puts(strcmp(store, "postgres") == 0 ? query->postgres : query->sqlite);
    for (size_t i = 0; i < query->param_count; i++)
        puts(query->params[i]);
}

int main(int argc, char **argv)
{
    static struct baseline baseline;
    const char *what = argc > 1 ? argv[1] : "";
    const bool is_creates = strcmp(what, "creates") == 0;
    int64_t requests, begun_us, rows = 0;
    double seconds;

    if (strcmp(what, "query") == 0) {
        print_query(find_query(bench_option(argc, argv, "query", NULL)),
                    bench_option(argc, argv, "store", "sqlite"));
        return 0;
    }
    if (!is_creates && strcmp(what, "lists") != 0)
        bench_fail("creates, lists or query: see the top of baseline_sqlite.c");
    requests = bench_number(argc, argv, "requests", "20000", 1);
    baseline.chance.state = (uint64_t)bench_number(argc, argv, "seed", "1", 0);
    baseline.customers = bench_range(bench_option(argc, argv, "customers", NULL));
    baseline.db = open_store(bench_option(argc, argv, "db", NULL), is_creates);
    if (is_creates) {
        cut_totals(&baseline, bench_option(argc, argv, "totals", NULL));
        prepare_creates(&baseline, bench_option(argc, argv, "words", NULL));
    }
    begun_us = bench_monotonic_us();
    if (is_creates)
        creates(&baseline, requests);
    else
        rows = lists(&baseline, find_query(bench_option(argc, argv, "query", NULL)), requests);
    seconds = (double)(bench_monotonic_us() - begun_us) / 1e6;
    printf("{\"requests\":%lld,\"seconds\":%.6f,\"rate\":%.1f,\"rows\":%lld}\n",
           (long long)requests, seconds, (double)requests / seconds, (long long)rows);
    if (is_creates)
        free_creates(&baseline);
    sqlite3_close(baseline.db);
    return 0;
}
