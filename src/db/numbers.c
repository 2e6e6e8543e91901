#include "db/numbers.h"

#include "db/backend.h"
#include "db/numbers_sql.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_NUMBERS 100
#define KIND_MAX 32
#define BUCKETS 256
#define TRIES 3

struct number_block {
    struct number_block *older;
    struct uuid tenant_id;
    char kind[KIND_MAX + 1];
    int year;
    int64_t next, last;
    int64_t ahead_last; /* the end of the block after this one; 0: not reserved yet */
    bool reserving;     /* a thread is about it */
};

/* Nobody waits for a block with a transaction open: its connection could be the one that the
 * reservation needs, where a pooler has fewer than we do. A job that ran out of numbers and
 * runs again may need more than a block, or those of a tenant that is new in each run: it
 * reserves what no block has in its own transaction. */
struct numbers {
    pthread_mutex_t mutex;
    pthread_cond_t reserved;
    struct number_block *buckets[BUCKETS];
};

struct numbers *numbers_new(void)
{
    struct numbers *numbers = calloc(1, sizeof(*numbers));

    if (!numbers)
        return NULL;
    pthread_mutex_init(&numbers->mutex, NULL);
    pthread_cond_init(&numbers->reserved, NULL);
    return numbers;
}

void numbers_free(struct numbers *numbers)
{
    if (!numbers)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (numbers->buckets[i]) {
            struct number_block *older = numbers->buckets[i]->older;

            free(numbers->buckets[i]);
            numbers->buckets[i] = older;
        }
    }
    pthread_cond_destroy(&numbers->reserved);
    pthread_mutex_destroy(&numbers->mutex);
    free(numbers);
}

static enum err reserve(struct ctx *cx, const char *kind, int year, int64_t count, int64_t *last)
{
    return db_int(
        cx, &sql_number_reserve,
        ARGS({"kind", v_text(str_of(kind))}, {"year", v_int(year)}, {"count", v_int(count)}), last);
}

static enum err reserve_block(struct db *db, struct id_source *ids,
                              const struct number_block *block, int64_t *last)
{
    static _Thread_local struct error error;
    struct ctx cx = {.db = db, .error = &error, .ids = ids};
    enum err result = ERR_RERUN;

    cx.actor.tenant_id = block->tenant_id;
    for (int i = 0; i < TRIES && result == ERR_RERUN; i++) {
        result = db_begin(db, TX_WRITE);
        if (result == OK)
            result = reserve(&cx, block->kind, block->year, BLOCK_NUMBERS, last);
        if (result == OK)
            result = db_commit(db);
        if (result != OK)
            db_rollback(db);
    }
    return result;
}

static void add_block(struct number_block *block, int64_t last)
{
    if (block->next > block->last) {
        block->next = last - BLOCK_NUMBERS + 1;
        block->last = last;
    } else {
        block->ahead_last = last;
    }
}

enum err numbers_fetch(struct db *db, struct id_source *ids)
{
    struct numbers *numbers = db->node->numbers;
    struct number_block *block = db->wants_numbers;
    enum err result = OK;
    int64_t last = 0;

    pthread_mutex_lock(&numbers->mutex);
    while (block->reserving)
        pthread_cond_wait(&numbers->reserved, &numbers->mutex);
    /* Another thread may have been first. */
    if (block->ahead_last == 0 && block->last - block->next < BLOCK_NUMBERS / 2) {
        block->reserving = true;
        pthread_mutex_unlock(&numbers->mutex);
        result = reserve_block(db, ids, block, &last);
        pthread_mutex_lock(&numbers->mutex);
        if (result == OK)
            add_block(block, last);
        block->reserving = false;
        pthread_cond_broadcast(&numbers->reserved);
    }
    pthread_mutex_unlock(&numbers->mutex);
    db->wants_numbers = NULL;
    return result;
}

static struct number_block *find_block(struct numbers *numbers, struct uuid tenant_id,
                                       const char *kind, int year)
{
    /* The end of an id of version 7 is random. */
    struct number_block **bucket = &numbers->buckets[tenant_id.bytes[15] % BUCKETS];
    struct number_block *block;

    for (block = *bucket; block; block = block->older) {
        if (block->year == year && uuid_equal(block->tenant_id, tenant_id) &&
            strcmp(block->kind, kind) == 0)
            return block;
    }
    block = calloc(1, sizeof(*block));
    if (!block)
        return NULL;
    *block =
        (struct number_block){.older = *bucket, .tenant_id = tenant_id, .year = year, .next = 1};
    memcpy(block->kind, kind, strlen(kind));
    *bucket = block;
    return block;
}

/* *found: false where the job is to reserve a number itself. */
static enum err take(struct db *db, struct number_block *block, int64_t *out, bool *found)
{
    if (block->next > block->last && block->ahead_last > 0) {
        block->last = block->ahead_last;
        block->next = block->last - BLOCK_NUMBERS + 1;
        block->ahead_last = 0;
    }
    *found = block->next <= block->last;
    if (!*found && db->ran_out_of_numbers)
        return OK;
    if (!*found) {
        db->wants_numbers = block;
        return db_fail(db, ERR_RERUN, true, "No number is left.");
    }
    *out = block->next++;
    /* Whoever draws the middle one sees to the next block when its own work is done. */
    if (block->last - *out == BLOCK_NUMBERS / 2)
        db->wants_numbers = block;
    return OK;
}

static enum err next_of_node(struct ctx *cx, const char *kind, int year, int64_t *out)
{
    struct numbers *numbers = cx->db->node->numbers;
    struct number_block *block;
    enum err result;
    bool found = false;

    pthread_mutex_lock(&numbers->mutex);
    block = find_block(numbers, cx->actor.tenant_id, kind, year);
    if (block)
        result = take(cx->db, block, out, &found);
    else
        result = db_fail(cx->db, ERR_UNAVAILABLE, true, "The server has no memory left.");
    pthread_mutex_unlock(&numbers->mutex);
    if (result != OK)
        db_explain(cx->db, cx->error);
    return result != OK || found ? result : reserve(cx, kind, year, 1, out);
}

enum err number_next(struct ctx *cx, const char *kind, int year, int64_t *out)
{
    if (strlen(kind) > KIND_MAX)
        return error_set(cx->error, ERR_INTERNAL, "The kind of a number is too long.");
    if (db_is_postgres(cx))
        return next_of_node(cx, kind, year, out);
    return reserve(cx, kind, year, 1, out);
}
