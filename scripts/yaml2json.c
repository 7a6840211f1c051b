/* yaml2json FILE.yaml: print it as one line of JSON. Used while building, for documents that people
 * write in YAML and the program serves as JSON. */
#include "base/file.h"
#include "json/yaml.h"

#include <stdio.h>

#define BYTES_MAX ((size_t)64 * 1024 * 1024)

int main(int argc, char **argv) {
    struct arena a;
    struct str text;
    const struct jnode *doc;
    struct errinfo why = {0};
    arena_init(&a, BYTES_MAX);
    enum err e = argc == 2 ? file_read(argv[1], YAML_BYTES_MAX, &a, &text, &why) : ERR_USAGE;
    e = e == ERR_OK ? yaml_parse(text, &a, &doc, &why) : e;
    if (e == ERR_OK) {
        struct str json = jnode_text(doc, &a);
        e = fwrite(json.p, 1, json.n, stdout) == json.n && fflush(stdout) == 0 ? ERR_OK : ERR_IO;
    }
    if (e != ERR_OK) {
        (void)fprintf(stderr, "yaml2json: %s\n", errinfo_text(&why, e));
    }
    arena_release(&a);
    return e == ERR_OK ? 0 : 1;
}
