#include "app/customer/customer_index.h"
#include "app/customer/customer_lead.h"
#include "app/customer/customer_search.h"
#include "app/customer/customer_sql.h"
#include "app/interaction/interaction.h"
#include "db/counts.h"

#include <string.h>

#define BINDS_MAX 40

static const char *const sort_names[] = {"name", "last_contacted_at", "-last_contacted_at"};
const struct enum_names customer_sorts = ENUM_NAMES(sort_names);

/* One reading: how it is sorted, what leads, what else must hold, and the stretch that is left to
 * read, from `low` up or from `high` down; both are in it. */
struct reading {
    const struct customer_filter *filter;
    const struct customer_search *search;
    enum customer_sort sort;
    struct maybe_int latest_contact; /* no later one, by "not contacted since" */
    const struct customer_lead *lead;
    struct value lead_value, lead_end;
    int64_t lead_rows; /* how many it leads to */
    size_t conditions; /* the leading one included */
    /* The total, where one condition is all there is. */
    struct maybe_int known;
    bool known_capped;
    struct customer_key low, high;
};

#define LAST_LETTER "\xF4\x8F\xBF\xBF"
#define LAST_LETTERS_4 LAST_LETTER LAST_LETTER LAST_LETTER LAST_LETTER
#define LAST_LETTERS_16 LAST_LETTERS_4 LAST_LETTERS_4 LAST_LETTERS_4 LAST_LETTERS_4
/* Behind every sort key. */
static const char last_name[] = LAST_LETTERS_16 LAST_LETTERS_16 LAST_LETTERS_16 LAST_LETTERS_16;
_Static_assert(sizeof(last_name) - 1 > CUSTOMER_NAME_KEY_MAX, "no key is behind it");

/* --- Stretches --------------------------------------------------------------------------- */

struct customer_key customer_key_of(const struct customer *customer)
{
    const struct maybe_int at = customer->last_contacted_at;

    return (struct customer_key){.name = customer->name_folded,
                                 .contacted_at = at.set ? at.value : TIME_MIN_US,
                                 .id = customer->id};
}

static struct uuid id_after(struct uuid id)
{
    for (size_t i = sizeof(id.bytes); i > 0; i--) {
        if (++id.bytes[i - 1] != 0)
            return id;
    }
    return UUID_MAX;
}

static struct uuid id_before(struct uuid id)
{
    for (size_t i = sizeof(id.bytes); i > 0; i--) {
        if (id.bytes[i - 1]-- != 0)
            break;
    }
    return uuid_is_none(id) ? UUID_MIN : id;
}

/* "Not contacted since" bounds it where the index is sorted by that. */
static bool is_bounded(const struct reading *reading)
{
    return reading->sort != CUSTOMERS_BY_NAME && reading->latest_contact.set;
}

static void whole_stretch(struct reading *reading)
{
    reading->low = (struct customer_key){STR(""), TIME_MIN_US, UUID_MIN};
    reading->high = (struct customer_key){
        .name = {last_name, sizeof(last_name) - 1},
        .contacted_at = is_bounded(reading) ? reading->latest_contact.value : TIME_END,
        .id = UUID_MAX};
}

/* What comes behind a place, in the order of the list. */
static void begin_after(struct reading *reading, struct customer_key place)
{
    if (reading->sort != CUSTOMERS_LATEST) {
        reading->low = place;
        reading->low.id = id_after(place.id);
    } else if (place.contacted_at <= reading->high.contacted_at) {
        reading->high = place;
        reading->high.id = id_before(place.id);
    }
}

static void end_with(struct reading *reading, struct customer_key place)
{
    *(reading->sort == CUSTOMERS_LATEST ? &reading->low : &reading->high) = place;
}

/* --- Queries ----------------------------------------------------------------------------- */

static struct args reading_args(const struct reading *reading, int64_t limit, int64_t offset,
                                struct bind binds[BINDS_MAX])
{
    static const char *const from_names[CUSTOMER_WORDS_MAX] = {
        "word_0", "word_1", "word_2", "word_3", "word_4", "word_5", "word_6", "word_7"};
    static const char *const to_names[CUSTOMER_WORDS_MAX] = {
        "word_end_0", "word_end_1", "word_end_2", "word_end_3",
        "word_end_4", "word_end_5", "word_end_6", "word_end_7"};
    const struct customer_search *search = reading->search;
    const struct customer_filter *filter = reading->filter;
    const bool tag_leads = reading->lead == &customers_by_tag;
    const struct bind fixed[] = {
        {"lead", reading->lead_value},
        {"lead_end", reading->lead_end},
        {"status", v_enum(&customer_statuses, filter->status)},
        {"owner_id", v_uuid(filter->owner_id)},
        {"company_id", v_uuid(filter->company_id)},
        {"external_id", v_text(filter->external_id)},
        {"method", v_enum(&interaction_type_words, filter->method)},
        {"latest_contact", v_maybe_time(reading->latest_contact)},
        {"tag", v_text(tag_leads ? STR_NULL : filter->tag)},
        {"low_name", v_text(reading->low.name)},
        {"low_time", v_time(reading->low.contacted_at)},
        {"low_id", v_uuid(reading->low.id)},
        {"high_name", v_text(reading->high.name)},
        {"high_time", v_time(reading->high.contacted_at)},
        {"high_id", v_uuid(reading->high.id)},
        {"limit", v_int(limit)},
        {"offset", v_int(offset)},
        {"count_cap", v_int(COUNT_CAP + 1)},
        {"scan_cap", v_int(SCAN_CAP)},
    };
    size_t count = COUNT_OF(fixed);

    _Static_assert(COUNT_OF(fixed) + CUSTOMER_WORDS_MAX + CUSTOMER_WORDS_MAX <= BINDS_MAX,
                   "room for all");
    memcpy(binds, fixed, sizeof fixed);
    for (size_t i = 0; i < CUSTOMER_WORDS_MAX; i++) {
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

/* --- What leads ---------------------------------------------------------------------------- */

static const struct customer_walk *walk_of(const struct reading *reading)
{
    return &reading->lead->walks[reading->sort];
}

static bool has_walk(const struct customer_lead *lead, enum customer_sort sort)
{
    return lead->walks[sort].page != NULL;
}

static enum err kept_total(struct ctx *cx, const struct customer_lead *lead,
                           const struct value *value, int64_t *out)
{
    if (value->type == V_UUID)
        return count_get_uuid(cx, lead->total, value->uuid, out);
    return count_get(cx, lead->total, value->type == V_TEXT ? value->text : STR(""), out);
}

/* So few that all of them may be looked at, and fewer than what leads so far leads to. */
static int64_t fewest(const struct reading *reading)
{
    return reading->lead_rows <= COUNT_CAP ? reading->lead_rows : COUNT_CAP + 1;
}

static void add_condition(struct reading *reading)
{
    reading->conditions++;
    reading->known.set = false;
}

static void lead_by(struct reading *reading, const struct customer_lead *lead, struct value value,
                    int64_t rows)
{
    reading->lead = lead;
    reading->lead_value = value;
    reading->lead_rows = rows;
}

/* Takes the lead where it leads to fewer. An external_id leads to one; a tag that is too long for
 * a kept total is taken for narrow. */
static enum err consider(struct ctx *cx, struct reading *reading, const struct customer_lead *lead,
                         struct value value)
{
    const bool walks = has_walk(lead, reading->sort);
    const bool long_tag = lead == &customers_by_tag && value.text.len > CUSTOMER_KEPT_TAG_MAX;
    int64_t rows = 1;

    if (value.null)
        return OK;
    add_condition(reading);
    if (lead->total && !long_tag) {
        TRY(kept_total(cx, lead, &value, &rows));
        reading->known = (struct maybe_int)SOME(rows);
    }
    if (walks ? reading->lead == &customers_by_all || rows < reading->lead_rows
              : !long_tag && rows < fewest(reading))
        lead_by(reading, lead, value, rows);
    return OK;
}

/* The longest silent ones, by their index, for a list by name. */
static enum err consider_silence(struct ctx *cx, struct reading *reading)
{
    struct reading silent = *reading;
    int64_t rows;

    if (!reading->latest_contact.set || is_bounded(reading))
        return OK;
    add_condition(reading);
    silent.sort = CUSTOMERS_LONGEST_AGO;
    whole_stretch(&silent);
    TRY(read_count(cx, customers_by_all.walks[silent.sort].entries, &silent, &rows));
    reading->known_capped = rows > COUNT_CAP;
    reading->known = (struct maybe_int)SOME(rows);
    if (rows < fewest(reading))
        lead_by(reading, &customers_by_silence, v_text(STR_NULL), rows);
    return OK;
}

static enum err consider_word(struct ctx *cx, struct reading *reading,
                              const struct customer_word *word)
{
    int64_t entries;

    add_condition(reading);
    TRY(db_int(cx, &sql_customer_word_entries,
               ARGS({"lead", v_text(word->from)}, {"lead_end", v_text(word->to)},
                    {"count_cap", v_int(fewest(reading))}),
               &entries));
    if (entries < fewest(reading)) {
        lead_by(reading, &customers_by_word, v_text(word->from), entries);
        reading->lead_end = v_text(word->to);
    }
    return OK;
}

static enum err choose_lead(struct ctx *cx, struct reading *reading)
{
    const struct customer_filter *filter = reading->filter;

    TRY(kept_total(cx, &customers_by_all, &reading->lead_value, &reading->lead_rows));
    reading->lead = &customers_by_all;
    reading->known = (struct maybe_int)SOME(reading->lead_rows);
    TRY(consider(cx, reading, &customers_by_external, v_text(filter->external_id)));
    TRY(consider(cx, reading, &customers_by_company, v_uuid(filter->company_id)));
    TRY(consider(cx, reading, &customers_by_tag, v_text(filter->tag)));
    TRY(consider(cx, reading, &customers_by_owner, v_uuid(filter->owner_id)));
    TRY(consider(cx, reading, &customers_by_status, v_enum(&customer_statuses, filter->status)));
    TRY(consider(cx, reading, &customers_by_method,
                 v_enum(&interaction_type_words, filter->method)));
    TRY(consider_silence(cx, reading));
    for (size_t i = 0; i < reading->search->word_count; i++)
        TRY(consider_word(cx, reading, &reading->search->words[i]));
    return OK;
}

/* --- Reading --------------------------------------------------------------------------------- */

/* The last of the next `entries` of the leading index; false where fewer are left. */
static enum err find_edge(struct ctx *cx, const struct reading *reading, int64_t entries,
                          struct customer_key *out, bool *found)
{
    struct bind binds[BINDS_MAX];
    struct customer edge = {0};

    TRY(db_find(cx, walk_of(reading)->edge, reading_args(reading, 1, entries - 1, binds),
                &customer_record, &edge, found));
    *out = customer_key_of(&edge);
    return OK;
}

/* Reads step by step, so that a page that fills at once costs little and one that never does
 * costs SCAN_CAP entries. */
static enum err scan(struct ctx *cx, const struct reading *whole, int64_t limit, int64_t offset,
                     struct customer_page *out)
{
    static const int64_t steps[] = {500, 4500, SCAN_CAP - 5000};
    struct reading left = *whole;
    struct list rows;
    int64_t skipped;
    bool more;

    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct reading part = left;

        TRY(find_edge(cx, &part, steps[i], &out->cut_key, &more));
        if (more)
            end_with(&part, out->cut_key);
        TRY(read_rows(cx, walk_of(&part)->filtered, &part, limit - (int64_t)out->rows.count, offset,
                      &rows));
        TRY(list_append(cx->arena, &out->rows, &rows, sizeof(struct customer), cx->error));
        if (!more || (int64_t)out->rows.count >= limit)
            return OK;
        if (offset > 0 && rows.count == 0) {
            TRY(read_count(cx, walk_of(&part)->count, &part, &skipped));
            offset -= skipped;
        } else {
            offset = 0;
        }
        begin_after(&left, out->cut_key);
    }
    out->cut = true;
    return OK;
}

/* How many there are, of the first SCAN_CAP entries. */
static enum err count_filtered(struct ctx *cx, struct reading reading, struct customer_page *out)
{
    struct customer_key edge;
    bool more;

    TRY(find_edge(cx, &reading, SCAN_CAP, &edge, &more));
    if (more)
        end_with(&reading, edge);
    TRY(read_count(cx, walk_of(&reading)->count, &reading, &out->total));
    out->capped = more || out->total > COUNT_CAP;
    return OK;
}

/* The plain list of what leads: nothing else is asked. */
static bool is_plain(const struct reading *reading)
{
    return reading->conditions == (reading->lead != &customers_by_all);
}

/* `whole`: from the beginning. */
static enum err find_total(struct ctx *cx, const struct reading *whole, struct customer_page *out)
{
    const struct customer_lead *lead = whole->lead;
    const bool alone = whole->conditions <= 1 && !is_bounded(whole);
    const struct customer_walk *walk = walk_of(whole);

    if (alone && whole->known.set) {
        out->total = whole->known.value;
        out->capped = whole->known_capped;
        return OK;
    }
    if (!has_walk(lead, whole->sort))
        return read_count(cx, alone && lead->few_alone ? lead->few_alone : lead->few_count, whole,
                          &out->total);
    if (!is_plain(whole) || !walk->entries)
        return count_filtered(cx, *whole, out);
    TRY(read_count(cx, walk->entries, whole, &out->total));
    out->capped = out->total > COUNT_CAP;
    return OK;
}

static struct maybe_int latest_contact(const struct ctx *cx, const struct customer_filter *filter)
{
    struct maybe_int since = filter->not_contacted_since;

    if (filter->not_contacted_days.set)
        since = (struct maybe_int)SOME(cx->now_us - filter->not_contacted_days.value * DAY_US);
    if (since.set)
        since.value -= since.value > TIME_MIN_US; /* which is never, and is always before it */
    return since;
}

enum err customer_list(struct ctx *cx, const struct customer_filter *filter,
                       const struct customer_place *place, struct customer_page *out)
{
    struct customer_search search;
    struct reading reading = {.filter = filter,
                              .search = &search,
                              .sort = filter->sort ? (enum customer_sort)filter->sort
                                                   : CUSTOMERS_BY_NAME,
                              .latest_contact = latest_contact(cx, filter),
                              .lead_value.null = true,
                              .lead_end.null = true};

    *out = (struct customer_page){.total = 0};
    customer_search_begin(cx, filter, &search);
    if (search.finds_nothing)
        return OK;
    TRY(choose_lead(cx, &reading));
    whole_stretch(&reading);
    TRY(find_total(cx, &reading, out));
    begin_after(&reading, place->after);
    if (!has_walk(reading.lead, reading.sort))
        TRY(read_rows(cx, reading.lead->few[reading.sort], &reading, place->limit, place->offset,
                      &out->rows));
    else if (is_plain(&reading))
        TRY(read_rows(cx, walk_of(&reading)->page, &reading, place->limit, place->offset,
                      &out->rows));
    else if (out->total > 0 || out->capped)
        TRY(scan(cx, &reading, place->limit, place->offset, out));
    if (out->capped)
        out->total = COUNT_CAP;
    return OK;
}
