#include "db/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err held(const char *data_dir, int fd, struct error *error)
{
    char pid[32] = "";

    if (pread(fd, pid, sizeof(pid) - 1, 0) < 0)
        pid[0] = '\0';
    pid[strspn(pid, "0123456789")] = '\0';
    return error_set(error, ERR_CONFLICT, "Process %s holds the data folder %s.",
                     pid[0] ? pid : "(unknown)", data_dir);
}

enum err lockfile_take(const char *data_dir, int *out_fd, struct error *error)
{
    char path[4096];
    char pid[32];
    enum err result = OK;
    int fd, len;

    if (snprintf(path, sizeof(path), "%s/touchpoint.lock", data_dir) >= (int)sizeof(path))
        return error_set(error, ERR_INVALID, "The data folder's name is too long.");
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return error_set(error, ERR_UNAVAILABLE, "%s cannot be opened: %s", path, strerror(errno));
    len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        result = errno == EWOULDBLOCK ? held(data_dir, fd, error)
                                      : error_set(error, ERR_UNAVAILABLE, "%s cannot be locked: %s",
                                                  path, strerror(errno));
    else if (ftruncate(fd, 0) != 0)
        result =
            error_set(error, ERR_UNAVAILABLE, "%s cannot be written: %s", path, strerror(errno));
    /* The lock is what counts; on a full disk the name of its holder may be missing. */
    else if (pwrite(fd, pid, (size_t)len, 0) != len)
        errno = 0;
    if (result != OK) {
        close(fd);
        return result;
    }
    *out_fd = fd;
    return OK;
}

void lockfile_release(int fd)
{
    if (fd >= 0)
        close(fd);
}
