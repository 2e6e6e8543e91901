#include "app/tenant/tenant.h"

#include "app/analytics/attempts.h"
#include "app/search/fold.h"
#include "app/tenant/tenant_sql.h"
#include "app/timeline/timeline.h"
#include "json/format.h"

#define SLUG_MAX 63
#define SLUG_TRIES 1000

static const struct field tenant_fields[] = {
    FIELD(tenant, id, F_UUID, READ_ONLY),
    FIELD(tenant, slug, F_TEXT, IMMUTABLE | ONE_LINE, .min = 1, .max = SLUG_MAX,
          .format = &format_slug, .doc = "Names the tenant when people sign in",
          .example = "\"acme\""),
    FIELD(tenant, name, F_TEXT, REQUIRED | ONE_LINE, .min = 1, .max = 200),
    FIELD(tenant, timezone, F_TEXT, ONE_LINE, .min = 1, .max = 64, .format = &format_timezone,
          .example = "\"Europe/Berlin\""),
    FIELD(tenant, version, F_INT, READ_ONLY),
    FIELD(tenant, created_at, F_TIME, READ_ONLY),
    FIELD(tenant, updated_at, F_TIME, READ_ONLY),
};
const struct record tenant_record = RECORD_NAMED("Tenant", tenant, tenant_fields);

/* "Ärzte & Söhne" gives "arzte-sohne". A name in another script gives "tenant". */
static struct str slug_of(struct arena *arena, struct str name)
{
    const struct str folded = fold_text(arena, name);
    struct buf buf;

    buf_init(&buf, arena, SLUG_MAX);
    for (size_t i = 0; i < folded.len && buf.len < SLUG_MAX - 8; i++) {
        const char c = folded.ptr[i];

        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            buf_add_char(&buf, c);
        else if (buf.len > 0 && buf.ptr[buf.len - 1] != '-')
            buf_add_char(&buf, '-');
    }
    while (buf.len > 0 && buf.ptr[buf.len - 1] == '-')
        buf.len--;
    return buf.len > 0 ? buf_str(&buf) : STR("tenant");
}

static struct str numbered(struct arena *arena, struct str slug, int number)
{
    struct buf buf;

    buf_init(&buf, arena, SLUG_MAX);
    buf_addf(&buf, "%.*s-%d", STR_FMT(slug), number);
    return buf_str(&buf);
}

static enum err insert(struct ctx *cx, const struct tenant *tenant, bool *inserted)
{
    TRY(db_run(cx, &sql_tenant_insert, ARGS_OF(&tenant_record, tenant)));
    *inserted = db_changed(cx) > 0;
    return OK;
}

static enum err insert_with_some_slug(struct ctx *cx, struct tenant *tenant)
{
    const struct str wanted = slug_of(cx->arena, tenant->name);
    bool inserted = false;

    tenant->slug = wanted;
    for (int number = 2; number < SLUG_TRIES; number++) {
        TRY(insert(cx, tenant, &inserted));
        if (inserted)
            return OK;
        tenant->slug = numbered(cx->arena, wanted, number);
    }
    return error_set(cx->error, ERR_CONFLICT, "Too many tenants have this name: give a slug.");
}

static enum err create(struct ctx *cx, const struct tenant *in, struct tenant *out)
{
    struct tenant tenant = *in;
    bool inserted = false;

    tenant.id = cx->actor.tenant_id;
    if (tenant.timezone.ptr == NULL)
        tenant.timezone = STR("UTC");
    if (tenant.slug.ptr == NULL) {
        TRY(insert_with_some_slug(cx, &tenant));
    } else {
        TRY(insert(cx, &tenant, &inserted));
        if (!inserted)
            return error_set(cx->error, ERR_CONFLICT, "There is a tenant with this slug already.");
    }
    TRY(tenant_get(cx, out));
    return timeline_record(cx, &(struct event){.subject_type = STR("tenant"),
                                               .subject_id = out->id,
                                               .event_type = STR("tenant_created"),
                                               .category = CATEGORY_SYSTEM,
                                               .payload = PAYLOAD(cx, {"name", v_text(out->name)},
                                                                  {"slug", v_text(out->slug)})});
}

enum err tenant_found(struct ctx *cx, const struct tenant_founding *in, struct tenant_founded *out)
{
    struct ctx own = *cx;
    const struct user admin = {
        .email = in->admin_email, .name = in->admin_name, .role = USER_ADMIN};

    if (in->key && in->admin_email.ptr == NULL)
        return error_fault(cx->error, "admin_email", "required",
                           "must be given: whose is the key?");
    own.actor.tenant_id = uuid_new(cx->ids, cx->now_us);
    own.actor.user_id = UUID_NONE;
    TRY(create(&own, &in->tenant, &out->tenant));
    if (in->admin_email.ptr == NULL)
        return OK;
    TRY(user_invite(&own, &admin, &out->admin));
    if (!in->key)
        return OK;
    return key_create(
        &own, &(struct key){.user_id = out->admin.id, .name = STR("First key"), .role = USER_ADMIN},
        &out->key, &out->key_secret);
}

enum err tenant_get(struct ctx *cx, struct tenant *out)
{
    return db_one(cx, &sql_tenant_get, NO_ARGS, &tenant_record, out);
}

enum err tenant_get_locked(struct ctx *cx, struct tenant *out)
{
    return db_one(cx, &sql_tenant_get_locked, NO_ARGS, &tenant_record, out);
}

enum err tenant_update(struct ctx *cx, const struct tenant *current, const struct tenant *changed,
                       struct tenant *out)
{
    const struct given difference = record_difference(&tenant_record, current, changed);

    *out = *current;
    if (!given_any(&difference))
        return OK;
    TRY(db_one(cx, &sql_tenant_update, ARGS_OF(&tenant_record, changed), &tenant_record, out));
    if (!str_equal(current->timezone, out->timezone))
        TRY(attempts_recount_later(cx));
    return timeline_record(
        cx, &(struct event){.subject_type = STR("tenant"),
                            .subject_id = out->id,
                            .event_type = STR("tenant_updated"),
                            .category = CATEGORY_SYSTEM,
                            .payload = timeline_changes(cx, &tenant_record, current, out)});
}

enum err tenant_by_id(struct ctx *cx, struct uuid id, struct tenant *out)
{
    return db_one(cx, &sql_tenant_by_id, ARGS({"id", v_uuid(id)}), &tenant_record, out);
}

enum err tenant_by_slug(struct ctx *cx, struct str slug, struct tenant *out, bool *found)
{
    return db_find(cx, &sql_tenant_by_slug, ARGS({"slug", v_text(slug)}), &tenant_record, out,
                   found);
}

enum err tenant_only(struct ctx *cx, struct tenant *out, bool *found)
{
    struct list first_two;

    TRY(tenant_list(cx, STR(""), 2, 0, &first_two));
    *found = first_two.count == 1;
    if (*found)
        *out = *LIST_AT(first_two, struct tenant, 0);
    return OK;
}

enum err tenant_list(struct ctx *cx, struct str after, int64_t limit, int64_t offset,
                     struct list *out)
{
    return db_all(
        cx, &sql_tenant_list,
        ARGS({"after", v_text(after)}, {"limit", v_int(limit)}, {"offset", v_int(offset)}),
        &tenant_record, out);
}

enum err tenant_count(struct ctx *cx, int64_t *out)
{
    return db_int(cx, &sql_tenant_count, ARGS({"cap", v_int(COUNT_CAP + 1)}), out);
}
