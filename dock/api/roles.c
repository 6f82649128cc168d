#include "api/roles.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "base/error.h"

static const struct {
	const gchar *group;
	guint bit;
} roles[] = {
	{ "isc-operator", ISC_ROLE_OPERATOR },
	{ "isc-security", ISC_ROLE_SECURITY },
	{ "isc-auditor", ISC_ROLE_AUDITOR },
};

/* clang-format off */
static const struct {
	const gchar *interface, *method;
	guint roles;
} table[] = {
	{ "Dock1", "Provision",   ISC_ROLE_OPERATOR },
	{ "Dock1", "Scale",       ISC_ROLE_OPERATOR },
	{ "Dock1", "UpgradeSet",  ISC_ROLE_OPERATOR },
	{ "Dock1", "DestroySet",  ISC_ROLE_OPERATOR },
	{ "Dock1", "ExposeSet",  ISC_ROLE_OPERATOR },
	{ "Dock1", "UnexposeSet", ISC_ROLE_OPERATOR | ISC_ROLE_SECURITY },
	{ "Dock1", "AllowSet",   ISC_ROLE_OPERATOR },
	{ "Dock1", "DenySet",    ISC_ROLE_OPERATOR | ISC_ROLE_SECURITY },
	{ "Dock1", "LimitSet",   ISC_ROLE_OPERATOR },
	{ "Dock1", "QuarantineSet", ISC_ROLE_OPERATOR | ISC_ROLE_SECURITY },
	{ "Dock1", "ReleaseSet", ISC_ROLE_SECURITY },
	{ "Dock1", "ShowSet",     ISC_ROLE_ANY },
	{ "Dock1", "ImportImage", ISC_ROLE_OPERATOR | ISC_ROLE_SECURITY },
	{ "Dock1", "RemoveImage", ISC_ROLE_OPERATOR | ISC_ROLE_SECURITY },
	{ "Dock1", "ShowImage",   ISC_ROLE_ANY },
	{ "Dock1", "ListImages",  ISC_ROLE_ANY },
	{ "Dock1", "ListNodes",   ISC_ROLE_ANY },
	{ "Dock1", "Doctor",      ISC_ROLE_ANY },
	{ "Dock1", "Fsck",        ISC_ROLE_OPERATOR },
	{ "Dock1", "ShowNetwork",    ISC_ROLE_ANY },
	{ "Dock1", "ExplainNetwork", ISC_ROLE_ANY },
	{ "Dock1", "FilterApply",    ISC_ROLE_SECURITY },
	{ "Dock1", "FilterConfirm",  ISC_ROLE_SECURITY },
	{ "Dock1", "FilterOff",      ISC_ROLE_SECURITY },
	{ "Dock1", "FilterShow",     ISC_ROLE_ANY },
	{ "Dock1", "ListEvents",  ISC_ROLE_ANY },
	{ "Dock1", "ListJobs",    ISC_ROLE_ANY },
	{ "Dock1", "OpenTrail",   ISC_ROLE_ANY },
	{ "Dock1", "OpenChain",   ISC_ROLE_ANY },
	{ "Dock1", "ListTrails",  ISC_ROLE_ANY },
	{ "Dock1", "ListDestroyed",   ISC_ROLE_ANY },
	{ "Dock1", "Status",          ISC_ROLE_ANY },
	{ "Dock1", "Drain",           ISC_ROLE_OPERATOR },
	{ "Dock1", "Undrain",         ISC_ROLE_OPERATOR },
	{ "Dock1", "Teardown",        ISC_ROLE_OPERATOR },
	{ "Dock1", "ListEvidence",    ISC_ROLE_SECURITY | ISC_ROLE_AUDITOR },
	{ "Dock1", "OpenEvidence",    ISC_ROLE_SECURITY | ISC_ROLE_AUDITOR },
	{ "Dock1", "OpenEvidenceKey", ISC_ROLE_SECURITY },
	{ "Dock1", "RemoveEvidence",  ISC_ROLE_SECURITY },
	{ "Dock1", "NoteAnchors", ISC_ROLE_ANY },
	{ "Dock1", "PublicKey",   ISC_ROLE_ANY },
	{ "Dock1", "CreateVolume",  ISC_ROLE_OPERATOR },
	{ "Dock1", "ListVolumes",   ISC_ROLE_ANY },
	{ "Dock1", "ShowVolume",    ISC_ROLE_ANY },
	{ "Dock1", "ResizeVolume",  ISC_ROLE_OPERATOR },
	{ "Dock1", "AttachVolume",  ISC_ROLE_OPERATOR },
	{ "Dock1", "DetachVolume",  ISC_ROLE_OPERATOR },
	{ "Dock1", "RemoveVolume",  ISC_ROLE_OPERATOR },
	{ "Dock1", "RekeyVolume",   ISC_ROLE_OPERATOR | ISC_ROLE_SECURITY },
	{ "Dock1", "ExportVolume",  ISC_ROLE_OPERATOR },
	{ "Dock1", "ImportVolume",  ISC_ROLE_OPERATOR },

	{ "Dock1.Node", "Show",            ISC_ROLE_ANY },
	{ "Dock1.Node", "Enable",          ISC_ROLE_OPERATOR },
	{ "Dock1.Node", "Disable",         ISC_ROLE_OPERATOR },
	{ "Dock1.Node", "Suspend",         ISC_ROLE_OPERATOR },
	{ "Dock1.Node", "Resume",          ISC_ROLE_OPERATOR },
	{ "Dock1.Node", "Destroy",         ISC_ROLE_OPERATOR },
	{ "Dock1.Node", "Quarantine",      ISC_ROLE_OPERATOR | ISC_ROLE_SECURITY },
	{ "Dock1.Node", "Release",         ISC_ROLE_SECURITY },
	{ "Dock1.Node", "Expose",          ISC_ROLE_OPERATOR },
	{ "Dock1.Node", "Unexpose",        ISC_ROLE_OPERATOR | ISC_ROLE_SECURITY },
	{ "Dock1.Node", "Allow",           ISC_ROLE_OPERATOR },
	{ "Dock1.Node", "Deny",            ISC_ROLE_OPERATOR | ISC_ROLE_SECURITY },
	{ "Dock1.Node", "Limit",           ISC_ROLE_OPERATOR },
	{ "Dock1.Node", "Protect",         ISC_ROLE_OPERATOR },
	{ "Dock1.Node", "Unprotect",       ISC_ROLE_OPERATOR },
	{ "Dock1.Node", "PauseSchedule",   ISC_ROLE_OPERATOR },
	{ "Dock1.Node", "ResumeSchedule",  ISC_ROLE_OPERATOR },
	{ "Dock1.Node", "Upgrade",         ISC_ROLE_OPERATOR },
	{ "Dock1.Node", "Rollback",        ISC_ROLE_OPERATOR },
	{ "Dock1.Node", "SnapshotCreate",  ISC_ROLE_OPERATOR },
	{ "Dock1.Node", "SnapshotList",    ISC_ROLE_ANY },
	{ "Dock1.Node", "SnapshotRestore", ISC_ROLE_OPERATOR },
	{ "Dock1.Node", "SnapshotDelete",  ISC_ROLE_OPERATOR },
	{ "Dock1.Node", "SnapshotClone",   ISC_ROLE_OPERATOR },
	{ "Dock1.Node", "SnapshotVerify",  ISC_ROLE_ANY },
};
/* clang-format on */

static gboolean is_member(gid_t gid, const gid_t *gids, int n)
{
	for (int i = 0; i < n; i++)
		if (gids[i] == gid)
			return TRUE;
	return FALSE;
}

guint isc_roles_of_uid(guint uid)
{
	struct passwd pw, *user = NULL;
	gchar room[4096];
	gid_t gids[256];
	int n = G_N_ELEMENTS(gids);
	guint bits = 0;

	if (uid == 0)
		return ISC_ROLE_ANY;
	if (getpwuid_r(uid, &pw, room, sizeof(room), &user) != 0 || !user ||
			getgrouplist(user->pw_name, user->pw_gid, gids, &n) < 0)
		return 0;
	for (gsize i = 0; i < G_N_ELEMENTS(roles); i++) {
		struct group gr, *group = NULL;
		gchar more[16384];
		if (getgrnam_r(roles[i].group, &gr, more, sizeof(more), &group) == 0 && group &&
				is_member(group->gr_gid, gids, n))
			bits |= roles[i].bit;
	}
	return bits;
}

gchar *isc_roles_print(guint have)
{
	GString *out = g_string_new(NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(roles); i++)
		if (have & roles[i].bit)
			g_string_append_printf(out, "%s%s", out->len ? "," : "",
					roles[i].group + strlen("isc-"));
	return g_string_free(out->len ? out : g_string_append(out, "none"), FALSE);
}

guint isc_roles_for_method(const gchar *interface, const gchar *method)
{
	for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
		if (g_str_equal(table[i].interface, interface) &&
				g_str_equal(table[i].method, method))
			return table[i].roles;
	return 0;
}

gboolean isc_roles_check(guint have, const gchar *interface, const gchar *method, GError **error)
{
	guint want = isc_roles_for_method(interface, method);
	if (have & want)
		return TRUE;

	g_autoptr(GString) names = g_string_new(NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(roles); i++)
		if (want & roles[i].bit)
			g_string_append_printf(
					names, "%s%s", names->len ? " or " : "", roles[i].group);
	g_set_error(error, ISC_ERROR, ISC_ERROR_AUTH,
			"%s: not allowed; ask for membership of group %s", method,
			names->len ? names->str : "(none: nobody may call it)");
	return FALSE;
}
