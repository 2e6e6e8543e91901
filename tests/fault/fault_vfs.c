#include "fault_vfs.h"

#include "base/str.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR_BYTES 512
#define OVERLAID (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)

/* What a file looks like from inside the process; one for all its handles. */
struct image {
    struct image *next;
    char *path;
    char *bytes;
    uint8_t *dirty; /* a byte for each sector: not in the file yet */
    size_t len, capacity;
    int handles;
};

struct fault_file {
    sqlite3_file base;
    struct image *image; /* NULL: a file that goes straight through */
    sqlite3_file *real;  /* stands behind this struct */
};

/* One lock for all: what is tested is order, not speed. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct image *images;
static sqlite3_vfs *below;
static int control_fd = -1;
static int early_percent;
static uint64_t chance_state;

/* splitmix64 */
static bool comes_early(void)
{
    uint64_t z = chance_state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (int)((z ^ (z >> 31)) % 100) < early_percent;
}

static struct str control(char *out, size_t out_size)
{
    const ssize_t len = control_fd < 0 ? 0 : pread(control_fd, out, out_size, 0);

    return str_trim((struct str){out, len > 0 ? (size_t)len : 0});
}

static bool syncs_fail(void)
{
    char text[64];

    return str_is(control(text, sizeof(text)), "fsync fails");
}

static bool has_space(size_t more)
{
    char text[64];
    struct str word;
    const struct str number = str_cut(control(text, sizeof(text)), ' ', &word);
    int64_t space;
    size_t used = 0;

    if (!str_is(word, "space") || !str_to_int(number, &space))
        return true;
    for (const struct image *image = images; image; image = image->next)
        used += image->len;
    return used + more <= (size_t)space;
}

/* Images */

static size_t sectors(size_t len)
{
    return (len + SECTOR_BYTES - 1) / SECTOR_BYTES;
}

/* Room for `len` bytes; what is new is zero and clean. */
static bool image_reserve(struct image *image, size_t len)
{
    size_t capacity = image->capacity ? image->capacity : (size_t)64 * SECTOR_BYTES;
    char *bytes;
    uint8_t *dirty;

    if (len <= image->capacity)
        return true;
    while (capacity < len)
        capacity *= 2;
    bytes = realloc(image->bytes, capacity);
    if (!bytes)
        return false;
    image->bytes = bytes;
    dirty = realloc(image->dirty, sectors(capacity));
    if (!dirty)
        return false;
    image->dirty = dirty;
    memset(bytes + image->capacity, 0, capacity - image->capacity);
    memset(dirty + sectors(image->capacity), 0, sectors(capacity) - sectors(image->capacity));
    image->capacity = capacity;
    return true;
}

static int write_sector(const struct image *image, sqlite3_file *real, size_t sector)
{
    const size_t from = sector * SECTOR_BYTES;
    const size_t len = image->len - from < SECTOR_BYTES ? image->len - from : SECTOR_BYTES;

    return real->pMethods->xWrite(real, image->bytes + from, (int)len, (sqlite3_int64)from);
}

/* Everything that is pending, into the file. */
static int image_flush(struct image *image, sqlite3_file *real)
{
    for (size_t i = 0; i < sectors(image->len); i++) {
        int code;

        if (!image->dirty[i])
            continue;
        code = write_sector(image, real, i);
        if (code != SQLITE_OK)
            return code;
        image->dirty[i] = 0;
    }
    return real->pMethods->xTruncate(real, (sqlite3_int64)image->len);
}

static int image_load(struct image *image, sqlite3_file *real)
{
    sqlite3_int64 size = 0;
    int code = real->pMethods->xFileSize(real, &size);

    if (code != SQLITE_OK)
        return code;
    if (!image_reserve(image, (size_t)size))
        return SQLITE_NOMEM;
    image->len = (size_t)size;
    return size > 0 ? real->pMethods->xRead(real, image->bytes, (int)size, 0) : SQLITE_OK;
}

static void image_release(struct image *image)
{
    struct image **at = &images;

    if (--image->handles > 0)
        return;
    while (*at != image)
        at = &(*at)->next;
    *at = image->next;
    free(image->path);
    free(image->bytes);
    free(image->dirty);
    free(image);
}

static int image_open(const char *path, sqlite3_file *real, struct image **out)
{
    struct image *image = images;
    int code = SQLITE_NOMEM;

    while (image && strcmp(image->path, path) != 0)
        image = image->next;
    if (image) {
        image->handles++;
        *out = image;
        return SQLITE_OK;
    }
    image = calloc(1, sizeof(*image));
    if (!image)
        return SQLITE_NOMEM;
    image->handles = 1;
    image->next = images;
    images = image;
    image->path = strdup(path);
    if (image->path)
        code = image_load(image, real);
    if (code != SQLITE_OK)
        image_release(image);
    else
        *out = image;
    return code;
}

/* Files */

static struct fault_file *file_of(sqlite3_file *file)
{
    return (struct fault_file *)file;
}

static int file_close(sqlite3_file *file)
{
    struct fault_file *mine = file_of(file);
    int code = SQLITE_OK;
    int closed;

    pthread_mutex_lock(&mutex);
    if (mine->image) {
        /* An orderly end is no power cut: in time, all of it reaches the disk. */
        if (mine->image->handles == 1)
            code = image_flush(mine->image, mine->real);
        image_release(mine->image);
    }
    pthread_mutex_unlock(&mutex);
    closed = mine->real->pMethods->xClose(mine->real);
    return code != SQLITE_OK ? code : closed;
}

static int file_read(sqlite3_file *file, void *out, int len, sqlite3_int64 at)
{
    struct fault_file *mine = file_of(file);
    const struct image *image = mine->image;
    size_t here = 0;

    if (!image)
        return mine->real->pMethods->xRead(mine->real, out, len, at);
    pthread_mutex_lock(&mutex);
    if ((size_t)at < image->len)
        here = image->len - (size_t)at < (size_t)len ? image->len - (size_t)at : (size_t)len;
    memcpy(out, image->bytes + (here > 0 ? at : 0), here);
    pthread_mutex_unlock(&mutex);
    memset((char *)out + here, 0, (size_t)len - here);
    return here == (size_t)len ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int image_write(struct image *image, sqlite3_file *real, const void *bytes, size_t len,
                       size_t at)
{
    const size_t end = at + len;
    /* A gap is zeros, whatever an earlier truncation has left in the file. */
    const size_t from = at < image->len ? at : image->len;

    if (end > image->len && !has_space(end - image->len))
        return SQLITE_FULL;
    if (!image_reserve(image, end))
        return SQLITE_IOERR_NOMEM;
    memcpy(image->bytes + at, bytes, len);
    if (end > image->len)
        image->len = end;
    for (size_t i = from / SECTOR_BYTES; i < sectors(end); i++) {
        image->dirty[i] = 1;
        if (comes_early() && write_sector(image, real, i) != SQLITE_OK)
            return SQLITE_IOERR_WRITE;
    }
    return SQLITE_OK;
}

static int file_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    struct fault_file *mine = file_of(file);
    int code;

    if (!mine->image)
        return mine->real->pMethods->xWrite(mine->real, bytes, len, at);
    pthread_mutex_lock(&mutex);
    code = image_write(mine->image, mine->real, bytes, (size_t)len, (size_t)at);
    pthread_mutex_unlock(&mutex);
    return code;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct fault_file *mine = file_of(file);
    struct image *image = mine->image;
    int code = SQLITE_OK;

    if (!image)
        return mine->real->pMethods->xTruncate(mine->real, size);
    pthread_mutex_lock(&mutex);
    if ((size_t)size > image->len && !image_reserve(image, (size_t)size)) {
        code = SQLITE_IOERR_NOMEM;
    } else {
        if ((size_t)size < image->len)
            memset(image->bytes + size, 0, image->len - (size_t)size);
        image->len = (size_t)size;
    }
    pthread_mutex_unlock(&mutex);
    return code;
}

static int file_sync(sqlite3_file *file, int flags)
{
    struct fault_file *mine = file_of(file);
    int code = SQLITE_OK;

    if (syncs_fail())
        return SQLITE_IOERR_FSYNC;
    if (mine->image) {
        pthread_mutex_lock(&mutex);
        code = image_flush(mine->image, mine->real);
        pthread_mutex_unlock(&mutex);
    }
    return code != SQLITE_OK ? code : mine->real->pMethods->xSync(mine->real, flags);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *out)
{
    struct fault_file *mine = file_of(file);

    if (!mine->image)
        return mine->real->pMethods->xFileSize(mine->real, out);
    pthread_mutex_lock(&mutex);
    *out = (sqlite3_int64)mine->image->len;
    pthread_mutex_unlock(&mutex);
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *file, int level)
{
    return file_of(file)->real->pMethods->xLock(file_of(file)->real, level);
}

static int file_unlock(sqlite3_file *file, int level)
{
    return file_of(file)->real->pMethods->xUnlock(file_of(file)->real, level);
}

static int file_check_lock(sqlite3_file *file, int *out)
{
    return file_of(file)->real->pMethods->xCheckReservedLock(file_of(file)->real, out);
}

static int file_control(sqlite3_file *file, int what, void *argument)
{
    struct fault_file *mine = file_of(file);

    /* These would size or map the file behind the image's back. */
    if (mine->image && (what == SQLITE_FCNTL_SIZE_HINT || what == SQLITE_FCNTL_CHUNK_SIZE ||
                        what == SQLITE_FCNTL_MMAP_SIZE))
        return SQLITE_NOTFOUND;
    return mine->real->pMethods->xFileControl(mine->real, what, argument);
}

static int file_sector_size(sqlite3_file *file)
{
    return file_of(file)->real->pMethods->xSectorSize(file_of(file)->real);
}

static int file_characteristics(sqlite3_file *file)
{
    return file_of(file)->real->pMethods->xDeviceCharacteristics(file_of(file)->real);
}

static int file_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
    return file_of(file)->real->pMethods->xShmMap(file_of(file)->real, page, size, extend, out);
}

static int file_shm_lock(sqlite3_file *file, int from, int count, int flags)
{
    return file_of(file)->real->pMethods->xShmLock(file_of(file)->real, from, count, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
    file_of(file)->real->pMethods->xShmBarrier(file_of(file)->real);
}

static int file_shm_unmap(sqlite3_file *file, int remove)
{
    return file_of(file)->real->pMethods->xShmUnmap(file_of(file)->real, remove);
}

/* Version 2: no xFetch, so that nothing is read around the image by mmap. */
static const sqlite3_io_methods file_methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename path, sqlite3_file *file, int flags,
                    int *out_flags)
{
    struct fault_file *mine = file_of(file);
    int code;

    (void)vfs;
    *mine = (struct fault_file){.real = (sqlite3_file *)(mine + 1)};
    mine->real->pMethods = NULL;
    code = below->xOpen(below, path, mine->real, flags, out_flags);
    if (code == SQLITE_OK && path && (flags & OVERLAID)) {
        pthread_mutex_lock(&mutex);
        code = image_open(path, mine->real, &mine->image);
        pthread_mutex_unlock(&mutex);
    }
    if (code == SQLITE_OK)
        mine->base.pMethods = &file_methods;
    else if (mine->real->pMethods)
        mine->real->pMethods->xClose(mine->real);
    return code;
}

bool fault_vfs_register(void)
{
    static sqlite3_vfs vfs;
    const char *control_path = getenv("TOUCHPOINT_FAULT_CONTROL");
    const char *early = getenv("TOUCHPOINT_FAULT_EARLY");
    const char *seed = getenv("TOUCHPOINT_FAULT_SEED");
    int64_t number = 0;

    if (early && str_to_int(str_of(early), &number))
        early_percent = (int)number;
    if (seed && str_to_int(str_of(seed), &number))
        chance_state = (uint64_t)number;
    if (control_path) {
        control_fd = open(control_path, O_RDONLY | O_CLOEXEC);
        if (control_fd < 0)
            return false;
    }
    below = sqlite3_vfs_find(NULL);
    vfs = *below;
    vfs.zName = FAULT_VFS;
    vfs.pNext = NULL;
    vfs.szOsFile = (int)sizeof(struct fault_file) + below->szOsFile;
    vfs.xOpen = vfs_open;
    return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
}
