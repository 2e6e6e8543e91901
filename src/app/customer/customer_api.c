#include "app/customer/customer.h"
#include "app/interaction/interaction.h"
#include "http/route.h"

extern const struct resource customer_resource;

/* --- What bodies and queries look like ----------------------------------------------- */

static const struct field filter_fields[] = {
    FIELD(customer_filter, q, F_TEXT, ONE_LINE, .min = 1, .max = CUSTOMER_QUERY_MAX,
          .doc = "Beginnings of words of the name, of an address, a number or external_id"),
    FIELD(customer_filter, status, F_ENUM, 0, .names = &customer_statuses),
    FIELD(customer_filter, owner_id, F_UUID, 0),
    FIELD(customer_filter, company_id, F_UUID, 0),
    FIELD(customer_filter, tag, F_TEXT, ONE_LINE, .min = 1, .max = CUSTOMER_TAG_MAX),
    FIELD(customer_filter, email, F_TEXT, ONE_LINE, .min = 1, .max = 254,
          .doc = "One of the e-mail addresses, whole"),
    FIELD(customer_filter, phone, F_TEXT, ONE_LINE, .min = 1, .max = 40,
          .doc = "One of the numbers, whole, with its country code"),
    FIELD(customer_filter, external_id, F_TEXT, ONE_LINE, .min = 1, .max = 255),
    FIELD(customer_filter, not_contacted_since, F_TIME, NULLABLE,
          .doc = "Last contacted before it, or never"),
    FIELD(customer_filter, not_contacted_days, F_INT, NULLABLE, .min = 1, .max = 36500,
          .doc = "Last contacted longer ago than so many days of 24 hours, or never"),
    FIELD(customer_filter, method, F_ENUM, 0, .names = &interaction_type_words,
          .doc = "last_contact_method"),
    FIELD(customer_filter, sort, F_ENUM, 0, .names = &customer_sorts,
          .doc = "last_contacted_at: longest ago first, after those who never were; "
                 "-last_contacted_at: the other way round. Else by name"),
};
static const struct record filter_record =
    RECORD_NAMED("CustomerFilter", customer_filter, filter_fields);

static const struct field search_fields[] = {
    FIELD(customer_filter, q, F_TEXT, REQUIRED | ONE_LINE, .min = 1, .max = CUSTOMER_QUERY_MAX,
          .doc = "Beginnings of words of the name, of an address, a number or external_id"),
};
static const struct record search_record =
    RECORD_NAMED("CustomerSearch", customer_filter, search_fields);

static const struct field note_body_fields[] = {
    FIELD(customer_note, text, F_TEXT, REQUIRED, .min = 1, .max = CUSTOMER_NOTE_MAX),
};
static const struct record note_body =
    RECORD_NAMED("CustomerNoteBody", customer_note, note_body_fields);

/* What the bodies of single and bulk changes hold. */
struct change {
    struct list ids;
    struct uuid owner_id;
    int status;
    struct list add, remove;
};

static enum err take_owner(const struct decoding *in, const struct json_t *value, void *record)
{
    struct change *change = record;

    if (json_kind_of(value) != JSON_IS_TEXT ||
        !uuid_parse(json_value_text(value), &change->owner_id))
        return decoding_fault(in, "owner_id", "bad_format", "must be a UUID or null");
    return OK;
}

static void put_owner(struct json_out *out, const void *record)
{
    json_uuid(out, ((const struct change *)record)->owner_id);
}

/* Null is a value here, and leaving it out is a fault: nobody is unassigned by a slip. */
#define OWNER_FIELD                                                                                \
    VIEW_OF(change, "owner_id", owner_id, put_owner, take_owner, NULLABLE,                         \
            .schema = "{\"type\":[\"string\",\"null\"],\"format\":\"uuid\"}")
#define IDS_FIELD FIELD(change, ids, F_LIST, REQUIRED, .of = F_UUID, .min = 1, .max = BULK_ROWS_MAX)

static const struct field owner_fields[] = {OWNER_FIELD};
static const struct record owner_body = RECORD_NAMED("CustomerOwner", change, owner_fields);

static const struct field status_fields[] = {
    FIELD(change, status, F_ENUM, REQUIRED, .names = &customer_statuses),
};
static const struct record status_body = RECORD_NAMED("CustomerStatus", change, status_fields);

static const struct field bulk_assign_fields[] = {IDS_FIELD, OWNER_FIELD};
static const struct record bulk_assign_body =
    RECORD_NAMED("CustomerBulkAssign", change, bulk_assign_fields);

static const struct field bulk_status_fields[] = {
    IDS_FIELD,
    FIELD(change, status, F_ENUM, REQUIRED, .names = &customer_statuses),
};
static const struct record bulk_status_body =
    RECORD_NAMED("CustomerBulkStatus", change, bulk_status_fields);

static const struct field bulk_tag_fields[] = {
    IDS_FIELD,
    FIELD(change, add, F_LIST, 0, .of = F_TEXT, .unique = true, .max = CUSTOMER_TAGS_MAX,
          .doc = "Tags that each of them gets"),
    FIELD(change, remove, F_LIST, 0, .of = F_TEXT, .unique = true, .max = CUSTOMER_TAGS_MAX,
          .doc = "Tags that each of them loses"),
};
static const struct record bulk_tag_body = RECORD_NAMED("CustomerBulkTag", change, bulk_tag_fields);

/* {"value": …}: any JSON but null. The handler takes its bytes. */
struct field_value {
    bool given;
};

static enum err take_value(const struct decoding *in, const struct json_t *value, void *record)
{
    (void)in;
    (void)value;
    ((struct field_value *)record)->given = true;
    return OK;
}

static void put_value(struct json_out *out, const void *record)
{
    (void)record;
    json_nil(out);
}

static const struct field value_fields[] = {
    VIEW_OF(field_value, "value", given, put_value, take_value, REQUIRED | WRITE_ONLY,
            .schema = "{\"not\":{\"type\":\"null\"}}"),
};
static const struct record value_body = RECORD_NAMED("CustomFieldValue", field_value, value_fields);

/* --- Handlers ------------------------------------------------------------------------ */

static struct list_key list_key_of(struct customer_key key, bool by_name)
{
    return by_name ? (struct list_key){.text = key.name, .id = key.id}
                   : (struct list_key){.time = key.contacted_at, .id = key.id};
}

static void key_by_name(const void *row, struct list_key *out)
{
    *out = list_key_of(customer_key_of(row), true);
}

static void key_by_contact(const void *row, struct list_key *out)
{
    *out = list_key_of(customer_key_of(row), false);
}

/* Which of the sorts, and where the list begins. */
static enum err take_place(struct req *rq, struct customer_place *out)
{
    const struct customer_filter *filter = rq->query;
    struct page *page = &rq->page;

    if (filter->not_contacted_days.set && filter->not_contacted_since.set)
        error_fault(rq->cx.error, "not_contacted_days", "conflict",
                    "cannot stand together with not_contacted_since");
    TRY(page_sort(rq, filter->sort ? (uint32_t)filter->sort - 1 : 0));
    if (filter->sort != CUSTOMERS_LATEST)
        page_upwards(page);
    *out = (struct customer_place){
        {page->cursor_text, page->cursor_time, page->cursor_id}, page->limit + 1, page->offset};
    return rq->cx.error->fault_count > 0 ? ERR_INVALID : OK;
}

static enum err list(struct req *rq)
{
    const struct customer_filter *filter = rq->query;
    struct customer_place place;
    struct customer_page found;
    struct list_key cut;
    const bool by_name = filter->sort <= CUSTOMERS_BY_NAME;

    TRY(take_place(rq, &place));
    TRY(customer_list(&rq->cx, filter, &place, &found));
    cut = list_key_of(found.cut_key, by_name);
    return reply_list(rq, &customer_record, &found.rows,
                      (struct total){.rows = found.total,
                                     .capped = found.capped,
                                     .resume = found.cut ? &cut : NULL},
                      by_name ? key_by_name : key_by_contact);
}

static enum err create(struct req *rq)
{
    struct customer made = {0};

    TRY(customer_create(&rq->cx, rq->body, &made));
    return reply_created(rq, &customer_record, &made, made.id);
}

static enum err show(struct req *rq)
{
    struct customer customer = {0};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(customer_get(&rq->cx, id, &customer));
    return reply_record(rq, &customer_record, &customer);
}

static enum err show_external(struct req *rq)
{
    struct customer customer = {0};

    TRY(customer_get_external(&rq->cx, path_text(rq, 0), &customer));
    return reply_record(rq, &customer_record, &customer);
}

/* The customer of the path, locked, as the caller saw it. */
static enum err current_customer(struct req *rq, struct customer *out)
{
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(customer_get_locked(&rq->cx, id, out));
    return check_if_match(rq, out->version);
}

static enum err edit(struct req *rq)
{
    struct customer current = {0}, changed = {0};

    TRY(current_customer(rq, &current));
    TRY(customer_update(&rq->cx, &current, rq->body, &rq->given, &changed));
    return reply_record(rq, &customer_record, &changed);
}

static enum err put_external(struct req *rq)
{
    struct customer customer = {0}, current = {0};
    bool created, there;

    if (has_if_match(rq)) {
        TRY(customer_find_external_locked(&rq->cx, path_text(rq, 0), &current, &there));
        TRY(check_if_match_upsert(rq, there && !current.deleted_at.set, current.version));
    }
    TRY(customer_upsert(&rq->cx, path_text(rq, 0), rq->body, &rq->given, &customer, &created));
    return created ? reply_created(rq, &customer_record, &customer, customer.id)
                   : reply_record(rq, &customer_record, &customer);
}

static enum err delete (struct req *rq) {
    struct customer current = {0};

    TRY(current_customer(rq, &current));
    TRY(customer_delete(&rq->cx, &current));
    return reply_none(rq);
}

static enum err restore(struct req *rq)
{
    struct customer customer = {0};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(customer_get_any_locked(&rq->cx, id, &customer));
    TRY(check_if_match(rq, customer.version));
    TRY(customer_restore(&rq->cx, id, &customer));
    return reply_record(rq, &customer_record, &customer);
}

static enum err add_tag(struct req *rq)
{
    struct customer current = {0}, changed = {0};

    TRY(current_customer(rq, &current));
    TRY(customer_tag(&rq->cx, &current, path_text(rq, 1), true, &changed));
    return reply_record(rq, &customer_record, &changed);
}

static enum err remove_tag(struct req *rq)
{
    struct customer current = {0}, changed = {0};

    TRY(current_customer(rq, &current));
    TRY(customer_tag(&rq->cx, &current, path_text(rq, 1), false, &changed));
    return reply_none(rq);
}

static enum err set_field(struct req *rq)
{
    struct customer current = {0}, changed = {0};

    TRY(current_customer(rq, &current));
    TRY(customer_set_field(&rq->cx, &current, path_text(rq, 1),
                           json_raw_member(rq->body_text, STR("value")), &changed));
    return reply_record(rq, &customer_record, &changed);
}

static enum err clear_field(struct req *rq)
{
    struct customer current = {0}, changed = {0};

    TRY(current_customer(rq, &current));
    TRY(customer_set_field(&rq->cx, &current, path_text(rq, 1), STR_NULL, &changed));
    return reply_none(rq);
}

static enum err check_owner_given(struct req *rq, const struct record *body)
{
    if (given_has(&rq->given, body, "owner_id"))
        return OK;
    return error_fault(rq->cx.error, "owner_id", "required", "is required; null unassigns");
}

static enum err set_owner(struct req *rq)
{
    const struct change *change = rq->body;
    struct customer current = {0}, changed = {0};

    TRY(check_owner_given(rq, &owner_body));
    TRY(current_customer(rq, &current));
    TRY(customer_assign(&rq->cx, &current, change->owner_id, &changed));
    return reply_record(rq, &customer_record, &changed);
}

static enum err set_status(struct req *rq)
{
    const struct change *change = rq->body;
    struct customer current = {0}, changed = {0};

    TRY(current_customer(rq, &current));
    TRY(customer_set_status(&rq->cx, &current, change->status, &changed));
    return reply_record(rq, &customer_record, &changed);
}

/* --- Bulk ---------------------------------------------------------------------------- */

static enum err create_row(struct req *rq, const struct bulk_row *row, struct uuid *id, int *status)
{
    struct customer made = {0};

    (void)status;
    TRY(customer_create(&rq->cx, row->record, &made));
    *id = made.id;
    return OK;
}

static enum err create_bulk(struct req *rq)
{
    return reply_rows(rq, create_row);
}

/* Each of the body's ids becomes a row to answer. */
static enum err reply_each_id(struct req *rq,
                              enum err (*fn)(struct req *rq, const struct bulk_row *row,
                                             struct uuid *id, int *status))
{
    const struct change *change = rq->body;

    rq->row_count = change->ids.count;
    rq->rows = ARENA_ARRAY(rq->cx.arena, rq->row_count, struct bulk_row);
    if (!rq->rows)
        return error_set(rq->cx.error, ERR_TOO_LARGE,
                         "The request unfolds to more than is allowed.");
    for (size_t i = 0; i < rq->row_count; i++)
        rq->rows[i].record = LIST_AT(change->ids, struct uuid, i);
    return reply_rows(rq, fn);
}

static enum err row_customer(struct req *rq, const struct bulk_row *row, struct customer *out,
                             struct uuid *id, int *status)
{
    const struct uuid *wanted = row->record;

    *id = *wanted;
    *status = 200;
    return customer_get_locked(&rq->cx, *wanted, out);
}

static enum err assign_row(struct req *rq, const struct bulk_row *row, struct uuid *id, int *status)
{
    const struct change *change = rq->body;
    struct customer current = {0}, changed = {0};

    TRY(row_customer(rq, row, &current, id, status));
    return customer_assign(&rq->cx, &current, change->owner_id, &changed);
}

static enum err assign_bulk(struct req *rq)
{
    TRY(check_owner_given(rq, &bulk_assign_body));
    return reply_each_id(rq, assign_row);
}

static enum err status_row(struct req *rq, const struct bulk_row *row, struct uuid *id, int *status)
{
    const struct change *change = rq->body;
    struct customer current = {0}, changed = {0};

    TRY(row_customer(rq, row, &current, id, status));
    return customer_set_status(&rq->cx, &current, change->status, &changed);
}

static enum err status_bulk(struct req *rq)
{
    return reply_each_id(rq, status_row);
}

static enum err tag_row(struct req *rq, const struct bulk_row *row, struct uuid *id, int *status)
{
    const struct change *change = rq->body;
    struct customer current = {0};

    TRY(row_customer(rq, row, &current, id, status));
    for (size_t i = 0; i < change->remove.count; i++)
        TRY(customer_tag(&rq->cx, &current, *LIST_AT(change->remove, struct str, i), false,
                         &current));
    for (size_t i = 0; i < change->add.count; i++)
        TRY(customer_tag(&rq->cx, &current, *LIST_AT(change->add, struct str, i), true, &current));
    return OK;
}

static enum err tag_bulk(struct req *rq)
{
    const struct change *change = rq->body;

    if (change->add.count + change->remove.count == 0)
        return error_fault(rq->cx.error, "add", "required", "either add or remove is required");
    return reply_each_id(rq, tag_row);
}

/* --- Notes --------------------------------------------------------------------------- */

static void note_key(const void *row, struct list_key *out)
{
    const struct customer_note *note = row;

    out->time = note->created_at;
    out->id = note->id;
}

static enum err add_note(struct req *rq)
{
    const struct customer_note *body = rq->body;
    struct customer_note made = {0};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(customer_note_add(&rq->cx, id, body->text, &made));
    return reply_created(rq, &customer_note_record, &made, made.id);
}

static enum err list_notes(struct req *rq)
{
    const struct page *page = &rq->page;
    struct total total = {0};
    struct list rows;
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(customer_notes(&rq->cx, id, page->cursor_time, page->cursor_id, page->limit + 1,
                       page->offset, &rows, &total.rows));
    return reply_list(rq, &customer_note_record, &rows, total, note_key);
}

static enum err show_note(struct req *rq)
{
    struct customer_note note = {0};
    struct uuid id, note_id;

    TRY(path_id(rq, 0, &id));
    TRY(path_id(rq, 1, &note_id));
    TRY(customer_note_get(&rq->cx, id, note_id, &note));
    return reply_record(rq, &customer_note_record, &note);
}

/* The note of the path, locked, as the caller saw it. */
static enum err current_note(struct req *rq, struct customer_note *out)
{
    struct uuid id, note_id;

    TRY(path_id(rq, 0, &id));
    TRY(path_id(rq, 1, &note_id));
    TRY(customer_note_get_locked(&rq->cx, id, note_id, out));
    return check_if_match(rq, out->version);
}

static enum err edit_note(struct req *rq)
{
    const struct customer_note *body = rq->body;
    struct customer_note current = {0}, changed = {0};

    TRY(current_note(rq, &current));
    TRY(customer_note_edit(&rq->cx, &current, body->text.ptr ? body->text : current.text,
                           &changed));
    return reply_record(rq, &customer_note_record, &changed);
}

static enum err delete_note(struct req *rq)
{
    struct customer_note current = {0};

    TRY(current_note(rq, &current));
    TRY(customer_note_remove(&rq->cx, &current));
    return reply_none(rq);
}

static const struct route routes[] = {
    {HTTP_GET, "", ROLE_VIEWER, TX_READ, list, "List customers", .answers = ANSWER_LIST,
     .answer = &customer_record, .query = &filter_record, .flags = ROUTE_PAGED},
    {HTTP_POST, "", ROLE_AGENT, TX_WRITE, create, "Create a customer", .answers = ANSWER_CREATED,
     .answer = &customer_record, .body = &customer_record},
    {HTTP_GET, "/search", ROLE_VIEWER, TX_READ, list,
     "Search customers by name, address, number or external_id", .answers = ANSWER_LIST,
     .answer = &customer_record, .query = &search_record, .flags = ROUTE_PAGED},
    {HTTP_POST, "/bulk", ROLE_AGENT, TX_WRITE, create_bulk, "Create customers",
     .answers = ANSWER_ROWS, .answer = &customer_record, .body = &customer_record,
     .flags = ROUTE_ROWS},
    {HTTP_POST, "/bulk/assign", ROLE_AGENT, TX_WRITE, assign_bulk,
     "Assign customers to a user, or to nobody", .answers = ANSWER_ROWS, .body = &bulk_assign_body},
    {HTTP_POST, "/bulk/tag", ROLE_AGENT, TX_WRITE, tag_bulk, "Tag and untag customers",
     .answers = ANSWER_ROWS, .body = &bulk_tag_body},
    {HTTP_POST, "/bulk/status", ROLE_AGENT, TX_WRITE, status_bulk, "Set the status of customers",
     .answers = ANSWER_ROWS, .body = &bulk_status_body},
    {HTTP_GET, "/external/{external_id}", ROLE_VIEWER, TX_READ, show_external,
     "Get a customer by the caller's own key", .answers = ANSWER_RECORD,
     .answer = &customer_record},
    {HTTP_PUT, "/external/{external_id}", ROLE_AGENT, TX_WRITE, put_external,
     "Create or change a customer by the caller's own key", .answers = ANSWER_RECORD,
     .answer = &customer_record, .body = &customer_record, .flags = ROUTE_UPSERT},
    {HTTP_GET, "/{id}", ROLE_VIEWER, TX_READ, show, "Get a customer", .answers = ANSWER_RECORD,
     .answer = &customer_record},
    {HTTP_PATCH, "/{id}", ROLE_AGENT, TX_WRITE, edit, "Change a customer", .answers = ANSWER_RECORD,
     .answer = &customer_record, .body = &customer_record, .flags = ROUTE_PATCH, .lane = "id"},
    {HTTP_DELETE, "/{id}", ROLE_AGENT, TX_WRITE, delete, "Delete a customer; it can be restored",
     .answers = ANSWER_NONE, .lane = "id"},
    {HTTP_POST, "/{id}/restore", ROLE_AGENT, TX_WRITE, restore, "Restore a deleted customer",
     .answers = ANSWER_RECORD, .answer = &customer_record, .lane = "id"},
    {HTTP_PUT, "/{id}/tags/{tag}", ROLE_AGENT, TX_WRITE, add_tag, "Tag a customer",
     .answers = ANSWER_RECORD, .answer = &customer_record, .lane = "id"},
    {HTTP_DELETE, "/{id}/tags/{tag}", ROLE_AGENT, TX_WRITE, remove_tag,
     "Take a tag from a customer", .answers = ANSWER_NONE, .lane = "id"},
    {HTTP_PUT, "/{id}/custom-fields/{name}", ROLE_AGENT, TX_WRITE, set_field,
     "Set a custom field of a customer", .answers = ANSWER_RECORD, .answer = &customer_record,
     .body = &value_body, .lane = "id"},
    {HTTP_DELETE, "/{id}/custom-fields/{name}", ROLE_AGENT, TX_WRITE, clear_field,
     "Clear a custom field of a customer", .answers = ANSWER_NONE, .lane = "id"},
    {HTTP_PUT, "/{id}/owner", ROLE_AGENT, TX_WRITE, set_owner,
     "Assign a customer to a user, or to nobody", .answers = ANSWER_RECORD,
     .answer = &customer_record, .body = &owner_body, .lane = "id"},
    {HTTP_PUT, "/{id}/status", ROLE_AGENT, TX_WRITE, set_status, "Set the status of a customer",
     .answers = ANSWER_RECORD, .answer = &customer_record, .body = &status_body, .lane = "id"},
    {HTTP_POST, "/{id}/notes", ROLE_AGENT, TX_WRITE, add_note, "Add a note to a customer",
     .answers = ANSWER_CREATED, .answer = &customer_note_record, .body = &note_body, .lane = "id"},
    {HTTP_GET, "/{id}/notes", ROLE_VIEWER, TX_READ, list_notes,
     "List the notes on a customer, newest first", .answers = ANSWER_LIST,
     .answer = &customer_note_record, .flags = ROUTE_PAGED},
    {HTTP_GET, "/{id}/notes/{note_id}", ROLE_VIEWER, TX_READ, show_note, "Get a note on a customer",
     .answers = ANSWER_RECORD, .answer = &customer_note_record},
    {HTTP_PATCH, "/{id}/notes/{note_id}", ROLE_AGENT, TX_WRITE, edit_note,
     "Change a note on a customer", .answers = ANSWER_RECORD, .answer = &customer_note_record,
     .body = &note_body, .flags = ROUTE_PATCH, .lane = "id"},
    {HTTP_DELETE, "/{id}/notes/{note_id}", ROLE_AGENT, TX_WRITE, delete_note,
     "Delete a note on a customer", .answers = ANSWER_NONE, .lane = "id"},
};

/* One record, three names (SPEC.md §1). */
static const char *const mounts[] = {"/customers", "/contacts", "/leads"};

const struct resource customer_resource = {"Customers", mounts, COUNT_OF(mounts), routes,
                                           COUNT_OF(routes)};
