/* Included before every file by the build: what is named below does not compile.
 * The headers that declare the names come first, since even a declaration would not.
 *
 * A remark made twice in review belongs here, if a name alone gives it away. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

/* Write past what they were given, or leave it without an end: use struct str and struct buf. */
#undef alloca /* some C libraries have these as macros, which cannot be poisoned */
#undef sprintf
#undef vsprintf
#pragma GCC poison alloca gets sprintf stpcpy stpncpy strcat strcpy strncat strncpy vsprintf

/* Cannot tell a number from garbage: use str_to_int(). */
#pragma GCC poison atof atoi atol atoll fscanf scanf sscanf vfscanf vscanf vsscanf

/* Keep hidden state, which two threads would share: use str_cut(), time_format(). */
#pragma GCC poison asctime ctime gmtime localtime strtok

/* Guessable: use libsodium's randombytes. The headers of OpenSSL and libuv have parameters
 * by two of these names, so those are renamed to what nobody declared. */
#pragma GCC poison drand48 lrand48 rand_r srand srandom
#define rand rand_is_banned
#define random random_is_banned

/* Race with whoever else names files, or hand text to a shell. */
#pragma GCC poison mktemp popen system tempnam tmpnam

#endif
