#!/usr/bin/env bash
# Delivery of trails and logs to a real rsyslogd: every record arrives, in order, whoever of the two is killed or hangs.
# Longer by environment: ISC_AWAY (seconds that the receiver is away, 3).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
[ -x /usr/sbin/rsyslogd ] || skip_all "rsyslogd is not installed"

{
	cat "$TOP/tools/rig.d/dock.conf"
	printf '[Syslog]\nReceiver=tcp:127.0.0.1:5514\nFacility=local5 logs:daemon\nLevel=notice packets:warning\n'
} >"$TMP/dock.conf"
cat >"$TMP/rsyslog.conf" <<END
global(workDirectory="/run" maxMessageSize="64k")
module(load="imptcp")
template(name="all" type="string" string="%pri% %timestamp:::date-rfc3339% %app-name% %msgid% %structured-data% %msg%\n")
input(type="imptcp" address="127.0.0.1" port="5514" ruleset="keep")
ruleset(name="keep") { action(type="omfile" file="/run/received" template="all" asyncWriting="off" flushOnTXEnd="on") }
END
chmod 644 "$TMP/dock.conf" "$TMP/rsyslog.conf"
chmod 711 "$TMP"
rig_up forward --conf "$TMP/dock.conf"
vm() { dock isc-vm "$@"; }
mark() { vm image show "mark-$1" >/dev/null 2>&1; }
receiver() { # SIGNAL…: ends it; without: starts it
	if [ $# -gt 0 ]; then
		for s in "$@"; do dock sh -c "kill -$s \$(cat /run/rsyslog.pid)"; done
	else
		# It waits for the one before to let go of the port.
		wait_for 20 not_listening
		dock sh -c "rm -f /run/rsyslog.pid; setsid rsyslogd -n -f '$TMP/rsyslog.conf' -i /run/rsyslog.pid </dev/null >/run/rsyslog.out 2>&1 &"
		wait_for 40 listening
	fi
}
listening() { dock sh -c 'ss -Hltn sport = 5514 | grep -q .'; }
not_listening() { ! listening; }
forwarder() { # SIGNAL: ends it; without: starts it
	if [ $# -gt 0 ]; then
		dock sh -c "kill -$1 \$(cat /run/forward.pid)"
	else
		dock sh -c 'setsid isc-forwardd --state-dir /var/log/isc-dock/forward </dev/null >>/run/forward.out 2>&1 & echo $! >/run/forward.pid'
	fi
}
# Records of a trail that are sealed, and those of them that arrived: numbers, in the order of their first coming.
sealed() { vm audit verify "$@" --json | jq -r .records; }
# Kinds are told apart by the message id: audit, act, packet, log.
arrived() { dock cat /run/received | grep -aF " ${2:-audit} [isc@32473 node=\"$1\"" | grep -oa 'record="[0-9]*"' | tr -dc '0-9\n' | awk '!seen[$0]++'; }
all_arrived() { [ "$(arrived "$1" "${3:-audit}" | tail -n 1)" -ge "$2" ]; } 2>/dev/null

# A node's trail as a collector left it: 2,000 commands, five records each.
mkdir -p "$TMP/feed/run" "$TMP/feed/log"
install -m 755 "$BUILD/tests/netns/collector-tool" "$BUILD/isc-collectord" "$TMP"
chown -R nobody "$TMP/feed"
setpriv --reuid nobody --regid nogroup --clear-groups "$TMP/collector-tool" feed "$TMP/isc-collectord" "$TMP/feed" 2000 >/dev/null 2>&1
dock sh -c "cp -r '$TMP/feed/log/nodes/web' /var/log/isc-dock/nodes/big && chown -R isc-collect:isc-dock /var/log/isc-dock/nodes/big &&
	chmod 750 /var/log/isc-dock/nodes/big && cd /var/log/isc-dock/nodes/big && mv service.log service.log.1 && : >service.log"
BIG=$(wc -l <"$TMP/feed/log/nodes/web/audit.log")
ok "the configuration is good" dock isc-forwardd -n
sed 's/tcp:.*/tcp:nowhere/' "$TMP/dock.conf" >"$TMP/bad.conf"
status 2 "one without a port is not" dock isc-forwardd -n -c "$TMP/bad.conf"
sed 's/^Level.*/Level=notice logs:loud/' "$TMP/dock.conf" >"$TMP/bad.conf"
status 2 "nor is a level that is none" dock isc-forwardd -n -c "$TMP/bad.conf"
like "$(cat "$TMP/out")" "\[Syslog\] Level: there is no 'logs:loud'" "which it names"
sed 's/^Level.*/Deliver=audit everything/' "$TMP/dock.conf" >"$TMP/bad.conf"
status 2 "or a source" dock isc-forwardd -n -c "$TMP/bad.conf"

# --- away, then there -------------------------------------------------------------------------------
# R4.5: trails, acts, logs and dropped packets (R1.9) at a real rsyslogd.
for n in 1 2 3; do mark $n; done
forwarder
ok "it runs as its own user" wait_for 20 dock sh -c 'ps -o user= -p $(cat /run/forward.pid) | grep -q isc-forw'
is "$(dock sh -c "sed -n 's/^CapEff:[[:space:]]*//p' /proc/\$(cat /run/forward.pid)/status")" 0000000000000000 "without capabilities"
sleep 1.5
receiver
ok "what waited for the receiver arrives" wait_for 20 all_arrived big "$BIG"
dock grep -a ' audit .*node="big"' /run/received | sed 's/.*\] //' >"$TMP/got"
ok "byte by byte and once" cmp "$TMP/got" "$TMP/feed/log/nodes/web/audit.log"
ok "so does what a service wrote" wait_for 20 all_arrived big 2000 log
dock grep -a ' log .*node="big"' /run/received | sed 's/.*stream="\([a-z]*\)"\] /\1 /' >"$TMP/got"
ok "line by line and once" cmp "$TMP/got" <(cut -d ' ' -f 2- "$TMP/feed/log/nodes/web/service.log")
like "$(dock grep -a 'node="big" record="7" stream' /run/received)" "^29 20[0-9TZ:.+-]+ isc-dock log \[.*\] line 6$" "with a facility of its own"
# A packet for an address that is no node's.
client sh -c 'ip route add 10.77.0.0/16 via $DOCK; for n in 1 2 3; do nc -zw 1 10.77.9.9 80; done' >"$TMP/out" 2>&1
ok "and what the boundary dropped" wait_for 30 all_arrived @dock 1 packet
dock cat /var/log/isc-dock/dock/network/audit.log >"$TMP/packets"
ok "all of it" wait_for 30 all_arrived @dock "$(wc -l <"$TMP/packets")" packet
ok "as it stands in the packet log" cmp <(dock grep -a ' packet .*node="@dock"' /run/received | sed 's/.*\] //' | head -n "$(wc -l <"$TMP/packets")") "$TMP/packets"
like "$(dock grep -a -m 1 'NETFILTER_PKT' /run/received)" "^172 .* packet \[.*kind=" "with a level of its own"
# R1.9: the connections that it let through, into a real node and out of it, as well.
packets_of() { dock cat "/var/log/isc-dock/nodes/$1/network/audit.log"; }
has_kinds() { packets_of evil >"$TMP/packets" && grep -q "kind=exposed " "$TMP/packets" && grep -q "kind=allowed " "$TMP/packets"; }
ok "a node is reached and reaches out" sh -ec "'$TOP/tools/rig' exec --name $RIG -- isc-vm image import '$BUILD/images/attacker'
	'$TOP/tools/rig' exec --name $RIG -- isc-vm provision evil --image attacker --memory 96 --overlay 32 --expose 8081:8080
	'$TOP/tools/rig' exec --name $RIG -- isc-vm allow evil tcp:203.0.113.2:7001
	'$TOP/tools/rig' client --name $RIG -- '$TOP/tests/vm/net-tool.py' order 8081 tcp 203.0.113.2 7001"
ok "which is in its packet log" wait_for 60 has_kinds
ok "and in syslog" wait_for 60 all_arrived evil "$(wc -l <"$TMP/packets")" packet
dock grep -a ' packet .*node="evil"' /run/received >"$TMP/got"
like "$(grep -a 'kind=exposed ' "$TMP/got")" \
	"^172 20[0-9TZ:.+-]+ isc-dock packet \[isc@32473 node=\"evil\" record=\"[0-9]+\".*\] type=NETFILTER_PKT .*kind=exposed .*dport=8080" \
	"who came in, with node, number and level"
like "$(grep -a 'kind=allowed ' "$TMP/got")" "node=\"evil\" .*kind=allowed .*daddr=203.0.113.2 .*dport=7001" "and where it went"
ok "as they stand in the packet log, once and in order" cmp <(sed 's/^[^]]*\] //' "$TMP/got" | head -n "$(wc -l <"$TMP/packets")") "$TMP/packets"
ok "the node goes" vm destroy evil
like "$(dock grep -a 'record="7" session' /run/received | grep -a node=.big)" "^173 20[0-9TZ:.+-]+ isc-dock audit \[isc@32473 node=\"big\" record=\"7\" session=\"[0-9a-f]{16}\"\]" \
	"with facility, level, the dock's time and whose it is"

# --- killed, and hung -------------------------------------------------------------------------------
# R4.5: at least once, whoever dies.
receiver TERM
end=$((SECONDS + ${ISC_AWAY:-3})) n=0
while
	mark away-$((n += 1))
	client nc -zw 1 10.77.9.9 80 >/dev/null 2>&1 # is dropped, after a second
	[ $SECONDS -lt $end ]
do :; done
receiver
N=$(sealed --dock)
ok "away for ${ISC_AWAY:-3} s: each act of that time arrives" wait_for 90 all_arrived @dock "$N" act
arrived @dock act >"$TMP/numbers"
ok "in order" cmp <(head -n "$N" "$TMP/numbers") <(seq "$N")
dock cat /var/log/isc-dock/dock/network/audit.log >"$TMP/packets"
note "$n acts, $(wc -l <"$TMP/packets") packets in all"
ok "and what was dropped meanwhile" wait_for 90 all_arrived @dock "$(wc -l <"$TMP/packets")" packet
receiver KILL
for n in 4 5; do mark $n; done
receiver
receiver STOP
for n in 6 7 8; do mark $n; done
sleep 2 # its kernel takes what it will never read
receiver KILL
forwarder KILL
mark 9
forwarder
sleep 0.5
receiver
(
	for n in $(seq 10 30); do mark "$n"; done
) &
sleep 0.3
forwarder KILL
forwarder
wait
N=$(sealed --dock)
ok "after kills of both everything arrives" wait_for 30 all_arrived @dock "$N" act
arrived @dock act >"$TMP/numbers"
ok "each record, in order" cmp <(head -n "$N" "$TMP/numbers") <(seq "$N")
dock sh -c 'cat /var/log/isc-dock/dock/audit.log' | head -n "$N" >"$TMP/sent"
dock grep -aF ' act [isc@32473 node="@dock"' /run/received | sed 's/^[^]]*\] //' >"$TMP/got"
is "$(comm -23 <(sort -u "$TMP/sent") <(sort -u "$TMP/got") | wc -l)" 0 "as it stands in the trail"
note "$N records of the dock, $(wc -l <"$TMP/got") messages"
like "$(dock cat /run/forward.out)" "what is not delivered waits" "it said so while it could not deliver"
forwarder TERM
ok "it ends when told to" wait_for 20 dock sh -c '! kill -0 $(cat /run/forward.pid)'

# --- the journal ------------------------------------------------------------------------------------
# R4.5
JOURNALD=/lib/systemd/systemd-journald
journal() { dock journalctl -D /run/log/journal --no-pager -o json "$@"; }
journal_has() { [ "$(journal "ISC_NODE=$1" "ISC_KIND=$2" | wc -l)" -ge "$3" ]; }
if [ -x $JOURNALD ]; then
	printf '[Syslog]\nReceiver=unix:/run/systemd/journal/socket\nFormat=journal\nDeliver=acts logs\nLevel=info logs:notice\n' >"$TMP/journal.conf"
	chmod 644 "$TMP/journal.conf"
	dock sh -c "mkdir -p /run/systemd/journal /run/log/journal; setsid $JOURNALD </dev/null >/run/journald.out 2>&1 & echo \$! >/run/journald.pid"
	ok "a journal listens" wait_for 20 dock test -S /run/systemd/journal/socket
	dock sh -c "setsid isc-forwardd -c '$TMP/journal.conf' --state-dir /var/log/isc-dock/forward-journal </dev/null >/run/forward.out 2>&1 & echo \$! >/run/forward.pid"
	ok "a real journald gets every line of a log" wait_for 30 journal_has big log 2000
	ok "and every act" wait_for 30 journal_has @dock act "$N"
	journal ISC_NODE=big ISC_KIND=log | jq -r '.ISC_STREAM + " " + .MESSAGE' >"$TMP/got"
	ok "as they are, once and in order" cmp "$TMP/got" <(cut -d ' ' -f 2- "$TMP/feed/log/nodes/web/service.log")
	is "$(journal ISC_NODE=big ISC_RECORD=7 | jq -c '[.PRIORITY, .SYSLOG_FACILITY, .SYSLOG_IDENTIFIER, .ISC_KIND, .ISC_STREAM]')" \
		'["5","22","isc-dock","log","stdout"]' "with fields to search by"
	is "$(journal ISC_KIND=audit | wc -l)" 0 "and nothing that Deliver= does not name"
	dock sh -c 'kill $(cat /run/forward.pid /run/journald.pid)'
else
	skip "the journal" "there is no systemd-journald"
fi
done_testing
