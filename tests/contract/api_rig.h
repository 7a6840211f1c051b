/* api_rig.h - the service's interface over the store of a store_rig, for tests. What workers do to
 * jobs is done with that rig's operations. */
#ifndef STUMPER_TESTS_API_RIG_H
#define STUMPER_TESTS_API_RIG_H

#include "api/api.h"
#include "contract/store_rig.h"

struct api_rig {
    struct rig rig;
    struct metrics *metrics;
    struct api_options options; /* may be changed before api_rig_again() */
    struct api *api;
    int port;
};

int api_rig_set_up(void **state);
int api_rig_tear_down(void **state);

/** Stop the api and start it with the options as they are now; ERR_OK or why not. */
enum err api_rig_again(struct api_rig *r, struct errinfo *reterr);

#define api_test(test) cmocka_unit_test_setup_teardown(test, api_rig_set_up, api_rig_tear_down)

#endif
