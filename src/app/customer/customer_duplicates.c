#include "app/customer/customer_index.h"
#include "app/customer/customer_merge.h"
#include "app/customer/customer_merge_sql.h"
#include "app/search/fold.h"

#include <stdlib.h>

#define NAME_WORDS_MAX 8
#define NAME_ROWS_MAX 50 /* who are compared, word by word */
#define REASONS_MAX (2 * CUSTOMER_ADDRESSES_MAX + 1)
#define FOUND_MAX (REASONS_MAX * DUPLICATE_ENTRIES + NAME_ROWS_MAX)

static const char *const kind_names[] = {"email", "phone", "name"};
static const struct enum_names kinds = ENUM_NAMES(kind_names);
/* How sure each kind of reason makes it, alone. */
static const double weights[] = {0, 0.8, 0.7, 0.5};

static const struct field reason_fields[] = {
    FIELD(duplicate_reason, kind, F_ENUM, READ_ONLY, .names = &kinds),
    FIELD(duplicate_reason, value, F_TEXT, READ_ONLY, .doc = "What both have"),
};
static const struct record reason_record =
    RECORD_NAMED("DuplicateReason", duplicate_reason, reason_fields);

static const struct field duplicate_fields[] = {
    FIELD_AS(customer_duplicate, "id", customer.id, F_UUID, READ_ONLY),
    FIELD_AS(customer_duplicate, "external_id", customer.external_id, F_TEXT, READ_ONLY | NULLABLE),
    FIELD_AS(customer_duplicate, "name", customer.name, F_TEXT, READ_ONLY),
    FIELD_AS(customer_duplicate, "email", customer.email, F_TEXT, READ_ONLY | NULLABLE),
    FIELD_AS(customer_duplicate, "phone", customer.phone, F_TEXT, READ_ONLY | NULLABLE),
    FIELD_AS(customer_duplicate, "company_name", customer.company_name, F_TEXT,
             READ_ONLY | NULLABLE),
    FIELD_AS(customer_duplicate, "owner_name", customer.owner_name, F_TEXT, READ_ONLY | NULLABLE),
    FIELD_AS(customer_duplicate, "status", customer.status, F_ENUM, READ_ONLY,
             .names = &customer_statuses),
    FIELD_AS(customer_duplicate, "contact_count", customer.contact_count, F_INT, READ_ONLY),
    FIELD_AS(customer_duplicate, "created_at", customer.created_at, F_TIME, READ_ONLY),
    FIELD(customer_duplicate, score, F_REAL, READ_ONLY,
          .doc = "0 to 1: a shared address counts 0.8, a number 0.7, the name 0.5"),
    FIELD(customer_duplicate, reasons, F_LIST, READ_ONLY, .of = F_OBJECT, .record = &reason_record),
};
static const struct record duplicate_record =
    RECORD_NAMED("CustomerDuplicate", customer_duplicate, duplicate_fields);

static const struct field duplicates_fields[] = {
    FIELD(customer_duplicates, customer_id, F_UUID, READ_ONLY),
    FIELD(customer_duplicates, data, F_LIST, READ_ONLY, .of = F_OBJECT, .record = &duplicate_record,
          .doc = "The likeliest first"),
};
const struct record customer_duplicates_record =
    RECORD_NAMED("CustomerDuplicates", customer_duplicates, duplicates_fields);

static enum err exhausted(struct ctx *cx)
{
    return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
}

/* The words of a name, in one order whatever theirs was. */
struct name_words {
    struct str items[NAME_WORDS_MAX];
    size_t count;
};

static int compare_words(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static void read_words(struct ctx *cx, struct str name, struct name_words *out)
{
    const struct str folded = fold_text(cx->arena, name);

    out->count = folded.ptr ? fold_words(folded, out->items, NAME_WORDS_MAX) : 0;
    qsort(out->items, out->count, sizeof(out->items[0]), compare_words);
}

static bool same_words(const struct name_words *a, const struct name_words *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!str_equal(a->items[i], b->items[i]))
            return false;
    }
    return a->count > 0;
}

/* --- What is found ----------------------------------------------------------------------- */

struct finding {
    struct ctx *cx;
    const struct customer *customer;
    struct name_words words;
    struct list found; /* struct customer_duplicate */
    int kind;          /* of the reason that is looked for */
    struct str value;  /* … and what is shared */
};

static struct customer_duplicate *find(struct finding *finding, struct uuid id)
{
    for (size_t i = 0; i < finding->found.count; i++) {
        struct customer_duplicate *one = LIST_AT(finding->found, struct customer_duplicate, i);

        if (uuid_equal(one->customer.id, id))
            return one;
    }
    return NULL;
}

static bool has_kind(const struct customer_duplicate *duplicate, int kind)
{
    for (size_t i = 0; i < duplicate->reasons.count; i++) {
        if (LIST_AT(duplicate->reasons, struct duplicate_reason, i)->kind == kind)
            return true;
    }
    return false;
}

static struct customer_duplicate *add_found(struct finding *finding, const struct customer *who)
{
    struct duplicate_reason *reasons =
        ARENA_ARRAY(finding->cx->arena, REASONS_MAX, struct duplicate_reason);
    struct customer_duplicate *duplicate;

    if (!reasons || finding->found.count == FOUND_MAX)
        return NULL;
    duplicate = LIST_AT(finding->found, struct customer_duplicate, finding->found.count++);
    *duplicate = (struct customer_duplicate){.customer = *who, .reasons = {reasons, 0}};
    return duplicate;
}

static enum err add(struct finding *finding, const struct customer *who)
{
    struct customer_duplicate *duplicate = find(finding, who->id);
    bool known;

    if (!duplicate)
        duplicate = add_found(finding, who);
    if (!duplicate)
        return exhausted(finding->cx);
    known = has_kind(duplicate, finding->kind);
    if (known && finding->kind == DUPLICATE_NAME)
        return OK;
    /* A second address of theirs proves little more than the first. */
    if (!known)
        duplicate->score = 1 - (1 - duplicate->score) * (1 - weights[finding->kind]);
    *LIST_AT(duplicate->reasons, struct duplicate_reason, duplicate->reasons.count++) =
        (struct duplicate_reason){finding->kind, finding->value};
    return OK;
}

static enum err add_all(struct finding *finding, const struct list *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        TRY(add(finding, LIST_AT(*rows, struct customer, i)));
    return OK;
}

/* `whole`: the address or number as the index has it. */
static enum err by_whole(struct finding *finding, struct str whole)
{
    struct ctx *cx = finding->cx;
    struct list rows;
    struct buf word;

    buf_init(&word, cx->arena, whole.len + 1);
    buf_add_char(&word, '=');
    buf_add(&word, whole);
    if (buf_failed(&word))
        return exhausted(cx);
    TRY(db_all(cx, &sql_duplicates_by_word,
               ARGS({"word", v_text(buf_str(&word))}, {"id", v_uuid(finding->customer->id)},
                    {"limit", v_int(DUPLICATE_ENTRIES)}),
               &customer_record, &rows));
    return add_all(finding, &rows);
}

static enum err by_addresses(struct finding *finding)
{
    const struct customer *customer = finding->customer;
    struct arena *arena = finding->cx->arena;

    finding->kind = DUPLICATE_EMAIL;
    for (size_t i = 0; i < customer->emails.count; i++) {
        finding->value = LIST_AT(customer->emails, struct customer_address, i)->address;
        TRY(by_whole(finding, fold_text(arena, finding->value)));
    }
    finding->kind = DUPLICATE_PHONE;
    for (size_t i = 0; i < customer->phones.count; i++) {
        finding->value = LIST_AT(customer->phones, struct customer_address, i)->address;
        TRY(by_whole(finding, fold_digits(arena, finding->value)));
    }
    return OK;
}

/* The two words of the name that the fewest have. */
static enum err rarest_words(struct finding *finding, struct str *first, struct str *second)
{
    int64_t first_count = INT64_MAX, second_count = INT64_MAX;

    for (size_t i = 0; i < finding->words.count; i++) {
        const struct str word = finding->words.items[i];
        int64_t count;

        if (i > 0 && str_equal(word, finding->words.items[i - 1]))
            continue;
        TRY(db_int(finding->cx, &sql_duplicate_word_entries,
                   ARGS({"word", v_text(word)}, {"limit", v_int(DUPLICATE_WORD_ENTRIES)}), &count));
        if (count < first_count) {
            *second = *first;
            second_count = first_count;
            *first = word;
            first_count = count;
        } else if (count < second_count) {
            *second = word;
            second_count = count;
        }
    }
    return OK;
}

/* Who has the name's words in another order, or with other signs between them. */
static enum err by_words(struct finding *finding)
{
    struct ctx *cx = finding->cx;
    struct str first = STR_NULL, second = STR_NULL;
    struct list rows;

    TRY(rarest_words(finding, &first, &second));
    if (!second.ptr) /* one word has one order */
        return OK;
    TRY(db_all(cx, &sql_duplicates_by_words,
               ARGS({"word", v_text(first)}, {"other", v_text(second)},
                    {"id", v_uuid(finding->customer->id)}, {"limit", v_int(DUPLICATE_WORD_ENTRIES)},
                    {"rows", v_int(NAME_ROWS_MAX)}),
               &customer_record, &rows));
    for (size_t i = 0; i < rows.count; i++) {
        const struct customer *who = LIST_AT(rows, struct customer, i);
        struct name_words words;

        read_words(cx, who->name, &words);
        if (same_words(&words, &finding->words))
            TRY(add(finding, who));
    }
    return OK;
}

static enum err by_name(struct finding *finding)
{
    struct ctx *cx = finding->cx;
    struct list rows;

    finding->kind = DUPLICATE_NAME;
    finding->value = finding->customer->name;
    read_words(cx, finding->customer->name, &finding->words);
    TRY(db_all(cx, &sql_duplicates_by_name,
               ARGS({"name_folded", v_text(finding->customer->name_folded)},
                    {"id", v_uuid(finding->customer->id)}, {"limit", v_int(DUPLICATE_ENTRIES)}),
               &customer_record, &rows));
    TRY(add_all(finding, &rows));
    return by_words(finding);
}

static int compare_likelihood(const void *a, const void *b)
{
    const struct customer_duplicate *one = a, *other = b;

    if (one->score != other->score)
        return one->score > other->score ? -1 : 1;
    return uuid_compare(one->customer.id, other->customer.id);
}

enum err customer_find_duplicates(struct ctx *cx, struct uuid id, struct customer_duplicates *out)
{
    struct customer customer = {0};
    struct finding finding = {.cx = cx, .customer = &customer};

    TRY(customer_get(cx, id, &customer));
    finding.found.items = ARENA_ARRAY(cx->arena, FOUND_MAX, struct customer_duplicate);
    if (!finding.found.items)
        return exhausted(cx);
    TRY(by_addresses(&finding));
    TRY(by_name(&finding));
    qsort(finding.found.items, finding.found.count, sizeof(struct customer_duplicate),
          compare_likelihood);
    if (finding.found.count > CUSTOMER_DUPLICATES_MAX)
        finding.found.count = CUSTOMER_DUPLICATES_MAX;
    out->customer_id = customer.id;
    out->data = finding.found;
    return OK;
}
