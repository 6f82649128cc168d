#include "model/limits.h"

#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "model/rate.h"

#define SHARES_OF_100 1024 /* cgroups v1: systemd.resource-control(5), CPUShares= */

static gboolean fail(const gchar *value, GError **error, const gchar *wants)
{
	g_autofree gchar *shown = isc_text_escape(value, -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "'%s' is no %s", shown, wants);
	return FALSE;
}

static gboolean take_quota(guint *out, const gchar *value, GError **error)
{
	gsize len = strlen(value);
	g_autofree gchar *digits = len ? g_strndup(value, len - 1) : g_strdup("");
	guint64 percent;
	if (!g_str_has_suffix(value, "%") || !g_ascii_string_to_unsigned(digits, 10, 1,
							     ISC_CPU_QUOTA_MAX, &percent, NULL))
		return fail(value, error, "share of one CPU from 1% to 6400%, like 50% or 150%");
	*out = (guint)percent;
	return TRUE;
}

static gboolean take_weight(guint *out, const gchar *value, GError **error)
{
	guint64 weight;
	if (!g_ascii_string_to_unsigned(value, 10, 1, ISC_CPU_WEIGHT_MAX, &weight, NULL))
		return fail(value, error, "weight from 1 to 10000 (100 is the default)");
	*out = weight == ISC_CPU_WEIGHT_DEFAULT ? 0 : (guint)weight;
	return TRUE;
}

static gboolean take_rate(guint64 *out, const gchar *value, GError **error)
{
	const gchar *end = value;
	guint64 rate;
	if (!isc_rate_take(&end, 'K', &rate) || *end || rate < ISC_IO_RATE_MIN ||
			rate > ISC_IO_RATE_MAX)
		return fail(value, error,
				"rate from 65536 to 1000G bytes per second, like 10M (K, M or G "
				"may "
				"follow the number)");
	*out = rate;
	return TRUE;
}

static gboolean take_iops(guint *out, const gchar *value, GError **error)
{
	guint64 number;
	if (!g_ascii_string_to_unsigned(value, 10, ISC_IOPS_MIN, ISC_IOPS_MAX, &number, NULL))
		return fail(value, error, "number of requests per second from 10 to 10000000");
	*out = (guint)number;
	return TRUE;
}

gboolean isc_limits_take(IscLimits *limits, const gchar *key, const gchar *value, GError **error)
{
	if (g_str_equal(key, "CPUQuota"))
		return take_quota(&limits->cpu_percent, value, error);
	if (g_str_equal(key, "CPUWeight"))
		return take_weight(&limits->cpu_weight, value, error);
	if (g_str_equal(key, "IOReadBandwidth"))
		return take_rate(&limits->read_bps, value, error);
	if (g_str_equal(key, "IOWriteBandwidth"))
		return take_rate(&limits->write_bps, value, error);
	g_assert(g_str_equal(key, "IOPS"));
	return take_iops(&limits->iops, value, error);
}

static void print_rate(GString *out, const gchar *key, guint64 rate)
{
	if (!rate)
		return;
	g_string_append_printf(out, "%s=", key);
	isc_rate_append(out, rate, 'K');
	g_string_append_c(out, '\n');
}

void isc_limits_print(const IscLimits *limits, GString *out)
{
	if (limits->cpu_percent)
		g_string_append_printf(out, "CPUQuota=%u%%\n", limits->cpu_percent);
	if (limits->cpu_weight)
		g_string_append_printf(out, "CPUWeight=%u\n", limits->cpu_weight);
	print_rate(out, "IOReadBandwidth", limits->read_bps);
	print_rate(out, "IOWriteBandwidth", limits->write_bps);
	if (limits->iops)
		g_string_append_printf(out, "IOPS=%u\n", limits->iops);
}

gboolean isc_limits_any(const IscLimits *limits)
{
	return limits->cpu_percent || limits->cpu_weight || limits->read_bps || limits->write_bps ||
	       limits->iops;
}

guint64 isc_limits_cpu_shares(guint weight, gboolean unified)
{
	guint64 of_100 = weight ? weight : ISC_CPU_WEIGHT_DEFAULT;
	return unified ? of_100 : of_100 * SHARES_OF_100 / 100;
}

guint isc_limits_cpu_weight(guint64 shares, gboolean unified)
{
	guint64 of_100 = unified ? shares
				 : (MIN(shares, G_MAXUINT) * 100 + SHARES_OF_100 - 1) /
							 SHARES_OF_100;
	guint weight = (guint)CLAMP(of_100, 1, ISC_CPU_WEIGHT_MAX);
	return weight == ISC_CPU_WEIGHT_DEFAULT ? 0 : weight;
}

guint isc_limits_cpu_percent(const IscLimits *limits, guint vcpus)
{
	return limits->cpu_percent ? MIN(limits->cpu_percent, vcpus * 100) : vcpus * 100;
}
