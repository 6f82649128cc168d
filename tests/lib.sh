# shellcheck shell=bash
# What all shell tests share.  A test starts with
#
#     . "$(dirname "$0")/../lib.sh"
#
# says its laws in TAP lines, and ends with done_testing.  Descriptions state what must hold, not what is done.
#
#   ok DESC CMD…              CMD succeeds                         not_ok DESC CMD…   CMD fails
#   status N DESC CMD…        CMD ends with exit status N
#   is ACTUAL EXPECTED DESC   equal strings                        isnt ACTUAL OTHER DESC
#   like ACTUAL REGEX DESC    matches (bash's [[ =~ ]])            unlike ACTUAL REGEX DESC
#   pass DESC / fail DESC     the test found out by itself
#   skip DESC WHY             one result, counted as skipped       skip_all WHY       ends the test here
#   note TEXT…                for the reader of the log
#   wait_for SECONDS CMD…     tries every 0.1 s until CMD succeeds; status 1 when the time is over
#   at_exit CMD…              run at the end, also after a failure, last one first
#   rig_up [WORD] [OPTION…]   a rig of this test's own (see tools/rig), alone in its name; sets RIG and DOCK.  WORD
#                             tells several apart.  It goes with the test, even if that is killed.
#   rig_down [NAME]           earlier than at the end
#   dock CMD…, as USER CMD…, client CMD…   in $RIG: as root in the dock, as USER, outside of it
#
# CMD's output is kept back and shown only if the law does not hold; $TMP/out has it after each ok, not_ok, status.
# Results count in the test's own shell only: not in a pipe or in ( ).
set -u
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034 # for the tests
BUILD=${ISC_BUILD:-$TOP/build}
[ -e "$BUILD/libisc.a" ] || {
	echo "Bail out! nothing is built in $BUILD: run make, or set ISC_BUILD"
	exit 1
}
TMP=$(mktemp -d "${TMPDIR:-/tmp}/isc-test.XXXXXX")
RIG='' DOCK=''
tap_count=0 tap_failed=0 tap_done='' tap_at_exit=() tap_rigs=()

pass() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1"
}

# fail DESC [FILE…]: FILE's text is shown
fail() {
	tap_count=$((tap_count + 1))
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $1"
	shift
	[ $# = 0 ] || tail -n 25 "$@" | sed 's/^/#   /'
}

skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

note() { echo "# $*"; }

ok() {
	local desc=$1
	shift
	if "$@" >"$TMP/out" 2>&1; then
		pass "$desc"
	else
		fail "$desc" "$TMP/out"
	fi
}

not_ok() {
	local desc=$1
	shift
	if "$@" >"$TMP/out" 2>&1; then
		fail "$desc" "$TMP/out"
	else
		pass "$desc"
	fi
}

status() {
	local want=$1 desc=$2 got
	shift 2
	"$@" >"$TMP/out" 2>&1
	got=$?
	if [ "$got" = "$want" ]; then
		pass "$desc"
	else
		echo "status $got instead of $want" >>"$TMP/out"
		fail "$desc" "$TMP/out"
	fi
}

# tap_compare HOLDS DESC ACTUAL RELATION EXPECTED
tap_compare() {
	if [ "$1" = 0 ]; then
		pass "$2"
	else
		printf '%s\n--- %s ---\n%s\n' "$3" "$4" "$5" >"$TMP/out"
		fail "$2" "$TMP/out"
	fi
}

is() {
	[ "$1" = "$2" ]
	tap_compare $? "$3" "$1" 'should be' "$2"
}

isnt() {
	[ "$1" != "$2" ]
	tap_compare $? "$3" "$1" 'should not be' "$2"
}

like() {
	[[ $1 =~ $2 ]]
	tap_compare $? "$3" "$1" 'should match' "$2"
}

unlike() {
	[[ ! $1 =~ $2 ]]
	tap_compare $? "$3" "$1" 'should not match' "$2"
}

wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}

at_exit() {
	local cmd
	printf -v cmd '%q ' "$@"
	tap_at_exit=("$cmd" "${tap_at_exit[@]}")
}

done_testing() {
	tap_done=1
	echo "1..$tap_count"
	exit $((tap_failed > 0))
}

skip_all() {
	skip "all of $(basename "$0")" "$1"
	done_testing
}

tap_exit() {
	local rc=$? cmd
	trap '' INT TERM
	[ -n "$tap_done" ] || fail "$(basename "$0") runs to its end (status $rc)"
	for cmd in "${tap_at_exit[@]}"; do eval "$cmd"; done
	for cmd in "${tap_rigs[@]}"; do "$TOP/tools/rig" down --name "$cmd" 2>/dev/null; done
	rm -rf "$TMP"
	[ -n "$tap_done" ] || exit 1
}
trap tap_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- rigs -----------------------------------------------------------------------------------------------------

rig_up() {
	local word=''
	[ "$(id -u)" = 0 ] || skip_all 'needs root'
	[[ ${1:-} == -* ]] || [ $# = 0 ] || { word=-$1 && shift; }
	RIG=t$$$word
	tap_rigs+=("$RIG")
	if ! DOCK=$("$TOP/tools/rig" up --name "$RIG" --for $$ "$@" 2>"$TMP/rig_up"); then
		fail "rig $RIG comes up" "$TMP/rig_up"
		exit 1
	fi
	export ISC_RIG_NAME=$RIG DOCK
}

rig_down() {
	"$TOP/tools/rig" down --name "${1:-$RIG}"
}

dock() { "$TOP/tools/rig" exec --name "$RIG" -- "$@"; }
as() { "$TOP/tools/rig" exec --name "$RIG" --user "$1" -- "${@:2}"; }
client() { "$TOP/tools/rig" client --name "$RIG" -- "$@"; }
