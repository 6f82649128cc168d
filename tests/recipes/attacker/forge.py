"""Sends the frames that it is told to: each line that comes in is Python, with scapy's layers and these at hand.

    names(NAME=VALUE…)           for the lines to come; at least me, own, gw: our MAC and address, the gateway's MAC
    send(FRAME…, count=1)        all of them, so often           sent N
    flood(MS, FRAME…)            in turn, for so long            sent N
    ip(TO, …)                    a packet of ours to the gateway, but for what is said of its IP header

It says "ready" once, and answers each line by one.  Only layers that are used are imported: all of them take a minute
on an emulated CPU."""
import socket
import sys
import time

from scapy.layers.inet import (ICMP, IP, TCP, UDP, IPOption_LSRR, IPOption_RR, IPOption_SSRR, IPOption_Timestamp,
                               fragment)
from scapy.layers.inet6 import ICMPv6MLReport2, ICMPv6ND_NA, ICMPv6ND_RA, IPv6
from scapy.layers.l2 import ARP, GRE, LLC, STP, Dot1AD, Dot1Q, Dot3, Ether
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.eap import EAPOL
from scapy.contrib.igmp import IGMP
from scapy.contrib.lldp import (LLDPDUChassisID, LLDPDUEndOfLLDPDU, LLDPDUPortID, LLDPDUSystemDescription,
                                LLDPDUTimeToLive)
from scapy.packet import Raw

MARK, OVER = Raw(b"ISC-LEAK"), Raw(b"ISC-OVER")
BROADCAST = "ff:ff:ff:ff:ff:ff"

def names(**values):
    globals().update(values)
    return "named"


def ip(to, **header):
    return Ether(src=me, dst=gw) / IP(**{"src": own, "dst": to, **header})


def put(frame):
    while True:
        try:
            return wire.send(frame)
        except BlockingIOError:
            time.sleep(0.001)
        except OSError as e:
            if e.errno != 105:  # ENOBUFS: the queue is full
                raise
            time.sleep(0.001)


def send(*frames, count=1):
    frames = [bytes(f) for f in frames]
    for _ in range(count):
        for f in frames:
            put(f)
    return f"sent {count * len(frames)}"


def flood(ms, *frames):
    frames, sent, end = [bytes(f) for f in frames], 0, time.monotonic() + ms / 1000
    while time.monotonic() < end:
        put(frames[sent % len(frames)])
        sent += 1
        time.sleep(0.0005)
    return f"sent {sent}"


if __name__ == "__main__":
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((sys.argv[1], 0))
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            print(eval(line), flush=True)
        except Exception as e:  # whoever gave the order reads it
            print("error", repr(e), flush=True)
