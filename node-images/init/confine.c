#include "init/confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init/util.h"

enum {
	LAST_CAP = 63, /* the kernel says which it knows */
	OPEN_FILES = 65536,
};

static int set_caps(uint64_t caps)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { 0 };

	for (int i = 0; i < 2; i++)
		d[i].permitted = d[i].effective = d[i].inheritable = (uint32_t)(caps >> (32 * i));
	return syscall(SYS_capset, &h, d) == 0 ? 0 : -errno;
}

static int bound_caps(uint64_t keep)
{
	for (int i = 0; i <= LAST_CAP; i++) {
		if (keep >> i & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0)
			return errno == EINVAL ? 0 : -errno; /* behind the last that it knows */
	}
	return 0;
}

static int raise_ambient(uint64_t caps)
{
	for (int i = 0; i <= LAST_CAP; i++)
		if (caps >> i & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) != 0)
			return -errno;
	return 0;
}

static void plain_signals(void)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i <= SIGRTMAX; i++)
		sigaction(i, &usual, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int limits(void)
{
	struct rlimit files = { OPEN_FILES, OPEN_FILES }, core = { 0, 0 };

	/* A core would hold the service's secrets, in a file of the node. */
	return setrlimit(RLIMIT_NOFILE, &files) == 0 && setrlimit(RLIMIT_CORE, &core) == 0 ? 0
											   : -errno;
}

static int become(const IscNodeConf *conf)
{
	/* Root is nobody special, now and after any execve; keep the declared capabilities over the
	 * change of user. */
	if (prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS |
						     SECBIT_KEEP_CAPS_LOCKED |
						     SECBIT_NO_SETUID_FIXUP_LOCKED) != 0)
		return -errno;
	if (setgroups(conf->n_groups, conf->groups) != 0 ||
			setresgid(conf->gid, conf->gid, conf->gid) != 0 ||
			setresuid(conf->uid, conf->uid, conf->uid) != 0)
		return -errno;
	return 0;
}

int isc_confine(const IscNodeConf *conf)
{
	int error;

	if (setsid() < 0 && errno != EPERM)
		return -errno;
	plain_signals();
	setpriority(PRIO_PROCESS, 0, 0);
	umask(022);
	if ((error = isc_put("/proc/self/oom_score_adj", "0")) || (error = limits()) ||
			(error = bound_caps(conf->capabilities)) || (error = become(conf)) ||
			(error = set_caps(conf->capabilities)) ||
			(error = raise_ambient(conf->capabilities)))
		return error;
	if (chdir(conf->dir) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -errno;
	return isc_confine_seccomp();
}

void isc_confine_drop_all(void)
{
	bound_caps(0);
	set_caps(0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
