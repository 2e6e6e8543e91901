/* touchpoint audit checkpoint|verify. A checkpoint is asked of the server, which has the key.
 * To verify takes no server's word: it reads the store itself, also while one runs. */
#include "app/tenant/tenant.h"
#include "cli/audit_key.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/progress.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AUDIT_MEMORY_MAX MIB(64)
#define CHECKPOINT_FILE_MAX KIB(16)
#define TENANTS_AT_ONCE 200

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* checkpoint --------------------------------------------------------------------------- */

/* Into the file, for its owner, or to standard output. */
static int put_checkpoint(const struct options *options, struct str json)
{
    const char *path = option_text(options, "out");
    FILE *file = path != NULL ? fopen(path, "w") : stdout;
    bool fine = file != NULL;

    if (fine)
        fine = fwrite(json.ptr, 1, json.len, file) == json.len && fputc('\n', file) != EOF &&
               fflush(file) == 0 && (path == NULL || fsync(fileno(file)) == 0);
    if (!fine)
        fprintf(stderr, "touchpoint: %s: %s\n", path != NULL ? path : "the output",
                strerror(errno));
    if (path != NULL && file != NULL && fclose(file) != 0)
        fine = false;
    return fine ? EXIT_FINE : EXIT_FAILED;
}

static int checkpoint(const struct options *options)
{
    struct client *client = client_open(options);
    struct app_answer answer;
    int status = EXIT_FAILED;

    if (client == NULL)
        return EXIT_FAILED;
    if (client_call_fine(client, HTTP_GET, "/api/v1/audit/checkpoint", STR_NULL, &answer))
        status = put_checkpoint(options, answer.body);
    client_close(client);
    return status;
}

/* verify ------------------------------------------------------------------------------- */

struct audit_run {
    const struct options *options;
    struct exec *exec;
    struct arena *arena; /* of the whole run */
    struct error error;
    struct list tenants;
    bool has_checkpoint;
    struct checkpoint checkpoint;
    /* Of the tenant that is being verified: */
    const struct tenant *tenant;
    struct progress progress;
    struct audit_result result;
};

static struct ctx context_of(struct audit_run *run, struct db *db, struct id_source *ids)
{
    error_clear(&run->error);
    return (struct ctx){.db = db,
                        .arena = run->arena,
                        .error = &run->error,
                        .actor = {.role = ROLE_OPERATOR},
                        .now_us = time_now_us(),
                        .ids = ids};
}

static enum err add_all_tenants(struct ctx *cx, struct audit_run *run)
{
    struct list some;
    struct str after = STR("");

    do {
        TRY(tenant_list(cx, after, TENANTS_AT_ONCE, 0, &some));
        TRY(list_append(cx->arena, &run->tenants, &some, sizeof(struct tenant), cx->error));
        if (some.count > 0)
            after = LIST_AT(some, struct tenant, some.count - 1)->slug;
    } while (some.count == TENANTS_AT_ONCE);
    return OK;
}

/* The one that is named, else the checkpoint's, else all. */
static enum err choose_tenants(void *context, struct db *db, struct id_source *ids)
{
    struct audit_run *run = context;
    struct ctx cx = context_of(run, db, ids);
    const char *slug = option_text(run->options, "tenant");
    struct tenant *tenant = ARENA_NEW(cx.arena, struct tenant);
    bool found = true;

    run->tenants = (struct list){0};
    if (slug == NULL && !run->has_checkpoint)
        return add_all_tenants(&cx, run);
    if (tenant == NULL)
        return error_set(cx.error, ERR_TOO_LARGE, "There is no memory left.");
    if (slug != NULL)
        TRY(tenant_by_slug(&cx, str_of(slug), tenant, &found));
    else
        TRY(tenant_by_id(&cx, run->checkpoint.tenant_id, tenant));
    if (!found)
        return error_set(cx.error, ERR_NOT_FOUND, "There is no tenant %s.", slug);
    run->tenants = (struct list){.items = tenant, .count = 1};
    return OK;
}

static bool show_number(void *context, int64_t done, int64_t total)
{
    struct progress *progress = context;

    progress->done = done;
    progress->total = total;
    progress_show(progress, done);
    return !interrupted;
}

static enum err verify_tenant(void *context, struct db *db, struct id_source *ids)
{
    struct audit_run *run = context;
    struct ctx cx = context_of(run, db, ids);

    cx.actor.tenant_id = run->tenant->id;
    return audit_verify(&cx, run->has_checkpoint ? &run->checkpoint : NULL, show_number,
                        &run->progress, &run->result);
}

static void print_fine(const struct audit_run *run)
{
    const struct audit_result *result = &run->result;

    printf("%.*s: %lld events verified", STR_FMT(run->tenant->slug), (long long)result->verified);
    if (result->stubs > 0)
        printf(", %lld of them expired or erased", (long long)result->stubs);
    if (result->erased > 0)
        printf(", %lld with erased texts", (long long)result->erased);
    if (result->waiting > 0)
        printf("; %lld more wait for their seal", (long long)result->waiting);
    if (run->has_checkpoint)
        printf("; the checkpoint at number %lld holds", (long long)run->checkpoint.number);
    printf("\n");
    fflush(stdout);
}

static void print_finding(const struct audit_run *run)
{
    const struct audit_result *result = &run->result;
    char id[UUID_TEXT_LEN];

    fprintf(stderr, "touchpoint: %.*s: ", STR_FMT(run->tenant->slug));
    if (result->number > 0)
        fprintf(stderr, "number %lld: ", (long long)result->number);
    if (!uuid_is_none(result->event_id)) {
        uuid_format(result->event_id, id);
        fprintf(stderr, "event %.*s: ", UUID_TEXT_LEN, id);
    }
    fprintf(stderr, "%s\n", result->detail);
}

/* Goes on behind a finding: the other tenants are another matter. */
static int verify_tenants(struct audit_run *run)
{
    int status = EXIT_FINE;

    for (size_t i = 0; i < run->tenants.count && !interrupted; i++) {
        enum err result;

        run->tenant = LIST_AT(run->tenants, struct tenant, i);
        progress_start(&run->progress, "events");
        result = exec_transaction(run->exec, TX_REPORT, verify_tenant, run);
        progress_end(&run->progress);
        if (result != OK) {
            fprintf(stderr, "touchpoint: %.*s: could not be verified: %s\n",
                    STR_FMT(run->tenant->slug), run->error.detail);
            status = EXIT_FAILED;
        } else if (run->result.finding != AUDIT_FINE) {
            print_finding(run);
            status = EXIT_FAILED;
        } else {
            print_fine(run);
        }
    }
    return status;
}

/* Whose it is, its keeper has to know: the key's fingerprint is shown for that. */
static bool read_checkpoint(struct audit_run *run, const char *path)
{
    const struct decoding in = {.arena = run->arena, .error = &run->error, .stored = true};
    char fingerprint[AUDIT_FINGERPRINT_TEXT];
    char *text = arena_alloc(run->arena, CHECKPOINT_FILE_MAX);
    FILE *file = fopen(path, "r");
    size_t size;

    if (file == NULL || text == NULL) {
        fprintf(stderr, "touchpoint: %s: %s\n", path, strerror(errno));
        if (file != NULL)
            fclose(file);
        return false;
    }
    size = fread(text, 1, CHECKPOINT_FILE_MAX, file);
    fclose(file);
    if (record_decode(&checkpoint_record, (struct str){text, size}, &in, &run->checkpoint, NULL) !=
        OK) {
        fprintf(stderr, "touchpoint: %s: this is no checkpoint\n", path);
        return false;
    }
    if (!audit_checkpoint_holds(&run->checkpoint)) {
        fprintf(stderr, "touchpoint: %s: the signature is wrong: the checkpoint was changed\n",
                path);
        return false;
    }
    audit_fingerprint(&run->checkpoint, fingerprint);
    printf("checkpoint at number %lld, signed by the key %s\n", (long long)run->checkpoint.number,
           fingerprint);
    return true;
}

static int verify(const struct options *options)
{
    const char *path = option_text(options, "checkpoint");
    struct audit_run run = {.options = options, .has_checkpoint = path != NULL};
    struct sigaction interrupt = {.sa_handler = on_interrupt};
    struct store_options store;
    char *url = NULL;
    int status = EXIT_FAILED;

    if (!store_options_from(options, &store, &url))
        return EXIT_USAGE;
    store.read_only = true;
    store.connections = 1;
    run.arena = arena_new(AUDIT_MEMORY_MAX);
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGTERM, &interrupt, NULL);
    if (run.arena == NULL || (path != NULL && !read_checkpoint(&run, path)))
        goto out;
    if (exec_open(&store, &run.exec, &run.error) != OK ||
        exec_transaction(run.exec, TX_REPORT, choose_tenants, &run) != OK) {
        fprintf(stderr, "touchpoint: %s\n", run.error.detail);
        goto out;
    }
    status = verify_tenants(&run);
    if (interrupted) {
        fprintf(stderr, "stopped before the end\n");
        status = EXIT_FAILED;
    }
out:
    if (run.exec != NULL)
        exec_close(run.exec);
    arena_free(run.arena);
    free(url);
    return status;
}

static const struct option checkpoint_options[] = {
    STORE_OPTIONS,
    OPTION_TENANT,
    OPTION_AUDIT_KEY,
    {"out", "FILE", NULL, "where it goes; standard output if left out"},
};
static const struct option verify_options[] = {
    STORE_OPTIONS,
    {"tenant", "SLUG", NULL, "whose events; all tenants' if left out"},
    {"checkpoint", "FILE", NULL, "what `audit checkpoint` gave: the chain is held against it"},
};

const struct command command_audit_checkpoint = {"audit checkpoint",
                                                 "",
                                                 "sign where the chain of events stands",
                                                 checkpoint_options,
                                                 COUNT_OF(checkpoint_options),
                                                 0,
                                                 0,
                                                 checkpoint};
const struct command command_audit_verify = {"audit verify",
                                             "",
                                             "find what was changed, removed or slipped in",
                                             verify_options,
                                             COUNT_OF(verify_options),
                                             0,
                                             0,
                                             verify};
