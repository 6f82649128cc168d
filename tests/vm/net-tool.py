#!/usr/bin/env python3
"""What tests/vm/test-network.sh does outside of the dock, and the frames that its attacker sends.

  order PORT WORD…       gives the attacker behind that port of $DOCK an order (tests/recipes/attacker), prints the answer
  attacks SELF PEER      prints one attack a line: description, kind, how many are counted, order; separated by tabs.
                         SELF, PEER: MAC,ADDRESS
  leaks MS SELF PEER     the order to flood every way out that no rule allows
  hold PORT              takes UDP on all addresses of the dock; at SIGTERM "took N" of what holds the mark
  sniff SECONDS          counts frames that come in by wan0 and hold the mark, until the time is over or one says so:
                         "seen N HEX"
  serve PORT             takes TCP connections, answers UDP, until it is killed
  sink PORT              takes one TCP connection; "first T", and when nothing has come for 1.5 s "last T"
  drain PORT WORD…       gives an order and reads its answer, as sink
  names TTL NAME=ADDRESS…   a name server: these names, and no others
  park PORT N            opens N connections, "open N"; reads a line; "alive M"

T: seconds of CLOCK_BOOTTIME, as in /proc/uptime.
"""
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


# --- frames ---------------------------------------------------------------------------------------


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def eth(to, sender, kind, payload):
    return (to + sender + struct.pack(">H", kind) + payload).ljust(60, b"\0")


def ip(sender, to, proto, payload, options=b"", fragment=0):
    def head(total):
        return struct.pack(">BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), 4711,
                           fragment, 64, proto, total, socket.inet_aton(sender), socket.inet_aton(to)) + options
    return head(checksum(head(0))) + payload


def udp(source, to, payload=MARK):
    return struct.pack(">HHHH", source, to, 8 + len(payload), 0) + payload


def tcp(sender, receiver, to, flags):
    """With its checksum: conntrack looks at it, and a wrong one would be another offence."""
    def segment(total):
        return struct.pack(">HHIIBBHHH", 1234, to, 1, 0, 0x50, flags, 1024, total, 0) + MARK
    pseudo = socket.inet_aton(sender) + socket.inet_aton(receiver) + struct.pack(">HH", 6, len(segment(0)))
    return segment(checksum(pseudo + segment(0)))


def icmp(kind, code, payload=MARK):
    rest = struct.pack(">HH", 1, 1) + payload
    return struct.pack(">BBH", kind, code, checksum(struct.pack(">BBH", kind, code, 0) + rest)) + rest


def arp(operation, sender_mac, sender, to_mac, to):
    return struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation) + sender_mac + socket.inet_aton(sender) + to_mac + \
        socket.inet_aton(to) + MARK


def ip6(payload, next_header):
    local = bytes.fromhex("fe80" + "00" * 13 + "66")
    everyone = bytes.fromhex("ff02" + "00" * 13 + "01")
    return struct.pack(">IHBB", 6 << 28, len(payload), next_header, 255) + local + everyone + payload


def attacks(self_, peer):
    (me, own), (him, his), (gw, gateway) = ((mac(m), a) for m, a in (x.split(",") for x in (self_, peer, GATEWAY)))
    stranger, none = mac("52:54:4e:00:77:77"), b"\0" * 6

    def packet(to, proto, payload, sender=own, **more):
        return eth(gw, me, 0x0800, ip(sender, to, proto, payload, **more))

    def from_mac(sender):
        return eth(gw, sender, 0x0800, ip(own, LAN, 17, udp(9, 9)))

    def speak(to, sender_mac, sender, target_mac, target, operation=2):
        return eth(to, me, 0x0806, arp(operation, sender_mac, sender, target_mac, target))

    inner = ip(own, LAN, 17, udp(9, 9))
    big = udp(9, 9, MARK * 8)
    yield "a second address as sender", "ip", 1, [packet(LAN, 17, udp(9, 9), sender="10.77.0.200")]
    yield "the peer's address as sender", "ip", 1, [packet(LAN, 17, udp(9, 9), sender=his)]
    yield "an outside address as sender", "ip", 1, [packet(own, 17, udp(9, 9), sender=LAN)]
    yield "the gateway's address as sender", "ip", 1, [packet(LAN, 17, udp(9, 9), sender=gateway)]
    yield "the loopback address as sender", "ip", 1, [packet(gateway, 17, udp(9, 9), sender="127.0.0.1")]
    yield "no address as sender", "ip", 1, [packet(LAN, 17, udp(9, 9), sender="0.0.0.0")]
    yield "another MAC", "mac", 1, [from_mac(stranger)]
    yield "the peer's MAC", "mac", 1, [from_mac(him)]
    yield "the gateway's MAC", "mac", 1, [from_mac(gw)]
    yield "a second address announced by ARP", "arp", 1, [speak(BROADCAST, me, "10.77.0.200", BROADCAST, "10.77.0.200")]
    yield "'I am the gateway' to everybody", "arp", 1, [speak(BROADCAST, me, gateway, BROADCAST, gateway)]
    yield "'I am the gateway' to the peer", "arp", 1, [speak(him, me, gateway, him, his)]
    yield "'I am the peer' to the gateway", "arp", 1, [speak(gw, me, his, gw, gateway)]
    yield "an ARP probe for the peer's address", "arp", 1, [speak(BROADCAST, me, "0.0.0.0", none, his, 1)]
    yield "an ARP request with another MAC inside", "arp", 1, [speak(BROADCAST, stranger, own, none, gateway, 1)]
    yield "a DHCP offer", "dhcp", 1, [eth(BROADCAST, me, 0x0800, ip(own, "255.255.255.255", 17, udp(67, 68)))]
    yield "fifty DHCP discovers", "dhcp", 50, \
        [eth(BROADCAST, me, 0x0800, ip("0.0.0.0", "255.255.255.255", 17, udp(68, 67)))] * 50
    yield "an IPv6 router advertisement", "ipv6", 1, [eth(mac("33:33:00:00:00:01"), me, 0x86DD, ip6(icmp(134, 0), 58))]
    yield "an IPv6 neighbour advertisement", "ipv6", 1, [eth(him, me, 0x86DD, ip6(icmp(136, 0), 58))]
    yield "a report of multicast listening", "ipv6", 1, \
        [eth(mac("33:33:00:00:00:16"), me, 0x86DD, ip6(icmp(143, 0), 58))]
    yield "a VLAN tag", "vlan", 1, [eth(gw, me, 0x8100, struct.pack(">HH", 1, 0x0800) + inner)]
    yield "two VLAN tags", "vlan", 1, [eth(gw, me, 0x88A8, struct.pack(">HHHH", 1, 0x8100, 2, 0x0800) + inner)]
    yield "two VLAN tags of the old kind", "vlan", 1, \
        [eth(gw, me, 0x9100, struct.pack(">HHHH", 1, 0x8100, 2, 0x0800) + inner)]
    yield "an unknown protocol", "other", 1, [eth(gw, me, 0x88B5, MARK)]
    yield "STP", "other", 1, [eth(mac("01:80:c2:00:00:00"), me, 38, b"\x42\x42\x03" + b"\0" * 35 + MARK)]
    yield "LLDP", "other", 1, [eth(mac("01:80:c2:00:00:0e"), me, 0x88CC, b"\x02\x07\x04" + me + MARK)]
    yield "EAPOL", "other", 1, [eth(mac("01:80:c2:00:00:03"), me, 0x888E, b"\1\1\0\0" + MARK)]
    yield "an ICMP redirect", "other", 1, [packet(gateway, 1, icmp(5, 1, inner))]
    yield "the record route option", "option", 1, [packet(LAN, 17, udp(9, 9), options=b"\x07\x07\x04\0\0\0\0\0")]
    yield "loose source routing", "option", 1, \
        [packet(LAN, 17, udp(9, 9), options=b"\x83\x07\x04" + socket.inet_aton(his) + b"\0")]
    yield "strict source routing", "option", 1, \
        [packet(LAN, 17, udp(9, 9), options=b"\x89\x07\x04" + socket.inet_aton(his) + b"\0")]
    yield "a timestamp option", "option", 1, [packet(LAN, 17, udp(9, 9), options=b"\x44\x08\x05\0" + b"\0" * 4)]
    yield "fragments", "egress", 1, [packet(FAR, 17, big[:24], fragment=0x2000), packet(FAR, 17, big[24:], fragment=3)]
    yield "a connection in its middle", "invalid", 1, [packet(FAR, 6, tcp(own, FAR, 443, 0x10))]
    yield "multicast", "reserved", 1, [eth(mac("01:00:5e:00:00:fb"), me, 0x0800, ip(own, "224.0.0.251", 17, udp(5353, 5353)))]
    yield "a report of group membership", "reserved", 1, \
        [eth(mac("01:00:5e:00:00:16"), me, 0x0800, ip(own, "224.0.0.22", 2, b"\x22\0\xdd\xff" + b"\0" * 4 + MARK))]
    yield "a DNS question to the dock", "host", 1, [packet(gateway, 17, udp(9, 53))]
    yield "a ping of the dock", "host", 1, [packet(gateway, 1, icmp(8, 0))]
    yield "a ping of the dock's outside address", "host", 1, [packet(DOCK, 1, icmp(8, 0))]
    yield "broadcast to all", "host", 1, [eth(BROADCAST, me, 0x0800, ip(own, "255.255.255.255", 17, udp(9, 9)))]
    yield "broadcast to the subnet", "host", 1, [eth(BROADCAST, me, 0x0800, ip(own, "10.77.255.255", 17, udp(9, 9)))]
    yield "straight to the peer", "peer", 1, [eth(him, me, 0x0800, ip(own, his, 17, udp(9, 9)))]
    yield "to the peer by the gateway", "peer", 1, [packet(his, 17, udp(9, 9))]
    yield "the metadata service", "reserved", 1, [packet(META, 6, tcp(own, META, 80, 2))]
    yield "the dock's own network", "reserved", 1, [packet(LAN, 17, udp(9, 9))]
    yield "TCP to the world", "egress", 1, [packet(FAR, 6, tcp(own, FAR, 443, 2))]
    yield "UDP to the world", "egress", 1, [packet(FAR, 17, udp(9, 53))]
    yield "a tunnel to the world", "egress", 1, [packet(FAR, 47, b"\0\0\x08\0" + inner)]
    yield "ICMP to the world", "egress", 1, [packet(FAR, 1, icmp(8, 0))]
    yield "a port of the dock that leads to the peer", "host", 1, [packet(DOCK, 6, tcp(own, DOCK, 8082, 2))]
    # What rules allow, for the sniffers to see: else their silence would prove nothing.
    yield "+outside", "", 0, [packet(LAN, 17, udp(9, 7001))]
    yield "+peer", "", 0, [packet(his, 17, udp(9, 7001))]
    yield "+over", "", 0, [packet(LAN, 17, udp(9, 7001, OVER)), packet(his, 17, udp(9, 7001, OVER))]


def print_attacks(self_, peer):
    for what, kind, count, frames in attacks(self_, peer):
        orders = [f"frame {f.hex()} {frames.count(f)}" for f in dict.fromkeys(frames)]
        say("\t".join([what, kind or "-", str(count), "|".join(orders)]))


def print_leaks(milliseconds, self_, peer):
    (me, own), (him, his), (gw, gateway) = ((mac(m), a) for m, a in (x.split(",") for x in (self_, peer, GATEWAY)))
    frames = [eth(gw, me, 0x0800, ip(own, to, 17, udp(9, 4445))) for to in (LAN, FAR, META, gateway, DOCK, his)]
    frames += [eth(gw, me, 0x0800, ip(sender, LAN, 17, udp(9, 9))) for sender in (his, "10.77.0.200", FAR)]
    frames += [eth(him, me, 0x0800, ip(own, his, 17, udp(9, 9))), eth(BROADCAST, me, 0x0800, ip(own, "255.255.255.255", 17, udp(9, 4445)))]
    frames += [eth(gw, me, 0x0800, ip(own, LAN, 1, icmp(8, 0))), eth(gw, me, 0x0800, ip(own, gateway, 6, tcp(own, gateway, 4445, 2)))]
    say("flood", milliseconds, *(f.hex() for f in frames))


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
    """Until nothing comes for 1.5 s."""
    last, s_open = None, True
    while s_open and select.select([s], [], [], 1.5)[0]:
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


VERBS = {"names": names, "order": order, "attacks": print_attacks, "sniff": sniff, "serve": serve, "sink": sink,
         "drain": drain, "park": park, "leaks": print_leaks, "hold": hold}

if __name__ == "__main__":
    VERBS[sys.argv[1]](*sys.argv[2:])
