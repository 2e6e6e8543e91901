/* Imports: people and their interactions out of files, in checkpoints (SPEC.md §9, §12).
 *
 * An import is known by the hash of what it reads, so that a second run of the same file
 * goes on where the first one was. Its rows come in portions; what a portion wrote and how
 * far the import has come are one transaction. A row whose customer or interaction is
 * there already (by external_id) is present, not doubled; a bad row is refused, kept with
 * its line and reason, and the good ones around it stay. */
#ifndef APP_IMPORT_H
#define APP_IMPORT_H

#include "app/customer/customer.h"
#include "app/interaction/interaction.h"

struct import {
    struct uuid id;
    struct str name;
    struct str source_hash;          /* SHA-256 of file and mapping, lower-case hexadecimal */
    int64_t next_row;                /* rows before it are done; from 1 */
    int64_t customers, interactions; /* made */
    int64_t present;                 /* rows that had nothing new */
    int64_t refused;
    struct uuid created_by;
    int64_t created_at, updated_at;
    struct maybe_int finished_at;
};

/* One row of a portion. `refused`: whoever read the file could not make a record of it. */
struct import_row {
    int64_t row, line;
    struct str customer;    /* a JSON object, by customer_record, with external_id */
    struct str interaction; /* the same, by the fields of import_touch_record; or null */
    struct str refused;
};

struct import_refusal {
    int64_t row_number, line;
    struct str reason;
};

extern const struct record import_record, import_row_record, import_refusal_record;

/* The import of that source: a new one, or the one that is there (*created false). */
enum err import_begin(struct ctx *cx, const struct import *in, struct import *out, bool *created);
enum err import_get(struct ctx *cx, struct uuid id, struct import *out);
/* The same, locked until the commit. */
enum err import_get_locked(struct ctx *cx, struct uuid id, struct import *out);

/* One row: customer and interaction. Adds to the counts of *import; the caller holds a
 * savepoint, and tells import_refuse() when this fails. *id is the customer's; *made says
 * whether anything was new. */
enum err import_take_row(struct ctx *cx, struct import *import, const struct import_row *row,
                         struct uuid *id, bool *made);
/* Keeps a refusal. */
enum err import_refuse(struct ctx *cx, struct import *import, const struct import_row *row,
                       const struct error *why);
/* Writes the counts and how far it has come. */
enum err import_save(struct ctx *cx, const struct import *import);
/* No rows are left; the event import_finished. */
enum err import_finish(struct ctx *cx, struct import *import);

#endif
