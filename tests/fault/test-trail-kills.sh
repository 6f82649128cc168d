#!/usr/bin/env bash
# isc-collectord, isc-dockd and libvirtd are killed again and again while two real nodes run known commands as fast as they
# can: every trail is good, and every command is there once and in order, or its loss is on record.
# Longer by environment: ISC_KILL_SECONDS (15).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# R4.2, R4.3, F14
SECONDS_OF_KILLS=${ISC_KILL_SECONDS:-15}

rig_up trail-kills
vm() { dock isc-vm "$@"; }
ok "the image is imported" vm image import "$BUILD/images/vandal"
ok "a node runs" vm provision a --image vandal --memory 128 --expose 8081:8080
ok "and another one" vm provision b --image vandal --memory 128 --expose 8082:8080

# load NODE PORT: runs commands, fifty at a time, until $TMP/stop is there; $TMP/NODE.ran has how many
load() {
	local next=1 said
	while [ ! -e "$TMP/stop" ]; do
		said=$(client sh -c "echo commands $next 50 | timeout 120 nc -N \$DOCK $2")
		[ "$said" = "ran 50" ] || { echo "$said" >"$TMP/$1.failed" && break; }
		next=$((next + 50))
	done
	echo $((next - 1)) >"$TMP/$1.ran"
}
load a 8081 &
a=$!
load b 8082 &
b=$!
end=$((SECONDS + SECONDS_OF_KILLS)) kills=0 failed=0
victims=(collectord dockd collectord libvirtd)
while [ $SECONDS -lt $end ]; do
	victim=${victims[kills % ${#victims[@]}]}
	"$TOP/tools/rig" restart "$victim" --name "$RIG" --signal KILL >"$TMP/restart" 2>&1 || { failed=$((failed + 1)) && cat "$TMP/restart"; }
	kills=$((kills + 1))
	sleep "0.$((RANDOM % 10))"
done
: >"$TMP/stop"
wait $a $b
is "$failed" 0 "each came back after each kill"
is "$(cat "$TMP"/?.failed 2>/dev/null)" "" "no connection of a node's clients broke"
note "$kills kills in $SECONDS_OF_KILLS s; commands: a $(cat "$TMP/a.ran"), b $(cat "$TMP/b.ran")"
[ "$(cat "$TMP/a.ran")" -gt 0 ] && [ "$(cat "$TMP/b.ran")" -gt 0 ]
is $? 0 "both ran commands all the while"
ok "the dock answers" wait_for 30 vm list
for n in a b; do ok "$n stops in order" vm disable $n; done
ok "every trail is good and complete" vm audit verify --all
cat "$TMP/out"
for n in a b; do
	vm audit export $n "$TMP/$n" >/dev/null
	vm audit verify $n --json >"$TMP/$n.json"
	note "$n: $(jq -c '{records, lost, restarts, serials}' "$TMP/$n.json")"
	lost=$(jq .lost "$TMP/$n.json")
	"$TOP/tests/vm/trail-tool.py" commands "$TMP/$n/audit.log" 1 "$(cat "$TMP/$n.ran")" >"$TMP/out" 2>&1
	is "$?:$lost" 0:0 "$n: each command is there, once and in order, and nothing is counted as lost"
	is "$(jq -c '[.serials.missing, .serials.unsettled]' "$TMP/$n.json")" "[0,0]" "and no serial of its kernel is missing"
done
ok "the dock is in order" sh -c "'$TOP/tools/rig' exec --name $RIG -- isc-vm fsck --json | jq -e '. == []'"
done_testing
