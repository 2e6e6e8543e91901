#include "http/tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdlib.h>

struct tls {
    SSL *ssl;
    BIO *from_socket, *to_socket; /* ssl's */
};

/* OpenSSL's own struct under our name, so that its headers stay in this file. */
static SSL_CTX *ssl_context(struct tls_context *context)
{
    return (SSL_CTX *)context;
}

/* HTTP/1.1 is all that is spoken here; a client that offers only others hears so. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *offered, unsigned int offered_len, void *unused)
{
    static const unsigned char ours[] = "\x08http/1.1";

    (void)ssl;
    (void)unused;
    if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, ours, sizeof(ours) - 1,
                              offered, offered_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_OK;
}

static enum err fail(SSL_CTX *ssl, struct error *error, const char *what, const char *file)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    SSL_CTX_free(ssl);
    error_set(error, ERR_INVALID, "cannot use the %s %s: %s", what, file,
              reason ? reason : "no reason given");
    ERR_clear_error();
    return ERR_INVALID;
}

enum err tls_context_new(const char *certificate_file, const char *key_file,
                         struct tls_context **out, struct error *error)
{
    SSL_CTX *ssl;

    ERR_clear_error();
    ssl = SSL_CTX_new(TLS_server_method());
    if (!ssl || SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1 ||
        SSL_CTX_use_certificate_chain_file(ssl, certificate_file) != 1)
        return fail(ssl, error, "certificate", certificate_file);
    if (SSL_CTX_use_PrivateKey_file(ssl, key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ssl) != 1)
        return fail(ssl, error, "key", key_file);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS); /* idle connections are many */
    SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
    *out = (struct tls_context *)ssl;
    return OK;
}

void tls_context_free(struct tls_context *context)
{
    SSL_CTX_free(ssl_context(context));
}

struct tls *tls_new(struct tls_context *context)
{
    struct tls *tls = calloc(1, sizeof(*tls));

    if (!tls)
        return NULL;
    tls->ssl = SSL_new(ssl_context(context));
    tls->from_socket = BIO_new(BIO_s_mem());
    tls->to_socket = BIO_new(BIO_s_mem());
    if (!tls->ssl || !tls->from_socket || !tls->to_socket) {
        SSL_free(tls->ssl);
        BIO_free(tls->from_socket);
        BIO_free(tls->to_socket);
        free(tls);
        ERR_clear_error();
        return NULL;
    }
    SSL_set_bio(tls->ssl, tls->from_socket, tls->to_socket);
    SSL_set_accept_state(tls->ssl);
    return tls;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    free(tls);
}

bool tls_feed(struct tls *tls, struct str bytes)
{
    return bytes.len <= INT_MAX &&
           BIO_write(tls->from_socket, bytes.ptr, (int)bytes.len) == (int)bytes.len;
}

enum tls_read tls_read(struct tls *tls, char *out, size_t size, size_t *got)
{
    int result;

    ERR_clear_error();
    result = SSL_read_ex(tls->ssl, out, size, got);
    if (result == 1)
        return TLS_READ_DATA;
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TLS_READ_MORE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_READ_CLOSED;
    default:
        ERR_clear_error();
        return TLS_READ_FAILED;
    }
}

bool tls_is_established(const struct tls *tls)
{
    return SSL_is_init_finished(tls->ssl);
}

bool tls_write(struct tls *tls, struct str bytes)
{
    size_t written;

    ERR_clear_error();
    return bytes.len == 0 || SSL_write_ex(tls->ssl, bytes.ptr, bytes.len, &written) == 1;
}

void tls_shutdown(struct tls *tls)
{
    ERR_clear_error();
    if (SSL_is_init_finished(tls->ssl))
        SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

struct str tls_output(const struct tls *tls)
{
    char *bytes = NULL;
    long len = BIO_get_mem_data(tls->to_socket, &bytes);

    return len > 0 ? (struct str){bytes, (size_t)len} : STR_NULL;
}

void tls_sent(struct tls *tls)
{
    (void)BIO_reset(tls->to_socket);
}
