#!/usr/bin/env bash
# Another image under a node that serves: a client asks 200 times a second all the while, and is never refused.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

rig_up upgrade
rig() { "$TOP/tools/rig" "$1" --name "$RIG" "${@:2}"; }
vm() { dock isc-vm "$@"; }
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

# load NAME: asks, up to 200 times a second, as fast as the node answers, until $TMP/NAME.stop is there; $TMP/NAME gets one
# line an answer: the text, or what went wrong.
load() {
	client python3 - "$TMP/$1" <<-'PYTHON' &
		import os, socket, sys, threading, time
		path, dock = sys.argv[1], os.environ["DOCK"]
		out, lock, begun = open(path, "w"), threading.Lock(), time.monotonic()
		def ask():
		    try:
		        s = socket.create_connection((dock, 8080), 60)
		        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
		        text = b""
		        while chunk := s.recv(4096):
		            text += chunk
		        s.close()
		        return text.split(b"\r\n\r\n", 1)[1].decode().strip() if b" 200 " in text else "status " + repr(text[:40])
		    except Exception as e:
		        return "failed: %s" % e
		def client():
		    while not os.path.exists(path + ".stop"):
		        at = time.monotonic()
		        said = ask()
		        with lock:
		            out.write("%.3f %s\n" % (at - begun, said))
		        time.sleep(max(0, at + 4 / 200 - time.monotonic()))
		all = [threading.Thread(target=client) for _ in range(4)]
		for t in all: t.start()
		for t in all: t.join()
		out.close()
	PYTHON
	LOAD=$!
	sleep 1
}
# unload NAME: ends it; $TMP/NAME.bad has what went wrong
unload() {
	sleep 0.5
	touch "$TMP/$1.stop"
	wait "$LOAD"
	grep -v ' fickle [123]$' "$TMP/$1" >"$TMP/$1.bad"
	note "$1: $(wc -l <"$TMP/$1") requests in $(tail -n 1 "$TMP/$1" | cut -d. -f1) s, $(wc -l <"$TMP/$1.bad") failed"
}

for i in fickle fickle2 fickle3; do ok "image $i is imported" vm image import "$BUILD/images/$i"; done
ok "a node of the first" vm provision web --image fickle:1 --memory 96 --overlay 64 --expose 8080:8080
uuid=$(dock isc-vm show web --json | jq -r '.uuid, .address')
status 3 "an image that is not there is refused" dock isc-vm upgrade web --image fickle:9
status 4 "there is nothing to roll back to" dock isc-vm rollback web
status 0 "a dry run" dock isc-vm upgrade web --image fickle:2 --dry-run
like "$(cat "$TMP/out")" "stand-in.*redirect.*image.*redirect.*stand-in" "tells of the stand-in"
ok "and does nothing" alone

# --- upgrade and rollback under load --------------------------------------------------------------
load up
ok "the node gets the second" vm upgrade web --image fickle:2
unload up
is "$(cat "$TMP/up.bad")" "" "no request failed"
ok "it serves the new image" serves 2
is "$(dock isc-vm show web --json | jq -r '.uuid, .address')" "$uuid" "under its name, uuid and address"
ok "nobody is left beside it" alone
status 4 "the old image stays for a rollback" dock isc-vm image rm fickle:1
ok "the same once more changes nothing" json '.changed == false' upgrade web --image fickle:2
load back
ok "it is rolled back" vm rollback web
unload back
is "$(cat "$TMP/back.bad")" "" "no request failed"
ok "it serves the old image" serves 1

# --- an image that is no good ---------------------------------------------------------------------
load bad
status 9 "one that never gets healthy is not put under it" dock isc-vm upgrade web --image fickle:3 --timeout 15
unload bad
is "$(cat "$TMP/bad.bad")" "" "no request failed"
ok "the old one serves" serves 1
ok "with nobody beside it" alone
status 9 "in place it is not kept either" dock isc-vm upgrade web --image fickle:3 --in-place --timeout 15
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
ok "it is destroyed" vm destroy web
ok "and all images may go" vm image rm fickle:1 fickle:2 fickle:3
done_testing
