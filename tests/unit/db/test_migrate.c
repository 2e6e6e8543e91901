/* Migrations: all or nothing, once, and never backwards. */
#include "store_kit.h"

#include "db/backend.h"
#include "db/migrate.h"
#include "db/query.h"

#include <pthread.h>
#include <stdio.h>
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

/* --- What an older program left -------------------------------------------------------------- */

#define BEFORE_OUTREACH 5 /* migrations, by which nothing of outreach was kept */

/* John was written to on LinkedIn and is to be called; Mary is to be written to on LinkedIn, and in
 * a forum. `#1` is an id, `<` and `>` are a time that has passed and one that lies ahead. */
static const char older_rows[] =
    "INSERT INTO tenants (id, slug, name, timezone, version, created_at, updated_at)"
    " VALUES (#1, 'acme', 'Acme', 'UTC', 1, <, <);"
    "INSERT INTO customers (tenant_id, id, name, name_folded, emails, phones, status, tags,"
    " consent_email, consent_sms, consent_push, consent_phone, last_contacted_at,"
    " last_contact_method, contact_count, version, created_at, updated_at) VALUES"
    " (#1, #2, 'John', 'john', '[]', '[]', 'contacted', '[]', 'unknown', 'unknown', 'unknown',"
    " 'unknown', <, 'social_media', 1, 1, <, <),"
    " (#1, #3, 'Mary', 'mary', '[]', '[]', 'new', '[]', 'unknown', 'unknown', 'unknown',"
    " 'unknown', NULL, NULL, 0, 1, <, <);"
    "INSERT INTO interactions (tenant_id, id, interaction_number, customer_id, type, direction,"
    " channel, outcome, participants, started_at, follow_up_required, follow_up_notified,"
    " responded, version, created_at, updated_at) VALUES"
    " (#1, #4, '4', #2, 'social_media', 'outbound', 'LinkedIn', NULL, '[]', <, false, false,"
    " false, 1, <, <),"
    " (#1, #5, '5', #2, 'call', 'outbound', NULL, 'busy', '[]', >, false, false, false, 1, <, <),"
    " (#1, #6, '6', #3, 'social_media', 'outbound', 'linkedin', NULL, '[]', >, false, false,"
    " false, 1, <, <),"
    " (#1, #7, '7', #3, 'social_media', 'outbound', 'forum', NULL, '[]', >, false, false, false,"
    " 1, <, <),"
    " (#1, #8, '8', #2, 'email', 'inbound', NULL, NULL, '[]', <, false, false, false, 1, <, <);"
    "INSERT INTO planned_touches (tenant_id, interaction_id, customer_id, outbound, method,"
    " started_at) VALUES (#1, #6, #3, true, 'social_media', >),"
    " (#1, #7, #3, true, 'social_media', >), (#1, #5, #2, true, 'call', >);";

static void write_for(bool postgres, const char *text, char *out, size_t size)
{
    size_t len = 0;

    for (; *text; text++) {
        assert_true(len + 64 < size);
        if (*text == '#')
            len += (size_t)sprintf(out + len,
                                   postgres ? "'00000000-0000-7000-8000-00000000000%c'"
                                            : "x'0000000000007000800000000000000%c'",
                                   *++text);
        else if (*text == '<')
            len += (size_t)sprintf(out + len,
                                   postgres ? "'2026-02-10T12:00:00Z'" : "1770724800000000");
        else if (*text == '>')
            len += (size_t)sprintf(out + len,
                                   postgres ? "'2126-02-10T12:00:00Z'" : "4926398400000000");
        else
            out[len++] = *text;
    }
    out[len] = '\0';
}

/* A statement is remembered by its query, so each has its own. */
#define ROWS(n, from)                                                                              \
    {                                                                                              \
        {.name = "rows", .sqlite = COUNTED from, .postgres = COUNTED from}, n                      \
    }
#define COUNTED "SELECT count(*) FROM "

static const struct {
    struct query query;
    int64_t rows;
} taken_over[] = {
    ROWS(2, "interactions WHERE channel = 'linkedin' AND guarded_as = 'linkedin'"),
    ROWS(1, "interactions WHERE channel = 'forum' AND guarded_as = 'social_media'"),
    ROWS(2, "interactions WHERE guarded_as IS NULL"),
    ROWS(1, "customers WHERE last_contact_method = 'linkedin'"),
    ROWS(1, "customers WHERE last_contact_key = last_contacted_at"),
    ROWS(1, "customers WHERE last_contact_key < created_at AND last_contacted_at IS NULL"),
    ROWS(1, "kept_counts WHERE name LIKE 'customers.method:%'"),
    ROWS(1, "kept_counts WHERE name = 'customers.method:linkedin' AND n = 1"),
    ROWS(1, "planned_touches WHERE method = 'linkedin'"),
    ROWS(1, "planned_touches WHERE method = 'social_media'"),
    ROWS(1, "attempt_recounts WHERE after_id IS NULL AND again_at IS NULL"),
};

static void test_outreach_takes_over_what_was_there(void **state)
{
    static char sqlite[8192], postgres[8192];
    struct migration steps[BEFORE_OUTREACH + 2];
    struct db *db = open_db(*state);

    write_for(false, older_rows, sqlite, sizeof(sqlite));
    write_for(true, older_rows, postgres, sizeof(postgres));
    memcpy(steps, all_migrations, sizeof(steps));
    steps[BEFORE_OUTREACH + 1] = all_migrations[BEFORE_OUTREACH];
    steps[BEFORE_OUTREACH + 1].number++;
    steps[BEFORE_OUTREACH] =
        (struct migration){BEFORE_OUTREACH + 1, "older rows", sqlite, postgres};
    if (migrate_run(db, steps, COUNT_OF(steps), &error) != OK)
        fail_msg("%s", error.detail);

    for (size_t i = 0; i < COUNT_OF(taken_over); i++) {
        if (number(db, &taken_over[i].query) != taken_over[i].rows)
            fail_msg("not %d: %s", (int)taken_over[i].rows, taken_over[i].query.sqlite);
    }
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
            TEST(test_outreach_takes_over_what_was_there, store),                                  \
    }

int main(void)
{
    static const struct CMUnitTest sqlite[] = TESTS(sqlite);
    static const struct CMUnitTest postgres[] = TESTS(postgres);

    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
