/* A growing buffer with a maximum. Failure is sticky: append as you like, look
 * once at the end (buf_failed). Memory comes from the arena, or from the heap when
 * the arena is NULL. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

#include <stdarg.h>
#include <stdint.h>

struct buf {
    struct arena *arena;
    char *ptr;
    size_t len, capacity, max;
    bool failed; /* the maximum or the memory was spent; nothing is appended any more */
};

void buf_init(struct buf *buf, struct arena *arena, size_t max);
void buf_clear(struct buf *buf); /* frees heap memory; a no-op over an arena */
void buf_reset(struct buf *buf); /* empty again, memory kept, failure forgotten */

void buf_add(struct buf *buf, struct str bytes);
void buf_add_char(struct buf *buf, char c);
void buf_add_int(struct buf *buf, int64_t value);
void buf_addf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for `size` bytes to write into; NULL once failed. buf_commit() says how many were used. */
char *buf_reserve(struct buf *buf, size_t size);
void buf_commit(struct buf *buf, size_t size);

struct str buf_str(const struct buf *buf);
bool buf_failed(const struct buf *buf);

#endif
