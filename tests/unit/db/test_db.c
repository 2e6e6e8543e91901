/* Values, rows and failures: the same on both stores. */
#include "store_kit.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

static const char *const colour_names[] = {"red", "green", "blue"};
static const struct enum_names colours = ENUM_NAMES(colour_names);

struct point {
    int64_t x, y;
};

static const struct field point_fields[] = {
    FIELD(point, x, F_INT, REQUIRED),
    FIELD(point, y, F_INT, REQUIRED),
};
static const struct record point_record = RECORD(point, point_fields);

struct thing {
    struct uuid id, other_id;
    struct str text, json;
    int colour;
    bool flag;
    int64_t number, at;
    struct maybe_int maybe_number, maybe_at;
    double real;
    struct maybe_real maybe_real;
    struct list words, ids, points;
    struct point point;
};

static const struct field thing_fields[] = {
    FIELD(thing, id, F_UUID, REQUIRED),
    FIELD(thing, other_id, F_UUID, NULLABLE),
    FIELD(thing, text, F_TEXT, NULLABLE),
    FIELD(thing, json, F_JSON, NULLABLE),
    FIELD(thing, colour, F_ENUM, NULLABLE, .names = &colours),
    FIELD(thing, flag, F_BOOL, 0),
    FIELD(thing, number, F_INT, 0),
    FIELD_AS(thing, "atTime", at, F_TIME, 0),
    FIELD(thing, maybe_number, F_INT, NULLABLE),
    FIELD(thing, maybe_at, F_TIME, NULLABLE),
    FIELD(thing, real, F_REAL, 0),
    FIELD(thing, maybe_real, F_REAL, NULLABLE),
    FIELD(thing, words, F_LIST, 0, .of = F_TEXT),
    FIELD(thing, ids, F_LIST, 0, .of = F_UUID),
    FIELD(thing, points, F_LIST, 0, .of = F_OBJECT, .record = &point_record),
    FIELD(thing, point, F_OBJECT, 0, .record = &point_record),
};
static const struct record thing_record = RECORD(thing, thing_fields);

#define PLACES(mark)                                                                               \
    mark "1, " mark "2, " mark "3, " mark "4, " mark "5, " mark "6, " mark "7, " mark "8, " mark   \
         "9, " mark "10, " mark "11, " mark "12, " mark "13, " mark "14, " mark "15, " mark        \
         "16, " mark "17"
#define COLUMNS                                                                                    \
    "id, other_id, text, json, colour, flag, number, at, maybe_number, maybe_at, real, "           \
    "maybe_real, words, ids, points, point"
#define SAME(text) .sqlite = (text), .postgres = (text)
#define PARAMS(...)                                                                                \
    .params = (const char *const[]){__VA_ARGS__},                                                  \
    .param_count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static const struct query insert_query = {
    .name = "thing_insert",
    .sqlite = "INSERT INTO things (tenant_id, " COLUMNS ") VALUES (" PLACES("?") ")",
    .postgres = "INSERT INTO things (tenant_id, " COLUMNS ") VALUES (" PLACES("$") ")",
    PARAMS("tenant_id", "id", "other_id", "text", "json", "colour", "flag", "number", "at",
           "maybe_number", "maybe_at", "real", "maybe_real", "words", "ids", "points", "point"),
    .writes = true,
};
static const struct query get_query = {
    .name = "thing_get",
    .sqlite = "SELECT " COLUMNS " FROM things WHERE tenant_id = ?1 AND id = ?2",
    .postgres = "SELECT " COLUMNS " FROM things WHERE tenant_id = $1 AND id = $2",
    PARAMS("tenant_id", "id"),
};
static const struct query all_query = {
    .name = "thing_all",
    .sqlite = "SELECT id, number, text FROM things WHERE tenant_id = ?1 ORDER BY number",
    .postgres = "SELECT id, number, text FROM things WHERE tenant_id = $1 ORDER BY number",
    PARAMS("tenant_id"),
};
static const struct query sum_query = {
    .name = "thing_sum",
    SAME("SELECT sum(number) FROM things"),
};
static const struct query update_query = {
    .name = "thing_update",
    .sqlite = "UPDATE things SET text = ?3, at = ?4 WHERE tenant_id = ?1 AND id = ?2",
    .postgres = "UPDATE things SET text = $3, at = $4 WHERE tenant_id = $1 AND id = $2",
    PARAMS("tenant_id", "id", "text", "now"),
    .writes = true,
};
static const struct query bump_query = {
    .name = "thing_bump",
    .sqlite = "UPDATE things SET number = number + 1 WHERE tenant_id = ?1 AND id = ?2 "
              "RETURNING number",
    .postgres = "UPDATE things SET number = number + 1 WHERE tenant_id = $1 AND id = $2 "
                "RETURNING number",
    PARAMS("tenant_id", "id"),
    .writes = true,
};

static void create_table(struct test_store *store)
{
    store_kit_sql(store,
                  "CREATE TABLE things (tenant_id uuid NOT NULL, id uuid NOT NULL, other_id uuid, "
                  "text text, json text, colour text, flag boolean NOT NULL, "
                  "number bigint NOT NULL, at timestamptz NOT NULL, maybe_number bigint, "
                  "maybe_at timestamptz, real double precision NOT NULL, "
                  "maybe_real double precision, words text NOT NULL, ids text NOT NULL, "
                  "points text NOT NULL, point text NOT NULL, UNIQUE (tenant_id, id), "
                  "FOREIGN KEY (tenant_id, other_id) REFERENCES things (tenant_id, id))");
    store_kit_sql(store, "CREATE UNIQUE INDEX things_text ON things (tenant_id, text)");
}

static int setup_sqlite(void **state)
{
    store_kit_setup_sqlite(state);
    create_table(*state);
    return 0;
}

static int setup_postgres(void **state)
{
    store_kit_setup_postgres(state);
    create_table(*state);
    return 0;
}

static struct thing plain(uint8_t id)
{
    return (struct thing){.id = {{id}}, .number = id};
}

static enum err insert(struct ctx *cx, void *context)
{
    return db_run(cx, &insert_query, ARGS_OF(&thing_record, context));
}

static void assert_same_text(struct str a, struct str b)
{
    must_equal(a.ptr == NULL, b.ptr == NULL);
    must(str_equal(a, b));
}

/* To the bit: -0 is not 0 here. */
static uint64_t bits_of(double real)
{
    uint64_t bits;

    memcpy(&bits, &real, sizeof(bits));
    return bits;
}

static void assert_same(const struct thing *a, const struct thing *b)
{
    must(uuid_equal(a->id, b->id));
    must(uuid_equal(a->other_id, b->other_id));
    assert_same_text(a->text, b->text);
    assert_same_text(a->json, b->json);
    must_equal(a->colour, b->colour);
    must_equal(a->flag, b->flag);
    must_equal(a->number, b->number);
    must_equal(a->at, b->at);
    must_equal(a->maybe_number.set, b->maybe_number.set);
    must_equal(a->maybe_number.value, b->maybe_number.value);
    must_equal(a->maybe_at.set, b->maybe_at.set);
    must_equal(a->maybe_at.value, b->maybe_at.value);
    must_equal(bits_of(a->real), bits_of(b->real));
    must_equal(a->maybe_real.set, b->maybe_real.set);
    must_equal(bits_of(a->maybe_real.value), bits_of(b->maybe_real.value));
    must_equal(a->words.count, b->words.count);
    for (size_t i = 0; i < a->words.count; i++)
        assert_same_text(*LIST_AT(a->words, struct str, i), *LIST_AT(b->words, struct str, i));
    must_equal(a->ids.count, b->ids.count);
    for (size_t i = 0; i < a->ids.count; i++)
        must(uuid_equal(*LIST_AT(a->ids, struct uuid, i), *LIST_AT(b->ids, struct uuid, i)));
    must_equal(a->points.count, b->points.count);
    for (size_t i = 0; i < a->points.count; i++)
        must_same_bytes(LIST_AT(a->points, struct point, i), LIST_AT(b->points, struct point, i),
                        sizeof(struct point));
    must_same_bytes(&a->point, &b->point, sizeof(a->point));
}

static enum err insert_and_read(struct ctx *cx, void *context)
{
    const struct thing *thing = context;
    struct thing got;

    TRY(db_run(cx, &insert_query, ARGS_OF(&thing_record, thing)));
    TRY(db_one(cx, &get_query, ARGS({"id", v_uuid(thing->id)}), &thing_record, &got));
    assert_same(thing, &got);
    return OK;
}

static void test_round_trip(void **state)
{
    static struct str words[] = {{"a", 1}, {"\"quoted\\\"", 9}, {"", 0}, {"\xF0\x9F\x98\x80", 4}};
    static struct uuid ids[] = {{{1}}, {{2, 3}}};
    static struct point points[] = {{1, -2}, {INT32_MAX, 0}};
    const int64_t times[] = {0, 1, -1, TIME_MIN_US, TIME_MAX_US, TIME_END};
    const int64_t numbers[] = {INT64_MIN, -1, 0, 1, INT64_MAX, 42};
    const double reals[] = {0.0, 1e15 + 0.3, 0.1, DBL_MAX, DBL_MIN, -1e-300};
    struct thing thing;

    for (size_t i = 0; i < COUNT_OF(times); i++) {
        thing = (struct thing){.id = {{(uint8_t)(i + 1)}},
                               .other_id = {{1}},
                               .json = STR("{ \"b\":1.0,\n \"a\" : [ ] }"),
                               .colour = 1 + (int)i % 3,
                               .flag = i % 2 == 0,
                               .number = numbers[i],
                               .at = times[i],
                               .maybe_number = SOME(numbers[i]),
                               .maybe_at = SOME(times[i]),
                               .real = reals[i],
                               .maybe_real = SOME(reals[i]),
                               .words = {words, COUNT_OF(words)},
                               .ids = {ids, COUNT_OF(ids)},
                               .points = {points, COUNT_OF(points)},
                               .point = {7, 8}};
        assert_int_equal(store_kit_run(*state, TX_WRITE, insert_and_read, &thing), OK);
    }
    thing = plain(100); /* a zeroed record is a record of nulls */
    assert_int_equal(store_kit_run(*state, TX_WRITE, insert_and_read, &thing), OK);
    thing = plain(101);
    thing.text = STR("");
    assert_int_equal(store_kit_run(*state, TX_WRITE, insert_and_read, &thing), OK);
}

static enum err read_all(struct ctx *cx, void *context)
{
    struct list *counts = context;
    struct list list;

    TRY(db_all(cx, &all_query, NO_ARGS, &thing_record, &list));
    for (size_t i = 0; i < list.count; i++) {
        must_equal(LIST_AT(list, struct thing, i)->number, (int64_t)i);
        must(str_is(LIST_AT(list, struct thing, i)->text, "x") || i != 3);
    }
    counts->count = list.count;
    return OK;
}

struct sum {
    int64_t rows, numbers;
};

static enum err add(struct ctx *cx, void *context, void *row)
{
    struct sum *sum = context;
    const struct thing *thing = row;
    struct thing same;

    sum->rows++;
    sum->numbers += thing->number;
    /* A query inside the reading of another, and of the same. */
    TRY(db_one(cx, &get_query, ARGS({"id", v_uuid(thing->id)}), &thing_record, &same));
    must_equal(same.number, thing->number);
    if (thing->number == 3) {
        struct list inner;

        TRY(db_all(cx, &all_query, NO_ARGS, &thing_record, &inner));
        must_equal(inner.count, 30);
    }
    return thing->number == 20 ? error_set(cx->error, ERR_STALE, "enough") : OK;
}

static enum err read_each(struct ctx *cx, void *context)
{
    return db_each(cx, &all_query, NO_ARGS, &thing_record, add, context);
}

static enum err read_sum(struct ctx *cx, void *context)
{
    return db_int(cx, &sum_query, NO_ARGS, context);
}

static void test_lists(void **state)
{
    struct test_store *store = *state;
    struct list counts;
    struct sum sum = {0};
    int64_t total = -1;

    assert_int_equal(store_kit_run(store, TX_READ, read_all, &counts), OK);
    assert_int_equal(counts.count, 0);
    assert_int_equal(store_kit_run(store, TX_READ, read_sum, &total), OK);
    assert_int_equal(total, 0); /* of no rows it is null */
    for (uint8_t i = 0; i < 30; i++) {
        struct thing thing = plain((uint8_t)(i + 1));

        thing.number = i;
        if (i == 3)
            thing.text = STR("x");
        assert_int_equal(store_kit_run(store, TX_WRITE, insert, &thing), OK);
    }
    assert_int_equal(store_kit_run(store, TX_READ, read_all, &counts), OK);
    assert_int_equal(counts.count, 30);
    assert_int_equal(store_kit_run(store, TX_REPORT, read_each, &sum), ERR_STALE);
    assert_int_equal(sum.rows, 21);
    assert_int_equal(sum.numbers, 210);
    assert_int_equal(store_kit_run(store, TX_REPORT, read_sum, &total), OK);
    assert_int_equal(total, 435);
}

static enum err change(struct ctx *cx, void *context)
{
    const struct uuid nobody = {{99}};
    struct thing got;
    bool found = true;
    int64_t number = 0;

    (void)context;
    TRY(db_run_found(cx, &update_query,
                     ARGS({"id", v_uuid((struct uuid){{1}})}, {"text", v_text(STR("new"))})));
    must_equal(db_changed(cx), 1);
    TRY(db_one(cx, &get_query, ARGS({"id", v_uuid((struct uuid){{1}})}), &thing_record, &got));
    must(str_is(got.text, "new"));
    must_equal(got.at, cx->now_us);
    must_equal(db_run(cx, &update_query, ARGS({"text", v_text(STR_NULL)}, {"id", v_uuid(nobody)})),
               OK);
    must_equal(db_changed(cx), 0);
    must_equal(
        db_run_found(cx, &update_query, ARGS({"id", v_uuid(nobody)}, {"text", v_text(STR_NULL)})),
        ERR_NOT_FOUND);
    must(str_is(str_of(cx->error->detail), "There is no such record."));
    must_equal(db_one(cx, &get_query, ARGS({"id", v_uuid(nobody)}), &thing_record, &got),
               ERR_NOT_FOUND);
    TRY(db_find(cx, &get_query, ARGS({"id", v_uuid(nobody)}), &thing_record, &got, &found));
    must(!found);
    TRY(db_int(cx, &bump_query, ARGS({"id", v_uuid((struct uuid){{1}})}), &number));
    must_equal(number, 2);
    TRY(db_one(cx, &bump_query, ARGS({"id", v_uuid((struct uuid){{1}})}), &thing_record, &got));
    must_equal(got.number, 3);
    return OK;
}

static void test_changes(void **state)
{
    struct thing thing = plain(1);

    assert_int_equal(store_kit_run(*state, TX_WRITE, insert, &thing), OK);
    assert_int_equal(store_kit_run(*state, TX_WRITE, change, NULL), OK);
    assert_int_equal(store_kit_number(*state, "SELECT number FROM things"), 3);
}

/* The tenant is the actor's, whatever the call says. */
static enum err read_as_other(struct ctx *cx, void *context)
{
    struct thing got;

    (void)context;
    cx->actor.tenant_id = (struct uuid){{9, 9}};
    return db_one(
        cx, &get_query,
        ARGS({"id", v_uuid((struct uuid){{1}})}, {"tenant_id", v_uuid((struct uuid){{1, 2, 3}})}),
        &thing_record, &got);
}

static enum err read_as_nobody(struct ctx *cx, void *context)
{
    struct thing got;

    (void)context;
    cx->actor.tenant_id = UUID_NONE;
    return db_one(cx, &get_query, ARGS({"id", v_uuid((struct uuid){{1}})}), &thing_record, &got);
}

static void test_tenants(void **state)
{
    struct thing thing = plain(1);

    assert_int_equal(store_kit_run(*state, TX_WRITE, insert, &thing), OK);
    assert_int_equal(store_kit_run(*state, TX_READ, read_as_other, NULL), ERR_NOT_FOUND);
    assert_int_equal(store_kit_run(*state, TX_READ, read_as_nobody, NULL), ERR_INTERNAL);
}

static enum err conflicts(struct ctx *cx, void *context)
{
    struct thing thing = plain(1);
    bool found;

    (void)context;
    TRY(db_savepoint(cx));
    must_equal(insert(cx, &thing), ERR_CONFLICT);
    must(str_is(db_conflict(cx), "things_tenant_id_id_key"));
    TRY(db_rollback_to(cx));

    thing = plain(2);
    thing.text = STR("x");
    TRY(db_savepoint(cx));
    must_equal(insert(cx, &thing), ERR_CONFLICT);
    must(str_is(db_conflict(cx), "things_text"));
    TRY(db_rollback_to(cx));

    thing = plain(3);
    thing.other_id = (struct uuid){{200}};
    TRY(db_savepoint(cx));
    must_equal(insert(cx, &thing), ERR_CONFLICT);
    TRY(db_rollback_to(cx));

    /* What stood before, and what comes after, is kept. */
    thing = plain(4);
    TRY(insert(cx, &thing));
    return db_find(cx, &get_query, ARGS({"id", v_uuid(thing.id)}), &thing_record, &thing, &found);
}

static enum err savepoints(struct ctx *cx, void *context)
{
    struct thing thing = plain(10);

    (void)context;
    TRY(db_savepoint(cx));
    TRY(insert(cx, &thing)); /* 10: goes */
    TRY(db_savepoint(cx));
    thing = plain(11);
    TRY(insert(cx, &thing)); /* goes with the outer one */
    TRY(db_release(cx));
    TRY(db_rollback_to(cx));
    thing = plain(12);
    TRY(insert(cx, &thing)); /* stays */
    TRY(db_savepoint(cx));
    thing = plain(13);
    TRY(insert(cx, &thing)); /* stays */
    return db_release(cx);
}

static void test_savepoints(void **state)
{
    struct test_store *store = *state;
    struct thing thing = plain(1);

    thing.text = STR("x");
    assert_int_equal(store_kit_run(store, TX_WRITE, insert, &thing), OK);
    assert_int_equal(store_kit_run(store, TX_WRITE, conflicts, NULL), OK);
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM things"), 2);
    assert_int_equal(store_kit_number(store, "SELECT max(number) FROM things"), 4);
    assert_int_equal(store_kit_run(store, TX_WRITE, savepoints, NULL), OK);
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM things"), 4);
    assert_int_equal(store_kit_number(store, "SELECT sum(number) FROM things"), 30);
}

static void test_conflict_ends_the_job(void **state)
{
    struct thing thing = plain(1);

    assert_int_equal(store_kit_run(*state, TX_WRITE, insert, &thing), OK);
    assert_int_equal(store_kit_run(*state, TX_WRITE, insert, &thing), ERR_CONFLICT);
}

/* Mistakes in the program: told as such, and the store goes on. */
static const struct query typo_query = {.name = "typo", SAME("SELECT * FROM no_such_table")};
static const struct query odd_column_query = {.name = "odd", SAME("SELECT 1 AS surprise")};

static enum err typo(struct ctx *cx, void *context)
{
    (void)context;
    return db_run(cx, &typo_query, NO_ARGS);
}

static enum err odd_column(struct ctx *cx, void *context)
{
    struct thing got;

    (void)context;
    return db_one(cx, &odd_column_query, NO_ARGS, &thing_record, &got);
}

static enum err missing_parameter(struct ctx *cx, void *context)
{
    struct thing got;

    (void)context;
    return db_one(cx, &get_query, NO_ARGS, &thing_record, &got);
}

static enum err wrong_type(struct ctx *cx, void *context)
{
    (void)context;
    return db_run(cx, &insert_query,
                  ARGS_OF(&thing_record, &((struct thing){.id = {{1}}}), {"at", v_uuid(UUID_MAX)}));
}

static void test_mistakes(void **state)
{
    struct test_store *store = *state;
    struct thing thing = plain(1);

    assert_int_equal(store_kit_run(store, TX_READ, typo, NULL), ERR_INTERNAL);
    assert_true(str_is(str_of(store->error.detail), "The server has made a mistake."));
    assert_int_equal(store_kit_run(store, TX_READ, odd_column, NULL), ERR_INTERNAL);
    assert_int_equal(store_kit_run(store, TX_READ, missing_parameter, NULL), ERR_INTERNAL);
    assert_int_equal(store_kit_run(store, TX_READ, insert, &thing), ERR_INTERNAL);
    if (store->is_postgres) /* SQLite stores what comes; the next one could not read it */
        assert_int_equal(store_kit_run(store, TX_WRITE, wrong_type, NULL), ERR_INTERNAL);
    assert_int_equal(store_kit_run(store, TX_WRITE, insert, &thing), OK);
}

#define TEST(test, store)                                                                          \
    {                                                                                              \
#test " on " #store, test, setup_##store, store_kit_teardown, NULL                         \
    }
#define TESTS(store)                                                                               \
    {                                                                                              \
        TEST(test_round_trip, store), TEST(test_lists, store), TEST(test_changes, store),          \
            TEST(test_tenants, store), TEST(test_savepoints, store),                               \
            TEST(test_conflict_ends_the_job, store), TEST(test_mistakes, store),                   \
    }

int main(void)
{
    static const struct CMUnitTest sqlite[] = TESTS(sqlite);
    static const struct CMUnitTest postgres[] = TESTS(postgres);

    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
