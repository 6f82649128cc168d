/* R4.3: one loud node costs the others nothing. */
#include "cm.h"
#include "collector/quota.h"

#define S G_USEC_PER_SEC

static void a_burst_is_free_and_then_the_rate_holds(void **state)
{
	(void)state;
	IscBucket b;
	isc_bucket_init(&b, 100, 1000, 0);
	assert_int_equal(isc_bucket_wait(&b, 0), 0);
	isc_bucket_take(&b, 999, 0);
	assert_int_equal(isc_bucket_wait(&b, 0), 0);
	isc_bucket_take(&b, 1, 0);
	assert_int_equal(isc_bucket_wait(&b, 0), 100); /* a tenth of a second's worth */
	assert_int_equal(isc_bucket_wait(&b, S / 10), 0);

	gint64 taken = 0;
	isc_bucket_init(&b, 100, 1000, 0);
	for (gint64 now = 0; now < 100 * S; now += 7000)
		if (isc_bucket_wait(&b, now) == 0) {
			isc_bucket_take(&b, 30, now);
			taken += 30;
		}
	assert_in_range(taken, 10900, 11100);
}

static void an_idle_bucket_holds_no_more_than_a_burst(void **state)
{
	(void)state;
	IscBucket b;
	isc_bucket_init(&b, 1000000, 10, 0);
	isc_bucket_take(&b, 10, (gint64)1 << 60);
	assert_true(isc_bucket_wait(&b, (gint64)1 << 60) > 0);
}

static void a_debt_has_a_floor(void **state)
{
	(void)state;
	IscBucket b;
	isc_bucket_init(&b, 100, 1000, 0);
	for (guint i = 0; i < 100; i++)
		isc_bucket_take(&b, G_MAXINT32, 0);
	assert_in_range(isc_bucket_wait(&b, 0), 1, 10100);
}

static void a_clock_that_stands_or_goes_back_gives_nothing(void **state)
{
	(void)state;
	IscBucket b;
	isc_bucket_init(&b, 100, 10, 5 * S);
	isc_bucket_take(&b, 10, 5 * S);
	assert_true(isc_bucket_wait(&b, 4 * S) > 0);
	assert_true(isc_bucket_wait(&b, 5 * S) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_is_free_and_then_the_rate_holds),
		cmocka_unit_test(an_idle_bucket_holds_no_more_than_a_burst),
		cmocka_unit_test(a_debt_has_a_floor),
		cmocka_unit_test(a_clock_that_stands_or_goes_back_gives_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
