#include "cli/mapping.h"

#include "base/time.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAPPING_BYTES_MAX KIB(256)
#define CELL_TEXT_MAX KIB(256) /* a cell, or a text made of cells */
#define MEMORY_MAX MIB(64)

struct mapping {
    char *text;
    size_t text_len;
    json_t *root;
    struct str columns[CSV_CELLS_MAX];
    size_t column_count;
    struct arena *names;   /* of the columns */
    struct arena *scratch; /* of the row at hand */
    int year, month;       /* of the newest row, for dates without a year */
    /* The row at hand. */
    const struct csv_row *row;
    int64_t number;
    char why[160]; /* it is refused; empty: it is not */
};

static void refuse(struct mapping *mapping, const char *column, const char *why)
{
    if (mapping->why[0] == '\0')
        snprintf(mapping->why, sizeof mapping->why, "%.80s: %s", column, why);
}

static bool cell(struct mapping *mapping, struct str column, struct str *out)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (str_equal(mapping->columns[i], column)) {
            *out = mapping->row->cells[i];
            return true;
        }
    return false;
}

/* Calls fn for every {name} of a text. */
static void each_name(const char *text, void (*fn)(void *context, struct str name), void *context)
{
    const char *open = text;

    while ((open = strchr(open, '{')) != NULL) {
        const char *close = strchr(open, '}');

        if (close == NULL)
            return;
        fn(context, (struct str){open + 1, (size_t)(close - open - 1)});
        open = close + 1;
    }
}

static struct str fill(struct mapping *mapping, const char *text)
{
    struct buf buf;
    const char *open;

    buf_init(&buf, mapping->scratch, CELL_TEXT_MAX);
    while ((open = strchr(text, '{')) != NULL) {
        const char *close = strchr(open, '}');
        struct str name;
        struct str value;

        if (close == NULL)
            break;
        name = (struct str){open + 1, (size_t)(close - open - 1)};
        buf_add(&buf, (struct str){text, (size_t)(open - text)});
        if (str_is(name, "row"))
            buf_add_int(&buf, mapping->number);
        else if (cell(mapping, name, &value))
            buf_add(&buf, value);
        text = close + 1;
    }
    buf_add(&buf, str_of(text));
    if (buf_failed(&buf))
        refuse(mapping, "row", "is too large");
    return buf_str(&buf);
}

/* 1 to 12, from a number or an English name ("may", "May"); 0 for anything else. */
static int month_number(struct str text)
{
    static const char *const names[] = {"january",   "february", "march",    "april",
                                        "may",       "june",     "july",     "august",
                                        "september", "october",  "november", "december"};
    int64_t number;

    if (str_to_int(text, &number))
        return number >= 1 && number <= 12 ? (int)number : 0;
    for (int i = 0; i < 12; i++) {
        const struct str name = str_of(names[i]);

        if (text.len >= 3 && text.len <= name.len &&
            str_equal_nocase(text, str_slice(name, 0, text.len)))
            return i + 1;
    }
    return 0;
}

static void put_date(struct mapping *mapping, json_t *value, struct json_out *out)
{
    const struct str day = fill(mapping, json_string_value(json_object_get(value, "day")));
    const int month =
        month_number(fill(mapping, json_string_value(json_object_get(value, "month"))));
    const char *time = json_string_value(json_object_get(value, "time"));
    char text[64];
    int64_t day_number = 0;
    int64_t midnight;

    if (month == 0) {
        refuse(mapping, "month", "is no month");
        json_nil(out);
        return;
    }
    if (month < mapping->month)
        mapping->year++;
    mapping->month = month;
    if (!str_to_int(day, &day_number) || day_number < 1 || day_number > 31 ||
        !time_from_date(mapping->year, month, (int)day_number, &midnight)) {
        refuse(mapping, "day", "is no day of that month");
        json_nil(out);
        return;
    }
    snprintf(text, sizeof text, "%04d-%02d-%02dT%s", mapping->year, month, (int)day_number, time);
    json_text(out, str_of(text));
}

static void put_cell(struct mapping *mapping, struct str column, struct str text, const char *as,
                     struct json_out *out)
{
    char name[96];
    char number[64];
    int64_t integer;
    char *end;
    double real;

    snprintf(name, sizeof name, "%.*s", STR_FMT(column));
    text = str_trim(text);
    if (strcmp(as, "integer") == 0) {
        if (!str_to_int(text, &integer))
            refuse(mapping, name, "is no whole number");
        else
            json_int(out, integer);
    } else if (strcmp(as, "number") == 0) {
        snprintf(number, sizeof number, "%.*s", STR_FMT(text));
        real = strtod(number, &end);
        /* strtod() also takes hexadecimal, "nan" and "inf". */
        if (*end != '\0' || text.len == 0 || text.len >= sizeof number ||
            strspn(number, "0123456789+-.eE") != text.len || !isfinite(real))
            refuse(mapping, name, "is no number");
        else
            json_double(out, real);
    } else if (str_equal_nocase(text, STR("yes")) || str_equal_nocase(text, STR("true")) ||
               str_is(text, "1")) {
        json_bool(out, true);
    } else if (str_equal_nocase(text, STR("no")) || str_equal_nocase(text, STR("false")) ||
               str_is(text, "0")) {
        json_bool(out, false);
    } else {
        refuse(mapping, name, "is neither yes nor no");
    }
    if (mapping->why[0] != '\0')
        json_nil(out);
}

static void put_value(struct mapping *mapping, json_t *value, struct json_out *out);

static void put_members(struct mapping *mapping, json_t *object, struct json_out *out)
{
    const char *name;
    json_t *value;

    json_object_begin(out);
    json_object_foreach (object, name, value) {
        const char *column = json_string_value(json_object_get(value, "column"));
        struct str text;

        if (column != NULL && cell(mapping, str_of(column), &text) && str_trim(text).len == 0)
            continue;
        json_key(out, str_of(name));
        put_value(mapping, value, out);
    }
    json_object_end(out);
}

static void put_value(struct mapping *mapping, json_t *value, struct json_out *out)
{
    const char *column = json_string_value(json_object_get(value, "column"));
    json_t *map = json_object_get(value, "map");
    char *literal;

    if (json_is_string(value)) {
        json_text(out, fill(mapping, json_string_value(value)));
    } else if (column != NULL) {
        const struct str name = str_of(column);
        struct str text = STR_NULL;

        cell(mapping, name, &text);
        if (map != NULL) {
            const json_t *to = json_object_getn(map, text.ptr, text.len);

            if (to == NULL)
                to = json_object_get(value, "else");
            if (to == NULL)
                refuse(mapping, column, "has a value that the mapping does not name");
            json_text(out, str_of(json_string_value(to)));
        } else if (json_object_get(value, "as") != NULL) {
            put_cell(mapping, name, text, json_string_value(json_object_get(value, "as")), out);
        } else {
            json_text(out, text);
        }
    } else if (json_object_get(value, "first_year") != NULL) {
        put_date(mapping, value, out);
    } else if (json_is_object(value)) {
        put_members(mapping, value, out);
    } else {
        literal = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        json_raw(out, str_of(literal));
        free(literal);
    }
}

void mapping_refusal(int64_t line, int64_t number, const char *why, struct json_out *out)
{
    json_object_begin(out);
    JSON_KEY(out, "row");
    json_int(out, number);
    JSON_KEY(out, "line");
    json_int(out, line);
    JSON_KEY(out, "refused");
    json_text(out, str_of(why));
    json_object_end(out);
}

void mapping_row(struct mapping *mapping, const struct csv_row *row, int64_t number,
                 struct json_out *out)
{
    const size_t before = out->buf->len;
    const bool comma_before = out->need_comma;
    json_t *interaction = json_object_get(mapping->root, "interaction");

    mapping->row = row;
    mapping->number = number;
    mapping->why[0] = '\0';
    arena_reset(mapping->scratch);
    if (row->count != mapping->column_count) {
        snprintf(mapping->why, sizeof mapping->why, "it has %zu cells, and the header has %zu",
                 row->count, mapping->column_count);
        mapping_refusal(row->line, number, mapping->why, out);
        return;
    }
    for (size_t i = 0; i < row->count; i++)
        if (!str_is_utf8(row->cells[i])) {
            mapping_refusal(row->line, number, "it is not UTF-8", out);
            return;
        }
    json_object_begin(out);
    JSON_KEY(out, "row");
    json_int(out, number);
    JSON_KEY(out, "line");
    json_int(out, row->line);
    JSON_KEY(out, "customer");
    put_members(mapping, json_object_get(mapping->root, "customer"), out);
    if (interaction != NULL) {
        JSON_KEY(out, "interaction");
        put_members(mapping, interaction, out);
    }
    json_object_end(out);
    if (mapping->why[0] != '\0') {
        /* What was written of the row is taken back. */
        out->buf->len = before;
        out->need_comma = comma_before;
        mapping_refusal(row->line, number, mapping->why, out);
    }
}

/* Checking -------------------------------------------------------------------------- */

struct check {
    struct mapping *mapping;
    const char *place;
    int faults;
};

static void check_name(void *context, struct str name)
{
    struct check *check = context;

    if (str_is(name, "row"))
        return;
    for (size_t i = 0; i < check->mapping->column_count; i++)
        if (str_equal(check->mapping->columns[i], name))
            return;
    fprintf(stderr, "touchpoint: mapping, %s: the file has no column %.*s\n", check->place,
            STR_FMT(name));
    check->faults++;
}

static void check_value(struct check *check, json_t *value)
{
    static const char *const texts[] = {"day", "month"};
    const char *column = json_string_value(json_object_get(value, "column"));
    json_t *member;
    const char *name;

    if (json_is_string(value)) {
        each_name(json_string_value(value), check_name, check);
    } else if (column != NULL) {
        check_name(check, str_of(column));
    } else if (json_object_get(value, "first_year") != NULL) {
        for (size_t i = 0; i < COUNT_OF(texts); i++)
            each_name(json_string_value(json_object_get(value, texts[i])), check_name, check);
    } else if (json_is_object(value)) {
        json_object_foreach (value, name, member) {
            check->place = name;
            check_value(check, member);
        }
    }
}

bool mapping_header(struct mapping *mapping, const struct csv_row *header)
{
    struct check check = {mapping, "", 0};

    mapping->column_count = header->count;
    for (size_t i = 0; i < header->count; i++) {
        struct str name = str_trim(header->cells[i]);

        /* A byte order mark is not a part of the first name. */
        if (i == 0 && str_starts(name, STR("\xEF\xBB\xBF")))
            name = str_slice(name, 3, name.len);
        mapping->columns[i] = str_copy(mapping->names, name);
        for (size_t j = 0; j < i; j++)
            if (str_equal(mapping->columns[i], mapping->columns[j])) {
                fprintf(stderr, "touchpoint: two columns are called %.*s\n", STR_FMT(name));
                check.faults++;
            }
    }
    check_value(&check, json_object_get(mapping->root, "customer"));
    check_value(&check, json_object_get(mapping->root, "interaction"));
    return check.faults == 0;
}

/* The shape of one VALUE, before any row is read. */
static bool shape_is_fine(const char *place, json_t *value)
{
    json_t *as = json_object_get(value, "as");
    json_t *map = json_object_get(value, "map");
    json_t *first_year = json_object_get(value, "first_year");
    const char *wrong = NULL;
    const char *name;
    json_t *member;

    if (json_object_get(value, "column") != NULL) {
        if (!json_is_string(json_object_get(value, "column")))
            wrong = "\"column\" must be text";
        if (as != NULL && (!json_is_string(as) || (strcmp(json_string_value(as), "integer") != 0 &&
                                                   strcmp(json_string_value(as), "number") != 0 &&
                                                   strcmp(json_string_value(as), "boolean") != 0)))
            wrong = "\"as\" must be integer, number or boolean";
        if (map != NULL && !json_is_object(map))
            wrong = "\"map\" must be an object";
        json_object_foreach (map, name, member)
            if (!json_is_string(member))
                wrong = "\"map\" must hold texts";
        if (json_object_get(value, "else") != NULL &&
            !json_is_string(json_object_get(value, "else")))
            wrong = "\"else\" must be text";
        json_object_foreach (value, name, member)
            if (strcmp(name, "column") != 0 && strcmp(name, "as") != 0 &&
                strcmp(name, "map") != 0 && strcmp(name, "else") != 0)
                wrong = "beside \"column\" there may be \"as\", or \"map\" and \"else\"";
    } else if (first_year != NULL) {
        if (!json_is_integer(first_year) || !json_is_string(json_object_get(value, "day")) ||
            !json_is_string(json_object_get(value, "month")) ||
            !json_is_string(json_object_get(value, "time")))
            wrong =
                "a date needs \"day\", \"month\" and \"time\" as text, \"first_year\" as number";
    } else if (json_is_array(value)) {
        wrong = "lists cannot be made of cells";
    } else {
        json_object_foreach (value, name, member)
            if (!shape_is_fine(name, member))
                return false;
    }
    if (wrong != NULL)
        fprintf(stderr, "touchpoint: mapping, %s: %s\n", place, wrong);
    return wrong == NULL;
}

/* The year that the first dated VALUE begins with. */
static int first_year(json_t *value)
{
    const char *name;
    json_t *member;

    if (json_is_integer(json_object_get(value, "first_year")))
        return (int)json_integer_value(json_object_get(value, "first_year"));
    json_object_foreach (value, name, member) {
        const int year = first_year(member);

        if (year != 0)
            return year;
    }
    return 0;
}

static bool read_text(struct mapping *mapping, const char *path)
{
    FILE *file = fopen(path, "r");

    if (file == NULL) {
        fprintf(stderr, "touchpoint: %s: %s\n", path, strerror(errno));
        return false;
    }
    mapping->text = malloc(MAPPING_BYTES_MAX);
    if (mapping->text != NULL)
        mapping->text_len = fread(mapping->text, 1, MAPPING_BYTES_MAX, file);
    fclose(file);
    if (mapping->text == NULL || mapping->text_len == MAPPING_BYTES_MAX) {
        fprintf(stderr, "touchpoint: %s: the mapping is too large\n", path);
        return false;
    }
    return true;
}

static bool is_whole(const struct mapping *mapping)
{
    static const char *const members[] = {"name", "delimiter", "customer", "interaction"};
    json_t *delimiter = json_object_get(mapping->root, "delimiter");
    json_t *interaction = json_object_get(mapping->root, "interaction");
    const char *name;
    json_t *value;

    json_object_foreach (mapping->root, name, value) {
        bool known = false;

        for (size_t i = 0; i < COUNT_OF(members); i++)
            known = known || strcmp(members[i], name) == 0;
        if (!known) {
            fprintf(stderr, "touchpoint: mapping: there is no member \"%s\"\n", name);
            return false;
        }
    }
    if (!json_is_string(json_object_get(mapping->root, "name")) ||
        !json_is_object(json_object_get(mapping->root, "customer")) ||
        (interaction != NULL && !json_is_object(interaction))) {
        fprintf(stderr, "touchpoint: mapping: \"name\" (text) and \"customer\" (object) are "
                        "needed, \"interaction\" is an object\n");
        return false;
    }
    if (delimiter != NULL &&
        (json_string_length(delimiter) != 1 || strchr("\"\r\n", json_string_value(delimiter)[0]))) {
        fprintf(stderr, "touchpoint: mapping: \"delimiter\" must be one character, no quote\n");
        return false;
    }
    return shape_is_fine("customer", json_object_get(mapping->root, "customer")) &&
           shape_is_fine("interaction", json_object_get(mapping->root, "interaction"));
}

struct mapping *mapping_open(const char *path)
{
    struct mapping *mapping = calloc(1, sizeof *mapping);
    json_error_t error;
    bool fine;

    if (mapping == NULL)
        return NULL;
    mapping->names = arena_new(MEMORY_MAX);
    mapping->scratch = arena_new(MEMORY_MAX);
    fine = mapping->names != NULL && mapping->scratch != NULL && read_text(mapping, path);
    if (fine) {
        mapping->root =
            json_loadb(mapping->text, mapping->text_len, JSON_REJECT_DUPLICATES, &error);
        if (mapping->root == NULL)
            fprintf(stderr, "touchpoint: %s:%d: %s\n", path, error.line, error.text);
        fine = mapping->root != NULL && is_whole(mapping);
    }
    if (!fine) {
        mapping_close(mapping);
        return NULL;
    }
    mapping->year = first_year(mapping->root);
    return mapping;
}

void mapping_close(struct mapping *mapping)
{
    if (mapping == NULL)
        return;
    json_decref(mapping->root);
    arena_free(mapping->names);
    arena_free(mapping->scratch);
    free(mapping->text);
    free(mapping);
}

struct str mapping_name(const struct mapping *mapping)
{
    return str_of(json_string_value(json_object_get(mapping->root, "name")));
}

char mapping_delimiter(const struct mapping *mapping)
{
    const char *text = json_string_value(json_object_get(mapping->root, "delimiter"));

    return text != NULL ? text[0] : ',';
}

struct str mapping_text(const struct mapping *mapping)
{
    return (struct str){mapping->text, mapping->text_len};
}
