#include "app/customer/customer.h"
#include "app/customer/customer_sql.h"
#include "app/timeline/timeline.h"
#include "db/counts.h"

static const struct field note_fields[] = {
    FIELD(customer_note, id, F_UUID, READ_ONLY),
    FIELD(customer_note, customer_id, F_UUID, READ_ONLY),
    FIELD(customer_note, text, F_TEXT, REQUIRED, .min = 1, .max = CUSTOMER_NOTE_MAX),
    FIELD(customer_note, created_by, F_UUID, READ_ONLY | NULLABLE),
    FIELD(customer_note, created_by_name, F_TEXT, READ_ONLY | NULLABLE),
    FIELD(customer_note, version, F_INT, READ_ONLY),
    FIELD(customer_note, created_at, F_TIME, READ_ONLY),
    FIELD(customer_note, updated_at, F_TIME, READ_ONLY),
};
const struct record customer_note_record = RECORD_NAMED("CustomerNote", customer_note, note_fields);

static enum err read_note(struct ctx *cx, struct uuid customer_id, struct uuid note_id,
                          struct customer_note *out)
{
    return db_one(cx, &sql_customer_note_get,
                  ARGS({"customer_id", v_uuid(customer_id)}, {"id", v_uuid(note_id)}),
                  &customer_note_record, out);
}

static enum err record_event(struct ctx *cx, const struct customer_note *note, const char *type,
                             const char *title)
{
    struct event event = {.contact_id = note->customer_id,
                          .event_type = str_of(type),
                          .category = CATEGORY_NOTE,
                          .title = str_of(title),
                          .description = note->text,
                          .payload = PAYLOAD(cx, {"note_id", v_uuid(note->id)})};

    TRY(timeline_index(cx, &event));
    return timeline_record(cx, &event);
}

enum err customer_note_add(struct ctx *cx, struct uuid customer_id, struct str text,
                           struct customer_note *out)
{
    struct customer_note note = {.id = uuid_new(cx->ids, cx->now_us), .text = text};
    struct customer customer = {0};

    TRY(customer_get_locked(cx, customer_id, &customer));
    note.customer_id = customer.id;
    TRY(db_run(cx, &sql_customer_note_insert, ARGS_OF(&customer_note_record, &note)));
    TRY(count_add_uuid(cx, "customer_notes.customer", customer.id, 1));
    TRY(record_event(cx, &note, "note_added", "Note added"));
    return read_note(cx, customer.id, note.id, out);
}

enum err customer_note_get(struct ctx *cx, struct uuid customer_id, struct uuid note_id,
                           struct customer_note *out)
{
    struct customer customer = {0};

    TRY(customer_get(cx, customer_id, &customer));
    return read_note(cx, customer.id, note_id, out);
}

enum err customer_note_get_locked(struct ctx *cx, struct uuid customer_id, struct uuid note_id,
                                  struct customer_note *out)
{
    struct customer customer = {0};

    TRY(customer_get_locked(cx, customer_id, &customer));
    return read_note(cx, customer.id, note_id, out);
}

enum err customer_note_edit(struct ctx *cx, const struct customer_note *current, struct str text,
                            struct customer_note *out)
{
    struct customer_note note = *current;

    *out = *current;
    if (str_equal(text, current->text))
        return OK;
    note.text = text;
    TRY(db_run(cx, &sql_customer_note_save, ARGS_OF(&customer_note_record, &note)));
    TRY(record_event(cx, &note, "note_updated", "Note updated"));
    return read_note(cx, current->customer_id, current->id, out);
}

enum err customer_note_remove(struct ctx *cx, const struct customer_note *current)
{
    TRY(db_run(cx, &sql_customer_note_delete, ARGS({"id", v_uuid(current->id)})));
    TRY(count_add_uuid(cx, "customer_notes.customer", current->customer_id, -1));
    return record_event(cx, current, "note_deleted", "Note deleted");
}

enum err customer_notes(struct ctx *cx, struct uuid customer_id, int64_t before_time,
                        struct uuid before_id, int64_t limit, int64_t offset, struct list *out,
                        int64_t *total)
{
    struct customer customer = {0};

    TRY(customer_get(cx, customer_id, &customer));
    TRY(count_get_uuid(cx, "customer_notes.customer", customer.id, total));
    return db_all(cx, &sql_customer_notes,
                  ARGS({"customer_id", v_uuid(customer.id)}, {"cursor_time", v_time(before_time)},
                       {"cursor_id", v_uuid(before_id)}, {"limit", v_int(limit)},
                       {"offset", v_int(offset)}),
                  &customer_note_record, out);
}
