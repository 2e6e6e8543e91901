#include "app/tenant/tenant.h"

#include "app/key/key_api.h"
#include "http/route.h"
#include "json/format.h"

extern const struct resource tenant_resource, tenants_resource;

static const struct field founding_fields[] = {
    FIELD_AS(tenant_founding, "name", tenant.name, F_TEXT, REQUIRED | ONE_LINE, .min = 1,
             .max = 200),
    FIELD_AS(tenant_founding, "slug", tenant.slug, F_TEXT, ONE_LINE, .min = 1, .max = 63,
             .format = &format_slug, .doc = "Left out: made from the name"),
    FIELD_AS(tenant_founding, "timezone", tenant.timezone, F_TEXT, ONE_LINE, .min = 1, .max = 64,
             .format = &format_timezone, .doc = "Left out: UTC"),
    FIELD(tenant_founding, admin_email, F_TEXT, ONE_LINE, .min = 3, .max = 254,
          .format = &format_email, .doc = "Invites the first admin"),
    FIELD(tenant_founding, admin_name, F_TEXT, ONE_LINE, .min = 1, .max = 200),
    FIELD(tenant_founding, key, F_BOOL, 0, .doc = "Makes the admin an API key"),
};
static const struct record founding_record =
    RECORD_NAMED("TenantCreate", tenant_founding, founding_fields);

struct founded_answer {
    struct tenant tenant;
    struct user user;
    struct str key;
};

static const struct field founded_fields[] = {
    FIELD(founded_answer, tenant, F_OBJECT, READ_ONLY, .record = &tenant_record),
    FIELD(founded_answer, user, F_OBJECT, READ_ONLY | NULLABLE | OMIT_NULL, .record = &user_record,
          .doc = "The admin, with an invitation"),
    FIELD(founded_answer, key, F_TEXT, READ_ONLY | NULLABLE | OMIT_NULL | SECRET,
          .doc = "The admin's API key; shown once"),
};
static const struct record founded_record =
    RECORD_NAMED("TenantCreated", founded_answer, founded_fields);

static enum err create(struct req *rq)
{
    struct tenant_founded made = {0};
    struct founded_answer answer = {0};

    TRY(tenant_found(&rq->cx, rq->body, &made));
    answer.tenant = made.tenant;
    answer.user = made.admin;
    if (!uuid_is_none(made.key.id))
        answer.key = key_text(rq->cx.arena, made.tenant.id, made.key.id, &made.key_secret);
    return reply_created(rq, &founded_record, &answer, made.tenant.id);
}

static void slug_key(const void *row, struct list_key *out)
{
    const struct tenant *tenant = row;

    out->text = tenant->slug;
    out->id = tenant->id;
}

static enum err list(struct req *rq)
{
    struct list rows;
    struct total total = {0};

    TRY(tenant_list(&rq->cx, rq->page.cursor_text, rq->page.limit + 1, rq->page.offset, &rows));
    TRY(tenant_count(&rq->cx, &total.rows));
    total.capped = total.rows > COUNT_CAP;
    if (total.capped)
        total.rows = COUNT_CAP;
    return reply_list(rq, &tenant_record, &rows, total, slug_key);
}

static enum err show(struct req *rq)
{
    struct tenant tenant = {0};

    TRY(tenant_get(&rq->cx, &tenant));
    return reply_record(rq, &tenant_record, &tenant);
}

static enum err edit(struct req *rq)
{
    struct tenant current = {0}, changed, saved = {0};

    TRY(tenant_get_locked(&rq->cx, &current));
    TRY(check_if_match(rq, current.version));
    changed = current;
    TRY(record_merge(&tenant_record, &rq->given, rq->body, &changed, rq->cx.arena, rq->cx.error));
    TRY(tenant_update(&rq->cx, &current, &changed, &saved));
    return reply_record(rq, &tenant_record, &saved);
}

static enum err show_any(struct req *rq)
{
    struct tenant tenant = {0};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(tenant_by_id(&rq->cx, id, &tenant));
    return reply_record(rq, &tenant_record, &tenant);
}

static const struct route own_routes[] = {
    {HTTP_GET, "", ROLE_VIEWER, TX_READ, show, "Get the own tenant", ANSWER_RECORD,
     .answer = &tenant_record},
    {HTTP_PATCH, "", ROLE_ADMIN, TX_WRITE, edit, "Edit the own tenant", ANSWER_RECORD,
     .answer = &tenant_record, .body = &tenant_record, .flags = ROUTE_PATCH},
};
static const char *const own_mounts[] = {"/tenant"};
const struct resource tenant_resource = {"tenant", own_mounts, COUNT_OF(own_mounts), own_routes,
                                         COUNT_OF(own_routes)};

static const struct route all_routes[] = {
    {HTTP_POST, "", ROLE_OPERATOR, TX_WRITE, create, "Create a tenant", ANSWER_CREATED,
     .answer = &founded_record, .body = &founding_record},
    {HTTP_GET, "", ROLE_OPERATOR, TX_READ, list, "List the tenants by slug", ANSWER_LIST,
     .answer = &tenant_record, .flags = ROUTE_PAGED},
    {HTTP_GET, "/{id}", ROLE_OPERATOR, TX_READ, show_any, "Get a tenant", ANSWER_RECORD,
     .answer = &tenant_record},
};
static const char *const all_mounts[] = {"/tenants"};
const struct resource tenants_resource = {"tenants", all_mounts, COUNT_OF(all_mounts), all_routes,
                                          COUNT_OF(all_routes)};
