/* One HTTP/1.1 request out of a stream of bytes (RFC 9112).
 *
 * Two readers go over the same bytes and have to agree: a guard of ours, which takes
 * only what the grammar allows, byte by byte, and finds where the request ends; and
 * http_parser, which gets nothing but what the guard let through, and says what it
 * means. Whatever frames a request ambiguously, or malforms it, is refused; then
 * nothing behind it may be parsed.
 *
 * How the bytes are cut into pieces never changes the verdict. */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include "base/arena.h"
#include "base/buf.h"
#include "http/header.h"

struct http_parse;

enum http_parse_result {
    HTTP_PARSE_MORE,    /* all bytes taken, the part is not whole yet */
    HTTP_PARSE_HEAD,    /* the head is whole, a body follows */
    HTTP_PARSE_DONE,    /* the request is whole */
    HTTP_PARSE_REFUSED, /* see http_parse_status() */
};

enum http_expect { HTTP_EXPECT_NOTHING, HTTP_EXPECT_CONTINUE, HTTP_EXPECT_UNKNOWN };

/* A whole head; its text lives in the arena. */
struct http_head {
    struct str method;      /* as it came: "GET" */
    struct str target;      /* as it came */
    struct str path, query; /* "/a" and "b=c" of "/a?b=c"; query STR_NULL without '?' */
    struct str host;        /* "example.org:8081"; STR_NULL (HTTP/1.0 only) */
    const struct http_header *headers;
    size_t header_count;
    bool keep_alive;
    bool is_http_1_0;
    bool is_chunked;         /* the length is not known before the end */
    uint64_t content_length; /* 0 when chunked */
    enum http_expect expect;
};

/* For one request; lives in the arena. NULL past the arena's budget. */
struct http_parse *http_parse_new(struct arena *arena);

/* Takes bytes until the head is whole. `*taken` says how many were of this request;
 * what is behind them is the body's, or the next request's. */
enum http_parse_result http_parse_head(struct http_parse *parse, struct str bytes, size_t *taken);
/* After HTTP_PARSE_HEAD: takes bytes of the body, and appends what they hold to `body`.
 * More than body->max is refused with 413. Trailer fields are checked and dropped. */
enum http_parse_result http_parse_body(struct http_parse *parse, struct str bytes, struct buf *body,
                                       size_t *taken);

/* Once the head is whole. */
const struct http_head *http_parse_result_head(const struct http_parse *parse);
/* False while nothing but an empty line came. */
bool http_parse_has_begun(const struct http_parse *parse);
/* After HTTP_PARSE_REFUSED: 400, 413, 414, 431, 501 or (no memory) 503, and one sentence (a
 * literal). */
int http_parse_status(const struct http_parse *parse);
const char *http_parse_detail(const struct http_parse *parse);

#endif
