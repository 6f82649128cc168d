#!/usr/bin/env bash
# dock/engine/vm-*, the templates and the command line against a real libvirtd and real guests: Debian's cloud kernel, and
# guest-init as PID 1.  Driven through vm-tool, in a bare rig.
# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "$0")/../lib.sh"
HERE=$TOP/tests/vm
TOOL_BIN=$BUILD/tests/vm/vm-tool
[ -x "$TOOL_BIN" ] || skip_all "no $TOOL_BIN: make it"
[ "$(id -u)" = 0 ] || skip_all 'needs root'

# --- kernel and initrd ------------------------------------------------------------------------------------------

CACHE=$BUILD/cache/kernel
fetch_kernel() {
	local deb package
	[ -e "$CACHE/vmlinuz" ] && return
	package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-\)/\1/p' | head -n 1)
	[ -n "$package" ] || return 1
	mkdir -p "$TMP/deb" "$CACHE" && chmod 777 "$TMP/deb"
	(cd "$TMP/deb" && apt-get -q download "$package") >/dev/null 2>&1 || return 1
	deb=$(echo "$TMP"/deb/*.deb)
	dpkg-deb -x "$deb" "$TMP/deb/x" && rm -rf "$CACHE/modules" && mkdir -p "$CACHE/modules" || return 1
	(
		cd "$TMP"/deb/x/lib/modules/*/kernel || exit 1
		n=10
		# in the order in which they need each other
		for m in drivers/virtio/virtio_ring drivers/virtio/virtio drivers/virtio/virtio_mmio \
			drivers/virtio/virtio_pci_legacy_dev drivers/virtio/virtio_pci_modern_dev drivers/virtio/virtio_pci \
			drivers/block/virtio_blk drivers/char/virtio_console net/core/failover drivers/net/net_failover \
			drivers/net/virtio_net drivers/firmware/qemu_fw_cfg; do
			[ ! -e $m.ko ] || cp $m.ko "$CACHE/modules/$n-${m##*/}.ko"
			n=$((n + 1))
		done
	) && cp "$TMP"/deb/x/boot/vmlinuz-* "$CACHE/vmlinuz.tmp" && mv "$CACHE/vmlinuz.tmp" "$CACHE/vmlinuz"
}
fetch_kernel || skip_all 'no Debian kernel to boot: no package mirror'

make_initrd() {
	local d=$TMP/initrd
	mkdir -p "$d"/{bin,proc,sys,dev,mod}
	cp /usr/bin/busybox "$d/bin/" && ln -s busybox "$d/bin/sh" && cp "$CACHE"/modules/*.ko "$d/mod/" &&
		install -m 755 "$HERE/guest-init" "$d/init" &&
		(cd "$d" && find . | cpio -o -H newc -R 0:0 2>/dev/null | zstd -q -3) >"$TMP/initrd.zst"
}
make_initrd || skip_all 'no busybox, cpio or zstd'

# --- the dock's side --------------------------------------------------------------------------------------------

rig_up --bare
LIB=/var/lib/isc-dock/t RUN=/run/isc-dock/t

# The files of an image are everybody's to read: each node's QEMU runs under a uid and a gid of its own, and none besides.
dock bash -eu <<-END
	install -d -m 711 $LIB $RUN
	install -m 444 "$CACHE/vmlinuz" $LIB/vmlinuz
	install -m 444 "$TMP/initrd.zst" $LIB/initrd
	head -c 1M /dev/urandom >$LIB/root
	chmod 444 $LIB/root
	install -d -m 700 $LIB/templates
END
ROOT_SUM=$(dock sha256sum $LIB/root | cut -d' ' -f1)

declare -A UUID SECRET
# node NAME SLOT: folders, configuration, key, tap
node() {
	local n=$1 u=$((1900000000 + $2))
	UUID[$n]=$(cat /proc/sys/kernel/random/uuid)
	SECRET[$n]=$(cat /proc/sys/kernel/random/uuid)
	dock bash -eu <<-END
		install -d -m 710 -g $u $LIB/$n $RUN/$n
		echo node=$n >$LIB/$n/config
		chown $u:$u $LIB/$n/config
		chmod 400 $LIB/$n/config
		umask 077
		head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >$LIB/$n/key
		ip tuntap add isct$2 mode tap
	END
}
node one 2
node two 3

# One vm-tool for each node: "tell NAME COMMAND…" waits for the answer, which is then in $answer; all lines are in $TMP/NAME.
declare -A IN=([one]=5 [two]=7) OUT=([one]=6 [two]=8)
mkfifo "$TMP"/{one,two}.{in,out}
for n in one two; do
	dock "$TOOL_BIN" <"$TMP/$n.in" >"$TMP/$n.out" 2>"$TMP/$n.err" &
	: >"$TMP/$n"
done
exec 5>"$TMP/one.in" 6<"$TMP/one.out" 7>"$TMP/two.in" 8<"$TMP/two.out"
answer=''
tell() {
	local n=$1 line
	shift
	echo "$*" >&"${IN[$n]}"
	while IFS= read -r -t 40 -u "${OUT[$n]}" line; do
		echo "$line" >>"$TMP/$n"
		case $line in
		"ok $*"*) answer=$line && return 0 ;;
		"error $*"*) answer=$line && return 1 ;;
		esac
	done
	answer="no answer to $*"
	return 1
}
does() { # does DESC NAME COMMAND…
	local desc=$1
	shift
	if tell "$@"; then pass "$desc"; else
		echo "$answer" >"$TMP/out"
		fail "$desc" "$TMP/out"
	fi
}
said() { # what the guest or libvirt said last, by its first words
	grep "^$2" "$TMP/$1" | tail -n 1
}
took() { # ms
	echo "${answer##* }" | cut -d. -f1
}

# render NAME SLOT MACHINE
render() {
	local n=$1 u=$((1900000000 + $2)) lib=$LIB/$1
	tell "$n" render "$TOP/xml-templates/node-$3.xml" "$TMP/$n.xml" "name=$n" "uuid=${UUID[$n]}" memory=96 vcpus=1 \
		"kernel=$LIB/vmlinuz" "initrd=$LIB/initrd" "root=$LIB/root" "fwcfg=$lib/config" "overlay=$lib/overlay" \
		"secret=${SECRET[$n]}" "tap=isct$2" "mac=52:54:4e:00:00:0$2" "uid=$u" "gid=$u" "sockets=$RUN/$n" "slot=$2"
}
tell one accel
note "$(said one accel)"

# prepare NAME SLOT: all that stands before define
prepare() {
	local u=$((1900000000 + $2)) lib=$LIB/$1
	tell "$1" volume "$lib/overlay" "$LIB/templates" 64 "$lib/key" "$u" &&
		tell "$1" secret "${SECRET[$1]}" "isc-$1/overlay" "$lib/key"
}
does 'the dock listens for node one' one listen $RUN/one 0 1900000002
must() { # without this the rest has no meaning
	local desc=$1
	shift
	"$@" && pass "$desc" && return
	fail "$desc: $answer"
	done_testing
}
must 'an overlay and its secret can be made' prepare one 2
must '… one for each node' prepare two 3

# --- microvm: life ------------------------------------------------------------------------------------------------

must 'the microvm template renders' render one 2 microvm
does 'a microvm domain is defined' one define "$TMP/one.xml"
must 'it starts, from files that only its uid and everybody may read' tell one start isc-one
note "libvirt start, microvm: $(took) ms"
# Node two has nobody listening yet.
must 'the q35 template renders' render two 3 q35
does 'a q35 domain is defined while the other boots' two define "$TMP/two.xml"
must 'it starts, though nobody listens on its channels' tell two start isc-two
note "libvirt start, q35: $(took) ms"

must 'the microvm guest comes up' tell one wait 25000 channel control data vdb written
like "$(said one 'channel control accept')" 'uid=1900000002 gid=1900000002' 'the kernel says that the node itself connected'
like "$(said one 'channel control data vda refused')" 'refused' 'the guest cannot write its image'
like "$(said one 'channel control data vda [0-9a-f]')" "$ROOT_SUM" 'the guest reads the image as it is'
like "$(said one 'channel control data vdb-sectors')" ' 131072$' 'the overlay has its size'
like "$(said one 'channel control data fwcfg')" ' node=one$' 'the guest gets its configuration'
like "$(said one 'channel control data nets')" 'eth0' 'the guest has a network device'
like "$(said one 'channel control data devices')" ' 4 pci 0$' 'four virtio devices and no PCI: that is all'
does 'what happened was told' one wait 10 event started isc-one booted

does 'the dock listens for node two at last' two listen $RUN/two 0 1900000003
must 'the q35 guest comes to it by itself' tell two wait 25000 channel control data vdb written
like "$(said two 'channel control accept')" 'uid=1900000003 gid=1900000003' '… under its own uid'
like "$(said two 'channel control data vda [0-9a-f]')" "$ROOT_SUM" '… from the same image, at the same time'

# --- what the host sees (R3.1, R6.7) ------------------------------------------------------------------------------

tell one pid isc-one
pid=$(said one 'pid isc-one' | cut -d' ' -f3)
dock cat "/proc/$pid/cmdline" | tr '\0' ' ' >"$TMP/argv"
like "$(cat "$TMP/argv")" 'sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny' 'QEMU is sandboxed'
like "$(dock grep -h Seccomp: "/proc/$pid/status")" '2$' '… and the kernel knows it'
like "$(dock grep -h ^Uid: "/proc/$pid/status")" '1900000002.*1900000002.*1900000002.*1900000002' '… under the uid of its node'
is "$(dock grep -h ^Groups: "/proc/$pid/status" | tr -d '\t ')" 'Groups:1900000002' '… in no other group'
like "$(dock grep -h ^CapEff: "/proc/$pid/status")" '0000000000000000' '… without capabilities'
like "$(dock cat /sys/class/net/isct2/flags)" '^0x100[02]$' 'libvirt left the tap down: raising it is for whoever fenced it'
key=$(dock cat $LIB/one/key)
not_ok 'the key is neither in argv nor in XML nor in logs' dock grep -rqaF "$key" "/proc/$pid/cmdline" "/proc/$pid/environ" \
	/etc/libvirt /var/log/libvirt /run/libvirt /var/lib/libvirt
not_ok 'nothing of the guest lies on the host in the clear' dock grep -qaF isc-plaintext-marker $LIB/one/overlay
not_ok 'libvirt does not give a private secret back' dock virsh -q secret-get-value "${SECRET[one]}"
tell one leak $LIB/one/key
is "$(said one leak)" 'leak 0' 'the key is nowhere in the memory of who set it'
for f in $LIB/one/overlay $LIB/one/config "/var/lib/libvirt/qemu/domain-1-isc-one/master-key.aes" $RUN/one/log.sock; do
	not_ok "the other node's uid cannot open ${f##*/}" dock setpriv --reuid 1900000003 --regid 1900000003 --clear-groups \
		dd if="$f" of=/dev/null bs=1 count=1
done
not_ok 'a node cannot write the image that all share' dock setpriv --reuid 1900000002 --regid 1900000002 --clear-groups \
	dd if=/dev/zero of=$LIB/root bs=1 count=1 conv=notrunc
dock virsh -q dumpxml isc-two --inactive >"$TMP/dump.xml"
ok "libvirt's own XML of the domain is valid" virt-xml-validate "$TMP/dump.xml" domain
tell one list
like "$(said one 'domain isc-one')" "${UUID[one]} running slot=2 image=test" 'a list knows the node again by its metadata'
tell one stats
like "$(said one 'stats isc-two')" 'cpu_ms=[1-9][0-9]* rss_kib=[1-9][0-9]* read=[1-9]' 'statistics are there'

# --- verbs --------------------------------------------------------------------------------------------------------

does 'suspend' one suspend isc-one
does '… again is fine' one suspend isc-one
tell one state isc-one
is "$(said one 'state isc-one')" 'state isc-one paused' '… and shows'
does 'resume' one resume isc-one
does 'the link goes down' one link isc-one down
does '… and up' one link isc-one up
tell one forget
does 'the collector goes away' one hangup
does '… and the node comes back to it' one wait 4000 channel control accept
tell one forget
tell one send control hi
does '… both ways' one wait 3000 channel control data got hi
does 'starting what runs is fine' one start isc-one

# --- backup (R6.1) ------------------------------------------------------------------------------------------------

SNAP=$(cat /proc/sys/kernel/random/uuid)
dock bash -c "umask 077; head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >$LIB/one/snapkey"
tell one volume $LIB/one/snap $LIB/templates 64 $LIB/one/snapkey 1900000002
tell one secret "$SNAP" isc-one/snap $LIB/one/snapkey
tell one forget
tell one send control check
does 'the guest says what is on its overlay' one wait 8000 channel control data sum
sum=$(said one 'channel control data sum' | cut -d' ' -f5)
does 'a running disk is copied into an encrypted volume' one backup isc-one vdb $LIB/one/snap "$SNAP" 20000
note "backup of 64 MiB with 8 MiB of data: $(took) ms"
not_ok '… which holds nothing in the clear' dock grep -qaF isc-plaintext-marker $LIB/one/snap
got=$(dock bash -c "qemu-img convert --image-opts driver=qcow2,file.filename=$LIB/one/snap,encrypt.key-secret=s \
	--object secret,id=s,file=$LIB/one/snapkey -O raw $LIB/one/raw && head -c 8M $LIB/one/raw | sha256sum; rm -f $LIB/one/raw")
is "${got%% *}" "$sum" '… but all of the data, for its own key'
not_ok '… and nothing for the old key' dock qemu-img convert --image-opts \
	driver=qcow2,file.filename=$LIB/one/snap,encrypt.key-secret=s --object secret,id=s,file=$LIB/one/key -O raw $LIB/one/raw
tell one backup isc-one vdq $LIB/one/snap "$SNAP" 1000
like "$answer" 'error.*NotFound' 'a disk that is not there is refused'
tell one backup isc-one vdb $LIB/one/nothing "$SNAP" 5000
like "$answer" 'error' 'a target that is not there is refused'
tell one state isc-one
is "$(said one 'state isc-one')" 'state isc-one running' '… and the guest runs on'

# --- libvirtd comes and goes --------------------------------------------------------------------------------------

tell one forget
libvirtd() { # without our pipes: it would hold them open
	"$TOP/tools/rig" "$1" libvirtd --name "$RIG" "${@:2}" >/dev/null 2>&1 5>&- 6<&- 7>&- 8<&-
}
libvirtd stop
does 'a loss of libvirtd is told' one wait 3000 connection down
tell one state isc-one
like "$answer" 'error.*Host.*not connected' 'operations then say so at once'
ok 'the guests run on' dock kill -0 "$pid"
libvirtd start
does 'the connection comes back' one wait 12000 connection up
tell one list
like "$(said one 'domain isc-one')" 'running' 'the nodes are found again'
is "$(dock virsh -q secret-list | wc -l)" 0 'libvirtd forgot the secrets, as it should'
does 'they are pushed again' one secret "${SECRET[one]}" isc-one/overlay $LIB/one/key
tell one forget
tell two forget
libvirtd restart --signal KILL
does 'a crash of libvirtd is told' one wait 3000 connection down
does '… and the connection comes back' one wait 12000 connection up
does '… for each client' two wait 12000 connection up
# It takes its QEMUs up by and by, and tells nobody of one that ends before.  This waits for it.
ok 'the nodes are taken up again' dock sh -c 'for d in isc-one isc-two; do virsh -q domblkstat $d vda; done'
tell one forget

# --- endings ------------------------------------------------------------------------------------------------------

tell two forget
tell two send control panic
does 'a panic ends the domain' two wait 35000 event stopped isc-two
tell two state isc-two
is "$(said two 'state isc-two')" 'state isc-two off' '… for good'
# The disk below node two's overlay fills up: the guest must stand still, not go on with a broken disk.
tell two forget
dock bash -eu <<-END
	key=\$(cat $LIB/two/key)
	mount -t tmpfs -o size=5M,mode=710,gid=1900000003 tmpfs $LIB/two
	printf %s "\$key" >$LIB/two/key
	echo node=two >$LIB/two/config
	chown 1900000003 $LIB/two/config
END
must 'an overlay lies on a small file system' prepare two 3
must 'a guest starts on it' tell two start isc-two
does '… and is paused when that is full, and the reason told' two wait 25000 event io-error isc-two "$LIB/two/overlay: enospc"
does '…' two wait 3000 event suspended isc-two ioerror
tell two state isc-two
is "$(said two 'state isc-two')" 'state isc-two paused' '… and stays so'
tell two pid isc-two
dock kill -9 "$(said two 'pid isc-two' | cut -d' ' -f3)"
does 'a QEMU that dies is told as a crash' two wait 5000 event crashed isc-two
does 'an event comes on the new connection, too' one suspend isc-one
does '…' one wait 3000 event suspended isc-one paused
does 'a paused node can be destroyed' one destroy isc-one
note "libvirt destroy: $(took) ms"
does '… which is told' one wait 3000 event stopped isc-one destroyed
does '… and fine again' one destroy isc-one
tell one pid isc-one
is "$(said one 'pid isc-one')" 'pid isc-one 0' 'no process is left'
ok 'the tap is still there: it is not libvirt'"'"'s' dock test -e /sys/class/net/isct2
for n in one two; do
	does "isc-$n is undefined" $n undefine "isc-$n"
	does '… again is fine' $n undefine "isc-$n"
	does 'its secret goes' $n unsecret "${SECRET[$n]}"
done
is "$(dock virsh -q list --all --name)$(dock virsh -q secret-list)$(dock sh -c 'ls /var/lib/libvirt/qemu | grep ^domain-')" '' \
	'nothing is left in libvirt'
exec 5>&- 7>&-
cat <&6 >>"$TMP/one"
cat <&8 >>"$TMP/two"
is "$(cat "$TMP/one.err" "$TMP/two.err")" '' 'nothing was printed on stderr'
done_testing
