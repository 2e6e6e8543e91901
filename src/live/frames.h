/* WebSocket frames (RFC 6455 §5) of a server: a client's bytes to whole messages, messages to
 * bytes. Knows no socket. The loop thread's.
 *
 * Two readers go over a client's frames: a guard of ours, which looks at each head and refuses
 * what may not follow; and wslay, which gets only what the guard let through and takes the mask
 * off. Between frames neither holds memory, but for what came of a message in several frames.
 *
 * How the bytes are cut into pieces never changes what comes out. */
#ifndef LIVE_FRAMES_H
#define LIVE_FRAMES_H

#include "base/buf.h"
#include "base/limits.h"
#include "live/message.h"

/* Opcodes as they stand in a frame. */
enum frame_kind {
    FRAME_CONTINUATION = 0x0,
    FRAME_TEXT = 0x1,
    FRAME_BINARY = 0x2,
    FRAME_CLOSE = 0x8,
    FRAME_PING = 0x9,
    FRAME_PONG = 0xa,
};

/* Why a connection is closed: RFC 6455 §7.4.1 and its registry. */
enum close_code {
    CLOSE_NORMAL = 1000,
    CLOSE_GOING_AWAY = 1001,
    CLOSE_PROTOCOL_ERROR = 1002,
    CLOSE_UNSUPPORTED = 1003,
    CLOSE_NONE = 1005, /* never sent: the client's close frame was empty */
    CLOSE_NOT_UTF8 = 1007,
    CLOSE_POLICY = 1008,
    CLOSE_TOO_BIG = 1009,
    CLOSE_TRY_LATER = 1013,
};

/* One client's; x_init, x_clear. All members are frames.c's. */
struct frames {
    struct wslay_frame_context *wslay; /* while a frame is under way */
    struct str input;                  /* what wslay may take */
    struct buf message;                /* of the message under way, without control frames */
    uint64_t left;                     /* of the frame's payload */
    uint8_t head[14];                  /* of the frame under way */
    uint8_t head_len;
    uint8_t control[125]; /* the payload of a control frame */
    uint8_t control_len;
    uint8_t kind;         /* of the frame under way */
    uint8_t message_kind; /* 0: no message is under way */
    bool is_final, is_whole, is_over;
};

void frames_init(struct frames *frames);
void frames_clear(struct frames *frames);

/* What came. For FRAMES_REFUSED: `code` is the one to close with and `text` says why (a
 * literal). */
struct frame {
    enum frame_kind kind; /* TEXT or BINARY: a whole message; CLOSE, PING, PONG */
    struct str text;      /* the payload; of CLOSE: the reason. Until the next call */
    int code;             /* of CLOSE: the client's, or CLOSE_NONE */
};

enum frames_result {
    FRAMES_MORE,    /* all bytes were taken, and more are needed */
    FRAMES_WHOLE,   /* `out` is filled; call again with what is left */
    FRAMES_REFUSED, /* the same; nothing behind it is looked at, ever */
};

/* Takes bytes from the front of `bytes`. Texts and reasons are well-formed UTF-8; a message has
 * up to FRAME_MAX bytes. After FRAME_CLOSE and FRAMES_REFUSED all that follows is thrown away
 * (FRAMES_MORE). */
enum frames_result frames_next(struct frames *frames, struct str *bytes, struct frame *out);

/* A server's frame, whole and without a mask; NULL without memory. Pings and pongs have up to
 * 125 bytes. */
struct message *frame_make(enum frame_kind kind, struct str payload);
/* A close frame; a reason that is too long for one is cut. */
struct message *frame_make_close(enum close_code code, struct str reason);

#endif
