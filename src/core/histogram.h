/* histogram.h - latencies in 96 logarithmic buckets, each 2^(1/4) (19 %) wider than the one before,
 * up to 2^24 (in milliseconds: 4.6 hours; longer ones share the last bucket). A quantile is within
 * 10 % of the true value, or within 1 below 10. */
#ifndef STUMPER_CORE_HISTOGRAM_H
#define STUMPER_CORE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 96

struct histogram {
    int64_t counts[HISTOGRAM_BUCKETS];
    int64_t n;
    int64_t sum, min, max;
};

void histogram_add(struct histogram *h, int64_t value); /* value >= 0 */

/** The value below which a share @q (0..1) lies; 0 when empty. */
int64_t histogram_quantile(const struct histogram *h, double q);

#endif
