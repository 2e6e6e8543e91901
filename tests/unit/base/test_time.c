#include "unit.h"

#include "base/time.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t at(const char *text)
{
    int64_t us;

    if (!time_parse(str_of(text), &us))
        fail_msg("not read as a time: %s", text);
    return us;
}

static void check_format(int64_t us, const char *expected)
{
    char text[TIME_TEXT_MAX];
    size_t len = time_format(us, text);

    if (!str_is((struct str){text, len}, expected))
        fail_msg("%.*s instead of %s", (int)len, text, expected);
}

static void times_that_are_read(void **state)
{
    static const struct {
        const char *text, *utc;
    } good[] = {
        {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
        {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
        {"0001-01-01T23:59:00+23:59", "0001-01-01T00:00:00Z"},
        {"9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999Z"},
        {"1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"},
        {"2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z"},
        {"2000-02-29T12:00:00Z", "2000-02-29T12:00:00Z"},
        {"2026-11-21t09:05:07z", "2026-11-21T09:05:07Z"},
        {"2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z"},
        {"2024-02-29T23:59:59-00:01", "2024-03-01T00:00:59Z"},
        {"2026-11-21T09:05:07-00:00", "2026-11-21T09:05:07Z"},
        {"2026-11-21T09:05:07+05:45", "2026-11-21T03:20:07Z"},
        {"2026-11-21T09:05:07.5Z", "2026-11-21T09:05:07.5Z"},
        {"2026-11-21T09:05:07.000Z", "2026-11-21T09:05:07Z"},
        {"2026-11-21T09:05:07.120300Z", "2026-11-21T09:05:07.1203Z"},
        {"2026-11-21T09:05:07.0000019Z", "2026-11-21T09:05:07.000001Z"},
        {"2026-11-21T09:05:07.000000999Z", "2026-11-21T09:05:07Z"},
        {"1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z"},
        /* the leap second of RFC 3339, section 5.8, in two spellings */
        {"1990-12-31T23:59:60Z", "1990-12-31T23:59:59.999999Z"},
        {"1990-12-31T15:59:60-08:00", "1990-12-31T23:59:59.999999Z"},
        {"2016-12-31T23:59:60.123Z", "2016-12-31T23:59:59.999999Z"},
        {"9999-12-31T23:59:60Z", "9999-12-31T23:59:59.999999Z"},
        {"1937-01-01T12:00:27.87+00:20", "1937-01-01T11:40:27.87Z"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        check_format(at(good[i].text), good[i].utc);
    assert_true(at("1970-01-01T00:00:00Z") == 0);
    assert_true(at("1970-01-02T00:00:01.000002Z") == DAY_US + SECOND_US + 2);
    assert_true(at("0001-01-01T00:00:00Z") == TIME_MIN_US);
    assert_true(at("9999-12-31T23:59:59.999999Z") == TIME_MAX_US);
}

static void times_that_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "2026-11-21",
        "2026-11-21T09:05:07",
        "2026-11-21T09:05Z",
        "2026-11-21 09:05:07Z",
        "2026-11-21T09:05:07.Z",
        "2026-11-21T09:05:07,5Z",
        "2026-11-21T09:05:07.0123456789Z",
        "2026-11-21T09:05:07ZZ",
        "2026-11-21T09:05:07Z ",
        " 2026-11-21T09:05:07Z",
        "2026-11-21T09:05:07+0100",
        "2026-11-21T09:05:07+01",
        "2026-11-21T09:05:07+24:00",
        "2026-11-21T09:05:07+01:60",
        "2026-11-21T24:00:00Z",
        "2026-11-21T23:60:00Z",
        "2026-11-21T23:59:61Z",
        "2026-11-30T23:58:60Z",      /* a leap second of another minute, */
        "2026-11-21T23:59:60Z",      /* of another day, */
        "1990-12-31T23:59:60+01:00", /* and of another hour by UTC */
        "2026-00-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "0000-12-31T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "10000-01-01T00:00:00Z",
        "-001-01-01T00:00:00Z",
        "+026-01-01T00:00:00Z",
        "2026-1-01T00:00:00Z",
        "2026-11-2\xD9\xA1T09:05:07Z",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t us = 42;

        if (time_parse(str_of(bad[i]), &us))
            fail_msg("read as a time: %s", bad[i]);
        assert_true(us == 42);
    }
    assert_false(time_parse(STR_NULL, &(int64_t){0}));
    assert_false(time_parse(STR("2026-11-21T09:05:07Z\0"), &(int64_t){0}));
    /* No beginning of a time is one, whatever stands behind its end. */
    for (size_t len = 0; len < sizeof("2026-11-21T09:05:07.5+01:00") - 1; len++)
        assert_false(
            time_parse(str_slice(STR("2026-11-21T09:05:07.5+01:00"), 0, len), &(int64_t){0}));
}

static void formats_at_the_edges(void **state)
{
    (void)state;
    check_format(-1, "1969-12-31T23:59:59.999999Z");
    check_format(100000, "1970-01-01T00:00:00.1Z");
    check_format(TIME_END, "9999-12-31T23:59:59.999999Z");
    check_format(INT64_MIN, "0001-01-01T00:00:00Z");
}

static void every_day_of_the_calendar(void **state)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t expected = TIME_MIN_US, us;

    (void)state;
    for (int year = 1; year <= 9999; year++) {
        bool leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);

        for (int month = 1; month <= 12; month++) {
            int last = days[month - 1] + (month == 2 && leap);

            for (int day = 1; day <= last; day++, expected += DAY_US) {
                if (!time_from_date(year, month, day, &us) || us != expected)
                    fail_msg("%d-%d-%d", year, month, day);
                if (day == 1 || day == last) {
                    char text[TIME_TEXT_MAX], date[40];

                    snprintf(date, sizeof(date), "%04d-%02d-%02d", year, month, day);
                    assert_int_equal(time_format(us, text), 20);
                    assert_memory_equal(text, date, 10);
                    assert_int_equal(time_year(us), year);
                    assert_int_equal(time_year(us + DAY_US - 1), year);
                    assert_true(time_parse_date(str_of(date), &us) && us == expected);
                }
            }
            assert_false(time_from_date(year, month, last + 1, &us));
        }
    }
    assert_true(expected == TIME_MAX_US + 1);
    assert_false(time_from_date(0, 12, 31, &us));
    assert_false(time_from_date(10000, 1, 1, &us));
    assert_false(time_from_date(2026, 0, 1, &us));
    assert_false(time_from_date(2026, 13, 1, &us));
    assert_false(time_from_date(2026, 1, 0, &us));
    assert_false(time_parse_date(STR("2026-02-29"), &us));
    assert_false(time_parse_date(STR("2026-02-2"), &us));
    assert_false(time_parse_date(STR("2026-02-211"), &us));
    assert_false(time_parse_date(STR("2026/02/21"), &us));
    assert_false(time_parse_date(STR_NULL, &us));
}

static void clocks(void **state)
{
    int64_t before = time_monotonic_us();

    (void)state;
    assert_true(time_now_us() > at("2024-01-01T00:00:00Z"));
    assert_true(time_monotonic_us() >= before);
}

static void zone_names(void **state)
{
    static const char *const good[] = {"Europe/Berlin", "America/Argentina/Buenos_Aires",
                                       "Etc/GMT+5", "America/Port-au-Prince", "UTC"};
    static const char *const bad[] = {
        "",
        "Europe",
        "Europe/",
        "Europe/Berlin/",
        "Europe//Berlin",
        "/Europe/Berlin",
        "Europe/Atlantis",
        "europe/../Europe/Berlin",
        "../zoneinfo/Europe/Berlin",
        "Europe/./Berlin",
        "zone.tab",
        "right/Europe/Berlin",
        "posix/Europe/Berlin",
        "localtime",
        "Europe/Berlin\n",
        "Europe/BerlinEurope/BerlinEurope/BerlinEurope/BerlinEurope/B"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(zone_exists(str_of(good[i])));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (zone_exists(str_of(bad[i])))
            fail_msg("taken for a zone: %s", bad[i]);
    }
    assert_false(zone_exists(STR_NULL));
    assert_false(zone_exists(STR("UTC\0")));
}

static void check_day(const char *zone, const char *inside, const char *from, const char *to)
{
    int64_t from_us, to_us;

    zone_day(str_of(zone), at(inside), &from_us, &to_us);
    check_format(from_us, from);
    check_format(to_us, to);
}

static void local_days(void **state)
{
    static const struct {
        const char *zone, *inside, *from, *to;
    } days[] = {
        {"Europe/Berlin", "2026-11-21T12:00:00Z", "2026-11-20T23:00:00Z", "2026-11-21T23:00:00Z"},
        {"Europe/Berlin", "2026-11-20T23:00:00Z", "2026-11-20T23:00:00Z", "2026-11-21T23:00:00Z"},
        {"Europe/Berlin", "2026-11-20T22:59:59.999999Z", "2026-11-19T23:00:00Z",
         "2026-11-20T23:00:00Z"},
        /* 23 and 25 hours */
        {"Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
        {"Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
        {"America/New_York", "2026-03-08T12:00:00Z", "2026-03-08T05:00:00Z",
         "2026-03-09T04:00:00Z"},
        {"America/New_York", "2026-11-01T05:30:00Z", "2026-11-01T04:00:00Z",
         "2026-11-02T05:00:00Z"},
        /* past the file's last change: by the rule at its end */
        {"Europe/Berlin", "2500-03-28T12:00:00Z", "2500-03-27T23:00:00Z", "2500-03-28T22:00:00Z"},
        {"America/New_York", "2500-11-07T12:00:00Z", "2500-11-07T04:00:00Z",
         "2500-11-08T05:00:00Z"},
        /* half an hour, south of the equator: 24.5 and 23.5 hours */
        {"Australia/Lord_Howe", "2026-04-05T00:00:00Z", "2026-04-04T13:00:00Z",
         "2026-04-05T13:30:00Z"},
        {"Australia/Lord_Howe", "2026-10-04T00:00:00Z", "2026-10-03T13:30:00Z",
         "2026-10-04T13:00:00Z"},
        {"Asia/Kathmandu", "2026-01-01T00:00:00Z", "2025-12-31T18:15:00Z", "2026-01-01T18:15:00Z"},
        /* midnight does not exist: the day begins at one */
        {"America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z",
         "2018-11-05T02:00:00Z"},
        /* an hour before midnight comes twice */
        {"America/Sao_Paulo", "2018-02-18T02:30:00Z", "2018-02-17T02:00:00Z",
         "2018-02-18T03:00:00Z"},
        /* back from 00:01 to 23:01: the day that had begun goes on */
        {"America/St_Johns", "2010-11-07T02:30:30Z", "2010-11-07T02:30:00Z",
         "2010-11-08T03:30:00Z"},
        {"America/St_Johns", "2010-11-07T03:00:00Z", "2010-11-07T02:30:00Z",
         "2010-11-08T03:30:00Z"},
        {"America/St_Johns", "2010-11-07T02:29:59Z", "2010-11-06T02:30:00Z",
         "2010-11-07T02:30:00Z"},
        /* Samoa had no 30 December 2011 */
        {"Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},
        {"Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
        {"Not/AZone", "2026-11-21T12:00:00Z", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(days); i++)
        check_day(days[i].zone, days[i].inside, days[i].from, days[i].to);
}

static const char *const some_zones[] = {
    "Europe/Berlin",       "Europe/Dublin",     "Europe/Lisbon",    "America/New_York",
    "America/St_Johns",    "America/Sao_Paulo", "America/Santiago", "America/Nuuk",
    "America/Asuncion",    "Africa/Casablanca", "Africa/Cairo",     "Asia/Gaza",
    "Asia/Tehran",         "Asia/Kathmandu",    "Asia/Jerusalem",   "Pacific/Apia",
    "Pacific/Auckland",    "Pacific/Chatham",   "Pacific/Easter",   "Pacific/Kiritimati",
    "Australia/Lord_Howe", "Antarctica/Troll",  "Etc/GMT-14",       "UTC"};

/* Days follow each other: each begins where the one before ends, at every zone's oddest. */
static void days_are_seamless(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(some_zones); i++) {
        struct str zone = str_of(some_zones[i]);
        int64_t us = at("1970-01-01T00:00:00Z"), from, to;

        while (us < at("2045-01-01T00:00:00Z")) {
            int64_t same_from, same_to;
            int year, month, day;

            zone_day(zone, us, &from, &to);
            zone_civil(zone, from, &year, &month, &day);
            if (from > us || to <= us || to - from < 22 * HOUR_US || to - from > 49 * HOUR_US)
                fail_msg("%s: an odd day %d-%d-%d", some_zones[i], year, month, day);
            zone_day(zone, to - 1, &same_from, &same_to);
            if (same_from != from || same_to != to)
                fail_msg("%s: two opinions on %d-%d-%d", some_zones[i], year, month, day);
            us = to;
            zone_day(zone, us, &same_from, &same_to);
            if (same_from != to)
                fail_msg("%s: a gap after %d-%d-%d", some_zones[i], year, month, day);
            us += (to - from > 24 * HOUR_US || to - from < 24 * HOUR_US) ? 0 : 11 * HOUR_US;
        }
    }
}

/* The C library as the other opinion; the test has one thread, so it may set TZ. */
static void offsets_as_the_c_library_has_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(some_zones); i++) {
        int64_t second = at("1850-01-01T00:00:00Z") / SECOND_US;
        const int64_t end = at("2400-01-01T00:00:00Z") / SECOND_US;

        assert_int_equal(setenv("TZ", some_zones[i], 1), 0);
        tzset();
        for (; second < end; second += 86400 * 11 + 3601) {
            time_t seconds = (time_t)second;
            struct str zone = str_of(some_zones[i]);
            int year, month, day;
            struct tm tm;

            assert_non_null(localtime_r(&seconds, &tm));
            zone_civil(zone, second * SECOND_US, &year, &month, &day);
            if (zone_offset_s(zone, second * SECOND_US) != tm.tm_gmtoff ||
                year != tm.tm_year + 1900 || month != tm.tm_mon + 1 || day != tm.tm_mday)
                fail_msg("%s at %lld: %d, not %ld", some_zones[i], (long long)second,
                         zone_offset_s(zone, second * SECOND_US), tm.tm_gmtoff);
        }
    }
}

static void changes_to_the_microsecond(void **state)
{
    const struct str berlin = STR("Europe/Berlin");

    (void)state;
    assert_int_equal(zone_offset_s(berlin, at("2026-03-29T00:59:59.999999Z")), 3600);
    assert_int_equal(zone_offset_s(berlin, at("2026-03-29T01:00:00Z")), 7200);
    assert_int_equal(zone_offset_s(berlin, at("2500-10-31T00:59:59.999999Z")), 7200);
    assert_int_equal(zone_offset_s(berlin, at("2500-10-31T01:00:00Z")), 3600);
    assert_int_equal(zone_offset_s(berlin, at("1800-01-01T00:00:00Z")), 3208); /* by the sun */
    assert_int_equal(zone_offset_s(STR("Not/AZone"), 0), 0);
}

static void instants_past_the_calendar(void **state)
{
    const int64_t wild[] = {INT64_MIN, TIME_MIN_US, TIME_MAX_US, TIME_END};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(some_zones); i++) {
        for (size_t k = 0; k < COUNT_OF(wild); k++) {
            int64_t from, to;
            int year, month, day;

            zone_day(str_of(some_zones[i]), wild[k], &from, &to);
            assert_true(from < to && to - from <= 26 * HOUR_US);
            zone_civil(str_of(some_zones[i]), wild[k], &year, &month, &day);
            assert_true(k < 2 ? year <= 1 : year >= 9999);
        }
    }
}

static void *ask_for_zones(void *sum)
{
    for (size_t i = 0; i < 2000; i++)
        *(int64_t *)sum += zone_offset_s(str_of(some_zones[i % COUNT_OF(some_zones)]), 0);
    zone_exists(STR("Asia/Tokyo")); /* first met here, by all at once */
    return NULL;
}

static void zones_on_several_threads(void **state)
{
    pthread_t threads[4];
    int64_t sums[4] = {0};

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_for_zones, &sums[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 1; i < 4; i++)
        assert_true(sums[i] == sums[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_on_several_threads), /* first: nothing is read yet */
        cmocka_unit_test(times_that_are_read),
        cmocka_unit_test(times_that_are_refused),
        cmocka_unit_test(formats_at_the_edges),
        cmocka_unit_test(every_day_of_the_calendar),
        cmocka_unit_test(clocks),
        cmocka_unit_test(zone_names),
        cmocka_unit_test(local_days),
        cmocka_unit_test(days_are_seamless),
        cmocka_unit_test(offsets_as_the_c_library_has_them),
        cmocka_unit_test(changes_to_the_microsecond),
        cmocka_unit_test(instants_past_the_calendar),
    };

    return cmocka_run_group_tests_name("base/time", tests, NULL, NULL);
}
