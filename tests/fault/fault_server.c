/* The server that the fault rigs break: the program itself, with exec_open() wrapped by the
 * linker. The program that people get knows nothing of these variables.
 *
 *     TOUCHPOINT_FAULT_VFS=powercut    the store is on the disk of fault_vfs.h
 *     TOUCHPOINT_FAULT_UNSAFE=…        store_options.unsafe: what a rig must catch */
#include "fault_vfs.h"

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
