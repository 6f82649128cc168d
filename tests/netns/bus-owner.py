#!/usr/bin/env python3
"""Owns a name on a D-Bus, answers every call with nothing and emits a signal a few times a second.

usage: bus-owner.py SOCKET NAME.  Prints what RequestName said: "owner", or the name of the error; ends with stdin.
Plain sockets, since no D-Bus binding is among the packages that the tests need.
"""
import os
import select
import socket
import struct
import sys


def pad(data, to):
    return data + b"\0" * (-len(data) % to)


def string(text):
    raw = text.encode()
    return struct.pack("<I", len(raw)) + raw + b"\0"


def message(kind, serial, fields, body=b""):
    """fields: (code, signature, value); signatures s, o, g and u are known."""
    head = b""
    for code, signature, value in fields:
        head = pad(head, 8) + struct.pack("<BB", code, 1) + signature.encode() + b"\0"
        if signature == "g":
            head += struct.pack("<B", len(value)) + value.encode() + b"\0"
        else:
            head = pad(head, 4) + (struct.pack("<I", value) if signature == "u" else string(value))
    start = struct.pack("<cBBBIII", b"l", kind, 0, 1, len(body), serial, len(head))
    return pad(start + head, 8) + body


def receive(sock):
    """Returns (kind, serial, fields by code, body)."""
    start = sock.recv(16, socket.MSG_WAITALL)
    if len(start) < 16:
        sys.exit(0)
    _, kind, _, _, body_len, serial, head_len = struct.unpack("<cBBBIII", start)
    head = sock.recv(head_len + -head_len % 8, socket.MSG_WAITALL)
    body = sock.recv(body_len, socket.MSG_WAITALL) if body_len else b""
    fields, at = {}, 0
    while at < head_len:
        at += -at % 8
        code, signature = head[at], chr(head[at + 2])
        at += 4
        if signature == "g":
            fields[code] = head[at + 1 : at + 1 + head[at]].decode()
            at += head[at] + 2
        elif signature == "u":
            at += -at % 4
            fields[code] = struct.unpack_from("<I", head, at)[0]
            at += 4
        else:
            at += -at % 4
            size = struct.unpack_from("<I", head, at)[0]
            fields[code] = head[at + 4 : at + 4 + size].decode()
            at += size + 5
    return kind, serial, fields, body


def bus_call(sock, serial, member, signature="", body=b""):
    fields = [(1, "o", "/org/freedesktop/DBus"), (2, "s", "org.freedesktop.DBus"), (3, "s", member),
              (6, "s", "org.freedesktop.DBus")]
    sock.sendall(message(1, serial, fields + ([(8, "g", signature)] if signature else []), body))
    while True:
        kind, _, fields, body = receive(sock)
        if kind in (2, 3) and fields.get(5) == serial:
            return fields.get(4, ""), body


def main():
    path, name = sys.argv[1:3]
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    sock.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n")
    if not sock.recv(4096).startswith(b"OK"):
        sys.exit("not let in")
    sock.sendall(b"BEGIN\r\n")
    bus_call(sock, 1, "Hello")
    error, body = bus_call(sock, 2, "RequestName", "su", pad(string(name), 4) + struct.pack("<I", 4))
    print(error or ("owner" if body == struct.pack("<I", 1) else "queued"), flush=True)
    if error:
        return
    serial = 3
    while True:
        ready, _, _ = select.select([sock, sys.stdin], [], [], 0.2)
        if sys.stdin in ready:
            return
        if sock in ready:
            kind, call, fields, _ = receive(sock)
            if kind == 1:
                sock.sendall(message(2, serial, [(5, "u", call), (6, "s", fields[7])]))
        sock.sendall(message(4, serial + 1, [(1, "o", "/org/iscdock/Dock1"), (2, "s", name), (3, "s", "Secret")]))
        serial += 2


main()
