/* Errors as the caller sees them: RFC 9457 problem details. The only place that knows
 * which status an enum err has. Any thread. */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include "http/server.h"

#define MEDIA_PROBLEM "application/problem+json"

int problem_status(enum err code);

/* Begins an answer anew: no status, no body, and the headers that every answer has (the
 * server adds X-Request-Id). */
void response_begin(struct http_exchange *exchange);

/* The whole answer for a failure. `error` says more when its code is `code` or unset; NULL or
 * another code: the common words for `code`. Never tells what is inside ERR_INTERNAL. */
void problem_respond(struct http_exchange *exchange, enum err code, const struct error *error);

/* The same by status, for what fails below the router. */
void problem_respond_status(struct http_exchange *exchange, int status, const char *detail);

/* {"field","code","message"} of each fault, as an array. */
struct json_out;
void problem_faults(const struct error *error, struct json_out *out);

#endif
