/* upgrade and rollback. */
#include "daemon/answer.h"
#include "daemon/handlers.h"

#define OPTIONS "dry-run timeout drain in-place "

GVariant *isc_handle_upgrade(IscCall *call, GError **error)
{
	const gchar *image;
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(&s@a{sv})", &image, &options);
	IscRequest request = { .verb = ISC_VERB_UPGRADE, .image = image };
	return isc_answer_verb(call, &request, OPTIONS, options, NULL, error);
}

GVariant *isc_handle_rollback(IscCall *call, GError **error)
{
	g_autoptr(GVariant) options = g_variant_get_child_value(call->params, 0);
	IscRequest request = { .verb = ISC_VERB_ROLLBACK };
	return isc_answer_verb(call, &request, OPTIONS, options, NULL, error);
}
