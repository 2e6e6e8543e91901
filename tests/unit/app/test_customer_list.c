/* Lists of customers. Filters that combine cost the same whatever the number of customers (steps
 * of SQLite's virtual machine, no clock), and by going on where a page was cut they find all that
 * an unbounded reading finds. And whatever is asked, sorted in whatever way, by whatever pages, is
 * what a plain loop over all customers finds. */
#include "db/store_kit.h"

#include "app/customer/customer.h"
#include "app/interaction/interaction.h"
#include "db/counts.h"

#include <stdio.h>
#include <stdlib.h>
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
#define MIXED_EVERY 20000  /* and one has both of the common words: numbered 5 more */
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

/* What differs between the stores: `{1}` is an id, `[1]` a time in seconds, `@` a name, which go
 * by threes so that ids tell them apart, `#` the rows from..to-1 of `n`; and `?` an empty list. */
static const char *in_dialect(char mark, bool postgres)
{
    switch (mark) {
    case '{':
        return postgres ? "CAST(encode(CAST(lpad(CAST(" : "CAST(printf('%016d', ";
    case '}':
        return postgres ? " AS text), 16, '0') AS bytea), 'hex') AS uuid)" : ") AS blob)";
    case '[':
        return postgres ? "to_timestamp(" : "1000000 * (";
    case ']':
        return ")";
    case '@':
        return postgres ? "'name' || lpad(CAST(n / 3 AS text), 6, '0')"
                        : "printf('name%06d', n / 3)";
    case '?':
        return "'[]'";
    default:
        return NULL;
    }
}

static void run_sql(struct test_store *store, const char *text, size_t from, size_t to)
{
    static struct buf texts[40]; /* a statement is known by its address */
    static size_t used;
    struct buf *sql = &texts[used++];

    assert_true(used <= COUNT_OF(texts));
    buf_init(sql, NULL, KIB(4));
    for (; *text; text++) {
        const char *words = in_dialect(*text, store->is_postgres);

        if (words)
            buf_add(sql, str_of(words));
        else if (*text != '#')
            buf_add_char(sql, *text);
        else if (store->is_postgres)
            buf_addf(sql, "generate_series(%zu, %zu) AS s (n)", from, to - 1);
        else
            buf_addf(sql,
                     "(WITH RECURSIVE r (n) AS (SELECT %zu UNION ALL SELECT n + 1 FROM r "
                     "WHERE n + 1 < %zu) SELECT n FROM r) AS s",
                     from, to);
    }
    buf_add_char(sql, '\0');
    store_kit_sql(store, sql->ptr);
}

static const char tenant_sql[] =
    "INSERT INTO tenants (id, slug, name, timezone, version, created_at, updated_at) "
    "VALUES ({1}, 'acme', 'Acme', 'UTC', 1, [0], [0])";
static const char users_sql[] =
    "INSERT INTO users (tenant_id, id, email, email_folded, name, name_folded, role, active, "
    "version, created_at, updated_at) "
    "SELECT {1}, {2 + 2 * n}, 'a' || n, 'a' || n, 'Ada', 'ada', 'admin', true, 1, [0], [0] FROM #";
static const char companies_sql[] =
    "INSERT INTO companies (tenant_id, id, name, name_folded, version, created_at, updated_at) "
    "SELECT {1}, {3 + 2 * n}, 'Co', 'co', 1, [0], [0] FROM #";
static const char customers_sql[] =
    "INSERT INTO customers (tenant_id, id, name, name_folded, emails, phones, status, tags, "
    "owner_id, company_id, consent_email, consent_sms, consent_push, consent_phone, "
    "last_contacted_at, last_contact_key, last_contact_method, contact_count, version, "
    "created_at, updated_at) "
    "SELECT {1}, {1000000 + n}, @, @, ?, ?, "
    "CASE WHEN n % 1000 = 7 THEN 'lost' ELSE 'new' END, ?, {2}, {3}, "
    "'unknown', 'unknown', 'unknown', 'unknown', "
    "CASE WHEN n % 20000 <> 3 THEN [2000000000 + n / 2] END, "
    "[CASE WHEN n % 20000 <> 3 THEN 2000000000 + n / 2 ELSE -62135596800 END], "
    "CASE WHEN n % 20000 <> 3 THEN 'call' END, 0, 1, [0], [0] FROM #";
static const char tags_sql[] =
    "INSERT INTO customer_tags (tenant_id, tag, name_folded, customer_id) "
    "SELECT {1}, 'vip', @, {1000000 + n} FROM #";
/* Half of them have the one, half the other, and few both. */
static const char odd_sql[] = "INSERT INTO customer_words (tenant_id, word, customer_id) "
                              "SELECT {1}, 'odd', {1000000 + n} FROM # WHERE n % 2 = 1";
static const char even_sql[] =
    "INSERT INTO customer_words (tenant_id, word, customer_id) "
    "SELECT {1}, 'even', {1000000 + n} FROM # WHERE n % 2 = 0 OR n % 20000 = 5";
static const char rare_sql[] = "INSERT INTO customer_words (tenant_id, word, customer_id) "
                               "SELECT {1}, 'rare', {1000000 + n} FROM # WHERE n % 1000 = 7";

/* What the program would have kept. */
static enum err keep_totals(struct ctx *cx, void *context)
{
    const int64_t rows = *(const int64_t *)context;

    cx->actor.tenant_id = id_of(TENANT);
    TRY(count_add(cx, "customers", STR(""), rows));
    TRY(count_add(cx, "customers.status", STR("lost"), rows / LOST_EVERY));
    TRY(count_add(cx, "customers.status", STR("new"), rows - rows / LOST_EVERY));
    TRY(count_add(cx, "customers.method", STR("call"), rows - rows / SILENT_EVERY));
    TRY(count_add_uuid(cx, "customers.owner", id_of(OWNER), rows));
    TRY(count_add_uuid(cx, "customers.company", id_of(COMPANY), rows));
    return count_add(cx, "customers.tag", STR("vip"), rows);
}

static void fill(struct test_store *store, size_t from, size_t to)
{
    static const char *const all[] = {customers_sql, tags_sql, odd_sql, even_sql, rare_sql};
    int64_t rows = (int64_t)(to - from);

    if (from == 0) {
        run_sql(store, tenant_sql, 0, 1);
        run_sql(store, users_sql, 0, 1);
        run_sql(store, companies_sql, 0, 1);
    }
    for (size_t i = 0; i < COUNT_OF(all); i++)
        run_sql(store, all[i], from, to);
    if (store->is_postgres) /* as it does by itself a little later */
        store_kit_sql(store, "ANALYZE customers, customer_tags, customer_words");
    assert_int_equal(store_kit_run(store, TX_WRITE, keep_totals, &rows), OK);
}

/* Whose every match lies `every` apart, from the one numbered `first` on; sorted by the last
 * contact as by name. */
static const struct {
    const char *name;
    struct customer_filter filter;
    int64_t first, every;
    bool bounded;   /* only by SCAN_CAP: the total is capped, and pages are cut */
    bool name_only; /* sorted by the last contact, it is read as another one is */
} asked[] = {
#define SILENT .not_contacted_since = SOME(1900000000 * SECOND_US)
#define MIXED .q = {"od even", 7}
    {"mixed", {MIXED}, 5, MIXED_EVERY, true, false},
    {"mixed, status", {MIXED, .status = CUSTOMER_NEW}, 5, MIXED_EVERY, true, false},
    {"mixed, owner", {MIXED, .owner_id = {"0000000000000002"}}, 5, MIXED_EVERY, true, false},
    {"mixed, company", {MIXED, .company_id = {"0000000000000003"}}, 5, MIXED_EVERY, true, true},
    {"mixed, tag", {MIXED, .tag = {"vip", 3}}, 5, MIXED_EVERY, true, true},
    {"mixed, method", {MIXED, .method = TYPE_CALL}, 5, MIXED_EVERY, true, false},
    {"mixed, all of them",
     {MIXED, .tag = {"vip", 3}, .method = TYPE_CALL, .owner_id = {"0000000000000002"}},
     5,
     MIXED_EVERY,
     true,
     true},
    {"silent", {SILENT}, 3, SILENT_EVERY, false, false},
    {"silent, status", {SILENT, .status = CUSTOMER_NEW}, 3, SILENT_EVERY, false, false},
    {"silent, owner", {SILENT, .owner_id = {"0000000000000002"}}, 3, SILENT_EVERY, false, false},
    {"silent, company",
     {SILENT, .company_id = {"0000000000000003"}},
     3,
     SILENT_EVERY,
     false,
     false},
    {"silent, word", {SILENT, .q = {"odd", 3}}, 3, SILENT_EVERY, false, false},
    {"tag, rare status",
     {.status = CUSTOMER_LOST, .tag = {"vip", 3}, .owner_id = {"0000000000000002"}},
     7,
     LOST_EVERY,
     false,
     false},
    {"rare status, common word",
     {.status = CUSTOMER_LOST, .q = {"o", 1}},
     7,
     LOST_EVERY,
     false,
     false},
    {"rare word, tag", {.tag = {"vip", 3}, .q = {"odd rar", 7}}, 7, LOST_EVERY, false, false},
    {"rare word", {.q = {"rare", 4}}, 7, LOST_EVERY, false, false},
};

static const enum customer_sort sorts[] = {CUSTOMERS_BY_NAME, CUSTOMERS_LONGEST_AGO,
                                           CUSTOMERS_LATEST};

struct costs {
    int64_t rows;
    int64_t first_page[COUNT_OF(asked)][COUNT_OF(sorts)];
};

#define DEAREST (200 * (int64_t)SCAN_CAP) /* steps of any page with its total */

/* Before all rows. */
static struct customer_key beginning(enum customer_sort sort)
{
    return sort == CUSTOMERS_LATEST ? (struct customer_key){STR(""), TIME_END, UUID_MAX}
                                    : (struct customer_key){STR(""), TIME_MIN_US, UUID_MIN};
}

static enum err read_all(struct ctx *cx, const struct costs *costs, size_t i,
                         enum customer_sort sort, int64_t *first_page)
{
    const int64_t first = asked[i].first, every = asked[i].every;
    const int64_t expected = (costs->rows - first - 1) / every + 1;
    struct customer_place place = {beginning(sort), PAGE, 0};
    struct customer_filter filter = asked[i].filter;
    int64_t found = 0, pages = 0;
    struct customer_page page;

    filter.sort = (int)sort;
    do {
        struct db_cost cost;

        db_cost(cx, &cost);
        TRY(customer_list(cx, &filter, &place, &page));
        db_cost(cx, &cost);
        must(cost.vm_steps < DEAREST);
        must_equal(cost.full_scan_steps, 0);
        if (pages == 0)
            *first_page = cost.vm_steps;
        must_equal(page.capped, asked[i].bounded);
        must_equal(page.total, asked[i].bounded ? COUNT_CAP : expected);
        for (size_t k = 0; k < page.rows.count; k++) {
            const struct customer *row = LIST_AT(page.rows, struct customer, k);
            const int64_t n = sort == CUSTOMERS_LATEST ? expected - 1 - found : found;

            must(uuid_equal(row->id, id_of(CUSTOMER + first + n * every)));
            found++;
            place.after = customer_key_of(row);
        }
        if (page.cut)
            place.after = page.cut_key;
        pages++;
    } while (costs->rows == MANY && (page.cut || page.rows.count == PAGE));
    if (costs->rows != MANY)
        return OK;
    if (asked[i].bounded)
        must_equal(pages, costs->rows / SCAN_CAP + 1);
    must_equal(found, expected);
    return OK;
}

/* Skipping is reading too, and lands where it should. */
static enum err read_behind(struct ctx *cx, enum customer_sort sort)
{
    const struct customer_place second = {beginning(sort), 1, 1}, beyond = {beginning(sort), 1, 99};
    const struct customer_filter mixed = {MIXED, .sort = (int)sort};
    const struct customer_filter lost = {.status = CUSTOMER_LOST, .q = STR("o"), .sort = (int)sort};
    struct customer_page page;

    TRY(customer_list(cx, &mixed, &second, &page));
    must_equal(page.rows.count, 1);
    if (sort != CUSTOMERS_LATEST)
        must(uuid_equal(LIST_AT(page.rows, struct customer, 0)->id,
                        id_of(CUSTOMER + 5 + MIXED_EVERY)));
    TRY(customer_list(cx, &lost, &beyond, &page));
    must(!page.cut);
    must((page.rows.count == 1) == (page.total > 99));
    return OK;
}

static enum err measure(struct ctx *cx, void *context)
{
    struct costs *costs = context;

    cx->actor.tenant_id = id_of(TENANT);
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        for (size_t k = 0; k < (asked[i].name_only ? 1 : COUNT_OF(sorts)); k++)
            TRY(read_all(cx, costs, i, sorts[k], &costs->first_page[i][k]));
    }
    for (size_t k = 0; k < COUNT_OF(sorts); k++)
        TRY(read_behind(cx, sorts[k]));
    return OK;
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
        for (size_t k = 0; k < COUNT_OF(sorts); k++) {
            const int64_t a = few.first_page[i][k], b = many.first_page[i][k];

            if (asked[i].bounded && !alike(a, b))
                fail_msg("%s, sort %zu: a page costs %lld with few and %lld with many",
                         asked[i].name, k, (long long)a, (long long)b);
            if (!asked[i].bounded && b > DEAREST / 60) /* twice as many matches to count */
                fail_msg("%s, sort %zu: a page costs %lld, though few match", asked[i].name, k,
                         (long long)b);
        }
    }
}

/* --- Against a plain loop ------------------------------------------------------------------ */

#define PEOPLE 70
#define QUESTIONS 300

static uint64_t random_state;

static size_t chance(size_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(random_state >> 33) % below;
}

struct crowd {
    struct uuid ids[PEOPLE];
    struct customer people[PEOPLE]; /* as they are now, without the deleted ones */
    size_t count;
};

static const int methods[] = {TYPE_CALL, TYPE_EMAIL, TYPE_LINKEDIN};
static struct str tags[] = {STR("a"), STR("b"), STR("c")};
#define TIME_OF(n) (1700000000 * SECOND_US + (int64_t)(n)*HOUR_US)

static enum err touch(struct ctx *cx, struct uuid id, int64_t at)
{
    struct touch touch = {
        .interaction_id = uuid_new(cx->ids, cx->now_us),
        .customer_id = id,
        .outbound = true,
        .method = str_of(enum_name(&interaction_type_words, methods[chance(COUNT_OF(methods))])),
        .started_at = at,
    };
    struct touched row = {0};

    TRY(customer_for_touch(cx, id, touch.method, &row));
    return customer_touched(cx, &touch, &row);
}

static enum err gather(struct ctx *cx, struct crowd *crowd)
{
    random_state = 7; /* a transaction may run again */
    cx->actor.tenant_id = id_of(TENANT);
    for (size_t i = 0; i < PEOPLE; i++) {
        char name[40], key[20];
        struct customer in = {.name = str_of(name), .tags = {tags, chance(4)}}, made;

        snprintf(name, sizeof(name), "w%zu n%zu", chance(3), chance(5));
        snprintf(key, sizeof(key), "k%zu", i);
        in.name = str_of(name);
        in.status = (int)(1 + chance(4));
        if (chance(3) > 0)
            in.owner_id = id_of(OWNER + 2 * (int64_t)chance(2));
        if (chance(3) > 0)
            in.company_id = id_of(COMPANY + 2 * (int64_t)chance(2));
        if (chance(5) == 0)
            in.external_id = str_of(key);
        TRY(customer_create(cx, &in, &made));
        crowd->ids[i] = made.id;
        if (chance(4) > 0)
            TRY(touch(cx, made.id, TIME_OF(chance(12)))); /* many at the same time */
        if (chance(10) == 0) {
            TRY(customer_get_locked(cx, made.id, &made));
            TRY(customer_delete(cx, &made));
        }
    }
    return OK;
}

static enum err look(struct ctx *cx, struct crowd *crowd)
{
    crowd->count = 0;
    for (size_t i = 0; i < PEOPLE; i++) {
        const enum err found = customer_get(cx, crowd->ids[i], &crowd->people[crowd->count]);

        if (found == OK)
            crowd->count++;
        else if (found != ERR_NOT_FOUND)
            return found;
        error_clear(cx->error);
    }
    return OK;
}

static bool has_tag(const struct customer *row, struct str tag)
{
    for (size_t i = 0; i < row->tags.count; i++) {
        if (str_equal(*LIST_AT(row->tags, struct str, i), tag))
            return true;
    }
    return false;
}

/* Of two words, one of which begins as the query has it. */
static bool has_word(struct str name, struct str q)
{
    struct str first, second = str_cut(name, ' ', &first);

    return str_starts(first, q) || str_starts(second, q);
}

static bool is_asked(const struct customer *row, const struct customer_filter *filter,
                     int64_t now_us)
{
    int64_t since = filter->not_contacted_since.value;

    if (filter->not_contacted_days.set)
        since = now_us - filter->not_contacted_days.value * 24 * HOUR_US;
    return (filter->status == 0 || row->status == filter->status) &&
           (uuid_is_none(filter->owner_id) || uuid_equal(row->owner_id, filter->owner_id)) &&
           (uuid_is_none(filter->company_id) || uuid_equal(row->company_id, filter->company_id)) &&
           (!filter->tag.ptr || has_tag(row, filter->tag)) &&
           (!filter->external_id.ptr || str_equal(row->external_id, filter->external_id)) &&
           (!filter->q.ptr || has_word(row->name, filter->q)) &&
           (filter->method == 0 ||
            str_is(row->last_contact_method, enum_name(&interaction_type_words, filter->method))) &&
           ((!filter->not_contacted_since.set && !filter->not_contacted_days.set) ||
            !row->last_contacted_at.set || row->last_contacted_at.value < since);
}

static enum customer_sort sorted_by;

static int compare(const void *a, const void *b)
{
    const struct customer_key x = customer_key_of(a), y = customer_key_of(b);
    int order;

    if (sorted_by == CUSTOMERS_BY_NAME)
        order = str_compare(x.name, y.name);
    else
        order = (x.contacted_at > y.contacted_at) - (x.contacted_at < y.contacted_at);
    if (order == 0)
        order = uuid_compare(x.id, y.id);
    return sorted_by == CUSTOMERS_LATEST ? -order : order;
}

static struct customer_filter any_question(int64_t now_us)
{
    struct customer_filter filter = {.sort = (int)chance(CUSTOMER_SORTS)};

    if (chance(4) == 0)
        filter.status = (int)(1 + chance(4));
    if (chance(3) == 0)
        filter.owner_id = id_of(OWNER + 2 * (int64_t)chance(2));
    if (chance(4) == 0)
        filter.company_id = id_of(COMPANY + 2 * (int64_t)chance(2));
    if (chance(4) == 0)
        filter.tag = tags[chance(3)];
    if (chance(4) == 0)
        filter.method = methods[chance(COUNT_OF(methods))];
    if (chance(4) == 0)
        filter.q = chance(2) ? STR("n3") : STR("w");
    if (chance(20) == 0)
        filter.external_id = chance(2) ? STR("k3") : STR("none");
    if (chance(4) == 0)
        filter.not_contacted_since = (struct maybe_int)SOME(
            chance(4) ? TIME_OF(chance(13)) : (int64_t)chance(2) + TIME_MIN_US);
    else if (chance(4) == 0)
        filter.not_contacted_days =
            (struct maybe_int)SOME((now_us - TIME_OF(0)) / DAY_US + (int64_t)chance(3) - 1);
    return filter;
}

/* All pages, by cursor or by offset. */
static enum err ask(struct ctx *cx, const struct customer_filter *filter,
                    const struct customer *expected, size_t count, bool by_offset)
{
    struct customer_place place = {beginning(sorted_by), (int64_t)(1 + chance(15)), 0};
    struct customer_page page;
    size_t found = 0;

    do {
        TRY(customer_list(cx, filter, &place, &page));
        must_equal(page.total, (int64_t)count);
        must(!page.capped && !page.cut);
        for (size_t i = 0; i < page.rows.count; i++) {
            const struct customer *row = LIST_AT(page.rows, struct customer, i);

            must(found < count && uuid_equal(row->id, expected[found].id));
            found++;
            if (!by_offset)
                place.after = customer_key_of(row);
        }
        if (by_offset)
            place.offset = (int64_t)found;
    } while ((int64_t)page.rows.count == place.limit);
    must_equal(found, count);
    return OK;
}

static enum err ask_much(struct ctx *cx, void *context)
{
    struct crowd *crowd = context;

    cx->actor.tenant_id = id_of(TENANT);
    TRY(look(cx, crowd));
    for (size_t i = 0; i < QUESTIONS; i++) {
        const struct customer_filter filter = any_question(cx->now_us);
        struct customer expected[PEOPLE] = {{.name = STR_NULL}};
        size_t count = 0;

        sorted_by = filter.sort ? (enum customer_sort)filter.sort : CUSTOMERS_BY_NAME;
        for (size_t k = 0; k < crowd->count; k++) {
            if (is_asked(&crowd->people[k], &filter, cx->now_us))
                expected[count++] = crowd->people[k];
        }
        qsort(expected, count, sizeof(expected[0]), compare);
        TRY(ask(cx, &filter, expected, count, chance(2)));
    }
    return OK;
}

static enum err make_crowd(struct ctx *cx, void *context)
{
    return gather(cx, context);
}

static struct crowd *new_crowd(struct test_store *store)
{
    struct crowd *crowd = calloc(1, sizeof(*crowd));

    assert_non_null(crowd);
    run_sql(store, tenant_sql, 0, 1);
    run_sql(store, users_sql, 0, 2);
    run_sql(store, companies_sql, 0, 2);
    if (store_kit_run(store, TX_WRITE, make_crowd, crowd) != OK)
        fail_msg("%s", store->error.detail);
    return crowd;
}

static void test_every_question_has_its_answer(void **state)
{
    struct test_store *store = *state;
    struct crowd *crowd = new_crowd(store);

    if (store_kit_run(store, TX_READ, ask_much, crowd) != OK)
        fail_msg("%s", store->error.detail);
    free(crowd);
}

/* --- While somebody pages ---------------------------------------------------------------- */

/* Between two pages some are contacted and so move up. Whoever does not move is met once. */
struct walk {
    struct crowd *crowd;
    enum customer_sort sort;
    struct customer_key after;
    int met[PEOPLE];
    bool moved[PEOPLE];
    size_t steps;
    bool done;
};

static size_t number_of(const struct crowd *crowd, struct uuid id)
{
    size_t i = 0;

    while (i < PEOPLE && !uuid_equal(crowd->ids[i], id))
        i++;
    must(i < PEOPLE);
    return i;
}

static enum err read_on(struct ctx *cx, void *context)
{
    struct walk *walk = context;
    const struct customer_filter filter = {.sort = (int)walk->sort};
    const struct customer_place place = {walk->after, 7, 0};
    struct customer_page page;

    cx->actor.tenant_id = id_of(TENANT);
    TRY(customer_list(cx, &filter, &place, &page));
    for (size_t i = 0; i < page.rows.count; i++) {
        const struct customer *row = LIST_AT(page.rows, struct customer, i);

        walk->met[number_of(walk->crowd, row->id)]++;
        walk->after = customer_key_of(row);
    }
    walk->after.name = STR(""); /* it is this transaction's memory */
    walk->done = page.rows.count < 7;
    return OK;
}

static enum err contact_some(struct ctx *cx, void *context)
{
    struct walk *walk = context;

    cx->actor.tenant_id = id_of(TENANT);
    walk->steps++;
    for (size_t i = walk->steps; i < PEOPLE; i += 23) {
        struct customer row = {0};
        const enum err found = customer_get(cx, walk->crowd->ids[i], &row);

        if (found == OK) {
            TRY(touch(cx, row.id, TIME_OF(20 + walk->steps)));
            walk->moved[i] = true;
        }
        error_clear(cx->error);
    }
    return OK;
}

static enum err see_who_is_there(struct ctx *cx, void *context)
{
    struct crowd *crowd = context;

    cx->actor.tenant_id = id_of(TENANT);
    return look(cx, crowd);
}

static void test_who_moves_while_one_pages(void **state)
{
    struct test_store *store = *state;
    struct crowd *crowd = new_crowd(store);

    for (size_t k = 1; k < COUNT_OF(sorts); k++) {
        struct walk walk = {.crowd = crowd, .sort = sorts[k], .after = beginning(sorts[k])};

        assert_int_equal(store_kit_run(store, TX_READ, see_who_is_there, crowd), OK);
        while (!walk.done) {
            assert_true(walk.steps < PEOPLE);
            assert_int_equal(store_kit_run(store, TX_READ, read_on, &walk), OK);
            assert_int_equal(store_kit_run(store, TX_WRITE, contact_some, &walk), OK);
        }
        for (size_t i = 0; i < crowd->count; i++) {
            const size_t n = number_of(crowd, crowd->people[i].id);

            if (!walk.moved[n])
                assert_int_equal(walk.met[n], 1);
            /* Who was contacted is later than all: before the rest, or still to come. */
            if (sorts[k] == CUSTOMERS_LATEST)
                assert_true(walk.met[n] <= 1);
            else
                assert_true(walk.met[n] >= 1);
        }
    }
    free(crowd);
}

static const struct CMUnitTest sqlite[] = {
    STORE_TEST(test_combined_filters_are_bounded_and_complete, sqlite),
    STORE_TEST(test_every_question_has_its_answer, sqlite),
    STORE_TEST(test_who_moves_while_one_pages, sqlite),
};
static const struct CMUnitTest postgres[] = {
    STORE_TEST(test_combined_filters_are_bounded_and_complete, postgres),
    STORE_TEST(test_every_question_has_its_answer, postgres),
    STORE_TEST(test_who_moves_while_one_pages, postgres),
};

int main(void)
{
    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
