#!/usr/bin/env bash
# The dock as a host among others: its own filter, tried with packets, and that nobody locks themselves out (a trial ends
# by itself, also where the daemon was killed in it); who else filters there; addresses that come and go.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

cat "$TOP/tools/rig.d/dock.conf" - >"$TMP/dock.conf" <<<'HostFilter=tcp:2222 udp:68'
chmod 644 "$TMP/dock.conf"
rig_up --conf "$TMP/dock.conf"
R=$TOP/tools/rig
vm() { dock isc-vm "$@"; }
state() { vm filter show --json | jq -r .state; }
events() { vm events -n 0 --json | jq -r --arg kind "$1" 'select(.kind == $kind) | .text'; }
for port in 2222 4444; do
	dock python3 -c "import socket, time; s = socket.create_server(('', $port)); time.sleep(600)" &
	at_exit kill $!
done
reaches() { client timeout 1 bash -c "exec 3<>/dev/tcp/\$DOCK/$1"; }
wait_for 20 reaches 2222
wait_for 20 reaches 4444

ok "without it everything is reached" reaches 4444
is "$(state)" off "it is off until somebody applies it"
status 4 "there is nothing to confirm" dock isc-vm filter confirm
status 6 "an operator does not apply it" as op1 isc-vm filter apply
status 0 "a dry run says what would be let in" dock isc-vm filter apply --dry-run
like "$(cat "$TMP/out")" "wan0 let only tcp:2222 udp:68 in" "in words"
ok "and changes nothing" reaches 4444

# --- a trial that nobody confirms, while the daemon is dead (R9.2) ----------------------------------------------------
ok "an officer applies it, for 4 seconds" as sec1 isc-vm filter apply --for 4
ok "what it names comes in" reaches 2222
not_ok "nothing else does" reaches 4444
ok "not by ping either" client sh -c '! ping -c 1 -W 1 $DOCK'
"$R" stop dockd --name "$RIG" --signal KILL
not_ok "it holds though the daemon was killed" reaches 4444
ok "and ends by itself, with nobody alive to end it" wait_for 40 reaches 4444
"$R" start dockd --name "$RIG"
is "$(state)" off "the next daemon finds it ended"
not_ok "and cleans up" dock nft list table inet isc-dock-host
like "$(events filter.rolled-back)" "not confirmed in time" "on record"

# --- and while it lives (R9.2) ----------------------------------------------------------------------------------------
ok "another trial" vm filter apply --for 1
rolled_back() { [ "$(events filter.rolled-back | wc -l)" = 2 ]; }
ok "is taken back, too" wait_for 40 rolled_back
ok "everything is reached" reaches 4444

# --- confirmed (R9.2) -------------------------------------------------------------------------------------------------
ok "one more, for a minute" vm filter apply
ok "is confirmed" vm filter confirm
is "$(vm filter show --json | jq -r '.state + " " + .confirmed + " " + (.seconds | tostring)')" "on tcp:2222 udp:68 0" \
	"and is shown so"
ok "to confirm again changes nothing" vm filter confirm
dock nft flush ruleset
is_on() { [ "$(state)" = on ]; }
wait_for 20 is_on
not_ok "a flush does not open the dock for long" reaches 4444
"$R" stop dockd --name "$RIG"
dock nft delete table inet isc-dock-host
"$R" start dockd --name "$RIG"
not_ok "it is in force after a restart" reaches 4444
ok "what it names comes in" reaches 2222
like "$(vm filter show --json | jq -r .dropped)" "^[1-9]" "it counts what it drops"
ok "it is taken away" vm filter off
ok "and everything is reached" reaches 4444

# --- doctor on others who filter (R9.1) -------------------------------------------------------------------------------
finds() { vm doctor --json | jq -r --arg name "$1" '.[] | select(.name == $name) | "\(.level) \(.found) \(.advice)"'; }
drops='add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'
call=/proc/sys/net/bridge/bridge-nf-call-iptables
if dock test -e $call; then
	dock sh -c "echo 1 >$call"
	like "$(finds bridge-netfilter)" "^warn .*bridge-nf-call-iptables=0" "doctor: br_netfilter is told, and what to do"
	dock sh -c "echo 0 >$call"
fi
for name in firewalld ufw docker other-firewalls bridge-netfilter forwarding; do
	like "$(finds $name)" "^ok " "doctor: nothing is amiss with $name"
done
dock nft "$drops; add chain ip filter DOCKER-USER"
like "$(finds docker)" "^warn .*policy drop.*DOCKER-USER -i isc0" "Docker's drop is told, and what to do"
dock nft "flush ruleset; $drops"
like "$(finds other-firewalls)" "^warn .*ip filter FORWARD" "somebody's drop, too"
dock nft "flush ruleset; add table inet firewalld; add chain inet firewalld filter_FORWARD"
like "$(finds firewalld)" "^warn .*--zone=trusted --add-interface=isc0" "and firewalld"
dock sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
forwards() { grep '^ok ' <<<"$(finds forwarding)"; }
ok "forwarding that somebody turned off is turned on again" wait_for 10 forwards

# --- an address that the dock gets (R1.3) -----------------------------------------------------------------------------
is_reserved() { dock nft list set inet isc-dock reserved | grep -q 198.51.100.0/24; }
not_ok "a network the dock is not in is not reserved" is_reserved
dock ip addr add 198.51.100.9/24 dev wan0
ok "one that it gets into is, at once" wait_for 20 is_reserved
dock ip addr del 198.51.100.9/24 dev wan0
wait_for 20 eval '! is_reserved'
not_ok "until it leaves it" is_reserved
done_testing
