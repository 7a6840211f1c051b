/* Whatever a model writes, json/repair.h gives an object or an array, or says why not; what needs
 * no repair it leaves alone. */
#include "fuzz.h"
#include "json/repair.h"

#include <string.h>

static bool is_container(const struct jnode *j) {
    return jnode_type(j) == JNODE_OBJECT || jnode_type(j) == JNODE_ARRAY;
}

/* Does @text give the value that @wanted prints as? */
static bool gives(struct str text, struct str wanted, struct arena *a) {
    const struct jnode *value = NULL;
    unsigned notes;
    return jrepair_parse(text, a, &value, &notes, NULL) == ERR_OK &&
           str_eq(jnode_text(value, a), wanted);
}

/* @text is strict JSON, without a backslash: it comes back untouched, out of a fence as well, and
 * no beginning of it is taken for the whole. */
static void check_strict(struct str text, const struct jnode *strict, struct arena *a) {
    struct str wanted = jnode_text(strict, a);
    ASSERT(gives(text, wanted, a));
    if (text.n < JREPAIR_BYTES_MAX / 2 && str_find(wanted, S("\":")) != STR_NPOS) {
        ASSERT(gives(str_fmt(a, "So:\n```json\n%.*s\n```\nDone.", STR_ARG(text)), wanted, a));
    }
    struct str whole = str_trim(text);
    for (size_t n = 1; n < whole.n; n += 1 + whole.n / 64) {
        const struct jnode *value = NULL;
        unsigned notes;
        ASSERT(jrepair_parse(str_take(whole, n), a, &value, &notes, NULL) != ERR_OK);
    }
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
    if (size <= JREPAIR_BYTES_MAX && str_find_char(text, '\\') == STR_NPOS &&
        jnode_parse(text, &a, &strict, NULL) == ERR_OK && is_container(strict)) {
        ASSERT(notes == 0);
        check_strict(text, strict, &a);
    }
    arena_release(&a);
    return 0;
}
