#include "daemon/host-filter.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "daemon/options.h"
#include "engine/host-filter.h"
#include "render/host-filter.h"

#define TRIAL_S 60
#define WORDS_MAX 4096

/* --- what was confirmed ---------------------------------------------------------------------- */

static gchar *path_of(const IscDock *dock)
{
	return g_build_filename(dock->config->state_dir, "host-filter", NULL);
}

/* The words that were confirmed, or NULL.  (transfer full) */
static gchar *confirmed(const IscDock *dock)
{
	g_autofree gchar *path = path_of(dock);
	gchar *words = isc_file_read(AT_FDCWD, path, WORDS_MAX, NULL, NULL);
	return words ? g_strchomp(words) : NULL;
}

static gboolean note(const IscDock *dock, const gchar *words, GError **error)
{
	g_autofree gchar *path = path_of(dock);
	if (words)
		return isc_file_write(AT_FDCWD, path, words, strlen(words), 0600, error);
	return unlink(path) == 0 || errno == ENOENT ||
	       isc_error_set_errno(error, errno, "cannot remove '%s'", path);
}

static gboolean put_in_force(IscDock *dock, const gchar *words, guint seconds, GError **error)
{
	IscHostFilterView view;

	if (!dock->outside) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_STATE,
				"no outside interface is known: set OutsideInterface= in "
				"dock.conf");
		return FALSE;
	}
	g_autofree gchar *text = isc_host_filter_render(words, dock->outside, seconds, error);
	if (!text || !isc_host_filter_run(text, error) || !isc_host_filter_read(&view, error))
		return FALSE;
	if (view.state == (seconds ? ISC_HOST_FILTER_TRIAL : ISC_HOST_FILTER_ON))
		return TRUE;
	g_set_error_literal(error, ISC_ERROR, ISC_ERROR_VERIFY,
			"the kernel did not take the host filter");
	return FALSE;
}

static gboolean take_away(GError **error)
{
	return isc_host_filter_run(isc_host_filter_render_delete(), error);
}

/* --- time passes ----------------------------------------------------------------------------- */

void isc_host_filter_look(IscDock *dock, gpointer unused)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->admission);
	g_autofree gchar *words = confirmed(dock);
	g_autoptr(GError) why = NULL;
	IscHostFilterView view;
	(void)unused;

	if (!isc_host_filter_read(&view, &why)) {
		g_warning("host filter: %s", why->message);
		return;
	}
	if (!words && view.stands && view.state == ISC_HOST_FILTER_OFF && take_away(&why))
		isc_dock_event(dock, "", "filter.rolled-back", "warn", ISC_CALLER_DOCK,
				"the host filter was not confirmed in time: it is off");
	/* A trial of other words that was given up: what was confirmed before counts. */
	if (words && view.state == ISC_HOST_FILTER_OFF) {
		if (put_in_force(dock, words, 0, &why))
			isc_dock_event(dock, "", "filter.restored", "warn", ISC_CALLER_DOCK,
					"the host filter that was confirmed is in force again: %s",
					words);
		else
			isc_dock_event(dock, "", "filter.lost", "alarm", ISC_CALLER_DOCK,
					"the host filter is not in force: %s", why->message);
	}
}

static gboolean on_time(gpointer dock)
{
	isc_dock_do(dock, isc_host_filter_look, NULL);
	return G_SOURCE_REMOVE;
}

void isc_host_filter_start(IscDock *dock)
{
	g_autofree gchar *words = confirmed(dock);
	g_autoptr(GError) why = NULL;
	IscHostFilterView view;

	if (!isc_host_filter_read(&view, &why)) {
		g_warning("host filter: %s", why->message);
		return;
	}
	if (!dock->config->host_filter) {
		/* Turned off in dock.conf while we were away. */
		if ((words || view.stands) && take_away(&why) && note(dock, NULL, &why))
			isc_dock_event(dock, "", "filter.off", "warn", ISC_CALLER_DOCK,
					"the host filter is off: dock.conf has no HostFilter=");
	} else if (words && view.state != ISC_HOST_FILTER_TRIAL) {
		if (!put_in_force(dock, words, 0, &why))
			isc_dock_event(dock, "", "filter.lost", "alarm", ISC_CALLER_DOCK,
					"the host filter is not in force: %s", why->message);
	} else if (view.state == ISC_HOST_FILTER_TRIAL) {
		/* We died in the middle of it.  The kernel has gone on counting. */
		g_timeout_add_seconds(view.seconds + 2, on_time, dock);
	} else if (view.stands && take_away(&why)) {
		isc_dock_event(dock, "", "filter.rolled-back", "warn", ISC_CALLER_DOCK,
				"the host filter was not confirmed in time: it is off");
	}
	if (why)
		g_warning("host filter: %s", why->message);
}

/* --- calls ----------------------------------------------------------------------------------- */

static GVariant *answer(IscDock *dock, gboolean changed, const gchar *plan, GError **error)
{
	g_autofree gchar *words = confirmed(dock);
	IscHostFilterView view;
	const gchar *steps[] = { plan, NULL };

	if (!isc_host_filter_read(&view, error))
		return NULL;
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	g_variant_builder_add(&b, "{sv}", "state",
			g_variant_new_string(isc_host_filter_state_name(view.state)));
	g_variant_builder_add(&b, "{sv}", "seconds", g_variant_new_uint32(view.seconds));
	g_variant_builder_add(&b, "{sv}", "outside",
			g_variant_new_string(dock->outside ? dock->outside : ""));
	g_variant_builder_add(&b, "{sv}", "confirmed", g_variant_new_string(words ? words : ""));
	g_variant_builder_add(&b, "{sv}", "configured",
			g_variant_new_string(dock->config->host_filter ? dock->config->host_filter
								       : ""));
	g_variant_builder_add(&b, "{sv}", "dropped", g_variant_new_uint64(view.dropped));
	g_variant_builder_add(&b, "{sv}", "changed", g_variant_new_boolean(changed));
	if (plan)
		g_variant_builder_add(&b, "{sv}", "plan", g_variant_new_strv(steps, -1));
	return g_variant_new("(@a{sv})", g_variant_builder_end(&b));
}

static gboolean take_options(IscCall *call, const gchar *allowed, IscOptions *out, GError **error)
{
	g_autoptr(GVariant) dict = g_variant_get_child_value(call->params, 0);
	return isc_options_parse(dict, allowed, out, error);
}

GVariant *isc_host_filter_apply(IscCall *call, GError **error)
{
	IscDock *dock = call->dock;
	const gchar *words = dock->config->host_filter;
	IscOptions options;

	if (!take_options(call, "dry-run seconds ", &options, error))
		return NULL;
	const guint seconds = options.seconds ? options.seconds : TRIAL_S;
	if (seconds > ISC_HOST_FILTER_MAX_S) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"a trial lasts 1 to %u seconds, not %u", ISC_HOST_FILTER_MAX_S,
				seconds);
		return NULL;
	}
	if (!words) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_STATE,
				"the host filter is not configured: write HostFilter=tcp:22 "
				"udp:68 into dock.conf and restart isc-dockd");
		return NULL;
	}
	g_autofree gchar *plan = g_strdup_printf("from %s let only %s in, for %u s",
			dock->outside ? dock->outside : "outside", words, seconds);
	if (options.dry_run)
		return answer(dock, FALSE, plan, error);

	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->admission);
	if (!put_in_force(dock, words, seconds, error))
		return NULL;
	isc_dock_event(dock, "", "filter.trial", "info", call->uid,
			"the host filter is on trial for %u s: %s", seconds, words);
	g_timeout_add_seconds(seconds + 2, on_time, dock);
	return answer(dock, TRUE, NULL, error);
}

GVariant *isc_host_filter_confirm(IscCall *call, GError **error)
{
	IscDock *dock = call->dock;
	IscHostFilterView view;
	IscOptions options;

	if (!take_options(call, "dry-run ", &options, error))
		return NULL;
	if (options.dry_run)
		return answer(dock, FALSE, "keep the host filter that is on trial", error);

	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->admission);
	if (!isc_host_filter_read(&view, error))
		return NULL;
	if (view.state == ISC_HOST_FILTER_ON)
		return answer(dock, FALSE, NULL, error);
	if (view.state == ISC_HOST_FILTER_OFF || !dock->config->host_filter) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_STATE,
				"no host filter is on trial: it was not applied, or the time is "
				"over and it is off");
		return NULL;
	}
	/* On disk first: who has confirmed wants it, also after a crash in between. */
	if (!note(dock, dock->config->host_filter, error) ||
			!isc_host_filter_run(isc_host_filter_render_confirm(), error))
		return NULL;
	isc_dock_event(dock, "", "filter.on", "info", call->uid, "the host filter is confirmed: %s",
			dock->config->host_filter);
	return answer(dock, TRUE, NULL, error);
}

GVariant *isc_host_filter_off(IscCall *call, GError **error)
{
	IscDock *dock = call->dock;
	IscHostFilterView view;
	IscOptions options;

	if (!take_options(call, "dry-run ", &options, error))
		return NULL;
	if (options.dry_run)
		return answer(dock, FALSE, "take the host filter away", error);

	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->admission);
	g_autofree gchar *words = confirmed(dock);
	if (!isc_host_filter_read(&view, error) || !note(dock, NULL, error) || !take_away(error))
		return NULL;
	gboolean changed = words || view.state != ISC_HOST_FILTER_OFF;
	if (changed)
		isc_dock_event(dock, "", "filter.off", "warn", call->uid, "the host filter is off");
	return answer(dock, changed, NULL, error);
}

GVariant *isc_host_filter_show(IscCall *call, GError **error)
{
	return answer(call->dock, FALSE, NULL, error);
}
