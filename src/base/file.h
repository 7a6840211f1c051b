/* file.h - whole files in and out. */
#ifndef STUMPER_BASE_FILE_H
#define STUMPER_BASE_FILE_H

#include "base/err.h"
#include "base/str.h"

/**
 * Read a whole file into @a.
 *
 * @bytes_max  a larger file is refused, so that a wrong path cannot fill the memory
 * @return     ERR_NOT_FOUND | ERR_IO | ERR_TOO_BIG; the text names the path and the reason
 */
NODISCARD enum err file_read(const char *path, size_t bytes_max, struct arena *a, struct str *ret,
                             struct errinfo *reterr);

/**
 * Replace a file as one step: write beside it, fsync, rename, fsync the folder. After a crash there
 * is the old file or the new one, never half of one.
 *
 * @return     ERR_IO | ERR_DISK_FULL | ERR_READ_ONLY; the old file is then untouched
 */
NODISCARD enum err file_replace(const char *path, struct str contents, struct errinfo *reterr);

/** The code for an errno: ENOSPC, EDQUOT, EFBIG → ERR_DISK_FULL; EROFS, EACCES, EPERM →
 * ERR_READ_ONLY; ENOENT → ERR_NOT_FOUND; otherwise ERR_IO. */
enum err file_err(int errnum);

#endif
