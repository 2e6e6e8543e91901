#include "base/log.h"

#include "base/time.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX 1000 /* bytes of one text; the rest is cut */

/* A pipe takes up to PIPE_BUF bytes whole: lines of several threads never mix. And no
 * heap, since it must also work when memory is what is missing. */
struct line {
    size_t len;
    char bytes[PIPE_BUF];
};

static const char cut_mark[] = ",\"cut\":true";

/* Kept free until the end, for the mark, the brace and the newline. */
#define END_BYTES (sizeof(cut_mark) - 1 + 2)

static _Atomic(enum log_level) least_level = LOG_INFO;

void log_set_level(enum log_level least)
{
    atomic_store_explicit(&least_level, least, memory_order_relaxed);
}

static bool add(struct line *line, struct str bytes)
{
    if (bytes.len > sizeof(line->bytes) - END_BYTES - line->len)
        return false;
    memcpy(line->bytes + line->len, bytes.ptr, bytes.len);
    line->len += bytes.len;
    return true;
}

/* How many bytes at the start of `s` stand for themselves in a JSON text: one character. */
static size_t plain_len(struct str s)
{
    unsigned char lead = (unsigned char)s.ptr[0];
    size_t need = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;

    if (lead < 0x20 || lead == '"' || lead == '\\' || need > s.len)
        return 0;
    return str_is_utf8(str_slice(s, 0, need)) ? need : 0;
}

static bool add_quoted(struct line *line, struct str s)
{
    size_t at = 0;

    if (!add(line, STR("\"")))
        return false;
    while (at < s.len && at < TEXT_MAX) {
        size_t plain = plain_len(str_slice(s, at, s.len));
        unsigned char c = (unsigned char)s.ptr[at];
        char escape[8];
        int len;

        if (plain > 0) {
            if (!add(line, str_slice(s, at, at + plain)))
                return false;
            at += plain;
            continue;
        }
        if (c == '"' || c == '\\')
            len = snprintf(escape, sizeof(escape), "\\%c", c);
        else
            len = snprintf(escape, sizeof(escape), "\\u%04x", c < 0x20 ? c : 0xFFFDU);
        if (!add(line, (struct str){escape, (size_t)len}))
            return false;
        at++;
    }
    return add(line, at < s.len ? STR("\xE2\x80\xA6\"") : STR("\""));
}

static bool add_member(struct line *line, const char *name, const struct log_field *field)
{
    char digits[24];
    int len;

    if (!add(line, line->len == 0 ? STR("{") : STR(",")) || !add_quoted(line, str_of(name)) ||
        !add(line, STR(":")))
        return false;
    if (field->text.ptr)
        return add_quoted(line, field->text);
    len = snprintf(digits, sizeof(digits), "%lld", (long long)field->number);
    return add(line, (struct str){digits, (size_t)len});
}

static void write_out(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = write(STDERR_FILENO, bytes, len);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return; /* nobody is left to tell */
        bytes += written;
        len -= (size_t)written;
    }
}

void log_write(enum log_level level, const char *message, const struct log_field *fields,
               size_t count)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    int errno_before = errno;
    char time_text[TIME_TEXT_MAX];
    struct line line;
    struct log_field head[3];
    bool whole = true;

    if (level < atomic_load_explicit(&least_level, memory_order_relaxed))
        return;
    line.len = 0;
    head[0] = LOG_TEXT("time", ((struct str){time_text, time_format(time_now_us(), time_text)}));
    head[1] = LOG_TEXT("level", str_of(names[level]));
    head[2] = LOG_TEXT("message", str_of(message));
    for (size_t i = 0; whole && i < COUNT_OF(head) + count; i++) {
        const struct log_field *field = i < COUNT_OF(head) ? &head[i] : &fields[i - COUNT_OF(head)];
        size_t before = line.len;

        whole = add_member(&line, field->name, field);
        if (!whole)
            line.len = before;
    }
    if (!whole) {
        memcpy(line.bytes + line.len, cut_mark, sizeof(cut_mark) - 1);
        line.len += sizeof(cut_mark) - 1;
    }
    line.bytes[line.len++] = '}';
    line.bytes[line.len++] = '\n';
    write_out(line.bytes, line.len);
    errno = errno_before;
}
