/* The audit: a history of every kind is found fine, and each of 1,000 random changes to what
 * was sealed is found, on both stores. TOUCHPOINT_TEST_SEED chooses other changes. */
#include "db/store_kit.h"

#include "app/tenant/tenant.h"
#include "app/timeline/audit.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_US INT64_C(1790000000000000)
#define HISTORY 60
#define CHANGES 1000
#define ROWS_MAX 2000

/* Statements: written with :names, made into a query once. */

#define QUERIES_MAX 128
#define PARAMS 8

struct made_query {
    char sqlite[2048], postgres[2048];
    char names[PARAMS][32];
    const char *params[PARAMS];
    char *text;
    struct query query;
};

static struct made_query *queries[QUERIES_MAX];
static size_t query_count;

static size_t param_number(struct made_query *made, const char *name, size_t len)
{
    size_t i;

    for (i = 0; i < made->query.param_count; i++) {
        if (strlen(made->names[i]) == len && strncmp(made->names[i], name, len) == 0)
            return i + 1;
    }
    must(i < PARAMS && len < sizeof made->names[i]);
    memcpy(made->names[i], name, len);
    made->params[i] = made->names[i];
    return ++made->query.param_count;
}

static const struct query *query_of(const char *text)
{
    struct made_query *made;
    size_t out = 0;

    for (size_t i = 0; i < query_count; i++) {
        if (strcmp(queries[i]->text, text) == 0)
            return &queries[i]->query;
    }
    must(query_count < QUERIES_MAX);
    made = queries[query_count++] = calloc(1, sizeof *made);
    must(made != NULL);
    made->text = strdup(text);
    for (const char *at = text; *at != '\0';) {
        must(out + 8 < sizeof made->sqlite);
        if (*at == ':') {
            const size_t len = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz_");
            const size_t number = param_number(made, at + 1, len);

            snprintf(made->sqlite + out, 8, "?%zu", number);
            snprintf(made->postgres + out, 8, "$%zu", number);
            out += strlen(made->sqlite + out);
            at += 1 + len;
        } else {
            made->sqlite[out] = made->postgres[out] = *at++;
            out++;
        }
    }
    made->query.name = "test";
    made->query.sqlite = made->sqlite;
    made->query.postgres = made->postgres;
    made->query.params = made->params;
    made->query.writes = strncmp(text, "SELECT", 6) != 0;
    return &made->query;
}

static void free_queries(void)
{
    for (size_t i = 0; i < query_count; i++) {
        free(queries[i]->text);
        free(queries[i]);
    }
}

static void sql(struct ctx *cx, const char *text, struct args args)
{
    if (db_run(cx, query_of(text), args) != OK) {
        fprintf(stderr, "%s: %s\n", text, cx->error->detail);
        must(false);
    }
}

/* Chance */

struct chance {
    uint64_t state;
};

static uint64_t next(struct chance *chance)
{
    uint64_t z = (chance->state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static size_t pick(struct chance *chance, size_t count)
{
    return (size_t)(next(chance) % count);
}

static struct uuid any_uuid(struct chance *chance)
{
    struct uuid id;

    for (size_t i = 0; i < sizeof id.bytes; i++)
        id.bytes[i] = (uint8_t)next(chance);
    return id;
}

/* The history */

struct row {
    int64_t number;
    struct uuid event_id;
    struct str content_hash, hash;
    struct maybe_int expires_at;
    bool present, redacted;
    struct event event;
};

struct world {
    struct test_store *store;
    struct uuid tenant_id, other_id;
    uint64_t seed;
    int64_t events;
    struct checkpoint checkpoint;
    uint8_t key[AUDIT_SECRET_KEY_BYTES];
    char texts[2 * (HASH_BYTES + AUDIT_PUBLIC_KEY_BYTES + AUDIT_SIGNATURE_BYTES)];
    struct row *rows; /* of tenant_id's chain */
    size_t count;
    struct audit_result result;
    enum err (*ask)(struct ctx *cx, struct world *world);
};

static const struct field row_fields[] = {
    FIELD(row, number, F_INT, 0),
    FIELD(row, event_id, F_UUID, 0),
    FIELD(row, content_hash, F_TEXT, 0),
    FIELD(row, hash, F_TEXT, 0),
    FIELD(row, expires_at, F_TIME, NULLABLE),
};
static const struct record seal_record = RECORD(row, row_fields);

static void act_for(struct ctx *cx, struct uuid tenant_id)
{
    cx->now_us = NOW_US;
    cx->actor = (struct actor){.role = ROLE_ADMIN, .tenant_id = tenant_id, .user_id = {{7}}};
}

static enum err make_tenants(struct ctx *cx, void *context)
{
    struct world *world = context;
    struct tenant_founded made = {0};
    const struct tenant_founding first = {.tenant = {.name = STR("Acme")}};
    const struct tenant_founding second = {.tenant = {.name = STR("Other")}};

    cx->now_us = NOW_US - HOUR_US;
    TRY(tenant_found(cx, &first, &made));
    world->tenant_id = made.tenant.id;
    TRY(tenant_found(cx, &second, &made));
    world->other_id = made.tenant.id;
    return OK;
}

/* One event of a kind that its number decides. */
static enum err write_event(struct ctx *cx, int64_t i, struct event *event)
{
    char title[32];

    snprintf(title, sizeof title, "Event %lld", (long long)i);
    *event = (struct event){.event_type = STR("note_added"), .category = CATEGORY_NOTE};
    if (i % 5 != 4) {
        event->contact_id.bytes[0] = (uint8_t)(1 + i % 3);
        event->session_id.bytes[0] = (uint8_t)(i % 2);
    } else {
        event->subject_type = STR("user");
        event->subject_id.bytes[0] = 9;
        event->event_type = STR("user_updated");
        event->category = CATEGORY_SYSTEM;
    }
    if (i % 3 != 2) {
        event->title = str_copy(cx->arena, str_of(title));
        event->payload = STR("{ \"kept\": \"byte for byte\", \"n\": 1.0 }");
    }
    if (i % 4 == 1) {
        event->description = STR("Said – in words: ünïcode, and \"quotes\".");
        event->metadata = STR("{}");
        event->visible_to_client = true;
    }
    if (i % 6 == 3)
        event->expires_at = (struct maybe_int)SOME(NOW_US + (i % 4 == 3 ? -MINUTE_US : DAY_US));
    event->is_realtime = i % 7 == 0;
    event->integration_source = i % 8 == 2 ? STR("crm") : STR_NULL;
    event->interaction_id.bytes[3] = (uint8_t)(i % 9 == 0 ? 1 : 0);
    event->occurred_at = NOW_US - i * MINUTE_US;
    return timeline_record(cx, event);
}

static enum err write_erasure(struct ctx *cx, struct uuid id, const char *event_type)
{
    struct event event = {.subject_type = STR("contact_event"),
                          .subject_id = id,
                          .event_type = str_of(event_type),
                          .category = CATEGORY_SYSTEM};

    return timeline_record(cx, &event);
}

static void delete_event(struct ctx *cx, struct uuid id)
{
    sql(cx, "DELETE FROM contact_events WHERE tenant_id = :tenant_id AND id = :id",
        ARGS({"id", v_uuid(id)}));
}

static void redact(struct ctx *cx, const struct event *event)
{
    uint8_t hash[HASH_BYTES];

    seal_text_hash(event, hash);
    sql(cx,
        "UPDATE contact_events SET title = NULL, description = NULL, payload = NULL,"
        " metadata = NULL, salt = NULL, text_hash = :hash"
        " WHERE tenant_id = :tenant_id AND id = :id",
        ARGS({"id", v_uuid(event->id)}, {"hash", v_bytes((struct str){(char *)hash, HASH_BYTES})}));
}

/* Several transactions, so that the tenants' events come one between the other. */
static enum err write_some(struct ctx *cx, void *context)
{
    struct world *world = context;
    struct event event;

    act_for(cx, world->other_id);
    TRY(write_event(cx, world->events, &event));
    act_for(cx, world->tenant_id);
    for (int i = 0; i < 5; i++, world->events++)
        TRY(write_event(cx, world->events, &event));
    return OK;
}

static enum err seal_some(struct ctx *cx, void *context)
{
    int64_t *done = context;

    cx->now_us = NOW_US;
    cx->actor = (struct actor){0};
    return seal_waiting(cx, 1000, done);
}

static void seal_all(struct test_store *store)
{
    int64_t done = 1;

    while (done > 0)
        assert_int_equal(store_kit_run(store, TX_WRITE, seal_some, &done), OK);
}

static enum err read_row(struct ctx *cx, void *context, void *item)
{
    struct world *world = context;
    struct row *row = &world->rows[world->count];

    must(world->count < ROWS_MAX);
    *row = *(struct row *)item;
    row->content_hash = str_copy(cx->arena, row->content_hash);
    row->hash = str_copy(cx->arena, row->hash);
    TRY(db_find(cx,
                query_of("SELECT id, contact_id, session_id, interaction_id, subject_type,"
                         " subject_id, event_type, category, priority, title, description,"
                         " payload, metadata, source, triggered_by, integration_source,"
                         " addressee_type, addressee_id, is_realtime, visible_to_client,"
                         " visible_to_agent, expires_at, occurred_at, created_at, salt,"
                         " text_hash, timeline_id FROM contact_events"
                         " WHERE tenant_id = :tenant_id AND id = :id"),
                ARGS({"id", v_uuid(row->event_id)}), &event_record, &row->event, &row->present));
    row->redacted = row->present && row->event.salt.ptr == NULL;
    world->count++;
    return OK;
}

static void read_rows(struct ctx *cx, struct world *world)
{
    world->rows = arena_alloc(cx->arena, ROWS_MAX * sizeof *world->rows);
    world->count = 0;
    must(world->rows != NULL);
    must_equal(db_each(cx,
                       query_of("SELECT number, event_id, content_hash, hash, expires_at"
                                " FROM event_seals WHERE tenant_id = :tenant_id ORDER BY number"),
                       NO_ARGS, &seal_record, read_row, world),
               OK);
}

/* Some events are erased, some lose their texts, and some are gone since they expired. */
static enum err erase_some(struct ctx *cx, void *context)
{
    struct world *world = context;

    act_for(cx, world->tenant_id);
    read_rows(cx, world);
    for (size_t i = 0; i < world->count; i++) {
        const struct row *row = &world->rows[i];

        if (i % 10 == 6) {
            delete_event(cx, row->event_id);
            TRY(write_erasure(cx, row->event_id, "event_erased"));
        } else if (i % 10 == 2) {
            redact(cx, &row->event);
            TRY(write_erasure(cx, row->event_id, "event_redacted"));
        } else if (row->expires_at.set && row->expires_at.value <= NOW_US && i % 2 == 0) {
            delete_event(cx, row->event_id);
        }
    }
    return OK;
}

static enum err run_ask(struct ctx *cx, void *context)
{
    struct world *world = context;

    act_for(cx, world->tenant_id);
    read_rows(cx, world);
    TRY(audit_checkpoint(cx, world->key, &world->checkpoint));
    return world->ask(cx, world);
}

static void make_history(struct test_store *store, struct world *world, int64_t events)
{
    uint8_t public_key[AUDIT_PUBLIC_KEY_BYTES];
    const uint8_t seed[crypto_sign_SEEDBYTES] = {1, 2, 3};
    const char *chosen = getenv("TOUCHPOINT_TEST_SEED");

    *world = (struct world){.store = store, .seed = 20260105};
    if (chosen != NULL)
        world->seed = strtoull(chosen, NULL, 10);
    assert_int_equal(crypto_sign_seed_keypair(public_key, world->key, seed), 0);
    assert_int_equal(store_kit_run(store, TX_WRITE, make_tenants, world), OK);
    while (world->events < events)
        assert_int_equal(store_kit_run(store, TX_WRITE, write_some, world), OK);
    seal_all(store);
    assert_int_equal(store_kit_run(store, TX_WRITE, erase_some, world), OK);
    seal_all(store);
}

static void run(void **state, int64_t events, enum err (*ask)(struct ctx *cx, struct world *world))
{
    struct world world;

    make_history(*state, &world, events);
    world.ask = ask;
    assert_int_equal(store_kit_run(world.store, TX_WRITE, run_ask, &world), OK);
}

static struct audit_result verify(struct ctx *cx, const struct world *world)
{
    struct audit_result result;

    if (audit_verify(cx, &world->checkpoint, NULL, NULL, &result) != OK) {
        fprintf(stderr, "not verified: %s\n", cx->error->detail);
        must(false);
    }
    return result;
}

static void must_be_fine(struct ctx *cx, const struct world *world)
{
    const struct audit_result result = verify(cx, world);

    if (result.finding != AUDIT_FINE)
        fprintf(stderr, "number %" PRId64 ": %s\n", result.number, result.detail);
    must_equal(result.finding, AUDIT_FINE);
}

/* What is right is found right */

static enum err ask_fine(struct ctx *cx, struct world *world)
{
    struct audit_result result = verify(cx, world);
    int64_t stubs = 0, erased = 0;

    for (size_t i = 0; i < world->count; i++) {
        stubs += world->rows[i].present ? 0 : 1;
        erased += world->rows[i].redacted ? 1 : 0;
    }
    must_equal(result.finding, AUDIT_FINE);
    must_equal(result.verified, (int64_t)world->count);
    must(stubs > 5 && erased > 4);
    must_equal(result.stubs, stubs);
    must_equal(result.erased, erased);
    must_equal(result.waiting, 0);
    must_equal(audit_verify(cx, NULL, NULL, NULL, &result), OK);
    must_equal(result.finding, AUDIT_FINE);
    return OK;
}

static void test_a_history_of_every_kind_is_fine(void **state)
{
    run(state, HISTORY, ask_fine);
}

static enum err ask_marks(struct ctx *cx, struct world *world)
{
    static const char *const marks[] = {
        "delivered = NOT delivered", "read = NOT read",      "words = 'touchpoint test'",
        "delivered_at = created_at", "read_at = created_at", "timeline_id = id",
        "timeline_id = NULL",
    };
    char text[160];

    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        snprintf(text, sizeof text, "UPDATE contact_events SET %s WHERE tenant_id = :tenant_id",
                 marks[i]);
        sql(cx, text, NO_ARGS);
        must(db_changed(cx) > HISTORY / 2);
    }
    must_be_fine(cx, world);
    return OK;
}

static void test_marks_are_no_finding(void **state)
{
    run(state, HISTORY, ask_marks);
}

/* What is hidden as expired has to have expired. */
static enum err ask_hidden(struct ctx *cx, struct world *world)
{
    int hidden[2] = {0, 0};

    for (size_t i = 0; i < world->count; i++) {
        const struct row *row = &world->rows[i];
        const bool is_over = row->expires_at.set && row->expires_at.value <= NOW_US;
        struct audit_result result;

        if (!row->present)
            continue;
        must_equal(db_savepoint(cx), OK);
        sql(cx,
            "UPDATE contact_events SET expired = true WHERE tenant_id = :tenant_id AND id = :id",
            ARGS({"id", v_uuid(row->event_id)}));
        result = verify(cx, world);
        must_equal(result.finding, is_over ? AUDIT_FINE : AUDIT_CHANGED);
        must_equal(result.number, is_over ? 0 : row->number);
        hidden[is_over]++;
        must_equal(db_rollback_to(cx), OK);
    }
    must(hidden[0] > 0 && hidden[1] > 0);
    return OK;
}

static void test_what_is_hidden_before_its_time_is_found(void **state)
{
    run(state, HISTORY, ask_hidden);
}

/* The next from there that can be erased and redacted. */
static const struct row *next_whole(const struct world *world, size_t from)
{
    while (from < world->count && (!world->rows[from].present || world->rows[from].redacted ||
                                   world->rows[from].expires_at.set))
        from++;
    must(from < world->count);
    return &world->rows[from];
}

/* An erasure counts before it has its number: on PostgreSQL it waits for that a moment. */
static enum err ask_just_erased(struct ctx *cx, struct world *world)
{
    const struct row *erased = next_whole(world, 0);
    const struct row *redacted = next_whole(world, (size_t)(erased - world->rows) + 1);

    delete_event(cx, erased->event_id);
    TRY(write_erasure(cx, erased->event_id, "event_erased"));
    redact(cx, &redacted->event);
    return write_erasure(cx, redacted->event_id, "event_redacted");
}

static enum err ask_not_missed(struct ctx *cx, struct world *world)
{
    const struct audit_result result = verify(cx, world);

    must_be_fine(cx, world);
    must_equal(result.waiting, world->store->is_postgres ? 2 : 0);
    return OK;
}

static void test_an_erasure_that_waits_for_its_seal_counts(void **state)
{
    struct world world;

    make_history(*state, &world, HISTORY);
    world.ask = ask_just_erased;
    assert_int_equal(store_kit_run(world.store, TX_WRITE, run_ask, &world), OK);
    world.ask = ask_not_missed;
    assert_int_equal(store_kit_run(world.store, TX_WRITE, run_ask, &world), OK);
    seal_all(world.store);
    world.ask = ask_fine;
    assert_int_equal(store_kit_run(world.store, TX_WRITE, run_ask, &world), OK);
}

static enum err ask_time(struct ctx *cx, struct world *world)
{
    const struct row *expiring;
    struct audit_result result;
    size_t rest = world->count;

    while (rest > 0 && (!world->rows[rest - 1].present || !world->rows[rest - 1].expires_at.set ||
                        world->rows[rest - 1].expires_at.value <= NOW_US))
        rest--;
    must(rest > 0);
    expiring = &world->rows[rest - 1];
    delete_event(cx, expiring->event_id);
    cx->now_us = expiring->expires_at.value - 1;
    result = verify(cx, world);
    must_equal(result.finding, AUDIT_REMOVED);
    must_equal(result.number, expiring->number);
    must(uuid_equal(result.event_id, expiring->event_id));
    cx->now_us++;
    must_be_fine(cx, world);
    return OK;
}

static void test_an_event_may_go_once_it_has_expired(void **state)
{
    run(state, HISTORY, ask_time);
}

/* Checkpoints */

static enum err ask_checkpoint(struct ctx *cx, struct world *world)
{
    const struct checkpoint made = world->checkpoint;
    struct checkpoint changed = made;
    struct audit_result result;
    char fingerprint[AUDIT_FINGERPRINT_TEXT];
    char hex[129] = "";

    must_equal(made.number, (int64_t)world->count);
    must(audit_checkpoint_holds(&made));
    audit_fingerprint(&made, fingerprint);
    must_equal(strlen(fingerprint), 32u);
    changed.number--;
    must(!audit_checkpoint_holds(&changed));
    must_equal(audit_verify(cx, &changed, NULL, NULL, &result), ERR_INVALID);
    changed = made;
    changed.made_at++;
    must(!audit_checkpoint_holds(&changed));
    changed = made;
    changed.tenant_id = world->other_id;
    must(!audit_checkpoint_holds(&changed));
    must_equal(audit_verify(cx, &changed, NULL, NULL, &result), ERR_INVALID);
    for (int which = 0; which < 3; which++) {
        struct str *text;

        changed = made;
        text = which == 0 ? &changed.hash : which == 1 ? &changed.public_key : &changed.signature;
        memcpy(hex, text->ptr, text->len);
        hex[5] = hex[5] == '0' ? '1' : '0';
        text->ptr = hex;
        must(!audit_checkpoint_holds(&changed));
        text->len -= 2;
        must(!audit_checkpoint_holds(&changed));
        *text = STR_NULL;
        must(!audit_checkpoint_holds(&changed));
    }
    /* The other tenant's own holds, and what is changed here is none of its business. */
    delete_event(cx, world->rows[3].event_id);
    act_for(cx, world->other_id);
    must_equal(audit_checkpoint(cx, world->key, &world->checkpoint), OK);
    must_be_fine(cx, world);
    /* And one that has no events yet. */
    act_for(cx, (struct uuid){{5}});
    must_equal(audit_checkpoint(cx, world->key, &world->checkpoint), OK);
    must_equal(world->checkpoint.number, 0);
    must_be_fine(cx, world);
    return OK;
}

static void test_a_checkpoint_is_signed(void **state)
{
    run(state, HISTORY, ask_checkpoint);
}

/* What is wrong is found */

enum kind {
    KIND_UUID,
    KIND_NEEDED_UUID,
    KIND_TEXT,
    KIND_NEEDED_TEXT,
    KIND_NAME,
    KIND_MAYBE_NAME,
    KIND_BOOL,
    KIND_TIME,
    KIND_MAYBE_TIME,
    KIND_BYTES
};

struct column {
    const char *name;
    enum kind kind;
    size_t offset; /* in struct event */
    const struct enum_names *names;
};

#define COLUMN(name, kind)                                                                         \
    {                                                                                              \
#name, kind, offsetof(struct event, name), NULL                                            \
    }
#define NAMES(name, kind, names)                                                                   \
    {                                                                                              \
#name, kind, offsetof(struct event, name), names                                           \
    }

static const struct column columns[] = {
    COLUMN(id, KIND_NEEDED_UUID),
    COLUMN(contact_id, KIND_UUID),
    COLUMN(session_id, KIND_UUID),
    COLUMN(interaction_id, KIND_UUID),
    COLUMN(subject_type, KIND_TEXT),
    COLUMN(subject_id, KIND_UUID),
    COLUMN(event_type, KIND_NEEDED_TEXT),
    NAMES(category, KIND_NAME, &event_categories),
    NAMES(priority, KIND_NAME, &event_priorities),
    COLUMN(title, KIND_TEXT),
    COLUMN(description, KIND_TEXT),
    COLUMN(payload, KIND_TEXT),
    COLUMN(metadata, KIND_TEXT),
    NAMES(source, KIND_NAME, &event_sources),
    COLUMN(triggered_by, KIND_UUID),
    COLUMN(integration_source, KIND_TEXT),
    NAMES(addressee_type, KIND_MAYBE_NAME, &event_addressees),
    COLUMN(addressee_id, KIND_UUID),
    COLUMN(is_realtime, KIND_BOOL),
    COLUMN(visible_to_client, KIND_BOOL),
    COLUMN(visible_to_agent, KIND_BOOL),
    COLUMN(expires_at, KIND_MAYBE_TIME),
    COLUMN(occurred_at, KIND_TIME),
    COLUMN(created_at, KIND_TIME),
    COLUMN(salt, KIND_BYTES),
    COLUMN(text_hash, KIND_BYTES),
};

struct change {
    struct ctx *cx;
    struct world *world;
    struct chance chance;
    char what[160];
    /* The row that it is to be found at, or (`at_most`) at one before; 0: at any. */
    int64_t number;
    bool at_most;
};

static const struct row *any_row(struct change *change)
{
    return &change->world->rows[pick(&change->chance, change->world->count)];
}

static const struct row *any_present(struct change *change)
{
    const struct row *row;

    do
        row = any_row(change);
    while (!row->present);
    return row;
}

/* One that may not just be deleted. */
static const struct row *any_bound(struct change *change)
{
    const struct row *row;

    do
        row = any_present(change);
    while (row->expires_at.set && row->expires_at.value <= NOW_US);
    return row;
}

static const struct row *any_stub(struct change *change)
{
    const struct row *row;

    do
        row = any_row(change);
    while (row->present);
    return row;
}

/* Its number is to be named. What an erasure covers comes before it, and is found first. */
static void expect(struct change *change, const struct row *row)
{
    change->number = row->number;
    change->at_most = str_is(row->event.subject_type, "contact_event");
}

/* Another text than the one that is there, or null. */
static struct value other_text(struct change *change, struct str text, bool needed)
{
    struct arena *arena = change->cx->arena;
    struct str copy = str_copy(arena, text);
    const size_t how = pick(&change->chance, needed ? 3 : 4);
    char *longer;

    if (text.ptr == NULL)
        return v_text(how == 0 ? STR("") : how == 1 ? STR("{}") : STR("put in"));
    if (how == 3)
        return v_text(STR_NULL);
    if (how == 0 && text.len > 0) {
        char *byte = (char *)(uintptr_t)&copy.ptr[pick(&change->chance, text.len)];

        if (*byte > ' ') {
            *byte = *byte == 'x' ? 'y' : 'x';
            return v_text(copy);
        }
    }
    if (how == 1 && text.len > 1 && (unsigned char)text.ptr[text.len - 1] < 128)
        return v_text(str_slice(text, 0, text.len - 1));
    longer = arena_alloc(arena, text.len + 1);
    memcpy(longer, text.ptr, text.len);
    longer[text.len] = ' ';
    return v_text((struct str){longer, text.len + 1});
}

static struct value other_bytes(struct change *change, struct str bytes, size_t size)
{
    char *made = arena_alloc(change->cx->arena, size);

    if (bytes.ptr != NULL && pick(&change->chance, 3) == 0)
        return v_bytes(STR_NULL);
    if (bytes.ptr != NULL)
        memcpy(made, bytes.ptr, bytes.len);
    made[pick(&change->chance, size)] ^= (char)(1 << pick(&change->chance, 8));
    return v_bytes((struct str){made, size});
}

static struct value other_name(struct change *change, const struct enum_names *names, int value,
                               bool maybe)
{
    if (maybe && value != 0 && pick(&change->chance, 3) == 0)
        return v_text(STR_NULL);
    if (pick(&change->chance, 4) == 0)
        return v_text(STR("unheard of"));
    return v_enum(names, value == 0 ? 1 : 1 + value % (int)names->count);
}

static struct value other_value(struct change *change, const struct column *column,
                                const struct event *event)
{
    const void *member = (const char *)event + column->offset;
    const struct uuid *id = member;
    const struct maybe_int *maybe = member;
    const int64_t delta = 1 + (int64_t)pick(&change->chance, 1000000000);

    switch (column->kind) {
    case KIND_UUID:
        if (!uuid_is_none(*id) && pick(&change->chance, 2) == 0)
            return v_uuid(UUID_NONE);
        return v_uuid(any_uuid(&change->chance));
    case KIND_NEEDED_UUID:
        return v_uuid(any_uuid(&change->chance));
    case KIND_TEXT:
    case KIND_NEEDED_TEXT:
        return other_text(change, *(const struct str *)member, column->kind == KIND_NEEDED_TEXT);
    case KIND_NAME:
    case KIND_MAYBE_NAME:
        return other_name(change, column->names, *(const int *)member,
                          column->kind == KIND_MAYBE_NAME);
    case KIND_BOOL:
        return v_bool(!*(const bool *)member);
    case KIND_TIME:
        return v_time(*(const int64_t *)member + (delta % 2 == 0 ? delta : -delta));
    case KIND_MAYBE_TIME:
        if (maybe->set && pick(&change->chance, 2) == 0)
            return v_maybe_time((struct maybe_int){0});
        return v_time((maybe->set ? maybe->value : NOW_US) - delta);
    case KIND_BYTES:
        break;
    }
    return other_bytes(change, *(const struct str *)member,
                       strcmp(column->name, "salt") == 0 ? SALT_BYTES : HASH_BYTES);
}

static void edit_event(struct change *change)
{
    const struct column *column = &columns[pick(&change->chance, COUNT_OF(columns))];
    const struct row *row = any_present(change);
    char text[128];

    /* An expired event without its row would be right: another id hides it, and is found as
     * an event that was slipped in. */
    if (strcmp(column->name, "id") == 0)
        row = any_bound(change);
    snprintf(text, sizeof text,
             "UPDATE contact_events SET %s = :value WHERE tenant_id = :tenant_id AND id = :id",
             column->name);
    sql(change->cx, text,
        ARGS({"id", v_uuid(row->event_id)}, {"value", other_value(change, column, &row->event)}));
    snprintf(change->what, sizeof change->what, "edit of %s", column->name);
    expect(change, row);
}

static void remove_event(struct change *change)
{
    const struct row *row = any_bound(change);

    snprintf(change->what, sizeof change->what, "removal of an event");
    delete_event(change->cx, row->event_id);
    expect(change, row);
}

static void move_event(struct change *change)
{
    const struct row *row = any_bound(change);

    snprintf(change->what, sizeof change->what, "an event moved to another tenant");
    sql(change->cx,
        "UPDATE contact_events SET tenant_id = :other WHERE tenant_id = :tenant_id AND id = :id",
        ARGS({"id", v_uuid(row->event_id)}, {"other", v_uuid(change->world->other_id)}));
    expect(change, row);
}

#define COPIED                                                                                     \
    "tenant_id, contact_id, session_id, interaction_id, subject_type, subject_id, event_type,"     \
    " category, priority, title, description, payload, metadata, source, triggered_by,"            \
    " integration_source, addressee_type, addressee_id, is_realtime, visible_to_client,"           \
    " visible_to_agent, expires_at, occurred_at, created_at, salt, text_hash, timeline_id,"        \
    " delivered, delivered_at, read, read_at, expired"

static struct uuid copy_event(struct change *change)
{
    const struct row *row = any_present(change);
    const struct uuid id = any_uuid(&change->chance);

    sql(change->cx,
        "INSERT INTO contact_events (id, " COPIED ") SELECT :copy, " COPIED
        " FROM contact_events WHERE tenant_id = :tenant_id AND id = :id",
        ARGS({"id", v_uuid(row->event_id)}, {"copy", v_uuid(id)}));
    return id;
}

static void add_event(struct change *change)
{
    snprintf(change->what, sizeof change->what, "an event slipped in");
    copy_event(change);
}

static void add_erasure(struct change *change)
{
    const struct row *row = any_bound(change);
    const struct uuid id = copy_event(change);

    snprintf(change->what, sizeof change->what, "an erasure that was never sealed");
    sql(change->cx,
        "UPDATE contact_events SET subject_type = 'contact_event', subject_id = :gone,"
        " event_type = 'event_erased' WHERE tenant_id = :tenant_id AND id = :id",
        ARGS({"id", v_uuid(id)}, {"gone", v_uuid(row->event_id)}));
    delete_event(change->cx, row->event_id);
    expect(change, row);
}

static struct str hash_str(const uint8_t *hash)
{
    return (struct str){(const char *)hash, HASH_BYTES};
}

static void set_head(struct ctx *cx, int64_t number, struct str hash)
{
    sql(cx, "UPDATE event_chains SET number = :number, hash = :hash WHERE tenant_id = :tenant_id",
        ARGS({"number", v_int(number)}, {"hash", v_bytes(hash)}));
}

static void put_seal(struct ctx *cx, const struct row *row)
{
    sql(cx,
        "INSERT INTO event_seals (tenant_id, number, event_id, content_hash, expires_at, hash)"
        " VALUES (:tenant_id, :number, :event_id, :content_hash, :expires_at, :hash)",
        ARGS({"number", v_int(row->number)}, {"event_id", v_uuid(row->event_id)},
             {"content_hash", v_bytes(row->content_hash)},
             {"expires_at", v_maybe_time(row->expires_at)}, {"hash", v_bytes(row->hash)}));
}

static void remove_seals(struct ctx *cx, int64_t from)
{
    sql(cx, "DELETE FROM event_seals WHERE tenant_id = :tenant_id AND number >= :number",
        ARGS({"number", v_int(from)}));
}

/* As one who knows how the chain is made: the seals from `first` on (an index) are `rows`, with
 * numbers and hashes that follow. */
static void write_anew(struct change *change, size_t first, struct row *rows, size_t count)
{
    struct ctx *cx = change->cx;
    uint8_t hash[HASH_BYTES] = {0};

    if (first > 0)
        memcpy(hash, change->world->rows[first - 1].hash.ptr, HASH_BYTES);
    remove_seals(cx, (int64_t)first + 1);
    for (size_t i = 0; i < count; i++) {
        uint8_t next_hash[HASH_BYTES];

        rows[i].number = (int64_t)(first + i) + 1;
        seal_link(hash, rows[i].number, rows[i].event_id, rows[i].expires_at,
                  (const uint8_t *)rows[i].content_hash.ptr, next_hash);
        memcpy(hash, next_hash, HASH_BYTES);
        rows[i].hash = hash_str(hash);
        put_seal(cx, &rows[i]);
    }
    set_head(cx, (int64_t)(first + count), hash_str(hash));
}

/* The rows from `first` on, with room for one more. */
static struct row *copy_rows(struct change *change, size_t first)
{
    const size_t count = change->world->count - first;
    struct row *rows = arena_alloc(change->cx->arena, (count + 1) * sizeof *rows);

    memcpy(rows, change->world->rows + first, count * sizeof *rows);
    return rows;
}

/* An event is changed, and all that follows is made to agree. */
static void rewrite(struct change *change)
{
    const struct row *row = any_bound(change);
    const size_t first = (size_t)row->number - 1;
    struct row *rows = copy_rows(change, first);
    uint8_t text_hash[HASH_BYTES];
    uint8_t content_hash[HASH_BYTES];
    struct event event = row->event;

    snprintf(change->what, sizeof change->what, "the chain written anew");
    event.occurred_at++;
    if (row->redacted)
        memcpy(text_hash, event.text_hash.ptr, HASH_BYTES);
    else
        seal_text_hash(&event, text_hash);
    seal_content_hash(change->world->tenant_id, &event, text_hash, content_hash);
    rows[0].content_hash = hash_str(content_hash);
    sql(change->cx,
        "UPDATE contact_events SET occurred_at = :at WHERE tenant_id = :tenant_id AND id = :id",
        ARGS({"id", v_uuid(row->event_id)}, {"at", v_time(event.occurred_at)}));
    write_anew(change, first, rows, change->world->count - first);
}

/* An event is taken out, and all that follows moves up. */
static void close_gap(struct change *change)
{
    const struct row *row = any_bound(change);
    const size_t first = (size_t)row->number - 1;
    struct row *rows = copy_rows(change, first);

    snprintf(change->what, sizeof change->what, "an event taken out, and the gap closed");
    delete_event(change->cx, row->event_id);
    write_anew(change, first, rows + 1, change->world->count - first - 1);
}

/* An event is put in, and all that follows moves down. */
static void put_between(struct change *change)
{
    const struct row *row = any_present(change);
    const size_t first = (size_t)row->number - 1;
    struct row *rows = copy_rows(change, first);
    const struct uuid id = copy_event(change);

    snprintf(change->what, sizeof change->what, "an event put between, with its seal");
    memmove(rows + 1, rows, (change->world->count - first) * sizeof *rows);
    rows[0].event_id = id;
    write_anew(change, first, rows, change->world->count - first + 1);
}

/* At the end, with a seal that follows, but the chain's end is not told. */
static void put_behind(struct change *change)
{
    const struct row *last = &change->world->rows[change->world->count - 1];
    struct row row = *last;
    uint8_t hash[HASH_BYTES];

    snprintf(change->what, sizeof change->what, "an event put behind the end, with its seal");
    row.event_id = copy_event(change);
    row.number++;
    seal_link((const uint8_t *)last->hash.ptr, row.number, row.event_id, row.expires_at,
              (const uint8_t *)row.content_hash.ptr, hash);
    row.hash = hash_str(hash);
    put_seal(change->cx, &row);
    change->number = row.number;
}

static void cut(struct change *change)
{
    const size_t kept = pick(&change->chance, change->world->count);
    const bool told = pick(&change->chance, 3) != 0;
    const bool events = pick(&change->chance, 3) != 0;

    snprintf(change->what, sizeof change->what, "the end cut off%s%s", events ? ", events too" : "",
             told ? ", and the chain says so" : "");
    remove_seals(change->cx, (int64_t)kept + 1);
    for (size_t i = kept; events && i < change->world->count; i++)
        delete_event(change->cx, change->world->rows[i].event_id);
    if (told && kept > 0)
        set_head(change->cx, (int64_t)kept, change->world->rows[kept - 1].hash);
    else if (told)
        sql(change->cx, "DELETE FROM event_chains WHERE tenant_id = :tenant_id", NO_ARGS);
    /* Erasures are among what was cut: what they covered may be found before. */
    change->number = (int64_t)kept + 1;
    change->at_most = true;
}

static void remove_seal(struct change *change)
{
    const struct row *row = any_row(change);

    snprintf(change->what, sizeof change->what, "removal of a seal");
    sql(change->cx, "DELETE FROM event_seals WHERE tenant_id = :tenant_id AND number = :number",
        ARGS({"number", v_int(row->number)}));
    expect(change, row);
}

static void edit_seal(struct change *change)
{
    static const char *const names[] = {"number",     "event_id", "content_hash",
                                        "expires_at", "hash",     "tenant_id"};
    const size_t which = pick(&change->chance, COUNT_OF(names));
    const struct row *row = any_row(change);
    struct maybe_int expires_at = {0};
    struct value value;
    char text[128];

    if (!row->expires_at.set || pick(&change->chance, 2) == 0)
        expires_at = (struct maybe_int)SOME(NOW_US - 1 - (int64_t)pick(&change->chance, 1000000));
    if (row->expires_at.set && row->expires_at.value == expires_at.value)
        expires_at.value++;
    switch (which) {
    case 0:
        value = v_int(pick(&change->chance, 2) == 0 ? -row->number : row->number + 1000000);
        break;
    case 1:
        value = v_uuid(any_uuid(&change->chance));
        break;
    case 2:
        value = other_bytes(change, STR_NULL, HASH_BYTES);
        break;
    case 3:
        value = v_maybe_time(expires_at);
        break;
    case 4:
        value = other_bytes(change, STR_NULL, HASH_BYTES);
        break;
    default:
        value = v_uuid((struct uuid){{3}});
        break;
    }
    snprintf(change->what, sizeof change->what, "edit of a seal's %s", names[which]);
    snprintf(text, sizeof text,
             "UPDATE event_seals SET %s = :value WHERE tenant_id = :tenant_id AND number = :number",
             names[which]);
    sql(change->cx, text, ARGS({"number", v_int(row->number)}, {"value", value}));
    expect(change, row);
    change->at_most = change->at_most || which == 0;
}

static void edit_head(struct change *change)
{
    const struct row *last = &change->world->rows[change->world->count - 1];
    const int64_t delta = 1 + (int64_t)pick(&change->chance, 5);
    uint8_t hash[HASH_BYTES];

    memcpy(hash, last->hash.ptr, HASH_BYTES);
    snprintf(change->what, sizeof change->what, "edit of the chain's end");
    switch (pick(&change->chance, 4)) {
    case 0:
        set_head(change->cx, last->number + delta, last->hash);
        break;
    case 1:
        set_head(change->cx, last->number - delta, last->hash);
        break;
    case 2:
        hash[pick(&change->chance, HASH_BYTES)] ^= 1;
        set_head(change->cx, last->number, hash_str(hash));
        break;
    default:
        sql(change->cx, "DELETE FROM event_chains WHERE tenant_id = :tenant_id", NO_ARGS);
        break;
    }
}

static void rename_event(struct ctx *cx, struct uuid id, struct uuid other)
{
    sql(cx, "UPDATE contact_events SET id = :other WHERE tenant_id = :tenant_id AND id = :id",
        ARGS({"id", v_uuid(id)}, {"other", v_uuid(other)}));
}

static void swap_events(struct change *change)
{
    const struct uuid aside = any_uuid(&change->chance);
    const struct row *a = any_present(change);
    const struct row *b = a;

    while (b == a)
        b = any_present(change);
    snprintf(change->what, sizeof change->what, "two events swapped");
    rename_event(change->cx, a->event_id, aside);
    rename_event(change->cx, b->event_id, a->event_id);
    rename_event(change->cx, aside, b->event_id);
    expect(change, a->number < b->number ? a : b);
    change->at_most = true;
}

static void renumber(struct ctx *cx, int64_t from, int64_t to)
{
    sql(cx, "UPDATE event_seals SET number = :to WHERE tenant_id = :tenant_id AND number = :number",
        ARGS({"number", v_int(from)}, {"to", v_int(to)}));
}

static void swap_seals(struct change *change)
{
    const struct row *a = any_row(change);
    const struct row *b = a;

    while (b == a)
        b = any_row(change);
    snprintf(change->what, sizeof change->what, "two seals swapped");
    renumber(change->cx, a->number, -1);
    renumber(change->cx, b->number, a->number);
    renumber(change->cx, -1, b->number);
    expect(change, a->number < b->number ? a : b);
    change->at_most = true;
}

/* As a redaction does it, but without one. */
static void fake_redaction(struct change *change)
{
    const struct row *row;

    do
        row = any_present(change);
    while (row->redacted);
    snprintf(change->what, sizeof change->what, "texts cleared without an erasure");
    redact(change->cx, &row->event);
    expect(change, row);
}

static void fill_redaction(struct change *change)
{
    const struct row *row;

    do
        row = any_present(change);
    while (!row->redacted);
    snprintf(change->what, sizeof change->what, "texts put in the place of erased ones");
    sql(change->cx,
        "UPDATE contact_events SET title = 'Said something else'"
        " WHERE tenant_id = :tenant_id AND id = :id",
        ARGS({"id", v_uuid(row->event_id)}));
    expect(change, row);
}

static void set_expiry(struct change *change, const struct row *row, struct maybe_int expires_at)
{
    sql(change->cx,
        "UPDATE event_seals SET expires_at = :at WHERE tenant_id = :tenant_id AND number = :number",
        ARGS({"number", v_int(row->number)}, {"at", v_maybe_time(expires_at)}));
    expect(change, row);
}

static void change_stub(struct change *change)
{
    const struct row *row = any_stub(change);
    struct maybe_int expires_at = {0};

    snprintf(change->what, sizeof change->what, "another expiry for a stub");
    if (!row->expires_at.set || pick(&change->chance, 2) == 0)
        expires_at = (struct maybe_int)SOME(NOW_US + DAY_US + 1);
    set_expiry(change, row, expires_at);
}

/* An event goes, and its seal says that it had expired; perhaps with a hash that says so too. */
static void fake_expiry(struct change *change)
{
    const struct row *row = any_bound(change);
    const struct maybe_int expires_at = SOME(NOW_US - DAY_US);
    uint8_t hash[HASH_BYTES] = {0};

    snprintf(change->what, sizeof change->what, "an expiry made up for an event that was removed");
    delete_event(change->cx, row->event_id);
    set_expiry(change, row, expires_at);
    if (pick(&change->chance, 2) == 0)
        return;
    if (row->number > 1)
        memcpy(hash, (row - 1)->hash.ptr, HASH_BYTES);
    seal_link(hash, row->number, row->event_id, expires_at, (const uint8_t *)row->content_hash.ptr,
              hash);
    sql(change->cx,
        "UPDATE event_seals SET hash = :hash WHERE tenant_id = :tenant_id AND number = :number",
        ARGS({"number", v_int(row->number)}, {"hash", v_bytes(hash_str(hash))}));
    change->number = 0; /* the next one tells, or the end of the chain, or the checkpoint */
}

/* SQLite keeps any kind of value in any column. */
static void change_kind(struct change *change)
{
    static const char *const edits[] = {
        "event_type = CAST(event_type AS blob)",
        "source = CAST(source AS blob)",
        "visible_to_agent = 2",
        "is_realtime = 1.5",
        "occurred_at = 'yesterday'",
        "subject_id = 'somebody'",
        "addressee_id = zeroblob(16)",
        "triggered_by = zeroblob(15)",
        "created_at = created_at + 0.5",
        "visible_to_client = 'no'",
    };
    const struct row *row = any_present(change);
    char text[160];

    if (db_is_postgres(change->cx)) {
        edit_event(change);
        return;
    }
    snprintf(text, sizeof text,
             "UPDATE contact_events SET %s WHERE tenant_id = :tenant_id AND id = :id",
             edits[pick(&change->chance, COUNT_OF(edits))]);
    sql(change->cx, text, ARGS({"id", v_uuid(row->event_id)}));
    snprintf(change->what, sizeof change->what, "%.100s", text);
    expect(change, row);
}

static void change_something(struct change *change)
{
    static void (*const changes[])(struct change * change) = {
        remove_event, move_event,  add_event,   add_erasure,    rewrite,        close_gap,
        put_between,  put_behind,  cut,         remove_seal,    edit_seal,      edit_seal,
        edit_head,    swap_events, swap_seals,  fake_redaction, fill_redaction, change_stub,
        fake_expiry,  change_kind, change_kind,
    };
    const size_t which = pick(&change->chance, 2 * COUNT_OF(changes));

    if (which < COUNT_OF(changes))
        changes[which](change);
    else
        edit_event(change);
}

static bool is_found(const struct change *change, const struct audit_result *result)
{
    if (result->finding == AUDIT_FINE || result->detail[0] == '\0')
        return false;
    if (change->number == 0)
        return true;
    return change->at_most ? result->number != 0 && result->number <= change->number
                           : result->number == change->number;
}

static enum err ask_changes(struct ctx *cx, struct world *world)
{
    struct change change = {.cx = cx, .world = world, .chance = {world->seed}};
    int found[AUDIT_REWRITTEN + 1] = {0};

    printf("seed %" PRIu64 "\n", world->seed);
    for (int i = 0; i < CHANGES; i++) {
        const struct arena_mark mark = arena_mark(cx->arena);
        struct audit_result result;

        change.number = 0;
        change.at_most = false;
        must_equal(db_savepoint(cx), OK);
        change_something(&change);
        result = verify(cx, world);
        if (!is_found(&change, &result))
            fprintf(stderr,
                    "change %d of seed %" PRIu64 ", %s, is to be found at %" PRId64
                    " and is: finding %d, number %" PRId64 ", %s\n",
                    i, world->seed, change.what, change.number, result.finding, result.number,
                    result.detail);
        must(is_found(&change, &result));
        found[result.finding]++;
        must_equal(db_rollback_to(cx), OK);
        arena_release(cx->arena, mark);
    }
    must_be_fine(cx, world);
    for (int finding = AUDIT_CHANGED; finding <= AUDIT_REWRITTEN; finding++)
        must(found[finding] > 0);
    return OK;
}

static void test_1000_changes_are_found(void **state)
{
    run(state, HISTORY, ask_changes);
}

/* A chain of several portions: at their edges, too. */
static enum err ask_long(struct ctx *cx, struct world *world)
{
    static const size_t numbers[] = {1, 499, 500, 501, 999, 1000, 1001, 1100};
    struct audit_result result;

    must(world->count > 1100);
    must_be_fine(cx, world);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        const struct row *row = &world->rows[numbers[i] - 1];

        must_equal(db_savepoint(cx), OK);
        sql(cx,
            "UPDATE event_seals SET content_hash = hash"
            " WHERE tenant_id = :tenant_id AND number = :number",
            ARGS({"number", v_int(row->number)}));
        result = verify(cx, world);
        must_equal(result.finding, AUDIT_BROKEN);
        must_equal(result.number, row->number);
        must_equal(result.verified, row->number - 1);
        must(uuid_equal(result.event_id, row->event_id));
        must_equal(db_rollback_to(cx), OK);
    }
    return OK;
}

static void test_a_chain_of_several_portions(void **state)
{
    run(state, 1000, ask_long);
}

static bool stop_at_once(void *context, int64_t done, int64_t total)
{
    must(done <= total);
    ++*(int *)context;
    return false;
}

static enum err ask_progress(struct ctx *cx, struct world *world)
{
    struct audit_result result;
    int calls = 0;

    (void)world;
    must_equal(audit_verify(cx, NULL, stop_at_once, &calls, &result), ERR_TIMEOUT);
    must_equal(calls, 1);
    must_equal(result.finding, AUDIT_FINE);
    return OK;
}

static void test_it_can_be_stopped(void **state)
{
    run(state, HISTORY, ask_progress);
}

/* The checkpoint outlives the transaction that made it. */
static void keep(struct world *world)
{
    struct str *const texts[] = {&world->checkpoint.hash, &world->checkpoint.public_key,
                                 &world->checkpoint.signature};
    char *at = world->texts;

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        memcpy(at, texts[i]->ptr, texts[i]->len);
        texts[i]->ptr = at;
        at += texts[i]->len;
    }
}

static enum err ask_growth(struct ctx *cx, struct world *world)
{
    struct event event;

    keep(world);
    return write_event(cx, 1, &event);
}

static enum err verify_later(struct ctx *cx, void *context)
{
    struct world *world = context;

    act_for(cx, world->tenant_id);
    world->result = verify(cx, world);
    return OK;
}

/* Also in a transaction for reports, which is what it is for. */
static void test_a_chain_grows_beyond_its_checkpoint(void **state)
{
    struct world world;

    make_history(*state, &world, HISTORY);
    world.ask = ask_growth;
    assert_int_equal(store_kit_run(world.store, TX_WRITE, run_ask, &world), OK);
    assert_int_equal(store_kit_run(world.store, TX_REPORT, verify_later, &world), OK);
    assert_int_equal(world.result.finding, AUDIT_FINE);
    assert_int_equal(world.result.waiting, world.store->is_postgres ? 1 : 0);
    seal_all(world.store);
    assert_int_equal(store_kit_run(world.store, TX_REPORT, verify_later, &world), OK);
    assert_int_equal(world.result.finding, AUDIT_FINE);
    assert_int_equal(world.result.waiting, 0);
    assert_int_equal(world.result.verified, world.checkpoint.number + 1);
}

/* Reading without the lock, while another has it. */
static enum err count_tenants(void *context, struct db *db, struct id_source *ids)
{
    struct error error = {0};
    struct ctx cx = {.db = db, .error = &error, .ids = ids};

    return tenant_count(&cx, context);
}

static enum err touch(void *context, struct db *db, struct id_source *ids)
{
    (void)context;
    (void)db;
    (void)ids;
    return OK;
}

static void test_a_second_process_reads(void **state)
{
    struct test_store *store = *state;
    struct store_options options = store->options;
    struct exec *reader = NULL;
    struct world world;
    int64_t count = 0;

    make_history(store, &world, 10);
    options.read_only = true;
    options.connections = 1;
    assert_int_equal(exec_open(&options, &reader, &store->error), OK);
    assert_int_equal(exec_transaction(reader, TX_REPORT, count_tenants, &count), OK);
    assert_int_equal(count, 2);
    assert_int_equal(exec_transaction(reader, TX_WRITE, touch, NULL), ERR_UNAVAILABLE);
    exec_close(reader);
    /* What was written is still there, and the other goes on. */
    assert_int_equal(store_kit_run(store, TX_WRITE, make_tenants, &world), OK);
    store_kit_sql(store, "DELETE FROM schema_migrations"
                         " WHERE number = (SELECT max(number) FROM schema_migrations)");
    assert_int_equal(exec_open(&options, &reader, &store->error), ERR_CONFLICT);
}

static void test_what_is_no_store_is_not_read(void **state)
{
    struct test_store *store = *state;
    struct test_store empty;
    struct exec *reader = NULL;

    store_kit_prepare(&empty, store->is_postgres);
    empty.options.read_only = true;
    assert_int_not_equal(exec_open(&empty.options, &reader, &empty.error), OK);
    assert_true(empty.error.detail[0] != '\0');
    store_kit_close(&empty);
}

#define TESTS(store)                                                                               \
    {                                                                                              \
        STORE_TEST(test_a_history_of_every_kind_is_fine, store),                                   \
            STORE_TEST(test_marks_are_no_finding, store),                                          \
            STORE_TEST(test_what_is_hidden_before_its_time_is_found, store),                       \
            STORE_TEST(test_an_erasure_that_waits_for_its_seal_counts, store),                     \
            STORE_TEST(test_an_event_may_go_once_it_has_expired, store),                           \
            STORE_TEST(test_a_checkpoint_is_signed, store),                                        \
            STORE_TEST(test_1000_changes_are_found, store),                                        \
            STORE_TEST(test_a_chain_of_several_portions, store),                                   \
            STORE_TEST(test_it_can_be_stopped, store),                                             \
            STORE_TEST(test_a_chain_grows_beyond_its_checkpoint, store),                           \
            STORE_TEST(test_a_second_process_reads, store),                                        \
            STORE_TEST(test_what_is_no_store_is_not_read, store),                                  \
    }

int main(void)
{
    static const struct CMUnitTest sqlite[] = TESTS(sqlite);
    static const struct CMUnitTest postgres[] = TESTS(postgres);
    int failed;

    if (sodium_init() < 0)
        return 1;
    failed = store_kit_main(sqlite, postgres, COUNT_OF(sqlite));
    free_queries();
    return failed;
}
