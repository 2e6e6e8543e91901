/* JSON lines on stderr, one per call, safe from any thread. Bodies, secrets, and
 * what people wrote never go in. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/str.h"

#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *name;
    struct str text; /* ptr NULL: the number counts */
    int64_t number;
};

void log_set_level(enum log_level least);
void log_write(enum log_level level, const char *message, const struct log_field *fields,
               size_t count);

#define LOG_TEXT(name, s) ((struct log_field){(name), (s), 0})
#define LOG_INT(name, n) ((struct log_field){(name), {NULL, 0}, (n)})
/* LOG(INFO, "listening", LOG_TEXT("address", s), LOG_INT("port", n)); at least one field */
#define LOG(level, message, ...)                                                                   \
    log_write(LOG_##level, (message), (const struct log_field[]){__VA_ARGS__},                     \
              COUNT_OF(((const struct log_field[]){__VA_ARGS__})))

#endif
