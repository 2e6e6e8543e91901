/* The handshake of a WebSocket (RFC 6455 §4.2), as far as it is not the router's. Any thread. */
#ifndef HTTP_UPGRADE_H
#define HTTP_UPGRADE_H

#include "http/route.h"

#define WEBSOCKET_ACCEPT_LEN 28

/* Does the request ask for a WebSocket: Upgrade names it, and Connection names Upgrade? Without
 * it a route that can also answer otherwise does so. */
bool upgrade_wanted(const struct http_request *request);
/* Is it a handshake that can be answered with 101? ERR_UPGRADE (426, with the version that is
 * spoken) when it is none, or of another version or HTTP/1.0; ERR_MALFORMED when the key is not
 * 16 bytes in base64 or there are several; ERR_METHOD for anything but GET. */
enum err upgrade_check(struct req *rq);

/* Sec-WebSocket-Accept for a client's key; no NUL. */
void websocket_accept(struct str key, char out[WEBSOCKET_ACCEPT_LEN]);

#endif
