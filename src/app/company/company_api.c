#include "app/company/company.h"
#include "app/customer/customer.h"
#include "http/route.h"

extern const struct resource company_resource;

struct company_query {
    struct str q;
};

static const struct field query_fields[] = {
    FIELD(company_query, q, F_TEXT, ONE_LINE, .min = 1, .max = 200,
          .doc = "The beginning of the name, whatever its case and accents"),
};
static const struct record query_record = RECORD_NAMED("CompanyQuery", company_query, query_fields);

static void company_key(const void *row, struct list_key *out)
{
    const struct company *company = row;

    out->text = company->name_folded;
    out->id = company->id;
}

static void customer_key(const void *row, struct list_key *out)
{
    const struct customer *customer = row;

    out->text = customer->name_folded;
    out->id = customer->id;
}

static enum err list(struct req *rq)
{
    const struct company_query *query = rq->query;
    struct page *page = &rq->page;
    struct total total = {0};
    struct list rows;

    page_upwards(page);
    TRY(company_list(&rq->cx, query->q, page->cursor_text, page->cursor_id, page->limit + 1,
                     page->offset, &rows, &total.rows, &total.capped));
    return reply_list(rq, &company_record, &rows, total, company_key);
}

static enum err create(struct req *rq)
{
    struct company made = {0};

    TRY(company_create(&rq->cx, rq->body, &made));
    return reply_created(rq, &company_record, &made, made.id);
}

static enum err show(struct req *rq)
{
    struct company company = {0};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(company_get(&rq->cx, id, &company));
    return reply_record(rq, &company_record, &company);
}

static enum err show_external(struct req *rq)
{
    struct company company = {0};

    TRY(company_get_external(&rq->cx, path_text(rq, 0), &company));
    return reply_record(rq, &company_record, &company);
}

/* The company of the path, locked, as the caller saw it. */
static enum err current_company(struct req *rq, struct company *out)
{
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(company_get_locked(&rq->cx, id, out));
    return check_if_match(rq, out->version);
}

static enum err edit(struct req *rq)
{
    struct company current = {0}, changed = {0};

    TRY(current_company(rq, &current));
    TRY(company_update(&rq->cx, &current, rq->body, &rq->given, &changed));
    return reply_record(rq, &company_record, &changed);
}

static enum err put_external(struct req *rq)
{
    struct company company = {0}, current = {0};
    bool created, there;

    if (has_if_match(rq)) {
        TRY(company_find_external_locked(&rq->cx, path_text(rq, 0), &current, &there));
        TRY(check_if_match_upsert(rq, there && !current.deleted_at.set, current.version));
    }
    TRY(company_upsert(&rq->cx, path_text(rq, 0), rq->body, &rq->given, &company, &created));
    return created ? reply_created(rq, &company_record, &company, company.id)
                   : reply_record(rq, &company_record, &company);
}

static enum err delete (struct req *rq) {
    struct company current = {0};

    TRY(current_company(rq, &current));
    TRY(company_delete(&rq->cx, &current));
    return reply_none(rq);
}

static enum err customers(struct req *rq)
{
    struct page *page = &rq->page;
    struct company company = {0};
    struct customer_filter filter = {0};
    struct customer_page found;

    TRY(path_id(rq, 0, &filter.company_id));
    TRY(company_get(&rq->cx, filter.company_id, &company));
    page_upwards(page);
    TRY(customer_list(&rq->cx, &filter,
                      &(struct customer_place){{.name = page->cursor_text, .id = page->cursor_id},
                                               page->limit + 1,
                                               page->offset},
                      &found));
    return reply_list(rq, &customer_record, &found.rows, (struct total){.rows = found.total},
                      customer_key);
}

static const struct route routes[] = {
    {HTTP_GET, "", ROLE_VIEWER, TX_READ, list, "List companies", .answers = ANSWER_LIST,
     .answer = &company_record, .query = &query_record, .flags = ROUTE_PAGED},
    {HTTP_POST, "", ROLE_AGENT, TX_WRITE, create, "Create a company", .answers = ANSWER_CREATED,
     .answer = &company_record, .body = &company_record},
    {HTTP_GET, "/external/{external_id}", ROLE_VIEWER, TX_READ, show_external,
     "Get a company by the caller's own key", .answers = ANSWER_RECORD, .answer = &company_record},
    {HTTP_PUT, "/external/{external_id}", ROLE_AGENT, TX_WRITE, put_external,
     "Create or change a company by the caller's own key", .answers = ANSWER_RECORD,
     .answer = &company_record, .body = &company_record, .flags = ROUTE_UPSERT},
    {HTTP_GET, "/{id}", ROLE_VIEWER, TX_READ, show, "Get a company", .answers = ANSWER_RECORD,
     .answer = &company_record},
    {HTTP_PATCH, "/{id}", ROLE_AGENT, TX_WRITE, edit, "Change a company", .answers = ANSWER_RECORD,
     .answer = &company_record, .body = &company_record, .flags = ROUTE_PATCH},
    {HTTP_DELETE, "/{id}", ROLE_AGENT, TX_WRITE, delete,
     "Delete a company that no customer belongs to", .answers = ANSWER_NONE},
    {HTTP_GET, "/{id}/customers", ROLE_VIEWER, TX_READ, customers,
     "List the customers of a company", .answers = ANSWER_LIST, .answer = &customer_record,
     .flags = ROUTE_PAGED},
};

static const char *const mounts[] = {"/companies"};

const struct resource company_resource = {"Companies", mounts, COUNT_OF(mounts), routes,
                                          COUNT_OF(routes)};
