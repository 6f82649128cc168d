#!/usr/bin/env bash
# isc-node-init as PID 1 of real guests: raw QEMU, Debian's cloud kernel, a small squashfs, and peer.py in the dock's place.
# Needs neither root nor libvirt.
# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "$0")/../lib.sh"
HERE=$TOP/tests/vm
INIT=$BUILD/isc-node-init
CACHE=$BUILD/cache/init-kernel
[ -x "$INIT" ] || skip_all "no $INIT: make it"

# --- kernel, initrd, programs -----------------------------------------------------------------------------------

fetch_kernel() {
	local package
	[ -e "$CACHE/vmlinuz" ] && return
	package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-\)/\1/p' | head -n 1)
	[ -n "$package" ] || return 1
	mkdir -p "$TMP/deb" "$CACHE" && chmod 777 "$TMP" "$TMP/deb"
	(cd "$TMP/deb" && apt-get -q download "$package") >/dev/null 2>&1 || return 1
	dpkg-deb -x "$TMP"/deb/*.deb "$TMP/deb/x" || return 1
	rm -rf "${CACHE:?}/lib" && mkdir -p "$CACHE/lib" && cp -r "$TMP"/deb/x/lib/modules "$CACHE/lib/" &&
		depmod -b "$CACHE" "$(ls "$CACHE/lib/modules")" &&
		cp "$TMP"/deb/x/boot/vmlinuz-* "$CACHE/vmlinuz.tmp" && mv "$CACHE/vmlinuz.tmp" "$CACHE/vmlinuz"
}

make_initrd() {
	local d=$TMP/initrd mods name file
	mods=$(echo "$CACHE"/lib/modules/*)
	mkdir -p "$d/lib/modules"
	while read -r name; do
		while read -r file; do
			[ ! -e "$d/lib/modules/${file##*/}" ] || continue
			cp "$mods/$file" "$d/lib/modules/" && echo "${file##*/}"
		done < <(sed -n "s,^\(.*/$name\.ko\): *\(.*\),\2 \1,p" "$mods/modules.dep" | awk '
			{ for (i = NF - 1; i > 0; i--) print $i; print $NF }')
	done <"$TOP/node-images/init/MODULES" >"$d/lib/modules/order"
	install -m 755 "$INIT" "$d/init" &&
		(cd "$d" && find . | cpio -o -H newc -R 0:0 2>/dev/null | zstd -q -3) >"$TMP/initrd.zst"
}

fetch_kernel || skip_all 'no Debian kernel to boot: no package mirror'
make_initrd || skip_all 'no cpio or zstd'
cc -std=gnu17 -Os -static -D_GNU_SOURCE "$HERE/probe.c" -o "$TMP/probe" || skip_all 'no C compiler'

# --- nodes ------------------------------------------------------------------------------------------------------

AS_ROOT=(unshare -r)
[ "$(id -u)" != 0 ] || AS_ROOT=()
# root NAME SERVICE-FILE [UID]: the root image of node NAME; its folders below /var/lib are UID's.  Stdin
# becomes /srv/run.
root() {
	local d=$TMP/root.$1 a
	mkdir -p "$d"/{bin,dev,proc,sys,run,tmp,etc,srv/www,usr/lib/iscdock,var/lib}
	cp /usr/bin/busybox "$TMP/probe" "$d/bin/"
	for a in sh echo cat true head tr sleep httpd hostname id yes touch grep; do ln -s busybox "$d/bin/$a"; done
	echo 'the image' >"$d/etc/hosts"
	echo 'hello' >"$d/srv/www/index.html"
	printf '%s\n' "$2" >"$d/usr/lib/iscdock/service"
	cat >"$d/srv/run"
	# all else is root's, whoever runs this
	"${AS_ROOT[@]}" mksquashfs "$d" "$TMP/root.$1.squashfs" -quiet -no-progress -p "var/lib/data d 700 ${3:-1000} 0" \
		-p "var/lib/full d 755 ${3:-1000} 0" -p "var/lib/full/file f 644 0 0 echo the image" \
		-p "var/lib/secret f 600 0 0 echo secret" >/dev/null
}

MHZ=$(sed -n 's/^cpu MHz[^0-9]*\([0-9]*\)\.\([0-9]*\).*/\1\2/p' /proc/cpuinfo | head -n 1)
CMDLINE="quiet audit=1 audit_backlog_limit=8192 oops=panic panic=-1 random.trust_cpu=on cryptomgr.notests i8042.noaux \
i8042.nokbd 8250.nr_uarts=1 console=ttyS0 no_timer_check tsc=reliable noreplace-smp tsc_early_khz=${MHZ:-2000000}"

# boot NAME [MACHINE [PEER-OPTION]]: $TMP/NAME.overlay is its overlay disk, if there is one.  Words for the peer go to fd 7,
# what it says to $SAID.
boot() {
	local n=$1 machine=${2:-microvm} d=$TMP/$1 bus=device c disk=() ports=()
	mkdir -p "$d" && rm -f "$d"/*.sock "$d/cmd"
	printf '%s\n' "node=$n" "hostname=$n" machine-id=0123456789abcdef0123456789abcdef address=10.77.0.2/16 \
		gateway=10.77.0.1 mac=52:54:4e:00:00:02 'env=FROM=dock and more' 'host=10.77.0.9 db' >"$d/conf"
	[ ! -e "$TMP/$n.node" ] || cat "$TMP/$n.node" >>"$d/conf"
	case $machine in
	microvm) machine=microvm,acpi=on,usb=off ;;
	q35) machine=q35,usb=off,hpet=off,smm=off,vmport=off bus=pci ;;
	esac
	[ ! -e "$TMP/$n.overlay" ] || disk=(-drive "id=o,if=none,file=$TMP/$n.overlay,format=raw"
		-device "virtio-blk-$bus,drive=o")
	for c in audit log control; do
		ports+=(-chardev "socket,id=$c,path=$d/$c.sock,server=on,wait=off"
			-device "virtserialport,chardev=$c,name=org.iscdock.$c.0")
	done
	timeout 600 qemu-system-x86_64 -M "$machine" -accel tcg -cpu qemu64,+rdrand -m 128 -nodefaults -no-user-config \
		-display none -no-reboot -kernel "$CACHE/vmlinuz" -initrd "$TMP/initrd.zst" -append "$CMDLINE" \
		-serial "file:$d/console" -drive "id=r,if=none,file=$TMP/root.$n.squashfs,format=raw,readonly=on" \
		-device "virtio-blk-$bus,drive=r" "${disk[@]}" -netdev user,id=n,restrict=on \
		-device "virtio-net-$bus,netdev=n,mac=52:54:4e:00:00:02" -device "virtio-serial-$bus" "${ports[@]}" \
		-fw_cfg "name=opt/org.iscdock/node,file=$d/conf" >"$d/qemu" 2>&1 7>&- &
	QEMU=$!
	SAID=$d/said NODE=$d
	mkfifo "$d/cmd"
	# shellcheck disable=SC2086 # options
	"$HERE/peer.py" ${3:-} "$d" <"$d/cmd" >"$SAID" 2>"$d/peer" 7>&- &
	exec 7>"$d/cmd"
	at_exit end_of "$QEMU" $!
}
end_of() { kill "$@" 2>/dev/null; }

tell() { echo "$*" >&7; }

# has CH REGEX: a line of CH matches
has() { grep -q "\"ch\": \"$1\".*$2" "$SAID"; }
event() { has control "\"kind\": \"$1\"${2:+.*$2}"; }

# said CH FILTER: jq over the records and events of CH
said() { grep "\"ch\": \"$1\"" "$SAID" | jq -r "$2" 2>/dev/null; }
log() { said log 'select(.is == "record") | .text'; }

# off SECONDS DESC: QEMU ends by itself with status 0
off() {
	local rc=timeout
	if wait_for "$1" not_running "$QEMU"; then
		wait "$QEMU"
		rc=$?
	fi
	[ "$rc" = 0 ] || tail -n 20 "$NODE/console" "$NODE/qemu" | sed 's/^/# /'
	is "$rc" 0 "$2"
	exec 7>&-
}
not_running() { ! kill -0 "$1" 2>/dev/null; }

# Nothing missing, nothing that is not what it says.  Without a reconnect also nothing twice, and no half frames.
clean() {
	is "$(grep -cE '"is": "(gap|bad|unknown|lost)"' "$SAID")" 0 "$1"
}
spotless() {
	is "$(grep -cE '"is": "(again|gap|garbage|bad|unknown|lost)"' "$SAID")" 0 "$1"
}

overlay() { truncate -s 256M "$TMP/$1.overlay"; }

# --- a node's life ----------------------------------------------------------------------------------------------

root life 'exec=/bin/sh
exec=/srv/run
exec=$HOME `id` "; true
user=life
uid=1000
gid=1001
writable=/var/lib/data
writable=/var/lib/full
writable=/run/life
env=FROM=image
health=http:8080/
check=/bin/sh
check=/var/lib/data/check
check=an argument' <<'END'
cat >/var/lib/data/check <<'EOF'
n=$(cat /run/life/checks || echo 0)
echo $((n + 1)) >/run/life/checks
case $n in
0)
	[ "$(id -u):$(id -g) $1" = "1000:1001 an argument" ] && [ "$FROM" = "dock and more" ] && [ -e /run/life/pid ] &&
		grep -q "^NoNewPrivs:.1" /proc/self/status && grep -q "^CapEff:.0*$" /proc/self/status &&
		grep -q "^Seccomp:.2" /proc/self/status && kill -0 "$(pidof httpd)" && [ "$(ls /proc/self/fd | wc -l)" = 4 ] ;;
1) exit 7 ;;
2)
	sleep 1000 &
	sleep 1000 ;;
3) ! grep -qs "100[0]" /proc/[0-9]*/cmdline ;;
4) kill -9 $$ ;;
esac
EOF
echo "id: $(id -u):$(id -g) $(hostname) $FROM"
echo "etc:" $(cat /etc/machine-id /etc/hosts)
cat /var/lib/full/file
touch /var/lib/full/new /run/life/pid && echo written
echo by name >/dev/stdout
/bin/true "two words" "" "new
line" '"quoted"' "$(head -c 20000 /dev/zero | tr '\0' x)"
echo kept >/var/lib/full/kept
httpd -p 8080 -h /srv/www
n=0
while :; do
	n=$((n + 1))
	echo $n >/var/lib/data/tick
	/bin/echo tick $n
	sleep 0.1
done
END
overlay life
boot life
ok 'a node boots and says so' wait_for 120 event BOOTED '"a": 1'
ok 'its service is started' wait_for 120 event STARTED
ok 'and is ready when it answers inside' wait_for 120 event READY
ok 'what the service prints arrives' wait_for 120 has log '"text": "tick 3"'
T=$(said control 'select(.kind == "BOOTED") | "init began \(.b) ms after the kernel, modules \(.c), mounted \(.d)"')
note "$T; started $(said control 'select(.kind == "STARTED").d'), ready $(said control 'select(.kind == "READY").d') ms"
# R3.2, R3.3
like "$(log)" 'id: 1000:1001 life dock and more' 'the service runs as its user, under its name, with the environment of the dock'
like "$(log)" '0123456789abcdef0123456789abcdef 127.0.0.1 localhost 10.77.0.2 life 10.77.0.9 db' '/etc has what is the node'\''s own'
# R2.2
like "$(log)" $'the image\nwritten\nby name' 'what is declared writable is writable, with the image below'
# R4.1
ok 'the service itself is in the audit, odd arguments and all' has audit 'a0=\\"/bin/sh\\" a1=\\"/srv/run\\" a2=24484F4D4520606964602022'
ok 'a command arrives in the audit with its arguments' has audit 'argc=6 a0=\\"/bin/true\\" a1=74776F20776F726473 a2=\\"\\" a3=6E65770A6C696E65 a4=2271756F74656422'
is "$(said audit 'select(.type == 1309).text' | sed -n 's/.*a5_len=\([0-9]*\).*/\1/p' | head -n 1)" 40000 'a long one comes in pieces with its length'
is "$(said audit 'select(.type == 1309).text' | grep -o 'a5\[[0-9]*\]=[0-9A-F]*' | sed 's/.*=//' | tr -d '\n' | wc -c)" 40000 'and the pieces are all there'
ok 'the audit was locked before the service ran' has audit 'op=set audit_enabled=2.*res=1'

# The dock goes and comes back; in between the node runs on.
# R4.2, F14: who is away misses nothing.
tell disconnect all
sleep 1
tell connect log
sleep 0.3
tell disconnect log
tell connect all
ok 'after the dock was away the log goes on' wait_for 120 has log "tick $(($(log | sed -n 's/^tick //p' | tail -n 1) + 20))\""
last=$(log | sed -n 's/^tick //p' | tail -n 1)
is "$(log | sed -n 's/^tick //p' | head -n "$last" | tr '\n' ' ')" "$(seq -s ' ' "$last") " 'no line is lost or doubled'
is "$(said audit 'select(.type == 1309).text' | sed -n 's/.*a1="tick" a2="\([0-9]*\)".*/\1/p' | head -n "$last" | tr '\n' ' ')" \
	"$(seq -s ' ' "$last") " 'no command is lost or doubled'

# --- its health, when the dock asks
tell check 31 20000
ok 'a health check runs as the service does: user, namespaces, no rights, nothing open' wait_for 120 event CHECKED '"a": 31, "b": 0'
tell check 32 20000
ok 'its status is told' wait_for 120 event CHECKED '"a": 32, "b": 7'
tell check 33 3000
tell check 34 3000
ok 'one at a time' wait_for 120 event CHECKED '"a": 34, "b": -1, "c": 16'
ok 'one that takes too long is ended' wait_for 120 event CHECKED '"a": 33, "b": 124'
tell check 35 20000
ok 'with all that it started' wait_for 120 event CHECKED '"a": 35, "b": 0'
tell check 36 20000
ok 'a signal is told, too' wait_for 120 event CHECKED '"a": 36, "b": 137'

tell freeze 11 20000
ok 'a node freezes its file systems by order' wait_for 120 event FROZEN '"a": 11'
sleep 0.5
n=$(log | grep -c tick)
sleep 0.7
is "$(log | grep -c tick)" "$n" 'a frozen node writes nothing'
tell thaw 12
ok 'and thaws by order' wait_for 120 event THAWED '"a": 12, "b": 0'
tell freeze 13 700
ok 'a node that nobody thaws thaws by itself' wait_for 120 event THAWED '"a": 13, "b": 0'
ok 'and goes on' wait_for 120 has log "tick $((n + 5))\""
ok 'it beats' wait_for 120 event HEARTBEAT '"a": 0, "b": 0'
tell poweroff 14 5000
ok 'it stops its service by order' wait_for 120 event STOPPED '"a": -1, "b": 15'
off 60 'and powers off'
ok 'all that was told is acknowledged before' event BYE
clean 'what came over the ports was in order'
ok 'the overlay is left clean' e2fsck -fn "$TMP/life.overlay"

# --- the box, for root ------------------------------------------------------------------------------------------
# R2.2, R3.2, R4.1, R4.6: for root, too.

root box 'exec=/bin/sh
exec=/srv/run
uid=0
gid=0
group=0
writable=/var/lib/data
writable=/var/lib/full' 0 <<'END'
cat /var/lib/full/kept
probe
exit 3
END
mv "$TMP/life.overlay" "$TMP/box.overlay"
boot box
ok 'a second boot takes the overlay as it is' wait_for 120 event BOOTED '"a": 0'
ok 'a service that ends is told with its status' wait_for 30 event STOPPED '"a": 3, "b": 0'
off 60 'and its node powers off'
like "$(log)" ^kept 'what was kept is there'
is "$(log | grep -c '^probe ')" 39 'root tried all'
while read -r name want; do
	like "$(log | sed -n "s/^probe $name //p")" "^($want)\$" "root in a node fails: $name"
done <<-'END'
	write-vda ENOENT|EROFS
	make-vda EPERM
	make-port EPERM
	write-root EROFS
	write-image-file EROFS
	write-etc EROFS
	write-core-pattern EROFS
	write-sysrq EROFS
	read-kcore EACCES|EPERM|ENODATA
	read-cmdline EACCES|ENODATA
	remount-root EPERM
	rebind-root EPERM
	mount-proc EPERM
	unmount-etc EPERM
	see-others ESRCH
	see-ns-init ENOENT
	enter-init ENOENT
	trace-ns-init EPERM
	kill-ns-init EALREADY|EPERM
	audit-off EPERM|ECONNREFUSED
	audit-take-over EPERM|ECONNREFUSED
	audit-backlog EPERM|ECONNREFUSED
	audit-forge EPERM|ECONNREFUSED
	new-user-namespace EPERM
	new-namespace-by-clone EPERM
	become-root EPERM
	regain-capabilities EPERM
	load-module EPERM
	load-kernel EPERM
	load-bpf EPERM
	power-off EPERM
	set-time EPERM
	set-hostname EPERM
	read-kernel-log EPERM
	lower-oom-score EACCES
	io-ring ENOSYS
	vsock EAFNOSUPPORT
	mount-32 ENOSYS
END
ok 'a refused mount is in the trail' has audit '"type": 1326.*syscall=165 '
ok 'a refused write is in the trail' has audit 'key=\\"denied\\"'
not_ok 'a record that a process made up is not' has audit 'forged=yes'
spotless 'nothing is missing in the trail of the box'

# --- a flood, with nobody listening -----------------------------------------------------------------------------
# R4.3

root flood 'exec=/bin/sh
exec=/srv/run
uid=1000
gid=1000' <<'END'
yes "$(head -c 500 /dev/zero | tr '\0' y)" | head -n 5000
probe flood 1500 && echo end
END
boot flood microvm --no-ack
ok 'a flood that nobody takes does not stop the service' wait_for 400 event STOPPED '"a": 0, "b": 0'
tell ack on
off 60 'its node powers off'
ok 'all that it kept is told' event BYE
kept=$(log | grep -c '^yyy') lost=$(said log 'select(.is == "lost").count' | awk '{ n += $1 } END { print n + 0 }')
isnt "$lost" 0 'what did not fit is counted'
is $((kept + lost + $(log | grep -c '^end$'))) 5001 'what is kept and what is lost is all there was'
isnt "$(said audit 'select(.is == "lost").count' | head -n 1)" '' 'in the audit too'
is "$(grep -cE '"is": "(again|gap|garbage|bad|unknown)"' "$SAID")" 0 'and what came is whole and in order'
note "log: $kept kept, $lost lost; audit: $(said audit 'select(.is == "record").seq' | wc -l) kept," \
	"$(said audit 'select(.is == "lost").count' | tr '\n' ' ')lost"

# --- the other profile, the other machine -----------------------------------------------------------------------
# R2.2: flexible

root loose 'pre=/bin/sh
pre=-c
pre=echo pre $(id -u); echo made >/tmp/pre
pre=
pre=/bin/true
exec=/bin/sh
exec=/srv/run
uid=0
gid=0' <<'END'
cat /tmp/pre
echo x >/usr/new && echo y >>/etc/hosts && cat /usr/new
probe | grep -E "vda|mount|audit" | grep -v " E"
echo done
END
# the other kind of image, too
ok 'mkfs.erofs makes a root' mkfs.erofs --all-root --quiet "$TMP/root.loose.squashfs" "$TMP/root.loose"
overlay loose
echo profile=flexible >"$TMP/loose.node"
boot loose q35
ok 'a node boots on q35, from an erofs' wait_for 50 event STOPPED '"a": 0'
off 60 'q35 powers off'
is "$(log | tr '\n' ' ')" 'pre 0 made x done ' 'flexible: all of the root can be written, the box is as tight, pre commands run first'

# --- what cannot be brought up ----------------------------------------------------------------------------------

# failing NAME SERVICE-LINES EVENT DESC
failing() {
	root "$1" "$2" </dev/null
	boot "$1"
	ok "$4" wait_for 120 event FAILED "$3"
	off 60 "$1: powers off, and never runs half"
}
failing absent $'exec=/bin/absent\nuid=1\ngid=1' '"a": 7, "b": 2' 'a service that is not there is told as such'
failing disk $'exec=/bin/true\nuid=1\ngid=1\nwritable=/var/lib/data' '"a": 3' 'a node that needs a disk and has none does not run'
failing rights $'exec=/bin/true\nuid=1\ngid=1\ncapability=cap_sys_admin' '"a": 4, "b": 1' 'a right that breaks the box is refused'
failing pre $'pre=/bin/sh\npre=-c\npre=exit 9\nexec=/bin/true\nuid=1\ngid=1' '"a": 7, "b": 0, "c": 9' 'a pre command that fails is told with its status'
done_testing
