/* The server that the fault rigs break: the program itself, with some functions wrapped by
 * the linker. The program that people get knows nothing of these variables.
 *
 *     TOUCHPOINT_FAULT_VFS=powercut    the store is on the disk of fault_vfs.h
 *     TOUCHPOINT_FAULT_UNSAFE=…        store_options.unsafe: what a rig must catch
 *     TOUCHPOINT_FAULT_WITHOUT=events  changes write no event; or `seals`: none is sealed. What
 *                                      bench/run weighs them against */
#include "fault_vfs.h"

#include "app/timeline/seal.h"
#include "db/exec.h"

#include <stdlib.h>
#include <string.h>

/* The linker's names (--wrap). */
enum err __wrap_exec_open(const struct store_options *options, struct exec **out,
                          struct error *error);
enum err __real_exec_open(const struct store_options *options, struct exec **out,
                          struct error *error);

enum err __wrap_exec_open(const struct store_options *options, struct exec **out,
                          struct error *error)
{
    struct store_options faulty = *options;
    const char *vfs = getenv("TOUCHPOINT_FAULT_VFS");

    faulty.unsafe = getenv("TOUCHPOINT_FAULT_UNSAFE");
    if (vfs) {
        if (strcmp(vfs, FAULT_VFS) != 0 || !fault_vfs_register())
            return error_set(error, ERR_INVALID, "There is no such fault: %s", vfs);
        faulty.vfs = FAULT_VFS;
    }
    return __real_exec_open(&faulty, out, error);
}

static bool is_without(const char *what)
{
    const char *without = getenv("TOUCHPOINT_FAULT_WITHOUT");

    return without && strcmp(without, what) == 0;
}

enum err __wrap_timeline_record(struct ctx *cx, struct event *event);
enum err __real_timeline_record(struct ctx *cx, struct event *event);

enum err __wrap_timeline_record(struct ctx *cx, struct event *event)
{
    return is_without("events") ? OK : __real_timeline_record(cx, event);
}

enum err __wrap_seal_later(struct ctx *cx, const struct event *event);
enum err __real_seal_later(struct ctx *cx, const struct event *event);

enum err __wrap_seal_later(struct ctx *cx, const struct event *event)
{
    return is_without("seals") ? OK : __real_seal_later(cx, event);
}
