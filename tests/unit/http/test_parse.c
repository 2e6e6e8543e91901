/* What frames a request, and what is refused (RFC 9112). Every case is read whole and
 * byte by byte, and has to come out the same. */
#include "http/parse.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_LIMIT 1000

struct outcome {
    int status; /* 0: a whole request */
    bool is_whole;
    size_t taken;
    struct str method, path, query, host, body;
    size_t header_count;
    bool keep_alive;
    enum http_expect expect;
};

/* Reads one request, `step` bytes at a time. All text of the outcome is in the arena. */
static struct outcome read_request(struct arena *arena, struct str input, size_t step)
{
    struct http_parse *parse = http_parse_new(arena);
    struct outcome outcome = {0};
    struct buf body;
    bool in_body = false;

    assert_non_null(parse);
    buf_init(&body, arena, BODY_LIMIT);
    while (outcome.taken < input.len && !outcome.is_whole) {
        struct str piece = str_slice(input, outcome.taken, outcome.taken + step);
        size_t taken = 0;
        enum http_parse_result result = in_body ? http_parse_body(parse, piece, &body, &taken)
                                                : http_parse_head(parse, piece, &taken);

        outcome.taken += taken;
        if (result == HTTP_PARSE_REFUSED) {
            outcome.status = http_parse_status(parse);
            assert_non_null(http_parse_detail(parse));
            return outcome;
        }
        if (result == HTTP_PARSE_MORE)
            assert_int_equal(taken, piece.len);
        in_body = in_body || result == HTTP_PARSE_HEAD;
        outcome.is_whole = result == HTTP_PARSE_DONE;
    }
    if (outcome.is_whole) {
        const struct http_head *head = http_parse_result_head(parse);

        outcome.method = head->method;
        outcome.path = head->path;
        outcome.query = head->query;
        outcome.host = head->host;
        outcome.body = buf_str(&body);
        outcome.header_count = head->header_count;
        outcome.keep_alive = head->keep_alive;
        outcome.expect = head->expect;
    }
    return outcome;
}

static struct outcome read_both(struct arena *arena, struct str input)
{
    struct outcome whole = read_request(arena, input, input.len);
    struct outcome bytewise = read_request(arena, input, 1);

    if (whole.status != bytewise.status || whole.is_whole != bytewise.is_whole)
        fail_msg("whole %d, byte by byte %d: %.*s", whole.status, bytewise.status, STR_FMT(input));
    if (whole.is_whole) {
        assert_int_equal(whole.taken, bytewise.taken);
        assert_int_equal(whole.header_count, bytewise.header_count);
        assert_true(str_equal(whole.method, bytewise.method));
        assert_true(str_equal(whole.path, bytewise.path));
        assert_true(str_equal(whole.query, bytewise.query));
        assert_true(str_equal(whole.host, bytewise.host));
        assert_true(str_equal(whole.body, bytewise.body));
        assert_int_equal(whole.keep_alive, bytewise.keep_alive);
        assert_int_equal(whole.expect, bytewise.expect);
    }
    return whole;
}

static struct arena *new_arena(void)
{
    struct arena *arena = arena_new(MIB(4));

    assert_non_null(arena);
    return arena;
}

static void assert_refused(struct str input, int status)
{
    struct arena *arena = new_arena();
    struct outcome outcome = read_both(arena, input);

    if (outcome.status != status)
        fail_msg("%d instead of %d: %.*s", outcome.status, status, STR_FMT(input));
    arena_free(arena);
}

static void assert_accepted(struct str input, const char *path, const char *body)
{
    struct arena *arena = new_arena();
    struct outcome outcome = read_both(arena, input);

    if (!outcome.is_whole)
        fail_msg("not accepted (%d): %.*s", outcome.status, STR_FMT(input));
    assert_true(str_is(outcome.path, path));
    assert_true(str_is(outcome.body, body));
    assert_int_equal(outcome.taken, input.len);
    arena_free(arena);
}

#define HOST "Host: a\r\n"
#define END "\r\n"
#define GET "GET / HTTP/1.1\r\n"
#define POST "POST /p HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static void test_sound_requests(void **state)
{
    (void)state;
    assert_accepted(STR(GET HOST END), "/", "");
    assert_accepted(STR("\r\n" GET HOST END), "/", "");
    assert_accepted(STR("GET /a%20b?x=[1] HTTP/1.1\r\nhOsT:a\r\n" END), "/a%20b", "");
    assert_accepted(STR("GET / HTTP/1.0\r\n" END), "/", "");
    assert_accepted(STR("OPTIONS * HTTP/1.1\r\n" HOST END), "*", "");
    assert_accepted(STR(GET "Host: [::1]:8081\r\n" END), "/", "");
    assert_accepted(STR(GET "Host: a-b.example_1.org:65535\r\n" END), "/", "");
    assert_accepted(STR(GET HOST "X:\r\nY: \t \r\nZ: \xc3\xa4\tb \r\n" END), "/", "");
    assert_accepted(STR(GET HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n" END), "/", "");
    assert_accepted(STR(POST "Content-Length: 0\r\n" END), "/p", "");
    assert_accepted(STR(POST "Content-Length:  3 \r\n" END "abc"), "/p", "abc");
    assert_accepted(
        STR(POST "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n" END "abc"), "/p",
        "abc");
    assert_accepted(STR(CHUNKED "0\r\n" END), "/p", "");
    assert_accepted(STR(CHUNKED "3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n" END), "/p",
                    "abc0123456789");
    assert_accepted(STR(CHUNKED "1;name=\"v\"\r\na\r\n0;x\r\n" END), "/p", "a");
    assert_accepted(STR(CHUNKED "1\r\na\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n" END), "/p", "a");
    assert_accepted(STR(POST "transfer-encoding: Chunked\r\n" END "1\r\na\r\n0\r\n" END), "/p",
                    "a");
}

static void test_absolute_form(void **state)
{
    struct arena *arena = new_arena();
    struct outcome outcome;

    (void)state;
    outcome = read_both(arena, STR("GET http://a.org:80?q HTTP/1.1\r\nHost: A.org:80\r\n" END));
    assert_true(outcome.is_whole);
    assert_true(str_is(outcome.path, "/"));
    assert_true(str_is(outcome.query, "q"));
    assert_true(str_is(outcome.host, "a.org:80"));
    arena_free(arena);
    assert_refused(STR("GET http://b/ HTTP/1.1\r\n" HOST END), 400);
    assert_refused(STR("GET http:///x HTTP/1.1\r\n" HOST END), 400);
    assert_refused(STR("GET http://u@a/ HTTP/1.1\r\n" HOST END), 400);
    assert_refused(STR("GET ftp://a/ HTTP/1.1\r\n" HOST END), 400);
}

static void test_content_length(void **state)
{
    static const struct str values[] = {
        STR("-1"),
        STR("+3"),
        STR(""),
        STR("3x"),
        STR("0x3"),
        STR("3 3"),
        STR("3,3"),
        STR("3, 3"),
        STR("\"3\""),
        STR("3.0"),
        STR("99999999999999999999"),
        STR("18446744073709551615"),
        STR("18446744073709551619"),
        STR("9223372036854775808"),
        STR("\xd9\xa3"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char text[256];
        int len =
            snprintf(text, sizeof text, POST "Content-Length: %.*s\r\n\r\nabc", STR_FMT(values[i]));

        assert_refused((struct str){text, (size_t)len}, 400);
    }
    assert_refused(STR(POST "Content-Length: 3\r\nContent-Length: 3\r\n" END "abc"), 400);
    assert_refused(STR(POST "Content-Length: 3\r\ncontent-length: 4\r\n" END "abcd"), 400);
    assert_refused(STR(POST "Content-Length: 0\r\nContent-Length: 0\r\n" END), 400);
}

static void test_transfer_encoding(void **state)
{
    static const struct str values[] = {
        STR("gzip"),        STR("gzip, chunked"), STR("chunked, chunked"), STR("identity"),
        STR("xchunked"),    STR("chunked x"),     STR("chunked;a=b"),      STR(""),
        STR("\"chunked\""), STR("chunked,"),      STR(",chunked"),         STR("chunked\x0b"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char text[256];
        int len = snprintf(text, sizeof text, POST "Transfer-Encoding: %.*s\r\n\r\n0\r\n\r\n",
                           STR_FMT(values[i]));

        assert_refused((struct str){text, (size_t)len}, 400);
    }
    assert_refused(STR(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END "0\r\n" END),
                   400);
    assert_refused(STR(POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n" END "0\r\n" END),
                   400);
    assert_refused(
        STR(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" END "0\r\n" END),
        400);
    assert_refused(STR("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END "0\r\n" END), 400);
    assert_refused(STR(POST "Transfer-Encoding : chunked\r\n" END "0\r\n" END), 400);
    assert_refused(STR(POST "Transfer-Encoding:\r\n chunked\r\n" END "0\r\n" END), 400);
}

static void test_chunks(void **state)
{
    (void)state;
    assert_refused(STR(CHUNKED "\r\n" END), 400);
    assert_refused(STR(CHUNKED "g\r\n" END), 400);
    assert_refused(STR(CHUNKED "-1\r\n" END), 400);
    assert_refused(STR(CHUNKED "0x1\r\na\r\n0\r\n" END), 400);
    assert_refused(STR(CHUNKED " 1\r\na\r\n0\r\n" END), 400);
    assert_refused(STR(CHUNKED "1 \r\na\r\n0\r\n" END), 400);
    assert_refused(STR(CHUNKED "1 ;x\r\na\r\n0\r\n" END), 400);
    assert_refused(STR(CHUNKED "1\na\r\n0\r\n" END), 400);
    assert_refused(STR(CHUNKED "1\ra\r\n0\r\n" END), 400);
    assert_refused(STR(CHUNKED "1;a\nb\r\na\r\n0\r\n" END), 400);
    assert_refused(STR(CHUNKED "1;a\0b\r\na\r\n0\r\n" END), 400);
    assert_refused(STR(CHUNKED "1\r\nab\r\n0\r\n" END), 400);
    assert_refused(STR(CHUNKED "1\r\na\n0\r\n" END), 400);
    assert_refused(STR(CHUNKED "1\r\na0\r\n" END), 400);
    assert_refused(STR(CHUNKED "100000000\r\n" END), 400);
    assert_refused(STR(CHUNKED "ffffffffffffffff\r\n" END), 400);
    assert_refused(STR(CHUNKED "10000000000000001\r\na\r\n0\r\n" END), 400);
    assert_refused(STR(CHUNKED "0\r\nX : 1\r\n" END), 400);
    assert_refused(STR(CHUNKED "0\r\n X: 1\r\n" END), 400);
    assert_refused(STR(CHUNKED "0\r\nX: 1\n" END), 400);
    assert_refused(STR(CHUNKED "0\r\nX\r\n" END), 400);
    assert_refused(STR(CHUNKED "0\r\n\n"), 400);
}

/* Input made of a start, many times something, and an end. */
static void assert_repeated(const char *start, const char *repeated, size_t times, const char *end,
                            int status)
{
    struct arena *arena = new_arena();
    struct buf input;

    buf_init(&input, arena, MIB(2));
    buf_add(&input, str_of(start));
    for (size_t i = 0; i < times; i++)
        buf_add(&input, str_of(repeated));
    buf_add(&input, str_of(end));
    assert_false(buf_failed(&input));
    assert_int_equal(read_both(arena, buf_str(&input)).status, status);
    arena_free(arena);
}

static void test_limits(void **state)
{
    (void)state;
    assert_repeated(GET HOST, "X: y\r\n", HEADER_COUNT_MAX - 1, END, 0);
    assert_repeated(GET HOST, "X: y\r\n", HEADER_COUNT_MAX, END, 431);
    assert_repeated(GET HOST "X: ", "y", HEAD_MAX, "\r\n" END, 431);
    assert_repeated(GET HOST, "y", HEAD_MAX, ": x\r\n" END, 431);
    assert_repeated(GET HOST "X: ", "y", HEAD_MAX - strlen(GET HOST "X: \r\n\r\n"), "\r\n" END, 0);
    assert_repeated(GET HOST "X: ", "y", HEAD_MAX - strlen(GET HOST "X: \r\n\r\n") + 1, "\r\n" END,
                    431);
    assert_repeated("GET /", "a", TARGET_MAX - 1, " HTTP/1.1\r\n" HOST END, 0);
    assert_repeated("GET /", "a", TARGET_MAX, " HTTP/1.1\r\n" HOST END, 414);
    assert_repeated("", "A", 10000, " / HTTP/1.1\r\n" HOST END, 501);
    assert_repeated(CHUNKED "1;", "x", HEAD_MAX + 1, "\r\na\r\n0\r\n" END, 400);
    assert_repeated(CHUNKED, "1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\na\r\n", HEAD_MAX / 31 + 1,
                    "0\r\n" END, 400);
    assert_repeated(CHUNKED "0\r\nX: ", "y", HEAD_MAX, "\r\n" END, 431);
    assert_repeated(CHUNKED "0\r\n", "X: y\r\n", HEADER_COUNT_MAX, END, 431);
    assert_repeated(CHUNKED, "1\r\na\r\n", BODY_LIMIT, "0\r\n" END, 0);
    assert_repeated(CHUNKED, "1\r\na\r\n", BODY_LIMIT + 1, "0\r\n" END, 413);
    assert_refused(STR(CHUNKED "3e9\r\n"), 413); /* at once, not when they have come */
    assert_refused(STR(POST "Content-Length: 1001\r\n" END "x"), 413);
}

static void test_header_lines(void **state)
{
    (void)state;
    assert_refused(STR(GET "Host : a\r\n" END), 400);
    assert_refused(STR(GET "Host\t: a\r\n" END), 400);
    assert_refused(STR(GET HOST "X: a\r\n b\r\n" END), 400);
    assert_refused(STR(GET HOST "X: a\r\n\tb\r\n" END), 400);
    assert_refused(STR(GET " X: a\r\n" HOST END), 400);
    assert_refused(STR(GET HOST ": a\r\n" END), 400);
    assert_refused(STR(GET HOST "X\r\n" END), 400);
    assert_refused(STR(GET HOST "X Y: a\r\n" END), 400);
    assert_refused(STR(GET HOST "X(: a\r\n" END), 400);
    assert_refused(STR(GET HOST "\xc3\xa4: a\r\n" END), 400);
    assert_refused(STR(GET HOST "X: a\0b\r\n" END), 400);
    assert_refused(STR(GET HOST "X\0: a\r\n" END), 400);
    assert_refused(STR(GET HOST "X: a\x01\r\n" END), 400);
    assert_refused(STR(GET HOST "X: a\x7f\r\n" END), 400);
    assert_refused(STR(GET HOST "X: a\rb\r\n" END), 400);
    assert_refused(STR(GET HOST "X: a\n" END), 400);
    assert_refused(STR(GET HOST "X: a\r\r\n" END), 400);
    assert_refused(STR(GET "Host: a\n\n"), 400);
    assert_refused(STR(GET HOST "\n"), 400);
    assert_refused(STR(GET HOST "\rX"), 400);
}

static void test_host(void **state)
{
    static const struct str values[] = {
        STR(""),        STR(" "),       STR("a b"), STR("a,b"),  STR("a/b"),      STR("a@b"),
        STR("a?b"),     STR("a#b"),     STR("a:"),  STR(":80"),  STR("a:b"),      STR("a:99999"),
        STR("a:65536"), STR("a:80:80"), STR("::1"), STR("[::1"), STR("[]"),       STR("[::1]x"),
        STR("[g::1]"),  STR("a%41"),    STR("<a>"), STR("a\\b"), STR("\xc3\xa4"), STR("a;b"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char text[128];
        int len = snprintf(text, sizeof text, GET "Host: %.*s\r\n\r\n", STR_FMT(values[i]));

        assert_refused((struct str){text, (size_t)len}, 400);
    }
    assert_refused(STR(GET END), 400);
    assert_refused(STR(GET HOST HOST END), 400);
    assert_refused(STR(GET HOST "X: y\r\nhost: b\r\n" END), 400);
    assert_refused(STR("GET / HTTP/1.0\r\n" HOST HOST END), 400);
    assert_refused(STR("GET / HTTP/1.0\r\nHost: a b\r\n" END), 400);
}

static void test_request_lines(void **state)
{
    static const struct str lines[] = {
        STR("GET /\r\n"),
        STR("GET / HTTP/0.9\r\n"),
        STR("GET / HTTP/1.2\r\n"),
        STR("GET / HTTP/2.0\r\n"),
        STR("GET / HTTP/1.10\r\n"),
        STR("GET / HTTP/1\r\n"),
        STR("GET / HTTP/01.1\r\n"),
        STR("GET / http/1.1\r\n"),
        STR("GET / HTTP/1.1 \r\n"),
        STR("GET / HTTP/1.1\n"),
        STR("GET / HTTP/1.1\rX"),
        STR("GET  / HTTP/1.1\r\n"),
        STR("GET /  HTTP/1.1\r\n"),
        STR("GET\t/ HTTP/1.1\r\n"),
        STR(" GET / HTTP/1.1\r\n"),
        STR("\nGET / HTTP/1.1\r\n"),
        STR("\r\n\r\nGET / HTTP/1.1\r\n"),
        STR("\rGET / HTTP/1.1\r\n"),
        STR("GET HTTP/1.1\r\n"),
        STR("GET a HTTP/1.1\r\n"),
        STR("GET * HTTP/1.1\r\n"),
        STR("GET ? HTTP/1.1\r\n"),
        STR("GET /a#b HTTP/1.1\r\n"),
        STR("GET /a b HTTP/1.1\r\n"),
        STR("GET /\xc3\xa4 HTTP/1.1\r\n"),
        STR("GET /\0 HTTP/1.1\r\n"),
        STR("GET /\x01 HTTP/1.1\r\n"),
        STR("GET /\x7f HTTP/1.1\r\n"),
        STR("GET /a\\b HTTP/1.1\r\n"),
        STR("GET /<a> HTTP/1.1\r\n"),
        STR("CONNECT a:80 HTTP/1.1\r\n"),
        STR("CONNECT / HTTP/1.1\r\n"),
        STR("G=T / HTTP/1.1\r\n"),
        STR("G\0T / HTTP/1.1\r\n"),
        STR("\x16\x03\x01\x02"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        char text[128];

        memcpy(text, lines[i].ptr, lines[i].len);
        memcpy(text + lines[i].len, HOST END, strlen(HOST END));
        assert_refused((struct str){text, lines[i].len + strlen(HOST END)}, 400);
    }
    assert_refused(STR("BREW / HTTP/1.1\r\n" HOST END), 501);
    assert_refused(STR("get / HTTP/1.1\r\n" HOST END), 501);
}

static void test_what_a_head_says(void **state)
{
    struct arena *arena = new_arena();
    struct outcome outcome;

    (void)state;
    outcome = read_both(arena, STR("PATCH /a?b=c?d HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\n"
                                   "Content-Length: 1\r\n" END "x"));
    assert_true(str_is(outcome.method, "PATCH"));
    assert_true(str_is(outcome.path, "/a"));
    assert_true(str_is(outcome.query, "b=c?d"));
    assert_true(str_is(outcome.host, "a"));
    assert_true(str_is(outcome.body, "x"));
    assert_int_equal(outcome.header_count, 3);
    assert_true(outcome.keep_alive);
    assert_int_equal(outcome.expect, HTTP_EXPECT_CONTINUE);

    outcome = read_both(arena, STR(GET HOST "Connection: close\r\nExpect: x\r\n" END));
    assert_false(outcome.keep_alive);
    assert_null(outcome.query.ptr);
    assert_int_equal(outcome.expect, HTTP_EXPECT_UNKNOWN);
    assert_false(read_both(arena, STR("GET / HTTP/1.0\r\n" END)).keep_alive);
    assert_true(
        read_both(arena, STR("GET / HTTP/1.0\r\nConnection: keep-alive\r\n" END)).keep_alive);
    arena_free(arena);
}

/* One after another out of one stream: each takes its own bytes and no more. */
static void test_pipelined(void **state)
{
    struct str input = STR(GET HOST END CHUNKED "3\r\nabc\r\n0\r\n" END POST
                                                "Content-Length: 4\r\n" END "GET " GET HOST END);
    static const char *const bodies[] = {"", "abc", "GET ", ""};
    static const size_t steps[] = {1, 2, 7, 4096};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct str rest = input;

        for (size_t j = 0; j < COUNT_OF(bodies); j++) {
            struct arena *arena = new_arena();
            struct outcome outcome = read_request(arena, rest, steps[i]);

            assert_true(outcome.is_whole);
            assert_true(str_is(outcome.body, bodies[j]));
            rest = str_slice(rest, outcome.taken, rest.len);
            arena_free(arena);
        }
        assert_int_equal(rest.len, 0);
    }
}

static void test_unfinished(void **state)
{
    struct str input = STR(CHUNKED "3\r\nabc\r\n0\r\nX: y\r\n" END);

    (void)state;
    for (size_t len = 0; len < input.len; len++) {
        struct arena *arena = new_arena();
        struct outcome outcome = read_both(arena, str_slice(input, 0, len));

        assert_false(outcome.is_whole);
        assert_int_equal(outcome.status, 0);
        arena_free(arena);
    }
}

static void test_has_begun(void **state)
{
    struct arena *arena = new_arena();
    struct http_parse *parse = http_parse_new(arena);
    size_t taken;

    (void)state;
    assert_int_equal(http_parse_head(parse, STR("\r\n"), &taken), HTTP_PARSE_MORE);
    assert_int_equal(taken, 2);
    assert_false(http_parse_has_begun(parse));
    assert_int_equal(http_parse_head(parse, STR("G"), &taken), HTTP_PARSE_MORE);
    assert_true(http_parse_has_begun(parse));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_requests), cmocka_unit_test(test_absolute_form),
        cmocka_unit_test(test_content_length), cmocka_unit_test(test_transfer_encoding),
        cmocka_unit_test(test_chunks),         cmocka_unit_test(test_limits),
        cmocka_unit_test(test_header_lines),   cmocka_unit_test(test_host),
        cmocka_unit_test(test_request_lines),  cmocka_unit_test(test_what_a_head_says),
        cmocka_unit_test(test_pipelined),      cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_has_begun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
