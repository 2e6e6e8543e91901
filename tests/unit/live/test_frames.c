#include "base/unit.h"

#include "live/frames.h"

#include <stdio.h>
#include <string.h>

/* What a client sends, and what is made of it. */
struct script {
    char bytes[4 * FRAME_MAX];
    size_t len;
};

static const uint8_t mask_key[4] = {0x37, 0xfa, 0x21, 0x3d};

static void raw(struct script *script, struct str bytes)
{
    assert_true(bytes.len <= sizeof(script->bytes) - script->len);
    memcpy(script->bytes + script->len, bytes.ptr, bytes.len);
    script->len += bytes.len;
}

static void masked(struct script *script, struct str payload)
{
    raw(script, (struct str){(const char *)mask_key, 4});
    for (size_t i = 0; i < payload.len; i++) {
        char byte = (char)(payload.ptr[i] ^ (char)mask_key[i % 4]);

        raw(script, (struct str){&byte, 1});
    }
}

/* A frame in the shortest form; `first` is its first byte, with the bits and the opcode. */
static void frame(struct script *script, unsigned first, struct str payload)
{
    char head[4] = {(char)first, (char)(0x80 | payload.len)};

    assert_true(payload.len <= UINT16_MAX);
    if (payload.len > 125) {
        head[1] = (char)(0x80 | 126);
        head[2] = (char)(payload.len >> 8);
        head[3] = (char)(payload.len & 0xff);
    }
    raw(script, (struct str){head, payload.len > 125 ? 4 : 2});
    masked(script, payload);
}

static const char *name_of(enum frame_kind kind)
{
    return kind == FRAME_TEXT     ? "text"
           : kind == FRAME_BINARY ? "binary"
           : kind == FRAME_CLOSE  ? "close"
           : kind == FRAME_PING   ? "ping"
                                  : "pong";
}

/* Reads the script in pieces of `step` bytes, the first of `first`. */
static void read_script(const struct script *script, size_t first, size_t step, struct buf *told)
{
    struct frames frames;

    frames_init(&frames);
    for (size_t at = 0; at < script->len;) {
        size_t to = at == 0 ? first : at + step;
        /* A copy of its own, so that a byte read beyond it is seen. */
        struct message *piece =
            message_new(str_slice((struct str){script->bytes, script->len}, at, to));
        struct str bytes = message_str(piece);
        enum frames_result result;
        struct frame got;

        while ((result = frames_next(&frames, &bytes, &got)) != FRAMES_MORE) {
            if (result == FRAMES_REFUSED) {
                buf_addf(told, "refused %d\n", got.code);
                assert_true(got.text.len > 0);
            } else if (got.kind == FRAME_CLOSE) {
                buf_addf(told, "close %d %.*s\n", got.code, STR_FMT(got.text));
            } else if (got.text.len > 40) {
                buf_addf(told, "%s of %zu\n", name_of(got.kind), got.text.len);
            } else {
                buf_addf(told, "%s %.*s\n", name_of(got.kind), STR_FMT(got.text));
            }
        }
        assert_int_equal(bytes.len, 0);
        message_drop(piece);
        at = to;
    }
    frames_clear(&frames);
}

static void assert_told(const struct buf *told, const char *wanted)
{
    assert_false(buf_failed(told));
    if (!str_is(buf_str(told), wanted))
        fail_msg("wanted:\n%sgot:\n%.*s", wanted, STR_FMT(buf_str(told)));
}

static void expect(const struct script *script, const char *wanted)
{
    struct buf told;

    buf_init(&told, NULL, KIB(64));
    read_script(script, script->len, script->len, &told);
    assert_told(&told, wanted);
    buf_reset(&told);
    read_script(script, 1, 1, &told);
    assert_told(&told, wanted);
    /* Cut in two at each place; where there are very many, at those of the head. */
    for (size_t cut = 1; cut < script->len && cut < 300; cut++) {
        buf_reset(&told);
        read_script(script, cut, script->len, &told);
        assert_told(&told, wanted);
    }
    buf_clear(&told);
}

#define SCRIPT(name) struct script *name = test_calloc(1, sizeof(*name))

static void whole_messages(void **state)
{
    static char big[FRAME_MAX];
    SCRIPT(s);

    (void)state;
    memset(big, 'x', sizeof(big));
    frame(s, 0x81, STR("Hello"));
    frame(s, 0x82, STR("\x01\x02"));
    frame(s, 0x81, STR(""));
    frame(s, 0x82, STR(""));
    frame(s, 0x81, (struct str){big, 125});
    frame(s, 0x81, (struct str){big, 126});
    frame(s, 0x81, (struct str){big, FRAME_MAX});
    frame(s, 0x81, STR("\xce\xba\xe1\xbd\xb9\xf0\x9f\x98\x80"));
    expect(s, "text Hello\nbinary \x01\x02\ntext \nbinary \ntext of 125\ntext of 126\n"
              "text of 16384\ntext \xce\xba\xe1\xbd\xb9\xf0\x9f\x98\x80\n");
    test_free(s);
}

static void fragments(void **state)
{
    SCRIPT(s);

    (void)state;
    frame(s, 0x01, STR("Hel"));
    frame(s, 0x00, STR(""));
    frame(s, 0x00, STR("l"));
    frame(s, 0x80, STR("o"));
    frame(s, 0x02, STR("a"));
    frame(s, 0x80, STR(""));
    frame(s, 0x01, STR(""));
    frame(s, 0x80, STR(""));
    frame(s, 0x81, STR("after"));
    expect(s, "text Hello\nbinary a\ntext \ntext after\n");
    test_free(s);
}

static void control_between_fragments(void **state)
{
    static char longest[125];
    SCRIPT(s);

    (void)state;
    memset(longest, 'p', sizeof(longest));
    frame(s, 0x89, STR("before"));
    frame(s, 0x01, STR("Hel"));
    frame(s, 0x89, STR("ping"));
    frame(s, 0x00, STR("l"));
    frame(s, 0x8a, STR(""));
    frame(s, 0x89, (struct str){longest, sizeof(longest)});
    frame(s, 0x80, STR("o"));
    expect(s, "ping before\nping ping\npong \nping of 125\ntext Hello\n");
    test_free(s);
}

static void frames_that_may_not_come(void **state)
{
    static const struct {
        const char *name;
        struct str bytes; /* up to the byte that shows it */
        const char *told;
    } cases[] = {
        {"reserved bit 1", STR("\xc1"), "refused 1002\n"},
        {"reserved bit 2", STR("\xa1"), "refused 1002\n"},
        {"reserved bit 3", STR("\x91"), "refused 1002\n"},
        {"reserved bit of a control frame", STR("\xc9"), "refused 1002\n"},
        {"opcode 3", STR("\x83"), "refused 1002\n"},
        {"opcode 7", STR("\x87"), "refused 1002\n"},
        {"opcode 11", STR("\x8b"), "refused 1002\n"},
        {"opcode 15", STR("\x8f"), "refused 1002\n"},
        {"ping in fragments", STR("\x09"), "refused 1002\n"},
        {"close in fragments", STR("\x08"), "refused 1002\n"},
        {"nothing to continue", STR("\x80"), "refused 1002\n"},
        {"nothing to continue, more to come", STR("\x00"), "refused 1002\n"},
        {"no mask", STR("\x81\x05"), "refused 1002\n"},
        {"no mask, empty", STR("\x81\x00"), "refused 1002\n"},
        {"ping of 126", STR("\x89\xfe"), "refused 1002\n"},
        {"close of 126", STR("\x88\xfe"), "refused 1002\n"},
        {"ping of 2^16", STR("\x89\xff"), "refused 1002\n"},
        {"125 in two bytes", STR("\x81\xfe\x00\x7d"), "refused 1002\n"},
        {"0 in two bytes", STR("\x81\xfe\x00\x00"), "refused 1002\n"},
        {"65535 in eight bytes", STR("\x81\xff\0\0\0\0\0\0\xff\xff"), "refused 1002\n"},
        {"5 in eight bytes", STR("\x81\xff\0\0\0\0\0\0\0\x05"), "refused 1002\n"},
        {"length with the highest bit", STR("\x81\xff\x80\0\0\0\0\x01\0\0"), "refused 1002\n"},
        {"one byte too many", STR("\x81\xfe\x40\x01"), "refused 1009\n"},
        {"65535", STR("\x82\xfe\xff\xff"), "refused 1009\n"},
        {"65536", STR("\x82\xff\0\0\0\0\0\x01\0\0"), "refused 1009\n"},
        {"2^63 - 1", STR("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff"), "refused 1009\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        SCRIPT(s);
        struct buf told;

        /* Refused at once, before another byte comes; and nothing behind it is looked at. */
        raw(s, cases[i].bytes);
        expect(s, cases[i].told);
        buf_init(&told, NULL, 64);
        s->len--;
        if (s->len > 0) {
            read_script(s, s->len, s->len, &told);
            assert_int_equal(told.len, 0);
        }
        buf_clear(&told);
        s->len++;
        masked(s, STR("Hello"));
        frame(s, 0x81, STR("Hello"));
        frame(s, 0x88, STR("\x03\xe8"));
        expect(s, cases[i].told);
        test_free(s);
    }
}

static void messages_that_may_not_come(void **state)
{
    static char half[FRAME_MAX / 2];
    SCRIPT(s);

    (void)state;
    frame(s, 0x01, STR("first"));
    frame(s, 0x81, STR("second"));
    expect(s, "refused 1002\n");

    s->len = 0;
    frame(s, 0x02, STR("first"));
    frame(s, 0x01, STR("second"));
    expect(s, "refused 1002\n");

    s->len = 0;
    frame(s, 0x81, STR("whole"));
    frame(s, 0x80, STR("more"));
    expect(s, "text whole\nrefused 1002\n");

    /* In fragments, all together: to the byte. */
    s->len = 0;
    frame(s, 0x02, (struct str){half, sizeof(half)});
    frame(s, 0x00, (struct str){half, sizeof(half)});
    frame(s, 0x80, STR(""));
    frame(s, 0x02, (struct str){half, sizeof(half)});
    frame(s, 0x00, (struct str){half, sizeof(half)});
    frame(s, 0x80, STR("x"));
    expect(s, "binary of 16384\nrefused 1009\n");
    test_free(s);
}

static void text_that_is_not_utf8(void **state)
{
    static const struct str pieces[][3] = {
        {STR("\xce"), STR(""), STR("")},
        {STR("\xc0\xaf"), STR(""), STR("")},
        {STR("\xed\xa0\x80"), STR(""), STR("")},
        {STR("\xf4\x90\x80\x80"), STR(""), STR("")},
        {STR("a\xff"), STR("b"), STR("c")},
        {STR("\xf0\x9f"), STR("\x98"), STR("x")},
        {STR("\xe2\x82"), STR(""), STR("\xe2\x82\xac")},
    };
    SCRIPT(s);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        s->len = 0;
        frame(s, 0x01, pieces[i][0]);
        frame(s, 0x00, pieces[i][1]);
        frame(s, 0x80, pieces[i][2]);
        frame(s, 0x81, STR("more"));
        expect(s, "refused 1007\n");
        /* The same bytes are no fault of a binary message. */
        s->len = 0;
        frame(s, 0x82, pieces[i][0]);
        frame(s, 0x81, STR("more"));
        expect(s, i == 4   ? "binary a\xff\ntext more\n"
                  : i == 0 ? "binary \xce\ntext more\n"
                  : i == 1 ? "binary \xc0\xaf\ntext more\n"
                  : i == 2 ? "binary \xed\xa0\x80\ntext more\n"
                  : i == 3 ? "binary \xf4\x90\x80\x80\ntext more\n"
                  : i == 5 ? "binary \xf0\x9f\ntext more\n"
                           : "binary \xe2\x82\ntext more\n");
    }
    s->len = 0;
    frame(s, 0x01, STR("\xf0"));
    frame(s, 0x00, STR("\x9f\x98"));
    frame(s, 0x89, STR("\xff"));
    frame(s, 0x80, STR("\x80"));
    expect(s, "ping \xff\ntext \xf0\x9f\x98\x80\n");
    test_free(s);
}

static void close_frames(void **state)
{
    static const struct {
        int code;
        bool is_fine;
    } codes[] = {
        {0, false},    {999, false},  {1000, true},  {1001, true},  {1002, true},   {1003, true},
        {1004, false}, {1005, false}, {1006, false}, {1007, true},  {1011, true},   {1012, true},
        {1014, true},  {1015, false}, {1016, false}, {2999, false}, {3000, true},   {3999, true},
        {4000, true},  {4999, true},  {5000, false}, {9999, false}, {65535, false},
    };
    char payload[125], told[64];
    SCRIPT(s);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        payload[0] = (char)(codes[i].code >> 8);
        payload[1] = (char)(codes[i].code & 0xff);
        memcpy(payload + 2, "why", 3);
        s->len = 0;
        frame(s, 0x81, STR("a"));
        frame(s, 0x88, (struct str){payload, 5});
        frame(s, 0x81, STR("behind it"));
        if (codes[i].is_fine)
            snprintf(told, sizeof(told), "text a\nclose %d why\n", codes[i].code);
        else
            snprintf(told, sizeof(told), "text a\nrefused 1002\n");
        expect(s, told);
        s->len = 0;
        frame(s, 0x88, (struct str){payload, 2});
        if (codes[i].is_fine)
            snprintf(told, sizeof(told), "close %d \n", codes[i].code);
        else
            snprintf(told, sizeof(told), "refused 1002\n");
        expect(s, told);
    }

    s->len = 0;
    frame(s, 0x88, STR(""));
    expect(s, "close 1005 \n");
    s->len = 0;
    frame(s, 0x88, STR("\x03"));
    expect(s, "refused 1002\n");
    s->len = 0;
    frame(s, 0x88, STR("\x03\xe8\xce"));
    expect(s, "refused 1007\n");
    s->len = 0;
    frame(s, 0x88, STR("\x03\xe8\xed\xa0\x80"));
    expect(s, "refused 1007\n");
    /* In the middle of a message it is no fault. */
    s->len = 0;
    frame(s, 0x01, STR("half"));
    frame(s, 0x88, STR("\x03\xe9gone"));
    expect(s, "close 1001 gone\n");
    test_free(s);
}

/* Between frames there is no memory but of a message that is under way. */
static void memory_between_frames(void **state)
{
    struct frames frames;
    struct frame got;
    struct str bytes;
    SCRIPT(s);

    (void)state;
    frames_init(&frames);
    assert_true(sizeof(frames) <= 320);
    frame(s, 0x81, STR("Hello"));
    bytes = (struct str){s->bytes, s->len};
    assert_int_equal(frames_next(&frames, &bytes, &got), FRAMES_WHOLE);
    assert_int_equal(frames_next(&frames, &bytes, &got), FRAMES_MORE);
    assert_null(frames.wslay);
    assert_null(frames.message.ptr);
    bytes = str_slice((struct str){s->bytes, s->len}, 0, 8);
    assert_int_equal(frames_next(&frames, &bytes, &got), FRAMES_MORE);
    assert_non_null(frames.wslay);
    frames_clear(&frames);
    test_free(s);
}

static void assert_message(struct message *message, struct str wanted)
{
    assert_non_null(message);
    assert_int_equal(message->references, 1);
    assert_int_equal(message->len, wanted.len);
    assert_memory_equal(message->bytes, wanted.ptr, wanted.len);
    message_drop(message);
}

static void frames_made(void **state)
{
    static char big[70000], long_reason[130];
    struct message *message;

    (void)state;
    assert_message(frame_make(FRAME_TEXT, STR("Hello")), STR("\x81\x05Hello"));
    assert_message(frame_make(FRAME_BINARY, STR("")), STR("\x82\x00"));
    assert_message(frame_make(FRAME_PING, STR("")), STR("\x89\x00"));
    assert_message(frame_make(FRAME_PONG, STR("abc")), STR("\x8a\x03"
                                                           "abc"));
    assert_message(frame_make_close(CLOSE_NORMAL, STR("")), STR("\x88\x02\x03\xe8"));
    assert_message(frame_make_close(CLOSE_TOO_BIG, STR("why")), STR("\x88\x05\x03\xf1why"));
    assert_message(frame_make_close(CLOSE_NONE, STR("why")), STR("\x88\x00"));

    memset(big, 'x', sizeof(big));
    message = frame_make(FRAME_TEXT, (struct str){big, 126});
    assert_int_equal(message->len, 130);
    assert_memory_equal(message->bytes, "\x81\x7e\x00\x7ex", 5);
    message_drop(message);
    message = frame_make(FRAME_TEXT, (struct str){big, 65535});
    assert_int_equal(message->len, 65539);
    assert_memory_equal(message->bytes, "\x81\x7e\xff\xffx", 5);
    message_drop(message);
    message = frame_make(FRAME_TEXT, (struct str){big, 70000});
    assert_int_equal(message->len, 70010);
    assert_memory_equal(message->bytes, "\x81\x7f\0\0\0\0\0\x01\x11\x70x", 11);
    assert_memory_equal(message->bytes + 10, big, 70000);
    message_drop(message);

    /* A reason is cut between characters. */
    memset(long_reason, 'r', sizeof(long_reason));
    memcpy(long_reason + 122, "\xe2\x82\xac", 3);
    message = frame_make_close(CLOSE_POLICY, (struct str){long_reason, sizeof(long_reason)});
    assert_int_equal(message->len, 2 + 2 + 122);
    assert_memory_equal(message->bytes, "\x88\x7c\x03\xf0r", 5);
    message_drop(message);
    memset(long_reason, 'r', sizeof(long_reason));
    memcpy(long_reason + 120, "\xe2\x82\xac", 3);
    message = frame_make_close(CLOSE_POLICY, (struct str){long_reason, sizeof(long_reason)});
    assert_int_equal(message->len, 2 + 2 + 123);
    message_drop(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_messages),
        cmocka_unit_test(fragments),
        cmocka_unit_test(control_between_fragments),
        cmocka_unit_test(frames_that_may_not_come),
        cmocka_unit_test(messages_that_may_not_come),
        cmocka_unit_test(text_that_is_not_utf8),
        cmocka_unit_test(close_frames),
        cmocka_unit_test(memory_between_frames),
        cmocka_unit_test(frames_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
