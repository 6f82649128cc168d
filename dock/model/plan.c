#include "model/plan.h"

#include <string.h>

#include "base/error.h"

static const gchar *const kind_names[ISC_N_STEP_KINDS] = {
	[ISC_STEP_FOLDER] = "folder",
	[ISC_STEP_VERIFY] = "verify",
	[ISC_STEP_OVERLAY] = "overlay",
	[ISC_STEP_CONFIG] = "config",
	[ISC_STEP_SECRET] = "secret",
	[ISC_STEP_CHANNELS] = "channels",
	[ISC_STEP_FENCE] = "fence",
	[ISC_STEP_TAP] = "tap",
	[ISC_STEP_DEFINE] = "define",
	[ISC_STEP_START] = "start",
	[ISC_STEP_READY] = "ready",
	[ISC_STEP_PAUSE] = "pause",
	[ISC_STEP_CUT] = "cut",
	[ISC_STEP_SNAPSHOT] = "snapshot",
	[ISC_STEP_EVIDENCE] = "evidence",
	[ISC_STEP_SNAPSHOTS] = "snapshots",
	[ISC_STEP_TRAIL] = "trail",
	[ISC_STEP_RULES] = "rules",
	[ISC_STEP_VOLUME] = "volume",
	[ISC_STEP_ATTACH] = "attach",
	[ISC_STEP_VOLUMES] = "volumes",
	[ISC_STEP_RESIZE] = "resize",
	[ISC_STEP_REKEY] = "rekey",
	[ISC_STEP_STANDIN] = "stand-in",
	[ISC_STEP_REDIRECT] = "redirect",
	[ISC_STEP_LIMITS] = "limits",
	[ISC_STEP_IMAGE] = "image",
	[ISC_STEP_REFILL] = "refill",
	[ISC_STEP_TURN] = "turn",
};

static void clear_step(gpointer data)
{
	g_free(((IscStep *)data)->arg);
}

IscPlan *isc_plan_new(IscVerb verb, const gchar *node)
{
	IscPlan *plan = g_new0(IscPlan, 1);
	plan->verb = verb;
	plan->node = g_strdup(node);
	plan->steps = g_array_new(FALSE, FALSE, sizeof(IscStep));
	g_array_set_clear_func(plan->steps, clear_step);
	return plan;
}

void isc_plan_add(IscPlan *plan, IscStepMode mode, IscStepKind kind, const gchar *arg)
{
	IscStep step = { kind, mode, g_strdup(arg ? arg : "") };
	g_array_append_val(plan->steps, step);
}

const gchar *isc_step_kind_name(IscStepKind kind)
{
	return kind_names[kind];
}

gchar *isc_step_describe(const IscStep *step)
{
	return g_strdup_printf("%c %s%s%s", (gchar)step->mode, kind_names[step->kind],
			*step->arg ? " " : "", step->arg);
}

gchar *isc_plan_print(const IscPlan *plan)
{
	GString *out = g_string_new(NULL);
	for (guint i = 0; i < plan->steps->len; i++) {
		g_autofree gchar *line = isc_step_describe(&g_array_index(plan->steps, IscStep, i));
		g_string_append_printf(out, "%s\n", line);
	}
	return g_string_free(out, FALSE);
}

static gboolean parse_step(IscPlan *plan, const gchar *line)
{
	if (strlen(line) < 3 || !strchr("+=~-", line[0]) || line[1] != ' ')
		return FALSE;

	const gchar *name = line + 2;
	const gchar *space = strchr(name, ' ');
	gsize len = space ? (gsize)(space - name) : strlen(name);
	for (guint kind = 0; kind < ISC_N_STEP_KINDS; kind++)
		if (strlen(kind_names[kind]) == len && strncmp(kind_names[kind], name, len) == 0) {
			isc_plan_add(plan, (IscStepMode)line[0], (IscStepKind)kind,
					space ? space + 1 : NULL);
			return TRUE;
		}
	return FALSE;
}

IscPlan *isc_plan_parse(IscVerb verb, const gchar *node, const gchar *text, GError **error)
{
	g_autoptr(IscPlan) plan = isc_plan_new(verb, node);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (gsize i = 0; lines[i]; i++)
		if (*lines[i] && !parse_step(plan, lines[i])) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
					"journal of node '%s': unknown step '%s'", node, lines[i]);
			return NULL;
		}
	return g_steal_pointer(&plan);
}

void isc_plan_free(IscPlan *plan)
{
	if (!plan)
		return;
	g_free(plan->node);
	g_array_unref(plan->steps);
	g_free(plan);
}
