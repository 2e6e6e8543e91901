/* A run of bytes with its length. A NUL is never assumed and never needed; the
 * bytes belong to whoever made them (an arena, a literal, a buffer). */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct str {
    const char *ptr; /* NULL: no text at all (a null), as opposed to "" */
    size_t len;
};

#define STR(literal) ((struct str){("" literal), sizeof(literal) - 1})
#define STR_NULL ((struct str){NULL, 0})
/* For printf: ("%.*s", STR_FMT(s)). */
#define STR_FMT(s) (int)(s).len, (s).ptr

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct str str_of(const char *nul_terminated); /* NULL gives STR_NULL */
/* STR_NULL equals itself only, not "", and sorts before it. */
bool str_equal(struct str a, struct str b);
bool str_equal_nocase(struct str a, struct str b); /* ASCII case only: header names, schemes */
bool str_is(struct str a, const char *nul_terminated);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
int str_compare(struct str a, struct str b); /* by bytes, as collation "C" */
struct str str_trim(struct str s);           /* spaces and tabs at both ends */
struct str str_slice(struct str s, size_t from, size_t to);

/* Cuts at the first `separator`: `*head` is what stands before it, the result what
 * stands after. Without a separator: everything, and STR_NULL. */
struct str str_cut(struct str s, char separator, struct str *head);

/* Copies into the arena; STR_NULL when the arena's budget is spent. */
struct str str_copy(struct arena *arena, struct str s);
/* A NUL-terminated copy, for libraries that want one. NULL as above. */
char *str_to_c(struct arena *arena, struct str s);

/* A decimal integer and nothing else: no spaces, no plus sign, no overflow. */
bool str_to_int(struct str s, int64_t *out);

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool str_is_utf8(struct str s);
/* Code points of well-formed UTF-8. */
size_t str_code_points(struct str s);

/* Lower-case hexadecimal; `out` takes 2 * len bytes. */
void str_to_hex(const uint8_t *bytes, size_t len, char *out);
bool str_from_hex(struct str hex, uint8_t *out, size_t out_len); /* exactly out_len bytes */

#endif
