#include "db/counts.h"

#include "db/backend.h"
#include "db/counts_sql.h"

#include <stdlib.h>
#include <string.h>

#define LIST_NAME_MAX 48
#define KEY_MAX 64
/* From so many changes of a total in a second on, the connections of a node each get a row
 * of it, so that they need not wait for each other; below, one row does. */
#define HOT_PER_SECOND 16

struct delta {
    struct uuid tenant_id;
    size_t name_len;
    int64_t delta;
    char name[LIST_NAME_MAX + 1 + KEY_MAX];
};

static int compare(const void *left, const void *right)
{
    const struct delta *a = *(const struct delta *const *)left;
    const struct delta *b = *(const struct delta *const *)right;
    const int tenants = uuid_compare(a->tenant_id, b->tenant_id);

    if (tenants != 0)
        return tenants;
    return str_compare((struct str){a->name, a->name_len}, (struct str){b->name, b->name_len});
}

static uint64_t hash(const struct delta *delta)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */

    for (size_t i = 0; i < sizeof(delta->tenant_id.bytes); i++)
        h = (h ^ delta->tenant_id.bytes[i]) * 1099511628211u;
    for (size_t i = 0; i < delta->name_len; i++)
        h = (h ^ (uint8_t)delta->name[i]) * 1099511628211u;
    return h ^ h >> 32;
}

/* Any shard is right; this is about waiting only. Threads may blur the count. */
static int64_t choose_shard(struct ctx *cx, const struct delta *delta)
{
    struct node *node = cx->db->node;
    const size_t slot = hash(delta) % HEAT_SLOTS;
    const int64_t second = cx->now_us / SECOND_US;

    if (!cx->db->backend->is_postgres)
        return 0;
    if (atomic_exchange(&node->heat[slot].second, second) != second)
        atomic_store(&node->heat[slot].times, 0);
    if (atomic_fetch_add(&node->heat[slot].times, 1) < HOT_PER_SECOND)
        return 0;
    return 1 + cx->db->index;
}

static enum err store(struct ctx *cx, const struct delta *delta, int64_t sum)
{
    if (sum == 0)
        return OK;
    return db_run(cx, &sql_count_add,
                  ARGS({"tenant", v_uuid(delta->tenant_id)},
                       {"name", v_text((struct str){delta->name, delta->name_len})},
                       {"shard", v_int(choose_shard(cx, delta))}, {"delta", v_int(sum)}));
}

/* In the order of the key, so that two transactions never wait for each other's rows in a
 * circle. */
static enum err store_all(struct ctx *cx, const void *items, size_t count)
{
    const struct delta *deltas = items;
    const struct delta **sorted = ARENA_ARRAY(cx->arena, count, const struct delta *);
    int64_t sum = 0;

    if (!sorted)
        return error_set(cx->error, ERR_UNAVAILABLE, "The server has no memory left.");
    for (size_t i = 0; i < count; i++)
        sorted[i] = &deltas[i];
    qsort(sorted, count, sizeof(const struct delta *), compare);
    for (size_t i = 0; i < count; i++) {
        sum += sorted[i]->delta;
        if (i + 1 < count && compare(&sorted[i], &sorted[i + 1]) == 0)
            continue;
        TRY(store(cx, sorted[i], sum));
        sum = 0;
    }
    return OK;
}

static enum err set_name(struct ctx *cx, const char *list, struct str key, struct delta *out)
{
    const size_t list_len = strlen(list);

    if (list_len > LIST_NAME_MAX || key.len > KEY_MAX)
        return error_set(cx->error, ERR_INTERNAL, "The name of a kept total is too long.");
    memcpy(out->name, list, list_len);
    out->name[list_len] = ':';
    if (key.len > 0)
        memcpy(out->name + list_len + 1, key.ptr, key.len);
    out->name_len = list_len + 1 + key.len;
    return OK;
}

enum err count_add(struct ctx *cx, const char *list, struct str key, int64_t delta)
{
    struct delta change = {.tenant_id = cx->actor.tenant_id, .delta = delta};

    TRY(set_name(cx, list, key, &change));
    return db_defer(cx, store_all, &change, sizeof(change));
}

enum err count_add_uuid(struct ctx *cx, const char *list, struct uuid key, int64_t delta)
{
    char text[UUID_TEXT_LEN];

    uuid_format(key, text);
    return count_add(cx, list, (struct str){text, sizeof(text)}, delta);
}

enum err count_get(struct ctx *cx, const char *list, struct str key, int64_t *out)
{
    struct delta wanted = {.name_len = 0};

    TRY(set_name(cx, list, key, &wanted));
    return db_int(cx, &sql_count_get,
                  ARGS({"name", v_text((struct str){wanted.name, wanted.name_len})}), out);
}

enum err count_get_uuid(struct ctx *cx, const char *list, struct uuid key, int64_t *out)
{
    char text[UUID_TEXT_LEN];

    uuid_format(key, text);
    return count_get(cx, list, (struct str){text, sizeof(text)}, out);
}
