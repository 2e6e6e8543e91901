/* The proleptic Gregorian calendar as day numbers; day 0 is 1970-01-01. For time.c
 * and zone.c, and for who counts by days; others use time.h. */
#ifndef BASE_CIVIL_H
#define BASE_CIVIL_H

#include <stdint.h>

int civil_month_days(int64_t year, int month); /* month 1 to 12 */
int64_t civil_to_days(int64_t year, int month, int day);
void civil_from_days(int64_t days, int64_t *year, int *month, int *day);
int64_t floor_divide(int64_t value, int64_t by); /* `by` > 0; rounds down also below zero */

#endif
