/* Contact events: the timeline and audit log (SPEC.md §5). Every domain function that
 * changes something records its event here, in the same transaction, so the timeline
 * needs no second source. */
#ifndef APP_TIMELINE_H
#define APP_TIMELINE_H

#include "db/db.h"

enum event_category {
    CATEGORY_GENERAL = 1,
    CATEGORY_STATUS,
    CATEGORY_PIPELINE,
    CATEGORY_ASSIGNMENT,
    CATEGORY_TAG,
    CATEGORY_NOTE,
    CATEGORY_SESSION,
    CATEGORY_CUSTOM_FIELD,
    CATEGORY_SYSTEM,
    CATEGORY_NOTIFICATION,
    CATEGORY_TRACKING,
};

enum event_priority { PRIORITY_LOW = 1, PRIORITY_NORMAL, PRIORITY_HIGH, PRIORITY_URGENT };

enum event_source {
    SOURCE_SYSTEM = 1,
    SOURCE_AGENT,
    SOURCE_WEBHOOK,
    SOURCE_WORKFLOW,
    SOURCE_AUTOMATION,
    SOURCE_INTEGRATION,
};

extern const struct enum_names event_categories, event_priorities, event_sources, event_addressees;

enum event_addressee { ADDRESSEE_USER = 1, ADDRESSEE_CONTACT };

/* Columns of contact_events. What timeline_record() fills when it is left at zero:
 * id; priority (normal); source (agent when a user acts, else system); triggered_by (the
 * actor's user); occurred_at (now); created_at (always now); timeline_id (always the contact);
 * addressee_type (a user where addressee_id is one, else the contact where the event is visible
 * to the client, else nobody); salt (always). visible_to_agent is set unless `hidden` is.
 * Delivered and read begin as false. */
struct event {
    struct uuid id;
    struct uuid contact_id;  /* the customer; none for events of other records, which name */
    struct str subject_type; /* "user", "api_key", "company", … */
    struct uuid subject_id;  /* … here */
    struct uuid session_id;
    struct uuid interaction_id;
    struct str event_type; /* the words of seed 001: "tag_added"; one for each change */
    int category;          /* enum event_category */
    int priority;          /* enum event_priority */
    struct str title, description;
    struct str payload, metadata; /* JSON objects, kept byte for byte */
    int source;                   /* enum event_source */
    struct uuid triggered_by;
    struct str integration_source;
    int addressee_type;       /* enum event_addressee; 0: nobody in particular */
    struct uuid addressee_id; /* the user it is for */
    bool is_realtime;
    bool delivered;
    struct maybe_int delivered_at;
    bool read;
    struct maybe_int read_at;
    bool visible_to_client, visible_to_agent;
    struct maybe_int expires_at;
    int64_t occurred_at, created_at;
    struct str salt;         /* 16 bytes; null once the texts are erased: then … */
    struct str text_hash;    /* … their commitment stands here */
    struct uuid timeline_id; /* whose timeline shows it: contact_id, or whom that was merged into */
    bool expired;            /* its time has passed, and it was taken out of lists and totals */
    bool hidden;             /* no column: to be written with visible_to_agent false */
    int64_t number;          /* its seal's, where a query gives it; else 0 */
    struct str words;        /* what it is found by: timeline_index() */
    struct str contact_name, triggered_by_name; /* where a query gives them */
};

extern const struct record event_record;

/* Writes the event, counts it, and has it sealed: on SQLite by the commit that writes it, on
 * PostgreSQL soon after. Fills *event's defaults (above). */
enum err timeline_record(struct ctx *cx, struct event *event);

/* Kept totals (db/counts.h), by timeline or session: of agents, of the client's view, of a
 * session. An event leaves them when it is marked expired or is erased. */
#define COUNT_EVENTS_TIMELINE "events.timeline"
#define COUNT_EVENTS_CLIENT "events.client"
#define COUNT_EVENTS_SESSION "events.session"
enum err timeline_count(struct ctx *cx, const struct event *event, int64_t delta);

/* Before timeline_record(): the event's title and description can be searched for. That is for
 * what people or other systems wrote, and not for what the program says of changes. */
enum err timeline_index(struct ctx *cx, struct event *event);

/* A payload from names and values: PAYLOAD(cx, {"tag", v_text(tag)}, …). STR_NULL past
 * the arena's budget, which timeline_record() reports. */
struct str timeline_payload(struct ctx *cx, const struct bind *members, size_t count);
#define PAYLOAD(cx, ...)                                                                           \
    timeline_payload((cx), (const struct bind[]){__VA_ARGS__},                                     \
                     sizeof((const struct bind[]){__VA_ARGS__}) / sizeof(struct bind))
/* {"changed":{"name":{"from":…,"to":…},…}} of the fields that people edit, but secrets. One
 * that would take more than EVENT_VALUE_MAX is named and not told ("name":{}), and so are
 * those after half of what a payload may hold: the whole never is more. */
#define EVENT_VALUE_MAX KIB(1)
struct str timeline_changes(struct ctx *cx, const struct record *record, const void *before,
                            const void *after);

/* --- Writing by the API --------------------------------------------------------------------- */

/* An event that a caller gives: `in` as it was decoded; `shown`: visible_to_agent, true where
 * it was left out. The contact, session and interaction must be the tenant's (ERR_NOT_FOUND
 * names the field); every rule that is broken is a fault of its field. */
enum err timeline_post(struct ctx *cx, const struct event *in, bool shown, struct event *out);

/* --- Reading: all as the actor may see it ---------------------------------------------------- */

/* Users see what is visible to agents: of every contact's timeline, and of events without a
 * contact those that are addressed to them, and as admins all. A contact's own app sees what is
 * visible to the client, of its own timeline. What has expired nobody sees. What is not seen is
 * ERR_NOT_FOUND, as what is not there. */
enum err timeline_get(struct ctx *cx, struct uuid id, struct event *out);
/* The same; on PostgreSQL its row is locked. */
enum err timeline_get_locked(struct ctx *cx, struct uuid id, struct event *out);

/* Whose timeline: the customer, or whom it was merged into; a contact's app has its own. */
enum err timeline_owner(struct ctx *cx, struct uuid contact_id, struct uuid *out);

enum event_view { VIEW_AGENT = 1, VIEW_CLIENT };
extern const struct enum_names event_views;

enum event_list {
    LIST_TIMELINE = 1, /* of `id`, newest first, by `view` */
    LIST_SESSION,      /* of `id`, oldest first */
    LIST_TENANT,       /* by event_type or category (one is needed), newest first */
    LIST_UNDELIVERED,  /* realtime events that their addressee has not acknowledged; `id`: of
                          that timeline only. Newest first */
    LIST_UNREAD,       /* addressed to the actor (a user, or the contact) and not read */
    LIST_TEXTS,        /* found by `q`; `id`: of that timeline only. Newest first */
    LIST_AUDIT,        /* in the order of the chain, newest first: the cursor is the number */
};

/* Zeros do not narrow. */
struct event_filter {
    int view; /* enum event_view; 0: the agent's. A contact's app has the client's always */
    int category;
    struct str event_type;
    struct maybe_int from, to; /* occurred_at: at this time or later; before this time */
    struct str q;
    struct uuid contact_id;
};

#define EVENT_QUERY_MAX 200 /* code points */

/* Where a page begins: before (or, oldest first, after) that place; LIST_AUDIT: `time` is the
 * number. */
struct event_place {
    int64_t time;
    struct uuid id;
    int64_t limit, offset; /* rows to read */
};

struct event_page {
    struct list rows; /* struct event */
    int64_t total;
    bool capped;
    /* The page is not full because SCAN_CAP entries were looked at: go on from here. */
    bool cut;
    int64_t cut_time;
    struct uuid cut_id;
};

/* A page of a list. Plain timelines and sessions have their kept total, less what has expired
 * since; all other totals are counted, up to COUNT_CAP rows and SCAN_CAP entries. Every page is
 * a range of an index. */
enum err timeline_list(struct ctx *cx, enum event_list list, struct uuid id,
                       const struct event_filter *filter, const struct event_place *place,
                       struct event_page *out);
/* The total alone of a plain timeline. */
enum err timeline_total(struct ctx *cx, struct uuid timeline_id, enum event_view view,
                        int64_t *out);
/* How many events addressed to the actor are not read; counted up to COUNT_CAP. */
enum err timeline_unread(struct ctx *cx, int64_t *out, bool *capped);

/* --- Marks ---------------------------------------------------------------------------------- */

/* Only the addressee's word sets `delivered` and `read`, once: the first time stays. */
struct event_mark {
    int64_t at_us; /* when it was first marked so */
    bool changed;  /* by this call */
};

/* ERR_FORBIDDEN unless the actor is the addressee. */
enum err timeline_mark_delivered(struct ctx *cx, struct uuid id, struct event_mark *out);
/* By the addressee: also delivered, at the same instant, where it is a realtime event that was
 * not. By another user: kept apart, for that user. */
enum err timeline_mark_read(struct ctx *cx, struct uuid id, struct event_mark *out);
/* What is addressed to the actor and not read, up to and including the event in the order of
 * timelines: of that timeline, or (UUID_NONE) everywhere. The oldest MARK_MAX of them;
 * *more: there are others. */
#define MARK_MAX 10000
enum err timeline_mark_read_up_to(struct ctx *cx, struct uuid timeline_id, struct uuid event_id,
                                  int64_t *marked, bool *more);
/* A stream's acknowledgement: a realtime event that is the actor's is delivered now. OK where
 * there is nothing to mark. */
enum err timeline_acknowledge(struct ctx *cx, struct uuid event_id);

/* --- Its end --------------------------------------------------------------------------------- */

/* Takes up to `limit` events whose time has passed out of lists and totals, of all tenants.
 * Several nodes may do so at once. For jobs, as are … */
enum err timeline_expire(struct ctx *cx, int64_t limit, int64_t *done);
/* … this: deletes those that did so EVENT_KEPT_US ago. Their seals stay. */
#define EVENT_KEPT_US (7 * DAY_US)
enum err timeline_forget(struct ctx *cx, int64_t limit, int64_t *done);
/* Deletes the actor's tenant's events that expired by `before` (now at the latest): the first
 * FORGET_MAX; *more: there are others. */
#define FORGET_MAX 5000
enum err timeline_forget_expired(struct ctx *cx, int64_t before, int64_t *deleted, bool *more);

/* Removes an event, whoever sees it; only its seal stays, and the event `event_erased` says who
 * did it. ERR_CONFLICT for one that itself tells of an erasure. */
enum err timeline_erase(struct ctx *cx, struct uuid id);
/* Removes title, description, payload, metadata and their words; `event_redacted` says so. */
enum err timeline_redact(struct ctx *cx, struct uuid id, struct event *out);

#endif
