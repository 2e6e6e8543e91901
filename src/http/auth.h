/* Who asks: from the request's credential to an actor, in the route's transaction. */
#ifndef HTTP_AUTH_H
#define HTTP_AUTH_H

#include "db/ctx.h"
#include "db/exec.h"
#include "http/credential.h"

struct call;

/* A browser session whose last use is to be noted, after the answer. */
struct credential_use {
    struct uuid tenant_id, login_id;
    int64_t expires_at;
};

/* Fills cx->actor. ERR_UNAUTHENTICATED in words that reveal nothing; ERR_FORBIDDEN when a
 * cookie comes without its CSRF token or from another origin; ERR_INVALID when the operator
 * has to name a tenant. */
enum err auth_request(struct call *call, struct ctx *cx);

/* What the request would prove itself by, as text that was looked at by nobody yet: a key with
 * its scheme, or a cookie's value; STR_NULL where there is none. */
struct http_request;
struct str auth_credential(const struct http_request *request);

const char *role_name(enum role role);

/* Notes the use in a write of its own, which nobody waits for. */
void auth_note_use(struct exec *exec, const struct credential_use *use);

/* Demo mode: refuses what another page in the same browser could send (loopback Host,
 * loopback Origin with the Host's port, no cross-site). */
bool auth_demo_safe(const struct http_request *request);

#endif
