/* A progress bar on a terminal, a plain line now and then elsewhere; both on stderr. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    int64_t done, total; /* of whatever the work is measured in */
    const char *noun;    /* what `count` counts: "rows" */
    bool terminal;
    int64_t started_us, shown_us;
    bool shown;
};

void progress_start(struct progress *progress, const char *noun);
/* As often as you like: it draws when it is time to. */
void progress_show(struct progress *progress, int64_t count);
void progress_end(struct progress *progress);

#endif
