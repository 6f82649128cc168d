#!/usr/bin/env bash
# Persistent volumes: they outlive stops, keys and nodes, belong to one node, open for nobody else, and die by one verb.
# R5.2, R5.3, R5.4, F21.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

rig_up volume
vm() { dock isc-vm "$@"; }
state=/var/lib/isc-dock
clean() { dock isc-vm fsck --json | jq -e '. == []'; }
kv() { dock isc-vm provision "$1" --image redis --memory 96 --overlay 64 --expose 6379:6379 "${@:2}"; }
# shellcheck disable=SC2016 # $DOCK is the client's
redis() { client sh -c 'printf "$1\r\n" | nc -w 2 "$DOCK" 6379' - "$1"; }
has_marker() { redis 'GET marker' | grep -q "$marker"; }
ok "the image is imported" vm image import "$BUILD/images/redis"
marker=M$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')

# --- what is wrong -------------------------------------------------------------------------------
status 2 "a volume has a name" dock isc-vm volume create ../data 64M
status 2 "and a size" dock isc-vm volume create data 1K
status 3 "one without a size has to be there" kv kv --volume data:/var/lib/redis
status 5 "one that the disk has no room for is refused" dock isc-vm volume create data 8T
like "$(cat "$TMP/out")" "8388608 MiB and [0-9]+ MiB are free" "with what it needs and what there is"
status 2 "five are more than the machine has room for" kv kv \
	--volume a:/a --volume b:/b --volume c:/c --volume d:/d --volume e:/e
status 6 "an auditor makes none" as aud1 isc-vm volume create data 64M
is "$(dock sh -c "ls $state/volumes; ls $state/keys | grep volume")" "" "nothing is left of all that"

# --- life ----------------------------------------------------------------------------------------
ok "a node comes with a volume" kv kv --volume data:/var/lib/redis:64M
ok "data are written" redis "SET marker $marker\r\nSAVE"
status 4 "a volume in use is not removed" dock isc-vm volume rm data
status 4 "nor rekeyed" dock isc-vm volume rekey data
status 4 "nor given to another node" kv kw --volume data:/srv
status 4 "a running node keeps its volumes" dock isc-vm volume detach data
uid=$(vm list --json | jq '.[0].uid')
is "$(dock stat -c %u "$state/volumes/data/disk.qcow2")" "$uid" "the disk is the node's while it runs"
not_ok "another node's uid cannot read it" dock setpriv --reuid 1900000999 --regid 1900000999 --clear-groups \
	cat "$state/volumes/data/disk.qcow2"
not_ok "nor see that it is there" dock setpriv --reuid 1900000999 --regid 1900000999 --clear-groups \
	stat "$state/volumes/data/disk.qcow2"
ok "it is stopped" vm disable kv
is "$(dock stat -c %U "$state/volumes/data/disk.qcow2")" isc-dock "and the dock's when it is stopped"
ok "nothing of its data lies anywhere on the dock in the clear" dock sh -c \
	"! grep -raqF '$marker' $state /var/log/isc-dock /run/isc-dock"
dock cp "$state/volumes/data/disk.qcow2" "$TMP/before.qcow2"
ok "it gets a new key" vm volume rekey data
ok "and is made larger" vm volume resize data 128M
status 2 "but never smaller" dock isc-vm volume resize data 64M
ok "it starts again" vm enable kv
ok "and has its data" has_marker
ok "all is in order" clean

# --- snapshots -----------------------------------------------------------------------------------
sides() { dock sh -c "ls $state/volumes/data; ls $state/keys | grep -o '^data.volume.*'" | paste -sd ' '; }
ok "a snapshot is taken of it" vm snapshot create kv s1
ok "with the volume in it, of a moment when its file system was still" \
	sh -c "'$TOP/tools/rig' exec --name $RIG -- isc-vm snapshot list kv --json | jq -e '.[0].frozen and .[0].volumes == [\"data\"]'"
ok "it verifies" vm snapshot verify kv s1
ok "what is written in the volume is not in the clear in it" dock sh -c "! grep -raqF '$marker' $state"
ok "the data are changed" redis "SET marker later\r\nSAVE"
like "$(dock isc-vm snapshot restore kv s1 --dry-run)" 'refill s1 data:b.*turn s1 data:b.*- refill' "a dry run says which volumes are put back"
ok "it is put back" vm snapshot restore kv s1
ok "and has the data of then" has_marker
is "$(sides)" "disk-b.qcow2 data.volume.b.sealed" "of before nothing is left"
ok "the data are changed again" redis "SET marker later\r\nSAVE"
ok "it becomes another node" vm snapshot clone kv s1 twin --expose 6380:6379
like "$(vm volume list --json | jq -rc 'map(.name + ":" + .node)')" 'data:kv.*twin-data:twin' "with a volume of its own"
# shellcheck disable=SC2016 # $DOCK is the client's
ok "which has the data of then" client sh -c 'printf "GET marker\r\n" | nc -w 2 "$DOCK" 6380 | grep -q "$1"' - "$marker"
not_ok "while the first one has its own" has_marker
ok "they share no key" dock sh -c "cd $state; for k in keys/*.sealed; do sha256sum <\$k; done | sort | uniq -d | wc -l | grep -qx 0"
vm destroy twin >/dev/null
ok "the clone's volume goes by itself" vm volume rm twin-data
vm disable kv --force >/dev/null
ok "another volume is given to the node" vm volume create more 16M
ok "(while it is stopped)" vm volume attach more kv /srv/more
status 4 "then the snapshot is not its own any more" dock isc-vm snapshot restore kv s1
like "$(cat "$TMP/out")" "'more' is not in the snapshot" "and it says why"
vm volume detach more >/dev/null
vm volume rm more >/dev/null
dock sh -c "printf x | dd of=$state/nodes/kv/snapshots/s1.data.qcow2 bs=1 seek=400000 conv=notrunc status=none"
status 7 "one whose volume was tampered with does not verify" dock isc-vm snapshot verify kv s1
status 7 "and is not put back" dock isc-vm snapshot restore kv s1
is "$(sides)" "disk-b.qcow2 data.volume.b.sealed" "nothing is changed by that"
ok "it is deleted" vm snapshot delete kv s1
is "$(dock sh -c "ls $state/nodes/kv/snapshots; ls $state/keys | grep snapshot")" "" "with the copy of the volume and all keys"
ok "all is in order" clean
ok "the volume has its key yet" vm volume rekey data
ok "the node starts" vm enable kv
ok "the marker is written once more" redis "SET marker $marker\r\nSAVE"
ok "the node is destroyed" vm destroy kv
is "$(vm volume list --json | jq -r '.[] | .name + .node')" data "the volume is there, and nobody's"

# --- travel --------------------------------------------------------------------------------------
dock timeout -s INT 0.3 isc-vm volume export data "$TMP/half.qcow2" --key-file "$TMP/half.key" >/dev/null 2>&1
ok "a copy that was interrupted is given up" wait_for 60 dock isc-vm volume rekey data --dry-run
is "$(ls "$TMP"/half.* 2>/dev/null)" "" "nothing is left of it"
exported() { vm events -n 0 --json | jq -s 'map(select(.kind == "volume.exported")) | length'; }
is "$(exported)" 0 "nor on record"
ok "it is copied out" vm volume export data "$TMP/copy.qcow2" --key-file "$TMP/key"
is "$(exported)" 1 "and that is on record"
not_ok "the copy is encrypted" grep -aqF "$marker" "$TMP/copy.qcow2"
image=driver=qcow2,encrypt.format=luks,encrypt.key-secret=k,file.filename=$TMP/copy.qcow2
head -c 64 "$TMP/key" >"$TMP/key64"
ok "qemu-img reads it with the key file" qemu-img convert --object "secret,id=k,file=$TMP/key64" --image-opts "$image" \
	-O raw "$TMP/raw"
ok "the data are in it" grep -aqF "$marker" "$TMP/raw"
is "$(dumpe2fs -h "$TMP/raw" 2>/dev/null | sed -n 's/^Block count: *//p')" 32768 "its file system has grown with its disk"
rm "$TMP/raw"
status 2 "a passphrase may come by a pipe" dock bash -c "isc-vm volume export data $TMP/not --key-file <(echo short)"
like "$(cat "$TMP/out")" "8 to 512 bytes" "and is looked at as any other"
status 4 "where the copy cannot be made" dock isc-vm volume export data "$TMP/copy.qcow2" --key-file "$TMP/not"
not_ok "no key for it is left" test -e "$TMP/not"
head -c -1 "$TMP/copy.qcow2" >"$TMP/cut.qcow2"
status 2 "a copy whose last byte is missing is refused" dock isc-vm volume import cut "$TMP/cut.qcow2" --key-file "$TMP/key"
like "$(cat "$TMP/out")" "the last 1 of its [0-9]* bytes are missing" "for that"
printf '\0\0\10\0\0\0\0\0' | dd of="$TMP/cut.qcow2" bs=1 seek=24 conv=notrunc status=none
truncate -s +1 "$TMP/cut.qcow2"
status 5 "so is one that would grow to 8 TiB" dock isc-vm volume import cut "$TMP/cut.qcow2" --key-file "$TMP/key"
like "$(cat "$TMP/out")" "8388608 MiB and [0-9]+ MiB are free|rule max-disk" "as if it were made here"
rm "$TMP/cut.qcow2"
ok "it is made into another volume" vm volume import other "$TMP/copy.qcow2" --key-file "$TMP/key"
ok "which a node takes" kv kv --volume other:/var/lib/redis
ok "and finds the data on" has_marker
vm disable kv --force >/dev/null

# --- loss ----------------------------------------------------------------------------------------
dock mv "$state/keys/other.volume.sealed" "$state/other.sealed"
status 3 "a node whose volume has lost its key does not start" dock isc-vm enable kv
like "$(cat "$TMP/out")" "left as it is.*backup" "and says what to do"
dock mv "$state/other.sealed" "$state/keys/other.volume.sealed"
ok "with the key put back it does" vm enable kv
ok "and has its data" has_marker
ok "(another image is imported)" vm image import "$BUILD/images/minimal"
dock mv "$state/keys/other.volume.sealed" "$state/other.sealed"
status 3 "one that runs is not stopped for another image while the key is lost" dock isc-vm upgrade kv --image minimal
ok "it serves on" has_marker
dock mv "$state/other.sealed" "$state/keys/other.volume.sealed"
vm destroy kv >/dev/null

# --- an overlay that is kept ---------------------------------------------------------------------
own() { dock sh -c "ls $state/nodes/box | grep overlay; ls $state/keys | grep -o '^box.overlay.*'" | paste -sd ' '; }
ok "a node keeps its scratch space" vm provision box --image redis --memory 96 --overlay 64:keep --expose 6379:6379
ok "data are written in it" redis "SET marker $marker\r\nSAVE"
ok "a snapshot is taken" vm snapshot create box s1
ok "the data are changed" redis "SET marker later\r\nSAVE"
ok "it is stopped" vm disable box
is "$(dock stat -c %U "$state/nodes/box/overlay.qcow2"),$(own)" "isc-dock,overlay.qcow2 box.overlay.sealed" "disk and key stay, the dock's alone"
dock mv "$state/keys/box.overlay.sealed" "$state/box.sealed"
status 3 "without the key it does not start" dock isc-vm enable box
like "$(cat "$TMP/out")" "left as it is" "and nothing is made anew"
dock mv "$state/box.sealed" "$state/keys/box.overlay.sealed"
ok "with it it does" vm enable box
like "$(redis 'GET marker')" later "with its data"
ok "the snapshot is put back" vm snapshot restore box s1
ok "with the data of then" has_marker
is "$(own)" "overlay-b.qcow2 box.overlay.b.sealed" "and of those before nothing is left"
ok "nothing of it lies in the clear" dock sh -c "! grep -raqF '$marker' $state"
ok "all is in order" clean
like "$(dock isc-vm destroy box)" "shredded: overlay and its key" "it goes with its node"
is "$(dock sh -c "ls $state/nodes; ls $state/keys | grep box")" "" "disk, key and snapshot"

# --- end -----------------------------------------------------------------------------------------
for volume in data other; do ok "volume $volume is shredded" vm volume rm "$volume"; done
is "$(dock sh -c "ls $state/volumes; ls $state/keys | grep volume; virsh -q secret-list")" "" "disk, keys and secrets are gone"
is "$(dock find $state/keys -type f ! -name '*.pub' ! -perm 600)" "" "keys are for the dock alone"
opens() { # DISK FILE: whether the passphrase in FILE opens a copy of a disk
	dock qemu-io -r --object "secret,id=k,file=$2" --image-opts \
		"driver=qcow2,encrypt.format=luks,encrypt.key-secret=k,file.filename=$1" -c 'read 0 512'
}
ok "(the exported copy opens with its key)" opens "$TMP/copy.qcow2" "$TMP/key64"
for key in "$TMP/key64" $(dock sh -c "ls $state/keys/*"); do
	not_ok "a copy of the disk from before does not open with what is left (${key##*/})" opens "$TMP/before.qcow2" "$key"
done
ok "all is in order" clean
done_testing
