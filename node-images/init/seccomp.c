/*
 * System calls that no service in a node needs and that widen what a compromised one can reach in
 * the kernel.  Most are refused by capabilities anyhow; here they do not even get to the code.
 *
 * Two filters, because the kernel logs per filter: what is refused with EPERM is an attempt that
 * belongs into the audit trail (AUDIT_SECCOMP; a call that seccomp refuses never reaches the audit
 * rules).  What is answered with "no such call" is what ordinary libraries try before they take
 * another way, and would flood the trail.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init/confine.h"
#include "init/util.h"

#define X32_BIT 0x40000000u
#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | \
			CLONE_NEWCGROUP)

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define UNLESS_EQ(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))
#define IF_EQ(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (skip), 0)
#define DENY(error) (SECCOMP_RET_ERRNO | (error))

/* clang-format off */
static const unsigned short refused[] = {
	__NR_mount, __NR_umount2, __NR_pivot_root, __NR_move_mount, __NR_open_tree, __NR_fsopen,
	__NR_fsconfig, __NR_fsmount, __NR_fspick, __NR_mount_setattr, __NR_setns, __NR_unshare,
	__NR_init_module, __NR_finit_module, __NR_delete_module, __NR_kexec_load,
	__NR_kexec_file_load, __NR_reboot, __NR_swapon, __NR_swapoff, __NR_acct, __NR_quotactl,
	__NR_quotactl_fd, __NR_bpf, __NR_perf_event_open, __NR_userfaultfd, __NR_ptrace,
	__NR_process_vm_readv, __NR_process_vm_writev, __NR_process_madvise, __NR_pidfd_getfd,
	__NR_kcmp, __NR_iopl, __NR_ioperm, __NR_settimeofday, __NR_clock_settime,
	__NR_sethostname, __NR_setdomainname, __NR_add_key, __NR_request_key, __NR_keyctl,
	__NR_open_by_handle_at, __NR_lookup_dcookie, __NR_syslog, __NR_vhangup, __NR_nfsservctl,
	__NR_uselib, __NR__sysctl, __NR_modify_ldt, __NR_fanotify_init, __NR_move_pages,
	__NR_migrate_pages,
};
static const unsigned short absent[] = {
	__NR_clone3, /* its flags lie in memory, out of a filter's sight: libraries fall back to clone */
	__NR_io_uring_setup, __NR_io_uring_enter, __NR_io_uring_register, __NR_memfd_secret,
};
static const unsigned char families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET };
/* clang-format on */

static int install(struct sock_filter *code, size_t n, unsigned flags)
{
	struct sock_fprog program = { .len = (unsigned short)n, .filter = code };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0 ? 0 : -errno;
}

static int install_refused(void)
{
	const struct sock_filter head[] = {
		LOAD(arch),
		IF_EQ(AUDIT_ARCH_X86_64, 1),
		RETURN(DENY(ENOSYS)),
		LOAD(nr),
	};
	const struct sock_filter tail[] = {
		/* a new namespace by clone */
		UNLESS_EQ(__NR_clone, 4),
		LOAD(args[0]),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 0, 1),
		RETURN(DENY(EPERM)),
		RETURN(SECCOMP_RET_ALLOW),
		RETURN(SECCOMP_RET_ALLOW),
	};
	struct sock_filter code[ISC_COUNT(head) + 2 * ISC_COUNT(refused) + ISC_COUNT(tail)];
	size_t n = 0;

	for (size_t i = 0; i < ISC_COUNT(head); i++)
		code[n++] = head[i];
	for (size_t i = 0; i < ISC_COUNT(refused); i++) {
		code[n++] = (struct sock_filter)UNLESS_EQ(refused[i], 1);
		code[n++] = (struct sock_filter)RETURN(DENY(EPERM));
	}
	for (size_t i = 0; i < ISC_COUNT(tail); i++)
		code[n++] = tail[i];
	return install(code, n, SECCOMP_FILTER_FLAG_LOG);
}

static int install_absent(void)
{
	const struct sock_filter head[] = {
		LOAD(arch),
		IF_EQ(AUDIT_ARCH_X86_64, 1),
		RETURN(DENY(ENOSYS)),
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1),
		RETURN(DENY(ENOSYS)),
	};
	struct sock_filter code[ISC_COUNT(head) + 2 * ISC_COUNT(absent) + ISC_COUNT(families) + 5];
	size_t n = 0;

	for (size_t i = 0; i < ISC_COUNT(head); i++)
		code[n++] = head[i];
	for (size_t i = 0; i < ISC_COUNT(absent); i++) {
		code[n++] = (struct sock_filter)UNLESS_EQ(absent[i], 1);
		code[n++] = (struct sock_filter)RETURN(DENY(ENOSYS));
	}
	code[n++] = (struct sock_filter)IF_EQ(__NR_socket, 1);
	code[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	code[n++] = (struct sock_filter)LOAD(args[0]);
	for (size_t i = 0; i < ISC_COUNT(families); i++)
		code[n++] = (struct sock_filter)IF_EQ(
				families[i], (unsigned char)(ISC_COUNT(families) - i));
	code[n++] = (struct sock_filter)RETURN(DENY(EAFNOSUPPORT));
	code[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	return install(code, n, 0);
}

int isc_confine_seccomp(void)
{
	int error = install_absent();

	return error ? error : install_refused();
}
