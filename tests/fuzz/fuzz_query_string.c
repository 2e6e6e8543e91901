/* Query strings: whatever comes is decoded or refused in words that are UTF-8. */
#include "../unit/json/specimen.h"

#include <stdlib.h>

#define ARENA_BYTES MIB(8)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct error error;
    struct arena *arena = arena_new(ARENA_BYTES);
    struct decoding in = {.arena = arena, .error = &error, .path = "query."};
    struct specimen specimen = {0};
    struct given given;
    struct json_out out;
    struct buf buf;
    enum err result;

    if (!arena)
        return 0;
    error_clear(&error);
    result = record_decode_query(&specimen_record, (struct str){(const char *)data, size}, &in,
                                 &specimen, &given);
    must(result == error.code);
    must(result != ERR_INVALID || error.fault_count > 0);
    for (size_t i = 0; i < error.fault_count && i < FAULTS_MAX; i++) {
        must(str_is_utf8(str_of(error.faults[i].field)));
        must(str_is_utf8(str_of(error.faults[i].message)));
    }
    if (result == OK) {
        struct json_t *value;

        must(specimen.subject.len > 0); /* it is required */
        buf_init(&buf, arena, ARENA_BYTES);
        json_out_init(&out, &buf);
        record_encode(&specimen_record, &specimen, true, &out);
        must(buf_failed(&buf) || json_parse(arena, buf_str(&buf), &value, &error) == OK ||
             error.code == ERR_TOO_LARGE);
    }
    arena_free(arena);
    return 0;
}
