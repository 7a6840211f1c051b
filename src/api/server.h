/* server.h - inside the room: the server, as all its parts see it. */
#ifndef STUMPER_API_SERVER_H
#define STUMPER_API_SERVER_H

#include "api/api.h"
#include "api/auth.h"
#include "api/meters.h"
#include "api/underway.h"
#include "base/rng.h"
#include "httpd/buffer.h"

#include <pthread.h>
#include <stdatomic.h>

#define API_ANSWER_BYTES_MAX ((size_t)256 * 1024 * 1024)
#define API_STREAM_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define API_STREAMS_MAX 1000

struct follows;
struct task;
struct views;
struct webhooks;

struct api {
    struct api_options o;
    pthread_t thread;
    struct loop *loop;
    struct httpd *httpd;
    struct store_watch *watch;
    struct auth auth;
    struct views *views;
    struct follows *follows;
    struct webhooks *webhooks;
    struct underway underway;
    struct meters meters;
    struct buffers buffers; /* of answers */
    struct task *idle_tasks;
    size_t idle_tasks_n;
    struct arena boot; /* what follows */
    struct taxonomy taxonomy;
    struct str taxonomy_text;
    atomic_bool draining;
    bool near; /* only this machine can reach it */
    bool stopping;
    struct loop_msg stop;
    char timeout_reply[512];
    struct rng rng; /* for the ids of requests, which are no secrets */
    struct {        /* how it began, for who waits in api_start() */
        pthread_mutex_t lock;
        pthread_cond_t changed;
        bool known;
        enum err err;
        struct errinfo why;
    } start;
};

#endif
