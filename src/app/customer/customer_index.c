#include "app/customer/customer_index.h"

#include "app/customer/customer_sql.h"
#include "app/search/fold.h"
#include "app/timeline/timeline.h"
#include "db/counts.h"

#define WORDS_MAX 512    /* entries of one customer */
#define SUFFIXES_MAX 16  /* of one word without spaces inside */
#define NUMBER_OFFSETS 4 /* E.164 country codes have up to three digits */

struct words {
    struct ctx *cx;
    struct str *items;
    size_t count;
};

static void add_word(struct words *words, struct str word)
{
    if (word.len == 0 || words->count == WORDS_MAX)
        return;
    if (word.len > FOLD_WORD_MAX) {
        struct str cut[1];

        if (fold_words(word, cut, 1) == 0)
            return;
        word = cut[0];
    }
    for (size_t i = 0; i < words->count; i++) {
        if (str_equal(words->items[i], word))
            return;
    }
    words->items[words->count++] = word;
}

static struct str joined(struct words *words, struct str prefix, struct str text)
{
    struct buf buf;

    buf_init(&buf, words->cx->arena, prefix.len + text.len);
    buf_add(&buf, prefix);
    buf_add(&buf, text);
    return buf_failed(&buf) ? STR_NULL : buf_str(&buf);
}

/* "007" is also found by "7", since searching drops zeros before a number. */
static void add_number(struct words *words, struct str word)
{
    size_t zeros = 0;

    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] < '0' || word.ptr[i] > '9')
            return;
    }
    while (zeros < word.len && word.ptr[zeros] == '0')
        zeros++;
    if (zeros > 0 && zeros < word.len)
        add_word(words, str_slice(word, zeros, word.len));
}

/* The words of one run without spaces: its parts, and all of it without what stands
 * between them ("O'Brien": o, brien, obrien). */
static void add_run(struct words *words, struct str run)
{
    struct str parts[FOLD_WORDS_MAX], suffixes[SUFFIXES_MAX];
    size_t count = fold_words(run, parts, FOLD_WORDS_MAX);
    struct buf whole;

    buf_init(&whole, words->cx->arena, run.len + 1);
    for (size_t i = 0; i < count; i++) {
        size_t suffix_count = fold_suffixes(parts[i], suffixes, SUFFIXES_MAX);

        add_word(words, parts[i]);
        add_number(words, parts[i]);
        for (size_t k = 0; k < suffix_count; k++)
            add_word(words, suffixes[k]);
        buf_add(&whole, parts[i]);
    }
    if (count > 1 && !buf_failed(&whole))
        add_word(words, buf_str(&whole));
}

static void add_text(struct words *words, struct str text)
{
    struct str rest = fold_text(words->cx->arena, text), run;

    while (rest.ptr) {
        rest = str_cut(rest, ' ', &run);
        add_run(words, run);
    }
}

static void add_email(struct words *words, struct str address)
{
    struct str folded = fold_text(words->cx->arena, address), parts[FOLD_WORDS_MAX];
    size_t count = fold_words(folded, parts, FOLD_WORDS_MAX);

    /* An address is at most 254 bytes and is found as a whole, so it is not cut. */
    if (words->count + 2 <= WORDS_MAX) {
        words->items[words->count++] = joined(words, STR("="), folded);
        words->items[words->count++] = folded;
    }
    for (size_t i = 0; i < count; i++)
        add_word(words, parts[i]);
}

/* From its first digits on, with and without a country code. */
static void add_phone(struct words *words, struct str number)
{
    struct str digits = fold_digits(words->cx->arena, number);

    if (words->count < WORDS_MAX)
        words->items[words->count++] = joined(words, STR("="), digits);
    for (size_t i = 0; i < NUMBER_OFFSETS && i < digits.len; i++)
        add_word(words, str_slice(digits, i, digits.len));
}

static enum err words_of(struct ctx *cx, const struct customer *customer, struct words *out)
{
    *out = (struct words){.cx = cx, .items = ARENA_ARRAY(cx->arena, WORDS_MAX, struct str)};
    if (!out->items)
        return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
    add_text(out, customer->name);
    if (customer->external_id.ptr)
        add_text(out, customer->external_id);
    for (size_t i = 0; i < customer->emails.count; i++)
        add_email(out, LIST_AT(customer->emails, struct customer_address, i)->address);
    for (size_t i = 0; i < customer->phones.count; i++)
        add_phone(out, LIST_AT(customer->phones, struct customer_address, i)->address);
    return OK;
}

static bool has_word(const struct words *words, struct str word)
{
    for (size_t i = 0; i < words->count; i++) {
        if (str_equal(words->items[i], word))
            return true;
    }
    return false;
}

/* Runs `query` for each word that stands in `words` and not in `others`. */
static enum err run_words(struct ctx *cx, const struct query *query, struct uuid id,
                          const struct words *words, const struct words *others)
{
    for (size_t i = 0; i < words->count; i++) {
        if (!has_word(others, words->items[i]))
            TRY(db_run(cx, query,
                       ARGS({"word", v_text(words->items[i])}, {"customer_id", v_uuid(id)})));
    }
    return OK;
}

bool customer_has_tag(const struct list *tags, struct str tag)
{
    for (size_t i = 0; i < tags->count; i++) {
        if (str_equal(*LIST_AT(*tags, struct str, i), tag))
            return true;
    }
    return false;
}

static enum err run_tags(struct ctx *cx, const struct query *query, const struct customer *customer,
                         const struct list *others, int64_t delta)
{
    for (size_t i = 0; i < customer->tags.count; i++) {
        struct str tag = *LIST_AT(customer->tags, struct str, i);

        if (customer_has_tag(others, tag))
            continue;
        TRY(db_run(cx, query,
                   ARGS({"tag", v_text(tag)}, {"customer_id", v_uuid(customer->id)},
                        {"name_folded", v_text(customer->name_folded)})));
        if (tag.len <= CUSTOMER_KEPT_TAG_MAX)
            TRY(count_add(cx, "customers.tag", tag, delta));
    }
    return OK;
}

static enum err add_to_lists(struct ctx *cx, const struct customer *customer, int64_t delta)
{
    TRY(count_add(cx, "customers", STR(""), delta));
    TRY(count_add(cx, "customers.status", str_of(enum_name(&customer_statuses, customer->status)),
                  delta));
    if (!uuid_is_none(customer->owner_id))
        TRY(count_add_uuid(cx, "customers.owner", customer->owner_id, delta));
    if (!uuid_is_none(customer->company_id))
        TRY(count_add_uuid(cx, "customers.company", customer->company_id, delta));
    if (customer->last_contact_method.ptr)
        TRY(count_add(cx, "customers.method", customer->last_contact_method, delta));
    return OK;
}

enum err customer_index_add(struct ctx *cx, const struct customer *customer)
{
    const struct words no_words = {0};
    const struct list no_tags = {0};
    struct words words;

    TRY(words_of(cx, customer, &words));
    TRY(run_words(cx, &sql_customer_word_insert, customer->id, &words, &no_words));
    TRY(run_tags(cx, &sql_customer_tag_insert, customer, &no_tags, 1));
    return add_to_lists(cx, customer, 1);
}

enum err customer_index_remove(struct ctx *cx, const struct customer *customer)
{
    const struct words no_words = {0};
    const struct list no_tags = {0};
    struct words words;

    TRY(words_of(cx, customer, &words));
    TRY(run_words(cx, &sql_customer_word_delete, customer->id, &words, &no_words));
    TRY(run_tags(cx, &sql_customer_tag_delete, customer, &no_tags, -1));
    return add_to_lists(cx, customer, -1);
}

enum err customer_index_status(struct ctx *cx, int before, int after)
{
    TRY(count_add(cx, "customers.status", str_of(enum_name(&customer_statuses, before)), -1));
    return count_add(cx, "customers.status", str_of(enum_name(&customer_statuses, after)), 1);
}

enum err customer_index_method(struct ctx *cx, struct str before, struct str after)
{
    if (str_equal(before, after))
        return OK;
    if (before.ptr)
        TRY(count_add(cx, "customers.method", before, -1));
    return after.ptr ? count_add(cx, "customers.method", after, 1) : OK;
}

static enum err move_total(struct ctx *cx, const char *list, struct uuid before, struct uuid after)
{
    if (uuid_equal(before, after))
        return OK;
    if (!uuid_is_none(before))
        TRY(count_add_uuid(cx, list, before, -1));
    return uuid_is_none(after) ? OK : count_add_uuid(cx, list, after, 1);
}

static bool same_addresses(const struct list *a, const struct list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!str_equal(LIST_AT(*a, struct customer_address, i)->address,
                       LIST_AT(*b, struct customer_address, i)->address))
            return false;
    }
    return true;
}

static enum err change_words(struct ctx *cx, const struct customer *before,
                             const struct customer *after)
{
    struct words old_words, new_words;

    /* As a rule, so most changes cost neither the time nor the memory. */
    if (str_equal(before->name, after->name) &&
        str_equal(before->external_id, after->external_id) &&
        same_addresses(&before->emails, &after->emails) &&
        same_addresses(&before->phones, &after->phones))
        return OK;
    TRY(words_of(cx, before, &old_words));
    TRY(words_of(cx, after, &new_words));
    TRY(run_words(cx, &sql_customer_word_delete, after->id, &old_words, &new_words));
    return run_words(cx, &sql_customer_word_insert, after->id, &new_words, &old_words);
}

enum err customer_index_change(struct ctx *cx, const struct customer *before,
                               const struct customer *after)
{
    TRY(change_words(cx, before, after));
    TRY(run_tags(cx, &sql_customer_tag_delete, before, &after->tags, -1));
    TRY(run_tags(cx, &sql_customer_tag_insert, after, &before->tags, 1));
    if (!str_equal(before->name_folded, after->name_folded))
        TRY(db_run(
            cx, &sql_customer_tags_rename,
            ARGS({"customer_id", v_uuid(after->id)}, {"name_folded", v_text(after->name_folded)})));
    if (before->status != after->status)
        TRY(customer_index_status(cx, before->status, after->status));
    TRY(move_total(cx, "customers.owner", before->owner_id, after->owner_id));
    return move_total(cx, "customers.company", before->company_id, after->company_id);
}
