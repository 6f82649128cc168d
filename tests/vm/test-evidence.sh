#!/usr/bin/env bash
# What is kept of a node besides itself: evidence of a quarantine, snapshots, and the proof that the rest is gone.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

rig_up evidence
vm() { dock isc-vm "$@"; }
json() {
	local filter=$1
	shift
	dock isc-vm "$@" --json | jq -e "$filter" >/dev/null
}
on_record() { dock isc-vm events -n 0 --json | jq -s -e "$1" >/dev/null; }
rig() { "$TOP/tools/rig" "$1" --name "$RIG" "${@:2}"; }
state=/var/lib/isc-dock
# Where libguestfs has been made once for isc-image, it is not made again.
appliance() {
	local made f dir=/var/tmp/isc-appliance.$$
	made=$(compgen -G "${XDG_CACHE_HOME:-$HOME/.cache}/isc-dock/guestfs/.guestfs-*/appliance.d" | head -1)
	[ -n "$made" ] || return 1
	at_exit rm -rf "$dir"
	mkdir -m 755 "$dir"
	for f in kernel initrd root; do
		ln "$made/$f" "$dir/$f" 2>/dev/null || cp --sparse=always "$made/$f" "$dir/$f"
	done
	touch "$dir/README.fixed"
	chmod -R a+rX "$dir"
	echo "$dir"
}

ok "the image is imported" vm image import "$BUILD/images/minimal"
canary=c$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')
ok "a node stands" vm provision web --env "CANARY=$canary" --image minimal --memory 96 --overlay 64 --expose 8080:8080 --writable /srv/www --volume data:/srv/www/data:16M

# --- evidence -------------------------------------------------------------------------------------
# R6.2: frozen, with a signed manifest of hashes; R3.5: by role; R5.4: sealed, and no key with it unless asked for.
status 6 "an operator gets no memory" as op1 isc-vm quarantine web --with-memory --reason curious
ok "it is put into quarantine" as sec1 isc-vm quarantine web --with-memory --reason "looks <odd>"
name=$(dock isc-vm evidence list --names)
like "$name" '^web\.q[0-9]{8}-[0-9]{6}-[0-9]{3}$' "which leaves evidence"
ok "signed, with its disks and its reason" json '.[0] | .signed and .disk and .memory and .volumes == ["data"] and .reason == "looks <odd>"' evidence list
ok "an auditor verifies it" as aud1 isc-vm evidence verify "$name"
status 6 "an operator may not see it" as op1 isc-vm evidence list
status 6 "an auditor does not get its key" as aud1 isc-vm evidence export "$name" /run/home/aud1/x --with-key
status 5 "it stays while the node is in quarantine" as sec1 isc-vm evidence rm "$name" --reason bored
status 2 "only names of evidence are taken" dock isc-vm evidence show ../web.q1
status 3 "what is not there is not shown" dock isc-vm evidence show web.q1
ok "an auditor exports it" as aud1 isc-vm evidence export "$name" /run/home/aud1/e
like "$(as aud1 ls -m /run/home/aud1/e)" 'audit.log.*dock.pub.*manifest.json.*memory.elf.sealed.*overlay.qcow2.*volume-data.qcow2' "with all its files"
unlike "$(as aud1 ls -m /run/home/aud1/e)" 'key' "and no key"
dock cp -r /run/home/aud1/e /run/e
dock cp "$state/keys/signing.pub" /run/signing.pub
ok "it verifies without a dock" dock env DBUS_SYSTEM_BUS_ADDRESS=unix:path=/none isc-vm evidence verify --export /run/e --key /run/signing.pub
ok "and with minisign" dock minisign -Vm /run/e/manifest.json -p /run/signing.pub
tampered() { # DESC COMMAND: on a copy
	dock sh -c "rm -rf /run/t && cp -r /run/e /run/t && cd /run/t && chmod -R u+w . && $2"
	status 7 "$1" dock isc-vm evidence verify --export /run/t
}
tampered "a changed byte of the disk is found" 'printf x | dd of=overlay.qcow2 bs=1 seek=300000 conv=notrunc status=none'
tampered "so is one of a volume" 'printf x | dd of=volume-data.qcow2 bs=1 seek=300000 conv=notrunc status=none'
tampered "so is one of the trail" 'sed -i s/audit/Audit/ audit.log'
tampered "a missing file" 'rm audit.chain'
tampered "one that was put there" 'echo >more.log'
tampered "a changed manifest" 'sed -i s/odd/good/ manifest.json'
tampered "a missing signature" 'rm manifest.json.minisig'
status 7 "another key does not verify it" dock isc-vm evidence verify --export /run/e --key /etc/isc-dock/trusted.d/publisher.pub
not_ok "the disk is no plain text" dock grep -aq 'lost+found' "$state/evidence/$name/overlay.qcow2"
ok "an officer exports it with the keys" as sec1 isc-vm evidence export "$name" /run/home/sec1/k --with-key
for disk in overlay volume-data; do
	image=driver=qcow2,encrypt.format=luks,encrypt.key-secret=k,file.filename=/run/home/sec1/k/$disk.qcow2
	ok "its key opens $disk" dock qemu-img convert --object "secret,id=k,file=/run/home/sec1/k/$disk.key" --image-opts "$image" -O raw /run/raw
	ok "which holds a file system" dock dumpe2fs -h /run/raw
done
dock rm -f /run/raw
ok "its memory is written where an officer wants it" as sec1 isc-vm evidence memory --export /run/home/sec1/k /run/home/sec1/core
is "$(dock head -c 4 /run/home/sec1/core | tail -c 3)" ELF "as a core"
ok "with what the service knew in it" dock grep -aqF "$canary" /run/home/sec1/core
dock rm /run/home/sec1/core
# R5.4, R6.1: memory lies sealed.
not_ok "which is nowhere on the dock in the clear" dock grep -raqF "$canary" "$state"
status 6 "an auditor gets none of it" as aud1 isc-vm evidence memory "$name" /run/home/aud1/core
dock sh -c 'printf x | dd of=/run/home/sec1/k/memory.elf.sealed bs=1 seek=300000 conv=notrunc status=none'
status 7 "what was changed does not open" as sec1 isc-vm evidence memory --export /run/home/sec1/k /run/home/sec1/core
not_ok "and leaves nothing" dock test -e /run/home/sec1/core
status 3 "what was no volume is not browsed" as sec1 isc-vm evidence browse "$name" --volume other
if dir=$(appliance); then
	dock env "LIBGUESTFS_PATH=$dir" isc-vm evidence browse "$name" / --json >"$TMP/list" 2>"$TMP/why"
	ok "its disk is read in a box" jq -e 'type == "array"' "$TMP/list"
	unlike "$(dock sh -c 'mount; cat /proc/mounts')" 'qcow2|nbd' "and mounted by nobody here"
else
	skip "its disk is read in a box" "no appliance of libguestfs yet: isc-image build makes one"
fi
ok "who opened it is on record" on_record 'map(select(.kind == "evidence.opened" or .kind == "evidence.key")) | length > 2'
ok "an officer releases the node" as sec1 isc-vm release web --reason fine
ok "and removes the evidence" as sec1 isc-vm evidence rm "$name" --reason 'case closed'
ok "nothing of it is left" dock sh -c "! ls $state/keys | grep evidence && ! ls $state/evidence | grep ."

# --- snapshots ------------------------------------------------------------------------------------
# R6.1
names() { dock isc-vm snapshot list web --json | jq -r 'map(.name) | join(" ")'; }
ok "a snapshot is taken" vm snapshot create web s1
dock sh -c 'kill -STOP $(pidof isc-collectord)'
ok "nothing waits for a guest that does not answer" timeout 60 "$TOP/tools/rig" exec --name "$RIG" -- \
	isc-vm snapshot create web s2 --keep 1
dock sh -c 'kill -CONT $(pidof isc-collectord)'
ok "which is told" json '.[0].frozen == false' snapshot list web
is "$(names)" s2 "and the oldest beyond those to keep is gone"
ok "with its key and its manifest" dock sh -c "! ls $state/keys $state/nodes/web/snapshots | grep s1"
dock python3 - "$state/register.db" <<-'END'
	import sqlite3, sys
	db = sqlite3.connect(sys.argv[1]); db.execute("DELETE FROM snapshot"); db.commit()
END
status 7 "a lost row is missed" dock isc-vm fsck
ok "and made from the manifest" vm fsck --repair
is "$(names)" s2 "with its name"
ok "it becomes another node" vm snapshot clone web s2 twin --expose 8081:8080
ok "which serves" client sh -c 'curl -fsS -m 5 "http://$DOCK:8081/"'
ok "and has an identity of its own" json 'map(.uuid // .address) | unique | length == 2' list
dock python3 - "$state/register.db" <<-'END' &
	import os, sqlite3, sys, time
	db = sqlite3.connect(sys.argv[1], isolation_level=None); db.execute("BEGIN EXCLUSIVE")
	open("/run/locked", "w").close()
	while os.path.exists("/run/locked"): time.sleep(0.1)
END
wait_for 40 dock test -e /run/locked
not_ok "a register that cannot be written is told" dock isc-vm quarantine twin --reason 'no register'
like "$(cat "$TMP/out")" "is cut off, but" "with what is missing"
not_ok "and the node is off the net" client sh -c 'curl -fsS -m 1 "http://$DOCK:8081/"'
dock rm /run/locked
ok "asked again, it is on record" vm quarantine twin --reason 'no register'
ok "and released" vm release twin --reason test
dock sed -i 's/"frozen":false/"frozen":true/' "$state/nodes/web/snapshots/s2.json"
status 7 "one that was tampered with is not restored" dock isc-vm snapshot restore web s2
ok "the node runs on" client sh -c 'curl -fsS -m 5 "http://$DOCK:8080/"'

# --- in the middle of a start ---------------------------------------------------------------------
# R6.2: what runs already is kept, however little of it is ready.
ok "an image that never gets healthy is imported" vm image import "$BUILD/images/fickle3"
dock isc-vm provision slow --image fickle:3 --memory 96 --overlay 64 --expose 8082:8080 --timeout 600 >"$TMP/slow" 2>&1 &
slow=$!
# shellcheck disable=SC2016 # $DOCK is the client's
slow_serves() { client sh -c 'curl -fsS -m 1 "http://$DOCK:8082/"'; }
ok "a node of it serves, and is not ready" wait_for 60 slow_serves
for verb in 'destroy slow' 'quarantine slow --reason dry'; do
	# shellcheck disable=SC2086 # words
	status 4 "a dry run of ${verb%% *} does not end its start" dock isc-vm $verb --dry-run
done
ok "it is put into quarantine" vm quarantine slow --reason 'while it starts'
wait "$slow"
is "$?" 4 "which is the end of its start"
like "$(cat "$TMP/slow")" "node 'slow' is put into quarantine as it is" "that says so"
not_ok "it is off the net" slow_serves
is "$(vm show slow --json | jq -r .state),$(dock virsh domstate isc-slow)" "quarantined,running" "runs on"
ok "and its disk is evidence" json 'map(select(.name | startswith("slow.q"))) | length == 1 and .[0].disk and .[0].signed' evidence list
ok "it is destroyed" vm destroy slow
dock isc-vm provision slow --image fickle:3 --memory 96 --overlay 64 --timeout 600 >"$TMP/slow" 2>&1 &
slow=$!
wait_for 60 json '.state == "enabling"' show slow
status 0 "to destroy what is being provisioned is no failure" dock isc-vm destroy slow
wait "$slow"
is "$?,$(vm list --names | grep slow)" "4," "it is the end of that"

# --- gone, and proven -----------------------------------------------------------------------------
# R5.3: what was shredded is signed for.
ok "a node is protected" as op1 isc-vm protect web
status 5 "and cannot be destroyed" dock isc-vm destroy web
ok "until it is not" as op1 isc-vm unprotect web
like "$(dock isc-vm destroy web)" 'shredded: overlay and its key.*snapshot s2' "destroy tells what it shredded"
uuid=$(dock isc-vm list --destroyed --json | jq -r '.[0] | select(.name == "web") | .uuid')
ok "and so does its record" json '.[0].shredded | length == 3' list --destroyed
ok "which the dock has signed" dock minisign -Vm "$state/destroyed/$uuid.json" -p "$state/keys/signing.pub"

# --- the dock -------------------------------------------------------------------------------------
# R6.3
ok "the dock tells how it is" json '.boundary == "in force" and .nodes.ready == 1 and .disk.images > 0' dock status
status 6 "an auditor does not drain it" as aud1 isc-vm dock drain
is "$(dock isc-vm dock drain --dry-run | paste -sd ' ')" "+ draining - twin" "a dry run tells what would be"
ok "it is drained" as op1 isc-vm dock drain --force
is "$(dock isc-vm dock drain --dry-run)" "nothing to do" "once it is, nothing would"
is "$(dock isc-vm quarantine twin --reason dry --dry-run)" "nothing to do but to put it on record" "as would be with one that is stopped"
ok "nothing runs" json '.draining and (.nodes | keys == ["disabled"])' dock status
status 5 "and nothing is started" dock isc-vm enable twin
status 4 "it is not torn down while a node is left" dock isc-vm dock teardown
ok "drained no more" vm dock undrain
ok "the node is destroyed" vm destroy twin
ok "the dock is in order" json '. == []' fsck
ok "it is torn down" vm dock teardown
wait_for 40 dock sh -c '! pidof isc-dockd'
is "$(dock sh -c 'ip -br link show isc0 2>/dev/null; nft list tables | grep isc-dock; ls /run/isc-dock/nodes 2>/dev/null')" "" \
	"neither bridge, rule nor run file is left"
ok "and is set up again" rig restart dockd
ok "in order" json '.boundary == "in force"' dock status
done_testing
