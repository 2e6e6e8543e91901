/* A store of a test's own: SQLite in a new folder, or PostgreSQL in a new schema of the
 * database that TOUCHPOINT_TEST_POSTGRES names. Both are gone when it is closed.
 *
 *     static void test_it(void **state)
 *     {
 *         struct test_store *store = *state;   // made by STORE_TEST
 *         assert_int_equal(store_kit_run(store, TX_WRITE, insert, &row), OK);
 *     }
 *
 *     static const struct CMUnitTest sqlite[] = {STORE_TEST(test_it, sqlite)};
 *     static const struct CMUnitTest postgres[] = {STORE_TEST(test_it, postgres)};
 *     int main(void) { return store_kit_main(sqlite, postgres, COUNT_OF(sqlite)); } */
#ifndef DB_STORE_KIT_H
#define DB_STORE_KIT_H

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "db/db.h"
#include "db/exec.h"

struct test_store {
    bool is_postgres;
    char dir[64];
    char url[1024];
    char schema[64];
    struct store_options options; /* with `dir` or `url`; change it, then store_kit_reopen() */
    struct exec *exec;
    struct actor actor; /* of store_kit_run(); an admin of a tenant that has no row */
    struct error error; /* of the last store_kit_run() */
};

/* Fails the test when the store cannot be made. */
void store_kit_open(struct test_store *store, bool postgres);
void store_kit_close(struct test_store *store);
/* Closes and opens again. */
void store_kit_reopen(struct test_store *store);
/* Without the migrations, and not opened: the folder or the schema alone. */
void store_kit_prepare(struct test_store *store, bool postgres);
bool store_kit_has_postgres(void);

typedef enum err (*store_kit_fn)(struct ctx *cx, void *context);
/* One transaction; fn may run more than once. */
enum err store_kit_run(struct test_store *store, enum tx tx, store_kit_fn fn, void *context);
/* One statement by itself. */
void store_kit_sql(struct test_store *store, const char *sql);
int64_t store_kit_number(struct test_store *store, const char *sql);

/* Removes a folder and what is in it. */
void store_kit_remove(const char *dir);

int store_kit_setup_sqlite(void **state);
int store_kit_setup_postgres(void **state);
int store_kit_teardown(void **state);
int store_kit_main(const struct CMUnitTest *sqlite, const struct CMUnitTest *postgres,
                   size_t count);

/* For what runs on a store thread: cmocka's own assertions work on the test's thread only. */
#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            store_kit_fail(__FILE__, __LINE__, #condition);                                        \
    } while (0)
#define must_equal(a, b) must((a) == (b))
#define must_same_bytes(a, b, size) must(memcmp((a), (b), (size)) == 0)
_Noreturn void store_kit_fail(const char *file, int line, const char *condition);

#define STORE_TEST(test, store)                                                                    \
    {                                                                                              \
#test " on " #store, test, store_kit_setup_##store, store_kit_teardown, NULL               \
    }

#endif
