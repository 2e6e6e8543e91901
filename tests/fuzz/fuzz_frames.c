/* What a WebSocket client sends, whole and in pieces: the same messages, the same verdict. The
 * first byte says how the pieces are cut. What the server makes of a text is read back too. */
#include "live/frames.h"

#include <stdlib.h>
#include <string.h>

#define TOLD_MAX MIB(4)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool right)
{
    if (!right)
        abort();
}

static size_t next_step(uint32_t *seed)
{
    if (*seed == 0)
        return SIZE_MAX / 2;
    *seed = *seed * 1664525 + 1013904223;
    return 1 + (*seed >> 24) % 24;
}

static void tell(struct buf *told, enum frames_result result, const struct frame *frame)
{
    must(frame->text.ptr != NULL);
    must(frame->kind != FRAME_CONTINUATION);
    must(frame->text.len <= FRAME_MAX);
    if (frame->kind == FRAME_TEXT || frame->kind == FRAME_CLOSE)
        must(str_is_utf8(frame->text));
    buf_addf(told, "%d %d %d %zu ", result, frame->kind, frame->code, frame->text.len);
    buf_add(told, frame->text);
}

static void read_frames(struct str input, uint32_t seed, struct buf *told)
{
    bool is_over = false;
    struct frames frames;

    frames_init(&frames);
    for (size_t at = 0; at < input.len;) {
        size_t step = next_step(&seed), to = step < input.len - at ? at + step : input.len;
        struct str piece = str_slice(input, at, to);
        enum frames_result result;
        struct frame frame;

        while ((result = frames_next(&frames, &piece, &frame)) != FRAMES_MORE) {
            must(!is_over);
            is_over = result == FRAMES_REFUSED || frame.kind == FRAME_CLOSE;
            tell(told, result, &frame);
        }
        must(piece.len == 0);
        at = to;
    }
    frames_clear(&frames);
}

static void write_frame(struct str text)
{
    struct message *message = frame_make(FRAME_BINARY, text);
    size_t head;

    must(message && message->len >= 2 && (uint8_t)message->bytes[0] == 0x82);
    head = (uint8_t)message->bytes[1] < 126 ? 2 : (uint8_t)message->bytes[1] == 126 ? 4 : 10;
    must(message->len == head + text.len);
    must(text.len == 0 || memcmp(message->bytes + head, text.ptr, text.len) == 0);
    message_drop(message);
    message = frame_make_close(CLOSE_POLICY, text);
    must(message && message->len <= 2 + 125);
    must(!str_is_utf8(text) || str_is_utf8((struct str){message->bytes + 4, message->len - 4}));
    message_drop(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input;
    struct buf whole, pieces;

    if (size < 1)
        return 0;
    input = (struct str){(const char *)data + 1, size - 1};
    buf_init(&whole, NULL, TOLD_MAX);
    buf_init(&pieces, NULL, TOLD_MAX);
    read_frames(input, 0, &whole);
    read_frames(input, data[0] + 1U, &pieces);
    must(!buf_failed(&whole) && !buf_failed(&pieces));
    must(whole.len == pieces.len);
    must(whole.len == 0 || memcmp(whole.ptr, pieces.ptr, whole.len) == 0);
    write_frame(input);
    buf_clear(&whole);
    buf_clear(&pieces);
    return 0;
}
