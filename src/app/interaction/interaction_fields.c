/* What an interaction is made of: its columns, and the names that seed 000 gives them. */
#include "app/customer/customer.h"
#include "app/interaction/interaction_parts.h"

#define TYPE_NAMES                                                                                 \
    "call", "video_call", "email", "sms", "chat", "meeting", "in_person", "social_media", "push",  \
        "note", "system", "other"
static const char *const type_names[] = {TYPE_NAMES};
static const char *const type_word_names[] = {TYPE_NAMES, "linkedin"};
static const struct enum_alias type_aliases[] = {{"voice_call", TYPE_CALL}, {"phone", TYPE_CALL}};
static const char *const direction_names[] = {"inbound", "outbound"};
static const char *const outcome_names[] = {"successful", "failed",    "no_answer",     "voicemail",
                                            "busy",       "scheduled", "not_interested"};
static const char *const sentiment_names[] = {"Positive", "Neutral", "Negative", "Mixed"};
static const char *const participant_names[] = {"customer", "user", "client"};

const struct enum_names interaction_types = ENUM_NAMES_ALIASED(type_names, type_aliases);
const struct enum_names interaction_type_words = ENUM_NAMES_ALIASED(type_word_names, type_aliases);
const struct enum_names directions = ENUM_NAMES(direction_names);
const struct enum_names outcomes = ENUM_NAMES(outcome_names);
const struct enum_names sentiments = ENUM_NAMES(sentiment_names);
const struct enum_names participant_kinds = ENUM_NAMES(participant_names);

static const struct field participant_fields[] = {
    FIELD(participant, kind, F_ENUM, REQUIRED, .names = &participant_kinds),
    FIELD(participant, id, F_UUID, REQUIRED),
    FIELD(participant, role, F_TEXT, NULLABLE | ONE_LINE | OMIT_NULL, .min = 1, .max = 64),
};
static const struct record participant_record =
    RECORD_NAMED("Participant", participant, participant_fields);

/* --- The columns ------------------------------------------------------------------------- */

static const struct field row_fields[] = {
    FIELD(interaction, id, F_UUID, 0),
    FIELD(interaction, interaction_number, F_TEXT, 0),
    FIELD(interaction, external_id, F_TEXT, NULLABLE),
    FIELD(interaction, customer_id, F_UUID, 0),
    FIELD(interaction, company_id, F_UUID, NULLABLE),
    FIELD(interaction, session_id, F_UUID, NULLABLE),
    FIELD(interaction, created_by, F_UUID, NULLABLE),
    FIELD(interaction, type, F_ENUM, 0, .names = &interaction_types),
    FIELD(interaction, direction, F_ENUM, 0, .names = &directions),
    FIELD(interaction, channel, F_TEXT, NULLABLE),
    FIELD(interaction, outcome, F_ENUM, NULLABLE, .names = &outcomes),
    FIELD(interaction, subject, F_TEXT, NULLABLE),
    FIELD(interaction, description, F_TEXT, NULLABLE),
    FIELD(interaction, participants, F_LIST, 0, .of = F_OBJECT, .record = &participant_record),
    FIELD(interaction, started_at, F_TIME, 0),
    FIELD(interaction, ended_at, F_TIME, NULLABLE),
    FIELD(interaction, wait_time_seconds, F_INT, NULLABLE),
    FIELD(interaction, talk_time_seconds, F_INT, NULLABLE),
    FIELD(interaction, hold_time_seconds, F_INT, NULLABLE),
    FIELD(interaction, after_call_work_seconds, F_INT, NULLABLE),
    FIELD(interaction, follow_up_required, F_BOOL, 0),
    FIELD(interaction, follow_up_date, F_TIME, NULLABLE),
    FIELD(interaction, follow_up_notes, F_TEXT, NULLABLE),
    FIELD(interaction, follow_up_assignee, F_UUID, NULLABLE),
    FIELD(interaction, follow_up_completed_at, F_TIME, NULLABLE),
    FIELD(interaction, follow_up_snoozed_until, F_TIME, NULLABLE),
    FIELD(interaction, follow_up_due, F_TIME, NULLABLE),
    FIELD(interaction, follow_up_notified, F_BOOL, 0),
    FIELD(interaction, responded, F_BOOL, 0),
    FIELD(interaction, response_at, F_TIME, NULLABLE),
    FIELD(interaction, metadata, F_JSON, NULLABLE),
    FIELD(interaction, location, F_TEXT, NULLABLE),
    FIELD(interaction, project_id, F_TEXT, NULLABLE),
    FIELD(interaction, task_id, F_TEXT, NULLABLE),
    FIELD(interaction, intention_entity, F_TEXT, NULLABLE),
    FIELD(interaction, parent_interaction_id, F_UUID, NULLABLE),
    FIELD(interaction, chunk_number, F_INT, NULLABLE),
    FIELD(interaction, total_chunks, F_INT, NULLABLE),
    FIELD(interaction, content_format, F_TEXT, NULLABLE),
    FIELD(interaction, content_mime_type, F_TEXT, NULLABLE),
    FIELD(interaction, content_size_bytes, F_INT, NULLABLE),
    FIELD(interaction, content_object_bucket, F_TEXT, NULLABLE),
    FIELD(interaction, content_object_key, F_TEXT, NULLABLE),
    FIELD(interaction, content_sha256, F_TEXT, NULLABLE),
    FIELD(interaction, content_summary, F_TEXT, NULLABLE),
    FIELD(interaction, transcript_text, F_TEXT, NULLABLE),
    FIELD(interaction, transcript_confidence, F_REAL, NULLABLE),
    FIELD(interaction, transcript_engine, F_TEXT, NULLABLE),
    FIELD(interaction, sentiment_label, F_ENUM, NULLABLE, .names = &sentiments),
    FIELD(interaction, sentiment_score, F_REAL, NULLABLE),
    FIELD(interaction, sentiment_keywords, F_LIST, 0, .of = F_TEXT),
    FIELD(interaction, sentiment_engine, F_TEXT, NULLABLE),
    FIELD(interaction, guarded_as, F_ENUM, NULLABLE, .names = &interaction_type_words),
    FIELD(interaction, lead_status, F_ENUM, NULLABLE, .names = &customer_statuses),
    FIELD(interaction, attempt_day, F_INT, NULLABLE),
    FIELD(interaction, version, F_INT, 0),
    FIELD(interaction, created_at, F_TIME, 0),
    FIELD(interaction, updated_at, F_TIME, 0),
    FIELD(interaction, deleted_at, F_TIME, NULLABLE),
    FIELD(interaction, customer_name, F_TEXT, NULLABLE),
    FIELD(interaction, company_name, F_TEXT, NULLABLE),
    FIELD(interaction, created_by_name, F_TEXT, NULLABLE),
};
const struct record interaction_row_record =
    RECORD_NAMED("InteractionRow", interaction, row_fields);

/* --- The family of seed 000 ---------------------------------------------------------------- */

struct attendees {
    struct list ids;
};
static const struct field attendees_field = {.name = "attendees",
                                             .type = F_LIST,
                                             .size = sizeof(struct list),
                                             .of = F_UUID,
                                             .max = INTERACTION_ATTENDEES_MAX,
                                             .unique = true};

void interaction_put_attendees(struct json_out *out, const void *record)
{
    const struct interaction *interaction = record;

    json_array_begin(out);
    for (size_t i = 0; i < interaction->participants.count; i++) {
        const struct participant *at = LIST_AT(interaction->participants, struct participant, i);

        if (at->kind == PARTICIPANT_USER)
            json_uuid(out, at->id);
    }
    json_array_end(out);
}

enum err interaction_take_attendees(const struct decoding *in, const struct json_t *value,
                                    void *record)
{
    struct interaction *interaction = record;
    struct attendees given = {{NULL, 0}};
    struct participant *made;

    TRY(field_decode(&attendees_field, value, STR_NULL, in, &given));
    made = ARENA_ARRAY(in->arena, given.ids.count, struct participant);
    if (!made)
        return error_set(in->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
    for (size_t i = 0; i < given.ids.count; i++)
        made[i] = (struct participant){.kind = PARTICIPANT_USER,
                                       .id = *LIST_AT(given.ids, struct uuid, i)};
    interaction->participants = (struct list){made, given.ids.count};
    return OK;
}

static int64_t unix_seconds(int64_t us)
{
    return us / SECOND_US - (us % SECOND_US < 0);
}

int64_t interaction_seconds(int64_t started_at, int64_t ended_at)
{
    return unix_seconds(ended_at) - unix_seconds(started_at);
}

void interaction_put_duration(struct json_out *out, const void *record)
{
    const struct interaction *interaction = record;

    if (interaction->ended_at.set)
        json_int(out, interaction_seconds(interaction->started_at, interaction->ended_at.value));
    else
        json_nil(out);
}

enum err interaction_refuse_duration(const struct decoding *in, const struct json_t *value,
                                     void *record)
{
    (void)value;
    (void)record;
    return decoding_fault(in, "duration_seconds", "read_only",
                          "is computed from started_at and ended_at");
}

static const struct field api_fields[] = {
    FIELD(interaction, id, F_UUID, READ_ONLY),
    FIELD(interaction, interaction_number, F_TEXT, READ_ONLY, .example = "\"INT-2026-00001\""),
    FIELD(interaction, external_id, F_TEXT, NULLABLE | IMMUTABLE | ONE_LINE, .min = 1, .max = 255,
          .doc = "The caller's own key; unique in the tenant"),
    FIELD(interaction, customer_id, F_UUID, REQUIRED | IMMUTABLE),
    FIELD(interaction, customer_name, F_TEXT, READ_ONLY),
    FIELD(interaction, company_id, F_UUID, NULLABLE, .doc = "Left out: the customer's"),
    FIELD(interaction, company_name, F_TEXT, READ_ONLY | NULLABLE),
    FIELD(interaction, type, F_ENUM, REQUIRED, .names = &interaction_type_words,
          .doc = "linkedin is answered as social_media with the channel linkedin"),
    FIELD(interaction, direction, F_ENUM, REQUIRED, .names = &directions),
    FIELD(interaction, outcome, F_ENUM, NULLABLE, .names = &outcomes),
    FIELD(interaction, channel, F_TEXT, NULLABLE | ONE_LINE, .min = 1,
          .max = INTERACTION_CHANNEL_MAX, .example = "\"phone\""),
    FIELD(interaction, subject, F_TEXT, REQUIRED | ONE_LINE | MAY_LACK, .min = 1,
          .max = INTERACTION_SUBJECT_MAX),
    FIELD(interaction, description, F_TEXT, NULLABLE, .max = INTERACTION_DESCRIPTION_MAX),
    FIELD(interaction, created_by, F_UUID, READ_ONLY | NULLABLE, .doc = "Who logged it"),
    FIELD(interaction, created_by_name, F_TEXT, READ_ONLY | NULLABLE),
    VIEW_OF(interaction, "attendees", participants, interaction_put_attendees,
            interaction_take_attendees, 0, .of = F_UUID, .schema = ATTENDEES_SCHEMA,
            .doc = "Users who took part, in order"),
    FIELD(interaction, started_at, F_TIME, REQUIRED, .example = "\"2025-12-28T10:30:00Z\""),
    FIELD(interaction, ended_at, F_TIME, NULLABLE),
    VIEW("duration_sec", interaction_put_duration, NULL, READ_ONLY,
         .schema = "{\"type\":[\"integer\",\"null\"]}",
         .doc = "Whole seconds from started_at to ended_at"),
    /* So that who gives it is told why not; it fills nothing. */
    VIEW_OF(interaction, "duration_seconds", ended_at, NULL, interaction_refuse_duration,
            WRITE_ONLY, .schema = "{\"not\":{}}", .doc = "Refused: the duration is computed"),
    FIELD(interaction, follow_up_required, F_BOOL, 0),
    FIELD(interaction, follow_up_date, F_TIME, NULLABLE),
    FIELD(interaction, follow_up_notes, F_TEXT, NULLABLE, .max = 2000),
    FIELD(interaction, follow_up_assignee, F_UUID, NULLABLE,
          .doc = "Left out where a follow-up is required: who logged it"),
    FIELD(interaction, follow_up_completed_at, F_TIME, READ_ONLY | NULLABLE),
    FIELD(interaction, follow_up_snoozed_until, F_TIME, READ_ONLY | NULLABLE),
    FIELD(interaction, session_id, F_UUID, NULLABLE),
    FIELD(interaction, sentiment_label, F_ENUM, READ_ONLY | NULLABLE, .names = &sentiments),
    FIELD(interaction, sentiment_score, F_REAL, READ_ONLY | NULLABLE),
    FIELD(interaction, responded, F_BOOL, READ_ONLY),
    FIELD(interaction, response_at, F_TIME, READ_ONLY | NULLABLE),
    FIELD(interaction, metadata, F_JSON, NULLABLE),
    FIELD(interaction, location, F_TEXT, NULLABLE | ONE_LINE, .min = 1, .max = 255),
    FIELD(interaction, project_id, F_TEXT, NULLABLE | ONE_LINE, .min = 1, .max = 64),
    FIELD(interaction, task_id, F_TEXT, NULLABLE | ONE_LINE, .min = 1, .max = 64),
    FIELD(interaction, parent_interaction_id, F_UUID, NULLABLE | IMMUTABLE,
          .doc = "The primary chunk that this one continues"),
    FIELD(interaction, chunk_number, F_INT, NULLABLE | IMMUTABLE, .min = 1, .max = 100000),
    FIELD(interaction, total_chunks, F_INT, NULLABLE | IMMUTABLE, .min = 1, .max = 100000),
    FIELD(interaction, version, F_INT, READ_ONLY),
    FIELD(interaction, created_at, F_TIME, READ_ONLY),
    FIELD(interaction, updated_at, F_TIME, READ_ONLY),
    FIELD(interaction, deleted_at, F_TIME, READ_ONLY | NULLABLE | OMIT_NULL),
};
const struct record interaction_record = RECORD_NAMED("Interaction", interaction, api_fields);
