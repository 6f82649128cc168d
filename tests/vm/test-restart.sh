#!/usr/bin/env bash
# Nodes that end, or fall sick, and what Restart= and Health= make of it.  tests/recipes/fickle does what it is told to.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

rig_up restart
rig() { "$TOP/tools/rig" "$1" --name "$RIG" "${@:2}"; }
vm() { dock isc-vm "$@"; }
# json FILTER CMD…: the filter holds on CMD's JSON
json() {
	local filter=$1
	shift
	dock isc-vm "$@" --json | jq -e "$filter" >/dev/null
}
state_is() { json ".state == \"$2\"" show "$1"; }
# A restart is entered before the node is put away, and is due until it has been made.
restarts_are() { json ".restarts == $2 and .state == \"ready\" and .[\"restart-at\"] == 0" show "$1"; }
on_record() { dock isc-vm events -n 0 --json | jq -s -e "$1" >/dev/null; }
# shellcheck disable=SC2016 # $DOCK is the client's
get() { client sh -c 'curl -fsS -m 5 "http://$DOCK:'"$1"'"'; }

ok "the image is imported" vm image import "$BUILD/images/fickle"
status 2 "a policy that is none is refused" dock isc-vm provision n --image fickle --restart sometimes
status 2 "so is a probe that is none" dock isc-vm provision n --image fickle --health icmp:8080
ok "a node that is started anew on failure" vm provision n --image fickle --memory 96 --overlay 64 --expose 8080:8080 \
	--restart on-failure --restart-sec 1 --start-limit-burst 2 --health-interval 0
ok "and one whose health is looked at" vm provision s --image fickle --memory 96 --overlay 64 --expose 8081:8080 \
	--restart on-failure --health-interval 1 --health-retries 3
sane='exec:/bin/busybox sh -c "! /bin/busybox grep -q sick /var/lib/fickle/kept"'
ok "and one that a command inside looks after" vm provision c --image fickle --memory 96 --overlay 64 --expose 8082:8080 \
	--restart on-failure --health-interval 1 --health-retries 2 --health "$sane"
ok "a probe without a port takes the image's" vm provision p --image fickle --memory 96 --overlay 64 \
	--health http:/cgi-bin/health
ok "which is shown" json '.health == "http:8080/cgi-bin/health"' show p
vm destroy p >/dev/null
status 9 "a command that never holds never makes it ready" dock isc-vm provision p --image fickle --memory 96 --overlay 64 \
	--timeout 15 --health 'exec:/bin/busybox false'

# --- they end, or fall sick (R6.5) ----------------------------------------------------------------
get '8080/cgi-bin/exit?3' >/dev/null
get 8081/cgi-bin/sick >/dev/null
wait_for 60 restarts_are n 1
ok "a service that ended with an error is started anew" restarts_are n 1
ok "and serves" get 8080/
ok "with the reason on show" json '.["restart-reason"] | test("status 3|health")' show n
ok "and on record" on_record 'map(select(.kind == "node.restart" and .node == "n")) | length == 1'
again() { json '.restarts >= 1 and .state == "ready" and .["restart-at"] == 0' show s; }
wait_for 60 again
ok "one that fails its health check is started anew" again
ok "by the dock's own probe" json '.["restart-reason"] | test("health check http:8080.* failed 3 times")' show s
ok "and was unready meanwhile" on_record 'map(select(.kind == "node.unready" and .node == "s")) | length >= 1'
get '8082/cgi-bin/keep?sick' >/dev/null
cured() { json '.restarts >= 1 and .state == "ready" and .["restart-at"] == 0' show c; }
wait_for 90 cured
ok "one whose command fails is started anew" cured
ok "for that reason" json '.["restart-reason"] | test("health check exec:.*failed 2 times")' show c
ok "a failure of the command stands in its trail" dock grep -q 'op=claim event=checked .* b=1 .*res=failed' \
	/var/log/isc-dock/nodes/c/audit.log
vm destroy s >/dev/null
vm destroy c >/dev/null

# --- the daemon dies while one is due (R6.5) ------------------------------------------------------
dock sh -c 'kill -9 $(cat /run/libvirt/qemu/isc-n.pid)'
wait_for 60 state_is n failed
rig restart dockd --signal KILL
wait_for 60 restarts_are n 2
ok "a restart that is due survives the daemon" restarts_are n 2
dock sh -c 'kill -9 $(cat /run/libvirt/qemu/isc-n.pid)'
wait_for 60 on_record 'map(select(.kind == "node.restart-limit")) | length == 1'
ok "at the ceiling it stays down" json '.state == "failed" and .restarts == 2 and .["restart-at"] == 0' show n

# --- orders (R6.2, R6.5) --------------------------------------------------------------------------
ok "an order starts it, and counting begins anew" vm enable n
ok "an ordered stop" vm disable n
ok "is no failure" json '.state == "disabled" and .["restart-at"] == 0' show n
vm enable n >/dev/null
get '8080/cgi-bin/exit?0' >/dev/null
wait_for 30 state_is n disabled
ok "nor is a service that ends well" json '.state == "disabled" and .restarts == 2' show n
vm enable n >/dev/null
get '8080/cgi-bin/exit?1' >/dev/null
wait_for 30 json '.["restart-at"] > 0' show n
ok "quarantine holds a node that is due" vm quarantine n --reason test
sleep 3
ok "and it is not started" json '.state == "quarantined" and .["restart-at"] == 0' show n

# --- the host goes down, and comes up again -------------------------------------------------------
for i in a b c; do
	vm provision "$i" --image fickle --memory 96 --overlay 64 --restart no >/dev/null || fail "node $i runs"
done
vm suspend b >/dev/null
vm disable c >/dev/null
ok "the host is about to go down" dock "$BUILD/tests/vm/logind"
wait_for 60 on_record 'map(select(.kind == "dock.host-ends")) | length == 1'
dock sh -c 'kill -9 $(cat /run/libvirt/qemu/isc-a.pid)'
wait_for 20 dock sh -c '! virsh -q domstate isc-a | grep -q running'
ok "a node that ends then has not failed" state_is a ready
ok "the power goes, and comes" rig reboot
wait_for 60 state_is a ready
ok "what ran is started, whatever Restart= says" json '.state == "ready" and (.["restart-reason"] | test("host was started anew"))' show a
ok "and does run" dock virsh -q domstate isc-a
like "$(cat "$TMP/out")" running "says libvirt"
ok "what was suspended is not" state_is b failed
ok "nor what was disabled" state_is c disabled
ok "nor what is in quarantine" state_is n quarantined
ok "the dock is in order" json '. == []' fsck
done_testing
