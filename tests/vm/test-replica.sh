#!/usr/bin/env bash
# Sets: n equal nodes from one spec, behind one port or each behind its own; more of them, fewer of them, and what becomes
# of the port when one of them falls ill, is cut off or goes.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

{
	cat "$TOP/tools/rig.d/dock.conf"
	printf '[Limits]\nMaxNodes=4\n'
} >"$TMP/dock.conf"
rig_up replica --conf "$TMP/dock.conf"
rig() { "$TOP/tools/rig" "$1" --name "$RIG" "${@:2}"; }
vm() { dock isc-vm "$@"; }
json() {
	local filter=$1
	shift
	dock isc-vm "$@" --json | jq -e "$filter" >/dev/null
}
make() { vm provision "$1" --image fickle:1 --memory 96 --overlay 32 "${@:2}"; }
names() { vm list --names | paste -sd ' '; }
# shellcheck disable=SC2016 # $DOCK is the client's
get() { client sh -c 'curl -fsS -m 10 "http://$DOCK:'"${2:-8080}/$1"'"'; }
# ask N [PORT]: N connections, four at a time; "NAME COUNT" of each node that answered, or what went wrong.
ask() {
	client python3 - "$1" "${2:-8080}" <<-'PYTHON'
		import collections, concurrent.futures, os, socket, sys
		def who(_):
		    try:
		        s = socket.create_connection((os.environ["DOCK"], int(sys.argv[2])), 60)
		        s.sendall(b"GET /cgi-bin/who HTTP/1.0\r\n\r\n")
		        text = b""
		        while chunk := s.recv(4096):
		            text += chunk
		        return text.split(b"\r\n\r\n", 1)[1].decode().strip() if b" 200 " in text else "status"
		    except Exception as e:
		        return "failed: %s" % e
		with concurrent.futures.ThreadPoolExecutor(4) as pool:
		    said = collections.Counter(pool.map(who, range(int(sys.argv[1]))))
		print("\n".join("%s %d" % pair for pair in sorted(said.items())))
	PYTHON
}
# answer N [PORT]: the names of those that answer N connections
answer() { ask "$@" | sed 's, [0-9]*$,,' | paste -sd ' '; }
are_ready() { json ".state == \"$2 of $2 ready\"" show "$1"; }

for i in fickle fickle2; do ok "image $i is imported" vm image import "$BUILD/images/$i"; done

# --- what is refused ------------------------------------------------------------------------------
status 2 "replicas with a volume are refused" make web --replicas 2 --volume v:/var/lib/fickle:16M
status 2 "as jobs, too" make web --replicas 2 --job
status 2 "and a set that is not started" make web --replicas 2 --no-enable
status 2 "and none" make web --replicas 0
status 5 "a set that is too large for the dock is refused" make web --replicas 5
like "$(cat "$TMP/out")" "'web-5', 5 of the 5.*max-nodes" "with the member that has no room"
is "$(names)" "" "before the first is made"
like "$(make web --replicas 3 --dry-run)" $'\\+ web-1\n\\+ web-2\n\\+ web-3' "a dry run tells who would come"

# --- one port (R6.4) ------------------------------------------------------------------------------
ok "a set of three behind one port" make web --replicas 3 --expose 8080:8080 --env A=secret
is "$(names)" "web-1 web-2 web-3" "are three nodes"
ok "that are ready" are_ready web 3
ok "each with identity, address and user of its own" \
	json '[.[] | .address, .uid] | (unique | length) == 6' list
like "$(vm list)" "NAME +SET .*web-2 +web " "the list tells whose they are"
like "$(vm show web)" "3 of 3 ready" "and so does the set"
ask 150 >"$TMP/spread"
note "150 connections: $(paste -sd ' ' "$TMP/spread")"
# Some seven standard deviations from 50.
is "$(awk '$2 < 10 || $2 > 95' "$TMP/spread")$(cut -d' ' -f1 "$TMP/spread" | paste -sd ' ')" "web-1 web-2 web-3" \
	"all of them answer, each about as often"
like "$(vm network explain outside dock 8080)" "allowed" "the boundary explains it"
like "$(vm network show web-2)" "tcp:8080:8080" "and shows it of each"
status 4 "no other node gets the port" make other --expose 8080:8080
status 4 "nor the name" make web
status 4 "no second set of the name" make web --replicas 2

# --- rules and limits are the set's (R1.2, R1.3, R6.6) --------------------------------------------
# expose, egress and limits, as all members have them: one line where they are equal
rules() {
	for i in 1 2 3; do vm show "web-$i" --json; done | jq -r '(.expose + .egress | join(" ")) + "; " + ."limits-in-force"' | uniq
}
status 4 "a member's ports are the set's" vm expose web-1 9000:8080
like "$(cat "$TMP/out")" "'isc-vm expose web'" "and it is said how"
status 4 "as are its limits" vm limit web-1 --cpu-quota 50%
ok "a port is opened for the set" vm expose web 9000:8080
is "$(answer 60 9000)" "web-1 web-2 web-3" "and leads to each of its members"
ok "the same again changes nothing" json '.changed == false' expose web 9000:8080
status 4 "no other node gets it" make other --expose 9000:8080
status 3 "what was not opened is not closed" vm unexpose web 9001:8080
like "$(cat "$TMP/out")" "set 'web' has no" "with the set's name"
ok "the set may connect out" vm allow web tcp:203.0.113.2:9
ok "and has a limit" vm limit web --cpu-quota 80% --cpu-weight 50 --iops 900
is "$(rules)" "tcp:8080:8080 tcp:9000:8080 tcp:203.0.113.2:9; CPUQuota=80% CPUWeight=50 IOPS=900" "which all members have"
ok "the port is closed again" vm unexpose web 9000:8080
not_ok "for all of them" get '' 9000
ok "with what was allowed" vm deny web tcp:203.0.113.2:9
# One that is at something else: its QEMU stands still in the middle of it.
pid=$(vm show web-2 --json | jq .pid)
dock kill -STOP "$pid"
vm snapshot create web-2 s1 >"$TMP/s1" 2>&1 &
snapshot=$!
is_busy() { vm disable web-2 --dry-run 2>&1 | grep -q busy; }
ok "a member is busy" wait_for 30 is_busy
status 4 "what one member cannot, the set does not" vm expose web 9000:8080
like "$(cat "$TMP/out")" "'web' is as it was: .*'web-2' is busy" "and which it was is told"
dock kill -CONT "$pid"
wait "$snapshot"
is "$(rules)" "tcp:8080:8080; CPUQuota=80% CPUWeight=50 IOPS=900" "none of them has it"
vm snapshot delete web-2 s1 >/dev/null

# --- what the boundary tells of them --------------------------------------------------------
is "$(vm network log web --json | jq -r .node | sort -u | paste -sd ' ')" "web-1 web-2 web-3" "what the boundary let through to them is told together"

# --- members that are not in force (R6.2, R6.4, R6.5) ---------------------------------------------
# 60 connections pass one of three members over once in 10^10 times.
ok "one of them is suspended" vm suspend web-3
is "$(answer 30)" "web-1 web-2" "the others get all new connections"
ok "it goes on" vm resume web-3
is "$(answer 60)" "web-1 web-2 web-3" "and has its part again"
ok "a member is put into quarantine" vm quarantine web-2 --reason test
is "$(answer 30)" "web-1 web-3" "and gets no new connection"
like "$(vm network explain outside web-2 8080)" "quarantine" "which is explained"
# One that is open stays with its member, whoever shares the port from then on.
client python3 - "$TMP/go" >"$TMP/held" <<-'PYTHON' &
	import os, socket, sys, time
	s = socket.create_connection((os.environ["DOCK"], 8080), 60)
	open(sys.argv[1] + ".open", "w").close()
	for _ in range(600):
	    if os.path.exists(sys.argv[1]): break
	    time.sleep(0.05)
	s.sendall(b"GET /cgi-bin/who HTTP/1.0\r\n\r\n")
	print(s.makefile("rb").read().split(b"\r\n\r\n", 1)[1].decode().strip())
PYTHON
held=$!
wait_for 30 test -e "$TMP/go.open"
uuid=$(vm show web-2 --json | jq -r .uuid)
ok "it is destroyed" vm destroy web-2
ok "and another one comes in its place" wait_for 90 are_ready web 3
touch "$TMP/go"
wait "$held"
like "$(cat "$TMP/held")" '^web-[13]$' "a connection that was open meanwhile is served"
isnt "$(vm show web-2 --json | jq -r .uuid)" "$uuid" "which is another"

# --- scale (R6.4, R6.6) ---------------------------------------------------------------------------
like "$(vm scale web 1 --dry-run)" $'- web-3\n- web-2' "a dry run tells who would go"
vm protect web-3 >/dev/null
status 5 "one that is protected does not go" vm scale web 2
vm unprotect web-3 >/dev/null
ok "the set gets smaller" vm scale web 2
is "$(names)|$(answer 30)" "web-1 web-2|web-1 web-2" "by those with the highest numbers"
ok "the same again changes nothing" json '.changed == false' scale web 2
ok "and larger" vm scale web 3
is "$(answer 60)" "web-1 web-2 web-3" "by the next"
status 2 "it has at least one" vm scale web 0
status 3 "what is no set is not scaled" vm scale nobody 2
status 5 "nor beyond the dock's room" vm scale web 5
is "$(names)" "web-1 web-2 web-3" "and nothing has come of that"
unlike "$(vm show web --json)" secret "a set's environment is nobody's to see"

# --- the dock dies --------------------------------------------------------------------------------
rig stop dockd --signal KILL
is "$(get '')" "fickle 1" "without a dock the port leads to them still"
rig start dockd
is "$(answer 60)" "web-1 web-2 web-3" "and with the next one to all of them"
ok "it is in order" json '. == []' fsck

# --- another image (R2.3) -------------------------------------------------------------------------
vm scale web 2 >/dev/null
ok "the set gets another image" vm upgrade web --image fickle:2
is "$(get '') $(get '') $(vm show web --json | jq -r '[.members[].version] | join(" ")')" "fickle 2 fickle 2 2 2" "each of its members"
ok "the same again changes nothing" json '.changed == false' upgrade web --image fickle:2

ok "and the one that it had" vm rollback web
is "$(get '') $(vm show web --json | jq -r '[.members[].version] | join(" ")')" "fickle 1 1 1" "each of its members"

# --- all of it in quarantine (R6.2) -----------------------------------------------------------------
states() { vm show web --json | jq -r '[.members[].state] | unique | join(" ")'; }
status 2 "without a reason a set is not put into quarantine" vm quarantine web
like "$(vm quarantine web --reason test --dry-run)" $'quarantine web-1\nquarantine web-2' "a dry run tells who would be"
is "$(states)" "ready" "and does nothing"
ok "a set is put into quarantine" vm quarantine web --reason 'all of it'
like "$(cat "$TMP/out")" "web: quarantined, all of it cut off after .* evidence: web-1\\.q.* evidence: web-2\\.q" "with evidence of each member"
is "$(states)" "quarantined" "all of it"
not_ok "and serves nobody" get ''
ok "which is shown with the reason" json '.state == "quarantined" and .reason == "all of it"' show web
ok "once more changes nothing" json '.changed == false' quarantine web --reason again
status 5 "it is not scaled" vm scale web 3
status 5 "nor upgraded" vm upgrade web --image fickle:2
like "$(cat "$TMP/out")" "'isc-vm release web'" "and it is said what to do"
status 5 "nor is one of it released" vm release web-1 --reason test
ok "one of it is destroyed" vm destroy web-2
rig restart dockd >/dev/null 2>&1
ok "and is not replaced, by the next dock either" json '. == []' fsck --repair
is "$(names)" "web-1" "so long as it is in quarantine"
status 6 "an operator does not release it" as op1 isc-vm release web --reason test
ok "a security officer does" as sec1 isc-vm release web --reason test
ok "then another one comes" wait_for 90 are_ready web 2
is "$(answer 30)" "web-1 web-2" "and it serves"
status 4 "what is not in quarantine is not released" vm release web --reason test
status 3 "nor what is not there" vm release nobody --reason test
# The evidence of one cannot be had, for it is at something else that does not end.
pid=$(vm show web-1 --json | jq .pid)
dock kill -STOP "$pid"
vm snapshot create web-1 s1 >"$TMP/s1" 2>&1 &
snapshot=$!
is_at_it() { vm disable web-1 --dry-run 2>&1 | grep -q busy; }
ok "a member is busy" wait_for 30 is_at_it
vm quarantine web --reason test >"$TMP/partly" 2>&1
rc=$?
dock kill -CONT "$pid"
wait $snapshot
note "$rc: $(cat "$TMP/partly")"
[ "$rc" = 0 ] || like "$(cat "$TMP/partly")" "1 of its 2 members are not in quarantine \\('web-1'\\)" "if one fails it is named"
like "$(vm show web-2)" quarantined "and the others are in quarantine"
ok "once it can it is, too" wait_for 90 vm quarantine web --reason test
is "$(states)" quarantined "all of it"
ok "it is released" vm release web --reason test
ok "and ready" wait_for 90 are_ready web 2

# --- the register is lost --------------------------------------------------------------------------
rig stop dockd --signal KILL
dock sh -c 'rm /var/lib/isc-dock/register.db*'
rig start dockd
is "$(vm show web --json | jq -r '"\(.wanted) \([.members[] | .name + "=" + .state] | join(" "))"')" \
	"2 web-1=quarantined web-2=quarantined" "without its register the dock takes up the set with its members, cut off"
for i in 1 2; do vm release "web-$i" --reason test >/dev/null; done
ok "released, they are it again" wait_for 60 are_ready web 2
is "$(answer 30)" "web-1 web-2" "behind one port"
is "$(vm limit web --cpu-quota 80% --cpu-weight 50 --iops 900 --json | jq .changed)" false "with the set's limits"
is "$(vm scale web 3 --dry-run)" "+ web-3" "to which others can come"
ok "the dock is in order" json '. == []' fsck

# --- health (R6.5) --------------------------------------------------------------------------------
ok "it goes" vm destroy web
ok "a set that is looked after" make pair --replicas 2 --expose 8080:8080 --health-interval 1 --health-retries 3
get cgi-bin/sick >/dev/null
ill() { json '[.members[] | select(.state == "unready")] | length == 1' show pair; }
ok "one of them falls ill" wait_for 60 ill
well=$(vm show pair --json | jq -r '.members[] | select(.state == "ready").name')
takes_all() { [ "$(answer 30)" = "$well" ]; }
ok "the other gets all new connections" wait_for 60 takes_all
ok "until it is stopped" vm disable "$well" --force
takes_rest() { [ "$(answer 1)" = "$(vm show pair --json | jq -r '.members[] | select(.state == "unready").name')" ]; }
ok "then they go to the one that is ill, rather than to nobody" wait_for 60 takes_rest

# --- ports of their own (R6.4) --------------------------------------------------------------------
ok "a set whose members have ports of their own" make own --replicas 2 --replica-ports own --expose 9000:8080
is "$(get cgi-bin/who 9000) $(get cgi-bin/who 9001)" "own-1 own-2" "which are counted up"
ok "goes as a whole" vm destroy own
ok "and so does the other" vm destroy pair
is "$(names)" "" "nobody is left"
is "$(dock sh -c 'nft list map inet isc-dock balance | grep -c "10.77" ; ls /var/lib/isc-dock/keys | grep env')" 0 "neither is a port, or a key"
ok "the dock is in order" json '. == []' fsck
done_testing
