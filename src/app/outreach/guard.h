/* The outreach guard (SPEC.md §7): the one function that every outbound touch passes, by hand,
 * by import, later by dispatch and by campaign. It decides; its callers refuse, flag or warn.
 *
 * What it looks at: the touches of that customer by that method, whoever made them, since the
 * customer was last heard of (an inbound touch by any method, or a response). So the answer to
 * somebody who has written or called is free, once by each method. A touch that lies ahead
 * counts like one that has been: windows reach both ways from `at`, so that what was logged
 * first does not depend on the order, or on two nodes' clocks: two touches are in each other's
 * way unless a word of the customer's lies between them. One at the very instant of the word has
 * been answered by it, as a call is that was logged as answered at once; and a response to the
 * touch itself is no word before it.
 *
 *   blocked   another touch lies less than min_hours away, or the customer's own day (by their
 *             time zone, 23 to 25 hours) has max_per_day touches already
 *   warning   else: another touch lies less than warn_days (of 24 hours) away
 *   allowed   else
 *
 * A decision that a write follows must be made with the customer's row locked, before the write
 * and in its transaction: then of two at the same instant one sees the other, on either store
 * and across nodes. */
#ifndef APP_OUTREACH_GUARD_H
#define APP_OUTREACH_GUARD_H

#include "app/outreach/policy.h"

enum outreach_decision { OUTREACH_ALLOWED = 1, OUTREACH_WARNING, OUTREACH_BLOCKED };
extern const struct enum_names outreach_decisions; /* "allowed", "warning", "blocked" */

/* A touch that is asked about. What is not guarded need not be asked about: inbound, notes,
 * meetings, system, calls that nobody answered. */
struct outreach {
    struct uuid customer_id; /* the row's own id, no alias */
    int method;              /* of interaction_type_words */
    int64_t at;
    struct str subject, body;
    struct uuid interaction_id; /* itself, where it is stored already; else none */
    struct uuid campaign_id;    /* none: by no campaign */
    bool transactional;
    /* Of the customer's row, as it was before the touch: */
    struct str timezone; /* theirs, else the tenant's */
    struct maybe_int last_response_at;
    struct str rules; /* of the policy's row; STR_NULL: there is none */
};

/* An earlier (or planned) touch that speaks against it. */
struct outreach_touch {
    struct uuid id; /* the interaction */
    struct uuid user_id;
    struct str user_name;
    int method;
    struct str subject;
    int64_t started_at;
    bool responded;
    double similarity; /* app/outreach/similarity.h */
    struct str body;   /* for that; not answered */
};

enum outreach_limit { LIMIT_MIN_HOURS = 1, LIMIT_MAX_PER_DAY, LIMIT_WARN_DAYS };
extern const struct enum_names outreach_limit_names; /* "min_hours", … */

struct outreach_check {
    int decision;
    int method;
    struct str message; /* one sentence for people: "Alice emailed this lead 2 days ago." */
    struct list broken; /* int, enum outreach_limit: which limits, the blocking ones first */
    /* Blocked: the first instant when it no longer would be, if nothing else happens: no
     * planned touch is in the way then either (but for one that was logged long after). */
    struct maybe_int retry_at;
    bool may_override; /* the actor may: warned, or a manager */
    struct outreach_limits limits;
    /* Unless it is allowed: struct outreach_touch within the windows, nearest first, at most … */
    struct list touches;
};
#define OUTREACH_TOUCHES_MAX 20

/* "decision", "method", "message", "broken", "retry_at", "may_override", "limits", "touches". */
extern const struct record outreach_check_record;

/* Decides: allocates from cx->arena. Reads the two ends of one range of an index; where the method
 * is not guarded, nothing; and for what was logged late, before the customer was heard of last,
 * also when they were heard of around it (in what was logged within the windows). ERR_INTERNAL
 * for rules that cannot be read. */
enum err outreach_decide(struct ctx *cx, const struct outreach *outreach,
                         struct outreach_check *out);

/* For who only asks (GET /leads/{id}/contact-check): now, without a lock. Follows aliases.
 * ERR_NOT_FOUND for a customer who is not there. */
enum err outreach_ask(struct ctx *cx, struct uuid customer_id, int method, struct str subject,
                      struct str body, struct outreach_check *out);

/* Gives the error of a decision that is not `allowed`, with the same facts under "check":
 * blocked is ERR_TOO_MANY with the seconds until retry_at, a warning is ERR_CONFLICT. */
enum err outreach_refuse(struct ctx *cx, const struct outreach_check *check);

/* On the customer's timeline, after the interaction's own event: `outreach_override` (who, why,
 * over what; also `by` whom and which interaction), and `outreach_flagged` for what was recorded
 * though it broke the policy. */
enum err outreach_record_override(struct ctx *cx, const struct outreach *outreach,
                                  const struct outreach_check *check, struct str reason);
enum err outreach_record_flag(struct ctx *cx, const struct outreach *outreach,
                              const struct outreach_check *check);

#endif
