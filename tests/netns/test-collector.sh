#!/usr/bin/env bash
# isc-collectord as it runs on a dock, between a stand-in of isc-dockd and stand-ins of nodes: nothing that was said is lost
# or doubled, whoever is killed; a loud or broken node costs the others nothing; auditd's own tools read the trail; every
# kind of tampering is named.
# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "$0")/../lib.sh"
TOOL=$BUILD/tests/netns/collector-tool
COLLECTORD=$BUILD/isc-collectord
NOBODY=()
if [ "$(id -u)" = 0 ]; then
	# The build folder may be where nobody else can look.
	install -m 0755 "$TOOL" "$COLLECTORD" "$TMP"
	TOOL=$TMP/collector-tool COLLECTORD=$TMP/isc-collectord
	chmod 0755 "$TMP"
	NOBODY=(setpriv --reuid nobody --regid nogroup --clear-groups)
fi

folder() { # NAME: a run and a log folder of its own
	mkdir -p "$TMP/$1/run" "$TMP/$1/log"
	chmod 0711 "$TMP/$1"
	[ ${#NOBODY[@]} = 0 ] || chown -R nobody "$TMP/$1"
}

scenario() { # NAME [ARG…]
	local name=$1
	shift
	folder "$name"
	"${NOBODY[@]}" timeout -k 5 120 "$TOOL" "$name" "$COLLECTORD" "$TMP/$name" "$@" >"$TMP/$name.out" 2>&1 ||
		{ cat "$TMP/$name.out" && false; }
}

ended() { # DESC PID FILE
	if wait "$2"; then pass "$1"; else fail "$1" "$3"; fi
}

# Two of them wait for time-outs of the collector: beside the others.
scenario claims &
claims=$!
scenario garbage &
garbage=$!

# R4.1, R4.2: whole and in order, in the format of auditd's tools.
ok '10,000 commands: acknowledged, each there once and in order' scenario feed 10000
W=$TMP/feed/log/nodes/web
is "$(ausearch -if "$W/audit.log" -m EXECVE 2>/dev/null | grep -c '^type=EXECVE')" 10000 \
	'ausearch finds all of them'
ausearch -if "$W/audit.log" -m EXECVE --format raw 2>/dev/null | sed -n 's/.*a1="arg-\([0-9]*\)".*/\1/p' >"$TMP/order"
ok 'ausearch gives them in order' cmp "$TMP/order" <(seq 0 9999)
like "$(aureport -x --summary -if "$W/audit.log" 2>/dev/null)" '10000  /usr/bin/cmd' 'aureport -x counts them'
like "$(aureport -if "$W/audit.log" 2>/dev/null)" 'Number of process IDs: 10000' 'aureport sums up'
like "$(ausearch -if "$W/audit.log" -m DAEMON_START 2>/dev/null)" 'event=started a=42' \
	'ausearch finds what the node claims'
is "$(ausearch -if "$W/audit.log" -k isc-exec --format raw 2>/dev/null | grep -c type=SYSCALL)" 10000 \
	'ausearch -k finds them by key'

# --- what a guest keeps back --------------------------------------------------------------------------
# R4.2, R4.3, T18: a gap is found, unless a loss on record explains it.
verify() { "$BUILD/isc-vm" audit verify --export "$TMP/$1/log/nodes/web" --key "$TMP/$1/log/seal.pub" "${@:2}"; }
ok 'a guest keeps three events back' scenario gap 0
status 7 'then the exit status says so' verify gap
like "$(cat "$TMP/out")" 'web: good: .* kernel serials 10-12 are missing, 3 of them without a loss on record' 'and the line which'
is "$(verify gap --json 2>/dev/null | jq -c '[.good, .serials.unexplained, .serials.gaps[0].from]')" '[true,3,10]' 'the trail itself holds'
mv "$TMP/gap" "$TMP/gap.kept"
ok 'one that says so beforehand' scenario gap 3
status 0 'is believed: a loss on record explains the gap' verify gap
is "$(verify gap --json | jq -c '[.lost, .serials.missing, .serials.unexplained]')" '[3,3,0]' 'and both are counted'

# R4.2, F14
ok 'killed again and again under load: nothing lost, nothing doubled' scenario kills 6
note "$(grep -v 'anchor of' "$TMP/kills.out" | tr '\n' ';')"
# What the dock's own trail says of another one's end must hold, at whatever moment which of them was killed.
ends() { sed -n 's/.*op=trail-end trail=\([a-z]*\) .* end=\([^ ]*\) records=\([0-9]*\) .*/\1 \2 \3/p' "$TMP/kills/log/dock/audit.log"; }
(sed 's/^/key /' "$TMP/kills/log/seal.pub" && ends) >"$TMP/ends"
like "$(ends | sort -u -k1,1 | cut -d ' ' -f 1 | xargs)" '^db web$' "how far each trail is stands in the dock's own"
for n in web db; do
	status 0 "as $n has it, each time that it was noted" "$BUILD/isc-vm" audit verify --export "$TMP/kills/log/nodes/$n" --anchors "$TMP/ends" $n
done
status 0 'which is whole, too' "$BUILD/isc-vm" audit verify --export "$TMP/kills/log/dock" --key "$TMP/kills/log/seal.pub" --dock
# R4.3
ok 'a flood of one node leaves the others their latency' scenario flood 3
note "$(grep -v 'anchor of' "$TMP/flood.out" | tr '\n' ';')"
# R3.4
ok 'who writes no message of the link is cut off' scenario intruder
ok 'probes answer with the status, for bad servers, too' scenario probes

# --- tampering, on copies ---------------------------------------------------------------------------
# R4.2, T19
folder small
"${NOBODY[@]}" "$TOOL" feed "$COLLECTORD" "$TMP/small" 50 2>/dev/null
SMALL=$TMP/small/log/nodes/web
PUB=$TMP/small/log/seal.pub

tampered() { # KIND RECORD DESC CMD…: CMD changes the copy in $COPY
	local want="$1 $2 7" desc=$3 rc
	[ "$1" != good ] || want="good $2 0"
	shift 3
	COPY=$TMP/copy
	rm -rf "$COPY"
	cp -r "$SMALL" "$COPY"
	"$@"
	"$TOOL" verify "$COPY" "$PUB" >"$TMP/verdict" 2>"$TMP/why"
	rc=$?
	is "$(cat "$TMP/verdict") $rc" "$want" "$desc"
}
in_log() { sed -i "$@" "$COPY/audit.log"; }
cut_tail() { head -n -5 "$COPY/audit.log" >"$COPY/x" && mv "$COPY/x" "$COPY/audit.log"; }
other_trail() { cp "$TMP/feed/log/nodes/web/audit."{log,chain} "$COPY"; }
flip() { # BYTE of the chain
	printf '\377' | dd of="$COPY/audit.chain" bs=1 seek="$1" conv=notrunc 2>/dev/null
}
N=$(wc -l <"$SMALL/audit.log")
L=$(grep -n 'a1="arg-20"' "$SMALL/audit.log" | cut -d: -f1)
tampered good "$N" 'an untouched copy is good' true
tampered edited "$L" 'sed of one argument' in_log 's/a1="arg-20"/a1="arg-02"/'
tampered removed "$L" 'a line taken out' in_log "${L}d"
tampered inserted "$L" 'a line put in' in_log "${L}i type=EXECVE msg=audit(1700000000.020:20): argc=1 a0=\"no\""
tampered reordered "$L" 'two lines exchanged' in_log "${L}{h;d};$((L + 1))G"
tampered truncated "$((N - 4))" 'the last five lines gone' cut_tail
tampered swapped 1 'the log of another node' in_log 's/audit(1/audit(2/'
tampered resealed 1 'another trail altogether, under another key' other_trail
tampered edited 1 'a byte of the chain' flip 2000

# --- the process ------------------------------------------------------------------------------------
# R3.4: no capability, filtered, in a network and with a view of files of its own.
folder hold
mkfifo "$TMP/go"
if [ "$(id -u)" = 0 ]; then
	chown root "$TMP/hold/run" "$TMP/hold/log"
	COLLECTOR_USER=nobody "$TOOL" hold "$COLLECTORD" "$TMP/hold" <"$TMP/go" >"$TMP/pid" 2>"$TMP/held" &
else
	"$TOOL" hold "$COLLECTORD" "$TMP/hold" <"$TMP/go" >"$TMP/pid" 2>"$TMP/held" &
fi
hold=$!
exec 7>"$TMP/go"
wait_for 40 test -s "$TMP/pid"
P=$(cat "$TMP/pid")
field() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$P/status"; }
is "$(field CapPrm) $(field CapEff) $(field CapAmb)" '0000000000000000 0000000000000000 0000000000000000' \
	'the collector has no capabilities'
is "$(field NoNewPrivs) $(field Seccomp)" '1 2' '… can gain none, and is filtered'
like "$(grep 'Max core' "/proc/$P/limits")" 'size +0 +0' '… dumps no core'
if [ "$(id -u)" = 0 ]; then
	is "$(field Uid | tr '\t' ' ')" "$(id -u nobody) $(id -u nobody) $(id -u nobody) $(id -u nobody)" \
		'started as root it becomes its user'
	is "$(field CapBnd)" 0000000000000000 '… with an empty bounding set'
	isnt "$(readlink "/proc/$P/ns/net")" "$(readlink /proc/self/ns/net)" '… in a network of its own'
	is "$(find "/proc/$P/root/" -mindepth 1 -type d ! -path "/proc/$P/root$TMP*" \
		! -path "/proc/$P/root${TMP%/*}" ! -path "/proc/$P/root/tmp" | wc -l)" 0 \
		'… and sees nothing but its log folder'
	is "$(stat -c %U:%a "$TMP/hold/log/seal.key" "$TMP/hold/log/nodes" "$TMP/hold/run/collector.sock" | tr '\n' ' ')" \
		'nobody:600 nobody:2750 nobody:660 ' '… which is its own'
else
	skip 'started as root it becomes its user' 'needs root'
fi
not_ok 'a second collector on the same logs refuses' "${NOBODY[@]}" "$COLLECTORD" --run-dir "$TMP/hold/run" \
	--log-dir "$TMP/hold/log" --user nobody
echo go >&7
exec 7>&-
ended 'it ends in order when told to' "$hold" "$TMP/held"

# --- no space left ----------------------------------------------------------------------------------
# R4.2, F4
D='a full disk: what is acknowledged stays, the rest comes when there is room'
folder full-disk
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=4m,mode=0777 isc-test "$TMP/full-disk/log" 2>/dev/null; then
	at_exit umount "$TMP/full-disk/log"
	head -c 3m /dev/zero >"$TMP/full-disk/log/filler"
	chown nobody "$TMP/full-disk/log/filler"
	ok "$D" scenario full-disk "$TMP/full-disk/log/filler"
else
	skip "$D" 'cannot mount a small file system'
fi

status 2 'an unknown option is a usage error' "$COLLECTORD" --no-such
ended 'claims go up, orders down; a new isc-dockd, a rebooted guest find their way' "$claims" "$TMP/claims.out"
# R3.4, R4.3, T16, F15
ended 'rubbish and half frames flag the node and cost its neighbour nothing' "$garbage" "$TMP/garbage.out"
done_testing
