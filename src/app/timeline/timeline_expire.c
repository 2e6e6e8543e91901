#include "app/timeline/seal.h"
#include "app/timeline/timeline_expire_sql.h"
#include "app/timeline/timeline_feed.h"
#include "app/timeline/timeline_list_sql.h"
#include "app/timeline/timeline_parts.h"

/* An event that ends: what its removal needs of it. */
struct ending {
    struct uuid tenant_id, id, timeline_id, session_id;
    struct str event_type, subject_type;
    struct str title, description, payload, metadata, salt, text_hash;
    bool visible_to_client, visible_to_agent, expired, indexed;
    int64_t created_at;
};

static const struct field ending_fields[] = {
    FIELD(ending, tenant_id, F_UUID, 0),
    FIELD(ending, id, F_UUID, 0),
    FIELD(ending, timeline_id, F_UUID, NULLABLE),
    FIELD(ending, session_id, F_UUID, NULLABLE),
    FIELD(ending, event_type, F_TEXT, 0),
    FIELD(ending, subject_type, F_TEXT, NULLABLE),
    FIELD(ending, title, F_TEXT, NULLABLE),
    FIELD(ending, description, F_TEXT, NULLABLE),
    FIELD(ending, payload, F_TEXT, NULLABLE),
    FIELD(ending, metadata, F_TEXT, NULLABLE),
    FIELD(ending, salt, F_TEXT, NULLABLE),
    FIELD(ending, text_hash, F_TEXT, NULLABLE),
    FIELD(ending, visible_to_client, F_BOOL, 0),
    FIELD(ending, visible_to_agent, F_BOOL, 0),
    FIELD(ending, expired, F_BOOL, 0),
    FIELD(ending, indexed, F_BOOL, 0),
    FIELD(ending, created_at, F_TIME, 0),
};
static const struct record ending_record = RECORD(ending, ending_fields);

static struct event event_of(const struct ending *ending)
{
    return (struct event){.id = ending->id,
                          .timeline_id = ending->timeline_id,
                          .session_id = ending->session_id,
                          .title = ending->title,
                          .description = ending->description,
                          .payload = ending->payload,
                          .metadata = ending->metadata,
                          .salt = ending->salt,
                          .visible_to_client = ending->visible_to_client,
                          .visible_to_agent = ending->visible_to_agent};
}

static struct ctx in_tenant(const struct ctx *cx, struct uuid tenant_id)
{
    struct ctx own = *cx;

    own.actor.tenant_id = tenant_id;
    return own;
}

static enum err expire_all(struct ctx *cx, const struct list *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        const struct ending *ending = LIST_AT(*rows, struct ending, i);
        const struct event event = event_of(ending);
        struct ctx own = in_tenant(cx, ending->tenant_id);

        TRY(db_run(&own, &sql_event_set_expired, ARGS({"id", v_uuid(ending->id)})));
        TRY(timeline_count(&own, &event, -1));
    }
    return OK;
}

/* The row and all that hangs on it. */
static enum err remove_event(struct ctx *cx, const struct ending *ending)
{
    const struct event event = event_of(ending);

    if (ending->indexed)
        TRY(timeline_words_remove(cx, &event));
    TRY(db_run(cx, &sql_event_reads_delete, ARGS({"id", v_uuid(ending->id)})));
    return db_run(cx, &sql_event_delete, ARGS({"id", v_uuid(ending->id)}));
}

static enum err remove_all(struct ctx *cx, const struct list *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        const struct ending *ending = LIST_AT(*rows, struct ending, i);
        struct ctx own = in_tenant(cx, ending->tenant_id);

        TRY(remove_event(&own, ending));
    }
    return OK;
}

enum err timeline_expire(struct ctx *cx, int64_t limit, int64_t *done)
{
    struct list rows;

    TRY(db_all(cx, &sql_event_overdue, ARGS({"limit", v_int(limit)}), &ending_record, &rows));
    *done = (int64_t)rows.count;
    return expire_all(cx, &rows);
}

enum err timeline_forget(struct ctx *cx, int64_t limit, int64_t *done)
{
    struct list rows;

    TRY(db_all(cx, &sql_event_forgettable,
               ARGS({"before", v_time(cx->now_us - EVENT_KEPT_US)}, {"limit", v_int(limit)}),
               &ending_record, &rows));
    *done = (int64_t)rows.count;
    return remove_all(cx, &rows);
}

static enum err record_removal(struct ctx *cx, const char *event_type, const char *title,
                               const char *subject_type, struct uuid subject_id, struct str payload)
{
    return timeline_record(cx, &(struct event){.event_type = str_of(event_type),
                                               .category = CATEGORY_SYSTEM,
                                               .title = str_of(title),
                                               .subject_type = str_of(subject_type),
                                               .subject_id = subject_id,
                                               .payload = payload});
}

enum err timeline_forget_expired(struct ctx *cx, int64_t before, int64_t *deleted, bool *more)
{
    const struct args args = ARGS({"before", v_time(before < cx->now_us ? before : cx->now_us)},
                                  {"limit", v_int(FORGET_MAX)});
    struct list rows;

    TRY(db_all(cx, &sql_event_overdue_of, args, &ending_record, &rows));
    TRY(expire_all(cx, &rows));
    TRY(db_all(cx, &sql_event_forgettable_of, args, &ending_record, &rows));
    TRY(remove_all(cx, &rows));
    *deleted = (int64_t)rows.count;
    *more = *deleted == FORGET_MAX;
    if (*deleted == 0)
        return OK;
    return record_removal(cx, "expired_events_deleted", "Expired events deleted", "tenant",
                          cx->actor.tenant_id,
                          PAYLOAD(cx, {"deleted", v_int(*deleted)}, {"before", v_time(before)}));
}

/* --- Erasure -----------------------------------------------------------------------------------
 */

/* The event, locked. What covers an erasure must stay, or the chain would not verify. */
static enum err read_erasable(struct ctx *cx, struct uuid id, struct ending *out)
{
    TRY(db_one(cx, &sql_event_whole, ARGS({"id", v_uuid(id)}), &ending_record, out));
    if (str_is(out->subject_type, "contact_event"))
        return error_set(cx->error, ERR_CONFLICT,
                         "What tells of an erasure cannot be erased itself.");
    return OK;
}

/* The answer to its creation is kept for a while, to be given again (SPEC.md §2): without the
 * texts from now on. */
static enum err clear_answer(struct ctx *cx, const struct ending *ending)
{
    char location[2 + UUID_TEXT_LEN] = "%/";
    struct event event;
    struct str body;

    if (ending->created_at + IDEMPOTENCY_KEPT_US <= cx->now_us)
        return OK;
    TRY(db_one(cx, &sql_event_get_any, ARGS({"id", v_uuid(ending->id)}), &event_record, &event));
    event.title = event.description = event.payload = event.metadata = STR_NULL;
    body = timeline_json(cx, &event);
    if (!body.ptr)
        return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
    uuid_format(ending->id, location + 2);
    return db_run(cx, &sql_event_answer_clear,
                  ARGS({"body", v_text(body)},
                       {"expires_at", v_time(ending->created_at + IDEMPOTENCY_KEPT_US)},
                       {"location", v_text((struct str){location, sizeof(location)})}));
}

enum err timeline_erase(struct ctx *cx, struct uuid id)
{
    struct ending ending = {.id = UUID_NONE};
    struct event event;

    TRY(read_erasable(cx, id, &ending));
    TRY(clear_answer(cx, &ending));
    event = event_of(&ending);
    if (!ending.expired)
        TRY(timeline_count(cx, &event, -1));
    TRY(remove_event(cx, &ending));
    return record_removal(cx, "event_erased", "Event erased", "contact_event", id,
                          PAYLOAD(cx, {"event_type", v_text(ending.event_type)},
                                  {"contact_id", v_uuid(ending.timeline_id)}));
}

enum err timeline_redact(struct ctx *cx, struct uuid id, struct event *out)
{
    struct ending ending = {.id = UUID_NONE};
    uint8_t text_hash[HASH_BYTES];

    TRY(read_erasable(cx, id, &ending));
    if (!ending.text_hash.ptr) {
        const struct event event = event_of(&ending);

        if (!ending.salt.ptr) /* of an older program, for as long as it waits for its seal */
            return error_set(cx->error, ERR_UNAVAILABLE, "The event is about to be sealed.");
        TRY(clear_answer(cx, &ending));
        if (ending.indexed)
            TRY(timeline_words_remove(cx, &event));
        seal_text_hash(&event, text_hash);
        TRY(db_run(
            cx, &sql_event_clear,
            ARGS({"id", v_uuid(id)},
                 {"text_hash", v_bytes((struct str){(const char *)text_hash, HASH_BYTES})})));
        TRY(record_removal(cx, "event_redacted", "Event redacted", "contact_event", id,
                           PAYLOAD(cx, {"event_type", v_text(ending.event_type)},
                                   {"contact_id", v_uuid(ending.timeline_id)})));
    }
    return timeline_get(cx, id, out);
}
