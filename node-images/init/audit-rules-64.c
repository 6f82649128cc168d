#include "init/audit-rules.h"

#include <asm/unistd_64.h>

#define EXTRA_PRIV
#define EXTRA_TIME
const short isc_rule_calls_64[ISC_N_RULES][16] = {
#include "init/audit-calls.inc"
};
