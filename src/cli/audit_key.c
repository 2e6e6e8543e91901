#include "cli/audit_key.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEED_TEXT ((size_t)2 * crypto_sign_SEEDBYTES)

static bool tell(const char *path, const char *what)
{
    fprintf(stderr, "touchpoint: %s: %s\n", path, what);
    return false;
}

/* Under another name first: a file that is there is whole. Who comes second finds the first
 * one's. */
static bool make(const char *path)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    char text[SEED_TEXT + 1];
    char fresh[4096];
    bool fine;
    int fd;

    if (snprintf(fresh, sizeof fresh, "%s.XXXXXX", path) >= (int)sizeof fresh)
        return tell(path, "the name is too long");
    fd = mkostemp(fresh, O_CLOEXEC); /* 0600 */
    if (fd < 0)
        return tell(path, strerror(errno));
    randombytes_buf(seed, sizeof seed);
    str_to_hex(seed, sizeof seed, text);
    text[SEED_TEXT] = '\n';
    fine = write(fd, text, sizeof text) == (ssize_t)sizeof text && fsync(fd) == 0 &&
           (link(fresh, path) == 0 || errno == EEXIST);
    if (!fine)
        tell(path, strerror(errno));
    explicit_bzero(seed, sizeof seed);
    explicit_bzero(text, sizeof text);
    close(fd);
    unlink(fresh);
    return fine;
}

static bool take(const char *path, int fd, uint8_t out[AUDIT_SECRET_KEY_BYTES])
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
    char text[SEED_TEXT];
    struct stat info;
    bool fine;

    if (fstat(fd, &info) != 0)
        return tell(path, strerror(errno));
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return tell(path, "others than its owner can open it: chmod 600");
    fine = read(fd, text, sizeof text) == (ssize_t)sizeof text &&
           str_from_hex((struct str){text, sizeof text}, seed, sizeof seed) &&
           crypto_sign_seed_keypair(public_key, out, seed) == 0;
    if (!fine)
        tell(path, "it holds no key");
    explicit_bzero(seed, sizeof seed);
    explicit_bzero(text, sizeof text);
    return fine;
}

bool audit_key_load(const struct options *options, uint8_t out[AUDIT_SECRET_KEY_BYTES])
{
    const char *given = option_text(options, "audit-key");
    char own[4096];
    const char *path = given != NULL ? given : own;
    bool fine;
    int fd;

    if (snprintf(own, sizeof own, "%s/audit.key", option_text(options, "data")) >= (int)sizeof own)
        return tell(own, "the name is too long");
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && given == NULL) {
        if (!make(path))
            return false;
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0)
        return tell(path, strerror(errno));
    fine = take(path, fd, out);
    close(fd);
    return fine;
}
