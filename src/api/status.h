/* status.h - inside the room: answering with a job's view. */
#ifndef STUMPER_API_STATUS_H
#define STUMPER_API_STATUS_H

#include "api/views.h"

/** 200 with the whole view, or 304 if the client has it (@unchanged). */
void status_send(struct call *c, const struct view_facts *facts, bool unchanged);

#endif
