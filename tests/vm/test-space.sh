#!/usr/bin/env bash
# The dock's disk is full: what is asked for is refused with need and have, nothing is left half done, and a node that runs is
# paused, not harmed, until there is room. F4.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

rig_up space
vm() { dock isc-vm "$@"; }
rig() { "$TOP/tools/rig" "$1" --name "$RIG" "${@:2}"; }
state=/var/lib/isc-dock
ok "the image is imported" vm image import "$BUILD/images/redis"
# All of the dock's state on a small disk of its own.  Images are as immutable as that allows.
small() { # FREE MiB
	rig stop dockd >/dev/null 2>&1
	dock sh -c "used=\$(du -sm $state | cut -f 1)
		mkdir -p /run/small && mount -t tmpfs -o mode=755,size=\$((used + $1))m tmpfs /run/small && cp -a $state/. /run/small/ &&
		chown --reference=$state /run/small && chmod --reference=$state /run/small && mount --move /run/small $state" &&
		rig start dockd
}
free_mib() { dock df --output=avail -m $state | tail -1 | tr -d ' '; }
leave() { # MiB: fills the disk up to there
	dock sh -c "dd if=/dev/zero of=$state/filler bs=1M count=$(($(free_mib) - $1)) status=none"
}
ok "the dock has a disk with little room" small 160
have=$(free_mib)

# --- refused --------------------------------------------------------------------------------------
before=$(dock sh -c "cd $state && find nodes volumes keys | sort")
status 5 "a volume that has no room is refused" dock isc-vm volume create big 1G
like "$(cat "$TMP/out")" "may grow by 1024 MiB and [0-9]+ MiB are free" "with need and have"
status 5 "so is a node" dock isc-vm provision kv --image redis --memory 96 --overlay 1024
like "$(cat "$TMP/out")" "1024 MiB,? and [0-9]+.* MiB are (free|left)" "with need and have"
is "$(dock sh -c "cd $state && find nodes volumes keys | sort")" "$before" "nothing is left of that"

# --- paused ---------------------------------------------------------------------------------------
ok "a node fits (of $have MiB)" vm provision kv --image redis --memory 160 --overlay 48 --expose 6379:6379
kv() { client redis-cli -h "$DOCK" "$@"; }
marker=$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')
ok "it has data" kv SET marker "$marker"
ok "on its disk" kv SAVE
leave 4
head -c 20971520 /dev/urandom >"$TMP/big"
client sh -c "redis-cli -h $DOCK -x SET big <$TMP/big; timeout 60 redis-cli -h $DOCK BGSAVE" >"$TMP/save" 2>&1 &
paused() { vm list --json | jq -e '.[0].state == "suspended"'; }
ok "when its disk cannot grow, it is paused" wait_for 60 paused
like "$(vm show kv --json | jq -r .reason)" "may come to need [0-9]+ MiB and [0-9]+ MiB are free" "and shown with need and have"
ok "it is on record" sh -c "'$TOP/tools/rig' exec --name $RIG -- isc-vm events -n 0 --json | jq -s -e 'map(select(.kind == \"node.no-room\")) | length > 0'"
status 5 "without room it is not woken" dock isc-vm resume kv
like "$(cat "$TMP/out")" "may come to need [0-9]+ MiB and [0-9]+ MiB are free" "with need and have"
dock rm "$state/filler"
awake() { vm list --json | jq -e '.[0].state == "ready"'; }
ok "with room it goes on by itself" wait_for 60 awake
saved() { kv INFO persistence | grep -q 'rdb_bgsave_in_progress:0'; }
ok "what it was writing is written" wait_for 60 saved
like "$(kv INFO persistence)" "rdb_last_bgsave_status:ok" "and no write has failed"
is "$(kv GET marker)" "$marker" "it has its data"
is "$(kv STRLEN big)" 20971520 "all of them"
not_ok "its kernel saw no error" sh -c "'$TOP/tools/rig' exec --name $RIG -- isc-vm logs kv | grep -iE 'i/o error|read-only|EXT4-fs error'"
leave 3
status 5 "a snapshot is refused" dock isc-vm snapshot create kv s1
like "$(cat "$TMP/out")" "may take [0-9]+ MiB and [0-9]+ MiB are free" "with need and have"
is "$(dock sh -c "ls $state/nodes/kv/snapshots; ls $state/keys | grep snapshot")" "" "nothing is left of it"
dock rm "$state/filler"
ok "with room it is taken" vm snapshot create kv s1

# --- in the middle of a copy ----------------------------------------------------------------------
# What asks for room first, and gets it, may find the disk full all the same: somebody else was quicker.  Here that is a
# program which takes all that is left as soon as PATTERN is there.
cat >"$TMP/squeeze.py" <<-'PYTHON'
	import glob, os, sys, time
	pattern, filler, stop = sys.argv[1:]
	print("ready", flush=True)
	while not os.path.exists(stop):
	    if glob.glob(pattern):
	        fd, at, piece = os.open(filler, os.O_WRONLY | os.O_CREAT, 0o600), 0, 1 << 20
	        while piece >= 4096:
	            try:
	                os.posix_fallocate(fd, at, piece)
	                at += piece
	            except OSError:
	                piece //= 2
	        break
	    time.sleep(0.0002)
PYTHON
# squeeze PATTERN CMD…: its output and status in $TMP/said and $TMP/rc
squeeze() {
	rm -f "$TMP/stop" "$TMP/squeezed"
	dock python3 "$TMP/squeeze.py" "$1" "$state/filler" "$TMP/stop" >"$TMP/squeezed" &
	local filler=$!
	wait_for 30 grep -q ready "$TMP/squeezed"
	dock "${@:2}" >"$TMP/said" 2>&1
	echo $? >"$TMP/rc"
	touch "$TMP/stop"
	wait "$filler"
}
# cramped DESC PATTERN UNDO CMD…: CMD fails for want of room.  One that was quicker than the program is undone by UNDO, and
# tried again.
cramped() {
	local desc=$1 pattern=$2 undo=$3 i
	shift 3
	for ((i = 0; i < 20; i++)); do
		squeeze "$pattern" "$@"
		[ "$(cat "$TMP/rc")" = 0 ] || break
		dock rm -f "$state/filler"
		# shellcheck disable=SC2086 # words
		vm $undo >/dev/null
	done
	isnt "$(cat "$TMP/rc")" 0 "$desc"
	like "$(cat "$TMP/said")" "[Nn]o space left|MiB free|disk is full" "and says so"
}
left() { dock sh -c "cd $state && find nodes volumes images keys | sort"; }
before=$(left)
cramped "a snapshot that finds the disk full fails" "$state/nodes/kv/snapshots/s2.qcow2" "snapshot delete kv s2" \
	isc-vm snapshot create kv s2
is "$(left)" "$before" "nothing is left of it"
is "$(vm snapshot list kv --json | jq -r '.[].name')" s1 "nor in the register"
dock rm -f "$state/filler"
ok "the node runs on" wait_for 60 awake
ok "and has its data" kv GET marker
ok "with room it is taken" vm snapshot create kv s2
for s in s1 s2; do vm snapshot delete kv "$s" >/dev/null; done
before=$(left)
cramped "so does an image" "$state/images/.import-*" "image rm minimal" isc-vm image import "$BUILD/images/minimal"
is "$(left)" "$before" "nothing is left of it"
dock rm -f "$state/filler"
ok "with room it is imported" vm image import "$BUILD/images/minimal"
vm image rm minimal >/dev/null
vm volume create v 16M >/dev/null
vm volume export v "$TMP/v.qcow2" --key-file "$TMP/v.key" >/dev/null
vm volume rm v >/dev/null
head -c 64 "$TMP/v.key" >"$TMP/v.pass"
qemu-io --object "secret,id=s,file=$TMP/v.pass" --image-opts -c 'write -q -P 7 0 16M' \
	"driver=qcow2,file.driver=file,file.filename=$TMP/v.qcow2,encrypt.format=luks,encrypt.key-secret=s" ||
	fail "the volume is filled"
before=$(left)
cramped "so does a volume" "$state/volumes/v/disk.qcow2.tmp" "volume rm v" \
	isc-vm volume import v "$TMP/v.qcow2" --key-file "$TMP/v.key"
is "$(left)" "$before" "nothing is left of it"
dock rm -f "$state/filler"
ok "with room it is made" vm volume import v "$TMP/v.qcow2" --key-file "$TMP/v.key"
dock sh -c 'mkdir /run/tiny && mount -t tmpfs -o size=8m tmpfs /run/tiny'
not_ok "one that does not fit where it is copied to" vm volume export v /run/tiny/v --key-file "$TMP/v.key"
like "$(cat "$TMP/out")" "No space left" "says so"
is "$(dock ls /run/tiny)" "" "and leaves nothing there"
# The dock keeps a little room for its register; by now it may have been used, and is made anew at a start.
rig restart dockd >/dev/null 2>&1
ok "the dock has some room to itself" wait_for 30 dock test -e "$state/reserve"
dock python3 "$TMP/squeeze.py" "$state" "$state/filler" "$TMP/never" >/dev/null
ok "what makes room may be ordered on a full disk" vm volume rm v
dock rm "$state/filler"
ok "the dock is in order" sh -c "'$TOP/tools/rig' exec --name $RIG -- isc-vm fsck --json | jq -e '. == []'"
done_testing
