#!/usr/bin/env bash
# tools/rig: the dock in a box holds what it promises and leaves nothing on the host, whoever is killed.
# Bare rigs: what isc-dockd does in them is for other tests.
# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=SCRIPTDIR/../../tools/rig.d/common.sh
. "$TOP/tools/rig.d/common.sh" # proc_id
R=$TOP/tools/rig
[ "$(id -u)" = 0 ] || skip_all 'needs root'

folder() { # of rig $1
	rig_find "$1"
}

# Every namespace of rig $1 and of its client, as the kernel names them.
namespaces() {
	local f pid
	for f in init client; do
		read -r pid _ <"$(folder "$1")/$f"
		readlink "/proc/$pid/ns/"{net,mnt,pid,ipc,uts}
	done | sort -u | grep -vxFf <(readlink /proc/self/ns/*)
}

# Prints "PID START" of every process in a namespace of rig $1.
processes() {
	local p
	namespaces "$1" >"$TMP/ns"
	for p in /proc/[0-9]*; do
		! readlink "$p/ns/"{net,pid,mnt} | grep -qxFf "$TMP/ns" || proc_id "${p#/proc/}"
	done 2>/dev/null
}

# Prints what is left of a rig: $1 its name, $2 file with its processes.  Not by namespace: their numbers are used again.
leftovers() {
	local id
	while read -r id; do
		[ "$(proc_id "${id% *}")" != "$id" ] || echo "process $id"
	done <"$2"
	grep -F "isc-rig.$1." /proc/self/mountinfo
	find /sys/fs/cgroup -maxdepth 2 -name "isc-rig.$1.*"
	compgen -G "/var/tmp/isc-rig.$1.*"
	compgen -G "/run/isc-rig/$1.*"
	# Keeper, init and client have the folder on their command line; the brackets keep grep from finding itself.
	grep -l "[i]sc-rig\.$1\." /proc/[0-9]*/cmdline 2>/dev/null
}
# shellcheck disable=SC2317 # by wait_for
clean() {
	[ -z "$(leftovers "$1" "$2")" ]
}
host() {
	ip netns list
	ip -br link | awk '{ print $1 }'
	cat /etc/passwd /etc/group /etc/shadow
	stat -c '%n %a %Y' /etc /etc/libvirt /var/lib /var/log /run/libvirt /var/lib/isc-dock /etc/isc-dock 2>&1
}

now() { date +%s%N; }
ms_since() { echo $((($(now) - $1) / 1000000)); }

host >"$TMP/host.before"

# --- the helper of all shell tests -----------------------------------------------------------------------------
# shellcheck disable=SC2317 # by status
lib() { bash -c ". '$TOP/tests/lib.sh'; $1" test-x; }
status 0 'a test whose laws hold succeeds' lib 'ok a true; not_ok b false; is x x c; status 3 d sh -c "exit 3"; done_testing'
is "$(tail -n 1 "$TMP/out")" 1..4 '… and says how many there were'
for law in 'ok a false' 'not_ok a true' 'is x y a' 'isnt x x a' 'like x y a' 'unlike x x a' 'status 3 a true' 'fail a'; do
	status 1 "a test fails by: $law" lib "$law; done_testing"
done
status 1 'a test that ends before its end fails' lib 'ok a true; exit 0'
status 0 'a test that is skipped says so' lib 'skip_all why'
like "$(<"$TMP/out")" '^ok 1 .*# SKIP why' '… in one counted line'

# --- two at once ---------------------------------------------------------------------------------------------
A=t$$ B=t$$-b
tap_rigs+=("$B")
"$R" up --bare --name "$B" --for $$ >"$TMP/b.out" 2>"$TMP/b.err" &
b=$!
t=$(now)
rig_up --bare
note "up beside another up: $(ms_since "$t") ms"
is "$RIG" "$A" 'rig_up names the rig after the test'
is "$DOCK" 203.0.113.1 'up prints the outside address and nothing else'
ok 'a second rig comes up at the same time' wait "$b"
is "$(tail -n 1 "$TMP/b.out")" 203.0.113.1 'both may have the same address'
namespaces "$A" >"$TMP/ns.a"
namespaces "$B" >"$TMP/ns.b"
is "$(sort "$TMP/ns.a" "$TMP/ns.b" | uniq -d)" '' 'two rigs share no namespace'
is "$(wc -l <"$TMP/ns.a")" 10 'dock and client have five namespaces each of their own'
"$R" up --bare >"$TMP/again" 2>&1
is $? 0 'up of a rig that is up succeeds'
like "$(<"$TMP/again")" 'up already and healthy.*203\.0\.113\.1$' '… says so, and prints the address'
ok 'a healthy rig says so' "$R" health

# --- exec and client -----------------------------------------------------------------------------------------
for n in 0 1 3 77; do status $n "exec ends with the command's status $n" dock sh -c "exit $n"; done
status 137 'exec ends with 128+9 when the command is killed' dock bash -c 'kill -9 $$'
status 127 'exec of a missing command ends with 127' dock no-such-command
status 5 "client ends with the command's status" client sh -c 'exit 5'
is "$(printf 'a b\n' | dock cat)" 'a b' 'exec passes standard input through'
# shellcheck disable=SC2016
is "$(dock printf '<%s>' 'a b' '' '$x')" '<a b><><$x>' 'exec keeps arguments as they are'
is "$(cd "$TOP/tools" && dock pwd)" "$TOP/tools" 'exec keeps the working folder'
is "$(cd "$TOP/tools" && client pwd)" "$TOP/tools" 'client keeps the working folder'
ok 'the tree is reachable inside' dock test -x "$R"
# shellcheck disable=SC2016
is "$(client sh -c 'echo $DOCK')" "$DOCK" 'the client knows the dock by $DOCK'
"$R" exec -- sleep 301 &
e=$!
ok 'exec runs the command' wait_for 20 dock pgrep -f 'sleep 301'
kill -9 $e
ok 'the command ends when exec is killed' wait_for 20 eval '! dock pgrep -f "sleep 301"'
status 3 'exec without a rig ends with 3' "$R" exec --name none-such -- true
status 2 'an unknown verb is a usage error' "$R" bounce
status 2 'a bad name is a usage error' "$R" up --name ../x
status 2 'exec without a command is a usage error' "$R" exec
status 8 'up without root ends with 8' setpriv --reuid 65534 --clear-groups "$R" up --bare
for p in virsh nft busctl; do ok "$p is on PATH" dock sh -c "command -v $p"; done

# --- users ----------------------------------------------------------------------------------------------------
like "$(dock id isc-dock)" 'libvirt\).*libvirt-qemu\).*isc-collect\)' 'isc-dock is in libvirt, libvirt-qemu, isc-collect'
ok 'isc-collect exists inside' dock id isc-collect
like "$(as op1 id)" 'uid=.*\(op1\).*isc-operator' 'op1 is an operator'
like "$(as sec1 id)" 'isc-security' 'sec1 is security'
like "$(as aud1 id)" 'isc-auditor' 'aud1 is an auditor'
unlike "$(as nobody-role id)" 'isc-' 'nobody-role has no role'
# shellcheck disable=SC2016
is "$(as op1 sh -c 'grep CapEff /proc/self/status | cut -f2')" 0000000000000000 'a user has no capabilities'
if getent passwd isc-dock >/dev/null; then
	skip 'the users exist only inside' 'isc-dock is installed here'
else
	not_ok 'the users exist only inside' getent passwd op1
fi
ok 'an operator reaches the system bus' as op1 busctl --system list
not_ok 'an operator does not reach libvirt' as op1 virsh -c qemu:///system list
ok 'isc-dock reaches libvirt' as isc-dock virsh -c qemu:///system list
ok 'users can be added inside' dock useradd -r later
not_ok '… and are not on the host' grep -q '^later:' /etc/passwd

# --- network --------------------------------------------------------------------------------------------------
is "$(dock ls /sys/class/net | xargs)" 'lo wan0' 'the dock sees its own devices only'
dock sh -c 'echo from-the-dock | timeout 20 nc -N -l 203.0.113.1 8080' &
n=$!
wait_for 40 dock sh -c 'ss -ltn | grep -q :8080'
# shellcheck disable=SC2016
is "$(client sh -c 'timeout 5 nc -d $DOCK 8080')" from-the-dock "the client reaches the dock's outside address"
wait "$n"
# shellcheck disable=SC2016
not_ok 'a port without a listener is refused' client sh -c 'nc -z -w 2 $DOCK 8081'
not_ok 'the outside is not the host' client sh -c 'ip -br addr | grep -v -e ^lo -e ^wan0'
# As a node's slot and the dock need them; each is missing from some kernels.
ok 'bridges, taps and nftables work inside' dock sh -c 'ip link add isc0 type bridge && ip tuntap add isct2 mode tap &&
	ip link set isct2 master isc0 && bridge link set dev isct2 isolated on && nft add table bridge isc-t &&
	test -e /sys/class/net/isct2/brport/isolated && nft delete table bridge isc-t && ip link del isct2 &&
	ip link del isc0'

# --- libvirt --------------------------------------------------------------------------------------------------
cat >"$TMP/tiny.xml" <<'END'
<domain type='qemu'><name>isc-tiny</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='microvm'>hvm</type></os><features><acpi/></features>
  <devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='none'/>
    <memballoon model='none'/></devices>
  <seclabel type='static' model='dac' relabel='no'><label>+1900000002:+1900000002</label></seclabel>
</domain>
END
# Both rigs run a domain of the same name and id: their cgroups must not be the same.
ok 'libvirt defines a domain' dock virsh -q define "$TMP/tiny.xml"
t=$(now)
ok 'libvirt starts it under a uid of its own' dock virsh -q start isc-tiny --paused
note "start: $(ms_since "$t") ms"
ok 'a second rig runs one of the same name' "$R" exec --name "$B" -- virsh -q create --paused "$TMP/tiny.xml"
is "$(dock ps -o uid= -C qemu-system-x86_64 | xargs)" 1900000002 'QEMU runs under that uid, and this rig sees one QEMU'
# shellcheck disable=SC2016
ok "the node's uid reaches libvirt's folder for it" dock sh -c 'setpriv --reuid 1900000002 --regid 1900000002 \
	--groups "$(getent group libvirt-qemu | cut -d: -f3)" test -r /var/lib/libvirt/qemu/domain-1-isc-tiny/master-key.aes'
ok 'a libvirtd that is killed can be started again' "$R" restart libvirtd --signal KILL
is "$(dock virsh -q domstate isc-tiny)" paused '… and the domain is still there'
t=$(now)
ok 'libvirt destroys it' dock virsh -q destroy isc-tiny
ms=$(ms_since "$t")
ok "destroy takes less than a second ($ms ms)" test "$ms" -lt 1000
is "$("$R" exec --name "$B" -- virsh -q domstate isc-tiny)" paused "the other rig's domain does not notice"
is "$("$R" exec --name "$B" -- pgrep -c qemu-system)" 1 '… nor does its QEMU'
not_ok 'no zombies stay' dock sh -c 'ps -eo stat= | grep -q ^Z'
ok 'virtlogd can be restarted' "$R" restart virtlogd
not_ok 'a daemon that is stopped is noticed' sh -c "'$R' stop virtlogd && '$R' health"
ok '… and started again' "$R" start virtlogd
ok 'logs has those of libvirtd' sh -c "'$R' logs libvirtd | grep -q 'libvirt version'"

# --- the end --------------------------------------------------------------------------------------------------
dock touch /var/lib/isc-dock/image
if dock chattr +i /var/lib/isc-dock/image 2>/dev/null; then note 'with an immutable file in it'; fi
processes "$A" >"$TMP/procs.a"
processes "$B" >"$TMP/procs.b"
ok 'QEMU, libvirtd, virtlogd, the bus and both inits are of the rig' test "$(wc -l <"$TMP/procs.b")" -ge 8
t=$(now)
ok 'down succeeds' rig_down "$A"
note "down: $(ms_since "$t") ms"
is "$(leftovers "$A" "$TMP/procs.a")" '' 'down leaves nothing of the rig'
ok 'down of a rig that is not there succeeds' rig_down "$A"
is "$("$R" exec --name "$B" -- virsh -q domstate isc-tiny)" paused 'the other rig is not touched'

# --- whoever is killed ----------------------------------------------------------------------------------------
read -r pid _ <"$(folder "$B")/init"
kill -9 "$pid"
ok 'after kill -9 of the init all goes by itself, QEMU too' wait_for 40 clean "$B" "$TMP/procs.b"
leftovers "$B" "$TMP/procs.b" | sed 's/^/# left: /'

t=$(now)
ok 'up after that succeeds' "$R" up --bare --name "$B" --for $$
note "up alone: $(ms_since "$t") ms"
d=$(folder "$B")
read -r pid _ <"$d/keeper"
kill -9 "$pid"
read -r pid _ <"$d/init"
kill -9 "$pid"
ok 'with keeper and init killed, up removes the rest and builds it anew' "$R" up --bare --name "$B" --for $$
not_ok '… in another folder' test -e "$d"
processes "$B" >"$TMP/procs.b"
read -r pid _ <"$(folder "$B")/keeper"
kill -9 "$pid"
"$R" down --name "$B" 2>/dev/null
is "$(leftovers "$B" "$TMP/procs.b")" '' 'with the keeper killed down leaves nothing'

# In the middle of up: after its first line that comes from inside.
"$R" up --bare --name "$B" >/dev/null 2>"$TMP/up.err" &
u=$!
wait_for 20 grep -q 'mounts stand' "$TMP/up.err"
kill -STOP $u # it must not get further while we look
processes "$B" >"$TMP/procs.b"
kill -9 $u
ok 'after kill -9 of up in the middle all goes by itself' wait_for 40 clean "$B" "$TMP/procs.b"

sleep 300 &
o=$!
"$R" up --bare --name "$B" --for $o >/dev/null 2>&1
processes "$B" >"$TMP/procs.b"
kill $o
ok 'a rig goes with its owner' wait_for 40 clean "$B" "$TMP/procs.b"

host >"$TMP/host.after"
is "$(diff "$TMP/host.before" "$TMP/host.after")" '' "the host's devices, users and folders are as before"
done_testing
