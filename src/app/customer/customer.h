/* Customers: the persons whom a tenant is in touch with (SPEC.md §1, §3). Contact, lead
 * and client are the same record. Every change writes its event of the timeline in the
 * same transaction.
 *
 * All functions work inside the caller's transaction (a write, unless they only read) and
 * allocate from cx->arena. Ids of other tenants and of deleted records are ERR_NOT_FOUND,
 * like unknown ones. */
#ifndef APP_CUSTOMER_H
#define APP_CUSTOMER_H

#include "db/db.h"

#define CUSTOMER_TAGS_MAX 50
#define CUSTOMER_TAG_MAX 64       /* code points */
#define CUSTOMER_ADDRESSES_MAX 20 /* e-mail addresses, and numbers, of one customer */
#define CUSTOMER_NOTE_MAX 10000   /* code points */

/* The lead's lifecycle. */
enum customer_status {
    CUSTOMER_NEW = 1,
    CUSTOMER_ENRICHED,
    CUSTOMER_CONTACTED,
    CUSTOMER_CONVERSING,
    CUSTOMER_QUALIFIED,
    CUSTOMER_CONVERTED,
    CUSTOMER_LOST,
};

extern const struct enum_names customer_statuses;

/* An e-mail address, or a phone number (E.164), as one of several. */
struct customer_address {
    struct str address;
    struct str label;
    bool primary;
};

enum consent { CONSENT_UNKNOWN = 1, CONSENT_GRANTED, CONSENT_DENIED };

extern const struct enum_names consents;

/* Whether the person may be contacted by a channel; enum consent each. */
struct customer_consent {
    int email, sms, push, phone;
};

/* The columns of the customers table, and the names that lists show with the row. */
struct customer {
    struct uuid id;
    struct str external_id;
    struct str name;
    struct str name_folded;     /* the sort key */
    struct list emails, phones; /* struct customer_address; one primary in each */
    struct str email, phone;    /* the primary ones */
    struct str locale, timezone;
    struct uuid company_id;
    struct str company_name;
    int status; /* enum customer_status */
    struct uuid owner_id;
    struct str owner_name;
    struct list tags;         /* struct str, in the order they were given */
    struct str custom_fields; /* JSON object */
    struct customer_consent consent;
    /* The summary: kept by customer_touched() and its kin, never by people. */
    struct maybe_int last_contacted_at;
    struct str last_contact_method;
    int64_t contact_count;
    struct maybe_int last_response_at;
    int64_t version;
    int64_t created_at, updated_at;
    struct uuid created_by;
    struct maybe_int deleted_at;
    struct uuid merged_into; /* a deleted one, which is known by this id from then on */
};

extern const struct record customer_record;

/* Whom an id leads to: who was merged is known by the other's id, merge after merge. An id
 * that was not merged, or is unknown, stays as it is. All functions here that take the id of
 * a customer do so by themselves; who keeps or compares ids uses the id of the record. */
enum err customer_follow(struct ctx *cx, struct uuid *id);
/* To lock whom an id leads to; each fails only where another merge was just committed. */
#define FOLLOW_TRIES 4

/* Reads one; deleted ones are not found. */
enum err customer_get(struct ctx *cx, struct uuid id, struct customer *out);
/* The same, and on PostgreSQL the row stays locked until the commit: for reads that
 * decide a write. */
enum err customer_get_locked(struct ctx *cx, struct uuid id, struct customer *out);
/* Also a deleted one, but no merged one: that is followed. */
enum err customer_get_any_locked(struct ctx *cx, struct uuid id, struct customer *out);
enum err customer_find_external_locked(struct ctx *cx, struct str external_id, struct customer *out,
                                       bool *there);
enum err customer_get_external(struct ctx *cx, struct str external_id, struct customer *out);

/* Creates: defaults (status new), rules, words for search, event contact_created. Where
 * `email` or `phone` is given without a list, it becomes the list's only entry.
 * ERR_CONFLICT when the external_id is taken (also by a deleted customer). */
enum err customer_create(struct ctx *cx, const struct customer *in, struct customer *out);
/* PATCH: `patch` holds what `given` (by customer_record) says; JSON objects are merged as
 * RFC 7396 has it. `email` given without `emails` makes an address of the list the primary
 * one, or takes the place of the primary one; null takes that away. `phone` alike. Writes
 * one event for each kind of change, and nothing at all where nothing changes. `current`
 * was read locked. */
enum err customer_update(struct ctx *cx, const struct customer *current,
                         const struct customer *patch, const struct given *given,
                         struct customer *out);
/* The same for a whole record: what people edit is in `wanted`. */
enum err customer_save(struct ctx *cx, const struct customer *current,
                       const struct customer *wanted, struct customer *out);
/* Creates, or updates what has the external_id (a deleted one is restored first). */
enum err customer_upsert(struct ctx *cx, struct str external_id, const struct customer *in,
                         const struct given *given, struct customer *out, bool *created);
enum err customer_delete(struct ctx *cx, const struct customer *current);
/* Of a deleted one; one that is not deleted is answered as it is. */
enum err customer_restore(struct ctx *cx, struct uuid id, struct customer *out);

/* Changes that have routes of their own. Nothing changes: no event, *out is the record. */
enum err customer_tag(struct ctx *cx, const struct customer *current, struct str tag, bool on,
                      struct customer *out);
/* `value` is JSON; ptr NULL clears the field. */
enum err customer_set_field(struct ctx *cx, const struct customer *current, struct str name,
                            struct str value, struct customer *out);
enum err customer_assign(struct ctx *cx, const struct customer *current, struct uuid owner_id,
                         struct customer *out);
enum err customer_set_status(struct ctx *cx, const struct customer *current, int status,
                             struct customer *out);

/* --- Lists and search ----------------------------------------------------------------- */

/* What lists are sorted by; 0 is the first. Whoever was never contacted stands before all who
 * were, as if that were longest ago. */
enum customer_sort {
    CUSTOMERS_BY_NAME = 1,
    CUSTOMERS_LONGEST_AGO, /* last contacted */
    CUSTOMERS_LATEST,
};
#define CUSTOMER_SORTS (CUSTOMERS_LATEST + 1)

extern const struct enum_names customer_sorts;

/* Each narrows the list; zeros do not. */
struct customer_filter {
    struct str q; /* as GET /customers/search */
    int status;
    struct uuid owner_id, company_id;
    struct str tag, email, phone, external_id;
    int method; /* last_contact_method, of interaction_type_words */
    /* Last contacted before it, or never; or so many days of 24 hours before now. */
    struct maybe_int not_contacted_since, not_contacted_days;
    int sort; /* enum customer_sort */
};

#define CUSTOMER_QUERY_MAX 200 /* code points */

/* A place in a sorted list: the name or the time, as it is sorted by, and the id. */
struct customer_key {
    struct str name;      /* folded */
    int64_t contacted_at; /* TIME_MIN_US: never */
    struct uuid id;
};

struct customer_key customer_key_of(const struct customer *customer);

/* Where a list begins. */
struct customer_place {
    struct customer_key after;
    int64_t limit, offset; /* rows to read */
};

struct customer_page {
    struct list rows; /* struct customer, sorted */
    int64_t total;
    bool capped;
    /* The page is not full because so many entries were looked at as one page may; there may
     * be more: go on from here. */
    bool cut;
    struct customer_key cut_key;
};

/* All, or one filter by status, owner, company, tag or method: a plain list; its total is kept.
 * Else what leads to the fewest rows is read: an index that has the order which is asked for, in
 * steps, each entry held against the other conditions until the page is full or SCAN_CAP entries
 * were looked at (see `cut`); or anything that leads to at most COUNT_CAP rows, such as a word (of
 * `q`, `email`, `phone`): all of them are looked at. Totals that are not kept are counted up to
 * COUNT_CAP customers and SCAN_CAP entries. Sorted by last contact, "not contacted since" is a
 * stretch of each index. Skipping by `offset` counts as reading: deep pages go by cursor. */
enum err customer_list(struct ctx *cx, const struct customer_filter *filter,
                       const struct customer_place *place, struct customer_page *out);

/* --- Notes ------------------------------------------------------------------------------ */

struct customer_note {
    struct uuid id;
    struct uuid customer_id;
    struct str text;
    struct uuid created_by;
    struct str created_by_name;
    int64_t version;
    int64_t created_at, updated_at;
};

extern const struct record customer_note_record;

enum err customer_note_add(struct ctx *cx, struct uuid customer_id, struct str text,
                           struct customer_note *out);
enum err customer_note_get(struct ctx *cx, struct uuid customer_id, struct uuid note_id,
                           struct customer_note *out);
/* The same with the customer locked, which guards all of its notes. */
enum err customer_note_get_locked(struct ctx *cx, struct uuid customer_id, struct uuid note_id,
                                  struct customer_note *out);
enum err customer_note_edit(struct ctx *cx, const struct customer_note *current, struct str text,
                            struct customer_note *out);
enum err customer_note_remove(struct ctx *cx, const struct customer_note *current);
/* Newest first, from before (before_time, before_id) on. */
enum err customer_notes(struct ctx *cx, struct uuid customer_id, int64_t before_time,
                        struct uuid before_id, int64_t limit, int64_t offset, struct list *out,
                        int64_t *total);

/* --- The summary (SPEC.md §3, last paragraph) --------------------------------------- */

/* An interaction as the summary sees it. Callers leave out what is no touch: the types
 * `note` and `system`, and directions that are neither outbound nor inbound. */
struct touch {
    struct uuid interaction_id;
    struct uuid customer_id;
    bool outbound;     /* else inbound */
    struct str method; /* of interaction_type_words: "call", "linkedin" */
    int64_t started_at;
};

/* What an interaction needs of its customer's row. */
struct touched {
    struct uuid id;
    struct str name;
    struct uuid company_id;
    struct str company_name;
    int status; /* enum customer_status */
    struct maybe_int last_contacted_at;
    struct str last_contact_method;
    int64_t contact_count;
    struct maybe_int last_response_at;
    struct maybe_int deleted_at;
    struct str timezone; /* ptr NULL: the tenant's */
    /* Not of the row, and read with it, so that a touch needs no more turns: */
    struct str tenant_timezone;
    struct str outreach_rules; /* of the touch's method (app/outreach/policy.h); or NULL */
};

/* The customer's row, locked, before anything is written: what an interaction begins with.
 * `method` as in struct touch; STR_NULL: no rules are asked for. ERR_NOT_FOUND for a customer who
 * is not there; aliases are not followed. */
enum err customer_for_touch(struct ctx *cx, struct uuid customer_id, struct str method,
                            struct touched *out);

/* Counts a touch, once for each interaction, in its transaction: one update of the row that
 * customer_for_touch() gave (and the event status_changed where the status moves). A touch that
 * starts later than now is planned: it counts when customer_count_due() comes upon it.
 *   outbound: contact_count + 1; the latest start gives last_contacted_at and
 *             last_contact_method; new and enriched become contacted
 *   inbound:  last_response_at is the latest start; contacted becomes conversing */
enum err customer_touched(struct ctx *cx, const struct touch *touch,
                          const struct touched *customer);

/* Takes a touch back: call it with what was stored, AFTER the interaction's row was
 * deleted, or was changed (then call customer_touched() with what it is now). The status
 * stays, since it says how far the relation has come. Where the touch was the latest one,
 * the next latest is looked up in the customer's own interactions (by their index,
 * newest first: one row as a rule, at worst all of that customer's). */
enum err customer_untouched(struct ctx *cx, const struct touch *touch);

/* The customer answered an outbound touch (SPEC.md §4 `responded`): last_response_at and
 * contacted -> conversing as of an inbound touch. */
enum err customer_responded(struct ctx *cx, struct uuid customer_id, int64_t response_at);
/* A response was taken back or moved; after the interaction's row was changed. */
enum err customer_unresponded(struct ctx *cx, struct uuid customer_id, int64_t response_at);

/* Makes the summary anew, from all of the customer's interactions: after some were moved. The
 * status stays. */
enum err customer_recount(struct ctx *cx, struct uuid customer_id);

/* Counts the planned touches whose start has passed, of all tenants, the `limit` earliest;
 * *counted says how many (call again while it equals `limit`). Several nodes may do so at once:
 * each touch counts once. For a job: cx needs no tenant. `then` (or NULL) is called for each
 * that was counted, as its tenant, its customer locked. */
enum err customer_count_due(struct ctx *cx, int64_t limit,
                            enum err (*then)(struct ctx *cx, struct uuid interaction_id),
                            int64_t *counted);

#endif
