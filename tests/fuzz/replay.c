/* Runs files through a fuzz target without libFuzzer, so that any compiler replays the
 * corpora: fuzz-NAME FOLDER. Says one TAP line per file, and on stderr which file is next,
 * so that a crash names its file. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool replay(const char *folder, const char *name)
{
    char path[4096];
    uint8_t *bytes = NULL;
    bool done = false;

    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= sizeof path)
        return false;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    if (fseek(file, 0, SEEK_END) != 0)
        goto out;
    long size = ftell(file);
    if (size < 0 || fseek(file, 0, SEEK_SET) != 0)
        goto out;
    /* Exactly as large as the input, so that a sanitizer sees a read past it. */
    bytes = malloc((size_t)size > 0 ? (size_t)size : 1);
    if (bytes == NULL || fread(bytes, 1, (size_t)size, file) != (size_t)size)
        goto out;
    fprintf(stderr, "replaying %s\n", path);
    LLVMFuzzerTestOneInput(bytes, (size_t)size);
    done = true;
out:
    free(bytes);
    fclose(file);
    return done;
}

int main(int argc, char **argv)
{
    struct dirent **entries = NULL;
    int number = 0, failed = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    int count = scandir(argv[1], &entries, NULL, alphasort);
    if (count < 0) {
        perror(argv[1]);
        return 2;
    }
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.') {
            bool done = replay(argv[1], entries[i]->d_name);
            failed += !done;
            printf("%s %d - %s\n", done ? "ok" : "not ok", ++number, entries[i]->d_name);
            fflush(stdout);
        }
        free(entries[i]);
    }
    free(entries);
    printf("1..%d\n", number);
    return failed > 0 || number == 0;
}
