/* touchpoint migrate|backup|restore: the store as a whole. */
#include "cli/client.h"
#include "cli/command.h"
#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>

static int tell(const struct error *error)
{
    fprintf(stderr, "touchpoint: %s\n", error->detail);
    return EXIT_FAILED;
}

static void show_pages(void *context, int64_t done_pages, int64_t total_pages)
{
    struct progress *progress = context;

    progress->done = done_pages;
    progress->total = total_pages;
    progress_show(progress, done_pages);
}

/* Opening a store brings it up to date; so does serve. This is for who wants to see that done
 * before the server starts. */
static int migrate(const struct options *options)
{
    struct store_options store;
    struct error error = {0};
    struct exec *exec = NULL;
    char *url = NULL;
    int status = EXIT_FAILED;

    if (!store_options_from(options, &store, &url))
        return EXIT_USAGE;
    store.connections = 1;
    if (url == NULL && !data_dir_make(store.data_dir))
        goto out;
    if (exec_open(&store, &exec, &error) != OK) {
        tell(&error);
        goto out;
    }
    exec_close(exec);
    printf("the store is up to date\n");
    status = EXIT_FINE;
out:
    free(url);
    return status;
}

static int backup(const struct options *options)
{
    const char *path = options->operands[0];
    struct store_options store;
    struct error error = {0};
    struct progress progress;
    char *url = NULL;
    enum err result;

    if (!store_options_from(options, &store, &url))
        return EXIT_USAGE;
    progress_start(&progress, "pages");
    result = exec_backup(&store, path, &error, show_pages, &progress);
    progress_end(&progress);
    free(url);
    if (result != OK)
        return tell(&error);
    printf("%s holds the store, and was read back and found whole\n", path);
    return EXIT_FINE;
}

static int restore(const struct options *options)
{
    struct store_options store;
    struct error error = {0};
    struct progress progress;
    char *url = NULL;
    enum err result;

    if (!store_options_from(options, &store, &url))
        return EXIT_USAGE;
    if (url != NULL) {
        free(url);
        fprintf(stderr, "touchpoint: a backup is restored into a data folder, not into "
                        "PostgreSQL\n");
        return EXIT_USAGE;
    }
    if (!data_dir_make(store.data_dir))
        return EXIT_FAILED;
    progress_start(&progress, "pages");
    result = exec_restore(options->operands[0], store.data_dir, &error, show_pages, &progress);
    progress_end(&progress);
    if (result != OK)
        return tell(&error);
    printf("%s holds the store, and was read back and found whole\n", store.data_dir);
    return EXIT_FINE;
}

static const struct option store_options[] = {STORE_OPTIONS};

const struct command command_migrate = {"migrate",
                                        "",
                                        "bring the store up to date without serving it",
                                        store_options,
                                        COUNT_OF(store_options),
                                        0,
                                        0,
                                        migrate};
const struct command command_backup = {"backup",
                                       "FILE",
                                       "copy the store into a file, also while a server runs",
                                       store_options,
                                       COUNT_OF(store_options),
                                       1,
                                       1,
                                       backup};
const struct command command_restore = {"restore",
                                        "FILE",
                                        "make a new store of a backup, in an empty data folder",
                                        store_options,
                                        COUNT_OF(store_options),
                                        1,
                                        1,
                                        restore};
