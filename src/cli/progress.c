#include "cli/progress.h"

#include "base/time.h"

#include <stdio.h>
#include <unistd.h>

#define BAR_CELLS 30
#define TERMINAL_EVERY_US (SECOND_US / 10)
#define PLAIN_EVERY_US (5 * SECOND_US)

void progress_start(struct progress *progress, const char *noun)
{
    *progress = (struct progress){
        .noun = noun, .terminal = isatty(STDERR_FILENO) == 1, .started_us = time_monotonic_us()};
    progress->shown_us = progress->started_us;
}

static void draw(const struct progress *progress, int64_t count, int64_t now_us)
{
    const int64_t share =
        progress->total > 0 ? progress->done * 100 / progress->total : INT64_C(100);
    const int64_t elapsed_us = now_us - progress->started_us;
    const long long rate =
        elapsed_us > 0 ? (long long)(count * SECOND_US / elapsed_us) : (long long)count;

    if (!progress->terminal) {
        fprintf(stderr, "%lld %% (%lld %s, %lld a second)\n", (long long)share, (long long)count,
                progress->noun, rate);
        return;
    }
    fputs("\r[", stderr);
    for (int64_t i = 0; i < BAR_CELLS; i++)
        fputc(i * 100 < share * BAR_CELLS ? '#' : ' ', stderr);
    fprintf(stderr, "] %3lld %%  %lld %s, %lld a second ", (long long)share, (long long)count,
            progress->noun, rate);
    fflush(stderr);
}

void progress_show(struct progress *progress, int64_t count)
{
    const int64_t now_us = time_monotonic_us();
    const bool last = progress->done == progress->total;

    if (!last &&
        now_us - progress->shown_us < (progress->terminal ? TERMINAL_EVERY_US : PLAIN_EVERY_US))
        return;
    progress->shown_us = now_us;
    progress->shown = true;
    draw(progress, count, now_us);
}

void progress_end(struct progress *progress)
{
    if (progress->terminal && progress->shown)
        fputc('\n', stderr);
    progress->shown = false;
}
