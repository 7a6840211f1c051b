/* The service's interface as its clients see it: the real server over a real store, spoken to in
 * plain bytes. What workers do to jobs is done here by the store's own operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api_rig.h"
#include "talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOB                                                                                        \
    "{\"num_problems\":2,\"engineer_model\":\"sim/engineer\",\"checker_model\":\"sim/checker\","   \
    "\"target_model\":{\"provider\":\"sim\",\"model_name\":\"target\"},\"metadata\":{\"team\":"    \
    "\"a\"}}"

static void test_a_job_is_accepted_and_can_be_looked_at(void **state) {
    struct rig *r = *state;
    const struct talk_reply *reply = talk(r->port, "POST", "/generate", "", JOB);
    char id[64], path[128];
    assert_int_equal(reply->status, 202);
    assert_non_null(talk_header(reply, "location"));
    assert_int_equal(sscanf(talk_header(reply, "location"), "/status/%63s", id), 1);
    (void)snprintf(path, sizeof path, "/status/%s", id);
    reply = talk(r->port, "GET", path, "", NULL);
    assert_int_equal(reply->status, 200);
    assert_non_null(strstr(reply->body, "\"status\":\"queued\""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        rig_test(test_a_job_is_accepted_and_can_be_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
