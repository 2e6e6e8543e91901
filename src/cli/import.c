/* touchpoint import: a CSV file and a mapping, in portions that each are one transaction.
 * What was done stays done: Ctrl-C, a crash or a second run go on, or find nothing new. */
#include "cli/client.h"
#include "cli/command.h"
#include "cli/csv.h"
#include "cli/mapping.h"
#include "cli/progress.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORTION_ROWS 500
#define PORTION_BYTES_MAX MIB(8)
/* A row stands in a portion with some bytes to spare; past this the portion is sent. */
#define PORTION_BYTES_FULL MIB(4)
#define LINE_BYTES (CSV_ROW_BYTES_MAX + 1) /* one more shows that a line is too long */
#define HASH_LEN ((size_t)2 * crypto_hash_sha256_BYTES)

struct import_run {
    const struct options *options;
    struct client *client;
    struct mapping *mapping;
    struct csv *csv;
    FILE *file;
    char id[UUID_TEXT_LEN + 1];
    int64_t next_row; /* the store has the rows before it */
    int64_t row;      /* the newest that was read */
    struct buf portion;
    struct json_out out;
    int64_t portion_rows;
    struct progress progress;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* What the import is known by: the file's bytes and the mapping's. */
static bool hash_source(struct import_run *run, const char *path, char out[HASH_LEN + 1])
{
    crypto_hash_sha256_state state;
    unsigned char bytes[65536];
    unsigned char hash[crypto_hash_sha256_BYTES];
    const struct str text = mapping_text(run->mapping);
    size_t got;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)text.ptr, text.len);
    while ((got = fread(bytes, 1, sizeof bytes, run->file)) > 0) {
        crypto_hash_sha256_update(&state, bytes, got);
        run->progress.total += (int64_t)got;
    }
    if (ferror(run->file)) {
        fprintf(stderr, "touchpoint: %s: %s\n", path, strerror(errno));
        return false;
    }
    rewind(run->file);
    crypto_hash_sha256_final(&state, hash);
    str_to_hex(hash, sizeof hash, out);
    out[HASH_LEN] = '\0';
    return true;
}

static bool begin(struct import_run *run, const char *hash)
{
    struct buf body;
    struct json_out out;
    struct app_answer answer;
    json_t *root;
    bool fine;

    buf_init(&body, NULL, KIB(8));
    json_out_init(&out, &body);
    json_object_begin(&out);
    JSON_KEY(&out, "name");
    json_text(&out, mapping_name(run->mapping));
    JSON_KEY(&out, "source_hash");
    json_text(&out, str_of(hash));
    json_object_end(&out);
    fine = client_call_fine(run->client, HTTP_POST, "/api/v1/imports", buf_str(&body), &answer);
    buf_clear(&body);
    if (!fine)
        return false;
    root = json_loadb(answer.body.ptr, answer.body.len, 0, NULL);
    snprintf(run->id, sizeof run->id, "%s", json_string_value(json_object_get(root, "id")));
    run->next_row = json_integer_value(json_object_get(root, "next_row"));
    json_decref(root);
    return true;
}

static void open_portion(struct import_run *run)
{
    buf_reset(&run->portion);
    json_out_init(&run->out, &run->portion);
    json_array_begin(&run->out);
    run->portion_rows = 0;
}

static bool send_portion(struct import_run *run)
{
    char target[128];
    struct app_answer answer;

    if (run->portion_rows == 0)
        return true;
    json_array_end(&run->out);
    if (buf_failed(&run->portion)) {
        fprintf(stderr, "touchpoint: the rows before row %lld are too large\n",
                (long long)run->row);
        return false;
    }
    snprintf(target, sizeof target, "/api/v1/imports/%s/rows", run->id);
    if (!client_call_fine(run->client, HTTP_POST, target, buf_str(&run->portion), &answer))
        return false;
    open_portion(run);
    return true;
}

static void take_row(struct import_run *run, enum csv_result result, bool too_long,
                     const struct csv_row *row)
{
    char reason[64] = "it is not well-formed CSV";

    if (too_long)
        snprintf(reason, sizeof reason, "it is longer than %zu bytes", CSV_ROW_BYTES_MAX);
    run->row++;
    if (run->row < run->next_row) {
        /* Done before; but a date without a year follows from the rows before it. */
        const size_t len = run->portion.len;
        const bool comma = run->out.need_comma;

        if (result == CSV_ROW_DONE)
            mapping_row(run->mapping, row, run->row, &run->out);
        run->portion.len = len;
        run->out.need_comma = comma;
        return;
    }
    if (result == CSV_ROW_DONE)
        mapping_row(run->mapping, row, run->row, &run->out);
    else
        mapping_refusal(row->line, run->row, reason, &run->out);
    run->portion_rows++;
}

/* Reads a line with its end; of one that is too long for a row no more than shows that, and
 * the rest is passed over. False at the end of the file. */
static bool read_line(struct import_run *run, char line[LINE_BYTES], struct str *out)
{
    size_t len = 0;
    int c;

    while ((c = getc(run->file)) != EOF) {
        if (len < LINE_BYTES)
            line[len++] = (char)c;
        run->progress.done++;
        if (c == '\n')
            break;
    }
    *out = (struct str){line, len};
    return len > 0;
}

static bool take_header(struct import_run *run, enum csv_result result, const struct csv_row *row)
{
    if (result == CSV_ROW_DONE)
        return mapping_header(run->mapping, row);
    fprintf(stderr,
            "touchpoint: line %lld is no header: it is not well-formed CSV, or longer than %zu "
            "bytes\n",
            (long long)row->line, CSV_ROW_BYTES_MAX);
    return false;
}

static bool read_rows(struct import_run *run)
{
    char *line = malloc(LINE_BYTES);
    struct str text;
    bool header = false;
    bool fine = line != NULL;

    if (!fine)
        fprintf(stderr, "touchpoint: there is no memory for a line\n");
    open_portion(run);
    while (fine && !interrupted && read_line(run, line, &text)) {
        const int next = getc(run->file);
        struct csv_row row;
        enum csv_result result;

        if (next != EOF)
            ungetc(next, run->file);
        result = csv_line(run->csv, text, next == EOF, &row);
        if (result == CSV_NOTHING || result == CSV_ROW_OPEN)
            continue;
        if (!header) {
            header = fine = take_header(run, result, &row);
            continue;
        }
        take_row(run, result, text.len > CSV_ROW_BYTES_MAX, &row);
        if (run->portion_rows == PORTION_ROWS || run->portion.len > PORTION_BYTES_FULL)
            fine = send_portion(run);
        progress_show(&run->progress, run->row);
    }
    free(line);
    if (fine && !header && !interrupted)
        fprintf(stderr, "touchpoint: the file has no header\n");
    return fine && header && send_portion(run);
}

/* The refused rows, each with its line and reason. */
static bool report_refusals(struct import_run *run)
{
    long long after = 0;
    size_t count;

    do {
        char target[160];
        struct app_answer answer;
        json_t *root;
        json_t *row;
        size_t i;

        snprintf(target, sizeof target, "/api/v1/imports/%s/refusals?after=%lld", run->id, after);
        if (!client_call_fine(run->client, HTTP_GET, target, STR_NULL, &answer))
            return false;
        root = json_loadb(answer.body.ptr, answer.body.len, 0, NULL);
        count = json_array_size(json_object_get(root, "data"));
        json_array_foreach (json_object_get(root, "data"), i, row) {
            after = json_integer_value(json_object_get(row, "row"));
            fprintf(stderr, "line %lld (row %lld): %s\n",
                    (long long)json_integer_value(json_object_get(row, "line")), after,
                    json_string_value(json_object_get(row, "reason")));
        }
        json_decref(root);
    } while (count > 0);
    return true;
}

static bool finish(struct import_run *run)
{
    char target[128];
    struct app_answer answer;
    json_t *root;

    snprintf(target, sizeof target, "/api/v1/imports/%s/finish", run->id);
    if (!client_call_fine(run->client, HTTP_POST, target, STR_NULL, &answer))
        return false;
    root = json_loadb(answer.body.ptr, answer.body.len, 0, NULL);
    printf("%lld rows: %lld customers and %lld interactions made, %lld rows were there, "
           "%lld refused\n",
           (long long)run->row, (long long)json_integer_value(json_object_get(root, "customers")),
           (long long)json_integer_value(json_object_get(root, "interactions")),
           (long long)json_integer_value(json_object_get(root, "present")),
           (long long)json_integer_value(json_object_get(root, "refused")));
    json_decref(root);
    return true;
}

static bool open_run(struct import_run *run, const char *path)
{
    const char *mapping = option_text(run->options, "mapping");

    if (mapping == NULL) {
        fprintf(stderr, "touchpoint: --mapping FILE.json says how rows become records\n");
        return false;
    }
    run->mapping = mapping_open(mapping);
    if (run->mapping == NULL)
        return false;
    run->csv = csv_open(mapping_delimiter(run->mapping));
    run->file = fopen(path, "r");
    if (run->file == NULL)
        fprintf(stderr, "touchpoint: %s: %s\n", path, strerror(errno));
    if (run->csv == NULL || run->file == NULL)
        return false;
    run->client = client_open(run->options);
    return run->client != NULL;
}

static int import(const struct options *options)
{
    struct import_run run = {.options = options};
    struct sigaction interrupt = {.sa_handler = on_interrupt};
    char hash[HASH_LEN + 1];
    int status = EXIT_FAILED;

    buf_init(&run.portion, NULL, PORTION_BYTES_MAX);
    if (!open_run(&run, options->operands[0]))
        goto out;
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGTERM, &interrupt, NULL);
    progress_start(&run.progress, "rows");
    if (!hash_source(&run, options->operands[0], hash) || !begin(&run, hash))
        goto out;
    if (!read_rows(&run)) {
        progress_end(&run.progress);
        goto out;
    }
    progress_end(&run.progress);
    if (interrupted) {
        fprintf(stderr, "stopped after row %lld; the next run goes on from there\n",
                (long long)run.row);
        goto out;
    }
    if (report_refusals(&run) && finish(&run))
        status = EXIT_FINE;
out:
    buf_clear(&run.portion);
    client_close(run.client);
    csv_close(run.csv);
    mapping_close(run.mapping);
    if (run.file != NULL)
        fclose(run.file);
    return status;
}

static const struct option import_options[] = {
    STORE_OPTIONS,
    OPTION_TENANT,
    {"mapping", "FILE", NULL, "JSON: how a row becomes a customer and an interaction"},
};

const struct command command_import = {"import",
                                       "FILE.csv",
                                       "load people and interactions from a file",
                                       import_options,
                                       COUNT_OF(import_options),
                                       1,
                                       1,
                                       import};
