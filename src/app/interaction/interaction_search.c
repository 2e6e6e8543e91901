#include "app/interaction/interaction_parts.h"
#include "app/interaction/interaction_sql.h"

struct str interaction_words(struct ctx *cx, const struct interaction *interaction)
{
    const struct str texts[] = {interaction->subject, interaction->description};

    return search_words(cx, texts, COUNT_OF(texts));
}

/* --- Keeping it --------------------------------------------------------------------------- */

/* Self-contained: it outlives the request. The texts are read when it is used. */
struct new_row {
    struct uuid tenant_id, id;
};

static enum err change_index(struct ctx *cx, const struct query *query,
                             const struct interaction *interaction)
{
    const struct str words = interaction_words(cx, interaction);

    if (!words.ptr)
        return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
    return db_run(cx, query, ARGS({"id", v_uuid(interaction->id)}, {"words", v_text(words)}));
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
        struct interaction interaction;
        bool there;

        own.actor.tenant_id = rows[i].tenant_id;
        result = db_find(&own, &sql_interaction_texts, ARGS({"id", v_uuid(rows[i].id)}),
                         &interaction_row_record, &interaction, &there);
        if (result == OK && there)
            result = change_index(&own, &sql_interaction_words_add, &interaction);
        arena_reset(own.arena);
    }
    arena_free(own.arena);
    return result;
}

enum err interaction_index_new(struct ctx *cx, const struct interaction *interaction)
{
    const struct new_row row = {cx->actor.tenant_id, interaction->id};

    return db_is_postgres(cx) ? OK : db_defer(cx, index_new_rows, &row, sizeof(row));
}

enum err interaction_index_add(struct ctx *cx, const struct interaction *interaction)
{
    return change_index(cx, &sql_interaction_words_add, interaction);
}

enum err interaction_index_remove(struct ctx *cx, const struct interaction *interaction)
{
    return change_index(cx, &sql_interaction_words_remove, interaction);
}
