/* The table of subcommands, nothing else. What happens behind it:
 *
 *   generate ─► cli/cmd_generate.c   submits a job to a store and runs a worker on it
 *   sim      ─► cli/cmd_sim.c        a simulated provider, a real HTTP server (sim/)
 *   score    ─► cli/cmd_score.c      kept problems against what the simulator planted
 *   show status export doctor version ─► one file each in cli/
 *
 * ARCHITECTURE.md tells the rest.
 */
#include "cli/cmd.h"

#include <stdio.h>

int main(int argc, char **argv) {
    (void)argc;
    (void)argv;
    (void)fprintf(stderr, "stumper: no commands yet\n");
    return EXIT_USAGE;
}
