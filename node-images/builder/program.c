#include "builder/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

#define HEAD_MAX 4096

static gboolean is_elf(const guint8 *head, gsize len)
{
	return len >= sizeof(Elf64_Ehdr) && memcmp(head, ELFMAG, SELFMAG) == 0 &&
	       head[EI_CLASS] == ELFCLASS64;
}

static gchar *elf_interpreter(const guint8 *head, gsize len)
{
	Elf64_Ehdr e;
	memcpy(&e, head, sizeof e);
	for (guint i = 0; i < e.e_phnum; i++) {
		Elf64_Phdr p;
		guint64 at = e.e_phoff + (guint64)i * sizeof p;
		if (e.e_phoff > len || at + sizeof p > len)
			return NULL;
		memcpy(&p, head + at, sizeof p);
		if (p.p_type != PT_INTERP)
			continue;
		if (p.p_offset > len || p.p_filesz > len - p.p_offset || p.p_filesz == 0)
			return NULL;
		return g_strndup((const gchar *)head + p.p_offset, p.p_filesz);
	}
	return NULL;
}

gchar *isc_program_interpreter(const guint8 *head, gsize len)
{
	len = MIN(len, HEAD_MAX);
	if (is_elf(head, len))
		return elf_interpreter(head, len);
	if (len < 2 || head[0] != '#' || head[1] != '!')
		return NULL;
	g_autofree gchar *line = g_strndup((const gchar *)head + 2, len - 2);
	line[strcspn(line, "\n")] = '\0';
	g_strstrip(line);
	line[strcspn(line, " \t")] = '\0';
	return *line ? g_steal_pointer(&line) : NULL;
}

gboolean isc_program_is_executable(const guint8 *head, gsize len)
{
	if (len >= 2 && head[0] == '#' && head[1] == '!')
		return TRUE;
	Elf64_Ehdr e;
	if (!is_elf(head, len))
		return FALSE;
	memcpy(&e, head, sizeof e);
	return e.e_machine == EM_X86_64 && (e.e_type == ET_EXEC || e.e_type == ET_DYN);
}

static gboolean may_execute(const gchar *path, uid_t uid, gid_t gid, GError **error)
{
	if (setresgid((gid_t)-1, gid, (gid_t)-1) < 0 || setresuid((uid_t)-1, uid, (uid_t)-1) < 0)
		return isc_error_set_errno(error, errno, "cannot change the user");
	int rc = faccessat(AT_FDCWD, path, X_OK, AT_EACCESS), saved = errno;
	if (setresuid((uid_t)-1, 0, (uid_t)-1) < 0 || setresgid((gid_t)-1, 0, (gid_t)-1) < 0)
		return isc_error_set_errno(error, errno, "cannot change the user back");
	if (rc == 0)
		return TRUE;
	if (saved == ENOENT || saved == ENOTDIR)
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "'%s': no such file in the root",
				path);
	else
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"'%s': the service's user cannot execute it: %s", path,
				g_strerror(saved));
	return FALSE;
}

gboolean isc_program_check(const gchar *path, uid_t uid, gid_t gid, GError **error)
{
	guint8 head[HEAD_MAX];
	struct stat st;
	if (!may_execute(path, uid, gid, error))
		return FALSE;
	isc_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	gssize len = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)
				     ? read(fd, head, sizeof head)
				     : -1;
	if (len < 0 || !isc_program_is_executable(head, (gsize)len)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"'%s': neither a program for x86-64 nor a script that begins "
				"with '#!'",
				path);
		return FALSE;
	}
	g_autofree gchar *interpreter = isc_program_interpreter(head, (gsize)len);
	if (!interpreter || may_execute(interpreter, uid, gid, error))
		return TRUE;
	g_prefix_error(error, "'%s' needs ", path);
	return FALSE;
}
