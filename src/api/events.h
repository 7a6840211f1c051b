/* events.h - inside the room: where an event stream goes on. */
#ifndef STUMPER_API_EVENTS_H
#define STUMPER_API_EVENTS_H

#include "base/str.h"

/** The number in a Last-Event-ID; 0, from the beginning, for one that we did not give. */
int64_t events_last_id(struct str text);

#endif
