#include "app/import/import.h"

#include "app/import/import_sql.h"
#include "app/timeline/timeline.h"
#include "db/counts.h"

static bool is_hash(struct str text)
{
    uint8_t bytes[32];

    return str_from_hex(text, bytes, sizeof bytes);
}

static const struct text_format hash_format = {"sha256", is_hash, "must be 64 hexadecimal digits"};

static const struct field import_fields[] = {
    FIELD(import, id, F_UUID, READ_ONLY),
    FIELD(import, name, F_TEXT, REQUIRED | ONE_LINE, .min = 1, .max = 255),
    FIELD(import, source_hash, F_TEXT, REQUIRED | ONE_LINE, .format = &hash_format,
          .doc = "SHA-256 of what is read, so that a second run goes on"),
    FIELD(import, next_row, F_INT, READ_ONLY),
    FIELD(import, customers, F_INT, READ_ONLY),
    FIELD(import, interactions, F_INT, READ_ONLY),
    FIELD(import, present, F_INT, READ_ONLY),
    FIELD(import, refused, F_INT, READ_ONLY),
    FIELD(import, created_by, F_UUID, READ_ONLY | NULLABLE),
    FIELD(import, created_at, F_TIME, READ_ONLY),
    FIELD(import, updated_at, F_TIME, READ_ONLY),
    FIELD(import, finished_at, F_TIME, READ_ONLY | NULLABLE),
};
const struct record import_record = RECORD_NAMED("Import", import, import_fields);

static const struct field import_row_fields[] = {
    FIELD(import_row, row, F_INT, REQUIRED, .min = 1, .max = INT64_C(1) << 40),
    FIELD(import_row, line, F_INT, REQUIRED, .min = 1, .max = INT64_C(1) << 40),
    FIELD(import_row, customer, F_JSON, NULLABLE, .doc = "a Customer with its external_id"),
    FIELD(import_row, interaction, F_JSON, NULLABLE, .doc = "an ImportedInteraction"),
    FIELD(import_row, refused, F_TEXT, NULLABLE, .max = 500,
          .doc = "why the file's reader could not make a record of it"),
};
const struct record import_row_record = RECORD_NAMED("ImportRow", import_row, import_row_fields);

static const struct field import_refusal_fields[] = {
    FIELD_AS(import_refusal, "row", row_number, F_INT, READ_ONLY),
    FIELD(import_refusal, line, F_INT, READ_ONLY),
    FIELD(import_refusal, reason, F_TEXT, READ_ONLY),
};
const struct record import_refusal_record =
    RECORD_NAMED("ImportRefusal", import_refusal, import_refusal_fields);

/* An interaction as a file tells of it: it knows no ids, and a length instead of an end. */
struct import_touch {
    struct interaction in;
    struct maybe_int duration_seconds;
};

static const struct field import_touch_fields[] = {
    FIELD_AS(import_touch, "external_id", in.external_id, F_TEXT, REQUIRED | ONE_LINE, .min = 1,
             .max = 255),
    FIELD_AS(import_touch, "type", in.type, F_ENUM, REQUIRED, .names = &interaction_types),
    FIELD_AS(import_touch, "direction", in.direction, F_ENUM, REQUIRED, .names = &directions),
    FIELD_AS(import_touch, "channel", in.channel, F_TEXT, NULLABLE | ONE_LINE, .max = 50),
    FIELD_AS(import_touch, "outcome", in.outcome, F_ENUM, NULLABLE, .names = &outcomes),
    FIELD_AS(import_touch, "subject", in.subject, F_TEXT, NULLABLE | ONE_LINE, .max = 255),
    FIELD_AS(import_touch, "description", in.description, F_TEXT, NULLABLE, .max = 100000),
    FIELD_AS(import_touch, "started_at", in.started_at, F_TIME, REQUIRED),
    FIELD_AS(import_touch, "ended_at", in.ended_at, F_TIME, NULLABLE),
    FIELD_AS(import_touch, "duration_seconds", duration_seconds, F_INT, NULLABLE, .min = 0,
             .max = INT64_C(366) * 86400),
    FIELD_AS(import_touch, "location", in.location, F_TEXT, NULLABLE | ONE_LINE, .max = 255),
    FIELD_AS(import_touch, "metadata", in.metadata, F_JSON, NULLABLE),
};
static const struct record import_touch_record =
    RECORD_NAMED("ImportedInteraction", import_touch, import_touch_fields);

enum err import_begin(struct ctx *cx, const struct import *in, struct import *out, bool *created)
{
    const struct uuid id = uuid_new(cx->ids, cx->now_us);

    TRY(db_run(cx, &sql_import_insert,
               ARGS({"id", v_uuid(id)}, {"name", v_text(in->name)},
                    {"source_hash", v_text(in->source_hash)})));
    *created = db_changed(cx) == 1;
    TRY(db_one(cx, &sql_import_by_source, ARGS({"source_hash", v_text(in->source_hash)}),
               &import_record, out));
    if (!*created)
        return OK;
    TRY(count_add(cx, "imports", STR(""), 1));
    return timeline_record(cx, &(struct event){.subject_type = STR("import"),
                                               .subject_id = id,
                                               .event_type = STR("import_started"),
                                               .category = CATEGORY_SYSTEM,
                                               .title = STR("Import started"),
                                               .payload = PAYLOAD(cx, {"name", v_text(in->name)})});
}

enum err import_get(struct ctx *cx, struct uuid id, struct import *out)
{
    return db_one(cx, &sql_import_get, ARGS({"id", v_uuid(id)}), &import_record, out);
}

enum err import_get_locked(struct ctx *cx, struct uuid id, struct import *out)
{
    return db_one(cx, &sql_import_get_locked, ARGS({"id", v_uuid(id)}), &import_record, out);
}

static enum err take_customer(struct ctx *cx, const struct import_row *row, struct customer *out,
                              bool *created)
{
    const struct decoding in = {.arena = cx->arena, .error = cx->error, .path = "customer."};
    struct customer customer = {0};
    struct given given = {0};

    if (row->customer.ptr == NULL)
        return error_fault(cx->error, "customer", "required", "is needed");
    TRY(record_decode(&customer_record, row->customer, &in, &customer, &given));
    if (customer.external_id.ptr == NULL)
        return error_fault(cx->error, "customer.external_id", "required",
                           "is needed, so that a second run finds the customer again");
    return customer_upsert(cx, customer.external_id, &customer, &given, out, created);
}

static enum err take_interaction(struct ctx *cx, const struct import_row *row,
                                 const struct customer *customer, bool *created)
{
    const struct decoding in = {.arena = cx->arena, .error = cx->error, .path = "interaction."};
    struct import_touch touch = {0};
    struct interaction made;
    bool found;

    TRY(record_decode(&import_touch_record, row->interaction, &in, &touch, NULL));
    if (touch.duration_seconds.set && touch.in.ended_at.set)
        return error_fault(cx->error, "interaction.duration_seconds", "conflict",
                           "cannot be given together with ended_at");
    if (touch.duration_seconds.set)
        touch.in.ended_at =
            (struct maybe_int)SOME(touch.in.started_at + touch.duration_seconds.value * SECOND_US);
    TRY(interaction_find_external(cx, touch.in.external_id, &made, &found));
    if (found) {
        *created = false;
        return OK;
    }
    touch.in.customer_id = customer->id;
    touch.in.company_id = customer->company_id;
    *created = true;
    return interaction_create(cx, &touch.in, &made);
}

enum err import_take_row(struct ctx *cx, struct import *import, const struct import_row *row,
                         struct uuid *id, bool *made)
{
    struct customer customer;
    bool new_customer = false;
    bool new_interaction = false;

    if (row->refused.ptr != NULL)
        return error_fault(cx->error, "", "unreadable", "%.*s", STR_FMT(row->refused));
    TRY(take_customer(cx, row, &customer, &new_customer));
    if (row->interaction.ptr != NULL)
        TRY(take_interaction(cx, row, &customer, &new_interaction));
    import->customers += new_customer ? 1 : 0;
    import->interactions += new_interaction ? 1 : 0;
    import->present += !new_customer && !new_interaction ? 1 : 0;
    *id = customer.id;
    *made = new_customer || new_interaction;
    return OK;
}

/* "customer.email must be an e-mail address; interaction.type is needed" */
static struct str reason_of(struct ctx *cx, const struct error *why)
{
    struct buf buf;

    buf_init(&buf, cx->arena, KIB(16));
    for (size_t i = 0; i < why->fault_count && i < FAULTS_MAX; i++)
        buf_addf(&buf, "%s%s%s%s", i > 0 ? "; " : "", why->faults[i].field,
                 why->faults[i].field[0] != '\0' ? " " : "", why->faults[i].message);
    if (why->fault_count == 0)
        buf_add(&buf, str_of(why->detail));
    return buf_str(&buf);
}

enum err import_refuse(struct ctx *cx, struct import *import, const struct import_row *row,
                       const struct error *why)
{
    import->refused++;
    return db_run(cx, &sql_import_refusal_insert,
                  ARGS({"import_id", v_uuid(import->id)}, {"row_number", v_int(row->row)},
                       {"line", v_int(row->line)}, {"reason", v_text(reason_of(cx, why))}));
}

enum err import_save(struct ctx *cx, const struct import *import)
{
    return db_run_found(cx, &sql_import_save, ARGS_OF(&import_record, import));
}

enum err import_finish(struct ctx *cx, struct import *import)
{
    if (import->finished_at.set)
        return OK;
    import->finished_at = (struct maybe_int)SOME(cx->now_us);
    import->updated_at = cx->now_us;
    TRY(import_save(cx, import));
    return timeline_record(
        cx, &(struct event){.subject_type = STR("import"),
                            .subject_id = import->id,
                            .event_type = STR("import_finished"),
                            .category = CATEGORY_SYSTEM,
                            .title = STR("Import finished"),
                            .payload = PAYLOAD(cx, {"name", v_text(import->name)},
                                               {"customers", v_int(import->customers)},
                                               {"interactions", v_int(import->interactions)},
                                               {"present", v_int(import->present)},
                                               {"refused", v_int(import->refused)})});
}
