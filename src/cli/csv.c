#include "cli/csv.h"

#include "base/buf.h"

#include <csv.h>
#include <stdlib.h>

/* libcsv's name for it is in its source only: no cell of a row has begun. */
#define NOT_BEGUN 0

struct csv {
    struct csv_parser parser;
    unsigned char delimiter;
    struct buf bytes; /* of the open row, cell after cell */
    struct {
        size_t from, len;
    } places[CSV_CELLS_MAX];
    struct str cells[CSV_CELLS_MAX];
    size_t count;
    size_t fed; /* bytes of the open row: libcsv itself would keep any number */
    int64_t line, row_line;
    bool open, whole, faulty;
};

static void take_cell(void *text, size_t len, void *context)
{
    struct csv *csv = context;

    if (csv->count == CSV_CELLS_MAX) {
        csv->faulty = true;
        return;
    }
    csv->places[csv->count].from = csv->bytes.len;
    csv->places[csv->count].len = len;
    csv->count++;
    buf_add(&csv->bytes, (struct str){text, len});
}

static void take_row(int end, void *context)
{
    struct csv *csv = context;

    (void)end;
    csv->whole = true;
}

static bool start(struct csv *csv)
{
    if (csv_init(&csv->parser, CSV_STRICT | CSV_STRICT_FINI) != 0)
        return false;
    csv_set_delim(&csv->parser, csv->delimiter);
    return true;
}

struct csv *csv_open(char delimiter)
{
    struct csv *csv = calloc(1, sizeof *csv);

    if (csv == NULL)
        return NULL;
    csv->delimiter = (unsigned char)delimiter;
    buf_init(&csv->bytes, NULL, CSV_ROW_BYTES_MAX);
    if (start(csv))
        return csv;
    free(csv);
    return NULL;
}

void csv_close(struct csv *csv)
{
    if (csv == NULL)
        return;
    csv_free(&csv->parser);
    buf_clear(&csv->bytes);
    free(csv);
}

/* The row is done with, one way or the other: the next line begins a new one. */
static enum csv_result finish(struct csv *csv, enum csv_result result)
{
    csv->open = false;
    if (result == CSV_FAULTY) {
        csv_free(&csv->parser);
        start(csv);
    }
    return result;
}

enum csv_result csv_line(struct csv *csv, struct str line, bool last, struct csv_row *out)
{
    const char *bytes;

    csv->line++;
    if (!csv->open) {
        csv->open = true;
        csv->whole = csv->faulty = false;
        csv->row_line = csv->line;
        csv->count = csv->fed = 0;
        buf_reset(&csv->bytes);
    }
    *out = (struct csv_row){csv->row_line, csv->cells, 0};
    csv->fed += line.len;
    if (csv->fed > CSV_ROW_BYTES_MAX)
        return finish(csv, CSV_FAULTY);
    if (csv_parse(&csv->parser, line.ptr, line.len, take_cell, take_row, csv) != line.len ||
        (last && csv_fini(&csv->parser, take_cell, take_row, csv) != 0))
        return finish(csv, CSV_FAULTY);
    if (csv->faulty || buf_failed(&csv->bytes))
        return finish(csv, CSV_FAULTY);
    if (!csv->whole)
        return csv->parser.pstate == NOT_BEGUN ? finish(csv, CSV_NOTHING) : CSV_ROW_OPEN;
    /* Where all cells are empty, nothing was ever kept. */
    bytes = csv->bytes.ptr != NULL ? csv->bytes.ptr : "";
    for (size_t i = 0; i < csv->count; i++)
        csv->cells[i] = (struct str){bytes + csv->places[i].from, csv->places[i].len};
    out->count = csv->count;
    return finish(csv, CSV_ROW_DONE);
}
