#include "http/page.h"

#include "base/base64url.h"

#include <string.h>

#define CURSOR_VERSION 1
#define CURSOR_TEXT_MAX 4096
#define CURSOR_HEAD 6 /* version, tag, kind */
#define CURSOR_RAW_MAX (CURSOR_HEAD + CURSOR_TEXT_MAX + 16)

enum cursor_kind { CURSOR_TIME = 't', CURSOR_TEXT = 'x' };

enum parameter { PAGE, PAGE_SIZE, LIMIT, OFFSET, CURSOR, FORMAT, PARAMETERS };

#define NUMBER(text) #text
#define QUOTED(number) NUMBER(number)
#define SIZE_SCHEMA(most, fallback)                                                                \
    "{\"type\":\"integer\",\"minimum\":1,\"maximum\":" QUOTED(most) ",\"default\":" QUOTED(        \
        fallback) "}"
#define RECORDS_SCHEMA SIZE_SCHEMA(PAGE_MAX, PAGE_DEFAULT)
#define EVENTS_SCHEMA SIZE_SCHEMA(EVENT_PAGE_MAX, EVENT_PAGE_DEFAULT)

const struct page_size page_of_records = {PAGE_DEFAULT, PAGE_MAX};
const struct page_size page_of_events = {EVENT_PAGE_DEFAULT, EVENT_PAGE_MAX};

const struct page_size *page_size_of(const struct route *route)
{
    return route->answers == ANSWER_EVENTS ? &page_of_events : &page_of_records;
}

const struct page_parameter page_parameters[] = {
    [PAGE] = {"page", "{\"type\":\"integer\",\"minimum\":1,\"default\":1}",
              "Which page, from 1. Deep pages go by cursor.", NULL},
    [PAGE_SIZE] = {"page_size", RECORDS_SCHEMA, "Rows on a page.", EVENTS_SCHEMA},
    [LIMIT] = {"limit", RECORDS_SCHEMA,
               "The same as page_size. As CSV: up to " QUOTED(CSV_ROWS_MAX) ".", EVENTS_SCHEMA},
    [OFFSET] = {"offset", "{\"type\":\"integer\",\"minimum\":0,\"maximum\":" QUOTED(OFFSET_MAX) "}",
                "Rows to leave out. Deeper ones go by cursor.", NULL},
    [CURSOR] = {"cursor", "{\"type\":\"string\"}", "The next_cursor of the page before.", NULL},
    [FORMAT] = {"format", "{\"type\":\"string\",\"enum\":[\"json\",\"csv\"]}",
                "csv answers a table (RFC 4180), as does Accept: text/csv. "
                "Texts that a spreadsheet would run as formulas begin with an apostrophe.",
                NULL},
};
const size_t page_parameter_count = PARAMETERS;

void page_upwards(struct page *page)
{
    if (!page->by_cursor) {
        page->cursor_time = TIME_MIN_US;
        page->cursor_id = UUID_MIN;
    }
}

static enum err refuse_cursor(struct error *error)
{
    return error_fault(error, "cursor", "bad_format", "must be the next_cursor of this list");
}

enum err page_sort(struct req *rq, uint32_t sort)
{
    if (rq->page.by_cursor && rq->page.sort != sort)
        return refuse_cursor(rq->cx.error);
    rq->page.sort = sort;
    return OK;
}

/* ------------------------------------------------------------------ cursors */

static void put_number(uint8_t *out, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(number >> (8 * (size - 1 - i)));
}

static uint64_t get_number(const uint8_t *bytes, size_t size)
{
    uint64_t number = 0;

    for (size_t i = 0; i < size; i++)
        number = number << 8 | bytes[i];
    return number;
}

struct str cursor_encode(const struct list_key *key, uint32_t list_tag, struct arena *arena)
{
    uint8_t raw[CURSOR_RAW_MAX];
    size_t len = CURSOR_HEAD;
    char *text;

    raw[0] = CURSOR_VERSION;
    put_number(raw + 1, list_tag, 4);
    if (key->text.ptr) {
        if (key->text.len > CURSOR_TEXT_MAX)
            return STR_NULL;
        raw[5] = CURSOR_TEXT;
        memcpy(raw + len, key->text.ptr, key->text.len);
        len += key->text.len;
    } else {
        raw[5] = CURSOR_TIME;
        put_number(raw + len, (uint64_t)key->time, 8);
        len += 8;
    }
    memcpy(raw + len, key->id.bytes, 16);
    len += 16;
    text = arena_alloc(arena, BASE64URL_LEN(len));
    if (!text)
        return STR_NULL;
    base64url_encode(raw, len, text);
    return (struct str){text, BASE64URL_LEN(len)};
}

bool cursor_decode(struct str text, uint32_t list_tag, struct arena *arena, struct page *page)
{
    uint8_t raw[CURSOR_RAW_MAX];
    struct str key;
    size_t len;

    if (!base64url_decode(text, raw, sizeof(raw), &len) || len < CURSOR_HEAD + 16 ||
        raw[0] != CURSOR_VERSION)
        return false;
    page->sort = (uint32_t)get_number(raw + 1, 4) - list_tag;
    if (page->sort >= PAGE_SORTS)
        return false;
    key = (struct str){(const char *)raw + CURSOR_HEAD, len - CURSOR_HEAD - 16};
    memcpy(page->cursor_id.bytes, raw + len - 16, 16);
    if (uuid_is_none(page->cursor_id))
        return false;
    if (raw[5] == CURSOR_TIME) {
        if (key.len != 8)
            return false;
        page->cursor_time = (int64_t)get_number(raw + CURSOR_HEAD, 8);
        return page->cursor_time == TIME_END ||
               (page->cursor_time >= TIME_MIN_US && page->cursor_time <= TIME_MAX_US);
    }
    if (raw[5] != CURSOR_TEXT || !str_is_utf8(key) || memchr(key.ptr, '\0', key.len))
        return false;
    page->cursor_text = str_copy(arena, key);
    return page->cursor_text.ptr != NULL;
}

/* ------------------------------------------------------------------ parameters */

static size_t parameter_of(struct str name)
{
    size_t i = 0;

    while (i < PARAMETERS && !str_is(name, page_parameters[i].name))
        i++;
    return i;
}

/* Sets values[] and gives what else there is. */
static struct str split(struct str query, struct arena *arena, struct error *error,
                        struct str values[PARAMETERS])
{
    struct str rest = query, pair, name;
    struct buf others;
    bool taken = false;

    buf_init(&others, arena, TARGET_MAX);
    while (rest.ptr) {
        rest = str_cut(rest, '&', &pair);
        struct str value = str_cut(pair, '=', &name);
        size_t i = parameter_of(name);

        if (i == PARAMETERS) {
            if (others.len > 0)
                buf_add_char(&others, '&');
            buf_add(&others, pair);
            continue;
        }
        taken = true;
        if (values[i].ptr)
            error_fault(error, page_parameters[i].name, "repeated", "may be given once only");
        values[i] = value.ptr ? value : (struct str){"", 0};
    }
    if (buf_failed(&others))
        error_set(error, ERR_TOO_LARGE, "The query is larger than is taken.");
    return taken ? buf_str(&others) : query;
}

static int64_t number_of(const struct str values[PARAMETERS], enum parameter which, int64_t least,
                         int64_t most, int64_t fallback, struct error *error)
{
    const char *name = page_parameters[which].name;
    int64_t number;

    if (!values[which].ptr)
        return fallback;
    if (!str_to_int(values[which], &number)) {
        error_fault(error, name, "wrong_type", "must be a whole number");
        return fallback;
    }
    if (number < least) {
        error_fault(error, name, "too_small", "must be at least %lld", (long long)least);
        return fallback;
    }
    if (number > most) {
        error_fault(error, name, "too_large", "must be at most %lld", (long long)most);
        return fallback;
    }
    return number;
}

static void not_together(const struct str values[PARAMETERS], enum parameter a, enum parameter b,
                         struct error *error)
{
    if (values[a].ptr && values[b].ptr)
        error_fault(error, page_parameters[b].name, "conflict", "cannot stand together with %s",
                    page_parameters[a].name);
}

static void check_depth(struct page *page, enum parameter which, struct error *error)
{
    if (page->offset > OFFSET_MAX)
        error_fault(error, page_parameters[which].name, "too_large",
                    "may skip at most %d rows; deeper pages go by cursor (next_cursor)",
                    OFFSET_MAX);
}

void page_parse(struct str query, uint32_t list_tag, const struct page_size *size, bool wants_csv,
                struct arena *arena, struct error *error, struct page *page, struct str *rest)
{
    struct str values[PARAMETERS] = {{NULL, 0}};
    enum parameter size_name;
    int64_t most, fallback;

    *page = (struct page){.number = 1,
                          .cursor_time = TIME_END,
                          .cursor_text = {"", 0},
                          .cursor_id = UUID_MAX,
                          .csv = wants_csv};
    *rest = split(query, arena, error, values);
    if (values[FORMAT].ptr) {
        page->csv = str_is(values[FORMAT], "csv");
        if (!page->csv && !str_is(values[FORMAT], "json"))
            error_fault(error, "format", "not_one_of", "must be one of: json, csv");
    }
    not_together(values, PAGE_SIZE, LIMIT, error);
    not_together(values, PAGE, OFFSET, error);
    not_together(values, PAGE, CURSOR, error);
    not_together(values, OFFSET, CURSOR, error);

    size_name = values[PAGE_SIZE].ptr ? PAGE_SIZE : LIMIT;
    most = page->csv ? CSV_ROWS_MAX : size->most;
    fallback = page->csv ? CSV_ROWS_MAX : size->fallback;
    page->limit = number_of(values, size_name, 1, most, fallback, error);
    page->offset = number_of(values, OFFSET, 0, INT64_MAX, 0, error);
    page->number = number_of(values, PAGE, 1, INT64_MAX / CSV_ROWS_MAX, 1, error);
    if (values[CURSOR].ptr) {
        page->offset = page->number = 0;
        page->by_cursor = cursor_decode(values[CURSOR], list_tag, arena, page);
        if (!page->by_cursor)
            (void)refuse_cursor(error);
        return;
    }
    if (values[OFFSET].ptr) {
        page->number = page->offset / page->limit + 1;
        check_depth(page, OFFSET, error);
    } else {
        page->offset = (page->number - 1) * page->limit;
        check_depth(page, PAGE, error);
    }
}
