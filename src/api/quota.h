/* quota.h - inside the room: requests of keys with a rate wait here while the store is asked, which
 * counts those of all processes. One question of a key at a time is under way, for all that wait.
 */
#ifndef STUMPER_API_QUOTA_H
#define STUMPER_API_QUOTA_H

struct call;

/** @c, whose rate says that the store has to be asked, goes on when that has answered: call_go(),
 * or 429. */
void quota_wait(struct call *c);

/** @c is over. It may wait, or not. */
void quota_forget(struct call *c);

#endif
