#include "store/lock.h"
#include "store/store_read.h"

#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ASIDE_TRIES_MAX 10000

/* The log goes first: cut off in between, both parts are still on the disk. A log left behind alone
 * would be deleted by SQLite. */
static const char *const aside_companions[] = {"-wal", "-journal", "-shm", ""};

static bool aside_name(char ret[4096], const char *path, int n, const char *companion) {
    return snprintf(ret, 4096, "%s.old-%d%s", path, n, companion) < 4096;
}

static bool aside_is_free(const char *path, int n) {
    char name[4096];
    for (size_t i = 0; i < ARRAY_LEN(aside_companions); i++) {
        if (!aside_name(name, path, n, aside_companions[i]) || access(name, F_OK) == 0) {
            return false;
        }
    }
    return true;
}

static void aside_names(char from[4096], char to[4096], const char *path, int n, size_t i) {
    ASSERT(aside_name(to, path, n, aside_companions[i])); /* fitted when it was looked at */
    (void)snprintf(from, 4096, "%s%s", path, aside_companions[i]); /* shorter */
}

static enum err aside_move(const char *path, int n, struct errinfo *reterr) {
    char from[4096], to[4096];
    for (size_t i = 0; i < ARRAY_LEN(aside_companions); i++) {
        aside_names(from, to, path, n, i);
        if (rename(from, to) != 0 && errno != ENOENT) {
            int errnum = errno;
            while (i-- > 0) {
                aside_names(from, to, path, n, i);
                (void)rename(to, from);
            }
            aside_names(from, to, path, n, ARRAY_LEN(aside_companions) - 1);
            return errinfo_set(reterr, file_err(errnum), "cannot move %s to %s: %s", from, to,
                               strerror(errnum));
        }
    }
    return ERR_OK;
}

enum err store_set_aside(const char *path, char ret_moved_to[4096], struct errinfo *reterr) {
    struct store_lock lock;
    if (access(path, F_OK) != 0) {
        return errinfo_set(reterr, file_err(errno), "%s: %s", path, strerror(errno));
    }
    int n = 1;
    while (n <= ASIDE_TRIES_MAX && !aside_is_free(path, n)) {
        n++;
    }
    if (n > ASIDE_TRIES_MAX) {
        return errinfo_set(reterr, ERR_EXISTS, "%s.old-1 and all after it exist already", path);
    }
    enum err e = store_lock_take(&lock, path, reterr);
    if (e != ERR_OK) {
        return e;
    }
    e = aside_move(path, n, reterr);
    store_lock_release(&lock);
    if (e == ERR_OK) {
        ASSERT(aside_name(ret_moved_to, path, n, ""));
    }
    return e;
}
