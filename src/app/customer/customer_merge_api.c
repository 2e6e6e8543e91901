#include "app/customer/customer_merge.h"
#include "http/route.h"

extern const struct resource customer_merge_resource;

struct merge_body {
    struct uuid merged_id;
};
static const struct field merge_body_fields[] = {
    FIELD(merge_body, merged_id, F_UUID, REQUIRED,
          .doc = "Another customer, whose id leads to this one from then on"),
};
static const struct record merge_body =
    RECORD_NAMED("CustomerMergeBody", merge_body, merge_body_fields);

static enum err duplicates(struct req *rq)
{
    struct customer_duplicates found = {0};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(customer_find_duplicates(&rq->cx, id, &found));
    return reply_record(rq, &customer_duplicates_record, &found);
}

static enum err merge(struct req *rq)
{
    const struct merge_body *body = rq->body;
    struct customer survivor = {0}, merged = {0};
    struct customer_merge made = {0};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(customer_lock_two(&rq->cx, id, body->merged_id, &survivor, &merged));
    TRY(check_if_match(rq, survivor.version));
    TRY(customer_merge(&rq->cx, &survivor, &merged, &made));
    return reply_record(rq, &customer_merge_record, &made);
}

static void merged_key(const void *row, struct list_key *out)
{
    const struct customer_merge *merge = row;

    out->time = merge->merged_at;
    out->id = merge->id;
}

static enum err list_merges(struct req *rq)
{
    const struct page *page = &rq->page;
    struct total total = {0};
    struct list rows;
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(customer_merges(&rq->cx, id, page->cursor_time, page->cursor_id, page->limit + 1,
                        page->offset, &rows, &total.rows));
    return reply_list(rq, &customer_merge_record, &rows, total, merged_key);
}

static enum err show_merge(struct req *rq)
{
    struct customer_merge merge = {0};
    struct uuid id, merge_id;

    TRY(path_id(rq, 0, &id));
    TRY(path_id(rq, 1, &merge_id));
    TRY(customer_merge_get(&rq->cx, id, merge_id, &merge));
    return reply_record(rq, &customer_merge_record, &merge);
}

static enum err undo(struct req *rq)
{
    struct customer_merge merge = {0}, undone = {0};
    struct customer survivor = {0};
    struct uuid id, merge_id;

    TRY(path_id(rq, 0, &id));
    TRY(path_id(rq, 1, &merge_id));
    TRY(customer_merge_get_locked(&rq->cx, id, merge_id, &merge, &survivor));
    TRY(check_if_match(rq, survivor.version));
    TRY(customer_unmerge(&rq->cx, &merge, &survivor, &undone));
    return reply_record(rq, &customer_merge_record, &undone);
}

static const struct route routes[] = {
    {HTTP_GET, "/{id}/duplicates", ROLE_VIEWER, TX_READ, duplicates,
     "List a customer's likely duplicates, with the reasons", .answers = ANSWER_RECORD,
     .answer = &customer_duplicates_record},
    {HTTP_POST, "/{id}/merge", ROLE_MANAGER, TX_WRITE, merge,
     "Merge another customer into this one; it can be undone for a day", .answers = ANSWER_RECORD,
     .answer = &customer_merge_record, .body = &merge_body, .lane = "id"},
    {HTTP_GET, "/{id}/merges", ROLE_VIEWER, TX_READ, list_merges,
     "List what was merged into a customer, newest first", .answers = ANSWER_LIST,
     .answer = &customer_merge_record, .flags = ROUTE_PAGED},
    {HTTP_GET, "/{id}/merges/{merge_id}", ROLE_VIEWER, TX_READ, show_merge, "Get a merge",
     .answers = ANSWER_RECORD, .answer = &customer_merge_record},
    {HTTP_POST, "/{id}/merges/{merge_id}/undo", ROLE_MANAGER, TX_WRITE, undo,
     "Undo a merge, within a day", .answers = ANSWER_RECORD, .answer = &customer_merge_record,
     .lane = "id"},
};

/* One record, three names (SPEC.md §1). */
static const char *const mounts[] = {"/customers", "/contacts", "/leads"};

const struct resource customer_merge_resource = {"Customers", mounts, COUNT_OF(mounts), routes,
                                                 COUNT_OF(routes)};
