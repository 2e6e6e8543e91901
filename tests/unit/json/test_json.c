#include "base/unit.h"

#include "json/json.h"

#include <string.h>

static int setup(void **state)
{
    *state = arena_new(MIB(64));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static enum err parse(void **state, struct str text, struct error *error)
{
    struct json_t *value;
    enum err result;

    error_clear(error);
    arena_reset(*state);
    result = json_parse(*state, text, &value, error);
    if (result == OK)
        assert_non_null(value);
    else
        assert_null(value);
    return result;
}

static void good_texts(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "null",
        "true",
        "\"\"",
        "0",
        "-0",
        " { \"a\" : [ 1 , 2.5e3 ] } \n",
        "\"\\ud83d\\ude00\"",
        "\"\xF0\x9F\x98\x80\"",
        "9223372036854775807",
        "-9223372036854775808",
        "{\"a\":{\"a\":1}}",
        "\"]]]]{{{{\\\"[[[[\"",
        "1e-400",
    };
    struct error error;

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_int_equal(parse(state, str_of(texts[i]), &error), OK);
}

static void bad_texts(void **state)
{
    static const struct {
        struct str text;
        const char *reason;
    } bad[] = {
        {{"", 0}, "ends too early"},
        {{NULL, 0}, "ends too early"},
        {STR("{"), "ends too early"},
        {STR("{\"a\":1"), "ends too early"},
        {STR("\"abc"), "ends too early"},
        {STR("{}x"), "after its end"},
        {STR("{} {}"), "after its end"},
        {STR("{}\0"), "NUL byte (line 1, column 3)"},
        {STR("[1\0,2]"), "NUL byte (line 1, column 3)"},
        {STR("{\n\"\xC3\xA4\":1\0}"), "NUL byte (line 2, column 6)"},
        {STR("{\"a\":1,\"a\":2}"), "given twice"},
        {STR("{\"a\":1,\"\\u0061\":2}"), "given twice"},
        {STR("[{\"a\":1,\"b\":{},\"a\":1}]"), "given twice"},
        {STR("\"\xC0\x80\""), "UTF-8"},
        {STR("\"\xED\xA0\x80\""), "UTF-8"},
        {STR("\"\xFF\""), "UTF-8"},
        {STR("\"\xE2\x82\""), "UTF-8"},
        {STR("\"\\ud800\""), "surrogate"},
        {STR("\"\\udc00\""), "surrogate"},
        {STR("\"\\ud800\\u0041\""), "surrogate"},
        {STR("\"\\ud800x\""), "surrogate"},
        {STR("\"\\u0000\""), "NUL"},
        {STR("{\"\\u0000\":1}"), "NUL"},
        {STR("9223372036854775808"), "out of range"},
        {STR("-9223372036854775809"), "out of range"},
        {STR("1e400"), "out of range"},
        {STR("01"), NULL},
        {STR("+1"), NULL},
        {STR(".5"), NULL},
        {STR("1."), NULL},
        {STR("NaN"), NULL},
        {STR("Infinity"), NULL},
        {STR("0x10"), NULL},
        {STR("[1,]"), NULL},
        {STR("{\"a\":1,}"), NULL},
        {STR("{a:1}"), NULL},
        {STR("{'a':1}"), NULL},
        {STR("// x\n{}"), NULL},
        {STR("\"\t\""), NULL},
        {STR("\"a\0b\""), "NUL byte"},
        {STR("\"\\x\""), NULL},
        {STR("\xEF\xBB\xBF{}"), NULL},
        {STR("]"), NULL},
        {STR("truex"), NULL},
    };
    struct error error;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(parse(state, bad[i].text, &error), ERR_MALFORMED);
        assert_non_null(strstr(error.detail, "line "));
        if (bad[i].reason)
            assert_non_null(strstr(error.detail, bad[i].reason));
    }
}

static void says_where_but_not_what(void **state)
{
    struct error error;

    assert_int_equal(parse(state, STR("{\n  \"password\": hunter2\n}"), &error), ERR_MALFORMED);
    assert_non_null(strstr(error.detail, "line 2"));
    assert_null(strstr(error.detail, "hunter2"));
}

static void depth(void **state)
{
    char text[2 * (JSON_DEPTH_MAX + 1)];
    struct error error;

    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    assert_int_equal(parse(state, (struct str){text + 1, sizeof(text) - 2}, &error), OK);
    assert_int_equal(parse(state, (struct str){text, sizeof(text)}, &error), ERR_MALFORMED);
    assert_non_null(strstr(error.detail, "32 levels deep (line 1, column 33)"));
    /* Side by side is not deep. */
    assert_int_equal(parse(state,
                           STR("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
                               "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]"),
                           &error),
                     OK);
}

static void too_many_values(void **state)
{
    size_t len = (size_t)2 * JSON_VALUES_MAX + 1;
    char *text = test_malloc(len);
    struct error error;

    text[0] = '[';
    for (size_t i = 1; i < len - 1; i++)
        text[i] = i % 2 ? '0' : ',';
    text[len - 1] = ']';
    assert_int_equal(parse(state, (struct str){text, len}, &error), ERR_TOO_LARGE);
    text[len - 3] = ']';
    assert_int_equal(parse(state, (struct str){text, len - 2}, &error), OK);
    test_free(text);
}

static void values(void **state)
{
    struct json_member at;
    struct json_t *value;
    struct error error;

    error_clear(&error);
    assert_int_equal(
        json_parse(*state, STR("{\"b\":\"x\",\"a\":[1,2.5,true,null,{}]}"), &value, &error), OK);
    assert_int_equal(json_kind_of(value), JSON_IS_OBJECT);
    at = json_member_first(value);
    assert_str(at.name, "b");
    assert_str(json_value_text(at.value), "x");
    json_member_next(&at);
    assert_str(at.name, "a");
    assert_int_equal(json_item_count(at.value), 5);
    assert_int_equal(json_value_int(json_item(at.value, 0)), 1);
    assert_true(json_value_real(json_item(at.value, 0)) == 1.0);
    assert_true(json_value_real(json_item(at.value, 1)) == 2.5);
    assert_int_equal(json_kind_of(json_item(at.value, 1)), JSON_IS_REAL);
    assert_true(json_value_bool(json_item(at.value, 2)));
    assert_int_equal(json_kind_of(json_item(at.value, 3)), JSON_IS_NULL);
    assert_int_equal(json_kind_of(json_item(at.value, 4)), JSON_IS_OBJECT);
    assert_null(json_item(at.value, 5));
    json_member_next(&at);
    assert_null(at.value);
    assert_ptr_equal(json_value_text(json_member_of(value, "b")).ptr,
                     json_value_text(json_member_first(value).value).ptr);
    assert_null(json_member_of(value, "c"));
    assert_null(json_value_text(value).ptr);
    assert_int_equal(json_item_count(value), 0);
}

static void raw_members(void **state)
{
    struct str text = STR(" { \"a\" : { \"x\" : \"}\\\"]\" } , \"\\u0073ubject\":\"s\",\"\":0,"
                          "\"n\":-1.50,\"e\":[1,[2]],\"\\ud83d\\ude00\\n\":null,\"z\":true}");

    (void)state;
    assert_str(json_raw_member(text, STR("a")), "{ \"x\" : \"}\\\"]\" }");
    assert_str(json_raw_member(text, STR("subject")), "\"s\"");
    assert_str(json_raw_member(text, STR("")), "0");
    assert_str(json_raw_member(text, STR("n")), "-1.50");
    assert_str(json_raw_member(text, STR("e")), "[1,[2]]");
    assert_str(json_raw_member(text, STR("\xF0\x9F\x98\x80\n")), "null");
    assert_str(json_raw_member(text, STR("z")), "true");
    assert_null(json_raw_member(text, STR("x")).ptr);
    assert_null(json_raw_member(text, STR("subjec")).ptr);
    assert_null(json_raw_member(text, STR("subjects")).ptr);
    assert_null(json_raw_member(STR("{}"), STR("a")).ptr);
    assert_null(json_raw_member(STR("[\"a\"]"), STR("a")).ptr);
    assert_null(json_raw_member(STR_NULL, STR("a")).ptr);
}

struct seen {
    struct str items[4];
    size_t count;
};

static void see(void *context, size_t index, struct str item)
{
    struct seen *seen = context;

    assert_int_equal(index, seen->count);
    assert_true(index < 4);
    seen->items[seen->count++] = item;
}

static void raw_items(void **state)
{
    struct seen seen = {0};

    (void)state;
    json_raw_items(STR(" [ 1 , {\"a\":[1,2]} ,\"],\", [ ] ] "), see, &seen);
    assert_int_equal(seen.count, 4);
    assert_str(seen.items[0], "1");
    assert_str(seen.items[1], "{\"a\":[1,2]}");
    assert_str(seen.items[2], "\"],\"");
    assert_str(seen.items[3], "[ ]");
    seen.count = 0;
    json_raw_items(STR("[]"), see, &seen);
    json_raw_items(STR("{\"a\":1}"), see, &seen);
    json_raw_items(STR_NULL, see, &seen);
    assert_int_equal(seen.count, 0);
}

static void raw_text(void **state)
{
    struct buf buf;

    buf_init(&buf, *state, 100);
    json_raw_text(STR("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\u20AC\\ud83d\\ude00z\""), &buf);
    assert_str(buf_str(&buf), "a\"\\/\b\f\n\r\t\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80z");
}

/* The cases of RFC 7396, appendix A, that are of objects; numbers keep their meaning. */
static void merging(void **state)
{
    static const char *const cases[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
        {NULL, "{\"a\":null,\"b\":[null,true,0.1,-7]}", "{\"b\":[null,true,0.1,-7]}"},
        {"{\"a\":1}", "{\"a\":{\"b\":null}}", "{\"a\":{}}"},
    };
    struct error error;
    struct str merged;

    error_clear(&error);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(
            json_merge(*state, str_of(cases[i][0]), str_of(cases[i][1]), 100, &merged, &error), OK);
        assert_true(str_is(merged, cases[i][2]));
    }
    assert_int_equal(json_merge(*state, STR("{\"a\":1}"), STR("{\"b\":2}"), 12, &merged, &error),
                     ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts),
        cmocka_unit_test(bad_texts),
        cmocka_unit_test(says_where_but_not_what),
        cmocka_unit_test(depth),
        cmocka_unit_test(too_many_values),
        cmocka_unit_test(values),
        cmocka_unit_test(raw_members),
        cmocka_unit_test(raw_items),
        cmocka_unit_test(raw_text),
        cmocka_unit_test(merging),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
