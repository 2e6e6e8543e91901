#include "app/timeline/timeline.h"

#include "app/timeline/seal.h"
#include "app/timeline/timeline_parts.h"
#include "app/timeline/timeline_sql.h"
#include "db/counts.h"

static const char *const category_names[] = {"general", "status",       "pipeline", "assignment",
                                             "tag",     "note",         "session",  "custom_field",
                                             "system",  "notification", "tracking"};
static const char *const priority_names[] = {"low", "normal", "high", "urgent"};
static const char *const source_names[] = {"system",   "agent",      "webhook",
                                           "workflow", "automation", "integration"};

const struct enum_names event_categories = ENUM_NAMES(category_names);
const struct enum_names event_priorities = ENUM_NAMES(priority_names);
const struct enum_names event_sources = ENUM_NAMES(source_names);

static const char *const addressee_names[] = {"user", "contact"};
const struct enum_names event_addressees = ENUM_NAMES(addressee_names);

static const struct field event_fields[] = {
    FIELD(event, id, F_UUID, READ_ONLY),
    FIELD(event, contact_id, F_UUID, NULLABLE),
    FIELD(event, contact_name, F_TEXT, READ_ONLY | NULLABLE | OMIT_NULL),
    FIELD(event, subject_type, F_TEXT, NULLABLE | OMIT_NULL | ONE_LINE, .max = 64),
    FIELD(event, subject_id, F_UUID, NULLABLE | OMIT_NULL),
    FIELD(event, session_id, F_UUID, NULLABLE),
    FIELD(event, interaction_id, F_UUID, NULLABLE | OMIT_NULL),
    FIELD(event, event_type, F_TEXT, REQUIRED | ONE_LINE, .min = 1, .max = 64),
    FIELD(event, category, F_ENUM, REQUIRED, .names = &event_categories),
    FIELD(event, priority, F_ENUM, 0, .names = &event_priorities),
    FIELD(event, title, F_TEXT, NULLABLE | ONE_LINE, .max = 255),
    FIELD(event, description, F_TEXT, NULLABLE, .max = 10000),
    FIELD(event, payload, F_JSON, NULLABLE),
    FIELD(event, metadata, F_JSON, NULLABLE),
    FIELD(event, source, F_ENUM, 0, .names = &event_sources),
    FIELD(event, triggered_by, F_UUID, NULLABLE),
    FIELD(event, triggered_by_name, F_TEXT, READ_ONLY | NULLABLE | OMIT_NULL),
    FIELD(event, integration_source, F_TEXT, NULLABLE | OMIT_NULL | ONE_LINE, .max = 64),
    FIELD(event, addressee_type, F_ENUM, NULLABLE | OMIT_NULL | READ_ONLY,
          .names = &event_addressees),
    FIELD(event, addressee_id, F_UUID, NULLABLE | OMIT_NULL),
    FIELD(event, is_realtime, F_BOOL, 0),
    FIELD(event, delivered, F_BOOL, READ_ONLY),
    FIELD(event, delivered_at, F_TIME, READ_ONLY | NULLABLE),
    FIELD(event, read, F_BOOL, READ_ONLY),
    FIELD(event, read_at, F_TIME, READ_ONLY | NULLABLE),
    FIELD(event, visible_to_client, F_BOOL, 0),
    FIELD(event, visible_to_agent, F_BOOL, 0),
    FIELD(event, expires_at, F_TIME, NULLABLE),
    FIELD(event, occurred_at, F_TIME, 0),
    FIELD(event, created_at, F_TIME, READ_ONLY),
    FIELD(event, salt, F_TEXT, NULLABLE | COLUMN_ONLY),
    FIELD(event, text_hash, F_TEXT, NULLABLE | COLUMN_ONLY),
    FIELD(event, timeline_id, F_UUID, NULLABLE | COLUMN_ONLY),
    FIELD(event, expired, F_BOOL, COLUMN_ONLY),
    FIELD(event, number, F_INT, COLUMN_ONLY),
};
const struct record event_record = RECORD_NAMED("ContactEvent", event, event_fields);

enum err timeline_count(struct ctx *cx, const struct event *event, int64_t delta)
{
    if (!uuid_is_none(event->timeline_id) && event->visible_to_agent)
        TRY(count_add_uuid(cx, COUNT_EVENTS_TIMELINE, event->timeline_id, delta));
    if (!uuid_is_none(event->timeline_id) && event->visible_to_client)
        TRY(count_add_uuid(cx, COUNT_EVENTS_CLIENT, event->timeline_id, delta));
    if (!uuid_is_none(event->session_id) && event->visible_to_agent)
        TRY(count_add_uuid(cx, COUNT_EVENTS_SESSION, event->session_id, delta));
    return OK;
}

enum err timeline_record(struct ctx *cx, struct event *event)
{
    char *salt = arena_alloc(cx->arena, SALT_BYTES);

    /* A payload that was to be made and is missing: the arena's budget is spent. */
    if (salt == NULL || arena_exhausted(cx->arena))
        return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
    if (uuid_is_none(event->id))
        event->id = uuid_new(cx->ids, cx->now_us);
    if (event->priority == 0)
        event->priority = PRIORITY_NORMAL;
    if (event->source == 0)
        event->source = uuid_is_none(cx->actor.user_id) ? SOURCE_SYSTEM : SOURCE_AGENT;
    if (uuid_is_none(event->triggered_by))
        event->triggered_by = cx->actor.user_id;
    if (event->occurred_at == 0)
        event->occurred_at = cx->now_us;
    event->created_at = cx->now_us;
    event->visible_to_agent = !event->hidden;
    event->timeline_id = event->contact_id;
    if (event->addressee_type == 0 && !uuid_is_none(event->addressee_id))
        event->addressee_type = ADDRESSEE_USER;
    if (event->addressee_type == 0 && event->visible_to_client)
        event->addressee_type = ADDRESSEE_CONTACT;
    id_source_random(cx->ids, salt, SALT_BYTES);
    event->salt = (struct str){salt, SALT_BYTES};
    TRY(db_run(cx, &sql_event_insert,
               ARGS_OF(&event_record, event, {"salt", v_bytes(event->salt)},
                       {"words", v_text(event->words)})));
    if (event->words.ptr)
        TRY(timeline_words_add(cx, event));
    TRY(timeline_count(cx, event, 1));
    return seal_later(cx, event);
}

static void put_value(struct json_out *out, const struct value *value)
{
    if (value->null) {
        json_nil(out);
        return;
    }
    switch (value->type) {
    case V_UUID:
        json_uuid(out, value->uuid);
        break;
    case V_INT:
        json_int(out, value->integer);
        break;
    case V_REAL:
        json_double(out, value->real);
        break;
    case V_BOOL:
        json_bool(out, value->integer != 0);
        break;
    case V_TIME:
        json_time(out, value->integer);
        break;
    case V_TEXT:
        json_text(out, value->text);
        break;
    case V_BYTES: /* already JSON: a list, an object */
        json_raw(out, value->text);
        break;
    }
}

struct str timeline_payload(struct ctx *cx, const struct bind *members, size_t count)
{
    struct buf buf;
    struct json_out out;

    buf_init(&buf, cx->arena, FREE_JSON_MAX);
    json_out_init(&out, &buf);
    json_object_begin(&out);
    for (size_t i = 0; i < count; i++) {
        json_key(&out, str_of(members[i].name));
        put_value(&out, &members[i].value);
    }
    json_object_end(&out);
    return buf_failed(&buf) ? STR_NULL : buf_str(&buf);
}

/* {"from":…,"to":…}, or {} where that is long. */
static void put_change(const struct field *field, const void *before, const void *after,
                       struct buf *value, struct json_out *out)
{
    struct json_out value_out;

    buf_reset(value);
    json_out_init(&value_out, value);
    json_object_begin(&value_out);
    JSON_KEY(&value_out, "from");
    field_encode(field, before, &value_out);
    JSON_KEY(&value_out, "to");
    field_encode(field, after, &value_out);
    json_object_end(&value_out);
    json_key(out, str_of(field->name));
    json_raw(out,
             buf_failed(value) || out->buf->len > FREE_JSON_MAX / 2 ? STR("{}") : buf_str(value));
}

struct str timeline_changes(struct ctx *cx, const struct record *record, const void *before,
                            const void *after)
{
    const struct given changed = record_difference(record, before, after);
    struct buf buf, value;
    struct json_out out;

    buf_init(&buf, cx->arena, FREE_JSON_MAX);
    buf_init(&value, cx->arena, EVENT_VALUE_MAX);
    json_out_init(&out, &buf);
    json_object_begin(&out);
    JSON_KEY(&out, "changed");
    json_object_begin(&out);
    for (size_t i = 0; i < record->count; i++) {
        const struct field *field = &record->fields[i];

        if ((changed.bits[i / 64] >> (i % 64) & 1) == 1 && (field->flags & WRITE_ONLY) == 0)
            put_change(field, before, after, &value, &out);
    }
    json_object_end(&out);
    json_object_end(&out);
    return buf_failed(&buf) ? STR_NULL : buf_str(&buf);
}
