#include "app/customer/customer_merge.h"

#include "app/customer/customer_index.h"
#include "app/customer/customer_merge_sql.h"
#include "app/customer/customer_sql.h"
#include "app/timeline/timeline.h"
#include "db/counts.h"

#include <string.h>

#define SNAPSHOT_MAX MIB(1) /* two records: custom_fields of each, and lists */
#define MERGES "customer_merges.customer"

static void put_undo_until(struct json_out *out, const void *record)
{
    const struct customer_merge *merge = record;

    json_time(out, merge->merged_at + CUSTOMER_UNDO_US);
}

static const struct field merge_fields[] = {
    FIELD(customer_merge, id, F_UUID, READ_ONLY),
    FIELD(customer_merge, customer_id, F_UUID, READ_ONLY, .doc = "Who is left"),
    FIELD(customer_merge, customer_name, F_TEXT, READ_ONLY),
    FIELD(customer_merge, merged_id, F_UUID, READ_ONLY, .doc = "Leads to customer_id from then on"),
    FIELD(customer_merge, merged_name, F_TEXT, READ_ONLY),
    FIELD(customer_merge, merged_by, F_UUID, READ_ONLY | NULLABLE),
    FIELD(customer_merge, merged_by_name, F_TEXT, READ_ONLY | NULLABLE),
    FIELD(customer_merge, merged_at, F_TIME, READ_ONLY),
    VIEW("undo_until", put_undo_until, NULL, READ_ONLY,
         .schema = "{\"type\":\"string\",\"format\":\"date-time\"}"),
    FIELD(customer_merge, undone_at, F_TIME, READ_ONLY | NULLABLE),
    FIELD(customer_merge, version, F_INT, READ_ONLY, .doc = "That of customer_id, for If-Match"),
    FIELD(customer_merge, before, F_TEXT, COLUMN_ONLY | READ_ONLY | NULLABLE),
};
const struct record customer_merge_record =
    RECORD_NAMED("CustomerMerge", customer_merge, merge_fields);

static enum err exhausted(struct ctx *cx)
{
    return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
}

static enum err too_many(struct ctx *cx, const char *what, size_t most)
{
    return error_set(cx->error, ERR_CONFLICT, "Together they have more than %zu %s.", most, what);
}

/* --- Locks ------------------------------------------------------------------------------- */

static enum err lock_there(struct ctx *cx, struct uuid id, struct customer *out, bool *there)
{
    return db_find(cx, &sql_customer_lock, ARGS({"id", v_uuid(id)}), &customer_record, out, there);
}

enum err customer_lock_two(struct ctx *cx, struct uuid id, struct uuid merged_id,
                           struct customer *survivor, struct customer *merged)
{
    bool there = false, merged_there = false;

    if (uuid_equal(id, merged_id))
        return error_fault(cx->error, "merged_id", "same", "must be another customer");
    for (int i = 0; i < FOLLOW_TRIES && !(there && merged_there); i++) {
        TRY(customer_follow(cx, &id));
        TRY(customer_follow(cx, &merged_id));
        if (uuid_equal(id, merged_id))
            return error_set(cx->error, ERR_CONFLICT, "Both ids name the same customer already.");
        if (uuid_compare(id, merged_id) < 0)
            TRY(lock_there(cx, id, survivor, &there));
        TRY(lock_there(cx, merged_id, merged, &merged_there));
        if (uuid_compare(id, merged_id) > 0)
            TRY(lock_there(cx, id, survivor, &there));
    }
    if (!there)
        return error_set(cx->error, ERR_NOT_FOUND, "There is no such record.");
    if (!merged_there)
        return error_set(cx->error, ERR_NOT_FOUND, "There is no such record: merged_id.");
    return OK;
}

/* --- One record of two ------------------------------------------------------------------- */

/* Those of `more` who are not in *list yet, behind it; the primary one stays. */
static enum err unite_addresses(struct ctx *cx, const char *what, struct list *list,
                                struct str *primary, const struct list *more)
{
    struct customer_address *items =
        ARENA_ARRAY(cx->arena, list->count + more->count, struct customer_address);
    struct list both = {items, list->count};

    if (more->count == 0)
        return OK;
    if (!items)
        return exhausted(cx);
    if (list->count > 0)
        memcpy(items, list->items, list->count * sizeof(*items));
    for (size_t i = 0; i < more->count; i++) {
        const struct customer_address *one = LIST_AT(*more, struct customer_address, i);

        if (customer_find_address(list, one->address))
            continue;
        items[both.count] = *one;
        items[both.count++].primary = one->primary && list->count == 0;
    }
    if (both.count > CUSTOMER_ADDRESSES_MAX)
        return too_many(cx, what, CUSTOMER_ADDRESSES_MAX);
    for (size_t i = 0; i < both.count; i++) {
        if (items[i].primary)
            *primary = items[i].address;
    }
    *list = both;
    return OK;
}

static enum err unite_tags(struct ctx *cx, struct list *tags, const struct list *more)
{
    struct str *items = ARENA_ARRAY(cx->arena, tags->count + more->count, struct str);
    struct list both = {items, tags->count};

    if (more->count == 0)
        return OK;
    if (!items)
        return exhausted(cx);
    if (tags->count > 0)
        memcpy(items, tags->items, tags->count * sizeof(*items));
    for (size_t i = 0; i < more->count; i++) {
        const struct str tag = *LIST_AT(*more, struct str, i);

        if (!customer_has_tag(tags, tag))
            items[both.count++] = tag;
    }
    if (both.count > CUSTOMER_TAGS_MAX)
        return too_many(cx, "tags", CUSTOMER_TAGS_MAX);
    *tags = both;
    return OK;
}

/* Members of an object, but those that `left_out` says; each as it stands. */
struct field_copy {
    struct ctx *cx;
    struct json_out out;
    struct str after, before; /* see is_brought() */
    bool (*is_left_out)(const struct field_copy *copy, struct str name, struct str value);
};

static void copy_field(void *context, struct str key, struct str value)
{
    struct field_copy *copy = context;
    const struct str name = customer_field_name(copy->cx, key);

    if (copy->is_left_out && copy->is_left_out(copy, name, value))
        return;
    json_key(&copy->out, name);
    json_raw(&copy->out, value);
}

static bool is_there_before(const struct field_copy *copy, struct str name, struct str value)
{
    (void)value;
    return json_raw_member(copy->before, name).ptr != NULL;
}

/* The survivor's own, then what only the other one has. */
static enum err unite_fields(struct ctx *cx, struct str *fields, struct str more)
{
    struct field_copy copy = {.cx = cx, .before = *fields};
    struct buf buf;

    if (!more.ptr)
        return OK;
    if (!fields->ptr) {
        *fields = more;
        return OK;
    }
    buf_init(&buf, cx->arena, FREE_JSON_MAX);
    json_out_init(&copy.out, &buf);
    json_object_begin(&copy.out);
    json_raw_members(*fields, copy_field, &copy);
    copy.is_left_out = is_there_before;
    json_raw_members(more, copy_field, &copy);
    json_object_end(&copy.out);
    if (buf_failed(&buf))
        return too_many(cx, "bytes of custom_fields", FREE_JSON_MAX);
    *fields = buf_str(&buf);
    return OK;
}

static int stricter(int a, int b)
{
    if (a == CONSENT_DENIED || b == CONSENT_DENIED)
        return CONSENT_DENIED;
    return a == CONSENT_GRANTED && b == CONSENT_GRANTED ? CONSENT_GRANTED : CONSENT_UNKNOWN;
}

static enum err unite(struct ctx *cx, const struct customer *survivor,
                      const struct customer *merged, struct customer *out)
{
    *out = *survivor;
    TRY(unite_addresses(cx, "e-mail addresses", &out->emails, &out->email, &merged->emails));
    TRY(unite_addresses(cx, "phone numbers", &out->phones, &out->phone, &merged->phones));
    TRY(unite_tags(cx, &out->tags, &merged->tags));
    TRY(unite_fields(cx, &out->custom_fields, merged->custom_fields));
    out->consent.email = stricter(survivor->consent.email, merged->consent.email);
    out->consent.sms = stricter(survivor->consent.sms, merged->consent.sms);
    out->consent.push = stricter(survivor->consent.push, merged->consent.push);
    out->consent.phone = stricter(survivor->consent.phone, merged->consent.phone);
    if (!out->locale.ptr)
        out->locale = merged->locale;
    if (!out->timezone.ptr)
        out->timezone = merged->timezone;
    if (uuid_is_none(out->company_id))
        out->company_id = merged->company_id;
    if (uuid_is_none(out->owner_id))
        out->owner_id = merged->owner_id;
    return OK;
}

/* --- What the undoing needs to know -------------------------------------------------------- */

static bool is_kept(const struct field *field)
{
    return (field->flags & (READ_ONLY | SUMMARY | COLUMN_ONLY)) == 0;
}

static void put_snapshot(const struct customer *customer, struct json_out *out)
{
    json_object_begin(out);
    for (size_t i = 0; i < customer_record.count; i++) {
        const struct field *field = &customer_record.fields[i];

        if (!is_kept(field))
            continue;
        json_key(out, str_of(field->name));
        field_encode(field, customer, out);
    }
    json_object_end(out);
}

static enum err make_snapshots(struct ctx *cx, const struct customer *before,
                               const struct customer *after, struct str *out)
{
    struct buf buf;
    struct json_out json;

    buf_init(&buf, cx->arena, SNAPSHOT_MAX);
    json_out_init(&json, &buf);
    json_object_begin(&json);
    JSON_KEY(&json, "before");
    put_snapshot(before, &json);
    JSON_KEY(&json, "after");
    put_snapshot(after, &json);
    json_object_end(&json);
    if (buf_failed(&buf))
        return exhausted(cx);
    *out = buf_str(&buf);
    return OK;
}

static enum err read_snapshot(struct ctx *cx, struct str snapshots, struct str name,
                              struct customer *out)
{
    const struct decoding in = {.arena = cx->arena, .error = cx->error};

    if (record_decode(&customer_record, json_raw_member(snapshots, name), &in, out, NULL) == OK)
        return OK;
    error_clear(cx->error);
    return error_set(cx->error, ERR_INTERNAL, "The merge cannot be read.");
}

/* --- What moves -------------------------------------------------------------------------- */

struct move {
    const struct query *note, *move;
    const char *kind;
    const char *total; /* the kept total of what moves; NULL: none counts these */
};

static const struct move moves[] = {
    {&sql_merge_note_interactions, &sql_merge_move_interactions, "interaction",
     "interactions.customer"},
    {&sql_merge_note_deleted_interactions, &sql_merge_move_deleted_interactions, "interaction",
     NULL},
    {NULL, &sql_merge_move_planned, "interaction", NULL},
    {&sql_merge_note_notes, &sql_merge_move_notes, "note", "customer_notes.customer"},
    {&sql_merge_note_sessions, &sql_merge_move_sessions, "session", "sessions.customer"},
    {NULL, &sql_merge_move_shown_events, "event", COUNT_EVENTS_TIMELINE},
    {NULL, &sql_merge_move_other_events, "event", NULL},
};

static const struct move returns[] = {
    {NULL, &sql_merge_return_interactions, "interaction", "interactions.customer"},
    {NULL, &sql_merge_return_deleted_interactions, "interaction", NULL},
    {NULL, &sql_merge_move_planned, "interaction", NULL},
    {NULL, &sql_merge_return_notes, "note", "customer_notes.customer"},
    {NULL, &sql_merge_return_deleted_notes, "note", NULL},
    {NULL, &sql_merge_return_sessions, "session", "sessions.customer"},
    {NULL, &sql_merge_return_shown_events, "event", COUNT_EVENTS_TIMELINE},
    {NULL, &sql_merge_return_other_events, "event", NULL},
};

static enum err move_total(struct ctx *cx, const char *total, struct uuid from, struct uuid to,
                           int64_t count)
{
    if (count == 0)
        return OK;
    TRY(count_add_uuid(cx, total, from, -count));
    return count_add_uuid(cx, total, to, count);
}

/* Events last: whoever writes one holds the customer, or the session or interaction that it is
 * about, and these have been waited for by then. */
static enum err move_rows(struct ctx *cx, const struct move *list, size_t count,
                          const struct query *client_events, struct uuid merge_id, struct uuid from,
                          struct uuid to)
{
    int64_t of_client;

    for (size_t i = 0; i < count; i++) {
        const struct args args =
            ARGS({"id", v_uuid(merge_id)}, {"from_id", v_uuid(from)}, {"to_id", v_uuid(to)},
                 {"kind", v_text(str_of(list[i].kind))});

        if (list[i].note)
            TRY(db_run(cx, list[i].note, args));
        if (list[i].total && strcmp(list[i].total, COUNT_EVENTS_TIMELINE) == 0) {
            TRY(db_int(cx, client_events, args, &of_client));
            TRY(move_total(cx, COUNT_EVENTS_CLIENT, from, to, of_client));
        }
        TRY(db_run(cx, list[i].move, args));
        if (list[i].total)
            TRY(move_total(cx, list[i].total, from, to, db_changed(cx)));
    }
    return OK;
}

/* --- Merge ------------------------------------------------------------------------------- */

/* On the timeline of `contact_id`. `subject_id`: whose tokens mean somebody else from now on;
 * streams that follow it are looked up again. */
static enum err record_event(struct ctx *cx, const struct customer_merge *merge,
                             struct uuid contact_id, struct uuid subject_id, const char *type,
                             const char *title)
{
    return timeline_record(
        cx, &(struct event){.contact_id = contact_id,
                            .subject_type = STR("customer"),
                            .subject_id = subject_id,
                            .event_type = str_of(type),
                            .category = CATEGORY_GENERAL,
                            .title = str_of(title),
                            .payload = PAYLOAD(cx, {"merge_id", v_uuid(merge->id)},
                                               {"customer_id", v_uuid(merge->customer_id)},
                                               {"customer_name", v_text(merge->customer_name)},
                                               {"merged_id", v_uuid(merge->merged_id)},
                                               {"merged_name", v_text(merge->merged_name)})});
}

enum err customer_merge(struct ctx *cx, const struct customer *survivor,
                        const struct customer *merged, struct customer_merge *out)
{
    struct customer_merge merge = {.id = uuid_new(cx->ids, cx->now_us),
                                   .customer_id = survivor->id,
                                   .merged_id = merged->id,
                                   .customer_name = survivor->name,
                                   .merged_name = merged->name};
    struct customer after;

    TRY(unite(cx, survivor, merged, &after));
    TRY(make_snapshots(cx, survivor, &after, &merge.before));
    TRY(customer_index_remove(cx, merged));
    TRY(db_run(cx, &sql_merge_mark_customer, ARGS_OF(&customer_merge_record, &merge)));
    TRY(db_run(cx, &sql_merge_save_survivor, ARGS_OF(&customer_record, &after)));
    TRY(customer_index_change(cx, survivor, &after));
    TRY(db_run(cx, &sql_merge_insert, ARGS_OF(&customer_merge_record, &merge)));
    TRY(count_add_uuid(cx, MERGES, survivor->id, 1));
    TRY(move_rows(cx, moves, COUNT_OF(moves), &sql_merge_count_client_events, merge.id, merged->id,
                  survivor->id));
    TRY(customer_recount(cx, survivor->id));
    TRY(record_event(cx, &merge, survivor->id, merged->id, "contact_merged", "Contact merged"));
    return customer_merge_get(cx, survivor->id, merge.id, out);
}

/* --- Lists ------------------------------------------------------------------------------- */

static enum err read_merge(struct ctx *cx, struct uuid merge_id, struct customer_merge *out)
{
    return db_one(cx, &sql_merge_get, ARGS({"id", v_uuid(merge_id)}), &customer_merge_record, out);
}

static enum err no_such(struct ctx *cx)
{
    return error_set(cx->error, ERR_NOT_FOUND, "There is no such record.");
}

enum err customer_merge_get(struct ctx *cx, struct uuid customer_id, struct uuid merge_id,
                            struct customer_merge *out)
{
    struct customer customer = {0};

    TRY(customer_get(cx, customer_id, &customer));
    TRY(read_merge(cx, merge_id, out));
    return uuid_equal(out->customer_id, customer.id) ? OK : no_such(cx);
}

enum err customer_merges(struct ctx *cx, struct uuid customer_id, int64_t before_time,
                         struct uuid before_id, int64_t limit, int64_t offset, struct list *out,
                         int64_t *total)
{
    struct customer customer = {0};

    TRY(customer_get(cx, customer_id, &customer));
    TRY(count_get_uuid(cx, MERGES, customer.id, total));
    return db_all(cx, &sql_merges_of_customer,
                  ARGS({"customer_id", v_uuid(customer.id)}, {"cursor_time", v_time(before_time)},
                       {"cursor_id", v_uuid(before_id)}, {"limit", v_int(limit)},
                       {"offset", v_int(offset)}),
                  &customer_merge_record, out);
}

/* --- Undo -------------------------------------------------------------------------------- */

static enum err covered(struct ctx *cx)
{
    return error_set(cx->error, ERR_CONFLICT,
                     "A newer merge of the same customer has to be undone first.");
}

enum err customer_merge_get_locked(struct ctx *cx, struct uuid customer_id, struct uuid merge_id,
                                   struct customer_merge *out, struct customer *survivor)
{
    struct customer customer = {0}, merged = {0};
    struct customer_merge locked = {0};
    struct uuid led_to;
    bool first;

    TRY(customer_get(cx, customer_id, &customer));
    TRY(read_merge(cx, merge_id, out));
    led_to = out->customer_id;
    if (!uuid_equal(led_to, customer.id))
        TRY(customer_follow(cx, &led_to));
    if (!uuid_equal(led_to, customer.id))
        return no_such(cx);
    first = uuid_compare(out->customer_id, out->merged_id) < 0;
    for (int i = 0; i < 2; i++, first = !first) {
        const struct uuid id = first ? out->customer_id : out->merged_id;

        TRY(db_one(cx, &sql_customer_lock_any, ARGS({"id", v_uuid(id)}), &customer_record,
                   first ? survivor : &merged));
    }
    if (!uuid_is_none(survivor->merged_into))
        return covered(cx);
    if (survivor->deleted_at.set)
        return no_such(cx);
    TRY(db_one(cx, &sql_merge_lock, ARGS({"id", v_uuid(merge_id)}), &customer_merge_record,
               &locked));
    out->undone_at = locked.undone_at;
    out->before = locked.before;
    return OK;
}

static enum err check_undoable(struct ctx *cx, const struct customer_merge *merge)
{
    int64_t newer = 0;

    if (merge->undone_at.set)
        return error_set(cx->error, ERR_CONFLICT, "The merge was undone already.");
    if (cx->now_us - merge->merged_at > CUSTOMER_UNDO_US)
        return error_set(cx->error, ERR_CONFLICT,
                         "The merge is older than a day and cannot be undone any more.");
    TRY(db_int(cx, &sql_merge_is_covered, ARGS_OF(&customer_merge_record, merge), &newer));
    return newer > 0 ? covered(cx) : OK;
}

/* *list as it is now, without what the merge brought. */
static void take_back_addresses(const struct list *before, const struct list *after,
                                struct list *list, struct str *primary)
{
    const struct customer_address *chosen = NULL;
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        struct customer_address *one = LIST_AT(*list, struct customer_address, i);

        if (!customer_find_address(after, one->address) ||
            customer_find_address(before, one->address))
            *LIST_AT(*list, struct customer_address, kept++) = *one;
    }
    list->count = kept;
    for (size_t i = 0; i < kept && !chosen; i++) {
        if (LIST_AT(*list, struct customer_address, i)->primary)
            chosen = LIST_AT(*list, struct customer_address, i);
    }
    if (!chosen && kept > 0)
        chosen = LIST_AT(*list, struct customer_address, 0);
    customer_mark_primary(list, chosen);
    *primary = chosen ? chosen->address : STR_NULL;
}

static void take_back_tags(const struct list *before, const struct list *after, struct list *tags)
{
    size_t kept = 0;

    for (size_t i = 0; i < tags->count; i++) {
        const struct str tag = *LIST_AT(*tags, struct str, i);

        if (!customer_has_tag(after, tag) || customer_has_tag(before, tag))
            *LIST_AT(*tags, struct str, kept++) = tag;
    }
    tags->count = kept;
}

/* The merge brought it, and nobody has changed it since. */
static bool is_brought(const struct field_copy *copy, struct str name, struct str value)
{
    return !json_raw_member(copy->before, name).ptr &&
           str_equal(json_raw_member(copy->after, name), value);
}

static enum err take_back_fields(struct ctx *cx, struct str before, struct str after,
                                 struct str *fields)
{
    struct field_copy copy = {
        .cx = cx, .before = before, .after = after, .is_left_out = is_brought};
    struct buf buf;

    if (!fields->ptr)
        return OK;
    if (str_equal(*fields, after)) { /* byte for byte, as a rule */
        *fields = before;
        return OK;
    }
    buf_init(&buf, cx->arena, FREE_JSON_MAX);
    json_out_init(&copy.out, &buf);
    json_object_begin(&copy.out);
    json_raw_members(*fields, copy_field, &copy);
    json_object_end(&copy.out);
    if (buf_failed(&buf))
        return exhausted(cx);
    *fields = !before.ptr && str_is(buf_str(&buf), "{}") ? STR_NULL : buf_str(&buf);
    return OK;
}

static bool is_list_of(const struct field *field)
{
    static const char *const apart[] = {"emails", "phones",        "email",  "phone",
                                        "tags",   "custom_fields", "consent"};

    for (size_t i = 0; i < COUNT_OF(apart); i++) {
        if (strcmp(field->name, apart[i]) == 0)
            return true;
    }
    return false;
}

static void take_back(int before, int after, int *consent)
{
    if (*consent == after)
        *consent = before;
}

/* What stands now, but as before where it still is what the merge made of it. */
static enum err separate(struct ctx *cx, const struct customer *before,
                         const struct customer *after, struct customer *now)
{
    const struct given changed = record_difference(&customer_record, after, now);

    for (size_t i = 0; i < customer_record.count; i++) {
        const struct field *field = &customer_record.fields[i];

        if (is_kept(field) && !is_list_of(field) && (changed.bits[i / 64] >> (i % 64) & 1) == 0)
            memcpy((char *)now + field->offset, (const char *)before + field->offset, field->size);
    }
    take_back_addresses(&before->emails, &after->emails, &now->emails, &now->email);
    take_back_addresses(&before->phones, &after->phones, &now->phones, &now->phone);
    take_back_tags(&before->tags, &after->tags, &now->tags);
    take_back(before->consent.email, after->consent.email, &now->consent.email);
    take_back(before->consent.sms, after->consent.sms, &now->consent.sms);
    take_back(before->consent.push, after->consent.push, &now->consent.push);
    take_back(before->consent.phone, after->consent.phone, &now->consent.phone);
    return take_back_fields(cx, before->custom_fields, after->custom_fields, &now->custom_fields);
}

/* The lists are changed in place, and *current is still compared with them. */
static enum err copy_lists(struct ctx *cx, struct customer *customer)
{
    struct list *const lists[] = {&customer->emails, &customer->phones, &customer->tags};
    const size_t sizes[] = {sizeof(struct customer_address), sizeof(struct customer_address),
                            sizeof(struct str)};

    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        void *items = arena_array(cx->arena, lists[i]->count, sizes[i]);

        if (!items)
            return exhausted(cx);
        if (lists[i]->count > 0)
            memcpy(items, lists[i]->items, lists[i]->count * sizes[i]);
        lists[i]->items = items;
    }
    return OK;
}

static enum err save_survivor(struct ctx *cx, const struct customer_merge *merge,
                              const struct customer *survivor)
{
    struct customer before = {0}, after = {0}, now = *survivor;

    TRY(read_snapshot(cx, merge->before, STR("before"), &before));
    TRY(read_snapshot(cx, merge->before, STR("after"), &after));
    TRY(copy_lists(cx, &now));
    TRY(separate(cx, &before, &after, &now));
    TRY(db_run(cx, &sql_merge_save_survivor, ARGS_OF(&customer_record, &now)));
    return customer_index_change(cx, survivor, &now);
}

enum err customer_unmerge(struct ctx *cx, const struct customer_merge *merge,
                          const struct customer *survivor, struct customer_merge *out)
{
    struct customer merged = {0};

    TRY(check_undoable(cx, merge));
    TRY(save_survivor(cx, merge, survivor));
    TRY(db_run(cx, &sql_merge_unmark_customer, ARGS_OF(&customer_merge_record, merge)));
    TRY(customer_get(cx, merge->merged_id, &merged));
    TRY(customer_index_add(cx, &merged));
    TRY(move_rows(cx, returns, COUNT_OF(returns), &sql_merge_count_client_events_back, merge->id,
                  survivor->id, merged.id));
    TRY(customer_recount(cx, survivor->id));
    TRY(customer_recount(cx, merged.id));
    TRY(db_run(cx, &sql_merge_mark_undone, ARGS_OF(&customer_merge_record, merge)));
    TRY(record_event(cx, merge, survivor->id, survivor->id, "contact_unmerged", "Merge undone"));
    TRY(record_event(cx, merge, merged.id, merged.id, "contact_unmerged", "Merge undone"));
    return customer_merge_get(cx, survivor->id, merge->id, out);
}
