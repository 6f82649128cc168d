#!/usr/bin/env bash
# The boundary, attacked from inside a real node, and its rules changed while nodes run.  Each attack is blocked (neither
# the peer nor the outside sees its mark), counted under its kind for the right node; what rules allow goes through.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/vm/forge.sh
. "$(dirname "$0")/forge.sh"

rig_up network
tool=$TOP/tests/vm/net-tool.py
vm() { dock isc-vm "$@"; }
evil() { client "$tool" order 8081 "$@"; }
peer() { client "$tool" order 8082 "$@"; }
field() { vm network show "$1" --json | jq -r "$2"; }
# background FILE CMD…: prints the pid; FILE takes its output
background() {
	"${@:2}" >"$TMP/$1" 2>"$TMP/$1.err" &
	at_exit stop "$!"
}
stop() { kill "$1" 2>/dev/null; }
says() { grep -q "$2" "$TMP/$1"; }

# --- two nodes --------------------------------------------------------------------------------------------------
ok "the image is imported" vm image import "$BUILD/images/attacker"
vm provision peer --image attacker --memory 96 --overlay 32 --expose 8082:8080 --expose 8092:8090 \
	--bandwidth "in:1G out:2M" >"$TMP/peer" 2>&1 &
peer_pid=$!
ok "a node gets ready that will attack" vm provision evil --image attacker --memory 192 --overlay 32 --expose 8081:8080
ok "and one that will be attacked" wait "$peer_pid"
self=$(field evil '"\(.mac),\(.address)"') him=$(field peer '"\(.mac),\(.address)"')
his=${him#*,}
forge_start "$self" "$him"
is "$(field evil '.boundary + " " + .link + " " + (.expose | join(","))')" "in force up tcp:8081:8080" \
	"what is in force is read from the kernel"
is "$(vm network show --json | jq -r '.boundary')" "in force" "for the whole dock, too"

is "$(field peer .bandwidth)$(field evil .bandwidth)" "in:1G out:2Mnull" "so is a limit of its bandwidth"

# --- changes are checked ------------------------------------------------------------------------------------------
status 4 "another node's port is taken" dock isc-vm expose evil 8082:8080
like "$(cat "$TMP/out")" "'peer'" "and the error says by whom"
background listen dock python3 -c 'import socket, time; s = socket.create_server(("", 4444)); time.sleep(600)'
wait_for 20 client bash -c 'exec 3<>/dev/tcp/$DOCK/4444'
status 4 "a port that a program on the dock listens on is taken" dock isc-vm expose evil 4444:8080
status 4 "also for a new node" dock isc-vm provision third --image attacker --expose 4444:8080
status 2 "a bad rule is refused" dock isc-vm allow evil tcp:203.0.113.2
status 3 "what is not exposed cannot be taken back" dock isc-vm unexpose evil 1:1
like "$(cat "$TMP/out")" "tcp:8081:8080" "and the error says what is"
status 3 "so it is with what is not allowed" dock isc-vm deny evil open
status 6 "an auditor changes no rules" as aud1 isc-vm expose evil 1:1
status 6 "an officer opens nothing" as sec1 isc-vm allow evil open
status 0 "a dry run says what would be done" dock isc-vm expose evil 8100:8080 --dry-run
like "$(cat "$TMP/out")" "rules expose tcp:8100:8080" "in the plan"
is "$(field evil '.expose | join(",")')" tcp:8081:8080 "and nothing of all that was done"

# --- attacks (R1.3, R1.4, R1.5, R1.6) -------------------------------------------------------------------------------
ok "two rules allow what will be told from a leak" vm allow evil udp:203.0.113.2:7001 node:peer:udp/7001
background outside client "$tool" sniff 200
background beside peer sniff 200000 4953432d4c45414b 4953432d4f564552
wait_for 20 says outside ready
sleep 0.5
counters() { field evil .counters >"$TMP/counters"; }
count_of() { jq --arg kind "$1" '.[$kind] // 0' "$TMP/counters"; }
# attack DESC KIND N CMD…: CMD leads to N (N+: at least) more drops of that kind than $TMP/counters has; $TMP/said has what
# it said
attack() {
	local what=$1 kind=$2 n=$3 before more
	before=$(count_of "$kind")
	"${@:4}" >"$TMP/said" 2>&1 </dev/null
	counters
	more=$(($(count_of "$kind") - before))
	[ "$n" = "${n%+}" ] || [ "$more" -lt "${n%+}" ] || more=$n
	is "$more" "$n" "$what: dropped, and counted under '$kind'"
	[ "$more" = "$n" ] || note "it said: $(head -n 3 "$TMP/said")"
}
ok "scapy is there, in the node" forge_wait
counters
while IFS=$'\t' read -r what kind count order; do
	attack "$what" "$kind" "$count" forge "$order"
done < <("$tool" attacks)
arping() { evil tool arping -i eth0 -W 0.1 "$@"; }
attack "'I am the gateway' to everybody, by arping" arp 3 arping -c 3 -U -S 10.77.0.1 10.77.0.1
attack "the same as answers" arp 3 arping -c 3 -P -U -S 10.77.0.1 10.77.0.1
attack "a second address announced to everybody" arp 3 arping -c 3 -U -S 10.77.0.200 10.77.0.200
attack "a second address that asks for the gateway" arp 2 arping -c 2 -S 10.77.0.200 10.77.0.1
like "$(cat "$TMP/said")" " 0 packets received" "and nobody answers"
like "$(arping -c 2 -C 1 10.77.0.1)" "52:54:4e:00:00:01" "but its own question is answered"
while read -r order; do forge "$order" >>"$TMP/sent"; done < <("$tool" allowed)
wait_for 40 says outside seen
wait_for 40 says beside seen
like "$(tail -n 1 "$TMP/outside")" "^seen 2 " "of all that, the outside saw what was allowed, and nothing else"
like "$(cat "$TMP/beside")" "^seen 2 " "and so did the peer"
is "$(field peer '.counters | length')" 0 "nothing of it was counted against the peer"
is "$(peer arp | awk '$1 == "10.77.0.1" { print $4 }')" 52:54:4e:00:00:01 "the peer still knows the gateway"
is "$(dock ip -4 neigh show "$his" dev isc0 | grep -o '52:[0-9a-f:]*')" "${him%,*}" "and the gateway the peer"

# --- the packet log (R1.9, R4.2) ------------------------------------------------------------------------------------
# For each kind, packets that have a line and those that are said to have none.
told() {
	vm network log "$1" "$2" --lines all --json | jq -cS -n '[inputs | select(.kind)] | group_by(.kind) |
		map({ key: .[0].kind, value: (map(.["left-out"] // 1) | add) }) | from_entries'
}
logged() { told "$1" --dropped; }
counted() { field "$1" '.counters | del(.rate) | tojson' | jq -cS .; }
agree() { [ "$(logged "$1")" = "$(counted "$1")" ]; }
lines() { vm network log "$1" --kind "$2" --lines all --json | jq -n '[inputs | select(.rule)] | length'; }
restart() { "$TOP/tools/rig" "$1" "$2" --name "$RIG" "${@:3}"; }
ok "each dropped packet is in the log of the node that sent it, under its kind" wait_for 40 agree evil
is "$(logged evil)" "$(counted evil)" "as many as were counted"
status 0 "the log of the peer can be read" dock isc-vm network log peer --dropped
is "$(cat "$TMP/out")" "" "and is clean, whatever the packets said of themselves"
like "$(vm network log evil --kind arp -n 1)" "evil +arp +bridge/drop-arp .*arpmac=" "a line says the rule and what was sent"
status 0 "an auditor reads it" as aud1 isc-vm network log
status 6 "nobody else does" as nobody-role isc-vm network log evil

order_of() { "$tool" attacks | awk -F '\t' -v what="$1" '$1 == what { print $4 }'; }
tagged=$(order_of "a VLAN tag")
before=$(lines evil vlan)
forge "${tagged%)}, count=3000)" >"$TMP/flood" &
flood=$!
is "$(peer ping 10.77.0.1)" silent "the dock answers no ping"
wait "$flood"
is "$(cat "$TMP/flood")" "sent 3000" "another node floods meanwhile"
ok "a flood is told to the last packet" wait_for 20 agree evil
like "$(($(lines evil vlan) - before))" "^([1-5]?[0-9])$" "in a few lines and a number"
ok "what the other did meanwhile is in its own log" wait_for 40 agree peer
is "$(lines peer host)" 1 "packet by packet"

# Connections that are let through are told as well, once each.
let_through() { field "$1" '{ exposed: .opened, allowed: .allowed } | with_entries(select(.value > 0)) | tojson' | jq -cS .; }
all_told() { [ "$(told "$1" --accepted)" = "$(let_through "$1")" ]; }
ok "each connection that was let through is in the log of its node" wait_for 60 all_told evil
ok "and in that of the other" wait_for 60 all_told peer
like "$(vm network log evil --kind exposed -n 1)" \
	"evil +exposed +inet/open .*saddr=203.0.113.2 daddr=${self#*,} proto=6 .*dport=8080 flags=S( odaddr=203.0.113.1 odport=8081)? tap=" \
	"from whom and to what (and what the client asked for, where the kernel tells)"
like "$(vm network log evil --kind allowed --lines all)" "inet/allow .*saddr=${self#*,} daddr=203.0.113.2 proto=17 .*dport=7001" \
	"so is where the node may connect to"
is "$(vm audit report evil --json | jq .network.accepted.exposed)" "$(field evil .opened)" "the report counts them"
status 2 "both at once make no sense" dock isc-vm network log evil --dropped --accepted

# The log goes on whoever dies, and so does who follows it.
background followed dock isc-vm network log evil --dropped -f -n 1
wait_for 40 says followed vlan
option=$(order_of "the record route option")
ok "the collector is killed" restart stop collectord --signal KILL
forge "$option" >"$TMP/sent"
ok "and started anew" restart start collectord
before=$(lines evil option)
again() { forge "$option" && [ "$(lines evil option)" -gt "$before" ]; }
ok "a new one takes the log up" wait_for 40 again
ok "who follows the log sees it" wait_for 40 says followed " option "
ok "isc-dockd ends" restart stop dockd
before_mac=$(dock sh -c 'grep -c kind=mac /var/log/isc-dock/nodes/evil/network/audit.log')
forge "$(order_of "another MAC")" >"$TMP/sent"
more() { [ "$(dock sh -c 'grep -c kind=mac /var/log/isc-dock/nodes/evil/network/audit.log')" -gt "$before_mac" ]; }
ok "the log goes on without it" wait_for 20 more
ok "and with it" restart start dockd
ok "nothing is missing in between" wait_for 20 agree evil
ok "nor for who follows it" wait_for 40 says followed " mac "
status 0 "the log is chained and sealed as the audit is" dock isc-vm audit verify --all
like "$(cat "$TMP/out")" "\+evil: good: " "and verified with it"
like "$(vm audit anchor)" "\+evil [0-9]+:" "its end can be noted elsewhere"
is "$(vm audit report evil --json | jq .network.kinds.vlan)" "$(field evil .counters.vlan)" "the report counts what was dropped"

# --- sweeps (R1.1, R1.4, R1.6) --------------------------------------------------------------------------------------
dock ip addr add 192.0.2.1/24 dev lo
is "$(evil syn 52544e000001 10.77.0.1 1 65535)" "sent 65535 open" "no port of the dock answers on its bridge address"
is "$(evil syn 52544e000001 203.0.113.1 1 65535)" "sent 65535 open" "nor on its outside address, listening or exposed"
is "$(evil syn 52544e000001 192.0.2.1 1 65535)" "sent 65535 open" "nor on a third one"
is "$(evil syn 52544e000001 "$his" 1 65535)" "sent 65535 open" "no port of the peer answers"
sweep() { evil tool nmap --privileged -n -Pn --disable-arp-ping --max-retries 0 --min-rate 500 -oG - "$@"; }
counters
nothing_open() { unlike "$(cat "$TMP/said")" "/open/" "nmap finds nothing open"; }
attack "nmap connects to the dock's addresses" host 300 sweep -sS -F 10.77.0.1 203.0.113.1 192.0.2.1
nothing_open
attack "nmap asks by UDP" host 15+ sweep -sU -p 53,123,161,514,5353 10.77.0.1 203.0.113.1 192.0.2.1
nothing_open
attack "nmap asks for other protocols" host 200+ sweep -sO 10.77.0.1
attack "nmap connects to its sibling" peer 100 sweep -sS -F "$his"
nothing_open
attack "nmap knocks past the state" invalid 100 sweep -sA -F "$his"
unlike "$(cat "$TMP/said")" "/unfiltered/" "and learns nothing"
ok "one that a rule names" vm allow evil node:peer:tcp/8090
is "$(evil syn 52544e000001 "$his" 8000 9000)" "sent 1001 open 8090" "does, and no other"
like "$(sweep -sS -p 8080,8090 "$his")" "8080/filtered/.* 8090/open/" "as nmap finds, too"

# --- what rules say and what packets do (R1.2, R1.3, R1.4) ----------------------------------------------------------
client ip addr add 198.51.100.1/32 dev lo
background served client "$tool" serve 7001
background served2 client "$tool" serve 7002
wait_for 20 says served2 ready
ok "the node may connect out" vm allow evil tcp:203.0.113.2:7001 icmp:203.0.113.2 udp:198.51.100.0/24:7000-7001
outside() {
	case $1 in
	tcp) client timeout 1 bash -c "exec 3<>/dev/tcp/$2/$3" 2>/dev/null && echo open ;;
	esac
}
# FROM TO PORT, as asked; who tries it, and how
while read -r from to port who how; do
	verdict=$(vm network explain "$from" "$to" "$port" --json | jq -r .verdict)
	# shellcheck disable=SC2086 # the words of an order
	got=$($who ${how//:/ } </dev/null)
	case $got in open | answer) got=allowed ;; *) got=denied ;; esac
	is "$got" "$verdict" "explain $from $to $port: what packets do is what the rules say ($verdict)"
done <<-PAIRS
	evil 203.0.113.2 7001 evil tcp:203.0.113.2:7001
	evil 203.0.113.2 7002 evil tcp:203.0.113.2:7002
	evil 203.0.113.2 udp/7001 evil udp:203.0.113.2:7001
	evil 203.0.113.2 udp/7002 evil udp:203.0.113.2:7002
	evil 203.0.113.2 icmp evil ping:203.0.113.2
	evil 198.51.100.1 udp/7001 evil udp:198.51.100.1:7001
	evil 198.51.100.1 7001 evil tcp:198.51.100.1:7001
	evil 198.51.100.1 icmp evil ping:198.51.100.1
	evil 169.254.169.254 80 evil tcp:169.254.169.254:80
	evil dock 4444 evil tcp:10.77.0.1:4444
	evil 203.0.113.1 8082 evil tcp:203.0.113.1:8082
	evil peer 8090 evil tcp:$his:8090
	evil peer 8080 evil tcp:$his:8080
	evil peer icmp evil ping:$his
	peer evil 8080 peer tcp:${self#*,}:8080
	peer 203.0.113.2 7001 peer tcp:203.0.113.2:7001
	outside dock 8092 outside tcp:203.0.113.1:8092
	outside $his 8080 outside tcp:$his:8080
PAIRS

# --- names of hosts (R1.3) -------------------------------------------------------------------------------------------
background names client "$tool" names 5 pkg.example.org=198.51.100.1 evil.example.org=169.254.169.254
names_pid=$!
wait_for 20 says names ready
dock sh -c 'echo nameserver 203.0.113.2 >/etc/resolv.conf'
isnt "$(evil tcp 198.51.100.1 7001)" open "a host that no rule names is not reached"
status 2 "a name that is none is refused" dock isc-vm allow evil host:198.51.100.1:tcp/7001
like "$(cat "$TMP/out")" "position 6: no full host name" "with its place"
ok "a rule names a host" vm allow evil host:pkg.example.org:tcp/7001 host:evil.example.org:tcp/80
named() { field evil '.names | join(" ")' | grep -q "pkg.example.org:tcp/7001 = 198.51.100.1"; }
ok "its address is asked for" wait_for 20 named
ok "the answer is put in force" wait_for 20 sh -c "'$TOP/tools/rig' exec --name $RIG -- isc-vm network show evil --json |
	jq -e '.egress | index(\"tcp:198.51.100.1:7001\")'"
is "$(evil tcp 198.51.100.1 7001)" open "the node reaches it"
like "$(vm network explain evil 198.51.100.1 7001 --json | jq -r '.verdict + " " + .rule')" "allowed Egress=host:pkg.example.org" "by that rule"
like "$(vm network explain evil pkg.example.org 7001 --json | jq -r '.verdict + " " + ."stands-for"[0]')" \
	"^allowed 198.51.100.1: allowed, Egress=host:" "it can be asked for by its name"
unlike "$(vm network explain evil pkg.example.org 7001)" "kind" "and what is allowed has no kind"
like "$(field evil '.names | join(" ")')" "evil.example.org:tcp/80 = 169.254.169.254 \(refused: reserved\)" "an answer that points inward is refused"
is "$(vm network explain evil 169.254.169.254 80 --json | jq -r .verdict)" denied "and stays out of reach"
like "$(vm events -n 0 --json)" "pkg.example.org is now 198.51.100.1" "what a name stands for is on record"
stop "$names_pid"
ok "the dock is killed, and no server answers" "$TOP/tools/rig" restart dockd --name "$RIG" --signal KILL
is "$(evil tcp 198.51.100.1 7001)" open "the node reaches the host all the same"
ok "until its rule goes" vm deny evil host:pkg.example.org:tcp/7001 host:evil.example.org:tcp/80
isnt "$(evil tcp 198.51.100.1 7001)" open "with it the way is closed"
is "$(field evil '.names // []')" "[]" "and the name forgotten"

# --- rules that go end what runs (R1.8, R1.10, R6.2) ------------------------------------------------------------------
# ends WITHIN FILE DESC CMD…: the stream in FILE has begun; CMD ends it.  The goal is 1 s, see the note; a loaded machine takes
# longer to begin CMD.
ends() {
	local within=$1 file=$2 desc=$3 began last
	shift 3
	wait_for 40 says "$file" first
	sleep 0.5
	began=$(cut -d ' ' -f 1 /proc/uptime)
	"$@" >"$TMP/out" 2>&1 || fail "$desc (${*})" "$TMP/out"
	wait_for 40 says "$file" last
	last=$(sed -n 's/^last //p' "$TMP/$file")
	note "the last byte came $(awk "BEGIN { print $last - $began }") s after the order"
	ok "$desc" awk "BEGIN { exit !($last - $began > -0.5 && $last - $began < $within) }"
}
mkfifo "$TMP/release"
# shellcheck disable=SC2094 # a pipe
client "$tool" park 8092 1000 <"$TMP/release" >"$TMP/parked" 2>&1 &
exec 4>"$TMP/release"
wait_for 60 says parked "open 1000"
ok "a thousand connections are open" says parked "open 1000"
ok "a second port leads to the first node" vm expose evil 8083:8080
background stream1 client "$tool" drain 8083 pour
ends 5 stream1 "unexpose ends a transfer" vm unexpose evil 8083:8080
is "$(outside tcp 203.0.113.1 8083)" "" "nothing connects to that port any more"
is "$(outside tcp 203.0.113.1 8081)" open "the node's other port is open"
background stream2 client "$tool" sink 7003
ok "the node may connect to a sink" vm allow evil tcp:203.0.113.2:7003
background pushing evil push 203.0.113.2 7003
ends 5 stream2 "deny ends a transfer" vm deny evil tcp:203.0.113.2:7003
is "$(evil tcp 203.0.113.2 7001)" open "what is still allowed is"
echo >&4
wait_for 40 says parked alive
ok "the thousand others did not notice" says parked "alive 1000"

background stream3 client "$tool" drain 8082 pour
ends 5 stream3 "quarantine ends a transfer" vm quarantine peer --reason test
ok "the transfer met the limit of the node's bandwidth" [ "$(field peer '.counters.rate // 0')" -gt 0 ]
is "$(dock conntrack -L 2>/dev/null | grep -cF "$his")" 0 "no connection of it is left, of a thousand"
ok "rules may change in quarantine" vm expose peer 8084:8080
is "$(field peer '.boundary + " " + (.expose | join(","))')" "quarantined tcp:8082:8080,tcp:8084:8080,tcp:8092:8090" \
	"they are in force below the cut"
is "$(outside tcp 203.0.113.1 8084)" "" "which stays"
is "$(vm network explain outside dock 8084 --json | jq -r '.verdict + " " + .kind')" "denied quarantine" "and explains itself"
vm release peer --reason test >/dev/null
is "$(outside tcp 203.0.113.1 8084)" open "until the node is released"

# --- rules outlive everything (R1.7) ----------------------------------------------------------------------------------
ok "the dock is killed" "$TOP/tools/rig" restart dockd --name "$RIG" --signal KILL
is "$(outside tcp 203.0.113.1 8084)" open "what was exposed while the node ran still is"
is "$(vm show peer --json | jq -r '.expose | length')" 3 "the register knows it"
like "$(dock virsh metadata isc-peer urn:iscdock:node:1 --config)" "8084:8080" "and libvirt's definition"
"$TOP/tools/rig" stop libvirtd --name "$RIG"
ok "without libvirtd a port is closed all the same" vm unexpose peer 8084:8080
is "$(outside tcp 203.0.113.1 8084)" "" "at once"
"$TOP/tools/rig" start libvirtd --name "$RIG"
defined() { ! dock virsh metadata isc-peer urn:iscdock:node:1 --config | grep 8084:8080; }
ok "the definition follows when it is back" wait_for 20 defined
ok "nobody is blamed for that" sh -c "'$TOP'/tools/rig exec --name $RIG -- isc-vm events -n 0 --json |
	jq -s -e 'map(select(.kind == \"node.drift\")) | length == 0'"

# --- a damaged row of the register (R1.7) -----------------------------------------------------------------------------
restart stop libvirtd
restart stop dockd
dock python3 -c 'import sqlite3
with sqlite3.connect("/var/lib/isc-dock/register.db") as c:
    c.execute("UPDATE node SET spec = ? WHERE name = ?", ("garbage", "evil"))'
ok "the dock starts though a row of its register is damaged" restart start dockd
like "$(vm show evil --json | jq -r '.state + ": " + .reason')" "^failed: its row in the register is damaged" \
	"the node is shown to be broken"
is "$(field evil '.link // "down"')" down "and has no link"
is "$(outside tcp 203.0.113.1 8081)" "" "it is not reached"
is "$(field peer .boundary)$(outside tcp 203.0.113.1 8082)" "in forceopen" "the other node is not harmed"
status 4 "orders to it are refused" dock isc-vm allow evil open
like "$(cat "$TMP/out")" "fsck --repair" "with a way out"
restart start libvirtd
taken_up() { [ "$(vm show evil --json | jq -r .state)" = quarantined ]; }
ok "libvirt's definition knows it: it is taken up, and stays cut off until somebody has looked" wait_for 30 taken_up
is "$(outside tcp 203.0.113.1 8081)" "" "cut off it is"
vm release evil --reason test >/dev/null
is "$(outside tcp 203.0.113.1 8081)$(field evil '.boundary + (.expose | join(","))')" "openin forcetcp:8081:8080" \
	"an officer lets it back in, with its rules"

restart stop libvirtd
restart stop dockd
dock python3 -c 'import sqlite3
with sqlite3.connect("/var/lib/isc-dock/register.db") as c:
    c.execute("UPDATE node SET name = ? WHERE name = ?", ("No Name", "evil"))'
ok "the dock starts though a row of its register has no name" restart start dockd
nameless() { jq -e --arg field "$1" '[.[] | select(.[$field] | test("row of slot [0-9]+ .*No Name"))] | length == 1'; }
ok "that row is named on record" nameless text < <(vm events -n 0 --json | jq -s .)
ok "and when the dock is checked" nameless found < <(vm doctor --json)
is "$(outside tcp 203.0.113.1 8081)" "" "its node is not reached"
is "$(field peer .boundary)$(outside tcp 203.0.113.1 8082)" "in forceopen" "again the other is not harmed"
restart start libvirtd
ok "libvirt's definition brings it back" wait_for 30 taken_up
not_ok "and the row is gone" nameless found < <(vm doctor --json)
vm release evil --reason test >/dev/null
is "$(outside tcp 203.0.113.1 8081)$(field evil '.boundary + (.expose | join(","))')" "openin forcetcp:8081:8080" \
	"with its rules"

ok "both nodes are destroyed" vm destroy evil peer
ok "the dock is in order" sh -c "'$TOP'/tools/rig exec --name $RIG -- isc-vm fsck --json | jq -e '. == []'"
done_testing
