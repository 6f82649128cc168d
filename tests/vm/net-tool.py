#!/usr/bin/env python3
"""What tests/vm/test-network.sh does outside of the dock, and the frames that its attacker sends.

  order PORT WORD…       gives the attacker behind that port of $DOCK an order (tests/recipes/attacker), prints the answer
  forge PORT SELF PEER     has it run its forge.py, and passes orders from standard input on, and the answers back; first
                           of all "ready".  SELF, PEER: MAC,ADDRESS
  attacks                  prints one attack a line: description, kind, how many are counted, order; separated by tabs
  allowed                  prints orders to send what rules allow, and at last what ends the sniffers
  leaks MS                 prints the order to flood every way out that no rule allows
  hold PORT              takes UDP on all addresses of the dock; at SIGTERM "took N" of what holds the mark
  sniff SECONDS          counts frames that come in by wan0 and hold the mark, until the time is over or one says so:
                         "seen N HEX"
  serve PORT             takes TCP connections, answers UDP, until it is killed
  sink PORT              takes one TCP connection; "first T", and when nothing has come for $SILENCE s (1.5) "last T"
  drain PORT WORD…       gives an order and reads its answer, as sink
  talk PORT              opens a connection, "open", and writes now and then; "cut" when it has been reset
  usurp PID MAC            as who holds the file descriptor of process PID's tap: gives the tap that MAC
  names TTL NAME=ADDRESS…   a name server: these names, and no others
  park PORT N            opens N connections, "open N"; reads a line; "alive M"

T: seconds of CLOCK_BOOTTIME, as in /proc/uptime.
"""
import ctypes
import fcntl
import os
import select
import signal
import socket
import struct
import sys
import time

DOCK = os.environ.get("DOCK", "203.0.113.1")
MARK, OVER = b"ISC-LEAK", b"ISC-OVER"
GATEWAY = "52:54:4e:00:00:01,10.77.0.1"
LAN, FAR, META = "203.0.113.2", "198.51.100.1", "169.254.169.254"
BROADCAST = b"\xff" * 6


def say(*words):
    print(*words, flush=True)


def uptime():
    return "%.3f" % time.clock_gettime(time.CLOCK_BOOTTIME)


# --- attacks --------------------------------------------------------------------------------------

# What is attacked, the kind that it is counted under ("-": a rule allows it), how many are counted, and the order to
# tests/recipes/attacker/forge.py.  Each frame holds the mark, for the sniffers.
ATTACKS = """
a second address as sender       | ip      | 1  | send(ip(LAN, src="10.77.0.200") / UDP(dport=9) / MARK)
the peer's address as sender     | ip      | 1  | send(ip(LAN, src=his) / UDP(dport=9) / MARK)
an outside address as sender     | ip      | 1  | send(ip(own, src=LAN) / UDP(dport=9) / MARK)
the gateway's address as sender  | ip      | 1  | send(ip(LAN, src=gateway) / UDP(dport=9) / MARK)
the loopback address as sender   | ip      | 1  | send(ip(gateway, src="127.0.0.1") / UDP(dport=9) / MARK)
no address as sender             | ip      | 1  | send(ip(LAN, src="0.0.0.0") / UDP(dport=9) / MARK)
another MAC                      | mac     | 1  | send(Ether(src=STRANGER, dst=gw) / IP(src=own, dst=LAN) / UDP(dport=9) / MARK)
the peer's MAC                   | mac     | 1  | send(Ether(src=him, dst=gw) / IP(src=own, dst=LAN) / UDP(dport=9) / MARK)
the gateway's MAC                | mac     | 1  | send(Ether(src=gw, dst=gw) / IP(src=own, dst=LAN) / UDP(dport=9) / MARK)
'I am the gateway' to the peer   | arp     | 1  | send(Ether(src=me, dst=him) / ARP(op=2, hwsrc=me, psrc=gateway, hwdst=him, pdst=his) / MARK)
'I am the peer' to the gateway   | arp     | 1  | send(Ether(src=me, dst=gw) / ARP(op=2, hwsrc=me, psrc=his, hwdst=gw, pdst=gateway) / MARK)
an ARP probe for his address     | arp     | 1  | send(Ether(src=me, dst=BROADCAST) / ARP(hwsrc=me, psrc="0.0.0.0", pdst=his) / MARK)
an ARP request for another MAC   | arp     | 1  | send(Ether(src=me, dst=BROADCAST) / ARP(hwsrc=STRANGER, psrc=own, pdst=gateway) / MARK)
a DHCP offer                     | dhcp    | 1  | send(Ether(src=me, dst=BROADCAST) / IP(src=own, dst="255.255.255.255") / UDP(sport=67, dport=68) / \
    BOOTP(op=2, yiaddr="10.77.0.99", sname=b"ISC-LEAK") / DHCP(options=[("message-type", "offer"), ("router", own), "end"]))
fifty DHCP clients               | dhcp    | 50 | send(*(Ether(src=me, dst=BROADCAST) / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67) / \
    BOOTP(chaddr=b"RTN\\0\\0" + bytes([i]), sname=b"ISC-LEAK") / DHCP(options=[("message-type", "discover"), "end"]) for i in range(50)))
an IPv6 router advertisement     | ipv6    | 1  | send(Ether(src=me, dst="33:33:00:00:00:01") / IPv6(src="fe80::66", dst="ff02::1") / ICMPv6ND_RA() / MARK)
an IPv6 neighbour advertisement  | ipv6    | 1  | send(Ether(src=me, dst=him) / IPv6(src="fe80::66", dst="ff02::1") / ICMPv6ND_NA(tgt="fe80::1") / MARK)
a report of multicast listening  | ipv6    | 1  | send(Ether(src=me, dst="33:33:00:00:00:16") / IPv6(src="fe80::66", dst="ff02::16") / ICMPv6MLReport2() / MARK)
a VLAN tag                       | vlan    | 1  | send(Ether(src=me, dst=gw) / Dot1Q(vlan=1) / IP(src=own, dst=LAN) / UDP(dport=9) / MARK)
two VLAN tags                    | vlan    | 1  | send(Ether(src=me, dst=gw) / Dot1AD(vlan=1) / Dot1Q(vlan=2) / IP(src=own, dst=LAN) / UDP(dport=9) / MARK)
two VLAN tags of the old kind    | vlan    | 1  | send(Ether(src=me, dst=gw, type=0x9100) / Dot1Q(vlan=1) / Dot1Q(vlan=2) / IP(src=own, dst=LAN) / UDP(dport=9) / MARK)
an unknown protocol              | other   | 1  | send(Ether(src=me, dst=gw, type=0x88b5) / MARK)
STP                              | other   | 1  | send(Dot3(src=me, dst="01:80:c2:00:00:00") / LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP(rootid=0, pathcost=0) / MARK)
LLDP                             | other   | 1  | send(Ether(src=me, dst="01:80:c2:00:00:0e") / LLDPDUChassisID(subtype=4, id=me) / LLDPDUPortID(subtype=3, id=me) / \
    LLDPDUTimeToLive(ttl=120) / LLDPDUSystemDescription(description="ISC-LEAK") / LLDPDUEndOfLLDPDU())
EAPOL                            | other   | 1  | send(Ether(src=me, dst="01:80:c2:00:00:03") / EAPOL(type=1) / MARK)
an ICMP redirect                 | other   | 1  | send(ip(gateway) / ICMP(type=5, code=1, gw=own) / IP(src=own, dst=LAN) / UDP(dport=9) / MARK)
the record route option          | option  | 1  | send(ip(LAN, options=[IPOption_RR(routers=["0.0.0.0"])]) / UDP(dport=9) / MARK)
loose source routing             | option  | 1  | send(ip(LAN, options=[IPOption_LSRR(routers=[his])]) / UDP(dport=9) / MARK)
strict source routing            | option  | 1  | send(ip(LAN, options=[IPOption_SSRR(routers=[his])]) / UDP(dport=9) / MARK)
a timestamp option               | option  | 1  | send(ip(LAN, options=[IPOption_Timestamp(flg=0)]) / UDP(dport=9) / MARK)
fragments                        | egress  | 1  | send(*fragment(ip(FAR) / UDP(dport=9) / MARK / MARK / MARK, fragsize=16))
a connection in its middle       | invalid | 1  | send(ip(FAR) / TCP(dport=443, flags="A") / MARK)
multicast                        | reserved | 1 | send(Ether(src=me, dst="01:00:5e:00:00:fb") / IP(src=own, dst="224.0.0.251") / UDP(sport=5353, dport=5353) / MARK)
a report of group membership     | reserved | 1 | send(Ether(src=me, dst="01:00:5e:00:00:16") / IP(src=own, dst="224.0.0.22", proto=2) / IGMP(type=0x16) / MARK)
a DNS question to the dock       | host    | 1  | send(ip(gateway) / UDP(dport=53) / MARK)
a ping of the dock               | host    | 1  | send(ip(gateway) / ICMP() / MARK)
one of its outside address       | host    | 1  | send(ip(DOCK) / ICMP() / MARK)
broadcast to all                 | host    | 1  | send(Ether(src=me, dst=BROADCAST) / IP(src=own, dst="255.255.255.255") / UDP(dport=9) / MARK)
broadcast to the subnet          | host    | 1  | send(Ether(src=me, dst=BROADCAST) / IP(src=own, dst="10.77.255.255") / UDP(dport=9) / MARK)
straight to the peer             | peer    | 1  | send(Ether(src=me, dst=him) / IP(src=own, dst=his) / UDP(dport=9) / MARK)
to the peer by the gateway       | peer    | 1  | send(ip(his) / UDP(dport=9) / MARK)
the metadata service             | reserved | 1 | send(ip(META) / TCP(dport=80) / MARK)
the dock's own network           | reserved | 1 | send(ip(LAN) / UDP(dport=9) / MARK)
TCP to the world                 | egress  | 1  | send(ip(FAR) / TCP(dport=443) / MARK)
UDP to the world                 | egress  | 1  | send(ip(FAR) / UDP(dport=53) / MARK)
a tunnel to the world            | egress  | 1  | send(ip(FAR) / GRE() / IP(src=own, dst=LAN) / UDP(dport=9) / MARK)
ICMP to the world                | egress  | 1  | send(ip(FAR) / ICMP() / MARK)
a port that leads to the peer    | host    | 1  | send(ip(DOCK) / TCP(dport=8082) / MARK)
"""
# What rules allow, for the sniffers to see, else their silence would prove nothing: 2 marks outside, 2 at the peer.
ALLOWED = """
send(ip(LAN) / UDP(dport=7001) / MARK, ip(his) / UDP(dport=7001) / MARK)
send(*fragment(ip(LAN) / UDP(dport=7001) / MARK / (b"x" * 32), fragsize=24))
send(*fragment(ip(his) / UDP(dport=7001) / MARK / (b"x" * 32), fragsize=24))
send(ip(LAN) / UDP(dport=7001) / OVER, ip(his) / UDP(dport=7001) / OVER)
"""
# Every way out that no rule allows.
LEAKS = """
*(ip(to) / UDP(dport=4445) / MARK for to in (LAN, FAR, META, gateway, DOCK, his)),
*(ip(LAN, src=sender) / UDP(dport=9) / MARK for sender in (his, "10.77.0.200", FAR)),
Ether(src=me, dst=him) / IP(src=own, dst=his) / UDP(dport=9) / MARK,
Ether(src=me, dst=BROADCAST) / IP(src=own, dst="255.255.255.255") / UDP(dport=4445) / MARK,
ip(LAN) / ICMP() / MARK, ip(gateway) / TCP(dport=4445) / MARK
"""


def print_attacks():
    for line in ATTACKS.strip().split("\n"):
        say("\t".join(cell.strip() for cell in line.split("|")))


def print_allowed():
    say(ALLOWED.strip())


def print_leaks(milliseconds):
    say(f"flood({milliseconds},", " ".join(LEAKS.split()) + ")")


def forge(port, self_, peer):
    s = give(port, ["tool", "python3", "/usr/lib/attacker/forge.py", "eth0"])
    pairs = zip(("me own", "him his", "gw gateway"), (self_, peer, GATEWAY))
    known = {name: value for both, pair in pairs for name, value in zip(both.split(), pair.split(","))}
    known.update(LAN=LAN, FAR=FAR, META=META, DOCK=DOCK, STRANGER="52:54:4e:00:77:77")
    answers = s.makefile()
    said = answers.readline()
    s.sendall(f"names(**{known})\n".encode())
    say(said.strip() if answers.readline() == "named\n" else "gone")
    for line in sys.stdin:
        s.sendall(line.encode())
        say(answers.readline().strip() or "gone")


# --- outside --------------------------------------------------------------------------------------


def give(port, words):
    s = socket.create_connection((DOCK, int(port)), 5)
    s.settimeout(300)
    s.sendall((" ".join(words) + "\n").encode())
    return s


def order(port, *words):
    with give(port, words) as s:
        print(s.makefile().read(), end="")


def follow(s):
    """Until nothing comes for a while; the first may take its time."""
    silence = float(os.environ.get("SILENCE", "1.5"))
    last, s_open = None, True
    while s_open and select.select([s], [], [], 60 if last is None else silence)[0]:
        try:
            s_open = bool(s.recv(65536))
        except OSError:
            break
        if last is None:
            say("first", uptime())
        last = uptime()
    say("last", last)


def drain(port, *words):
    follow(give(port, words))


def sink(port):
    server = socket.create_server(("", int(port)))
    follow(server.accept()[0])


def talk(port):
    with socket.create_connection((DOCK, int(port))) as s:
        say("open")
        try:
            while True:
                s.send(b" ")
                time.sleep(0.05)
        except OSError as e:
            say("cut", e)


def usurp(pid, mac):
    process = os.pidfd_open(int(pid))
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            if os.readlink(f"/proc/{pid}/fd/{fd}") != "/dev/net/tun":
                continue
        except FileNotFoundError:
            continue
        tap = ctypes.CDLL(None, use_errno=True).syscall(438, process, int(fd), 0)  # pidfd_getfd
        if tap < 0:
            raise OSError(ctypes.get_errno(), "pidfd_getfd")
        fcntl.ioctl(tap, 0x8924, struct.pack("16sH6s16x", b"", 1, bytes.fromhex(mac.replace(":", ""))))  # SIOCSIFHWADDR
        return
    sys.exit("no tap")


def serve(port):
    t = socket.create_server(("", int(port)))
    u = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in (LAN, FAR)]
    for s, address in zip(u, (LAN, FAR)):
        s.bind((address, int(port)))  # so that the answer comes from where the question went
    say("ready")
    while True:
        for s in select.select([t, *u], [], [])[0]:
            if s is t:
                t.accept()[0].close()
            else:
                data, sender = s.recvfrom(2048)
                s.sendto(data, sender)


def sniff(seconds):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind(("wan0", 3))
    end, seen, first = time.monotonic() + float(seconds), 0, b""
    say("ready")
    while (left := end - time.monotonic()) > 0:
        if not select.select([s], [], [], left)[0]:
            break
        data, where = s.recvfrom(2048)
        if where[2] != socket.PACKET_OUTGOING and OVER in data:
            break
        if where[2] != socket.PACKET_OUTGOING and MARK in data:
            seen += 1
            first = first or data[:64]
    say("seen", seen, first.hex())


def hold(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", int(port)))
    took, first = 0, ""
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
    s.settimeout(0.2)
    say("ready")
    while not ended:
        try:
            data, sender = s.recvfrom(2048)
        except OSError:
            continue
        if MARK in data:
            took += 1
            first = first or sender[0]
    say("took", took, first)


def park(port, n):
    held = [socket.create_connection((DOCK, int(port)), 10) for _ in range(int(n))]
    say("open", len(held))
    sys.stdin.readline()
    # A connection that was ended would have had something to say: an end or an error.
    ended = select.select(held, [], [], 0)[0]
    say("alive", len(held) - len(ended))


def names(ttl, *zone):
    known = dict(pair.split("=") for pair in zone)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((LAN, 53))
    say("ready")
    while True:
        query, sender = s.recvfrom(512)
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        address = known.get(".".join(labels))
        answer = (struct.pack("!HHHIH", 0xc00c, 1, 1, int(ttl), 4) + socket.inet_aton(address)) if address else b""
        s.sendto(query[:2] + struct.pack("!HHHHH", 0x8180 if address else 0x8183, 1, 1 if address else 0, 0, 0) +
                 query[12:at + 5] + answer, sender)


VERBS = {"names": names, "order": order, "forge": forge, "attacks": print_attacks, "allowed": print_allowed,
         "leaks": print_leaks, "sniff": sniff, "serve": serve, "sink": sink, "drain": drain, "talk": talk,
         "park": park, "hold": hold, "usurp": usurp}

if __name__ == "__main__":
    VERBS[sys.argv[1]](*sys.argv[2:])
