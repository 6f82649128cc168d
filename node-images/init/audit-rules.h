#pragma once
/* What the kernel is told to record, beside what it records anyway (logins, changes of audit
 * itself, seccomp). */
#include <stddef.h>

typedef enum {
	ISC_RULE_EXEC, /* every command with its arguments */
	ISC_RULE_PRIV, /* a change of user, group or capabilities */
	ISC_RULE_MOUNT,
	ISC_RULE_KERNEL, /* modules, kexec, bpf, reboot, swap … */
	ISC_RULE_TIME,
	ISC_RULE_HOST,  /* names */
	ISC_RULE_TRACE, /* looking into another process */
	ISC_RULE_OPEN,  /* only the refused ones are recorded */
	ISC_N_RULES,
} IscRule;

/* System call numbers of a rule, ended by -1; one table for each ABI that a process on this kernel
 * can use. */
extern const short isc_rule_calls_64[ISC_N_RULES][16];
extern const short isc_rule_calls_32[ISC_N_RULES][16];
