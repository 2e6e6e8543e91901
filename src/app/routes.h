/* Every resource of the program: what the router, the commands and the OpenAPI page are
 * made from. A new resource is one line in routes.c. Constant, safe on any thread. */
#ifndef APP_ROUTES_H
#define APP_ROUTES_H

#include "http/route.h"

extern const struct resource *const app_resources[];
extern const size_t app_resource_count;

#endif
