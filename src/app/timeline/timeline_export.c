#include "app/timeline/timeline_export.h"

#include "app/customer/customer.h"
#include "app/timeline/timeline_export_sql.h"
#include "app/timeline/timeline_pdf.h"

#include <string.h>

#define STEP_ROWS 200                          /* read at a time: PostgreSQL sends all first */
#define BUFFER_MAX (EXPORT_BYTES_MAX + MIB(4)) /* with what the last event, or page, takes */

static const char *const format_names[] = {"jsonl", "csv", "pdf"};
const struct enum_names export_formats = ENUM_NAMES(format_names);

struct exporting {
    int format;
    struct buf body;
    struct pdf *pdf;
    int64_t events;
    bool full; /* no more fits, and there is one more */
    int64_t last_time;
    struct uuid last_id;
};

static enum err too_large(struct ctx *cx)
{
    return error_set(cx->error, ERR_TOO_LARGE, "The answer is larger than is sent.");
}

/* One line: line ends between the members of a payload, where alone they can stand, become
 * spaces. */
static void put_line(struct exporting *exporting, const struct event *event)
{
    const size_t begin = exporting->body.len;
    struct json_out out;

    json_out_init(&out, &exporting->body);
    record_encode(&event_record, event, false, &out);
    for (size_t i = begin; i < exporting->body.len; i++) {
        if (exporting->body.ptr[i] == '\n' || exporting->body.ptr[i] == '\r')
            exporting->body.ptr[i] = ' ';
    }
    buf_add_char(&exporting->body, '\n');
}

static void put_entry(struct exporting *exporting, const struct event *event)
{
    const struct pdf_entry entry = {.occurred_at_us = event->occurred_at,
                                    .event_type = event->event_type,
                                    .title = event->title,
                                    .description = event->description,
                                    .who = event->triggered_by_name.ptr
                                               ? event->triggered_by_name
                                               : str_of(enum_name(&event_sources, event->source))};

    if (!pdf_add(exporting->pdf, &entry))
        exporting->body.failed = true;
}

static bool is_full(const struct exporting *exporting)
{
    return exporting->events == EXPORT_EVENTS_MAX || exporting->body.len > EXPORT_BYTES_MAX ||
           (exporting->pdf && pdf_page(exporting->pdf) > EXPORT_PAGES_MAX);
}

static enum err put(struct ctx *cx, void *context, void *row)
{
    struct exporting *exporting = context;
    const struct event *event = row;

    exporting->full = exporting->full || is_full(exporting);
    if (exporting->full)
        return OK;
    if (exporting->format == EXPORT_PDF)
        put_entry(exporting, event);
    else if (exporting->format == EXPORT_CSV)
        record_csv_row(&event_record, event, &exporting->body);
    else
        put_line(exporting, event);
    exporting->events++;
    exporting->last_time = event->occurred_at;
    exporting->last_id = event->id;
    return buf_failed(&exporting->body) ? too_large(cx) : OK;
}

static enum err read_all(struct ctx *cx, struct uuid timeline_id, const struct export_wish *wish,
                         struct exporting *exporting)
{
    const bool is_client = wish->view == VIEW_CLIENT || cx->actor.role == ROLE_CONTACT;
    int64_t before;

    exporting->last_time = wish->after_time.set ? wish->after_time.value
                           : wish->from.set     ? wish->from.value
                                                : TIME_MIN_US;
    exporting->last_id = wish->after_time.set ? wish->after_id : UUID_MIN;
    do {
        before = exporting->events;
        TRY(db_each(cx, is_client ? &sql_export_for_client : &sql_export_for_agent,
                    ARGS({"timeline_id", v_uuid(timeline_id)},
                         {"cursor_time", v_time(exporting->last_time)},
                         {"cursor_id", v_uuid(exporting->last_id)},
                         {"to_time", v_time(wish->to.set ? wish->to.value : TIME_END)},
                         {"limit", v_int(STEP_ROWS)}),
                    &event_record, put, exporting));
    } while (!exporting->full && exporting->events - before == STEP_ROWS);
    return OK;
}

static enum err write_pdf(struct ctx *cx, const struct customer *customer,
                          const struct export_wish *wish, struct exporting *exporting)
{
    const struct pdf_head head = {.name = customer->name,
                                  .zone = cx->actor.timezone.ptr ? cx->actor.timezone : STR("UTC"),
                                  .from = wish->from,
                                  .to = wish->to,
                                  .made_at_us = cx->now_us};
    enum err result;

    exporting->pdf = pdf_open(&head, &exporting->body);
    if (!exporting->pdf)
        return error_set(cx->error, ERR_UNAVAILABLE, "The server has no memory left.");
    result = read_all(cx, customer->id, wish, exporting);
    if (!pdf_close(exporting->pdf) && result == OK)
        result = too_large(cx);
    return result;
}

enum err timeline_export(struct ctx *cx, struct uuid contact_id, const struct export_wish *wish,
                         struct export_file *out)
{
    struct exporting exporting = {.format = wish->format ? wish->format : EXPORT_JSONL};
    struct customer customer = {0};

    TRY(timeline_owner(cx, contact_id, &contact_id));
    TRY(customer_get(cx, contact_id, &customer));
    buf_init(&exporting.body, cx->arena, BUFFER_MAX);
    if (exporting.format == EXPORT_CSV)
        record_csv_header(&event_record, &exporting.body);
    if (exporting.format == EXPORT_PDF)
        TRY(write_pdf(cx, &customer, wish, &exporting));
    else
        TRY(read_all(cx, customer.id, wish, &exporting));
    if (buf_failed(&exporting.body))
        return too_large(cx);
    *out = (struct export_file){.name = customer.name,
                                .body = exporting.body.len > 0 ? buf_str(&exporting.body) : STR(""),
                                .more = exporting.full,
                                .last_time = exporting.last_time,
                                .last_id = exporting.last_id};
    return OK;
}
