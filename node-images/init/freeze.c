#include "init/freeze.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static IscFreezeNews done(IscFreeze *freeze, int code, int *error)
{
	freeze->frozen = code == 0;
	*error = code;
	if (code)
		freeze->end_ms = 0;
	return code ? ISC_FREEZE_THAWED : ISC_FREEZE_FROZEN;
}

IscFreezeNews isc_freeze_start(IscFreeze *freeze, uint32_t id, int64_t ms, int64_t now, int *error)
{
	if (ms <= 0 || ms > ISC_FREEZE_MS_MAX)
		ms = ISC_FREEZE_MS_MAX;
	freeze->id = id;
	freeze->end_ms = now + ms;
	if (freeze->child)
		return ISC_FREEZE_NOTHING;
	if (freeze->frozen || freeze->fd < 0)
		return done(freeze, 0, error);
	freeze->child = fork();
	if (freeze->child < 0) {
		freeze->child = 0;
		return done(freeze, errno, error);
	}
	if (freeze->child == 0)
		_exit(syncfs(freeze->fd) == 0 && ioctl(freeze->fd, FIFREEZE, 0) == 0 ? 0 : errno);
	return ISC_FREEZE_NOTHING;
}

IscFreezeNews isc_freeze_child(IscFreeze *freeze, int status, int64_t now, int *error)
{
	freeze->child = 0;
	if (!WIFEXITED(status))
		return done(freeze, EINTR, error);
	/* Frozen too late: nobody waits for it any more, and a service that cannot write must not
	 * be left so. */
	if (WEXITSTATUS(status) == 0 && (!freeze->end_ms || now >= freeze->end_ms)) {
		ioctl(freeze->fd, FITHAW, 0);
		return done(freeze, ETIMEDOUT, error);
	}
	return done(freeze, WEXITSTATUS(status), error);
}

IscFreezeNews isc_freeze_thaw(IscFreeze *freeze, int *error)
{
	*error = 0;
	freeze->end_ms = 0;
	/* While the child still writes, its end thaws. */
	if (freeze->child)
		return ISC_FREEZE_NOTHING;
	if (freeze->frozen && freeze->fd >= 0 && ioctl(freeze->fd, FITHAW, 0) != 0)
		*error = errno;
	freeze->frozen = false;
	return ISC_FREEZE_THAWED;
}
