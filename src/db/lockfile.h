/* One process at a time over a data folder. The file stays when the lock goes: removing it
 * would let two processes lock two files of the same name. */
#ifndef DB_LOCKFILE_H
#define DB_LOCKFILE_H

#include "base/err.h"

/* ERR_CONFLICT when another process holds it; the detail says which. */
enum err lockfile_take(const char *data_dir, int *out_fd, struct error *error);
void lockfile_release(int fd); /* -1 is fine */

#endif
