/* What the parts of this folder share; nobody else includes it. */
#ifndef APP_INTERACTION_PARTS_H
#define APP_INTERACTION_PARTS_H

#include "app/customer/customer.h"
#include "app/interaction/interaction.h"
#include "app/outreach/guard.h"
#include "app/search/words.h"
#include "app/timeline/timeline.h"

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

/* --- Outreach ------------------------------------------------------------------------ */

/* Notes and system entries are none. */
bool interaction_is_touch(const struct interaction *interaction);
bool interaction_is_outbound(const struct interaction *interaction);
/* The method by which it stands in the way of other touches, 0: it does not. Meetings are agreed
 * upon; a call that nobody answered bothered nobody. */
int interaction_guarded_as(const struct interaction *interaction);

/* What the guard says of one, whose customer is locked and was as told before it. */
struct guarding {
    struct outreach outreach;
    struct outreach_check check;
};
enum err interaction_guard(struct ctx *cx, const struct interaction *interaction,
                           const struct touched *customer, struct guarding *out);
/* Refuses what the guard is against, unless that is overridden by who may. */
enum err interaction_pass_guard(struct ctx *cx, const struct guarding *guarding,
                                const struct override *override);
/* After the interaction's own event: that it was overridden, or (NULL) is flagged; nothing where
 * the guard was not against it. */
enum err interaction_record_guard(struct ctx *cx, const struct guarding *guarding,
                                  const struct override *override);

/* Adds what is wrong with the response. */
void interaction_check_response(struct ctx *cx, const struct interaction *interaction);
/* Moves the customer's last response, after the row was changed. */
enum err interaction_move_response(struct ctx *cx, const struct interaction *before,
                                   const struct interaction *after);

/* The day under which analytics counts it; none for what is no attempt, or lies ahead. */
void interaction_set_day(const struct ctx *cx, struct str zone, struct interaction *interaction);
/* The same of an edit. */
enum err interaction_move_day(struct ctx *cx, const struct interaction *before,
                              struct interaction *after);
/* Takes the old attempt back and adds the new one, where they differ; NULL: there is none. */
enum err interaction_move_attempt(struct ctx *cx, const struct interaction *before,
                                  const struct interaction *after);

/* --- Views that the families share: of a struct interaction, or one that begins with it --- */

#define ATTENDEES_SCHEMA                                                                           \
    "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"format\":\"uuid\"},"                     \
    "\"uniqueItems\":true,\"maxItems\":200}"
void interaction_put_attendees(struct json_out *out, const void *record);
enum err interaction_take_attendees(const struct decoding *in, const struct json_t *value,
                                    void *record);
void interaction_put_duration(struct json_out *out, const void *record);
enum err interaction_refuse_duration(const struct decoding *in, const struct json_t *value,
                                     void *record);

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
