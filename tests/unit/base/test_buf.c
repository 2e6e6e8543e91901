#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"

#include <string.h>

static void each_way_of_adding(void **state)
{
    struct arena *arena = arena_new(MIB(1));
    struct arena *const owners[] = {arena, NULL};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(owners); i++) {
        struct buf buf;

        buf_init(&buf, owners[i], 4096);
        assert_str(buf_str(&buf), "");
        buf_add(&buf, STR("id="));
        buf_add(&buf, STR_NULL);
        buf_add_int(&buf, 0);
        buf_add_char(&buf, ' ');
        buf_add_int(&buf, INT64_MIN);
        buf_add_char(&buf, '\0');
        buf_add_int(&buf, INT64_MAX);
        buf_addf(&buf, " %s-%03d", "x", 7);
        buf_addf(&buf, "%s", "");
        assert_false(buf_failed(&buf));
        assert_str(buf_str(&buf), "id=0 -9223372036854775808\0"
                                  "9223372036854775807 x-007");
        buf_reset(&buf);
        assert_str(buf_str(&buf), "");
        for (int k = 0; k < 4096; k++)
            buf_add_char(&buf, (char)('a' + k % 26));
        assert_false(buf_failed(&buf));
        assert_int_equal(buf_str(&buf).len, 4096);
        for (int k = 0; k < 4096; k++)
            assert_int_equal(buf_str(&buf).ptr[k], 'a' + k % 26);
        buf_clear(&buf);
    }
    arena_free(arena);
}

static void failure_is_sticky(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, NULL, 10);
    buf_add(&buf, STR("0123456789")); /* exactly full */
    assert_false(buf_failed(&buf));
    buf_add(&buf, STR(""));
    assert_false(buf_failed(&buf));
    buf_add_char(&buf, 'x');
    assert_true(buf_failed(&buf));
    assert_str(buf_str(&buf), "0123456789");
    buf_reset(&buf);
    assert_false(buf_failed(&buf));
    buf_add(&buf, STR("01234567"));
    buf_addf(&buf, "%d", 100); /* one too many: nothing of it stays */
    assert_true(buf_failed(&buf));
    buf_add_char(&buf, 'x'); /* would fit */
    buf_add_int(&buf, 1);
    assert_null(buf_reserve(&buf, 1));
    assert_str(buf_str(&buf), "01234567");
    buf_clear(&buf);
    assert_str(buf_str(&buf), "");

    buf_init(&buf, NULL, 0);
    buf_add(&buf, STR(""));
    assert_false(buf_failed(&buf));
    buf_add_char(&buf, 'x');
    assert_true(buf_failed(&buf));
    buf_clear(&buf);
}

static void printf_up_to_the_maximum(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, NULL, 5);
    buf_addf(&buf, "%s", "12345"); /* the NUL of printf does not count */
    assert_false(buf_failed(&buf));
    assert_str(buf_str(&buf), "12345");
    buf_clear(&buf);

    for (int len = 1; len < 300;
         len++) { /* whatever the memory happens to be, there is room for it */
        buf_init(&buf, NULL, 1000);
        buf_addf(&buf, "%*d", len, 7);
        assert_int_equal(buf_str(&buf).len, len);
        assert_int_equal(buf_str(&buf).ptr[len - 1], '7');
        buf_clear(&buf);
    }
}

static void reserve_and_commit(void **state)
{
    struct buf buf;
    char *room;

    (void)state;
    buf_init(&buf, NULL, 200);
    buf_add(&buf, STR("ab"));
    room = buf_reserve(&buf, 198);
    assert_non_null(room);
    memset(room, 'c', 198);
    assert_str(buf_str(&buf), "ab");
    buf_commit(&buf, 3);
    assert_str(buf_str(&buf), "abccc");
    assert_null(buf_reserve(&buf, 196));
    assert_true(buf_failed(&buf));
    buf_reset(&buf);
    assert_null(buf_reserve(&buf, SIZE_MAX));
    buf_clear(&buf);
}

static void spent_arena(void **state)
{
    struct arena *arena = arena_new(256);
    struct buf buf;

    (void)state;
    buf_init(&buf, arena, KIB(64));
    for (int i = 0; i < 1000; i++)
        buf_add(&buf, STR("0123456789"));
    assert_true(buf_failed(&buf));
    assert_true(arena_exhausted(arena));
    assert_true(buf_str(&buf).len >= 10);
    buf_clear(&buf);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_of_adding),
        cmocka_unit_test(failure_is_sticky),
        cmocka_unit_test(printf_up_to_the_maximum),
        cmocka_unit_test(reserve_and_commit),
        cmocka_unit_test(spent_arena),
    };

    return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
