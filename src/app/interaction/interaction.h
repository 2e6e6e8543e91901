/* Interactions: one touch with a customer (SPEC.md §4). One record, three spellings:
 * the route families of seeds 000, 002 and 004 have their own tables of names over this
 * struct. Contracts: every function runs in the caller's transaction, keeps the
 * customer's summary, the kept totals and the search index, and records its event. */
#ifndef APP_INTERACTION_H
#define APP_INTERACTION_H

#include "db/db.h"

#define INTERACTION_SUBJECT_MAX 255       /* code points */
#define INTERACTION_DESCRIPTION_MAX 10240 /* code points */
#define INTERACTION_ATTENDEES_MAX 200
#define INTERACTION_CHANNEL_MAX 64 /* code points */
#define INTERACTION_QUERY_MAX 200  /* code points of a search */

enum interaction_type {
    TYPE_CALL = 1,
    TYPE_VIDEO_CALL,
    TYPE_EMAIL,
    TYPE_SMS,
    TYPE_CHAT,
    TYPE_MEETING,
    TYPE_IN_PERSON,
    TYPE_SOCIAL_MEDIA,
    TYPE_PUSH,
    TYPE_NOTE,
    TYPE_SYSTEM,
    TYPE_OTHER,
    /* As given only: it is stored as TYPE_SOCIAL_MEDIA with the channel "linkedin". */
    TYPE_LINKEDIN,
};

enum direction { DIRECTION_INBOUND = 1, DIRECTION_OUTBOUND };

enum outcome {
    OUTCOME_SUCCESSFUL = 1,
    OUTCOME_FAILED,
    OUTCOME_NO_ANSWER,
    OUTCOME_VOICEMAIL,
    OUTCOME_BUSY,
    OUTCOME_SCHEDULED,
    OUTCOME_NOT_INTERESTED,
};

enum sentiment { SENTIMENT_POSITIVE = 1, SENTIMENT_NEUTRAL, SENTIMENT_NEGATIVE, SENTIMENT_MIXED };

enum participant_kind { PARTICIPANT_CUSTOMER = 1, PARTICIPANT_USER, PARTICIPANT_CLIENT };

/* interaction_types are what is stored and answered, with the other families' spellings as
 * aliases; interaction_type_words are those and "linkedin", which bodies may say too. */
extern const struct enum_names interaction_types, interaction_type_words, directions, outcomes,
    sentiments, participant_kinds;

/* Who took part, in order. `attendees` (seed 000) are the users among them,
 * `interaction_person_entities` (seed 002) all. Its position is its place in the list. The
 * customer, where the list does not name him, stands before the others. */
struct participant {
    int kind; /* enum participant_kind */
    struct uuid id;
    struct str role;
};

struct interaction {
    struct uuid id;
    struct str interaction_number; /* INT-2026-00001 */
    struct str external_id;        /* the caller's own key, unique in the tenant */
    struct uuid customer_id, company_id, session_id, created_by;
    int type;      /* enum interaction_type */
    int direction; /* enum direction */
    struct str channel;
    int outcome; /* enum outcome; 0: none yet */

    struct str subject;
    struct str description;   /* also content_text and body */
    struct list participants; /* struct participant */

    int64_t started_at;
    struct maybe_int ended_at;
    struct maybe_int wait_time_seconds, talk_time_seconds, hold_time_seconds,
        after_call_work_seconds;

    bool follow_up_required;
    struct maybe_int follow_up_date;
    struct str follow_up_notes;
    struct uuid follow_up_assignee;
    struct maybe_int follow_up_completed_at, follow_up_snoozed_until;
    /* Kept: when a pending one is due (the date, or until when it is snoozed; TIME_END
     * without a date), and whether the assignee was told so. Not set: none is pending. */
    struct maybe_int follow_up_due;
    bool follow_up_notified;

    bool responded;
    struct maybe_int response_at;

    struct str metadata; /* a JSON object */
    struct str location, project_id, task_id, intention_entity;

    struct uuid parent_interaction_id; /* of a chunk that is not the primary one */
    struct maybe_int chunk_number, total_chunks;

    struct str content_format, content_mime_type, content_object_bucket, content_object_key,
        content_sha256, content_summary;
    struct maybe_int content_size_bytes;

    struct str transcript_text, transcript_engine;
    struct maybe_real transcript_confidence; /* 0 to 100 */
    int sentiment_label;                     /* enum sentiment */
    struct maybe_real sentiment_score;       /* -1 to 1 */
    struct list sentiment_keywords;          /* struct str */
    struct str sentiment_engine;

    /* Kept for outreach: the method (of interaction_type_words) under which the guard counts it,
     * 0 where it does not; what the customer was before it (enum customer_status, 0: not known);
     * and the day under which analytics counts it as an attempt (app/analytics/attempts.h). */
    int guarded_as, lead_status;
    struct maybe_int attempt_day;

    int64_t version;
    int64_t created_at, updated_at;
    struct maybe_int deleted_at;

    /* With the row, from other tables. */
    struct str customer_name, company_name, created_by_name;
};

/* By which method it is a touch, of interaction_type_words: its type, but a message on LinkedIn
 * is TYPE_LINKEDIN. */
int interaction_method(const struct interaction *interaction);

/* The columns, and the names that come with the row. */
extern const struct record interaction_row_record;
/* The family of seed 000: /interactions and /customer-mgmt/interactions. */
extern const struct record interaction_record;

/* --- One --------------------------------------------------------------------------------- */

/* Logs one that has happened: at least customer_id, type, direction and started_at. Defaults:
 * company_id the customer's; created_by the actor; follow_up_assignee, where a follow-up is
 * required, the creator; response_at of what was responded to, now. The id, number and version
 * are made here. The row is not read again: *out is what is known. The outreach guard never
 * refuses it: what breaks the policy is flagged on the timeline (app/outreach/guard.h). So it is
 * with edits and with what is restored.
 *   ERR_INVALID    ended_at before started_at; a chunk beyond total_chunks, without a number, or
 *                  of something that is no primary chunk of the same customer; a pending
 *                  follow-up for a user who is deactivated (`inactive`; also in what follows)
 *   ERR_NOT_FOUND  an id in it (the detail names the field)
 *   ERR_CONFLICT   the external_id or the chunk's number is taken */
enum err interaction_create(struct ctx *cx, const struct interaction *in, struct interaction *out);

/* Logs one, unless the outreach guard is against it. */
struct override {
    bool given;
    struct str reason; /* needed where it is given */
};
/* As interaction_create(), and ERR_TOO_MANY where the guard blocks it, ERR_CONFLICT where it
 * warns, with the facts, unless the override is given and the actor may (see guard.h); then the
 * event outreach_override tells of it. ERR_INVALID: an override without a reason, a reason
 * without an override. */
enum err interaction_attempt(struct ctx *cx, const struct interaction *in,
                             const struct override *override, struct interaction *out);
/* Those rules of it that need no store, so that all that is wrong can be told at once: adds the
 * faults to cx->error, but none for a field that has one. ERR_INVALID where there are any. */
enum err interaction_check_attempt(struct ctx *cx, const struct interaction *interaction,
                                   const struct override *override);

/* The customer answered it, or did not after all. `response_at` not set: what is known of it
 * already, else now. The summary, the lead's status and the response times follow; a later word
 * corrects an earlier one. Events: response_recorded and response_removed.
 *   ERR_INVALID  response_at in the future, before started_at (by whole seconds), or given
 *                though not responded
 *   ERR_CONFLICT it is no outbound touch; what one that became another was answered with can
 *                still be taken back */
enum err interaction_set_response(struct ctx *cx, const struct interaction *current, bool responded,
                                  struct maybe_int response_at, struct interaction *out);

/* Locks on PostgreSQL always come in one order, so that writes wait for each other and never
 * in a ring: customers by id, then their interactions. Who creates several in one transaction
 * locks their customers first, all at once, whatever ids lead to them; ids that are unknown lock
 * nothing. */
enum err interaction_lock_customers(struct ctx *cx, const struct uuid *ids, size_t count);

/* Deleted ones are not found. */
enum err interaction_get(struct ctx *cx, struct uuid id, struct interaction *out);
/* The same, locked until the commit, its customer first: for reads that decide a write. */
enum err interaction_get_locked(struct ctx *cx, struct uuid id, struct interaction *out);
/* Also a deleted one. */
enum err interaction_get_any_locked(struct ctx *cx, struct uuid id, struct interaction *out);
/* By the caller's own key. ERR_CONFLICT where a deleted one has it. */
enum err interaction_find_external(struct ctx *cx, struct str external_id, struct interaction *out,
                                   bool *found);

/* What follows takes `current` as interaction_get_locked() gave it, counts the version up,
 * and does nothing, not even an event, where nothing changes. */

/* PATCH: `patch` holds what `given` (by interaction_record) says. A new follow_up_date, or
 * follow_up_required anew, makes the follow-up pending again. Participants who are no users
 * stay, before the new attendees. */
enum err interaction_update(struct ctx *cx, const struct interaction *current,
                            const struct interaction *patch, const struct given *given,
                            struct interaction *out);
enum err interaction_set_outcome(struct ctx *cx, const struct interaction *current, int outcome,
                                 struct interaction *out);
/* A second end corrects the first. */
enum err interaction_end(struct ctx *cx, const struct interaction *current, int64_t ended_at,
                         struct interaction *out);
/* ERR_CONFLICT for who attends already. */
enum err interaction_add_attendee(struct ctx *cx, const struct interaction *current,
                                  struct uuid user_id, struct interaction *out);
/* ERR_NOT_FOUND for who does not attend. */
enum err interaction_remove_attendee(struct ctx *cx, const struct interaction *current,
                                     struct uuid user_id, struct interaction *out);
/* ERR_CONFLICT for a primary chunk that has chunks. */
enum err interaction_delete(struct ctx *cx, const struct interaction *current);
/* Of a deleted one; one that is not deleted is answered as it is.
 * ERR_CONFLICT where its customer or primary chunk is deleted, or its number was taken. */
enum err interaction_restore(struct ctx *cx, struct uuid id, struct interaction *out);

/* Adds `delta` for the row in all totals of db/counts.h: "interactions" (key ""),
 * "interactions.customer", ".company", ".type", ".created_by", ".session", ".follow_up"
 * (key ""; pending ones) and ".follow_up_assignee". For who moves rows by other ways. */
enum err interaction_count(struct ctx *cx, const struct interaction *row, int64_t delta);

/* Planned touches whose start has passed: customer_count_due() and, of outbound ones, analytics. */
enum err interaction_touches_due(struct ctx *cx, int64_t limit, int64_t *done);
/* Goes on through the interactions of tenants that attempts_recount_later() named: up to `limit`
 * rows; *done says how many. Several nodes may do so at once. For a job: cx needs no tenant. */
enum err interaction_recount(struct ctx *cx, int64_t limit, int64_t *done);

/* --- Follow-ups --------------------------------------------------------------------------- */

/* Sets it as a whole (date, notes and assignee of `wanted`, which may be missing) and makes it
 * pending, or none where follow_up_required is false. Without an assignee: who has it now,
 * else the creator. */
enum err interaction_set_follow_up(struct ctx *cx, const struct interaction *current,
                                   const struct interaction *wanted, struct interaction *out);
/* ERR_CONFLICT where none is required; a completed one is answered as it is. */
enum err interaction_complete_follow_up(struct ctx *cx, const struct interaction *current,
                                        struct interaction *out);
/* ERR_CONFLICT where none is pending; ERR_INVALID for a time that has passed. */
enum err interaction_snooze_follow_up(struct ctx *cx, const struct interaction *current,
                                      int64_t until, struct interaction *out);

/* By when they are due; the day is the actor's, in cx->actor.timezone. */
enum follow_up_bucket {
    FOLLOW_UP_OVERDUE = 1, /* before the day */
    FOLLOW_UP_TODAY,       /* on it, also where the hour has passed */
    FOLLOW_UP_UPCOMING,    /* after it */
    FOLLOW_UP_UNDATED,
};
extern const struct enum_names follow_up_buckets;

/* Pending ones, earliest first, those without a date last. `bucket` 0: all; `assignee` none:
 * everybody's. Begins after (after_due, after_id). The total is kept where `bucket` is 0,
 * else counted up to COUNT_CAP. */
enum err interaction_follow_ups(struct ctx *cx, int bucket, struct uuid assignee, int64_t after_due,
                                struct uuid after_id, int64_t limit, int64_t offset,
                                struct list *out, int64_t *total, bool *capped);

/* Tells the assignees of up to `limit` follow-ups that fell due, of all tenants: an event
 * `follow_up_due` (category notification, realtime) to each, once for each due time; a new
 * date or a snooze arms it again. Several nodes may do so at once. *done says how many: call
 * again while it equals `limit`. For a job: cx needs no tenant. */
enum err interaction_follow_ups_due(struct ctx *cx, int64_t limit, int64_t *done);

/* --- Lists and search ----------------------------------------------------------------------- */

/* Each narrows the list; zeros do not. */
struct interaction_filter {
    struct uuid customer_id, company_id, created_by, session_id;
    int type, direction, outcome, sentiment;
    struct str channel, not_channel;
    struct maybe_int from, to; /* started_at: from <= started_at < to */
    struct str q;              /* words of subject and description: see below */
};

/* Begins before (before_time, before_id) in the order of (started_at, id), newest first. */
struct interaction_place {
    int64_t before_time;
    struct uuid before_id;
    int64_t limit, offset; /* rows to read, rows to skip */
};

struct interaction_page {
    struct list rows; /* struct interaction */
    int64_t total;
    bool capped;
    /* The page is not full because so many entries were looked at as one page may; there may
     * be more: go on from here. */
    bool cut;
    int64_t cut_time;
    struct uuid cut_id;
};

/* No filter, or one by customer, company, session, creator or type: a plain list; its total is
 * kept. Else the index of the condition that leads to the fewest rows as a rule is read
 * (session, customer, company, creator, outcome, sentiment, channel, type, all by time), in
 * steps, and each entry is held against the other conditions, until the page is full or
 * SCAN_CAP entries were looked at (see `cut`). Such totals are counted up to COUNT_CAP rows and
 * SCAN_CAP entries. Skipping by `offset` counts as reading: deep pages go by cursor.
 *
 * `q`: every word must stand in subject or description, whatever its case and accents; the last
 * one may be the beginning of a word. A script without spaces is found from any character on.
 * Words that at most COUNT_CAP interactions have are looked up in the index of texts; for more
 * common ones the list by time (or by the leading condition) is read, SEARCH_SCAN_CAP entries
 * for a page at most. What has no words finds nothing. */
enum err interaction_list(struct ctx *cx, const struct interaction_filter *filter,
                          const struct interaction_place *place, struct interaction_page *out);
#define SEARCH_SCAN_CAP 5000

/* ERR_NOT_FOUND where the customer, company or user of the filter is unknown or deleted: asked
 * before a list that is theirs. A filter alone asks nobody: interactions are history, so those
 * with a deleted customer stay in the general list, in its totals and in search, by whatever
 * filter, until they are deleted themselves. */
enum err interaction_list_owner(struct ctx *cx, const struct interaction_filter *filter);

#endif
