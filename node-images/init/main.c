/*
 * isc-node-init: PID 1 of a node.  No shell, nobody logs in, nothing listens.  Whatever fails is
 * told to the dock and on the console, and then the machine powers off: a node that is not right
 * does not run.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/wire.h"
#include "init/agent.h"
#include "init/modules.h"
#include "init/mounts.h"
#include "init/network.h"
#include "init/sysctl.h"
#include "init/tree.h"
#include "init/util.h"

#define FWCFG "/sys/firmware/qemu_fw_cfg/by_name/" ISC_FWCFG_NODE "/raw"

enum {
	/* PID 1's own: rings, the kernel's audit backlog and the records it is about to send; and
	 * what the kernel itself holds for a service without counting it as the service's */
	RESERVE_BYTES = 24 << 20,
};

static _Noreturn void power_off(void)
{
	kill(-1, SIGKILL);
	isc_mounts_sync();
	reboot(RB_POWER_OFF);
	/* A machine without a way to switch off: end it the other way, the domain is set to stop
	 * there too. */
	isc_say("power off: %s", strerror(errno));
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static int read_conf(IscNodeConf *conf, const char *path, bool service)
{
	char *text = malloc(ISC_CONF_BYTES + 1);
	unsigned line = 0;
	ssize_t n;
	int error;

	if (!text)
		return -ENOMEM;
	/* kept as long as the process: conf points into it */
	n = isc_slurp(path, text, ISC_CONF_BYTES + 1);
	if (n < 0)
		error = (int)n;
	else if (service)
		error = isc_nodeconf_service(conf, text, (size_t)n, &line);
	else
		error = isc_nodeconf_node(conf, text, (size_t)n, &line);
	if (error)
		isc_say("%s, line %u: %s", service ? ISC_SERVICE_FILE : "fw_cfg " ISC_FWCFG_NODE,
				line, strerror(-error));
	return error;
}

static int configure(IscNodeConf *conf)
{
	const char *what;
	int error;

	if ((error = read_conf(conf, ISC_MNT_ROOT ISC_SERVICE_FILE, true)) ||
			(error = read_conf(conf, FWCFG, false)))
		return error;
	error = isc_nodeconf_check(conf, &what);
	if (error)
		isc_say("%s is missing", what);
	return error;
}

/* What is found on the disks and in fw_cfg.  The ports are still being announced meanwhile. */
typedef struct {
	bool has_overlay, made_overlay;
	int overlay;                  /* folder fd; -1 without */
	int volumes[ISC_VOLUMES_MAX]; /* folder fds */
} Disks;

/* Both: return 0, or an IscInitFailure with *@error a positive errno. */
static IscInitFailure mount_disks(IscNodeConf *conf, Disks *disks, int *error)
{
	int e;

	if ((e = isc_mounts_root()))
		return *error = -e, ISC_INIT_ROOT;
	if ((e = configure(conf)))
		return *error = -e, ISC_INIT_CONFIG;
	/* One that nobody needs is mounted all the same: the dock wants to freeze it. */
	disks->has_overlay = isc_tree_needs_overlay(conf) || access(ISC_DISK_OVERLAY, F_OK) == 0;
	if (!disks->has_overlay)
		return ISC_INIT_OK;
	e = disks->overlay = isc_mounts_overlay(&disks->made_overlay);
	if (e < 0)
		return *error = -e, ISC_INIT_OVERLAY;
	return ISC_INIT_OK;
}

static IscInitFailure mount_volumes(const IscNodeConf *conf, Disks *disks, int *error)
{
	for (unsigned i = 0; i < conf->n_volumes; i++) {
		int e = disks->volumes[i] = isc_mounts_volume(conf->volumes[i].dev, i,
				conf->volumes[i].serial, conf->volumes[i].fresh);
		if (e < 0) {
			isc_say("volume of %s: %s", conf->volumes[i].path, strerror(-e));
			return *error = -e, ISC_INIT_VOLUME;
		}
	}
	return ISC_INIT_OK;
}

static IscInitFailure prepare(IscAgent *agent, const Disks *disks, int *error)
{
	int e;

	isc_mounts_free_initramfs();
	if ((e = isc_tree_write_etc(&agent->conf)))
		return *error = -e, ISC_INIT_CONFIG;
	isc_sysctl_harden();
	agent->service.memory = isc_service_limit(RESERVE_BYTES);
	if ((e = isc_service_prepare(&agent->service, &agent->conf, disks->has_overlay, agent->port,
			     sizeof agent->port)))
		return *error = -e, ISC_INIT_SERVICE;
	agent->out.fd = agent->service.out;
	agent->err.fd = agent->service.err;
	if ((e = isc_network_up(&agent->conf)))
		return *error = -e, ISC_INIT_NETWORK;
	if ((e = isc_service_wait_built(&agent->service))) {
		*error = agent->service.failure ? agent->service.failure_errno : -e;
		return agent->service.failure ? (IscInitFailure)agent->service.failure
					      : ISC_INIT_SERVICE;
	}
	isc_sysctl_lock_modules();
	if ((e = isc_audit_start(&agent->audit)))
		return *error = -e, ISC_INIT_AUDIT;
	return ISC_INIT_OK;
}

static IscAgent *new_agent(void)
{
	void *memory = mmap(NULL, sizeof(IscAgent), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static _Noreturn void give_up(const char *what, int error)
{
	isc_say("%s: %s", what, strerror(-error));
	power_off();
}

int main(void)
{
	int64_t born = isc_now_ms(), loaded;
	Disks disks = { .overlay = -1 };
	IscInitFailure failure;
	IscAgent *agent;
	int error, why = 0;

	if (getpid() != 1)
		return 1;
	umask(022);
	reboot(RB_DISABLE_CAD);
	if ((error = isc_mounts_early()))
		give_up("file systems", error);
	if ((error = isc_modules_load()) < 0)
		give_up("modules", error);
	loaded = isc_now_ms();
	if (!(agent = new_agent()))
		give_up("memory", -ENOMEM);
	failure = mount_disks(&agent->conf, &disks, &why);
	if (!failure)
		failure = mount_volumes(&agent->conf, &disks, &why);
	/* Without its ports a node can tell nobody anything, and has no audit: then it does not
	 * run. */
	if ((error = isc_agent_open(agent)))
		give_up("ports", error);
	if (disks.overlay >= 0)
		agent->freeze.fds[agent->freeze.n++] = disks.overlay;
	for (size_t i = 0; i < agent->conf.n_volumes && !failure; i++)
		agent->freeze.fds[agent->freeze.n++] = disks.volumes[i];
	isc_put("/proc/self/oom_score_adj", "-1000");
	setpriority(PRIO_PROCESS, 0, -20);
	if (!failure) {
		isc_agent_tell(agent, ISC_EVENT_BOOTED, disks.made_overlay, born, loaded);
		failure = prepare(agent, &disks, &why);
	}
	if (failure) {
		isc_say("failure %d: %s", (int)failure, strerror(why));
		isc_agent_fail(agent, (int)failure, why, 0);
	} else {
		isc_service_go(&agent->service);
	}
	isc_agent_run(agent);
	power_off();
}
