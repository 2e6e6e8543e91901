/* Filters that combine cost the same whatever the number of customers (steps of SQLite's
 * virtual machine, no clock), and by going on where a page was cut they find all that an
 * unbounded reading finds. */
#include "db/store_kit.h"

#include "app/customer/customer.h"
#include "db/counts.h"

#include <stdio.h>
#include <string.h>

#define FEW 60000 /* more than SCAN_CAP */
#define MANY 120000
#define PAGE 21
#define DIFFERENCE 20 /* percent */
#define TENANT 1
#define OWNER 2
#define COMPANY 3
#define CUSTOMER 1000000
#define SILENT_EVERY 20000 /* one of so many was never contacted: those numbered 3 more */
#define LOST_EVERY 1000    /* one of so many is lost, and has a rare word: numbered 7 more */

/* Ids are sixteen digits: the same bytes on both stores, made without the program. */
static struct uuid id_of(int64_t number)
{
    char digits[24];
    struct uuid id;

    snprintf(digits, sizeof(digits), "%016lld", (long long)number);
    memcpy(id.bytes, digits, sizeof(id.bytes));
    return id;
}

#define SQLITE_ID(n) "CAST(printf('%%016d', " n ") AS blob)"
#define POSTGRES_ID(n)                                                                             \
    "CAST(encode(CAST(lpad(CAST(" n " AS text), 16, '0') AS bytea), 'hex') AS uuid)"
#define SQLITE_SERIES                                                                              \
    "(WITH RECURSIVE s (n) AS (SELECT %1$zu UNION ALL SELECT n + 1 FROM s WHERE n + 1 < %2$zu) "   \
    "SELECT n FROM s) AS s"
#define POSTGRES_SERIES "generate_series(%1$zu, %2$zu - 1) AS s (n)"

/* Customers from..to-1. Names go by threes, so that ids tell them apart. */
#define PEOPLE(ID, SERIES, NAME, TIME)                                                             \
    {                                                                                              \
        "INSERT INTO tenants (id, slug, name, timezone, version, created_at, updated_at) "         \
        "SELECT " ID("1") ", 'acme', 'Acme', 'UTC', 1, " TIME ", " TIME " WHERE %1$zu = 0",        \
            "INSERT INTO users (tenant_id, id, email, email_folded, name, name_folded, role, "     \
            "active, "                                                                             \
            "version, created_at, updated_at) SELECT " ID("1") ", " ID(                            \
                "2") ", 'a@b.c', 'a@b.c', "                                                        \
                     "'Ada', 'ada', 'admin', true, 1, " TIME ", " TIME " WHERE %1$zu = 0",         \
            "INSERT INTO companies (tenant_id, id, name, name_folded, version, created_at, "       \
            "updated_at) SELECT " ID("1") ", " ID("3") ", 'Co', 'co', 1, " TIME ", " TIME          \
                                                       " WHERE %1$zu = 0",                         \
            "INSERT INTO customers (tenant_id, id, name, name_folded, emails, phones, status, "    \
            "tags, "                                                                               \
            "owner_id, company_id, consent_email, consent_sms, consent_push, consent_phone, "      \
            "last_contacted_at, contact_count, version, created_at, updated_at) SELECT " ID(       \
                "1") ", " ID("1000000 + n") ", " NAME ", " NAME                                    \
                                            ", '[]', '[]', CASE WHEN n %% 1000 = 7 "               \
                                            "THEN 'lost' ELSE 'new' END, '[]', " ID("2") ", " ID(  \
                                                "3") ", 'unknown', 'unknown', "                    \
                                                     "'unknown', 'unknown', CASE WHEN n %% 20000 " \
                                                     "<> 3 THEN " TIME " END, 0, 1, " TIME         \
                                                     ", " TIME " FROM " SERIES,                    \
            "INSERT INTO customer_tags (tenant_id, tag, name_folded, customer_id) SELECT " ID(     \
                "1") ", 'vip', " NAME ", " ID("1000000 + n") " FROM " SERIES,                      \
            "INSERT INTO customer_words (tenant_id, word, customer_id) SELECT " ID(                \
                "1") ", 'common', " ID("1000000 + n") " FROM " SERIES,                             \
            "INSERT INTO customer_words (tenant_id, word, customer_id) SELECT " ID(                \
                "1") ", 'rare', " ID("1000000 + n") " FROM " SERIES " WHERE n %% 1000 = 7",        \
    }

static void fill_rows(struct test_store *store, size_t from, size_t to)
{
    static const char *const sqlite_people[] =
        PEOPLE(SQLITE_ID, SQLITE_SERIES, "printf('name%%06d', n / 3)", "2000000000000000");
    static const char *const postgres_people[] =
        PEOPLE(POSTGRES_ID, POSTGRES_SERIES, "'name' || lpad(CAST(n / 3 AS text), 6, '0')",
               "to_timestamp(2000000000)");
    static char sql[4][COUNT_OF(sqlite_people)][2000]; /* a statement is known by its address */
    static size_t used;
    char(*const texts)[2000] = sql[used++];

    for (size_t i = 0; i < COUNT_OF(sqlite_people); i++) {
        snprintf(texts[i], sizeof(texts[i]),
                 store->is_postgres ? postgres_people[i] : sqlite_people[i], from, to);
        store_kit_sql(store, texts[i]);
    }
}

/* What the program would have kept. */
static enum err keep_totals(struct ctx *cx, void *context)
{
    const int64_t rows = *(const int64_t *)context;

    cx->actor.tenant_id = id_of(TENANT);
    TRY(count_add(cx, "customers", STR(""), rows));
    TRY(count_add(cx, "customers.status", STR("lost"), rows / LOST_EVERY));
    TRY(count_add(cx, "customers.status", STR("new"), rows - rows / LOST_EVERY));
    TRY(count_add_uuid(cx, "customers.owner", id_of(OWNER), rows));
    TRY(count_add_uuid(cx, "customers.company", id_of(COMPANY), rows));
    return count_add(cx, "customers.tag", STR("vip"), rows);
}

static void fill(struct test_store *store, size_t from, size_t to)
{
    int64_t rows = (int64_t)(to - from);

    fill_rows(store, from, to);
    if (store->is_postgres) /* as it does by itself a little later */
        store_kit_sql(store, "ANALYZE customers, customer_tags, customer_words");
    assert_int_equal(store_kit_run(store, TX_WRITE, keep_totals, &rows), OK);
}

/* Whose every match lies `every` apart, from the one numbered `first` on. */
static const struct {
    const char *name;
    struct customer_filter filter;
    int64_t first, every;
    bool bounded; /* only by SCAN_CAP: the total is capped, and pages are cut */
} asked[] = {
#define SILENT .not_contacted_since = SOME(1900000000 * SECOND_US)
    {"silent", {SILENT}, 3, SILENT_EVERY, true},
    {"silent, status", {SILENT, .status = CUSTOMER_NEW}, 3, SILENT_EVERY, true},
    {"silent, owner", {SILENT, .owner_id = {"0000000000000002"}}, 3, SILENT_EVERY, true},
    {"silent, company", {SILENT, .company_id = {"0000000000000003"}}, 3, SILENT_EVERY, true},
    {"silent, tag", {SILENT, .tag = {"vip", 3}}, 3, SILENT_EVERY, true},
    {"silent, word", {SILENT, .q = {"com", 3}}, 3, SILENT_EVERY, true},
    {"silent, tag, word", {SILENT, .q = {"com", 3}, .tag = {"vip", 3}}, 3, SILENT_EVERY, true},
    {"tag, rare status",
     {.status = CUSTOMER_LOST, .tag = {"vip", 3}, .owner_id = {"0000000000000002"}},
     7,
     LOST_EVERY,
     false},
    {"rare status, common word", {.status = CUSTOMER_LOST, .q = {"c", 1}}, 7, LOST_EVERY, false},
    {"rare word, tag", {.tag = {"vip", 3}, .q = {"common rar", 10}}, 7, LOST_EVERY, false},
    {"rare word", {.q = {"rare", 4}}, 7, LOST_EVERY, false},
    {"tag", {.tag = {"vip", 3}}, 0, 1, false},
};

struct costs {
    int64_t rows;
    int64_t first_page[COUNT_OF(asked)];
};

#define DEAREST (150 * (int64_t)SCAN_CAP) /* steps of any page with its total */
#define PAGES_ENOUGH 5                    /* of a plain list */

static enum err read_all(struct ctx *cx, const struct costs *costs, size_t i, int64_t *first_page)
{
    struct customer_place place = {STR(""), {{[15] = 1}}, PAGE, 0};
    const int64_t expected = (costs->rows - asked[i].first - 1) / asked[i].every + 1;
    int64_t found = 0, pages = 0;
    struct customer_page page;

    do {
        struct db_cost cost;

        db_cost(cx, &cost);
        TRY(customer_list(cx, &asked[i].filter, &place, &page));
        db_cost(cx, &cost);
        must(cost.vm_steps < DEAREST);
        must_equal(cost.full_scan_steps, 0);
        if (pages == 0)
            *first_page = cost.vm_steps;
        must_equal(page.capped, asked[i].bounded);
        must_equal(page.total, asked[i].bounded ? COUNT_CAP : expected);
        for (size_t k = 0; k < page.rows.count; k++) {
            const struct customer *row = LIST_AT(page.rows, struct customer, k);

            must(uuid_equal(row->id, id_of(CUSTOMER + asked[i].first + found * asked[i].every)));
            found++;
            place.after_name = row->name_folded;
            place.after_id = row->id;
        }
        if (page.cut) {
            place.after_name = page.cut_name;
            place.after_id = page.cut_id;
        }
        pages++;
    } while (page.cut || (page.rows.count == PAGE && pages < PAGES_ENOUGH));
    if (asked[i].bounded)
        must_equal(pages, costs->rows / SCAN_CAP + 1);
    if (pages < PAGES_ENOUGH)
        must_equal(found, expected);
    return OK;
}

/* Skipping is reading too, and lands where it should. */
static enum err read_behind(struct ctx *cx)
{
    const struct customer_place second = {STR(""), {{[15] = 1}}, 1, 1},
                                beyond = {STR(""), {{[15] = 1}}, 1, 5000};
    const struct customer_filter silent = {SILENT}, lost = {.status = CUSTOMER_LOST, .q = STR("c")};
    struct customer_page page;

    TRY(customer_list(cx, &silent, &second, &page));
    must_equal(page.rows.count, 1);
    must(
        uuid_equal(LIST_AT(page.rows, struct customer, 0)->id, id_of(CUSTOMER + 3 + SILENT_EVERY)));
    TRY(customer_list(cx, &lost, &beyond, &page));
    must(page.rows.count == 0 && !page.cut);
    return OK;
}

static enum err measure(struct ctx *cx, void *context)
{
    struct costs *costs = context;

    cx->actor.tenant_id = id_of(TENANT);
    for (size_t i = 0; i < COUNT_OF(asked); i++)
        TRY(read_all(cx, costs, i, &costs->first_page[i]));
    return read_behind(cx);
}

static bool alike(int64_t a, int64_t b)
{
    const int64_t larger = a > b ? a : b, smaller = a > b ? b : a;

    return (larger - smaller) * 100 <= smaller * DIFFERENCE;
}

static void test_combined_filters_are_bounded_and_complete(void **state)
{
    struct test_store *store = *state;
    struct costs few = {.rows = FEW}, many = {.rows = MANY};

    fill(store, 0, FEW);
    if (store_kit_run(store, TX_READ, measure, &few) != OK)
        fail_msg("%s", store->error.detail);
    fill(store, FEW, MANY);
    if (store_kit_run(store, TX_READ, measure, &many) != OK)
        fail_msg("%s", store->error.detail);
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        const bool grows = asked[i].every == LOST_EVERY; /* twice as many matches to count */

        if (!grows && !alike(few.first_page[i], many.first_page[i]))
            fail_msg("%s: a page costs %lld with few and %lld with many", asked[i].name,
                     (long long)few.first_page[i], (long long)many.first_page[i]);
        if (grows && many.first_page[i] > DEAREST / 45)
            fail_msg("%s: a page costs %lld, though few match", asked[i].name,
                     (long long)many.first_page[i]);
    }
}

static const struct CMUnitTest sqlite[] = {
    STORE_TEST(test_combined_filters_are_bounded_and_complete, sqlite)};
static const struct CMUnitTest postgres[] = {
    STORE_TEST(test_combined_filters_are_bounded_and_complete, postgres)};

int main(void)
{
    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
