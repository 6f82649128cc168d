#!/usr/bin/env bash
# The boundary fails closed and mends itself, seen from a real node that floods every way out that no rule allows: while
# somebody flushes the rules, while the dock hangs, while it is killed and starts again, and while nobody can write rules.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/vm/forge.sh
. "$(dirname "$0")/forge.sh"

rig_up watch
R=$TOP/tools/rig
tool=$TOP/tests/vm/net-tool.py
vm() { dock isc-vm "$@"; }
field() { vm list --json | jq -r --arg name "$1" ".[] | select(.name == \$name) | $2"; }
events() { vm events -n 0 --json | jq -r --arg kind "$1" 'select(.kind == $kind) | .text'; }
dockd() { dock pgrep -x isc-dockd; }
# background FILE CMD…: FILE takes its output
background() {
	"${@:2}" >"$TMP/$1" 2>"$TMP/$1.err" &
	at_exit stop "$!"
}
stop() { kill "$1" 2>/dev/null; }
says() { grep -q "$2" "$TMP/$1"; }
outside() { client timeout 1 bash -c "exec 3<>/dev/tcp/\$DOCK/$1" 2>/dev/null && echo open; }
in_force() { [ "$(field evil .boundary)" = "in force" ]; }
is_down() { [ "$(field evil .boundary)" = down ]; }
restored() { [ "$(events boundary.restored | wc -l)" -ge "$1" ]; }

ok "the image is imported" vm image import "$BUILD/images/attacker"
vm provision peer --image attacker --memory 96 --overlay 32 --expose 8082:8080 >"$TMP/peer" 2>&1 &
peer_pid=$!
ok "a node gets ready that will flood" vm provision evil --image attacker --memory 192 --overlay 32 --expose 8081:8080
ok "and a peer" wait "$peer_pid"
self=$(vm network show evil --json | jq -r '"\(.mac),\(.address)"')
him=$(vm network show peer --json | jq -r '"\(.mac),\(.address)"')
forge_start "$self" "$him"
tap=$(vm network show evil --json | jq -r .tap)
ok "two rules allow what will be told from a leak" vm allow evil udp:203.0.113.2:7001 node:peer:udp/7001

# --- it floods, and whatever can happen to the rules happens (R1.7) ---------------------------------------------------
ok "scapy is there, in the node" forge_wait
background outside client "$tool" sniff 400
background beside client "$tool" order 8082 sniff 400000 4953432d4c45414b 4953432d4f564552
background host dock "$tool" hold 4445
# What nobody may end; a guest that missed some packets sends them again seconds later.
background stream client env SILENCE=30 "$tool" drain 8082 pour
wait_for 20 says host ready
wait_for 20 says stream first
background flood forge "$("$tool" leaks 13000)"
sleep 0.7
n=0
for _ in 1 2 3; do
	dock nft flush ruleset
	n=$((n + 1))
	ok "flushed rules are back ($n)" wait_for 20 restored $n
done
like "$(events boundary.drift | head -n 1)" "changed by nft, pid [0-9]+" "it is on record who it was"
note "the dock's rules were $(events boundary.restored | grep -o 'put back.*' | paste -sd ';')"
in_time() { [ "$(grep -oE '[0-9]+ ms' <<<"$1" | sort -n | tail -n 1 | cut -d' ' -f1)" -lt 2000 ]; }
ok "none took 2 seconds" in_time "$(events boundary.restored)"

background talk client "$tool" talk 8082
wait_for 20 says talk open
dock kill -STOP "$(dockd)"
# As for a packet that is between the hooks when the rules go: it is marked, and meets nothing more.
dock nft "flush chain inet isc-dock forward; flush chain inet isc-dock input"
sleep 1
client ip route replace "${self#*,}" via "$DOCK"
around() { client timeout 1 bash -c "exec 3<>/dev/tcp/$1/8090" 2>/dev/null && echo open; }
is "$(around "${self#*,}")" "" "nobody gets in past the exposed ports"
dock nft flush ruleset
sleep 1
is "$(outside 8081)$(around "${self#*,}")" "" "while the dock hangs, there are no rules, and no way in"
dock kill -CONT "$(dockd)"
ok "the dock goes on, and puts them back" wait_for 20 restored 4
not_ok "nobody took the dock for the node meanwhile: an open connection was not reset" says talk cut

ok "the dock is killed and starts again" "$R" restart dockd --name "$RIG" --signal KILL
not_ok "the peer's transfer went on through all of that" says stream last
dock nft flush ruleset
ok "the new one watches, too" wait_for 20 restored 5
wait_for 40 says flood sent
like "$(cat "$TMP/flood")" "sent [0-9]{4}" "thousands of packets tried all that time"
while read -r order; do forge "$order" >>"$TMP/sent"; done < <("$tool" allowed) # and with them what ends the sniffers
client bash -c 'echo -n ISC-LEAK >/dev/udp/$DOCK/4445'
wait_for 40 says outside seen
wait_for 40 says beside seen
dock pkill -f "$tool hold"
wait_for 20 says host took
like "$(tail -n 1 "$TMP/outside")" "^seen 2 " "nothing leaked to the outside but what a rule allows"
like "$(cat "$TMP/beside")" "^seen 2 " "nor to the peer"
is "$(tail -n 1 "$TMP/host")" "took 1 203.0.113.2" "nor to the dock itself, which hears the outside"

# --- nobody can write rules (R1.7) ------------------------------------------------------------------------------------
# A table of our name that belongs to another process: nobody else may change it, not even root.
held=$(vm list --json | jq -r '[.[].boundary] | join(",")')
is "$held" "in force,in force" "both nodes are shown to be fenced in"
background flood2 forge "$("$tool" leaks 4000)"
background outside2 client "$tool" sniff 6
background host2 dock "$tool" hold 4445
wait_for 20 says host2 ready
# seize: until release
seize() {
	rm -f "$TMP/words"
	mkfifo "$TMP/words"
	dock nft -i <"$TMP/words" >/dev/null 2>&1 &
	exec 5>"$TMP/words"
	printf 'flush ruleset; add table inet isc-dock { flags owner; }\n' >&5
}
release() { exec 5>&-; }
seize
ok "where nobody can write rules, the node's boundary is shown to be down" wait_for 20 is_down
is "$(vm show evil --json | jq -r .boundary)" down "by 'show', too"
like "$(vm list)" "evil +ready +down" "and in the table"
is "$(dock busctl get-property org.iscdock.Dock1 /org/iscdock/Dock1/node/evil org.iscdock.Dock1.Node Boundary)" 's "down"' \
	"and on the bus"
unlike "$(dock ip -o link show "$tap")" "[<,]UP[,>]" "its link is down"
is "$(outside 8081)" "" "nothing reaches it"
like "$(vm network show 2>/dev/null | head -n 1)" "amiss" "the kernel is read, not believed"
like "$(events boundary.down | tail -n 1)" "every node's link is down" "it is on record"
not_ok "no node starts meanwhile" dock isc-vm provision third --image attacker --memory 96 --overlay 32
release
ok "when they can be written again, the boundary comes back by itself" wait_for 20 in_force
is "$(outside 8081)" open "and the node is reached as before"
is "$(events boundary.up | wc -l)" 1 "that is on record, too"
wait_for 40 says outside2 seen
dock pkill -f "$tool hold"
wait_for 20 says host2 took
is "$(tail -n 1 "$TMP/outside2")$(tail -n 1 "$TMP/host2")" "seen 0 took 0 " "nothing leaked to anybody"

# --- nobody is there to write them (R1.7) ------------------------------------------------------------------------------
guards() { dock nft list tables | grep -c isc-dock-guard; }
is "$(guards)" 1 "there is one guard"
background flood3 forge "$("$tool" leaks 8000)"
background host3 dock "$tool" hold 4445
wait_for 20 says host3 ready
"$R" stop dockd --name "$RIG" --signal KILL
dock nft flush ruleset
is "$(guards)" 1 "it outlives the dock that was killed, and a flush"
sleep 1.5
dropped() { dock nft list ruleset | sed -n 's/.*counter packets \([0-9]*\) bytes [0-9]* drop/\1/p' | sort -n | tail -n 1; }
note "it has dropped $(dropped) packets"
ok "the dock starts again" "$R" start dockd --name "$RIG"
ok "and the node is fenced in as before" wait_for 20 in_force
one_guard() { [ "$(guards)" = 1 ]; }
ok "with a guard of its own, and no other" wait_for 20 one_guard
dock pkill -f "$tool hold"
wait_for 20 says host3 took
is "$(tail -n 1 "$TMP/host3")" "took 0 " "nothing reached the dock meanwhile"
ok "the collector is killed" "$R" restart collectord --name "$RIG" --signal KILL
listens() { dock grep -q '^ *77 ' /proc/net/netfilter/nfnetlink_log; } # it has been given all there is
ok "and a new one is told of all" wait_for 30 listens
"$R" stop dockd --name "$RIG" --signal KILL
dock nft flush ruleset
is "$(guards)" 1 "a new collector is handed the guard, too"
ok "the dock is there again" "$R" start dockd --name "$RIG"
ok "with the node in its fence" wait_for 20 in_force

seize
wait_for 20 is_down
not_ok "the dock does not start without its rules" "$R" restart dockd --name "$RIG"
unlike "$(dock ip -o link show "$tap")" "[<,]UP[,>]" "and leaves the link down"
release
ok "it starts when it can" "$R" start dockd --name "$RIG"
ok "and the node is fenced in" wait_for 20 in_force
is "$(outside 8081)" open "and reached"

# --- a hypervisor that was taken over gives its tap the MAC of a sibling (R1.5, T2) -----------------------------------
peer_tap=$(vm network show peer --json | jq -r .tap)
# usurp: what evil's own hypervisor may do without any right
usurp() { dock "$tool" usurp "$(dock pgrep -f -u $((1900000000 + ${tap#isct})) qemu)" "${him%,*}"; }
pinned() { dock bridge fdb show dev "$peer_tap" | grep -q "${him%,*} master isc0 static"; }
ok "nodes' addresses are pinned, after all these starts of the dock" \
	dock bash -c "[ \$(ip neigh show dev isc0 | grep -cE '^(${self#*,}|${him#*,}) .*PERMANENT') = 2 ]"
ok "a hypervisor gives its tap the MAC of another node" usurp
ok "its node's boundary is down" wait_for 20 is_down
ok "the other node's port is its own again" wait_for 20 pinned
is "$(outside 8082)" open "and reached"
like "$(events boundary.usurped)" "hypervisor of evil .*$tap got the MAC of peer" "it is on record who it was"
not_ok "the tap is gone" dock ip link show "$tap"
like "$(vm network show evil --json | jq -r .boundary)" "down: its tap $tap got the MAC of peer" "and the node shown to have none"
like "$(vm network explain outside evil 8080)" "boundary of node 'evil' is down" "what explains connections knows that, too"
ok "the dock starts again" "$R" restart dockd --name "$RIG"
ok "and shows it yet" wait_for 20 is_down
ok "the node is disabled" vm disable evil
ok "and enabled anew" vm enable evil
is "$(field evil .boundary),$(outside 8081)" "in force,open" "with a tap of its own"
"$R" stop dockd --name "$RIG" --signal KILL
ok "it does so while no dock is there" usurp
not_ok "which cuts the other node off" pinned
ok "the dock starts" "$R" start dockd --name "$RIG"
ok "and finds it" wait_for 20 is_down
ok "and puts the other node's port right" wait_for 20 pinned
is "$(outside 8082)" open "which is reached again"

# --- somebody makes the host a router, and takes it back (R1.2, R6.7) -------------------------------------------------
no_router() { dock nft list chain inet isc-dock forward | grep -q stray; }
is_router() { ! no_router; }
ok "somebody makes the dock's host a router" dock sysctl -qw net.ipv4.ip_forward=1
ok "that stays open" wait_for 20 is_router
ok "and takes it back" dock sysctl -qw net.ipv4.ip_forward=0
ok "the dock lets it become none for the outside" wait_for 20 no_router
reached() { [ "$(outside 8082)" = open ]; }
ok "and nodes are reached as before" wait_for 20 reached
done_testing
