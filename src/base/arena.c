#include "base/arena.h"

#include "base/limits.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif

/* The address sanitizer sees blocks, not what is inside them: it is told which bytes
 * are free, and gets a gap behind each allocation. */
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#define GAP ALIGNMENT
#define HIDE(ptr, size) ASAN_POISON_MEMORY_REGION((ptr), (size))
#define SHOW(ptr, size) ASAN_UNPOISON_MEMORY_REGION((ptr), (size))
#else
#define GAP ((size_t)0)
#define HIDE(ptr, size) ((void)0)
#define SHOW(ptr, size) ((void)0)
#endif

#define ALIGNMENT alignof(max_align_t)
#define FIRST_BYTES KIB(4)
#define LARGEST_SHARED_BYTES KIB(256)

struct block {
    alignas(max_align_t) struct block *older;
    char *data;
    size_t size, used;
};

struct deferred {
    struct deferred *older;
    void (*release)(void *);
    void *what;
};

struct arena {
    struct block *shared; /* the block that allocations are cut from; the oldest is `first` */
    struct block *large;  /* one allocation each */
    struct deferred *deferred;
    struct block *sealed; /* `large` at the newest mark: what stands there must stay there */
    char *newest;         /* the newest allocation inside `shared`, since the newest mark */
    size_t budget, used, next_bytes;
    bool exhausted;
    struct block first;
};

static size_t rounded(size_t size)
{
    return (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

static void start(struct arena *arena)
{
    arena->shared = &arena->first;
    arena->large = NULL;
    arena->sealed = NULL;
    arena->deferred = NULL;
    arena->newest = NULL;
    arena->used = 0;
    arena->next_bytes = 2 * FIRST_BYTES;
    arena->exhausted = false;
    arena->first.used = 0;
    HIDE(arena->first.data, arena->first.size);
}

struct arena *arena_new(size_t budget)
{
    struct arena *arena = malloc(FIRST_BYTES);

    if (!arena)
        return NULL;
    arena->budget = budget < SIZE_MAX / 2 ? budget : SIZE_MAX / 2;
    arena->first.older = NULL;
    arena->first.data = (char *)(arena + 1);
    arena->first.size = FIRST_BYTES - sizeof(struct arena);
    start(arena);
    return arena;
}

static void free_blocks(struct block *block, const struct block *end)
{
    while (block != end) {
        struct block *older = block->older;

        free(block);
        block = older;
    }
}

static void run_deferred(struct arena *arena, const struct deferred *end)
{
    while (arena->deferred != end) {
        struct deferred *deferred = arena->deferred;

        arena->deferred = deferred->older;
        deferred->release(deferred->what);
    }
}

static void empty(struct arena *arena)
{
    run_deferred(arena, NULL);
    free_blocks(arena->large, NULL);
    free_blocks(arena->shared, &arena->first);
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    empty(arena);
    SHOW(arena->first.data, arena->first.size);
    free(arena);
}

void arena_reset(struct arena *arena)
{
    empty(arena);
    start(arena);
}

struct arena_mark arena_mark(struct arena *arena)
{
    arena->sealed = arena->large;
    arena->newest = NULL;
    return (struct arena_mark){.shared = arena->shared,
                               .large = arena->large,
                               .deferred = arena->deferred,
                               .shared_used = arena->shared->used,
                               .used = arena->used,
                               .next_bytes = arena->next_bytes,
                               .exhausted = arena->exhausted};
}

void arena_release(struct arena *arena, struct arena_mark mark)
{
    run_deferred(arena, mark.deferred);
    free_blocks(arena->large, mark.large);
    free_blocks(arena->shared, mark.shared);
    arena->large = arena->sealed = mark.large;
    arena->shared = mark.shared;
    arena->shared->used = mark.shared_used;
    HIDE(arena->shared->data + mark.shared_used, arena->shared->size - mark.shared_used);
    arena->newest = NULL;
    arena->used = mark.used;
    arena->next_bytes = mark.next_bytes;
    arena->exhausted = mark.exhausted;
}

static void *exhaust(struct arena *arena)
{
    arena->exhausted = true;
    return NULL;
}

/* Past the budget once, nothing more is given: what fits by chance would only hide it. */
static bool affords(const struct arena *arena, size_t size)
{
    size_t left = arena->budget - arena->used;

    return !arena->exhausted && size <= left && rounded(size) <= left;
}

static void *alloc_large(struct arena *arena, size_t size)
{
    struct block *block = calloc(1, sizeof(struct block) + size);

    if (!block)
        return exhaust(arena);
    block->older = arena->large;
    block->data = (char *)(block + 1);
    block->size = block->used = size;
    arena->large = block;
    arena->used += rounded(size);
    return block->data;
}

static bool add_shared(struct arena *arena)
{
    struct block *block = malloc(sizeof(struct block) + arena->next_bytes);

    if (!block)
        return false;
    block->older = arena->shared;
    block->data = (char *)(block + 1);
    block->size = arena->next_bytes;
    block->used = 0;
    HIDE(block->data, block->size);
    arena->shared = block;
    if (arena->next_bytes < LARGEST_SHARED_BYTES)
        arena->next_bytes *= 2;
    return true;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct block *block = arena->shared;
    size_t need;
    char *ptr;

    if (size == 0)
        size = 1;
    if (!affords(arena, size))
        return exhaust(arena);
    need = rounded(size) + GAP;
    if (need > block->size - block->used) {
        /* A block of its own, so that at most a quarter of a shared one is left unused. */
        if (need > arena->next_bytes / 4)
            return alloc_large(arena, size);
        if (!add_shared(arena))
            return exhaust(arena);
        block = arena->shared;
    }
    ptr = block->data + block->used;
    block->used += need;
    arena->used += rounded(size);
    arena->newest = ptr;
    SHOW(ptr, size);
    return memset(ptr, 0, size);
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return exhaust(arena);
    return arena_alloc(arena, count * size);
}

static void *grow_large(struct arena *arena, size_t old_size, size_t new_size)
{
    struct block *block = realloc(arena->large, sizeof(struct block) + new_size);

    if (!block)
        return exhaust(arena);
    block->data = (char *)(block + 1);
    block->size = block->used = new_size;
    arena->large = block;
    arena->used += rounded(new_size) - rounded(old_size);
    memset(block->data + old_size, 0, new_size - old_size);
    return block->data;
}

void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t new_size)
{
    struct block *block = arena->shared;
    void *grown;

    if (!old || old_size == 0)
        return arena_alloc(arena, new_size);
    if (new_size <= old_size)
        return old;
    if (new_size > arena->budget)
        return exhaust(arena);
    if (arena->large != arena->sealed && old == arena->large->data) {
        if (!affords(arena, rounded(new_size) - rounded(old_size)))
            return exhaust(arena);
        return grow_large(arena, old_size, new_size);
    }
    if (old == arena->newest) {
        size_t offset = (size_t)(arena->newest - block->data);

        if (!affords(arena, rounded(new_size) - rounded(old_size)))
            return exhaust(arena);
        if (rounded(new_size) + GAP <= block->size - offset) {
            block->used = offset + rounded(new_size) + GAP;
            arena->used += rounded(new_size) - rounded(old_size);
            SHOW(old, new_size);
            memset((char *)old + old_size, 0, new_size - old_size);
            return old;
        }
    }
    grown = arena_alloc(arena, new_size);
    return grown ? memcpy(grown, old, old_size) : NULL;
}

bool arena_exhausted(const struct arena *arena)
{
    return arena->exhausted;
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}

bool arena_defer(struct arena *arena, void (*release)(void *), void *what)
{
    struct deferred *deferred = ARENA_NEW(arena, struct deferred);

    if (!deferred) {
        release(what);
        return false;
    }
    *deferred = (struct deferred){arena->deferred, release, what};
    arena->deferred = deferred;
    return true;
}
