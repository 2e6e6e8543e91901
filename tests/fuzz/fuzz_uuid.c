/* What is read is written as the same text in lower case, and nothing else is read. */
#include "base/uuid.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    char written[UUID_TEXT_LEN];
    struct uuid id, again;

    if (!uuid_parse(text, &id))
        return 0;
    uuid_format(id, written);
    if (uuid_is_none(id) || !str_equal_nocase(text, (struct str){written, sizeof(written)}) ||
        !uuid_parse((struct str){written, sizeof(written)}, &again) || !uuid_equal(id, again))
        abort();
    return 0;
}
