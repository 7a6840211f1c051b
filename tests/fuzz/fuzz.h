/* fuzz.h - what every fuzz target defines; libFuzzer calls it, or replay_main.c. */
#ifndef STUMPER_TESTS_FUZZ_H
#define STUMPER_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/** Do the work on @size bytes at @data and ASSERT what must hold; returns 0. Visible, since
 * libFuzzer links to it. */
__attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
