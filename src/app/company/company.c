#include "app/company/company.h"

#include "app/company/company_sql.h"
#include "app/search/fold.h"
#include "app/timeline/timeline.h"
#include "app/user/user.h"
#include "db/counts.h"
#include "json/format.h"

#define NAME_KEY_MAX 240    /* bytes */
#define EXTERNAL_ID_MAX 255 /* code points */

static const struct field company_fields[] = {
    FIELD(company, id, F_UUID, READ_ONLY),
    FIELD(company, external_id, F_TEXT, NULLABLE | ONE_LINE, .min = 1, .max = EXTERNAL_ID_MAX,
          .doc = "The caller's own key; unique in the tenant"),
    FIELD(company, name, F_TEXT, REQUIRED | ONE_LINE, .min = 1, .max = 255,
          .example = "\"ACME Corporation\""),
    FIELD(company, name_folded, F_TEXT, COLUMN_ONLY),
    FIELD(company, domain, F_TEXT, NULLABLE | ONE_LINE, .min = 1, .max = 253,
          .example = "\"acme.example\""),
    FIELD(company, industry, F_TEXT, NULLABLE | ONE_LINE, .min = 1, .max = 100),
    FIELD(company, phone, F_TEXT, NULLABLE | ONE_LINE, .format = &format_phone, .min = 1, .max = 16,
          .example = "\"+493012345678\""),
    FIELD(company, address, F_TEXT, NULLABLE, .min = 1, .max = 1000),
    FIELD(company, owner_id, F_UUID, NULLABLE, .doc = "The user who looks after the account"),
    FIELD(company, owner_name, F_TEXT, READ_ONLY | NULLABLE),
    FIELD(company, custom_fields, F_JSON, NULLABLE),
    FIELD(company, version, F_INT, READ_ONLY),
    FIELD(company, created_at, F_TIME, READ_ONLY),
    FIELD(company, updated_at, F_TIME, READ_ONLY),
    FIELD(company, deleted_at, F_TIME, READ_ONLY | NULLABLE | OMIT_NULL),
};
const struct record company_record = RECORD_NAMED("Company", company, company_fields);

enum err company_require(struct ctx *cx, struct uuid id, const char *field, struct str *name)
{
    struct company found = {0};
    bool there = false;

    TRY(db_find(cx, &sql_company_require, ARGS({"id", v_uuid(id)}), &company_record, &found,
                &there));
    if (!there)
        return error_set(cx->error, ERR_NOT_FOUND, "There is no such record: %s.", field);
    if (name)
        *name = found.name;
    return OK;
}

enum err company_get(struct ctx *cx, struct uuid id, struct company *out)
{
    return db_one(cx, &sql_company_get, ARGS({"id", v_uuid(id)}), &company_record, out);
}

enum err company_get_locked(struct ctx *cx, struct uuid id, struct company *out)
{
    return db_one(cx, &sql_company_lock, ARGS({"id", v_uuid(id)}), &company_record, out);
}

enum err company_get_external(struct ctx *cx, struct str external_id, struct company *out)
{
    return db_one(cx, &sql_company_get_external, ARGS({"external_id", v_text(external_id)}),
                  &company_record, out);
}

static enum err record_event(struct ctx *cx, struct uuid id, const char *type, const char *title,
                             struct str payload)
{
    struct event event = {.subject_type = STR("company"),
                          .subject_id = id,
                          .event_type = str_of(type),
                          .category = CATEGORY_GENERAL,
                          .title = str_of(title),
                          .payload = payload};

    return timeline_record(cx, &event);
}

/* Rules that need the store, and what is kept beside what people give. */
static enum err prepare(struct ctx *cx, const struct company *before, struct company *company)
{
    company->name_folded = fold_key(cx->arena, company->name, NAME_KEY_MAX);
    if (company->name_folded.len == 0)
        company->name_folded = company->name;
    if (!uuid_is_none(company->owner_id) && !uuid_equal(company->owner_id, before->owner_id)) {
        struct user owner = {0};

        TRY(user_get_held(cx, company->owner_id, &owner));
        if (!owner.active)
            return error_fault(cx->error, "owner_id", "inactive",
                               "must be a user who is not deactivated");
    }
    return OK;
}

static enum err taken(struct ctx *cx)
{
    return error_set(cx->error, ERR_CONFLICT, "There is a company with this external_id already.");
}

enum err company_create(struct ctx *cx, const struct company *in, struct company *out)
{
    const struct company nothing = {0};
    struct company made = *in;
    struct company inserted = {0};
    bool there = false;

    TRY(prepare(cx, &nothing, &made));
    made.id = uuid_new(cx->ids, cx->now_us);
    TRY(db_find(cx, &sql_company_insert, ARGS_OF(&company_record, &made), &company_record,
                &inserted, &there));
    if (!there)
        return taken(cx);
    TRY(count_add(cx, "companies", STR(""), 1));
    TRY(record_event(
        cx, made.id, "company_created", "Company created",
        PAYLOAD(cx, {"name", v_text(made.name)}, {"external_id", v_text(made.external_id)})));
    return company_get(cx, made.id, out);
}

static enum err save(struct ctx *cx, const struct company *before, struct company *after,
                     struct company *out)
{
    const struct given changed = record_difference(&company_record, before, after);
    struct company other = {0};
    bool there = false;

    if (!given_any(&changed))
        return company_get(cx, before->id, out);
    TRY(prepare(cx, before, after));
    if (after->external_id.ptr && !str_equal(after->external_id, before->external_id)) {
        TRY(db_find(cx, &sql_company_external_taken, ARGS_OF(&company_record, after),
                    &company_record, &other, &there));
        if (there)
            return taken(cx);
    }
    TRY(db_run(cx, &sql_company_save, ARGS_OF(&company_record, after)));
    TRY(record_event(cx, before->id, "company_updated", "Company updated",
                     timeline_changes(cx, &company_record, before, after)));
    return company_get(cx, before->id, out);
}

enum err company_update(struct ctx *cx, const struct company *current, const struct company *patch,
                        const struct given *given, struct company *out)
{
    struct company wanted = *current;

    TRY(record_merge(&company_record, given, patch, &wanted, cx->arena, cx->error));
    return save(cx, current, &wanted, out);
}

enum err company_find_external_locked(struct ctx *cx, struct str external_id, struct company *out,
                                      bool *there)
{
    return db_find(cx, &sql_company_lock_external, ARGS({"external_id", v_text(external_id)}),
                   &company_record, out, there);
}

enum err company_upsert(struct ctx *cx, struct str external_id, const struct company *in,
                        const struct given *given, struct company *out, bool *created)
{
    struct company current = {0}, made = *in;
    bool there = false;

    if (external_id.len == 0 || str_code_points(external_id) > EXTERNAL_ID_MAX)
        return error_fault(cx->error, "external_id", "too_long", "must have 1 to %d characters",
                           EXTERNAL_ID_MAX);
    if (in->external_id.ptr && !str_equal(in->external_id, external_id))
        return error_fault(cx->error, "external_id", "mismatch", "must be what the path says");
    TRY(company_find_external_locked(cx, external_id, &current, &there));
    made.external_id = external_id;
    *created = false;
    if (!there) {
        enum err inserted = company_create(cx, &made, out);

        *created = inserted == OK;
        if (inserted != ERR_CONFLICT)
            return inserted;
        /* Another transaction was first, and has committed meanwhile. */
        error_clear(cx->error);
        TRY(company_find_external_locked(cx, external_id, &current, &there));
        if (!there)
            return taken(cx);
    }
    if (current.deleted_at.set) {
        TRY(db_run(cx, &sql_company_mark_restored, ARGS({"id", v_uuid(current.id)})));
        TRY(count_add(cx, "companies", STR(""), 1));
        TRY(record_event(cx, current.id, "company_restored", "Company restored",
                         PAYLOAD(cx, {"name", v_text(current.name)})));
    }
    return company_update(cx, &current, &made, given, out);
}

enum err company_delete(struct ctx *cx, const struct company *current)
{
    int64_t customers = 0;

    TRY(db_int(cx, &sql_company_has_customers, ARGS({"id", v_uuid(current->id)}), &customers));
    if (customers > 0)
        return error_set(cx->error, ERR_CONFLICT,
                         "Customers belong to this company: move them to another one first.");
    TRY(db_run(cx, &sql_company_mark_deleted, ARGS({"id", v_uuid(current->id)})));
    TRY(count_add(cx, "companies", STR(""), -1));
    return record_event(cx, current->id, "company_deleted", "Company deleted",
                        PAYLOAD(cx, {"name", v_text(current->name)}));
}

enum err company_list(struct ctx *cx, struct str q, struct str after_name, struct uuid after_id,
                      int64_t limit, int64_t offset, struct list *out, int64_t *total, bool *capped)
{
    struct str prefix, prefix_end;

    *capped = false;
    if (!q.ptr) {
        TRY(count_get(cx, "companies", STR(""), total));
        return db_all(cx, &sql_company_page,
                      ARGS({"cursor_text", v_text(after_name)}, {"cursor_id", v_uuid(after_id)},
                           {"limit", v_int(limit)}, {"offset", v_int(offset)}),
                      &company_record, out);
    }
    prefix = fold_key(cx->arena, q, NAME_KEY_MAX);
    prefix_end = fold_range_end(cx->arena, prefix);
    TRY(db_int(cx, &sql_company_count_by_prefix,
               ARGS({"prefix", v_text(prefix)}, {"prefix_end", v_text(prefix_end)},
                    {"count_cap", v_int(COUNT_CAP + 1)}),
               total));
    if (*total > COUNT_CAP) {
        *total = COUNT_CAP;
        *capped = true;
    }
    return db_all(cx, &sql_company_page_by_prefix,
                  ARGS({"prefix", v_text(prefix)}, {"prefix_end", v_text(prefix_end)},
                       {"cursor_text", v_text(after_name)}, {"cursor_id", v_uuid(after_id)},
                       {"limit", v_int(limit)}, {"offset", v_int(offset)}),
                  &company_record, out);
}
