#!/usr/bin/env bash
# Many clients at once, who know nothing of each other, order whatever comes to mind of the same few nodes, volumes and
# ports.  Each order ends, done or refused with its reason; nothing breaks, and in the end everything is in order and can
# be cleared away. F17, F18.
#
#   ISC_SECONDS=600 ISC_CLIENTS=8 ISC_SEED=7 tests/soak/test-together.sh     so long
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
LENGTH=${ISC_SECONDS:-600} CLIENTS=${ISC_CLIENTS:-8} SEED=${ISC_SEED:-$RANDOM}

rig_up together
vm() { timeout 240 "$TOP/tools/rig" exec --name "$RIG" -- isc-vm "$@"; }
pids() { dock sh -c 'pidof isc-dockd isc-collectord libvirtd'; }
note "ISC_SEED=$SEED ISC_SECONDS=$LENGTH ISC_CLIENTS=$CLIENTS"
for i in fickle fickle2; do ok "image $i is there" vm image import "$BUILD/images/$i"; done
before=$(pids)

# @N: a node, @V: a volume, @P: a port, @S: a snapshot.  What brings nodes up comes often, else there is nothing to fight for.
verbs=(
	"provision @N --image fickle:1 --memory 96 --overlay 32 --expose @P:8080"
	"provision @N --image fickle:2 --memory 96 --overlay 32 --volume @V:/var/lib/fickle:16M"
	"provision @N --image fickle:1 --memory 96 --overlay 32:keep --network dedicated"
	"provision @N --image fickle:1 --memory 96 --overlay 32 --no-enable"
	"enable @N" "enable @N" "release @N --reason test" "disable @N" "disable @N --force" "suspend @N" "resume @N" "destroy @N" "destroy @N --dry-run"
	"expose @N @P:8080" "unexpose @N @P:8080" "allow @N tcp:203.0.113.2:@P" "deny @N tcp:203.0.113.2:@P"
	"snapshot create @N @S" "snapshot create @N @S --keep 1" "snapshot restore @N @S" "snapshot delete @N @S"
	"snapshot clone @N @S @N" "upgrade @N --image fickle:2" "rollback @N" "limit @N --cpu-quota 50%"
	"quarantine @N --reason test" "quarantine @N --reason test --pause" "release @N --reason test"
	"volume create @V 16M" "volume rm @V" "volume attach @V @N /var/lib/fickle" "volume detach @V" "volume rekey @V"
	"volume resize @V 20M" "list" "show @N" "network show @N" "fsck" "audit @N -n 5" "audit verify @N"
)
one_of() { local all=("$@") && echo "${all[RANDOM % ${#all[@]}]}"; }

# customer NUMBER: a line "STATUS VERB: what was said" for each
customer() {
	local verb rc
	RANDOM=$((SEED + $1))
	while [ "$SECONDS" -lt "$LENGTH" ]; do
		verb=$(one_of "${verbs[@]}")
		verb=${verb//@N/n$((RANDOM % 3))} verb=${verb//@V/v$((RANDOM % 2))}
		verb=${verb//@P/808$((RANDOM % 3))} verb=${verb//@S/s$((RANDOM % 2))}
		# shellcheck disable=SC2086 # words
		vm $verb >"$TMP/said.$1" 2>&1
		rc=$?
		echo "$rc $verb: $(tail -n 1 "$TMP/said.$1")" >>"$TMP/orders.$1"
	done
}
customers=()
SECONDS=0
for ((c = 0; c < CLIENTS; c++)); do
	customer "$c" &
	customers+=($!)
done
wait "${customers[@]}"
cat "$TMP"/orders.* >"$TMP/orders"
[ -z "${ISC_LOG:-}" ] || cp "$TMP/orders" "$ISC_LOG"
note "$(cut -d ' ' -f 1 "$TMP/orders" | sort -n | uniq -c | awk '{ print $1 " ended with " $2 }' | paste -sd ',')"

# 124: it did not end.  1: broke.  8: the host lacks something; it lacked nothing.  Above 128: died.
grep -E '^(1|8|12[0-9]|1[3-9][0-9]|2[0-9][0-9]) ' "$TMP/orders" | sort | uniq -c >"$TMP/broken"
not_ok "no order broke" test -s "$TMP/broken"
[ ! -s "$TMP/broken" ] || fail "this is what was said" "$TMP/broken"
grep -E '^[2-9] [^:]*: *$' "$TMP/orders" >"$TMP/silent"
not_ok "none was refused without a word" test -s "$TMP/silent"
ok "and some were done" grep -q '^0 provision' "$TMP/orders"
is "$(pids)" "$before" "nobody died of it"

settled() { vm list --json | jq -e 'all(.[].state; IN("ready", "disabled", "failed", "suspended", "quarantined"))'; }
ok "all nodes come to rest" wait_for 90 settled
ok "the dock is in order" eval 'vm fsck --json | jq -e ". == []"'
for n in $(vm list --json | jq -r '.[].name'); do
	[ "$(vm show "$n" --json | jq -r .state)" != quarantined ] || vm release "$n" --reason "test ends" >/dev/null
	ok "$n can be destroyed" vm destroy "$n"
done
for v in $(vm volume list --json | jq -r '.[].name'); do ok "volume $v can go" vm volume rm "$v"; done
is "$(dock sh -c 'virsh -q list --all; virsh -q secret-list; ls /var/lib/isc-dock/nodes /var/lib/isc-dock/volumes |
	grep -v :; ip -br link | grep -e isct -e isc0-')" "" "nothing is left"
is "$(vm network show --json | jq -c '[.. | .expose? // empty] | add // []')" "[]" "no port leads anywhere"
ok "all trails hold" vm audit verify --all
done_testing
