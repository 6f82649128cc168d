#include "collector/quota.h"

void isc_bucket_init(IscBucket *b, gint64 rate, gint64 burst, gint64 now)
{
	*b = (IscBucket){ rate, burst, burst, now };
}

static void fill(IscBucket *b, gint64 now)
{
	gint64 elapsed = CLAMP(now - b->updated, 0, (gint64)3600 * G_USEC_PER_SEC);
	gint64 units = elapsed / G_USEC_PER_SEC * b->rate +
		       elapsed % G_USEC_PER_SEC * b->rate / G_USEC_PER_SEC;
	if (units <= 0)
		return; /* let the time add up to a whole unit */
	b->level += units;
	/* The clock moves by what the whole units took; the rest counts next time.  Unless it is
	 * full. */
	b->updated += units / b->rate * G_USEC_PER_SEC + units % b->rate * G_USEC_PER_SEC / b->rate;
	if (b->level >= b->burst || now - b->updated > G_USEC_PER_SEC) {
		b->level = MIN(b->level, b->burst);
		b->updated = now;
	}
}

void isc_bucket_take(IscBucket *b, gint64 units, gint64 now)
{
	fill(b, now);
	/* A debt has a floor, or one moment would silence a node for hours. */
	b->level = MAX(b->level - units, -10 * b->rate);
}

guint isc_bucket_wait(IscBucket *b, gint64 now)
{
	fill(b, now);
	if (b->level > 0)
		return 0;
	return (guint)MAX((b->rate / 10 - b->level) * 1000 / b->rate, 1);
}
