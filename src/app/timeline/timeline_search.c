#include "app/search/words.h"
#include "app/timeline/timeline_list_sql.h"
#include "app/timeline/timeline_parts.h"

static enum err exhausted(struct ctx *cx)
{
    return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
}

struct str timeline_words(struct ctx *cx, const struct event *event)
{
    const struct str texts[] = {event->title, event->description};

    return search_words(cx, texts, COUNT_OF(texts));
}

enum err timeline_index(struct ctx *cx, struct event *event)
{
    event->words = timeline_words(cx, event);
    return event->words.ptr ? OK : exhausted(cx);
}

/* Self-contained: it outlives the request. The texts are read when it is used. */
struct new_row {
    struct uuid tenant_id, id;
};

static enum err change_index(struct ctx *cx, const struct query *query, const struct event *event)
{
    const struct str words = timeline_words(cx, event);

    if (!words.ptr)
        return exhausted(cx);
    return db_run(cx, query, ARGS({"id", v_uuid(event->id)}, {"words", v_text(words)}));
}

static enum err index_new_rows(struct ctx *cx, const void *items, size_t count)
{
    const struct new_row *rows = items;
    struct ctx own = *cx;
    enum err result = OK;

    own.arena = arena_new(REQUEST_ARENA_MAX);
    if (!own.arena)
        return error_set(cx->error, ERR_UNAVAILABLE, "The server has no memory left.");
    for (size_t i = 0; i < count && result == OK; i++) {
        struct event event = {.id = UUID_NONE};
        bool there;

        own.actor.tenant_id = rows[i].tenant_id;
        result = db_find(&own, &sql_event_texts, ARGS({"id", v_uuid(rows[i].id)}), &event_record,
                         &event, &there);
        event.id = rows[i].id;
        if (result == OK && there)
            result = change_index(&own, &sql_event_words_add, &event);
        arena_reset(own.arena);
    }
    arena_free(own.arena);
    return result;
}

enum err timeline_words_add(struct ctx *cx, const struct event *event)
{
    const struct new_row row = {cx->actor.tenant_id, event->id};

    return db_is_postgres(cx) ? OK : db_defer(cx, index_new_rows, &row, sizeof(row));
}

enum err timeline_words_remove(struct ctx *cx, const struct event *event)
{
    return change_index(cx, &sql_event_words_remove, event);
}
