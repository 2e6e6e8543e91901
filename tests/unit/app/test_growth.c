/* Lists cost the same whatever their length, and nothing here looks at a clock: steps of
 * SQLite's virtual machine, and the buffers that PostgreSQL touches, for pages at the top and
 * deep down and for every kept total, with few interactions and with many. And lists that
 * cannot be had by an index alone are cut where they have read enough, and go on.
 *
 * TOUCHPOINT_GROWTH_ROWS says how many are many; 1,000,000 takes some minutes. */
#include "db/store_kit.h"

#include "app/customer/customer.h"
#include "app/interaction/interaction.h"
#include "app/timeline/timeline.h"
#include "db/counts.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FEW 10000
#define MANY 120000 /* more than twice SCAN_CAP */
#define PAGE 21
#define CUSTOMERS 100
#define DIFFERENCE 20 /* percent */

static size_t many(void)
{
    const char *text = getenv("TOUCHPOINT_GROWTH_ROWS");
    int64_t rows;

    return text && str_to_int(str_of(text), &rows) && rows > FEW ? (size_t)rows : MANY;
}

/* --- The rows ------------------------------------------------------------------------------ */

/* Ids are sixteen digits: the same bytes on both stores, made without the program. */
static struct uuid id_of(int64_t number)
{
    char digits[24];
    struct uuid id;

    snprintf(digits, sizeof(digits), "%016lld", (long long)number);
    memcpy(id.bytes, digits, sizeof(id.bytes));
    return id;
}

#define TENANT 1
#define USER 2
#define COMPANY 3
#define CUSTOMER 1000
#define RARE_COMPANY 4
#define RARE_CUSTOMER 5
#define RARE_USER 6
#define RARE_ROWS (FEW / 40)
#define MARK                                                                                       \
    "\xC2\xB7"                                                                                     \
    "30303030303030303030303030303031"

static void people(struct test_store *store)
{
    const char *id = store->is_postgres ? "CAST(encode(lpad(CAST(%s AS text), 16, '0')::bytea, "
                                          "'hex') AS uuid)"
                                        : "CAST(printf('%%016d', %s) AS blob)";
    const char *now = store->is_postgres ? "now()" : "0";
    const char *series = store->is_postgres
                             ? "SELECT n FROM generate_series(0, 100) AS s (n)"
                             : "WITH RECURSIVE s (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s "
                               "WHERE n < 100) SELECT n FROM s";
    char tenant[120], user[120], company[120], customer[160];
    static char sql[4][1500];

    snprintf(tenant, sizeof(tenant), id, "1");
    snprintf(user, sizeof(user), id, "2 + 4 * n");
    snprintf(company, sizeof(company), id, "3 + n");
    snprintf(customer, sizeof(customer), id, "CASE n WHEN 100 THEN 5 ELSE 1000 + n END");
    snprintf(sql[0], sizeof(sql[0]),
             "INSERT INTO tenants (id, slug, name, timezone, version, created_at, updated_at) "
             "VALUES (%s, 'acme', 'Acme', 'UTC', 1, %s, %s)",
             tenant, now, now);
    snprintf(sql[1], sizeof(sql[1]),
             "INSERT INTO users (tenant_id, id, email, email_folded, name, name_folded, role, "
             "active, version, created_at, updated_at) SELECT %s, %s, 'a@b.c' || n, 'a@b.c' || n, "
             "'Ada', 'ada', 'admin', true, 1, %s, %s FROM (%s) AS t WHERE n < 2",
             tenant, user, now, now, series);
    snprintf(sql[2], sizeof(sql[2]),
             "INSERT INTO companies (tenant_id, id, name, name_folded, version, created_at, "
             "updated_at) SELECT %s, %s, 'Co', 'co', 1, %s, %s FROM (%s) AS t WHERE n < 2",
             tenant, company, now, now, series);
    snprintf(sql[3], sizeof(sql[3]),
             "INSERT INTO customers (tenant_id, id, name, name_folded, emails, phones, status, "
             "tags, consent_email, consent_sms, consent_push, consent_phone, contact_count, "
             "version, created_at, updated_at) SELECT %s, %s, 'Jane', 'jane', '[]', '[]', 'new', "
             "'[]', 'unknown', 'unknown', 'unknown', 'unknown', 0, 1, %s, %s FROM (%s) AS t",
             tenant, customer, now, now, series);
    for (size_t i = 0; i < COUNT_OF(sql); i++)
        store_kit_sql(store, sql[i]);
}

/* Interactions from..to-1: a second apart, customers in turn, the first one inbound, one of
 * 1,000 with a rare word, one of 50 with a follow-up. A customer, a company, a creator and a
 * type are met among the FEW first only, so that reading another index than theirs shows. */
static void fill_sqlite(struct test_store *store, size_t from, size_t to)
{
    static char rows[2][2000], words[2][900];
    static size_t used;
    const size_t i = used++ % 2;

    snprintf(
        rows[i], sizeof(rows[i]),
        "WITH RECURSIVE s (n) AS (SELECT %zu UNION ALL SELECT n + 1 FROM s WHERE n < %zu) "
        "INSERT INTO interactions (tenant_id, id, interaction_number, customer_id, company_id, "
        "created_by, type, direction, channel, outcome, subject, participants, started_at, "
        "follow_up_required, follow_up_assignee, follow_up_due, follow_up_notified, responded, "
        "sentiment_label, version, created_at, updated_at) SELECT CAST('0000000000000001' AS "
        "blob), CAST(printf('%%016d', 1000000 + n) AS blob), 'INT-' || n, "
        "CAST(printf('%%016d', CASE WHEN n < 10000 AND n %% 40 = 1 THEN 5 ELSE 1000 + n %% 100 "
        "END) "
        "AS blob), CAST(printf('%%016d', CASE WHEN n < 10000 AND n %% 40 = 2 THEN 4 ELSE 3 END) AS "
        "blob), CAST(printf('%%016d', CASE WHEN n < 10000 AND n %% 40 = 3 THEN 6 ELSE 2 END) AS "
        "blob), CASE WHEN n < 10000 AND n %% 40 = 4 THEN 'sms' ELSE 'call' END, "
        "CASE n WHEN 0 THEN 'inbound' ELSE 'outbound' END, 'phone', 'busy', 'common' || CASE WHEN "
        "n %% 1000 = 7 THEN ' rare' ELSE '' END, "
        "'[]', (1700000000 + n) * 1000000, n %% 50 = 0, CAST('0000000000000002' AS blob), CASE "
        "WHEN n %% 50 = 0 THEN (1800000000 + n) * 1000000 END, true, false, 'Mixed', 1, 0, 0 "
        "FROM s",
        from, to - 1);
    store_kit_sql(store, rows[i]);
    snprintf(words[i], sizeof(words[i]),
             "INSERT INTO interaction_words (rowid, words) SELECT row, '" MARK " ' || subject "
             "FROM interactions WHERE started_at >= %zu000000",
             1700000000 + from);
    store_kit_sql(store, words[i]);
}

/* What the program would have kept. */
static enum err keep_totals(struct ctx *cx, void *context)
{
    const int64_t rows = *(const int64_t *)context;

    cx->actor.tenant_id = id_of(TENANT);
    TRY(count_add(cx, "interactions", STR(""), rows));
    TRY(count_add_uuid(cx, "interactions.customer", id_of(CUSTOMER), rows / CUSTOMERS));
    TRY(count_add_uuid(cx, "interactions.company", id_of(COMPANY), rows));
    TRY(count_add_uuid(cx, "interactions.created_by", id_of(USER), rows));
    TRY(count_add(cx, "interactions.type", STR("call"), rows));
    TRY(count_add(cx, "interactions.follow_up", STR(""), rows / 50));
    TRY(count_add_uuid(cx, "interactions.follow_up_assignee", id_of(USER), rows / 50));
    if (rows != FEW)
        return OK;
    TRY(count_add_uuid(cx, "interactions.customer", id_of(RARE_CUSTOMER), RARE_ROWS));
    TRY(count_add_uuid(cx, "interactions.company", id_of(RARE_COMPANY), RARE_ROWS));
    TRY(count_add_uuid(cx, "interactions.created_by", id_of(RARE_USER), RARE_ROWS));
    return count_add(cx, "interactions.type", STR("sms"), RARE_ROWS);
}

/* --- What is measured ---------------------------------------------------------------------------
 */

struct measure {
    const char *name;
    struct interaction_filter filter;
    bool follow_ups;
};

static const struct measure measures[] = {
    {"all", {.type = 0}, false},
    {"customer", {.customer_id = {"0000000000001000"}}, false},
    {"company", {.company_id = {"0000000000000003"}}, false},
    {"created_by", {.created_by = {"0000000000000002"}}, false},
    {"type", {.type = TYPE_CALL}, false},
    {"rare customer", {.customer_id = {"0000000000000005"}}, false},
    {"rare company", {.company_id = {"0000000000000004"}}, false},
    {"rare created_by", {.created_by = {"0000000000000006"}}, false},
    {"rare type", {.type = TYPE_SMS}, false},
    {"follow-ups", {.type = 0}, true},
    {"follow-ups of one", {.created_by = {"0000000000000002"}}, true},
};

enum depth { TOP, MIDDLE, BOTTOM, DEPTHS };

struct costs {
    int64_t rows; /* in all */
    int64_t page[COUNT_OF(measures)][DEPTHS];
};

/* Where a page begins: among all rows at the same share of them. */
static int64_t place_at(const struct costs *costs, enum depth depth, int64_t begin)
{
    static const int64_t percent[] = {100, 60, 30};

    return (begin + costs->rows * percent[depth] / 100) * SECOND_US;
}

static enum err read_page(struct ctx *cx, const struct measure *measure, const struct costs *costs,
                          enum depth depth)
{
    const struct interaction_place place = {place_at(costs, depth, 1700000000), UUID_MAX, PAGE, 0};
    struct interaction_page page = {.total = 0};

    if (measure->follow_ups)
        TRY(interaction_follow_ups(cx, 0, measure->filter.created_by,
                                   1800000000 * SECOND_US + costs->rows * SECOND_US -
                                       place_at(costs, depth, 0),
                                   id_of(1), PAGE, 0, &page.rows, &page.total, &page.capped));
    else
        TRY(interaction_list(cx, &measure->filter, &place, &page));
    must_equal(page.rows.count, PAGE);
    must(page.total >= FEW / CUSTOMERS && !page.capped);
    return OK;
}

static enum err measure_steps(struct ctx *cx, void *context)
{
    struct costs *costs = context;

    cx->actor.tenant_id = id_of(TENANT);
    for (size_t i = 0; i < COUNT_OF(measures); i++) {
        for (enum depth depth = TOP; depth < DEPTHS; depth++) {
            struct db_cost cost;

            db_cost(cx, &cost);
            TRY(read_page(cx, &measures[i], costs, depth));
            db_cost(cx, &cost);
            must(cost.vm_steps > PAGE);
            must_equal(cost.full_scan_steps, 0);
            costs->page[i][depth] = cost.vm_steps;
        }
    }
    return OK;
}

/* --- PostgreSQL tells by EXPLAIN ------------------------------------------------------------ */

static PGconn *connect_to(const struct test_store *store)
{
    PGconn *connection = PQconnectdb(store->url);

    if (PQstatus(connection) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(connection));
    return connection;
}

static PGresult *say(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);

    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    return result;
}

static void do_sql(PGconn *connection, const char *sql)
{
    PQclear(say(connection, sql));
}

#define UUID(digits) "encode('" digits "'::bytea, 'hex')::uuid"

static const struct query *query_named(const char *name)
{
    for (size_t i = 0; i < all_query_count; i++) {
        if (strcmp(all_queries[i]->name, name) == 0)
            return all_queries[i];
    }
    fail_msg("no query %s", name);
    return NULL;
}

/* An end of a stretch of times, which begins at `place`: upwards, or downwards. */
static void add_end(struct buf *sql, bool low, bool downwards, int64_t place)
{
    if (low != downwards)
        buf_addf(sql, "to_timestamp(%lld)", (long long)place);
    else
        buf_add(sql, low ? STR("'-infinity'") : STR("'infinity'"));
}

/* Buffers of a query as the server runs it: prepared, with a plan that knows no values. */
static int64_t buffers_of(PGconn *connection, const char *query_name, const char *lead,
                          int64_t place, const char *name)
{
    const struct query *query = query_named(query_name);
    struct buf sql;
    PGresult *result;
    int64_t hit = 0, read = 0;

    buf_init(&sql, NULL, KIB(16));
    buf_addf(&sql, "PREPARE q AS %s", query->postgres);
    buf_add_char(&sql, '\0');
    do_sql(connection, sql.ptr);
    buf_reset(&sql);
    buf_addf(&sql, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF) EXECUTE q (");
    for (size_t i = 0; i < query->param_count; i++) {
        const struct str param = str_of(query->params[i]);

        buf_add(&sql, i ? STR(", ") : STR(""));
        if (str_is(param, "tenant_id") || str_is(param, "cursor_id"))
            buf_add(&sql, STR(UUID("0000000000000001")));
        else if (str_is(param, "lead") || str_is(param, "assignee"))
            buf_add(&sql, str_of(lead));
        else if (str_is(param, "cursor_time"))
            buf_addf(&sql, "to_timestamp(%lld)", (long long)place);
        else if (str_is(param, "to_time"))
            buf_add(&sql, STR("'infinity'"));
        else if (str_is(param, "limit"))
            buf_addf(&sql, "%d", PAGE);
        else if (str_is(param, "offset"))
            buf_add(&sql, STR("0"));
        else if (str_is(param, "edge_time"))
            buf_add(&sql, STR("'-infinity'"));
        else if (str_is(param, "edge_id") || str_is(param, "low_id"))
            buf_add(&sql, STR(UUID("0000000000000000")));
        else if (str_is(param, "low_time") || str_is(param, "high_time"))
            add_end(&sql, param.ptr[0] == 'l', strstr(query_name, "latest"), place);
        else if (str_is(param, "high_id"))
            buf_add(&sql, STR(UUID("zzzzzzzzzzzzzzzz")));
        else if (str_is(param, "low_name"))
            buf_addf(&sql, "'name%07lld'", (long long)(place - 1700000000));
        else if (str_is(param, "high_name"))
            buf_add(&sql, STR("'z'"));
        else if (str_is(param, "actor_id"))
            buf_add(&sql, STR(UUID("0000000000000002")));
        else if (str_is(param, "is_admin"))
            buf_add(&sql, STR("true"));
        else if (str_is(param, "now"))
            buf_add(&sql, STR("now()"));
        else if (str_is(param, "category") || str_is(param, "event_type"))
            buf_add(&sql, STR("NULL"));
        else if (str_is(param, "count_cap"))
            buf_addf(&sql, "%d", COUNT_CAP + 1);
        else if (str_is(param, "before_number") || str_is(param, "edge_number"))
            buf_addf(&sql, "%lld",
                     (long long)(place - 1700000000 - (param.ptr[0] == 'e' ? SCAN_CAP : 0)));
        else
            buf_addf(&sql, "'%s'", name);
    }
    buf_add(&sql, STR(")"));
    buf_add_char(&sql, '\0');
    result = say(connection, sql.ptr);
    /* The first line of buffers is the whole plan's. */
    for (int i = 0; i < PQntuples(result); i++) {
        const char *line = strstr(PQgetvalue(result, i, 0), "Buffers: shared");

        if (!line)
            continue;
        if (strstr(line, "hit="))
            hit = strtoll(strstr(line, "hit=") + 4, NULL, 10);
        if (strstr(line, "read="))
            read = strtoll(strstr(line, "read=") + 5, NULL, 10);
        break;
    }
    PQclear(result);
    do_sql(connection, "DEALLOCATE q");
    buf_clear(&sql);
    return hit + read;
}

static void measure_buffers(const struct test_store *store, struct costs *costs)
{
    static const struct {
        const char *query, *lead, *name;
    } asked[COUNT_OF(measures)] = {
        {"interaction_page_by_all", "", "interactions:"},
        {"interaction_page_by_customer", UUID("0000000000001000"),
         "interactions.customer:30303030-3030-3030-3030-303031303030"},
        {"interaction_page_by_company", UUID("0000000000000003"),
         "interactions.company:30303030-3030-3030-3030-303030303033"},
        {"interaction_page_by_created_by", UUID("0000000000000002"),
         "interactions.created_by:30303030-3030-3030-3030-303030303032"},
        {"interaction_page_by_type", "'call'", "interactions.type:call"},
        {"interaction_page_by_customer", UUID("0000000000000005"),
         "interactions.customer:30303030-3030-3030-3030-303030303035"},
        {"interaction_page_by_company", UUID("0000000000000004"),
         "interactions.company:30303030-3030-3030-3030-303030303034"},
        {"interaction_page_by_created_by", UUID("0000000000000006"),
         "interactions.created_by:30303030-3030-3030-3030-303030303036"},
        {"interaction_page_by_type", "'sms'", "interactions.type:sms"},
        {"interaction_follow_ups", "", "interactions.follow_up:"},
        {"interaction_follow_ups_of", UUID("0000000000000002"),
         "interactions.follow_up_assignee:30303030-3030-3030-3030-303030303032"},
    };
    PGconn *connection = connect_to(store);

    do_sql(connection, "VACUUM ANALYZE");
    do_sql(connection, "SET plan_cache_mode = force_generic_plan");
    for (size_t i = 0; i < COUNT_OF(measures); i++) {
        for (enum depth depth = TOP; depth < DEPTHS; depth++) {
            const int64_t place =
                measures[i].follow_ups
                    ? 1800000000 + costs->rows - place_at(costs, depth, 0) / SECOND_US
                    : place_at(costs, depth, 1700000000) / SECOND_US;
            const int64_t page = buffers_of(connection, asked[i].query, asked[i].lead, place, "");
            const int64_t total = buffers_of(connection, "count_get", "", 0, asked[i].name);

            assert_true(page >= PAGE && total > 0);
            costs->page[i][depth] = page + total;
        }
    }
    PQfinish(connection);
}

static void fill_postgres(const struct test_store *store, size_t from, size_t to)
{
    PGconn *connection = connect_to(store);
    char sql[3000];

    do_sql(connection,
           "CREATE FUNCTION pg_temp.id(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS "
           "$$SELECT encode(lpad(n::text, 16, '0')::bytea, 'hex')::uuid$$");
    snprintf(
        sql, sizeof(sql),
        "INSERT INTO interactions (tenant_id, id, interaction_number, customer_id, company_id, "
        "created_by, type, direction, channel, outcome, subject, participants, started_at, "
        "follow_up_required, follow_up_assignee, follow_up_due, follow_up_notified, responded, "
        "sentiment_label, words, version, created_at, updated_at) "
        "SELECT pg_temp.id(1), pg_temp.id(1000000 + n), 'INT-' || n, "
        "pg_temp.id(CASE WHEN n < 10000 AND n %% 40 = 1 THEN 5 ELSE 1000 + n %% 100 END), "
        "pg_temp.id(CASE WHEN n < 10000 AND n %% 40 = 2 THEN 4 ELSE 3 END), "
        "pg_temp.id(CASE WHEN n < 10000 AND n %% 40 = 3 THEN 6 ELSE 2 END), "
        "CASE WHEN n < 10000 AND n %% 40 = 4 THEN 'sms' ELSE 'call' END, "
        "CASE n WHEN 0 THEN 'inbound' ELSE 'outbound' END, "
        "'phone', 'busy', 'common' || CASE WHEN n %% 1000 = 7 THEN ' rare' ELSE '' END, '[]', "
        "to_timestamp(1700000000 + n), n %% 50 = 0, pg_temp.id(2), "
        "CASE WHEN n %% 50 = 0 THEN to_timestamp(1800000000 + n) END, true, false, 'Mixed', "
        "CAST('" MARK " common' || CASE WHEN n %% 1000 = 7 THEN ' rare' ELSE '' END AS tsvector), "
        "1, now(), now() FROM generate_series(%zu, %zu) AS s (n)",
        from, to - 1);
    do_sql(connection, sql);
    PQfinish(connection);
}

/* --- The tests ------------------------------------------------------------------------------ */

static void fill(struct test_store *store, size_t from, size_t to)
{
    int64_t rows = (int64_t)(to - from);

    if (store->is_postgres)
        fill_postgres(store, from, to);
    else
        fill_sqlite(store, from, to);
    assert_int_equal(store_kit_run(store, TX_WRITE, keep_totals, &rows), OK);
}

static void measure(struct test_store *store, struct costs *costs, size_t rows)
{
    costs->rows = (int64_t)rows;
    if (store->is_postgres)
        measure_buffers(store, costs);
    else if (store_kit_run(store, TX_READ, measure_steps, costs) != OK)
        fail_msg("%s", store->error.detail);
}

static bool alike_within(int64_t a, int64_t b, int64_t percent)
{
    const int64_t larger = a > b ? a : b, smaller = a > b ? b : a;

    return (larger - smaller) * 100 <= smaller * percent;
}

static bool alike(int64_t a, int64_t b)
{
    return alike_within(a, b, DIFFERENCE);
}

static enum err read_cut(struct ctx *cx, void *context)
{
    const int64_t rows = *(const int64_t *)context;
    const struct interaction_filter inbound = {.direction = DIRECTION_INBOUND};
    struct interaction_place place = {TIME_END, UUID_MAX, PAGE, 0};
    struct interaction_page page;
    int64_t pages = 0, found = 0;

    cx->actor.tenant_id = id_of(TENANT);
    do {
        struct db_cost cost;

        db_cost(cx, &cost);
        TRY(interaction_list(cx, &inbound, &place, &page));
        db_cost(cx, &cost);
        must(cost.vm_steps < 100 * (int64_t)SCAN_CAP);
        must(page.capped && page.total == COUNT_CAP);
        found += (int64_t)page.rows.count;
        if (page.rows.count > 0) /* the very first */
            must(uuid_equal(LIST_AT(page.rows, struct interaction, 0)->id, id_of(1000000)));
        place.before_time = page.cut_time;
        place.before_id = page.cut_id;
        pages++;
    } while (page.cut);
    must_equal(found, 1);
    must_equal(pages, rows / SCAN_CAP + 1);
    return OK;
}

static enum err read_search(struct ctx *cx, void *context)
{
    const int64_t rows = *(const int64_t *)context;
    const struct interaction_place top = {TIME_END, UUID_MAX, PAGE, 0};
    const struct interaction_place third = {TIME_END, UUID_MAX, PAGE, 2};
    const struct interaction_filter common = {.q = STR("Comm")}, rare = {.q = STR("common RARE")},
                                    of_one = {.q = STR("common"), .customer_id = id_of(CUSTOMER)},
                                    early = {.q = STR("rare"), .to = SOME(1700002000 * SECOND_US)},
                                    nobody = {.q = STR("common"), .direction = DIRECTION_INBOUND};
    struct interaction_page page;

    cx->actor.tenant_id = id_of(TENANT);
    TRY(interaction_list(cx, &common, &top, &page)); /* by reading the list */
    must(page.capped && page.rows.count == PAGE && !page.cut);
    for (size_t i = 0; i < page.rows.count; i++)
        must(uuid_equal(LIST_AT(page.rows, struct interaction, i)->id,
                        id_of(1000000 + rows - 1 - (int64_t)i)));
    TRY(interaction_list(cx, &common, &third, &page));
    must(uuid_equal(LIST_AT(page.rows, struct interaction, 0)->id, id_of(1000000 + rows - 3)));
    TRY(interaction_list(cx, &rare, &top, &page)); /* by the index of texts */
    must(!page.capped && page.total == rows / 1000);
    must_equal(LIST_AT(page.rows, struct interaction, 0)->started_at,
               (1700000000 + rows - 1000 + 7) * SECOND_US);
    TRY(interaction_list(cx, &of_one, &top, &page));
    must_equal(page.rows.count, PAGE);
    must_equal(page.total, rows / CUSTOMERS);
    TRY(interaction_list(cx, &early, &top, &page));
    must(page.total == 2 && page.rows.count == 2 && !page.capped);
    TRY(interaction_list(cx, &nobody, &top, &page)); /* does not read for ever */
    must(page.cut && page.capped && page.rows.count == 0);
    return OK;
}

static void test_lists_do_not_grow_dearer(void **state)
{
    struct test_store *store = *state;
    static struct costs few_costs, many_costs;
    int64_t rows = (int64_t)many();

    people(store);
    fill(store, 0, FEW);
    measure(store, &few_costs, FEW);
    fill(store, FEW, (size_t)rows);
    measure(store, &many_costs, (size_t)rows);
    for (size_t i = 0; i < COUNT_OF(measures); i++) {
        for (enum depth depth = TOP; depth < DEPTHS; depth++) {
            const int64_t a = few_costs.page[i][depth], b = many_costs.page[i][depth];

            if (!alike(a, b) || !alike(b, many_costs.page[i][TOP]))
                fail_msg("%s: a page at depth %d costs %lld with few, %lld with many, and %lld at "
                         "the top",
                         measures[i].name, (int)depth, (long long)a, (long long)b,
                         (long long)many_costs.page[i][TOP]);
        }
    }
    if (store_kit_run(store, TX_READ, read_cut, &rows) != OK ||
        store_kit_run(store, TX_READ, read_search, &rows) != OK)
        fail_msg("%s", store->error.detail);
}

/* --- Timelines ------------------------------------------------------------------------------ */

#define SESSION 7

/* Events from..to-1, as interactions are above, each with its seal. Common ones are of one type
 * and category, and of the customers in turn; among the FEW first some are rare, some belong to
 * a session, and some wait for their addressee. */
static void fill_events(struct test_store *store, size_t from, size_t to)
{
    static char events[2][2500], seals[2][1200];
    static size_t used;
    const size_t i = used++ % 2;
    const bool postgres = store->is_postgres;
    const char *id = postgres ? "encode(lpad(CAST(%s AS text), 16, '0')::bytea, 'hex')::uuid"
                              : "CAST(printf('%%016d', %s) AS blob)";
    char tenant[120], event[120], customer[200], session[120], user[120], series[200], at[80];

    snprintf(tenant, sizeof(tenant), id, "1");
    snprintf(event, sizeof(event), id, "2000000 + n");
    snprintf(customer, sizeof(customer), id,
             "CASE WHEN n < 10000 AND n % 40 = 1 THEN 5 ELSE 1000 + n % 100 END");
    snprintf(session, sizeof(session), id, "7");
    snprintf(user, sizeof(user), id, "2");
    snprintf(at, sizeof(at),
             postgres ? "to_timestamp(1700000000 + n)" : "(1700000000 + n) * 1000000");
    if (postgres)
        snprintf(series, sizeof(series), "generate_series(%zu, %zu) AS s (n)", from, to - 1);
    else
        snprintf(series, sizeof(series),
                 "(WITH RECURSIVE r (n) AS (SELECT %zu UNION ALL SELECT n + 1 FROM r WHERE n < "
                 "%zu) SELECT n FROM r) s",
                 from, to - 1);
    snprintf(events[i], sizeof(events[i]),
             "INSERT INTO contact_events (tenant_id, id, contact_id, timeline_id, session_id, "
             "event_type, category, priority, source, addressee_type, addressee_id, is_realtime, "
             "visible_to_client, visible_to_agent, occurred_at, created_at, delivered, read, "
             "expired) SELECT %s, %s, %s, %s, CASE WHEN n < 10000 AND n %% 40 = 2 THEN %s END, "
             "CASE WHEN n < 10000 AND n %% 40 = 4 THEN 'seldom' ELSE 'tag_added' END, "
             "CASE WHEN n < 10000 AND n %% 40 = 4 THEN 'pipeline' ELSE 'tag' END, 'normal', "
             "'agent', CASE WHEN n < 10000 AND n %% 40 = 5 THEN 'user' END, "
             "CASE WHEN n < 10000 AND n %% 40 = 5 THEN %s END, true, true, true, %s, %s, false, "
             "false, false FROM %s",
             tenant, event, customer, customer, session, user, at, at, series);
    store_kit_sql(store, events[i]);
    snprintf(seals[i], sizeof(seals[i]),
             "INSERT INTO event_seals (tenant_id, number, event_id, content_hash, hash) SELECT "
             "%s, n + 1, %s, %s, %s FROM %s",
             tenant, event, postgres ? "'x'::bytea" : "x'00'", postgres ? "'x'::bytea" : "x'00'",
             series);
    store_kit_sql(store, seals[i]);
}

static enum err keep_event_totals(struct ctx *cx, void *context)
{
    const int64_t rows = *(const int64_t *)context;

    cx->actor.tenant_id = id_of(TENANT);
    TRY(count_add_uuid(cx, COUNT_EVENTS_TIMELINE, id_of(CUSTOMER), rows / CUSTOMERS));
    TRY(count_add_uuid(cx, COUNT_EVENTS_CLIENT, id_of(CUSTOMER), rows / CUSTOMERS));
    if (rows != FEW)
        return OK;
    TRY(count_add_uuid(cx, COUNT_EVENTS_TIMELINE, id_of(RARE_CUSTOMER), RARE_ROWS));
    return count_add_uuid(cx, COUNT_EVENTS_SESSION, id_of(SESSION), RARE_ROWS);
}

static void fill_timelines(struct test_store *store, size_t from, size_t to)
{
    int64_t rows = (int64_t)(to - from);
    static char texts[2][200]; /* statements are known by their addresses */
    char *sql = texts[from > 0];

    fill_events(store, from, to);
    assert_int_equal(store_kit_run(store, TX_WRITE, keep_event_totals, &rows), OK);
    if (from == 0)
        store_kit_sql(
            store, store->is_postgres
                       ? "INSERT INTO sessions (tenant_id, id, customer_id, started_at, version, "
                         "created_at, updated_at) SELECT tenant_id, " UUID(
                             "0000000000000007") ", id, now(), 1, now(), now() FROM customers "
                                                 "WHERE id = " UUID("0000000000001000")
                       : "INSERT INTO sessions (tenant_id, id, customer_id, started_at, version, "
                         "created_at, updated_at) SELECT tenant_id, CAST('0000000000000007' AS "
                         "blob), id, 0, 1, 0, 0 FROM customers WHERE id = "
                         "CAST('0000000000001000' AS blob)");
    store_kit_sql(store, "DELETE FROM event_chains");
    snprintf(sql, sizeof(texts[0]),
             "INSERT INTO event_chains (tenant_id, number, hash) SELECT id, %zu, %s FROM tenants",
             to, store->is_postgres ? "'x'::bytea" : "x'00'");
    store_kit_sql(store, sql);
}

static const struct {
    const char *name;
    enum event_list list;
    struct uuid id;
    struct event_filter filter;
    const char *query, *lead, *total; /* PostgreSQL: the page's, and its kept total's key */
} timelines[] = {
    {"timeline",
     LIST_TIMELINE,
     {"0000000000001000"},
     {.view = VIEW_AGENT},
     "event_filtered_by_timeline",
     UUID("0000000000001000"),
     "events.timeline:"
     "30303030-3030-3030-3030-303031303030"},
    {"client's timeline",
     LIST_TIMELINE,
     {"0000000000001000"},
     {.view = VIEW_CLIENT},
     "event_filtered_by_client",
     UUID("0000000000001000"),
     "events.client:"
     "30303030-3030-3030-3030-303031303030"},
    {"rare timeline",
     LIST_TIMELINE,
     {"0000000000000005"},
     {.view = VIEW_AGENT},
     "event_filtered_by_timeline",
     UUID("0000000000000005"),
     "events.timeline:"
     "30303030-3030-3030-3030-303030303035"},
    {"type",
     LIST_TENANT,
     {{0}},
     {.event_type = STR("tag_added")},
     "event_filtered_by_type",
     "'tag_added'",
     NULL},
    {"rare type",
     LIST_TENANT,
     {{0}},
     {.event_type = STR("seldom")},
     "event_filtered_by_type",
     "'seldom'",
     NULL},
    {"rare category",
     LIST_TENANT,
     {{0}},
     {.category = CATEGORY_PIPELINE},
     "event_filtered_by_category",
     "'pipeline'",
     NULL},
    {"session",
     LIST_SESSION,
     {"0000000000000007"},
     {.view = 0},
     "event_page_by_session",
     UUID("0000000000000007"),
     "events.session:"
     "30303030-3030-3030-3030-303030303037"},
    {"undelivered",
     LIST_UNDELIVERED,
     {{0}},
     {.view = 0},
     "event_filtered_by_undelivered",
     "",
     NULL},
    {"unread",
     LIST_UNREAD,
     {{0}},
     {.view = 0},
     "event_filtered_by_unread",
     UUID("0000000000000002"),
     NULL},
    {"audit", LIST_AUDIT, {{0}}, {.view = 0}, "event_page_by_number", "", NULL},
};

struct timeline_costs {
    int64_t rows;
    int64_t page[COUNT_OF(timelines)][DEPTHS];
    int64_t end; /* on SQLite: to look for what has expired, where nothing has */
};

/* What is rare stands among the first, and its pages there. */
static bool is_rare(size_t i)
{
    return strstr(timelines[i].name, "rare") || timelines[i].list == LIST_SESSION ||
           timelines[i].list == LIST_UNDELIVERED || timelines[i].list == LIST_UNREAD;
}

static int64_t event_place(size_t i, int64_t rows, enum depth depth)
{
    static const int64_t percent[] = {100, 60, 30};

    return (is_rare(i) ? FEW : rows) * percent[depth] / 100;
}

static enum err measure_timelines(struct ctx *cx, void *context)
{
    struct timeline_costs *costs = context;

    cx->actor.tenant_id = id_of(TENANT);
    cx->actor.user_id = id_of(USER);
    for (size_t i = 0; i < COUNT_OF(timelines); i++) {
        for (enum depth depth = TOP; depth < DEPTHS; depth++) {
            const int64_t n = event_place(i, costs->rows, depth);
            struct event_place place = {(1700000000 + n) * SECOND_US, UUID_MAX, PAGE, 0};
            struct event_page page;
            struct db_cost cost;

            if (timelines[i].list == LIST_AUDIT)
                place.time = n + 1;
            else if (timelines[i].list == LIST_SESSION)
                place.time -= 3000 * SECOND_US; /* upwards, a page from the end at the most */
            db_cost(cx, &cost);
            TRY(timeline_list(cx, timelines[i].list, timelines[i].id, &timelines[i].filter, &place,
                              &page));
            db_cost(cx, &cost);
            must_equal(page.rows.count, PAGE);
            must(page.total >= FEW / CUSTOMERS);
            must_equal(cost.full_scan_steps, 0);
            costs->page[i][depth] = cost.vm_steps;
        }
    }
    return OK;
}

static void measure_timeline_buffers(const struct test_store *store, struct timeline_costs *costs)
{
    PGconn *connection = connect_to(store);

    do_sql(connection, "VACUUM ANALYZE");
    do_sql(connection, "SET plan_cache_mode = force_generic_plan");
    for (size_t i = 0; i < COUNT_OF(timelines); i++) {
        for (enum depth depth = TOP; depth < DEPTHS; depth++) {
            int64_t place = 1700000000 + event_place(i, costs->rows, depth);

            if (timelines[i].list == LIST_SESSION)
                place -= 3000;
            costs->page[i][depth] =
                buffers_of(connection, timelines[i].query, timelines[i].lead, place, "");
            assert_true(costs->page[i][depth] >= PAGE);
            if (timelines[i].total)
                costs->page[i][depth] +=
                    buffers_of(connection, "count_get", "", 0, timelines[i].total);
        }
    }
    PQfinish(connection);
}

static enum err measure_end(struct ctx *cx, void *context)
{
    struct timeline_costs *costs = context;
    struct db_cost cost;
    int64_t deleted;
    bool more;

    cx->actor.tenant_id = id_of(TENANT);
    db_cost(cx, &cost);
    TRY(timeline_forget_expired(cx, cx->now_us, &deleted, &more));
    db_cost(cx, &cost);
    must(deleted == 0 && !more);
    costs->end = cost.vm_steps;
    return OK;
}

static void measure_events(struct test_store *store, struct timeline_costs *costs, size_t rows)
{
    costs->rows = (int64_t)rows;
    if (store->is_postgres)
        measure_timeline_buffers(store, costs);
    else if (store_kit_run(store, TX_READ, measure_timelines, costs) != OK ||
             store_kit_run(store, TX_WRITE, measure_end, costs) != OK)
        fail_msg("%s", store->error.detail);
}

static void test_timelines_do_not_grow_dearer(void **state)
{
    struct test_store *store = *state;
    static struct timeline_costs few_costs, many_costs;
    const size_t rows = many();

    people(store);
    fill_timelines(store, 0, FEW);
    measure_events(store, &few_costs, FEW);
    fill_timelines(store, FEW, rows);
    measure_events(store, &many_costs, rows);
    assert_int_equal(few_costs.end, many_costs.end);
    for (size_t i = 0; i < COUNT_OF(timelines); i++) {
        for (enum depth depth = TOP; depth < DEPTHS; depth++) {
            const int64_t a = few_costs.page[i][depth], b = many_costs.page[i][depth];
            /* The audit looks up each row by its id, in an index that is a level deeper then. */
            const int64_t percent = timelines[i].list == LIST_AUDIT ? 30 : DIFFERENCE;

            if (!alike_within(a, b, percent) || !alike_within(b, many_costs.page[i][TOP], percent))
                fail_msg("%s: a page at depth %d costs %lld with few, %lld with many, and %lld at "
                         "the top",
                         timelines[i].name, (int)depth, (long long)a, (long long)b,
                         (long long)many_costs.page[i][TOP]);
        }
    }
}

/* --- Customers ------------------------------------------------------------------------------- */

/* Customers from..to-1, last contacted a second apart, in the order of their names. A status, an
 * owner, a company and a method are met among the FEW first only. */
static void fill_customers(struct test_store *store, size_t from, size_t to)
{
    static char rows[2][2500], tags[2][600];
    static size_t used;
    const size_t i = used++ % 2;
    const bool postgres = store->is_postgres;
    const char *id = postgres ? "encode(lpad(CAST(%s AS text), 16, '0')::bytea, 'hex')::uuid"
                              : "CAST(printf('%%016d', %s) AS blob)";
    const char *name =
        postgres ? "'name' || lpad(CAST(n AS text), 7, '0')" : "printf('name%07d', n)";
    const char *at = postgres ? "to_timestamp(1700000000 + n)" : "(1700000000 + n) * 1000000";
    char tenant[120], customer[120], owner[200], company[200], series[200];

    snprintf(tenant, sizeof(tenant), id, "1");
    snprintf(customer, sizeof(customer), id, "3000000 + n");
    snprintf(owner, sizeof(owner), id, "CASE WHEN n < 10000 AND n % 40 = 2 THEN 6 ELSE 2 END");
    snprintf(company, sizeof(company), id, "CASE WHEN n < 10000 AND n % 40 = 3 THEN 4 ELSE 3 END");
    if (postgres)
        snprintf(series, sizeof(series), "generate_series(%zu, %zu) AS s (n)", from, to - 1);
    else
        snprintf(series, sizeof(series),
                 "(WITH RECURSIVE r (n) AS (SELECT %zu UNION ALL SELECT n + 1 FROM r WHERE n < "
                 "%zu) SELECT n FROM r) s",
                 from, to - 1);
    snprintf(rows[i], sizeof(rows[i]),
             "INSERT INTO customers (tenant_id, id, name, name_folded, emails, phones, status, "
             "tags, owner_id, company_id, consent_email, consent_sms, consent_push, "
             "consent_phone, last_contacted_at, last_contact_key, last_contact_method, "
             "contact_count, version, created_at, updated_at) SELECT %s, %s, %s, %s, '[]', '[]', "
             "CASE WHEN n < 10000 AND n %% 40 = 1 THEN 'lost' ELSE 'new' END, '[]', %s, %s, "
             "'unknown', 'unknown', 'unknown', 'unknown', %s, %s, CASE WHEN n < 10000 AND n %% 40 "
             "= 4 THEN 'sms' ELSE 'call' END, 1, 1, %s, %s FROM %s",
             tenant, customer, name, name, owner, company, at, at, at, at, series);
    store_kit_sql(store, rows[i]);
    snprintf(tags[i], sizeof(tags[i]),
             "INSERT INTO customer_tags (tenant_id, tag, name_folded, customer_id) SELECT %s, "
             "'vip', %s, %s FROM %s",
             tenant, name, customer, series);
    store_kit_sql(store, tags[i]);
}

static enum err keep_customer_totals(struct ctx *cx, void *context)
{
    const int64_t rows = *(const int64_t *)context;
    const int64_t rare = rows == FEW ? RARE_ROWS : 0;

    cx->actor.tenant_id = id_of(TENANT);
    TRY(count_add(cx, "customers", STR(""), rows));
    TRY(count_add(cx, "customers.status", STR("new"), rows - rare));
    TRY(count_add(cx, "customers.status", STR("lost"), rare));
    TRY(count_add_uuid(cx, "customers.owner", id_of(USER), rows - rare));
    TRY(count_add_uuid(cx, "customers.owner", id_of(RARE_USER), rare));
    TRY(count_add_uuid(cx, "customers.company", id_of(COMPANY), rows - rare));
    TRY(count_add_uuid(cx, "customers.company", id_of(RARE_COMPANY), rare));
    TRY(count_add(cx, "customers.method", STR("call"), rows - rare));
    TRY(count_add(cx, "customers.method", STR("sms"), rare));
    return count_add(cx, "customers.tag", STR("vip"), rows);
}

#define OWNER_TOTAL "customers.owner:30303030-3030-3030-3030-303030303032"
#define RARE_OWNER_TOTAL "customers.owner:30303030-3030-3030-3030-303030303036"
#define LONGEST_AGO .sort = CUSTOMERS_LONGEST_AGO
#define LATEST .sort = CUSTOMERS_LATEST
#define SILENT .not_contacted_since = SOME(1900000000 * SECOND_US)

static const struct {
    const char *name;
    struct customer_filter filter;
    const char *query, *lead, *total; /* PostgreSQL: the page's, and its kept total's key */
} leads[] = {
    {"all", {.status = 0}, "customer_page_all_by_name", "", "customers:"},
    {"status",
     {.status = CUSTOMER_NEW},
     "customer_page_status_by_name",
     "'new'",
     "customers.status:new"},
    {"owner",
     {.owner_id = {"0000000000000002"}},
     "customer_page_owner_by_name",
     UUID("0000000000000002"),
     OWNER_TOTAL},
    {"company",
     {.company_id = {"0000000000000003"}},
     "customer_page_company_by_name",
     UUID("0000000000000003"),
     "customers.company:30303030-3030-3030-3030-303030303033"},
    {"rare company",
     {.company_id = {"0000000000000004"}},
     "customer_page_company_by_name",
     UUID("0000000000000004"),
     "customers.company:30303030-3030-3030-3030-303030303034"},
    {"tag", {.tag = {"vip", 3}}, "customer_page_tag_by_name", "'vip'", "customers.tag:vip"},
    {"all, longest ago", {LONGEST_AGO}, "customer_page_all_longest_ago", "", "customers:"},
    {"all, latest", {LATEST}, "customer_page_all_latest", "", "customers:"},
    {"status, longest ago",
     {LONGEST_AGO, .status = CUSTOMER_NEW},
     "customer_page_status_longest_ago",
     "'new'",
     "customers.status:new"},
    {"status, latest",
     {LATEST, .status = CUSTOMER_NEW},
     "customer_page_status_latest",
     "'new'",
     "customers.status:new"},
    {"rare status, longest ago",
     {LONGEST_AGO, .status = CUSTOMER_LOST},
     "customer_page_status_longest_ago",
     "'lost'",
     "customers.status:lost"},
    {"owner, longest ago",
     {LONGEST_AGO, .owner_id = {"0000000000000002"}},
     "customer_page_owner_longest_ago",
     UUID("0000000000000002"),
     OWNER_TOTAL},
    {"owner, latest",
     {LATEST, .owner_id = {"0000000000000002"}},
     "customer_page_owner_latest",
     UUID("0000000000000002"),
     OWNER_TOTAL},
    {"rare owner, latest",
     {LATEST, .owner_id = {"0000000000000006"}},
     "customer_page_owner_latest",
     UUID("0000000000000006"),
     RARE_OWNER_TOTAL},
    {"method, longest ago",
     {LONGEST_AGO, .method = TYPE_CALL},
     "customer_page_method_longest_ago",
     "'call'",
     "customers.method:call"},
    {"method, latest",
     {LATEST, .method = TYPE_CALL},
     "customer_page_method_latest",
     "'call'",
     "customers.method:call"},
    {"rare method, longest ago",
     {LONGEST_AGO, .method = TYPE_SMS},
     "customer_page_method_longest_ago",
     "'sms'",
     "customers.method:sms"},
    /* Their totals are counted, up to COUNT_CAP. */
    {"silent, longest ago", {LONGEST_AGO, SILENT}, "customer_page_all_longest_ago", "", NULL},
    {"silent of an owner, latest",
     {LATEST, SILENT, .owner_id = {"0000000000000002"}},
     "customer_page_owner_latest",
     UUID("0000000000000002"),
     NULL},
    {"silent of a status, longest ago",
     {LONGEST_AGO, SILENT, .status = CUSTOMER_NEW},
     "customer_page_status_longest_ago",
     "'new'",
     NULL},
    {"silent by a method, latest",
     {LATEST, SILENT, .method = TYPE_CALL},
     "customer_page_method_latest",
     "'call'",
     NULL},
};

struct lead_costs {
    int64_t rows;
    int64_t page[COUNT_OF(leads)][DEPTHS];
};

static int64_t lead_place(size_t i, int64_t rows, enum depth depth)
{
    static const int64_t upwards[] = {0, 30, 60}, downwards[] = {100, 60, 30};
    const bool latest = leads[i].filter.sort == CUSTOMERS_LATEST;

    return (strstr(leads[i].name, "rare") ? FEW : rows) * (latest ? downwards : upwards)[depth] /
           100;
}

static enum err measure_leads(struct ctx *cx, void *context)
{
    struct lead_costs *costs = context;

    cx->actor.tenant_id = id_of(TENANT);
    for (size_t i = 0; i < COUNT_OF(leads); i++) {
        for (enum depth depth = TOP; depth < DEPTHS; depth++) {
            const int64_t n = lead_place(i, costs->rows, depth);
            char name[40];
            struct customer_place place = {.limit = PAGE};
            struct customer_page page;
            struct db_cost cost;

            snprintf(name, sizeof(name), "name%07lld", (long long)n);
            place.after =
                (struct customer_key){str_of(name), (1700000000 + n) * SECOND_US, id_of(1)};
            db_cost(cx, &cost);
            TRY(customer_list(cx, &leads[i].filter, &place, &page));
            db_cost(cx, &cost);
            must_equal(page.rows.count, PAGE);
            must(page.total >= RARE_ROWS);
            must(costs->rows > FEW ? page.capped == !leads[i].total
                                   : !page.capped || !leads[i].total);
            must_equal(cost.full_scan_steps, 0);
            costs->page[i][depth] = cost.vm_steps;
        }
    }
    return OK;
}

static void measure_lead_buffers(const struct test_store *store, struct lead_costs *costs)
{
    PGconn *connection = connect_to(store);

    do_sql(connection, "VACUUM ANALYZE");
    for (size_t i = 0; i < COUNT_OF(leads); i++) {
        /* That of a tag is planned for the page's size: any size at all would cost far more. */
        do_sql(connection, leads[i].filter.tag.ptr ? "SET plan_cache_mode = force_custom_plan"
                                                   : "SET plan_cache_mode = force_generic_plan");
        for (enum depth depth = TOP; depth < DEPTHS; depth++) {
            costs->page[i][depth] = buffers_of(connection, leads[i].query, leads[i].lead,
                                               1700000000 + lead_place(i, costs->rows, depth), "");
            assert_true(costs->page[i][depth] > 0);
            if (leads[i].total)
                costs->page[i][depth] += buffers_of(connection, "count_get", "", 0, leads[i].total);
        }
    }
    PQfinish(connection);
}

static void measure_customers(struct test_store *store, struct lead_costs *costs, size_t from,
                              size_t to)
{
    int64_t more = (int64_t)(to - from);

    fill_customers(store, from, to);
    assert_int_equal(store_kit_run(store, TX_WRITE, keep_customer_totals, &more), OK);
    costs->rows = (int64_t)to;
    if (store->is_postgres)
        measure_lead_buffers(store, costs);
    else if (store_kit_run(store, TX_READ, measure_leads, costs) != OK)
        fail_msg("%s", store->error.detail);
}

/* Neighbours stand in the same few buffers, of which some are the edges of a page. Those of a tag
 * are looked up each by its id, in an index that is a level deeper then. */
static bool nearly(const struct test_store *store, size_t i, int64_t a, int64_t b)
{
    return alike_within(a, b, leads[i].filter.tag.ptr ? 40 : DIFFERENCE) ||
           (store->is_postgres && llabs(a - b) <= PAGE / 3);
}

static void test_leads_do_not_grow_dearer(void **state)
{
    struct test_store *store = *state;
    static struct lead_costs few_costs, many_costs;

    people(store);
    measure_customers(store, &few_costs, 0, FEW);
    measure_customers(store, &many_costs, FEW, many());
    for (size_t i = 0; i < COUNT_OF(leads); i++) {
        for (enum depth depth = TOP; depth < DEPTHS; depth++) {
            const int64_t a = few_costs.page[i][depth], b = many_costs.page[i][depth];

            if (!nearly(store, i, a, b) || !nearly(store, i, b, many_costs.page[i][TOP]))
                fail_msg("%s: a page at depth %d costs %lld with few, %lld with many, and %lld at "
                         "the top",
                         leads[i].name, (int)depth, (long long)a, (long long)b,
                         (long long)many_costs.page[i][TOP]);
        }
    }
}

static const struct CMUnitTest sqlite[] = {
    STORE_TEST(test_lists_do_not_grow_dearer, sqlite),
    STORE_TEST(test_timelines_do_not_grow_dearer, sqlite),
    STORE_TEST(test_leads_do_not_grow_dearer, sqlite),
};
static const struct CMUnitTest postgres[] = {
    STORE_TEST(test_lists_do_not_grow_dearer, postgres),
    STORE_TEST(test_timelines_do_not_grow_dearer, postgres),
    STORE_TEST(test_leads_do_not_grow_dearer, postgres),
};

int main(void)
{
    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
