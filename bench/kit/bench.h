/* What the programs of bench/ have in common: options, chance that comes out alike in
 * every run, and the places of the customers that bench/run fills in. */
#ifndef BENCH_KIT_BENCH_H
#define BENCH_KIT_BENCH_H

#include <stdint.h>

/* Ends the program with a sentence on stderr. */
_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The value of `--name VALUE`; `fallback` where it is not given, or the end of the program
 * where that is NULL. Options come in pairs, in any order. */
const char *bench_option(int argc, char **argv, const char *name, const char *fallback);
/* The same, as a whole number from `least` on. */
int64_t bench_number(int argc, char **argv, const char *name, const char *fallback, int64_t least);

/* Numbers FIRST-LAST, as in `--customers 1-50000`. */
struct bench_range {
    uint64_t first, last;
};
struct bench_range bench_range(const char *text);

/* A sequence that its seed decides (splitmix64). */
struct bench_chance {
    uint64_t state;
};
uint64_t bench_next(struct bench_chance *chance);
uint64_t bench_pick(struct bench_chance *chance, struct bench_range range);

/* Customer number n has the id 01990000-0000-7000-8000-<n in twelve decimal digits>, so
 * that load, baselines and fill need no table of ids; companies have 8001 for 8000, and
 * bench/run puts customer n into company 1 + n % BENCH_COMPANIES. */
#define BENCH_ID_DIGITS 12
#define BENCH_COMPANIES 500
#define BENCH_UUID_TEXT 37 /* bytes, with the NUL */
enum bench_kind { BENCH_CUSTOMER = 0, BENCH_COMPANY = 1 };
void bench_id(enum bench_kind kind, uint64_t n, unsigned char id[16]);
void bench_id_text(enum bench_kind kind, uint64_t n, char text[BENCH_UUID_TEXT]);

/* Calls began in the hour before now: new rows go to the young end of the indexes by time. */
#define BENCH_CALL_AGE_SECONDS 3600

int64_t bench_monotonic_us(void);
int64_t bench_now_us(void);

#endif
