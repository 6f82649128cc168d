#!/usr/bin/python3
"""The boundary against real packets.

A dock in a network namespace of its own; nodes are namespaces behind veths (one is a real tap), outside is one more.
Each attack of threats T3, T6-T15 and T40 must reach nobody and be counted under its kind for the node it came from;
and what is permitted must work beside it.  Prints TAP.  Needs root or user namespaces, python3-scapy, nft.
"""
import ctypes
import os
import queue
import random
import socket
import struct
import subprocess
import sys
import threading
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("ISC_BUILD", os.path.join(TOP, "build"))
TOOL = os.environ.get("ISC_BOUNDARY_TOOL", os.path.join(BUILD, "tests", "netns", "boundary-tool"))

if os.environ.get("ISC_BOUNDARY_NS") != str(os.getpid()):
    # exec keeps the pid: the mark tells that the namespaces are this process's own.
    os.environ["ISC_BOUNDARY_NS"] = str(os.getpid())
    os.environ["ISC_BOUNDARY_ROOT"] = "1" if os.getuid() == 0 else ""
    how = ["-nm"] if os.getuid() == 0 else ["-rnm"]
    os.execvp("unshare", ["unshare", *how, sys.executable, __file__])

IS_ROOT = os.environ["ISC_BOUNDARY_ROOT"] == "1"
os.environ["XDG_RUNTIME_DIR"] = "/run"

import logging  # noqa: E402
logging.getLogger("scapy").setLevel(logging.ERROR)


def sh(command):
    return subprocess.run(command, shell=True, check=True, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT).stdout


sh("mount --make-rprivate / && mount -t tmpfs none /run && mkdir /run/netns")
sh("ip link set lo up")

from scapy.all import (ARP, BOOTP, DHCP, Dot1AD, Dot1Q, Dot3, Ether, GRE, ICMP, IP, IPv6, LLC, STP,  # noqa: E402
                       ICMPv6ND_NA, ICMPv6ND_RA, ICMPv6MLReport, IPOption_LSRR, IPOption_RR, Raw,
                       TCP, UDP, fragment)

# --- results ------------------------------------------------------------------------------------------

count = failed = 0


def law(holds, text, detail=""):
    global count, failed
    count += 1
    if not holds:
        failed += 1
    print(f"{'ok' if holds else 'not ok'} {count} - {text}", flush=True)
    if not holds and detail:
        print(f"#   {detail}", flush=True)


def skip(text, why):
    global count
    count += 1
    print(f"ok {count} - {text} # SKIP {why}", flush=True)


# --- namespaces and sockets ---------------------------------------------------------------------------

libc = ctypes.CDLL(None, use_errno=True)
HOME = os.open("/proc/self/ns/net", os.O_RDONLY)
CLONE_NEWNET = 0x40000000


class Ns:
    """A network namespace; sockets that are made within stay there."""

    def __init__(self, name):
        sh(f"ip netns add {name} && ip -n {name} link set lo up")
        sh(f"ip netns exec {name} sysctl -qw net.ipv6.conf.all.disable_ipv6=1")
        self.name = name
        self.fd = os.open(f"/run/netns/{name}", os.O_RDONLY)

    def __enter__(self):
        if libc.setns(self.fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    def __exit__(self, *_):
        libc.setns(HOME, CLONE_NEWNET)

    def socket(self, *args):
        with self:
            return socket.socket(*args)

    def ip(self, command):
        sh(f"ip -n {self.name} {command}")

    def wire(self, interface):
        """Frames in and out, raw."""
        s = self.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        with self:
            s.bind((interface, 0))
        s.setblocking(False)
        return s

    def listen(self, port, serve):
        s = self.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("0.0.0.0", port))
        s.listen(64)

        def accept():
            while True:
                peer, _ = s.accept()
                threading.Thread(target=serve, args=(peer,), daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()
        return s

    def listen_udp(self, port, address="0.0.0.0"):
        """Echoes."""
        s = self.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((address, port))

        def serve():
            while True:
                data, peer = s.recvfrom(2048)
                s.sendto(b"echo " + data, peer)
        threading.Thread(target=serve, daemon=True).start()

    def connects(self, address, port, timeout=1.0):
        s = self.socket()
        s.settimeout(timeout)
        try:
            s.connect((address, port))
            s.sendall(b"hello\n")
            return s.recv(100).startswith(b"hello")
        except OSError:
            return False
        finally:
            s.close()

    def asks_udp(self, address, port, timeout=1.0):
        s = self.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(timeout)
        try:
            s.sendto(b"hello", (address, port))
            return s.recv(100) == b"echo hello"
        except OSError:
            return False
        finally:
            s.close()

    def pings(self, address):
        return subprocess.run(["ip", "netns", "exec", self.name, sys.executable, "-c", PING, address],
                              check=False).returncode == 0


PING = """
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP); s.settimeout(1)
body = struct.pack('!BBHHH', 8, 0, 0, 77, 1)
total = sum(struct.unpack('!4H', body)); total = (total >> 16) + (total & 0xffff)
s.sendto(struct.pack('!BBHHH', 8, 0, ~total & 0xffff, 77, 1), (sys.argv[1], 0))
try:
    while s.recv(100)[20] != 0: pass
except OSError: sys.exit(1)
"""


def echo(peer):
    try:
        while data := peer.recv(4096):
            peer.sendall(data)
    except OSError:
        pass


def stream(peer):
    """Sends until the other end is gone."""
    try:
        while True:
            peer.sendall(b"x" * 4096)
            time.sleep(0.005)
    except OSError:
        pass


# --- the dock -----------------------------------------------------------------------------------------

class Tool:
    """boundary-tool: the engine's functions."""

    def __init__(self):
        self.process = subprocess.Popen([TOOL, "isc0", "wan", str(DAEMON), str(FIRST), str(LAST),
                                         str(SHARE)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answers, self.events = queue.Queue(), queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            (self.events if line.startswith("event ") else self.answers).put((time.monotonic(), line.strip()))

    def ask(self, command):
        """(worked, microseconds or exit status, text)"""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        parts = self.answers.get(timeout=20)[1].split(" ", 2)
        return parts[0] == "ok", int(parts[1]), parts[2] if len(parts) > 2 else ""

    def do(self, command):
        worked, number, text = self.ask(command)
        if not worked:
            raise RuntimeError(f"{command}: {text}")
        return text

    def counters(self, slot=0):
        return {k: int(v) for k, v in (p.split("=") for p in self.do(f"counters {slot}").split())}


class Log:
    """NFLOG group 77, by netlink as linux/netfilter/nfnetlink_log.h has it."""

    def __init__(self):
        self.shares = {}  # (kind, index of the port or uid) → records
        self.s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        self.s.bind((0, 0))
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        for family, group, command in ((socket.AF_INET, 0, 3), (socket.AF_INET6, 0, 3), (7, 0, 3),
                                       (0, 77, 1)):
            body = struct.pack("!BBH", family, 0, group) + struct.pack("=HHB3x", 5, 1, command)
            self.s.send(struct.pack("=IHHII", 16 + len(body), 4 << 8 | 1, 5, 1, 0) + body)
        body = struct.pack("!BBH", 0, 0, 77) + struct.pack("=HH", 10, 2) + struct.pack("!IBx", 128, 2) + b"\0\0"
        self.s.send(struct.pack("=IHHII", 16 + len(body), 4 << 8 | 1, 5, 2, 0) + body)
        self.s.setblocking(False)

    def collect(self, found):
        while True:
            try:
                data = self.s.recv(1 << 16)
            except BlockingIOError:
                return
            while len(data) >= 16:
                size, kind = struct.unpack("=IH", data[:6])
                at, prefix, port, uid = 20, "", 0, 0
                while kind == 4 << 8 and at + 4 <= size:
                    length, attr = struct.unpack("=HH", data[at:at + 4])
                    if attr & 0x7fff == 6 or (attr & 0x7fff == 4 and not port):
                        port = struct.unpack("!I", data[at + 4:at + 8])[0]
                    if attr & 0x7fff == 11:
                        uid = struct.unpack("!I", data[at + 4:at + 8])[0]
                    if attr & 0x7fff == 10:
                        prefix = data[at + 4:at + length].split(b"\0")[0].decode()
                        found.add(":".join(prefix.split(":")[:2]) + ":")
                    at += max(4, (length + 3) & ~3)
                if prefix:
                    _, kind, whose, _ = prefix.split(":")
                    key = kind, uid if whose == "uid" else port
                    self.shares[key] = self.shares.get(key, 0) + 1
                data = data[(size + 3) & ~3:]


FIRST, LAST = 1900000002, 1900065000
SHARE = 1500  # of connections, for a node
DAEMON = 64010 if IS_ROOT else 0
GATEWAY_MAC = "52:54:4e:00:00:01"
INTERNET, METADATA, PRIVATE, LAN = "203.0.113.10", "169.254.169.254", "10.99.0.1", "198.51.100.2"
DOCK, DOCK_LAN2, GATEWAY = "198.51.100.1", "192.0.2.1", "10.77.0.1"


class Node:
    """@dedicated: on a bridge of its own, in a network of four addresses."""

    def __init__(self, slot, dedicated=False):
        self.slot, self.dedicated = slot, dedicated
        self.address = f"10.78.0.{4 * (slot - 2) + 2}" if dedicated else f"10.77.0.{slot}"
        self.mac = f"52:54:4e:00:00:{slot:02x}"
        self.ns = Ns(f"n{slot}")
        sh(f"ip link add isct{slot} type veth peer name eth0 netns n{slot}")
        self.ns.ip(f"link set eth0 address {self.mac} up")
        self.ns.ip(f"address add {self.address}/{30 if dedicated else 16} dev eth0")
        self.ns.ip(f"route add default via {f'10.78.0.{4 * (slot - 2) + 1}' if dedicated else GATEWAY}")
        self.wire = self.ns.wire("eth0")

    def up(self, options):
        tool.do(f"add {self.slot} node{self.slot} {options} {'dedicated=1' if self.dedicated else ''}")
        tool.do(f"verify {self.slot}")
        tool.do(f"port {self.slot}")
        tool.do(f"up {self.slot}")

    def to(self, address, mac=GATEWAY_MAC, **ip):
        return Ether(src=self.mac, dst=mac) / IP(src=self.address, dst=address, **ip)


def drain(*wires):
    for wire in wires:
        try:
            while wire.recv(65536):
                pass
        except BlockingIOError:
            pass


def sees(wire, marker, wait):
    end = time.monotonic() + wait
    while True:
        try:
            if marker in wire.recv(65536):
                return True
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.005)


serial = 0


def attack(text, node, frame, kind, by=None):
    """@frame goes out of @node (or, by=outside wire, from outside) and must be seen by nobody else, but counted."""
    global serial
    serial += 1
    marker = b"ATTACK-%04d!" % serial
    watchers = [n.wire for n in nodes if by is not None or n is not node]
    watchers += [outside_wire] if by is None else []
    drain(*watchers)
    before = tool.counters(node.slot if kind not in UNATTRIBUTED else 0)
    frames = frame if isinstance(frame, list) else [frame]
    for f in frames:
        (by or node.wire).send(bytes(f if f.haslayer(Raw) else f / Raw(marker)))
    leaked = [w for w in watchers if sees(w, marker, 0.02)]
    after = tool.counters(node.slot if kind not in UNATTRIBUTED else 0)
    rise = after.get(kind, 0) - before.get(kind, 0)
    others = {k: after[k] - before.get(k, 0) for k in after if k != kind and after[k] != before.get(k, 0)}
    law(not leaked and rise >= 1, f"{text} is dropped and counted as '{kind}'",
        f"leaked to {len(leaked)}, counted {rise}, others {others}")
    kinds.add(f"isc:{kind}:")
    log.collect(logged)


UNATTRIBUTED = ("spoof",)
kinds, logged = set(), set()

# --- topology -----------------------------------------------------------------------------------------

if not os.access(TOOL, os.X_OK):
    print(f"1..0 # SKIP {TOOL} is not built")
    sys.exit(1)
started = time.monotonic()
outside = Ns("outside")
sh("ip link add wan type veth peer name eth0 netns outside && ip link set wan up")
sh(f"ip address add {DOCK}/24 dev wan && ip link add lan2 type veth peer name lan2p && ip link set lan2 up && ip link set lan2p up")
sh(f"ip address add {DOCK_LAN2}/24 dev lan2")
outside.ip("link set eth0 up")
outside.ip(f"address add {LAN}/24 dev eth0")
for extra in (INTERNET, METADATA, PRIVATE):
    outside.ip(f"address add {extra}/32 dev lo")
outside.ip(f"route add 10.77.0.0/16 via {DOCK}")
outside.ip(f"route add 10.78.0.0/20 via {DOCK}")  # an attacker on the same wire
sh(f"ip route add default via {LAN}")
sh("nft add table inet others && nft 'add chain inet others c { type filter hook forward priority 5; policy accept; }'")
sh("nft add rule inet others c counter accept && nft add table bridge others")
others_before = sh("nft -s list table inet others; nft -s list table bridge others")

tool, log = Tool(), Log()
law(tool.ask("setup")[0] and tool.ask("bridge")[0], "the boundary and the bridge are set up")
law(tool.do("outside") == "wan", "the outside interface is the default route's")
web, db, app, open_ = nodes = [Node(slot) for slot in (2, 3, 4, 5)]
outside_wire = outside.wire("eth0")
outside_mac = sh("ip netns exec outside cat /sys/class/net/eth0/address 2>/dev/null || "
                 "ip -n outside -o link show eth0 | sed 's/.*ether \\([^ ]*\\).*/\\1/'").strip()
wan_mac = sh("ip -o link show wan | sed 's/.*ether \\([^ ]*\\).*/\\1/'").strip()
for node in nodes:
    node.ns.listen(80, echo)
    node.ns.listen(81, stream)
    node.ns.listen_udp(5001)
outside.listen(9000, echo)
outside.listen(9001, echo)
outside.listen_udp(53, INTERNET)
dock_listener = socket.create_server(("0.0.0.0", 2222))

STANDARD = {
    2: "expose=8080:80 expose=8081:81 expose=udp:5000-5002:5000-5002 health=80",
    3: "",
    4: f"egress=tcp:{INTERNET}:9000 egress=udp:203.0.113.0/24:53 egress=icmp:203.0.113.0/24 "
       f"egress=node:node2:tcp/80 egress=tcp:{LAN}:9001",
    5: "egress=open",
}
web.up(STANDARD[2])
law(not tool.ask("verify 3")[0], "a node that was not added does not verify")
db.up(STANDARD[3])
app.up(STANDARD[4])
open_.up(STANDARD[5])

# A port takes part once its carrier has been noticed, which the kernel may do a second late.
for node in nodes:
    for _ in range(50):
        if "state forwarding" in sh(f"ip -d link show isct{node.slot}") and "LOWER_UP" in sh(
                f"ip link show isct{node.slot}"):
            break
        time.sleep(0.05)
outside.connects(DOCK, 8080, 3)

# --- what is permitted (R1.2, R1.3, R1.4) -------------------------------------------------------------


def permitted(when):
    law(outside.connects(DOCK, 8080), f"{when}: outside reaches an exposed TCP port")
    law(outside.asks_udp(DOCK, 5001), f"{when}: outside reaches an exposed UDP port in a range")
    law(app.ns.connects(INTERNET, 9000), f"{when}: a node reaches what its TCP rule names")
    law(app.ns.asks_udp(INTERNET, 53), f"{when}: a node reaches a network that its UDP rule names")
    law(app.ns.pings(INTERNET), f"{when}: a node pings what its ICMP rule names")
    law(app.ns.connects(web.address, 80), f"{when}: a node reaches another by rule")
    law(open_.ns.connects(INTERNET, 9000), f"{when}: open egress reaches the internet")


permitted("first")
law(app.ns.connects(LAN, 9001), "a rule that names a host of the dock's own network opens it")
law(all(tool.do(f"isolated {n.slot}") == "yes" for n in nodes), "every port reads back as isolated")
drain(outside_wire)
open_.ns.connects(INTERNET, 9000)
law(not sees(outside_wire, socket.inet_aton(open_.address), 0.05), "outside never sees a private address")
tool.do("bridge")
law(all("PERMANENT" in sh(f"ip neigh show {n.address} dev isc0") for n in nodes),
    "a dock that sets its bridge up again, as it starts, keeps the nodes' pinned addresses")
law(tool.do("intact") == "intact" or tool.do("sync") == "" and tool.do("intact") == "intact",
    "rules and elements read back as written")

# --- what is let through is counted and logged, a connection at a time (R1.9) --------------------------


def passes(text, node, kind, n, act):
    every = (web, db, app, open_)
    before = [tool.counters(m.slot) for m in every]
    act()
    rise = [tool.counters(m.slot)[k] - old[k] for m, old in zip(every, before) for k in ("opened", "allowed")]
    want = [n if m is node and k == kind else 0 for m in every for k in ("opened", "allowed")]
    law(rise == want, f"{text}: counted as {n} '{kind}', for its node alone", f"{rise}, not {want}")


def unanswered():
    s = outside.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for _ in range(5):
        s.sendto(b"no answer", (DOCK, 5002))
        time.sleep(0.02)
    s.close()


def download():
    stream_ = outside.socket()
    stream_.settimeout(5)
    stream_.connect((DOCK, 8081))
    got = 0
    while got < 400000:
        got += len(stream_.recv(65536))
    stream_.close()


passes("two connections to an exposed port", web, "opened", 2,
       lambda: [outside.connects(DOCK, 8080), outside.connects(DOCK, 8080)])
passes("a long one", web, "opened", 1, download)
passes("datagrams of one sender that nobody answers", web, "opened", 1, unanswered)
passes("a question by UDP and its answer", web, "opened", 1, lambda: outside.asks_udp(DOCK, 5001))
passes("a connection out", app, "allowed", 1, lambda: app.ns.connects(INTERNET, 9000))
passes("one of a node with open egress", open_, "allowed", 1, lambda: open_.ns.connects(INTERNET, 9000))
passes("one to a peer", app, "allowed", 1, lambda: app.ns.connects(web.address, 80))
passes("one that is refused", db, "allowed", 0, lambda: db.ns.connects(INTERNET, 9000, 0.3))
time.sleep(0.3)
log.collect(logged)
law({"isc:exposed:", "isc:allowed:"} <= logged, "and logged")

# --- T6: who a node is (R1.5) -------------------------------------------------------------------------

attack("a frame from another MAC", db, Ether(src="52:54:4e:00:00:02", dst=GATEWAY_MAC) /
       IP(src=db.address, dst=GATEWAY) / UDP(dport=9), "mac")
attack("a packet from the peer's address", db, Ether(src=db.mac, dst=GATEWAY_MAC) /
       IP(src=web.address, dst=INTERNET) / UDP(dport=9), "ip")
attack("a packet from a second address", db, Ether(src=db.mac, dst=GATEWAY_MAC) /
       IP(src="10.77.9.9", dst=INTERNET) / UDP(dport=9), "ip")
attack("a packet from the dock's address", db, Ether(src=db.mac, dst=GATEWAY_MAC) /
       IP(src=GATEWAY, dst=INTERNET) / UDP(dport=9), "ip")
attack("a packet from an allowed node's MAC and address", db, Ether(src=app.mac, dst=GATEWAY_MAC) /
       IP(src=app.address, dst=INTERNET) / TCP(dport=9000), "mac")

# --- T7: ARP (R1.5) -----------------------------------------------------------------------------------

everyone = "ff:ff:ff:ff:ff:ff"
attack("a gratuitous ARP for the gateway", db, Ether(src=db.mac, dst=everyone) /
       ARP(op=2, hwsrc=db.mac, psrc=GATEWAY, hwdst=everyone, pdst=GATEWAY), "arp")
attack("an ARP answer for the peer", db, Ether(src=db.mac, dst=GATEWAY_MAC) /
       ARP(op=2, hwsrc=db.mac, psrc=web.address, hwdst=GATEWAY_MAC, pdst=GATEWAY), "arp")
attack("an ARP answer whose inner MAC is another's", db, Ether(src=db.mac, dst=GATEWAY_MAC) /
       ARP(op=2, hwsrc=web.mac, psrc=db.address, hwdst=GATEWAY_MAC, pdst=GATEWAY), "arp")
attack("an ARP of an odd operation", db, Ether(src=db.mac, dst=everyone) /
       ARP(op=8, hwsrc=db.mac, psrc=db.address, pdst=GATEWAY), "arp")
attack("an ARP flood", db, [Ether(src=db.mac, dst=everyone) /
       ARP(op=1, hwsrc=db.mac, psrc=db.address, pdst=f"10.77.8.{i % 250 + 1}") for i in range(400)], "arp")
law(GATEWAY_MAC in sh("ip -n n2 neigh show dev eth0") and "PERMANENT" in
    sh(f"ip neigh show {web.address} dev isc0"), "the peer keeps the gateway's MAC, the dock the peer's")
time.sleep(1)
drain(db.wire)
db.wire.send(bytes(Ether(src=db.mac, dst=everyone) / ARP(op=1, hwsrc=db.mac, psrc=db.address, pdst=GATEWAY)))
law(sees(db.wire, bytes.fromhex(GATEWAY_MAC.replace(":", "")) + socket.inet_aton(GATEWAY), 0.3),
    "an honest ARP request is answered")
drain(db.wire)
db.wire.send(bytes(Ether(src=db.mac, dst=everyone) / ARP(op=1, hwsrc=db.mac, psrc=db.address, pdst=DOCK)))
law(not sees(db.wire, socket.inet_aton(DOCK), 0.1), "ARP tells nothing of the dock's other addresses")

# --- T8, T9: DHCP, IPv6, tags, protocols (R1.5) -------------------------------------------------------

attack("a DHCP offer", db, Ether(src=db.mac, dst=everyone) / IP(src=db.address, dst="255.255.255.255") /
       UDP(sport=67, dport=68) / BOOTP(op=2, yiaddr="10.77.0.99") / DHCP(options=[("message-type", "offer"), "end"]),
       "dhcp")
attack("a DHCP discover", db, Ether(src=db.mac, dst=everyone) / IP(src="0.0.0.0", dst="255.255.255.255") /
       UDP(sport=68, dport=67) / BOOTP() / DHCP(options=[("message-type", "discover"), "end"]), "dhcp")
attack("DHCP starvation from random MACs", db, [Ether(src=f"02:00:00:00:00:{i:02x}", dst=everyone) /
       IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67) / BOOTP() for i in range(5)], "mac")
six = Ether(src=db.mac, dst="33:33:00:00:00:01") / IPv6(src="fe80::1", dst="ff02::1", hlim=255)
attack("a router advertisement", db, six / ICMPv6ND_RA(), "ipv6")
attack("a neighbour advertisement", db, six / ICMPv6ND_NA(tgt="fe80::2"), "ipv6")
attack("a multicast listener report", db, six / ICMPv6MLReport(), "ipv6")
attack("an IPv6 packet to the dock", db, Ether(src=db.mac, dst=GATEWAY_MAC) / IPv6(dst="fe80::2") / UDP(dport=53),
       "ipv6")
attack("an 802.1Q tag", db, Ether(src=db.mac, dst=web.mac) / Dot1Q(vlan=5) / IP(src=db.address, dst=web.address) /
       UDP(dport=9), "vlan")
attack("a priority tag", db, Ether(src=db.mac, dst=GATEWAY_MAC) / Dot1Q(vlan=0, prio=7) /
       IP(src=db.address, dst=INTERNET) / UDP(dport=9), "vlan")
attack("QinQ", db, Ether(src=db.mac, dst=web.mac) / Dot1AD(vlan=1) / Dot1Q(vlan=5) /
       IP(src=db.address, dst=web.address) / UDP(dport=9), "vlan")
attack("a tag within a tag", db, Ether(src=db.mac, dst=web.mac) / Dot1Q(vlan=1) / Dot1Q(vlan=5) /
       IP(src=db.address, dst=web.address) / UDP(dport=9), "vlan")
attack("STP", db, Dot3(src=db.mac, dst="01:80:c2:00:00:00") / LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP(), "other")
attack("LLDP to its group address", db, Ether(src=db.mac, dst="01:80:c2:00:00:0e", type=0x88cc), "other")
attack("LLDP to a peer", db, Ether(src=db.mac, dst=web.mac, type=0x88cc), "other")
attack("EAPOL", db, Ether(src=db.mac, dst="01:80:c2:00:00:03", type=0x888e), "other")
attack("MPLS", db, Ether(src=db.mac, dst=GATEWAY_MAC, type=0x8847), "other")
attack("RARP", db, Ether(src=db.mac, dst=everyone, type=0x8035), "other")
attack("an ICMP redirect", db, db.to(GATEWAY) / ICMP(type=5, code=1, gw=db.address), "other")
attack("a source-routed packet", app, app.to(INTERNET, options=[IPOption_LSRR(routers=[web.address])]) /
       TCP(dport=9000, flags="S"), "option")
attack("a record-route option", app, app.to(INTERNET, options=[IPOption_RR(routers=["0.0.0.0"])]) /
       TCP(dport=9000, flags="S"), "option")

# --- T10, T12: node to node (R1.4) --------------------------------------------------------------------

attack("a frame straight to a peer", db, db.to(web.address, mac=web.mac) / UDP(sport=9, dport=5001), "peer")
attack("a packet to a peer by the dock", db, db.to(web.address) / TCP(sport=999, dport=80, flags="S"), "peer")
attack("a packet to a peer on a port its rule does not name", app, app.to(web.address) /
       TCP(sport=999, dport=81, flags="S"), "peer")
attack("the rule's reverse: the peer to the one that may reach it", web, web.to(app.address) /
       TCP(sport=999, dport=80, flags="S"), "peer")
attack("a broadcast to all nodes", db, db.to("10.77.255.255", mac=everyone) / UDP(dport=9), "host")
law(not db.ns.connects(web.address, 80, 0.3), "a node without a rule cannot connect to a peer")
attack("a hairpin by the dock's outside address", db, db.to(DOCK) / TCP(sport=999, dport=8080, flags="S"), "host")

# --- T11: the dock (R1.6) -----------------------------------------------------------------------------

for address in (GATEWAY, DOCK, DOCK_LAN2):
    attack(f"a TCP connection to the dock's {address}", open_, open_.to(address) /
           TCP(sport=999, dport=2222, flags="S"), "host")
attack("a ping of the dock", open_, open_.to(GATEWAY) / ICMP(), "host")
attack("a UDP packet to the dock", open_, open_.to(GATEWAY) / UDP(dport=53), "host")
attack("a bare ACK to the dock", open_, open_.to(GATEWAY) / TCP(sport=998, dport=2222, flags="A"), "host")
law(not open_.ns.connects(GATEWAY, 2222, 0.3) and not open_.ns.connects(DOCK, 2222, 0.3),
    "a node with open egress cannot connect to the dock")

def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[:len(data) & ~1])) + (data[-1] << 8 if len(data) & 1 else 0)
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


# --- T13: outside in (R1.1, R1.2) ---------------------------------------------------------------------


def sweep(n):
    """How many lines of log packets to n addresses that are nobody's leave."""
    log.collect(logged)
    log.shares.clear()
    began, before = time.monotonic(), tool.counters().get("ingress", 0)
    frame = bytes(from_outside(LAN, "10.77.200.1", 80))
    for i in range(n):
        to = socket.inet_aton(f"10.77.{200 + i // 250}.{i % 250 + 1}")
        head = frame[14:24] + b"\0\0" + frame[26:30] + to
        outside_wire.send(frame[:14] + head[:10] + struct.pack("!H", checksum(head)) + head[12:] + frame[34:])
    most = 10 + 5 * (time.monotonic() - began + 1)
    end = time.monotonic() + 10
    while tool.counters().get("ingress", 0) - before < n and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1.1)  # the kernel hands out what it has gathered once a second
    log.collect(logged)
    records = sum(found for (kind, _), found in log.shares.items() if kind == "ingress")
    return tool.counters().get("ingress", 0) - before >= n and records <= most, f"{records}, not {most} at most"


def from_outside(source, target, port):
    return Ether(src=outside_mac, dst=wan_mac) / IP(src=source, dst=target) / TCP(sport=997, dport=port, flags="S")


attack("outside to a private address", web, from_outside(LAN, web.address, 80), "ingress", by=outside_wire)
attack("outside to the bridge's address", web, from_outside(db.address, GATEWAY, 80), "spoof", by=outside_wire)
attack("outside with a node's address as sender", web, from_outside(db.address, DOCK, 8080), "spoof",
       by=outside_wire)
law(not outside.connects(DOCK, 80, 0.3) and not outside.connects(web.address, 80, 0.3),
    "outside cannot connect to a port that is not exposed, nor past the redirection")

law(*(lambda held: (held[0], "a sweep of addresses that are nobody's fills the packet log no more than one of them",
                    held[1]))(sweep(1000)))

# --- T14: egress (R1.3) -------------------------------------------------------------------------------

attack("TCP beyond the rules", app, app.to(INTERNET) / TCP(sport=996, dport=9001, flags="S"), "egress")
attack("UDP beyond the rules", app, app.to(INTERNET) / UDP(sport=996, dport=54), "egress")
attack("UDP to where only TCP may go", app, app.to(INTERNET) / UDP(sport=996, dport=9000), "egress")
attack("ICMP from a node without a rule", db, db.to(INTERNET) / ICMP(), "egress")
attack("another protocol", app, app.to(INTERNET) / GRE(), "egress")
attack("fragments to a forbidden port", app, fragment(app.to(INTERNET) / UDP(sport=996, dport=54) /
       Raw(b"ATTACK-frag" * 40), fragsize=64), "egress")
for address, what in ((METADATA, "the metadata service"), (PRIVATE, "a private network"),
                      (LAN, "the dock's own network"), ("224.0.0.251", "a multicast group")):
    attack(f"open egress to {what}", open_, open_.to(address) / UDP(sport=996, dport=9), "reserved")
attack("the middle of a connection that nobody opened", open_, open_.to(INTERNET) /
       TCP(sport=995, dport=9000, flags="A"), "invalid")
law(not db.ns.connects(INTERNET, 9000, 0.3), "a node without a rule cannot connect outside")
tool.do(f"add 5 node5 egress=open egress=tcp:{METADATA}:9000")
law(open_.ns.connects(METADATA, 9000), "a rule that names the metadata service opens it")
tool.do("add 5 node5 egress=tcp:169.254.0.0/16:9000 egress=tcp:0.0.0.0/0:1-65535")
law(not open_.ns.connects(METADATA, 9000, 0.3), "a rule for a network around it does not")
law(open_.ns.connects(INTERNET, 9000), "a rule for everything reaches the internet")
law(not open_.ns.connects(PRIVATE, 9000, 0.3), "a rule for everything does not name private networks")
tool.do("add 5 node5 egress=tcp:10.0.0.0/8:9000-9010")
law(open_.ns.connects(PRIVATE, 9000), "a rule for a private network opens it")
tool.do("add 5 node5 egress=open")

# --- the dock's own: health probes, uids (T3) ---------------------------------------------------------

probe = "import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1).close()"


def as_uid(uid, address, port):
    how = ["setpriv", "--reuid", str(uid), "--clear-groups"] if IS_ROOT else []
    return subprocess.run(how + [sys.executable, "-c", probe, address, str(port)], check=False,
                          stderr=subprocess.DEVNULL).returncode == 0


law(as_uid(DAEMON, web.address, 80), "the daemon may probe a node's health port")
law(not as_uid(DAEMON, web.address, 81), "but no other port")
law(not as_uid(DAEMON, db.address, 80), "and no node that has none")
if IS_ROOT:
    law(not as_uid(0, web.address, 80), "nobody else on the dock reaches a node")
    law(as_uid(64000, LAN, 9000), "an ordinary uid of the dock reaches outside")
    before = tool.counters().get("uid", 0)
    law(not as_uid(FIRST + 5, LAN, 9000) and not as_uid(FIRST + 5, "127.0.0.1", 2222) and
        tool.counters().get("uid", 0) > before, "a socket opened by a node's uid on the dock is refused and counted")
else:
    skip("nobody else on the dock reaches a node", "needs root")
    skip("a socket opened by a node's uid on the dock is refused", "needs root")

# --- a real tap ---------------------------------------------------------------------------------------

if IS_ROOT and os.access("/dev/net/tun", os.W_OK):
    import fcntl
    tool.do("add 9 node9 egress=open")
    tool.do("verify 9")
    tool.do("tap 9")
    law("state DOWN" in sh("ip -d link show isct9") or "NO-CARRIER" in sh("ip link show isct9") or
        ",UP" not in sh("ip link show isct9"), "a new tap is down")
    law(f"user {FIRST}" in sh("ip -d link show isct9") or str(FIRST) in sh("ip -d link show isct9"),
        "a tap belongs to its node's uid")
    law("isolated on" in sh("ip -d link show isct9"), "a tap's port is isolated")
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH22x", b"isct9", 0x0002 | 0x1000 | 0x4000))
    tool.do("up 9")
    header = bytes(10)
    answer, end = b"", time.monotonic() + 3
    while socket.inet_aton(GATEWAY) + bytes.fromhex("52544e000009") not in answer and time.monotonic() < end:
        os.write(tun, header + bytes(Ether(src="52:54:4e:00:00:09", dst=everyone) /
                                     ARP(hwsrc="52:54:4e:00:00:09", psrc="10.77.0.9", pdst=GATEWAY)))
        time.sleep(0.05)
        try:
            answer = os.read(tun, 4096)
        except BlockingIOError:
            answer = b""
    law(time.monotonic() < end, "a node on a tap is answered by the gateway")
    os.write(tun, header + bytes(Ether(src="52:54:4e:00:00:09", dst=GATEWAY_MAC) /
                                 IP(src=web.address, dst=INTERNET) / UDP()))
    law(tool.counters(9).get("ip", 0) >= 1, "a spoofed packet from a tap is counted for its node")
    os.write(tun, header + bytes(Ether(src="52:54:4e:00:00:09", dst=GATEWAY_MAC) /
                                 IP(src="10.77.0.9", dst=INTERNET, flags="MF") / UDP() / Raw(bytes(40000))))
    law(tool.counters(9).get("fragment", 0) == 1, "a fragment that is larger than the link's packets is, too")
    law(tool.ask("tap 9")[0], "making the same tap again changes nothing")
    # T2: whoever has taken the hypervisor over gives its tap the MAC of a sibling.
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(FIRST)
        os.setuid(FIRST)
        fcntl.ioctl(tun, 0x8924, struct.pack("16sH6s16x", b"isct9", 1, bytes.fromhex(web.mac.replace(":", ""))))
        os._exit(0)
    os.waitpid(child, 0)
    law(web.mac in sh("ip link show isct9"), "a tap's MAC is changed by who holds it, to a sibling's")
    got, end = b"", time.monotonic() + 0.5
    before = tool.counters().get("mac", 0)
    ask = outside.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ask.sendto(b"for web alone", (DOCK, 5001))
    ask.close()
    while time.monotonic() < end:
        try:
            got += os.read(tun, 4096)
        except BlockingIOError:
            time.sleep(0.01)
    law(b"for web alone" not in got and tool.counters().get("mac", 0) > before,
        "but what is for the sibling does not come to it, and is counted")
    os.close(tun)
    tool.do("untap 9")
    tool.do("remove 9")
    tool.do("port 2")
    law(outside.asks_udp(DOCK, 5001, 3), "the sibling is reached again when its port is set up anew")
    law("isct9" not in sh("ip link; nft list tables") and tool.counters(9) == {"opened": 0, "allowed": 0},
        "an added node's tap, elements and counts are gone after its removal")
else:
    skip("a node on a tap", "needs root and /dev/net/tun")

sh(f"ip neigh del {web.address} dev isc0")
law(outside.connects(DOCK, 8080, 5), "a node whose MAC the dock has forgotten is asked for it")
tool.do("port 2")

# --- ports --------------------------------------------------------------------------------------------

law("node2" in tool.ask("free 3 8080:80")[2] and tool.ask("free 3 8080:80")[1] == 4,
    "a port that another node exposes is taken, and it is said whose")
law("listens" in tool.ask("free 3 2222:80")[2], "a port that a program of the dock listens on is taken")
law(tool.ask("free 3 2223:80")[0], "a free port is free")
law(tool.ask("add 3 node3 expose=8080:80")[1] == 4 and outside.connects(DOCK, 8080),
    "a node that claims a taken port is refused, and nothing has changed")

# --- bandwidth (R1.10) --------------------------------------------------------------------------------


def fetch(seconds):
    s = outside.socket()
    s.settimeout(2)
    s.connect((DOCK, 8081))
    end, n = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        n += len(s.recv(65536))
    s.close()
    return n / seconds


full = fetch(0.5)
tool.do(f"add 2 node2 {STANDARD[2]} rate-up=50000")
limited = fetch(1.5)
law(limited < 150000 < full and tool.counters(2).get("rate", 0) > 0, "a node's bandwidth is limited",
    f"{full:.0f} before, {limited:.0f} bytes/s after")


def answered():
    """How many of 200 datagrams of 1,400 bytes each come back from the node."""
    s, n = outside.socket(socket.AF_INET, socket.SOCK_DGRAM), 0
    for _ in range(20):
        for _ in range(10):
            s.sendto(b"x" * 1400, (DOCK, 5001))
        s.settimeout(0.02)
        try:
            while s.recv(2048):
                n += 1
        except OSError:
            pass
    s.close()
    return n


tool.do(f"add 2 node2 {STANDARD[2]}")
full = answered()
tool.do(f"add 2 node2 {STANDARD[2]} rate-down=10000")
rate = tool.counters(2).get("rate", 0)
limited = answered()
law(limited < 80 < full and tool.counters(2).get("rate", 0) - rate > 100, "also what it receives",
    f"{full} before, {limited} after of 200")
tool.do(f"add 2 node2 {STANDARD[2]}")

# --- T15: quarantine, closed ports (R1.8, R6.2) -------------------------------------------------------

burst = outside.socket(socket.AF_INET, socket.SOCK_DGRAM)
burst.close()
flows = []
for i in range(1000):
    s = outside.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b"flow", (DOCK, 5001))
    flows.append(s)


class Stream:
    """Downloads in a thread; when did the last byte come?"""

    def __init__(self, port):
        self.s = outside.socket()
        self.s.settimeout(60)  # TCP tries again ever more seldom
        self.s.connect((DOCK, port))
        self.last, self.ended = time.monotonic(), False
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            while self.s.recv(65536):
                self.last = time.monotonic()
        except OSError:
            pass
        self.ended = True

    def runs(self, within=0.5):
        seen = self.last
        end = time.monotonic() + within
        while time.monotonic() < end:
            if self.last > seen:
                return True
            time.sleep(0.01)
        return False


running = Stream(8081)
law(running.runs(), "a download runs, with 1000 other flows open")
asked = time.monotonic()
cost = tool.ask("quarantine 2")
time.sleep(0.7)
stopped = running.last - asked
law(cost[0] and not running.runs(0.3) and stopped < 1, "quarantine stops a running download within a second",
    f"after {stopped:.3f} s")
print(f"#   quarantine took {cost[1]} us, last byte {stopped * 1000:.1f} ms after the order")
law(not outside.connects(DOCK, 8080, 0.3), "quarantine refuses new connections")
attack("a frame from a quarantined node", web, web.to(INTERNET) / UDP(dport=9), "quarantine")
attack("ARP from a quarantined node", web, Ether(src=web.mac, dst=everyone) /
       ARP(hwsrc=web.mac, psrc=web.address, pdst=GATEWAY), "quarantine")
law(not as_uid(DAEMON, web.address, 80), "quarantine stops the dock's own probes")
law(tool.ask("sync")[0] and not outside.connects(DOCK, 8080, 0.3), "quarantine outlives a rewrite of everything")
tool.do("release 2")
law(running.runs(20), "release lets the node back, and the download goes on")
other = app.ns.socket()
other.settimeout(2)
other.connect((INTERNET, 9000))
tool.do("add 2 node2 expose=8080:80")
ended = int(tool.do("end 2 expose=8081:81"))
asked = time.monotonic()
time.sleep(0.5)
law(ended >= 1 and not running.runs(0.3) and running.last - asked < 1, "unexpose ends the open download")
other.sendall(b"still")
law(other.recv(10) == b"still" and outside.connects(DOCK, 8080), "and touches no other connection")
tool.do("add 4 node4")
law(int(tool.do(f"end 4 egress=tcp:{INTERNET}:9000")) >= 1, "flows of a rule that is gone are found")
try:
    other.sendall(b"more")
    got = other.recv(10)
except OSError:
    got = b""
law(got == b"", "a denied connection is dead")
tool.do(f"add 4 node4 {STANDARD[4]}")
tool.do(f"add 2 node2 {STANDARD[2]}")
for s in flows:
    s.close()

def first_packet(source, target, source_mac, target_mac, proto, sport, port, data):
    """The first of a connection: a SYN, or a datagram.  As bytes: scapy takes a millisecond for each."""
    src, dst = socket.inet_aton(source), socket.inet_aton(target)
    head = (struct.pack("!HHIIBBHHH", sport, port, 7, 0, 0x50, 2, 8192, 0, 0) if proto == "tcp" else
            struct.pack("!HHHH", sport, port, 8 + len(data), 0))
    number = 6 if proto == "tcp" else 17
    total = checksum(src + dst + struct.pack("!BBH", 0, number, len(head) + len(data)) + head + data)
    at = 16 if proto == "tcp" else 6
    head = head[:at] + struct.pack("!H", total) + head[at + 2:]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(head) + len(data), 0, 0, 64, number, 0, src, dst)
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return bytes.fromhex((target_mac + source_mac).replace(":", "")) + b"\x08\x00" + ip + head + data


# --- what a node may do to connections of others (T10, T12, T33; R1.1, R1.4) ---------------------------

theirs = app.ns.socket()
theirs.settimeout(2)
theirs.connect((web.address, 80))
client = outside.socket()
client.settimeout(2)
client.connect((DOCK, 8080))
attack("an ICMP error to a peer about its connection with another", db, db.to(app.address) / ICMP(type=3, code=3) /
       IP(src=app.address, dst=web.address) / TCP(sport=theirs.getsockname()[1], dport=80), "invalid")
attack("an ICMP error to outside about a sibling's connection", db, db.to(LAN) / ICMP(type=3, code=3) /
       IP(src=LAN, dst=web.address) / TCP(sport=client.getsockname()[1], dport=80), "invalid")
for s, what in ((theirs, "the peers'"), (client, "the sibling's")):
    s.sendall(b"still")
    law(s.recv(10) == b"still", f"{what} connection goes on")
    s.close()
asker = outside.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.settimeout(3)
asker.connect((DOCK, 5002))
try:
    asker.send(b"hello")
    asker.recv(10)
    refused = False
except ConnectionRefusedError:
    refused = True
except OSError:
    refused = False
asker.close()
law(refused, "a node's ICMP error about its own connection arrives")

# Before a client asks for what web exposes, another node makes a connection from that very port to the client's.
victim = outside.socket(socket.AF_INET, socket.SOCK_DGRAM)
victim.settimeout(3)
victim.bind((INTERNET, 40001))
open_.wire.send(first_packet(open_.address, INTERNET, open_.mac, GATEWAY_MAC, "udp", 5001, 40001, b"shadow"))
data, seen = victim.recvfrom(100)
law(data == b"shadow" and seen[0] == DOCK and 49152 <= seen[1], "a node's connection leaves from a port of no service",
    f"from {seen}")
drain(open_.wire)
victim.sendto(b"for web alone", (DOCK, 5001))
law(victim.recv(100) == b"echo for web alone" and not sees(open_.wire, b"for web alone", 0.1),
    "and does not get what comes to a sibling's exposed port")
victim.close()
law("MasqueradePorts" in tool.ask("free 3 50000:80")[2] and not tool.ask("free 3 udp:49000-49200:1000-1200")[0] and
    tool.ask("free 3 49151:80")[0], "nothing is exposed where nodes' connections leave")
attack("a protocol without ports, with open egress", open_, open_.to(INTERNET) / GRE(), "egress")

before = tool.counters(4).get("full", 0)
for i in range(SHARE + 200):
    app.wire.send(first_packet(app.address, INTERNET, app.mac, GATEWAY_MAC, "udp", 10000 + i, 53, b"flood"))
kinds.add("isc:full:")
log.collect(logged)
law(tool.counters(4).get("full", 0) - before >= 150, "a node holds no more than its share of connections",
    str(tool.counters(4)))
law(not app.ns.connects(INTERNET, 9000, 0.5) and open_.ns.connects(INTERNET, 9000) and outside.connects(DOCK, 8080),
    "and has had them, while others connect")
tool.do("end 4 egress=udp:203.0.113.0/24:53")
law(app.ns.connects(INTERNET, 9000, 3), "it connects again when they are gone")

# Fragments that wait for the rest take room from everybody.  The kernel counts 512 bytes or more for the smallest.
BIG = b"F" * 4000


def waiting():
    """Bytes of fragments that the dock holds."""
    return int(open("/proc/self/net/sockstat", encoding="ascii").read().split("FRAG: inuse ")[1].split()[2])


def first_fragments(node, n):
    for i in range(n):
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 1500, i, 0x2000, 64, 17, 0, socket.inet_aton(node.address),
                           socket.inet_aton(INTERNET))
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        node.wire.send(bytes.fromhex((GATEWAY_MAC + node.mac).replace(":", "")) + b"\x08\x00" + head + bytes(1480))


def asks_big(ns, address, port):
    s = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(2)
    try:
        s.sendto(BIG, (address, port))
        return s.recv(100).startswith(b"echo F")
    except OSError:
        return False
    finally:
        s.close()


law(asks_big(app.ns, INTERNET, 53), "a datagram in fragments leaves a node")
law(asks_big(outside, DOCK, 5001), "and comes to one that exposes the port")
pool = int(open("/proc/sys/net/ipv4/ipfrag_high_thresh", encoding="ascii").read())
before = tool.counters(3).get("fragment", 0)
first_fragments(db, 3000)
kinds.add("isc:fragment:")
log.collect(logged)
law(tool.counters(3).get("fragment", 0) - before > 2000 and 0 < waiting() < pool / 8,
    "a node has no more than its share of the fragments that wait", f"{waiting()} of {pool}, {tool.counters(3)}")
print(f"#   {waiting()} bytes of fragments wait, {tool.counters(3).get('fragment', 0)} were dropped")
law(asks_big(app.ns, INTERNET, 53), "so another's datagram is put together")
for node in (web, open_, app):
    first_fragments(node, 1000)
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.bind((DOCK, 2224))
own.settimeout(2)
s = outside.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(BIG, (DOCK, 2224))
s.close()
try:
    got = own.recv(5000)
except OSError:
    got = b""
own.close()
law(waiting() < pool * 5 / 8 and got == BIG, "nor have all of them together what the dock needs for its own", f"{waiting()} of {pool}")

sh("ip neigh add 192.0.2.77 lladdr 02:00:00:00:00:77 dev lan2")
inner = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
inner.bind(("lan2p", 0))
inner.setblocking(False)
stray = first_packet(LAN, "192.0.2.77", outside_mac, wan_mac, "udp", 999, 999, b"STRAY")
before = tool.counters().get("ingress", 0)
outside_wire.send(stray)
for odd in (IP(src=LAN, dst="192.0.2.77") / ICMP(type=0) / Raw(b"STRAY"),
            IP(src=LAN, dst="192.0.2.77") / TCP(dport=22, flags="F") / Raw(b"STRAY"),
            IP(src=LAN, dst="192.0.2.77") / ICMP(type=3, code=3) / IP(src="192.0.2.77", dst=LAN) / UDP() / Raw(b"STRAY")):
    outside_wire.send(bytes(Ether(src=outside_mac, dst=wan_mac) / odd))
law(not sees(inner, b"STRAY", 0.2) and tool.counters().get("ingress", 0) > before + 3,
    "a dock that is no router does not become one between outside and its other networks")

# --- random specs: what no rule names never talks (R1.1, R1.3, R1.4) ----------------------------------


PORTS = (1, 2, 3)


class Spec:
    """A node at random: what the tool is told, and what it means by a model that shares no code with it."""

    def __init__(self, node, all_):
        self.node, self.group = node, rand.choice(["", "red", "red", "blue"])
        self.quarantined = rand.random() < 0.12
        self.exposed = {p for p in PORTS if rand.random() < 0.2}
        self.rules, self.opens = [], []
        for _ in range(rand.randint(0, 4)):
            peer, proto, port = rand.choice(all_), rand.choice(("tcp", "udp")), rand.choice(PORTS)
            last = rand.choice((port, 3))
            ports = set(range(port, last + 1))
            kind = rand.randint(0, 6)
            if kind < 2:
                self.rule(f"node:node{peer.slot}:{proto}/{port}-{last}",
                          lambda to, pr, po, a=peer.address, q=proto, w=ports: to == a and pr == q and po in w)
            elif kind < 4:
                # For its own group, or for another: then it means nothing.
                group = rand.choice([self.group or "red", "red", "blue"])
                self.rule(f"group:{group}:{proto}/{port}-{last}",
                          lambda to, pr, po, g=group, q=proto, w=ports: g == self.group and pr == q and po in w and
                          to in groups and groups[to] == g)
            elif kind == 4:
                net = rand.choice((INTERNET, "203.0.113.0/24", "0.0.0.0/0"))
                self.rule(f"{proto}:{net}:{port}-{last}",
                          lambda to, pr, po, q=proto, w=ports: to == INTERNET and pr == q and po in w)
            elif kind == 5:
                self.rule("icmp", lambda *_: False)
            else:
                self.rule("open", lambda to, *_: to == INTERNET)

    def rule(self, text, means):
        self.rules.append(text)
        self.opens.append(means)

    def words(self):
        return " ".join([f"add {self.node.slot} node{self.node.slot}"] + [f"egress={r}" for r in self.rules] +
                        [f"expose={x}:{8200 + 10 * self.node.slot + p}:{p}" for p in self.exposed
                         for x in ("tcp", "udp")] + ([f"group={self.group}"] if self.group else []) +
                        (["dedicated=1"] if self.node.dedicated else []))

    def allows(self, to, proto, port):
        return any(means(to, proto, port) for means in self.opens)


seed = int(os.environ.get("ISC_SEED", "77"))
rand = random.Random(seed)
for node in nodes:
    tool.do(f"remove {node.slot}")
crowd = nodes + [Node(slot, dedicated=True) for slot in (6, 7)]
for node in crowd:
    node.up("")
time.sleep(1.1)  # until the kernel has seen their carriers
leaks, losses, judged, turns = [], [], 0, 0
end = time.monotonic() + 12
while turns < 60 and (turns < 8 or time.monotonic() < end):
    turns += 1
    specs = {n.address: Spec(n, crowd) for n in crowd}
    groups = {a: s.group for a, s in specs.items() if s.group}
    # In any order, and what stands is changed rather than built anew.
    for spec in rand.sample(list(specs.values()), len(specs)):
        tool.do(spec.words())
        tool.do(f"{'quarantine' if spec.quarantined else 'release'} {spec.node.slot}")
    sh("conntrack -F 2>/dev/null")
    wires = {n.address: n.wire for n in crowd}
    wires[INTERNET] = outside_wire
    drain(*wires.values())
    sent = {}

    def probe(wire, source, target, macs, proto, port, expected, sport=1000):
        marker = b"PAIR-%05d!" % len(sent)
        sent[marker] = (expected, f"turn {turns}: {source} to {target} {proto}/{port}")
        wire.send(first_packet(source, target, *macs, proto, sport + port, port, marker))

    for node in crowd:
        spec = specs[node.address]
        for target in wires:
            peer = specs.get(target)
            for proto in ("tcp", "udp"):
                for port in PORTS if target != node.address else ():
                    ok = (spec.allows(target, proto, port) and not spec.quarantined and
                          not (peer and peer.quarantined))
                    probe(node.wire, node.address, target, (node.mac, GATEWAY_MAC), proto, port, {target} if ok else set())
                if peer and peer is not spec:  # past the gateway, and through the dock's own address
                    probe(node.wire, node.address, target, (node.mac, peer.node.mac), proto, 1, set(), 2000)
                    probe(node.wire, node.address, DOCK, (node.mac, GATEWAY_MAC), proto,
                          8201 + 10 * peer.node.slot, set(), 3000)
    for spec in specs.values():
        for proto in ("tcp", "udp"):
            for port in PORTS:
                ok = port in spec.exposed and not spec.quarantined
                probe(outside_wire, LAN, DOCK, (outside_mac, wan_mac), proto, 8200 + 10 * spec.node.slot + port,
                      {spec.node.address} if ok else set(), 4000)
                probe(outside_wire, LAN, spec.node.address, (outside_mac, wan_mac), proto, port, set(), 5000)
    time.sleep(0.1)
    came = {}
    for address, wire in wires.items():
        try:
            while True:
                # Not what went out of this wire, and not a receiver's "port unreachable", which quotes it.
                frame, where = wire.recvfrom(65536)
                if where[2] != socket.PACKET_OUTGOING and frame[23] in (6, 17) and b"PAIR-" in frame:
                    text = frame[frame.index(b"PAIR-"):]
                    came.setdefault(text[:text.index(b"!") + 1], set()).add(address)
        except BlockingIOError:
            pass
    for marker, (expected, text) in sent.items():
        judged += 1
        got = came.get(marker, set())
        if got - expected:
            leaks.append(f"{text} came to {got}; {[s.words() for s in specs.values()]}")
        elif expected - got:
            losses.append(f"{text}; {[s.words() for s in specs.values()]}")
law(not leaks and turns >= 8, f"in {turns} random sets of specs (seed {seed}) no pair talks without a rule ({judged} packets)",
    str(leaks[:3]))
law(not losses, "and every pair that has one does", f"{len(losses)}: {losses[:2]}")
law(tool.do("intact") == "intact", "and the kernel holds what the last of them say, and nothing of the others")

# --- bridges of nodes' own (R1.4, R1.5) ------------------------------------------------------------------

own, own2 = crowd[4:]
for node in crowd:
    tool.do(f"release {node.slot}")
    tool.do(f"add {node.slot} node{node.slot} {'dedicated=1' if node.dedicated else ''}")
nodes = crowd  # who watches
law(tool.do(f"isolated {own.slot}") == "yes" and "isc0-6" in sh("ip -o link show isct6"),
    "a dedicated node's port is isolated in a bridge of its own")
law("PERMANENT" in sh(f"ip neigh show {own.address} dev isc0-6"), "and its address pinned there")
attack("a dedicated node's frame from another MAC", own, Ether(src=db.mac, dst=GATEWAY_MAC) /
       IP(src=own.address, dst=GATEWAY) / UDP(dport=9), "mac")
for text, source in (("common", db.address), ("other dedicated", own2.address), ("bridge's", "10.78.0.17"),
                     ("outside", INTERNET)):
    attack(f"a dedicated node's packet from the {text} address", own, Ether(src=own.mac, dst=GATEWAY_MAC) /
           IP(src=source, dst=own2.address) / UDP(dport=9), "ip")
attack("a common node's packet from a dedicated one's address", db, Ether(src=db.mac, dst=GATEWAY_MAC) /
       IP(src=own.address, dst=own2.address) / UDP(dport=9), "ip")
attack("a dedicated node's packet to the common network", own, own.to(db.address) / UDP(dport=5001), "peer")
attack("a dedicated node's packet to another one", own, own.to(own2.address) / UDP(dport=5001), "peer")
attack("a common node's packet to a dedicated one", db, db.to(own.address) / UDP(dport=5001), "peer")
attack("a dedicated node's packet to its gateway", own, own.to("10.78.0.17") / UDP(dport=53), "host")
attack("to another node's gateway", own, own.to("10.78.0.21") / UDP(dport=53), "host")
attack("to the common bridge", own, own.to(GATEWAY) / UDP(dport=53), "host")
attack("a common node's packet to a dedicated one's gateway", db, db.to("10.78.0.17") / UDP(dport=53), "host")
attack("to nobody's address of that network", own, own.to("10.78.5.5") / UDP(dport=53), "reserved")
attack("an ARP answer of a dedicated node for its gateway", own, Ether(src=own.mac, dst=everyone) /
       ARP(op=2, hwsrc=own.mac, psrc="10.78.0.17", hwdst=everyone, pdst="10.78.0.17"), "arp")
attack("a packet from outside with a dedicated node's address", own, Ether(src=outside_mac, dst=wan_mac) /
       IP(src=own.address, dst=DOCK) / UDP(dport=9), "spoof", by=outside_wire)
drain(own.wire)
sh("nft flush ruleset")  # nobody watches yet
own.wire.send(bytes(own.to(INTERNET) / UDP(dport=53) / Raw(b"LEAK-own")))
own.wire.send(bytes(own.to(db.address) / UDP(dport=53) / Raw(b"LEAK-own")))
law(not sees(outside_wire, b"LEAK-own", 0.1) and not sees(db.wire, b"LEAK-own", 0.05),
    "with no rules at all nothing of a dedicated node leaves its bridge")
tool.do("sync")
sh("nft add table inet others && nft 'add chain inet others c { type filter hook forward priority 5; policy accept; }'")
sh("nft add rule inet others c counter accept && nft add table bridge others")
for node in (own, own2):
    tool.do(f"remove {node.slot}")
    tool.do(f"add {node.slot} node{node.slot} dedicated=1")
    tool.do(f"unbridge {node.slot}")
    tool.do(f"remove {node.slot}")
law("isc0-" not in sh("ip -o link; ip rule"), "a bridge goes without a trace when its node does")
nodes = crowd[:4]
for node in nodes:
    tool.do(f"remove {node.slot}")
    tool.do(f"down {node.slot}")
for node in nodes:
    node.up(STANDARD[node.slot])
time.sleep(1.1)

# --- rules with names of hosts (R1.3) -------------------------------------------------------------------

zone = {}  # name: [addresses], TTL; None: no answer at all
asked = []


def serve_names():
    s = outside.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((LAN, 53))
    while True:
        query, peer = s.recvfrom(512)
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, question = ".".join(labels), query[12:at + 5]
        asked.append(name)
        if zone.get(name, ([], 0)) is None:
            continue
        addresses, ttl = zone.get(name, ([], 0))
        head = query[:2] + struct.pack("!HHHHH", 0x8180 if name in zone else 0x8183, 1, len(addresses), 0, 0)
        s.sendto(head + question + b"".join(b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, ttl, 4) + socket.inet_aton(a)
                                            for a in addresses), peer)


def known(name, addresses, within=3.0):
    end = time.monotonic() + within
    while sorted(tool.do(f"host {name}").split()) != sorted(addresses):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


OTHER = "203.0.113.11"
outside.ip(f"address add {OTHER}/32 dev lo")
threading.Thread(target=serve_names, daemon=True).start()
with open("/run/resolv.conf", "w", encoding="ascii") as f:
    f.write(f"nameserver {LAN}\n")
sh("mount --bind /run/resolv.conf /etc/resolv.conf")
zone["deb.example.org"] = [INTERNET], 1
zone["evil.example.org"] = [METADATA, PRIVATE, LAN, web.address, DOCK], 300
zone["lost.example.org"] = None
began = time.monotonic()
tool.do("add 4 node4 egress=host:lost.example.org:tcp/9000 egress=host:deb.example.org:tcp/9000 "
        "egress=host:evil.example.org:tcp/80-82 egress=host:evil.example.org:tcp/2222 "
        "egress=host:evil.example.org:tcp/9000-9001")
law(time.monotonic() - began < 1, "a name server that does not answer holds up no rule")
law(known("deb.example.org", [INTERNET]) and known("evil.example.org", zone["evil.example.org"][0]),
    "names are asked for")
law(app.ns.connects(INTERNET, 9000), "a node reaches a host that its rule names")
law(not app.ns.connects(INTERNET, 9001, 0.3) and not app.ns.connects(OTHER, 9000, 0.3) and
    not db.ns.connects(INTERNET, 9000, 0.3), "on that port, that host, and that node alone")
law(tool.do("intact") == "intact", "what names stand for is read back")
for address in (METADATA, PRIVATE, LAN):
    attack(f"a connection to {address}, for which a name was made to stand,", app,
           Ether(app.to(address) / TCP(sport=7777, dport=9001, flags="S") / Raw(b"rebind")), "reserved")
attack("one to a peer", app, Ether(app.to(web.address) / TCP(sport=7777, dport=80, flags="S")), "peer")
attack("one to the dock", app, Ether(app.to(DOCK) / TCP(sport=7777, dport=2222, flags="S")), "host")
tool.do(f"add 4 node4 egress=host:evil.example.org:tcp/9000-9001 egress=tcp:{LAN}:22 "
        "egress=host:deb.example.org:tcp/9000")
law(app.ns.connects(LAN, 9001), "but where another rule of the node names that network")
zone["deb.example.org"] = [OTHER], 1
n = len(asked)
moved = known("deb.example.org", [INTERNET, OTHER], 8)
law(moved and app.ns.connects(OTHER, 9000) and app.ns.connects(INTERNET, 9000),
    "a name that moves is followed, and the old address kept for as long as a node may have it")
law(known("deb.example.org", [OTHER], 8) and not app.ns.connects(INTERNET, 9000, 0.3), "and no longer")
law(len(asked) - n < 12, "servers are asked once a TTL, and at most each five seconds", str(asked[n:]))
zone["deb.example.org"] = None
time.sleep(6)
law(app.ns.connects(OTHER, 9000), "while no server answers the last answer holds")
tool.do(f"add 4 node4 {STANDARD[4]}")
law(tool.do("host deb.example.org") == "" and not app.ns.connects(OTHER, 9000, 0.3) and tool.do("intact") == "intact",
    "with the rule the name is forgotten")

# --- the daemon dies; T40: somebody flushes (R1.7) ----------------------------------------------------

law(sh("nft -s list table inet others; nft -s list table bridge others") == others_before,
    "others' tables are untouched")
running = Stream(8081)
tool.process.kill()
law(running.runs() and outside.connects(DOCK, 8080) and not db.ns.connects(INTERNET, 9000, 0.3),
    "the boundary stands when the daemon has died")
tool = Tool()
law(tool.ask("setup")[0] and running.runs() and outside.connects(DOCK, 8080),
    "a new daemon takes it over while traffic runs")
before = open_.ns.connects(INTERNET, 9000)
tool.do("quarantine 5")
law(before and not open_.ns.connects(INTERNET, 9000, 0.3),
    "it cuts off a node that an earlier one has let in and it knows nothing of")
tool.do("remove 5")
tool.do(f"add 2 node2 {STANDARD[2]}")
tool.do("add 3 node3")
tool.do(f"add 4 node4 {STANDARD[4]}")
sh("nft add element inet isc-dock nodes '{ 10.77.7.7 }'")
law(tool.ask("sync")[0] and tool.do("intact") == "intact" and running.runs(),
    "what belongs to no node any more is dropped, and traffic runs on")
law(not open_.ns.connects(INTERNET, 9000, 0.3), "also a node that was not added again")
tool.do("add 5 node5 egress=open")
tool.do("watch")
tool.do("add 6 node6")
tool.do("remove 6")
time.sleep(0.1)
law(tool.events.empty(), "the watch is silent about our own changes")
sh("nft add table inet fourth && nft delete table inet fourth")
time.sleep(0.1)
law(tool.events.empty(), "and about the tables of others")


def restored(text, command, author):
    start = time.monotonic()
    sh(command)
    try:
        at, event = tool.events.get(timeout=2)
    except queue.Empty:
        law(False, text, "no event")
        return
    law(event.startswith("event restored") and author in event and tool.do("intact") == "intact", text,
        event)
    print(f"#   restored {1000 * (at - start):.0f} ms after the start of the command; {event}")


restored("a deleted element is put back at once, and it is said who did it",
         "nft delete element inet isc-dock nodes '{ 10.77.0.2 }'", "nft, pid")
time.sleep(0.15)
restored("an inserted rule is taken out", "nft insert rule inet isc-dock forward accept", "nft, pid")
time.sleep(0.15)
restored("a dormant table is woken", "nft add table inet isc-dock '{ flags dormant; }'", "nft, pid")
time.sleep(0.15)
restored("`nft flush ruleset` is mended at once", "nft flush ruleset", "nft, pid")
law(running.runs(3), "and the download goes on")
permitted("after the flush")
attack("a spoofed address after the flush", db, Ether(src=db.mac, dst=GATEWAY_MAC) /
       IP(src=web.address, dst=INTERNET) / UDP(dport=9), "ip")

# Interfaces are known by their groups; who has lost it, by its name.
for lost, port in (("isct2", web), ("isct5", open_)):
    sh(f"ip link set {lost} group default")
permitted("with ports that have lost their group")
attack("a spoofed address from such a port", web, Ether(src=web.mac, dst=GATEWAY_MAC) /
       IP(src=db.address, dst=INTERNET) / UDP(dport=9), "ip")
attack("a VLAN tag on what is honest otherwise", db, Ether(src=db.mac, dst=GATEWAY_MAC) / Dot1Q(vlan=5) /
       IP(src=db.address, dst=INTERNET) / UDP(dport=9), "vlan")
tool.do("quarantine 2")
attack("a frame from such a port in quarantine", web, web.to(INTERNET) / UDP(dport=9), "quarantine")
tool.do("release 2")
sh("ip link set isc0 group default")
drain(outside_wire)
law(not open_.ns.connects(INTERNET, 9000, 0.3) and not sees(outside_wire, socket.inet_aton(open_.address), 0.05),
    "with a bridge that has lost it nothing of a node leaves the dock")
tool.do("quarantine 2")
law(not outside.connects(DOCK, 8080, 0.3), "and quarantine holds")
tool.do("release 2")
tool.do("bridge")
for n in (web, open_):
    tool.do(f"port {n.slot}")
permitted("with the groups put back")

# Without a daemon, and without any rule: nodes get nowhere, because their packets lack the mark.
tool.process.kill()
tool.process.wait()
sh("nft flush ruleset")
drain(outside_wire)
open_.wire.send(bytes(open_.to(INTERNET) / UDP(dport=53) / Raw(b"LEAK-out")))
db.wire.send(bytes(db.to(web.address, mac=web.mac) / UDP(dport=5001) / Raw(b"LEAK-peer")))
db.wire.send(bytes(db.to(web.address) / UDP(dport=5001) / Raw(b"LEAK-routed")))
law(not sees(outside_wire, b"LEAK-out", 0.1), "with no rules at all nothing of a node leaves the dock")
law(not sees(web.wire, b"LEAK-", 0.1), "nor reaches a peer, straight or routed")
drain(web.wire)
db.wire.send(bytes(Ether(src=web.mac, dst=GATEWAY_MAC) / IP(src=web.address, dst=GATEWAY) / UDP(dport=7)))
tool = Tool()
law(tool.ask("setup")[0], "the boundary can be built again")

# A flood has its share of the log and no more, and takes nothing of another's.
log.collect(logged)
log.shares.clear()
began = time.monotonic()
tagged = [bytes(Ether(src=n.mac, dst=GATEWAY_MAC, type=0x8100) / Raw(b"\0\1\x08\0tag")) for n in (db, web)]
for _ in range(500):
    db.wire.send(tagged[0])
web.wire.send(tagged[1])
shout = "import socket,sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n" \
    "for i in range(int(sys.argv[1])):\n try: s.sendto(b'x', ('127.0.0.1', 9))\n except OSError: pass"
for times, uid in ((200, FIRST + 5), (1, FIRST + 6)) if IS_ROOT else ():
    subprocess.run(["setpriv", "--reuid", str(uid), "--clear-groups", sys.executable, "-c", shout, str(times)],
                   check=True)
most = 10 + 5 * (time.monotonic() - began) + 1

time.sleep(1.1)  # the kernel hands out what it has gathered once a second
log.collect(logged)
share = [log.shares.get(("vlan", int(sh(f"ip -o link show isct{n.slot}").split(":")[0])), 0) for n in (db, web)]
law(10 <= share[0] <= most and share[1] == 1, "a node that floods fills its own share of the packet log, not another's",
    f"{share[0]} of 500, {share[1]} of 1")
if IS_ROOT:
    share = [log.shares.get(("uid", FIRST + n), 0) for n in (5, 6)]
    law(10 <= share[0] <= most and share[1] == 1, "so it is with a hypervisor that floods", f"{share}")
else:
    skip("so it is with a hypervisor that floods", "needs root")
law(kinds <= logged, "drops of each kind are in the packet log under their names",
    f"not {sorted(kinds - logged)}")
law(tool.ask("teardown")[0] and "isc-dock" not in sh("nft list tables") and tool.ask("unbridge")[0],
    "teardown leaves nothing")
print(f"# {time.monotonic() - started:.1f} s")
print(f"1..{count}")
sys.stdout.flush()
tool.process.kill()
os._exit(1 if failed else 0)
