#pragma once
#include "daemon/dock.h"

/* The memory of a node, for forensics: QEMU writes it into a fifo, and what comes out of that is
 * sealed (base/seal.h) before it goes to a disk. */

/**
 * isc_memory_dump:
 * @to: of the sealed file; made anew, durable when this returns
 * @key_id: its key in the store; one that is there is erased first
 *
 * Asks for room first.  On failure neither file nor key is left.
 */
gboolean isc_memory_dump(IscDock *dock, const IscNode *node, const gchar *to, const gchar *key_id,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;
