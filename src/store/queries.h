/* queries.h - the texts that the rules run, by number. Inside the room only. */
#ifndef STUMPER_STORE_QUERIES_H
#define STUMPER_STORE_QUERIES_H

#include <stddef.h>

enum {
    Q_JOB_FIND,
    Q_JOB_ADD,
    Q_JOB_COUNT,
    Q_JOB_STATE,
    Q_SPEC_ADD,
    Q_EVENT_ADD,
    Q_TOKENS_TAKE,
    Q_WAITING,
    Q_WAITING_END,
    Q_LEASE_AGAIN,
    Q_LEASE_NEW,
    Q_LEASE_LIVE,
    Q_LEASE_END,
    Q_LEASE_BACK,
    Q_CALL_ADD,
    Q_CALLS_OF,
    Q_CALLS_SUM,
    Q_PROBLEM_ADD,
    Q_REAP,
    Q_CRASHED,
    Q_COUNT
};

extern const char *const queries_texts[Q_COUNT];

#endif
