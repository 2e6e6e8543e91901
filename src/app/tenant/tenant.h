/* Tenants: the organisations that use Touchpoint (SPEC.md §1). Functions run in the
 * caller's transaction and allocate from cx->arena. */
#ifndef APP_TENANT_H
#define APP_TENANT_H

#include "app/key/key.h"
#include "app/user/user.h"

struct tenant {
    struct uuid id;
    struct str slug; /* names the tenant when people sign in, and on the command line */
    struct str name;
    struct str timezone; /* IANA name; of users and customers without one of their own */
    int64_t version;
    int64_t created_at, updated_at;
};

extern const struct record tenant_record;

/* What a new tenant may bring with it. Of `tenant`, name, slug and timezone count; without
 * a slug, one is made from the name; without a zone it is UTC. */
struct tenant_founding {
    struct tenant tenant;
    struct str admin_email; /* ptr NULL: no admin yet */
    struct str admin_name;  /* ptr NULL: the e-mail address */
    bool key;               /* make the admin an API key */
};

struct tenant_founded {
    struct tenant tenant;
    struct user admin; /* id none without one; its token is the invitation */
    struct key key;    /* id none without one */
    struct login_secret key_secret;
};

/* For the operator: the ctx's own tenant does not matter. ERR_CONFLICT when the slug that
 * was asked for is taken; ERR_INVALID for a key without an admin. */
enum err tenant_found(struct ctx *cx, const struct tenant_founding *in, struct tenant_founded *out);

/* The actor's own. */
enum err tenant_get(struct ctx *cx, struct tenant *out);
/* The same, locked until the commit: for reads that decide a write. */
enum err tenant_get_locked(struct ctx *cx, struct tenant *out);
/* Writes what people edit: `changed` is `current` with the edits. */
enum err tenant_update(struct ctx *cx, const struct tenant *current, const struct tenant *changed,
                       struct tenant *out);

/* Of all tenants. */
enum err tenant_by_id(struct ctx *cx, struct uuid id, struct tenant *out);
enum err tenant_by_slug(struct ctx *cx, struct str slug, struct tenant *out, bool *found);
/* The one tenant where there is exactly one. */
enum err tenant_only(struct ctx *cx, struct tenant *out, bool *found);

/* All tenants by slug, after `after`; `limit` rows at most. */
enum err tenant_list(struct ctx *cx, struct str after, int64_t limit, int64_t offset,
                     struct list *out);
enum err tenant_count(struct ctx *cx, int64_t *out);

#endif
