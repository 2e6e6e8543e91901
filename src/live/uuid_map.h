/* Things by their ids: a hash table of nodes that are part of the things themselves. Grows with
 * what is in it. The ids are our own (their ends are random), so they are their own hash. */
#ifndef LIVE_UUID_MAP_H
#define LIVE_UUID_MAP_H

#include "base/uuid.h"

struct uuid_node {
    struct uuid key;
    struct uuid_node *next;
};

struct uuid_map {
    struct uuid_node **buckets;
    size_t bucket_count, count;
};

struct uuid_node *uuid_map_find(const struct uuid_map *map, struct uuid key);
/* The node's key is set by the caller and not in the map. False without memory. */
bool uuid_map_add(struct uuid_map *map, struct uuid_node *node);
void uuid_map_remove(struct uuid_map *map, struct uuid_node *node);
/* Frees the table, not the nodes. */
void uuid_map_clear(struct uuid_map *map);

/* Each node once; `node` may be removed inside.
 *     for (node = uuid_map_first(map, &at); node; node = uuid_map_next(map, &at)) */
struct uuid_map_at {
    size_t bucket;
    struct uuid_node *next;
};
struct uuid_node *uuid_map_first(const struct uuid_map *map, struct uuid_map_at *at);
struct uuid_node *uuid_map_next(const struct uuid_map *map, struct uuid_map_at *at);

#endif
