/* Routes that every server has: health, metrics, and what it says about itself. */
#ifndef HTTP_BUILTIN_H
#define HTTP_BUILTIN_H

#include "http/route.h"

extern const struct resource builtin_resource;

#endif
