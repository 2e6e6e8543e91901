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

extern const struct enum_names event_categories, event_priorities, event_sources;

/* Columns of the events table. What timeline_record() fills when it is left at zero:
 * id; priority (normal); source (agent when a user acts, else system); triggered_by (the
 * actor's user); occurred_at (now); created_at (always now). visible_to_agent is always
 * set; delivered and read begin as false. */
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
    struct uuid addressee_id; /* the user it is for; none: nobody in particular */
    bool is_realtime;
    bool delivered;
    struct maybe_int delivered_at;
    bool read;
    struct maybe_int read_at;
    bool visible_to_client, visible_to_agent;
    struct maybe_int expires_at;
    int64_t occurred_at, created_at;
};

extern const struct record event_record;

/* Writes the event. Fills *event's defaults (above). */
enum err timeline_record(struct ctx *cx, struct event *event);

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
