/* Shapes of text that several records share: `.format = &format_email`. Each also stands
 * as "format" in the JSON Schema. */
#ifndef JSON_FORMAT_H
#define JSON_FORMAT_H

#include "json/record.h"

/* user@host.example: the dot-atom form of RFC 5321 §4.1.2, with at least two labels in the
 * domain. Quoted local parts, address literals and non-ASCII are refused (a domain in another
 * script has its "xn--" form). At most 254 characters, 64 before the @. */
extern const struct text_format format_email;
/* E.164: "+", then 7 to 15 digits, the first not 0. */
extern const struct text_format format_phone;
/* RFC 3986, http and https only, with a host, without user info. */
extern const struct text_format format_url;
/* RFC 5646 by shape: "de", "pt-BR", "zh-Hant-TW", "sl-rozaj", "x-test". */
extern const struct text_format format_locale;
/* A name of the IANA zone database: "Europe/Berlin". */
extern const struct text_format format_timezone;
/* Lower-case ASCII letters and digits, single hyphens inside: "spring-sale-2". */
extern const struct text_format format_slug;

#endif
