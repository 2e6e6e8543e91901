#include "app/interaction/interaction.h"

#include "app/company/company.h"
#include "app/customer/customer.h"
#include "app/interaction/interaction_parts.h"
#include "app/interaction/interaction_sql.h"
#include "app/session/session.h"
#include "app/timeline/timeline.h"
#include "app/user/user.h"
#include "db/counts.h"
#include "db/numbers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_TEXT_MAX 40

/* --- Locks ---------------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b)
{
    return uuid_compare(*(const struct uuid *)a, *(const struct uuid *)b);
}

/* In their order, each once: how many are left. */
static size_t sort_ids(struct uuid *ids, size_t count)
{
    size_t kept = 0;

    qsort(ids, count, sizeof(*ids), compare_ids);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || !uuid_equal(ids[i], ids[kept - 1]))
            ids[kept++] = ids[i];
    }
    return kept;
}

enum err interaction_lock_customers(struct ctx *cx, const struct uuid *ids, size_t count)
{
    struct uuid *sorted;
    struct interaction locked;
    bool there;

    if (!db_is_postgres(cx) || count == 0)
        return OK;
    sorted = ARENA_ARRAY(cx->arena, count, struct uuid);
    if (!sorted)
        return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
    memcpy(sorted, ids, count * sizeof(*ids));
    count = sort_ids(sorted, count);
    /* What the writes to come lock are the rows that the ids lead to, in the order of these. */
    for (size_t i = 0; i < count; i++)
        TRY(customer_follow(cx, &sorted[i]));
    count = sort_ids(sorted, count);
    for (size_t i = 0; i < count; i++)
        TRY(db_find(cx, &sql_interaction_lock_customer_by_id, ARGS({"id", v_uuid(sorted[i])}),
                    &interaction_row_record, &locked, &there));
    return OK;
}

/* By itself: PostgreSQL locks no row of an outer join. SQLite has nobody to lock out. */
static enum err lock_alone(struct ctx *cx, struct uuid id)
{
    struct interaction locked;

    if (!db_is_postgres(cx))
        return OK;
    return db_one(cx, &sql_interaction_lock, ARGS({"id", v_uuid(id)}), &interaction_row_record,
                  &locked);
}

static enum err lock(struct ctx *cx, struct uuid id)
{
    struct interaction locked;
    bool there;

    if (db_is_postgres(cx))
        TRY(db_find(cx, &sql_interaction_lock_customer, ARGS({"id", v_uuid(id)}),
                    &interaction_row_record, &locked, &there));
    return lock_alone(cx, id);
}

/* --- Rules ---------------------------------------------------------------------------------- */

static enum err no_such(struct ctx *cx, const char *field)
{
    return error_set(cx->error, ERR_NOT_FOUND, "There is no such record: %s.", field);
}

static enum err check_times(struct ctx *cx, const struct interaction *interaction)
{
    if (interaction->ended_at.set && interaction->ended_at.value < interaction->started_at)
        return error_fault(cx->error, "ended_at", "too_small", "must not be before started_at");
    return OK;
}

/* Of an edit: an attempt is not moved behind its response. */
static enum err check_move(struct ctx *cx, const struct interaction *before,
                           const struct interaction *after)
{
    const int64_t started_at = after->started_at;

    if (!after->responded || !after->response_at.set || started_at <= before->started_at ||
        interaction_seconds(started_at, after->response_at.value) >= 0)
        return OK;
    return error_fault(cx->error, "started_at", "too_large", "must not be after response_at");
}

enum err interaction_require_user(struct ctx *cx, struct uuid id, const char *field)
{
    int64_t there = 0;

    TRY(db_int(cx, &sql_interaction_user_there, ARGS({"id", v_uuid(id)}), &there));
    return there ? OK : no_such(cx, field);
}

/* A follow-up waits for somebody who can see to it: whoever gets one that is pending, or has
 * one that becomes pending anew. */
static enum err check_assignee(struct ctx *cx, const struct interaction *before,
                               const struct interaction *after)
{
    struct user assignee = {0};
    enum err found;

    if (uuid_is_none(after->follow_up_assignee) ||
        uuid_equal(after->follow_up_assignee, cx->actor.user_id) ||
        (uuid_equal(before->follow_up_assignee, after->follow_up_assignee) &&
         (before->follow_up_due.set || !after->follow_up_due.set)))
        return OK;
    found = user_get_held(cx, after->follow_up_assignee, &assignee);
    if (found == ERR_NOT_FOUND)
        return no_such(cx, "follow_up_assignee");
    TRY(found);
    return assignee.active ? OK
                           : error_fault(cx->error, "follow_up_assignee", "inactive",
                                         "must be a user who is not deactivated");
}

static size_t find_user(const struct list *participants, struct uuid id)
{
    size_t i = 0;

    for (; i < participants->count; i++) {
        const struct participant *at = LIST_AT(*participants, struct participant, i);

        if (at->kind == PARTICIPANT_USER && uuid_equal(at->id, id))
            break;
    }
    return i;
}

/* Those who took part before were looked up then. */
static enum err check_attendees(struct ctx *cx, const struct list *before, const struct list *after)
{
    for (size_t i = 0; i < after->count; i++) {
        const struct participant *at = LIST_AT(*after, struct participant, i);

        if (at->kind == PARTICIPANT_USER && find_user(before, at->id) == before->count)
            TRY(interaction_require_user(cx, at->id, "attendees"));
    }
    return OK;
}

/* What else is named by id, where it is new; company_name comes along. */
static enum err check_ids(struct ctx *cx, const struct interaction *before,
                          struct interaction *after)
{
    if (!uuid_equal(before->company_id, after->company_id)) {
        after->company_name = STR_NULL;
        if (!uuid_is_none(after->company_id))
            TRY(company_require(cx, after->company_id, "company_id", &after->company_name));
    }
    if (!uuid_is_none(after->session_id) && !uuid_equal(before->session_id, after->session_id))
        TRY(session_require(cx, after->session_id, after->customer_id, "session_id"));
    TRY(check_assignee(cx, before, after));
    return check_attendees(cx, &before->participants, &after->participants);
}

static enum err chunk_taken(struct ctx *cx)
{
    return error_set(cx->error, ERR_CONFLICT, "The primary chunk has a chunk of this number.");
}

/* Against its primary, which stays as it is until the commit. */
static enum err check_chunk_of(struct ctx *cx, const struct interaction *chunk,
                               const struct interaction *primary)
{
    const int64_t total =
        primary->total_chunks.set ? primary->total_chunks.value : chunk->total_chunks.value;
    int64_t taken = 0;

    if (!uuid_is_none(primary->parent_interaction_id))
        error_fault(cx->error, "parent_interaction_id", "not_primary",
                    "must be a primary chunk, which has no parent itself");
    if (!uuid_equal(primary->customer_id, chunk->customer_id))
        error_fault(cx->error, "parent_interaction_id", "mismatch",
                    "must be an interaction with the same customer");
    if (!primary->total_chunks.set && !chunk->total_chunks.set)
        error_fault(cx->error, "total_chunks", "required",
                    "must be given here or with the primary chunk");
    else if (chunk->total_chunks.set && chunk->total_chunks.value != total)
        error_fault(cx->error, "total_chunks", "mismatch", "must be that of the primary chunk");
    else if (chunk->chunk_number.set && chunk->chunk_number.value > total)
        error_fault(cx->error, "chunk_number", "too_large", "must be at most total_chunks");
    if (!chunk->chunk_number.set)
        error_fault(cx->error, "chunk_number", "required", "must be given for a chunk");
    if (cx->error->fault_count > 0)
        return ERR_INVALID;
    if (chunk->chunk_number.value == (primary->chunk_number.set ? primary->chunk_number.value : 1))
        return chunk_taken(cx);
    TRY(db_int(cx, &sql_interaction_chunk_taken, ARGS_OF(&interaction_row_record, chunk), &taken));
    return taken ? chunk_taken(cx) : OK;
}

static enum err check_chunk(struct ctx *cx, const struct interaction *interaction)
{
    struct interaction primary;
    enum err result;

    if (uuid_is_none(interaction->parent_interaction_id)) {
        if (interaction->chunk_number.set && interaction->total_chunks.set &&
            interaction->chunk_number.value > interaction->total_chunks.value)
            return error_fault(cx->error, "chunk_number", "too_large",
                               "must be at most total_chunks");
        return OK;
    }
    /* The customer of both is locked already; one of another customer is refused below. */
    result = lock_alone(cx, interaction->parent_interaction_id);
    if (result == OK)
        result = interaction_get(cx, interaction->parent_interaction_id, &primary);
    if (result == ERR_NOT_FOUND)
        return no_such(cx, "parent_interaction_id");
    return result != OK ? result : check_chunk_of(cx, interaction, &primary);
}

static void settle_type(struct interaction *interaction)
{
    const struct str linkedin = STR("linkedin");

    if (interaction->type == TYPE_LINKEDIN) {
        interaction->type = TYPE_SOCIAL_MEDIA;
        if (!interaction->channel.ptr)
            interaction->channel = linkedin;
    }
    if (interaction->type == TYPE_SOCIAL_MEDIA && str_equal_nocase(interaction->channel, linkedin))
        interaction->channel = linkedin; /* however people write it */
}

int interaction_method(const struct interaction *interaction)
{
    const bool linkedin =
        interaction->type == TYPE_SOCIAL_MEDIA && str_is(interaction->channel, "linkedin");

    return linkedin ? TYPE_LINKEDIN : interaction->type;
}

struct maybe_int interaction_due(const struct interaction *interaction)
{
    if (!interaction->follow_up_required || interaction->follow_up_completed_at.set)
        return (struct maybe_int){false, 0};
    if (interaction->follow_up_snoozed_until.set)
        return interaction->follow_up_snoozed_until;
    return interaction->follow_up_date.set ? interaction->follow_up_date
                                           : (struct maybe_int)SOME(TIME_END);
}

/* --- What is kept beside the row ------------------------------------------------------------ */

static struct touch touch_of(const struct interaction *interaction)
{
    return (struct touch){
        .interaction_id = interaction->id,
        .customer_id = interaction->customer_id,
        .outbound = interaction->direction == DIRECTION_OUTBOUND,
        .method = str_of(enum_name(&interaction_type_words, interaction_method(interaction))),
        .started_at = interaction->started_at};
}

static enum err by_field(struct ctx *cx, enum err result, const char *field)
{
    return result == ERR_NOT_FOUND ? no_such(cx, field) : result;
}

/* Locks the customer, who becomes whom the id leads to. */
static enum err hold_customer(struct ctx *cx, struct interaction *interaction,
                              struct touched *customer)
{
    const struct str method = touch_of(interaction).method;
    enum err result = customer_for_touch(cx, interaction->customer_id, method, customer);

    for (int i = 0; i < FOLLOW_TRIES && result == ERR_NOT_FOUND; i++) {
        const struct uuid before = interaction->customer_id;

        TRY(customer_follow(cx, &interaction->customer_id));
        if (uuid_equal(before, interaction->customer_id))
            break;
        error_clear(cx->error);
        result = customer_for_touch(cx, interaction->customer_id, method, customer);
    }
    return by_field(cx, result, "customer_id");
}

/* Counts it in the customer's summary. */
static enum err add_touch(struct ctx *cx, const struct interaction *interaction,
                          const struct touched *customer)
{
    const struct touch touch = touch_of(interaction);

    return interaction_is_touch(interaction) ? customer_touched(cx, &touch, customer) : OK;
}

/* Moves it in the customer's summary; where the guard has not seen it so before, asks that. */
static enum err move_touch(struct ctx *cx, const struct interaction *before,
                           const struct interaction *after, struct guarding *guarding)
{
    const struct touch old = touch_of(before), new = touch_of(after);
    const bool later = before->started_at != after->started_at;
    const bool moved = later || !str_equal(old.method, new.method) || old.outbound != new.outbound;
    const bool guarded = after->guarded_as && (later || before->guarded_as != after->guarded_as);
    struct touched customer;
    enum err result;

    if (!moved && !guarded)
        return OK;
    if (moved && interaction_is_touch(before))
        TRY(customer_untouched(cx, &old));
    result = customer_for_touch(cx, after->customer_id, new.method, &customer);
    if (result == ERR_NOT_FOUND && !moved) { /* who is deleted needs no guard */
        error_clear(cx->error);
        return OK;
    }
    TRY(by_field(cx, result, "customer_id"));
    if (moved)
        TRY(add_touch(cx, after, &customer));
    return guarded ? interaction_guard(cx, after, &customer, guarding) : OK;
}

static enum err count_id(struct ctx *cx, const char *list, struct uuid key, int64_t delta)
{
    return uuid_is_none(key) ? OK : count_add_uuid(cx, list, key, delta);
}

/* The totals that an edit can move. */
static enum err count_movable(struct ctx *cx, const struct interaction *row, int64_t delta)
{
    TRY(count_id(cx, "interactions.company", row->company_id, delta));
    TRY(count_id(cx, "interactions.session", row->session_id, delta));
    TRY(count_add(cx, "interactions.type", str_of(enum_name(&interaction_types, row->type)),
                  delta));
    if (!row->follow_up_due.set)
        return OK;
    TRY(count_add(cx, "interactions.follow_up", STR(""), delta));
    return count_id(cx, "interactions.follow_up_assignee", row->follow_up_assignee, delta);
}

enum err interaction_count(struct ctx *cx, const struct interaction *row, int64_t delta)
{
    TRY(count_add(cx, "interactions", STR(""), delta));
    TRY(count_add_uuid(cx, "interactions.customer", row->customer_id, delta));
    TRY(count_id(cx, "interactions.created_by", row->created_by, delta));
    return count_movable(cx, row, delta);
}

static enum err move_counts(struct ctx *cx, const struct interaction *before,
                            const struct interaction *after)
{
    if (uuid_equal(before->company_id, after->company_id) &&
        uuid_equal(before->session_id, after->session_id) && before->type == after->type &&
        before->follow_up_due.set == after->follow_up_due.set &&
        uuid_equal(before->follow_up_assignee, after->follow_up_assignee))
        return OK;
    TRY(count_movable(cx, before, -1));
    return count_movable(cx, after, 1);
}

static enum err record_event(struct ctx *cx, const struct interaction *interaction,
                             const char *event_type, const char *title, struct str payload)
{
    return timeline_record(cx, &(struct event){.contact_id = interaction->customer_id,
                                               .session_id = interaction->session_id,
                                               .interaction_id = interaction->id,
                                               .event_type = str_of(event_type),
                                               .category = CATEGORY_GENERAL,
                                               .title = str_of(title),
                                               .description = interaction->subject,
                                               .payload = payload});
}

/* --- One ------------------------------------------------------------------------------------ */

static enum err set_number(struct ctx *cx, struct interaction *interaction)
{
    const int year = time_year(cx->now_us);
    char *text = arena_alloc(cx->arena, NUMBER_TEXT_MAX);
    int64_t number;
    int len;

    if (!text)
        return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
    TRY(number_next(cx, "interaction", year, &number));
    len = snprintf(text, NUMBER_TEXT_MAX, "INT-%04d-%05lld", year, (long long)number);
    interaction->interaction_number = (struct str){text, (size_t)len};
    return OK;
}

static enum err set_creator(struct ctx *cx, struct interaction *interaction)
{
    struct interaction named;

    interaction->created_by_name = STR_NULL;
    if (uuid_is_none(interaction->created_by))
        interaction->created_by = cx->actor.user_id;
    if (uuid_is_none(interaction->created_by))
        return OK;
    if (uuid_equal(interaction->created_by, cx->actor.user_id) && cx->actor.user_name.ptr) {
        interaction->created_by_name = cx->actor.user_name;
        return OK;
    }
    TRY(by_field(cx,
                 db_one(cx, &sql_interaction_user_name,
                        ARGS({"id", v_uuid(interaction->created_by)}), &interaction_row_record,
                        &named),
                 "created_by"));
    interaction->created_by_name = named.created_by_name;
    return OK;
}

/* The customer's own company needs no check. */
static void default_company(const struct touched *customer, struct interaction *interaction,
                            struct interaction *checked)
{
    if (!uuid_is_none(interaction->company_id) || uuid_is_none(customer->company_id))
        return;
    interaction->company_id = checked->company_id = customer->company_id;
    interaction->company_name = customer->company_name;
}

static enum err insert(struct ctx *cx, const struct interaction *made)
{
    const struct str words = db_is_postgres(cx) ? interaction_words(cx, made) : STR_NULL;

    TRY(db_run(cx, &sql_interaction_insert,
               ARGS_OF(&interaction_row_record, made, {"words", v_text(words)})));
    if (made->external_id.ptr && db_changed(cx) == 0)
        return error_set(cx->error, ERR_CONFLICT,
                         "There is an interaction with this external_id already.");
    TRY(interaction_index_new(cx, made));
    return interaction_count(cx, made, 1);
}

static enum err record_logged(struct ctx *cx, const struct interaction *made)
{
    return record_event(
        cx, made, "interaction_logged", "Interaction logged",
        PAYLOAD(cx, {"interaction_number", v_text(made->interaction_number)},
                {"type", v_enum(&interaction_types, made->type)},
                {"direction", v_enum(&directions, made->direction)},
                {"outcome", v_enum(&outcomes, made->outcome)}, {"subject", v_text(made->subject)},
                {"started_at", v_time(made->started_at)},
                {"method", v_enum(&interaction_type_words, interaction_method(made))}));
}

/* What comes before the customer is known. */
static enum err prepare(struct ctx *cx, struct interaction *made)
{
    made->id = uuid_new(cx->ids, cx->now_us);
    made->version = 1;
    made->created_at = made->updated_at = cx->now_us;
    TRY(set_creator(cx, made));
    if (made->follow_up_required && uuid_is_none(made->follow_up_assignee))
        made->follow_up_assignee = made->created_by;
    made->follow_up_due = interaction_due(made);
    made->guarded_as = interaction_guarded_as(made);
    return OK;
}

/* `override` NULL: the guard only flags. Until it has spoken, nothing is written. */
static enum err log_touch(struct ctx *cx, const struct interaction *in,
                          const struct override *override, struct interaction *out)
{
    struct interaction made = *in, checked = {0};
    struct guarding guarding;
    struct touched customer;

    if (made.responded && !made.response_at.set)
        made.response_at = (struct maybe_int)SOME(cx->now_us);
    TRY(override ? interaction_check_attempt(cx, &made, override) : check_times(cx, &made));
    settle_type(&made);
    TRY(prepare(cx, &made));
    TRY(hold_customer(cx, &made, &customer));
    made.lead_status = customer.status;
    interaction_set_day(cx, customer.tenant_timezone, &made);
    made.customer_name = customer.name;
    default_company(&customer, &made, &checked);
    TRY(check_ids(cx, &checked, &made));
    TRY(check_chunk(cx, &made));
    TRY(interaction_guard(cx, &made, &customer, &guarding));
    if (override)
        TRY(interaction_pass_guard(cx, &guarding, override));
    TRY(add_touch(cx, &made, &customer));
    TRY(set_number(cx, &made));
    TRY(insert(cx, &made));
    if (made.responded)
        TRY(customer_responded(cx, made.customer_id, made.response_at.value));
    TRY(interaction_move_attempt(cx, NULL, &made));
    *out = made;
    TRY(record_logged(cx, &made));
    return interaction_record_guard(cx, &guarding, override);
}

enum err interaction_create(struct ctx *cx, const struct interaction *in, struct interaction *out)
{
    return log_touch(cx, in, NULL, out);
}

enum err interaction_attempt(struct ctx *cx, const struct interaction *in,
                             const struct override *override, struct interaction *out)
{
    return log_touch(cx, in, override, out);
}

enum err interaction_get(struct ctx *cx, struct uuid id, struct interaction *out)
{
    return db_one(cx, &sql_interaction_get, ARGS({"id", v_uuid(id)}), &interaction_row_record, out);
}

enum err interaction_get_locked(struct ctx *cx, struct uuid id, struct interaction *out)
{
    TRY(lock(cx, id));
    return interaction_get(cx, id, out);
}

enum err interaction_get_any_locked(struct ctx *cx, struct uuid id, struct interaction *out)
{
    TRY(lock(cx, id));
    return db_one(cx, &sql_interaction_get_any, ARGS({"id", v_uuid(id)}), &interaction_row_record,
                  out);
}

enum err interaction_find_external(struct ctx *cx, struct str external_id, struct interaction *out,
                                   bool *found)
{
    *found = false;
    if (!external_id.ptr)
        return OK;
    TRY(db_find(cx, &sql_interaction_by_external_id, ARGS({"external_id", v_text(external_id)}),
                &interaction_row_record, out, found));
    if (*found && out->deleted_at.set)
        return error_set(cx->error, ERR_CONFLICT,
                         "A deleted interaction has this external_id: restore it.");
    return OK;
}

static bool same_text(struct str a, struct str b)
{
    return (!a.ptr && !b.ptr) || str_equal(a, b);
}

static bool same_time(struct maybe_int a, struct maybe_int b)
{
    return a.set == b.set && (!a.set || a.value == b.value);
}

static bool is_same(const struct interaction *a, const struct interaction *b)
{
    const struct given changed = record_difference(&interaction_record, a, b);

    return !given_any(&changed) && a->responded == b->responded &&
           same_time(a->response_at, b->response_at) &&
           same_time(a->follow_up_completed_at, b->follow_up_completed_at) &&
           same_time(a->follow_up_snoozed_until, b->follow_up_snoozed_until);
}

static enum err reindex(struct ctx *cx, const struct interaction *before,
                        const struct interaction *after)
{
    if (same_text(before->subject, after->subject) &&
        same_text(before->description, after->description))
        return OK;
    TRY(interaction_index_remove(cx, before));
    return interaction_index_add(cx, after);
}

enum err interaction_save(struct ctx *cx, const struct interaction *current,
                          const struct interaction *wanted, const struct change *change,
                          struct interaction *out)
{
    struct interaction after = *wanted;
    struct guarding guarding = {.check = {.decision = OUTREACH_ALLOWED}};

    settle_type(&after);
    *out = *current;
    if (is_same(current, &after))
        return OK;
    TRY(check_times(cx, &after));
    TRY(check_move(cx, current, &after));
    if (after.follow_up_required && uuid_is_none(after.follow_up_assignee))
        after.follow_up_assignee = after.created_by;
    after.follow_up_due = interaction_due(&after);
    TRY(check_ids(cx, current, &after));
    if (!same_time(after.follow_up_due, current->follow_up_due))
        after.follow_up_notified = false;
    after.guarded_as = interaction_guarded_as(&after);
    TRY(interaction_move_day(cx, current, &after));
    after.version++;
    after.updated_at = cx->now_us;
    TRY(db_run(cx, &sql_interaction_save, ARGS_OF(&interaction_row_record, &after)));
    TRY(move_counts(cx, current, &after));
    TRY(move_touch(cx, current, &after, &guarding));
    TRY(interaction_move_response(cx, current, &after));
    TRY(interaction_move_attempt(cx, current, &after));
    TRY(reindex(cx, current, &after));
    *out = after;
    TRY(record_event(cx, &after, change->event_type, change->title,
                     change->payload.ptr
                         ? change->payload
                         : timeline_changes(cx, &interaction_record, current, &after)));
    return interaction_record_guard(cx, &guarding, NULL);
}

/* Who took part besides users stays, and so do the roles of users who stay. */
static enum err merge_attendees(struct ctx *cx, const struct list *before, struct list *attendees)
{
    struct participant *made =
        ARENA_ARRAY(cx->arena, before->count + attendees->count, struct participant);
    size_t count = 0;

    if (!made)
        return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
    for (size_t i = 0; i < before->count; i++) {
        const struct participant *at = LIST_AT(*before, struct participant, i);

        if (at->kind != PARTICIPANT_USER)
            made[count++] = *at;
    }
    for (size_t i = 0; i < attendees->count; i++) {
        const struct participant *at = LIST_AT(*attendees, struct participant, i);
        const size_t old = find_user(before, at->id);

        made[count++] = old < before->count ? *LIST_AT(*before, struct participant, old) : *at;
    }
    *attendees = (struct list){made, count};
    return OK;
}

enum err interaction_update(struct ctx *cx, const struct interaction *current,
                            const struct interaction *patch, const struct given *given,
                            struct interaction *out)
{
    static const struct change change = {"interaction_updated", "Interaction changed", {NULL, 0}};
    struct interaction wanted = *current;

    TRY(record_merge(&interaction_record, given, patch, &wanted, cx->arena, cx->error));
    if (given_has(given, &interaction_record, "attendees"))
        TRY(merge_attendees(cx, &current->participants, &wanted.participants));
    if (wanted.type == TYPE_LINKEDIN && !given_has(given, &interaction_record, "channel"))
        wanted.channel = STR_NULL; /* and so linkedin */
    if (!same_time(wanted.follow_up_date, current->follow_up_date) ||
        (wanted.follow_up_required && !current->follow_up_required))
        wanted.follow_up_completed_at = wanted.follow_up_snoozed_until =
            (struct maybe_int){false, 0};
    return interaction_save(cx, current, &wanted, &change, out);
}

enum err interaction_set_outcome(struct ctx *cx, const struct interaction *current, int outcome,
                                 struct interaction *out)
{
    struct interaction wanted = *current;

    wanted.outcome = outcome;
    return interaction_save(
        cx, current, &wanted,
        &(struct change){"outcome_set", "Outcome set",
                         PAYLOAD(cx, {"from", v_enum(&outcomes, current->outcome)},
                                 {"to", v_enum(&outcomes, outcome)})},
        out);
}

enum err interaction_end(struct ctx *cx, const struct interaction *current, int64_t ended_at,
                         struct interaction *out)
{
    struct interaction wanted = *current;

    wanted.ended_at = (struct maybe_int)SOME(ended_at);
    return interaction_save(
        cx, current, &wanted,
        &(struct change){
            "interaction_ended", "Interaction ended",
            PAYLOAD(cx, {"ended_at", v_time(ended_at)},
                    {"duration_sec", v_int(interaction_seconds(current->started_at, ended_at))})},
        out);
}

enum err interaction_add_attendee(struct ctx *cx, const struct interaction *current,
                                  struct uuid user_id, struct interaction *out)
{
    struct interaction wanted = *current;
    struct participant *made;
    const size_t count = current->participants.count;

    if (find_user(&current->participants, user_id) < count)
        return error_set(cx->error, ERR_CONFLICT, "This user attends already.");
    if (count >= INTERACTION_ATTENDEES_MAX)
        return error_fault(cx->error, "attendee_id", "too_many", "at most %d can attend",
                           INTERACTION_ATTENDEES_MAX);
    TRY(interaction_require_user(cx, user_id, "attendee_id"));
    made = ARENA_ARRAY(cx->arena, count + 1, struct participant);
    if (!made)
        return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
    for (size_t i = 0; i < count; i++)
        made[i] = *LIST_AT(current->participants, struct participant, i);
    made[count] = (struct participant){.kind = PARTICIPANT_USER, .id = user_id};
    wanted.participants = (struct list){made, count + 1};
    return interaction_save(cx, current, &wanted,
                            &(struct change){"attendee_added", "Attendee added",
                                             PAYLOAD(cx, {"attendee_id", v_uuid(user_id)})},
                            out);
}

enum err interaction_remove_attendee(struct ctx *cx, const struct interaction *current,
                                     struct uuid user_id, struct interaction *out)
{
    struct interaction wanted = *current;
    const size_t count = current->participants.count;
    const size_t gone = find_user(&current->participants, user_id);
    struct participant *left;

    if (gone == count)
        return error_set(cx->error, ERR_NOT_FOUND, "There is no such record.");
    left = ARENA_ARRAY(cx->arena, count, struct participant);
    if (!left)
        return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
    for (size_t i = 0, at = 0; i < count; i++) {
        if (i != gone)
            left[at++] = *LIST_AT(current->participants, struct participant, i);
    }
    wanted.participants = (struct list){left, count - 1};
    return interaction_save(cx, current, &wanted,
                            &(struct change){"attendee_removed", "Attendee removed",
                                             PAYLOAD(cx, {"attendee_id", v_uuid(user_id)})},
                            out);
}

static enum err record_by_name(struct ctx *cx, const struct interaction *interaction,
                               const char *event_type, const char *title)
{
    return record_event(cx, interaction, event_type, title,
                        PAYLOAD(cx, {"interaction_number", v_text(interaction->interaction_number)},
                                {"subject", v_text(interaction->subject)}));
}

enum err interaction_delete(struct ctx *cx, const struct interaction *current)
{
    const struct touch touch = touch_of(current);
    int64_t chunks = 0;

    TRY(db_int(cx, &sql_interaction_has_chunks, ARGS({"id", v_uuid(current->id)}), &chunks));
    if (chunks)
        return error_set(cx->error, ERR_CONFLICT, "It is continued by chunks: delete them first.");
    TRY(db_run(cx, &sql_interaction_mark_deleted, ARGS({"id", v_uuid(current->id)})));
    TRY(interaction_index_remove(cx, current));
    TRY(interaction_count(cx, current, -1));
    TRY(interaction_move_attempt(cx, current, NULL));
    if (interaction_is_touch(current))
        TRY(customer_untouched(cx, &touch));
    if (current->responded && current->response_at.set)
        TRY(customer_unresponded(cx, current->customer_id, current->response_at.value));
    return record_by_name(cx, current, "interaction_deleted", "Interaction deleted");
}

enum err interaction_restore(struct ctx *cx, struct uuid id, struct interaction *out)
{
    struct guarding guarding;
    struct touched customer;
    enum err result;

    TRY(interaction_get_any_locked(cx, id, out));
    if (!out->deleted_at.set)
        return OK;
    result = hold_customer(cx, out, &customer);
    if (result == ERR_NOT_FOUND)
        return error_set(cx->error, ERR_CONFLICT, "Its customer is deleted: restore them first.");
    TRY(result);
    TRY(interaction_guard(cx, out, &customer, &guarding));
    TRY(add_touch(cx, out, &customer));
    if (!uuid_is_none(out->parent_interaction_id)) {
        result = check_chunk(cx, out);
        if (result == ERR_NOT_FOUND)
            return error_set(cx->error, ERR_CONFLICT,
                             "Its primary chunk is deleted: restore that first.");
        TRY(result);
    }
    out->deleted_at = (struct maybe_int){false, 0};
    interaction_set_day(cx, customer.tenant_timezone, out);
    TRY(db_run(cx, &sql_interaction_mark_restored, ARGS_OF(&interaction_row_record, out)));
    TRY(interaction_move_attempt(cx, NULL, out));
    out->version++;
    out->updated_at = cx->now_us;
    TRY(interaction_index_add(cx, out));
    TRY(interaction_count(cx, out, 1));
    if (out->responded && out->response_at.set)
        TRY(customer_responded(cx, out->customer_id, out->response_at.value));
    TRY(record_by_name(cx, out, "interaction_restored", "Interaction restored"));
    return interaction_record_guard(cx, &guarding, NULL);
}
