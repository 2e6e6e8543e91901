/* How often a tenant lets one customer be contacted by one method (SPEC.md §7). A method without
 * a policy of its own has outreach_default_rules. Functions run in the caller's transaction and
 * allocate from cx->arena. */
#ifndef APP_OUTREACH_POLICY_H
#define APP_OUTREACH_POLICY_H

#include "db/db.h"

#define WARN_DAYS_MAX 365
#define MIN_HOURS_MAX (INT64_C(24) * WARN_DAYS_MAX)
#define MAX_PER_DAY_MAX 20
#define EXCEPTIONS_MAX 50

/* A touch within warn_days of another one is warned about, one within min_hours is blocked, and
 * so is one more than max_per_day on the customer's own day. 0, and max_per_day not set: no such
 * limit. */
struct outreach_limits {
    int64_t warn_days, min_hours;
    struct maybe_int max_per_day;
};

/* Other limits for a campaign, or for whoever has a role: for `role` and those above, the
 * highest that the actor has. A campaign's goes before a role's. One of the two is named. */
struct outreach_exception {
    int role; /* of user_roles; 0: it is a campaign's */
    struct uuid campaign_id;
    struct outreach_limits limits;
};

struct outreach_rules {
    bool guarded; /* false: the method is not guarded at all */
    struct outreach_limits limits;
    bool bypass;            /* transactional messages are not guarded */
    struct list exceptions; /* struct outreach_exception */
};

struct outreach_policy {
    struct uuid id; /* none: nobody has ever written it */
    int method;     /* of interaction_type_words */
    struct outreach_rules rules;
    struct str stored; /* the rules as the column holds them; STR_NULL: the default */
    int64_t version;   /* 0: nobody has ever written it. Else it only grows, through resets too */
    struct maybe_int created_at, updated_at;
    struct uuid updated_by;
    struct str updated_by_name;
};

/* Methods that can be guarded, by the values of interaction_type_words. Others have no policy. */
bool outreach_has_policy(int method);

/* Guarded; 7 days, 24 hours, 1 a day; transactional messages pass; no exceptions. */
extern const struct outreach_rules outreach_default_rules;
/* As a column holds them. STR_NULL gives the default. */
enum err outreach_rules_read(struct ctx *cx, struct str rules, struct outreach_rules *out);
/* The limits that hold for the actor and the campaign (none: UUID_NONE). */
struct outreach_limits outreach_limits_for(const struct outreach_rules *rules, enum role role,
                                           struct uuid campaign_id);

/* As the API spells it: the rules beside the method, flat. */
extern const struct record outreach_policy_record;

/* All methods that can be guarded, in their order, each with its policy or the default. */
enum err outreach_policy_list(struct ctx *cx, struct list *out);
/* ERR_NOT_FOUND for a method that has no policy. */
enum err outreach_policy_get(struct ctx *cx, int method, struct outreach_policy *out);
/* The same; on PostgreSQL its row, if it has one, is locked. */
enum err outreach_policy_get_locked(struct ctx *cx, int method, struct outreach_policy *out);
/* Writes `wanted` in the place of `current`, with the event outreach_policy_changed (subject_type
 * "outreach_policy"); nothing where they are the same.
 *   ERR_INVALID  min_hours beyond warn_days; an exception for neither or both of role and
 *                campaign, a repeated one; each fault by its field
 *   ERR_CONFLICT another one was written at the same time */
enum err outreach_policy_save(struct ctx *cx, const struct outreach_policy *current,
                              const struct outreach_policy *wanted, struct outreach_policy *out);
/* Back to the default, with the event outreach_policy_reset; nothing where it is that. The row
 * and its version stay, so that an old version never names new rules. */
enum err outreach_policy_reset(struct ctx *cx, const struct outreach_policy *current);

#endif
