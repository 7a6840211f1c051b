/* The grammar and the comparison: two answers with a zero byte between them. Whatever they say, the
 * verdict does not depend on their order in a way that contradicts, and an answer is never
 * different from itself. */
#include "answer/compare.h"
#include "fuzz.h"

#include <string.h>

#define FUZZ_WORK 2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str all = {(const char *)data, size};
    size_t cut = str_find_char(all, '\0');
    struct str gold = str_take(all, cut), given = cut == STR_NPOS ? gold : str_skip(all, cut + 1);
    struct answer_options options = {.work_max = FUZZ_WORK};
    struct arena a;
    arena_init(&a, ANSWER_ARENA_BYTES);
    struct answer_result there = answer_compare(gold, given, &options, &a);
    arena_reset(&a);
    struct answer_result back = answer_compare(given, gold, &options, &a);
    arena_reset(&a);
    ASSERT(!(there.certainty == ANSWER_PROOF && back.certainty == ANSWER_PROOF &&
             there.verdict != back.verdict));
    ASSERT(answer_compare(gold, gold, &options, &a).verdict != ANSWER_DIFFERENT);
    (void)answer_is_definite(given, &a);
    arena_release(&a);
    return 0;
}
