#pragma once
#include <glib.h>

#include "engine/vm-libvirt.h"

/**
 * isc_vm_dump_memory:
 * @path: that libvirtd opens and QEMU writes to: a fifo that somebody reads, or the guest's memory
 * lies on a disk in the clear
 *
 * The memory of a running domain as an ELF core; it stands still meanwhile.  Blocks until all of it
 * is written.  Errors: ISC_ERROR_NOT_FOUND, ISC_ERROR_STATE, ISC_ERROR_HOST.
 */
gboolean isc_vm_dump_memory(IscVm *vm, const gchar *domain, const gchar *path, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
