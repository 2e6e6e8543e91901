#include "base/time.h"

#include "base/civil.h"

#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t which)
{
    struct timespec now;

    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * SECOND_US + now.tv_nsec / 1000;
}

int64_t time_now_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t time_monotonic_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* What is left of a text that is being read. */
struct reader {
    const char *at, *end;
};

static bool read_digits(struct reader *reader, int count, int *out)
{
    int value = 0;

    if (reader->end - reader->at < count)
        return false;
    for (int i = 0; i < count; i++) {
        int digit = reader->at[i] - '0';

        if (digit < 0 || digit > 9)
            return false;
        value = value * 10 + digit;
    }
    reader->at += count;
    *out = value;
    return true;
}

static bool read_char(struct reader *reader, char either, char or_this)
{
    if (reader->at == reader->end || (*reader->at != either && *reader->at != or_this))
        return false;
    reader->at++;
    return true;
}

static bool read_date(struct reader *reader, int64_t *out_us)
{
    int year, month, day;

    return read_digits(reader, 4, &year) && read_char(reader, '-', '-') &&
           read_digits(reader, 2, &month) && read_char(reader, '-', '-') &&
           read_digits(reader, 2, &day) && time_from_date(year, month, day, out_us);
}

static bool read_fraction(struct reader *reader, int64_t *out_us)
{
    int64_t unit = SECOND_US / 10, us = 0;
    int digits = 0, digit;

    *out_us = 0;
    if (!read_char(reader, '.', '.'))
        return true;
    for (; read_digits(reader, 1, &digit); digits++) {
        us += digit * unit;
        unit /= 10;
    }
    *out_us = us;
    return digits >= 1 && digits <= 9;
}

static bool read_offset(struct reader *reader, int64_t *out_us)
{
    int hours, minutes;
    bool west;

    *out_us = 0;
    if (read_char(reader, 'Z', 'z'))
        return true;
    west = reader->at < reader->end && *reader->at == '-';
    if (!read_char(reader, '+', '-') || !read_digits(reader, 2, &hours) || hours > 23 ||
        !read_char(reader, ':', ':') || !read_digits(reader, 2, &minutes) || minutes > 59)
        return false;
    *out_us = (hours * HOUR_US + minutes * MINUTE_US) * (west ? -1 : 1);
    return true;
}

/* A minute that may have a 61st second: the last of a month, by UTC. */
static bool may_leap(int64_t minute_us)
{
    int64_t next = minute_us + MINUTE_US, year;
    int month, day;

    if (next != floor_divide(next, DAY_US) * DAY_US)
        return false;
    civil_from_days(floor_divide(next, DAY_US), &year, &month, &day);
    return day == 1;
}

bool time_parse(struct str text, int64_t *out_us)
{
    struct reader reader;
    int64_t us, fraction_us, offset_us;
    int hour, minute, second;

    if (text.len == 0)
        return false;
    reader = (struct reader){text.ptr, text.ptr + text.len};
    if (!read_date(&reader, &us) || !read_char(&reader, 'T', 't') ||
        !read_digits(&reader, 2, &hour) || hour > 23 || !read_char(&reader, ':', ':') ||
        !read_digits(&reader, 2, &minute) || minute > 59 || !read_char(&reader, ':', ':') ||
        !read_digits(&reader, 2, &second) || second > 60 || !read_fraction(&reader, &fraction_us) ||
        !read_offset(&reader, &offset_us) || reader.at != reader.end)
        return false;
    us += hour * HOUR_US + minute * MINUTE_US - offset_us;
    if (second == 60) {
        if (!may_leap(us))
            return false;
        us += MINUTE_US - 1;
    } else {
        us += second * SECOND_US + fraction_us;
    }
    if (us < TIME_MIN_US || us > TIME_MAX_US)
        return false;
    *out_us = us;
    return true;
}

static char *put_digits(char *out, int count, int64_t value)
{
    for (int i = count - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + count;
}

static char *put_pair(char *out, char before, int64_t value)
{
    *out = before;
    return put_digits(out + 1, 2, value);
}

size_t time_format(int64_t us, char out[TIME_TEXT_MAX])
{
    int64_t days, year;
    int month, day;
    char *at;

    if (us < TIME_MIN_US)
        us = TIME_MIN_US;
    if (us > TIME_MAX_US)
        us = TIME_MAX_US;
    days = floor_divide(us, DAY_US);
    us -= days * DAY_US;
    civil_from_days(days, &year, &month, &day);
    at = put_digits(out, 4, year);
    at = put_pair(at, '-', month);
    at = put_pair(at, '-', day);
    at = put_pair(at, 'T', us / HOUR_US);
    at = put_pair(at, ':', us / MINUTE_US % 60);
    at = put_pair(at, ':', us / SECOND_US % 60);
    if (us % SECOND_US != 0) {
        *at = '.';
        at = put_digits(at + 1, 6, us % SECOND_US);
        while (at[-1] == '0')
            at--;
    }
    *at++ = 'Z';
    return (size_t)(at - out);
}

bool time_parse_date(struct str text, int64_t *out_us)
{
    struct reader reader;
    int64_t us;

    if (text.len == 0)
        return false;
    reader = (struct reader){text.ptr, text.ptr + text.len};
    if (!read_date(&reader, &us) || reader.at != reader.end)
        return false;
    *out_us = us;
    return true;
}

int time_year(int64_t us)
{
    int64_t year;
    int month, day;

    civil_from_days(floor_divide(us, DAY_US), &year, &month, &day);
    return (int)year;
}

bool time_from_date(int year, int month, int day, int64_t *out_us)
{
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 ||
        day > civil_month_days(year, month))
        return false;
    *out_us = civil_to_days(year, month, day) * DAY_US;
    return true;
}
