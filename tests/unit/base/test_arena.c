#include "unit.h"

#include "base/arena.h"
#include "base/limits.h"

#include <stdalign.h>
#include <string.h>

static void zeroed_aligned_and_apart(void **state)
{
    struct arena *arena = arena_new(MIB(8));
    unsigned char *blocks[400];
    size_t sizes[400];

    (void)state;
    assert_non_null(arena);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 400; i++) {
            sizes[i] = (i * 37) % 5000 + (i % 50 == 0 ? 100000 : 0);
            blocks[i] = arena_alloc(arena, sizes[i]);
            assert_non_null(blocks[i]);
            assert_int_equal((uintptr_t)blocks[i] % alignof(max_align_t), 0);
            for (size_t k = 0; k < sizes[i]; k++)
                assert_int_equal(blocks[i][k], 0);
            if (sizes[i])
                memset(blocks[i], (int)(i & 0xFF), sizes[i]);
        }
        for (size_t i = 0; i < 400; i++) {
            for (size_t k = 0; k < sizes[i]; k++)
                assert_int_equal(blocks[i][k], i & 0xFF);
        }
        arena_reset(arena); /* the second round finds dirty memory */
        assert_int_equal(arena_used(arena), 0);
    }
    arena_free(arena);
}

static void empty_allocations_differ(void **state)
{
    struct arena *arena = arena_new(KIB(1));
    void *a = arena_alloc(arena, 0), *b = arena_alloc(arena, 0);

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    arena_free(arena);
}

static void budget_is_hard(void **state)
{
    struct arena *arena = arena_new(1024);

    (void)state;
    assert_non_null(arena_alloc(arena, 1000));
    assert_false(arena_exhausted(arena));
    assert_null(arena_alloc(arena, 100));
    assert_true(arena_exhausted(arena));
    assert_null(arena_alloc(arena, 1)); /* and it stays so */
    assert_true(arena_used(arena) <= 1024);
    arena_reset(arena);
    assert_false(arena_exhausted(arena));
    assert_non_null(arena_alloc(arena, 1024));
    assert_null(arena_alloc(arena, 1));
    arena_free(arena);
}

static void absurd_sizes(void **state)
{
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX / 2, SIZE_MAX / 2 + 1};
    struct arena *arena;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char *small;

        arena = arena_new(KIB(64));
        assert_null(arena_alloc(arena, sizes[i]));
        assert_true(arena_exhausted(arena));
        arena_reset(arena);
        small = arena_alloc(arena, 8);
        assert_null(arena_grow(arena, small, 8, sizes[i]));
        assert_true(arena_exhausted(arena));
        arena_free(arena);
    }
    arena = arena_new(SIZE_MAX);
    assert_null(arena_alloc(arena, SIZE_MAX));
    arena_reset(arena);
    assert_null(arena_array(arena, SIZE_MAX / 8 + 2, 8)); /* the product wraps to 8 */
    assert_true(arena_exhausted(arena));
    arena_reset(arena);
    assert_non_null(arena_array(arena, 0, 8));
    assert_non_null(arena_array(arena, 8, 0));
    assert_false(arena_exhausted(arena));
    arena_free(arena);
}

static void grow_in_place_and_by_copy(void **state)
{
    struct arena *arena = arena_new(MIB(1));
    char *first = arena_alloc(arena, 10), *grown, *other;

    (void)state;
    memcpy(first, "0123456789", 10);
    grown = arena_grow(arena, first, 10, 100);
    assert_ptr_equal(grown, first);
    assert_memory_equal(grown, "0123456789\0\0", 12);
    assert_int_equal(grown[99], 0);
    assert_ptr_equal(arena_grow(arena, grown, 100, 50), grown);

    other = arena_alloc(arena, 4);
    assert_non_null(other);
    first = arena_grow(arena, grown, 100, 200); /* no longer the newest */
    assert_ptr_not_equal(first, grown);
    assert_memory_equal(first, "0123456789\0\0", 12);
    assert_int_equal(first[199], 0);
    assert_int_equal(other[0], 0);

    grown = arena_grow(arena, NULL, 0, 7);
    assert_non_null(grown);
    arena_free(arena);
}

/* A text that doubles its way up to half the budget must fit. */
static void grow_to_half_of_the_budget(void **state)
{
    struct arena *arena = arena_new(MIB(4));
    size_t size = 64;
    unsigned char *text = arena_alloc(arena, size);

    (void)state;
    memset(text, 0xAB, size);
    for (; size < MIB(2); size *= 2) {
        text = arena_grow(arena, text, size, size * 2);
        assert_non_null(text);
        assert_int_equal(text[size - 1], 0xAB);
        assert_int_equal(text[size], 0);
        assert_int_equal(text[2 * size - 1], 0);
        memset(text, 0xAB, 2 * size);
        assert_non_null(arena_alloc(arena, 24)); /* somebody else comes in between */
    }
    assert_true(arena_used(arena) < MIB(2) + KIB(64));
    assert_null(arena_grow(arena, text, size, MIB(4) + 1));
    assert_true(arena_exhausted(arena));
    for (size_t i = 0; i < size; i++)
        assert_int_equal(text[i], 0xAB); /* the old one stays */
    arena_free(arena);
}

static char order[8];
static size_t order_len;

static void note(void *what)
{
    order[order_len++] = *(char *)what;
}

static void deferred_last_first(void **state)
{
    char outside[] = "abcd";
    struct arena *arena = arena_new(KIB(8));
    char *inside = arena_alloc(arena, 1);

    (void)state;
    order_len = 0;
    *inside = 'i'; /* still readable while the arena ends */
    assert_true(arena_defer(arena, note, &outside[0]));
    assert_true(arena_defer(arena, note, inside));
    assert_true(arena_defer(arena, note, &outside[1]));
    arena_reset(arena);
    assert_int_equal(order_len, 3);
    assert_memory_equal(order, "bia", 3);

    assert_true(arena_defer(arena, note, &outside[2]));
    assert_null(arena_alloc(arena, KIB(9)));
    assert_false(arena_defer(arena, note, &outside[3])); /* at once */
    assert_int_equal(order_len, 4);
    arena_free(arena);
    assert_memory_equal(order, "biadc", 5);
    arena_free(NULL);
}

/* What came before a mark stays, however it was asked to grow since. */
static void a_mark_is_come_back_to(void **state)
{
    char outside[] = "abc";
    const size_t large = MIB(1);
    struct arena *arena = arena_new(MIB(8));
    char *small = arena_alloc(arena, 100), *big = arena_alloc(arena, large), *grown;
    size_t used;

    (void)state;
    order_len = 0;
    memset(small, 's', 100);
    memset(big, 'b', large);
    assert_true(arena_defer(arena, note, &outside[0]));
    const struct arena_mark mark = arena_mark(arena);
    used = arena_used(arena);
    for (int i = 0; i < 8; i++) { /* eight times what would fit once or twice */
        grown = arena_grow(arena, big, large, 2 * large);
        assert_non_null(grown);
        assert_ptr_not_equal(grown, big);
        memset(grown, 'x', 2 * large);
        grown = arena_grow(arena, small, 100, 200);
        assert_non_null(grown);
        memset(grown, 'x', 200);
        for (int k = 0; k < 200; k++)
            assert_non_null(arena_alloc(arena, KIB(5)));
        assert_true(arena_defer(arena, note, &outside[1]));
        assert_true(arena_defer(arena, note, &outside[2]));
        if (i % 2)
            assert_null(arena_alloc(arena, MIB(8)));
        assert_int_equal(arena_exhausted(arena), i % 2);
        order_len = 0;
        arena_release(arena, mark);
        assert_int_equal(order_len, 2);
        assert_memory_equal(order, "cb", 2);
        assert_false(arena_exhausted(arena));
        assert_int_equal(arena_used(arena), used);
    }
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(small[i], 's');
    for (size_t i = 0; i < large; i++)
        assert_int_equal(big[i], 'b');
    assert_int_equal(((char *)arena_alloc(arena, 100))[99], 0);
    assert_null(arena_alloc(arena, MIB(8)));
    const struct arena_mark spent = arena_mark(arena);
    arena_release(arena, spent);
    assert_true(arena_exhausted(arena)); /* as it was then */
    order_len = 0;
    arena_free(arena);
    assert_memory_equal(order, "a", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_aligned_and_apart),
        cmocka_unit_test(empty_allocations_differ),
        cmocka_unit_test(budget_is_hard),
        cmocka_unit_test(absurd_sizes),
        cmocka_unit_test(grow_in_place_and_by_copy),
        cmocka_unit_test(grow_to_half_of_the_budget),
        cmocka_unit_test(deferred_last_first),
        cmocka_unit_test(a_mark_is_come_back_to),
    };

    return cmocka_run_group_tests_name("base/arena", tests, NULL, NULL);
}
