/* A stream of requests, whole and in pieces: the same requests, verdicts and bodies, and
 * each byte belongs to one of them. The first byte says how the pieces are cut. */
#include "http/parse.h"

#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

#define BODY_LIMIT KIB(4)
#define REQUESTS_MAX 8

struct outcome {
    enum http_parse_result result;
    int status;
    size_t taken;
    struct http_head head;
    struct str body;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool right)
{
    if (!right)
        abort();
}

static size_t next_step(uint32_t *seed)
{
    if (*seed == 0)
        return SIZE_MAX / 2;
    *seed = *seed * 1664525 + 1013904223;
    return 1 + (*seed >> 24) % 24;
}

static struct outcome read_request(struct arena *arena, struct str input, uint32_t seed)
{
    struct http_parse *parse = http_parse_new(arena);
    struct outcome outcome = {.result = HTTP_PARSE_MORE};
    bool in_body = false;
    struct buf body;

    must(parse != NULL);
    buf_init(&body, arena, BODY_LIMIT);
    while (outcome.taken < input.len &&
           (outcome.result == HTTP_PARSE_MORE || outcome.result == HTTP_PARSE_HEAD)) {
        struct str piece = str_slice(input, outcome.taken, outcome.taken + next_step(&seed));
        size_t taken = 0;

        outcome.result = in_body ? http_parse_body(parse, piece, &body, &taken)
                                 : http_parse_head(parse, piece, &taken);
        in_body = in_body || outcome.result == HTTP_PARSE_HEAD;
        must(taken <= piece.len);
        must(outcome.result != HTTP_PARSE_MORE || taken == piece.len);
        outcome.taken += taken;
    }
    outcome.status = http_parse_status(parse);
    must((outcome.status != 0) == (outcome.result == HTTP_PARSE_REFUSED));
    if (outcome.result == HTTP_PARSE_DONE) {
        outcome.head = *http_parse_result_head(parse);
        outcome.body = buf_str(&body);
        must(outcome.head.path.len > 0);
        must(outcome.head.is_chunked || outcome.body.len == outcome.head.content_length);
    }
    return outcome;
}

static void compare(const struct outcome *a, const struct outcome *b)
{
    must(a->result == b->result && a->status == b->status);
    if (a->result != HTTP_PARSE_DONE)
        return;
    must(a->taken == b->taken && str_equal(a->body, b->body));
    must(str_equal(a->head.method, b->head.method) && str_equal(a->head.host, b->head.host));
    must(str_equal(a->head.path, b->head.path) && str_equal(a->head.query, b->head.query));
    must(a->head.keep_alive == b->head.keep_alive && a->head.expect == b->head.expect);
    must(a->head.header_count == b->head.header_count);
    for (size_t i = 0; i < a->head.header_count; i++) {
        must(str_equal(a->head.headers[i].name, b->head.headers[i].name));
        must(str_equal(a->head.headers[i].value, b->head.headers[i].value));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest;

    if (size < 1)
        return 0;
    rest = (struct str){(const char *)data + 1, size - 1};
    for (int i = 0; i < REQUESTS_MAX && rest.len > 0; i++) {
        struct arena *arena = arena_new(MIB(1));
        struct outcome whole, pieces;

        must(arena != NULL);
        whole = read_request(arena, rest, 0);
        pieces = read_request(arena, rest, data[0] + 1U);
        compare(&whole, &pieces);
        arena_free(arena);
        if (whole.result != HTTP_PARSE_DONE)
            break;
        rest = str_slice(rest, whole.taken, rest.len);
    }
    return 0;
}
