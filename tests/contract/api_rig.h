/* api_rig.h - the service's interface over a store of its own, for tests. */
#ifndef STUMPER_TESTS_API_RIG_H
#define STUMPER_TESTS_API_RIG_H

#include "api/api.h"

struct rig {
    char folder[64], path[96];
    struct store *store;
    struct metrics *metrics;
    struct api_options options; /* may be changed before rig_again() */
    struct api *api;
    int port;
    struct loop *loop; /* of the test's own operations */
};

int rig_setup(void **state);
int rig_teardown(void **state);

/** Stop the api and start it with the options as they are now; ERR_OK or why not. */
enum err rig_again(struct rig *r, struct errinfo *reterr);

#define rig_test(test) cmocka_unit_test_setup_teardown(test, rig_setup, rig_teardown)

#endif
