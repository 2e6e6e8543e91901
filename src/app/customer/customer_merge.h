/* Customers who are the same person: finding them, and making one of two (SPEC.md §3).
 *
 * Contracts as in customer.h: everything runs in the caller's transaction; unknown, foreign and
 * deleted ids are ERR_NOT_FOUND. */
#ifndef APP_CUSTOMER_MERGE_H
#define APP_CUSTOMER_MERGE_H

#include "app/customer/customer.h"

#define CUSTOMER_UNDO_US (INT64_C(24) * 3600 * SECOND_US)

/* --- Duplicates -------------------------------------------------------------------------- */

#define CUSTOMER_DUPLICATES_MAX 20 /* of one customer, the likeliest */

enum duplicate_kind { DUPLICATE_EMAIL = 1, DUPLICATE_PHONE, DUPLICATE_NAME };

/* Why: what both have. */
struct duplicate_reason {
    int kind; /* enum duplicate_kind */
    struct str value;
};

struct customer_duplicate {
    struct customer customer;
    double score; /* 0 to 1: an address counts 0.8, a number 0.7, a name 0.5, as chances do */
    struct list reasons; /* struct duplicate_reason */
};

/* A customer's likely duplicates. */
struct customer_duplicates {
    struct uuid customer_id;
    struct list data; /* struct customer_duplicate, likeliest first */
};

extern const struct record customer_duplicates_record;

/* Who shares an address or a number, or has the same words for a name, in any order. Costs at
 * most so many reads of the index: for each address and number the first DUPLICATE_ENTRIES who
 * have it, for the name those who have it as it stands, and of its rarest word the first
 * DUPLICATE_WORD_ENTRIES. */
enum err customer_find_duplicates(struct ctx *cx, struct uuid id, struct customer_duplicates *out);
#define DUPLICATE_ENTRIES 20
#define DUPLICATE_WORD_ENTRIES 2000

/* --- Merging ----------------------------------------------------------------------------- */

struct customer_merge {
    struct uuid id;
    struct uuid customer_id; /* who is left */
    struct uuid merged_id;   /* who is known by that id from then on */
    struct str customer_name, merged_name;
    struct uuid merged_by;
    struct str merged_by_name;
    int64_t merged_at;
    struct maybe_int undone_at;
    int64_t version;   /* of the survivor as it stands */
    struct str before; /* no JSON: the survivor before and after, for the undoing */
};

extern const struct record customer_merge_record;

/* Both rows, locked in the order of their ids, so that two merges crosswise wait for each
 * other. Ids of merged ones are followed. ERR_NOT_FOUND for `merged_id` names the field.
 * ERR_CONFLICT where both lead to the same customer; ERR_INVALID where they are the same id. */
enum err customer_lock_two(struct ctx *cx, struct uuid id, struct uuid merged_id,
                           struct customer *survivor, struct customer *merged);

/* Makes one of two, who were locked by customer_lock_two(). The survivor keeps what it has, and
 * takes over what it lacks:
 *   tags, addresses, numbers   of both, the survivor's primary ones first
 *   custom_fields              of both, the survivor's value where both have one
 *   consent                    the more restrictive: denied, then unknown, then granted
 *   locale, timezone, company_id, owner_id   where the survivor has none
 *   interactions, notes, sessions, events    move; what an event says stays as written
 *   summary                    counted anew
 * Name, status and external_id stay. The merged one is deleted, and its id and external_id lead
 * to the survivor. Writes `contact_merged`. ERR_CONFLICT where both together have more tags,
 * addresses, numbers or custom fields than one may. */
enum err customer_merge(struct ctx *cx, const struct customer *survivor,
                        const struct customer *merged, struct customer_merge *out);

/* What is merged into a customer, newest first, from before (before_time, before_id) on. */
enum err customer_merges(struct ctx *cx, struct uuid customer_id, int64_t before_time,
                         struct uuid before_id, int64_t limit, int64_t offset, struct list *out,
                         int64_t *total);
enum err customer_merge_get(struct ctx *cx, struct uuid customer_id, struct uuid merge_id,
                            struct customer_merge *out);

/* Locks both customers of a merge and reads what decides its undoing: *survivor as it stands. */
enum err customer_merge_get_locked(struct ctx *cx, struct uuid customer_id, struct uuid merge_id,
                                   struct customer_merge *out, struct customer *survivor);
/* Takes a merge back: what it moved goes back, and what it changed of the survivor is as it was,
 * but for what was changed since. What was added since stays with the survivor. Writes
 * `contact_unmerged` on both timelines. ERR_CONFLICT: undone already, older than a day, or under
 * a newer merge of the same customer, which has to be undone first. */
enum err customer_unmerge(struct ctx *cx, const struct customer_merge *merge,
                          const struct customer *survivor, struct customer_merge *out);

#endif
