#include "app/interaction/interaction.h"
#include "app/outreach/policy.h"
#include "http/route.h"

extern const struct resource outreach_policy_resource;

static enum err path_method(struct req *rq, int *out)
{
    return path_enum(rq, 0, "method", &interaction_type_words, out);
}

/* The methods have no time, but an order, which is what a cursor keeps. */
static void method_key(const void *row, struct list_key *out)
{
    const struct outreach_policy *policy = row;

    out->time = policy->method;
    out->id = UUID_MAX;
}

static enum err list(struct req *rq)
{
    struct page *page = &rq->page;
    const struct outreach_policy *first;
    struct total total = {0};
    struct list rows;
    int64_t skipped = 0;

    TRY(outreach_policy_list(&rq->cx, &rows));
    total.rows = (int64_t)rows.count;
    page_upwards(page);
    first = rows.items;
    while (skipped < total.rows && first[skipped].method <= page->cursor_time)
        skipped++;
    skipped += page->offset;
    if (skipped > total.rows)
        skipped = total.rows;
    rows = (struct list){(void *)&first[skipped], (size_t)(total.rows - skipped)};
    if (rows.count > (size_t)page->limit + 1)
        rows.count = (size_t)page->limit + 1;
    return reply_list(rq, &outreach_policy_record, &rows, total, method_key);
}

static enum err show(struct req *rq)
{
    struct outreach_policy policy = {0};
    int method;

    TRY(path_method(rq, &method));
    TRY(outreach_policy_get(&rq->cx, method, &policy));
    return reply_record(rq, &outreach_policy_record, &policy);
}

/* Puts what the body gave onto `base`, or (NULL) onto what there is. */
static enum err save(struct req *rq, const struct outreach_rules *base)
{
    struct outreach_policy current = {0}, wanted, saved = {0};
    int method;

    TRY(path_method(rq, &method));
    TRY(outreach_policy_get_locked(&rq->cx, method, &current));
    TRY(check_if_match(rq, current.version));
    wanted = current;
    if (base)
        wanted.rules = *base;
    TRY(record_merge(&outreach_policy_record, &rq->given, rq->body, &wanted, rq->cx.arena,
                     rq->cx.error));
    TRY(outreach_policy_save(&rq->cx, &current, &wanted, &saved));
    return reply_record(rq, &outreach_policy_record, &saved);
}

static enum err edit(struct req *rq)
{
    return save(rq, NULL);
}

static enum err replace(struct req *rq)
{
    return save(rq, &outreach_default_rules);
}

static enum err reset(struct req *rq)
{
    struct outreach_policy current = {0};
    int method;

    TRY(path_method(rq, &method));
    TRY(outreach_policy_get_locked(&rq->cx, method, &current));
    TRY(check_if_match(rq, current.version));
    TRY(outreach_policy_reset(&rq->cx, &current));
    return reply_none(rq);
}

static const struct route routes[] = {
    {HTTP_GET, "", ROLE_MANAGER, TX_READ, list,
     "List the outreach policies of all methods that can be guarded", .answers = ANSWER_LIST,
     .answer = &outreach_policy_record, .flags = ROUTE_PAGED},
    {HTTP_GET, "/{method}", ROLE_MANAGER, TX_READ, show,
     "Get a method's outreach policy; notes, meetings and system have none",
     .answers = ANSWER_RECORD, .answer = &outreach_policy_record},
    {HTTP_PATCH, "/{method}", ROLE_MANAGER, TX_WRITE, edit, "Edit a method's outreach policy",
     .answers = ANSWER_RECORD, .answer = &outreach_policy_record, .body = &outreach_policy_record,
     .flags = ROUTE_PATCH},
    {HTTP_PUT, "/{method}", ROLE_MANAGER, TX_WRITE, replace,
     "Set a method's outreach policy; what is left out takes the default", .answers = ANSWER_RECORD,
     .answer = &outreach_policy_record, .body = &outreach_policy_record},
    {HTTP_DELETE, "/{method}", ROLE_MANAGER, TX_WRITE, reset,
     "Set a method's outreach policy back to the default", .answers = ANSWER_NONE},
};

static const char *const mounts[] = {"/outreach-policy"};

const struct resource outreach_policy_resource = {"Outreach policy", mounts, COUNT_OF(mounts),
                                                  routes, COUNT_OF(routes)};
