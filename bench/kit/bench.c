#include "kit/bench.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

_Noreturn void bench_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

const char *bench_option(int argc, char **argv, const char *name, const char *fallback)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, name) == 0)
            return argv[i + 1];
    }
    if (!fallback)
        bench_fail("--%s is missing", name);
    return fallback;
}

static uint64_t whole_number(const char *text, char **end)
{
    errno = 0;
    const unsigned long long value = strtoull(text, end, 10);

    if (errno != 0 || *end == text || *text == '-')
        bench_fail("%s: a whole number is wanted", text);
    return value;
}

int64_t bench_number(int argc, char **argv, const char *name, const char *fallback, int64_t least)
{
    const char *text = bench_option(argc, argv, name, fallback);
    char *end;
    const uint64_t value = whole_number(text, &end);

    if (*end != '\0' || value > INT64_MAX || (int64_t)value < least)
        bench_fail("--%s %s: a whole number from %lld on is wanted", name, text, (long long)least);
    return (int64_t)value;
}

struct bench_range bench_range(const char *text)
{
    struct bench_range range;
    char *end;

    range.first = whole_number(text, &end);
    if (*end != '-')
        bench_fail("%s: FIRST-LAST is wanted", text);
    range.last = whole_number(end + 1, &end);
    if (*end != '\0' || range.last < range.first)
        bench_fail("%s: FIRST-LAST is wanted", text);
    return range;
}

uint64_t bench_next(struct bench_chance *chance)
{
    uint64_t value = chance->state += 0x9e3779b97f4a7c15U;

    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
}

uint64_t bench_pick(struct bench_chance *chance, struct bench_range range)
{
    return range.first + bench_next(chance) % (range.last - range.first + 1);
}

void bench_id(enum bench_kind kind, uint64_t n, unsigned char id[16])
{
    static const unsigned char start[10] = {0x01, 0x99, 0, 0, 0, 0, 0x70, 0, 0x80, 0};

    memcpy(id, start, sizeof start);
    id[9] = (unsigned char)kind;
    for (int i = 15; i >= 10; i--) {
        id[i] = (unsigned char)(n % 10 | (n / 10 % 10) << 4);
        n /= 100;
    }
}

void bench_id_text(enum bench_kind kind, uint64_t n, char text[BENCH_UUID_TEXT])
{
    snprintf(text, BENCH_UUID_TEXT, "01990000-0000-7000-800%d-%0*llu", (int)kind, BENCH_ID_DIGITS,
             (unsigned long long)(n % 1000000000000U));
}

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t bench_monotonic_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t bench_now_us(void)
{
    return clock_us(CLOCK_REALTIME);
}
