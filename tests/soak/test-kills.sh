#!/usr/bin/env bash
# Something is killed at a random moment of each verb: isc-dockd, isc-collectord, libvirtd, a QEMU, or the power goes.
# Whatever it was, the dock comes back, is in order, holds what it promised, and nothing lies about.  A client writes to a
# volume all the while: what was acknowledged is there at the end. F1, F6, F7, F9.
#
#   ISC_KILLS=200 ISC_SEED=7 tests/soak/test-kills.sh     so many; the same moments again
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
KILLS=${ISC_KILLS:-200} SEED=${ISC_SEED:-$RANDOM}
RANDOM=$SEED

rig_up kills
rig() { "$TOP/tools/rig" "$1" --name "$RIG" "${@:2}"; }
vm() { timeout 170 "$TOP/tools/rig" exec --name "$RIG" -- isc-vm "$@"; }
field() { vm show "$1" --json 2>/dev/null | jq -r "if .error then \"\" else $2 end"; }
state() { field n .state; } # "" where there is none
snapshots() { vm snapshot list n --json | jq -r '[.[].name] | join(" ")'; }
volumes() { vm volume list --json | jq -r '[.[].name] | join(" ")'; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }
note "ISC_SEED=$SEED ISC_KILLS=$KILLS"

for i in fickle fickle2; do ok "image $i is there" vm image import "$BUILD/images/$i"; done
ok "a node that keeps what it is told" vm provision keep --image fickle:1 --memory 96 --overlay 64 --expose 8081:8080 \
	--volume data:/var/lib/fickle:16M --restart always --start-limit-burst 0 --restart-max-delay-sec 1

# --- the client: writes numbers; $TMP/acked has those that the node said it kept --------------------------------
: >"$TMP/acked"
# shellcheck disable=SC2016 # $DOCK is the client's
client bash -c '
	i=0
	until [ -e "$1/stop" ]; do
		i=$((i + 1))
		[ "$(curl -sS -m 5 "http://$DOCK:8081/cgi-bin/keep?$i" 2>/dev/null)" = "kept $i" ] && echo "$i" >>"$1/acked"
		sleep 0.1
	done' - "$TMP" &
writer=$!
# Numbers that were acknowledged and are not there, or lines that nobody wrote.
lost() {
	cp "$TMP/acked" "$TMP/acked.now"
	# shellcheck disable=SC2016
	client sh -c 'curl -fsS -m 10 "http://$DOCK:8081/cgi-bin/keep"' >"$TMP/kept" || return 1
	sort "$TMP/kept" | comm -13 - <(sort "$TMP/acked.now") >"$TMP/lost"
	grep -vx '[0-9]*' "$TMP/kept" >>"$TMP/lost"
	cat "$TMP/lost"
}
kept() { [ "$(field keep .state)" = ready ] && [ -z "$(lost)" ]; }

# --- what stands before a verb ----------------------------------------------------------------------------------
provision() { vm provision n --image fickle:1 --memory 96 --overlay 64 --expose 8080:8080 --timeout 120; }
gone() { [ -z "$(state)" ] || vm destroy n; }
disabled() { standing && vm disable n --force; }
standing() { # n runs image 1, ready
	case $(state) in
	'') provision ;;
	quarantined) vm release n --reason test && vm enable n ;;
	suspended) vm resume n ;;
	ready) ;;
	*) vm enable n ;;
	esac
	[ "$(field n .version)" = 1 ] || vm upgrade n --image fickle:1
}
with_snapshot() { standing && { [[ " $(snapshots) " = *" s "* ]] || vm snapshot create n s; }; }
without_snapshot() { standing && { [[ " $(snapshots) " != *" s "* ]] || vm snapshot delete n s; }; }
upgraded() { standing && vm upgrade n --image fickle:2; }
with_volume() { [[ " $(volumes) " = *" v "* ]] || vm volume create v 16M; }
without_volume() { [[ " $(volumes) " != *" v "* ]] || vm volume rm v; }
suspended() { standing && vm suspend n; }
quarantined() { standing && vm quarantine n --reason test; }
closed() { standing && { ! opened || vm unexpose n 9000:8080; }; }
open() { standing && { opened || vm expose n 9000:8080; }; }
opened() { field n '.expose | join(" ")' | grep -q 9000; }

# --- the verbs: what must stand, the verb, what holds once it said that it is done ------------------------------
verbs=(
	"gone|provision n --image fickle:1 --memory 96 --overlay 64 --expose 8080:8080 --timeout 120|[ \$(state) = ready ]"
	"standing|disable n|[ \$(state) = disabled ]"
	"disabled|enable n|[ \$(state) = ready ]"
	"standing|suspend n|[ \$(state) = suspended ]"
	"suspended|resume n|[ \$(state) = ready ]"
	"without_snapshot|snapshot create n s|[[ \" \$(snapshots) \" = *' s '* ]]"
	"with_snapshot|snapshot delete n s|[[ \" \$(snapshots) \" != *' s '* ]]"
	"with_snapshot|snapshot restore n s|[ \$(state) = ready ]"
	"closed|expose n 9000:8080|opened"
	"open|unexpose n 9000:8080|! opened"
	"standing|upgrade n --image fickle:2|[ \$(field n .version) = 2 ]"
	"upgraded|rollback n|[ \$(field n .version) = 1 ]"
	"without_volume|volume create v 16M|[[ \" \$(volumes) \" = *' v '* ]]"
	"with_volume|volume rekey v|vm volume show v --json | jq -e .opens"
	"with_volume|volume rm v|[[ \" \$(volumes) \" != *' v '* ]]"
	"standing|quarantine n --reason test|[ \$(state) = quarantined ]"
	"quarantined|release n --reason test|[ \$(state) != quarantined ]"
	"standing|destroy n|[ -z \"\$(state)\" ]"
)
victims=(dockd dockd dockd libvirtd collectord qemu power)

# Their pids, of nodes whose names begin so.  The files end without a line feed.
qemus() { dock sh -c "for f in /run/libvirt/qemu/isc-$1*.pid; do [ ! -e \$f ] || { cat \$f; echo; }; done"; }
strike() {
	local pids
	case $1 in
	power) rig reboot ;;
	qemu)
		pids=$(qemus "$2")
		# shellcheck disable=SC2086 # numbers
		[ -z "$pids" ] || dock kill -KILL $pids || : # it may have ended by itself
		;;
	*) rig restart "$1" --signal KILL ;;
	esac
}

settled() { # no verb is under way any more, and nothing is out of order
	case $(state) in '' | ready | disabled | failed | suspended | quarantined) ;; *) return 1 ;; esac
	[ "$(field n '.["restart-at"]')" = 0 ] || [ -z "$(state)" ] || return 1
	[ "$(field keep .state)" = ready ] && vm fsck --json | jq -e '. == []' >/dev/null
}
# Twice: a death may not have been noticed yet.
calm() { settled && sleep 1 && settled; }
# Domains, processes, taps, folders of nodes and volumes, keys against what the register says.
orphans() {
	local up all
	all=$(vm list --json | jq -r '.[].name' | sort)
	up=$(vm list --json | jq -r '.[] | select(.state == "ready" or .state == "suspended" or .state == "quarantined") | .name' | sort)
	diff <(echo "$all") <(dock ls /var/lib/isc-dock/nodes | sort) | sed 's/^[<>]/folder&/;t;d'
	diff <(echo "$all") <(dock virsh -q list --all --name | sed '/^$/d;s/^isc-//' | sort) | sed 's/^[<>]/domain&/;t;d'
	dock virsh -q list --name | sed '/^$/d;s/^isc-//' | sort | comm -23 - <(echo "$up") | sed 's/^/running /'
	diff <(volumes | tr ' ' '\n' | sort) <(dock ls /var/lib/isc-dock/volumes | sort) | sed 's/^[<>]/volume&/;t;d'
	[ "$(qemus '' | wc -w)" = "$(dock sh -c 'ps -e -o uid= | awk "\$1 >= 1900000000" | wc -l')" ] || echo "a QEMU of nobody"
	[ "$(dock sh -c 'ls /sys/class/net | grep -c isct')" -le "$(echo "$up" | grep -c .)" ] || echo "a tap of nobody"
}

declare -A usual=() # ms that a verb takes
for ((k = 0; k < KILLS; k++)); do
	entry=${verbs[k % ${#verbs[@]}]}
	[ "$KILLS" -ge ${#verbs[@]} ] || entry=${verbs[RANDOM % ${#verbs[@]}]}
	IFS='|' read -r before verb after <<<"$entry"
	victim=${victims[RANDOM % ${#victims[@]}]}
	whose=n
	[ "$victim" != qemu ] || [ $((RANDOM % 3)) != 0 ] || whose=keep
	"$before" >"$TMP/before" 2>&1 || { fail "what '$verb' needs can be had" "$TMP/before" && continue; }
	verb_key=${verb%% n*}
	delay=$((RANDOM * ${usual[$verb_key]:-2000} / 32768))
	begun=$(now_ms)
	# shellcheck disable=SC2086 # words
	{
		vm $verb >"$TMP/verb" 2>&1
		echo "$? $(($(now_ms) - begun))" >"$TMP/status"
	} &
	running=$!
	sleep "$((delay / 1000)).$(printf %03d $((delay % 1000)))"
	strike "$victim" "$whose" >"$TMP/strike" 2>&1 || fail "the rig goes on" "$TMP/strike"
	wait "$running"
	read -r rc took <"$TMP/status"
	[ "$rc" != 0 ] || usual[$verb_key]=$took
	wait_for 90 calm
	calm=$?
	{
		cat "$TMP/verb"
		vm list
		vm fsck
		vm show keep
		vm events -n 12
	} >"$TMP/now" 2>&1
	[ "$victim" = qemu ] || whose=
	what="$verb, $victim${whose:+ of $whose} dead after $delay ms (status $rc, $took ms)"
	if [ "$calm" = 0 ]; then pass "$what: the dock is in order"; else fail "$what: the dock is in order" "$TMP/now"; fi
	orphans >"$TMP/orphans" 2>&1
	[ ! -s "$TMP/orphans" ] || fail "nothing is left over" "$TMP/orphans" "$TMP/now"
	wait_for 30 kept || fail "nothing that was acknowledged is lost" "$TMP/lost" "$TMP/now"
	# What is done stays done, but for what the victim itself ran.
	if [ "$rc" = 0 ] && [ "$whose" != n ] && [ "$victim" != power ]; then
		eval "$after" >/dev/null || fail "what it said is so" "$TMP/now"
	fi
	if [[ $verb = quarantine* ]] && [ "$rc" = 0 ]; then
		is "$(state)" quarantined "a quarantine that stands, stands"
	fi
	[ "$rc" != 124 ] || fail "it comes to an end" "$TMP/now"
done
touch "$TMP/stop"
wait "$writer"
ok "all that was acknowledged is there" kept
note "$(wc -l <"$TMP/acked") numbers were acknowledged"
ok "all trails hold" vm audit verify --all
done_testing
