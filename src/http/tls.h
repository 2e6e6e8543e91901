/* TLS 1.2 and 1.3 over byte streams of any kind: what came from the socket goes in,
 * what has to go to it comes out (OpenSSL over memory BIOs). Loop thread only. */
#ifndef HTTP_TLS_H
#define HTTP_TLS_H

#include "base/err.h"
#include "base/str.h"

struct tls_context; /* certificate and key; one for a server */
struct tls;         /* one connection, the server's side */

/* ERR_INVALID, in words, when the files cannot be read or do not belong together. */
enum err tls_context_new(const char *certificate_file, const char *key_file,
                         struct tls_context **out, struct error *error);
void tls_context_free(struct tls_context *context); /* NULL is fine */

struct tls *tls_new(struct tls_context *context); /* NULL: no memory */
void tls_free(struct tls *tls);                   /* NULL is fine */

enum tls_read {
    TLS_READ_DATA,   /* *got bytes are in out */
    TLS_READ_MORE,   /* nothing until more comes from the socket */
    TLS_READ_CLOSED, /* the peer said goodbye */
    TLS_READ_FAILED, /* not TLS, or broken; an alert may wait in tls_output() */
};

/* Bytes from the socket; then tls_read() until there is nothing left. The handshake
 * happens on the way. False: no memory. */
bool tls_feed(struct tls *tls, struct str bytes);
enum tls_read tls_read(struct tls *tls, char *out, size_t size, size_t *got);
bool tls_is_established(const struct tls *tls);

/* Seals bytes for the socket. False: broken. */
bool tls_write(struct tls *tls, struct str bytes);
void tls_shutdown(struct tls *tls); /* seals a goodbye */

/* What waits to be sent; valid until the next call. Whoever has it calls tls_sent(). */
struct str tls_output(const struct tls *tls);
void tls_sent(struct tls *tls);

#endif
