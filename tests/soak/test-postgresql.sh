#!/usr/bin/env bash
# A database under load is snapshotted at any moment, and what is made of the snapshot is whole: it starts, its indexes and
# pages are sound, its books balance, and nothing is missing that was acknowledged before.  $ISC_ROUNDS times (default 20), a
# minute or less each. R6.1.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

rounds=${ISC_ROUNDS:-20}
bin=/usr/lib/postgresql/15/bin
[ -x $bin/pg_amcheck ] || skip_all "no $bin/pg_amcheck"
rig_up pg
vm() { dock isc-vm "$@"; }
export PGPASSWORD=s3cret-$$
db() { client env "PGPASSWORD=$PGPASSWORD" PGCONNECT_TIMEOUT=20 "$@" -h "$DOCK" -U postgres; } # CMD…, then -p PORT
ask() { client env "PGPASSWORD=$PGPASSWORD" psql -h "$DOCK" -U postgres -p "$1" -qAtX -c "$2" postgres; }
load=''
at_exit eval '[ -z "$load" ] || kill $load 2>/dev/null'

ok "the image is imported" vm image import "$BUILD/images/postgresql"
ok "a database with its data on a volume gets ready" vm provision pg --image postgresql --memory 512 --overlay 256 \
	--volume pg-data:/var/lib/postgresql:1G --expose 5432:5432 --env "POSTGRES_PASSWORD=$PGPASSWORD" --timeout 300
is "$(ask 5432 'SHOW data_checksums')" on "it keeps checksums of its pages"
ok "it is filled" client env "PGPASSWORD=$PGPASSWORD" pgbench -h "$DOCK" -U postgres -i -q -s 3 postgres
ok "and may be checked" ask 5432 'CREATE EXTENSION amcheck'

# The offline check wants a database that was shut down: its volume is copied out and read as a file, mounted by nobody.
checksums() {
	local key=$TMP/key64
	vm disable twin && rm -f "$TMP/copy.qcow2" "$TMP/key" "$TMP/raw" || return 1
	vm volume export twin-data "$TMP/copy.qcow2" --key-file "$TMP/key" || return 1
	head -c 64 "$TMP/key" >"$key"
	qemu-img convert --object "secret,id=k,file=$key" --image-opts -O raw \
		"driver=qcow2,encrypt.format=luks,encrypt.key-secret=k,file.filename=$TMP/copy.qcow2" "$TMP/raw" || return 1
	mkdir -p "$TMP/data" && debugfs -R "rdump /data $TMP/data" "$TMP/raw" 2>&1 || return 1
	"$bin/pg_checksums" --check -D "$TMP/data/data" || return 1
	rm -rf "$TMP/data" "$TMP/raw" "$TMP/copy.qcow2"
}

took=0
for round in $(seq "$rounds"); do
	client env "PGPASSWORD=$PGPASSWORD" pgbench -h "$DOCK" -U postgres -n -c 4 -T 600 postgres >"$TMP/load" 2>&1 &
	load=$!
	sleep "$((1 + RANDOM % 3)).$((RANDOM % 10))" # any moment is to do
	before=$(ask 5432 'SELECT count(*) FROM pgbench_history')
	began=$(date +%s%N)
	ok "round $round: a snapshot under load, after $before transactions" vm snapshot create pg "s$round"
	took=$((took + ($(date +%s%N) - began) / 1000000))
	ok "of a moment when the file systems were still" \
		sh -c "'$TOP/tools/rig' exec --name $RIG -- isc-vm snapshot list pg --json | jq -e '.[-1].frozen'"
	kill $load 2>/dev/null
	wait $load 2>/dev/null
	load=''
	ok "another database is made of it, and gets ready" vm snapshot clone pg "s$round" twin --expose 5433:5432 --timeout 300
	ok "when it has done its recovery" wait_for 180 ask 5433 'SELECT 1'
	ok "its tables and indexes are sound" db $bin/pg_amcheck -p 5433 -d postgres --heapallindexed --parent-check \
		--install-missing
	after=$(ask 5433 'SELECT count(*) FROM pgbench_history')
	ok "nothing is lost that was acknowledged ($after of $before and more)" [ "$after" -ge "$before" ]
	is "$(ask 5433 'SELECT count(DISTINCT s) FROM (SELECT sum(abalance) s FROM pgbench_accounts UNION ALL
		SELECT sum(bbalance) FROM pgbench_branches UNION ALL SELECT sum(tbalance) FROM pgbench_tellers UNION ALL
		SELECT coalesce(sum(delta), 0) FROM pgbench_history) b')" 1 "its books balance"
	is "$(ask 5433 'SELECT coalesce(sum(checksum_failures), 0) FROM pg_stat_database')" 0 "no page was read with a wrong checksum"
	ok "and all pages have the right one" checksums
	ok "it is destroyed" vm destroy twin
	ok "its volume shredded" vm volume rm twin-data
	ok "the snapshot, too" vm snapshot delete pg "s$round"
done
note "$rounds snapshots took $((took / rounds)) ms each"
ok "put back in place at the end, too" sh -c "'$TOP/tools/rig' exec --name $RIG -- sh -c 'isc-vm snapshot create pg last && isc-vm snapshot restore pg last --timeout 300'"
ok "when it has done its recovery" wait_for 180 ask 5432 'SELECT 1'
ok "it is sound" db $bin/pg_amcheck -p 5432 -d postgres --heapallindexed --parent-check
ok "the dock is in order" sh -c "'$TOP/tools/rig' exec --name $RIG -- isc-vm fsck --json | jq -e '. == []'"
done_testing
