# shellcheck shell=bash
# The daemons of a rig: how each is started, when it counts as ready, how it ends.  Runs inside the rig's
# namespaces; needs $state and rig_conf.  Pids here are the rig's own.

# shellcheck disable=SC2034 # read by init and daemon
DAEMONS=(dbus virtlogd libvirtd collectord dockd) # in the order of starting
BUS=unix:path=/run/dbus/system_bus_socket
DAEMON_LOGS=/var/log/isc-rig

daemon_binary() {
	local b=$1
	case $1 in
	dbus) b=dbus-daemon ;;
	collectord | dockd) b=isc-$1 ;;
	esac
	PATH=/run/isc-rig/bin:$RIG_BUILD:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin command -v "$b"
}

daemon_is_wanted() {
	case $1 in
	collectord | dockd) [ -z "$RIG_BARE" ] && daemon_binary "$1" >/dev/null ;;
	esac
}

daemon_pid() {
	proc_alive "/run/isc-rig/$1.pid"
}

# daemon_launch NAME COMMAND…: as a service manager would: no terminal, a clean environment, but what steers
# sanitizers, coverage, fault injection and GLib's own debugging is let through.
daemon_launch() {
	local name=$1 var
	local -a env=("PATH=/run/isc-rig/bin:$RIG_BUILD:/usr/sbin:/usr/bin:/sbin:/bin" LANG=C.UTF-8 HOME=/root
		"DBUS_SYSTEM_BUS_ADDRESS=$BUS")
	shift
	while read -r var; do
		case $var in
		ISC_RIG_*) ;;
		ISC_* | G_* | GLIB_* | ASAN_* | LSAN_* | TSAN_* | UBSAN_* | LLVM_* | GCOV_* | LIBVIRT_* | LIBGUESTFS_* | FIU_*)
			env+=("$var=${!var}")
			;;
		esac
	done < <(compgen -e)
	setsid env -i "${env[@]}" "${DAEMON_ENV[@]}" "$@" </dev/null >>"$DAEMON_LOGS/$name.log" 2>&1 &
	# The same pid all the way: setsid and env only exec here.
	proc_id "$!" >"/run/isc-rig/$name.pid"
}

# daemon_wait NAME SECONDS COMMAND…: until COMMAND succeeds; fails at once when the daemon has died.
daemon_wait() {
	local name=$1 end=$((SECONDS + $2))
	shift 2
	until "$@" >/dev/null 2>&1; do
		if ! daemon_pid "$name" >/dev/null; then
			say "$name died at its start: $(tail -n 3 "$DAEMON_LOGS/$name.log" | tr '\n' ' ')"
			return 1
		fi
		if [ "$SECONDS" -ge "$end" ]; then
			say "$name is not ready in time: $(tail -n 3 "$DAEMON_LOGS/$name.log" | tr '\n' ' ')"
			return 9
		fi
		sleep 0.03
	done
}

bus_has() {
	dbus-send --bus="$BUS" --print-reply=literal --reply-timeout=2000 --dest=org.freedesktop.DBus / \
		org.freedesktop.DBus.NameHasOwner "string:$1" 2>/dev/null | grep -q true
}

bus_answers() {
	dbus-send --bus="$BUS" --print-reply=literal --reply-timeout=2000 --dest=org.freedesktop.DBus / \
		org.freedesktop.DBus.GetId
}

libvirt_answers() {
	timeout 10 virsh -q -c qemu:///system uri
}

# Does it do its work?  Quiet.
daemon_answers() {
	case $1 in
	dbus) bus_answers ;;
	virtlogd) [ -S /run/libvirt/virtlogd-sock ] ;;
	libvirtd) [ -S /run/libvirt/libvirt-sock ] && libvirt_answers ;;
	collectord) [ -S /run/isc-dock/collector.sock ] ;;
	dockd) bus_has org.iscdock.Dock1 ;;
	esac >/dev/null 2>&1
}

# The run folders that tmpfiles.d makes on a host with systemd.  The collector makes its socket in the dock's
# folder: its group may write there, and the sticky bit keeps the dock's own entries from being replaced by it.
daemons_make_run() {
	install -d -m 1771 /run/isc-dock
	# shellcheck disable=SC2154 # state is set by whoever sources this
	chown "$(cat "$state/run-owner")" /run/isc-dock
	install -d -m 755 /run/libvirt
}

# daemon_start NAME.  Says why not on stderr.
daemon_start() {
	local name=$1 binary seconds=30
	if daemon_pid "$name" >/dev/null; then
		say "$name is running already"
		return 4
	fi
	binary=$(daemon_binary "$name") || {
		say "$name: no such program; tools/deps installs the system's, make builds ours"
		return 8
	}
	case $name in
	dbus)
		rm -f /run/dbus/system_bus_socket
		daemon_launch dbus "$binary" --config-file=/etc/dbus-1/rig.conf --nofork --nopidfile --nosyslog
		;;
	virtlogd | libvirtd)
		daemon_launch "$name" "$binary" --pid-file "/run/libvirt/$name.pid"
		;;
	collectord)
		rm -f /run/isc-dock/collector.sock
		daemons_make_run # isc-dockd may have changed it since
		daemon_launch collectord setpriv --reuid isc-collect --regid isc-collect --init-groups "$binary"
		;;
	dockd)
		daemon_launch dockd "$binary" --foreground
		;;
	esac
	daemon_wait "$name" "$seconds" daemon_answers "$name"
}

# daemon_stop NAME [SIGNAL] [SECONDS]: by KILL if the time runs out.
daemon_stop() {
	local file=/run/isc-rig/$1.pid
	proc_end "$file" "${2:-TERM}" "${3:-10}" && return
	say "$1 does not end on ${2:-TERM}; killing it"
	proc_end "$file" KILL 10
}

# Has libvirt look at QEMU now, not in somebody's first start, and keeps what it found.  The libvirt group reaches
# a node's master key only through this folder, and so does the node's own uid.
daemons_warm() {
	local f have=/var/cache/libvirt/qemu/capabilities
	timeout 60 virsh -q -c qemu:///system domcapabilities --machine microvm >/dev/null 2>&1 ||
		timeout 60 virsh -q -c qemu:///system domcapabilities >/dev/null || :
	chmod o+x /var/lib/libvirt/qemu
	[ -n "$RIG_CACHE" ] && mkdir -p "$RIG_CACHE" 2>/dev/null || return 0
	for f in "$have"/*.xml; do
		if [ ! -e "$f" ] || cmp -s "$f" "$RIG_CACHE/${f##*/}"; then continue; fi
		# Other rigs write here too: each file appears whole or not at all.
		cp -p "$f" "$RIG_CACHE/.$$.${f##*/}" && mv "$RIG_CACHE/.$$.${f##*/}" "$RIG_CACHE/${f##*/}"
	done
}
