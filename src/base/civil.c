#include "base/civil.h"

#define DAYS_400_YEARS 146097
#define DAYS_100_YEARS 36524
#define DAYS_4_YEARS 1461
/* From 0000-03-01 to 1970-01-01. Years are counted from March, so that the leap day
 * is the last of its year and the lengths of the months before it never change. */
#define DAYS_BEFORE_1970 719468

/* Days of a year that begins in March, before each of its months. */
static const int days_before[] = {0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337};

int64_t floor_divide(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

int civil_month_days(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
        return 29;
    return days[month - 1];
}

int64_t civil_to_days(int64_t year, int month, int day)
{
    int64_t from_march = month > 2 ? year : year - 1;
    int64_t days = from_march * 365 + floor_divide(from_march, 4) - floor_divide(from_march, 100) +
                   floor_divide(from_march, 400);

    return days + days_before[(month + 9) % 12] + day - 1 - DAYS_BEFORE_1970;
}

void civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t eras, centuries, fours, years;
    int rest, since_march = 11;

    days += DAYS_BEFORE_1970;
    eras = floor_divide(days, DAYS_400_YEARS);
    days -= eras * DAYS_400_YEARS;
    /* The last day of 400 years, and of four, is a leap day beyond the even division. */
    centuries = days / DAYS_100_YEARS < 3 ? days / DAYS_100_YEARS : 3;
    days -= centuries * DAYS_100_YEARS;
    fours = days / DAYS_4_YEARS;
    days -= fours * DAYS_4_YEARS;
    years = days / 365 < 3 ? days / 365 : 3;
    rest = (int)(days - years * 365);

    while (days_before[since_march] > rest)
        since_march--;
    *day = rest - days_before[since_march] + 1;
    *month = since_march < 10 ? since_march + 3 : since_march - 9;
    *year = eras * 400 + centuries * 100 + fours * 4 + years + (*month <= 2);
}
