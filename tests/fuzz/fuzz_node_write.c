/* What json/write.h writes and json/node.h prints reads back as the same. */
#include "fuzz.h"
#include "json/node.h"
#include "json/write.h"

#include <string.h>

static const struct jnode *parse(struct str text, struct arena *a) {
    const struct jnode *j = NULL;
    ASSERT(jnode_parse(text, a, &j, NULL) == ERR_OK);
    return j;
}

/* Any bytes as a key and as a string. */
static void check_string(struct str s, struct arena *a) {
    struct sbuf b;
    struct jwrite w;
    struct str key;
    const struct jnode *value;
    sbuf_init(&b, 16 * s.n + 64);
    jwrite_init(&w, &b);
    jwrite_object(&w);
    jwrite_key_str(&w, s);
    jwrite_str(&w, s);
    jwrite_end(&w);
    ASSERT(!sbuf_overflowed(&b));
    ASSERT(jnode_next(parse(sbuf_str(&b), a), NULL, &key, &value) != NULL);
    ASSERT(str_eq(key, jnode_str(value)));
    bool sound = str_is_utf8(s) && str_find_char(s, '\0') == STR_NPOS;
    ASSERT(str_eq(key, s) == sound);
    sbuf_release(&b);
}

/* A text that is JSON: its tree prints and reads back, in both orders. */
static void check_tree(struct str text, struct arena *a) {
    const struct jnode *j;
    if (jnode_parse(text, a, &j, NULL) == ERR_OK) {
        struct str plain = jnode_text(j, a), sorted = jnode_text_sorted(j, a);
        ASSERT(str_eq(plain, jnode_text(parse(plain, a), a)));
        ASSERT(str_eq(sorted, jnode_text(parse(sorted, a), a)));
        ASSERT(str_eq(sorted, jnode_text_sorted(parse(plain, a), a)));
    }
}

static void check_numbers(struct str bytes) {
    double real, back = 0;
    int64_t integer = 0, integer_back = 0;
    struct sbuf b;
    struct jwrite w;
    sbuf_init(&b, 64);
    if (bytes.n < sizeof real) {
        return;
    }
    memcpy(&real, bytes.p, sizeof real);
    jwrite_init(&w, &b);
    jwrite_real(&w, real);
    ASSERT(str_eq(sbuf_str(&b), S("null")) || (str_to_double(sbuf_str(&b), &back) && back == real));
    memcpy(&integer, bytes.p, sizeof integer);
    sbuf_clear(&b);
    jwrite_init(&w, &b);
    jwrite_int(&w, integer);
    ASSERT(str_to_i64(sbuf_str(&b), &integer_back) && integer_back == integer);
    sbuf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena a;
    struct str s = {(const char *)data, size};
    arena_init(&a, (size_t)256 * 1024 * 1024);
    check_string(s, &a);
    check_tree(s, &a);
    check_numbers(s);
    arena_release(&a);
    return 0;
}
