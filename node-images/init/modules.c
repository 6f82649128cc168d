#include "init/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init/util.h"

/* One initrd serves all machines; on some of them a module has nothing to drive. */
/* clang-format off */
static const struct {
	const char *prefix, *needs;
} conditional[] = {
	{ "virtio_pci", "/sys/bus/pci/devices/0000:00:00.0" },
};
/* clang-format on */

static bool is_needed(const char *name)
{
	for (size_t i = 0; i < ISC_COUNT(conditional); i++)
		if (strncmp(name, conditional[i].prefix, strlen(conditional[i].prefix)) == 0)
			return access(conditional[i].needs, F_OK) == 0;
	return true;
}

static int load(const char *name)
{
	char path[256];
	int fd, error = 0;

	if (strchr(name, '/') || (size_t)snprintf(path, sizeof path, ISC_MODULES_DIR "/%s", name) >=
						 sizeof path)
		return -EINVAL;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST)
		error = -errno;
	close(fd);
	return error;
}

int isc_modules_load(void)
{
	char order[8192], *line, *rest = order;
	int loaded = 0, error;
	ssize_t n;

	n = isc_slurp(ISC_MODULES_ORDER, order, sizeof order);
	if (n < 0)
		return (int)n;
	while ((line = strsep(&rest, "\n"))) {
		if (!*line || *line == '#' || !is_needed(line))
			continue;
		error = load(line);
		if (error)
			isc_say("module %s: %s", line, strerror(-error));
		else
			loaded++;
	}
	return loaded;
}
