/* Finding the answer in prose: what is found lies in the text or in the arena, and is trimmed. */
#include "answer/extract.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = {(const char *)data, size};
    struct arena a;
    arena_init(&a, (size_t)16 << 20);
    for (int choices = 0; choices <= 4; choices += 4) {
        struct answer_found found = answer_find(text, choices, &a);
        ASSERT(found.text.n <= size + 64);
        ASSERT(str_trim(found.text).n == found.text.n);
    }
    arena_release(&a);
    return 0;
}
