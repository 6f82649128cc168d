#!/usr/bin/env bash
# The dock's disk is full: what is asked for is refused with need and have, nothing is left half done, and a node that runs is
# paused, not harmed, until there is room.
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
ok "the dock has a disk with little room" small 72
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
ok "the dock is in order" sh -c "'$TOP/tools/rig' exec --name $RIG -- isc-vm fsck --json | jq -e '. == []'"
done_testing
