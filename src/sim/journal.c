#include "sim/journal.h"

#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define JOURNAL_PENDING_MAX ((size_t)64 * 1024 * 1024)

static void journal_end_line(struct journal *j) {
    char last = '\n';
    off_t size = lseek(j->fd, 0, SEEK_END);
    if (size > 0 && pread(j->fd, &last, 1, size - 1) == 1 && last != '\n') {
        sbuf_add_char(&j->pending, '\n');
    }
}

enum err journal_open(struct journal *j, const char *path, struct errinfo *reterr) {
    *j = (struct journal){.path = path, .fd = -1};
    sbuf_init(&j->pending, JOURNAL_PENDING_MAX);
    if (path == NULL) {
        return ERR_OK;
    }
    j->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (j->fd < 0) {
        return errinfo_set(reterr, file_err(errno), "%s: %s", path, strerror(errno));
    }
    journal_end_line(j);
    return ERR_OK;
}

void journal_flush(struct journal *j) {
    struct str rest = sbuf_str(&j->pending);
    while (rest.n > 0 && j->fd >= 0 && j->failed == ERR_OK) {
        ssize_t n = write(j->fd, rest.p, rest.n);
        if (n < 0 && errno != EINTR) {
            j->failed = file_err(errno);
            log_error("%s: %s; nothing more is written to it", j->path, strerror(errno));
        }
        rest = str_skip(rest, n > 0 ? (size_t)n : 0);
    }
    sbuf_clear(&j->pending);
}

void journal_close(struct journal *j) {
    journal_flush(j);
    if (j->fd >= 0) {
        (void)close(j->fd); /* all is written */
        j->fd = -1;
    }
    sbuf_release(&j->pending);
}
