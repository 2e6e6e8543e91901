/* Reading, writing and reading again agree; and the calendar of zones stands any instant. */
#include "base/time.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool right)
{
    if (!right)
        abort();
}

static void check_text(struct str text)
{
    char again[TIME_TEXT_MAX];
    int64_t us, us_again;

    if (time_parse(text, &us)) {
        must(us >= TIME_MIN_US && us <= TIME_MAX_US);
        must(time_parse((struct str){again, time_format(us, again)}, &us_again));
        must(us_again == us);
    }
    if (time_parse_date(text, &us)) {
        must(time_format(us, again) == 20);
        must(str_starts((struct str){again, 20}, text));
    }
}

static void check_zone(struct str zone, int64_t us)
{
    int64_t from, to;
    int year, month, day;

    zone_day(zone, us, &from, &to);
    must(from < to);
    must(us < TIME_MIN_US || us > TIME_MAX_US || (from <= us && us < to));
    zone_civil(zone, us, &year, &month, &day);
    must(month >= 1 && month <= 12 && day >= 1 && day <= 31);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const zones[] = {"Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia",
                                        "America/St_Johns"};
    struct str text = {(const char *)data, size};
    char written[TIME_TEXT_MAX];
    int64_t us = 0;

    check_text(text);
    memcpy(&us, data, size < sizeof(us) ? size : sizeof(us));
    check_text((struct str){written, time_format(us, written)});
    for (size_t i = 0; i < COUNT_OF(zones); i++)
        check_zone(str_of(zones[i]), us);
    check_zone(text, us);
    return 0;
}
