#include "http/upgrade.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

#define KEY_LEN 24 /* 16 bytes in base64 */

void websocket_accept(struct str key, char out[WEBSOCKET_ACCEPT_LEN])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char text[KEY_LEN + sizeof(guid) - 1], digest[SHA_DIGEST_LENGTH];
    unsigned char base64[WEBSOCKET_ACCEPT_LEN + 1];
    size_t len = key.len < KEY_LEN ? key.len : KEY_LEN;

    if (len > 0)
        memcpy(text, key.ptr, len);
    memcpy(text + len, guid, sizeof(guid) - 1);
    SHA1(text, len + sizeof(guid) - 1, digest);
    EVP_EncodeBlock(base64, digest, sizeof(digest));
    memcpy(out, base64, WEBSOCKET_ACCEPT_LEN);
}

/* Over all fields of that name: does the list hold the token, in whatever case? */
static bool has_token(const struct http_request *request, struct str name, struct str token)
{
    for (size_t i = 0; i < request->header_count; i++) {
        struct str rest = request->headers[i].value, each;

        if (!str_equal_nocase(request->headers[i].name, name))
            continue;
        while (rest.ptr) {
            rest = str_cut(rest, ',', &each);
            if (str_equal_nocase(str_trim(each), token))
                return true;
        }
    }
    return false;
}

/* The value, if there is one field of that name and no other. */
static struct str only(const struct http_request *request, struct str name)
{
    struct str value = STR_NULL;

    for (size_t i = 0; i < request->header_count; i++) {
        if (!str_equal_nocase(request->headers[i].name, name))
            continue;
        if (value.ptr)
            return STR_NULL;
        value = request->headers[i].value;
    }
    return value;
}

static int base64_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

static bool is_key(struct str key)
{
    if (key.len != KEY_LEN || key.ptr[KEY_LEN - 1] != '=' || key.ptr[KEY_LEN - 2] != '=')
        return false;
    for (size_t i = 0; i < KEY_LEN - 2; i++) {
        if (base64_value(key.ptr[i]) < 0)
            return false;
    }
    return true;
}

bool upgrade_wanted(const struct http_request *request)
{
    return has_token(request, STR("upgrade"), STR("websocket")) &&
           has_token(request, STR("connection"), STR("upgrade"));
}

enum err upgrade_check(struct req *rq)
{
    const struct http_request *request = &rq->exchange->request;
    struct error *error = rq->cx.error;

    if (request->is_http_1_0 || !upgrade_wanted(request))
        return error_set(error, ERR_UPGRADE,
                         "This is read by WebSocket: HTTP/1.1 with Connection: Upgrade and "
                         "Upgrade: websocket.");
    if (!str_is(only(request, STR("sec-websocket-version")), "13"))
        return error_set(error, ERR_UPGRADE, "The version of the WebSocket must be 13.");
    if (request->method != HTTP_GET)
        return error_set(error, ERR_METHOD, "A WebSocket begins with GET.");
    if (!is_key(only(request, STR("sec-websocket-key"))))
        return error_set(error, ERR_MALFORMED,
                         "Sec-WebSocket-Key must be 16 bytes in base64, once.");
    return OK;
}
