/* Human numbers (SPEC.md §2): unique in their tenant, increasing on each node, with gaps,
 * never repeated. On SQLite a number is part of the transaction. On PostgreSQL a node
 * reserves blocks, in transactions of their own, so that no row is hot; what is left of a
 * block when the node ends is a gap. */
#ifndef DB_NUMBERS_H
#define DB_NUMBERS_H

#include "db/db.h"

/* In a write. `kind` is a literal: "interaction" (up to 32 bytes). Numbers begin at 1 for
 * each kind and year of a tenant. On PostgreSQL the job runs again when the node has no
 * number left. */
enum err number_next(struct ctx *cx, const char *kind, int year, int64_t *out);

/* For exec.c: what a node on PostgreSQL keeps. */
struct numbers;
struct number_block;
struct numbers *numbers_new(void);          /* NULL: no memory */
void numbers_free(struct numbers *numbers); /* NULL is fine */
/* Reserves what db->wants_numbers asks for. Between transactions. */
enum err numbers_fetch(struct db *db, struct id_source *ids);

#endif
