#include "cli/sink.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err sink_fail(const struct sink *s, int errnum, struct errinfo *reterr) {
    return errinfo_set(reterr, file_err(errnum), "cannot write %s: %s", s->name, strerror(errnum));
}

/* Where the file is to be: links are followed, so that a link stays one. A folder that is not there
 * is told here, before anything is done. */
static enum err sink_find(struct sink *s, const char *path, mode_t *ret_mode,
                          struct errinfo *reterr) {
    struct stat st;
    if (stat(path, &st) != 0) {
        if (errno != ENOENT) {
            return sink_fail(s, errno, reterr);
        }
        return (size_t)snprintf(s->path, sizeof s->path, "%s", path) < sizeof s->path
                   ? ERR_OK
                   : sink_fail(s, ENAMETOOLONG, reterr);
    }
    if (S_ISDIR(st.st_mode)) {
        return sink_fail(s, EISDIR, reterr);
    }
    if (S_ISREG(st.st_mode) && realpath(path, s->path) == NULL) {
        return sink_fail(s, errno, reterr);
    }
    *ret_mode = st.st_mode & 07777;
    return ERR_OK;
}

static enum err sink_open_temp(struct sink *s, mode_t mode, struct errinfo *reterr) {
    if ((size_t)snprintf(s->temp, sizeof s->temp, "%s.tmp-%ld", s->path, (long)getpid()) >=
        sizeof s->temp) {
        return sink_fail(s, ENAMETOOLONG, reterr);
    }
    int fd = open(s->temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        return sink_fail(s, errno, reterr);
    }
    if (mode != 0) {
        (void)fchmod(fd, mode); /* as the file that it replaces; a courtesy */
    }
    s->file = fdopen(fd, "w");
    ASSERT(s->file != NULL);
    return ERR_OK;
}

enum err sink_open(struct sink *s, const char *path, struct errinfo *reterr) {
    mode_t mode = 0;
    *s = (struct sink){.name = path};
    if (strcmp(path, "-") == 0) {
        s->is_stdout = true;
        s->name = "standard output";
        s->file = stdout;
        return ERR_OK;
    }
    enum err e = sink_find(s, path, &mode, reterr);
    if (e != ERR_OK) {
        return e;
    }
    if (s->path[0] != '\0') {
        return sink_open_temp(s, mode, reterr);
    }
    s->file = fopen(path, "we");
    return s->file != NULL ? ERR_OK : sink_fail(s, errno, reterr);
}

enum err sink_write(struct sink *s, struct str bytes, struct errinfo *reterr) {
    errno = 0;
    if (bytes.n > 0 && fwrite(bytes.p, 1, bytes.n, s->file) != bytes.n) {
        return sink_fail(s, errno != 0 ? errno : EIO, reterr);
    }
    return ERR_OK;
}

static void sink_sync_folder(const struct sink *s) {
    char folder[PATH_MAX];
    (void)snprintf(folder, sizeof folder, "%s", s->path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL) {
        slash[slash == folder ? 1 : 0] = '\0';
    }
    int fd = open(slash != NULL ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd); /* some file systems cannot; the rename itself is in order */
        (void)close(fd);
    }
}

/* Flush, sync and close; the first errno of them, or 0. Standard output stays open for main(). */
static int sink_finish(struct sink *s) {
    int errnum = fflush(s->file) == 0 ? 0 : errno;
    if (errnum == 0 && s->temp[0] != '\0' && fsync(fileno(s->file)) != 0) {
        errnum = errno;
    }
    if (!s->is_stdout && fclose(s->file) != 0 && errnum == 0) {
        errnum = errno;
    }
    s->file = NULL;
    return errnum;
}

enum err sink_commit(struct sink *s, struct errinfo *reterr) {
    int errnum = sink_finish(s);
    if (errnum == 0 && s->temp[0] != '\0' && rename(s->temp, s->path) != 0) {
        errnum = errno;
    }
    if (errnum != 0) {
        sink_drop(s);
        return sink_fail(s, errnum, reterr);
    }
    if (s->temp[0] != '\0') {
        sink_sync_folder(s);
    }
    return ERR_OK;
}

void sink_drop(struct sink *s) {
    if (s->file != NULL && !s->is_stdout) {
        (void)fclose(s->file); /* given up anyway */
    }
    s->file = NULL;
    if (s->temp[0] != '\0') {
        (void)unlink(s->temp);
        s->temp[0] = '\0';
    }
}
