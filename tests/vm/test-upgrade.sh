#!/usr/bin/env bash
# Another image under a node that serves: a client asks 200 times a second all the while, and is never refused.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

rig_up upgrade
rig() { "$TOP/tools/rig" "$1" --name "$RIG" "${@:2}"; }
vm() { dock isc-vm "$@"; }
RATE=200 # as far as an emulated node answers them
# json FILTER CMD…: the filter holds on CMD's JSON
json() {
	local filter=$1
	shift
	dock isc-vm "$@" --json | jq -e "$filter" >/dev/null
}
# shellcheck disable=SC2016 # $DOCK is the client's
get() { client sh -c 'curl -fsS -m 5 "http://$DOCK:8080/'"$1"'"'; }
serves() { [ "$(get '')" = "fickle $1" ]; }
alone() { json 'map(.name) == ["web"]' list; }

# load NAME: a client asks RATE times a second until unload; $TMP/NAME gets a line an answer
load() {
	client "$TOP/tests/vm/load.py" "$TMP/$1" 8080 "$RATE" >"$TMP/$1.sum" &
	LOAD=$!
	wait_for 60 answered "$1" 25 || fail "the client is answered" "$TMP/$1"
}
answered() { [ "$(wc -l <"$TMP/$1")" -ge "$2" ]; }
# unload NAME: ends it when 25 more are answered; $TMP/NAME.bad has what went wrong
unload() {
	wait_for 60 answered "$1" $(($(wc -l <"$TMP/$1") + 25))
	touch "$TMP/$1.stop"
	wait "$LOAD"
	grep -v ' fickle [123]$' "$TMP/$1" >"$TMP/$1.bad"
	note "$1: $(cat "$TMP/$1.sum"); $(wc -l <"$TMP/$1.bad") failed"
}
# both NAME: the first image and the second answered
both() { grep -q ' fickle 1$' "$TMP/$1" && grep -q ' fickle 2$' "$TMP/$1"; }

for i in fickle fickle2 fickle3; do ok "image $i is imported" vm image import "$BUILD/images/$i"; done
ok "a node of the first" vm provision web --image fickle:1 --memory 96 --overlay 64 --expose 8080:8080
uuid=$(dock isc-vm show web --json | jq -r '.uuid, .address')
status 3 "an image that is not there is refused" dock isc-vm upgrade web --image fickle:9
status 4 "there is nothing to roll back to" dock isc-vm rollback web
status 0 "a dry run" dock isc-vm upgrade web --image fickle:2 --dry-run
like "$(cat "$TMP/out")" "stand-in.*redirect.*image.*redirect.*stand-in" "tells of the stand-in"
ok "and does nothing" alone

# --- upgrade and rollback under load (R2.3) -------------------------------------------------------
load up
ok "the node gets the second" vm upgrade web --image fickle:2
unload up
is "$(cat "$TMP/up.bad")" "" "no request failed"
ok "and both images answered" both up
ok "it serves the new image" serves 2
is "$(dock isc-vm show web --json | jq -r '.uuid, .address')" "$uuid" "under its name, uuid and address"
ok "nobody is left beside it" alone
status 4 "the old image stays for a rollback" dock isc-vm image rm fickle:1
ok "the same once more changes nothing" json '.changed == false' upgrade web --image fickle:2
load back
ok "it is rolled back" vm rollback web
unload back
is "$(cat "$TMP/back.bad")" "" "no request failed"
ok "and both images answered" both back
ok "it serves the old image" serves 1

# --- an image that is no good (R2.3) --------------------------------------------------------------
load bad
status 9 "one that never gets healthy is not put under it" dock isc-vm upgrade web --image fickle:3 --timeout 5
unload bad
is "$(cat "$TMP/bad.bad")" "" "no request failed"
ok "the old one serves" serves 1
ok "with nobody beside it" alone
status 9 "in place it is not kept either" dock isc-vm upgrade web --image fickle:3 --in-place --timeout 5
ok "the old one is started again" serves 1

# --- the dock dies in the middle ------------------------------------------------------------------
rig restart dockd --env "ISC_FAULT=kill:upgrade:8" >/dev/null 2>&1
load crash
dock isc-vm upgrade web --image fickle:2 >/dev/null 2>&1
rig restart dockd >/dev/null
through() { alone && json '.state == "ready"' show web; }
wait_for 90 through
unload crash
is "$(cat "$TMP/crash.bad")" "" "whoever asks is answered, by the stand-in"
ok "and the node is back, of the image it had" serves 1
ok "with nobody beside it" alone
ok "the dock is in order" json '. == []' fsck

# --- images that are needed yet -------------------------------------------------------------------
ok "a snapshot is taken under the first image" vm snapshot create web s1
vm disable web >/dev/null
for i in 2 3; do ok "then it has image $i" vm upgrade web --image "fickle:$i"; done
status 4 "the image of a snapshot stays" dock isc-vm image rm fickle:1
like "$(cat "$TMP/out")" "'fickle:1' is that of snapshot 's1' of node 'web'" "for that"
vm snapshot delete web s1 >/dev/null
ok "without it it may go" vm image rm fickle:1
ok "the node is destroyed" vm destroy web
ok "and all images may go" vm image rm fickle:2 fickle:3
done_testing
