/* What an interaction is to outreach: how the guard counts it, what analytics has of it, and
 * whether it was responded to. */
#include "app/analytics/attempts.h"
#include "app/interaction/interaction_parts.h"
#include "app/interaction/interaction_sql.h"
#include "app/search/fold.h"
#include "app/tenant/tenant.h"

#include <string.h>

static const struct maybe_int NOT_SET = {false, 0};

bool interaction_is_touch(const struct interaction *interaction)
{
    return interaction->type != TYPE_NOTE && interaction->type != TYPE_SYSTEM;
}

bool interaction_is_outbound(const struct interaction *interaction)
{
    return interaction_is_touch(interaction) && interaction->direction == DIRECTION_OUTBOUND;
}

int interaction_guarded_as(const struct interaction *interaction)
{
    const bool is_call = interaction->type == TYPE_CALL || interaction->type == TYPE_VIDEO_CALL;
    const bool unanswered =
        interaction->outcome == OUTCOME_NO_ANSWER || interaction->outcome == OUTCOME_BUSY;

    if (!interaction_is_outbound(interaction) || interaction->type == TYPE_MEETING ||
        (is_call && unanswered))
        return 0;
    return interaction_method(interaction);
}

/* --- The guard ------------------------------------------------------------------------------ */

enum err interaction_guard(struct ctx *cx, const struct interaction *interaction,
                           const struct touched *customer, struct guarding *out)
{
    *out = (struct guarding){.outreach = {.customer_id = interaction->customer_id,
                                          .method = interaction->guarded_as,
                                          .at = interaction->started_at,
                                          .subject = interaction->subject,
                                          .body = interaction->description,
                                          .interaction_id = interaction->id,
                                          .timezone = customer->timezone.ptr
                                                          ? customer->timezone
                                                          : customer->tenant_timezone,
                                          .last_response_at = customer->last_response_at,
                                          .rules = customer->outreach_rules},
                             .check = {.decision = OUTREACH_ALLOWED}};
    return interaction->guarded_as ? outreach_decide(cx, &out->outreach, &out->check) : OK;
}

enum err interaction_pass_guard(struct ctx *cx, const struct guarding *guarding,
                                const struct override *override)
{
    const struct outreach_check *check = &guarding->check;

    if (check->decision == OUTREACH_ALLOWED || (override->given && check->may_override))
        return OK;
    return outreach_refuse(cx, check);
}

enum err interaction_record_guard(struct ctx *cx, const struct guarding *guarding,
                                  const struct override *override)
{
    if (guarding->check.decision == OUTREACH_ALLOWED)
        return OK;
    return override ? outreach_record_override(cx, &guarding->outreach, &guarding->check,
                                               override->reason)
                    : outreach_record_flag(cx, &guarding->outreach, &guarding->check);
}

/* --- Rules of an attempt --------------------------------------------------------------------- */

/* Of a field that was found at fault already, no more is said. */
static void fault_once(struct ctx *cx, const char *field, const char *code, const char *message)
{
    const size_t kept =
        cx->error->fault_count < FAULTS_MAX ? cx->error->fault_count : (size_t)FAULTS_MAX;

    for (size_t i = 0; i < kept; i++) {
        if (strcmp(cx->error->faults[i].field, field) == 0)
            return;
    }
    error_fault(cx->error, field, code, "%s", message);
}

/* Blanks of any kind and dots are no reason. */
static bool has_word(struct ctx *cx, struct str text)
{
    struct str folded = text.ptr ? fold_text(cx->arena, text) : STR_NULL;
    struct str word;

    return folded.ptr && fold_next_word(&folded, &word);
}

void interaction_check_response(struct ctx *cx, const struct interaction *interaction)
{
    const struct maybe_int at = interaction->response_at;

    if (at.set && !interaction->responded)
        fault_once(cx, "response_at", "conflict", "must be left out where nobody responded");
    else if (at.set && at.value > cx->now_us)
        fault_once(cx, "response_at", "too_large", "must not lie ahead");
    else if (at.set && interaction_seconds(interaction->started_at, at.value) < 0)
        fault_once(cx, "response_at", "too_small", "must not be before started_at");
}

enum err interaction_check_attempt(struct ctx *cx, const struct interaction *interaction,
                                   const struct override *override)
{
    if (interaction->ended_at.set && interaction->ended_at.value < interaction->started_at)
        fault_once(cx, "ended_at", "too_small", "must not be before started_at");
    if (interaction->responded && interaction->direction == DIRECTION_INBOUND)
        fault_once(cx, "responded", "conflict", "must be left out of an inbound contact");
    interaction_check_response(cx, interaction);
    /* Else it would be logged, and guarded, as another method than was said. */
    if (interaction->type == TYPE_LINKEDIN && interaction->channel.ptr &&
        !str_equal_nocase(interaction->channel, STR("linkedin")))
        fault_once(cx, "channel", "conflict", "must be left out of a message on LinkedIn");
    if (override->given && !has_word(cx, override->reason))
        fault_once(cx, "override_reason", "required", "must say why the policy is overridden");
    if (override->reason.len > 0 && !override->given)
        fault_once(cx, "override", "required", "must be true where a reason is given");
    return cx->error->fault_count > 0 ? ERR_INVALID : OK;
}

/* --- What analytics counts ------------------------------------------------------------------- */

static bool is_attempt(const struct ctx *cx, const struct interaction *interaction)
{
    return interaction_is_outbound(interaction) && !interaction->deleted_at.set &&
           interaction->started_at <= cx->now_us;
}

void interaction_set_day(const struct ctx *cx, struct str zone, struct interaction *interaction)
{
    interaction->attempt_day = NOT_SET;
    if (is_attempt(cx, interaction))
        interaction->attempt_day =
            (struct maybe_int)SOME(attempt_day(zone, interaction->started_at));
}

static enum err zone_of_tenant(struct ctx *cx, struct str *out)
{
    struct tenant tenant = {.timezone = STR_NULL};

    TRY(tenant_get(cx, &tenant));
    *out = tenant.timezone;
    return OK;
}

enum err interaction_move_day(struct ctx *cx, const struct interaction *before,
                              struct interaction *after)
{
    struct str zone;

    /* What stays where it was keeps its day, also where this node's clock is behind. */
    if (interaction_is_outbound(after) && before->attempt_day.set &&
        before->started_at == after->started_at)
        return OK;
    after->attempt_day = NOT_SET;
    if (!is_attempt(cx, after))
        return OK;
    TRY(zone_of_tenant(cx, &zone));
    interaction_set_day(cx, zone, after);
    return OK;
}

static bool attempt_of(const struct interaction *interaction, struct attempt *out)
{
    if (!interaction || !interaction->attempt_day.set || interaction->deleted_at.set)
        return false;
    *out = (struct attempt){.day = interaction->attempt_day.value,
                            .method = interaction_method(interaction),
                            .user_id = interaction->created_by,
                            .lead_status = interaction->lead_status,
                            .started_at = interaction->started_at,
                            .response_at =
                                interaction->responded ? interaction->response_at : NOT_SET};
    return true;
}

/* Who logged it and what the lead was do not change. */
static bool is_same_attempt(const struct attempt *a, const struct attempt *b)
{
    return a->day == b->day && a->method == b->method && a->started_at == b->started_at &&
           a->response_at.set == b->response_at.set &&
           (!a->response_at.set || a->response_at.value == b->response_at.value);
}

enum err interaction_move_attempt(struct ctx *cx, const struct interaction *before,
                                  const struct interaction *after)
{
    struct attempt old, new;
    const bool was = attempt_of(before, &old), is = attempt_of(after, &new);

    if (was && is && is_same_attempt(&old, &new))
        return OK;
    if (was)
        TRY(attempts_count(cx, &old, -1));
    return is ? attempts_count(cx, &new, 1) : OK;
}

/* The row as it is now, locked; its customer is locked already. */
static enum err place_attempt(struct ctx *cx, struct str zone, struct uuid id)
{
    struct interaction before, after;
    bool there;

    TRY(db_find(cx, &sql_interaction_attempt_locked, ARGS({"id", v_uuid(id)}),
                &interaction_row_record, &before, &there));
    if (!there || !is_attempt(cx, &before))
        return OK;
    after = before;
    interaction_set_day(cx, zone, &after);
    if (before.attempt_day.set && before.attempt_day.value == after.attempt_day.value)
        return OK;
    TRY(db_run(cx, &sql_interaction_set_attempt_day, ARGS_OF(&interaction_row_record, &after)));
    return interaction_move_attempt(cx, &before, &after);
}

static enum err count_due(struct ctx *cx, struct uuid interaction_id)
{
    struct str zone;

    TRY(zone_of_tenant(cx, &zone));
    return place_attempt(cx, zone, interaction_id);
}

enum err interaction_touches_due(struct ctx *cx, int64_t limit, int64_t *done)
{
    return customer_count_due(cx, limit, count_due, done);
}

/* --- After the tenant's calendar has changed -------------------------------------------------- */

/* A row of attempt_recounts. */
struct recount {
    struct uuid tenant_id, after_id;
    struct maybe_int again_at; /* set: this is the second round */
};

/* Longer than a transaction lives that has read the former calendar and not committed yet. On
 * SQLite there is none beside the one that changed it. */
#define SECOND_ROUND_US MINUTE_US

static const struct field recount_fields[] = {
    FIELD(recount, tenant_id, F_UUID, 0),
    FIELD(recount, after_id, F_UUID, NULLABLE),
    FIELD(recount, again_at, F_TIME, NULLABLE),
};
static const struct record recount_record = RECORD(recount, recount_fields);

/* Those among `rows` whose day is another now. */
static size_t find_misplaced(const struct ctx *cx, struct str zone, const struct list *rows,
                             struct uuid *ids, struct uuid *customer_ids)
{
    size_t count = 0;

    for (size_t i = 0; i < rows->count; i++) {
        const struct interaction *row = LIST_AT(*rows, struct interaction, i);
        struct interaction placed = *row;

        interaction_set_day(cx, zone, &placed);
        if (!placed.attempt_day.set ||
            (row->attempt_day.set && row->attempt_day.value == placed.attempt_day.value))
            continue;
        ids[count] = row->id;
        customer_ids[count++] = row->customer_id;
    }
    return count;
}

/* The next interactions of one tenant, whose row of the queue is locked. */
static enum err recount_portion(struct ctx *cx, const struct recount *recount, int64_t limit,
                                int64_t *done)
{
    const struct uuid after = uuid_is_none(recount->after_id) ? UUID_MIN : recount->after_id;
    struct uuid *ids, *customer_ids;
    struct str zone;
    struct list rows;
    size_t count;

    TRY(zone_of_tenant(cx, &zone));
    TRY(db_all(cx, &sql_interaction_recount_page,
               ARGS({"after_id", v_uuid(after)}, {"limit", v_int(limit)}), &interaction_row_record,
               &rows));
    ids = ARENA_ARRAY(cx->arena, rows.count + 1, struct uuid);
    customer_ids = ARENA_ARRAY(cx->arena, rows.count + 1, struct uuid);
    if (!ids || !customer_ids)
        return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
    count = find_misplaced(cx, zone, &rows, ids, customer_ids);
    TRY(interaction_lock_customers(cx, customer_ids, count));
    for (size_t i = 0; i < count; i++)
        TRY(place_attempt(cx, zone, ids[i]));
    *done = (int64_t)rows.count;
    if (*done < limit && db_is_postgres(cx) && !recount->again_at.set)
        return db_run(cx, &sql_interaction_recount_again,
                      ARGS({"again_at", v_time(cx->now_us + SECOND_ROUND_US)}));
    if (*done < limit)
        return db_run(cx, &sql_interaction_recount_end, NO_ARGS);
    return db_run(
        cx, &sql_interaction_recount_advance,
        ARGS({"after_id", v_uuid(LIST_AT(rows, struct interaction, rows.count - 1)->id)}));
}

enum err interaction_recount(struct ctx *cx, int64_t limit, int64_t *done)
{
    const struct actor caller = cx->actor;
    enum err result = OK;

    *done = 0;
    while (result == OK && *done < limit) {
        struct recount recount;
        int64_t portion = 0;
        bool there;

        result =
            db_find(cx, &sql_interaction_recount_next, NO_ARGS, &recount_record, &recount, &there);
        if (result != OK || !there)
            break;
        cx->actor = (struct actor){.tenant_id = recount.tenant_id};
        result = recount_portion(cx, &recount, limit - *done, &portion);
        cx->actor = caller;
        *done += portion;
    }
    return result;
}

/* --- Responses -------------------------------------------------------------------------------- */

enum err interaction_move_response(struct ctx *cx, const struct interaction *before,
                                   const struct interaction *after)
{
    const struct maybe_int old = before->responded ? before->response_at : NOT_SET;
    const struct maybe_int new = after->responded ? after->response_at : NOT_SET;

    if (old.set == new.set && (!old.set || old.value == new.value))
        return OK;
    if (old.set)
        TRY(customer_unresponded(cx, after->customer_id, old.value));
    return new.set ? customer_responded(cx, after->customer_id, new.value) : OK;
}

enum err interaction_set_response(struct ctx *cx, const struct interaction *current, bool responded,
                                  struct maybe_int response_at, struct interaction *out)
{
    struct interaction wanted = *current;
    int64_t at, seconds;

    wanted.responded = responded;
    if (response_at.set)
        wanted.response_at = response_at;
    else if (!responded)
        wanted.response_at = NOT_SET;
    else if (!current->responded || !current->response_at.set)
        wanted.response_at = (struct maybe_int)SOME(cx->now_us);
    interaction_check_response(cx, &wanted);
    if (cx->error->fault_count > 0)
        return ERR_INVALID;
    if (!interaction_is_outbound(current) && (responded || !current->responded))
        return error_set(cx->error, ERR_CONFLICT,
                         "Only an outbound contact can be responded to, and this is none.");
    at = responded ? wanted.response_at.value : current->response_at.value;
    seconds = interaction_seconds(current->started_at, at);
    return interaction_save(
        cx, current, &wanted,
        &(struct change){responded ? "response_recorded" : "response_removed",
                         responded ? "Response recorded" : "Response removed",
                         PAYLOAD(cx, {"response_at", v_time(at)}, {"seconds", v_int(seconds)})},
        out);
}
