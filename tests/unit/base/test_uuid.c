#include "unit.h"

#include "base/uuid.h"

#include <stdlib.h>
#include <string.h>

#define DRAWS 1000000
#define NOW_US INT64_C(1790000000123456)

static void vector_of_the_rfc(void **state)
{
    struct uuid id;
    char text[UUID_TEXT_LEN];

    (void)state;
    assert_true(uuid_parse(STR("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), &id));
    assert_true(uuid_time_ms(id) == INT64_C(1645557742000));
    uuid_format(id, text);
    assert_memory_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", UUID_TEXT_LEN);
}

static void refused_texts(void **state)
{
    static const char *const bad[] = {
        "",
        "00000000-0000-0000-0000-000000000000",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
        "017f22e279b07cc398c4dc0c0c07398f",
        "017f22e279b07cc398c4dc0c0c07398f    ",
        "{017f22e2-79b0-7cc3-98c4-dc0c0c07398}",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "017f22e-279b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4+dc0c0c07398f",
        " 17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2--9b0-7cc3-98c4-dc0c0c07398f",
    };
    const struct uuid before = UUID_MAX;
    struct uuid id = before;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(uuid_parse(str_of(bad[i]), &id));
        assert_true(uuid_equal(id, before));
    }
    assert_false(uuid_parse(STR_NULL, &id));
}

static void order_and_none(void **state)
{
    struct uuid low = {{1}}, high = {{0xFF}};

    (void)state;
    assert_true(uuid_is_none(UUID_NONE));
    assert_false(uuid_is_none(low));
    assert_true(uuid_compare(low, high) < 0);
    assert_true(uuid_compare(high, low) > 0);
    assert_int_equal(uuid_compare(low, low), 0);
    assert_true(uuid_compare(UUID_MAX, high) > 0);
}

static int by_order(const void *a, const void *b)
{
    return uuid_compare(*(const struct uuid *)a, *(const struct uuid *)b);
}

/* A clock that stands still, creeps, jumps ahead, and steps back by up to a day. */
static void a_million_increase(void **state)
{
    struct uuid *ids = malloc(DRAWS * sizeof(*ids));
    struct id_source source;
    int64_t now_us = NOW_US;

    (void)state;
    assert_non_null(ids);
    id_source_init(&source);
    for (size_t i = 0; i < DRAWS; i++) {
        if (i % 3 == 0)
            now_us += 1;
        if (i % 10007 == 0)
            now_us += 5000000;
        if (i % 50021 == 0)
            now_us -= i % 2 ? INT64_C(86400000000) : 2000;
        ids[i] = uuid_new(&source, now_us);
        if (ids[i].bytes[6] >> 4 != 7 || ids[i].bytes[8] >> 6 != 2)
            fail_msg("draw %zu has another version or variant", i);
        if (i > 0 && uuid_compare(ids[i - 1], ids[i]) >= 0)
            fail_msg("draw %zu does not come after the one before", i);
    }
    free(ids);
}

/* The random halves are what keeps several sources apart in one millisecond. */
static void two_sources_do_not_meet(void **state)
{
    const size_t each = 50000;
    struct uuid *ids = malloc(2 * each * sizeof(*ids));
    struct id_source one, two;

    (void)state;
    assert_non_null(ids);
    id_source_init(&one);
    id_source_init(&two);
    for (size_t i = 0; i < each; i++) {
        ids[i] = uuid_new(&one, NOW_US);
        ids[each + i] = uuid_new(&two, NOW_US);
    }
    qsort(ids, 2 * each, sizeof(*ids), by_order);
    for (size_t i = 1; i < 2 * each; i++)
        assert_false(uuid_equal(ids[i - 1], ids[i]));
    free(ids);
}

static void all_ones(void *bytes, size_t len)
{
    memset(bytes, 0xFF, len);
}

/* No bit is random here, so that the counter shows alone. */
static void full_counter_borrows_a_millisecond(void **state)
{
    struct id_source source = {.fill_random = all_ones};
    const int64_t now_ms = NOW_US / 1000;
    struct uuid id, before = uuid_new(&source, NOW_US);

    (void)state;
    assert_true(uuid_time_ms(before) == now_ms);
    assert_int_equal((before.bytes[6] & 15) << 8 | before.bytes[7], 0x7FF);
    for (int i = 0; i < 0x800; i++) {
        id = uuid_new(&source, NOW_US);
        assert_true(uuid_time_ms(id) == now_ms);
        assert_true(uuid_compare(before, id) < 0);
        before = id;
    }
    id = uuid_new(&source, NOW_US);
    assert_true(uuid_time_ms(id) == now_ms + 1);
    assert_true(uuid_compare(before, id) < 0);
    before = uuid_new(&source, NOW_US + 1000); /* the clock comes to where the ids are */
    assert_true(uuid_time_ms(before) == now_ms + 1);
    assert_true(uuid_compare(id, before) < 0);
    assert_true(uuid_time_ms(uuid_new(&source, NOW_US + 2000)) == now_ms + 2);
}

static uint8_t next_byte;

static void count_up(void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)bytes)[i] = next_byte++;
}

static void same_randomness_same_ids(void **state)
{
    struct uuid first[100];

    (void)state;
    for (int round = 0; round < 2; round++) {
        struct id_source source;

        id_source_init(&source);
        source.fill_random = count_up;
        next_byte = 0;
        for (int i = 0; i < 100; i++) {
            struct uuid id = uuid_new(&source, NOW_US + i * INT64_C(300));

            if (round == 0)
                first[i] = id;
            assert_true(uuid_equal(id, first[i]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vector_of_the_rfc),
        cmocka_unit_test(refused_texts),
        cmocka_unit_test(order_and_none),
        cmocka_unit_test(a_million_increase),
        cmocka_unit_test(two_sources_do_not_meet),
        cmocka_unit_test(full_counter_borrows_a_millisecond),
        cmocka_unit_test(same_randomness_same_ids),
    };

    return cmocka_run_group_tests_name("base/uuid", tests, NULL, NULL);
}
