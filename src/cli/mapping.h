/* How the rows of a CSV file become customers and interactions: a JSON file.
 *
 *     {
 *       "name": "bank contacts",
 *       "delimiter": ",",
 *       "customer": { FIELD: VALUE, … },
 *       "interaction": { FIELD: VALUE, … }       (may be left out)
 *     }
 *
 * A FIELD is one of the API's, and "duration_seconds" for an interaction. A VALUE is
 *
 *     "Contact {row}"      text; {column} stands for a cell, {row} for the row's number
 *     7, true, null        itself
 *     {"column": "balance", "as": "integer"}   a cell as integer, number or boolean;
 *                          an empty cell leaves the field out
 *     {"column": "y", "map": {"yes": "successful"}, "else": "not_interested"}
 *     {"day": "{day}", "month": "{month}", "first_year": 2008, "time": "12:00:00Z"}
 *                          a date without a year, in a file that runs forward in time: the
 *                          year goes up whenever the month falls behind the row before
 *     { FIELD: VALUE, … }  an object of them: custom fields
 *
 * Thread: one at a time. The mapping keeps the running year, so rows go through in order. */
#ifndef CLI_MAPPING_H
#define CLI_MAPPING_H

#include "base/err.h"
#include "cli/csv.h"
#include "json/json.h"

struct mapping;

/* Reads and checks the file; NULL, with a sentence on stderr, when it is wrong. */
struct mapping *mapping_open(const char *path);
void mapping_close(struct mapping *mapping);

struct str mapping_name(const struct mapping *mapping);
char mapping_delimiter(const struct mapping *mapping);
/* The file's text: a part of what identifies an import. */
struct str mapping_text(const struct mapping *mapping);

/* The header row. False, with every fault on stderr, when the mapping names columns that
 * are not there, or two columns have one name. */
bool mapping_header(struct mapping *mapping, const struct csv_row *header);

/* One row as an object {"row","line","customer","interaction"} or, when a cell does not
 * fit, {"row","line","refused": why}. `number` counts data rows from 1. */
void mapping_row(struct mapping *mapping, const struct csv_row *row, int64_t number,
                 struct json_out *out);
/* A row that could not even be read. */
void mapping_refusal(int64_t line, int64_t number, const char *why, struct json_out *out);

#endif
