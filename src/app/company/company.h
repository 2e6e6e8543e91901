/* Companies: the accounts that customers belong to (SPEC.md §1, §3). Every change writes
 * its event (subject_type "company"). All functions work in the caller's transaction and
 * allocate from cx->arena; ids of other tenants and of deleted companies are ERR_NOT_FOUND. */
#ifndef APP_COMPANY_H
#define APP_COMPANY_H

#include "db/db.h"

struct company {
    struct uuid id;
    struct str external_id;
    struct str name;
    struct str name_folded; /* the sort key */
    struct str domain, industry, phone, address;
    struct uuid owner_id;
    struct str owner_name;
    struct str custom_fields; /* a JSON object */
    int64_t version;
    int64_t created_at, updated_at;
    struct maybe_int deleted_at;
};

extern const struct record company_record;

/* For ids inside bodies: the company is there, and stays until the commit; *name (may be
 * NULL) is its name. ERR_NOT_FOUND names the field. */
enum err company_require(struct ctx *cx, struct uuid id, const char *field, struct str *name);

enum err company_get(struct ctx *cx, struct uuid id, struct company *out);
enum err company_get_locked(struct ctx *cx, struct uuid id, struct company *out);
enum err company_get_external(struct ctx *cx, struct str external_id, struct company *out);
/* ERR_CONFLICT when the external_id is taken, also by a deleted company. */
enum err company_create(struct ctx *cx, const struct company *in, struct company *out);
/* PATCH: `patch` holds what `given` says. `current` was read locked. */
enum err company_update(struct ctx *cx, const struct company *current, const struct company *patch,
                        const struct given *given, struct company *out);
/* Creates, or updates what has the external_id (a deleted one is restored). */
enum err company_find_external_locked(struct ctx *cx, struct str external_id, struct company *out,
                                      bool *there);
enum err company_upsert(struct ctx *cx, struct str external_id, const struct company *in,
                        const struct given *given, struct company *out, bool *created);
/* ERR_CONFLICT while customers belong to it: move them first. */
enum err company_delete(struct ctx *cx, const struct company *current);

/* In the order of the folded names; `q` is a prefix of the name (ptr NULL: all). `total` is
 * exact for the list of all, else counted up to COUNT_CAP. */
enum err company_list(struct ctx *cx, struct str q, struct str after_name, struct uuid after_id,
                      int64_t limit, int64_t offset, struct list *out, int64_t *total,
                      bool *capped);

#endif
