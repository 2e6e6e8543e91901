/* The timeline as it is streamed: sealed events in the order of their numbers (SPEC.md §5). */
#ifndef APP_TIMELINE_FEED_H
#define APP_TIMELINE_FEED_H

#include "app/timeline/timeline.h"

#define FEED_ROWS_MAX 500     /* events of one portion */
#define FEED_NUMBERS_MAX 2000 /* numbers looked at for it */

struct feed_portion {
    struct list rows; /* struct event, with their numbers; expired ones are left out */
    int64_t upto;     /* all up to here was looked at */
    int64_t head;     /* the last number there is */
};

/* What follows the number `after`, of one timeline or (UUID_NONE) of all; whoever reads. What
 * lies more than RESUME_MAX numbers back is ERR_NOT_FOUND, with `head` told all the same. */
enum err timeline_feed(struct ctx *cx, struct uuid timeline_id, int64_t after, int64_t limit,
                       struct feed_portion *out);
/* The last number of the actor's tenant; 0: it has no sealed event. */
enum err timeline_head(struct ctx *cx, int64_t *out);
/* The number of an event, which may be deleted since; of one that waits for its seal: the head
 * (ask for that first). *found false: there is no such event. */
enum err timeline_number(struct ctx *cx, struct uuid event_id, int64_t head, int64_t *out,
                         bool *found);

/* Seed 004's `lead:contacted`, of an event that tells of an outbound touch: {"leadId","method",
 * "userId","userName","eventId"}. STR_NULL for all others. */
struct str timeline_lead_contacted(struct ctx *cx, const struct event *event);
/* The event as GET /contact-events/{id} answers it. STR_NULL past the arena's budget. */
struct str timeline_json(struct ctx *cx, const struct event *event);

#endif
