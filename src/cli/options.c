#include "cli/options.h"

#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 4096

static size_t find(const struct options *options, struct str name)
{
    for (size_t i = 0; i < options->count; i++)
        if (str_is(name, options->table[i].name))
            return i;
    return options->count;
}

/* "db-file" is TOUCHPOINT_DB_FILE. */
static void environment_name(const char *option, char *out, size_t out_size)
{
    size_t at = (size_t)snprintf(out, out_size, "TOUCHPOINT_");

    for (const char *c = option; *c != '\0' && at + 1 < out_size; c++)
        out[at++] = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    out[at] = '\0';
}

static bool switch_on(const char *value)
{
    return strcmp(value, "1") == 0 || strcmp(value, "true") == 0 || strcmp(value, "yes") == 0;
}

/* One `--name`, `--name=value` or `--name value`; *used counts the arguments it took. */
static bool parse_flag(struct options *options, int argc, char **argv, int at, int *used)
{
    struct str name;
    const struct str value = str_cut(str_of(argv[at] + 2), '=', &name);
    const size_t i = find(options, name);

    *used = 1;
    if (i == options->count) {
        fprintf(stderr, "touchpoint: there is no option --%.*s here (see --help)\n", STR_FMT(name));
        return false;
    }
    if (options->table[i].argument == NULL) {
        if (value.ptr != NULL && !switch_on(value.ptr)) {
            fprintf(stderr, "touchpoint: --%s takes no value\n", options->table[i].name);
            return false;
        }
        options->values[i] = "true";
        return true;
    }
    if (value.ptr != NULL) {
        options->values[i] = value.ptr;
        return true;
    }
    if (at + 1 >= argc) {
        fprintf(stderr, "touchpoint: --%s needs a value: %s\n", options->table[i].name,
                options->table[i].argument);
        return false;
    }
    options->values[i] = argv[at + 1];
    *used = 2;
    return true;
}

static bool parse_line(struct options *options, const char *path, int number, struct str line)
{
    struct str name;
    struct str value = str_cut(line, '=', &name);
    size_t i;

    name = str_trim(name);
    value = str_trim(value);
    if (name.len == 0 || name.ptr[0] == '#')
        return true;
    i = find(options, name);
    if (value.ptr == NULL) {
        fprintf(stderr, "touchpoint: %s:%d: expected `name = value`\n", path, number);
        return false;
    }
    /* A file serves every command, so it may name options that this one does not have. */
    if (i == options->count || options->values[i] != NULL)
        return true;
    options->owned[i] = strndup(value.ptr, value.len);
    options->values[i] = options->owned[i];
    return options->owned[i] != NULL;
}

static bool parse_file(struct options *options, const char *path)
{
    char line[LINE_MAX_BYTES];
    FILE *file = fopen(path, "r");
    bool fine = true;

    if (file == NULL) {
        fprintf(stderr, "touchpoint: %s: %s\n", path, strerror(errno));
        return false;
    }
    for (int number = 1; fine && fgets(line, sizeof line, file) != NULL; number++) {
        line[strcspn(line, "\r\n")] = '\0';
        fine = parse_line(options, path, number, str_of(line));
    }
    fclose(file);
    return fine;
}

bool options_parse(struct options *options, const struct option *table, size_t count, int argc,
                   char **argv)
{
    bool only_operands = false;
    size_t config;

    *options = (struct options){.table = table, .count = count};
    for (int i = 0, used = 1; i < argc; i += used) {
        used = 1;
        if (only_operands || argv[i][0] != '-' || argv[i][1] == '\0') {
            if (options->operand_count == OPERANDS_MAX) {
                fprintf(stderr, "touchpoint: too many arguments\n");
                return false;
            }
            options->operands[options->operand_count++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            only_operands = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            options->help = true;
        } else if (argv[i][1] != '-') {
            fprintf(stderr, "touchpoint: options begin with two dashes: %s\n", argv[i]);
            return false;
        } else if (!parse_flag(options, argc, argv, i, &used)) {
            return false;
        }
    }
    for (size_t i = 0; i < count; i++) {
        char name[128];

        environment_name(table[i].name, name, sizeof name);
        if (options->values[i] != NULL)
            continue;
        options->values[i] = getenv(name);
    }
    config = find(options, STR("config"));
    if (config < count && options->values[config] != NULL)
        return parse_file(options, options->values[config]);
    return true;
}

void options_clear(struct options *options)
{
    for (size_t i = 0; i < options->count; i++)
        free(options->owned[i]);
}

bool option_known(const struct options *options, const char *name)
{
    return find(options, str_of(name)) < options->count;
}

const char *option_text(const struct options *options, const char *name)
{
    const size_t i = find(options, str_of(name));

    if (i == options->count)
        return NULL;
    return options->values[i] != NULL ? options->values[i] : options->table[i].fallback;
}

bool option_switch(const struct options *options, const char *name)
{
    const char *value = option_text(options, name);

    return value != NULL && switch_on(value);
}

bool option_number(const struct options *options, const char *name, long least, long most,
                   long *out)
{
    const char *text = option_text(options, name);
    int64_t number = 0;

    if (text == NULL || !str_to_int(str_of(text), &number) || number < least || number > most) {
        fprintf(stderr, "touchpoint: --%s must be a whole number from %ld to %ld\n", name, least,
                most);
        return false;
    }
    *out = (long)number;
    return true;
}

void options_help(const struct option *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char environment[128];
        char flag[64];

        environment_name(table[i].name, environment, sizeof environment);
        snprintf(flag, sizeof flag, "--%s%s%s", table[i].name, table[i].argument != NULL ? " " : "",
                 table[i].argument != NULL ? table[i].argument : "");
        printf("  %-26s %s\n  %-26s (%s%s%s)\n", flag, table[i].help, "", environment,
               table[i].fallback != NULL ? "; default " : "",
               table[i].fallback != NULL ? table[i].fallback : "");
    }
}

char *secret_from_file(const char *path)
{
    char line[LINE_MAX_BYTES];
    FILE *file = fopen(path, "r");
    char *secret = NULL;

    if (file == NULL) {
        fprintf(stderr, "touchpoint: %s: %s\n", path, strerror(errno));
        return NULL;
    }
    if (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] != '\0')
            secret = strdup(line);
    }
    fclose(file);
    if (secret == NULL)
        fprintf(stderr, "touchpoint: %s: its first line is empty\n", path);
    return secret;
}
