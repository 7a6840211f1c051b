/* histogram.h - latencies in 64 logarithmic buckets a decade apart by 2^(1/4): 19 % wide, so a
 * quantile is within 10 %. */
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
