/* Who is asking, and what they may do. */
#ifndef BASE_ACTOR_H
#define BASE_ACTOR_H

#include "base/str.h"
#include "base/uuid.h"

#include <stdint.h>

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

/* What proved it. */
enum credential_kind {
    CREDENTIAL_NONE = 0, /* nothing: background work, a public route */
    CREDENTIAL_KEY = 'k',
    CREDENTIAL_LOGIN = 'l', /* a browser's sign-in */
    CREDENTIAL_CONTACT = 'c',
    CREDENTIAL_DEMO = 'd',     /* the demo's caller without a credential */
    CREDENTIAL_OPERATOR = 'o', /* the owner-only socket */
};

struct actor {
    enum role role;
    struct uuid tenant_id;
    struct uuid user_id;       /* UUID_NONE: a contact, the operator, or the system itself */
    struct uuid contact_id;    /* ROLE_CONTACT: the customer; else UUID_NONE */
    struct uuid credential_id; /* the API key's, the browser session's, the contact token's */
    enum credential_kind credential_kind;
    int64_t credential_expires_us; /* 0: never */
    struct str user_name;          /* the contact's, where it is one */
    struct str timezone;           /* the user's (the contact's), else the tenant's */
};

#endif
