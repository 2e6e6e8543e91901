#include "base/buf.h"

#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_BYTES 64

void buf_init(struct buf *buf, struct arena *arena, size_t max)
{
    *buf = (struct buf){.arena = arena, .max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2};
}

void buf_clear(struct buf *buf)
{
    if (buf->arena)
        return;
    free(buf->ptr);
    buf_init(buf, NULL, buf->max);
}

void buf_reset(struct buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

/* Room for `size` more and one behind them: vsnprintf() ends with a NUL. */
static bool make_room(struct buf *buf, size_t size)
{
    size_t need, capacity;
    char *ptr;

    if (buf->failed || size > buf->max - buf->len) {
        buf->failed = true;
        return false;
    }
    need = buf->len + size + 1;
    if (need <= buf->capacity)
        return true;
    capacity = buf->capacity < LEAST_BYTES / 2 ? LEAST_BYTES : 2 * buf->capacity;
    if (capacity > buf->max + 1)
        capacity = buf->max + 1;
    if (capacity < need)
        capacity = need;
    ptr = buf->arena ? arena_grow(buf->arena, buf->ptr, buf->capacity, capacity)
                     : realloc(buf->ptr, capacity);
    if (!ptr) {
        buf->failed = true;
        return false;
    }
    buf->ptr = ptr;
    buf->capacity = capacity;
    return true;
}

void buf_add(struct buf *buf, struct str bytes)
{
    if (bytes.len == 0 || !make_room(buf, bytes.len))
        return;
    memcpy(buf->ptr + buf->len, bytes.ptr, bytes.len);
    buf->len += bytes.len;
}

void buf_add_char(struct buf *buf, char c)
{
    if (make_room(buf, 1))
        buf->ptr[buf->len++] = c;
}

void buf_add_int(struct buf *buf, int64_t value)
{
    char digits[20]; /* of INT64_MIN: a sign and 19 */
    size_t at = sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        digits[--at] = '-';
    buf_add(buf, (struct str){digits + at, sizeof(digits) - at});
}

void buf_addf(struct buf *buf, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0) {
        buf->failed = true;
        return;
    }
    if (!make_room(buf, (size_t)len))
        return;
    va_start(args, format);
    vsnprintf(buf->ptr + buf->len, (size_t)len + 1, format, args);
    va_end(args);
    buf->len += (size_t)len;
}

char *buf_reserve(struct buf *buf, size_t size)
{
    return make_room(buf, size) ? buf->ptr + buf->len : NULL;
}

void buf_commit(struct buf *buf, size_t size)
{
    buf->len += size;
}

struct str buf_str(const struct buf *buf)
{
    return (struct str){buf->ptr ? buf->ptr : "", buf->len};
}

bool buf_failed(const struct buf *buf)
{
    return buf->failed;
}
