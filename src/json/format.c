#include "json/format.h"

#include "base/time.h"

#include <string.h>

#define EMAIL_MAX 254 /* RFC 5321 §4.5.3.1.3: a path of 256 has two angle brackets */
#define EMAIL_LOCAL_MAX 64
#define DOMAIN_MAX 253
#define LABEL_MAX 63
#define PORT_MAX 65535
#define SUBTAG_MAX 8

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_letter(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

static bool is_alphanumeric(char c)
{
    return is_letter(c) || is_digit(c);
}

static bool all(struct str text, bool (*check)(char c))
{
    for (size_t i = 0; i < text.len; i++) {
        if (!check(text.ptr[i]))
            return false;
    }
    return text.len > 0;
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c);
}

/* RFC 1123 §2.1 */
static bool is_label(struct str label)
{
    for (size_t i = 0; i < label.len; i++) {
        if (!is_alphanumeric(label.ptr[i]) && label.ptr[i] != '-')
            return false;
    }
    return label.len > 0 && label.len <= LABEL_MAX && label.ptr[0] != '-' &&
           label.ptr[label.len - 1] != '-';
}

static bool is_domain(struct str domain, size_t least_labels)
{
    size_t labels = 0;

    if (domain.len > DOMAIN_MAX)
        return false;
    while (domain.ptr) {
        struct str label;

        domain = str_cut(domain, '.', &label);
        if (!is_label(label))
            return false;
        labels++;
    }
    return labels >= least_labels;
}

static bool is_atom_char(char c)
{
    return is_alphanumeric(c) || is_one_of(c, "!#$%&'*+-/=?^_`{|}~");
}

static bool check_email(struct str text)
{
    struct str local, domain = str_cut(text, '@', &local);

    if (text.len > EMAIL_MAX || local.len > EMAIL_LOCAL_MAX)
        return false;
    while (local.ptr) {
        struct str atom;

        local = str_cut(local, '.', &atom);
        if (!all(atom, is_atom_char))
            return false;
    }
    return is_domain(domain, 2);
}

static bool check_phone(struct str text)
{
    return text.len >= 8 && text.len <= 16 && text.ptr[0] == '+' && text.ptr[1] != '0' &&
           all(str_slice(text, 1, text.len), is_digit);
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Path, query and fragment: RFC 3986 §3.3 to §3.5. */
static bool is_url_rest(struct str rest)
{
    bool fragment = false;

    for (size_t i = 0; i < rest.len; i++) {
        char c = rest.ptr[i];

        if (c == '%') {
            if (rest.len - i < 3 || !is_hex(rest.ptr[i + 1]) || !is_hex(rest.ptr[i + 2]))
                return false;
        } else if (c == '#') {
            if (fragment)
                return false;
            fragment = true;
        } else if (!is_alphanumeric(c) && !is_one_of(c, "-._~!$&'()*+,;=:@/?")) {
            return false;
        }
    }
    return true;
}

static bool is_port(struct str port)
{
    int64_t number;

    return port.len <= 5 && all(port, is_digit) && str_to_int(port, &number) && number >= 1 &&
           number <= PORT_MAX;
}

static bool is_ipv6_char(char c)
{
    return is_hex(c) || c == ':' || c == '.';
}

/* A name, an IPv4 address (which is a name by shape) or an IPv6 address in brackets. */
static bool is_authority(struct str authority)
{
    struct str host, port;

    if (authority.len > 0 && authority.ptr[0] == '[') {
        struct str after = str_cut(str_slice(authority, 1, authority.len), ']', &host);

        if (!after.ptr || host.len < 2 || !memchr(host.ptr, ':', host.len) ||
            !all(host, is_ipv6_char))
            return false;
        return after.len == 0 || (after.ptr[0] == ':' && is_port(str_slice(after, 1, after.len)));
    }
    port = str_cut(authority, ':', &host);
    return is_domain(host, 1) && (!port.ptr || is_port(port));
}

static bool check_url(struct str text)
{
    struct str scheme, rest = str_cut(text, ':', &scheme);
    size_t end = 2;

    if (!str_equal_nocase(scheme, STR("http")) && !str_equal_nocase(scheme, STR("https")))
        return false;
    if (!str_starts(rest, STR("//")))
        return false;
    while (end < rest.len && !is_one_of(rest.ptr[end], "/?#"))
        end++;
    return is_authority(str_slice(rest, 2, end)) && is_url_rest(str_slice(rest, end, rest.len));
}

/* What a subtag is, by its length: RFC 5646 §2.1, in its order. The step only goes forward. */
enum tag_step { TAG_LANGUAGE, TAG_SCRIPT, TAG_REGION, TAG_VARIANT, TAG_EXTENSION };

static bool next_step(struct str tag, enum tag_step *step)
{
    if (*step == TAG_EXTENSION)
        return true;
    if (*step < TAG_SCRIPT && tag.len == 3 && all(tag, is_letter))
        return true; /* an extended language */
    if (*step < TAG_SCRIPT && tag.len == 4 && all(tag, is_letter))
        *step = TAG_SCRIPT;
    else if (*step < TAG_REGION && all(tag, tag.len == 2 ? is_letter : is_digit) &&
             (tag.len == 2 || tag.len == 3))
        *step = TAG_REGION;
    else if (tag.len >= 5 || (tag.len == 4 && is_digit(tag.ptr[0])))
        *step = TAG_VARIANT;
    else
        return false;
    return true;
}

static bool check_locale(struct str text)
{
    enum tag_step step = TAG_LANGUAGE;
    struct str tag, rest = str_cut(text, '-', &tag);
    bool private_use = str_equal_nocase(tag, STR("x"));
    bool open = private_use; /* a single letter waits for what it introduces */

    if (!all(tag, is_letter) || tag.len > SUBTAG_MAX || (tag.len == 1 && !private_use))
        return false;
    while (rest.ptr) {
        rest = str_cut(rest, '-', &tag);
        if (!all(tag, is_alphanumeric) || tag.len > SUBTAG_MAX)
            return false;
        if (private_use || tag.len > 1) {
            if (!private_use && !next_step(tag, &step))
                return false;
            open = false;
            continue;
        }
        if (open)
            return false;
        open = true;
        step = TAG_EXTENSION;
        private_use = str_equal_nocase(tag, STR("x"));
    }
    return !open;
}

static bool check_slug(struct str text)
{
    while (text.ptr) {
        struct str part;

        text = str_cut(text, '-', &part);
        if (part.len == 0)
            return false;
        for (size_t i = 0; i < part.len; i++) {
            if (!is_lower(part.ptr[i]) && !is_digit(part.ptr[i]))
                return false;
        }
    }
    return true;
}

const struct text_format format_email = {"email", check_email,
                                         "must be an e-mail address like name@example.com"};
const struct text_format format_phone = {
    "phone", check_phone, "must be a phone number with + and country code, like +491701234567"};
const struct text_format format_url = {"uri", check_url, "must be an http or https address"};
const struct text_format format_locale = {"locale", check_locale,
                                          "must be a language tag like de or pt-BR"};
const struct text_format format_timezone = {"timezone", zone_exists,
                                            "must be a time zone like Europe/Berlin"};
const struct text_format format_slug = {
    "slug", check_slug, "must be lower-case letters and digits, with single hyphens between"};
