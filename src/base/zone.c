/* Reads compiled zone files (TZif, RFC 8536): the C library knows one zone per process
 * only. Everything here counts whole seconds. */
#include "base/civil.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ZONE_FOLDER "/usr/share/zoneinfo/"
#define ZONE_NAME_MAX 63
#define ZONE_FILE_MAX 65536 /* bytes; the largest are below 4,000 */

#define HOUR_S 3600
#define DAY_S 86400
/* The widest offsets that RFC 8536 allows, seconds. */
#define OFFSET_LEAST (-25 * HOUR_S + 1)
#define OFFSET_MOST (26 * HOUR_S - 1)
#define NEVER INT64_MAX

/* The day of a yearly change, as POSIX TZ rules name it. */
enum rule_kind {
    RULE_MONTH,        /* the n-th weekday of a month: M3.5.0 */
    RULE_DAY_NO_LEAP,  /* day 1 to 365, 29 February not counted: J60 */
    RULE_DAY_FROM_ZERO /* day 0 to 365: 59 */
};

struct rule {
    enum rule_kind kind;
    int month, week, day; /* week 5: the last */
    int at_s;             /* after midnight by the clock before the change; may be negative */
};

struct zone {
    struct zone *next;
    char name[ZONE_NAME_MAX + 1];
    /* change_at[i] begins offset_s[i + 1]; before all of them it is offset_s[0]. */
    size_t change_count;
    int64_t *change_at;
    int32_t *offset_s;
    /* What holds after the last change for good. */
    bool has_tail, tail_has_summer;
    int tail_standard_s, tail_summer_s;
    struct rule summer_begins, summer_ends;
};

/* A stretch of time without a change: up to `until`, not including it. */
struct stretch {
    int offset_s;
    int64_t until;
};

/* Files and texts are read front to back; the first fault is remembered. */
struct cursor {
    const unsigned char *at, *end;
    bool failed;
};

static const unsigned char *take(struct cursor *cursor, size_t size)
{
    const unsigned char *start = cursor->at;

    if (cursor->failed || size > (size_t)(cursor->end - cursor->at)) {
        cursor->failed = true;
        return NULL;
    }
    cursor->at += size;
    return start;
}

static int64_t big_endian(const unsigned char *bytes, int size)
{
    uint64_t value = bytes[0] & 0x80 ? UINT64_MAX : 0;

    for (int i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return (int64_t)value;
}

/* Texts of the footer. */

static int peek(const struct cursor *cursor)
{
    return cursor->failed || cursor->at == cursor->end ? -1 : *cursor->at;
}

static bool skip_char(struct cursor *cursor, char c)
{
    if (peek(cursor) != c)
        return false;
    cursor->at++;
    return true;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int read_number(struct cursor *cursor, int least, int most)
{
    int value = 0;

    if (!is_digit(peek(cursor)))
        cursor->failed = true;
    while (is_digit(peek(cursor)) && value <= most)
        value = value * 10 + (*cursor->at++ - '0');
    if (value < least || value > most)
        cursor->failed = true;
    return cursor->failed ? least : value;
}

/* [+-]hh[:mm[:ss]] */
static int read_clock(struct cursor *cursor, int hours_most)
{
    bool negative = skip_char(cursor, '-');
    int seconds;

    if (!negative)
        skip_char(cursor, '+');
    seconds = read_number(cursor, 0, hours_most) * HOUR_S;
    if (skip_char(cursor, ':'))
        seconds += read_number(cursor, 0, 59) * 60;
    if (skip_char(cursor, ':'))
        seconds += read_number(cursor, 0, 59);
    return negative ? -seconds : seconds;
}

/* CET, or <+0330> */
static void skip_name(struct cursor *cursor)
{
    const unsigned char *start = cursor->at;

    if (skip_char(cursor, '<')) {
        while (peek(cursor) >= 0 && peek(cursor) != '>')
            cursor->at++;
        if (!skip_char(cursor, '>'))
            cursor->failed = true;
        return;
    }
    while (is_letter(peek(cursor)))
        cursor->at++;
    if (cursor->at == start)
        cursor->failed = true;
}

static void read_rule(struct cursor *cursor, struct rule *rule)
{
    if (!skip_char(cursor, ','))
        cursor->failed = true;
    if (skip_char(cursor, 'M')) {
        rule->kind = RULE_MONTH;
        rule->month = read_number(cursor, 1, 12);
        if (!skip_char(cursor, '.'))
            cursor->failed = true;
        rule->week = read_number(cursor, 1, 5);
        if (!skip_char(cursor, '.'))
            cursor->failed = true;
        rule->day = read_number(cursor, 0, 6);
    } else if (skip_char(cursor, 'J')) {
        rule->kind = RULE_DAY_NO_LEAP;
        rule->day = read_number(cursor, 1, 365);
    } else {
        rule->kind = RULE_DAY_FROM_ZERO;
        rule->day = read_number(cursor, 0, 365);
    }
    rule->at_s = skip_char(cursor, '/') ? read_clock(cursor, 167) : 2 * HOUR_S;
}

/* "CET-1CEST,M3.5.0,M10.5.0/3"; the signs are turned round: west counts up. */
static void read_tail(struct cursor *cursor, struct zone *zone)
{
    if (cursor->at == cursor->end)
        return;
    zone->has_tail = true;
    skip_name(cursor);
    zone->tail_standard_s = -read_clock(cursor, 24);
    if (cursor->at == cursor->end)
        return;
    zone->tail_has_summer = true;
    skip_name(cursor);
    zone->tail_summer_s =
        peek(cursor) == ',' ? zone->tail_standard_s + HOUR_S : -read_clock(cursor, 24);
    read_rule(cursor, &zone->summer_begins);
    read_rule(cursor, &zone->summer_ends);
    if (cursor->at != cursor->end)
        cursor->failed = true;
}

/* The file. */

struct head {
    unsigned char version;
    size_t utc_marks, standard_marks, leaps, changes, types, name_bytes;
};

static struct head read_head(struct cursor *cursor)
{
    struct head head = {0};
    size_t *const counts[] = {&head.utc_marks, &head.standard_marks, &head.leaps,
                              &head.changes,   &head.types,          &head.name_bytes};
    const unsigned char *bytes = take(cursor, 44);

    if (!bytes || memcmp(bytes, "TZif", 4) != 0) {
        cursor->failed = true;
        return head;
    }
    head.version = bytes[4];
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        int64_t count = big_endian(bytes + 20 + 4 * i, 4);

        if (count < 0 || count > ZONE_FILE_MAX)
            cursor->failed = true;
        else
            *counts[i] = (size_t)count;
    }
    return head;
}

static void read_changes(struct cursor *cursor, const struct head *head, struct zone *zone)
{
    const unsigned char *times = take(cursor, head->changes * 8);
    const unsigned char *indexes = take(cursor, head->changes);
    const unsigned char *types = take(cursor, head->types * 6);

    if (cursor->failed || head->types == 0) {
        cursor->failed = true;
        return;
    }
    zone->change_at = calloc(head->changes + 1, sizeof(*zone->change_at));
    zone->offset_s = calloc(head->changes + 1, sizeof(*zone->offset_s));
    if (!zone->change_at || !zone->offset_s) {
        cursor->failed = true;
        return;
    }
    zone->change_count = head->changes;
    for (size_t i = 0; i <= head->changes; i++) {
        size_t type = i == 0 ? 0 : indexes[i - 1];
        int64_t offset = type < head->types ? big_endian(types + type * 6, 4) : NEVER;

        if (offset < OFFSET_LEAST || offset > OFFSET_MOST) {
            cursor->failed = true;
            return;
        }
        zone->offset_s[i] = (int32_t)offset;
        if (i == head->changes)
            return;
        zone->change_at[i] = big_endian(times + i * 8, 8);
        if (i > 0 && zone->change_at[i] <= zone->change_at[i - 1]) {
            cursor->failed = true;
            return;
        }
    }
}

static bool read_zone(const unsigned char *bytes, size_t len, struct zone *zone)
{
    struct cursor cursor = {bytes, bytes + len, false};
    struct head head = read_head(&cursor);

    /* The first half is for readers that know 32-bit times only. */
    take(&cursor, head.changes * 5 + head.types * 6 + head.name_bytes + head.leaps * 8 +
                      head.standard_marks + head.utc_marks);
    if (cursor.failed || head.version < '2')
        return false;
    head = read_head(&cursor);
    /* A file with leap seconds counts differently from time_now_us(). */
    if (cursor.failed || head.leaps > 0)
        return false;
    read_changes(&cursor, &head, zone);
    take(&cursor, head.name_bytes + head.standard_marks + head.utc_marks);
    if (cursor.failed || !skip_char(&cursor, '\n') || cursor.at == cursor.end ||
        cursor.end[-1] != '\n')
        return false;
    cursor.end--;
    read_tail(&cursor, zone);
    return !cursor.failed;
}

/* The whole of it, or nothing. */
static unsigned char *read_file(const char *path, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    unsigned char *bytes = fd < 0 ? NULL : malloc(ZONE_FILE_MAX);
    ssize_t got = 1;

    *len = 0;
    while (bytes && got != 0 && *len < ZONE_FILE_MAX) {
        got = read(fd, bytes + *len, ZONE_FILE_MAX - *len);
        if (got > 0)
            *len += (size_t)got;
        if (got < 0 && errno != EINTR)
            break;
    }
    if (fd >= 0)
        close(fd);
    if (bytes && got != 0) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

/* A name of the zone database and of nothing else in the file system. It has one
 * spelling: names that callers make up must not fill the memory. */
static bool is_zone_name(struct str name)
{
    if (name.len == 0 || name.len > ZONE_NAME_MAX || name.ptr[0] == '/')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        int c = (unsigned char)name.ptr[i];

        if (!is_letter(c) && !is_digit(c) && c != '_' && c != '+' && c != '-' && c != '/')
            return false;
        if (c == '/' && i > 0 && name.ptr[i - 1] == '/')
            return false;
    }
    /* Copies of the whole database in other clothes, and this machine's own choice. */
    return !str_starts(name, STR("posix")) && !str_starts(name, STR("right/")) &&
           !str_is(name, "localtime");
}

static void zone_free(struct zone *zone)
{
    free(zone->change_at);
    free(zone->offset_s);
    free(zone);
}

static struct zone *load(struct str name)
{
    char path[sizeof(ZONE_FOLDER) + ZONE_NAME_MAX] = ZONE_FOLDER;
    struct zone *zone;
    unsigned char *bytes;
    size_t len;
    bool good;

    memcpy(path + sizeof(ZONE_FOLDER) - 1, name.ptr, name.len);
    bytes = read_file(path, &len);
    zone = bytes ? calloc(1, sizeof(*zone)) : NULL;
    good = zone && read_zone(bytes, len, zone);
    free(bytes);
    if (!good) {
        if (zone)
            zone_free(zone);
        return NULL;
    }
    memcpy(zone->name, name.ptr, name.len);
    return zone;
}

static pthread_mutex_t zones_lock = PTHREAD_MUTEX_INITIALIZER;
static struct zone *zones;

/* A zone never changes once it is in the list, so it is read without the lock. NULL when
 * there is none by that name. */
static const struct zone *find(struct str name)
{
    struct zone *zone;

    if (!is_zone_name(name))
        return NULL;
    pthread_mutex_lock(&zones_lock);
    zone = zones;
    while (zone && !str_is(name, zone->name))
        zone = zone->next;
    if (!zone) {
        zone = load(name);
        if (zone) {
            zone->next = zones;
            zones = zone;
        }
    }
    pthread_mutex_unlock(&zones_lock);
    return zone;
}

/* Midnight of the rule's day as if the zone were UTC, plus its time of day. */
static int64_t rule_in_year(const struct rule *rule, int64_t year)
{
    int64_t day;

    if (rule->kind == RULE_MONTH) {
        int64_t first = civil_to_days(year, rule->month, 1);
        int weekday = (int)(first + 4 - floor_divide(first + 4, 7) * 7); /* Sunday is 0 */
        int of_month = (rule->day - weekday + 7) % 7 + (rule->week - 1) * 7;

        if (of_month >= civil_month_days(year, rule->month))
            of_month -= 7;
        day = first + of_month;
    } else if (rule->kind == RULE_DAY_NO_LEAP) {
        bool past_leap_day = rule->day > 59 && civil_month_days(year, 2) == 29;

        day = civil_to_days(year, 1, 1) + rule->day - 1 + past_leap_day;
    } else {
        day = civil_to_days(year, 1, 1) + rule->day;
    }
    return day * DAY_S + rule->at_s;
}

/* By the yearly rules. A rule's time may lie days outside of its year, hence the years
 * around it. Where summer ends and begins at one instant it never ends: all year. */
static struct stretch tail_stretch(const struct zone *zone, int64_t at)
{
    int64_t local_days = floor_divide(at + zone->tail_standard_s, DAY_S), year, latest = INT64_MIN;
    struct stretch found = {zone->tail_standard_s, NEVER};
    int month, day;

    if (!zone->tail_has_summer)
        return found;
    civil_from_days(local_days, &year, &month, &day);
    for (int64_t y = year - 1; y <= year + 1; y++) {
        int64_t begins = rule_in_year(&zone->summer_begins, y) - zone->tail_standard_s;
        int64_t ends = rule_in_year(&zone->summer_ends, y) - zone->tail_summer_s;

        if (begins <= at && begins >= latest) {
            latest = begins;
            found.offset_s = zone->tail_summer_s;
        }
        if (ends <= at && ends > latest) {
            latest = ends;
            found.offset_s = zone->tail_standard_s;
        }
        if (begins > at && begins < found.until)
            found.until = begins;
        if (ends > at && ends < found.until)
            found.until = ends;
    }
    return found;
}

static struct stretch stretch_at(const struct zone *zone, int64_t at)
{
    size_t low = 0, high;

    if (!zone)
        return (struct stretch){0, NEVER};
    high = zone->change_count;
    while (low < high) { /* the first change after `at` */
        size_t middle = low + (high - low) / 2;

        if (zone->change_at[middle] <= at)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < zone->change_count)
        return (struct stretch){zone->offset_s[low], zone->change_at[low]};
    if (zone->has_tail)
        return tail_stretch(zone, at);
    return (struct stretch){zone->offset_s[low], NEVER};
}

/* The first instant at which the zone's calendar shows that day or a later one. Where a
 * clock that is set back shows a day again that was over, the day stays over: days
 * follow each other without a gap and without an overlap. */
static int64_t day_begins(const struct zone *zone, int64_t day)
{
    int64_t midnight = day * DAY_S, at = midnight - OFFSET_MOST;

    for (;;) {
        struct stretch stretch = stretch_at(zone, at);
        int64_t begins = midnight - stretch.offset_s;

        if (begins < at)
            begins = at;
        if (begins < stretch.until)
            return begins;
        at = stretch.until;
    }
}

static int64_t to_seconds(int64_t us)
{
    if (us < TIME_MIN_US)
        us = TIME_MIN_US;
    if (us > TIME_MAX_US)
        us = TIME_MAX_US;
    return floor_divide(us, SECOND_US);
}

static int64_t local_day(const struct zone *zone, int64_t at)
{
    return floor_divide(at + stretch_at(zone, at).offset_s, DAY_S);
}

bool zone_exists(struct str zone)
{
    return find(zone) != NULL;
}

int zone_offset_s(struct str zone, int64_t us)
{
    return stretch_at(find(zone), to_seconds(us)).offset_s;
}

void zone_civil(struct str zone, int64_t us, int *year, int *month, int *day)
{
    int64_t wide_year;

    civil_from_days(local_day(find(zone), to_seconds(us)), &wide_year, month, day);
    *year = (int)wide_year;
}

void zone_day(struct str zone, int64_t us, int64_t *from_us, int64_t *to_us)
{
    const struct zone *found = find(zone);
    int64_t at = to_seconds(us), day = local_day(found, at);
    int64_t from = day_begins(found, day), to = day_begins(found, day + 1);

    if (at >= to) { /* shown again after it was over */
        from = to;
        to = day_begins(found, day + 2);
    }
    *from_us = from * SECOND_US;
    *to_us = to * SECOND_US;
}
