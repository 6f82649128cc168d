# shellcheck shell=bash
# Fills a new state folder with what the rig sees instead of the host's:
#   etc/ (all of /etc, copied: users, /etc/libvirt, /etc/isc-dock, bus policy may change in the rig at will)
#   lib/ (becomes /var/lib: libvirt and isc-dock own, the rest bound from the host)   log/ (/var/log)   cache/
# Nothing here touches the host.

# furnish_id FILE: prints an id free in passwd/group file FILE; FILE is the private copy
furnish_id() {
	local id=64900
	while grep -q "^[^:]*:[^:]*:$id:" "$1"; do id=$((id + 1)); done
	echo "$id"
}

# furnish_group ETC NAME
furnish_group() {
	grep -q "^$2:" "$1/group" || echo "$2:x:$(furnish_id "$1/group"):" >>"$1/group"
}

# furnish_user ETC NAME HOME [GROUP…]: with a group of the same name
furnish_user() {
	local etc=$1 name=$2 home=$3 gid group
	shift 3
	furnish_group "$etc" "$name"
	if ! grep -q "^$name:" "$etc/passwd"; then
		gid=$(sed -n "s/^$name:[^:]*:\([0-9]*\):.*/\1/p" "$etc/group")
		echo "$name:x:$(furnish_id "$etc/passwd"):$gid:isc rig:$home:/usr/sbin/nologin" >>"$etc/passwd"
		echo "$name:!:19000::::::" >>"$etc/shadow"
	fi
	for group; do
		sed -i -e "/^$group:.*[:,]$name\(,\|$\)/b" \
			-e "s/^\($group:[^:]*:[^:]*:\)$/\1$name/;t" -e "s/^\($group:[^:]*:[^:]*:.*\)$/\1,$name/" "$etc/group"
	done
}

# furnish_etc STATE NAME TREE CONF
furnish_etc() {
	local etc=$1/etc name=$2 tree=$3 f
	cp -a /etc "$etc" || [ -e "$etc/group" ] || return 1 # a file that went while cp ran is no harm
	for f in hosts resolv.conf hostname machine-id; do
		rm -f "$etc/$f" # may be links into /run
	done
	echo "$name" >"$etc/hostname"
	printf '127.0.0.1 localhost %s\n' "$name" >"$etc/hosts"
	: >"$etc/resolv.conf" # there is no name service in there, and none may be asked
	tr -d - </proc/sys/kernel/random/uuid >"$etc/machine-id"

	for f in isc-operator isc-security isc-auditor; do furnish_group "$etc" "$f"; done
	furnish_user "$etc" isc-collect /nonexistent
	furnish_user "$etc" isc-dock /var/lib/isc-dock libvirt libvirt-qemu isc-collect
	furnish_user "$etc" isc-forward /nonexistent isc-dock
	furnish_user "$etc" op1 /run/home/op1 isc-operator
	furnish_user "$etc" sec1 /run/home/sec1 isc-security
	furnish_user "$etc" aud1 /run/home/aud1 isc-auditor
	furnish_user "$etc" nobody-role /run/home/nobody-role

	# Only ours: what the host's administrator set up for the host's libvirt (networks that start by
	# themselves, hooks) has no place here.
	rm -rf "$etc/libvirt"
	mkdir -p "$etc/libvirt/hooks" "$etc/libvirt/qemu"
	chmod 700 "$etc/libvirt/qemu"
	: >"$etc/libvirt/qemu.conf"
	: >"$etc/libvirt/virtlogd.conf"
	cat >"$etc/libvirt/libvirtd.conf" <<-END
		unix_sock_group = "libvirt"
		unix_sock_ro_perms = "0777"
		unix_sock_rw_perms = "0770"
		auth_unix_ro = "none"
		auth_unix_rw = "none"
		log_outputs = "3:stderr"
		host_uuid = "$(cat /proc/sys/kernel/random/uuid)"
	END

	# The policies of the bus are those that are installed with the daemon.
	rm -rf "$etc/dbus-1/system.d"
	mkdir -p "$etc/dbus-1/system.d"
	for f in "$tree"/dock/units/*.conf; do
		[ -e "$f" ] && grep -q '<busconfig>' "$f" && cp "$f" "$etc/dbus-1/system.d/"
	done
	cp "$tree/tools/rig.d/bus.conf" "$etc/dbus-1/rig.conf"

	rm -rf "$etc/isc-dock"
	mkdir -p "$etc/isc-dock/trusted.d"
	cp "$4" "$etc/isc-dock/dock.conf" || return 1
	chmod 755 "$etc/isc-dock" "$etc/isc-dock/trusted.d"
	chmod 644 "$etc/isc-dock/dock.conf"
}

# furnish_key STATE BUILD: the developer's own publisher key is trusted in the rig.
furnish_key() {
	local key=${XDG_CONFIG_HOME:-$HOME/.config}/isc-dock/publisher.pub
	[ -x "$2/isc-image" ] || return 0
	"$2/isc-image" keygen --if-missing >&2 </dev/null || return 1
	[ -e "$key" ] || { say "isc-image keygen made no $key"; return 1; }
	install -m 644 "$key" "$1/etc/isc-dock/trusted.d/publisher.pub"
}

# furnish_var STATE CACHE: the folders that become /var/lib, /var/log and /var/cache/libvirt.  Every folder above a
# node's own must let the node's uid through (x for all).
furnish_var() {
	local s=$1 cache=$2 etc=$1/etc d
	owner() { sed -n "s/^$2:[^:]*:\([0-9]*\):.*/\1/p" "$etc/$1"; }
	local dock dockg coll collg qemu qemug
	dock=$(owner passwd isc-dock) dockg=$(owner group isc-dock)
	coll=$(owner passwd isc-collect) collg=$(owner group isc-collect)
	qemu=$(owner passwd libvirt-qemu) qemug=$(owner group libvirt-qemu)

	mkdir -m 755 "$s/lib" "$s/cache" "$s/cache/libvirt" "$s/lib/libvirt" "$s/log/libvirt" "$s/log/isc-dock" \
		"$s/lib/isc-dock" || return 1
	mkdir -m 711 "$s/lib/libvirt/images" "$s/lib/libvirt/boot"
	mkdir -m 751 "$s/lib/libvirt/qemu"
	mkdir -m 755 "$s/log/libvirt/qemu"
	chown "$qemu:$qemug" "$s/lib/libvirt/qemu"
	chown "$dock:$dockg" "$s/lib/isc-dock"
	chmod 711 "$s/lib/isc-dock"
	chown "$coll:$dockg" "$s/log/isc-dock"
	chmod 2751 "$s/log/isc-dock"
	printf '%s:%s\n' "$dock" "$collg" >"$s/run-owner"

	# Mount points for the rest of the host's /var/lib.
	for d in /var/lib/* /var/lib/.[!.]*; do
		case ${d##*/} in libvirt | isc-dock | '*' | '.[!.]*') continue ;; esac
		if [ -L "$d" ]; then
			cp -P "$d" "$s/lib/"
		elif [ -d "$d" ]; then
			mkdir "$s/lib/${d##*/}"
		elif [ -f "$d" ]; then
			: >"$s/lib/${d##*/}"
		fi
	done

	# What libvirt found out about QEMU (2-4 s) is kept from rig to rig; libvirt itself checks that it still holds
	# (versions and change times of QEMU and libvirt, kernel, microcode, KVM).
	mkdir -p "$s/cache/libvirt/qemu/capabilities"
	if compgen -G "$cache/*.xml" >/dev/null; then
		cp -p "$cache"/*.xml "$s/cache/libvirt/qemu/capabilities/"
	fi
}

# furnish STATE NAME TREE BUILD CACHE CONF
furnish() {
	chmod 711 "$1"
	chmod 755 "$1/log" "$1/log/isc-rig"
	furnish_etc "$1" "$2" "$3" "$6" && furnish_key "$1" "$4" && furnish_var "$1" "$5"
}
