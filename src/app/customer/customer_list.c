#include "app/customer/customer.h"
#include "app/customer/customer_sql.h"
#include "app/search/fold.h"
#include "db/counts.h"

#include <string.h>

/* Words of one search. All must match, so more than these would hardly narrow it. */
#define SEARCH_WORDS_MAX 6
#define WORDS_MAX 8 /* with a whole address and a whole number: :word_0 to :word_7 */
#define KEPT_TAG_MAX 64
#define BINDS_MAX 40

struct search_word {
    struct str from, to; /* both ends belong to the range */
    int64_t entries;     /* of the index, counted up to SCAN_CAP + 1 */
};

struct search {
    const struct customer_filter *filter;
    struct search_word words[WORDS_MAX];
    size_t word_count;
    bool finds_nothing; /* what was asked holds no word */
};

/* How a list is read: by which index, and what leads in it. */
struct way {
    const struct query *page, *count;
    struct value lead, lead_end;
};

static void add_exact(struct search *search, struct str word)
{
    search->words[search->word_count++] = (struct search_word){.from = word, .to = word};
}

static void add_prefix(struct ctx *cx, struct search *search, struct str prefix)
{
    if (search->word_count < SEARCH_WORDS_MAX)
        search->words[search->word_count++] =
            (struct search_word){.from = prefix, .to = fold_range_end(cx->arena, prefix)};
}

/* "0301234", "0049301234" and "+49301234" find what begins "301234" and "49301234". */
static struct str without_zeros(struct str word)
{
    size_t zeros = 0;

    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] < '0' || word.ptr[i] > '9')
            return word;
    }
    while (zeros + 1 < word.len && word.ptr[zeros] == '0')
        zeros++;
    return str_slice(word, zeros, word.len);
}

static void add_query(struct ctx *cx, struct search *search, struct str q)
{
    struct str digits = fold_digits(cx->arena, q), rest, run;

    if (digits.ptr) {
        add_prefix(cx, search, without_zeros(digits));
        return;
    }
    rest = fold_text(cx->arena, q);
    while (rest.ptr) {
        struct str words[SEARCH_WORDS_MAX];
        size_t count;

        rest = str_cut(rest, ' ', &run);
        count = fold_words(run, words, SEARCH_WORDS_MAX);
        while (run.len > 0 && strchr("=@<(\"'", run.ptr[0])) /* no address begins so */
            run = str_slice(run, 1, run.len);
        if (count > 0 && memchr(run.ptr, '@', run.len)) {
            add_prefix(cx, search, run);
            continue;
        }
        for (size_t i = 0; i < count; i++)
            add_prefix(cx, search, without_zeros(words[i]));
    }
    search->finds_nothing = search->word_count == 0;
}

static struct str exact(struct ctx *cx, struct str text)
{
    struct buf buf;

    buf_init(&buf, cx->arena, text.len + 1);
    buf_add_char(&buf, '=');
    buf_add(&buf, text);
    return buf_failed(&buf) ? STR_NULL : buf_str(&buf);
}

static void search_begin(struct ctx *cx, const struct customer_filter *filter, struct search *out)
{
    *out = (struct search){.filter = filter};
    if (filter->q.ptr)
        add_query(cx, out, filter->q);
    if (filter->email.ptr)
        add_exact(out, exact(cx, fold_text(cx->arena, filter->email)));
    if (filter->phone.ptr) {
        struct str digits = fold_digits(cx->arena, filter->phone);

        if (digits.ptr)
            add_exact(out, exact(cx, digits));
        else
            out->finds_nothing = true;
    }
}

/* What the queries of lists bind. */
static struct args list_args(struct ctx *cx, const struct search *search, const struct way *way,
                             const struct customer_place *place)
{
    static const char *const from_names[WORDS_MAX] = {"word_0", "word_1", "word_2", "word_3",
                                                      "word_4", "word_5", "word_6", "word_7"};
    static const char *const to_names[WORDS_MAX] = {"word_end_0", "word_end_1", "word_end_2",
                                                    "word_end_3", "word_end_4", "word_end_5",
                                                    "word_end_6", "word_end_7"};
    const struct customer_filter *filter = search->filter;
    const struct bind fixed[] = {
        {"status", v_enum(&customer_statuses, filter->status)},
        {"owner_id", v_uuid(filter->owner_id)},
        {"company_id", v_uuid(filter->company_id)},
        {"external_id", v_text(filter->external_id)},
        {"not_contacted_since", v_maybe_time(filter->not_contacted_since)},
        {"tag", v_text(filter->tag)},
        {"cursor_text", v_text(place->after_name)},
        {"cursor_id", v_uuid(place->after_id)},
        {"limit", v_int(place->limit)},
        {"offset", v_int(place->offset)},
        {"scan_cap", v_int(SCAN_CAP)},
        {"count_cap", v_int(COUNT_CAP + 1)},
        {"lead", way->lead},
        {"lead_end", way->lead_end},
    };
    struct bind *binds = ARENA_ARRAY(cx->arena, BINDS_MAX, struct bind);
    size_t count = COUNT_OF(fixed);

    if (!binds)
        return NO_ARGS;
    memcpy(binds, fixed, sizeof fixed);
    for (size_t i = 0; i < WORDS_MAX; i++) {
        bool used = i < search->word_count;

        binds[count++] =
            (struct bind){from_names[i], v_text(used ? search->words[i].from : STR_NULL)};
        binds[count++] = (struct bind){to_names[i], v_text(used ? search->words[i].to : STR_NULL)};
    }
    return (struct args){NULL, NULL, binds, count};
}

/* How many of the filters by a column or a tag are on. */
static size_t plain_filters(const struct customer_filter *filter)
{
    return (size_t)(filter->status != 0) + (size_t)!uuid_is_none(filter->owner_id) +
           (size_t)!uuid_is_none(filter->company_id) + (size_t)(filter->tag.ptr != NULL) +
           (size_t)(filter->external_id.ptr != NULL) + (size_t)filter->not_contacted_since.set;
}

/* Where one word or tag is all that is asked, and many customers have it: walking the list
 * by name and looking at each meets a page of them sooner than sorting all of them. */
static enum err is_common(struct ctx *cx, const struct search *search, int64_t entries,
                          const struct customer_place *place, bool *out)
{
    int64_t customers = 0;

    *out = false;
    if (search->word_count + plain_filters(search->filter) > 1 || entries == 0)
        return OK;
    TRY(count_get(cx, "customers", STR(""), &customers));
    *out = entries > (place->limit + place->offset) * customers / entries;
    return OK;
}

/* By the word that leads to the fewest; *capped when even those are too many to count. */
static enum err way_by_word(struct ctx *cx, struct search *search,
                            const struct customer_place *place, struct way *way, bool *capped)
{
    const struct search_word *best = NULL;
    bool common;

    for (size_t i = 0; i < search->word_count; i++) {
        struct search_word *word = &search->words[i];

        TRY(db_int(cx, &sql_customer_count_word,
                   ARGS({"lead", v_text(word->from)}, {"lead_end", v_text(word->to)},
                        {"count_cap", v_int(SCAN_CAP + 1)}),
                   &word->entries));
        if (!best || word->entries < best->entries)
            best = word;
    }
    *capped = best->entries > SCAN_CAP;
    way->lead = v_text(best->from);
    way->lead_end = v_text(best->to);
    way->count = &sql_customer_count_by_word;
    TRY(is_common(cx, search, best->entries, place, &common));
    way->page = common ? &sql_customer_page_filtered : &sql_customer_page_by_word;
    return OK;
}

/* The narrowest index that one of the filters names. */
static struct way way_by_filter(const struct customer_filter *filter)
{
    if (filter->external_id.ptr)
        return (struct way){&sql_customer_page_by_external, &sql_customer_count_by_external,
                            v_text(filter->external_id), v_text(STR_NULL)};
    if (!uuid_is_none(filter->company_id))
        return (struct way){&sql_customer_page_by_company, &sql_customer_count_by_company,
                            v_uuid(filter->company_id), v_text(STR_NULL)};
    if (filter->tag.ptr)
        return (struct way){&sql_customer_page_by_tag, &sql_customer_count_by_tag,
                            v_text(filter->tag), v_text(STR_NULL)};
    if (!uuid_is_none(filter->owner_id))
        return (struct way){&sql_customer_page_by_owner, &sql_customer_count_by_owner,
                            v_uuid(filter->owner_id), v_text(STR_NULL)};
    if (filter->status != 0)
        return (struct way){&sql_customer_page_by_status, &sql_customer_count_by_status,
                            v_enum(&customer_statuses, filter->status), v_text(STR_NULL)};
    return (struct way){&sql_customer_page_filtered, &sql_customer_count_filtered, v_text(STR_NULL),
                        v_text(STR_NULL)};
}

/* The lists whose totals are kept: how many rows, where *kept. */
static enum err kept_total(struct ctx *cx, const struct search *search, int64_t *total, bool *kept)
{
    const struct customer_filter *filter = search->filter;
    size_t filters = plain_filters(filter) + search->word_count;

    *kept = true;
    if (filters == 0)
        return count_get(cx, "customers", STR(""), total);
    if (filters == 1 && filter->status != 0)
        return count_get(cx, "customers.status",
                         str_of(enum_name(&customer_statuses, filter->status)), total);
    if (filters == 1 && !uuid_is_none(filter->owner_id))
        return count_get_uuid(cx, "customers.owner", filter->owner_id, total);
    if (filters == 1 && !uuid_is_none(filter->company_id))
        return count_get_uuid(cx, "customers.company", filter->company_id, total);
    if (filters == 1 && filter->tag.ptr && filter->tag.len <= KEPT_TAG_MAX)
        return count_get(cx, "customers.tag", filter->tag, total);
    *kept = false;
    return OK;
}

enum err customer_list(struct ctx *cx, const struct customer_filter *filter,
                       const struct customer_place *place, struct list *out, int64_t *total,
                       bool *capped)
{
    struct search search;
    struct way way = {0};
    struct args args;
    bool kept, common;

    *out = (struct list){0};
    *total = 0;
    *capped = false;
    search_begin(cx, filter, &search);
    if (search.finds_nothing)
        return OK;
    way = way_by_filter(filter);
    if (search.word_count > 0 && !filter->external_id.ptr)
        TRY(way_by_word(cx, &search, place, &way, capped));
    else if (plain_filters(filter) == 0)
        way.page = &sql_customer_page;
    TRY(kept_total(cx, &search, total, &kept));
    if (kept && filter->tag.ptr) {
        TRY(is_common(cx, &search, *total, place, &common));
        if (common)
            way.page = &sql_customer_page_filtered;
    }
    args = list_args(cx, &search, &way, place);
    if (args.count == 0)
        return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
    if (!kept) {
        TRY(db_int(cx, way.count, args, total));
        *capped |= *total > COUNT_CAP;
        *total = *total > COUNT_CAP ? COUNT_CAP : *total;
    }
    return db_all(cx, way.page, args, &customer_record, out);
}
