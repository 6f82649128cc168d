/* The table of verbs.  To add a verb: a line here, its function in a cmd-*.c and in cli.h, its
 * section in dock/man/isc-vm.1 (tools/check-man compares).  An option of the same name takes a
 * value in all verbs or in none. */
#include "cli/cli.h"

/* clang-format off */
const IscOption isc_common_options[] = {
	{ "json",    0,   ISC_OPT_FLAG,  NULL, "print JSON" },
	{ "timeout", 0,   ISC_OPT_VALUE, "S",  "give up after S seconds" },
	{ "verbose", 'v', ISC_OPT_FLAG,  NULL, "progress on standard error, also where it is no terminal" },
	{ "help",    'h', ISC_OPT_FLAG,  NULL, "print this, do nothing" },
	{ NULL },
};

const IscOption isc_changing_options[] = {
	{ "dry-run", 0, ISC_OPT_FLAG, NULL, "print the plan, change nothing" },
	{ NULL },
};

static const IscOption none[] = { { NULL } };

static const IscOption list_options[] = {
	{ "names", 'q', ISC_OPT_FLAG, NULL, "print the names only, one a line" },
	{ NULL },
};

static const IscOption node_list_options[] = {
	{ "names",     'q', ISC_OPT_FLAG, NULL, "print the names only, one a line" },
	{ "sets",      0,   ISC_OPT_FLAG, NULL, "the sets of nodes and their members" },
	{ "destroyed", 0,   ISC_OPT_FLAG, NULL, "those that are no more, and what of them was shredded" },
	{ NULL },
};

static const IscOption provision_options[] = {
	{ "file",        'f', ISC_OPT_VALUE, "FILE",      "take all of it from a node file, see isc-node(5); - is standard input" },
	{ "image",       'i', ISC_OPT_VALUE, "IMG",       "image: NAME, NAME:VERSION or a digest" },
	{ "network",     0,   ISC_OPT_VALUE, "isolated|group:NAME|dedicated", "how the node is joined to others" },
	{ "expose",      'p', ISC_OPT_LIST,  "[tcp:|udp:]HOSTPORT:NODEPORT", "make a port reachable from outside; repeats" },
	{ "egress",      0,   ISC_OPT_LIST,  "RULE",      "let the node connect out; repeats" },
	{ "bandwidth",   0,   ISC_OPT_VALUE, "[in:]RATE [out:RATE]", "most that the node may receive and send, in bits per second: 10M, 'in:10M out:512k'" },
	{ "memory",      'm', ISC_OPT_VALUE, "MiB",       "memory" },
	{ "vcpus",       0,   ISC_OPT_VALUE, "N",         "virtual CPUs" },
	{ "cpu-quota",   0,   ISC_OPT_VALUE, "N%",        "most that it may use, of one CPU of the host: 50%, 150%" },
	{ "cpu-weight",  0,   ISC_OPT_VALUE, "N",         "its share against other nodes where CPU is short, 1 to 10000; default 100" },
	{ "io-read-bandwidth",  0, ISC_OPT_VALUE, "RATE", "most that it may read from its disks, in bytes per second: 10M" },
	{ "io-write-bandwidth", 0, ISC_OPT_VALUE, "RATE", "most that it may write to them" },
	{ "iops",        0,   ISC_OPT_VALUE, "N",         "most requests per second to its disks" },
	{ "overlay",     0,   ISC_OPT_VALUE, "MiB[:keep]", "size of the encrypted scratch space; kept across stops or not" },
	{ "volume",      0,   ISC_OPT_LIST,  "NAME:PATH[:SIZE]", "a persistent volume, made where there is none; repeats" },
	{ "env",         'e', ISC_OPT_LIST,  "KEY[=VALUE]", "environment of the service; KEY alone: from isc-vm's own; repeats" },
	{ "env-file",    0,   ISC_OPT_LIST,  "FILE",      "the same from a file of KEY=VALUE lines; - is standard input; repeats" },
	{ "writable",    0,   ISC_OPT_LIST,  "PATH",      "a writable folder besides the image's; repeats" },
	{ "environment", 0,   ISC_OPT_VALUE, "development|staging|production", "what the node is for; policy looks at it" },
	{ "machine",     0,   ISC_OPT_VALUE, "microvm|q35", "machine type" },
	{ "label",       'l', ISC_OPT_LIST,  "KEY=VALUE", "label; repeats" },
	{ "replicas",    0,   ISC_OPT_VALUE, "N",         "a set of N equal nodes, NAME-1 to NAME-N" },
	{ "replica-ports", 0, ISC_OPT_VALUE, "shared|own", "whether its members share the exposed ports, or each has its own" },
	{ "description", 0,   ISC_OPT_VALUE, "TEXT",      "one line for people" },
	{ "job",         0,   ISC_OPT_FLAG,  NULL,        "it runs to completion; its result is kept" },
	{ "wait",        0,   ISC_OPT_FLAG,  NULL,        "with --job: return when it has ended" },
	{ "max-runtime", 0,   ISC_OPT_VALUE, "S",         "with --job: end a run that takes longer; it has failed then" },
	{ "schedule",    0,   ISC_OPT_VALUE, "CALENDAR",  "with --job: run it then: daily, 'Mon..Fri 08:30'" },
	{ "persistent",  0,   ISC_OPT_FLAG,  NULL,        "make up for runs that were missed, once" },
	{ "ephemeral",   0,   ISC_OPT_FLAG,  NULL,        "destroy it when it has stopped" },
	{ "restart",     0,   ISC_OPT_VALUE, "no|on-failure|always", "when it is started anew after it ended" },
	{ "restart-sec", 0,   ISC_OPT_VALUE, "S",         "pause before the first restart; doubles with each one" },
	{ "restart-max-delay-sec", 0, ISC_OPT_VALUE, "S", "the longest pause" },
	{ "start-limit-burst",     0, ISC_OPT_VALUE, "N", "so many restarts within the interval, then no more; 0: no limit" },
	{ "start-limit-interval-sec", 0, ISC_OPT_VALUE, "S", "that interval" },
	{ "health",      0,   ISC_OPT_VALUE, "tcp:PORT|http:[PORT]/path|exec:COMMAND|none", "health check in place of the image's" },
	{ "health-interval", 0, ISC_OPT_VALUE, "S",       "probe it so often while it runs; 0: never" },
	{ "health-retries",  0, ISC_OPT_VALUE, "N",       "failures in a row that make it unready" },
	{ "protect",     0,   ISC_OPT_FLAG,  NULL,        "it cannot be destroyed until 'unprotect' allows it" },
	{ "no-enable",   0,   ISC_OPT_FLAG,  NULL,        "only register the node, do not start it" },
	{ NULL },
};

static const IscOption limit_options[] = {
	{ "cpu-quota",   0,   ISC_OPT_VALUE, "N%|none",   "most that it may use, of one CPU of the host: 50%, 150%" },
	{ "cpu-weight",  0,   ISC_OPT_VALUE, "N|none",    "its share against other nodes where CPU is short, 1 to 10000; none: 100" },
	{ "io-read-bandwidth",  0, ISC_OPT_VALUE, "RATE|none", "most that it may read from its disks, in bytes per second: 10M" },
	{ "io-write-bandwidth", 0, ISC_OPT_VALUE, "RATE|none", "most that it may write to them" },
	{ "iops",        0,   ISC_OPT_VALUE, "N|none",    "most requests per second to its disks" },
	{ "bandwidth",   0,   ISC_OPT_VALUE, "[in:]RATE [out:RATE]|none", "most that it may receive and send, in bits per second" },
	{ "memory",      'm', ISC_OPT_VALUE, "MiB",       "memory, from the next start on" },
	{ "vcpus",       0,   ISC_OPT_VALUE, "N",         "virtual CPUs, from the next start on" },
	{ NULL },
};

static const IscOption job_list_options[] = {
	{ "lines", 'n', ISC_OPT_VALUE, "N", "only the last N, 1 to 1000; default 100" },
	{ NULL },
};

static const IscOption job_next_options[] = {
	{ "lines", 'n', ISC_OPT_VALUE, "N", "so many, 1 to 1000; default 5" },
	{ NULL },
};

static const IscOption travel_options[] = {
	{ "key-file", 0, ISC_OPT_VALUE, "FILE", "its first line is the passphrase of the copy; - is standard input" },
	{ NULL },
};

static const IscOption disable_options[] = {
	{ "force", 0, ISC_OPT_FLAG, NULL, "cut the power, do not ask the node first" },
	{ NULL },
};

static const IscOption quarantine_options[] = {
	{ "reason", 'r', ISC_OPT_VALUE, "TEXT", "why; goes on record; must be given" },
	{ "pause",  0,   ISC_OPT_FLAG,  NULL,   "pause the node's CPUs, too" },
	{ "with-memory", 0, ISC_OPT_FLAG, NULL, "keep its memory with the evidence, sealed; role security" },
	{ NULL },
};

static const IscOption release_options[] = {
	{ "reason", 'r', ISC_OPT_VALUE, "TEXT", "why; goes on record; must be given" },
	{ NULL },
};

static const IscOption upgrade_options[] = {
	{ "image",    'i', ISC_OPT_VALUE, "IMG", "the new image: NAME, NAME:VERSION or a digest; must be given" },
	{ "drain",    0,   ISC_OPT_VALUE, "S",   "time that open connections get to end, default 10" },
	{ "in-place", 0,   ISC_OPT_FLAG,  NULL,  "without a stand-in: the node is down meanwhile" },
	{ NULL },
};

static const IscOption rollback_options[] = {
	{ "drain",    0, ISC_OPT_VALUE, "S",  "time that open connections get to end, default 10" },
	{ "in-place", 0, ISC_OPT_FLAG,  NULL, "without a stand-in: the node is down meanwhile" },
	{ NULL },
};

static const IscOption follow_options[] = {
	{ "follow", 'f', ISC_OPT_FLAG,  NULL, "go on printing what comes, until interrupted" },
	{ "lines",  'n', ISC_OPT_VALUE, "N",  "begin with the last N (default 200); 0 or all: from the start" },
	{ NULL },
};

static const IscOption packet_options[] = {
	{ "follow", 'f', ISC_OPT_FLAG,  NULL,   "go on printing what comes, until interrupted" },
	{ "lines",  'n', ISC_OPT_VALUE, "N",    "begin with the last N (default 200, of a search all); 0 or all: from the start" },
	{ "dropped",  0, ISC_OPT_FLAG,  NULL,   "only what was dropped" },
	{ "accepted", 0, ISC_OPT_FLAG,  NULL,   "only connections that were let through" },
	{ "kind",   0,   ISC_OPT_LIST,  "KIND", "only packets of that kind, as 'network show' counts them, e.g. mac, exposed; repeats" },
	{ "since",  0,   ISC_OPT_VALUE, "TIME", "only from then on: '2024-05-01 12:00', 12:00, today, 2h (ago)" },
	{ "until",  0,   ISC_OPT_VALUE, "TIME", "only up to then" },
	{ "dock",   0,   ISC_OPT_FLAG,  NULL,   "only what is no node's" },
	{ NULL },
};

static const IscOption audit_options[] = {
	{ "follow",   'f', ISC_OPT_FLAG,  NULL, "go on printing what comes, until interrupted" },
	{ "lines",    'n', ISC_OPT_VALUE, "N",  "begin with the last N (default 200, of a search all); 0 or all: from the start" },
	{ "commands", 'c', ISC_OPT_FLAG,  NULL, "one line for each command that was run" },
	{ "raw",      0,   ISC_OPT_FLAG,  NULL, "byte by byte, for another program: never to a terminal" },
	{ "since",    0,   ISC_OPT_VALUE, "TIME", "only events from then on: '2024-05-01 12:00', 12:00, today, 2h (ago)" },
	{ "until",    0,   ISC_OPT_VALUE, "TIME", "only events up to then" },
	{ "type",     0,   ISC_OPT_LIST,  "TYPE", "only events with a record of that type, e.g. EXECVE; repeats" },
	{ "key",      0,   ISC_OPT_LIST,  "KEY",  "only events that a rule of that key recorded, e.g. priv; repeats" },
	{ "uid",      0,   ISC_OPT_LIST,  "UID",  "only events of that user, a number; repeats" },
	{ "success",  0,   ISC_OPT_VALUE, "yes|no", "only what was done, or only what was refused" },
	{ "dock",     0,   ISC_OPT_FLAG,  NULL, "the dock's own trail: calls, orders, steps, decisions, events" },
	{ NULL },
};

static const IscOption verify_options[] = {
	{ "dock",   0, ISC_OPT_FLAG,  NULL,   "the dock's own trail" },
	{ "all",    0, ISC_OPT_FLAG,  NULL,   "the trails of all nodes, also of those that are no more" },
	{ "export", 0, ISC_OPT_VALUE, "DIR",  "the trail in a folder; needs no dock" },
	{ "key",    0, ISC_OPT_VALUE, "FILE", "the dock's public key, from a place of your own" },
	{ "anchor", 0, ISC_OPT_LIST,  "BLOCK:HASH", "an end that was noted earlier and must be in the trail; repeats" },
	{ "anchors", 0, ISC_OPT_VALUE, "FILE", "ends that 'audit anchor' printed: each must be in its trail" },
	{ "dock-key", 0, ISC_OPT_VALUE, "FILE", "the dock's dock.pub, from a place of your own: the anchors must be signed by it" },
	{ NULL },
};

static const IscOption report_options[] = {
	{ "dock", 0, ISC_OPT_FLAG, NULL, "the dock's own trail" },
	{ "top", 0, ISC_OPT_VALUE, "N", "list the N commands that were run most often; default 10" },
	{ NULL },
};

static const IscOption export_options[] = {
	{ "dock", 0, ISC_OPT_FLAG, NULL, "the dock's own trail" },
	{ NULL },
};

static const IscOption evidence_verify_options[] = {
	{ "export", 0, ISC_OPT_VALUE, "DIR",  "evidence in a folder; needs no dock" },
	{ "key",    0, ISC_OPT_VALUE, "FILE", "the dock's public key, from a place of your own" },
	{ NULL },
};

static const IscOption evidence_export_options[] = {
	{ "with-key", 0, ISC_OPT_FLAG, NULL, "with the keys, in clear: whoever has the folder can read the disk" },
	{ NULL },
};

static const IscOption evidence_browse_options[] = {
	{ "export", 0, ISC_OPT_VALUE, "DIR", "evidence in a folder that has its keys; needs no dock" },
	{ "volume", 0, ISC_OPT_VALUE, "VOL", "a volume's disk; without it the scratch space" },
	{ NULL },
};

static const IscOption evidence_memory_options[] = {
	{ "export", 0, ISC_OPT_VALUE, "DIR", "evidence in a folder that has its keys; needs no dock" },
	{ NULL },
};

static const IscOption filter_options[] = {
	{ "for", 0, ISC_OPT_VALUE, "S", "the trial lasts S seconds; default 60" },
	{ NULL },
};

static const IscOption snapshot_create_options[] = {
	{ "keep", 0, ISC_OPT_VALUE, "N", "then delete the oldest of the node's snapshots, so that N are left" },
	{ NULL },
};

static const IscOption snapshot_clone_options[] = {
	{ "expose", 'p', ISC_OPT_LIST, "[tcp:|udp:]HOSTPORT:NODEPORT", "make a port of the new node reachable from outside; repeats" },
	{ NULL },
};

static const IscOption fsck_options[] = {
	{ "repair", 0, ISC_OPT_FLAG, NULL, "mend what can be mended" },
	{ NULL },
};

#define CHANGES ISC_COMMAND_CHANGES
#define TIMED (ISC_COMMAND_CHANGES | ISC_COMMAND_TIMED)
#define ANY G_MAXUINT
const IscCommand isc_commands[] = {
	{ "image import",     "DIR",         "take a built and signed image into the dock", 1, 1, "dir", CHANGES, none, isc_cmd_image_import },
	{ "image list",       "",            "list the dock's images", 0, 0, "", 0, list_options, isc_cmd_image_list },
	{ "image show",       "IMG",         "show one image", 1, 1, "image", 0, none, isc_cmd_image_show },
	{ "image rm",         "IMG...",      "remove images that no node uses", 1, ANY, "image", CHANGES, none, isc_cmd_image_rm },
	{ "provision",        "NAME --image IMG | -f FILE", "make a node, start it, wait until it is ready", 0, 1, "", TIMED, provision_options, isc_cmd_provision },
	{ "enable",           "NAME...",     "start nodes, wait until they are ready", 1, ANY, "node set", TIMED, none, isc_cmd_enable },
	{ "disable",          "NAME...",     "stop nodes; their scratch space is shredded", 1, ANY, "node set", TIMED, disable_options, isc_cmd_disable },
	{ "suspend",          "NAME...",     "halt nodes where they are, in memory", 1, ANY, "node set", TIMED, none, isc_cmd_suspend },
	{ "resume",           "NAME...",     "let suspended nodes go on", 1, ANY, "node set", TIMED, none, isc_cmd_resume },
	{ "destroy",          "NAME...",     "remove nodes, or sets of nodes, shred their keys", 1, ANY, "node set", TIMED, none, isc_cmd_destroy },
	{ "scale",            "NAME N",      "change how many members a set of nodes has", 2, 2, "set", TIMED, none, isc_cmd_scale },
	{ "limit",            "NAME OPTION...", "change what a node or a set may use of the host, at once", 1, 1, "node set", TIMED, limit_options, isc_cmd_limit },
	{ "protect",          "NAME...",     "let nodes not be destroyed", 1, ANY, "node set", 0, none, isc_cmd_protect },
	{ "unprotect",        "NAME...",     "let nodes be destroyed again", 1, ANY, "node set", 0, none, isc_cmd_unprotect },
	{ "upgrade",          "NAME --image IMG", "put another image under a node or a set; no request is refused", 1, 1, "node set", TIMED, upgrade_options, isc_cmd_upgrade },
	{ "rollback",         "NAME",        "put the image back that a node had before", 1, 1, "node set", TIMED, rollback_options, isc_cmd_rollback },
	{ "list",             "",            "list the nodes and their state", 0, 0, "", 0, node_list_options, isc_cmd_list },
	{ "show",             "NAME",        "show one node, or a set of nodes", 1, 1, "node set", 0, none, isc_cmd_show },
	{ "job list",         "[NAME]",      "list the runs of jobs and their results", 0, 1, "node", 0, job_list_options, isc_cmd_job_list },
	{ "job wait",         "NAME",        "wait until a job has ended", 1, 1, "node", 0, none, isc_cmd_job_wait },
	{ "job pause",        "NAME...",     "let a job's schedule rest", 1, ANY, "node", 0, none, isc_cmd_job_pause },
	{ "job resume",       "NAME...",     "let it go on", 1, ANY, "node", 0, none, isc_cmd_job_resume },
	{ "job next",         "CALENDAR",    "say when a schedule comes; needs no dock", 1, ANY, "", 0, job_next_options, isc_cmd_job_next },
	{ "logs",             "NAME",        "print what the service of a node, or of a set, wrote", 1, 1, "node set", 0, follow_options, isc_cmd_logs },
	{ "audit",            "NAME|--dock", "print the audit trail of a node, or of the dock", 0, 1, "node", 0, audit_options, isc_cmd_audit },
	{ "audit verify",     "NAME...|--dock|--all|--export DIR", "check that audit trails are whole and unchanged", 0, ANY, "node", 0, verify_options, isc_cmd_audit_verify },
	{ "audit anchor",     "[NAME...]",   "print the ends of audit trails, to be kept elsewhere", 0, ANY, "node", 0, none, isc_cmd_audit_anchor },
	{ "audit export",     "NAME|--dock DIR", "copy a trail for others to verify", 1, 2, "node", 0, export_options, isc_cmd_audit_export },
	{ "audit report",     "NAME|--dock", "count commands, logins and failures", 0, 1, "node", 0, report_options, isc_cmd_audit_report },
	{ "events",           "[NAME]",      "print what happened on the dock", 0, 1, "node", 0, follow_options, isc_cmd_events },
	{ "snapshot create",  "NAME [SNAP]", "take a snapshot of a node and its volumes", 1, 2, "node", TIMED, snapshot_create_options, isc_cmd_snapshot_create },
	{ "snapshot list",    "NAME",        "list a node's snapshots", 1, 1, "node", 0, none, isc_cmd_snapshot_list },
	{ "snapshot restore", "NAME SNAP",   "put a node and its volumes back to a snapshot", 2, 2, "node", TIMED, none, isc_cmd_snapshot_restore },
	{ "snapshot verify",  "NAME SNAP",   "check that a snapshot is what the dock signed", 2, 2, "node", 0, none, isc_cmd_snapshot_verify },
	{ "snapshot delete",  "NAME SNAP",   "delete a snapshot, shred its keys", 2, 2, "node", TIMED, none, isc_cmd_snapshot_delete },
	{ "snapshot clone",   "NAME SNAP NEWNAME", "make another node from a snapshot", 3, 3, "node", TIMED, snapshot_clone_options, isc_cmd_snapshot_clone },
	{ "quarantine",       "NAME --reason TEXT", "cut a node, or a set, off from everything", 1, 1, "node set", TIMED, quarantine_options, isc_cmd_quarantine },
	{ "release",          "NAME --reason TEXT", "let a node, or a set, out of quarantine", 1, 1, "node set", TIMED, release_options, isc_cmd_release },
	{ "evidence list",    "",            "list what quarantines left behind", 0, 0, "", 0, list_options, isc_cmd_evidence_list },
	{ "evidence show",    "NODE.qTIME",  "show what evidence is made of", 1, 1, "evidence", 0, none, isc_cmd_evidence_show },
	{ "evidence verify",  "NODE.qTIME...|--export DIR", "check that evidence is what the dock signed", 0, ANY, "evidence", 0, evidence_verify_options, isc_cmd_evidence_verify },
	{ "evidence export",  "NODE.qTIME DIR", "copy evidence for others to verify", 2, 2, "evidence", 0, evidence_export_options, isc_cmd_evidence_export },
	{ "evidence browse",  "NODE.qTIME|--export DIR [PATH]", "read a folder or file of a frozen disk", 0, 2, "evidence", 0, evidence_browse_options, isc_cmd_evidence_browse },
	{ "evidence memory",  "NODE.qTIME|--export DIR FILE", "write the memory of a node, an ELF core, in the clear", 1, 2, "evidence", 0, evidence_memory_options, isc_cmd_evidence_memory },
	{ "evidence rm",      "NODE.qTIME --reason TEXT", "shred evidence", 1, 1, "evidence", CHANGES, release_options, isc_cmd_evidence_rm },
	{ "expose",           "NAME RULE...", "open ports of a node or a set to the outside, at once", 2, ANY, "node set", TIMED, none, isc_cmd_expose },
	{ "unexpose",         "NAME RULE...", "close ports of a node or a set; connections through them end", 2, ANY, "node set", TIMED, none, isc_cmd_unexpose },
	{ "allow",            "NAME RULE...", "let a node or a set connect out, at once", 2, ANY, "node set", TIMED, none, isc_cmd_allow },
	{ "deny",             "NAME RULE...", "take back what allow gave; connections it let out end", 2, ANY, "node set", TIMED, none, isc_cmd_deny },
	{ "volume create",    "VOL SIZE",    "make an encrypted volume that outlives nodes", 2, 2, "", CHANGES, none, isc_cmd_volume_create },
	{ "volume list",      "",            "list the volumes and whose they are", 0, 0, "", 0, list_options, isc_cmd_volume_list },
	{ "volume show",      "VOL",         "show one volume", 1, 1, "volume", 0, none, isc_cmd_volume_show },
	{ "volume resize",    "VOL SIZE",    "make a volume larger", 2, 2, "volume", CHANGES, none, isc_cmd_volume_resize },
	{ "volume attach",    "VOL NODE PATH", "give a volume to a node that is stopped", 3, 3, "volume", CHANGES, none, isc_cmd_volume_attach },
	{ "volume detach",    "VOL",         "take a volume from its node, which is stopped", 1, 1, "volume", CHANGES, none, isc_cmd_volume_detach },
	{ "volume rm",        "VOL",         "shred a volume and its key", 1, 1, "volume", CHANGES, none, isc_cmd_volume_rm },
	{ "volume rekey",     "VOL",         "give a volume a new key, erase the old one", 1, 1, "volume", CHANGES, none, isc_cmd_volume_rekey },
	{ "volume export",    "VOL FILE --key-file FILE", "copy a volume into an encrypted file", 2, 2, "volume", 0, travel_options, isc_cmd_volume_export },
	{ "volume import",    "VOL FILE --key-file FILE", "make a volume from such a file", 2, 2, "volume", CHANGES, travel_options, isc_cmd_volume_import },
	{ "network show",     "[NAME]",      "show what the kernel enforces, dropped and let through", 0, 1, "node", 0, none, isc_cmd_network_show },
	{ "network explain",  "FROM TO PORT", "say which rule decides, and why", 3, 3, "node", 0, none, isc_cmd_network_explain },
	{ "network log",      "[NAME]",      "print what the boundary dropped and let through", 0, 1, "node set", 0, packet_options, isc_cmd_network_log },
	{ "filter apply",     "",            "let only what dock.conf names in to the host, on trial", 0, 0, "", CHANGES, filter_options, isc_cmd_filter_apply },
	{ "filter confirm",   "",            "keep the host filter that is on trial", 0, 0, "", CHANGES, none, isc_cmd_filter_confirm },
	{ "filter off",       "",            "take the host filter away", 0, 0, "", CHANGES, none, isc_cmd_filter_off },
	{ "filter show",      "",            "show whether the host filter is in force", 0, 0, "", 0, none, isc_cmd_filter_show },
	{ "dock status",      "",            "show how the dock is", 0, 0, "", 0, none, isc_cmd_dock_status },
	{ "dock drain",       "",            "stop all nodes, and start none", 0, 0, "", TIMED, disable_options, isc_cmd_dock_drain },
	{ "dock undrain",     "",            "let nodes be started again", 0, 0, "", 0, none, isc_cmd_dock_undrain },
	{ "dock teardown",    "",            "remove bridge, rules and run files of a dock without nodes", 0, 0, "", CHANGES, none, isc_cmd_dock_teardown },
	{ "doctor",           "",            "check whether this host is fit to be a dock", 0, 0, "", 0, none, isc_cmd_doctor },
	{ "fsck",             "",            "check that register, libvirt, firewall and files agree", 0, 0, "", 0, fsck_options, isc_cmd_fsck },
	{ "version",          "",            "print the versions of isc-vm and of the dock", 0, 0, "", 0, none, isc_cmd_version },
	{ "help",             "[VERB]",      "explain a verb", 0, 2, "verb", 0, none, isc_cmd_help },
	{ "completion",       "bash",        "print the completion for a shell", 1, 1, "shell", 0, none, isc_cmd_completion },
	{ NULL },
};
/* clang-format on */
