#include "live/uuid_map.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 16

static size_t bucket_of(const struct uuid_map *map, struct uuid key)
{
    uint64_t end;

    memcpy(&end, key.bytes + 8, sizeof(end));
    /* The variant's bits are always the same, and the last ones random. */
    return (size_t)((end ^ (end >> 32)) & (map->bucket_count - 1));
}

struct uuid_node *uuid_map_find(const struct uuid_map *map, struct uuid key)
{
    if (map->bucket_count == 0)
        return NULL;
    for (struct uuid_node *node = map->buckets[bucket_of(map, key)]; node; node = node->next)
        if (uuid_equal(node->key, key))
            return node;
    return NULL;
}

static void put(struct uuid_map *map, struct uuid_node *node)
{
    struct uuid_node **at = &map->buckets[bucket_of(map, node->key)];

    node->next = *at;
    *at = node;
}

static bool grow(struct uuid_map *map)
{
    struct uuid_map larger = {.bucket_count =
                                  map->bucket_count ? map->bucket_count * 2 : BUCKETS_FIRST};

    larger.buckets = calloc(larger.bucket_count, sizeof(struct uuid_node *));
    if (!larger.buckets)
        return false;
    for (size_t i = 0; i < map->bucket_count; i++) {
        for (struct uuid_node *node = map->buckets[i], *next; node; node = next) {
            next = node->next;
            put(&larger, node);
        }
    }
    free(map->buckets);
    map->buckets = larger.buckets;
    map->bucket_count = larger.bucket_count;
    return true;
}

bool uuid_map_add(struct uuid_map *map, struct uuid_node *node)
{
    /* Without memory for more buckets the chains grow longer. */
    if (map->count >= map->bucket_count && !grow(map) && map->bucket_count == 0)
        return false;
    put(map, node);
    map->count++;
    return true;
}

void uuid_map_remove(struct uuid_map *map, struct uuid_node *node)
{
    struct uuid_node **at = &map->buckets[bucket_of(map, node->key)];

    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    map->count--;
}

void uuid_map_clear(struct uuid_map *map)
{
    free(map->buckets);
    *map = (struct uuid_map){0};
}

struct uuid_node *uuid_map_first(const struct uuid_map *map, struct uuid_map_at *at)
{
    *at = (struct uuid_map_at){0};
    return uuid_map_next(map, at);
}

struct uuid_node *uuid_map_next(const struct uuid_map *map, struct uuid_map_at *at)
{
    struct uuid_node *node = at->next;

    while (!node && at->bucket < map->bucket_count)
        node = map->buckets[at->bucket++];
    at->next = node ? node->next : NULL;
    return node;
}
