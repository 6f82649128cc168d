/* What lies in a node's folder when an auditor looks: two bytes how long the log is, the log, the
 * chain.  Walked by the verifier, in one go and in bites; and by the diagnosis, which otherwise
 * only sees chains whose signatures hold. */
#include "fuzz.h"

#include <sodium.h>

#include "collector/trail-diagnose.h"
#include "collector/trail-verify.h"

typedef struct {
	guint64 records;
} Seen;

static void on_record(const IscTrailRecord *r, gpointer data)
{
	Seen *seen = data;
	g_assert(r->number == ++seen->records);
	g_assert(r->len < ISC_CHAIN_LINE_MAX);
	g_assert(!memchr(r->line, '\n', r->len) || r->len == 0);
}

/* Number of the first bad record; 0: all is good. */
static guint64 verify(const guint8 *log, gsize log_len, const guint8 *chain, gsize chain_len,
		gsize bite, gboolean at_rest)
{
	Seen seen = { 0 };
	IscTrailExpect expect = { .at_rest = at_rest };
	IscBytes l = { log, 0 }, c = { chain, 0 };
	g_auto(IscTrailReport) r;
	g_autoptr(IscTrailVerify) v = isc_trail_verify_new(&expect, on_record, &seen);

	isc_trail_verify_begin(v, isc_source_bytes(&l), isc_source_bytes(&c));
	for (gsize n = bite; n < MAX(log_len, chain_len) + bite; n += bite) {
		l.left = MIN(n, log_len) - (gsize)(l.next - log);
		c.left = MIN(n, chain_len) - (gsize)(c.next - chain);
		if (!isc_trail_verify_run(v))
			break;
	}
	l.left = log_len - (gsize)(l.next - log);
	c.left = chain_len - (gsize)(c.next - chain);
	isc_trail_verify_end(v, TRUE);
	gboolean ok = isc_trail_verify_finish(v, &r);
	g_assert(ok == (r.fault == ISC_TRAIL_GOOD) && ok == (r.detail == NULL));
	g_assert(r.records == seen.records);
	g_assert(ok || r.record == seen.records + 1);
	return r.record;
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
	if (size < 2 || sodium_init() < 0)
		return 0;
	gsize log_len = MIN((gsize)(data[0] | data[1] << 8), size - 2);
	const guint8 *log = data + 2, *chain = log + log_len;
	gsize chain_len = size - 2 - log_len;

	/* What kind it is can depend on how much there is to look ahead at; where it is cannot. */
	guint64 bad = verify(log, log_len, chain, chain_len, size, TRUE);
	g_assert(verify(log, log_len, chain, chain_len, 64, TRUE) == bad);
	verify(log, log_len, chain, chain_len, size, FALSE);

	IscDiagnosis d;
	isc_trail_diagnose(chain, chain_len, data[0], log, log_len, data[1] & 1, &d);
	g_assert(d.fault != ISC_TRAIL_GOOD && d.detail[0]);
	return 0;
}
