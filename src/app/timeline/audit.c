#include "app/timeline/audit.h"

#include "app/timeline/audit_sql.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PORTION_ROWS 500
#define CLOCKS_APART_US MINUTE_US /* of this machine and the server, which marks what expired */
#define CHECKPOINT_WORDS "touchpoint checkpoint 1"
#define CHECKPOINT_MESSAGE_BYTES (sizeof CHECKPOINT_WORDS - 1 + 16 + 8 + HASH_BYTES + 8)

/* Checkpoints */

static const struct field checkpoint_fields[] = {
    FIELD(checkpoint, tenant_id, F_UUID, READ_ONLY),
    FIELD(checkpoint, number, F_INT, READ_ONLY, .doc = "Of the newest sealed event; 0: none yet"),
    FIELD(checkpoint, hash, F_TEXT, READ_ONLY, .min = 64, .max = 64,
          .doc = "The chain's at that number"),
    FIELD(checkpoint, made_at, F_TIME, READ_ONLY),
    FIELD(checkpoint, public_key, F_TEXT, READ_ONLY, .min = 64, .max = 64,
          .doc = "The signer's (Ed25519)"),
    FIELD(checkpoint, signature, F_TEXT, READ_ONLY, .min = 128, .max = 128),
};
const struct record checkpoint_record = RECORD_NAMED("Checkpoint", checkpoint, checkpoint_fields);

struct head {
    int64_t number;
    struct str hash;
};

static const struct field head_fields[] = {
    FIELD(head, number, F_INT, 0),
    FIELD(head, hash, F_TEXT, 0),
};
static const struct record head_record = RECORD(head, head_fields);

static void put_64(uint8_t *out, int64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)((uint64_t)value >> (56 - 8 * i));
}

/* What is signed: every part has a length that is known. */
static void checkpoint_message(const struct checkpoint *checkpoint, const uint8_t hash[HASH_BYTES],
                               uint8_t out[CHECKPOINT_MESSAGE_BYTES])
{
    uint8_t *at = out;

    memcpy(at, CHECKPOINT_WORDS, sizeof CHECKPOINT_WORDS - 1);
    at += sizeof CHECKPOINT_WORDS - 1;
    memcpy(at, checkpoint->tenant_id.bytes, sizeof checkpoint->tenant_id.bytes);
    at += sizeof checkpoint->tenant_id.bytes;
    put_64(at, checkpoint->number);
    memcpy(at + 8, hash, HASH_BYTES);
    put_64(at + 8 + HASH_BYTES, checkpoint->made_at);
}

static enum err put_hex(struct ctx *cx, const uint8_t *bytes, size_t size, struct str *out)
{
    char *text = arena_alloc(cx->arena, 2 * size);

    if (text == NULL)
        return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
    str_to_hex(bytes, size, text);
    *out = (struct str){text, 2 * size};
    return OK;
}

enum err audit_checkpoint(struct ctx *cx, const uint8_t secret_key[AUDIT_SECRET_KEY_BYTES],
                          struct checkpoint *out)
{
    uint8_t message[CHECKPOINT_MESSAGE_BYTES];
    uint8_t signature[AUDIT_SIGNATURE_BYTES];
    uint8_t public_key[AUDIT_PUBLIC_KEY_BYTES];
    uint8_t hash[HASH_BYTES] = {0};
    struct head head = {0};
    bool found;

    TRY(db_find(cx, &sql_audit_head, NO_ARGS, &head_record, &head, &found));
    if (found && head.hash.len != HASH_BYTES)
        return error_set(cx->error, ERR_CONFLICT, "The end of the chain is damaged.");
    if (found)
        memcpy(hash, head.hash.ptr, HASH_BYTES);
    *out = (struct checkpoint){
        .tenant_id = cx->actor.tenant_id, .number = head.number, .made_at = cx->now_us};
    checkpoint_message(out, hash, message);
    if (crypto_sign_detached(signature, NULL, message, sizeof message, secret_key) != 0 ||
        crypto_sign_ed25519_sk_to_pk(public_key, secret_key) != 0)
        return error_set(cx->error, ERR_INTERNAL, "The checkpoint cannot be signed.");
    TRY(put_hex(cx, hash, sizeof hash, &out->hash));
    TRY(put_hex(cx, public_key, sizeof public_key, &out->public_key));
    return put_hex(cx, signature, sizeof signature, &out->signature);
}

bool audit_checkpoint_holds(const struct checkpoint *checkpoint)
{
    uint8_t message[CHECKPOINT_MESSAGE_BYTES];
    uint8_t signature[AUDIT_SIGNATURE_BYTES];
    uint8_t public_key[AUDIT_PUBLIC_KEY_BYTES];
    uint8_t hash[HASH_BYTES];

    if (checkpoint->number < 0 || !str_from_hex(checkpoint->hash, hash, sizeof hash) ||
        !str_from_hex(checkpoint->public_key, public_key, sizeof public_key) ||
        !str_from_hex(checkpoint->signature, signature, sizeof signature))
        return false;
    checkpoint_message(checkpoint, hash, message);
    return crypto_sign_verify_detached(signature, message, sizeof message, public_key) == 0;
}

void audit_fingerprint(const struct checkpoint *checkpoint, char out[AUDIT_FINGERPRINT_TEXT])
{
    uint8_t public_key[AUDIT_PUBLIC_KEY_BYTES];
    uint8_t hash[crypto_hash_sha256_BYTES];

    out[0] = '\0';
    if (!str_from_hex(checkpoint->public_key, public_key, sizeof public_key))
        return;
    crypto_hash_sha256(hash, public_key, sizeof public_key);
    str_to_hex(hash, AUDIT_FINGERPRINT_TEXT / 2, out);
    out[AUDIT_FINGERPRINT_TEXT - 1] = '\0';
}

/* Verifying */

/* A seal with its event. Names are read as texts: one that nobody knows is a finding, not a
 * failure. */
struct audit_row {
    int64_t number;
    struct uuid event_id;
    struct str content_hash, hash;
    struct maybe_int sealed_expires_at;
    bool odd;
    struct str category, priority, source, addressee_type;
    struct event event; /* without id: it is gone */
};

#define OF_EVENT(member, type, flags) FIELD(audit_row, event.member, type, flags, .column = #member)

static const struct field row_fields[] = {
    FIELD(audit_row, number, F_INT, 0),
    FIELD(audit_row, event_id, F_UUID, 0),
    FIELD(audit_row, content_hash, F_TEXT, 0),
    FIELD(audit_row, hash, F_TEXT, 0),
    FIELD(audit_row, sealed_expires_at, F_TIME, NULLABLE),
    FIELD(audit_row, odd, F_BOOL, 0),
    FIELD(audit_row, category, F_TEXT, 0),
    FIELD(audit_row, priority, F_TEXT, 0),
    FIELD(audit_row, source, F_TEXT, 0),
    FIELD(audit_row, addressee_type, F_TEXT, 0),
    OF_EVENT(id, F_UUID, 0),
    OF_EVENT(contact_id, F_UUID, 0),
    OF_EVENT(session_id, F_UUID, 0),
    OF_EVENT(interaction_id, F_UUID, 0),
    OF_EVENT(subject_type, F_TEXT, 0),
    OF_EVENT(subject_id, F_UUID, 0),
    OF_EVENT(event_type, F_TEXT, 0),
    OF_EVENT(title, F_TEXT, 0),
    OF_EVENT(description, F_TEXT, 0),
    OF_EVENT(payload, F_TEXT, 0),
    OF_EVENT(metadata, F_TEXT, 0),
    OF_EVENT(triggered_by, F_UUID, 0),
    OF_EVENT(integration_source, F_TEXT, 0),
    OF_EVENT(addressee_id, F_UUID, 0),
    OF_EVENT(is_realtime, F_BOOL, 0),
    OF_EVENT(visible_to_client, F_BOOL, 0),
    OF_EVENT(visible_to_agent, F_BOOL, 0),
    OF_EVENT(expires_at, F_TIME, NULLABLE),
    OF_EVENT(occurred_at, F_TIME, 0),
    OF_EVENT(created_at, F_TIME, 0),
    OF_EVENT(salt, F_TEXT, 0),
    OF_EVENT(text_hash, F_TEXT, 0),
};
static const struct record row_record = RECORD(audit_row, row_fields);

struct named {
    struct uuid event_id;
};

static const struct field named_fields[] = {FIELD(named, event_id, F_UUID, 0)};
static const struct record named_record = RECORD(named, named_fields);

struct walk {
    const struct checkpoint *checkpoint;
    uint8_t checkpoint_hash[HASH_BYTES];
    struct audit_result *result;
    int64_t number; /* of the last seal that was right, and … */
    uint8_t hash[HASH_BYTES];
    int64_t present; /* events that were there */
    bool in_row;     /* it was read: what fails now is not the reading */
};

/* Ends the walk; its caller looks at the finding, not at the code. */
static enum err tell(struct walk *walk, enum audit_finding finding, int64_t number,
                     struct uuid event_id, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static enum err tell(struct walk *walk, enum audit_finding finding, int64_t number,
                     struct uuid event_id, const char *format, ...)
{
    va_list args;

    walk->result->finding = finding;
    walk->result->number = number;
    walk->result->event_id = event_id;
    va_start(args, format);
    vsnprintf(walk->result->detail, sizeof walk->result->detail, format, args);
    va_end(args);
    return ERR_CONFLICT;
}

static enum err tell_row(struct walk *walk, enum audit_finding finding, const struct audit_row *row,
                         const char *what)
{
    return tell(walk, finding, row->number, row->event_id, "%s", what);
}

/* A name that nobody knows reads as none: that must not pass for a null. */
static bool take_name(const struct enum_names *names, struct str name, int *out)
{
    *out = name.ptr == NULL ? 0 : enum_value(names, name);
    return name.ptr == NULL || *out != 0;
}

static bool take_names(struct audit_row *row)
{
    return take_name(&event_categories, row->category, &row->event.category) &&
           take_name(&event_priorities, row->priority, &row->event.priority) &&
           take_name(&event_sources, row->source, &row->event.source) &&
           take_name(&event_addressees, row->addressee_type, &row->event.addressee_type);
}

static bool same_time(struct maybe_int a, struct maybe_int b)
{
    return a.set == b.set && a.value == b.value;
}

static bool has_texts(const struct event *event)
{
    return event->title.ptr != NULL || event->description.ptr != NULL ||
           event->payload.ptr != NULL || event->metadata.ptr != NULL;
}

/* Whether a sealed event says that this one was erased, or (`event_type`) what else befell it. */
static enum err covered(struct ctx *cx, const struct audit_row *row, const char *event_type,
                        bool *out)
{
    return db_find(cx, &sql_audit_erasure,
                   ARGS({"event_id", v_uuid(row->event_id)},
                        {"event_type", v_text(str_of(event_type))}, {"number", v_int(row->number)}),
                   NULL, NULL, out);
}

static enum err check_missing(struct ctx *cx, struct walk *walk, const struct audit_row *row)
{
    bool erased = false;

    if (!row->sealed_expires_at.set || row->sealed_expires_at.value > cx->now_us)
        TRY(covered(cx, row, "event_erased", &erased));
    else
        erased = true;
    if (!erased)
        return tell_row(walk, AUDIT_REMOVED, row,
                        "the event is gone, and neither its expiry nor a sealed erasure says why");
    walk->result->stubs++;
    return OK;
}

/* The commitment to the texts: theirs, or what they left behind. */
static enum err text_hash_of(struct ctx *cx, struct walk *walk, const struct audit_row *row,
                             uint8_t out[HASH_BYTES])
{
    const struct event *event = &row->event;
    bool erased = false;

    if (event->salt.ptr != NULL) {
        if (event->text_hash.ptr != NULL)
            return tell_row(walk, AUDIT_CHANGED, row,
                            "the event has its texts and also the hash of erased ones");
        seal_text_hash(event, out);
        return OK;
    }
    if (event->text_hash.len != HASH_BYTES)
        return tell_row(walk, AUDIT_CHANGED, row, "the event has lost the salt of its texts");
    if (has_texts(event))
        return tell_row(walk, AUDIT_CHANGED, row,
                        "the event has texts in the place of erased ones");
    TRY(covered(cx, row, "event_redacted", &erased));
    if (!erased)
        return tell_row(walk, AUDIT_CHANGED, row,
                        "the event's texts are gone, and no sealed erasure says why");
    memcpy(out, event->text_hash.ptr, HASH_BYTES);
    walk->result->erased++;
    return OK;
}

static enum err check_event(struct ctx *cx, struct walk *walk, struct audit_row *row)
{
    uint8_t text_hash[HASH_BYTES];
    uint8_t content_hash[HASH_BYTES];

    if (uuid_is_none(row->event.id))
        return check_missing(cx, walk, row);
    walk->present++;
    TRY(text_hash_of(cx, walk, row, text_hash));
    if (take_names(row) && !row->odd && same_time(row->event.expires_at, row->sealed_expires_at)) {
        seal_content_hash(cx->actor.tenant_id, &row->event, text_hash, content_hash);
        if (memcmp(content_hash, row->content_hash.ptr, HASH_BYTES) == 0)
            return OK;
    }
    return tell_row(walk, AUDIT_CHANGED, row, "the event does not say what was sealed");
}

/* The seal follows from the one before. */
static enum err check_link(struct ctx *cx, struct walk *walk, const struct audit_row *row)
{
    uint8_t hash[HASH_BYTES];
    struct named named = {0};
    bool found = false;

    if (row->number < 1)
        return tell_row(walk, AUDIT_BROKEN, row, "the seal has a number before the first");
    if (row->number != walk->number + 1) {
        /* The event of the missing seal, if it is still there. */
        TRY(db_find(cx, &sql_audit_unsealed, NO_ARGS, &named_record, &named, &found));
        return tell(walk, AUDIT_BROKEN, walk->number + 1, named.event_id,
                    "seals are missing: after number %lld comes %lld", (long long)walk->number,
                    (long long)row->number);
    }
    if (row->content_hash.len == HASH_BYTES && row->hash.len == HASH_BYTES) {
        seal_link(walk->hash, row->number, row->event_id, row->sealed_expires_at,
                  (const uint8_t *)row->content_hash.ptr, hash);
        if (memcmp(hash, row->hash.ptr, HASH_BYTES) == 0)
            return OK;
    }
    return tell_row(walk, AUDIT_BROKEN, row,
                    "the seal does not follow from the one before: it was changed, swapped or "
                    "put in");
}

static enum err take_row(struct ctx *cx, void *context, void *item)
{
    struct walk *walk = context;
    struct audit_row *row = item;

    walk->in_row = true;
    TRY(check_link(cx, walk, row));
    if (walk->checkpoint != NULL && row->number == walk->checkpoint->number &&
        memcmp(row->hash.ptr, walk->checkpoint_hash, HASH_BYTES) != 0)
        return tell_row(walk, AUDIT_REWRITTEN, row,
                        "the chain is not the one of the checkpoint: it was written anew, at this "
                        "number or before");
    TRY(check_event(cx, walk, row));
    walk->number = row->number;
    memcpy(walk->hash, row->hash.ptr, HASH_BYTES);
    walk->result->verified++;
    walk->in_row = false;
    return OK;
}

/* A row that holds what no column of its kind can hold. */
static enum err tell_unreadable(struct ctx *cx, struct walk *walk)
{
    struct named named = {0};
    bool found = false;

    error_clear(cx->error);
    if (db_find(cx, &sql_audit_event_after, ARGS({"after", v_int(walk->number)}), &named_record,
                &named, &found) != OK)
        named.event_id = UUID_NONE; /* that, too, cannot be read */
    error_clear(cx->error);
    return tell(walk, AUDIT_CHANGED, walk->number + 1, named.event_id,
                "the seal or its event cannot be read: values in it are of another kind or size");
}

/* Up to PORTION_ROWS seals on; *more: there may be others. */
static enum err read_portion(struct ctx *cx, struct walk *walk, bool *more)
{
    const struct arena_mark mark = arena_mark(cx->arena);
    const int64_t before = walk->number;
    /* The first is to come first, also one that should not be there. */
    const int64_t after = before == 0 ? INT64_MIN : before;
    enum err result;

    walk->in_row = false;
    result = db_each(cx, &sql_audit_rows,
                     ARGS({"after", v_int(after)}, {"limit", v_int(PORTION_ROWS)},
                          {"latest", v_time(cx->now_us + CLOCKS_APART_US)}),
                     &row_record, take_row, walk);
    arena_release(cx->arena, mark);
    *more = walk->number - before == PORTION_ROWS;
    /* PostgreSQL's columns hold to their types: there it is a failure. */
    if (!walk->in_row &&
        (result == ERR_TOO_LARGE || (result == ERR_INTERNAL && !db_is_postgres(cx))))
        result = tell_unreadable(cx, walk);
    return result;
}

static enum err check_end(struct walk *walk, const struct head *head)
{
    const struct checkpoint *checkpoint = walk->checkpoint;

    if (checkpoint != NULL && walk->number < checkpoint->number)
        return tell(walk, AUDIT_CUT, walk->number + 1, UUID_NONE,
                    "the chain ends at number %lld, before the checkpoint's %lld",
                    (long long)walk->number, (long long)checkpoint->number);
    if (walk->number < head->number)
        return tell(walk, AUDIT_CUT, walk->number + 1, UUID_NONE,
                    "the seals end at number %lld, and the chain at %lld", (long long)walk->number,
                    (long long)head->number);
    if (walk->number > head->number)
        return tell(walk, AUDIT_BROKEN, head->number + 1, UUID_NONE,
                    "seals go on to number %lld, and the chain ends at %lld",
                    (long long)walk->number, (long long)head->number);
    if (walk->number > 0 &&
        (head->hash.len != HASH_BYTES || memcmp(head->hash.ptr, walk->hash, HASH_BYTES) != 0))
        return tell(walk, AUDIT_BROKEN, walk->number, UUID_NONE,
                    "the chain's end has another hash than its last seal");
    return OK;
}

static enum err check_added(struct ctx *cx, struct walk *walk)
{
    struct named named = {0};
    int64_t count;
    bool found;

    TRY(db_int(cx, &sql_audit_count, NO_ARGS, &count));
    if (count == walk->present)
        return OK;
    TRY(db_int(cx, &sql_audit_waiting, NO_ARGS, &walk->result->waiting));
    if (count == walk->present + walk->result->waiting)
        return OK;
    TRY(db_find(cx, &sql_audit_unsealed, NO_ARGS, &named_record, &named, &found));
    return tell(walk, AUDIT_ADDED, 0, named.event_id,
                "the event was slipped in: it has no seal, and waits for none");
}

static enum err walk_chain(struct ctx *cx, struct walk *walk,
                           bool (*progress)(void *context, int64_t done, int64_t total),
                           void *context)
{
    struct head head = {0};
    bool more = true, found;

    TRY(db_find(cx, &sql_audit_head, NO_ARGS, &head_record, &head, &found));
    while (more) {
        TRY(read_portion(cx, walk, &more));
        if (progress != NULL && !progress(context, walk->number, head.number))
            return error_set(cx->error, ERR_TIMEOUT, "It was stopped at number %lld.",
                             (long long)walk->number);
    }
    TRY(check_end(walk, &head));
    return check_added(cx, walk);
}

enum err audit_verify(struct ctx *cx, const struct checkpoint *checkpoint,
                      bool (*progress)(void *context, int64_t done, int64_t total), void *context,
                      struct audit_result *out)
{
    struct walk walk = {.checkpoint = checkpoint, .result = out};
    enum err result;

    *out = (struct audit_result){0};
    if (checkpoint != NULL) {
        if (!uuid_equal(checkpoint->tenant_id, cx->actor.tenant_id))
            return error_set(cx->error, ERR_INVALID, "The checkpoint is another tenant's.");
        if (!audit_checkpoint_holds(checkpoint) ||
            !str_from_hex(checkpoint->hash, walk.checkpoint_hash, HASH_BYTES))
            return error_set(cx->error, ERR_INVALID, "The checkpoint's signature is wrong.");
    }
    result = walk_chain(cx, &walk, progress, context);
    return out->finding == AUDIT_FINE ? result : OK;
}
