/* Every query of the program can be prepared on the schema that the migrations make. */
#include "store_kit.h"

#include "db/backend.h"

#include <stdio.h>

/* Below db.h, because nothing is to be run. In a savepoint, so that one wrong query does
 * not hide the next. */
static enum err prepare_all(struct ctx *cx, void *context)
{
    size_t *wrong = context;

    for (size_t i = 0; i < all_query_count; i++) {
        struct statement *statement;
        enum err result;

        TRY(db_savepoint(cx));
        result = cx->db->backend->prepare(cx->db, all_queries[i], &statement);
        if (result == OK) {
            statement->next = cx->db->statements[0];
            cx->db->statements[0] = statement; /* freed with the connection */
            statement->query = all_queries[i];
            TRY(db_release(cx));
        } else {
            fprintf(stderr, "%s cannot be prepared\n", all_queries[i]->name);
            ++*wrong;
            TRY(db_rollback_to(cx));
        }
    }
    return OK;
}

static void test_prepare(void **state)
{
    size_t wrong = 0;

    assert_true(all_query_count > 0);
    assert_int_equal(store_kit_run(*state, TX_WRITE, prepare_all, &wrong), OK);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    static const struct CMUnitTest sqlite[] = {STORE_TEST(test_prepare, sqlite)};
    static const struct CMUnitTest postgres[] = {STORE_TEST(test_prepare, postgres)};

    return store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
}
