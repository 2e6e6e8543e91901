/* Two texts, a subject and a body each, with a line's end between them: how alike they are is
 * from 0 to 1, the same in either order and for a sketch that was used before, and 1 for equal
 * texts, if they have a word. */
#include "app/outreach/similarity.h"
#include "app/search/fold.h"
#include "base/limits.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct message {
    struct str subject, body;
};

static double alike(struct arena *arena, struct message a, struct message b)
{
    struct sketch *sketch = similarity_sketch(arena, a.subject, a.body);
    double first, second;

    if (!sketch)
        abort();
    first = similarity_to(sketch, b.subject, b.body);
    second = similarity_to(sketch, b.subject, b.body);
    if (!(first >= 0 && first <= 1) || first != second)
        abort();
    return first;
}

static bool has_word(struct arena *arena, struct str text)
{
    struct str folded = fold_text(arena, text), word;

    return fold_next_word(&folded, &word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    struct message a, b;
    struct arena *arena;
    double same;

    if (size > 3 * SIMILARITY_TEXT_MAX || !str_is_utf8(rest))
        return 0;
    rest = str_cut(rest, '\n', &a.subject);
    rest = str_cut(rest, '\n', &a.body);
    b.body = str_cut(rest, '\n', &b.subject);
    arena = arena_new(MIB(16));
    if (!arena)
        return 0;
    if (alike(arena, a, b) != alike(arena, b, a))
        abort();
    same = alike(arena, a, a);
    if (same != 0 && same != 1)
        abort();
    /* A subject may be all prefix, and a long one leaves no room for the body. */
    if (a.subject.len == 0 && a.body.len < SIMILARITY_TEXT_MAX &&
        same != (has_word(arena, a.body) ? 1 : 0))
        abort();
    arena_free(arena);
    return 0;
}
