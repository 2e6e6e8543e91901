#include "app/timeline/timeline_export.h"
#include "http/page.h"
#include "http/route.h"

extern const struct resource export_resource;

#define CURSOR_TAG UINT32_C(0x65787074) /* of no list */
#define FILE_NAME_MAX 80                /* bytes of the customer's name in it */

struct export_query {
    struct export_wish wish;
    struct str cursor;
};
static const struct field query_fields[] = {
    FIELD_AS(export_query, "format", wish.format, F_ENUM, 0, .names = &export_formats,
             .doc = "Left out: jsonl"),
    FIELD_AS(export_query, "view", wish.view, F_ENUM, 0, .names = &event_views,
             .doc = "Left out: agent"),
    FIELD_AS(export_query, "from", wish.from, F_TIME, NULLABLE,
             .doc = "occurred_at at this time or later"),
    FIELD_AS(export_query, "to", wish.to, F_TIME, NULLABLE, .doc = "occurred_at before this time"),
    FIELD(export_query, cursor, F_TEXT, ONE_LINE, .min = 1, .max = 200,
          .doc = "As the Link header of the answer before says"),
};
static const struct record query_record =
    RECORD_NAMED("TimelineExportQuery", export_query, query_fields);

static const struct {
    const char *media_type, *extension;
} formats[] = {
    [EXPORT_JSONL] = {"application/jsonl", "jsonl"},
    [EXPORT_CSV] = {"text/csv; charset=utf-8; header=present", "csv"},
    [EXPORT_PDF] = {"application/pdf", "pdf"},
};

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

/* RFC 6266: a name of plain letters for all, and the whole one as RFC 8187 has it. */
static void put_file_name(struct buf *out, struct str name, const char *extension)
{
    size_t len = name.len < FILE_NAME_MAX ? name.len : FILE_NAME_MAX;

    while (len > 0 && len < name.len && ((unsigned char)name.ptr[len] & 0xC0) == 0x80)
        len--;
    buf_add(out, STR("attachment; filename=\"timeline-"));
    for (size_t i = 0; i < len; i++)
        buf_add_char(out, is_plain(name.ptr[i]) ? name.ptr[i] : '_');
    buf_addf(out, ".%s\"; filename*=UTF-8''timeline-", extension);
    for (size_t i = 0; i < len; i++) {
        if (is_plain(name.ptr[i]))
            buf_add_char(out, name.ptr[i]);
        else
            buf_addf(out, "%%%02X", (unsigned)(unsigned char)name.ptr[i]);
    }
    buf_addf(out, ".%s", extension);
}

static void put_time(struct buf *out, const char *name, struct maybe_int time)
{
    char text[TIME_TEXT_MAX];

    if (time.set)
        buf_addf(out, "&%s=%.*s", name, (int)time_format(time.value, text), text);
}

/* The same question, from where this answer ended. RFC 8288. */
static void put_link(struct buf *out, struct req *rq, const struct export_wish *wish,
                     const struct export_file *file)
{
    const struct list_key key = {.time = file->last_time, .id = file->last_id};

    buf_addf(out, "<%.*s?format=%s", STR_FMT(rq->exchange->request.path),
             enum_name(&export_formats, wish->format));
    if (wish->view)
        buf_addf(out, "&view=%s", enum_name(&event_views, wish->view));
    put_time(out, "from", wish->from);
    put_time(out, "to", wish->to);
    buf_addf(out, "&cursor=%.*s>; rel=\"next\"",
             STR_FMT(cursor_encode(&key, CURSOR_TAG, rq->cx.arena)));
}

static enum err take_cursor(struct req *rq, struct str cursor, struct export_wish *wish)
{
    struct page page = {.limit = 0};

    if (!cursor.ptr)
        return OK;
    if (!cursor_decode(cursor, CURSOR_TAG, rq->cx.arena, &page))
        return error_fault(rq->cx.error, "cursor", "bad_format",
                           "must be that of the Link header of an export");
    wish->after_time = (struct maybe_int)SOME(page.cursor_time);
    wish->after_id = page.cursor_id;
    return OK;
}

static enum err export_timeline(struct req *rq)
{
    const struct export_query *query = rq->query;
    struct export_wish wish = query->wish;
    struct export_file file;
    struct buf name, link;
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    if (!wish.format)
        wish.format = EXPORT_JSONL;
    TRY(take_cursor(rq, query->cursor, &wish));
    TRY(timeline_export(&rq->cx, id, &wish, &file));
    buf_init(&name, rq->cx.arena, KIB(1));
    buf_init(&link, rq->cx.arena, TARGET_MAX);
    put_file_name(&name, file.name, formats[wish.format].extension);
    if (file.more)
        put_link(&link, rq, &wish, &file);
    if (buf_failed(&name) || buf_failed(&link))
        return error_set(rq->cx.error, ERR_TOO_LARGE, "The answer is larger than is sent.");
    http_header_add(rq->exchange, "Content-Disposition", buf_str(&name));
    if (file.more)
        http_header_add(rq->exchange, "Link", buf_str(&link));
    return reply_text(rq, 200, formats[wish.format].media_type, file.body);
}

static const struct route routes[] = {
    {HTTP_GET, "/{id}/events/export", ROLE_CONTACT, TX_REPORT, export_timeline,
     "A contact's timeline as a file, oldest first; a Link header leads to what is left",
     .answers = ANSWER_OTHER, .query = &query_record,
     .other_answer = "application/jsonl, text/csv, application/pdf"},
};

static const char *const mounts[] = {"/contacts", "/customers", "/leads"};

const struct resource export_resource = {"Contact events", mounts, COUNT_OF(mounts), routes,
                                         COUNT_OF(routes)};
