/* Brings the schema up to date, in one transaction: all of it or nothing. Several nodes may
 * start at once: on PostgreSQL one works and the others wait for it.
 *
 * ERR_CONFLICT when the store knows a migration that the program does not. */
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H

#include "db/db.h"

enum err migrate_run(struct db *db, const struct migration *migrations, size_t count,
                     struct error *error);
/* Changes nothing. ERR_CONFLICT when the store's schema is not the program's. */
enum err migrate_check(struct db *db, const struct migration *migrations, size_t count,
                       struct error *error);

#endif
