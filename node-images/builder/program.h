#pragma once
#include <glib.h>
#include <sys/types.h>

/**
 * isc_program_interpreter:
 * @head: the first bytes of an executable file; @len: at most 4096 of them are looked at
 *
 * Pure.  Returns: (transfer full): what the kernel will also need: the program of a "#!" line, the
 * dynamic loader of an ELF file; NULL: nothing, or no executable at all
 */
gchar *isc_program_interpreter(const guint8 *head, gsize len);

/* Is that an executable the kernel takes: ELF for x86-64, or "#!"? */
gboolean isc_program_is_executable(const guint8 *head, gsize len);

/**
 * isc_program_check:
 * Can @uid:@gid (with the groups of this process) execute @path here?  The kernel decides; needs
 * root, which is given up for the question only.  Also asks for the interpreter. Errors:
 * ISC_ERROR_INVALID "'PATH': …".
 */
gboolean isc_program_check(const gchar *path, uid_t uid, gid_t gid, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
