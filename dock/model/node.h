#pragma once
#include <glib.h>
#include <netinet/in.h>

#include "model/spec.h"

#define ISC_SLOT_MIN 2u
#define ISC_SLOT_MAX 65000u
#define ISC_UID_BASE 1900000000u
#define ISC_TAP_PREFIX "isct"
#define ISC_SLOT_GATEWAY 1u /* whose MAC the bridges have */

/* Both ends belong to it. */
typedef struct {
	guint first, last;
} IscSlots;

/* What the dock holds a node to be.  `seen` (libvirt) and `claimed` (the node itself) are compared
 * with it. */
typedef enum {
	ISC_NODE_DISABLED,
	ISC_NODE_ENABLING,
	ISC_NODE_READY,
	ISC_NODE_UNREADY, /* runs, but its health check does not hold */
	ISC_NODE_SUSPENDED,
	ISC_NODE_QUARANTINED,
	ISC_NODE_FAILED, /* was to run and does not; `reason` says why */
	ISC_NODE_DISABLING,
	ISC_NODE_DESTROYING, /* never comes back: keys may be gone already */
	ISC_N_NODE_STATES,
} IscNodeState;

typedef enum {
	ISC_VERB_PROVISION,
	ISC_VERB_ENABLE,
	ISC_VERB_DISABLE,
	ISC_VERB_SUSPEND,
	ISC_VERB_RESUME,
	ISC_VERB_SNAPSHOT_CREATE,
	ISC_VERB_SNAPSHOT_RESTORE,
	ISC_VERB_SNAPSHOT_DELETE,
	ISC_VERB_QUARANTINE,
	ISC_VERB_RELEASE,
	ISC_VERB_DESTROY,
	ISC_VERB_EXPOSE,
	ISC_VERB_UNEXPOSE,
	ISC_VERB_ALLOW,
	ISC_VERB_DENY,
	ISC_VERB_UPGRADE,
	ISC_VERB_ROLLBACK,
	ISC_VERB_VOLUME_ATTACH,
	ISC_VERB_VOLUME_DETACH,
	ISC_VERB_LIMIT,
	ISC_VERB_VOLUME_CREATE, /* from here on: of a volume, whatever its node does */
	ISC_VERB_VOLUME_IMPORT,
	ISC_VERB_VOLUME_RESIZE,
	ISC_VERB_VOLUME_REKEY,
	ISC_VERB_VOLUME_REMOVE,
	ISC_N_VERBS,
} IscVerb;

/* Whether @verb changes the node's network rules, and nothing else. */
gboolean isc_verb_is_about_rules(IscVerb verb);

/* Upgrade or rollback. */
gboolean isc_verb_is_upgrade(IscVerb verb);

/* What a verb meets in a state. */
typedef enum {
	ISC_LEGAL_NO,
	ISC_LEGAL_YES,
	ISC_LEGAL_DONE, /* already so: succeed and do nothing */
} IscLegal;

/* One node as the register holds it.  Plain data; owns all it points to. */
typedef struct {
	guint slot; /* ISC_SLOT_MIN..ISC_SLOT_MAX; uid, MAC and tap follow from it; with the dock's
		       plan (model/address-plan.h) the address, too */
	gchar uuid[37]; /* lower-case; of the libvirt domain too */
	IscSpec *spec;
	gchar digest[65]; /* of the image */
	gchar *image_name;
	gchar *image_version;
	IscNodeState state;
	gchar *reason;  /* why it is as it is, one line, or "" */
	gint64 created; /* s since the epoch */
	gint64 since;   /* s since the epoch: of `state` */
	guint starts;   /* how often it was started */
	/* Of an upgrade, see daemon/upgrade.h. */
	gchar previous[65]; /* digest of the image to roll back to, or "" */
	guint stand_in; /* slot of the node that its exposed ports lead to meanwhile; 0: its own */
	gchar *stands_for; /* of such a node: whose ports; "" or NULL of all others */
	gchar *damage;     /* why its row in the register cannot be read, or NULL.  Then name, slot
			    * and uuid are all that is known of it: it is down, and what can be done
			    * is to take it up from libvirt's definition, or to destroy it. */
} IscNode;

const gchar *isc_node_state_name(IscNodeState state); /* "disabled", …; static */
gboolean isc_node_state_parse(const gchar *text, IscNodeState *out);
const gchar *isc_verb_name(IscVerb verb); /* "provision", "snapshot create", …; static */
gboolean isc_verb_parse(const gchar *text, IscVerb *out);

/* The node that stands in for @name while that is upgraded.  (transfer full) */
gchar *isc_node_stand_in_name(const gchar *name);
gboolean isc_node_is_stand_in(const IscNode *node);

/* TRUE where a domain runs (or may run) in @state. */
gboolean isc_node_state_is_up(IscNodeState state);

/* May @verb be carried out in @state?  The one table of the life cycle. */
IscLegal isc_node_verb_legal(IscNodeState state, IscVerb verb);

/* As above; ISC_LEGAL_NO becomes ISC_ERROR_STATE naming node, state and the verb that helps.
 * *@done: nothing is left to do. */
gboolean isc_node_check_verb(const IscNode *node, IscVerb verb, gboolean *done, GError **error);

/* What follows from the slot. */
guint isc_node_uid(guint slot);
void isc_node_mac(guint slot, guint8 mac[6]);
/* Whether @mac is one that a node or the gateway may have, and then of which slot (optional). */
gboolean isc_node_is_mac(const guint8 mac[6], guint *slot);
gchar *isc_node_mac_text(guint slot);      /* (transfer full) "52:54:4e:00:00:02" */
gchar *isc_node_tap(guint slot);           /* (transfer full) "isct2" */
gchar *isc_node_domain(const gchar *name); /* (transfer full) "isc-NAME" */

void isc_node_free(IscNode *node);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscNode, isc_node_free)
