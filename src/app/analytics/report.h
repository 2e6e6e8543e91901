/* What /analytics/outreach answers (SPEC.md §8, seed 004): read from attempt_counts in one pass.
 * What a report costs depends on its days, methods and users, not on how many attempts there
 * were. */
#ifndef APP_ANALYTICS_REPORT_H
#define APP_ANALYTICS_REPORT_H

#include "db/db.h"

#define REPORT_DAYS_MAX 3660

enum report_interval { INTERVAL_DAY = 1, INTERVAL_WEEK, INTERVAL_MONTH };
extern const struct enum_names report_intervals; /* "day", "week" (ISO 8601: from Monday), "month" */

/* What is asked. Days are those of the tenant's calendar, both included. */
struct report_query {
    struct maybe_int from_day, to_day; /* days since 1970-01-01; not set: the last 30 */
    int method;                        /* of interaction_type_words; 0: all */
    struct uuid user_id;               /* none: all */
    int interval;
    int64_t min_attempts; /* of a user who is listed */
    int64_t limit;        /* users at most */
};

/* Attempts and what came of them. Rates are fractions, null without attempts; times are hours,
 * null without responses. */
struct outreach_figures {
    int64_t attempts, responses;
    struct maybe_real response_rate;
    struct maybe_real avg_response_time_hours;
    struct maybe_real median_response_time_hours; /* at most 3.2 % away (attempts.h) */
};

/* One line of a table: by method, by the lead's status, by user, by stretch of time. What does
 * not name it is null. */
struct outreach_line {
    int method;
    int lead_status; /* 0 in a line by status: not known */
    struct uuid user_id;
    struct str user_name;
    int64_t from_day, to_day; /* of a stretch: both included, cut to what was asked */
    struct outreach_figures figures;
};

struct outreach_report {
    int64_t from_day, to_day;
    struct str timezone;
    struct outreach_figures total, previous; /* previous: as many days, right before */
    int64_t previous_from_day, previous_to_day;
    struct list by_method;   /* struct outreach_line: most attempts first */
    struct list by_status;   /* in the order of the lifecycle, not known last */
    struct list by_user;     /* best response rate first, then more attempts, then by name */
    struct list over_time;   /* oldest first, also stretches without attempts */
    int64_t user_count;      /* who has min_attempts, also beyond `limit` */
    bool recounting;         /* the calendar has changed: some are not moved yet */
};

/* ERR_INVALID: to_day before from_day, more than REPORT_DAYS_MAX days (fields "to_date",
 * "from_date"). ERR_NOT_FOUND: the user. */
enum err outreach_report(struct ctx *cx, const struct report_query *query,
                         struct outreach_report *out);

#endif
