/* The family of seed 004: an interaction as a contact attempt, seen from the lead. */
#include "app/interaction/attempt.h"

#include "app/interaction/interaction_parts.h"
#include "app/user/user.h"

static void put_method(struct json_out *out, const void *record)
{
    json_text(out, str_of(enum_name(&interaction_type_words, interaction_method(record))));
}

static void put_user(struct json_out *out, const void *record)
{
    const struct interaction *interaction = record;

    user_put_reference(out, interaction->created_by, interaction->created_by_name);
}

#define METHOD_DOC "By what the contact was made"

static const struct field attempt_fields[] = {
    FIELD(interaction, id, F_UUID, READ_ONLY),
    FIELD_AS(interaction, "lead_id", customer_id, F_UUID, READ_ONLY),
    FIELD_AS(interaction, "user_id", created_by, F_UUID, READ_ONLY | NULLABLE,
             .doc = "Who logged it"),
    VIEW("user", put_user, NULL, READ_ONLY, .schema = USER_REFERENCE_SCHEMA,
         .doc = "The same user with the name"),
    VIEW("method", put_method, NULL, READ_ONLY,
         .schema = "{\"enum\":[\"call\",\"video_call\",\"email\",\"sms\",\"chat\",\"meeting\","
                   "\"in_person\",\"social_media\",\"push\",\"note\",\"system\",\"other\","
                   "\"linkedin\"]}",
         .doc = METHOD_DOC),
    FIELD(interaction, direction, F_ENUM, READ_ONLY, .names = &directions),
    FIELD(interaction, subject, F_TEXT, READ_ONLY | NULLABLE),
    FIELD_AS(interaction, "body", description, F_TEXT, READ_ONLY | NULLABLE),
    FIELD(interaction, responded, F_BOOL, READ_ONLY),
    FIELD(interaction, response_at, F_TIME, READ_ONLY | NULLABLE | OMIT_NULL),
    FIELD(interaction, metadata, F_JSON, READ_ONLY | NULLABLE),
    FIELD(interaction, outcome, F_ENUM, READ_ONLY | NULLABLE, .names = &outcomes),
    FIELD(interaction, channel, F_TEXT, READ_ONLY | NULLABLE),
    FIELD(interaction, started_at, F_TIME, READ_ONLY),
    FIELD(interaction, ended_at, F_TIME, READ_ONLY | NULLABLE),
    VIEW("duration_sec", interaction_put_duration, NULL, READ_ONLY,
         .schema = "{\"type\":[\"integer\",\"null\"]}",
         .doc = "Whole seconds from started_at to ended_at"),
    VIEW("attendees", interaction_put_attendees, NULL, READ_ONLY, .of = F_UUID,
         .schema = ATTENDEES_SCHEMA, .doc = "Users who took part, in order"),
    FIELD(interaction, follow_up_required, F_BOOL, READ_ONLY),
    FIELD(interaction, follow_up_date, F_TIME, READ_ONLY | NULLABLE),
    FIELD(interaction, follow_up_notes, F_TEXT, READ_ONLY | NULLABLE),
    FIELD(interaction, follow_up_assignee, F_UUID, READ_ONLY | NULLABLE),
    FIELD(interaction, follow_up_completed_at, F_TIME, READ_ONLY | NULLABLE),
    FIELD(interaction, follow_up_snoozed_until, F_TIME, READ_ONLY | NULLABLE),
    FIELD(interaction, session_id, F_UUID, READ_ONLY | NULLABLE),
    FIELD(interaction, external_id, F_TEXT, READ_ONLY | NULLABLE),
    FIELD(interaction, interaction_number, F_TEXT, READ_ONLY),
    FIELD(interaction, version, F_INT, READ_ONLY),
    FIELD(interaction, created_at, F_TIME, READ_ONLY),
    FIELD(interaction, updated_at, F_TIME, READ_ONLY),
};
const struct record attempt_record = RECORD_NAMED("ContactAttempt", interaction, attempt_fields);

/* --- What is given ------------------------------------------------------------------------- */

/* What can be an attempt: no notes, no system entries. */
static const char *const method_names[] = {"call", "video_call", "email",     "sms",
                                           "chat", "meeting",    "in_person", "social_media",
                                           "push", "other",      "linkedin"};
static const int method_types[] = {TYPE_CALL, TYPE_VIDEO_CALL, TYPE_EMAIL,     TYPE_SMS,
                                   TYPE_CHAT, TYPE_MEETING,    TYPE_IN_PERSON, TYPE_SOCIAL_MEDIA,
                                   TYPE_PUSH, TYPE_OTHER,      TYPE_LINKEDIN};
static const struct enum_alias method_aliases[] = {{"voice_call", 1}, {"phone", 1}};
static const struct enum_names methods = ENUM_NAMES_ALIASED(method_names, method_aliases);

int attempt_type(int method)
{
    return method > 0 ? method_types[method - 1] : 0;
}

static const struct field new_attempt_fields[] = {
    FIELD(new_attempt, method, F_ENUM, REQUIRED, .names = &methods,
          .doc = METHOD_DOC "; voice_call and phone are call"),
    FIELD_AS(new_attempt, "direction", touch.direction, F_ENUM, REQUIRED, .names = &directions),
    FIELD_AS(new_attempt, "subject", touch.subject, F_TEXT, NULLABLE | ONE_LINE, .min = 1,
             .max = INTERACTION_SUBJECT_MAX),
    FIELD_AS(new_attempt, "body", touch.description, F_TEXT, NULLABLE,
             .max = INTERACTION_DESCRIPTION_MAX),
    FIELD_AS(new_attempt, "responded", touch.responded, F_BOOL, 0,
             .doc = "They responded to it; only of an outbound one"),
    FIELD_AS(new_attempt, "response_at", touch.response_at, F_TIME, NULLABLE,
             .doc = "Left out where they responded: now"),
    FIELD_AS(new_attempt, "metadata", touch.metadata, F_JSON, NULLABLE),
    FIELD_AS(new_attempt, "outcome", touch.outcome, F_ENUM, NULLABLE, .names = &outcomes),
    FIELD_AS(new_attempt, "channel", touch.channel, F_TEXT, NULLABLE | ONE_LINE, .min = 1,
             .max = INTERACTION_CHANNEL_MAX),
    FIELD_AS(new_attempt, "started_at", touch.started_at, F_TIME, 0, .doc = "Left out: now"),
    FIELD_AS(new_attempt, "ended_at", touch.ended_at, F_TIME, NULLABLE),
    VIEW_OF(new_attempt, "duration_seconds", touch.ended_at, NULL, interaction_refuse_duration,
            WRITE_ONLY, .schema = "{\"not\":{}}", .doc = "Refused: the duration is computed"),
    VIEW_OF(new_attempt, "attendees", touch.participants, NULL, interaction_take_attendees,
            WRITE_ONLY, .of = F_UUID, .schema = ATTENDEES_SCHEMA,
            .doc = "Users who took part, in order"),
    FIELD_AS(new_attempt, "follow_up_required", touch.follow_up_required, F_BOOL, 0),
    FIELD_AS(new_attempt, "follow_up_date", touch.follow_up_date, F_TIME, NULLABLE),
    FIELD_AS(new_attempt, "follow_up_notes", touch.follow_up_notes, F_TEXT, NULLABLE, .max = 2000),
    FIELD_AS(new_attempt, "follow_up_assignee", touch.follow_up_assignee, F_UUID, NULLABLE,
             .doc = "Left out where a follow-up is required: who logs it"),
    FIELD_AS(new_attempt, "session_id", touch.session_id, F_UUID, NULLABLE),
    FIELD_AS(new_attempt, "external_id", touch.external_id, F_TEXT, NULLABLE | ONE_LINE, .min = 1,
             .max = 255, .doc = "The caller's own key; unique in the tenant"),
    FIELD_AS(new_attempt, "override", override.given, F_BOOL, 0,
             .doc = "Log it though the outreach policy is against it"),
    FIELD_AS(new_attempt, "override_reason", override.reason, F_TEXT, NULLABLE, .min = 1,
             .max = 1000, .doc = "Why; needed with override"),
};
const struct record new_attempt_record =
    RECORD_NAMED("NewContactAttempt", new_attempt, new_attempt_fields);

static const struct field response_fields[] = {
    FIELD(attempt_response, responded, F_BOOL, 0, .doc = "Left out: true"),
    FIELD(attempt_response, response_at, F_TIME, NULLABLE,
          .doc = "Left out: what is known of it, else now"),
};
const struct record attempt_response_record =
    RECORD_NAMED("ContactResponse", attempt_response, response_fields);
