#include "init/audit-rules.h"

#include <asm/unistd_32.h>

/* The 32-bit ABI has both generations of some calls. */
#define EXTRA_PRIV                                                                                 \
	, __NR_setuid32, __NR_setgid32, __NR_setreuid32, __NR_setregid32, __NR_setresuid32,        \
			__NR_setresgid32, __NR_setgroups32
#define EXTRA_TIME , __NR_clock_settime64, __NR_stime
const short isc_rule_calls_32[ISC_N_RULES][16] = {
#include "init/audit-calls.inc"
};
