#include "base/str.h"

#include "base/arena.h"

#include <string.h>

struct str str_of(const char *nul_terminated)
{
    return (struct str){nul_terminated, nul_terminated ? strlen(nul_terminated) : 0};
}

static bool same_bytes(const char *a, const char *b, size_t len)
{
    return len == 0 || memcmp(a, b, len) == 0;
}

bool str_equal(struct str a, struct str b)
{
    return a.len == b.len && !a.ptr == !b.ptr && same_bytes(a.ptr, b.ptr, a.len);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_equal_nocase(struct str a, struct str b)
{
    if (!a.ptr || !b.ptr)
        return !a.ptr && !b.ptr;
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    }
    return true;
}

bool str_is(struct str a, const char *nul_terminated)
{
    return str_equal(a, str_of(nul_terminated));
}

bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && same_bytes(s.ptr, prefix.ptr, prefix.len);
}

bool str_ends(struct str s, struct str suffix)
{
    if (suffix.len == 0)
        return true;
    return s.len >= suffix.len && same_bytes(s.ptr + s.len - suffix.len, suffix.ptr, suffix.len);
}

int str_compare(struct str a, struct str b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.ptr, b.ptr, shorter) : 0;

    if (order == 0)
        order = (a.len > b.len) - (a.len < b.len);
    if (order == 0)
        order = !b.ptr - !a.ptr;
    return order;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

struct str str_slice(struct str s, size_t from, size_t to)
{
    if (!s.ptr)
        return s;
    if (to > s.len)
        to = s.len;
    if (from > to)
        from = to;
    return (struct str){s.ptr + from, to - from};
}

struct str str_cut(struct str s, char separator, struct str *head)
{
    const char *found = s.len ? memchr(s.ptr, separator, s.len) : NULL;
    size_t at;

    if (!found) {
        *head = s;
        return STR_NULL;
    }
    at = (size_t)(found - s.ptr);
    *head = (struct str){s.ptr, at};
    return (struct str){found + 1, s.len - at - 1};
}

char *str_to_c(struct arena *arena, struct str s)
{
    char *copy;

    if (!s.ptr)
        return NULL;
    copy = arena_alloc(arena, s.len + 1);
    return copy ? memcpy(copy, s.ptr, s.len) : NULL;
}

struct str str_copy(struct arena *arena, struct str s)
{
    char *copy;

    if (!s.ptr)
        return STR_NULL;
    copy = arena_alloc(arena, s.len);
    if (!copy)
        return STR_NULL;
    memcpy(copy, s.ptr, s.len);
    return (struct str){copy, s.len};
}

bool str_to_int(struct str s, int64_t *out)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    size_t at = negative ? 1 : 0;
    uint64_t value = 0, most = (uint64_t)INT64_MAX + (negative ? 1 : 0);

    if (at == s.len)
        return false;
    for (; at < s.len; at++) {
        unsigned digit = (unsigned char)s.ptr[at] - (unsigned)'0';

        if (digit > 9 || value > (most - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    /* INT64_MIN has no positive twin to negate. */
    *out = negative && value > 0 ? -(int64_t)(value - 1) - 1 : (int64_t)value;
    return true;
}

/* The length of the code point at the start of `len` > 0 bytes; 0 when it is none. */
static size_t code_point_len(const unsigned char *at, size_t len)
{
    unsigned char lead = at[0], least = 0x80, most = 0xBF;
    size_t need;

    if (lead < 0x80)
        return 1;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    need = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (len < need)
        return 0;
    /* The second byte is where overlong forms, surrogates, and what lies past
     * U+10FFFF show (RFC 3629, section 4). */
    if (lead == 0xE0)
        least = 0xA0;
    else if (lead == 0xED)
        most = 0x9F;
    else if (lead == 0xF0)
        least = 0x90;
    else if (lead == 0xF4)
        most = 0x8F;
    if (at[1] < least || at[1] > most)
        return 0;
    for (size_t i = 2; i < need; i++) {
        if (at[i] < 0x80 || at[i] > 0xBF)
            return 0;
    }
    return need;
}

bool str_is_utf8(struct str s)
{
    const unsigned char *bytes = (const unsigned char *)s.ptr;
    size_t at = 0;

    while (at < s.len) {
        uint64_t eight;
        size_t len;

        if (s.len - at >= sizeof(eight)) {
            memcpy(&eight, bytes + at, sizeof(eight));
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof(eight);
                continue;
            }
        }
        len = code_point_len(bytes + at, s.len - at);
        if (len == 0)
            return false;
        at += len;
    }
    return true;
}

size_t str_code_points(struct str s)
{
    size_t count = 0;

    for (size_t i = 0; i < s.len; i++)
        count += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    return count;
}

void str_to_hex(const uint8_t *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool str_from_hex(struct str hex, uint8_t *out, size_t out_len)
{
    if (hex.len / 2 != out_len || hex.len % 2 != 0)
        return false;
    for (size_t i = 0; i < out_len; i++) {
        int high = hex_digit(hex.ptr[2 * i]), low = hex_digit(hex.ptr[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}
