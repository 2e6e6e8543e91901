#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What is too long is cut between two characters, so that UTF-8 stays UTF-8. */
static void fill(char *out, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void fill(char *out, size_t size, const char *format, va_list args)
{
    int len = vsnprintf(out, size, format, args);

    if (len < 0)
        out[0] = '\0';
    if (len < 0 || (size_t)len < size)
        return;
    for (size_t back = 1; back <= 4 && back < size; back++) {
        unsigned char lead = (unsigned char)out[size - 1 - back];
        size_t need = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;

        if ((lead & 0xC0) == 0x80)
            continue;
        if (need > back)
            out[size - 1 - back] = '\0';
        return;
    }
}

static void fill_as(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fill_as(char *out, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fill(out, size, format, args);
    va_end(args);
}

enum err error_set(struct error *error, enum err code, const char *format, ...)
{
    va_list args;

    error->code = code;
    va_start(args, format);
    fill(error->detail, sizeof(error->detail), format, args);
    va_end(args);
    return code;
}

enum err error_fault(struct error *error, const char *field, const char *code, const char *format,
                     ...)
{
    va_list args;

    if (error->fault_count == 0)
        error_set(error, ERR_INVALID, "The request is well-formed, but some of it is not valid.");
    if (error->fault_count < FAULTS_MAX) {
        struct fault *fault = &error->faults[error->fault_count];

        fill_as(fault->field, sizeof(fault->field), "%s", field ? field : "");
        fault->code = code;
        va_start(args, format);
        fill(fault->message, sizeof(fault->message), format, args);
        va_end(args);
    }
    error->fault_count++;
    return ERR_INVALID;
}

/* The faults are 16 KiB: what the count does not reach is never read, so it stays. */
void error_clear(struct error *error)
{
    error->code = OK;
    error->detail[0] = '\0';
    error->retry_after_s = 0;
    error->facts = STR_NULL;
    error->fault_count = 0;
}
