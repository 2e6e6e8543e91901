/* CSV in (RFC 4180, by libcsv): fed a line at a time, so that every row knows on which
 * line of the file it began. Strict: a quote in the wrong place is a fault of that row,
 * and reading goes on with the next line. Blanks around a cell are not the cell's, unless
 * they stand in quotes. */
#ifndef CLI_CSV_H
#define CLI_CSV_H

#include "base/arena.h"
#include "base/str.h"

#define CSV_CELLS_MAX 512
#define CSV_ROW_BYTES_MAX ((size_t)1024 * 1024)

struct csv;

enum csv_result {
    CSV_ROW_DONE, /* a row is whole */
    CSV_ROW_OPEN, /* a quoted cell goes on in the next line */
    CSV_NOTHING,  /* an empty line */
    CSV_FAULTY,   /* the row is malformed, or larger than the limits; it is dropped */
};

struct csv_row {
    int64_t line;      /* where it began, from 1 */
    struct str *cells; /* valid until the next call */
    size_t count;
};

struct csv *csv_open(char delimiter); /* NULL without memory */
void csv_close(struct csv *csv);

/* One line with its line end. `last`: the file ends here. */
enum csv_result csv_line(struct csv *csv, struct str line, bool last, struct csv_row *out);

#endif
