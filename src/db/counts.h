/* Kept totals: how many rows a plain list has, without counting them. A total is
 * written in the transaction of the rows it counts: the deltas of a transaction (of a
 * batch, on SQLite) are added up and written once before the commit; on PostgreSQL they
 * are spread over shards, so that no row is hot, and summed when read. */
#ifndef DB_COUNTS_H
#define DB_COUNTS_H

#include "db/db.h"

/* `list` is a literal like "interactions.customer"; `key` the list's value ("" for the
 * list of all, a UUID's text, an enum's name; up to 64 bytes). */
enum err count_add(struct ctx *cx, const char *list, struct str key, int64_t delta);
enum err count_add_uuid(struct ctx *cx, const char *list, struct uuid key, int64_t delta);
/* As of the last commit and, on PostgreSQL, this transaction's beginning. */
enum err count_get(struct ctx *cx, const char *list, struct str key, int64_t *out);
enum err count_get_uuid(struct ctx *cx, const char *list, struct uuid key, int64_t *out);

#endif
