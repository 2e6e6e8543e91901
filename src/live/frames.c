#include "live/frames.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#define CONTROL_MAX 125
#define MASK_LEN 4

static const struct str too_big = {"A message may have 16384 bytes.", 31};

/* Reading ------------------------------------------------------------------------------ */

void frames_init(struct frames *frames)
{
    *frames = (struct frames){0};
    buf_init(&frames->message, NULL, FRAME_MAX);
}

void frames_clear(struct frames *frames)
{
    if (frames->wslay)
        wslay_frame_context_free(frames->wslay);
    frames->wslay = NULL;
    buf_clear(&frames->message);
}

static enum frames_result refuse(struct frames *frames, struct frame *out, enum close_code code,
                                 struct str why)
{
    frames_clear(frames);
    frames->is_over = true;
    *out = (struct frame){FRAME_CLOSE, why, (int)code};
    return FRAMES_REFUSED;
}

static bool is_control(uint8_t kind)
{
    return kind >= FRAME_CLOSE;
}

/* How many bytes of the length follow the second byte. */
static uint8_t length_bytes(const struct frames *frames)
{
    uint8_t length = frames->head[1] & 0x7f;

    return length == 127 ? 8 : length == 126 ? 2 : 0;
}

static uint8_t head_size(const struct frames *frames)
{
    return frames->head_len < 2 ? 2 : (uint8_t)(2 + length_bytes(frames) + MASK_LEN);
}

/* The first byte: what it is, and whether that may come now. */
static struct str check_kind(struct frames *frames)
{
    uint8_t first = frames->head[0];

    frames->kind = first & 0x0f;
    frames->is_final = (first & 0x80) != 0;
    if (first & 0x70)
        return STR("A reserved bit is set; no extension was agreed on.");
    if (is_control(frames->kind)) {
        if (frames->kind > FRAME_PONG)
            return STR("The opcode is reserved.");
        return frames->is_final ? STR_NULL : STR("A control frame is in one piece.");
    }
    if (frames->kind > FRAME_BINARY)
        return STR("The opcode is reserved.");
    if (frames->kind == FRAME_CONTINUATION && !frames->message_kind)
        return STR("There is no message to continue.");
    if (frames->kind != FRAME_CONTINUATION && frames->message_kind)
        return STR("The message before is not at its end.");
    return STR_NULL;
}

/* The second byte, whole with what it says of the length. */
static struct str check_length(struct frames *frames)
{
    uint8_t more = length_bytes(frames);

    frames->left = more > 0 ? 0 : frames->head[1] & 0x7f;
    for (uint8_t i = 0; i < more; i++)
        frames->left = frames->left << 8 | frames->head[2 + i];
    if ((more == 2 && frames->left < 126) || (more == 8 && frames->left <= UINT16_MAX))
        return STR("The length is not in its shortest form.");
    if (frames->left >> 63)
        return STR("The length is malformed.");
    if (!is_control(frames->kind) && frames->left > FRAME_MAX - frames->message.len)
        return too_big;
    return STR_NULL;
}

/* After each byte of the head; STR_NULL while nothing is wrong with it. */
static struct str check_head(struct frames *frames)
{
    if (frames->head_len == 1)
        return check_kind(frames);
    if (frames->head_len == 2) {
        if (!(frames->head[1] & 0x80))
            return STR("A client masks its frames.");
        if (is_control(frames->kind) && (frames->head[1] & 0x7f) > CONTROL_MAX)
            return STR("A control frame has 125 bytes at most.");
    }
    if (frames->head_len == 2 + length_bytes(frames))
        return check_length(frames);
    return STR_NULL;
}

static ssize_t give_input(uint8_t *out, size_t len, int flags, void *context)
{
    struct frames *frames = context;

    (void)flags;
    if (frames->input.len == 0)
        return -1;
    if (len > frames->input.len)
        len = frames->input.len;
    memcpy(out, frames->input.ptr, len);
    frames->input = str_slice(frames->input, len, frames->input.len);
    return (ssize_t)len;
}

static void keep(struct frames *frames, const struct wslay_frame_iocb *part)
{
    if (!is_control(frames->kind)) {
        buf_add(&frames->message, (struct str){(const char *)part->data, part->data_length});
    } else if (part->data_length > 0) {
        memcpy(frames->control + frames->control_len, part->data, part->data_length);
        frames->control_len = (uint8_t)(frames->control_len + part->data_length);
    }
}

/* Bytes of this frame, and of no other. False when wslay takes them for something else than the
 * guard does. */
static bool unmask(struct frames *frames, struct str bytes)
{
    frames->input = bytes;
    while (frames->input.len > 0) {
        struct wslay_frame_iocb part = {0};
        ssize_t got = wslay_frame_recv(frames->wslay, &part);

        if (got == WSLAY_ERR_WANT_READ)
            continue; /* it has taken the head */
        if (got < 0 || part.opcode != frames->kind || part.rsv || !part.mask ||
            (part.fin != 0) != frames->is_final ||
            (is_control(frames->kind) &&
             part.data_length > sizeof(frames->control) - frames->control_len))
            return false;
        keep(frames, &part);
    }
    return true;
}

/* The head is whole. */
static bool begin_frame(struct frames *frames)
{
    static const struct wslay_frame_callbacks callbacks = {.recv_callback = give_input};

    frames->control_len = 0;
    if (!is_control(frames->kind) && frames->kind != FRAME_CONTINUATION)
        frames->message_kind = frames->kind;
    return wslay_frame_context_init(&frames->wslay, &callbacks, frames) == 0;
}

/* RFC 6455 §7.4: those that may be sent; 1012 to 1014 came later. */
static bool is_close_code(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static enum frames_result end_close(struct frames *frames, struct frame *out)
{
    struct str reason = {(const char *)frames->control, frames->control_len};

    *out = (struct frame){FRAME_CLOSE, STR(""), CLOSE_NONE};
    if (reason.len > 0) {
        out->code = frames->control[0] << 8 | frames->control[1];
        if (reason.len < 2 || !is_close_code(out->code))
            return refuse(frames, out, CLOSE_PROTOCOL_ERROR, STR("The close code is none."));
        out->text = str_slice(reason, 2, reason.len);
    }
    if (!str_is_utf8(out->text))
        return refuse(frames, out, CLOSE_NOT_UTF8, STR("The reason is not UTF-8."));
    frames_clear(frames);
    frames->is_over = true;
    return FRAMES_WHOLE;
}

/* All of a frame has come. FRAMES_MORE when that is not yet a whole message. */
static enum frames_result end_frame(struct frames *frames, struct frame *out)
{
    wslay_frame_context_free(frames->wslay);
    frames->wslay = NULL;
    frames->head_len = 0;
    if (frames->kind == FRAME_CLOSE)
        return end_close(frames, out);
    if (is_control(frames->kind)) {
        *out = (struct frame){
            (enum frame_kind)frames->kind, {(const char *)frames->control, frames->control_len}, 0};
        return FRAMES_WHOLE;
    }
    if (!frames->is_final)
        return FRAMES_MORE;
    *out = (struct frame){(enum frame_kind)frames->message_kind, buf_str(&frames->message), 0};
    if (out->text.len == 0)
        out->text = STR("");
    if (frames->message_kind == FRAME_TEXT && !str_is_utf8(out->text))
        return refuse(frames, out, CLOSE_NOT_UTF8, STR("The text is not UTF-8."));
    frames->message_kind = 0;
    frames->is_whole = true;
    return FRAMES_WHOLE;
}

static enum frames_result no_memory(struct frames *frames, struct frame *out)
{
    return refuse(frames, out, CLOSE_TRY_LATER, STR("There is no memory for this now."));
}

static enum frames_result take_head(struct frames *frames, struct str *bytes, struct frame *out)
{
    while (bytes->len > 0 && frames->head_len < head_size(frames)) {
        struct str fault;

        frames->head[frames->head_len++] = (uint8_t)bytes->ptr[0];
        *bytes = str_slice(*bytes, 1, bytes->len);
        fault = check_head(frames);
        if (fault.ptr)
            return refuse(frames, out,
                          fault.ptr == too_big.ptr ? CLOSE_TOO_BIG : CLOSE_PROTOCOL_ERROR, fault);
    }
    if (frames->head_len < head_size(frames))
        return FRAMES_MORE;
    if (!begin_frame(frames))
        return no_memory(frames, out);
    if (!unmask(frames, (struct str){(const char *)frames->head, frames->head_len}))
        return refuse(frames, out, CLOSE_PROTOCOL_ERROR, STR("The frame is malformed."));
    return FRAMES_WHOLE;
}

enum frames_result frames_next(struct frames *frames, struct str *bytes, struct frame *out)
{
    enum frames_result result = FRAMES_MORE;

    if (frames->is_whole) {
        buf_clear(&frames->message);
        frames->is_whole = false;
    }
    while (!frames->is_over && result == FRAMES_MORE && bytes->len > 0) {
        size_t here;

        if (!frames->wslay) {
            result = take_head(frames, bytes, out);
            if (result != FRAMES_WHOLE)
                return result;
            result = FRAMES_MORE;
        }
        here = frames->left < bytes->len ? (size_t)frames->left : bytes->len;
        if (!unmask(frames, str_slice(*bytes, 0, here)))
            return refuse(frames, out, CLOSE_PROTOCOL_ERROR, STR("The frame is malformed."));
        if (buf_failed(&frames->message))
            return no_memory(frames, out);
        *bytes = str_slice(*bytes, here, bytes->len);
        frames->left -= here;
        if (frames->left == 0)
            result = end_frame(frames, out);
    }
    if (frames->is_over && result == FRAMES_MORE)
        *bytes = str_slice(*bytes, bytes->len, bytes->len);
    return result;
}

/* Writing ------------------------------------------------------------------------------ */

struct writing {
    struct message *message;
    size_t at;
};

static ssize_t take_output(const uint8_t *bytes, size_t len, int flags, void *context)
{
    struct writing *writing = context;

    (void)flags;
    assert(len <= writing->message->len - writing->at);
    memcpy(writing->message->bytes + writing->at, bytes, len);
    writing->at += len;
    return (ssize_t)len;
}

struct message *frame_make(enum frame_kind kind, struct str payload)
{
    static const struct wslay_frame_callbacks callbacks = {.send_callback = take_output};
    size_t head = payload.len <= CONTROL_MAX ? 2 : payload.len <= UINT16_MAX ? 4 : 10;
    struct writing writing = {message_alloc(head + payload.len), 0};
    struct wslay_frame_iocb frame = {.fin = 1,
                                     .opcode = (uint8_t)kind,
                                     .payload_length = payload.len,
                                     .data = (const uint8_t *)payload.ptr,
                                     .data_length = payload.len};
    struct wslay_frame_context *wslay;
    ssize_t sent;

    if (!writing.message)
        return NULL;
    if (wslay_frame_context_init(&wslay, &callbacks, &writing) != 0) {
        message_drop(writing.message);
        return NULL;
    }
    sent = wslay_frame_send(wslay, &frame);
    wslay_frame_context_free(wslay);
    if (sent == (ssize_t)payload.len && writing.at == writing.message->len)
        return writing.message;
    message_drop(writing.message);
    return NULL;
}

struct message *frame_make_close(enum close_code code, struct str reason)
{
    char payload[CONTROL_MAX] = {(char)((int)code >> 8), (char)((int)code & 0xff)};
    size_t len = reason.len < CONTROL_MAX - 2 ? reason.len : CONTROL_MAX - 2;

    if (code == CLOSE_NONE)
        return frame_make(FRAME_CLOSE, STR(""));
    while (len < reason.len && len > 0 && ((unsigned char)reason.ptr[len] & 0xc0) == 0x80)
        len--; /* not within a character */
    if (len > 0)
        memcpy(payload + 2, reason.ptr, len);
    return frame_make(FRAME_CLOSE, (struct str){payload, 2 + len});
}
