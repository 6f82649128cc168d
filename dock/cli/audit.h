#pragma once
#include <glib.h>

#include "base/cleanup.h"

/* Lines of the Linux audit format (audit.log, as auditd writes it) as data.  libauparse takes them
 * apart and knows which fields the kernel writes in hex; names of users are not looked up: the
 * guest's are not the dock's.  Pure. */

typedef struct IscAudit IscAudit;

IscAudit *isc_audit_new(void);

/**
 * isc_audit_parse:
 * @line: one line without its newline; bytes of a guest, nothing is taken for granted
 *
 * {"type": "EXECVE", "time": 1700000000.123, "serial": 45, "fields": {"argc": "2", …}, "argv":
 * ["sh", "-c"]} Fields are texts as in the record, those in hex decoded; one that comes twice is an
 * array.  "names" has what the numbers of "syscall" and "arch" mean, "argv" (EXECVE) the arguments
 * of this record. Bytes that are no UTF-8 come as \xNN.  A line that is no record: {"raw": "…"}.
 * Returns: (transfer full)
 */
IscJson *isc_audit_parse(IscAudit *audit, const gchar *line, gsize len) G_GNUC_WARN_UNUSED_RESULT;

/* {"time", "serial", "uid", "auid", "ppid", "pid", "exe", "success", "argv"}; @command: (transfer
 * none). What the trail does not say is missing. */
typedef void (*IscAuditFunc)(IscJson *command, gpointer data);

/* Takes the next line; calls @func once the records of a command are complete. */
void isc_audit_feed(
		IscAudit *audit, const gchar *line, gsize len, IscAuditFunc func, gpointer data);

/* The same with a record of isc_audit_parse(), for who has it already. */
void isc_audit_take(IscAudit *audit, IscJson *record, IscAuditFunc func, gpointer data);

/* Hands out what still waits for records that will not come: at the end of the trail, or when it is
 * idle. */
void isc_audit_finish(IscAudit *audit, IscAuditFunc func, gpointer data);

/* "2024-05-01 12:00:03.123  uid=33  sh -c 'a b'": words quoted as a shell would need them, cleaned
 * for a terminal. Returns: (transfer full) */
gchar *isc_audit_command_text(IscJson *command);

void isc_audit_free(IscAudit *audit);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscAudit, isc_audit_free)
