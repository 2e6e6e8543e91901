#include "unit.h"

#include "base/arena.h"

#include <string.h>

static void null_is_not_empty(void **state)
{
    (void)state;
    assert_null(str_of(NULL).ptr);
    assert_true(str_equal(STR_NULL, STR_NULL));
    assert_true(str_equal(STR(""), STR("")));
    assert_false(str_equal(STR_NULL, STR("")));
    assert_false(str_equal_nocase(STR(""), STR_NULL));
    assert_false(str_is(STR_NULL, ""));
    assert_true(str_is(STR_NULL, NULL));
    assert_true(str_compare(STR_NULL, STR("")) < 0);
    assert_true(str_compare(STR(""), STR_NULL) > 0);
    assert_int_equal(str_compare(STR_NULL, STR_NULL), 0);
    assert_true(str_starts(STR_NULL, STR_NULL));
    assert_true(str_ends(STR_NULL, STR("")));
    assert_int_equal(str_trim(STR_NULL).len, 0);
    assert_null(str_slice(STR_NULL, 0, 5).ptr);
    assert_true(str_is_utf8(STR_NULL));
    assert_int_equal(str_code_points(STR_NULL), 0);
}

static void comparing(void **state)
{
    (void)state;
    assert_true(str_equal(STR("a\0b"), STR("a\0b")));
    assert_false(str_equal(STR("a\0b"), STR("a\0c")));
    assert_true(str_is(STR("abc"), "abc"));
    assert_false(str_is(STR("abc\0"), "abc"));
    assert_true(str_equal_nocase(STR("Content-TYPE"), STR("content-type")));
    assert_false(str_equal_nocase(STR("[z"), STR("{z"))); /* 0x20 apart, but no letters */
    assert_false(str_equal_nocase(STR("\xC3\x84"), STR("\xC3\xA4")));
    assert_true(str_compare(STR("ab"), STR("abc")) < 0);
    assert_true(str_compare(STR("b"), STR("abc")) > 0);
    assert_true(str_compare(STR("z"), STR("\xC3\xA4")) < 0); /* bytes are unsigned */
    assert_true(str_starts(STR("/api/v1"), STR("/api")));
    assert_false(str_starts(STR("/a"), STR("/api")));
    assert_true(str_ends(STR("a.csv"), STR(".csv")));
    assert_false(str_ends(STR("csv"), STR(".csv")));
}

static void cutting(void **state)
{
    struct str head, rest;

    (void)state;
    assert_str(str_trim(STR(" \t a b\t ")), "a b");
    assert_str(str_trim(STR(" \t ")), "");
    assert_str(str_trim(STR("\na\n")), "\na\n");
    assert_str(str_slice(STR("hello"), 1, 3), "el");
    assert_str(str_slice(STR("hello"), 3, 99), "lo");
    assert_str(str_slice(STR("hello"), 9, 99), "");
    assert_str(str_slice(STR("hello"), 4, 2), "");

    rest = str_cut(STR("a,,b"), ',', &head);
    assert_str(head, "a");
    rest = str_cut(rest, ',', &head);
    assert_str(head, "");
    rest = str_cut(rest, ',', &head);
    assert_str(head, "b");
    assert_null(rest.ptr);
    rest = str_cut(STR("a,"), ',', &head);
    assert_str(head, "a");
    assert_str(rest, ""); /* an empty last part, not an absent one */
    rest = str_cut(STR_NULL, ',', &head);
    assert_null(head.ptr);
    assert_null(rest.ptr);
}

static void copying(void **state)
{
    struct arena *arena = arena_new(256);
    char text[] = "temporary";
    struct str copy = str_copy(arena, str_of(text));
    char *c = str_to_c(arena, str_slice(str_of(text), 0, 4));

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    assert_str(copy, "temporary");
    assert_string_equal(c, "temp");
    assert_str(str_copy(arena, STR("")), "");
    assert_string_equal(str_to_c(arena, STR("")), "");
    assert_null(str_copy(arena, STR_NULL).ptr);
    assert_null(str_to_c(arena, STR_NULL));
    assert_false(arena_exhausted(arena));
    assert_non_null(arena_alloc(arena, 256 - arena_used(arena)));
    assert_null(str_copy(arena, STR("no room")).ptr);
    assert_null(str_to_c(arena, STR("no room")));
    assert_true(arena_exhausted(arena));
    arena_free(arena);
}

static void integers(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"007", 7},
                {"-12", -12},
                {"42", 42},
                {"9223372036854775807", INT64_MAX},
                {"-1", -1},
                {"-9223372036854775808", INT64_MIN},
                {"0000000000000000000000001", 1}};
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "--1",
                                      "1.0",
                                      "1e3",
                                      "0x1",
                                      "1_0",
                                      "\xD9\xA1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "18446744073709551616",
                                      "99999999999999999999999"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        int64_t value = 99;

        assert_true(str_to_int(str_of(good[i].text), &value));
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t value = 99;

        assert_false(str_to_int(str_of(bad[i]), &value));
        assert_int_equal(value, 99);
    }
    assert_false(str_to_int(STR_NULL, &(int64_t){0}));
    assert_false(str_to_int(STR("1\0"), &(int64_t){0}));
}

/* Written the other way round: decode, then ask whether the number may be. */
static bool utf8_by_the_book(const unsigned char *at, size_t len)
{
    while (len > 0) {
        size_t need = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : 4;
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        uint32_t value = need == 1   ? at[0]
                         : need == 2 ? at[0] & 31U
                                     : at[0] & (need == 3 ? 15U : 7U);

        if ((need == 4 && at[0] >> 3 != 30) || len < need)
            return false;
        for (size_t i = 1; i < need; i++) {
            if (at[i] >> 6 != 2)
                return false;
            value = value << 6 | (at[i] & 63U);
        }
        if (value < least[need] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
            return false;
        at += need;
        len -= need;
    }
    return true;
}

static void utf8(void **state)
{
    unsigned char bytes[12];

    (void)state;
    /* Every pair of first bytes, with interesting third and fourth ones, behind 0 to 8
     * plain bytes so that the fast way is crossed at each place. */
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned second = 0; second < 256; second++) {
            static const unsigned char more[][2] = {{0x80, 0x80}, {0xBF, 0xBF}, {0x80, 'a'},
                                                    {'a', 'a'},   {0xC0, 0x80}, {0xC3, 0xA4}};

            for (size_t i = 0; i < COUNT_OF(more); i++) {
                size_t before = (first + second + i) % 9;

                memset(bytes, 'a', sizeof(bytes));
                bytes[before] = (unsigned char)first;
                bytes[before + 1] = (unsigned char)second;
                if (before + 3 < sizeof(bytes)) {
                    bytes[before + 2] = more[i][0];
                    bytes[before + 3] = more[i][1];
                }
                for (size_t len = before + 1; len <= sizeof(bytes); len++) {
                    struct str s = {(const char *)bytes, len};

                    if (str_is_utf8(s) != utf8_by_the_book(bytes, len))
                        fail_msg("%02x %02x, variant %zu, %zu bytes", first, second, i, len);
                }
            }
        }
    }
    assert_false(str_is_utf8(STR("\xED\xA0\x80")));     /* a surrogate */
    assert_false(str_is_utf8(STR("\xC0\xAF")));         /* an overlong slash */
    assert_false(str_is_utf8(STR("\xF4\x90\x80\x80"))); /* past U+10FFFF */
    assert_true(str_is_utf8(STR("\xEF\xBF\xBF\xF4\x8F\xBF\xBF")));
    assert_int_equal(str_code_points(STR("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80")), 4);
}

static void hexadecimal(void **state)
{
    const uint8_t bytes[] = {0x00, 0x0F, 0xA5, 0xFF};
    uint8_t back[4];
    char text[8];

    (void)state;
    str_to_hex(bytes, sizeof(bytes), text);
    assert_memory_equal(text, "000fa5ff", 8);
    assert_true(str_from_hex(STR("000Fa5fF"), back, 4));
    assert_memory_equal(back, bytes, 4);
    assert_false(str_from_hex(STR("000fa5f"), back, 4));
    assert_false(str_from_hex(STR("000fa5ff0"), back, 4));
    assert_false(str_from_hex(STR("000fa5ff00"), back, 4));
    assert_false(str_from_hex(STR("000fa5fg"), back, 4));
    assert_false(str_from_hex(STR("000fa5 f"), back, 4));
    assert_true(str_from_hex(STR_NULL, back, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_is_not_empty), cmocka_unit_test(comparing), cmocka_unit_test(cutting),
        cmocka_unit_test(copying),           cmocka_unit_test(integers),  cmocka_unit_test(utf8),
        cmocka_unit_test(hexadecimal),
    };

    return cmocka_run_group_tests_name("base/str", tests, NULL, NULL);
}
