#include "app/timeline/seal.h"

#include "app/timeline/seal_sql.h"
#include "base/buf.h"
#include "db/notice.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* What is hashed, byte for byte. A hash is SHA-256 over a row of parts. A part is its length
 * in four bytes, highest first, and then so many bytes; where there is no value (null), four
 * bytes of 255 and nothing. Values:
 *
 *     text, JSON   the bytes as they came, UTF-8
 *     names        of an enum: the name
 *     id           16 bytes
 *     boolean      one byte, 0 or 1
 *     number       8 bytes, highest first
 *     time         a number: microseconds since 1970-01-01 UTC
 *     hash, salt   32, 16 bytes
 *
 * Text hash: "touchpoint text 1", salt, title, description, payload, metadata.
 *
 * Content hash: "touchpoint event 1", tenant_id, id, contact_id, session_id, interaction_id,
 * subject_type, subject_id, event_type, category, priority, source, triggered_by,
 * integration_source, addressee_type, addressee_id, is_realtime, visible_to_client,
 * visible_to_agent, expires_at, occurred_at, created_at, text hash.
 *
 * Link: "touchpoint seal 1", the link before (32 zero bytes before the first), number,
 * event id, expires_at, content hash. */

/* Hashing */

#define NULL_PART UINT32_MAX

/* Parts are collected: most have a few bytes, and each call costs as much as hashing them. */
struct hashing {
    crypto_hash_sha256_state state;
    size_t used;
    uint8_t bytes[512];
};

static void put(struct hashing *hashing, const void *bytes, size_t size)
{
    if (size > sizeof hashing->bytes - hashing->used) {
        (void)crypto_hash_sha256_update(&hashing->state, hashing->bytes, hashing->used);
        hashing->used = 0;
    }
    if (size > sizeof hashing->bytes) {
        (void)crypto_hash_sha256_update(&hashing->state, bytes, size);
        return;
    }
    memcpy(hashing->bytes + hashing->used, bytes, size);
    hashing->used += size;
}

static void put_length(struct hashing *hashing, uint32_t length)
{
    const uint8_t bytes[4] = {(uint8_t)(length >> 24), (uint8_t)(length >> 16),
                              (uint8_t)(length >> 8), (uint8_t)length};

    put(hashing, bytes, sizeof bytes);
}

static void put_bytes(struct hashing *hashing, const void *bytes, size_t size)
{
    put_length(hashing, (uint32_t)size);
    put(hashing, bytes, size);
}

static void put_text(struct hashing *hashing, struct str text)
{
    if (text.ptr == NULL)
        put_length(hashing, NULL_PART);
    else
        put_bytes(hashing, text.ptr, text.len);
}

static void put_uuid(struct hashing *hashing, struct uuid id)
{
    if (uuid_is_none(id))
        put_length(hashing, NULL_PART);
    else
        put_bytes(hashing, id.bytes, sizeof id.bytes);
}

static void put_name(struct hashing *hashing, const struct enum_names *names, int value)
{
    const char *name = enum_name(names, value);

    put_text(hashing, name != NULL ? str_of(name) : STR_NULL);
}

static void put_bool(struct hashing *hashing, bool value)
{
    const uint8_t byte = value ? 1 : 0;

    put_bytes(hashing, &byte, 1);
}

static void put_int(struct hashing *hashing, int64_t value)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)value >> (56 - 8 * i));
    put_bytes(hashing, bytes, sizeof bytes);
}

static void put_maybe_int(struct hashing *hashing, struct maybe_int value)
{
    if (value.set)
        put_int(hashing, value.value);
    else
        put_length(hashing, NULL_PART);
}

static void begin(struct hashing *hashing, struct str what)
{
    (void)crypto_hash_sha256_init(&hashing->state);
    hashing->used = 0;
    put_text(hashing, what);
}

static void end(struct hashing *hashing, uint8_t out[HASH_BYTES])
{
    (void)crypto_hash_sha256_update(&hashing->state, hashing->bytes, hashing->used);
    (void)crypto_hash_sha256_final(&hashing->state, out);
}

void seal_text_hash(const struct event *event, uint8_t out[HASH_BYTES])
{
    struct hashing hashing;

    begin(&hashing, STR("touchpoint text 1"));
    put_text(&hashing, event->salt);
    put_text(&hashing, event->title);
    put_text(&hashing, event->description);
    put_text(&hashing, event->payload);
    put_text(&hashing, event->metadata);
    end(&hashing, out);
}

void seal_content_hash(struct uuid tenant_id, const struct event *event,
                       const uint8_t text_hash[HASH_BYTES], uint8_t out[HASH_BYTES])
{
    struct hashing hashing;

    begin(&hashing, STR("touchpoint event 1"));
    put_uuid(&hashing, tenant_id);
    put_uuid(&hashing, event->id);
    put_uuid(&hashing, event->contact_id);
    put_uuid(&hashing, event->session_id);
    put_uuid(&hashing, event->interaction_id);
    put_text(&hashing, event->subject_type);
    put_uuid(&hashing, event->subject_id);
    put_text(&hashing, event->event_type);
    put_name(&hashing, &event_categories, event->category);
    put_name(&hashing, &event_priorities, event->priority);
    put_name(&hashing, &event_sources, event->source);
    put_uuid(&hashing, event->triggered_by);
    put_text(&hashing, event->integration_source);
    put_name(&hashing, &event_addressees, event->addressee_type);
    put_uuid(&hashing, event->addressee_id);
    put_bool(&hashing, event->is_realtime);
    put_bool(&hashing, event->visible_to_client);
    put_bool(&hashing, event->visible_to_agent);
    put_maybe_int(&hashing, event->expires_at);
    put_int(&hashing, event->occurred_at);
    put_int(&hashing, event->created_at);
    put_bytes(&hashing, text_hash, HASH_BYTES);
    end(&hashing, out);
}

void seal_link(const uint8_t before[HASH_BYTES], int64_t number, struct uuid event_id,
               struct maybe_int expires_at, const uint8_t content_hash[HASH_BYTES],
               uint8_t out[HASH_BYTES])
{
    struct hashing hashing;

    begin(&hashing, STR("touchpoint seal 1"));
    put_bytes(&hashing, before, HASH_BYTES);
    put_int(&hashing, number);
    put_uuid(&hashing, event_id);
    put_maybe_int(&hashing, expires_at);
    put_bytes(&hashing, content_hash, HASH_BYTES);
    end(&hashing, out);
}

static void hash_event(struct uuid tenant_id, const struct event *event, uint8_t out[HASH_BYTES])
{
    uint8_t text_hash[HASH_BYTES];

    if (event->text_hash.len == HASH_BYTES)
        memcpy(text_hash, event->text_hash.ptr, HASH_BYTES);
    else
        seal_text_hash(event, text_hash);
    seal_content_hash(tenant_id, event, text_hash, out);
}

static struct str hash_str(const uint8_t hash[HASH_BYTES])
{
    return (struct str){(const char *)hash, HASH_BYTES};
}

/* Links */

struct link {
    const struct unsealed *event;
    int64_t row; /* of unsealed_events */
    /* Before they are linked: where the tenant's chain ends. */
    int64_t number;
    uint8_t hash[HASH_BYTES];
};

static enum err no_memory(struct ctx *cx)
{
    return error_set(cx->error, ERR_UNAVAILABLE, "The server has no memory left.");
}

/* By tenant, and in a tenant as they were written: they stand in one array. */
static int compare_links(const void *left, const void *right)
{
    const struct link *a = left, *b = right;
    const int tenants = uuid_compare(a->event->tenant_id, b->event->tenant_id);

    if (tenants != 0)
        return tenants;
    return (a->event > b->event) - (a->event < b->event);
}

static bool same_tenant(const struct link *a, const struct link *b)
{
    return uuid_equal(a->event->tenant_id, b->event->tenant_id);
}

static bool is_first(const struct link *links, size_t i)
{
    return i == 0 || !same_tenant(&links[i - 1], &links[i]);
}

static bool is_last(const struct link *links, size_t count, size_t i)
{
    return i + 1 == count || !same_tenant(&links[i], &links[i + 1]);
}

static void link_to(const struct link *before, struct link *link)
{
    const struct unsealed *event = link->event;
    uint8_t hash[HASH_BYTES];

    link->number = before->number + 1;
    seal_link(before->hash, link->number, event->event_id, event->expires_at, event->content_hash,
              hash);
    memcpy(link->hash, hash, HASH_BYTES);
}

static enum err tell(struct ctx *cx, const struct link *link)
{
    return db_notify(cx, &(struct notice){.kind = NOTICE_SEALED,
                                          .tenant_id = link->event->tenant_id,
                                          .number = link->number,
                                          .event_id = link->event->event_id,
                                          .timeline_id = link->event->timeline_id,
                                          .addressee_id = link->event->addressee_id,
                                          .subject_id = link->event->subject_id});
}

/* Where the chain ends now, of each tenant once; and who waits for it is told. */
static enum err put_ends(struct ctx *cx, const struct link *links, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        TRY(tell(cx, &links[i]));
        if (is_last(links, count, i))
            TRY(db_run(cx, &sql_chain_put,
                       ARGS({"tenant", v_uuid(links[i].event->tenant_id)},
                            {"number", v_int(links[i].number)},
                            {"hash", v_bytes(hash_str(links[i].hash))})));
    }
    return OK;
}

/* Sealed by the commit that writes them (SQLite) */

struct chain {
    int64_t number;
    struct str hash;
};

static const struct field chain_fields[] = {
    FIELD(chain, number, F_INT, 0),
    FIELD(chain, hash, F_TEXT, 0),
};
static const struct record chain_record = RECORD(chain, chain_fields);

static enum err take_end(struct ctx *cx, struct link *link, int64_t number, struct str hash)
{
    link->number = number;
    memset(link->hash, 0, HASH_BYTES); /* the chain's beginning */
    if (hash.ptr == NULL)
        return OK;
    if (hash.len != HASH_BYTES)
        return error_set(cx->error, ERR_INTERNAL, "A hash in the store has another size.");
    memcpy(link->hash, hash.ptr, HASH_BYTES);
    return OK;
}

static enum err read_end(struct ctx *cx, struct link *link)
{
    struct chain chain;
    bool found;

    TRY(db_find(cx, &sql_chain_get, ARGS({"tenant", v_uuid(link->event->tenant_id)}), &chain_record,
                &chain, &found));
    return take_end(cx, link, chain.number, chain.hash);
}

static enum err add_seal(struct ctx *cx, const struct link *link)
{
    const struct unsealed *event = link->event;

    return db_run(cx, &sql_seal_add,
                  ARGS({"tenant", v_uuid(event->tenant_id)}, {"number", v_int(link->number)},
                       {"event_id", v_uuid(event->event_id)},
                       {"content_hash", v_bytes(hash_str(event->content_hash))},
                       {"expires_at", v_maybe_time(event->expires_at)},
                       {"hash", v_bytes(hash_str(link->hash))}));
}

static enum err seal_batch(struct ctx *cx, const void *items, size_t count)
{
    const struct unsealed *events = items;
    struct link *links = ARENA_ARRAY(cx->arena, count, struct link);

    if (links == NULL)
        return no_memory(cx);
    for (size_t i = 0; i < count; i++)
        links[i].event = &events[i];
    qsort(links, count, sizeof *links, compare_links);
    for (size_t i = 0; i < count; i++) {
        if (is_first(links, i))
            TRY(read_end(cx, &links[i]));
        link_to(is_first(links, i) ? &links[i] : &links[i - 1], &links[i]);
        TRY(add_seal(cx, &links[i]));
    }
    return put_ends(cx, links, count);
}

enum err seal_later(struct ctx *cx, const struct event *event)
{
    struct unsealed unsealed = {.tenant_id = cx->actor.tenant_id,
                                .event_id = event->id,
                                .expires_at = event->expires_at,
                                .timeline_id = event->timeline_id,
                                .addressee_id = event->addressee_id,
                                .subject_id = event->subject_id};

    hash_event(unsealed.tenant_id, event, unsealed.content_hash);
    if (!db_is_postgres(cx))
        return db_defer(cx, seal_batch, &unsealed, sizeof unsealed);
    TRY(db_run(cx, &sql_unsealed_add,
               ARGS({"event_id", v_uuid(unsealed.event_id)},
                    {"content_hash", v_bytes(hash_str(unsealed.content_hash))},
                    {"expires_at", v_maybe_time(unsealed.expires_at)},
                    {"timeline_id", v_uuid(unsealed.timeline_id)},
                    {"addressee_id", v_uuid(unsealed.addressee_id)},
                    {"subject_id", v_uuid(unsealed.subject_id)})));
    return db_notify(cx,
                     &(struct notice){.kind = NOTICE_WRITTEN, .tenant_id = cx->actor.tenant_id});
}

/* Sealed afterwards: all on PostgreSQL, and what an older program wrote */

struct waiting {
    int64_t row;
    struct uuid tenant_id, event_id;
    struct str content_hash;
    struct maybe_int expires_at;
    struct uuid timeline_id, addressee_id, subject_id;
    struct maybe_int number; /* where the tenant's chain ends; null before it has begun */
    struct str hash;
};

static const struct field waiting_fields[] = {
    FIELD(waiting, row, F_INT, 0),
    FIELD(waiting, tenant_id, F_UUID, 0),
    FIELD(waiting, event_id, F_UUID, 0),
    FIELD(waiting, content_hash, F_TEXT, NULLABLE),
    FIELD(waiting, expires_at, F_TIME, NULLABLE),
    FIELD(waiting, timeline_id, F_UUID, NULLABLE),
    FIELD(waiting, addressee_id, F_UUID, NULLABLE),
    FIELD(waiting, subject_id, F_UUID, NULLABLE),
    FIELD(waiting, number, F_INT, NULLABLE),
    FIELD(waiting, hash, F_TEXT, NULLABLE),
};
static const struct record waiting_record = RECORD(waiting, waiting_fields);

/* Reads an event that was written without a hash, and gives it its salt. */
static enum err hash_late(struct ctx *cx, const struct waiting *row, struct unsealed *out,
                          bool *found)
{
    uint8_t salt[SALT_BYTES];
    struct event event;

    TRY(db_find(cx, &sql_sealed_event_get,
                ARGS({"tenant", v_uuid(row->tenant_id)}, {"id", v_uuid(row->event_id)}),
                &event_record, &event, found));
    if (!*found)
        return OK;
    if (event.salt.ptr == NULL && event.text_hash.ptr == NULL) {
        id_source_random(cx->ids, salt, sizeof salt);
        event.salt = (struct str){(const char *)salt, sizeof salt};
        TRY(db_run(cx, &sql_event_salt,
                   ARGS({"tenant", v_uuid(row->tenant_id)}, {"id", v_uuid(row->event_id)},
                        {"salt", v_bytes(event.salt)})));
    }
    hash_event(row->tenant_id, &event, out->content_hash);
    out->timeline_id = event.timeline_id;
    out->addressee_id = event.addressee_id;
    out->subject_id = event.subject_id;
    return db_run(
        cx, &sql_unsealed_hash,
        ARGS({"row", v_int(row->row)}, {"content_hash", v_bytes(hash_str(out->content_hash))}));
}

/* The event's texts, which may be long, do not stay in the arena. */
static enum err hash_late_aside(struct ctx *cx, const struct waiting *row, struct unsealed *out,
                                bool *found)
{
    struct arena *const arena = cx->arena;
    struct arena *const texts = arena_new(REQUEST_ARENA_MAX);
    enum err result;

    if (texts == NULL)
        return no_memory(cx);
    cx->arena = texts;
    result = hash_late(cx, row, out, found);
    cx->arena = arena;
    arena_free(texts);
    return result;
}

static enum err take_waiting(struct ctx *cx, const struct waiting *row, struct unsealed *event,
                             struct link *link, bool *found)
{
    *event = (struct unsealed){.tenant_id = row->tenant_id,
                               .event_id = row->event_id,
                               .expires_at = row->expires_at,
                               .timeline_id = row->timeline_id,
                               .addressee_id = row->addressee_id,
                               .subject_id = row->subject_id};
    *link = (struct link){.event = event, .row = row->row};
    *found = true;
    if (row->content_hash.len == HASH_BYTES)
        memcpy(event->content_hash, row->content_hash.ptr, HASH_BYTES);
    else
        TRY(hash_late_aside(cx, row, event, found));
    return take_end(cx, link, row->number.value, row->hash);
}

/* All seals in one statement, of exactly the rows that were read. */
static enum err move_rows(struct ctx *cx, const struct link *links, size_t count)
{
    const size_t max = 24 * count + 2; /* the digits of a number, and a comma */
    struct buf rows, numbers;
    uint8_t *hashes = arena_array(cx->arena, count, HASH_BYTES);

    if (hashes == NULL)
        return no_memory(cx);
    buf_init(&rows, cx->arena, max);
    buf_init(&numbers, cx->arena, max);
    for (size_t i = 0; i < count; i++) {
        buf_add_char(&rows, i == 0 ? '[' : ',');
        buf_add_int(&rows, links[i].row);
        buf_add_char(&numbers, i == 0 ? '[' : ',');
        buf_add_int(&numbers, links[i].number);
        memcpy(hashes + HASH_BYTES * i, links[i].hash, HASH_BYTES);
    }
    buf_add_char(&rows, ']');
    buf_add_char(&numbers, ']');
    if (buf_failed(&rows) || buf_failed(&numbers))
        return no_memory(cx);
    TRY(db_run(cx, &sql_seals_add,
               ARGS({"rows", v_text(buf_str(&rows))}, {"numbers", v_text(buf_str(&numbers))},
                    {"hashes", v_bytes((struct str){(char *)hashes, HASH_BYTES * count})})));
    return db_run(cx, &sql_unsealed_remove, ARGS({"rows", v_text(buf_str(&rows))}));
}

static enum err seal_rows(struct ctx *cx, const struct list *rows)
{
    struct unsealed *events = ARENA_ARRAY(cx->arena, rows->count, struct unsealed);
    struct link *links = ARENA_ARRAY(cx->arena, rows->count, struct link);
    size_t count = 0;

    if (events == NULL || links == NULL)
        return no_memory(cx);
    for (size_t i = 0; i < rows->count; i++) {
        const struct waiting *row = LIST_AT(*rows, struct waiting, i);
        bool found;

        TRY(take_waiting(cx, row, &events[count], &links[count], &found));
        if (found)
            count++;
        else /* erased before it ever had a number */
            TRY(db_run(cx, &sql_unsealed_drop, ARGS({"row", v_int(row->row)})));
    }
    if (count == 0)
        return OK;
    qsort(links, count, sizeof *links, compare_links);
    for (size_t i = 0; i < count; i++)
        link_to(is_first(links, i) ? &links[i] : &links[i - 1], &links[i]);
    TRY(move_rows(cx, links, count));
    return put_ends(cx, links, count);
}

enum err seal_waiting(struct ctx *cx, int64_t limit, int64_t *done)
{
    struct list rows;
    bool mine;

    *done = 0;
    TRY(db_find(cx, &sql_sealing_turn, NO_ARGS, NULL, NULL, &mine));
    /* A new statement, which sees all that was committed before the turn came. */
    TRY(db_all(cx, &sql_unsealed_list, ARGS({"limit", v_int(limit)}), &waiting_record, &rows));
    if (rows.count > 0)
        TRY(seal_rows(cx, &rows));
    *done = (int64_t)rows.count;
    return OK;
}
