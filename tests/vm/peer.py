#!/usr/bin/env python3
"""The dock's end of a node's three ports, for tests: speaks the protocol of dock/collector/wire.h.

usage: peer.py [--listen] [--no-ack] DIR

DIR holds audit.sock, log.sock and control.sock: QEMU listens on them, or (--listen) connects to them.
stdout: one JSON object a line:
  {"ms": 12, "ch": "audit", "is": "record", "seq": 1, "type": 1309, "text": "audit(…): …"}
  {"ms": 12, "ch": "control", "is": "event", "seq": 1, "kind": "BOOTED", "a": 0, "b": 0, "c": 0, "d": 950}
  {"ms": 12, "ch": "log", "is": "open" | "closed" | "gap" | "again" | "garbage" …}
stdin: one command a line:
  freeze ID MS | thaw ID | poweroff ID MS | check ID MS     orders
  disconnect CH | connect CH                  CH: audit, log, control or all
  ack on | ack off                            keep the node waiting for its acknowledgements
  forget                                      the next connection says RESUME 0 0, as a dock that lost its disk
  raw CH HEX                                  bytes as they are
  quit
"""
import argparse
import base64
import json
import os
import select
import socket
import struct
import sys
import time

MAGIC, HEADER = 0x31435349, struct.Struct("<IIQQHHI")
RESUME, ACK, RECORDS, EVENT, ORDER = 1, 2, 16, 32, 48
PAYLOAD_MAX = 32768 - HEADER.size
KINDS = ["NONE", "BOOTED", "STARTED", "READY", "STOPPED", "HEARTBEAT", "FROZEN", "THAWED", "FAILED", "BYE",
         "UNHEALTHY", "CHECKED"]
LOST = 0xFFFF
START = time.monotonic()


def say(channel, what, **more):
    line = {"ms": int((time.monotonic() - START) * 1000), "ch": channel, "is": what}
    line.update(more)
    print(json.dumps(line), flush=True)


def frame(kind, session=0, seq=0, payload=b""):
    return HEADER.pack(MAGIC, len(payload), session, seq, kind, 0, 0) + payload


def text_of(data):
    try:
        return {"text": data.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


class Channel:
    """One port: its connection, and what is 'on disk' (session, last)."""

    def __init__(self, name, path, listen, ack):
        self.name, self.path, self.ack = name, path, ack
        self.listener = self.sock = None
        self.wanted = True
        self.session = self.last = 0
        self.buf = bytearray()
        if listen:
            if os.path.exists(path):
                os.unlink(path)
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.listener.bind(path)
            self.listener.listen(1)

    def connect(self):
        """Called now and again while there is no connection."""
        if self.sock or not self.wanted:
            return
        sock = None
        try:
            if self.listener:
                self.listener.setblocking(False)
                sock = self.listener.accept()[0]
            else:
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                sock.connect(self.path)
        except OSError:
            if sock:
                sock.close()
            return
        self.sock = sock
        self.buf.clear()
        say(self.name, "open", session=self.session, last=self.last)
        self.send(frame(RESUME, self.session, self.last))

    def close(self):
        if self.sock:
            self.sock.close()
            self.sock = None
            say(self.name, "closed")

    def send(self, data):
        try:
            if self.sock:
                self.sock.sendall(data)
        except OSError:
            self.close()

    def read(self):
        try:
            data = self.sock.recv(262144)
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self.buf += data
        before = self.last
        while self.take():
            pass
        if self.ack and self.last != before:
            self.send(frame(ACK, self.session, self.last))

    def take(self):
        """One frame out of the buffer; False when there is no whole one."""
        while len(self.buf) >= HEADER.size:
            magic, length, session, seq, kind, count, zero = HEADER.unpack_from(self.buf)
            if magic == MAGIC and length <= PAYLOAD_MAX and session and not zero:
                break
            say(self.name, "garbage", byte=self.buf[0])
            del self.buf[0]
        else:
            return False
        if len(self.buf) < HEADER.size + length:
            return False
        payload = bytes(self.buf[HEADER.size:HEADER.size + length])
        del self.buf[:HEADER.size + length]
        if session != self.session:
            say(self.name, "session", session=session)
            self.session, self.last = session, 0
        if seq <= self.last:
            say(self.name, "again", seq=seq)
            return True
        if seq > self.last + 1 and self.last:
            say(self.name, "gap", seq=seq, last=self.last)
        self.last = seq
        if kind == RECORDS:
            self.records(seq, count, payload)
        elif kind == EVENT:
            number, _, a, b, c, d = struct.unpack("<IIqqqq", payload)
            name = KINDS[number] if number < len(KINDS) else str(number)
            say(self.name, "event", seq=seq, kind=name, a=a, b=b, c=c, d=d)
        else:
            say(self.name, "unknown", seq=seq, type=kind)
        return True

    def records(self, seq, count, payload):
        at = found = 0
        while at + 4 <= len(payload):
            kind, length = struct.unpack_from("<HH", payload, at)
            data = payload[at + 4:at + 4 + length]
            at += 4 + length
            found += 1
            if kind == LOST:
                say(self.name, "lost", seq=seq, count=int(data))
            else:
                say(self.name, "record", seq=seq, type=kind, **text_of(data))
        if at != len(payload) or found != count:
            say(self.name, "bad", seq=seq)


def order(channels, kind, ident, arg=0):
    channels["control"].send(frame(ORDER, payload=struct.pack("<IIq", kind, ident, arg)))


def command(channels, words):
    """Carries out one line of stdin; False to end."""
    verb = words[0] if words else ""
    if verb == "quit":
        return False
    if verb == "freeze":
        order(channels, 1, int(words[1]), int(words[2]))
    elif verb == "thaw":
        order(channels, 2, int(words[1]))
    elif verb == "poweroff":
        order(channels, 3, int(words[1]), int(words[2]))
    elif verb == "check":
        order(channels, 4, int(words[1]), int(words[2]))
    elif verb in ("disconnect", "connect"):
        for c in channels.values():
            if words[1] in (c.name, "all"):
                c.wanted = verb == "connect"
                if not c.wanted:
                    c.close()
    elif verb == "ack":
        for c in channels.values():
            c.ack = words[1] == "on"
            if c.ack:
                c.send(frame(ACK, c.session, c.last))
    elif verb == "forget":
        for c in channels.values():
            c.session = c.last = 0
    elif verb == "raw":
        channels[words[1]].send(bytes.fromhex(words[2]))
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", action="store_true")
    parser.add_argument("--no-ack", action="store_true")
    parser.add_argument("dir")
    args = parser.parse_args()
    channels = {n: Channel(n, os.path.join(args.dir, n + ".sock"), args.listen, not args.no_ack)
                for n in ("audit", "log", "control")}
    stdin, pending = sys.stdin.fileno(), b""
    while True:
        for c in channels.values():
            c.connect()
        busy = {c.sock: c for c in channels.values() if c.sock}
        waiting = any(c.wanted and not c.sock for c in channels.values())
        ready = select.select([stdin] + list(busy), [], [], 0.02 if waiting else None)[0]
        for sock in ready:
            if sock != stdin and busy[sock].sock is sock:
                busy[sock].read()
        if stdin in ready:
            data = os.read(stdin, 4096)
            if not data:
                return
            pending += data
            *lines, pending = pending.split(b"\n")
            for line in lines:
                if not command(channels, line.decode().split()):
                    return


if __name__ == "__main__":
    main()
