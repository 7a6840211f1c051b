#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum err file_err(int errnum) {
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_DISK_FULL;
    case EROFS:
    case EACCES:
    case EPERM:
        return ERR_READ_ONLY;
    case ENOENT:
        return ERR_NOT_FOUND;
    default:
        return ERR_IO;
    }
}

static enum err file_read_fd(int fd, const char *path, size_t bytes_max, struct arena *a,
                             struct str *ret, struct errinfo *reterr) {
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return errinfo_set(reterr, ERR_IO, "cannot read %s: %s", path, strerror(errno));
    }
    if (S_ISDIR(st.st_mode)) {
        return errinfo_set(reterr, ERR_IO, "cannot read %s: it is a folder", path);
    }
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > bytes_max) {
        return errinfo_set(reterr, ERR_TOO_BIG, "%s is larger than %zu bytes", path, bytes_max);
    }
    size_t n = 0, capacity = S_ISREG(st.st_mode) ? (size_t)st.st_size + 1 : bytes_max + 1;
    char *p = arena_alloc(a, capacity + 1);
    while (n < capacity) {
        ssize_t got = read(fd, p + n, capacity - n);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return errinfo_set(reterr, ERR_IO, "cannot read %s: %s", path, strerror(errno));
        }
        if (got == 0) {
            break;
        }
        n += (size_t)got;
    }
    if (n > bytes_max) {
        return errinfo_set(reterr, ERR_TOO_BIG, "%s is larger than %zu bytes", path, bytes_max);
    }
    *ret = (struct str){p, n};
    return ERR_OK;
}

enum err file_read(const char *path, size_t bytes_max, struct arena *a, struct str *ret,
                   struct errinfo *reterr) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errinfo_set(reterr, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot read %s: %s",
                           path, strerror(errno));
    }
    enum err e = file_read_fd(fd, path, bytes_max, a, ret, reterr);
    (void)close(fd); /* only read from */
    return e;
}

static enum err file_write_all(int fd, struct str contents) {
    while (contents.n > 0) {
        ssize_t put = write(fd, contents.p, contents.n);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return file_err(errno);
        }
        contents = str_skip(contents, (size_t)put);
    }
    return fsync(fd) == 0 ? ERR_OK : file_err(errno);
}

static void file_sync_folder(const char *path) {
    const char *slash = strrchr(path, '/');
    char folder[4096] = ".";
    if (slash != NULL) {
        (void)snprintf(folder, sizeof folder, "%.*s", (int)MAX(slash - path, 1), path);
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd); /* some file systems cannot; the rename itself is in order */
        (void)close(fd);
    }
}

enum err file_replace(const char *path, struct str contents, struct errinfo *reterr) {
    char temp[4096];
    if ((size_t)snprintf(temp, sizeof temp, "%s.tmp-%ld", path, (long)getpid()) >= sizeof temp) {
        return errinfo_set(reterr, ERR_IO, "cannot write %s: the path is too long", path);
    }
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        int errnum = errno;
        return errinfo_set(reterr, file_err(errnum), "cannot write %s: %s", path, strerror(errnum));
    }
    enum err e = file_write_all(fd, contents);
    int errnum = errno;
    if (close(fd) != 0 && e == ERR_OK) {
        errnum = errno;
        e = file_err(errnum);
    }
    if (e == ERR_OK && rename(temp, path) != 0) {
        errnum = errno;
        e = file_err(errnum);
    }
    if (e != ERR_OK) {
        (void)unlink(temp);
        return errinfo_set(reterr, e, "cannot write %s: %s", path, strerror(errnum));
    }
    file_sync_folder(path);
    return ERR_OK;
}
