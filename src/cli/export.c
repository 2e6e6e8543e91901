/* touchpoint export timeline CUSTOMER: asks part by part, as the Link header of each answer says,
 * and writes one file. */
#include "cli/client.h"
#include "cli/command.h"

#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define TARGET_TEXT_MAX 512

/* Where it goes: beside the file until it is whole, so that a failure leaves what was there. */
struct output {
    const char *path; /* NULL: standard output */
    char part[PATH_MAX];
    FILE *file;
};

static bool output_open(struct output *output, const char *path)
{
    *output = (struct output){.path = path, .file = stdout};
    if (path == NULL)
        return true;
    if (snprintf(output->part, sizeof output->part, "%s.part", path) >= (int)sizeof output->part)
        errno = ENAMETOOLONG;
    else if ((output->file = fopen(output->part, "wbe")) != NULL)
        return true;
    fprintf(stderr, "touchpoint: %s: %s\n", path, strerror(errno));
    return false;
}

static bool output_close(struct output *output, bool whole)
{
    const char *name = output->path != NULL ? output->path : "standard output";
    bool fine = whole && fflush(output->file) == 0;

    if (output->path != NULL) {
        fine = fclose(output->file) == 0 && fine;
        fine = fine && rename(output->part, output->path) == 0;
    }
    if (whole && !fine)
        fprintf(stderr, "touchpoint: %s: %s\n", name, strerror(errno));
    if (!fine && output->path != NULL)
        remove(output->part);
    return fine;
}

static bool add_parameter(char *target, const char *name, const char *value)
{
    char *escaped;
    size_t len = strlen(target);
    int more;

    if (value == NULL)
        return true;
    escaped = curl_easy_escape(NULL, value, 0);
    more = snprintf(target + len, TARGET_TEXT_MAX - len, "%c%s=%s",
                    strchr(target, '?') != NULL ? '&' : '?', name, escaped != NULL ? escaped : "");
    curl_free(escaped);
    return more > 0 && (size_t)more < TARGET_TEXT_MAX - len;
}

static bool first_target(const struct options *options, char *target)
{
    static const char *const names[] = {"format", "view", "from", "to"};
    char *customer = curl_easy_escape(NULL, options->operands[0], 0);
    const int len = snprintf(target, TARGET_TEXT_MAX, "/api/v1/contacts/%s/events/export",
                             customer != NULL ? customer : "");
    bool fits = len < TARGET_TEXT_MAX;

    curl_free(customer);
    for (size_t i = 0; i < COUNT_OF(names) && fits; i++)
        fits = add_parameter(target, names[i], option_text(options, names[i]));
    if (!fits)
        fprintf(stderr, "touchpoint: the options are longer than is taken\n");
    return fits;
}

/* Of `<TARGET>; rel="next"`; false where there is nothing more. */
static bool next_target(struct str link, char *target)
{
    struct str rest, head;

    if (!str_starts(link, STR("<")))
        return false;
    rest = str_cut(str_slice(link, 1, link.len), '>', &head);
    if (!str_is(rest, "; rel=\"next\"") || head.len >= TARGET_TEXT_MAX)
        return false;
    snprintf(target, TARGET_TEXT_MAX, "%.*s", STR_FMT(head));
    return true;
}

/* Each part of a table has its head, and the file has one. */
static struct str without_head(struct str table)
{
    struct str head;
    const struct str rest = str_cut(table, '\n', &head);

    return rest.ptr != NULL ? rest : STR("");
}

static bool write_parts(struct client *client, char *target, const char *format, FILE *file)
{
    struct app_answer answer;
    bool first = true, more = true;

    for (; more; first = false) {
        struct str body;

        if (!client_call_fine(client, HTTP_GET, target, STR_NULL, &answer))
            return false;
        body = strcmp(format, "csv") == 0 && !first ? without_head(answer.body) : answer.body;
        if (fwrite(body.ptr, 1, body.len, file) != body.len) {
            fprintf(stderr, "touchpoint: %s\n", strerror(errno));
            return false;
        }
        more = next_target(answer.link, target);
        if (more && strcmp(format, "pdf") == 0) {
            fprintf(stderr, "touchpoint: that is more than one PDF holds; "
                            "narrow it by --from and --to\n");
            return false;
        }
    }
    return true;
}

static int export_timeline(const struct options *options)
{
    struct client *client;
    struct output output;
    char target[TARGET_TEXT_MAX];
    bool fine = false;

    if (!first_target(options, target))
        return EXIT_FAILED;
    client = client_open(options);
    if (client == NULL)
        return EXIT_FAILED;
    if (output_open(&output, option_text(options, "out"))) {
        fine = write_parts(client, target, option_text(options, "format"), output.file);
        fine = output_close(&output, fine);
    }
    client_close(client);
    return fine ? EXIT_FINE : EXIT_FAILED;
}

static const struct option timeline_options[] = {
    {"format", "FORMAT", "jsonl", "jsonl, csv or pdf"},
    {"out", "FILE", NULL, "where it goes; without it standard output"},
    {"view", "VIEW", NULL, "agent, or client: what the client's own app sees"},
    {"from", "TIME", NULL, "what occurred at this time (RFC 3339) or later"},
    {"to", "TIME", NULL, "what occurred before this time"},
    OPTION_TENANT,
    STORE_OPTIONS,
};

const struct command command_export_timeline = {
    .name = "export timeline",
    .operands = "CUSTOMER",
    .summary = "Write a customer's timeline to a file",
    .options = timeline_options,
    .option_count = COUNT_OF(timeline_options),
    .operands_least = 1,
    .operands_most = 1,
    .run = export_timeline,
};
