/* names.h - how enums are spelled in the rows. Inside the room only; see also job_state_name() and
 * job_state_from_name(). */
#ifndef STUMPER_STORE_NAMES_H
#define STUMPER_STORE_NAMES_H

#include "core/call.h"

/** The value of a name; the enum's count (for a finish: CALL_FINISH_OTHER) if it is unknown. */
enum role names_role(struct str name);
enum call_finish names_finish(struct str name);

/** "stop", … */
const char *names_of_finish(enum call_finish finish);

#endif
