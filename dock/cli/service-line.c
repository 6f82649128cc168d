#include "cli/service-line.h"

#include <string.h>

#include "cli/output.h"

gboolean isc_service_line_stamp(const gchar *line, gsize len, gchar out[ISC_SERVICE_STAMP + 1])
{
	static const gchar form[] = "dddd-dd-ddTdd:dd:dd.dddZ ";
	if (len < strlen(form))
		return FALSE;
	for (gsize i = 0; form[i]; i++)
		if (form[i] == 'd' ? !g_ascii_isdigit(line[i]) : line[i] != form[i])
			return FALSE;
	memcpy(out, line, ISC_SERVICE_STAMP);
	out[ISC_SERVICE_STAMP] = '\0';
	return TRUE;
}

IscJson *isc_service_line_json(const gchar *line, gsize len)
{
	IscJson *json = json_object_new_object();
	gchar stamp[ISC_SERVICE_STAMP + 1];
	g_autofree gchar *text = isc_output_bytes(line, len);
	g_auto(GStrv) parts = g_strsplit(text, " ", 3);
	gboolean is_whole = g_strv_length(parts) == 3 && isc_service_line_stamp(line, len, stamp);
	if (is_whole) {
		json_object_object_add(json, "time", json_object_new_string(stamp));
		json_object_object_add(json, "stream", json_object_new_string(parts[1]));
	}
	json_object_object_add(json, "text", json_object_new_string(is_whole ? parts[2] : text));
	return json;
}
