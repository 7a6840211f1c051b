/* sim_thread.h - for tests: the real simulator on a loopback port, on a thread of its own. */
#ifndef STUMPER_TESTS_SIM_THREAD_H
#define STUMPER_TESTS_SIM_THREAD_H

struct sim_thread;

/** Start it, without latency and faults; its port. */
struct sim_thread *sim_thread_start(int *ret_port);

void sim_thread_stop(struct sim_thread *t);

#endif
