#include "sim_thread.h"

#include "base/mem.h"
#include "sim/server.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct sim_thread {
    struct sim_options options;
    struct sim_server *server;
    pthread_t thread;
};

static void *sim_thread_main(void *server) {
    sim_server_run(server);
    return NULL;
}

struct sim_thread *sim_thread_start(int *ret_port) {
    struct sim_thread *t = mem_new(sizeof *t);
    struct errinfo why;
    t->options = (struct sim_options){
        .listen = "127.0.0.1", .stop_fd = eventfd(0, EFD_CLOEXEC), .piece_bytes = 64};
    brain_options_init(&t->options.brain);
    enum err e = sim_server_new(&t->options, &t->server, &why);
    ASSERT(e == ERR_OK);
    int failed = pthread_create(&t->thread, NULL, sim_thread_main, t->server);
    ASSERT(failed == 0);
    *ret_port = sim_server_port(t->server);
    return t;
}

void sim_thread_stop(struct sim_thread *t) {
    int failed = eventfd_write(t->options.stop_fd, 1);
    ASSERT(failed == 0);
    failed = pthread_join(t->thread, NULL);
    ASSERT(failed == 0);
    sim_server_free(t->server);
    (void)close(t->options.stop_fd);
    free(t);
}
