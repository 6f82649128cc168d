#pragma once
/*
 * What goes over the three virtio-serial ports of a node.  The one definition for both ends:
 * isc-node-init (guest, static, no GLib) and isc-collectord (dock).  Plain C, no GLib.  All numbers
 * little-endian.
 *
 *   org.iscdock.audit.0    kernel audit records          guest → dock; RESUME, ACK back
 *   org.iscdock.log.0      the service's stdout/stderr   guest → dock; RESUME, ACK back
 *   org.iscdock.control.0  callbacks; orders             both ways
 *
 * Each port carries frames: a 32-byte header and a payload of at most ISC_WIRE_PAYLOAD_MAX bytes.
 * A header and its payload go out in one write (the driver takes 32 KiB at once).
 *
 * Reliability.  The guest numbers the frames of each port from 1 (0 is "none"), keeps what is not
 * acknowledged in a bounded ring, and sends again from there.  Whenever a connection starts (node
 * start, collector restarted, dock restarted) the dock first sends RESUME with the session and the
 * last sequence number it has on disk; the guest sends nothing on a port before it.  If the session
 * is its own, the guest drops what is acknowledged and goes on behind it; else it sends all that it
 * holds.  The dock drops frames that it already has (seq <= last), so nothing is doubled.  RESUME
 * can also come in the middle of a connection (a jump, seq > last + 1, was seen, or the port was
 * silent for long): the guest then does the same again, that is, it sends once more what lies
 * behind the sequence number.  A jump that stays after three such calls is a loss, and goes on
 * record.  Ring full: the guest drops the *newest* record, counts it, and sends the count in an
 * ISC_WIRE_LOST record as soon as there is room: it never blocks.
 *
 * Finding the frame again.  A connection that broke leaves half a frame.  The reader then looks for
 * the magic *and* the session.  The session is 64 random bits of this boot that only the agent
 * knows: a service that logs bytes which look like a frame cannot forge one.
 */
#include <stdint.h>

#define ISC_WIRE_MAGIC 0x31435349u /* "ISC1" */
#define ISC_WIRE_HEADER 32u
#define ISC_WIRE_FRAME_MAX 32768u
#define ISC_WIRE_PAYLOAD_MAX (ISC_WIRE_FRAME_MAX - ISC_WIRE_HEADER)

#define ISC_WIRE_PORT_AUDIT "org.iscdock.audit.0"
#define ISC_WIRE_PORT_LOG "org.iscdock.log.0"
#define ISC_WIRE_PORT_CONTROL "org.iscdock.control.0"

typedef enum {
	ISC_CHANNEL_AUDIT,
	ISC_CHANNEL_LOG,
	ISC_CHANNEL_CONTROL,
	ISC_N_CHANNELS,
} IscChannel;

typedef struct __attribute__((packed)) {
	uint32_t magic;
	uint32_t len;     /* payload bytes, 0..ISC_WIRE_PAYLOAD_MAX */
	uint64_t session; /* guest → dock: random, of this boot, never 0; dock → guest: see RESUME
			     and ACK, else 0 */
	uint64_t seq;  /* guest → dock: 1, 2, 3 …; dock → guest: see RESUME and ACK, else 0 */
	uint16_t type; /* IscWireType */
	uint16_t count;    /* records in the payload (RECORDS), else 0 */
	uint32_t reserved; /* 0 */
} IscWireHeader;
_Static_assert(sizeof(IscWireHeader) == ISC_WIRE_HEADER, "the header is 32 bytes on the wire");

typedef enum {
	/* dock → guest, every port */
	ISC_WIRE_RESUME = 1, /* session and seq: the last that is on the dock's disk (0, 0: nothing
				yet) */
	ISC_WIRE_ACK = 2,    /* seq: everything of `session` up to it is on the dock's disk; one of
				another session (left in    the port by an earlier boot) says nothing
				to    this one */

	/* guest → dock, audit and log */
	ISC_WIRE_RECORDS = 16, /* payload: `count` times IscWireRecord + text */

	/* guest → dock, control: payload is an IscWireEvent */
	ISC_WIRE_EVENT = 32,

	/* dock → guest, control: payload is an IscWireOrder */
	ISC_WIRE_ORDER = 48,
} IscWireType;

/* One record of a RECORDS frame.  audit: `type` is the kernel's audit message type (AUDIT_SYSCALL
 * …), text as the kernel gave it ("audit(1700000000.123:45): arch=…"), no NUL, no newline.  log:
 * `type` is 1 (stdout) or 2 (stderr), text is one line without its newline, at most 8 KiB (longer
 * lines come in pieces). */
typedef struct __attribute__((packed)) {
	uint16_t type;
	uint16_t len; /* bytes of text that follow */
} IscWireRecord;

/* The agent's own record among the others, in its place: text is the decimal count of records it
 * had to drop. */
#define ISC_WIRE_LOST 0xffffu

/* What the node claims about itself.  Fixed size: the dock trusts none of it, it only files it.  d
 * of every event: ms since boot.
 *
 * The end.  After STOPPED or FAILED init waits until the dock has acknowledged all three ports, at
 * most 3 s, sends BYE, waits at most 1 s more, and powers off: the domain ends by itself, with or
 * without a POWEROFF order. */
typedef enum {
	ISC_EVENT_BOOTED = 1,  /* init runs, root, overlay and volumes are mounted; a: 1 if the
				  overlay's file system was made just now; b: ms since boot when
				  init  began, c: when the modules were loaded */
	ISC_EVENT_STARTED = 2, /* the service was executed; a: its pid as init sees it */
	ISC_EVENT_READY = 3,   /* health= holds inside (or there is none and the service still runs
				  after a second) */
	ISC_EVENT_STOPPED =
			4, /* the service ended; a: exit status or -1; b: signal or 0.  Killed by
			      the order's time-out, or with its whole namespace: -1, SIGKILL */
	ISC_EVENT_HEARTBEAT = 5, /* every 5 s; a: audit records lost by the kernel; b: dropped by
				    the agent; c: audit backlog.  Not sent while the one before is
				    not acknowledged, but once more before BYE */
	ISC_EVENT_FROZEN = 6,    /* file systems are frozen; a: the order's id */
	ISC_EVENT_THAWED = 7, /* … and thawed, by order or because the time was up; a: the order's
				 id; b: 0, or the errno why it could not be frozen (then there is no
				 FROZEN) */
	ISC_EVENT_FAILED = 8, /* init could not bring the service up; a: IscInitFailure; b: errno,
				 or 0 when a pre command ended badly; c: then its exit status, or
				 128 + signal */
	ISC_EVENT_BYE = 9,    /* about to power off, all is flushed */
	ISC_EVENT_UNHEALTHY = 10, /* Health= no longer holds inside */
	ISC_EVENT_CHECKED = 11,   /* the health check that was ordered has ended; a: the order's id;
				     b: its exit status, 128 + signal, 124 if it took too long, 126
				     or 127 if it could not be run; -1: not tried; c: then why, an
				     errno */
} IscWireEventKind;

/* Where init gave up (a of ISC_EVENT_FAILED); shown by name on the dock. */
typedef enum {
	ISC_INIT_OK = 0,
	ISC_INIT_MODULES,
	ISC_INIT_ROOT,
	ISC_INIT_OVERLAY,
	ISC_INIT_CONFIG,
	ISC_INIT_NETWORK,
	ISC_INIT_AUDIT,
	ISC_INIT_SERVICE,
	ISC_INIT_VOLUME,
	ISC_N_INIT_FAILURES,
} IscInitFailure;

typedef struct __attribute__((packed)) {
	uint32_t kind; /* IscWireEventKind */
	uint32_t reserved;
	int64_t a, b, c, d;
} IscWireEvent;
_Static_assert(sizeof(IscWireEvent) == 40, "an event is 40 bytes on the wire");

typedef enum {
	ISC_ORDER_FREEZE = 1, /* sync and freeze the writable file systems; a: give up and thaw
				 after this many ms */
	ISC_ORDER_THAW = 2,
	ISC_ORDER_POWEROFF = 3, /* SIGTERM to the service, SIGKILL after a ms, flush, power off */
	ISC_ORDER_CHECK = 4, /* run the command of check=, for at most a ms; answered by CHECKED */
} IscOrderKind;

typedef struct __attribute__((packed)) {
	uint32_t kind; /* IscOrderKind */
	uint32_t id;   /* comes back in the event that answers it */
	int64_t a;
} IscWireOrder;
_Static_assert(sizeof(IscWireOrder) == 16, "an order is 16 bytes on the wire");

/* What init learns about its node: fw_cfg entry below, text, one KEY=VALUE a line, UTF-8, at most
 * 64 KiB: node=NAME            hostname=NAME           machine-id=32 hex digits address=A.B.C.D/LEN
 * gateway=A.B.C.D         mac=xx:xx:xx:xx:xx:xx env=KEY=VALUE        (repeats: the operator's
 * --env; wins over the image's) profile=strict|flexible                      writable=/path
 * (repeats: added to the image's) dns=A.B.C.D          (repeats, at most 3: resolv.conf)
 *   host=A.B.C.D NAME    (repeats: /etc/hosts)
 *   volume=vdX SERIAL fresh|used /path  (repeats, at most 4: a disk of its own for that folder,
 * which is made where it can be; SERIAL is what the disk itself must say; only one that is fresh
 * gets a file system)
 *   check=ARG            (repeats: argv of a health check, in place of the image's)
 * node is needed; without an address there is only lo.
 * Unknown keys are ignored, so that a newer dock can drive an older image. */
#define ISC_FWCFG_NODE "opt/org.iscdock/node"

/* What init learns about its service: a file that isc-image puts into the root image, same line
 * format: exec=ARG             (repeats: argv, first one an absolute path) user=NAME uid=N gid=N
 * group=N (repeats: supplementary) writable=/path       (repeats) capability=cap_net_bind_service
 * (repeats) env=KEY=VALUE        (repeats)               dir=/    (working directory)
 *   health=tcp:PORT | http:PORT/path             (absent: none)
 *   check=ARG            (repeats: argv of a health check that is run by order, ISC_ORDER_CHECK;
 * first one an absolute path) pre=ARG              (repeats; argv of a command run once before, as
 * the same user, same confinement; empty line `pre=` starts the next command) stop-signal=N
 * (default 15) exec, uid and gid are needed.  A path of writable= (letters, digits, / . _ - + @)
 * must be a folder of the image; below /run, /tmp or /dev/shm it is made.  A capability that would
 * break the box is refused: see node-images/init/nodeconf.c. */
#define ISC_SERVICE_FILE "/usr/lib/iscdock/service"
