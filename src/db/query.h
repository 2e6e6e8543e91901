/* Named queries and migrations, as tools/embed_sql.py makes them from the .sql files
 * at build time. `src/app/interaction/interaction.sql` becomes
 * "app/interaction/interaction_sql.h", which declares `sql_<name>` for each of its
 * queries. docs/SQL.md describes the files. All of it is constant and safe anywhere. */
#ifndef DB_QUERY_H
#define DB_QUERY_H

#include <stdbool.h>
#include <stddef.h>

struct query {
    const char *name;
    const char *sqlite;        /* parameters as ?1, ?2, … by first appearance */
    const char *postgres;      /* parameters as $1, $2, … in the same numbering */
    const char *const *params; /* their names without the colon, in that order */
    size_t param_count;
    bool writes; /* inserts, updates or deletes */
};

/* Every query of the program: for the test that prepares each on both stores. */
extern const struct query *const all_queries[];
extern const size_t all_query_count;

struct migration {
    int number; /* 1, 2, 3, … without gaps */
    const char *name;
    const char *sqlite, *postgres; /* several statements each */
};

/* In the order of their numbers. */
extern const struct migration all_migrations[];
extern const size_t all_migration_count;

#endif
