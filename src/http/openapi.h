/* /openapi.json: OpenAPI 3.1, from the tables that route, decode and encode. */
#ifndef HTTP_OPENAPI_H
#define HTTP_OPENAPI_H

#include "http/router.h"

/* Into a heap buffer that it initialises. ERR_INTERNAL when two records have one name. */
enum err openapi_make(const struct router *router, struct buf *out, struct error *error);

#endif
