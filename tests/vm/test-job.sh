#!/usr/bin/env bash
# Jobs: nodes that run to completion, whose result is kept; schedules; nodes that go when they stop.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

rig_up job
rig() { "$TOP/tools/rig" "$1" --name "$RIG" "${@:2}"; }
vm() { dock isc-vm "$@"; }
json() {
	local filter=$1
	shift
	dock isc-vm "$@" --json | jq -e "$filter" >/dev/null
}
make() { vm provision "$1" --image fickle:1 --memory 96 --overlay 64 "${@:2}"; }
runs_are() { json "[.[] | .cause + \" \" + .state] == $2" job list "$1"; }
sql() {
	dock python3 -c 'import sqlite3, sys
with sqlite3.connect("/var/lib/isc-dock/register.db") as db: print(db.execute(sys.argv[1]).fetchall())' "$1"
}
state_is() { json ".state == \"$2\"" show "$1"; }

for i in fickle fickle2; do ok "image $i is imported" vm image import "$BUILD/images/$i"; done

# --- what is refused ------------------------------------------------------------------------------
status 2 "a schedule without a job is refused" make x --schedule daily
status 2 "so is one that is none" make x --job --schedule sometimes
like "$(cat "$TMP/out")" "--schedule: 'sometimes' is no weekday" "by its name"
status 2 "a schedule that never comes is refused" make x --job --schedule '*-02-30'
like "$(cat "$TMP/out")" "'\*-02-30' is no schedule that ever comes: .*'isc-vm job next'" "with what to do about it"
status 2 "in a node file, too" dock sh -c 'printf "[Node]\nName=x\nImage=fickle\n[Service]\nJob=yes\nSchedule=*-04-31\n" >/run/x.node && isc-vm provision -f /run/x.node'
status 2 "so is one that has passed" make x --job --schedule '2020-01-01 12:00'
like "$(cat "$TMP/out")" "does not come any more" "which is told"
status 2 "a job that is always started anew is refused" make x --job --restart always
status 2 "so is one that is ephemeral and protected" make x --job --ephemeral --protect
status 2 "an ephemeral node that is not started is refused" make x --ephemeral --no-enable
status 2 "to wait for what is no job is refused" make x --wait
is "$(vm list --names)" "" "nothing of them is left"

# --- results (R6.4) -------------------------------------------------------------------------------
status 0 "a job that ends well gives 0" make good --job --wait --env JOB=0
ok "is down" wait_for 30 state_is good disabled
ok "its result is on record" json '.[0].state == "done" and .[0]["exit-status"] == 0 and .[0].ended >= .[0].started' job list good
ok "and on show" json '.job and .["last-run"].state == "done"' show good
ok "its scratch space is gone" dock sh -c '! ls /var/lib/isc-dock/nodes/good/overlay* /var/lib/isc-dock/keys/*overlay* 2>/dev/null'
status 0 "waiting for it again tells the same" vm job wait good
status 1 "a job that fails gives 1" make bad --job --wait --env JOB=3 --restart on-failure --restart-sec 0 --start-limit-burst 1
like "$(cat "$TMP/out")" "job 'bad' failed, status 3" "with its status"
ok "it is started anew, and each run is on record" wait_for 60 runs_are bad '["order failed", "restart failed"]'
ok "then it is down" wait_for 30 state_is bad failed
like "$(vm list)" "bad  *failed 3  *failed" "as the list of nodes shows"
vm destroy bad >/dev/null
ok "its results outlive it" runs_are bad '["order failed", "restart failed"]'

# --- a dock that dies -----------------------------------------------------------------------------
ok "a job that takes long" make long --job --env JOB=0 --env JOB_SECONDS=1000
status 9 "is waited for no longer than asked" vm job wait long --timeout 1
ok "and runs on" state_is long ready
status 4 "no other image is put under it meanwhile" dock isc-vm upgrade long --image fickle:2
like "$(cat "$TMP/out")" "job 'long' runs" "for that"
ok "a snapshot is taken of it" vm snapshot create long s1
ok "and put back" vm snapshot restore long s1
ok "which is the end of one run, and begins another" runs_are long '["order stopped", "order running"]'
rig stop dockd --signal KILL
dock sh -c 'kill -9 $(cat /run/libvirt/qemu/isc-long.pid)'
rig start dockd
ok "one that broke while the dock was away has failed" wait_for 60 runs_are long '["order stopped", "order failed"]'
vm destroy long >/dev/null

# --- one that takes too long (R6.4) ---------------------------------------------------------------
status 2 "a limit of what is no job is refused" make x --max-runtime 5
rig restart dockd --env ISC_FAULT=kill:disable:0 >/dev/null 2>&1
make slow --job --max-runtime 3 --env JOB=0 --env JOB_SECONDS=1000 --restart on-failure --restart-sec 0 \
	--start-limit-burst 1 >"$TMP/slow" 2>&1
died() { ! vm list; }
ok "a job that has run for 3 s, its start included, is ended, and the dock dies over it" wait_for 60 died
rig restart dockd >/dev/null 2>&1
ok "the next one ends it, and each run has failed" wait_for 60 runs_are slow '["order failed", "restart failed"]'
ok "with a reason of its own" json 'all(.[]; .message == "it ran longer than MaxRuntime=3")' job list slow
ok "then it is down" wait_for 30 state_is slow failed
status 1 "whoever waits for it" vm job wait slow
like "$(cat "$TMP/out")" "job 'slow' failed: it ran longer than MaxRuntime=3" "is told why"
vm destroy slow >/dev/null

# --- schedules (R6.4) -----------------------------------------------------------------------------
like "$(vm job next 2-29 12:00 UTC -n 1)" "-02-29 12:00:00 UTC" "a schedule tells when it comes"
status 2 "one that is none does not" vm job next 25:00
ok "a job with a schedule" make often --job --schedule "*:*:0/5" --persistent --env JOB=0 --env JOB_SECONDS=2
ok "is not begun by that" json 'all(.[]; .cause == "schedule")' job list often
ok "but at its time" json '.["schedule-next"] > now - 60 and .["schedule-next"] < now + 6' show often
ok "and runs then" wait_for 90 json 'any(.[]; .cause == "schedule" and .state == "done" and .started - .due < 5)' job list often
ok "the next one is missed while it has not ended" json 'any(.[]; .state == "missed" and (.message | test("has not ended")))' job list often
ok "and made up for" wait_for 30 json 'any(.[]; .cause == "catch-up")' job list often
status 4 "a node without a schedule has none to pause" vm job pause good
status 6 "an auditor may not pause one" as aud1 isc-vm job pause often
ok "a schedule is paused" wait_for 60 vm job pause often # it is busy now and then
again() { vm job pause often | grep -q "paused already"; }
ok "once" wait_for 60 again
paused() { json '.["schedule-paused"] and .["schedule-next"] == 0' show often; }
ok "and shown so" paused
rig restart dockd >/dev/null 2>&1
ok "to the next dock, too" wait_for 30 paused
ok "it goes on" wait_for 60 vm job resume often
ok "when it is due next" json '.["schedule-next"] > now - 1' show often
dock isc-vm dock drain >/dev/null
ok "what it may not begin is missed" wait_for 60 json 'any(.[]; .state == "missed" and (.message | test("drained")))' job list often
vm destroy often >/dev/null
dock isc-vm dock undrain >/dev/null
ok "a job that is due once a day" make nightly --job --schedule daily --persistent --env JOB=0
rig stop dockd
sql "UPDATE job_due SET due = strftime('%s', 'now') - 3600" >/dev/null
rig start dockd
ok "what passed while the dock was down is on record, and made up for once" \
	wait_for 60 runs_are nightly '["schedule missed", "catch-up done"]'
vm destroy nightly >/dev/null
is "$(sql "SELECT * FROM job_due")" "[]" "no schedule outlives its node"

# --- ephemeral (R6.4) -----------------------------------------------------------------------------
gone() { ! vm show "$1"; }
status 0 "an ephemeral job" make brief --job --ephemeral --wait --env JOB=0
ok "is gone when it ended" wait_for 30 gone brief
ok "its result is kept" runs_are brief '["order done"]'
ok "and so is the record of its end" json 'any(.[]; .name == "brief")' list --destroyed
ok "one that takes long" make serve --job --ephemeral --env JOB=0 --env JOB_SECONDS=1000
ok "goes when it is stopped" vm disable serve --force
ok "at once" gone serve
ok "and that it was stopped is on record" runs_are serve '["order stopped"]'
is "$(dock sh -c 'ls /var/lib/isc-dock/nodes /var/lib/isc-dock/keys | grep -e brief -e serve; virsh -q list --all --name | grep -e brief -e serve')" "" \
	"and leaves neither folder, key nor domain"
ok "the dock is in order" json '. == []' fsck
done_testing
