/* What the parts of this folder share; nobody else includes it. */
#ifndef APP_TIMELINE_PARTS_H
#define APP_TIMELINE_PARTS_H

#include "app/timeline/timeline.h"

/* The words by which an event is found; STR_NULL past the arena's budget. */
struct str timeline_words(struct ctx *cx, const struct event *event);
/* Has the words of a written event follow it into the index, where they stand apart. */
enum err timeline_words_add(struct ctx *cx, const struct event *event);
/* Before the texts or the event itself are removed. */
enum err timeline_words_remove(struct ctx *cx, const struct event *event);

/* Whether the actor is whom the event is addressed to. `own_id`: the customer of a contact's
 * app (timeline_viewer()), else UUID_NONE. */
bool timeline_is_addressee(const struct ctx *cx, struct uuid own_id, const struct event *event);
/* Whose timeline a contact's own app sees; UUID_NONE for all others. */
enum err timeline_viewer(struct ctx *cx, struct uuid *out);

bool timeline_sees_all(const struct ctx *cx);

#endif
