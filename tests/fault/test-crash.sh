#!/usr/bin/env bash
# The dock dies, as if the power went, before each single step of each verb.  The next start leaves the old or the new,
# never a mixture, and nothing of anything else. F1, F2.
# shellcheck disable=SC2119,SC2120 # some() passes arguments
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

rig_up crash
rig() { "$TOP/tools/rig" "$1" --name "$RIG" "${@:2}"; }
ok "the image is imported" dock isc-vm image import "$BUILD/images/minimal"
state() { dock isc-vm list --json | jq -r 'if . == [] then "none" else .[0].state end'; }
in_order() { dock isc-vm fsck --json | jq -e '. == []'; }
provision() { dock isc-vm provision n --image minimal --memory 96 --overlay 64 --expose 8080:8080 --network dedicated "$@"; }

# some STEPS CMD…: the steps of CMD's plan that are tried; with ISC_ALL_STEPS all of them
some() {
	if [ -z "${ISC_ALL_STEPS:-}" ]; then
		tr ' ' '\n' <<<"$1"
	else
		"${@:2}" --dry-run --json | jq '.plan | keys[]'
	fi
}
# crash VERB STEP CMD…: CMD, with the dock dying before STEP; then a dock without the fault.
crash() {
	local verb=$1 step=$2
	shift 2
	rig restart dockd --env "ISC_FAULT=kill:$verb:$step" >/dev/null 2>&1
	"$@" >"$TMP/cmd" 2>&1
	rig restart dockd >"$TMP/restart" 2>&1
}

# crash_twice VERB STEP AGAIN CMD…: the next dock dies, too, while it mends that: at AGAIN, as VERB:STEP.
crash_twice() {
	local verb=$1 step=$2 again=$3
	shift 3
	rig restart dockd --env "ISC_FAULT=kill:$verb:$step" >/dev/null 2>&1
	"$@" >"$TMP/cmd" 2>&1
	rig restart dockd --env "ISC_FAULT=kill:$again" >/dev/null 2>&1
	not_ok "$verb, dead before step $step: the dock that mends it dies at $again" dock pidof isc-dockd
	rig restart dockd >"$TMP/restart" 2>&1
}

for step in $(some "0 4 7 10" provision); do
	crash provision "$step" provision
	is "$(state)" none "provision, dead before step $step: no node is left"
	ok "and nothing else of it" in_order
done

for again in provision:1 provision:6; do
	crash_twice provision 10 $again provision
	is "$(state)" none "no node is left"
	ok "and nothing else of it" in_order
done

rig restart dockd --env "ISC_FAULT=kill:provision:10" >/dev/null 2>&1
provision >/dev/null 2>&1
ok "the power goes while a node boots" rig reboot
is "$(state)" none "no node is left"
ok "and nothing else of it" in_order

ok "a node stands" provision
dock isc-vm disable n --force >/dev/null
for step in $(some "1 7" dock isc-vm enable n); do
	dock isc-vm disable n --force >/dev/null 2>&1
	crash enable "$step" dock isc-vm enable n
	is "$(state)" failed "enable, dead before step $step: the node is down, and says so"
	ok "and in order" in_order
done
ok "it starts" dock isc-vm enable n
crash_twice disable 2 disable:4 dock isc-vm disable n --force
is "$(state)" disabled "and it is brought to its end"
ok "in order" in_order
ok "it starts once more" dock isc-vm enable n
for step in $(some "0 5" dock isc-vm disable n --force); do
	crash disable "$step" dock isc-vm disable n --force
	is "$(state)" disabled "disable, dead before step $step: brought to its end"
	ok "and in order" in_order
	dock isc-vm enable n >/dev/null 2>&1
done
# What is being opened is closed again, what is being closed is closed; register, kernel and definition agree.
rules() {
	dock isc-vm show n --json | jq -r '.expose + .egress | join(" ")'
	dock isc-vm network show n --json | jq -r '.expose + .egress | join(" ")'
	dock virsh metadata isc-n urn:iscdock:node:1 --config | sed -nE 's/.*(Expose|Egress)=([^<]*).*/\2/p' | paste -sd ' '
}
for step in 0 1; do
	crash expose "$step" dock isc-vm expose n 9000:8080
	is "$(rules | uniq)" tcp:8080:8080 "expose, dead before step $step: the port is closed"
	crash allow "$step" dock isc-vm allow n tcp:203.0.113.2:9
	is "$(rules | uniq)" tcp:8080:8080 "allow, dead before step $step: nothing is allowed"
	ok "and in order" in_order
	dock isc-vm expose n 9000:8080 >/dev/null
	dock isc-vm allow n tcp:203.0.113.2:9 >/dev/null
	crash unexpose "$step" dock isc-vm unexpose n 9000:8080
	is "$(rules | uniq)" "tcp:8080:8080 tcp:203.0.113.2:9" "unexpose, dead before step $step: brought to its end"
	crash deny "$step" dock isc-vm deny n tcp:203.0.113.2:9
	is "$(rules | uniq)" tcp:8080:8080 "deny, dead before step $step: brought to its end"
	ok "and in order" in_order
done
crash "snapshot create" 0 dock isc-vm snapshot create n s1
is "$(dock isc-vm snapshot list n --json | jq length)" 0 "a snapshot that was interrupted is none"
ok "and leaves no key" dock sh -c '! ls /var/lib/isc-dock/keys | grep snapshot'
is "$(state)" ready "the node ran on"
dock isc-vm snapshot create n s1 >/dev/null
crash "snapshot create" 1 dock isc-vm snapshot create n s2 --keep 1
is "$(dock isc-vm snapshot list n --json | jq -r 'map(.name) | join(" ")')" s2 "one that stands stays, and the old one goes"
ok "and in order" in_order
dock isc-vm snapshot delete n s2 >/dev/null
# In the middle of the step: libvirtd has the key of the copy by then, and lives on.  A node that is halted keeps the dock
# waiting for its file systems.
copies() { dock virsh -q secret-list | grep isc-copy/; }
dock sh -c 'kill -STOP $(cat /run/libvirt/qemu/isc-n.pid)'
dock isc-vm snapshot create n s3 >/dev/null 2>&1 &
made=$!
until copies >"$TMP/copies" || ! kill -0 $made 2>/dev/null; do :; done
ok "while a snapshot is made, libvirtd has its key" test -s "$TMP/copies"
dock sh -c 'kill -KILL $(pidof isc-dockd); kill -CONT $(cat /run/libvirt/qemu/isc-n.pid)'
wait $made
rig restart dockd >"$TMP/restart" 2>&1
is "$(copies)" '' "when its maker has died, no longer"
ok "and it can be made" dock isc-vm snapshot create n s3
ok "and in order" in_order
dock isc-vm snapshot delete n s3 >/dev/null
crash quarantine 1 dock isc-vm quarantine n --reason test
is "$(state)" quarantined "an interrupted quarantine stands"
not_ok "and holds" client sh -c 'curl -fsS -m 2 http://$DOCK:8080/'
dock isc-vm release n --reason test >/dev/null
# Volumes: what was being made is not there, what was being taken away is gone, and whatever was changed holds.
volumes() { dock isc-vm volume list --json | jq -r '[.[] | .name + ":" + .node] | join(" ")'; }
crash "volume create" 0 dock isc-vm volume create v 16M
is "$(volumes)" "" "volume create, dead before its step: there is none"
dock isc-vm volume create v 16M >/dev/null
for step in 0 1; do
	dock isc-vm disable n --force >/dev/null 2>&1
	crash "volume attach" "$step" dock isc-vm volume attach v n /srv/www
	is "$(volumes)" v: "volume attach, dead before step $step: it is nobody's"
	dock isc-vm volume attach v n /srv/www >/dev/null
	crash "volume detach" "$step" dock isc-vm volume detach v
	is "$(volumes)" v: "volume detach, dead before step $step: brought to its end"
done
crash "volume rekey" 0 dock isc-vm volume rekey v
ok "volume rekey, dead before its step: it opens" dock sh -c 'isc-vm volume show v --json | jq -e .opens'
is "$(dock sh -c 'ls /var/lib/isc-dock/keys | grep volume')" v.volume.sealed "and has one key"
ok "and in order" in_order
crash "volume rm" 0 dock isc-vm volume rm v
is "$(volumes)$(dock sh -c 'ls /var/lib/isc-dock/volumes; ls /var/lib/isc-dock/keys | grep volume')" "" \
	"volume rm, dead before its step: brought to its end"
dock isc-vm destroy n >/dev/null
with_volume() { dock isc-vm provision n --image minimal --memory 96 --overlay 64 --volume v:/srv/www:16M "$@"; }
for step in $(some "2 13" with_volume); do
	crash provision "$step" with_volume
	is "$(state)$(volumes)" none "provision with a volume, dead before step $step: neither is there"
	ok "and nothing else of it" in_order
done
# An overlay that is kept: what is interrupted leaves the very same one.
dock isc-vm provision n --image minimal --memory 96 --overlay 64:keep >/dev/null
own() { dock sh -c 'cd /var/lib/isc-dock && stat -c %i nodes/n/overlay*; ls keys | grep -o "^n.overlay.*"' | paste -sd ' '; }
before=$(own)
crash disable 2 dock isc-vm disable n --force
crash enable 5 dock isc-vm enable n
is "$(state),$(own)" "failed,$before" "an interrupted stop or start leaves an overlay that is kept"
ok "and in order" in_order
dock isc-vm enable n >/dev/null
dock isc-vm snapshot create n s1 >/dev/null
crash "snapshot restore" 4 dock isc-vm snapshot restore n s1
is "$(state),$(own)" "failed,$before" "so does a restore that was not at its turn yet"
ok "and in order" in_order
crash destroy 3 dock isc-vm destroy n
is "$(state)$(own 2>/dev/null)" none "with its node it goes"
ok "and nothing of it is left" in_order
crash provision 3 dock isc-vm provision n --image minimal --memory 96 --overlay 64:keep
is "$(state)$(own 2>/dev/null)" none "a node that was being made leaves neither key nor disk"
ok "and in order" in_order
# A restore with a volume: as long as copies are made the node runs on with the old one, from the turn on it is the new.
ok "a node with a volume stands" dock isc-vm provision n --image minimal --memory 96 --overlay 64 --writable /srv/www --volume v:/srv/www/data:16M
dock isc-vm snapshot create n s1 >/dev/null
sides() { dock sh -c 'ls /var/lib/isc-dock/volumes/v; ls /var/lib/isc-dock/keys | grep -o "^v.volume.*"' | paste -sd ' '; }
a="disk.qcow2 v.volume.sealed" b="disk-b.qcow2 v.volume.b.sealed"
mapfile -t plan < <(dock isc-vm snapshot restore n s1 --dry-run --json | jq -r '.plan[]')
for step in "${!plan[@]}"; do
	case ${plan[step]} in "= turn"*) turn=$step ;; esac
done
crash "snapshot restore" 0 dock isc-vm snapshot restore n s1
like "$(state)" '^(un)?ready$' "a restore that made copies yet: the node runs on"
is "$(sides)" "$a" "with the volume that it had, and no other"
ok "and in order" in_order
for step in 1 "$turn"; do
	crash "snapshot restore" "$step" dock isc-vm snapshot restore n s1
	is "$(state)" failed "dead before '${plan[step]}': the node is down, and says so"
	is "$(sides)" "$([ "$step" -lt "$turn" ] && echo "$a" || echo "$b")" "with the old volume or the new, and no other"
	ok "and in order" in_order
	dock isc-vm enable n >/dev/null 2>&1
done
crash "snapshot restore" $((turn + 1)) dock isc-vm snapshot restore n s1
is "$(sides)" "$a" "dead before '${plan[turn + 1]}': the new volume, and no other"
ok "and in order" in_order
crash provision 2 dock isc-vm snapshot clone n s1 twin
is "$(state)$(volumes)" "failedv:n" "an interrupted clone leaves neither node nor volume"
ok "and in order" in_order
dock isc-vm destroy n >/dev/null
dock isc-vm volume rm v >/dev/null
provision >/dev/null
for step in $(some "3 9" dock isc-vm destroy n); do
	crash destroy "$step" dock isc-vm destroy n
	is "$(state)" none "destroy, dead before step $step: brought to its end"
	ok "and nothing is left" in_order
	is "$(dock sh -c 'virsh -q list --all; virsh -q secret-list; ls /var/lib/isc-dock/nodes; (ip -br link; ip rule) | grep -e isct -e isc0-')" "" \
		"neither domain, secret, file, tap nor bridge"
	provision >/dev/null 2>&1
done

# Sets: what is wanted is on record before the first member comes or goes, and is what there is after the next start.
dock isc-vm destroy n >/dev/null 2>&1
grow() { dock isc-vm "$@" s --image minimal --memory 96 --overlay 32 --expose 8080:8080 --env A=b; }
set_is() { dock isc-vm show s --json | jq -e ".state == \"$1 of $1 ready\" and (.members | length) == $1" >/dev/null; }
serves() { client sh -c 'curl -fsS -m 5 http://$DOCK:8080/'; }
crash provision 6 grow provision --replicas 1
ok "a set that was being provisioned is made after all" wait_for 60 set_is 1
ok "and serves" serves
crash provision 9 dock isc-vm scale s 2
ok "one that was growing grows" wait_for 60 set_is 2
ok "and in order" in_order
# What the set is to have is on record first, and is what all its members have in the end.
set_has() { [ "$(dock isc-vm show s --json | jq -r '[.members[].expose | join(" ")] | unique | join("|")')" = "$1" ]; }
# shellcheck disable=SC2016 # $DOCK is the client's
serves_at() { client sh -c 'curl -fsS -m 5 "http://$DOCK:'"$1"'/"'; }
for step in 0 1; do
	crash expose "$step" dock isc-vm expose s 9000:8080
	ok "a port of a set, dead before step $step of its first member: it is opened" wait_for 60 set_has "tcp:8080:8080 tcp:9000:8080"
	ok "and leads to them" wait_for 60 serves_at 9000
	crash unexpose "$step" dock isc-vm unexpose s 9000:8080
	ok "or closed" wait_for 60 set_has tcp:8080:8080
	not_ok "and leads nowhere" serves_at 9000
done
crash limit 0 dock isc-vm limit s --iops 900
limited() { dock isc-vm list --json | jq -r '.[].name' | while read -r n; do dock isc-vm show "$n" --json | jq -r .limits; done | uniq | grep -x IOPS=900; }
ok "a limit, too" wait_for 60 limited
ok "and in order" in_order
crash destroy 3 dock isc-vm scale s 1
ok "one that was getting smaller is" wait_for 60 set_is 1
ok "its port leads to who is left" serves
ok "and in order" in_order
# In the middle of a quarantine, with one member through and another not at it yet.
dock isc-vm scale s 2 >/dev/null
crash quarantine 1 dock isc-vm quarantine s --reason test
# shellcheck disable=SC2016 # jq's
is_held() { dock isc-vm show s --json | jq -e '.state == "quarantined" and (.members | length == 2 and all(.state == "quarantined"))'; }
ok "a set that was being put into quarantine is, all of it" wait_for 60 is_held
not_ok "and serves nobody" serves
ok "and in order" in_order
dock isc-vm release s --reason test >/dev/null
ok "released, it is as it was" wait_for 60 set_is 2
crash release 1 dock sh -c 'isc-vm quarantine s --reason test && isc-vm release s --reason test'
ok "one that was being released: what is not yet can be" wait_for 60 dock sh -c 'isc-vm release s --reason test || isc-vm show s | grep "2 of 2 ready"'
ok "and is as it was" wait_for 60 set_is 2
ok "in order" in_order
dock isc-vm scale s 1 >/dev/null
crash destroy 0 dock isc-vm destroy s
gone() { [ "$(state)" = none ] && ! dock isc-vm show s; }
ok "one that was being destroyed goes" wait_for 60 gone
ok "and nothing is left" in_order
is "$(dock sh -c 'ls /var/lib/isc-dock/keys | grep env; nft list map inet isc-dock balance | grep 10.77')" "" "neither key nor port"

# libvirtd dies under a node that then fails to get ready: what cannot be taken back goes when libvirtd is there again.
dock isc-vm destroy n >/dev/null 2>&1
dock isc-vm provision n --image minimal --memory 96 --overlay 64 --health tcp:9 --timeout 8 >"$TMP/late" 2>&1 &
late=$!
wait_for 30 dock sh -c 'virsh -q domstate isc-n | grep -q running'
rig stop libvirtd --signal KILL
wait "$late"
is "$(state)" destroying "a node that cannot be taken back is to be destroyed"
rig start libvirtd
is_gone() { [ "$(state)" = none ]; }
ok "with libvirtd back it is" wait_for 60 is_gone
ok "and nothing is left" in_order
is "$(dock sh -c 'virsh -q list --all; ls /var/lib/isc-dock/nodes; ip -br link | grep isct')" "" "neither domain, file nor tap"
done_testing
