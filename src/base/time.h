/* Instants are microseconds since 1970-01-01T00:00:00Z. Texts are RFC 3339. */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include "base/str.h"

#include <stdint.h>

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)
/* The years 0001 to 9999: all that RFC 3339 and both stores can hold. */
#define TIME_MIN_US INT64_C(-62135596800000000)
#define TIME_MAX_US INT64_C(253402300799999999)
/* After every instant; the stores know it as such (see db.h). */
#define TIME_END INT64_MAX

#define TIME_TEXT_MAX 32

int64_t time_now_us(void);       /* the wall clock */
int64_t time_monotonic_us(void); /* for deadlines and durations only */

/* RFC 3339 with any offset; up to nine fraction digits (cut to microseconds, never
 * rounded up); a leap second (23:59:60 UTC at the end of a month) counts as the last
 * microsecond of its minute. A date alone, or a time without an offset, is refused. */
bool time_parse(struct str text, int64_t *out_us);
/* UTC with `Z`; a fraction only where there is one, without trailing zeros.
 * Returns the length written, at most TIME_TEXT_MAX, no NUL. What lies outside of
 * TIME_MIN_US to TIME_MAX_US is written as the nearer of them. */
size_t time_format(int64_t us, char out[TIME_TEXT_MAX]);

/* "2026-11-21" as midnight UTC. */
bool time_parse_date(struct str text, int64_t *out_us);
int time_year(int64_t us); /* UTC */
/* Midnight UTC of a civil date; false when there is no such day. */
bool time_from_date(int year, int month, int day, int64_t *out_us);

/* The IANA zone database. `zone` like "Europe/Berlin"; false when there is none by
 * that name. Safe on any thread: zones are read once and never freed. */
bool zone_exists(struct str zone);
/* The local day that holds `us`, as two instants [from, to). Days with a clock
 * change have 23 or 25 hours. Days never overlap, also where a clock set back past
 * midnight shows the day before once more. Here and below an unknown zone counts as
 * UTC, and what lies outside of TIME_MIN_US to TIME_MAX_US as the nearer of them. */
void zone_day(struct str zone, int64_t us, int64_t *from_us, int64_t *to_us);
/* Seconds that the zone's clocks are ahead of UTC at that instant. */
int zone_offset_s(struct str zone, int64_t us);
/* The date on the zone's calendar at that instant. */
void zone_civil(struct str zone, int64_t us, int *year, int *month, int *day);

#endif
