/* JSON in: what parses must slice, decode and come out again without a change. */
#include "../unit/json/specimen.h"

#include <stdlib.h>

#define ARENA_BYTES MIB(8)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static struct json_t *parsed(struct arena *arena, struct str text, struct error *error)
{
    struct json_t *value;

    error_clear(error);
    return json_parse(arena, text, &value, error) == OK ? value : NULL;
}

static void check_raw(struct arena *arena, const struct json_t *value, struct str raw, int depth);

struct items {
    struct arena *arena;
    const struct json_t *array;
    size_t count;
    int depth;
};

static void check_item(void *context, size_t index, struct str item)
{
    struct items *items = context;

    must(index == items->count++);
    check_raw(items->arena, json_item(items->array, index), item, items->depth);
}

/* The bytes of each member and item are the JSON of that member or item. */
static void check_raw(struct arena *arena, const struct json_t *value, struct str raw, int depth)
{
    static struct error error;
    struct items items = {arena, value, 0, depth + 1};
    const struct json_t *again = parsed(arena, raw, &error);

    if (!again) { /* only for want of memory */
        must(error.code == ERR_TOO_LARGE);
        return;
    }
    must(json_kind_of(again) == json_kind_of(value));
    must(json_item_count(again) == json_item_count(value));
    must(str_equal(json_value_text(again), json_value_text(value)));
    if (json_kind_of(value) == JSON_IS_ARRAY && depth < 3) {
        json_raw_items(raw, check_item, &items);
        must(items.count == json_item_count(value));
    }
    if (json_kind_of(value) != JSON_IS_OBJECT || depth >= 3)
        return;
    for (struct json_member at = json_member_first(value); at.value; json_member_next(&at)) {
        struct str member = json_raw_member(raw, at.name);

        must(member.ptr != NULL);
        check_raw(arena, at.value, member, depth + 1);
    }
}

static struct str encoded(struct arena *arena, const struct specimen *specimen)
{
    struct json_out out;
    struct buf buf;

    buf_init(&buf, arena, ARENA_BYTES);
    json_out_init(&out, &buf);
    record_encode(&specimen_record, specimen, true, &out);
    return buf_failed(&buf) ? STR_NULL : buf_str(&buf);
}

static void check_record(struct arena *arena, struct str text, bool patch, bool stored)
{
    static struct error error;
    struct decoding in = {.arena = arena, .error = &error, .patch = patch, .stored = stored};
    struct specimen first = {0}, second = {0};
    struct buf row;
    struct given given, difference;
    struct str json;
    enum err result;

    error_clear(&error);
    result = record_decode(&specimen_record, text, &in, &first, &given);
    must(result == error.code);
    must((result == ERR_INVALID) == (error.fault_count > 0 && result != ERR_TOO_LARGE));
    for (size_t i = 0; i < error.fault_count && i < FAULTS_MAX; i++) {
        must(str_is_utf8(str_of(error.faults[i].field)));
        must(str_is_utf8(str_of(error.faults[i].message)));
    }
    if (result != OK)
        return;
    first.password = STR_NULL; /* it never comes out */
    json = encoded(arena, &first);
    if (!json.ptr)
        return;
    in.patch = false;
    in.stored = true;
    result = record_decode(&specimen_record, json, &in, &second, NULL);
    must(result == OK || result == ERR_TOO_LARGE);
    if (result != OK)
        return;
    difference = record_difference(&specimen_record, &first, &second);
    must(!given_any(&difference));
    buf_init(&row, arena, ARENA_BYTES);
    record_csv_row(&specimen_record, &second, &row);
    result = record_merge(&specimen_record, &given, &first, &second, arena, &error);
    must(result == OK || result == ERR_INVALID || result == ERR_TOO_LARGE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct error error;
    struct str text = {(const char *)data, size};
    struct arena *arena = arena_new(ARENA_BYTES);
    const struct json_t *value;

    if (!arena)
        return 0;
    value = parsed(arena, text, &error);
    if (value) {
        struct str merged;

        must(str_is_utf8(text));
        check_raw(arena, value, text, 0);
        if (json_kind_of(value) == JSON_IS_OBJECT &&
            json_merge(arena, text, text, ARENA_BYTES, &merged, &error) == OK)
            must(parsed(arena, merged, &error) || error.code == ERR_TOO_LARGE);
    } else {
        /* The walkers stay inside the text, whatever it is. */
        json_raw_member(text, STR("subject"));
    }
    for (int mode = 0; mode < 4; mode++) {
        arena_reset(arena);
        check_record(arena, text, mode & 1, mode & 2);
    }
    arena_free(arena);
    return 0;
}
