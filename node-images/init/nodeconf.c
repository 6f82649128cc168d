#include "init/nodeconf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/wire.h"
#include "init/util.h"

/* clang-format off */
static const char *const capability_names[] = {
	"cap_chown", "cap_dac_override", "cap_dac_read_search", "cap_fowner", "cap_fsetid",
	"cap_kill", "cap_setgid", "cap_setuid", "cap_setpcap", "cap_linux_immutable",
	"cap_net_bind_service", "cap_net_broadcast", "cap_net_admin", "cap_net_raw",
	"cap_ipc_lock", "cap_ipc_owner", "cap_sys_module", "cap_sys_rawio", "cap_sys_chroot",
	"cap_sys_ptrace", "cap_sys_pacct", "cap_sys_admin", "cap_sys_boot", "cap_sys_nice",
	"cap_sys_resource", "cap_sys_time", "cap_sys_tty_config", "cap_mknod", "cap_lease",
	"cap_audit_write", "cap_audit_control", "cap_setfcap", "cap_mac_override",
	"cap_mac_admin", "cap_syslog", "cap_wake_alarm", "cap_block_suspend", "cap_audit_read",
	"cap_perfmon", "cap_bpf", "cap_checkpoint_restore",
};

/* cap_dac_read_search opens files by handle, past the mounts the service sees; cap_setpcap could raise what the
 * bounding set still holds; cap_sys_time makes the trail lie about when. */
static const uint8_t forbidden[] = {
	CAP_DAC_READ_SEARCH, CAP_SETPCAP, CAP_LINUX_IMMUTABLE, CAP_SYS_MODULE, CAP_SYS_RAWIO,
	CAP_SYS_PTRACE, CAP_SYS_PACCT, CAP_SYS_ADMIN, CAP_SYS_BOOT, CAP_SYS_TIME,
	CAP_SYS_TTY_CONFIG, CAP_MKNOD, CAP_AUDIT_CONTROL, CAP_SETFCAP, CAP_MAC_OVERRIDE,
	CAP_MAC_ADMIN, CAP_SYSLOG, CAP_BLOCK_SUSPEND, CAP_AUDIT_READ, CAP_PERFMON, CAP_BPF,
	CAP_CHECKPOINT_RESTORE,
};
/* clang-format on */

int isc_nodeconf_capability(const char *name)
{
	for (size_t i = 0; i < ISC_COUNT(capability_names); i++)
		if (strcasecmp(name, capability_names[i]) == 0)
			return (int)i;
	return -1;
}

bool isc_nodeconf_is_forbidden(int capability)
{
	for (size_t i = 0; i < ISC_COUNT(forbidden); i++)
		if (forbidden[i] == capability)
			return true;
	return false;
}

static int number(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > max)
			return -EINVAL;
	}
	*out = n;
	return 0;
}

/* Letters, digits and @more: what may stand in an option of a mount or a line of /etc/hosts without
 * being escaped. */
static bool plain(const char *text, const char *more)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
				    (*text >= '0' && *text <= '9') || strchr(more, *text)))
			return false;
	return true;
}

static bool good_path(const char *path)
{
	if (path[0] != '/' || !plain(path, "/._-+@") || strlen(path) > 200)
		return false;
	for (const char *p = path; (p = strchr(p, '/')); p++)
		if (p[1] == '/' || (p[1] == '.' && (p[2] == '/' || !p[2])) ||
				(p[1] == '.' && p[2] == '.' && (p[3] == '/' || !p[3])))
			return false;
	return true;
}

static int add_writable(IscNodeConf *conf, char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	if (!good_path(path) || len == 1)
		return -EINVAL;
	if (conf->n_writable == ISC_CONF_PATHS)
		return -E2BIG;
	conf->writable[conf->n_writable++] = path;
	return 0;
}

static int add_env(IscNodeConf *conf, char *pair)
{
	const char *eq = strchr(pair, '=');
	size_t i, len;

	if (!eq || eq == pair)
		return -EINVAL;
	len = (size_t)(eq - pair) + 1;
	for (i = 0; i < conf->n_env; i++)
		if (strncmp(conf->env[i], pair, len) == 0)
			break;
	if (i == ISC_CONF_ENV)
		return -E2BIG;
	conf->env[i] = pair;
	if (i == conf->n_env)
		conf->n_env++;
	return 0;
}

static int add_capability(IscNodeConf *conf, const char *name)
{
	int n = isc_nodeconf_capability(name);

	if (n < 0)
		return -EINVAL;
	if (isc_nodeconf_is_forbidden(n))
		return -EPERM;
	conf->capabilities |= UINT64_C(1) << n;
	return 0;
}

static int set_health(IscNodeConf *conf, char *text)
{
	char *path = NULL;
	uint64_t port;

	if (strncmp(text, "tcp:", 4) == 0) {
		conf->health = ISC_HEALTH_TCP;
		text += 4;
	} else if (strncmp(text, "http:", 5) == 0) {
		conf->health = ISC_HEALTH_HTTP;
		text += 5;
		path = strchr(text, '/');
	} else {
		return -EINVAL;
	}
	if (conf->health == ISC_HEALTH_HTTP)
		conf->health_path = path ? path : "/";
	if (path) {
		char digits[8];
		size_t n = (size_t)(path - text);

		if (n >= sizeof digits)
			return -EINVAL;
		for (const char *p = path; *p; p++)
			if (*p <= ' ' || *p == 0x7f)
				return -EINVAL;
		memcpy(digits, text, n);
		digits[n] = '\0';
		if (number(digits, 65535, &port) || !port)
			return -EINVAL;
	} else if (number(text, 65535, &port) || !port) {
		return -EINVAL;
	}
	conf->health_port = (uint16_t)port;
	return 0;
}

/* exec= and pre= both collect arguments in conf->args.  A command ends where another key follows,
 * or with `pre=`;
 * *@list is the command that is being collected. */
static int add_arg(IscNodeConf *conf, char *arg, char **start, bool fresh)
{
	if (conf->n_args + 2 > ISC_COUNT(conf->args))
		return -E2BIG;
	if (fresh) {
		if (arg[0] != '/')
			return -EINVAL;
		if (conf->n_args)
			conf->n_args++; /* the NULL that ends the one before */
		if (conf->n_args + 2 > ISC_COUNT(conf->args))
			return -E2BIG;
		*start = arg;
	}
	conf->args[conf->n_args++] = arg;
	return 0;
}

/* @fresh: the first word of this file. */
static int add_check(IscNodeConf *conf, char *word, bool fresh)
{
	if (fresh)
		conf->n_check = 0;
	if (!conf->n_check && word[0] != '/')
		return -EINVAL;
	if (conf->n_check == ISC_CONF_CHECK)
		return -E2BIG;
	conf->check[conf->n_check++] = word;
	conf->check[conf->n_check] = NULL;
	return 0;
}

typedef enum {
	NOTHING,
	IN_EXEC,
	IN_PRE,
} Collecting;

static int service_args(IscNodeConf *conf, Collecting *in, const char *key, char *value)
{
	char *start = NULL;
	bool pre = key[0] == 'p', fresh;
	int error;

	if (pre && !*value) {
		*in = NOTHING;
		return 0;
	}
	fresh = *in != (pre ? IN_PRE : IN_EXEC);
	if (fresh && (pre ? conf->n_pre == ISC_CONF_PRE : conf->exec != NULL))
		return pre ? -E2BIG : -EINVAL;
	error = add_arg(conf, value, &start, fresh);
	if (error)
		return error;
	if (fresh && pre)
		conf->pre[conf->n_pre++] = &conf->args[conf->n_args - 1];
	else if (fresh)
		conf->exec = &conf->args[conf->n_args - 1];
	*in = pre ? IN_PRE : IN_EXEC;
	return 0;
}

static int service_key(IscNodeConf *conf, const char *key, char *value)
{
	uint64_t n = 0;
	int error;

	if (strcmp(key, "user") == 0) {
		conf->user = value;
		return *value ? 0 : -EINVAL;
	}
	if (strcmp(key, "uid") == 0) {
		error = number(value, UINT32_MAX - 1, &n);
		conf->uid = (uid_t)n;
		conf->has_uid = true;
		return error;
	}
	if (strcmp(key, "gid") == 0) {
		error = number(value, UINT32_MAX - 1, &n);
		conf->gid = (gid_t)n;
		conf->has_gid = true;
		return error;
	}
	if (strcmp(key, "group") == 0) {
		if (conf->n_groups == ISC_CONF_GROUPS)
			return -E2BIG;
		error = number(value, UINT32_MAX - 1, &n);
		conf->groups[conf->n_groups++] = (gid_t)n;
		return error;
	}
	if (strcmp(key, "writable") == 0)
		return add_writable(conf, value);
	if (strcmp(key, "capability") == 0)
		return add_capability(conf, value);
	if (strcmp(key, "env") == 0)
		return add_env(conf, value);
	if (strcmp(key, "dir") == 0) {
		conf->dir = value;
		return value[0] == '/' ? 0 : -EINVAL;
	}
	if (strcmp(key, "health") == 0)
		return set_health(conf, value);
	if (strcmp(key, "stop-signal") == 0) {
		error = number(value, SIGRTMAX, &n);
		conf->stop_signal = (int)n;
		return n ? error : -EINVAL;
	}
	return 0;
}

static int set_address(IscNodeConf *conf, char *value)
{
	char *slash = strchr(value, '/');
	uint64_t n;

	if (!slash || number(slash + 1, 32, &n) || !n)
		return -EINVAL;
	*slash = '\0';
	conf->prefix = (unsigned)n;
	return inet_pton(AF_INET, value, &conf->address) == 1 ? 0 : -EINVAL;
}

static int set_mac(IscNodeConf *conf, const char *value)
{
	uint8_t *m = conf->mac;
	int end = 0;

	if (sscanf(value, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &m[0], &m[1], &m[2], &m[3],
			    &m[4], &m[5], &end) != 6 ||
			value[end])
		return -EINVAL;
	conf->has_mac = true;
	return 0;
}

static int add_host(IscNodeConf *conf, char *value)
{
	char *space = strchr(value, ' ');

	if (conf->n_hosts == ISC_CONF_HOSTS)
		return -E2BIG;
	if (!space || !plain(space + 1, ".-"))
		return -EINVAL;
	*space = '\0';
	conf->hosts[conf->n_hosts].name = space + 1;
	return inet_pton(AF_INET, value, &conf->hosts[conf->n_hosts++].address) == 1 ? 0 : -EINVAL;
}

/* "vdc SERIAL fresh|used /path" */
static int add_volume(IscNodeConf *conf, char *value)
{
	const char *dev = strsep(&value, " "), *serial = strsep(&value, " "),
		   *age = strsep(&value, " ");

	if (conf->n_volumes == ISC_CONF_VOLUMES)
		return -E2BIG;
	if (!value || strlen(dev) != 3 || strncmp(dev, "vd", 2) != 0 || dev[2] < 'c' ||
			dev[2] > 'z' || !plain(serial, "") || !good_path(value) || !value[1])
		return -EINVAL;
	conf->volumes[conf->n_volumes].dev = dev[2];
	conf->volumes[conf->n_volumes].serial = serial;
	conf->volumes[conf->n_volumes].path = value;
	conf->volumes[conf->n_volumes].fresh = strcmp(age, "fresh") == 0;
	return conf->volumes[conf->n_volumes++].fresh || strcmp(age, "used") == 0 ? 0 : -EINVAL;
}

static int node_key(IscNodeConf *conf, const char *key, char *value)
{
	if (strcmp(key, "node") == 0) {
		conf->node = value;
		return plain(value, "-") ? 0 : -EINVAL;
	}
	if (strcmp(key, "hostname") == 0) {
		conf->hostname = value;
		return plain(value, ".-") && strlen(value) <= 64 ? 0 : -EINVAL;
	}
	if (strcmp(key, "machine-id") == 0) {
		conf->machine_id = value;
		return plain(value, "") && strlen(value) == 32 ? 0 : -EINVAL;
	}
	if (strcmp(key, "address") == 0)
		return set_address(conf, value);
	if (strcmp(key, "gateway") == 0)
		return inet_pton(AF_INET, value, &conf->gateway) == 1 ? 0 : -EINVAL;
	if (strcmp(key, "mac") == 0)
		return set_mac(conf, value);
	if (strcmp(key, "dns") == 0) {
		if (conf->n_dns == ISC_CONF_DNS)
			return -E2BIG;
		return inet_pton(AF_INET, value, &conf->dns[conf->n_dns++]) == 1 ? 0 : -EINVAL;
	}
	if (strcmp(key, "host") == 0)
		return add_host(conf, value);
	if (strcmp(key, "env") == 0)
		return add_env(conf, value);
	if (strcmp(key, "writable") == 0)
		return add_writable(conf, value);
	if (strcmp(key, "volume") == 0)
		return add_volume(conf, value);
	if (strcmp(key, "profile") == 0) {
		conf->profile = strcmp(value, "flexible") == 0 ? ISC_PROFILE_FLEXIBLE
							       : ISC_PROFILE_STRICT;
		return conf->profile || strcmp(value, "strict") == 0 ? 0 : -EINVAL;
	}
	return 0;
}

static int parse(IscNodeConf *conf, char *text, size_t len, unsigned *line, bool service)
{
	Collecting in = NOTHING;
	char *rest = text, *key, *value;
	bool has_check = false;
	int error;

	*line = 0;
	if (memchr(text, '\0', len))
		return -EINVAL;
	while ((key = strsep(&rest, "\n"))) {
		++*line;
		if (!*key || *key == '#')
			continue;
		value = strchr(key, '=');
		if (!value)
			return -EINVAL;
		*value++ = '\0';
		if (service && (strcmp(key, "exec") == 0 || strcmp(key, "pre") == 0)) {
			error = service_args(conf, &in, key, value);
		} else if (strcmp(key, "check") == 0) {
			in = NOTHING;
			error = add_check(conf, value, !has_check);
			has_check = true;
		} else {
			in = NOTHING;
			error = (service ? service_key : node_key)(conf, key, value);
		}
		if (error)
			return error;
	}
	return 0;
}

int isc_nodeconf_service(IscNodeConf *conf, char *text, size_t len, unsigned *line)
{
	conf->dir = "/";
	conf->stop_signal = SIGTERM;
	return parse(conf, text, len, line, true);
}

int isc_nodeconf_node(IscNodeConf *conf, char *text, size_t len, unsigned *line)
{
	return parse(conf, text, len, line, false);
}

int isc_nodeconf_check(const IscNodeConf *conf, const char **what)
{
	*what = !conf->exec      ? "exec="
		: !conf->has_uid ? "uid="
		: !conf->has_gid ? "gid="
		: !conf->node    ? "node="
				 : NULL;
	return *what ? -EINVAL : 0;
}
