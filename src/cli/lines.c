#include "cli/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum err lines_open(struct lines *l, const char *path, struct errinfo *reterr) {
    *l = (struct lines){.path = path};
    l->file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    return l->file != NULL ? ERR_OK
                           : errinfo_set(reterr, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
                                         "cannot read %s: %s", path, strerror(errno));
}

bool lines_next(struct lines *l, struct str *ret) {
    ssize_t n;
    while ((n = getline(&l->text, &l->capacity, l->file)) >= 0) {
        struct str line = {l->text, (size_t)n};
        if (l->number++ == 0 && str_starts(line, S("\xEF\xBB\xBF"))) {
            line = str_skip(line, 3); /* a byte order mark */
        }
        line = str_trim(line);
        if (line.n > 0) {
            *ret = line;
            return true;
        }
    }
    l->errnum = ferror(l->file) ? errno : 0;
    return false;
}

enum err lines_close(struct lines *l, struct errinfo *reterr) {
    enum err e = ERR_OK;
    if (l->errnum != 0) {
        e = errinfo_set(reterr, ERR_IO, "cannot read %s: %s", l->path, strerror(l->errnum));
    }
    if (l->file != stdin) {
        (void)fclose(l->file); /* only read from */
    }
    free(l->text);
    *l = (struct lines){0};
    return e;
}

enum err lines_parse(struct str line, struct arena *a, const struct jnode **ret,
                     struct errinfo *reterr) {
    static const char prefix[] = "line 1, ";
    struct errinfo why = {0};
    enum err e = jnode_parse(line, a, ret, &why);
    if (e == ERR_OK) {
        return ERR_OK;
    }
    const char *text = errinfo_text(&why, e);
    bool counted = strncmp(text, prefix, sizeof prefix - 1) == 0;
    return errinfo_set(reterr, e, "%s", text + (counted ? sizeof prefix - 1 : 0));
}
