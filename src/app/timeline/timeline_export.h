/* A customer's timeline as a file (SPEC.md §5): CSV, JSON Lines or PDF, oldest event first. One
 * answer is bounded in events and bytes; what is left is asked for from where it ended. */
#ifndef APP_TIMELINE_EXPORT_H
#define APP_TIMELINE_EXPORT_H

#include "app/timeline/timeline.h"

enum export_format { EXPORT_JSONL = 1, EXPORT_CSV, EXPORT_PDF };
extern const struct enum_names export_formats;

#define EXPORT_EVENTS_MAX CSV_ROWS_MAX
#define EXPORT_BYTES_MAX MIB(8) /* past it no other event begins */
#define EXPORT_PAGES_MAX 500    /* the same, of a PDF */

struct export_wish {
    int format;                /* enum export_format */
    int view;                  /* enum event_view; a contact's app has the client's always */
    struct maybe_int from, to; /* occurred_at: from <= occurred_at < to */
    /* Begins after this place, where it is given. */
    struct maybe_int after_time;
    struct uuid after_id;
};

struct export_file {
    struct str name; /* the customer's */
    struct str body; /* in the arena */
    /* There is more: go on after this place. */
    bool more;
    int64_t last_time;
    struct uuid last_id;
};

/* ERR_NOT_FOUND as timeline_owner(). Reads in steps, each a range of an index, so that memory
 * holds few events at a time. */
enum err timeline_export(struct ctx *cx, struct uuid contact_id, const struct export_wish *wish,
                         struct export_file *out);

#endif
