/* One header field, as it came or as it goes. */
#ifndef HTTP_HEADER_H
#define HTTP_HEADER_H

#include "base/str.h"

struct http_header {
    struct str name, value; /* value trimmed; names compare without case */
};

#endif
