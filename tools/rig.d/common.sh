# shellcheck shell=bash
# What tools/rig and its keeper share: where a rig's state lies, who holds it, how it is taken away.
#
# All that a rig is made of hangs on one process, the init of its pid namespace: with it die all processes of
# the rig, and with those the namespaces, their mounts and their network devices; none of them ever had a name
# on the host.  Left over are one state folder and the rig's cgroups, which rig_clean removes.

RIG_PARENT=${ISC_RIG_DIR:-/var/tmp} # below it: isc-rig.NAME.XXXXXX
RIG_LOCKS=/run/isc-rig              # on the host, only root writes here; goes away with the last lock
RIG_LOCK=                           # fd of the lock that is held

say() { echo "rig: $*" >&2; }

# die STATUS MESSAGE…   (0 ok, 1 other, 2 usage, 3 not found, 4 wrong state, 8 host not fit, 9 timed out)
die() {
	local status=$1
	shift
	say "$@"
	exit "$status"
}

# --- processes: a pid alone may be somebody else's by now, a pid with its start time never is --------------

# Prints "PID START" of process $1 as this /proc numbers it ("self" too); START in clock ticks since boot.
proc_id() {
	local stat pid
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	pid=${stat%% *}
	stat=${stat##*) } # the command's name may hold blanks and brackets
	read -ra stat <<<"$stat"
	[ "${stat[0]}" != Z ] && [ "${stat[0]}" != X ] || return 1
	echo "$pid ${stat[19]}"
}

# Prints the pid that file $1 ("PID START") stands for, if that process is alive.
proc_alive() {
	local pid start
	{ read -r pid start <"$1"; } 2>/dev/null || return 1
	[ "$(proc_id "$pid")" = "$pid $start" ] || return 1
	echo "$pid"
}

# proc_end FILE SIGNAL SECONDS: signals what FILE names and waits until it is gone.
proc_end() {
	local pid left=$(($3 * 50))
	pid=$(proc_alive "$1") || return 0
	kill -s "$2" "$pid" 2>/dev/null
	while proc_alive "$1" >/dev/null; do
		[ $((left--)) -gt 0 ] || return 1
		sleep 0.02
	done
}

# --- finding ------------------------------------------------------------------------------------------------

# Prints the state folders of rig $1 (or of all).  Anybody may make a folder of such a name in /var/tmp: only
# root's own count, or another user could have root kill and remove what he likes.
rig_states() {
	local d
	for d in "$RIG_PARENT"/isc-rig."${1:-}"*.??????; do
		[ -z "${1:-}" ] || [ "$(rig_name_of "$d")" = "$1" ] || continue
		[ -d "$d" ] && [ ! -L "$d" ] && [ "$(stat -c %u "$d")" = 0 ] && echo "$d"
	done
	return 0
}

rig_name_of() {
	local n=${1##*/isc-rig.}
	echo "${n%.*}"
}

# Prints the state folder of rig $1 whose init lives.
rig_find() {
	local d
	while read -r d; do
		proc_alive "$d/init" >/dev/null && echo "$d" && return
	done < <(rig_states "$1")
	return 1
}

# Reads what `up` noted down for the rig in state folder $1.
# shellcheck disable=SC2034 # for those who call it
rig_conf() {
	RIG_NAME='' RIG_BARE='' RIG_BUILD='' RIG_CACHE='' RIG_ADDRESS='' RIG_OUTSIDE='' DAEMON_ENV=()
	# shellcheck source=/dev/null
	[ ! -r "$1/rig.conf" ] || . "$1/rig.conf"
}

# --- one at a time --------------------------------------------------------------------------------------------

# rig_lock NAME SECONDS.  The file is removed under the lock, so whoever waited for it has to look again.  The
# wait is a loop of short tries so that the keeper hears its signals meanwhile.
rig_lock() {
	local file=$RIG_LOCKS/$1.lock left=$(($2 * 10))
	while [ $((left--)) -gt 0 ]; do
		mkdir -m 700 "$RIG_LOCKS" 2>/dev/null
		if { exec {RIG_LOCK}>>"$file"; } 2>/dev/null; then
			if flock -n "$RIG_LOCK" && [ "$file" -ef "/proc/self/fd/$RIG_LOCK" ]; then
				return
			fi
			exec {RIG_LOCK}>&-
		fi
		RIG_LOCK=
		sleep 0.1
	done
	return 1
}

rig_unlock() {
	[ -n "$RIG_LOCK" ] || return 0
	rm -f "$RIG_LOCKS/$1.lock"
	exec {RIG_LOCK}>&-
	RIG_LOCK=
	rmdir "$RIG_LOCKS" 2>/dev/null
	return 0
}

# --- cgroups --------------------------------------------------------------------------------------------------
# Each rig has a cgroup of its own in every hierarchy and sees it as the root (cgroup namespace): two rigs that
# run a node of the same name would else share libvirt's machine/qemu-1-isc-NAME, and one's destroy hit the other.

# Prints "MOUNTPOINT TYPE OPTIONS" of each hierarchy.
cgroup_mounts() {
	local f type opts
	while read -ra f; do
		# … mountpoint (5th) … "-" type source super-options: the last three
		type=${f[-3]} opts=${f[-1]}
		if [[ $type =~ ^cgroup2?$ && ${f[4]} == /sys/fs/cgroup* ]]; then
			echo "${f[4]} $type $opts"
		fi
	done </proc/self/mountinfo
}

# Makes the rig's cgroups and writes their folders to $1/cgroups; leaves that empty where they cannot be made
# (read-only in many containers).
cgroup_make() {
	local mnt type opts dir f all=1
	: >"$1/cgroups"
	while read -r mnt type opts; do
		dir=$mnt/${1##*/}
		if mkdir "$dir" 2>/dev/null; then
			echo "$dir" >>"$1/cgroups"
			# A new cpuset has no processors and takes no process until it is given some.
			for f in cpuset.cpus cpuset.mems; do
				[ "$type" = cgroup ] && [ -e "$dir/$f" ] && cat "$mnt/$f" >"$dir/$f"
			done
			# What dock/units/50-isc-dock.conf is on a host: libvirt's group for all nodes, which it finds here, weighs a
			# quarter of what each daemon does.
			if [ -e "$dir/cpu.shares" ]; then
				mkdir "$dir/machine" && echo 256 >"$dir/machine/cpu.shares" || all=
			fi
			# v2 gives controllers to children only of groups that hold no process themselves.
			[ "$type" = cgroup ] || mkdir "$dir/rig" || all=
		else
			all=
		fi
	done < <(cgroup_mounts)
	[ -n "$all" ] && return
	cgroup_remove "$1"
	: >"$1/cgroups"
}

# Moves the calling shell ($BASHPID) into the cgroups of state folder $1; below "rig" in v2 if $2 is "deep".
cgroup_join() {
	local dir
	while read -r dir; do
		if [ -d "$dir/rig" ]; then
			[ "${2:-}" = deep ] && dir=$dir/rig
		elif [ "${2:-}" = deep ]; then
			continue # v1: there already
		fi
		echo "$BASHPID" >"$dir/cgroup.procs" || return 1
	done <"$1/cgroups"
}

cgroup_remove() {
	local dir pid busy left=250
	[ -s "$1/cgroups" ] || return 0
	while [ $((left--)) -gt 0 ]; do
		busy=
		while read -r dir; do
			[ -d "$dir" ] || continue
			while read -r pid; do # nobody, unless the init was killed this very moment
				[ "$pid" = 0 ] || kill -s KILL "$pid" 2>/dev/null
			done < <(find "$dir" -name cgroup.procs -exec cat {} + 2>/dev/null)
			find "$dir" -depth -type d -exec rmdir {} + 2>/dev/null
			[ ! -d "$dir" ] || busy=1
		done <"$1/cgroups"
		[ -n "$busy" ] || return 0
		sleep 0.02
	done
	say "cgroups of $1 are still busy"
	return 1
}

# --- the end --------------------------------------------------------------------------------------------------

# Kills what is left of the rig in state folder $1 and removes all of it.  The caller holds the lock.
rig_clean() {
	local s=$1
	[ -d "$s" ] || return 0
	# Its keeper first, or it would clean at the same time.
	[ "$(proc_alive "$s/keeper")" = "$BASHPID" ] || proc_end "$s/keeper" TERM 2 || proc_end "$s/keeper" KILL 2
	proc_end "$s/init" KILL 20 || say "the init of $s does not die"
	cgroup_remove "$s" || return 1
	for _ in 1 2 3; do
		rm -rf --one-file-system "$s" 2>/dev/null && return
		chattr -R -f -i "$s" 2>/dev/null # images are immutable
	done
	rm -rf --one-file-system "$s"
}
