/* Whatever a configuration file holds, json/yaml.h gives a tree that prints as JSON, or the line
 * that is wrong. */
#include "fuzz.h"
#include "json/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena a;
    const struct jnode *tree = NULL, *again = NULL;
    struct errinfo info = {0};
    arena_init(&a, (size_t)256 * 1024 * 1024);
    enum err e = yaml_parse((struct str){(const char *)data, size}, &a, &tree, &info);
    if (e == ERR_OK) {
        struct str json = jnode_text(tree, &a);
        ASSERT(jnode_parse(json, &a, &again, NULL) == ERR_OK);
        ASSERT(str_eq(json, jnode_text(again, &a)));
    } else {
        ASSERT(e == ERR_TOO_BIG || (e == ERR_SYNTAX && str_starts(str_of(info.text), S("line "))));
        ASSERT(tree == NULL);
    }
    arena_release(&a);
    return 0;
}
