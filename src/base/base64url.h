/* RFC 4648 §5 without padding: what goes into headers and URLs. Any thread. */
#ifndef BASE_BASE64URL_H
#define BASE_BASE64URL_H

#include "base/str.h"

#define BASE64URL_LEN(bytes) (((bytes)*4 + 2) / 3)

/* `out` takes BASE64URL_LEN(len) bytes; no NUL. */
void base64url_encode(const uint8_t *bytes, size_t len, char *out);
/* Every value has one spelling only: padding, other characters and loose bits are false. */
bool base64url_decode(struct str text, uint8_t *out, size_t out_max, size_t *out_len);

#endif
