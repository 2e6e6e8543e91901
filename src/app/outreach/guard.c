#include "app/outreach/guard.h"

#include "app/customer/customer.h"
#include "app/interaction/interaction.h"
#include "app/outreach/guard_sql.h"
#include "app/outreach/similarity.h"
#include "app/timeline/timeline.h"
#include "app/user/user.h"

#include <inttypes.h>

#define MESSAGE_MAX 255 /* bytes: an error's detail holds it whole */
#define NAME_MAX_BYTES 40
#define TOLD_MAX 5 /* touches that an event names */
#define FACTS_MAX KIB(256)

static const char *const decision_names[] = {"allowed", "warning", "blocked"};
static const char *const limit_names[] = {"min_hours", "max_per_day", "warn_days"};
const struct enum_names outreach_decisions = ENUM_NAMES(decision_names);
const struct enum_names outreach_limit_names = ENUM_NAMES(limit_names);

static const struct field limits_fields[] = {
    FIELD(outreach_limits, warn_days, F_INT, READ_ONLY, .doc = "0: no such limit"),
    FIELD(outreach_limits, min_hours, F_INT, READ_ONLY, .doc = "0: no such limit"),
    FIELD(outreach_limits, max_per_day, F_INT, READ_ONLY | NULLABLE,
          .doc = "On the customer's own day; null: no such limit"),
};
static const struct record limits_record =
    RECORD_NAMED("OutreachLimits", outreach_limits, limits_fields);

static void put_user(struct json_out *out, const void *record)
{
    const struct outreach_touch *touch = record;

    user_put_reference(out, touch->user_id, touch->user_name);
}

/* Rows of guard.sql and answers. */
static const struct field touch_fields[] = {
    FIELD(outreach_touch, id, F_UUID, READ_ONLY, .doc = "The interaction"),
    VIEW("user", put_user, NULL, READ_ONLY, .schema = USER_REFERENCE_SCHEMA, .doc = "Who made it"),
    FIELD(outreach_touch, method, F_ENUM, READ_ONLY | NO_COLUMN, .names = &interaction_type_words),
    FIELD(outreach_touch, subject, F_TEXT, READ_ONLY | NULLABLE),
    FIELD(outreach_touch, started_at, F_TIME, READ_ONLY),
    FIELD(outreach_touch, responded, F_BOOL, READ_ONLY),
    FIELD(outreach_touch, similarity, F_REAL, READ_ONLY | NO_COLUMN,
          .doc = "How alike its text is to the one asked about: 0 to 1"),
    FIELD(outreach_touch, user_id, F_UUID, COLUMN_ONLY | NULLABLE),
    FIELD(outreach_touch, user_name, F_TEXT, COLUMN_ONLY | NULLABLE),
    FIELD(outreach_touch, body, F_TEXT, COLUMN_ONLY | NULLABLE),
};
static const struct record touch_record =
    RECORD_NAMED("OutreachTouch", outreach_touch, touch_fields);

static const struct field check_fields[] = {
    FIELD(outreach_check, decision, F_ENUM, READ_ONLY, .names = &outreach_decisions),
    FIELD(outreach_check, method, F_ENUM, READ_ONLY, .names = &interaction_type_words),
    FIELD(outreach_check, message, F_TEXT, READ_ONLY, .doc = "One sentence for people",
          .example = "\"Alice emailed this lead 2 days ago.\""),
    FIELD(outreach_check, broken, F_LIST, READ_ONLY, .of = F_ENUM, .names = &outreach_limit_names,
          .doc = "Which limits, those that block first"),
    FIELD(outreach_check, retry_at, F_TIME, READ_ONLY | NULLABLE,
          .doc = "When it is no longer blocked, if nothing else happens"),
    FIELD(outreach_check, may_override, F_BOOL, READ_ONLY, .doc = "The caller may do it anyway"),
    FIELD(outreach_check, limits, F_OBJECT, READ_ONLY, .record = &limits_record),
    FIELD(outreach_check, touches, F_LIST, READ_ONLY, .of = F_OBJECT, .record = &touch_record,
          .doc = "What speaks against it, nearest first"),
};
const struct record outreach_check_record =
    RECORD_NAMED("OutreachCheck", outreach_check, check_fields);

static const struct field asked_fields[] = {
    FIELD(outreach, customer_id, F_UUID, 0),
    FIELD(outreach, timezone, F_TEXT, 0),
    FIELD(outreach, last_response_at, F_TIME, NULLABLE),
    FIELD(outreach, rules, F_TEXT, NULLABLE),
};
static const struct record asked_record = RECORD(outreach, asked_fields);

/* When the customer was heard of, around the touch. */
struct words {
    struct maybe_int last_at, next_at;
};

static const struct field words_fields[] = {
    FIELD(words, last_at, F_TIME, NULLABLE),
    FIELD(words, next_at, F_TIME, NULLABLE),
};
static const struct record words_record = RECORD(words, words_fields);

/* A decision in the making. */
struct judging {
    const struct outreach *outreach;
    struct outreach_limits limits;
    int64_t min_us, warn_us;
    int64_t reach_us; /* what lies so far from the touch, or farther, does not matter */
    struct words words;
    struct list counted; /* struct outreach_touch, nearest first */
};

static enum err too_large(struct ctx *cx)
{
    return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
}

static struct str method_name(int method)
{
    return str_of(enum_name(&interaction_type_words, method));
}

static int64_t distance(int64_t a, int64_t b)
{
    return a < b ? b - a : a - b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* --- What speaks against it ---------------------------------------------------------------- */

static enum err read_words(struct ctx *cx, struct judging *judging)
{
    const struct outreach *outreach = judging->outreach;
    const struct maybe_int last = outreach->last_response_at;
    /* An answer to the touch itself says nothing of what led to it. */
    const struct uuid itself =
        uuid_is_none(outreach->interaction_id) ? UUID_MAX : outreach->interaction_id;

    if (!last.set)
        return OK;
    /* Of a touch that is made now, or planned, whatever this node's clock says beside another's:
     * else two answers at two nodes might not see each other. */
    if (outreach->at >= cx->now_us || last.value < outreach->at ||
        (last.value == outreach->at && uuid_is_none(outreach->interaction_id))) {
        judging->words.last_at = last;
        return OK;
    }
    /* It was logged late: the customer has been heard of since. */
    return db_one(cx, &sql_outreach_words,
                  ARGS({"customer_id", v_uuid(outreach->customer_id)}, {"itself", v_uuid(itself)},
                       {"since", v_time(outreach->at - judging->reach_us)},
                       {"at", v_time(outreach->at)},
                       {"until", v_time(outreach->at + judging->reach_us)}),
                  &words_record, &judging->words);
}

/* Takes the touch itself out and sorts the others, at most twice the limit. */
static void arrange(struct judging *judging)
{
    const struct outreach *outreach = judging->outreach;
    struct outreach_touch *touches = judging->counted.items;
    size_t count = 0;

    for (size_t i = 0; i < judging->counted.count; i++) {
        const struct outreach_touch touch = touches[i];
        size_t at = count;

        if (uuid_equal(touch.id, outreach->interaction_id))
            continue;
        while (at > 0 && distance(touches[at - 1].started_at, outreach->at) >
                             distance(touch.started_at, outreach->at)) {
            touches[at] = touches[at - 1];
            at--;
        }
        touches[at] = touch;
        touches[at].method = outreach->method;
        count++;
    }
    judging->counted.count = count;
}

static enum err read_touches(struct ctx *cx, struct judging *judging)
{
    const struct outreach *outreach = judging->outreach;
    int64_t since = outreach->at - judging->reach_us;
    /* All that is planned, since it stands in the way of a later try; that is little. Of what
     * was logged late nobody asks when to try again. */
    const bool is_past = outreach->at + judging->reach_us < cx->now_us;
    int64_t until = is_past ? outreach->at + judging->reach_us : TIME_MAX_US;

    if (judging->words.last_at.set)
        since = larger(since, judging->words.last_at.value);
    if (judging->words.next_at.set && judging->words.next_at.value < until)
        until = judging->words.next_at.value;
    TRY(db_all(cx, &sql_outreach_touches,
               ARGS({"customer_id", v_uuid(outreach->customer_id)},
                    {"method", v_text(method_name(outreach->method))}, {"since", v_time(since)},
                    {"at", v_time(outreach->at)}, {"until", v_time(until)},
                    {"limit", v_int(OUTREACH_TOUCHES_MAX + 1)}),
               &touch_record, &judging->counted));
    arrange(judging);
    return OK;
}

/* Whether the customer's day that holds `us` has no room; then also when it ends. */
static bool day_is_full(const struct judging *judging, int64_t us, int64_t *to_us)
{
    const struct list *counted = &judging->counted;
    int64_t from_us, touches = 0;

    if (!judging->limits.max_per_day.set)
        return false;
    zone_day(judging->outreach->timezone, us, &from_us, to_us);
    for (size_t i = 0; i < counted->count; i++) {
        const int64_t started_at = LIST_AT(*counted, struct outreach_touch, i)->started_at;

        touches += started_at >= from_us && started_at < *to_us;
    }
    return touches >= judging->limits.max_per_day.value;
}

static bool any_within(const struct judging *judging, int64_t window_us)
{
    return judging->counted.count > 0 &&
           distance(LIST_AT(judging->counted, struct outreach_touch, 0)->started_at,
                    judging->outreach->at) < window_us;
}

/* From `us` on, the first instant that no limit blocks. Goes from the end of one closed stretch
 * to that of the next, so it comes to an end. */
static int64_t first_open(const struct judging *judging, int64_t us)
{
    const struct list *counted = &judging->counted;
    int64_t before, to_us;

    do {
        before = us;
        for (size_t i = 0; i < counted->count; i++) {
            const int64_t started_at = LIST_AT(*counted, struct outreach_touch, i)->started_at;

            if (distance(started_at, us) < judging->min_us)
                us = started_at + judging->min_us;
        }
        if (day_is_full(judging, us, &to_us))
            us = larger(us, to_us);
    } while (us > before);
    return us;
}

/* The nearest of those that a limit looks at, with how alike they are. */
static enum err list_touches(struct ctx *cx, const struct judging *judging,
                             struct outreach_check *out)
{
    const struct outreach *outreach = judging->outreach;
    struct list touches = {.items = judging->counted.items};
    struct sketch *asked = similarity_sketch(cx->arena, outreach->subject, outreach->body);
    int64_t from_us, to_us;

    if (!asked)
        return too_large(cx);
    zone_day(outreach->timezone, outreach->at, &from_us, &to_us);
    for (size_t i = 0; i < judging->counted.count && touches.count < OUTREACH_TOUCHES_MAX; i++) {
        struct outreach_touch touch = *LIST_AT(judging->counted, struct outreach_touch, i);
        const int64_t away_us = distance(touch.started_at, outreach->at);
        const bool same_day = judging->limits.max_per_day.set && touch.started_at >= from_us &&
                              touch.started_at < to_us;
        double alike;

        if (away_us >= judging->min_us && away_us >= judging->warn_us && !same_day)
            continue;
        alike = similarity_to(asked, touch.subject, touch.body);
        if (alike < 0)
            return too_large(cx);
        touch.similarity = (double)(int)(alike * 1000 + 0.5) / 1000;
        *LIST_AT(touches, struct outreach_touch, touches.count++) = touch;
    }
    out->touches = touches;
    return OK;
}

static enum err judge(struct ctx *cx, const struct judging *judging, struct outreach_check *out)
{
    int *broken = ARENA_ARRAY(cx->arena, COUNT_OF(limit_names), int);
    size_t count = 0;
    int64_t day_ends_us;

    if (!broken)
        return too_large(cx);
    if (any_within(judging, judging->min_us))
        broken[count++] = LIMIT_MIN_HOURS;
    if (day_is_full(judging, judging->outreach->at, &day_ends_us))
        broken[count++] = LIMIT_MAX_PER_DAY;
    if (count > 0) {
        out->decision = OUTREACH_BLOCKED;
        out->retry_at = (struct maybe_int)SOME(first_open(judging, judging->outreach->at));
    }
    if (any_within(judging, judging->warn_us)) {
        broken[count++] = LIMIT_WARN_DAYS;
        if (out->decision == OUTREACH_ALLOWED)
            out->decision = OUTREACH_WARNING;
    }
    out->broken = (struct list){broken, count};
    out->may_override =
        count > 0 &&
        cx->actor.role >= (out->decision == OUTREACH_BLOCKED ? ROLE_MANAGER : ROLE_AGENT);
    return count > 0 ? list_touches(cx, judging, out) : OK;
}

/* --- In words -------------------------------------------------------------------------------- */

/* Of the methods that can be guarded: of others there is nothing to tell. */
static const struct wording {
    const char *did, *plans_to, *noun;
} wordings[] = {
    [TYPE_CALL] = {"called this lead", "call this lead", "call"},
    [TYPE_VIDEO_CALL] = {"called this lead by video", "call this lead by video", "video call"},
    [TYPE_EMAIL] = {"emailed this lead", "email this lead", "email"},
    [TYPE_SMS] = {"texted this lead", "text this lead", "text message"},
    [TYPE_CHAT] = {"chatted with this lead", "chat with this lead", "chat"},
    [TYPE_IN_PERSON] = {"visited this lead", "visit this lead", "visit"},
    [TYPE_SOCIAL_MEDIA] = {"messaged this lead on social media",
                           "message this lead on social media", "social media message"},
    [TYPE_PUSH] = {"sent a push message to this lead", "send a push message to this lead",
                   "push message"},
    [TYPE_OTHER] = {"contacted this lead", "contact this lead", "contact"},
    [TYPE_LINKEDIN] = {"messaged this lead on LinkedIn", "message this lead on LinkedIn",
                       "LinkedIn message"},
};

static void add_count(struct buf *out, int64_t n, const char *noun)
{
    buf_addf(out, "%" PRId64 " %s%s", n, noun, n == 1 ? "" : "s");
}

/* Not before `us`. */
static int64_t whole_second(int64_t us)
{
    return us + (SECOND_US - us % SECOND_US) % SECOND_US;
}

static void add_time(struct buf *out, int64_t us)
{
    char text[TIME_TEXT_MAX];

    buf_add(out, (struct str){text, time_format(us, text)});
}

/* "2 days", in the largest unit that has at least two of it; false: less than a minute. */
static bool add_duration(struct buf *out, int64_t us)
{
    if (us < MINUTE_US)
        return false;
    if (us < HOUR_US)
        add_count(out, us / MINUTE_US, "minute");
    else if (us < 2 * DAY_US)
        add_count(out, us / HOUR_US, "hour");
    else
        add_count(out, us / DAY_US, "day");
    return true;
}

/* When `us` is, as seen from `at`, which people call now where it nearly is. */
static void add_when(struct buf *out, const struct ctx *cx, int64_t us, int64_t at)
{
    const bool at_now = distance(at, cx->now_us) < MINUTE_US;
    const bool ahead = us > at;

    if (at_now && ahead)
        buf_add(out, STR("in "));
    if (!add_duration(out, distance(us, at))) {
        buf_add(out, at_now && ahead ? STR("a moment")
                     : at_now        ? STR("just now")
                                     : STR("at the same time"));
        return;
    }
    if (!at_now)
        buf_add(out, ahead ? STR(" later") : STR(" earlier"));
    else if (!ahead)
        buf_add(out, STR(" ago"));
}

static void add_name(struct buf *out, struct str name)
{
    size_t len = name.len;

    if (!name.ptr || name.len == 0) {
        buf_add(out, STR("Somebody"));
        return;
    }
    if (len > NAME_MAX_BYTES)
        for (len = NAME_MAX_BYTES; len > 0 && ((unsigned char)name.ptr[len] & 0xC0) == 0x80;)
            len--;
    buf_add(out, str_slice(name, 0, len));
    if (len < name.len)
        buf_add(out, STR("…"));
}

/* "At most one email in 24 hours, and 2 on the customer's day: from … on." */
static void add_limits(struct buf *out, const struct outreach_check *check)
{
    const char *noun = wordings[check->method].noun;
    const bool hours = *LIST_AT(check->broken, int, 0) == LIMIT_MIN_HOURS;
    const bool day = *LIST_AT(check->broken, int, hours ? 1 : 0) == LIMIT_MAX_PER_DAY &&
                     check->broken.count > (hours ? 1 : 0);

    buf_add(out, STR(" At most "));
    if (hours) {
        buf_addf(out, "one %s in ", noun);
        add_count(out, check->limits.min_hours, "hour");
    }
    if (hours && day)
        buf_addf(out, ", and %" PRId64, check->limits.max_per_day.value);
    else if (day)
        add_count(out, check->limits.max_per_day.value, noun);
    if (day)
        buf_add(out, STR(" on the customer's day"));
    buf_add(out, STR(": from "));
    add_time(out, whole_second(check->retry_at.value));
    buf_add(out, STR(" on."));
}

/* Who did what and when, what limit there is, and how alike the text is. */
static void describe(struct buf *out, const struct ctx *cx, const struct outreach *outreach,
                     const struct outreach_check *check)
{
    const struct outreach_touch *nearest = LIST_AT(check->touches, struct outreach_touch, 0);
    const struct wording *wording = &wordings[check->method];
    const bool planned = nearest->started_at > cx->now_us;

    add_name(out, nearest->user_name);
    buf_addf(out, planned ? " plans to %s " : " %s ", planned ? wording->plans_to : wording->did);
    add_when(out, cx, nearest->started_at, outreach->at);
    buf_add(out, STR("."));
    if (check->decision == OUTREACH_BLOCKED)
        add_limits(out, check);
    if (nearest->similarity >= SIMILARITY_ALIKE)
        buf_addf(out, " The text is %d %% alike.", (int)(nearest->similarity * 100 + 0.5));
}

static enum err say(struct ctx *cx, const struct judging *judging, struct outreach_check *out)
{
    const struct maybe_int heard = judging->words.last_at;
    struct buf message;

    buf_init(&message, cx->arena, MESSAGE_MAX);
    if (out->decision != OUTREACH_ALLOWED) {
        describe(&message, cx, judging->outreach, out);
    } else if (heard.set && judging->counted.count == 0 &&
               judging->outreach->at - heard.value < judging->reach_us) {
        buf_add(&message, STR("The customer was last heard of "));
        add_when(&message, cx, heard.value, judging->outreach->at);
        buf_add(&message, STR(": this is an answer."));
    } else {
        return OK;
    }
    if (buf_failed(&message))
        return too_large(cx);
    out->message = buf_str(&message);
    return OK;
}

/* --- The decision ---------------------------------------------------------------------------- */

static struct judging begin(const struct outreach *outreach, const struct outreach_limits *limits)
{
    struct judging judging = {.outreach = outreach,
                              .limits = *limits,
                              .min_us = limits->min_hours * HOUR_US,
                              .warn_us = limits->warn_days * DAY_US};
    int64_t from_us, to_us;

    judging.reach_us = larger(judging.min_us, judging.warn_us);
    if (limits->max_per_day.set) {
        zone_day(outreach->timezone, outreach->at, &from_us, &to_us);
        judging.reach_us = larger(judging.reach_us, outreach->at - from_us + 1);
        judging.reach_us = larger(judging.reach_us, to_us - outreach->at);
    }
    return judging;
}

enum err outreach_decide(struct ctx *cx, const struct outreach *outreach,
                         struct outreach_check *out)
{
    struct outreach_rules rules = {0};
    struct judging judging;

    *out = (struct outreach_check){.decision = OUTREACH_ALLOWED,
                                   .method = outreach->method,
                                   .message = STR("Nothing speaks against it.")};
    if (!outreach_has_policy(outreach->method))
        return OK;
    TRY(outreach_rules_read(cx, outreach->rules, &rules));
    if (!rules.guarded || (outreach->transactional && rules.bypass))
        return OK;
    out->limits = outreach_limits_for(&rules, cx->actor.role, outreach->campaign_id);
    judging = begin(outreach, &out->limits);
    if (judging.reach_us == 0)
        return OK;
    TRY(read_words(cx, &judging));
    TRY(read_touches(cx, &judging));
    TRY(judge(cx, &judging, out));
    return say(cx, &judging, out);
}

enum err outreach_ask(struct ctx *cx, struct uuid customer_id, int method, struct str subject,
                      struct str body, struct outreach_check *out)
{
    struct outreach outreach = {0};
    bool there = false;

    /* Only an id that nobody has is followed, so that it costs the others nothing. */
    for (int i = 0; i < 2 && !there; i++) {
        if (i > 0)
            TRY(customer_follow(cx, &customer_id));
        TRY(db_find(cx, &sql_outreach_customer,
                    ARGS({"id", v_uuid(customer_id)}, {"method", v_text(method_name(method))}),
                    &asked_record, &outreach, &there));
    }
    if (!there)
        return error_set(cx->error, ERR_NOT_FOUND, "There is no such record.");
    outreach.method = method;
    outreach.at = cx->now_us;
    outreach.subject = subject;
    outreach.body = body;
    return outreach_decide(cx, &outreach, out);
}

enum err outreach_refuse(struct ctx *cx, const struct outreach_check *check)
{
    const bool blocked = check->decision == OUTREACH_BLOCKED;
    struct buf facts;
    struct json_out out;

    buf_init(&facts, cx->arena, FACTS_MAX);
    json_out_init(&out, &facts);
    record_encode(&outreach_check_record, check, false, &out);
    if (buf_failed(&facts))
        return too_large(cx);
    error_set(cx->error, blocked ? ERR_TOO_MANY : ERR_CONFLICT, "%.*s", STR_FMT(check->message));
    if (blocked)
        cx->error->retry_after_s =
            larger(1, (check->retry_at.value - cx->now_us + SECOND_US - 1) / SECOND_US);
    cx->error->facts_name = "check";
    cx->error->facts = buf_str(&facts);
    return cx->error->code;
}

/* --- On the timeline ------------------------------------------------------------------------- */

/* One member of the check as JSON; STR_NULL past the arena's budget. */
static struct str member(struct ctx *cx, const struct outreach_check *check, const char *name)
{
    struct buf buf;
    struct json_out out;

    buf_init(&buf, cx->arena, FREE_JSON_MAX);
    json_out_init(&out, &buf);
    field_encode(record_field(&outreach_check_record, str_of(name)), check, &out);
    return buf_failed(&buf) ? STR_NULL : buf_str(&buf);
}

static enum err record_event(struct ctx *cx, const struct outreach *outreach,
                             const struct outreach_check *check, const char *event_type,
                             const char *title, struct str reason)
{
    struct outreach_check told = *check;
    struct bind members[] = {
        {"method", v_enum(&interaction_type_words, check->method)},
        {"decision", v_enum(&outreach_decisions, check->decision)},
        {"broken", v_bytes(member(cx, check, "broken"))},
        {"limits", v_bytes(member(cx, check, "limits"))},
        {"touches", v_bytes(STR_NULL)},
        {"reason", v_text(reason)},
    };
    const size_t count = COUNT_OF(members) - (reason.ptr ? 0 : 1);

    if (told.touches.count > TOLD_MAX)
        told.touches.count = TOLD_MAX;
    members[4].value = v_bytes(member(cx, &told, "touches"));
    return timeline_record(cx, &(struct event){.contact_id = outreach->customer_id,
                                               .interaction_id = outreach->interaction_id,
                                               .event_type = str_of(event_type),
                                               .category = CATEGORY_GENERAL,
                                               .priority = check->decision == OUTREACH_BLOCKED
                                                               ? PRIORITY_HIGH
                                                               : PRIORITY_NORMAL,
                                               .title = str_of(title),
                                               .description = check->message,
                                               .payload = timeline_payload(cx, members, count)});
}

enum err outreach_record_override(struct ctx *cx, const struct outreach *outreach,
                                  const struct outreach_check *check, struct str reason)
{
    return record_event(cx, outreach, check, "outreach_override", "Outreach policy overridden",
                        reason);
}

enum err outreach_record_flag(struct ctx *cx, const struct outreach *outreach,
                              const struct outreach_check *check)
{
    return record_event(cx, outreach, check, "outreach_flagged", "Outside of the outreach policy",
                        STR_NULL);
}
