/* turn.h - whose turn it is, of calls that wait in queues by priority. Pure.
 *
 * The highest priority goes first: what has cost most already is finished before new things begin.
 * But every TURN_OLDEST-th turn is the oldest one's, whatever its priority and however long it has
 * to wait for its tokens: nobody passes it. So each goes within TURN_OLDEST turns for each that
 * waited when it came, itself among them.
 */
#ifndef STUMPER_CORE_TURN_H
#define STUMPER_CORE_TURN_H

#include <stddef.h>
#include <stdint.h>

#define TURN_OLDEST 8
#define TURN_NOBODY SIZE_MAX

struct turn {
    uint64_t used; /* turns, ever */
};

/** The queue whose head goes next: oldest[i] is when the head of queue i came (any rising number),
 * -1: it is empty. A higher index is a higher priority. TURN_NOBODY: all are empty. */
size_t turn_next(const struct turn *t, const int64_t *oldest, size_t n);

/** It went. */
void turn_use(struct turn *t);

#endif
