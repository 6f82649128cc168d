#pragma once
#include <glib.h>

/* Sees by rtnetlink when a tap gets a MAC that it must not have.
 *
 * Whoever holds a tap's file descriptor, so a hypervisor that was taken over, may give it any MAC
 * (SIOCSIFHWADDR asks for no right).  If it is the MAC of another port's node, the bridge forgets
 * that port's own entry and leads to the tap what is for that node.  The rules keep it from coming
 * out there, but the node is cut off. */

typedef struct {
	gchar name[16]; /* of the tap; "": announcements were lost, it may be any */
	guint index;    /* of the interface; names are given again */
	guint8 mac[6];  /* that it got */
} IscLinkTrouble;

typedef struct IscLinkWatch IscLinkWatch;

/**
 * isc_link_watch_new:
 * @context: (nullable): where the call backs come; NULL: the default one
 * @prefix: of the taps' names; static
 * @is_bad: whether a tap must not have that MAC
 * @amiss: called once for each tap that has got one, a few milliseconds later, for however many
 *
 * A tap counts from when it is a port of a bridge.  Errors: ISC_ERROR_HOST.
 */
IscLinkWatch *isc_link_watch_new(GMainContext *context, const gchar *prefix,
		gboolean (*is_bad)(const guint8 mac[6]),
		void (*amiss)(const IscLinkTrouble *trouble, gpointer data), gpointer data,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;
void isc_link_watch_free(IscLinkWatch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscLinkWatch, isc_link_watch_free)

/* Those that have one at this moment.  Errors: ISC_ERROR_HOST.
 * Returns: (transfer full): GArray of IscLinkTrouble */
GArray *isc_link_watch_find(const gchar *prefix, gboolean (*is_bad)(const guint8 mac[6]),
		GError **error) G_GNUC_WARN_UNUSED_RESULT;
