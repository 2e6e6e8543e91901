/* Configuration of a command: flags over TOUCHPOINT_* environment over a file.
 *
 * An option `listen` is `--listen VALUE` or `--listen=VALUE`, TOUCHPOINT_LISTEN, or the
 * line `listen = VALUE` of the file that `--config` names. Secrets are given by file:
 * an option that takes one is named `…-file`, so that it shows in no process list. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct option {
    const char *name;
    const char *argument; /* "DIR", "URL": what --help calls its value; NULL: a switch */
    const char *fallback; /* the value without one, or NULL */
    const char *help;
};

#define OPTIONS_MAX 32
#define OPERANDS_MAX 16

struct options {
    const struct option *table;
    size_t count;
    const char *values[OPTIONS_MAX]; /* as given; NULL: not given anywhere */
    char *owned[OPTIONS_MAX];        /* what came from the file */
    const char *operands[OPERANDS_MAX];
    size_t operand_count;
    bool help; /* --help was given */
};

/* False, with a sentence on stderr, when something is misspelt or lacks its value. */
bool options_parse(struct options *options, const struct option *table, size_t count, int argc,
                   char **argv);
void options_clear(struct options *options);

/* Whether the command has such an option. */
bool option_known(const struct options *options, const char *name);
/* The value, else the fallback. `name` must be in the table. */
const char *option_text(const struct options *options, const char *name);
bool option_switch(const struct options *options, const char *name);
/* A whole number; false, with a sentence on stderr, when it is none or out of range. */
bool option_number(const struct options *options, const char *name, long least, long most,
                   long *out);

/* "  --data DIR   where …  (TOUCHPOINT_DATA; default …)" for every option. */
void options_help(const struct option *table, size_t count);

/* The first line of a file, for secrets; NULL, with a sentence on stderr. Free it. */
char *secret_from_file(const char *path);

#endif
