/* /docs: the API for people, from the same tables as /openapi.json. No script, no other host. */
#ifndef HTTP_DOCS_H
#define HTTP_DOCS_H

#include "http/router.h"

extern const char docs_css[];

/* Into a heap buffer that it initialises. */
enum err docs_make(const struct router *router, struct buf *out, struct error *error);

#endif
