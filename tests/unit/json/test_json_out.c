#include "base/unit.h"

#include "json/json.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct writer {
    struct buf buf;
    struct json_out out;
};

static void begin(struct writer *writer, size_t max)
{
    buf_init(&writer->buf, NULL, max);
    json_out_init(&writer->out, &writer->buf);
}

#define assert_written(writer, expected)                                                           \
    do {                                                                                           \
        assert_false(buf_failed(&(writer)->buf));                                                  \
        assert_str(buf_str(&(writer)->buf), expected);                                             \
        buf_clear(&(writer)->buf);                                                                 \
        begin((writer), 10000);                                                                    \
    } while (0)

static void commas(void **state)
{
    struct writer w;

    (void)state;
    begin(&w, 10000);
    json_object_begin(&w.out);
    JSON_KEY(&w.out, "a");
    json_int(&w.out, 1);
    JSON_KEY(&w.out, "b");
    json_array_begin(&w.out);
    json_array_begin(&w.out);
    json_array_end(&w.out);
    json_object_begin(&w.out);
    json_object_end(&w.out);
    json_text(&w.out, STR("x"));
    json_text(&w.out, STR("y\n"));
    json_bool(&w.out, true);
    json_bool(&w.out, false);
    json_nil(&w.out);
    json_raw(&w.out, STR("{\"r\": 1}"));
    json_raw(&w.out, STR_NULL);
    json_array_end(&w.out);
    JSON_KEY(&w.out, "c\"");
    json_text(&w.out, STR_NULL);
    json_object_end(&w.out);
    assert_written(&w, "{\"a\":1,\"b\":[[],{},\"x\",\"y\\n\",true,false,null,{\"r\": 1},null],"
                       "\"c\\\"\":null}");
    buf_clear(&w.buf);
}

static void escapes(void **state)
{
    struct writer w;

    (void)state;
    begin(&w, 10000);
    json_text(&w.out, STR("\"\\/\b\f\n\r\t\x01\x1F\x7F</script>&"));
    assert_written(&w, "\"\\\"\\\\/\\u0008\\u000c\\n\\r\\t\\u0001\\u001f\x7F</script>&\"");
    json_text(&w.out, STR("\xE2\x80\xA7\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAA\xE2\x82\xAC"));
    assert_written(&w, "\"\xE2\x80\xA7\\u2028\\u2029\xE2\x80\xAA\xE2\x82\xAC\"");
    json_text(&w.out, STR("a\0b"));
    assert_written(&w, "\"a\\u0000b\"");
    json_text(&w.out, STR(""));
    assert_written(&w, "\"\"");
    buf_clear(&w.buf);
}

/* The writer looks at eight bytes at once: every place in them counts. */
static void escapes_anywhere(void **state)
{
    static const char special[] = {'\0', '\x1F', '"', '\\'};
    struct writer w;

    (void)state;
    begin(&w, 1000);
    for (size_t at = 0; at < 30; at++) {
        for (size_t i = 0; i < sizeof(special); i++) {
            char text[30];
            struct buf back;

            for (size_t j = 0; j < sizeof(text); j++)
                text[j] = "!#[] \xC3\xA4\x7F"[j % 8];
            text[at] = special[i];
            buf_reset(&w.buf);
            json_out_init(&w.out, &w.buf);
            json_text(&w.out, (struct str){text, sizeof(text)});
            assert_true(w.buf.len > sizeof(text) + 2);
            buf_init(&back, NULL, 1000);
            json_raw_text(buf_str(&w.buf), &back);
            assert_int_equal(back.len, sizeof(text));
            assert_memory_equal(back.ptr, text, sizeof(text));
            buf_clear(&back);
        }
    }
    buf_clear(&w.buf);
}

static void ids_and_times(void **state)
{
    struct writer w;
    struct uuid id;

    (void)state;
    begin(&w, 10000);
    assert_true(uuid_parse(STR("0190163D-8694-739B-AEA5-966C26F8AD91"), &id));
    json_uuid(&w.out, id);
    json_uuid(&w.out, UUID_NONE);
    json_time(&w.out, 1500000);
    assert_written(&w, "\"0190163d-8694-739b-aea5-966c26f8ad91\",null,\"1970-01-01T00:00:01.5Z\"");
    buf_clear(&w.buf);
}

static void numbers(void **state)
{
    struct writer w;

    (void)state;
    begin(&w, 10000);
    json_int(&w.out, INT64_MIN);
    json_int(&w.out, INT64_MAX);
    json_double(&w.out, 0.1);
    json_double(&w.out, 3);
    json_double(&w.out, -0.0);
    json_double(&w.out, 1.0 / 3);
    json_double(&w.out, 0.1 + 0.2);
    json_double(&w.out, 1e300);
    json_double(&w.out, (double)NAN);
    json_double(&w.out, (double)INFINITY);
    assert_written(&w, "-9223372036854775808,9223372036854775807,0.1,3,0,0.3333333333333333,"
                       "0.30000000000000004,1e+300,null,null");
    buf_clear(&w.buf);
}

static void reals_come_back(void **state)
{
    uint64_t bits = 88172645463325252U;
    struct writer w;

    (void)state;
    begin(&w, 100);
    for (int i = 0; i < 20000; i++) {
        char text[64] = {0};
        double value;

        bits ^= bits << 13; /* xorshift64 */
        bits ^= bits >> 7;
        bits ^= bits << 17;
        memcpy(&value, &bits, sizeof(value));
        if (!isfinite(value))
            continue;
        buf_reset(&w.buf);
        json_out_init(&w.out, &w.buf);
        json_double(&w.out, value);
        assert_true(w.buf.len < sizeof(text));
        memcpy(text, w.buf.ptr, w.buf.len);
        assert_true(strtod(text, NULL) == value);
    }
    buf_clear(&w.buf);
}

static void failure_sticks(void **state)
{
    struct writer w;

    (void)state;
    begin(&w, 8);
    json_text(&w.out, STR("longer than eight"));
    json_text(&w.out, STR("\n\n\n\n\n\n"));
    json_int(&w.out, 1);
    assert_true(buf_failed(&w.buf));
    assert_true(w.buf.len <= 8);
    buf_clear(&w.buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas),           cmocka_unit_test(escapes),
        cmocka_unit_test(escapes_anywhere), cmocka_unit_test(ids_and_times),
        cmocka_unit_test(numbers),          cmocka_unit_test(reals_come_back),
        cmocka_unit_test(failure_sticks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
