/* What the parts of this folder share; nobody else includes it. */
#ifndef APP_INTERACTION_PARTS_H
#define APP_INTERACTION_PARTS_H

#include "app/interaction/interaction.h"
#include "app/search/words.h"

/* An entry of the timeline about an interaction. */
struct change {
    const char *event_type, *title;
    struct str payload; /* ptr NULL: what differs */
};

/* Writes `wanted` over `current`: rules, ids, summary, totals, index of texts, event. Nothing
 * where they are the same. */
enum err interaction_save(struct ctx *cx, const struct interaction *current,
                          const struct interaction *wanted, const struct change *change,
                          struct interaction *out);

/* EndedAt.Unix() - StartedAt.Unix(), as seed 000 has it. */
int64_t interaction_seconds(int64_t started_at, int64_t ended_at);

/* A user of the tenant; ERR_NOT_FOUND names the field. */
enum err interaction_require_user(struct ctx *cx, struct uuid id, const char *field);

/* When a follow-up is due, from what people say of it; not set where none is pending. */
struct maybe_int interaction_due(const struct interaction *interaction);

/* --- The index of texts -------------------------------------------------------------- */

/* All words of an interaction with the tenant's mark, as the index takes them. */
struct str interaction_words(struct ctx *cx, const struct interaction *interaction);

/* A new row. On PostgreSQL its words came with it; on SQLite they follow before the commit,
 * those of a batch together. */
enum err interaction_index_new(struct ctx *cx, const struct interaction *interaction);
enum err interaction_index_add(struct ctx *cx, const struct interaction *interaction);
/* `interaction` as it was when it was added. */
enum err interaction_index_remove(struct ctx *cx, const struct interaction *interaction);

#endif
