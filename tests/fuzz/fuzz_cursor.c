/* The query of a list: page parameters and cursors. What is taken must encode to itself. */
#include "base/arena.h"
#include "http/page.h"

#include <stdint.h>
#include <stdlib.h>

#define TAG UINT32_C(0x01020304)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = {(const char *)data, size}, rest;
    struct arena *arena = arena_new(MIB(1));
    struct error error;
    struct page page = {0};

    if (!arena)
        return 0;
    error_clear(&error);
    page_parse(input, TAG, &page_of_records, false, arena, &error, &page, &rest);
    if (page.limit < 1 || page.limit > CSV_ROWS_MAX || rest.len > size)
        abort();
    if (error.fault_count == 0 && page.offset > OFFSET_MAX)
        abort();
    page = (struct page){0};
    if (cursor_decode(input, TAG, arena, &page)) {
        struct list_key key = {page.cursor_time, page.cursor_text, page.cursor_id};

        if (!str_equal(cursor_encode(&key, TAG + page.sort, arena), input))
            abort();
    }
    arena_free(arena);
    return 0;
}
