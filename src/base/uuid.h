/* UUIDs, RFC 9562. The nil UUID stands for "none": no record ever has it. */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include "base/str.h"

#include <stdint.h>

struct uuid {
    uint8_t bytes[16];
};

#define UUID_TEXT_LEN 36
#define UUID_NONE ((struct uuid){{0}})
/* Sorts after every other: the first page of a list that runs downwards. */
#define UUID_MAX                                                                                   \
    ((struct uuid){                                                                                \
        {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}})
/* Sorts before every other but the nil UUID, which as a parameter is null: for those upwards. */
#define UUID_MIN ((struct uuid){{[15] = 1}})

bool uuid_is_none(struct uuid id);
bool uuid_equal(struct uuid a, struct uuid b);
int uuid_compare(struct uuid a, struct uuid b);
/* The 8-4-4-4-12 form, either case; false for anything else, and for the nil UUID. */
bool uuid_parse(struct str text, struct uuid *out);
void uuid_format(struct uuid id, char out[UUID_TEXT_LEN]); /* lower case, no NUL */

/* Where new ids come from: version 7, increasing within the source also inside one
 * millisecond and when the clock steps back (RFC 9562 §6.2, a counter in rand_a).
 * Not for two threads at once: every store thread has its own. A test sets
 * `fill_random` and gets the same ids each time. */
struct id_source {
    int64_t last_ms;
    uint16_t counter;
    void (*fill_random)(void *bytes, size_t len);
    size_t pool_left;  /* random bytes drawn ahead, so that an id costs no system call; */
    uint8_t pool[512]; /* a process that forks needs a new source in the child */
};

void id_source_init(struct id_source *source);
/* Up to 512 bytes. */
void id_source_random(struct id_source *source, void *out, size_t len);
struct uuid uuid_new(struct id_source *source, int64_t now_us);
int64_t uuid_time_ms(struct uuid id); /* of a version 7 */

#endif
