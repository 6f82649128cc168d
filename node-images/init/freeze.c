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

/* Returns 0 or the first errno. */
static int thaw_all(const IscFreeze *freeze, size_t n)
{
	int error = 0;

	while (n-- > 0)
		if (ioctl(freeze->fds[n], FITHAW, 0) != 0 && !error)
			error = errno;
	return error;
}

/* All or none.  Returns 0 or an errno. */
static int freeze_all(const IscFreeze *freeze)
{
	for (size_t i = 0; i < freeze->n; i++)
		if (syncfs(freeze->fds[i]) != 0)
			return errno;
	for (size_t i = 0; i < freeze->n; i++)
		if (ioctl(freeze->fds[i], FIFREEZE, 0) != 0) {
			int error = errno;

			thaw_all(freeze, i);
			return error;
		}
	return 0;
}

IscFreezeNews isc_freeze_start(IscFreeze *freeze, uint32_t id, int64_t ms, int64_t now, int *error)
{
	if (ms <= 0 || ms > ISC_FREEZE_MS_MAX)
		ms = ISC_FREEZE_MS_MAX;
	freeze->id = id;
	freeze->end_ms = now + ms;
	if (freeze->child)
		return ISC_FREEZE_NOTHING;
	if (freeze->frozen || !freeze->n)
		return done(freeze, 0, error);
	freeze->child = fork();
	if (freeze->child < 0) {
		freeze->child = 0;
		return done(freeze, errno, error);
	}
	if (freeze->child == 0)
		_exit(freeze_all(freeze));
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
		thaw_all(freeze, freeze->n);
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
	if (freeze->frozen)
		*error = thaw_all(freeze, freeze->n);
	freeze->frozen = false;
	return ISC_FREEZE_THAWED;
}
