/* Users: the persons who work for a tenant, and their roles (SPEC.md §1, §3). Functions
 * run in the caller's transaction, allocate from cx->arena and record their events. Ids of
 * other tenants are ERR_NOT_FOUND, like unknown ones. */
#ifndef APP_USER_H
#define APP_USER_H

#include "db/db.h"

/* Each has all rights of those before it. */
enum user_role { USER_VIEWER = 1, USER_AGENT, USER_MANAGER, USER_ADMIN };

extern const struct enum_names user_roles;

/* What a role may do, in the terms of the routes. */
enum role user_role_rights(int user_role);
/* The other way round; the operator counts as an admin. 0: has no role of users. */
int user_role_of(enum role rights);

struct user {
    struct uuid id;
    struct str email, email_folded; /* who signs in; unique in the tenant whatever its case */
    struct str name, name_folded;   /* name_folded is the sort key */
    int role;                       /* enum user_role */
    struct str timezone, locale;    /* null: the tenant's */
    bool active;
    bool has_password; /* false: invited and not come yet, or uses API keys only */
    struct maybe_int invited_at, last_login_at;
    int64_t version;
    int64_t created_at, updated_at;
    struct maybe_int deactivated_at;
    /* Only in the answer that makes one: a one-time token, and until when it is good. */
    struct str token;
    struct maybe_int token_expires_at;
};

extern const struct record user_record;

enum token_purpose { TOKEN_INVITATION = 1, TOKEN_RESET };

#define INVITATION_US (7 * DAY_US)
#define RESET_US DAY_US

struct user_filter {
    struct str email; /* exact, whatever its case */
    struct str q;     /* beginning of the name or of the e-mail address */
    int role;
    bool has_active, active;
};

/* The form in which e-mail addresses are compared: ASCII lower case. */
struct str user_fold_email(struct arena *arena, struct str email);

enum err user_get(struct ctx *cx, struct uuid id, struct user *out);
/* The same, locked until the commit: for reads that decide a write. */
enum err user_get_locked(struct ctx *cx, struct uuid id, struct user *out);
/* The same, locked against changes only: whoever becomes an owner is still active then. */
enum err user_get_held(struct ctx *cx, struct uuid id, struct user *out);
enum err user_get_by_email(struct ctx *cx, struct str email, struct user *out);

/* By name, after (after_name, after_id); `limit` rows at most. */
enum err user_list(struct ctx *cx, const struct user_filter *filter, struct str after_name,
                   struct uuid after_id, int64_t limit, int64_t offset, struct list *out);
/* How many there are: kept without a filter, else counted up to COUNT_CAP + 1. */
enum err user_count(struct ctx *cx, const struct user_filter *filter, int64_t *out);

/* Creates a user without a password, with email, name (ptr NULL: the e-mail address), role,
 * timezone and locale of `in`, and an invitation: out->token. ERR_CONFLICT when the tenant has a
 * user of this e-mail. */
enum err user_invite(struct ctx *cx, const struct user *in, struct user *out);
/* Writes what people edit: `changed` is `current`, read locked, with the edits. ERR_CONFLICT
 * when it would leave the tenant without an active admin. */
enum err user_update(struct ctx *cx, const struct user *current, const struct user *changed,
                     struct user *out);
/* A one-time token to set a password with, in place of those before it: an invitation
 * again where there is no password yet, else a reset. ERR_CONFLICT for an inactive user. */
enum err user_reset(struct ctx *cx, struct uuid id, struct user *out);

/* Ends a user's work in one go: signed out everywhere, keys and tokens revoked, and what
 * was theirs (customers, companies, open follow-ups) given to `heir`, or to nobody when it
 * is none. Repeating it changes nothing. ERR_CONFLICT for the last active admin. */
enum err user_deactivate(struct ctx *cx, struct uuid id, struct uuid heir, struct user *out);
enum err user_reactivate(struct ctx *cx, struct uuid id, struct user *out);
/* Signs the user out of every browser, except the login `kept` (none: of every one). */
enum err user_revoke_logins(struct ctx *cx, struct uuid id, struct uuid kept);

/* {"id","name"} as other records name a user; null where it is none. For their views. */
void user_put_reference(struct json_out *out, struct uuid id, struct str name);
#define USER_REFERENCE_SCHEMA                                                                      \
    "{\"type\":[\"object\",\"null\"],\"required\":[\"id\",\"name\"],\"properties\":{"              \
    "\"id\":{\"type\":\"string\",\"format\":\"uuid\"},"                                            \
    "\"name\":{\"type\":[\"string\",\"null\"]}}}"

#endif
