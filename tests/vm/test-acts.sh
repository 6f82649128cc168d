#!/usr/bin/env bash
# The dock's own trail: every act is in it, once and in order, whoever is killed; with who, what and how it ended, without
# secrets; and it is verified, exported and read as a node's is.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

rig_up acts
vm() { dock isc-vm "$@"; }
acts() { vm audit --dock -c -n all; }
third_party() { env DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent "$BUILD/isc-vm" "$@"; }
uid_of() { dock id -u "$1"; }

# --- what is in it ----------------------------------------------------------------------------------
# R4.4: who, what, to which node, with what result; R5.4: and no secret.
ok "the image is imported" vm image import "$BUILD/images/minimal"
status 5 "policy refuses" as op1 isc-vm provision prod --image minimal --environment production -e PASSWORD=hunter2
status 6 "a role refuses" as aud1 isc-vm provision audited --image minimal
status 0 "a plan is asked for" as op1 isc-vm provision web --image minimal --dry-run -e PASSWORD=hunter2
ok "a node is registered" as op1 isc-vm provision web --image minimal --no-enable -e PASSWORD=hunter2
op1=$(uid_of op1) aud1=$(uid_of aud1)
# The call itself is written down last, and is in the trail a moment after its answer.
has_order() { acts >"$TMP/acts" && grep -q ' order 1: success' "$TMP/acts"; }
wait_for 20 has_order
like "$(cat "$TMP/acts")" "uid=$op1  call Dock1.Provision \(.*Name=prod.*: failed: rule no-emulation-in-production" \
	"a refused call, its caller, its arguments and the rule"
like "$(cat "$TMP/acts")" "decision prod rule no-emulation-in-production: failed" "the decision itself"
like "$(cat "$TMP/acts")" "decision web rule all: success" "and one that lets in"
like "$(cat "$TMP/acts")" "uid=$aud1  call Dock1.Provision .*: failed: Provision: not allowed" "who may not is on record, too"
like "$(cat "$TMP/acts")" "uid=$op1  order 1 provision web begun: . folder; . verify" "an order, with its plan, by whom it was given"
like "$(cat "$TMP/acts")" "order 1 step 1/[0-9]* web: . folder" "each step of it"
like "$(cat "$TMP/acts")" "uid=$op1  order 1 provision web ended: success" "how it ended"
like "$(cat "$TMP/acts")" "call Dock1.Provision \(.*1 of environment.*\) order 1: success" "and the call that gave it"
vm audit --dock -n all >"$TMP/raw"
is "$(grep -ciE "hunter2|$(printf hunter2 | xxd -p)" "$TMP/raw" "$TMP/acts" | cut -d: -f2 | tr '\n' ' ')" "0 0 " "no secret is in it"
is "$(vm audit --dock -n all -c --uid "$aud1" --success no --type USER_CMD | wc -l)" 1 "it is searched by user and result"
ok "auditors' tools read it" dock ausearch -if /var/log/isc-dock/dock/audit.log -m USER_CMD -ui "$op1" -sv no
like "$(dock aureport --virt -if /var/log/isc-dock/dock/audit.log)" "VIRT_CONTROL" "orders are what aureport expects of a hypervisor"
status 6 "one without a role does not see it" as nobody-role isc-vm audit --dock
status 2 "it is the dock's or a node's" dock isc-vm audit --dock web

# --- nothing is lost, nothing is doubled ------------------------------------------------------------
# R4.2, R4.4, F14
rig() { "$TOP/tools/rig" "$1" --name "$RIG" "${@:2}" >>"$TMP/rig.log" 2>&1; }
marks() { vm audit --dock -n all --json | jq -r 'select(.fields.op == "call").fields.cmd' | grep -o 'mark-[0-9]*'; }
mark() { vm image show "mark-$1" >/dev/null 2>&1; }
ok "the collector is killed" rig stop collectord --signal KILL
for n in 1 2 3; do mark $n; done
ok "the dock works on without it" vm list
ok "it comes back" rig start collectord
wait_for 40 sh -c "'$TOP/tools/rig' exec --name $RIG -- isc-vm audit --dock -n all | grep -q $(printf "'mark-3'" | xxd -p -u)"
is "$(marks | tr '\n' ' ')" "mark-1 mark-2 mark-3 " "what was done meanwhile is in the trail, once and in order"
(
	n=10
	while [ ! -e "$TMP/enough" ]; do
		mark $n && true
		# A call that met no daemon is none: only what was answered has to be on record.
		[ $? = 3 ] && echo "mark-$n" >>"$TMP/answered"
		n=$((n + 1))
	done
) &
caller=$!
for _ in 1 2 3; do
	sleep 0.7
	rig restart collectord --signal KILL
	sleep 0.4
	rig restart dockd --signal KILL
done
sleep 0.5
touch "$TMP/enough"
wait $caller
sleep 1
note "$(wc -l <"$TMP/answered") calls were answered while both daemons were killed three times"
marks | grep -vxE 'mark-[123]' >"$TMP/marks"
is "$(sort "$TMP/marks" | uniq -d)" "" "nothing is doubled"
is "$(comm -13 <(sort "$TMP/marks") <(sort "$TMP/answered"))" "" "every call that was answered is on record"
ok "in order" cmp "$TMP/marks" <(sort -t- -k2n "$TMP/marks")
ok "the trail is whole" vm audit verify --dock

# --- for others -------------------------------------------------------------------------------------
# R4.2, T19: what a look at the files alone cannot tell, anchors do.
like "$(vm audit verify --all)" "@dock: good" "all trails are the dock's, too"
ok "it is exported" vm audit export --dock "$TMP/good"
status 0 "a third party verifies it" third_party audit verify --dock --export "$TMP/good"
status 7 "it is not a node's" third_party audit verify --export "$TMP/good" dock
vm list >"$TMP/list"
ok "the ends of all trails are printed" as aud1 isc-vm audit anchor
cp "$TMP/out" "$TMP/anchors"
like "$(cat "$TMP/anchors")" "untrusted comment: .*trusted comment: isc-dock anchors, verified by uid $aud1," "signed by the dock"
like "$(cat "$TMP/anchors")" "key ed25519 [0-9a-f]{64}.*@dock [0-9]+:[0-9a-f]{16} [0-9]+" "with the key"
like "$(vm events -n 3)" "the trail of @dock ends at $(awk '$1 == "@dock" { print $2 }' "$TMP/anchors")" "and noted by the dock"
status 0 "they stand in the trails later" dock isc-vm audit verify --all --anchors "$TMP/anchors"
status 7 "an older copy lacks them" third_party audit verify --dock --export "$TMP/good" --anchors "$TMP/anchors"
like "$(cat "$TMP/out")" "replayed" "and is named so"
sed '/^@dock/s/:..../:ffff/' "$TMP/anchors" >"$TMP/changed"
status 7 "anchors that were changed where they were kept are found" dock isc-vm audit verify --dock --anchors "$TMP/changed"
like "$(cat "$TMP/out")" "changed after it was signed" "and named so"
ok "a copy from then on brings the key along" vm audit export --dock "$TMP/later"
status 0 "so a third party checks the signature" third_party audit verify --dock --export "$TMP/later" --anchors "$TMP/anchors"
like "$(cat "$TMP/out")" "anchors: signed by key [0-9A-F]{16}: isc-dock anchors, verified by uid" "and sees whose word it is"
status 7 "and finds the change" third_party audit verify --dock --export "$TMP/later" --anchors "$TMP/changed"
sed '/^untrusted comment/,$d' "$TMP/anchors" >"$TMP/text"
sed -n '/^untrusted comment/,$p' "$TMP/anchors" >"$TMP/text.minisig"
ok "as minisign does" minisign -Vm "$TMP/text" -p "$TMP/later/dock.pub"
# What earlier docks printed was not signed.
sed -i '/^untrusted comment/,$d' "$TMP/anchors"
status 0 "anchors without a signature are taken" dock isc-vm audit verify --all --anchors "$TMP/anchors"
like "$(cat "$TMP/out")" "not signed" "with a warning"
status 7 "but not where a signature is asked for" third_party audit verify --dock --export "$TMP/later" --anchors "$TMP/anchors" --dock-key "$TMP/later/dock.pub"
sed '/^@dock/s/:..../:ffff/' "$TMP/anchors" >"$TMP/resealed"
status 7 "a tail that was sealed anew is found" dock isc-vm audit verify --dock --anchors "$TMP/resealed"
like "$(cat "$TMP/out")" "resealed" "and named so"
(cat "$TMP/anchors" && echo "gone 5:0011223344556677 9") >"$TMP/gone"
status 7 "a trail that is gone is found" dock isc-vm audit verify --all --anchors "$TMP/gone"
like "$(cat "$TMP/out")" "gone" "and named"
ok "a report counts it" sh -c "'$TOP/tools/rig' exec --name $RIG -- isc-vm audit report --dock --json | jq -e '.types.VIRT_CONTROL >= 2'"

# --- files that are gone ----------------------------------------------------------------------------
# R4.2, T19: the newest files of a trail, which what is left says nothing of.  A trail of two files, as the collector leaves it.
log=/var/log/isc-dock
mkdir -p "$TMP/turn/run"
chmod 711 "$TMP" "$TMP/turn"
install -m 755 "$BUILD/tests/netns/collector-tool" "$BUILD/isc-collectord" "$TMP"
rig stop collectord
dock sh -c "cp -r $log '$TMP/turn/log' && chown -R nobody '$TMP/turn' && exec setpriv --reuid nobody --regid nogroup --clear-groups \
	'$TMP/collector-tool' rotate '$TMP/isc-collectord' '$TMP/turn'" >"$TMP/out" 2>&1
is $? 0 "a trail goes on in another file"
dock sh -ec "cp -r '$TMP/turn/log/nodes/web' $log/nodes/; cd $log/dock; chattr -a audit.log audit.chain || :
	cp '$TMP'/turn/log/dock/audit.* '$TMP/turn/log/dock/chain.key' .
	chown -R isc-collect:isc-dock $log/nodes/web $log/dock; chmod 750 $log/nodes/web" >"$TMP/out" 2>&1
rig start collectord
ok "the dock's own trail goes on" wait_for 40 vm audit verify --dock
like "$(vm audit --dock -n all)" "op=trail-end trail=web file=2 end=[0-9]+:[0-9a-f]{16} records=[0-9]+ res=success" \
	"and says how far the other one is"
status 0 "both files are there" dock isc-vm audit verify web
dock sh -ec "mkdir /run/kept; cd $log/nodes/web; chattr -a -i audit.* || :; cp -p audit.chain.1 /run/kept; mv audit.log audit.chain /run/kept" 2>/dev/null
status 7 "that the newest is missing is found" as aud1 isc-vm audit verify web
like "$(cat "$TMP/out")" "web: BAD: record [0-9]+ in audit.log: truncated: file 2 is missing" "and named so"
status 7 "and by a look at all" dock isc-vm audit verify --all
status 7 "a copy is no better" dock isc-vm audit export web "$TMP/short"
status 7 "nor for a third party" third_party audit verify --export "$TMP/short" web
like "$(cat "$TMP/out")" "truncated: file 2 is missing" "who is told the same"
dock truncate -s -272 $log/nodes/web/audit.chain.1 # its last block, which says that another file follows
status 7 "nor one of which the end was cut" dock isc-vm audit verify web
like "$(cat "$TMP/out")" "truncated: file 2 is missing" "which is named so, too"
dock mv $log/nodes/web /run/kept/all
status 7 "nor is one that is gone altogether" dock isc-vm audit verify --all
like "$(cat "$TMP/out")" "web: it was anchored, and is not there any more" "passed over"
dock sh -c "mv /run/kept/all $log/nodes/web && mv /run/kept/audit.* $log/nodes/web/"
status 0 "with its files it is good again" dock isc-vm audit verify --all
dock sh -c 'cd /var/log/isc-dock/dock && { chattr -a -i audit.log; sed -i "2s/res=/Res=/" audit.log && chmod 644 audit.log; }'
status 7 "an edit on the dock itself is found" as aud1 isc-vm audit verify --dock
like "$(cat "$TMP/out")" "@dock: BAD: record 2 in audit.log: edited" "and the bad record is named"
status 7 "and others are not vouched for" as aud1 isc-vm audit verify web
like "$(cat "$TMP/out")" "web: .*nobody can tell, because the dock's own trail does not hold" "which says why"
done_testing
