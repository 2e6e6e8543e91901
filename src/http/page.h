/* Where a list is asked to begin: page + page_size, limit + offset, or cursor + limit
 * (SPEC.md §2), and the cursors themselves. */
#ifndef HTTP_PAGE_H
#define HTTP_PAGE_H

#include "http/route.h"

/* How many rows a page has. */
struct page_size {
    int64_t fallback, most;
};
/* Of records, and of events (SPEC.md §2). */
extern const struct page_size page_of_records, page_of_events;
const struct page_size *page_size_of(const struct route *route);

/* Takes its own parameters out of `query`; *rest is what is left for the route's filters.
 * Faults are added to `error`. `wants_csv`: the Accept header asked for it. */
void page_parse(struct str query, uint32_t list_tag, const struct page_size *size, bool wants_csv,
                struct arena *arena, struct error *error, struct page *page, struct str *rest);

/* Opaque to callers; ours: a version, the list's tag and (added to it) which of its sorts, the
 * kind and value of its sort key, the id; base64url. A cursor of another list, or one that was
 * tampered with in shape, is false. */
bool cursor_decode(struct str text, uint32_t list_tag, struct arena *arena, struct page *page);
struct str cursor_encode(const struct list_key *key, uint32_t list_tag, struct arena *arena);

/* What page parameters are called, for OpenAPI. */
struct page_parameter {
    const char *name, *schema, *doc;
    const char *events_schema; /* where a page of events is another; else NULL */
};
extern const struct page_parameter page_parameters[];
extern const size_t page_parameter_count;

#endif
