#pragma once
#include "daemon/verbs.h"

/* The life of persistent volumes: as daemon/verbs.h has it for nodes.  The steps are in
 * steps-volume.c. */

typedef struct {
	IscVerb verb;      /* volume create, import, resize, rekey or rm */
	const gchar *name; /* of the volume; isc_name_is_valid() */
	guint caller;      /* uid */
	gboolean dry_run;
	guint mib;         /* create, resize */
	int fd;            /* import: what is read */
	const gchar *text; /* import: the passphrase that opens it */
} IscVolumeRequest;

/* In a worker thread; blocks until it is through.  @out must be zeroed. */
gboolean isc_volumes_run(IscDock *dock, const IscVolumeRequest *request, IscOutcome *out,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Copies volume @name, which no node may be using, into @fd, to be opened with @text. */
gboolean isc_volumes_export(IscDock *dock, const gchar *name, int fd, const gchar *text,
		guint caller, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- provision ----------------------------------------------------------------------------- */

/* Volumes that are taken for a verb. */
typedef struct {
	IscDock *dock;
	GPtrArray *names; /* of gchar*, as isc_verbs_take() has them */
} IscVolumesHeld;

void isc_volumes_release(IscVolumesHeld *held);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IscVolumesHeld, isc_volumes_release)

/* Takes all volumes that @spec names.  Errors: ISC_ERROR_STATE: one is busy. */
gboolean isc_volumes_hold(IscDock *dock, const IscSpec *spec, GCancellable *cancel,
		IscVolumesHeld *held, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_volumes_to_make:
 * Errors: ISC_ERROR_STATE: another node has one; ISC_ERROR_NOT_FOUND: one is not there, and @spec
 * gives no size; ISC_ERROR_POLICY: there is no room.
 * Returns: (transfer full): arguments of ISC_STEP_VOLUME for those that are not there yet
 */
GStrv isc_volumes_to_make(IscDock *dock, const IscSpec *spec, GError **error);

/* --- import -------------------------------------------------------------------------------- */

/* What an import is made from: borrowed from the call that waits for it, so it does not outlive the
 * dock; a plan that is found after a crash has none, and is only ever taken back. */
typedef struct {
	int fd;
	const gchar *text;
} IscVolumeSource;

/* FALSE: volume @uuid is not imported, but new. */
gboolean isc_volumes_take_source(IscDock *dock, const gchar *uuid, IscVolumeSource *out);

/* --- after a crash ------------------------------------------------------------------------- */

void isc_volumes_recover(IscDock *dock, const IscOp *op);

/* The volumes of @node, whose register was lost, are taken up again as far as their disks are
 * there.
 */
void isc_volumes_adopt(IscDock *dock, const IscNode *node);

/* Disks, keys and register against each other, as isc_reconcile_all() reports.  Never removes what
 * could hold data. */
void isc_volumes_check(IscDock *dock, gboolean repair,
		void (*found)(gpointer data, const gchar *what, const gchar *name,
				const gchar *problem, gboolean repaired),
		gpointer data);
