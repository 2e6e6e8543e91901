#include "app/outreach/policy.h"

#include "app/interaction/interaction.h"
#include "app/outreach/policy_sql.h"
#include "app/timeline/timeline.h"
#include "app/user/user.h"

#include <stdio.h>

#define RULES_BYTES_MAX KIB(16) /* EXCEPTIONS_MAX of the longest exceptions take half of it */

#define WARN_DAYS_DOC "A touch within so many days of another is warned about; 0: none is"
#define MIN_HOURS_DOC "A touch within so many hours of another is blocked; 0: none is"
#define MAX_PER_DAY_DOC "So many touches on one of the customer's own days; null: no such limit"

static const struct field exception_fields[] = {
    FIELD(outreach_exception, role, F_ENUM, NULLABLE | OMIT_NULL, .names = &user_roles,
          .doc = "For whoever has this role, or one above it for which there is no exception"),
    FIELD(outreach_exception, campaign_id, F_UUID, NULLABLE | OMIT_NULL,
          .doc = "For what this campaign sends; goes before a role's"),
    FIELD_AS(outreach_exception, "warn_days", limits.warn_days, F_INT, REQUIRED, .min = 0,
             .max = WARN_DAYS_MAX, .doc = WARN_DAYS_DOC),
    FIELD_AS(outreach_exception, "min_hours", limits.min_hours, F_INT, REQUIRED, .min = 0,
             .max = MIN_HOURS_MAX, .doc = MIN_HOURS_DOC),
    FIELD_AS(outreach_exception, "max_per_day", limits.max_per_day, F_INT, NULLABLE, .min = 1,
             .max = MAX_PER_DAY_MAX, .doc = MAX_PER_DAY_DOC),
};
static const struct record exception_record =
    RECORD_NAMED("OutreachException", outreach_exception, exception_fields);

/* What people edit is what the column holds. */
#define RULES_FIELDS                                                                               \
    FIELD_AS(outreach_policy, "guarded", rules.guarded, F_BOOL, NO_COLUMN,                         \
             .doc = "false: this method is not guarded at all"),                                   \
        FIELD_AS(outreach_policy, "warn_days", rules.limits.warn_days, F_INT, NO_COLUMN, .min = 0, \
                 .max = WARN_DAYS_MAX, .doc = WARN_DAYS_DOC),                                      \
        FIELD_AS(outreach_policy, "min_hours", rules.limits.min_hours, F_INT, NO_COLUMN, .min = 0, \
                 .max = MIN_HOURS_MAX, .doc = MIN_HOURS_DOC ". At most 24 times warn_days"),       \
        FIELD_AS(outreach_policy, "max_per_day", rules.limits.max_per_day, F_INT,                  \
                 NULLABLE | NO_COLUMN, .min = 1, .max = MAX_PER_DAY_MAX, .doc = MAX_PER_DAY_DOC),  \
        FIELD_AS(outreach_policy, "bypass", rules.bypass, F_BOOL, NO_COLUMN,                       \
                 .doc = "Transactional messages pass, whatever the limits"),                       \
        FIELD_AS(outreach_policy, "exceptions", rules.exceptions, F_LIST, NO_COLUMN,               \
                 .of = F_OBJECT, .record = &exception_record, .max = EXCEPTIONS_MAX,               \
                 .doc = "Other limits, each for a role or for a campaign")

static const struct field rules_fields[] = {RULES_FIELDS};
static const struct record rules_record =
    RECORD_NAMED("OutreachRules", outreach_policy, rules_fields);

static void put_is_default(struct json_out *out, const void *record)
{
    const struct outreach_policy *policy = record;

    json_bool(out, policy->stored.ptr == NULL);
}

static const struct field policy_fields[] = {
    FIELD(outreach_policy, id, F_UUID, READ_ONLY | COLUMN_ONLY),
    FIELD(outreach_policy, method, F_ENUM, READ_ONLY, .names = &interaction_type_words),
    RULES_FIELDS,
    VIEW("is_default", put_is_default, NULL, READ_ONLY, .schema = "{\"type\":\"boolean\"}",
         .doc = "Nobody has set it, or it was set back"),
    FIELD(outreach_policy, stored, F_TEXT, READ_ONLY | COLUMN_ONLY),
    FIELD(outreach_policy, version, F_INT, READ_ONLY, .doc = "0: nobody has ever set it"),
    FIELD(outreach_policy, created_at, F_TIME, READ_ONLY | NULLABLE),
    FIELD(outreach_policy, updated_at, F_TIME, READ_ONLY | NULLABLE),
    FIELD(outreach_policy, updated_by, F_UUID, READ_ONLY | NULLABLE),
    FIELD(outreach_policy, updated_by_name, F_TEXT, READ_ONLY | NULLABLE),
};
const struct record outreach_policy_record =
    RECORD_NAMED("OutreachPolicy", outreach_policy, policy_fields);

const struct outreach_rules outreach_default_rules = {
    .guarded = true,
    .limits = {.warn_days = 7, .min_hours = 24, .max_per_day = SOME(1)},
    .bypass = true,
};

bool outreach_has_policy(int method)
{
    return enum_name(&interaction_type_words, method) && method != TYPE_NOTE &&
           method != TYPE_SYSTEM && method != TYPE_MEETING;
}

/* --- The rules ------------------------------------------------------------------------------ */

static bool is_within(int64_t value, int64_t min, int64_t max)
{
    return value >= min && value <= max;
}

static bool are_sound(const struct outreach_limits *limits)
{
    return is_within(limits->warn_days, 0, WARN_DAYS_MAX) &&
           is_within(limits->min_hours, 0, MIN_HOURS_MAX) &&
           (!limits->max_per_day.set || is_within(limits->max_per_day.value, 1, MAX_PER_DAY_MAX));
}

/* What is stored is decoded without a look at its range. Rules that somebody has put there past
 * us must not overflow the windows, nor hold for everybody for want of a name. */
static bool is_readable(const struct outreach_rules *rules)
{
    bool sound = are_sound(&rules->limits);

    for (size_t i = 0; i < rules->exceptions.count; i++) {
        const struct outreach_exception *at =
            LIST_AT(rules->exceptions, struct outreach_exception, i);

        sound = sound && are_sound(&at->limits) && (at->role || !uuid_is_none(at->campaign_id));
    }
    return sound;
}

enum err outreach_rules_read(struct ctx *cx, struct str rules, struct outreach_rules *out)
{
    struct outreach_policy policy = {.rules = outreach_default_rules};
    struct error why;
    enum err result = OK;
    const struct decoding in = {.arena = cx->arena, .error = &why, .stored = true};

    error_clear(&why);
    if (rules.ptr)
        result = record_decode(&rules_record, rules, &in, &policy, NULL);
    if (result == ERR_TOO_LARGE)
        return error_set(cx->error, ERR_TOO_LARGE, "%s", why.detail);
    if (result != OK || !is_readable(&policy.rules))
        return error_set(cx->error, ERR_INTERNAL, "A stored outreach policy cannot be read.");
    *out = policy.rules;
    return OK;
}

static enum err write_rules(struct ctx *cx, const struct outreach_policy *policy, struct str *out)
{
    struct json_out json;
    struct buf buf;

    buf_init(&buf, cx->arena, RULES_BYTES_MAX);
    json_out_init(&json, &buf);
    record_encode(&rules_record, policy, true, &json);
    if (buf_failed(&buf))
        return error_set(cx->error, ERR_TOO_LARGE, "The request takes too much memory.");
    *out = buf_str(&buf);
    return OK;
}

struct outreach_limits outreach_limits_for(const struct outreach_rules *rules, enum role role,
                                           struct uuid campaign_id)
{
    const int own_role = user_role_of(role);
    const struct outreach_exception *best = NULL;

    for (size_t i = 0; i < rules->exceptions.count; i++) {
        const struct outreach_exception *at =
            LIST_AT(rules->exceptions, struct outreach_exception, i);

        if (at->role == 0 && uuid_equal(at->campaign_id, campaign_id))
            return at->limits;
        if (at->role != 0 && at->role <= own_role && (!best || at->role > best->role))
            best = at;
    }
    return best ? best->limits : rules->limits;
}

static enum err check_limits(struct ctx *cx, const char *field,
                             const struct outreach_limits *limits)
{
    if (limits->min_hours <= limits->warn_days * 24)
        return OK;
    return error_fault(cx->error, field, "too_large",
                       "must be at most 24 times warn_days: what is blocked is warned about too");
}

static bool is_repeated(const struct list *exceptions, size_t index)
{
    const struct outreach_exception *exception =
        LIST_AT(*exceptions, struct outreach_exception, index);

    for (size_t i = 0; i < index; i++) {
        const struct outreach_exception *at = LIST_AT(*exceptions, struct outreach_exception, i);

        if (at->role == exception->role && uuid_equal(at->campaign_id, exception->campaign_id))
            return true;
    }
    return false;
}

/* Of the exception `index`: whose it is, and its limits. */
static enum err check_exception(struct ctx *cx, const struct list *exceptions, size_t index)
{
    const struct outreach_exception *exception =
        LIST_AT(*exceptions, struct outreach_exception, index);
    const bool has_campaign = !uuid_is_none(exception->campaign_id);
    char role[48], campaign_id[48], min_hours[48];
    enum err result = OK;

    snprintf(role, sizeof(role), "exceptions[%zu].role", index);
    snprintf(campaign_id, sizeof(campaign_id), "exceptions[%zu].campaign_id", index);
    snprintf(min_hours, sizeof(min_hours), "exceptions[%zu].min_hours", index);
    if (exception->role == 0 && !has_campaign)
        result = error_fault(cx->error, role, "required", "must be given, or else campaign_id");
    else if (exception->role != 0 && has_campaign)
        result = error_fault(cx->error, campaign_id, "conflict", "must be left out beside role");
    else if (is_repeated(exceptions, index))
        result = error_fault(cx->error, has_campaign ? campaign_id : role, "repeated",
                             "has an exception already");
    return check_limits(cx, min_hours, &exception->limits) == OK ? result : ERR_INVALID;
}

/* With all faults. */
static enum err check(struct ctx *cx, const struct outreach_rules *rules)
{
    enum err result = check_limits(cx, "min_hours", &rules->limits);

    for (size_t i = 0; i < rules->exceptions.count; i++) {
        if (check_exception(cx, &rules->exceptions, i) != OK)
            result = ERR_INVALID;
    }
    return result;
}

/* --- Reading --------------------------------------------------------------------------------- */

enum err outreach_policy_list(struct ctx *cx, struct list *out)
{
    const size_t methods = interaction_type_words.count;
    struct outreach_policy *made = ARENA_ARRAY(cx->arena, methods, struct outreach_policy);
    struct list rows;
    size_t count = 0;

    if (!made)
        return error_set(cx->error, ERR_TOO_LARGE, "The request takes too much memory.");
    TRY(db_all(cx, &sql_outreach_policies, NO_ARGS, &outreach_policy_record, &rows));
    for (int method = 1; (size_t)method <= methods; method++) {
        struct outreach_policy *at = &made[count];

        if (!outreach_has_policy(method))
            continue;
        *at = (struct outreach_policy){.method = method};
        for (size_t i = 0; i < rows.count; i++) {
            if (LIST_AT(rows, struct outreach_policy, i)->method == method)
                *at = *LIST_AT(rows, struct outreach_policy, i);
        }
        TRY(outreach_rules_read(cx, at->stored, &at->rules));
        count++;
    }
    *out = (struct list){made, count};
    return OK;
}

static struct value method_value(int method)
{
    return v_enum(&interaction_type_words, method);
}

enum err outreach_policy_get(struct ctx *cx, int method, struct outreach_policy *out)
{
    bool found = false;

    if (!outreach_has_policy(method))
        return error_set(cx->error, ERR_NOT_FOUND, "There is no such record.");
    TRY(db_find(cx, &sql_outreach_policy_get, ARGS({"method", method_value(method)}),
                &outreach_policy_record, out, &found));
    if (!found)
        *out = (struct outreach_policy){.method = method};
    return outreach_rules_read(cx, out->stored, &out->rules);
}

enum err outreach_policy_get_locked(struct ctx *cx, int method, struct outreach_policy *out)
{
    bool found;

    TRY(db_find(cx, &sql_outreach_policy_lock, ARGS({"method", method_value(method)}), NULL, NULL,
                &found));
    return outreach_policy_get(cx, method, out);
}

/* --- Writing --------------------------------------------------------------------------------- */

/* `rules` STR_NULL: the default. */
static enum err write_row(struct ctx *cx, const struct outreach_policy *current, struct str rules)
{
    const bool first = uuid_is_none(current->id);
    const struct uuid id = first ? uuid_new(cx->ids, cx->now_us) : current->id;
    bool written = false;

    TRY(db_find(cx, first ? &sql_outreach_policy_insert : &sql_outreach_policy_update,
                ARGS({"id", v_uuid(id)}, {"method", method_value(current->method)},
                     {"rules", v_text(rules)}, {"version", v_int(current->version)}),
                NULL, NULL, &written));
    if (!written)
        return error_set(cx->error, ERR_CONFLICT,
                         "The policy was changed at the same time: look at it again.");
    return OK;
}

static enum err record(struct ctx *cx, const char *event_type, const struct outreach_policy *before,
                       const struct outreach_policy *after)
{
    const struct str changes = timeline_changes(cx, &outreach_policy_record, before, after);

    return timeline_record(
        cx, &(struct event){.subject_type = STR("outreach_policy"),
                            .subject_id = after->id,
                            .event_type = str_of(event_type),
                            .category = CATEGORY_SYSTEM,
                            .payload = PAYLOAD(
                                cx, {"method", method_value(after->method)},
                                {"changed", v_bytes(json_raw_member(changes, STR("changed")))})});
}

enum err outreach_policy_save(struct ctx *cx, const struct outreach_policy *current,
                              const struct outreach_policy *wanted, struct outreach_policy *out)
{
    const struct given difference = record_difference(&outreach_policy_record, current, wanted);
    struct str rules = STR_NULL;

    *out = *current;
    TRY(check(cx, &wanted->rules));
    if (!given_any(&difference))
        return OK;
    TRY(write_rules(cx, wanted, &rules));
    TRY(write_row(cx, current, rules));
    TRY(outreach_policy_get(cx, current->method, out));
    return record(cx, "outreach_policy_changed", current, out);
}

enum err outreach_policy_reset(struct ctx *cx, const struct outreach_policy *current)
{
    struct outreach_policy reset = {0};

    if (!current->stored.ptr)
        return OK;
    TRY(write_row(cx, current, STR_NULL));
    TRY(outreach_policy_get(cx, current->method, &reset));
    return record(cx, "outreach_policy_reset", current, &reset);
}
