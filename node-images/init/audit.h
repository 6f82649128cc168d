#pragma once
/*
 * The kernel's audit: PID 1 is the audit daemon of its node.  It puts the rules in, locks them
 * until the next boot, and takes each record off the netlink socket at once.
 *
 * The lock (enabled = 2) stands before the service runs; from then on nobody changes rules or
 * switches off, not PID 1 either.  Attempts are refused and are records themselves.
 */
#include <linux/audit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ISC_AUDIT_MESSAGE = 9216, /* the kernel's largest is 8970 */
	ISC_AUDIT_BATCH = 32,     /* messages of one system call */
	ISC_AUDIT_BACKLOG = 8192, /* records the kernel keeps for us */
};

typedef struct {
	int fd;  /* records come here */
	int ctl; /* questions and answers go here, so that they never stand among the records */
	uint32_t seq;
	int64_t last_ms;            /* when the last record came */
	struct audit_status status; /* the last answer */
	uint8_t buf[ISC_AUDIT_BATCH][ISC_AUDIT_MESSAGE];
} IscAudit;

/* Rules in, pid set, locked, and read back.  Returns 0 or -errno. */
int isc_audit_start(IscAudit *audit);

/* Reads what is there, at most ISC_AUDIT_BATCH records, and hands each to @record: the kernel's
 * message type and text without a trailing newline; NUL and newline inside are blanks.  Returns how
 * many, 0 when there is nothing. */
int isc_audit_read(IscAudit *audit,
		void (*record)(void *data, uint16_t type, const char *text, size_t len),
		void *data);

/* Asks for the status; the answer makes ctl readable.  Takes the daemon's place again if the kernel
 * had given up on us (it does when its own send times out). */
void isc_audit_ask(IscAudit *audit);

/* Reads the answer; true when audit->status is new. */
bool isc_audit_answer(IscAudit *audit);
