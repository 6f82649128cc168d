#include "daemon/volumes.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "daemon/admission.h"
#include "daemon/bus.h"
#include "daemon/room.h"
#include "daemon/steps.h"
#include "engine/volume.h"
#include "policy/planner.h"

static gchar *subject_of(const gchar *name)
{
	return g_strconcat("@", name, NULL);
}

static gchar *step_arg(const gchar *name, guint mib, const gchar *uuid)
{
	return g_strdup_printf("%s %u %s", name, mib, uuid);
}

/* A disk grows as it is written to, up to its size; more than there is was never promised. */
static gboolean check_room(IscDock *dock, const gchar *name, guint mib, GError **error)
{
	g_autofree gchar *what = g_strdup_printf("volume '%s' may grow by", name);
	return isc_room_check(dock, what, mib, error) &&
	       isc_admission_volume(dock, name, mib, error);
}

/* --- holding ------------------------------------------------------------------------------- */

void isc_volumes_release(IscVolumesHeld *held)
{
	for (guint i = 0; held->names && i < held->names->len; i++)
		isc_verbs_give_back(held->dock, held->names->pdata[i]);
	g_clear_pointer(&held->names, g_ptr_array_unref);
}

static gboolean hold(IscVolumesHeld *held, gchar *name, IscVerb verb, GCancellable *cancel,
		GError **error)
{
	g_autofree gchar *own = name;
	if (!isc_verbs_take(held->dock, own, verb, cancel, error))
		return FALSE;
	g_ptr_array_add(held->names, g_steal_pointer(&own));
	return TRUE;
}

static void begin(IscVolumesHeld *held, IscDock *dock)
{
	held->dock = dock;
	held->names = g_ptr_array_new_with_free_func(g_free);
}

gboolean isc_volumes_hold(IscDock *dock, const IscSpec *spec, GCancellable *cancel,
		IscVolumesHeld *held, GError **error)
{
	begin(held, dock);
	for (guint i = 0; i < spec->volumes->len; i++) {
		const gchar *name = g_array_index(spec->volumes, IscVolumeUse, i).name;
		if (!hold(held, subject_of(name), ISC_VERB_PROVISION, cancel, error))
			return FALSE;
	}
	return TRUE;
}

/* The volume, and the node that it is attached to: that one cannot start meanwhile. */
static gboolean hold_idle(IscDock *dock, const gchar *name, IscVerb verb, GCancellable *cancel,
		IscVolumesHeld *held, IscVolume *out, GError **error)
{
	begin(held, dock);
	if (!hold(held, subject_of(name), verb, cancel, error) ||
			!isc_register_get_volume(dock->reg, name, out, error))
		return FALSE;
	if (!*out->node)
		return TRUE;
	if (!hold(held, g_strdup(out->node), verb, cancel, error))
		return FALSE;
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, out->node, error);
	if (!node)
		return FALSE;
	if (!isc_node_state_is_up(node->state))
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
			"volume '%s' is in use by node '%s', which is %s; stop it first with "
			"'isc-vm "
			"disable %s'",
			name, out->node, isc_node_state_name(node->state), out->node);
	return FALSE;
}

GStrv isc_volumes_to_make(IscDock *dock, const IscSpec *spec, GError **error)
{
	g_autoptr(GStrvBuilder) list = g_strv_builder_new();
	for (guint i = 0; i < spec->volumes->len; i++) {
		const IscVolumeUse *use = &g_array_index(spec->volumes, IscVolumeUse, i);
		IscVolume there;
		if (isc_register_get_volume(dock->reg, use->name, &there, NULL)) {
			if (!*there.node || g_str_equal(there.node, spec->name))
				continue;
			g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
					"volume '%s' is in use by node '%s'; detach it there "
					"first, or "
					"choose another",
					use->name, there.node);
			return NULL;
		}
		if (!use->size_mib) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
					"no volume '%s': give a size ('%s:%s:1G') and it is made, "
					"or "
					"make it first with 'isc-vm volume create'",
					use->name, use->name, use->path);
			return NULL;
		}
		if (!check_room(dock, use->name, use->size_mib, error))
			return NULL;
		g_autofree gchar *uuid = g_uuid_string_random();
		g_autofree gchar *arg = step_arg(use->name, use->size_mib, uuid);
		g_strv_builder_add(list, arg);
	}
	return g_strv_builder_end(list);
}

/* --- import -------------------------------------------------------------------------------- */

gboolean isc_volumes_take_source(IscDock *dock, const gchar *uuid, IscVolumeSource *out)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	const IscVolumeSource *source = g_hash_table_lookup(dock->sources, uuid);
	if (source)
		*out = *source;
	return source != NULL;
}

static void set_source(IscDock *dock, const gchar *uuid, const IscVolumeSource *source)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	if (source)
		g_hash_table_insert(dock->sources, g_strdup(uuid), (gpointer)source);
	else
		g_hash_table_remove(dock->sources, uuid);
}

/* --- verbs --------------------------------------------------------------------------------- */

static gboolean check_new(IscDock *dock, const gchar *name, GError **error)
{
	IscVolume there;
	if (!isc_register_get_volume(dock->reg, name, &there, NULL))
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
			"volume '%s' stands already%s%s; choose another name", name,
			*there.node ? ", in use by node " : "", there.node);
	return FALSE;
}

static gboolean check_grows(IscDock *dock, const IscVolumeRequest *r, const IscVolume *is,
		gboolean *done, GError **error)
{
	g_autofree gchar *has = isc_volume_size_print(is->mib);
	*done = r->mib == is->mib;
	if (r->mib >= is->mib)
		return check_room(dock, r->name, r->mib - is->mib, error);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"volume '%s' has %s and can only grow: what would be cut off may hold "
			"data; make "
			"a smaller one and copy",
			r->name, has);
	return FALSE;
}

/* What stands in the way, and what the only step's argument is.  NULL with *@done: nothing to do.
 */
static gchar *prepare(IscDock *dock, const IscVolumeRequest *r, GCancellable *cancel,
		IscVolumesHeld *held, gchar uuid[37], gboolean *done, GError **error)
{
	IscVolume is;
	*done = FALSE;
	if (r->verb == ISC_VERB_VOLUME_CREATE || r->verb == ISC_VERB_VOLUME_IMPORT) {
		g_autofree gchar *fresh = g_uuid_string_random();
		g_strlcpy(uuid, fresh, 37);
		begin(held, dock);
		return hold(held, subject_of(r->name), r->verb, cancel, error) &&
						       check_new(dock, r->name, error) &&
						       check_room(dock, r->name, r->mib, error)
				       ? step_arg(r->name, r->mib, uuid)
				       : NULL;
	}
	g_autofree gchar *path = isc_steps_volume_path(dock, r->name);
	g_autoptr(GError) open = NULL;
	if (!hold_idle(dock, r->name, r->verb, cancel, held, &is, error))
		return NULL;
	if (!isc_volume_check_idle(path, &open) &&
			g_error_matches(open, ISC_ERROR, ISC_ERROR_STATE)) {
		g_propagate_error(error, g_steal_pointer(&open));
		return NULL;
	}
	g_strlcpy(uuid, is.uuid, 37);
	if (r->verb == ISC_VERB_VOLUME_REMOVE && *is.node) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"volume '%s' is in use by node '%s'; 'isc-vm volume detach %s' "
				"first",
				r->name, is.node, r->name);
		return NULL;
	}
	if (r->verb == ISC_VERB_VOLUME_RESIZE)
		return check_grows(dock, r, &is, done, error)
				       ? g_strdup_printf("%s %u", r->name, r->mib)
				       : NULL;
	return r->verb == ISC_VERB_VOLUME_REKEY ? g_strdup(r->name)
						: step_arg(r->name, is.mib, is.uuid);
}

static void tell(IscDock *dock, IscVerb verb, const gchar *name, guint caller)
{
	/* clang-format off */
	static const struct {
		IscVerb verb;
		const gchar *kind, *text;
	} events[] = {
		{ ISC_VERB_VOLUME_CREATE, "volume.created", "is made" },
		{ ISC_VERB_VOLUME_IMPORT, "volume.imported", "is made from an export" },
		{ ISC_VERB_VOLUME_RESIZE, "volume.resized", "has another size" },
		{ ISC_VERB_VOLUME_REKEY,  "volume.rekeyed", "has a new key, the old one is erased" },
		{ ISC_VERB_VOLUME_REMOVE, "volume.removed", "is shredded, and so is its key" },
	};
	/* clang-format on */
	for (gsize i = 0; i < G_N_ELEMENTS(events); i++)
		if (events[i].verb == verb)
			isc_dock_event(dock, "", events[i].kind, "info", caller, "volume %s %s",
					name, events[i].text);
}

gboolean isc_volumes_run(IscDock *dock, const IscVolumeRequest *r, IscOutcome *out, GError **error)
{
	gint64 began = g_get_monotonic_time();
	g_autoptr(GCancellable) cancel = g_cancellable_new();
	g_auto(IscVolumesHeld) held = { 0 };
	gchar uuid[37];
	out->warnings = g_ptr_array_new_with_free_func(g_free);
	g_autofree gchar *arg = prepare(dock, r, cancel, &held, uuid, &out->done, error);
	if (!arg)
		return FALSE;
	g_autofree gchar *subject = subject_of(r->name);
	out->plan = out->done ? isc_plan_new(r->verb, subject)
			      : isc_planner_volume(r->verb, subject, arg);
	if (out->done || r->dry_run)
		return TRUE;

	const IscVolumeSource source = { r->fd, r->text };
	if (r->verb == ISC_VERB_VOLUME_IMPORT)
		set_source(dock, uuid, &source);
	gboolean undone;
	gboolean ok = isc_verbs_run_plan(dock, out->plan, NULL, r->caller, cancel, out->warnings,
			&out->order, &undone, error);
	if (r->verb == ISC_VERB_VOLUME_IMPORT)
		set_source(dock, uuid, NULL);
	if (ok)
		tell(dock, r->verb, r->name, r->caller);
	out->seconds = (gdouble)(g_get_monotonic_time() - began) / G_USEC_PER_SEC;
	return ok;
}

gboolean isc_volumes_export(IscDock *dock, const gchar *name, int fd, const gchar *text,
		guint caller, GError **error)
{
	g_autoptr(GCancellable) cancel = g_cancellable_new();
	g_auto(IscVolumesHeld) held = { 0 };
	IscVolume is;
	g_autofree gchar *path = isc_steps_volume_path(dock, name);
	struct stat was, st;
	if (fstat(fd, &was) < 0)
		return isc_error_set_errno(error, errno, "cannot stat");
	/* No verb of its own: nothing changes. */
	gboolean idle = hold_idle(dock, name, ISC_VERB_VOLUME_REKEY, cancel, &held, &is, error);
	for (guint i = 0; held.names && i < held.names->len; i++)
		isc_verbs_call_it(dock, held.names->pdata[i], "volume export");
	if (!idle || !isc_volume_check_idle(path, error))
		return FALSE;
	g_autoptr(IscKey) key = isc_steps_volume_key(dock, name, error);
	if (!key || !isc_volume_export(path, isc_key_hex(key), fd, text, error))
		return FALSE;
	/* Whoever asked has gone, and taken the file along. */
	if (fstat(fd, &st) < 0 || st.st_nlink < was.st_nlink) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"the copy of volume '%s' was removed before it was whole", name);
		return FALSE;
	}
	isc_dock_event(dock, "", "volume.exported", "warn", caller,
			"volume %s was copied out, to be opened with a passphrase of uid %u", name,
			caller);
	return TRUE;
}

/* --- after a crash ------------------------------------------------------------------------- */

void isc_volumes_recover(IscDock *dock, const IscOp *op)
{
	const gchar *name = op->plan->node + 1;
	g_autoptr(GError) why = NULL;
	g_autoptr(IscPlan) plan = isc_planner_recover(op->plan, op->reached);
	g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
	guint64 order;
	gboolean undone;
	isc_dock_event(dock, "", "dock.recover", "warn", ISC_CALLER_DOCK,
			"'%s' of volume %s was interrupted: it is taken back or brought to its end",
			isc_verb_name(op->plan->verb), name);
	if (!isc_verbs_run_plan(dock, plan, NULL, ISC_CALLER_DOCK, NULL, warnings, &order, &undone,
			    &why))
		g_warning("volume '%s': %s", name, why->message);
	g_clear_error(&why);
	if (!isc_register_end_op(dock->reg, op->id, 1, "interrupted; recovered", &why))
		g_warning("journal: %s", why->message);
}

/* Which side was in force?  Where both are there, a restore was interrupted: the older one. */
static guint find_side(IscDock *dock, const gchar *name)
{
	struct stat st[2];
	for (guint side = 0; side < 2; side++) {
		g_autofree gchar *path = isc_steps_volume_side_path(dock, name, side);
		if (stat(path, &st[side]) < 0)
			return 1 - side;
	}
	return st[1].st_mtim.tv_sec < st[0].st_mtim.tv_sec;
}

/* A disk without its row: what is in it is not ours to judge, so it is a used one. */
static gboolean take_up(IscDock *dock, const gchar *name, GError **error)
{
	g_autofree gchar *uuid = g_uuid_string_random();
	IscVolume row = { .created = g_get_real_time() / G_USEC_PER_SEC,
		.side = find_side(dock, name) };
	g_autofree gchar *path = isc_steps_volume_side_path(dock, name, row.side);
	g_autofree gchar *id = isc_steps_volume_side_key_id(name, row.side);
	g_autoptr(IscKey) key = isc_key_store_load(dock->keys, id, error);
	if (!key || !isc_volume_verify(path, isc_key_hex(key), error) ||
			!isc_volume_size(path, &row.mib, error))
		return FALSE;
	g_strlcpy(row.name, name, sizeof(row.name));
	g_strlcpy(row.uuid, uuid, sizeof(row.uuid));
	return isc_register_add_volume(dock->reg, &row, error);
}

void isc_volumes_adopt(IscDock *dock, const IscNode *node)
{
	for (guint i = 0; i < node->spec->volumes->len; i++) {
		const gchar *name = g_array_index(node->spec->volumes, IscVolumeUse, i).name;
		g_autoptr(GError) why = NULL;
		IscVolume is;
		if ((!isc_register_get_volume(dock->reg, name, &is, NULL) &&
				    !take_up(dock, name, &why)) ||
				!isc_register_attach_volume(dock->reg, name, node->spec, &why))
			isc_dock_event(dock, node->spec->name, "volume.lost", "alarm",
					ISC_CALLER_DOCK, "volume %s of %s cannot be taken up: %s",
					name, node->spec->name, why->message);
	}
}

typedef struct {
	IscDock *dock;
	gboolean repair;
	void (*found)(gpointer, const gchar *, const gchar *, const gchar *, gboolean);
	gpointer data;
} Check;

static gboolean is_held(IscDock *dock, const gchar *name)
{
	g_autofree gchar *subject = subject_of(name);
	return isc_dock_is_busy(dock, subject);
}

/* Left of a restore, before or behind the turn: what the register holds is whole. */
static void check_other_side(Check *c, const IscVolume *v)
{
	guint other = 1 - v->side;
	g_autofree gchar *path = isc_steps_volume_side_path(c->dock, v->name, other);
	g_autofree gchar *id = isc_steps_volume_side_key_id(v->name, other);
	g_autoptr(IscKey) key = isc_key_store_load(c->dock->keys, id, NULL);
	if (!key && access(path, F_OK) != 0)
		return;
	c->found(c->data, "volume", v->name, "has a second disk, of a restore that was interrupted",
			c->repair && isc_steps_volume_drop_side(c->dock, v->name, other, NULL));
}

static void check_rows(Check *c)
{
	g_autoptr(GArray) rows = isc_register_list_volumes(c->dock->reg, NULL);
	for (guint i = 0; rows && i < rows->len; i++) {
		const IscVolume *v = &g_array_index(rows, IscVolume, i);
		if (is_held(c->dock, v->name))
			continue;
		g_autoptr(GError) why = NULL;
		g_autoptr(IscKey) key = isc_steps_volume_key(c->dock, v->name, &why);
		if (!key)
			c->found(c->data, "volume", v->name, why->message, FALSE);
		if (!*v->node || !isc_dock_is_busy(c->dock, v->node))
			check_other_side(c, v);
		g_autoptr(IscNode) node =
				*v->node ? isc_register_get_node(c->dock->reg, v->node, NULL)
					 : NULL;
		if (!*v->node || (node && isc_spec_find_volume(node->spec, v->name)))
			continue;
		g_autoptr(IscSpec) spec = node ? isc_spec_copy(node->spec) : NULL;
		const gchar text[] = "[Node]\nName=%s\nImage=none\n";
		g_autofree gchar *gone = g_strdup_printf(text, v->node);
		if (!spec)
			spec = isc_spec_parse("fsck", gone, strlen(gone), NULL);
		c->found(c->data, "volume", v->name, "is attached to a node that does not have it",
				c->repair && spec &&
						isc_register_detach_volume(
								c->dock->reg, v->name, spec, NULL));
	}
}

static void check_disks(Check *c)
{
	g_autofree gchar *folder = g_build_filename(c->dock->config->state_dir, "volumes", NULL);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const gchar *name;
	IscVolume row;
	while (dir && (name = g_dir_read_name(dir))) {
		if (!isc_name_is_valid(name) || is_held(c->dock, name) ||
				isc_register_get_volume(c->dock->reg, name, &row, NULL))
			continue;
		g_autoptr(GError) why = NULL;
		gboolean mended = c->repair && take_up(c->dock, name, &why);
		c->found(c->data, "volume", name,
				why ? why->message : "has a disk, but is not in the register",
				mended);
	}
}

static void check_keys(Check *c)
{
	g_auto(GStrv) ids = isc_key_store_list(c->dock->keys, NULL);
	for (gsize i = 0; ids && ids[i]; i++) {
		g_auto(GStrv) parts = g_strsplit(ids[i], ".", -1);
		IscVolume row;
		if (g_strv_length(parts) < 2 || !g_str_equal(parts[1], "volume") ||
				is_held(c->dock, parts[0]) ||
				isc_register_get_volume(c->dock->reg, parts[0], &row, NULL))
			continue;
		g_autofree gchar *path = isc_steps_volume_path(c->dock, parts[0]);
		if (access(path, F_OK) == 0)
			continue; /* told of above: it goes with its disk */
		c->found(c->data, "key", ids[i], "belongs to no volume",
				c->repair && isc_key_store_erase(c->dock->keys, ids[i], NULL));
	}
}

void isc_volumes_check(IscDock *dock, gboolean repair,
		void (*found)(gpointer data, const gchar *what, const gchar *name,
				const gchar *problem, gboolean repaired),
		gpointer data)
{
	Check check = { dock, repair, found, data };
	check_rows(&check);
	check_disks(&check);
	check_keys(&check);
}
