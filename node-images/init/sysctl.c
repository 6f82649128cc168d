#include "init/sysctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "init/util.h"

#define SYSCTL "/proc/sys/"

/* clang-format off */
static const struct {
	const char *name, *value;
} settings[] = {
	{ "kernel/kptr_restrict", "2" },
	{ "kernel/dmesg_restrict", "1" },
	{ "kernel/unprivileged_bpf_disabled", "1" },
	{ "net/core/bpf_jit_harden", "2" },
	{ "kernel/kexec_load_disabled", "1" },
	{ "kernel/perf_event_paranoid", "3" },
	{ "kernel/yama/ptrace_scope", "3" }, /* nobody attaches to anybody; cannot be undone */
	{ "kernel/sysrq", "0" },
	{ "kernel/unprivileged_userns_clone", "0" },
	{ "user/max_user_namespaces", "0" },
	{ "vm/unprivileged_userfaultfd", "0" },
	{ "kernel/core_pattern", "core" }, /* never a pipe: that one runs as root, outside of all namespaces */
	{ "fs/suid_dumpable", "0" },
	{ "fs/protected_hardlinks", "1" },
	{ "fs/protected_symlinks", "1" },
	{ "fs/protected_fifos", "2" },
	{ "fs/protected_regular", "2" },
	{ "dev/tty/ldisc_autoload", "0" },
	/* A service with CAP_SYS_NICE can be a real-time one: half of each second stays with the agent. */
	{ "kernel/sched_rt_runtime_us", "500000" },
	/* A kernel that has gone wrong is worth nothing: the domain ends, the dock sees it and decides. */
	{ "kernel/panic_on_oops", "1" },
	{ "kernel/panic", "1" },
	{ "net/ipv4/conf/all/accept_redirects", "0" },
	{ "net/ipv4/conf/default/accept_redirects", "0" },
	{ "net/ipv4/conf/all/send_redirects", "0" },
	{ "net/ipv4/conf/default/send_redirects", "0" },
	{ "net/ipv4/conf/all/accept_source_route", "0" },
	{ "net/ipv4/conf/all/rp_filter", "1" },
	{ "net/ipv4/conf/default/rp_filter", "1" },
	{ "net/ipv4/icmp_echo_ignore_broadcasts", "1" },
};
/* clang-format on */

static void set(const char *name, const char *value)
{
	char path[128];
	int error;

	snprintf(path, sizeof path, SYSCTL "%s", name);
	error = isc_put(path, value);
	if (error && error != -ENOENT)
		isc_say("sysctl %s: %s", name, strerror(-error));
}

void isc_sysctl_harden(void)
{
	for (size_t i = 0; i < ISC_COUNT(settings); i++)
		set(settings[i].name, settings[i].value);
}

void isc_sysctl_lock_modules(void)
{
	set("kernel/modules_disabled", "1");
}
