/* Who asks: from the request's credential to an actor, in the route's transaction. */
#ifndef HTTP_AUTH_H
#define HTTP_AUTH_H

#include "db/caller.h"
#include "db/exec.h"

struct call;

/* A browser session whose last use is to be noted, after the answer. */
struct credential_use {
    struct uuid tenant_id, login_id;
    int64_t expires_at;
};

/* Fills cx->actor. ERR_UNAUTHENTICATED in words that reveal nothing; ERR_FORBIDDEN when a
 * cookie comes without its CSRF token or from another origin (to a stream, also without one);
 * ERR_INVALID when the operator has to name a tenant. */
enum err auth_request(struct call *call, struct ctx *cx);

/* What the request would prove itself by, as text that was looked at by nobody yet: a key or
 * contact token with its scheme, or a cookie's value; STR_NULL where there is none. */
struct http_request;
struct str auth_credential(const struct http_request *request);

/* For who has it looked up later (live/hub.h, authenticate): the bearer's text, else the ticket
 * (STR_NULL: none was given), else "cookie:" and the sign-in's cookie; "" where there is none of
 * them. What cannot be one, and a cookie that comes from another's page, is STR_NULL. */
struct str auth_handshake(const struct http_request *request, struct str ticket,
                          struct arena *arena);

/* Notes the use in a write of its own, which nobody waits for. */
void auth_note_use(struct exec *exec, const struct credential_use *use);

/* Demo mode: refuses what another page in the same browser could send (loopback Host,
 * loopback Origin with the Host's port, no cross-site). */
bool auth_demo_safe(const struct http_request *request);

#endif
