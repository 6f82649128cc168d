#include "daemon/doctor-private.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/error.h"
#include "base/file.h"
#include "engine/vm-limits.h"

void isc_doctor_say(
		IscFinding *f, IscFindingLevel level, const gchar *advice, const gchar *format, ...)
{
	va_list args;
	va_start(args, format);
	f->level = level;
	f->advice = advice;
	f->found = g_strdup_vprintf(format, args);
	va_end(args);
}

gchar *isc_doctor_line_of(const gchar *path)
{
	g_autofree gchar *text = NULL;
	if (!g_file_get_contents(path, &text, NULL, NULL))
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return g_steal_pointer(&text);
}

static void check_accelerator(IscDock *dock, IscFinding *f)
{
	g_autofree gchar *why = NULL;
	(void)dock;
	IscAccel accel = isc_accel_probe(&isc_accel_host, &why);
	if (accel == ISC_ACCEL_KVM)
		isc_doctor_say(f, ISC_FINDING_OK, "", "%s", why);
	else
		isc_doctor_say(f, ISC_FINDING_WARN,
				"enable virtualisation in the firmware (or nested virtualisation) "
				"for production",
				"emulated: %s", why);
}

/* QEMU runs under the node's own uid and gid, in no other group. */
static void check_kvm_device(IscDock *dock, IscFinding *f)
{
	struct stat st;
	if (dock->accel != ISC_ACCEL_KVM)
		isc_doctor_say(f, ISC_FINDING_OK, "", "not used");
	else if (stat("/dev/kvm", &st) == 0 && (st.st_mode & 06) == 06)
		isc_doctor_say(f, ISC_FINDING_OK, "", "every node's uid may open /dev/kvm");
	else
		isc_doctor_say(f, ISC_FINDING_FAIL,
				"install 70-isc-dock.rules for udev, or chmod 0666 /dev/kvm",
				"nodes' uids may not open /dev/kvm");
}

static void check_libvirt(IscDock *dock, IscFinding *f)
{
	if (isc_vm_is_connected(dock->vm))
		isc_doctor_say(f, ISC_FINDING_OK, "", "connected to %s", dock->config->libvirt_uri);
	else
		isc_doctor_say(f, ISC_FINDING_FAIL,
				"start it: systemctl start libvirtd, or libvirtd -d",
				"libvirtd does not answer");
}

static void check_cpu_cgroup(IscDock *dock, IscFinding *f)
{
	(void)dock;
	if (isc_vm_cpu_cgroup() != ISC_CPU_CGROUP_NONE)
		isc_doctor_say(f, ISC_FINDING_OK, "", "limits of CPU can be enforced");
	else
		isc_doctor_say(f, ISC_FINDING_WARN, "mount cgroups with the cpu controller",
				"no cpu controller: nodes with CPUQuota= or CPUWeight= do not "
				"start");
}

/* libvirt's group for all machines, with systemd and without; what it weighs by default. */
static const struct {
	const gchar *path;
	guint64 normal;
} machine_weights[] = {
	{ "/sys/fs/cgroup/machine.slice/cpu.weight", 100 },
	{ "/sys/fs/cgroup/cpu/machine.slice/cpu.shares", 1024 },
	{ "/sys/fs/cgroup/machine/cpu.weight", 100 },
	{ "/sys/fs/cgroup/cpu/machine/cpu.shares", 1024 },
};

/* At its default, a fork bomb in one node slows each order down to half its speed. */
static void check_cpu_weight(IscDock *dock, IscFinding *f)
{
	(void)dock;
	for (gsize i = 0; i < G_N_ELEMENTS(machine_weights); i++) {
		g_autofree gchar *line = isc_doctor_line_of(machine_weights[i].path);
		guint64 is;
		if (!line || !g_ascii_string_to_unsigned(line, 10, 1, G_MAXINT, &is, NULL) ||
				is < machine_weights[i].normal)
			continue;
		isc_doctor_say(f, ISC_FINDING_WARN,
				"systemctl set-property machine.slice CPUWeight=25; without "
				"systemd: write a quarter of what is there into that file",
				"%s is %s: nodes that compute slow the dock itself down",
				machine_weights[i].path, line);
		return;
	}
	isc_doctor_say(f, ISC_FINDING_OK, "", "the dock itself comes before nodes");
}

static void check_collector(IscDock *dock, IscFinding *f)
{
	if (isc_link_is_up(dock->link))
		isc_doctor_say(f, ISC_FINDING_OK, "", "isc-collectord is there");
	else
		isc_doctor_say(f, ISC_FINDING_FAIL, "start it: systemctl start isc-collectord",
				"isc-collectord does not answer");
}

static void check_boundary(IscDock *dock, IscFinding *f)
{
	g_autoptr(GError) why = NULL;
	g_autofree gchar *what = NULL;
	gboolean intact = FALSE;
	if (isc_firewall_is_intact(dock->firewall, &intact, &what, &why) && intact)
		isc_doctor_say(f, ISC_FINDING_OK, "",
				"both tables are in the kernel as they should be");
	else
		isc_doctor_say(f, ISC_FINDING_FAIL,
				"look for who changes nftables; 'isc-vm fsck --repair' puts it "
				"back",
				"%s", why ? why->message : what);
}

static void check_outside(IscDock *dock, IscFinding *f)
{
	g_autofree gchar *address = isc_dock_outside_address(dock);
	if (*address)
		isc_doctor_say(f, ISC_FINDING_OK, "", "%s has %s", dock->outside, address);
	else
		isc_doctor_say(f, ISC_FINDING_WARN, "set OutsideInterface= in dock.conf",
				"no outside interface with an address: nothing "
				"can be exposed");
}

static void check_register(IscDock *dock, IscFinding *f)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(GPtrArray) lost = isc_register_list_lost(dock->reg, NULL);
	const IscLostRow *row = lost && lost->len ? lost->pdata[0] : NULL;
	gboolean is_sound = isc_register_check(dock->reg, &why);
	if (is_sound && row)
		isc_doctor_say(f, ISC_FINDING_FAIL,
				"isc-vm fsck --repair takes a node up again that libvirt defines; "
				"any "
				"other such row: stop isc-dockd, DELETE FROM node WHERE slot = … "
				"with "
				"sqlite3",
				"the row of slot %" G_GINT64_FORMAT
				" names no node: '%s' (uuid %s); %u such rows in all",
				row->slot, row->name, row->uuid, lost->len);
	else if (is_sound)
		isc_doctor_say(f, ISC_FINDING_OK, "", "the register is sound");
	else
		isc_doctor_say(f, ISC_FINDING_FAIL,
				"move it away and restart isc-dockd: it is made again from libvirt",
				"%s", why->message);
}

static void check_state_folder(IscDock *dock, IscFinding *f)
{
	struct stat st;
	const gchar *dir = dock->config->state_dir;
	if (stat(dir, &st) < 0)
		isc_doctor_say(f, ISC_FINDING_FAIL, "restart isc-dockd", "'%s' is not there", dir);
	else if (st.st_uid != dock->uid || st.st_mode & 022)
		isc_doctor_say(f, ISC_FINDING_FAIL, "chown isc-dock and chmod 0711 it",
				"'%s' has owner %u, mode %04o", dir, st.st_uid, st.st_mode & 07777);
	else
		isc_doctor_say(f, ISC_FINDING_OK, "", "'%s' is ours alone", dir);
}

static void check_disk(IscDock *dock, IscFinding *f)
{
	struct statvfs fs;
	if (statvfs(dock->config->state_dir, &fs) < 0) {
		isc_doctor_say(f, ISC_FINDING_FAIL, "", "cannot ask for free space");
		return;
	}
	guint64 mib = (guint64)fs.f_bavail * fs.f_frsize / (1024 * 1024);
	isc_doctor_say(f,
			mib < 512    ? ISC_FINDING_FAIL
			: mib < 4096 ? ISC_FINDING_WARN
				     : ISC_FINDING_OK,
			mib < 4096 ? "make room" : "",
			"%" G_GUINT64_FORMAT " MiB are free below '%s'", mib,
			dock->config->state_dir);
}

static void check_clock(IscDock *dock, IscFinding *f)
{
	struct stat st;
	(void)dock;
	gint64 now = g_get_real_time() / G_USEC_PER_SEC;
	/* The programs on disk were not written in the future. */
	if (stat("/proc/self/exe", &st) == 0 && now + 86400 < st.st_mtime)
		isc_doctor_say(f, ISC_FINDING_FAIL,
				"set the clock; run chrony or systemd-timesyncd",
				"the clock is behind");
	else
		isc_doctor_say(f, ISC_FINDING_OK, "", "the clock is plausible");
}

static void check_trusted(IscDock *dock, IscFinding *f)
{
	g_autoptr(GDir) dir = g_dir_open(dock->config->trusted_dir, 0, NULL);
	guint n = 0;
	const gchar *name;
	while (dir && (name = g_dir_read_name(dir)))
		n += g_str_has_suffix(name, ".pub");
	if (n)
		isc_doctor_say(f, ISC_FINDING_OK, "", "%u publishers are trusted", n);
	else
		isc_doctor_say(f, ISC_FINDING_WARN, "put publishers' keys (NAME.pub) there",
				"nobody is trusted in '%s': no image can be "
				"imported",
				dock->config->trusted_dir);
}

static void check_qemu_img(IscDock *dock, IscFinding *f)
{
	g_autofree gchar *path = g_find_program_in_path("qemu-img");
	(void)dock;
	if (path)
		isc_doctor_say(f, ISC_FINDING_OK, "", "%s", path);
	else
		isc_doctor_say(f, ISC_FINDING_FAIL, "apt install qemu-utils",
				"qemu-img is missing: no overlay can be made");
}

static void check_ksm(IscDock *dock, IscFinding *f)
{
	g_autofree gchar *run = isc_doctor_line_of("/sys/kernel/mm/ksm/run");
	(void)dock;
	if (g_strcmp0(run, "1") == 0)
		isc_doctor_say(f, ISC_FINDING_WARN,
				"echo 2 > /sys/kernel/mm/ksm/run: shared pages tell one node about "
				"another",
				"KSM merges pages");
	else
		isc_doctor_say(f, ISC_FINDING_OK, "", "KSM is off");
}

static void check_smt(IscDock *dock, IscFinding *f)
{
	g_autofree gchar *smt = isc_doctor_line_of("/sys/devices/system/cpu/smt/active");
	(void)dock;
	if (g_strcmp0(smt, "1") == 0)
		isc_doctor_say(f, ISC_FINDING_WARN,
				"boot with nosmt, or use core scheduling, where nodes distrust "
				"each other",
				"hyper-threads are shared between nodes");
	else
		isc_doctor_say(f, ISC_FINDING_OK, "", "no shared hyper-threads");
}

static void check_swap(IscDock *dock, IscFinding *f)
{
	g_autofree gchar *text = NULL;
	(void)dock;
	if (g_file_get_contents("/proc/swaps", &text, NULL, NULL) && strchr(text, '\n') &&
			strchr(text, '\n')[1] != '\0')
		isc_doctor_say(f, ISC_FINDING_WARN,
				"encrypt swap or turn it off: nodes' memory may be written to it",
				"swap is on");
	else
		isc_doctor_say(f, ISC_FINDING_OK, "", "no swap");
}

static void check_nested(IscDock *dock, IscFinding *f)
{
	g_autofree gchar *intel = isc_doctor_line_of("/sys/module/kvm_intel/parameters/nested");
	g_autofree gchar *amd = isc_doctor_line_of("/sys/module/kvm_amd/parameters/nested");
	(void)dock;
	if ((intel && strchr("Y1", *intel)) || (amd && strchr("Y1", *amd)))
		isc_doctor_say(f, ISC_FINDING_WARN,
				"set nested=0: nodes need no hypervisor of their own",
				"nested virtualisation is on");
	else
		isc_doctor_say(f, ISC_FINDING_OK, "", "no nested virtualisation");
}

/* clang-format off */
static const struct {
	const gchar *name;
	void (*run)(IscDock *dock, IscFinding *finding);
} checks[] = {
	{ "accelerator",       check_accelerator },
	{ "kvm-device",        check_kvm_device },
	{ "libvirt",           check_libvirt },
	{ "cpu-cgroup",        check_cpu_cgroup },
	{ "cpu-weight",        check_cpu_weight },
	{ "collector",         check_collector },
	{ "boundary",          check_boundary },
	{ "forwarding",        isc_doctor_forward },
	{ "addresses",         isc_doctor_addresses },
	{ "outside",           check_outside },
	{ "firewalld",         isc_doctor_firewalld },
	{ "ufw",               isc_doctor_ufw },
	{ "docker",            isc_doctor_docker },
	{ "libvirt-networks",  isc_doctor_libvirt_networks },
	{ "other-firewalls",   isc_doctor_others },
	{ "nftables-service",  isc_doctor_nftables_service },
	{ "bridge-netfilter",  isc_doctor_bridge_netfilter },
	{ "register",          check_register },
	{ "state-folder",      check_state_folder },
	{ "disk-space",        check_disk },
	{ "clock",             check_clock },
	{ "trusted-keys",      check_trusted },
	{ "qemu-img",          check_qemu_img },
	{ "ksm",               check_ksm },
	{ "smt",               check_smt },
	{ "swap",              check_swap },
	{ "nested",            check_nested },
};
/* clang-format on */

GVariant *isc_doctor(IscCall *call, GError **error)
{
	static const gchar *const levels[] = { "ok", "warn", "fail" };
	GVariantBuilder list;
	(void)error;

	g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
	for (gsize i = 0; i < G_N_ELEMENTS(checks); i++) {
		IscFinding f = { 0 };
		checks[i].run(call->dock, &f);
		GVariantBuilder b;
		g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
		g_variant_builder_add(&b, "{sv}", "name", g_variant_new_string(checks[i].name));
		g_variant_builder_add(&b, "{sv}", "ok",
				g_variant_new_boolean(f.level != ISC_FINDING_FAIL));
		g_variant_builder_add(&b, "{sv}", "level", g_variant_new_string(levels[f.level]));
		g_variant_builder_add(&b, "{sv}", "found", g_variant_new_string(f.found));
		g_autoptr(GString) advice = g_string_new(f.advice);
		g_string_replace(advice, "$BRIDGE", call->dock->config->plan.bridge, 0);
		g_variant_builder_add(&b, "{sv}", "advice", g_variant_new_string(advice->str));
		g_variant_builder_add(&list, "@a{sv}", g_variant_builder_end(&b));
		g_free(f.found);
	}
	return g_variant_new("(@aa{sv})", g_variant_builder_end(&list));
}
