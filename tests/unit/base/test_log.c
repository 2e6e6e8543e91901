#include "unit.h"

#include "base/log.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static char written[1 << 16];
static int reader, stderr_before;

static int catch_stderr(void **state)
{
    int ends[2];

    (void)state;
    stderr_before = dup(STDERR_FILENO);
    if (stderr_before < 0 || pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0)
        return -1;
    reader = ends[0];
    return close(ends[1]);
}

static int release_stderr(void **state)
{
    (void)state;
    log_set_level(LOG_INFO);
    dup2(stderr_before, STDERR_FILENO);
    close(stderr_before);
    return close(reader);
}

/* Whatever waits in the pipe; its writers are done. */
static struct str caught(void)
{
    size_t len = 0;
    ssize_t got;

    write(STDERR_FILENO, "\x04", 1) == 1 ? (void)0 : fail();
    while ((len == 0 || written[len - 1] != '\x04') &&
           (got = read(reader, written + len, sizeof(written) - len)) > 0)
        len += (size_t)got;
    return (struct str){written, len - 1};
}

static void a_line_with_fields(void **state)
{
    struct str line;

    (void)state;
    LOG(WARN, "store is slow", LOG_INT("waited_ms", INT64_MIN), LOG_TEXT("who", STR("writer")),
        LOG_TEXT("none", STR("")));
    line = caught();
    assert_true(str_starts(line, STR("{\"time\":\"20")));
    assert_true(str_ends(line, STR("Z\",\"level\":\"warn\",\"message\":\"store is slow\","
                                   "\"waited_ms\":-9223372036854775808,\"who\":\"writer\","
                                   "\"none\":\"\"}\n")));
}

static void hostile_text_is_escaped(void **state)
{
    (void)state;
    LOG(ERROR, "x", LOG_TEXT("a", STR("\"\\\n\x01\x1F{\xC3\xA4\xF0\x9F\x98\x80\x7F")),
        LOG_TEXT("b", STR("\xC3.\xFF.\xED\xA0\x80.\xE2\x82")));
    assert_true(str_ends(caught(),
                         STR("\"a\":\"\\\"\\\\\\u000a\\u0001\\u001f{\xC3\xA4\xF0\x9F\x98\x80\x7F\","
                             "\"b\":\"\\ufffd.\\ufffd.\\ufffd\\ufffd\\ufffd."
                             "\\ufffd\\ufffd\"}\n")));
}

static void levels(void **state)
{
    (void)state;
    LOG(DEBUG, "quiet", LOG_INT("n", 1));
    assert_int_equal(caught().len, 0);
    log_set_level(LOG_DEBUG);
    LOG(DEBUG, "loud", LOG_INT("n", 1));
    assert_true(caught().len > 0);
    log_set_level(LOG_ERROR);
    LOG(WARN, "quiet", LOG_INT("n", 1));
    assert_int_equal(caught().len, 0);
}

static void long_lines_are_cut(void **state)
{
    char text[3000], controls[3000];
    struct str line;

    (void)state;
    memset(text, 'a', sizeof(text));
    memset(controls, 1, sizeof(controls));
    LOG(INFO, "long", LOG_TEXT("text", ((struct str){text, sizeof(text)})), LOG_INT("after", 5));
    line = caught();
    assert_true(line.len < 1200);
    assert_true(str_ends(line, STR("aaa\xE2\x80\xA6\",\"after\":5}\n")));

    LOG(INFO, "longer", LOG_INT("before", 5),
        LOG_TEXT("controls", ((struct str){controls, sizeof(controls)})), LOG_INT("after", 5));
    line = caught();
    assert_true(line.len <= PIPE_BUF);
    assert_true(str_ends(line, STR("\"before\":5,\"cut\":true}\n")));
}

static void *write_lines(void *letter)
{
    char text[400];

    memset(text, *(char *)letter, sizeof(text));
    for (int i = 0; i < 25; i++)
        LOG(INFO, "line", LOG_TEXT("text", ((struct str){text, sizeof(text)})));
    return NULL;
}

static void lines_never_mix(void **state)
{
    char letters[] = "abcd";
    pthread_t threads[4];
    struct str rest, line;
    int lines = 0;

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &letters[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (rest = caught(); rest.len > 0; lines++) {
        char last[3] = "?\"}";

        rest = str_cut(rest, '\n', &line);
        assert_true(str_starts(line, STR("{\"time\"")));
        last[0] = line.ptr[line.len - 3];
        assert_true(str_ends(line, (struct str){last, 3}));
        for (size_t i = line.len - 402; i < line.len - 2; i++)
            assert_int_equal(line.ptr[i], last[0]);
    }
    assert_int_equal(lines, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_with_fields, catch_stderr, release_stderr),
        cmocka_unit_test_setup_teardown(hostile_text_is_escaped, catch_stderr, release_stderr),
        cmocka_unit_test_setup_teardown(levels, catch_stderr, release_stderr),
        cmocka_unit_test_setup_teardown(long_lines_are_cut, catch_stderr, release_stderr),
        cmocka_unit_test_setup_teardown(lines_never_mix, catch_stderr, release_stderr),
    };

    return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
