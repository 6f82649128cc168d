#!/usr/bin/env bash
# The audit trail of a real node: who may read it, what a third party can verify, and that no change to it goes unseen.
# Longer by environment: ISC_COMMANDS (known commands that a node runs, 500), ISC_BOMB (seconds of a fork bomb, 8).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

rig_up audit
logs=/var/log/isc-dock/nodes
vm() { dock isc-vm "$@"; }
# A machine without a dock: no bus, no rights.
third_party() { env DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent "$BUILD/isc-vm" "$@"; }
ok "the image is imported" vm image import "$BUILD/images/minimal"

# --- while it is written --------------------------------------------------------------------------
# R4.2: a trail verifies at any moment of its life.
dock isc-vm provision web --image minimal --memory 128 --expose 8080:8080 >"$TMP/provision" 2>&1 &
provision=$!
looks=0 wrong=0
while kill -0 $provision 2>/dev/null; do
	vm audit verify web >"$TMP/verify" 2>&1
	case $? in
	0) looks=$((looks + 1)) ;;
	3) ;; # nothing there yet
	*) wrong=$((wrong + 1)) && cat "$TMP/verify" ;;
	esac
	sleep 0.2
done
ok "a node gets ready" wait $provision
note "verified $looks times meanwhile"
[ "$looks" -gt 5 ]
is "$?:$wrong" 0:0 "its trail was good at each look while it was written"
like "$(vm audit verify web)" "web: good: [1-9][0-9]* records.* open, end [0-9]+:[0-9a-f]{16}" "and is at rest"

# --- who reads it ---------------------------------------------------------------------------------
# R4.2: out of reach of who has no role, native records; R3.5: an auditor reads.
www=$(awk -F: '$1 == "www" { print $3 }' "$TOP/node-images/minimal/files/etc/passwd")
status 0 "an auditor verifies it" as aud1 isc-vm audit verify web
status 6 "one without a role does not" as nobody-role isc-vm audit verify web
status 3 "no trail, no verdict" dock isc-vm audit verify nobody
# Whoever is root on the dock can take it away, but not unseen.
dock mv $logs/web $logs/.web
status 7 "a running node without a trail is no node that sent nothing" dock isc-vm audit verify web
status 7 "nor is it passed over" dock isc-vm audit verify --all
like "$(cat "$TMP/out")" "web: node 'web' is ready, so it had a trail" "but named"
dock mv $logs/.web $logs/web
like "$(vm audit web --type EXECVE --commands)" "httpd" "its command is found by the type of a record"
like "$(vm audit web --key exec --uid "$www" --since 1h --success yes -c)" "httpd" "and by key, user, time and success"
is "$(vm audit web --until 2001-01-01)" "" "what is not there is not found"
ok "a report counts it" sh -c "'$TOP/tools/rig' exec --name $RIG -- isc-vm audit report web --json |
	jq -e '.trail.good and .commands.run >= 1 and .keys.exec >= 1 and (.commands.top[0].command | test(\"busybox\"))'"

# --- a neighbour that goes for the audit ------------------------------------------------------------
# R4.1: every command with its arguments, and no switching off from within, T18; R4.6.
COMMANDS=${ISC_COMMANDS:-500} BOMB=${ISC_BOMB:-8}
# Not half-closed: a connection that is, and silent, is forgotten after a minute.
at() { client sh -c "echo '${*:2}' | timeout 900 nc \$DOCK $1"; } # PORT ORDER…
order() { at 8081 "$@"; }
check() { "$TOP/tests/vm/trail-tool.py" "$1" "$TMP/$2/audit.log" "${@:3}"; }
# pulse NAME ROUND SECONDS: how web and the dock answer meanwhile, in $TMP/NAME.ROUND.web and .dock.  Who asks the dock is one
# of its own processes, to the host's scheduler as well, as who is logged in there is.
pulse() {
	client "$TOP/tests/vm/pulse.py" http "$3" 203.0.113.1 8080 >"$TMP/$1.$2.web" &
	# shellcheck disable=SC2016 # for the inner shell
	dock sh -c 'echo 0 2>/dev/null >/sys/fs/cgroup/cpu/cgroup.procs; exec "$@"' sh \
		"$TOP/tests/vm/pulse.py" run "$3" isc-vm list --json >"$TMP/$1.$2.dock"
	wait $!
}
# answered NAME DESC: all the time; how much slower than before is told, as the machine is not ours alone
answered() {
	note "$1: web $(jq -c . "$TMP/$1".*.web | tr '\n' ' '), dock $(jq -c . "$TMP/$1".*.dock | tr '\n' ' ')"
	note "$1: median of web $(ratio "$1" web), of isc-vm list $(ratio "$1" dock) times that of before"
	is "$(jq -s 'map(.failed) | add' "$TMP/$1".*.web "$TMP/$1".*.dock)" 0 "$2"
}
# Median over the rounds of what NAME had, against that of before.
ratio() { echo "$(median "$TMP/$1".*."$2")" "$(median "$TMP"/before.*."$2")" | awk '{ printf "%.2f", $1 / $2 }'; }
median() { jq -s 'map(.p50_ms) | sort | .[length / 2 | floor]' "$@"; }
ok "the vandal's image is imported" vm image import "$BUILD/images/vandal"
ok "the vandal runs" vm provision vandal --image vandal --memory 128 --expose 8081:8080
ok "and a sibling of it" vm provision sibling --image vandal --memory 96 --expose 8082:8080
is "$(order commands 1 "$COMMANDS")" "ran $COMMANDS" "it runs $COMMANDS commands"
is "$(order odd)" "ran 9" "and some with odd arguments"
order attack >"$TMP/attack"
note "$(tr '\n' ';' <"$TMP/attack")"
is "$(grep YES "$TMP/attack")" "audit-forge YES" "as root it can do nothing to agent, audit, ports and modules, but speak"
ok "the dock answers" vm list

# --- one that takes all there is ------------------------------------------------------------------
# R4.3: a flood stops neither service, dock nor other nodes, and what is lost is on record.
# sibling_runs FIRST PID: runs commands on the sibling, a hundred at a time, until PID has ended; sets NEXT
sibling_runs() {
	NEXT=$1
	while
		[ "$(at 8082 commands "$NEXT" 100)" = "ran 100" ] || return 1
		NEXT=$((NEXT + 100))
		kill -0 "$2" 2>/dev/null
	do :; done
}
ran() { sed -n 's/^ran \([0-9]*\),.*/\1/p' "$TMP/bomb"; }
# R6.6: what is exposed, or suspicious, is given little weight against the others: with a sibling that computes these are
# three that want a CPU each.  Before and amid it by turns: the machine is not ours alone.
ok "who is suspicious is given little weight" vm limit vandal --cpu-weight 10
rounds=$((BOMB < 30 ? 1 : BOMB / 10)) amid=0 NEXT=1
for round in $(seq $rounds); do
	pulse before "$round" 3
	order bomb $((BOMB / rounds)) $((100001 + amid)) >"$TMP/bomb" &
	bomb=$!
	pulse bomb "$round" $((BOMB / rounds - 2)) &
	pulse=$!
	ok "while it is a fork bomb, a sibling runs commands" sibling_runs "$NEXT" $bomb
	wait $bomb $pulse
	amid=$((amid + $(ran)))
done
for longer in 30 60; do # a slow machine does not come to the limit so soon
	grep -q "refused 0," "$TMP/bomb" || break
	order bomb $longer $((100001 + amid)) >"$TMP/bomb"
	amid=$((amid + $(ran)))
done
like "$(cat "$TMP/bomb")" "ran [0-9]+, born [1-9][0-9]*, refused [1-9][0-9]*" "which was let loose, and held"
note "$(cat "$TMP/bomb"); the sibling ran $((NEXT - 1)) commands"
answered bomb "dock and neighbour answer all the while"
if [ $rounds -gt 2 ]; then # of less a median says little
	ok "and take less than twice as long" awk -v web="$(ratio bomb web)" -v dock="$(ratio bomb dock)" 'BEGIN { exit !(web < 2 && dock < 2) }'
fi
order flood "$((BOMB / 2))" >"$TMP/flood" &
flood=$!
pulse flood 1 "$((BOMB / 2))"
wait $flood
answered flood "and while it floods the audit"
note "flood: $(cat "$TMP/flood")"
full="filled [1-9][0-9]* KiB, [1-9][0-9]* files: No space left"
filled=$(order fill)
note "$filled"
like "$filled" "$full" "it fills /tmp, /dev/shm and /run"
is "$(order commands 200001 100)" "ran 100" "and runs commands without any room"
is "$(order empty)" empty "and with room again"
# All of it lies in memory, of which there is hardly any.
filled=$(at 8082 fill)
note "the sibling, 96 MiB: $filled"
like "$filled" "$full" "the sibling fills them, too, and is not killed for it"
is "$(at 8082 commands "$NEXT" 100)" "ran 100" "and runs commands without any room"
NEXT=$((NEXT + 100))
is "$(at 8082 empty)" empty "and with room again"
is "$(vm list --json | jq -r 'map(.name + ":" + .state) | join(" ")')" "sibling:ready vandal:ready web:ready" "all three nodes stand"
vm audit verify web >"$TMP/verify" && like "$(cat "$TMP/verify")" "web: good" "and its neighbour's trail is written"
ok "it stops" vm disable vandal
ok "and the sibling" vm disable sibling
ok "its trail is exported, and good" vm audit export vandal "$TMP/vandal"
ok "the sibling's, too" vm audit export sibling "$TMP/sibling"
# R4.1, R4.2: whole, in order, exact; ausearch and aureport read it as their own.
ok "every command is in it, once and in order" check commands vandal 1 "$COMMANDS"
ok "with its exact arguments" check odd vandal
ok "those amid the bomb" check commands vandal 100001 "$amid"
ok "and those without room" check commands vandal 200001 100
ok "the sibling's are all there, once and in order" check commands sibling 1 $((NEXT - 1))
noops=$(grep -c '^type=EXECVE.* a0="noop"' "$TMP/vandal/audit.log")
is "$noops" $((COMMANDS + 9 + amid + 100 + $(check count vandal flood) + 1)) "and nothing else was run" # 1: the one with a library to load
ausearch -if "$TMP/vandal/audit.log" -m EXECVE --raw >"$TMP/commands" 2>/dev/null
is "$(grep -c '^type=EXECVE.* a0="noop"' "$TMP/commands")" "$noops" "ausearch finds as many"
events=$(sed -n 's/^type=SYSCALL msg=audit(\([^)]*\)):.* exe="\/usr\/lib\/vandal\/vandal".*/\1/p' "$TMP/commands" | sort -u | wc -l)
is "$(aureport -x --summary -if "$TMP/commands" | awk '$2 == "/usr/lib/vandal/vandal" { print $1 }')" "$events" "aureport counts them"
third_party audit verify --export "$TMP/vandal" --json >"$TMP/vandal.json"
note "$(jq -c '{records, lost, violations, serials}' "$TMP/vandal.json")"
note "of the flood $(check count vandal flood) are there"
# R4.3
is "$(jq '.serials.unexplained' "$TMP/vandal.json")" 0 "no serial of its kernel is missing without a loss on record"
is "$(third_party audit verify --export "$TMP/sibling" --json | jq -c '[.lost, .serials.missing]')" "[0,0]" "and none of the sibling's at all"
is "$(grep -c '^type=[A-Z_]* msg=audit([0-9.:]*): .*op=forged' "$TMP/vandal/audit.log"):$(grep -c '^type=EXECVE msg=audit(1.000:1)' "$TMP/vandal/audit.log")" \
	1:0 "what it tried to forge stands there as its own word, in one line"
is "$(vm audit verify web --json | jq '.serials.unexplained, .lost' | tr '\n' ' ')" "0 0 " "its neighbour's trail is complete"
ok "the vandal is destroyed" vm destroy vandal
ok "and its sibling" vm destroy sibling

# --- an export, and a plain copy ------------------------------------------------------------------
# R4.2: a third party verifies it without the dock.
ok "it is exported" vm audit export web "$TMP/first"
is "$(stat -c %a "$TMP/first" "$TMP/first/audit.log" | tr '\n' ' ')" "700 600 " "for its owner alone"
status 4 "never into a folder that holds something" dock isc-vm audit export web "$TMP/first"
status 0 "a third party verifies the export" third_party audit verify --export "$TMP/first" web
end=$(third_party audit verify --export "$TMP/first" --json | jq -r .end)
ok "auditors' tools read it" ausearch -if "$TMP/first/audit.log" -m EXECVE
cp "$TMP/first/seal.pub" "$TMP/dock.pub"
mkdir "$TMP/copy"
for file in audit.chain audit.log; do dock cat "$logs/web/$file" >"$TMP/copy/$file"; done
status 0 "so does a plain copy of the node's folder, by the dock's key" third_party audit verify --export "$TMP/copy" \
	--key "$TMP/dock.pub"
ok "the node stops, which is on record" vm disable web
ok "it is exported again" vm audit export web "$TMP/good"
vm audit web -n all --raw >"$TMP/raw"
ok "what is printed raw is the file, byte by byte" cmp "$TMP/raw" "$TMP/good/audit.log"
status 0 "the trail goes on from the end that was noted" third_party audit verify --export "$TMP/good" --anchor "$end"

# --- tampering ------------------------------------------------------------------------------------
# R4.2, T19: each kind by its name, with the first bad record.
# tampered FAULT RECORD DESC [OPTION…]: $TMP/bad is found out, by the fault's name and the number of the record
tampered() {
	local fault=$1 record=$2 desc=$3
	shift 3
	third_party audit verify --export "$TMP/bad" --json "$@" >"$TMP/bad.json" 2>"$TMP/bad.err"
	is "$? $(jq -r '"\(.good) \(.fault) \(.record) \(.file)"' "$TMP/bad.json")" \
		"7 false $fault $record audit.log" "$desc"
}
fresh() { rm -rf "$TMP/bad" && cp -r "$TMP/good" "$TMP/bad"; }
records=$(wc -l <"$TMP/good/audit.log")
older=$(wc -l <"$TMP/first/audit.log")
fresh && sed -i '20s/=/-/' "$TMP/bad/audit.log"
tampered edited 20 "an edited byte is found"
like "$(cat "$TMP/bad.err")" "record 20 in audit.log: edited" "and told to people, too"
fresh && sed -i 20d "$TMP/bad/audit.log"
tampered removed 20 "a line that was taken out is found"
fresh && sed -i '20i type=EXECVE msg=audit(1.000:1): argc=1 a0="innocent"' "$TMP/bad/audit.log"
tampered inserted 20 "a line that was put in is found"
fresh && sed -i '20{h;d};21G' "$TMP/bad/audit.log"
tampered reordered 20 "two lines that changed places are found"
fresh && sed -i '$d' "$TMP/bad/audit.log"
tampered truncated "$records" "a missing end is found"
fresh && echo 'type=EXECVE msg=audit(1.000:1): argc=1 a0="late"' >>"$TMP/bad/audit.log"
tampered inserted $((records + 1)) "a line behind the end is found"
fresh && cp "$TMP/first/audit.log" "$TMP/bad/"
tampered truncated $((older + 1)) "an older log is found"
fresh && cp "$TMP/first/audit.chain" "$TMP/bad/"
tampered inserted $((older + 1)) "an older chain is found"
fresh && cp "$TMP/first"/audit.* "$TMP/bad/"
tampered replayed $((older + 1)) "an older copy of both is found by a noted end" \
	--anchor "$(third_party audit verify --export "$TMP/good" --json | jq -r .end)"
fresh && echo "ed25519 d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a" >"$TMP/bad/seal.pub"
tampered resealed 1 "another dock's key is found"
fresh && printf XXXXXXXXXXXXXXXX | dd of="$TMP/bad/audit.chain" bs=1 seek=3000 conv=notrunc status=none
status 7 "a changed chain is found" third_party audit verify --export "$TMP/bad"
fresh
tampered swapped 1 "another node's trail is found" --key "$TMP/dock.pub" other
status 0 "and the untouched copy is good" third_party audit verify --export "$TMP/good" --key "$TMP/dock.pub"

# --- after the node -------------------------------------------------------------------------------
# R4.2: the trail is not the node's to take along.
ok "the node is destroyed" vm destroy web
status 3 "it is gone" as aud1 isc-vm show web
like "$(as aud1 isc-vm audit verify web)" "web: good: .* closed" "an auditor verifies its trail all the same"
like "$(as aud1 isc-vm audit web -n all -c)" "httpd" "and reads it"
status 0 "and the service's log" as aud1 isc-vm logs web
like "$(timeout 10 "$TOP/tools/rig" exec --name "$RIG" -- isc-vm audit web -f -c --type EXECVE)" "httpd" \
	"what does not grow any more is not waited for"
# The dock's own trail says where it ended, to whoever puts an older state back.
dock sh -ec "mkdir /run/kept; cd $logs/web; chattr -a -i audit.* || :; cp -p audit.log audit.chain /run/kept; cp '$TMP'/first/audit.* ." 2>/dev/null
status 7 "an older state of it is found without anything kept elsewhere" dock isc-vm audit verify web
like "$(cat "$TMP/out")" "web: BAD: record $((older + 1)) in audit.log: replayed" "and named so"
dock sh -c "cp -p /run/kept/audit.* $logs/web/"
status 0 "the state that it ended in is good" dock isc-vm audit verify web
# More files than a bus lets through at once; what is in them does not matter here.
ok "a node is registered that never ran" vm provision many --image minimal --no-enable
status 3 "it has no trail, and need not" dock isc-vm audit verify many
dock sh -ec "mkdir $logs/many; cd $logs/many; chgrp isc-dock .; chmod 750 .; for n in \$(seq 30); do
	echo type=TEST msg=audit\(1.000:\$n\): >audit.log.\$n; : >audit.chain.\$n; done
	printf 'type=TEST msg=audit(1.000:1): \\302\\2332J\\377\\n' >audit.log.1
	cp audit.log.30 audit.log; : >audit.chain; chmod 644 audit.*"
is "$(vm audit many -n all | sed 's/.*:\([0-9]*\)):.*/\1/' | tr '\n' ' ')" "$(seq -s ' ' 30) 30 " \
	"a trail of many files is read in their order"
is "$(vm audit many -n all | sed -n 1p)" 'type=TEST msg=audit(1.000:1): \xc2\x9b2J\xff' "what a terminal might obey is shown, not done"
ok "for a program it stays as it is" cmp <(vm audit many -n all --raw | sed -n 1p) <(dock cat $logs/many/audit.log.1)
status 2 "but a terminal never gets it" dock script -qec 'isc-vm audit many --raw' /dev/null
status 7 "and what was never sealed is not good" dock isc-vm audit verify many
# Who follows it and is halted, as by a pager, finds all that came: three files were begun meanwhile.
dock sh -c 'echo $$ >/run/follower; exec isc-vm audit many -f -n 1' >"$TMP/followed" 2>&1 &
followed() { grep -q ":$1):" "$TMP/followed"; }
halt() { dock sh -c "kill -$1 \$(cat /run/follower)"; }
ok "it is followed" wait_for 30 followed 30
halt STOP
dock sh -ec "cd $logs/many; for n in \$(seq 31 33); do mv audit.log audit.log.\$n; mv audit.chain audit.chain.\$n
	echo type=TEST msg=audit\(1.000:\$n\): >audit.log; : >audit.chain; chmod 644 audit.*; done"
halt CONT
ok "over more rotations than one" wait_for 30 followed 33
is "$(sed 's/.*:\([0-9]*\)):.*/\1/' "$TMP/followed" | tr '\n' ' ')" "30 31 32 33 " "and each record of them is shown, once and in order"
halt TERM
dock sh -c "cd $logs/web && { chattr -a -i audit.log; mv audit.log .audit.log; }"
status 7 "a log that was taken away is found" as aud1 isc-vm audit verify --all
like "$(cat "$TMP/out")" "web: BAD: record 1 in audit.log: truncated" "and the trail is named"
dock mv $logs/web/.audit.log $logs/web/audit.log
dock sh -c "cd $logs/web && { sed -i '5s/=/-/' audit.log && chmod 644 audit.log; }"
status 7 "an edit on the dock itself is found" as aud1 isc-vm audit verify --all
like "$(cat "$TMP/out")" "web: BAD: record 5 in audit.log: edited" "and the bad record is named"
done_testing
