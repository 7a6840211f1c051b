/* Runs every file of a folder through a fuzz target: replay_NAME FOLDER. */
#include "base/err.h"
#include "base/file.h"
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLAY_BYTES_MAX ((size_t)4 * 1024 * 1024)

/* From memory of the exact size, so that the sanitizer sees a read one byte too far. */
static bool replay_file(const char *folder, const char *name) {
    struct arena a;
    struct str contents;
    struct errinfo info = {0};
    arena_init(&a, 2 * REPLAY_BYTES_MAX);
    const char *path = str_fmt(&a, "%s/%s", folder, name).p;
    enum err e = file_read(path, REPLAY_BYTES_MAX, &a, &contents, &info);
    if (e == ERR_OK) {
        uint8_t *data = malloc(contents.n);
        ASSERT(data != NULL || contents.n == 0);
        if (contents.n > 0) {
            memcpy(data, contents.p, contents.n);
        }
        (void)fprintf(stderr, "%s\n", name); /* the last line names the one that broke something */
        (void)LLVMFuzzerTestOneInput(data, contents.n);
        free(data);
    } else {
        (void)fprintf(stderr, "%s\n", errinfo_text(&info, e));
    }
    arena_release(&a);
    return e == ERR_OK;
}

int main(int argc, char **argv) {
    struct dirent **names;
    int replayed = 0;
    bool ok = true;
    int n = argc == 2 ? scandir(argv[1], &names, NULL, alphasort) : -1;
    if (n < 0) {
        (void)fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.') {
            ok = replay_file(argv[1], names[i]->d_name) && ok;
            replayed++;
        }
        free(names[i]);
    }
    free(names);
    return ok && replayed > 0 ? 0 : 1;
}
