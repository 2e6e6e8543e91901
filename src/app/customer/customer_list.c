#include "app/customer/customer_index.h"

#include "app/customer/customer_sql.h"
#include "app/search/fold.h"
#include "db/counts.h"

#include <string.h>

/* Words of one search. All must match, so more than these would hardly narrow it. */
#define SEARCH_WORDS_MAX 6
#define WORDS_MAX 8     /* with a whole address and a whole number: :word_0 to :word_7 */
#define KEPT_TAG_MAX 64 /* bytes: the longest key of a kept total */
#define BINDS_MAX 40

struct search_word {
    struct str from, to; /* both ends belong to the range */
};

struct search {
    const struct customer_filter *filter;
    struct search_word words[WORDS_MAX];
    size_t word_count;
    bool finds_nothing; /* what was asked holds no word */
};

/* An index that can lead: its queries, and the list whose total is kept. */
struct lead {
    const struct query *page, *filtered, *count, *edge;
    const char *total;
};

static const struct lead by_all = {&sql_customer_page_by_all, &sql_customer_filtered_by_all,
                                   &sql_customer_count_by_all, &sql_customer_edge_by_all,
                                   "customers"};
static const struct lead by_status = {
    &sql_customer_page_by_status, &sql_customer_filtered_by_status, &sql_customer_count_by_status,
    &sql_customer_edge_by_status, "customers.status"};
static const struct lead by_owner = {&sql_customer_page_by_owner, &sql_customer_filtered_by_owner,
                                     &sql_customer_count_by_owner, &sql_customer_edge_by_owner,
                                     "customers.owner"};
static const struct lead by_company = {
    &sql_customer_page_by_company, &sql_customer_filtered_by_company,
    &sql_customer_count_by_company, &sql_customer_edge_by_company, "customers.company"};
static const struct lead by_tag = {&sql_customer_page_by_tag, &sql_customer_filtered_by_tag,
                                   &sql_customer_count_by_tag, &sql_customer_edge_by_tag,
                                   "customers.tag"};
/* Totals of tags that are longer than a key are not kept. */
static const struct lead by_long_tag = {NULL, &sql_customer_filtered_by_tag,
                                        &sql_customer_count_by_tag, &sql_customer_edge_by_tag,
                                        NULL};
static const struct lead by_external = {NULL, &sql_customer_filtered_by_external,
                                        &sql_customer_count_by_external,
                                        &sql_customer_edge_by_external, NULL};

/* One reading: what leads, what else must hold, and the stretch that is left to read: from
 * (after_name, after_id), which is not in it, up to (edge_name, edge_id), which is. */
struct reading {
    const struct search *search;
    const struct lead *lead;
    struct value lead_value;        /* type 0: none */
    int64_t lead_rows;              /* its kept total */
    size_t conditions;              /* the leading one included; words are not */
    const struct search_word *word; /* leads in its place */
    struct str after_name, edge_name;
    struct uuid after_id, edge_id;
};

#define LAST_LETTER "\xF4\x8F\xBF\xBF"
#define LAST_LETTERS_4 LAST_LETTER LAST_LETTER LAST_LETTER LAST_LETTER
#define LAST_LETTERS_16 LAST_LETTERS_4 LAST_LETTERS_4 LAST_LETTERS_4 LAST_LETTERS_4
/* Behind every sort key, and the smallest id; the nil UUID would be null. */
static const char last_name[] = LAST_LETTERS_16 LAST_LETTERS_16 LAST_LETTERS_16 LAST_LETTERS_16;
_Static_assert(sizeof(last_name) - 1 > CUSTOMER_NAME_KEY_MAX, "no key is behind it");
static const struct uuid first_id = {{[15] = 1}};

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

/* --- What leads ------------------------------------------------------------------------------ */

static enum err kept_total(struct ctx *cx, const struct lead *lead, const struct value *value,
                           int64_t *out)
{
    if (value->type == V_UUID)
        return count_get_uuid(cx, lead->total, value->uuid, out);
    return count_get(cx, lead->total, value->type == V_TEXT ? value->text : STR(""), out);
}

/* Takes the lead where it leads to fewer; without a kept total it is taken for narrow. */
static enum err consider(struct ctx *cx, struct reading *reading, const struct lead *lead,
                         struct value value)
{
    int64_t rows = 1;

    if (value.null)
        return OK;
    reading->conditions++;
    if (lead->total)
        TRY(kept_total(cx, lead, &value, &rows));
    if (reading->lead == &by_all || rows < reading->lead_rows) {
        reading->lead = lead;
        reading->lead_value = value;
        reading->lead_rows = rows;
    }
    return OK;
}

static enum err choose_lead(struct ctx *cx, struct reading *reading)
{
    const struct customer_filter *filter = reading->search->filter;
    const bool long_tag = filter->tag.ptr && filter->tag.len > KEPT_TAG_MAX;

    reading->lead = &by_all;
    TRY(kept_total(cx, &by_all, &reading->lead_value, &reading->lead_rows));
    TRY(consider(cx, reading, &by_external, v_text(filter->external_id)));
    TRY(consider(cx, reading, &by_company, v_uuid(filter->company_id)));
    TRY(consider(cx, reading, long_tag ? &by_long_tag : &by_tag, v_text(filter->tag)));
    TRY(consider(cx, reading, &by_owner, v_uuid(filter->owner_id)));
    TRY(consider(cx, reading, &by_status, v_enum(&customer_statuses, filter->status)));
    reading->conditions += filter->not_contacted_since.set;
    return OK;
}

/* A word that leads to fewer than the rest does, and to no more than may all be looked at. */
static enum err choose_word(struct ctx *cx, struct reading *reading)
{
    int64_t fewest = reading->lead_rows <= COUNT_CAP ? reading->lead_rows : COUNT_CAP + 1;

    for (size_t i = 0; i < reading->search->word_count; i++) {
        const struct search_word *word = &reading->search->words[i];
        int64_t entries;

        TRY(db_int(cx, &sql_customer_count_entries,
                   ARGS({"lead", v_text(word->from)}, {"lead_end", v_text(word->to)},
                        {"count_cap", v_int(fewest)}),
                   &entries));
        if (entries < fewest) {
            reading->word = word;
            fewest = entries;
        }
    }
    return OK;
}

/* --- Reading --------------------------------------------------------------------------------- */

static void whole_stretch(struct reading *reading)
{
    reading->after_name = STR("");
    reading->after_id = first_id;
    reading->edge_name = (struct str){last_name, sizeof(last_name) - 1};
    reading->edge_id = UUID_MAX;
}

static struct args reading_args(const struct reading *reading, int64_t limit, int64_t offset,
                                struct bind binds[BINDS_MAX])
{
    static const char *const from_names[WORDS_MAX] = {"word_0", "word_1", "word_2", "word_3",
                                                      "word_4", "word_5", "word_6", "word_7"};
    static const char *const to_names[WORDS_MAX] = {"word_end_0", "word_end_1", "word_end_2",
                                                    "word_end_3", "word_end_4", "word_end_5",
                                                    "word_end_6", "word_end_7"};
    const struct search *search = reading->search;
    const struct customer_filter *filter = search->filter;
    const bool tag_leads = reading->lead->edge == &sql_customer_edge_by_tag && !reading->word;
    const struct bind fixed[] = {
        {"lead", reading->word ? v_text(reading->word->from) : reading->lead_value},
        {"lead_end", v_text(reading->word ? reading->word->to : STR_NULL)},
        {"status", v_enum(&customer_statuses, filter->status)},
        {"owner_id", v_uuid(filter->owner_id)},
        {"company_id", v_uuid(filter->company_id)},
        {"external_id", v_text(filter->external_id)},
        {"not_contacted_since", v_maybe_time(filter->not_contacted_since)},
        {"tag", v_text(tag_leads ? STR_NULL : filter->tag)},
        {"cursor_text", v_text(reading->after_name)},
        {"cursor_id", v_uuid(reading->after_id)},
        {"edge_text", v_text(reading->edge_name)},
        {"edge_id", v_uuid(reading->edge_id)},
        {"limit", v_int(limit)},
        {"offset", v_int(offset)},
        {"window", v_int(offset)},
        {"count_cap", v_int(COUNT_CAP + 1)},
        {"scan_cap", v_int(SCAN_CAP)},
    };
    size_t count = COUNT_OF(fixed);

    _Static_assert(COUNT_OF(fixed) + WORDS_MAX + WORDS_MAX <= BINDS_MAX, "room for all");
    memcpy(binds, fixed, sizeof fixed);
    for (size_t i = 0; i < WORDS_MAX; i++) {
        bool used = i < search->word_count;

        binds[count++] =
            (struct bind){from_names[i], v_text(used ? search->words[i].from : STR_NULL)};
        binds[count++] = (struct bind){to_names[i], v_text(used ? search->words[i].to : STR_NULL)};
    }
    return (struct args){NULL, NULL, binds, count};
}

static enum err read_rows(struct ctx *cx, const struct query *query, const struct reading *reading,
                          int64_t limit, int64_t offset, struct list *out)
{
    struct bind binds[BINDS_MAX];

    return db_all(cx, query, reading_args(reading, limit, offset, binds), &customer_record, out);
}

static enum err read_count(struct ctx *cx, const struct query *query, const struct reading *reading,
                           int64_t *out)
{
    struct bind binds[BINDS_MAX];

    return db_int(cx, query, reading_args(reading, 0, 0, binds), out);
}

/* The last of the next `entries` of the leading index; false where fewer are left. */
static enum err find_edge(struct ctx *cx, const struct reading *reading, int64_t entries,
                          struct str *name, struct uuid *id, bool *found)
{
    struct bind binds[BINDS_MAX];
    struct customer edge;

    TRY(db_find(cx, reading->lead->edge, reading_args(reading, 0, entries - 1, binds),
                &customer_record, &edge, found));
    *name = edge.name_folded;
    *id = edge.id;
    return OK;
}

/* Reads step by step, so that a page that fills at once costs little and one that never does
 * costs SCAN_CAP entries. */
static enum err scan(struct ctx *cx, const struct reading *whole, int64_t limit, int64_t offset,
                     struct customer_page *out)
{
    static const int64_t steps[] = {500, 4500, SCAN_CAP - 5000};
    struct reading part = *whole;
    struct list rows;
    int64_t skipped;
    bool more;

    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        part.edge_name = whole->edge_name;
        part.edge_id = whole->edge_id;
        TRY(find_edge(cx, &part, steps[i], &out->cut_name, &out->cut_id, &more));
        if (more) {
            part.edge_name = out->cut_name;
            part.edge_id = out->cut_id;
        }
        TRY(read_rows(cx, part.lead->filtered, &part, limit - (int64_t)out->rows.count, offset,
                      &rows));
        TRY(list_append(cx->arena, &out->rows, &rows, sizeof(struct customer), cx->error));
        if (!more || (int64_t)out->rows.count >= limit)
            return OK;
        if (offset > 0 && rows.count == 0) {
            TRY(read_count(cx, part.lead->count, &part, &skipped));
            offset -= skipped;
        } else {
            offset = 0;
        }
        part.after_name = out->cut_name;
        part.after_id = out->cut_id;
    }
    out->cut = true;
    return OK;
}

/* How many there are, of the first SCAN_CAP entries. */
static enum err count_filtered(struct ctx *cx, struct reading reading, struct customer_page *out)
{
    struct str name;
    struct uuid id;
    bool more;

    whole_stretch(&reading);
    TRY(find_edge(cx, &reading, SCAN_CAP, &name, &id, &more));
    if (more) {
        reading.edge_name = name;
        reading.edge_id = id;
    }
    TRY(read_count(cx, reading.lead->count, &reading, &out->total));
    out->capped = more || out->total > COUNT_CAP;
    return OK;
}

static enum err found(struct ctx *cx, const struct reading *reading,
                      const struct customer_place *place, struct customer_page *out)
{
    const bool alone = reading->conditions == 0 && reading->search->word_count == 1;

    TRY(read_count(cx, alone ? &sql_customer_count_found : &sql_customer_count_found_filtered,
                   reading, &out->total));
    if (out->total == 0)
        return OK;
    return read_rows(cx, &sql_customer_page_found, reading, place->limit, place->offset,
                     &out->rows);
}

enum err customer_list(struct ctx *cx, const struct customer_filter *filter,
                       const struct customer_place *place, struct customer_page *out)
{
    struct search search;
    struct reading reading = {.search = &search, .lead_value.null = true};

    *out = (struct customer_page){.total = 0};
    search_begin(cx, filter, &search);
    if (search.finds_nothing)
        return OK;
    TRY(choose_lead(cx, &reading));
    TRY(choose_word(cx, &reading));
    whole_stretch(&reading);
    reading.after_name = place->after_name;
    reading.after_id = place->after_id;
    if (reading.word)
        return found(cx, &reading, place, out);
    if (search.word_count == 0 &&
        (reading.conditions == 0 ||
         (reading.conditions == 1 && reading.lead->total && reading.lead != &by_all))) {
        out->total = reading.lead_rows;
        return read_rows(cx, reading.lead->page, &reading, place->limit, place->offset, &out->rows);
    }
    TRY(count_filtered(cx, reading, out));
    if (out->total > 0 || out->capped)
        TRY(scan(cx, &reading, place->limit, place->offset, out));
    if (out->capped)
        out->total = COUNT_CAP;
    return OK;
}
