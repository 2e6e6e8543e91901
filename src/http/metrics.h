/* What is counted of each route, and /metrics, which tells it (Prometheus text format 0.0.4).
 * Counting is a few relaxed additions on the loop thread; telling is any thread's. */
#ifndef HTTP_METRICS_H
#define HTTP_METRICS_H

#include "http/route.h"

#define LATENCY_BOUNDS 12
extern const int64_t latency_bounds_us[LATENCY_BOUNDS];

struct route_metrics {
    _Atomic int64_t by_class[5]; /* 1xx … 5xx */
    _Atomic int64_t buckets[LATENCY_BOUNDS + 1];
    _Atomic int64_t sum_us;
};

void metrics_count(struct route_metrics *metrics, int status, int64_t duration_us);

enum err metrics_reply(struct req *rq);

#endif
