#include "io/limits.h"

#include <inttypes.h>
#include <sys/resource.h>

int64_t limits_raise_files(void) {
    struct rlimit limit;
    ASSERT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) {
            limit = raised;
        }
    }
    return limit.rlim_cur > INT32_MAX ? INT32_MAX : (int64_t)limit.rlim_cur;
}

enum err limits_check_connections(int64_t connections, struct errinfo *reterr) {
    int64_t files = limits_raise_files();
    if (connections <= files - LIMITS_FILES_KEPT) {
        return ERR_OK;
    }
    return errinfo_set(
        reterr, ERR_INVALID,
        "%" PRId64 " requests in flight need %" PRId64 " open files, but the limit is %" PRId64
        ": raise it (ulimit -Hn) or ask for at most %" PRId64 " in flight",
        connections, connections + LIMITS_FILES_KEPT, files, MAX(files - LIMITS_FILES_KEPT, 1));
}
