/* Whatever a model writes, json/repair.h gives an object or an array, or says why not; what needs
 * no repair it leaves alone. */
#include "fuzz.h"
#include "json/repair.h"

#include <string.h>

static bool is_container(const struct jnode *j) {
    return jnode_type(j) == JNODE_OBJECT || jnode_type(j) == JNODE_ARRAY;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena a;
    const struct jnode *value = NULL, *strict = NULL;
    unsigned notes = 0;
    struct errinfo info = {0};
    struct str text = {(const char *)data, size};
    arena_init(&a, (size_t)256 * 1024 * 1024);
    enum err e = jrepair_parse(text, &a, &value, &notes, &info);
    ASSERT(e == ERR_OK || e == ERR_EMPTY || e == ERR_TRUNCATED || e == ERR_MALFORMED ||
           e == ERR_TOO_BIG);
    ASSERT((e == ERR_OK) == is_container(value) && (e == ERR_OK) == (info.text[0] == '\0'));
    bool clean = size <= JREPAIR_BYTES_MAX && str_find_char(text, '\\') == STR_NPOS &&
                 jnode_parse(text, &a, &strict, NULL) == ERR_OK && is_container(strict);
    if (clean) {
        ASSERT(e == ERR_OK && notes == 0 && str_eq(jnode_text(value, &a), jnode_text(strict, &a)));
    }
    arena_release(&a);
    return 0;
}
