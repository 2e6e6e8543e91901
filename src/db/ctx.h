/* What every domain function works with. No globals: the transaction, the memory,
 * the caller, the clock and the source of ids are all here, so that a test decides. */
#ifndef DB_CTX_H
#define DB_CTX_H

#include "base/arena.h"
#include "base/err.h"
#include "base/time.h"
#include "base/uuid.h"

struct db;

/* Each has all rights of those before it (SPEC.md §1). */
enum role {
    ROLE_NONE = 0, /* not a role: a route without one does not build */
    ROLE_PUBLIC,   /* no credential asked for */
    ROLE_CONTACT,  /* a contact token: one customer's own app, which sees that timeline only */
    ROLE_VIEWER,
    ROLE_AGENT,
    ROLE_MANAGER,
    ROLE_ADMIN,
    ROLE_OPERATOR, /* who can open the owner-only socket in the data folder */
};

/* Who is asking. */
struct actor {
    enum role role;
    struct uuid tenant_id;
    struct uuid user_id;       /* UUID_NONE: the operator, or the system itself */
    struct uuid contact_id;    /* ROLE_CONTACT: the customer; else UUID_NONE */
    struct uuid credential_id; /* the API key's, the browser session's, the contact token's */
    int64_t credential_expires_us; /* 0: never */
    struct str user_name;
    struct str timezone; /* the user's, else the tenant's */
};

struct ctx {
    struct db *db;
    struct arena *arena;
    struct error *error;
    struct actor actor;
    int64_t now_us;
    struct id_source *ids;
};

#endif
