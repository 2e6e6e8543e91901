/* What can go wrong, and where it is said. A function that can fail returns an
 * `enum err`; the place that knows the failure fills the `struct error` of its ctx
 * once, and nothing on the way up rewrites it. Filling it allocates nothing. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/limits.h"
#include "base/str.h"

#include <stdint.h>

enum err {
    OK = 0,
    ERR_MALFORMED,       /* 400: not JSON, not HTTP, not UTF-8 */
    ERR_UNAUTHENTICATED, /* 401 */
    ERR_FORBIDDEN,       /* 403 */
    ERR_NOT_FOUND,       /* 404: unknown, or another tenant's: nobody can tell which */
    ERR_METHOD,          /* 405 */
    ERR_TIMEOUT,         /* 408 */
    ERR_CONFLICT,        /* 409 */
    ERR_STALE,           /* 412: If-Match named another version */
    ERR_TOO_LARGE,       /* 413: the body, or what it unfolds to */
    ERR_MEDIA_TYPE,      /* 415 */
    ERR_INVALID,         /* 422: `faults` says which fields */
    ERR_UPGRADE,         /* 426: a WebSocket handshake that is none, or of another version */
    ERR_TOO_MANY,        /* 429: retry_after_s is set */
    ERR_UNAVAILABLE,     /* 503: overload, disk full, store unreachable; retry_after_s is set */
    ERR_RERUN,           /* the store asks for the transaction again; never leaves db/ */
    ERR_INTERNAL,        /* 500: a bug or a broken store; the log knows more */
};

/* One thing wrong with the input. */
struct fault {
    char field[96];   /* a path: "subject", "rows[3].email"; empty: the body as a whole */
    const char *code; /* a word that programs compare: "required", "too_long", … (literal) */
    char message[160];
};

struct error {
    enum err code;
    char detail[256]; /* one sentence for the caller; never holds secrets or bodies */
    int64_t retry_after_s;
    /* What programs need to know of a conflict, or of too many: a JSON object, which stands in
     * the answer under this name (a literal). In the request's arena; ptr NULL: nothing. */
    const char *facts_name;
    struct str facts;
    struct fault faults[FAULTS_MAX];
    size_t fault_count; /* may exceed FAULTS_MAX: then so many were found, and the first are kept */
};

/* Fills and returns `code`, so that `return error_set(...)` reads well. */
enum err error_set(struct error *error, enum err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds a fault; the error becomes ERR_INVALID. `code` must be a literal. */
enum err error_fault(struct error *error, const char *field, const char *code, const char *format,
                     ...) __attribute__((format(printf, 4, 5)));
void error_clear(struct error *error);

/* Leaves the function with the failure. For functions that hold arena memory only. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        enum err try_result_ = (call);                                                             \
        if (try_result_ != OK)                                                                     \
            return try_result_;                                                                    \
    } while (0)

#endif
