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
    int addressee_type;           /* enum event_addressee; 0: nobody in particular */
    struct uuid addressee_id;     /* the user it is for */
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

#endif
