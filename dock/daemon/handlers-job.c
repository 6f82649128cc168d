#include "daemon/answer.h"
#include "daemon/handlers.h"
#include "daemon/schedule.h"

static GVariant *pause_schedule(IscCall *call, gboolean on, GError **error)
{
	gboolean changed;
	if (!isc_schedule_pause(call->dock, call->name, on, call->uid, &changed, error))
		return NULL;
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	isc_answer_put(&b, "name", g_variant_new_string(call->name));
	isc_answer_put(&b, "paused", g_variant_new_boolean(on));
	isc_answer_put(&b, "changed", g_variant_new_boolean(changed));
	return isc_answer(&b);
}

GVariant *isc_handle_pause_schedule(IscCall *call, GError **error)
{
	return pause_schedule(call, TRUE, error);
}

GVariant *isc_handle_resume_schedule(IscCall *call, GError **error)
{
	return pause_schedule(call, FALSE, error);
}
