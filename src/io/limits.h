/* limits.h - what the system lets one process have open. */
#ifndef STUMPER_IO_LIMITS_H
#define STUMPER_IO_LIMITS_H

#include "base/err.h"

#include <stdint.h>

/* Descriptors set aside for everything that is not a connection: store, logs, libraries. */
#define LIMITS_FILES_KEPT INT64_C(64)

/** Raise the soft limit on open files to the hard one; returns how many that are. */
int64_t limits_raise_files(void);

/** ERR_INVALID if so many connections at once do not fit under the hard limit; the text says what
 * to change. */
NODISCARD enum err limits_check_connections(int64_t connections, struct errinfo *reterr);

#endif
