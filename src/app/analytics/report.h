/* What /analytics/outreach answers (SPEC.md §8, seed 004): read from attempt_counts in one pass.
 * What a report costs depends on its days, methods, users and statuses, not on how many attempts
 * there were.
 *
 * For transactions that only read (TX_REPORT, TX_READ): the counts and what is not added to them
 * yet are read one after another, and must be of one moment. */
#ifndef APP_ANALYTICS_REPORT_H
#define APP_ANALYTICS_REPORT_H

#include "db/db.h"

#define REPORT_DAYS_MAX 3660
#define REPORT_DAYS_DEFAULT 30
#define REPORT_USERS_MAX 10000 /* users of a report at most */
#define REPORT_USERS_DEFAULT 10
#define REPORT_MIN_ATTEMPTS_DEFAULT 10
/* A median is at most this part of itself away (attempts.h). */
#define REPORT_MEDIAN_ERROR 0.032

enum report_interval { INTERVAL_DAY = 1, INTERVAL_WEEK, INTERVAL_MONTH };
extern const struct enum_names
    report_intervals; /* "day", "week" (ISO 8601: from Monday), "month" */

/* A date ("2026-02-01"), or a time as RFC 3339 has it, which stands for its day. */
extern const struct text_format format_report_date;

/* What is asked. Days are those of the tenant's calendar, both ends included. */
struct report_query {
    /* In format_report_date; ptr NULL: to_date today, from_date 30 days in all */
    struct str from_date, to_date;
    int method;           /* of interaction_type_words; 0: all */
    struct uuid user_id;  /* none: all */
    int interval;         /* enum report_interval */
    int64_t min_attempts; /* of a user who is listed */
    int64_t users;        /* listed at most */
};

/* Attempts and what came of them. Rates are fractions, null without attempts; times are hours,
 * null without responses. */
struct outreach_figures {
    int64_t attempts, responses;
    struct maybe_real response_rate;
    struct maybe_real avg_response_time_hours;
    struct maybe_real median_response_time_hours; /* see REPORT_MEDIAN_ERROR */
};

struct outreach_user {
    struct uuid id; /* none: not known */
    struct str name;
};

/* One line of a table: by method, by the lead's status, by user, by stretch of time. What does
 * not name it is null. */
struct outreach_line {
    int method;
    int lead_status; /* 0 in a line by status: not known */
    struct outreach_user user;
    int64_t from_day, to_day; /* of a stretch, since 1970-01-01: cut to what was asked */
    struct outreach_figures figures;
    int64_t place; /* in its table, from 1 */
};

/* As many days, right before those that were asked for. */
struct outreach_previous {
    int64_t from_day, to_day;
    struct outreach_figures figures;
};

/* From there to here. Null where either is. */
struct outreach_change {
    struct maybe_real attempts;      /* as a fraction: 0.5 is half as many again */
    struct maybe_real response_rate; /* what is added to it, as are the others */
    struct maybe_real avg_response_time_hours, median_response_time_hours;
};

struct outreach_report {
    int64_t from_day, to_day;
    struct str timezone; /* the tenant's */
    int interval;
    struct outreach_figures total;
    struct outreach_previous previous;
    struct outreach_change change;
    struct list by_method; /* struct outreach_line: most attempts first */
    struct list by_status; /* in the order of the lifecycle, not known last */
    struct list by_user;   /* best response rate first, then more attempts, then by name */
    struct list over_time; /* oldest first, also stretches without attempts */
    int64_t user_count;    /* who has min_attempts, also beyond `users` */
    bool recounting;       /* the calendar has changed: some are not moved yet */
};

/* ERR_INVALID: to_date before from_date, more than REPORT_DAYS_MAX days (field "to_date", or
 * "from_date" where that alone was given). ERR_NOT_FOUND: the user. */
enum err outreach_report(struct ctx *cx, const struct report_query *query,
                         struct outreach_report *out);

#endif
