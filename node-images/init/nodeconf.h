#pragma once
/*
 * What init is told: the service (a file of the root image, ISC_SERVICE_FILE) and the node (from
 * the dock through fw_cfg, ISC_FWCFG_NODE).  Formats: collector/wire.h.  Pure: parses bytes,
 * touches nothing else.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	ISC_CONF_BYTES = 65536, /* largest file */
	ISC_CONF_ARGS = 256,
	ISC_CONF_ENV = 256,
	ISC_CONF_PATHS = 64,
	ISC_CONF_GROUPS = 32,
	ISC_CONF_PRE = 16,
	ISC_CONF_HOSTS = 64,
	ISC_CONF_DNS = 3,
	ISC_CONF_VOLUMES = 4,
	ISC_CONF_CHECK = 32,
};

typedef enum {
	ISC_PROFILE_STRICT,   /* the root is the read-only image */
	ISC_PROFILE_FLEXIBLE, /* the whole root is an overlay */
} IscProfile;

typedef enum {
	ISC_HEALTH_NONE,
	ISC_HEALTH_TCP,
	ISC_HEALTH_HTTP,
} IscHealthKind;

/* Every string points into the texts that were parsed; they must live as long. */
typedef struct {
	/* the service */
	char *args[ISC_CONF_ARGS + ISC_CONF_PRE +
			1]; /* exec and pre commands, each ended by NULL */
	char **exec;        /* in args; NULL if the file names none */
	char **pre[ISC_CONF_PRE];
	size_t n_args, n_pre;
	const char *user; /* name, for USER= */
	uid_t uid;
	gid_t gid;
	bool has_uid, has_gid;
	gid_t groups[ISC_CONF_GROUPS];
	size_t n_groups;
	uint64_t capabilities; /* bit n: capability n; never one that isc_nodeconf refuses */
	const char *dir;       /* working directory, absolute */
	IscHealthKind health;
	uint16_t health_port;
	const char *health_path; /* http: begins with '/' */
	int stop_signal;

	/* both: the node's are added to the image's; a later variable of the same name replaces the
	 * earlier one */
	char *env[ISC_CONF_ENV + 1];
	size_t n_env;
	const char *writable[ISC_CONF_PATHS];
	size_t n_writable;

	/* either: the node's command in place of the image's */
	char *check[ISC_CONF_CHECK + 1]; /* of the health check; ended by NULL */
	size_t n_check;

	/* the node */
	const char *node, *hostname, *machine_id;
	struct in_addr address, gateway; /* 0: none */
	unsigned prefix;                 /* bits, 1..32 */
	uint8_t mac[6];
	bool has_mac;
	IscProfile profile;
	struct in_addr dns[ISC_CONF_DNS];
	size_t n_dns;
	struct {
		struct in_addr address;
		const char *name;
	} hosts[ISC_CONF_HOSTS];
	size_t n_hosts;
	struct {
		char dev;           /* its letter: 'c' for /dev/vdc */
		bool fresh;         /* nobody ever had a file system on it */
		const char *serial; /* of the disk */
		const char *path;
	} volumes[ISC_CONF_VOLUMES];
	size_t n_volumes;
} IscNodeConf;

/* Both: @text is @len bytes and a NUL behind them; it is cut up in place and must outlive @conf,
 * which starts zeroed. Return 0, or -errno with *@line (from 1) at fault: EINVAL not understood,
 * E2BIG too many, EPERM a capability that no service may have.  Unknown keys are passed over. */
int isc_nodeconf_service(IscNodeConf *conf, char *text, size_t len, unsigned *line);
int isc_nodeconf_node(IscNodeConf *conf, char *text, size_t len, unsigned *line);

/* After both: whatever must be there is there.  Returns 0 or -EINVAL, with *@what named. */
int isc_nodeconf_check(const IscNodeConf *conf, const char **what);

/* Number of a capability by its name ("cap_net_bind_service"), or -1. */
int isc_nodeconf_capability(const char *name);

/* A capability that breaks the box: whoever holds it can load code into the kernel, look at other
 * processes, stop the audit, reach devices or mount. */
bool isc_nodeconf_is_forbidden(int capability);
