/* A timeline on paper: A4, text of any script (cairo and Pango). A document belongs to one
 * thread at a time; several threads may each have one. */
#ifndef APP_TIMELINE_PDF_H
#define APP_TIMELINE_PDF_H

#include "base/buf.h"
#include "json/record.h"

struct pdf;

struct pdf_head {
    struct str name;           /* whose timeline */
    struct str zone;           /* of all times in it */
    struct maybe_int from, to; /* what it was narrowed to, µs */
    int64_t made_at_us;
};

/* What one event looks like; ptr NULL is left out. */
struct pdf_entry {
    int64_t occurred_at_us;
    struct str event_type, title, description, who;
};

/* Writes to `out`, which has a maximum and lives until pdf_close(). NULL without memory. */
struct pdf *pdf_open(const struct pdf_head *head, struct buf *out);
/* Texts must be UTF-8. False once it failed, or once `out` did. */
bool pdf_add(struct pdf *pdf, const struct pdf_entry *entry);
/* Of the page that is being written, from 1. */
int pdf_page(const struct pdf *pdf);
/* Ends the document, and frees all of it. False where it is not whole. */
bool pdf_close(struct pdf *pdf);

#endif
