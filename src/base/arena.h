/* Memory with one owner and one end: a request's, a job's, a command's. Nothing
 * in it is freed by itself. Not for use by two threads at once. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

/* `budget` bytes in all; past it every allocation gives NULL and
 * arena_exhausted() is true from then on. NULL when the machine has no memory. */
struct arena *arena_new(size_t budget);
void arena_free(struct arena *arena);  /* runs what was deferred, last first; NULL is fine */
void arena_reset(struct arena *arena); /* as new, keeping its first block */

/* Zeroed and aligned for any type. NULL past the budget. */
void *arena_alloc(struct arena *arena, size_t size);
/* The same for `count` items; a product that overflows counts as past the budget. */
void *arena_array(struct arena *arena, size_t count, size_t size);
/* Grows the newest allocation in place where it can, else copies it. */
void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t new_size);

bool arena_exhausted(const struct arena *arena);
size_t arena_used(const struct arena *arena);

/* Calls release(what) when the arena ends. False (and release is called at once)
 * past the budget. */
bool arena_defer(struct arena *arena, void (*release)(void *), void *what);

/* A place to come back to. Opaque; good until an older one is come back to, or the arena ends. */
struct arena_mark {
    void *shared, *large, *deferred;
    size_t shared_used, used, next_bytes;
    bool exhausted;
};

/* What was allocated before the mark is not grown in place after it. */
struct arena_mark arena_mark(struct arena *arena);
/* Gives back what was allocated since, and runs what was deferred since, last first. The mark
 * can be come back to again. */
void arena_release(struct arena *arena, struct arena_mark mark);

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, count, type) ((type *)arena_array((arena), (count), sizeof(type)))

#endif
