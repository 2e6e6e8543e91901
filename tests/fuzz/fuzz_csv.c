/* A file of any bytes, through the reader of CSV and a mapping that has every kind of VALUE:
 * no byte reads out of bounds, every row has its line, and what the mapping makes of a row is
 * JSON. */
#include "base/arena.h"
#include "base/buf.h"
#include "cli/mapping.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char mapping_json[] =
    "{\"name\":\"fuzz\",\"customer\":{\"external_id\":\"{row}\",\"name\":\"a {a} b {b}{row}\","
    "\"custom_fields\":{\"a\":{\"column\":\"a\",\"as\":\"integer\"},"
    "\"b\":{\"column\":\"b\",\"as\":\"number\"},\"c\":{\"column\":\"c\",\"as\":\"boolean\"},"
    "\"d\":true,\"e\":null,\"f\":7}},"
    "\"interaction\":{\"subject\":{\"column\":\"c\"},"
    "\"started_at\":{\"day\":\"{a}\",\"month\":\"{b}\",\"first_year\":2008,\"time\":\"12:00:00Z\"},"
    "\"outcome\":{\"column\":\"c\",\"map\":{\"yes\":\"successful\"},\"else\":\"failed\"}}}";

static void must(bool right)
{
    if (!right)
        abort();
}

static struct mapping *make_mapping(void)
{
    char path[] = "/tmp/fuzz-csv-XXXXXX";
    const int fd = mkstemp(path);
    struct mapping *mapping;

    must(fd >= 0 && write(fd, mapping_json, sizeof(mapping_json) - 1) > 0);
    close(fd);
    mapping = mapping_open(path);
    unlink(path);
    must(mapping != NULL);
    return mapping;
}

static void take_header(struct mapping *mapping)
{
    struct str names[] = {STR("a"), STR("b"), STR("c")};
    const struct csv_row header = {1, names, 3};

    must(mapping_header(mapping, &header));
}

static void take_row(struct mapping *mapping, const struct csv_row *row, int64_t number)
{
    struct arena *arena = arena_new(MIB(64));
    struct json_t *value;
    struct json_out out;
    struct error error;
    struct buf buf;

    must(arena != NULL);
    buf_init(&buf, arena, MIB(16));
    json_out_init(&out, &buf);
    mapping_row(mapping, row, number, &out);
    must(!buf_failed(&buf));
    must(json_parse(arena, buf_str(&buf), &value, &error) == OK);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* The first byte chooses the delimiter. */
    struct csv *csv = csv_open(size > 0 && data[0] == ';' ? ';' : ',');
    struct mapping *mapping = make_mapping();
    const char *at = (const char *)data;
    const char *const end = at + size;
    int64_t line = 0, number = 0, last_row = 0;

    must(csv != NULL);
    take_header(mapping);
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *next = stop == NULL ? end : stop + 1;
        struct csv_row row;
        enum csv_result result =
            csv_line(csv, (struct str){at, (size_t)(next - at)}, next == end, &row);

        line++;
        must(row.line >= 1 && row.line <= line);
        if (result == CSV_ROW_DONE || result == CSV_FAULTY) {
            must(row.line > last_row);
            last_row = line;
        }
        if (result == CSV_ROW_DONE) {
            must(row.count >= 1 && row.count <= CSV_CELLS_MAX);
            take_row(mapping, &row, ++number);
        }
        at = next;
    }
    csv_close(csv);
    mapping_close(mapping);
    return 0;
}
