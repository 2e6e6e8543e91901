#include "app/timeline/timeline_feed.h"

#include "app/interaction/interaction.h"
#include "app/timeline/timeline_feed_sql.h"

#define LEAD_MAX KIB(2)

enum err timeline_head(struct ctx *cx, int64_t *out)
{
    return db_int(cx, &sql_feed_head, NO_ARGS, out);
}

enum err timeline_feed(struct ctx *cx, struct uuid timeline_id, int64_t after, int64_t limit,
                       struct feed_portion *out)
{
    *out = (struct feed_portion){.upto = after};
    TRY(timeline_head(cx, &out->head));
    if (out->head - after > RESUME_MAX)
        return error_set(cx->error, ERR_NOT_FOUND, "That is too far back.");
    if (out->head <= after)
        return OK;
    if (limit > FEED_ROWS_MAX)
        limit = FEED_ROWS_MAX;
    out->upto = out->head - after > FEED_NUMBERS_MAX ? after + FEED_NUMBERS_MAX : out->head;
    TRY(db_all(cx, &sql_feed_page,
               ARGS({"timeline_id", v_uuid(timeline_id)}, {"after", v_int(after)},
                    {"upto", v_int(out->upto)}, {"limit", v_int(limit)}),
               &event_record, &out->rows));
    if ((int64_t)out->rows.count == limit)
        out->upto = LIST_AT(out->rows, struct event, out->rows.count - 1)->number;
    return OK;
}

enum err timeline_number(struct ctx *cx, struct uuid event_id, int64_t head, int64_t *out,
                         bool *found)
{
    *out = 0;
    TRY(db_int(cx, &sql_feed_number, ARGS({"event_id", v_uuid(event_id)}), out));
    *found = *out > 0;
    if (*found)
        return OK;
    *out = head;
    return db_find(cx, &sql_feed_unsealed, ARGS({"event_id", v_uuid(event_id)}), NULL, NULL, found);
}

static struct str word_of(struct ctx *cx, struct str payload, struct str name)
{
    struct str raw = json_raw_member(payload, name);
    struct buf buf;

    buf_init(&buf, cx->arena, KIB(1));
    if (raw.ptr && raw.len > 1 && raw.ptr[0] == '"')
        json_raw_text(raw, &buf);
    return buf_str(&buf);
}

struct str timeline_lead_contacted(struct ctx *cx, const struct event *event)
{
    struct json_out out;
    struct str method;
    struct buf buf;
    int type;

    if (!str_is(event->event_type, "interaction_logged") || uuid_is_none(event->interaction_id) ||
        !event->payload.ptr || !str_is(word_of(cx, event->payload, STR("direction")), "outbound"))
        return STR_NULL;
    method = word_of(cx, event->payload, STR("method"));
    if (method.len == 0) /* an older event */
        method = word_of(cx, event->payload, STR("type"));
    type = enum_value(&interaction_type_words, method);
    if (type == 0 || type == TYPE_NOTE || type == TYPE_SYSTEM)
        return STR_NULL;
    buf_init(&buf, cx->arena, LEAD_MAX);
    json_out_init(&out, &buf);
    json_object_begin(&out);
    JSON_KEY(&out, "leadId");
    json_uuid(&out, event->timeline_id);
    JSON_KEY(&out, "method");
    json_text(&out, method);
    JSON_KEY(&out, "userId");
    json_uuid(&out, event->triggered_by);
    JSON_KEY(&out, "userName");
    json_text(&out, event->triggered_by_name);
    JSON_KEY(&out, "eventId");
    json_uuid(&out, event->id);
    json_object_end(&out);
    return buf_failed(&buf) ? STR_NULL : buf_str(&buf);
}

struct str timeline_json(struct ctx *cx, const struct event *event)
{
    struct json_out out;
    struct buf buf;

    buf_init(&buf, cx->arena, 4 * FREE_JSON_MAX);
    json_out_init(&out, &buf);
    record_encode(&event_record, event, true, &out);
    return buf_failed(&buf) ? STR_NULL : buf_str(&buf);
}
