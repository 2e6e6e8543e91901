#include "json/json.h"

#include "base/time.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REAL_TEXT_MAX 32

void json_out_init(struct json_out *out, struct buf *buf)
{
    *out = (struct json_out){buf, false};
}

static void comma(struct json_out *out)
{
    if (out->need_comma)
        buf_add_char(out->buf, ',');
    out->need_comma = true;
}

/* A value that is written as it stands, its comma before it. */
static void plain(struct json_out *out, const char *bytes, size_t len)
{
    char *to = buf_reserve(out->buf, len + 1);
    size_t at = 0;

    if (!to)
        return;
    if (out->need_comma)
        to[at++] = ',';
    memcpy(to + at, bytes, len);
    buf_commit(out->buf, at + len);
    out->need_comma = true;
}

void json_object_begin(struct json_out *out)
{
    comma(out);
    buf_add_char(out->buf, '{');
    out->need_comma = false;
}

void json_object_end(struct json_out *out)
{
    buf_add_char(out->buf, '}');
    out->need_comma = true;
}

void json_array_begin(struct json_out *out)
{
    comma(out);
    buf_add_char(out->buf, '[');
    out->need_comma = false;
}

void json_array_end(struct json_out *out)
{
    buf_add_char(out->buf, ']');
    out->need_comma = true;
}

#define EACH_BYTE UINT64_C(0x0101010101010101)
#define EACH_HIGH_BIT UINT64_C(0x8080808080808080)

/* A high bit where a byte of `word` is less than `n` (1 to 128), or may be: never none where
 * there is one. */
static uint64_t bytes_below(uint64_t word, uint64_t n)
{
    return (word - EACH_BYTE * n) & ~word & EACH_HIGH_BIT;
}

/* Eight bytes of which none needs a look. */
static bool is_plain_word(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return !(bytes_below(word, 0x20) | bytes_below(word ^ EACH_BYTE * '"', 1) |
             bytes_below(word ^ EACH_BYTE * '\\', 1) | bytes_below(word ^ EACH_BYTE * 0xE2, 1));
}

/* RFC 8259 asks for quote, backslash and C0 controls. U+2028 and U+2029 (E2 80 A8, E2 80 A9)
 * end a line in older JavaScript, so they are escaped as well. */
static bool needs_escape(struct str text, size_t at)
{
    unsigned char c = (unsigned char)text.ptr[at];

    if (c != 0xE2)
        return c < 0x20 || c == '"' || c == '\\';
    return text.len - at >= 3 && (unsigned char)text.ptr[at + 1] == 0x80 &&
           ((unsigned char)text.ptr[at + 2] & 0xFE) == 0xA8;
}

static size_t run_length(struct str text, size_t from)
{
    size_t at = from;

    while (at < text.len) {
        if (text.len - at >= sizeof(uint64_t) && is_plain_word(text.ptr + at))
            at += sizeof(uint64_t);
        else if (needs_escape(text, at))
            break;
        else
            at++;
    }
    return at - from;
}

/* Writes the escape for what stands at text.ptr[at]; gives how many bytes it stood for. */
static size_t escape(struct buf *buf, struct str text, size_t at)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char c = (unsigned char)text.ptr[at];
    char unit[6] = {'\\', 'u', '0', '0', 0, 0};

    switch (c) {
    case '"':
        buf_add(buf, STR("\\\""));
        return 1;
    case '\\':
        buf_add(buf, STR("\\\\"));
        return 1;
    case '\n':
        buf_add(buf, STR("\\n"));
        return 1;
    case '\r':
        buf_add(buf, STR("\\r"));
        return 1;
    case '\t':
        buf_add(buf, STR("\\t"));
        return 1;
    case 0xE2:
        buf_add(buf, (unsigned char)text.ptr[at + 2] == 0xA8 ? STR("\\u2028") : STR("\\u2029"));
        return 3;
    default:
        unit[4] = digits[c >> 4];
        unit[5] = digits[c & 15];
        buf_add(buf, (struct str){unit, sizeof(unit)});
        return 1;
    }
}

/* A text, or with `colon` a key. */
static void quoted(struct json_out *out, struct str text, bool colon)
{
    size_t run = run_length(text, 0);
    char *to;

    if (run == text.len) { /* nearly always */
        to = buf_reserve(out->buf, run + 4);
        if (!to)
            return;
        *to = ',';
        to += out->need_comma;
        *to++ = '"';
        if (run > 0)
            memcpy(to, text.ptr, run);
        to[run] = '"';
        to[run + 1] = ':';
        buf_commit(out->buf, run + 2 + (size_t)out->need_comma + (size_t)colon);
        return;
    }
    if (out->need_comma)
        buf_add_char(out->buf, ',');
    buf_add_char(out->buf, '"');
    for (size_t at = 0;;) {
        buf_add(out->buf, str_slice(text, at, at + run));
        at += run;
        if (at >= text.len)
            break;
        at += escape(out->buf, text, at);
        run = run_length(text, at);
    }
    buf_add(out->buf, colon ? STR("\":") : STR("\""));
}

void json_key(struct json_out *out, struct str key)
{
    quoted(out, key, true);
    out->need_comma = false;
}

void json_key_raw(struct json_out *out, struct str key_and_colon)
{
    char *to = buf_reserve(out->buf, key_and_colon.len + 1);

    if (!to)
        return;
    *to = ',';
    memcpy(to + out->need_comma, key_and_colon.ptr, key_and_colon.len);
    buf_commit(out->buf, key_and_colon.len + (size_t)out->need_comma);
    out->need_comma = false;
}

void json_text(struct json_out *out, struct str text)
{
    if (!text.ptr) {
        json_nil(out);
        return;
    }
    quoted(out, text, false);
    out->need_comma = true;
}

void json_int(struct json_out *out, int64_t value)
{
    comma(out);
    buf_add_int(out->buf, value);
}

void json_double(struct json_out *out, double value)
{
    char text[REAL_TEXT_MAX];

    if (!isfinite(value)) {
        json_nil(out);
        return;
    }
    if (value == 0) /* -0 would not come back from a reader of integers */
        value = 0;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    plain(out, text, strlen(text));
}

void json_bool(struct json_out *out, bool value)
{
    if (value)
        plain(out, "true", 4);
    else
        plain(out, "false", 5);
}

void json_nil(struct json_out *out)
{
    plain(out, "null", 4);
}

void json_uuid(struct json_out *out, struct uuid id)
{
    char text[UUID_TEXT_LEN + 2];

    if (uuid_is_none(id)) {
        json_nil(out);
        return;
    }
    text[0] = '"';
    uuid_format(id, text + 1);
    text[UUID_TEXT_LEN + 1] = '"';
    plain(out, text, sizeof(text));
}

void json_time(struct json_out *out, int64_t us)
{
    char text[TIME_TEXT_MAX + 2];
    size_t len;

    text[0] = '"';
    len = time_format(us, text + 1);
    text[len + 1] = '"';
    plain(out, text, len + 2);
}

void json_raw(struct json_out *out, struct str json)
{
    if (!json.ptr) {
        json_nil(out);
        return;
    }
    comma(out);
    buf_add(out->buf, json);
}
