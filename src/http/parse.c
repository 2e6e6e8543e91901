#include "http/parse.h"

#include "base/limits.h"

#include <http_parser.h>
#include <string.h>

#define METHOD_MAX 32
#define CHUNK_SIZE_DIGITS_MAX 8
#define PORT_DIGITS_MAX 5
#define CONTENT_LENGTH_DIGITS_MAX 18 /* what no int64_t overflows at */

enum state {
    AT_START, /* one empty line is let pass before a request (RFC 9112 §2.2) */
    AT_START_LF,
    AT_METHOD,
    AT_TARGET,
    AT_VERSION,
    AT_LINE_LF,
    AT_NAME_START,
    AT_NAME,
    AT_VALUE,
    AT_VALUE_LF,
    AT_END_LF,
    AT_FIXED_BODY,
    AT_CHUNK_SIZE,
    AT_CHUNK_EXTENSION,
    AT_CHUNK_SIZE_LF,
    AT_CHUNK_DATA,
    AT_CHUNK_CR,
    AT_CHUNK_LF,
    AT_END,
};

struct http_parse {
    struct arena *arena;
    http_parser parser;
    struct http_head head;
    struct http_header *headers; /* while http_parser fills them */
    size_t headers_seen, header_count;
    struct buf kept; /* the head so far, when it comes in pieces */
    struct buf *body;
    enum state state;
    bool skipped_line;
    size_t method_len, target_len, version_len, digits;
    size_t overhead_bytes; /* of the head; then of chunk extensions and trailers */
    uint64_t left;         /* of the chunk, or of the body by Content-Length */
    uint64_t chunk_bytes;  /* of all chunks so far */
    int status;
    const char *detail;
};

/* RFC 9110 §5.6.2 */
static bool is_token(unsigned char c)
{
    static const bool table[256] = {
        ['!'] = true,         ['#' ... '\''] = true, ['*'] = true,         ['+'] = true,
        ['-'] = true,         ['.'] = true,          ['0' ... '9'] = true, ['A' ... 'Z'] = true,
        ['^' ... 'z'] = true, ['|'] = true,          ['~'] = true,
    };

    return table[c];
}

/* RFC 3986 §3.3 and §3.4, and the brackets that many clients leave as they are. */
static bool is_target(unsigned char c)
{
    static const bool table[256] = {
        ['!'] = true, ['$' ... ';'] = true, ['='] = true,         ['?' ... '['] = true,
        [']'] = true, ['_'] = true,         ['a' ... 'z'] = true, ['~'] = true,
    };

    return table[c];
}

/* RFC 9110 §5.5: visible characters, obs-text, space and tab. */
static bool is_value(unsigned char c)
{
    return (c >= ' ' && c != 0x7f) || c == '\t';
}

static int hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool is_digits(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    }
    return s.len > 0;
}

static enum http_parse_result refuse(struct http_parse *parse, int status, const char *detail)
{
    parse->status = status;
    parse->detail = detail;
    return HTTP_PARSE_REFUSED;
}

static bool fail(struct http_parse *parse, int status, const char *detail)
{
    refuse(parse, status, detail);
    return false;
}

/* The guard over the head ------------------------------------------------------------- */

static bool step_target(struct http_parse *parse, unsigned char c)
{
    if (c == ' ') {
        if (parse->target_len == 0)
            refuse(parse, 400, "The request target is missing.");
        parse->state = AT_VERSION;
    } else if (!is_target(c)) {
        refuse(parse, 400, "The request line is malformed.");
    } else if (++parse->target_len > TARGET_MAX) {
        refuse(parse, 414, "The request target is too long.");
    }
    return !parse->status;
}

static bool step_version(struct http_parse *parse, unsigned char c)
{
    static const char version[] = "HTTP/1.";
    size_t at = parse->version_len++;

    if (at < sizeof(version) - 1 ? c == (unsigned char)version[at]
                                 : at == sizeof(version) - 1 && (c == '0' || c == '1'))
        return true;
    if (at == sizeof(version) && c == '\r') {
        parse->state = AT_LINE_LF;
        return true;
    }
    refuse(parse, 400, "The request line must end with HTTP/1.1 or HTTP/1.0.");
    return false;
}

/* Lines of the head, and of the trailer section, up to and with the empty one. */
static bool step_line(struct http_parse *parse, unsigned char c)
{
    switch (parse->state) {
    case AT_NAME_START:
        if (c == '\r') {
            parse->state = AT_END_LF;
        } else if (c == ' ' || c == '\t') {
            refuse(parse, 400, "A header line is folded.");
        } else if (!is_token(c)) {
            refuse(parse, 400, "A header name is malformed.");
        } else if (++parse->header_count > HEADER_COUNT_MAX) {
            refuse(parse, 431, "There are too many header fields.");
        } else {
            parse->state = AT_NAME;
        }
        break;
    case AT_NAME:
        if (c == ':')
            parse->state = AT_VALUE;
        else if (!is_token(c))
            refuse(parse, 400, "A header name is malformed.");
        break;
    case AT_VALUE:
        if (c == '\r')
            parse->state = AT_VALUE_LF;
        else if (!is_value(c))
            refuse(parse, 400, "A header value holds a control character.");
        break;
    case AT_END_LF:
    default: /* AT_LINE_LF, AT_VALUE_LF */
        if (c != '\n')
            refuse(parse, 400, "A line does not end with CR LF.");
        else
            parse->state = parse->state == AT_END_LF ? AT_END : AT_NAME_START;
        break;
    }
    return !parse->status;
}

static bool step_head(struct http_parse *parse, unsigned char c)
{
    switch (parse->state) {
    case AT_METHOD:
        if (c == ' ')
            parse->state = AT_TARGET;
        else if (!is_token(c))
            refuse(parse, 400, "The request line is malformed.");
        else if (++parse->method_len > METHOD_MAX)
            refuse(parse, 501, "The method is not known here.");
        return !parse->status;
    case AT_TARGET:
        return step_target(parse, c);
    case AT_VERSION:
        return step_version(parse, c);
    default:
        return step_line(parse, c);
    }
}

/* Goes over bytes until the head ends or something is wrong with it. Those from `*from`
 * up to the result belong to it. */
static size_t guard_head(struct http_parse *parse, struct str bytes, size_t *from)
{
    size_t i = 0;

    *from = 0;
    for (; i < bytes.len && parse->state != AT_END; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];

        if (parse->state == AT_START_LF) {
            if (c != '\n') {
                refuse(parse, 400, "The request line is malformed.");
                return i;
            }
            parse->state = AT_START;
            *from = i + 1;
            continue;
        }
        if (parse->state == AT_START) {
            if (c == '\r' && !parse->skipped_line) {
                parse->skipped_line = true;
                parse->state = AT_START_LF;
                *from = i + 1;
                continue;
            }
            if (!is_token(c)) {
                refuse(parse, 400, "The request line is malformed.");
                return i;
            }
            parse->state = AT_METHOD;
        }
        if (!step_head(parse, c))
            return i;
        if (++parse->overhead_bytes >= HEAD_MAX && parse->state != AT_END) {
            refuse(parse, 431, "The head of the request is too large.");
            return i;
        }
    }
    return i;
}

/* http_parser over the whole head --------------------------------------------------------- */

static int on_header_field(http_parser *parser, const char *at, size_t len)
{
    struct http_parse *parse = parser->data;

    if (parse->headers_seen == parse->header_count)
        return 1;
    parse->headers[parse->headers_seen++].name = (struct str){at, len};
    return 0;
}

static int on_header_value(http_parser *parser, const char *at, size_t len)
{
    struct http_parse *parse = parser->data;

    /* Two values for one name would mean that it read a folded line. */
    if (parse->headers_seen == 0 || parse->headers[parse->headers_seen - 1].value.ptr)
        return 1;
    parse->headers[parse->headers_seen - 1].value = str_trim((struct str){at, len});
    return 0;
}

static int on_headers_complete(http_parser *parser)
{
    struct http_parse *parse = parser->data;

    parse->head.keep_alive = http_should_keep_alive(parser) != 0;
    /* A wish to speak another protocol does not change how this request is framed. */
    parser->upgrade = 0;
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
    struct http_parse *parse = parser->data;

    buf_add(parse->body, (struct str){at, len});
    return 0;
}

static int on_message_complete(http_parser *parser)
{
    /* Nothing behind the end may be looked at: the next request has a parser of its own. */
    http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings settings = {
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* Whether http_parser took exactly these bytes, and ends where the guard does. */
static bool agrees(struct http_parse *parse, struct str bytes, bool ends_here)
{
    size_t parsed;

    if (bytes.len == 0) /* which http_parser would take for the end of the connection */
        return !ends_here;
    parsed = http_parser_execute(&parse->parser, &settings, bytes.ptr, bytes.len);
    return parsed == bytes.len &&
           HTTP_PARSER_ERRNO(&parse->parser) == (ends_here ? HPE_PAUSED : HPE_OK);
}

/* What the head means ----------------------------------------------------------------- */

static bool is_host_name(struct str name)
{
    bool is_literal = name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']';

    for (size_t i = is_literal ? 1 : 0; i < name.len - (is_literal ? 1 : 0); i++) {
        unsigned char c = (unsigned char)name.ptr[i];

        if (is_literal ? hex_digit(c) < 0 && c != ':' && c != '.'
                       : !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
                             !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_')
            return false;
    }
    return name.len > 0;
}

/* A name or an address, and perhaps a port. */
static bool is_host(struct str host)
{
    size_t colon = host.len;
    struct str port;
    int64_t number;

    while (colon > 0 && host.ptr[colon - 1] >= '0' && host.ptr[colon - 1] <= '9')
        colon--;
    if (colon == 0 || host.ptr[colon - 1] != ':')
        return is_host_name(host);
    port = str_slice(host, colon, host.len);
    return port.len > 0 && port.len <= PORT_DIGITS_MAX && str_to_int(port, &number) &&
           number <= 65535 && is_host_name(str_slice(host, 0, colon - 1));
}

/* RFC 9112 §3.2, less the form of CONNECT: this is no proxy. Leaves the authority of the
 * absolute form in `*authority`. */
static bool read_target(struct http_head *head, struct str *authority)
{
    static const struct str schemes[] = {STR("http://"), STR("https://")};
    struct str rest = head->target;

    *authority = STR_NULL;
    if (str_is(head->method, "CONNECT"))
        return false;
    if (str_is(rest, "*")) {
        head->path = rest;
        return str_is(head->method, "OPTIONS");
    }
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        size_t end = schemes[i].len;

        if (rest.len < end || !str_equal_nocase(str_slice(rest, 0, end), schemes[i]))
            continue;
        while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?')
            end++;
        *authority = str_slice(rest, schemes[i].len, end);
        rest = str_slice(rest, end, rest.len);
        if (!is_host(*authority))
            return false;
        break;
    }
    if (!authority->ptr && rest.ptr[0] != '/')
        return false;
    head->query = str_cut(rest, '?', &head->path);
    if (head->path.len == 0)
        head->path = STR("/");
    return true;
}

static bool read_content_length(struct http_parse *parse, struct str value)
{
    int64_t length;

    if (!is_digits(value) || value.len > CONTENT_LENGTH_DIGITS_MAX || !str_to_int(value, &length))
        return false;
    parse->head.content_length = (uint64_t)length;
    return true;
}

/* False when they were refused. */
static bool read_headers(struct http_parse *parse)
{
    struct http_head *head = &parse->head;
    size_t hosts = 0, lengths = 0, codings = 0;

    for (size_t i = 0; i < head->header_count; i++) {
        struct str name = head->headers[i].name, value = head->headers[i].value;

        if (str_equal_nocase(name, STR("host"))) {
            hosts++;
            head->host = value;
        } else if (str_equal_nocase(name, STR("content-length"))) {
            if (++lengths > 1 || !read_content_length(parse, value))
                return fail(parse, 400, "Content-Length is malformed or repeated.");
        } else if (str_equal_nocase(name, STR("transfer-encoding"))) {
            if (++codings > 1 || !str_equal_nocase(value, STR("chunked")))
                return fail(parse, 400, "The only transfer coding is one \"chunked\".");
            head->is_chunked = true;
        } else if (str_equal_nocase(name, STR("expect"))) {
            head->expect = str_equal_nocase(value, STR("100-continue")) ? HTTP_EXPECT_CONTINUE
                                                                        : HTTP_EXPECT_UNKNOWN;
        }
    }
    if (lengths > 0 && codings > 0)
        return fail(parse, 400, "Content-Length and Transfer-Encoding exclude each other.");
    if (codings > 0 && head->is_http_1_0)
        return fail(parse, 400, "HTTP/1.0 has no transfer codings.");
    if (hosts > 1 || (hosts == 0 && !head->is_http_1_0))
        return fail(parse, 400, "There must be one Host.");
    if (hosts == 1 && !is_host(head->host))
        return fail(parse, 400, "Host is malformed.");
    return true;
}

static enum http_parse_result read_head(struct http_parse *parse, struct str bytes)
{
    struct http_head *head = &parse->head;
    struct str authority;
    enum http_errno code;
    size_t parsed;
    bool has_body;

    parse->headers = ARENA_ARRAY(parse->arena, parse->header_count, struct http_header);
    if (!parse->headers)
        return refuse(parse, 503, "There is no memory for the request.");
    head->method = str_slice(bytes, 0, parse->method_len);
    head->target =
        str_slice(bytes, parse->method_len + 1, parse->method_len + 1 + parse->target_len);
    head->is_http_1_0 =
        bytes.ptr[parse->method_len + 1 + parse->target_len + sizeof(" HTTP/1.") - 1] == '0';
    if (!read_target(head, &authority))
        return refuse(parse, 400, "The request target is malformed.");

    http_parser_init(&parse->parser, HTTP_REQUEST);
    parse->parser.data = parse;
    parsed = http_parser_execute(&parse->parser, &settings, bytes.ptr, bytes.len);
    code = HTTP_PARSER_ERRNO(&parse->parser);
    if (code == HPE_INVALID_METHOD)
        return refuse(parse, 501, "The method is not known here.");
    if (code != HPE_OK && code != HPE_PAUSED)
        return refuse(parse, 400, http_errno_description(code));
    if (parsed != bytes.len || parse->headers_seen != parse->header_count)
        return refuse(parse, 400, "The head of the request is malformed.");
    head->headers = parse->headers;
    head->header_count = parse->header_count;
    if (!read_headers(parse))
        return HTTP_PARSE_REFUSED;
    /* RFC 9112 §3.2.2 lets the target win; a request that says two things is refused here. */
    if (authority.ptr && head->host.ptr && !str_equal_nocase(authority, head->host))
        return refuse(parse, 400, "Host and the request target disagree.");
    if (authority.ptr)
        head->host = authority;

    has_body = head->is_chunked || head->content_length > 0;
    if (has_body != (code == HPE_OK)) /* it pauses at the end of a request */
        return refuse(parse, 400, "The head of the request is malformed.");
    if (!has_body)
        return HTTP_PARSE_DONE;
    parse->state = head->is_chunked ? AT_CHUNK_SIZE : AT_FIXED_BODY;
    parse->left = head->content_length;
    parse->overhead_bytes = 0;
    return HTTP_PARSE_HEAD;
}

/* The guard over the body ------------------------------------------------------------- */

static bool step_chunk_size(struct http_parse *parse, unsigned char c)
{
    int digit = hex_digit(c);

    if (digit >= 0 && ++parse->digits <= CHUNK_SIZE_DIGITS_MAX) {
        parse->left = parse->left * 16 + (uint64_t)digit;
    } else if (parse->digits > 0 && c == '\r') {
        parse->state = AT_CHUNK_SIZE_LF;
    } else if (parse->digits > 0 && c == ';') {
        parse->state = AT_CHUNK_EXTENSION;
    } else {
        refuse(parse, 400, "A chunk size is malformed.");
    }
    return !parse->status;
}

static bool step_chunk(struct http_parse *parse, unsigned char c)
{
    switch (parse->state) {
    case AT_CHUNK_SIZE:
        return step_chunk_size(parse, c);
    case AT_CHUNK_EXTENSION:
        if (c == '\r')
            parse->state = AT_CHUNK_SIZE_LF;
        else if (!is_value(c) || ++parse->overhead_bytes > HEAD_MAX)
            refuse(parse, 400, "A chunk extension is malformed or too long.");
        break;
    case AT_CHUNK_SIZE_LF:
        parse->chunk_bytes += parse->left;
        if (c != '\n')
            refuse(parse, 400, "A chunk size is malformed.");
        else if (parse->chunk_bytes > parse->body->max)
            refuse(parse, 413, "The body of the request is too large.");
        else
            parse->state = parse->left > 0 ? AT_CHUNK_DATA : AT_NAME_START;
        break;
    case AT_CHUNK_CR:
    case AT_CHUNK_LF:
        if (c != (parse->state == AT_CHUNK_CR ? '\r' : '\n'))
            refuse(parse, 400, "A chunk does not end where it said.");
        else
            parse->state = parse->state == AT_CHUNK_CR ? AT_CHUNK_LF : AT_CHUNK_SIZE;
        parse->digits = 0;
        break;
    default:
        if (++parse->overhead_bytes > HEAD_MAX)
            refuse(parse, 431, "The trailer fields are too large.");
        else
            step_line(parse, c);
        break;
    }
    return !parse->status;
}

/* Of the bytes up to the result, those from `*trailer` on are trailer fields. */
static size_t guard_body(struct http_parse *parse, struct str bytes, size_t *trailer)
{
    size_t i = 0;

    *trailer = 0;
    while (i < bytes.len && parse->state != AT_END) {
        bool is_trailer = parse->state < AT_FIXED_BODY;

        if (parse->state == AT_FIXED_BODY || parse->state == AT_CHUNK_DATA) {
            size_t here = parse->left < bytes.len - i ? (size_t)parse->left : bytes.len - i;

            i += here;
            parse->left -= here;
            if (parse->left == 0)
                parse->state = parse->state == AT_FIXED_BODY ? AT_END : AT_CHUNK_CR;
        } else if (!step_chunk(parse, (unsigned char)bytes.ptr[i++])) {
            return i;
        }
        if (!is_trailer)
            *trailer = i;
    }
    return i;
}

/* The interface ----------------------------------------------------------------------- */

struct http_parse *http_parse_new(struct arena *arena)
{
    struct http_parse *parse = ARENA_NEW(arena, struct http_parse);

    if (!parse)
        return NULL;
    parse->arena = arena;
    parse->head.query = parse->head.host = STR_NULL;
    buf_init(&parse->kept, arena, HEAD_MAX);
    return parse;
}

enum http_parse_result http_parse_head(struct http_parse *parse, struct str bytes, size_t *taken)
{
    size_t from, to = guard_head(parse, bytes, &from);
    struct str piece;

    *taken = to;
    if (parse->status)
        return HTTP_PARSE_REFUSED;
    piece = str_slice(bytes, from, to);
    if (parse->state == AT_END && parse->kept.len == 0) {
        piece = str_copy(parse->arena, piece);
    } else {
        buf_add(&parse->kept, piece);
        piece = buf_failed(&parse->kept) ? STR_NULL : buf_str(&parse->kept);
    }
    if (!piece.ptr)
        return refuse(parse, 503, "There is no memory for the request.");
    return parse->state == AT_END ? read_head(parse, piece) : HTTP_PARSE_MORE;
}

enum http_parse_result http_parse_body(struct http_parse *parse, struct str bytes, struct buf *body,
                                       size_t *taken)
{
    bool is_chunked = parse->head.is_chunked, is_whole, is_agreed;
    size_t trailer;

    parse->body = body;
    *taken = 0;
    if (parse->head.content_length > body->max)
        return refuse(parse, 413, "The body of the request is too large.");
    *taken = guard_body(parse, bytes, &trailer);
    if (parse->status)
        return HTTP_PARSE_REFUSED;
    is_whole = parse->state == AT_END;
    /* Trailer fields say nothing about this request, so http_parser never sees them. */
    is_agreed = agrees(parse, str_slice(bytes, 0, trailer), is_whole && !is_chunked);
    if (is_agreed && is_whole && is_chunked)
        is_agreed = agrees(parse, STR("\r\n"), true);
    if (!is_agreed)
        return refuse(parse, 400, "The body of the request is malformed.");
    if (buf_failed(body))
        return refuse(parse, 503, "There is no memory for the request.");
    return is_whole ? HTTP_PARSE_DONE : HTTP_PARSE_MORE;
}

const struct http_head *http_parse_result_head(const struct http_parse *parse)
{
    return &parse->head;
}

bool http_parse_has_begun(const struct http_parse *parse)
{
    return parse->state > AT_START_LF;
}

int http_parse_status(const struct http_parse *parse)
{
    return parse->status;
}

const char *http_parse_detail(const struct http_parse *parse)
{
    return parse->detail;
}
