/* A disk that fails on purpose: a VFS over SQLite's own, for the fault rigs only.
 *
 * What SQLite writes to a database, a WAL or a journal stays in memory until it is synced;
 * only then does it reach the file. Killed, the process leaves what a power cut would have
 * left. Readers in the same process see everything. Locks and the WAL's index (shared memory)
 * are the real ones.
 *
 * TOUCHPOINT_FAULT_EARLY=PERCENT makes it nastier: so many of the 512-byte sectors reach the
 * file when they are written, in no order, as a kernel may do; TOUCHPOINT_FAULT_SEED chooses
 * which.
 *
 * TOUCHPOINT_FAULT_CONTROL=FILE names a file that is looked at again and again, so that a test
 * can change its mind while the server runs. It holds one of
 *
 *     space BYTES    the files together may hold so much; growing past it is a full disk
 *     fsync fails    every sync is an I/O error, and nothing reaches the file
 *
 * or anything else, for a disk without faults. */
#ifndef TESTS_FAULT_FAULT_VFS_H
#define TESTS_FAULT_FAULT_VFS_H

#include <stdbool.h>

#define FAULT_VFS "powercut"

/* Once, before the first database is opened. False without memory or its control file. */
bool fault_vfs_register(void);

#endif
