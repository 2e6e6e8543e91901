#include "app/customer/customer.h"

#include "app/company/company.h"
#include "app/customer/customer_index.h"
#include "app/customer/customer_sql.h"
#include "app/search/fold.h"
#include "app/timeline/timeline.h"
#include "app/user/user.h"
#include "json/format.h"

#include <string.h>

#define EXTERNAL_ID_MAX 255 /* code points */
#define FIELD_NAME_MAX 100  /* code points */

static const char *const status_names[] = {"new",       "enriched",  "contacted", "conversing",
                                           "qualified", "converted", "lost"};
static const char *const consent_names[] = {"unknown", "granted", "denied"};

const struct enum_names customer_statuses = ENUM_NAMES(status_names);
const struct enum_names consents = ENUM_NAMES(consent_names);

static bool is_tag(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7F)
            return false;
    }
    return text.len > 0 && str_code_points(text) <= CUSTOMER_TAG_MAX;
}

static const struct text_format tag_format = {"tag", is_tag,
                                              "must be 1 to 64 characters on one line"};

static const struct field email_fields[] = {
    FIELD(customer_address, address, F_TEXT, REQUIRED | ONE_LINE, .format = &format_email, .min = 1,
          .max = 254, .example = "\"anna@example.com\""),
    FIELD(customer_address, label, F_TEXT, NULLABLE | ONE_LINE, .min = 1, .max = 50,
          .example = "\"work\""),
    FIELD(customer_address, primary, F_BOOL, 0),
};
static const struct record email_record =
    RECORD_NAMED("EmailAddress", customer_address, email_fields);

static const struct field phone_fields[] = {
    FIELD_AS(customer_address, "number", address, F_TEXT, REQUIRED | ONE_LINE,
             .format = &format_phone, .min = 1, .max = 16, .example = "\"+4915112345678\""),
    FIELD(customer_address, label, F_TEXT, NULLABLE | ONE_LINE, .min = 1, .max = 50,
          .example = "\"mobile\""),
    FIELD(customer_address, primary, F_BOOL, 0),
};
static const struct record phone_record =
    RECORD_NAMED("PhoneNumber", customer_address, phone_fields);

static const struct field consent_fields[] = {
    FIELD(customer_consent, email, F_ENUM, NULLABLE, .names = &consents),
    FIELD(customer_consent, sms, F_ENUM, NULLABLE, .names = &consents),
    FIELD(customer_consent, push, F_ENUM, NULLABLE, .names = &consents),
    FIELD(customer_consent, phone, F_ENUM, NULLABLE, .names = &consents),
};
static const struct record consent_record =
    RECORD_NAMED("Consent", customer_consent, consent_fields);

#define CONSENT_COLUMN(channel)                                                                    \
    {                                                                                              \
        .name = "consent_" #channel, .type = F_ENUM, .flags = COLUMN_ONLY | READ_ONLY,             \
        .offset = offsetof(struct customer, consent.channel), .size = sizeof(int),                 \
        .names = &consents                                                                         \
    }

static const struct field customer_fields[] = {
    FIELD(customer, id, F_UUID, READ_ONLY),
    FIELD(customer, external_id, F_TEXT, NULLABLE | ONE_LINE, .min = 1, .max = EXTERNAL_ID_MAX,
          .doc = "The caller's own key; unique in the tenant"),
    FIELD(customer, name, F_TEXT, REQUIRED | ONE_LINE, .min = 1, .max = 255,
          .example = "\"Anna Müller\""),
    FIELD(customer, name_folded, F_TEXT, COLUMN_ONLY | READ_ONLY),
    FIELD(customer, emails, F_LIST, 0, .of = F_OBJECT, .record = &email_record,
          .max = CUSTOMER_ADDRESSES_MAX, .doc = "The first is the primary one, if none says so"),
    FIELD(customer, phones, F_LIST, 0, .of = F_OBJECT, .record = &phone_record,
          .max = CUSTOMER_ADDRESSES_MAX, .doc = "The first is the primary one, if none says so"),
    FIELD(customer, email, F_TEXT, NULLABLE | ONE_LINE, .format = &format_email, .min = 1,
          .max = 254, .doc = "The primary one of `emails`; without that list, it sets it"),
    FIELD(customer, phone, F_TEXT, NULLABLE | ONE_LINE, .format = &format_phone, .min = 1,
          .max = 16, .doc = "The primary one of `phones`; without that list, it sets it"),
    FIELD(customer, locale, F_TEXT, NULLABLE | ONE_LINE, .format = &format_locale, .min = 1,
          .max = 35, .example = "\"de-DE\""),
    FIELD(customer, timezone, F_TEXT, NULLABLE | ONE_LINE, .format = &format_timezone, .min = 1,
          .max = 64, .example = "\"Europe/Berlin\""),
    FIELD(customer, company_id, F_UUID, NULLABLE),
    FIELD(customer, company_name, F_TEXT, READ_ONLY | NULLABLE),
    FIELD(customer, status, F_ENUM, 0, .names = &customer_statuses,
          .doc = "Left out when it is created: new"),
    FIELD(customer, owner_id, F_UUID, NULLABLE, .doc = "The user whom it is assigned to"),
    FIELD(customer, owner_name, F_TEXT, READ_ONLY | NULLABLE),
    FIELD(customer, tags, F_LIST, 0, .of = F_TEXT, .format = &tag_format, .unique = true,
          .max = CUSTOMER_TAGS_MAX),
    FIELD(customer, custom_fields, F_JSON, NULLABLE),
    FIELD(customer, consent, F_OBJECT, NULLABLE | NO_COLUMN, .record = &consent_record,
          .doc = "Whether the person may be contacted, by channel"),
    CONSENT_COLUMN(email),
    CONSENT_COLUMN(sms),
    CONSENT_COLUMN(push),
    CONSENT_COLUMN(phone),
    FIELD(customer, last_contacted_at, F_TIME, READ_ONLY | NULLABLE | SUMMARY,
          .doc = "The latest start of an outbound touch"),
    FIELD(customer, last_contact_method, F_TEXT, READ_ONLY | NULLABLE | SUMMARY),
    FIELD(customer, contact_count, F_INT, READ_ONLY | SUMMARY, .doc = "Of outbound touches"),
    FIELD(customer, last_response_at, F_TIME, READ_ONLY | NULLABLE | SUMMARY),
    FIELD(customer, version, F_INT, READ_ONLY),
    FIELD(customer, created_at, F_TIME, READ_ONLY),
    FIELD(customer, created_by, F_UUID, READ_ONLY | NULLABLE),
    FIELD(customer, updated_at, F_TIME, READ_ONLY),
    FIELD(customer, deleted_at, F_TIME, READ_ONLY | NULLABLE | OMIT_NULL),
    FIELD(customer, merged_into, F_UUID, COLUMN_ONLY | READ_ONLY | NULLABLE),
};
const struct record customer_record = RECORD_NAMED("Customer", customer, customer_fields);

enum err customer_follow(struct ctx *cx, struct uuid *id)
{
    struct customer last = {0};
    bool there = false;

    TRY(db_find(cx, &sql_customer_follow, ARGS({"id", v_uuid(*id)}), &customer_record, &last,
                &there));
    if (there)
        *id = last.id;
    return OK;
}

/* Looks behind an id only where nobody has it, so that following costs the others nothing. */
static enum err read_followed(struct ctx *cx, const struct query *query, struct uuid id,
                              struct customer *out)
{
    bool there = false;

    /* Who has been waited for may have been merged meanwhile, so again from there. */
    for (int i = 0; i < FOLLOW_TRIES; i++) {
        const struct uuid before = id;

        TRY(db_find(cx, query, ARGS({"id", v_uuid(id)}), &customer_record, out, &there));
        if (there && uuid_is_none(out->merged_into))
            return OK;
        TRY(customer_follow(cx, &id));
        if (uuid_equal(id, before) && i > 0) /* a merge may just have been undone */
            break;
    }
    return error_set(cx->error, ERR_NOT_FOUND, "There is no such record.");
}

enum err customer_get(struct ctx *cx, struct uuid id, struct customer *out)
{
    return read_followed(cx, &sql_customer_get, id, out);
}

enum err customer_get_locked(struct ctx *cx, struct uuid id, struct customer *out)
{
    return read_followed(cx, &sql_customer_lock, id, out);
}

enum err customer_get_any_locked(struct ctx *cx, struct uuid id, struct customer *out)
{
    return read_followed(cx, &sql_customer_lock_any, id, out);
}

enum err customer_find_external_locked(struct ctx *cx, struct str external_id, struct customer *out,
                                       bool *there)
{
    TRY(db_find(cx, &sql_customer_lock_external, ARGS({"external_id", v_text(external_id)}),
                &customer_record, out, there));
    return *there && !uuid_is_none(out->merged_into)
               ? customer_get_any_locked(cx, out->merged_into, out)
               : OK;
}

enum err customer_get_external(struct ctx *cx, struct str external_id, struct customer *out)
{
    struct customer merged = {0};
    bool there = false;

    TRY(db_find(cx, &sql_customer_get_external, ARGS({"external_id", v_text(external_id)}),
                &customer_record, out, &there));
    if (there)
        return OK;
    TRY(db_one(cx, &sql_customer_merged_external, ARGS({"external_id", v_text(external_id)}),
               &customer_record, &merged));
    return customer_get(cx, merged.id, out);
}

/* --- Addresses ----------------------------------------------------------------------- */

static bool same_address(struct str a, struct str b)
{
    return str_equal_nocase(a, b);
}

struct customer_address *customer_find_address(const struct list *list, struct str address)
{
    for (size_t i = 0; i < list->count; i++) {
        struct customer_address *one = LIST_AT(*list, struct customer_address, i);

        if (same_address(one->address, address))
            return one;
    }
    return NULL;
}

static enum err exhausted(struct ctx *cx)
{
    return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
}

/* A list of its own, since what it came from is still compared with it. */
static enum err copy_list(struct ctx *cx, struct list *list, size_t item_size, size_t more)
{
    void *items = arena_array(cx->arena, list->count + more, item_size);

    if (!items)
        return exhausted(cx);
    if (list->count > 0)
        memcpy(items, list->items, list->count * item_size);
    list->items = items;
    return OK;
}

void customer_mark_primary(struct list *list, const struct customer_address *chosen)
{
    for (size_t i = 0; i < list->count; i++) {
        struct customer_address *one = LIST_AT(*list, struct customer_address, i);

        one->primary = one == chosen;
    }
}

static struct customer_address *marked_primary(const struct list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (LIST_AT(*list, struct customer_address, i)->primary)
            return LIST_AT(*list, struct customer_address, i);
    }
    return list->count > 0 ? LIST_AT(*list, struct customer_address, 0) : NULL;
}

/* What somebody gave: the whole list, the primary address alone, both, or neither. */
struct address_given {
    const char *list_name, *primary_name;
    bool list, primary;
};

static enum err check_addresses(struct ctx *cx, const struct list *list, const char *name)
{
    size_t primaries = 0;

    for (size_t i = 0; i < list->count; i++) {
        const struct customer_address *one = LIST_AT(*list, struct customer_address, i);
        struct list before = {list->items, i};

        primaries += one->primary;
        if (customer_find_address(&before, one->address))
            error_fault(cx->error, name, "repeated", "%.*s is given twice", STR_FMT(one->address));
    }
    if (primaries > 1)
        error_fault(cx->error, name, "primary", "only one can be the primary one");
    return cx->error->fault_count > 0 ? ERR_INVALID : OK;
}

static void remove_address(struct list *list, const struct customer_address *gone)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        struct customer_address *one = LIST_AT(*list, struct customer_address, i);

        if (one != gone)
            *LIST_AT(*list, struct customer_address, kept++) = *one;
    }
    list->count = kept;
}

/* Makes *list whole: one primary entry, and *primary what it says. */
static enum err settle_addresses(struct ctx *cx, const struct address_given *given,
                                 struct list *list, struct str *primary)
{
    struct customer_address *chosen;

    TRY(copy_list(cx, list, sizeof(struct customer_address), 1));
    TRY(check_addresses(cx, list, given->list_name));
    chosen = marked_primary(list);
    if (given->primary && primary->ptr) {
        struct customer_address *named = customer_find_address(list, *primary);

        if (!named && given->list)
            return error_fault(cx->error, given->primary_name, "not_one_of", "must be one of %s",
                               given->list_name);
        if (named) {
            chosen = named;
        } else if (chosen) {
            chosen->address = *primary;
        } else {
            chosen = LIST_AT(*list, struct customer_address, list->count++);
            *chosen = (struct customer_address){.address = *primary};
        }
    } else if (given->primary && !given->list && chosen) {
        chosen->primary = false;
        remove_address(list, chosen);
        chosen = marked_primary(list);
    }
    customer_mark_primary(list, chosen);
    *primary = chosen ? chosen->address : STR_NULL;
    return OK;
}

/* --- Rules --------------------------------------------------------------------------- */

/* A new owner is a user who is not deactivated. */
static enum err require_owner(struct ctx *cx, struct uuid id, struct str *name)
{
    struct user owner = {0};
    enum err found = user_get_held(cx, id, &owner);

    if (found == ERR_NOT_FOUND)
        return error_set(cx->error, ERR_NOT_FOUND, "There is no such record: owner_id.");
    TRY(found);
    if (!owner.active)
        return error_fault(cx->error, "owner_id", "inactive",
                           "must be a user who is not deactivated");
    *name = owner.name;
    return OK;
}

/* Rules, and what is kept beside what people give; `before` is zeros for a new one. */
static enum err prepare(struct ctx *cx, const struct customer *before, struct customer *customer)
{
    int *channels[] = {&customer->consent.email, &customer->consent.sms, &customer->consent.push,
                       &customer->consent.phone};

    if (str_trim(customer->name).len == 0)
        return error_fault(cx->error, "name", "too_short", "must not be blank");
    customer->name_folded = fold_key(cx->arena, customer->name, CUSTOMER_NAME_KEY_MAX);
    if (customer->name_folded.len == 0)
        customer->name_folded = customer->name;
    if (customer->status == 0)
        customer->status = CUSTOMER_NEW;
    for (size_t i = 0; i < COUNT_OF(channels); i++) {
        if (*channels[i] == 0)
            *channels[i] = CONSENT_UNKNOWN;
    }
    if (customer->tags.count > CUSTOMER_TAGS_MAX)
        return error_fault(cx->error, "tags", "too_long", "must have at most %d entries",
                           CUSTOMER_TAGS_MAX);
    if (!uuid_is_none(customer->company_id) &&
        !uuid_equal(customer->company_id, before->company_id))
        TRY(company_require(cx, customer->company_id, "company_id", &customer->company_name));
    if (!uuid_is_none(customer->owner_id) && !uuid_equal(customer->owner_id, before->owner_id))
        TRY(require_owner(cx, customer->owner_id, &customer->owner_name));
    return OK;
}

static enum err taken(struct ctx *cx)
{
    return error_set(cx->error, ERR_CONFLICT, "There is a customer with this external_id already.");
}

/* --- Events -------------------------------------------------------------------------- */

static enum err record_event(struct ctx *cx, struct uuid id, const char *type, int category,
                             const char *title, struct str payload)
{
    struct event event = {.contact_id = id,
                          .event_type = str_of(type),
                          .category = category,
                          .title = str_of(title),
                          .payload = payload};

    return timeline_record(cx, &event);
}

enum err customer_status_event(struct ctx *cx, struct uuid id, int before, int after)
{
    return record_event(cx, id, "status_changed", CATEGORY_STATUS, "Status changed",
                        PAYLOAD(cx, {"old_status", v_enum(&customer_statuses, before)},
                                {"new_status", v_enum(&customer_statuses, after)}));
}

static enum err owner_event(struct ctx *cx, const struct customer *before,
                            const struct customer *after)
{
    struct str name = after->owner_name, old_name = before->owner_name;

    if (!uuid_is_none(before->owner_id) && !old_name.ptr) {
        struct user owner = {0};

        TRY(user_get(cx, before->owner_id, &owner));
        old_name = owner.name;
    }
    if (uuid_is_none(before->owner_id))
        return record_event(
            cx, after->id, "agent_assigned", CATEGORY_ASSIGNMENT, "Agent assigned",
            PAYLOAD(cx, {"agent_id", v_uuid(after->owner_id)}, {"agent_name", v_text(name)}));
    if (uuid_is_none(after->owner_id))
        return record_event(
            cx, after->id, "agent_unassigned", CATEGORY_ASSIGNMENT, "Agent unassigned",
            PAYLOAD(cx, {"agent_id", v_uuid(before->owner_id)}, {"agent_name", v_text(old_name)}));
    return record_event(
        cx, after->id, "agent_transferred", CATEGORY_ASSIGNMENT, "Agent transferred",
        PAYLOAD(cx, {"agent_id", v_uuid(after->owner_id)}, {"agent_name", v_text(name)},
                {"previous_agent_id", v_uuid(before->owner_id)},
                {"previous_agent_name", v_text(old_name)}));
}

/* One event for each tag that stands in `tags` and not in `others`. */
static enum err tag_events(struct ctx *cx, struct uuid id, const struct list *tags,
                           const struct list *others, const char *type, const char *title)
{
    for (size_t i = 0; i < tags->count; i++) {
        struct str tag = *LIST_AT(*tags, struct str, i);

        if (!customer_has_tag(others, tag))
            TRY(record_event(cx, id, type, CATEGORY_TAG, title, PAYLOAD(cx, {"tag", v_text(tag)})));
    }
    return OK;
}

/* The walk over the members of custom_fields, each against the other object. */
struct field_walk {
    struct ctx *cx;
    struct uuid id;
    struct str other;
    bool cleared_only; /* `other` is what stands now: tell what is gone */
    enum err result;
};

struct str customer_field_name(struct ctx *cx, struct str raw_key)
{
    struct buf name;

    buf_init(&name, cx->arena, raw_key.len);
    json_raw_text(raw_key, &name);
    return buf_failed(&name) ? STR_NULL : name.len > 0 ? buf_str(&name) : STR("");
}

static void field_event(void *context, struct str key, struct str value)
{
    struct field_walk *walk = context;
    struct ctx *cx = walk->cx;
    struct str name, other, payload;

    if (walk->result != OK)
        return;
    name = customer_field_name(cx, key);
    other = json_raw_member(walk->other, name);
    if (walk->cleared_only ? other.ptr != NULL : str_equal(other, value))
        return;
    /* Both values in one payload may be more than a payload holds. */
    if (name.len + value.len + other.len > FREE_JSON_MAX / 2)
        payload = PAYLOAD(cx, {"name", v_text(name)}, {"value_left_out", v_bool(true)});
    else if (walk->cleared_only)
        payload = PAYLOAD(cx, {"name", v_text(name)}, {"old_value", v_bytes(value)});
    else
        payload = PAYLOAD(cx, {"name", v_text(name)}, {"value", v_bytes(value)},
                          {"old_value", v_bytes(other)});
    walk->result =
        record_event(cx, walk->id, walk->cleared_only ? "custom_field_cleared" : "custom_field_set",
                     CATEGORY_CUSTOM_FIELD,
                     walk->cleared_only ? "Custom field cleared" : "Custom field set", payload);
}

static enum err field_events(struct ctx *cx, const struct customer *before,
                             const struct customer *after)
{
    struct field_walk set = {cx, after->id, before->custom_fields, false, OK};
    struct field_walk cleared = {cx, after->id, after->custom_fields, true, OK};

    json_raw_members(after->custom_fields, field_event, &set);
    TRY(set.result);
    json_raw_members(before->custom_fields, field_event, &cleared);
    return cleared.result;
}

/* One event for each kind of change, and contact_updated for the rest. */
static enum err change_events(struct ctx *cx, const struct customer *before,
                              const struct customer *after)
{
    struct customer rest = *after;
    struct given changed;

    if (before->status != after->status)
        TRY(customer_status_event(cx, after->id, before->status, after->status));
    if (!uuid_equal(before->owner_id, after->owner_id))
        TRY(owner_event(cx, before, after));
    TRY(tag_events(cx, after->id, &after->tags, &before->tags, "tag_added", "Tag added"));
    TRY(tag_events(cx, after->id, &before->tags, &after->tags, "tag_removed", "Tag removed"));
    TRY(field_events(cx, before, after));
    rest.status = before->status;
    rest.owner_id = before->owner_id;
    rest.tags = before->tags;
    rest.custom_fields = before->custom_fields;
    changed = record_difference(&customer_record, before, &rest);
    if (!given_any(&changed))
        return OK;
    return record_event(cx, after->id, "contact_updated", CATEGORY_GENERAL, "Contact updated",
                        timeline_changes(cx, &customer_record, before, &rest));
}

/* --- Create, change, delete ---------------------------------------------------------- */

enum err customer_create(struct ctx *cx, const struct customer *in, struct customer *out)
{
    const struct customer nothing = {0};
    struct customer made = *in, inserted = {0};
    struct address_given emails = {"emails", "email", in->emails.count > 0, in->email.ptr != NULL};
    struct address_given phones = {"phones", "phone", in->phones.count > 0, in->phone.ptr != NULL};
    bool there = false;

    TRY(settle_addresses(cx, &emails, &made.emails, &made.email));
    TRY(settle_addresses(cx, &phones, &made.phones, &made.phone));
    TRY(prepare(cx, &nothing, &made));
    made.id = uuid_new(cx->ids, cx->now_us);
    TRY(db_find(cx, &sql_customer_insert, ARGS_OF(&customer_record, &made), &customer_record,
                &inserted, &there));
    if (!there)
        return taken(cx);
    made.version = 1;
    made.created_at = made.updated_at = cx->now_us;
    made.created_by = cx->actor.user_id;
    TRY(customer_index_add(cx, &made));
    TRY(record_event(
        cx, made.id, "contact_created", CATEGORY_GENERAL, "Contact created",
        PAYLOAD(cx, {"name", v_text(made.name)}, {"external_id", v_text(made.external_id)},
                {"status", v_enum(&customer_statuses, made.status)},
                {"company_id", v_uuid(made.company_id)}, {"owner_id", v_uuid(made.owner_id)})));
    *out = made;
    return OK;
}

enum err customer_save(struct ctx *cx, const struct customer *current,
                       const struct customer *wanted, struct customer *out)
{
    struct customer after = *wanted, other = {0};
    struct given changed;
    bool there = false;

    TRY(prepare(cx, current, &after));
    changed = record_difference(&customer_record, current, &after);
    if (!given_any(&changed))
        return customer_get(cx, current->id, out);
    if (after.external_id.ptr && !str_equal(after.external_id, current->external_id)) {
        TRY(db_find(cx, &sql_customer_external_taken, ARGS_OF(&customer_record, &after),
                    &customer_record, &other, &there));
        if (there)
            return taken(cx);
    }
    TRY(db_run(cx, &sql_customer_save, ARGS_OF(&customer_record, &after)));
    TRY(customer_index_change(cx, current, &after));
    TRY(change_events(cx, current, &after));
    return customer_get(cx, current->id, out);
}

enum err customer_update(struct ctx *cx, const struct customer *current,
                         const struct customer *patch, const struct given *given,
                         struct customer *out)
{
    struct customer wanted = *current;
    struct address_given emails = {"emails", "email", given_has(given, &customer_record, "emails"),
                                   given_has(given, &customer_record, "email")};
    struct address_given phones = {"phones", "phone", given_has(given, &customer_record, "phones"),
                                   given_has(given, &customer_record, "phone")};

    TRY(record_merge(&customer_record, given, patch, &wanted, cx->arena, cx->error));
    TRY(settle_addresses(cx, &emails, &wanted.emails, &wanted.email));
    TRY(settle_addresses(cx, &phones, &wanted.phones, &wanted.phone));
    return customer_save(cx, current, &wanted, out);
}

static enum err restore(struct ctx *cx, const struct customer *customer)
{
    TRY(db_run(cx, &sql_customer_mark_restored, ARGS({"id", v_uuid(customer->id)})));
    TRY(customer_index_add(cx, customer));
    return record_event(cx, customer->id, "contact_restored", CATEGORY_GENERAL, "Contact restored",
                        PAYLOAD(cx, {"name", v_text(customer->name)}));
}

enum err customer_upsert(struct ctx *cx, struct str external_id, const struct customer *in,
                         const struct given *given, struct customer *out, bool *created)
{
    struct customer current = {0}, made = *in;
    bool there = false;

    if (external_id.len == 0 || str_code_points(external_id) > EXTERNAL_ID_MAX)
        return error_fault(cx->error, "external_id", "too_long", "must have 1 to %d characters",
                           EXTERNAL_ID_MAX);
    if (in->external_id.ptr && !str_equal(in->external_id, external_id))
        return error_fault(cx->error, "external_id", "mismatch", "must be what the path says");
    TRY(customer_find_external_locked(cx, external_id, &current, &there));
    made.external_id = external_id;
    *created = false;
    if (!there) {
        enum err inserted = customer_create(cx, &made, out);

        *created = inserted == OK;
        if (inserted != ERR_CONFLICT)
            return inserted;
        /* Another transaction was first, and has committed meanwhile. */
        error_clear(cx->error);
        TRY(customer_find_external_locked(cx, external_id, &current, &there));
        if (!there)
            return taken(cx);
    }
    if (current.deleted_at.set)
        TRY(restore(cx, &current));
    if (!str_equal(current.external_id, external_id)) /* whose key it was is merged into another */
        made.external_id = current.external_id;
    return customer_update(cx, &current, &made, given, out);
}

enum err customer_delete(struct ctx *cx, const struct customer *current)
{
    TRY(db_run(cx, &sql_customer_mark_deleted, ARGS({"id", v_uuid(current->id)})));
    TRY(customer_index_remove(cx, current));
    /* It names its subject because tokens of the contact end with it. */
    return timeline_record(
        cx, &(struct event){.contact_id = current->id,
                            .subject_type = STR("customer"),
                            .subject_id = current->id,
                            .event_type = STR("contact_deleted"),
                            .category = CATEGORY_GENERAL,
                            .title = STR("Contact deleted"),
                            .payload = PAYLOAD(cx, {"name", v_text(current->name)})});
}

enum err customer_restore(struct ctx *cx, struct uuid id, struct customer *out)
{
    struct customer current = {0};

    TRY(customer_get_any_locked(cx, id, &current));
    if (current.deleted_at.set)
        TRY(restore(cx, &current));
    return customer_get(cx, id, out);
}

/* --- Changes with routes of their own ------------------------------------------------ */

enum err customer_tag(struct ctx *cx, const struct customer *current, struct str tag, bool on,
                      struct customer *out)
{
    struct customer wanted = *current;
    size_t kept = 0;

    if (!is_tag(tag))
        return error_fault(cx->error, "tag", "bad_format", "%s", tag_format.message);
    if (customer_has_tag(&current->tags, tag) == on)
        return customer_get(cx, current->id, out);
    TRY(copy_list(cx, &wanted.tags, sizeof(struct str), 1));
    if (on) {
        *LIST_AT(wanted.tags, struct str, wanted.tags.count++) = tag;
        return customer_save(cx, current, &wanted, out);
    }
    for (size_t i = 0; i < wanted.tags.count; i++) {
        struct str one = *LIST_AT(wanted.tags, struct str, i);

        if (!str_equal(one, tag))
            *LIST_AT(wanted.tags, struct str, kept++) = one;
    }
    wanted.tags.count = kept;
    return customer_save(cx, current, &wanted, out);
}

/* The members of an object but one, as they stand. */
struct field_copy {
    struct ctx *cx;
    struct str left_out;
    struct json_out out;
};

static void copy_member(void *context, struct str key, struct str value)
{
    struct field_copy *copy = context;
    struct str name = customer_field_name(copy->cx, key);

    if (str_equal(name, copy->left_out))
        return;
    json_key(&copy->out, name);
    json_raw(&copy->out, value);
}

enum err customer_set_field(struct ctx *cx, const struct customer *current, struct str name,
                            struct str value, struct customer *out)
{
    struct customer wanted = *current;
    struct field_copy copy = {.cx = cx, .left_out = name};
    struct str old = json_raw_member(current->custom_fields, name);
    struct buf buf;

    if (name.len == 0 || str_code_points(name) > FIELD_NAME_MAX)
        return error_fault(cx->error, "name", "too_long", "must have 1 to %d characters",
                           FIELD_NAME_MAX);
    if (str_equal(old, value))
        return customer_get(cx, current->id, out);
    buf_init(&buf, cx->arena, FREE_JSON_MAX);
    json_out_init(&copy.out, &buf);
    json_object_begin(&copy.out);
    json_raw_members(current->custom_fields, copy_member, &copy);
    if (value.ptr) {
        json_key(&copy.out, name);
        json_raw(&copy.out, value);
    }
    json_object_end(&copy.out);
    if (buf_failed(&buf))
        return error_fault(cx->error, "value", "too_long",
                           "all custom fields together must have at most %zu bytes", FREE_JSON_MAX);
    wanted.custom_fields = buf_str(&buf);
    return customer_save(cx, current, &wanted, out);
}

enum err customer_assign(struct ctx *cx, const struct customer *current, struct uuid owner_id,
                         struct customer *out)
{
    struct customer wanted = *current;

    wanted.owner_id = owner_id;
    return customer_save(cx, current, &wanted, out);
}

enum err customer_set_status(struct ctx *cx, const struct customer *current, int status,
                             struct customer *out)
{
    struct customer wanted = *current;

    wanted.status = status;
    return customer_save(cx, current, &wanted, out);
}
