#include "base/uuid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define COUNTER_MAX 0xFFF  /* the twelve bits of rand_a */
#define COUNTER_SEED 0x7FF /* a new count starts in the lower half: room for 2,048 more */

bool uuid_is_none(struct uuid id)
{
    return uuid_equal(id, UUID_NONE);
}

bool uuid_equal(struct uuid a, struct uuid b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

int uuid_compare(struct uuid a, struct uuid b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes));
}

/* The bytes of each group of the text, which hyphens stand between. */
static const size_t groups[] = {4, 2, 2, 2, 6};

bool uuid_parse(struct str text, struct uuid *out)
{
    struct uuid id;
    size_t at = 0, byte = 0;

    if (text.len != UUID_TEXT_LEN)
        return false;
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        if (i > 0 && text.ptr[at++] != '-')
            return false;
        if (!str_from_hex(str_slice(text, at, at + 2 * groups[i]), id.bytes + byte, groups[i]))
            return false;
        at += 2 * groups[i];
        byte += groups[i];
    }
    if (uuid_is_none(id))
        return false;
    *out = id;
    return true;
}

void uuid_format(struct uuid id, char out[UUID_TEXT_LEN])
{
    size_t byte = 0;

    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        if (i > 0)
            *out++ = '-';
        str_to_hex(id.bytes + byte, groups[i], out);
        out += 2 * groups[i];
        byte += groups[i];
    }
}

static void system_random(void *bytes, size_t len)
{
    char *at = bytes;

    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort(); /* a kernel without getrandom(): ids would repeat */
        at += got;
        len -= (size_t)got;
    }
}

void id_source_init(struct id_source *source)
{
    *source = (struct id_source){.fill_random = system_random};
}

void id_source_random(struct id_source *source, void *out, size_t len)
{
    if (source->pool_left < len) {
        source->fill_random(source->pool, sizeof(source->pool));
        source->pool_left = sizeof(source->pool);
    }
    source->pool_left -= len;
    memcpy(out, source->pool + source->pool_left, len);
}

static void start_count(struct id_source *source, int64_t ms)
{
    uint8_t seed[2];

    id_source_random(source, seed, sizeof(seed));
    source->counter = (uint16_t)((seed[0] << 8 | seed[1]) & COUNTER_SEED);
    source->last_ms = ms;
}

struct uuid uuid_new(struct id_source *source, int64_t now_us)
{
    int64_t now_ms = now_us / 1000;
    struct uuid id;

    if (now_ms > source->last_ms)
        start_count(source, now_ms);
    else if (source->counter < COUNTER_MAX)
        source->counter++;
    else
        start_count(source, source->last_ms + 1);

    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(source->last_ms >> (40 - 8 * i));
    id.bytes[6] = (uint8_t)(0x70 | source->counter >> 8);
    id.bytes[7] = (uint8_t)source->counter;
    id_source_random(source, id.bytes + 8, 8);
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3F));
    return id;
}

int64_t uuid_time_ms(struct uuid id)
{
    int64_t ms = 0;

    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id.bytes[i];
    return ms;
}
