#include "base/unit.h"

#include "cli/options.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct option table[] = {
    {"config", "FILE", NULL, "where the rest stands"},
    {"data-dir", "DIR", "here", "a folder"},
    {"count", "N", "16", "how many"},
    {"quiet", NULL, NULL, "a switch"},
    {"url", "URL", NULL, "an address"},
};

static struct options options;

static bool parse(const char *const *arguments)
{
    char *argv[OPERANDS_MAX + 8];
    int argc = 0;

    for (; arguments[argc] != NULL; argc++)
        argv[argc] = (char *)arguments[argc];
    return options_parse(&options, table, sizeof(table) / sizeof(table[0]), argc, argv);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static int tear_down(void **state)
{
    (void)state;
    options_clear(&options);
    unsetenv("TOUCHPOINT_DATA_DIR");
    unsetenv("TOUCHPOINT_QUIET");
    unsetenv("TOUCHPOINT_CONFIG");
    unsetenv("TOUCHPOINT_URL");
    return 0;
}

/* A file of that text; the caller unlinks it. */
static void make_file(const char *text, char path[32])
{
    int fd;

    snprintf(path, 32, "/tmp/unit-options-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void fallbacks(void **state)
{
    long count = 0;

    (void)state;
    assert_true(PARSE("operand"));
    assert_string_equal(option_text(&options, "data-dir"), "here");
    assert_null(option_text(&options, "url"));
    assert_false(option_switch(&options, "quiet"));
    assert_true(option_number(&options, "count", 1, 16, &count));
    assert_int_equal(count, 16);
    assert_int_equal(options.operand_count, 1);
    assert_string_equal(options.operands[0], "operand");
}

static void both_ways_to_write_a_flag(void **state)
{
    (void)state;
    assert_true(PARSE("--data-dir", "a", "one", "--url=b=c", "--quiet", "two"));
    assert_string_equal(option_text(&options, "data-dir"), "a");
    assert_string_equal(option_text(&options, "url"), "b=c");
    assert_true(option_switch(&options, "quiet"));
    assert_int_equal(options.operand_count, 2);
    assert_string_equal(options.operands[1], "two");
}

static void two_dashes_end_the_flags(void **state)
{
    (void)state;
    assert_true(PARSE("--quiet", "--", "--data-dir", "-", "--"));
    assert_int_equal(options.operand_count, 3);
    assert_string_equal(options.operands[0], "--data-dir");
    assert_string_equal(options.operands[2], "--");
    assert_string_equal(option_text(&options, "data-dir"), "here");
}

static void misspelt(void **state)
{
    (void)state;
    assert_false(PARSE("--data"));
    assert_false(PARSE("--data-dirs", "a"));
    assert_false(PARSE("-q"));
    assert_false(PARSE("--data-dir")); /* lacks its value */
    assert_false(PARSE("--quiet=perhaps"));
    assert_false(PARSE("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14",
                       "15", "16", "17"));
}

static void help(void **state)
{
    (void)state;
    assert_true(PARSE("--help"));
    assert_true(options.help);
    assert_true(PARSE("-h"));
    assert_true(options.help);
}

static void flags_over_environment_over_file(void **state)
{
    char path[32];

    (void)state;
    make_file("# a comment\n\ndata-dir = from file\nurl=from file\n count = 7 \r\nquiet = yes\n"
              "of-another-command = 1\n",
              path);
    setenv("TOUCHPOINT_DATA_DIR", "from environment", 1);
    setenv("TOUCHPOINT_URL", "from environment", 1);
    assert_true(PARSE("--config", path, "--url", "from flag"));
    assert_string_equal(option_text(&options, "url"), "from flag");
    assert_string_equal(option_text(&options, "data-dir"), "from environment");
    assert_string_equal(option_text(&options, "count"), "7");
    assert_true(option_switch(&options, "quiet"));
    options_clear(&options);

    /* The file itself may be named by the environment, and a switch be off in it. */
    setenv("TOUCHPOINT_CONFIG", path, 1);
    setenv("TOUCHPOINT_QUIET", "0", 1);
    assert_true(PARSE("operand"));
    assert_string_equal(option_text(&options, "count"), "7");
    assert_false(option_switch(&options, "quiet"));
    unlink(path);
}

static void files_that_cannot_be_read(void **state)
{
    char path[32];

    (void)state;
    assert_false(PARSE("--config", "/nonexistent/file"));
    options_clear(&options);
    make_file("data-dir\n", path);
    assert_false(PARSE("--config", path));
    unlink(path);
}

static void numbers(void **state)
{
    static const char *const wrong[] = {"0", "17", "x",   "1x",
                                        "",  " 1", "1.5", "99999999999999999999"};
    long count = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_true(PARSE("--count", wrong[i]));
        assert_false(option_number(&options, "count", 1, 16, &count));
    }
    assert_true(PARSE("--count", "1"));
    assert_true(option_number(&options, "count", 1, 16, &count));
    assert_int_equal(count, 1);
    assert_true(PARSE("operand"));
    assert_false(option_number(&options, "url", 1, 16, &count));
}

static void secrets(void **state)
{
    char path[32];
    char *secret;

    (void)state;
    make_file("postgresql://a:b@c/d\r\nmore\n", path);
    secret = secret_from_file(path);
    assert_non_null(secret);
    assert_string_equal(secret, "postgresql://a:b@c/d");
    free(secret);
    unlink(path);
    assert_null(secret_from_file(path));
    make_file("", path);
    assert_null(secret_from_file(path));
    unlink(path);
    make_file("\nsecond line\n", path);
    assert_null(secret_from_file(path));
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(fallbacks, tear_down),
        cmocka_unit_test_teardown(both_ways_to_write_a_flag, tear_down),
        cmocka_unit_test_teardown(two_dashes_end_the_flags, tear_down),
        cmocka_unit_test_teardown(misspelt, tear_down),
        cmocka_unit_test_teardown(help, tear_down),
        cmocka_unit_test_teardown(flags_over_environment_over_file, tear_down),
        cmocka_unit_test_teardown(files_that_cannot_be_read, tear_down),
        cmocka_unit_test_teardown(numbers, tear_down),
        cmocka_unit_test_teardown(secrets, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
