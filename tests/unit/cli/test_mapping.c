#include "base/unit.h"

#include "cli/mapping.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct mapping *mapping;
static char written[8192];

static struct mapping *open_text(const char *text)
{
    char path[] = "/tmp/unit-mapping-XXXXXX";
    const int fd = mkstemp(path);
    struct mapping *opened;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    opened = mapping_open(path);
    unlink(path);
    return opened;
}

static bool header(const char *const *names, size_t count)
{
    struct str cells[8];
    const struct csv_row row = {1, cells, count};

    for (size_t i = 0; i < count; i++)
        cells[i] = str_of(names[i]);
    return mapping_header(mapping, &row);
}

#define HEADER(...)                                                                                \
    header((const char *const[]){__VA_ARGS__},                                                     \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* What the mapping makes of a row with these cells. */
static const char *map(int64_t number, const char *const *texts, size_t count)
{
    struct str cells[8];
    const struct csv_row row = {number + 1, cells, count};
    struct json_out out;
    struct buf buf;

    for (size_t i = 0; i < count; i++)
        cells[i] = str_of(texts[i]);
    buf_init(&buf, NULL, sizeof(written) - 1);
    json_out_init(&out, &buf);
    mapping_row(mapping, &row, number, &out);
    assert_false(buf_failed(&buf));
    snprintf(written, sizeof(written), "%.*s", STR_FMT(buf_str(&buf)));
    buf_clear(&buf);
    return written;
}

#define MAP(number, ...)                                                                           \
    map((number), (const char *const[]){__VA_ARGS__},                                              \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static int tear_down(void **state)
{
    (void)state;
    mapping_close(mapping);
    mapping = NULL;
    return 0;
}

static void texts_and_literals(void **state)
{
    (void)state;
    mapping =
        open_text("{\"name\":\"n\",\"delimiter\":\";\",\"customer\":{\"name\":\"{a} {row}/{b}\","
                  "\"n\":7,\"t\":true,\"z\":null,\"o\":{\"x\":\"{b}\",\"y\":1.5}}}");
    assert_non_null(mapping);
    assert_str(mapping_name(mapping), "n");
    assert_int_equal(mapping_delimiter(mapping), ';');
    assert_true(HEADER("a", "b"));
    assert_string_equal(MAP(3, "x\"y", ""),
                        "{\"row\":3,\"line\":4,\"customer\":{\"name\":\"x\\\"y 3/\",\"n\":7,"
                        "\"t\":true,\"z\":null,\"o\":{\"x\":\"\",\"y\":1.5}}}");
}

static void cells_by_kind(void **state)
{
    (void)state;
    mapping = open_text("{\"name\":\"n\",\"customer\":{\"i\":{\"column\":\"i\",\"as\":\"integer\"},"
                        "\"r\":{\"column\":\"r\",\"as\":\"number\"},"
                        "\"b\":{\"column\":\"b\",\"as\":\"boolean\"},\"t\":{\"column\":\"t\"}}}");
    assert_non_null(mapping);
    assert_int_equal(mapping_delimiter(mapping), ',');
    assert_true(HEADER("i", "r", "b", "t"));
    assert_string_equal(
        MAP(1, " -12 ", "2.5", "YES", "text"),
        "{\"row\":1,\"line\":2,\"customer\":{\"i\":-12,\"r\":2.5,\"b\":true,\"t\":\"text\"}}");
    /* An empty cell leaves its field out. */
    assert_string_equal(MAP(2, "", " ", "0", ""),
                        "{\"row\":2,\"line\":3,\"customer\":{\"b\":false}}");
    assert_string_equal(MAP(3, "1.5", "1", "no", ""),
                        "{\"row\":3,\"line\":4,\"refused\":\"i: is no whole number\"}");
    assert_string_equal(MAP(4, "1", "1,5", "no", ""),
                        "{\"row\":4,\"line\":5,\"refused\":\"r: is no number\"}");
    assert_string_equal(MAP(5, "1", "nan", "no", ""),
                        "{\"row\":5,\"line\":6,\"refused\":\"r: is no number\"}");
    assert_string_equal(MAP(6, "1", "0x10", "no", ""),
                        "{\"row\":6,\"line\":7,\"refused\":\"r: is no number\"}");
    assert_string_equal(MAP(7, "1", "1", "maybe", ""),
                        "{\"row\":7,\"line\":8,\"refused\":\"b: is neither yes nor no\"}");
    assert_string_equal(MAP(8, "99999999999999999999", "1", "no", ""),
                        "{\"row\":8,\"line\":9,\"refused\":\"i: is no whole number\"}");
}

static void values_by_name(void **state)
{
    (void)state;
    mapping = open_text("{\"name\":\"n\",\"customer\":{"
                        "\"a\":{\"column\":\"a\",\"map\":{\"x\":\"one\",\"y\":\"two\"}},"
                        "\"b\":{\"column\":\"b\",\"map\":{\"x\":\"one\"},\"else\":\"other\"}}}");
    assert_non_null(mapping);
    assert_true(HEADER("a", "b"));
    assert_string_equal(MAP(1, "y", "q"),
                        "{\"row\":1,\"line\":2,\"customer\":{\"a\":\"two\",\"b\":\"other\"}}");
    assert_string_equal(
        MAP(2, "q", "x"),
        "{\"row\":2,\"line\":3,\"refused\":\"a: has a value that the mapping does not name\"}");
}

static void the_year_runs_on(void **state)
{
    static const char *const rows[][3] = {
        {"5", "may", "2008-05-05"},  {"31", "Dec", "2008-12-31"},    {"1", "jan", "2009-01-01"},
        {"28", "feb", "2009-02-28"}, {"1", "January", "2010-01-01"}, {"17", "11", "2010-11-17"},
    };

    (void)state;
    mapping = open_text("{\"name\":\"n\",\"customer\":{},\"interaction\":{\"at\":{\"day\":\"{d}\","
                        "\"month\":\"{m}\",\"first_year\":2008,\"time\":\"12:00:00Z\"}}}");
    assert_non_null(mapping);
    assert_true(HEADER("d", "m"));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char expected[200];

        snprintf(expected, sizeof(expected),
                 "{\"row\":1,\"line\":2,\"customer\":{},\"interaction\":{\"at\":\"%sT12:00:00Z\"}}",
                 rows[i][2]);
        assert_string_equal(MAP(1, rows[i][0], rows[i][1]), expected);
    }
    assert_string_equal(MAP(2, "31", "nov"),
                        "{\"row\":2,\"line\":3,\"refused\":\"day: is no day of that month\"}");
    assert_string_equal(MAP(3, "1", "ma"),
                        "{\"row\":3,\"line\":4,\"refused\":\"month: is no month\"}");
    assert_string_equal(MAP(4, "1", "13"),
                        "{\"row\":4,\"line\":5,\"refused\":\"month: is no month\"}");
    /* A refused month has not moved the year. */
    assert_string_equal(MAP(5, "1", "dec"), "{\"row\":5,\"line\":6,\"customer\":{},\"interaction\":"
                                            "{\"at\":\"2010-12-01T12:00:00Z\"}}");
}

static void rows_that_do_not_fit(void **state)
{
    (void)state;
    mapping = open_text("{\"name\":\"n\",\"customer\":{\"name\":\"{a}\"}}");
    assert_non_null(mapping);
    assert_true(HEADER("a", "b"));
    assert_string_equal(
        MAP(1, "x"), "{\"row\":1,\"line\":2,\"refused\":\"it has 1 cells, and the header has 2\"}");
    assert_string_equal(
        MAP(2, "x", "y", "z"),
        "{\"row\":2,\"line\":3,\"refused\":\"it has 3 cells, and the header has 2\"}");
    assert_string_equal(MAP(3, "x", "\xff"),
                        "{\"row\":3,\"line\":4,\"refused\":\"it is not UTF-8\"}");
}

static void headers(void **state)
{
    (void)state;
    mapping = open_text("{\"name\":\"n\",\"customer\":{\"name\":\"{a}\",\"o\":{\"b\":"
                        "{\"column\":\"b\"}}},\"interaction\":{\"at\":{\"day\":\"{d}\","
                        "\"month\":\"{m}\",\"first_year\":2008,\"time\":\"12:00:00Z\"}}}");
    assert_non_null(mapping);
    assert_true(HEADER("\357\273\277a", " b ", "d", "m", "unused")); /* with its mark */
    assert_false(HEADER("a", "d", "m"));
    assert_false(HEADER("a", "b", "m"));
    assert_false(HEADER("a", "b", "d", "m", "a"));
}

static void mappings_that_are_wrong(void **state)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{\"name\":\"n\"}",
        "{\"customer\":{}}",
        "{\"name\":\"n\",\"customer\":{},\"more\":1}",
        "{\"name\":\"n\",\"customer\":{},\"customer\":{}}",
        "{\"name\":\"n\",\"customer\":[]}",
        "{\"name\":\"n\",\"customer\":{},\"interaction\":7}",
        "{\"name\":\"n\",\"delimiter\":\"ab\",\"customer\":{}}",
        "{\"name\":\"n\",\"delimiter\":\"\\\"\",\"customer\":{}}",
        "{\"name\":\"n\",\"delimiter\":7,\"customer\":{}}",
        "{\"name\":\"n\",\"customer\":{\"a\":[\"{b}\"]}}",
        "{\"name\":\"n\",\"customer\":{\"a\":{\"column\":7}}}",
        "{\"name\":\"n\",\"customer\":{\"a\":{\"column\":\"b\",\"as\":\"date\"}}}",
        "{\"name\":\"n\",\"customer\":{\"a\":{\"column\":\"b\",\"map\":[]}}}",
        "{\"name\":\"n\",\"customer\":{\"a\":{\"column\":\"b\",\"map\":{\"x\":1}}}}",
        "{\"name\":\"n\",\"customer\":{\"a\":{\"column\":\"b\",\"map\":{},\"else\":1}}}",
        "{\"name\":\"n\",\"customer\":{\"a\":{\"column\":\"b\",\"sa\":\"integer\"}}}",
        "{\"name\":\"n\",\"customer\":{\"a\":{\"first_year\":\"x\"}}}",
        "{\"name\":\"n\",\"customer\":{\"a\":{\"first_year\":2008,\"month\":\"1\"}}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        mapping = open_text(wrong[i]);
        if (mapping != NULL)
            print_error("taken: %s\n", wrong[i]);
        assert_null(mapping);
    }
    assert_null(mapping_open("/nonexistent/mapping.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(texts_and_literals, tear_down),
        cmocka_unit_test_teardown(cells_by_kind, tear_down),
        cmocka_unit_test_teardown(values_by_name, tear_down),
        cmocka_unit_test_teardown(the_year_runs_on, tear_down),
        cmocka_unit_test_teardown(rows_that_do_not_fit, tear_down),
        cmocka_unit_test_teardown(headers, tear_down),
        cmocka_unit_test_teardown(mappings_that_are_wrong, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
