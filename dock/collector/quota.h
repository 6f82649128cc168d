#pragma once
#include <glib.h>

/* A token bucket.  It can be overdrawn by what was in flight; then it is empty for longer.  Pure.
 */
typedef struct {
	gint64 rate;    /* units a second; more than 0 */
	gint64 burst;   /* units it holds when full */
	gint64 level;   /* units left; below 0: overdrawn */
	gint64 updated; /* µs, monotonic */
} IscBucket;

void isc_bucket_init(IscBucket *bucket, gint64 rate, gint64 burst, gint64 now);
void isc_bucket_take(IscBucket *bucket, gint64 units, gint64 now);

/* 0: there are units left.  Else ms until there are some to speak of (a tenth of a second's worth),
 * at least 1. */
guint isc_bucket_wait(IscBucket *bucket, gint64 now);
