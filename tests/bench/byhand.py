"""A node made by hand, for the benchmarks to compare with: what a shell script would do by qemu-img and virsh."""
import os
import pathlib
import re
import socket
import subprocess
import time
import uuid

PEER_IP, PEER_GATEWAY, PEER_TAP, PEER_MAC, PEER_UID = "10.99.0.2", "10.99.0.1", "peert0", "52:54:4e:01:00:02", 1900065500
PEER_DIR = "/var/lib/isc-dock-peer"
STOCK_WORDS = "console=ttyS0 panic=-1 audit=1 audit_backlog_limit=8192"


def run(*argv, **more):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, " ".join(argv) + ": " + done.stderr.strip())
    return done.stdout


class Peer:
    """A node made by hand, from the XML of one of ours."""

    def __init__(self, xml):
        self.uuid, self.secret = str(uuid.uuid4()), str(uuid.uuid4())
        self.disk = pathlib.Path(f"{PEER_DIR}/overlay")
        os.makedirs(PEER_DIR, mode=0o711, exist_ok=True)
        config = f"{PEER_DIR}/config"
        pathlib.Path(config).write_text(f"node=peer\nhostname=peer\nmachine-id={uuid.uuid4().hex}\naddress={PEER_IP}/24\n"
                                        f"gateway={PEER_GATEWAY}\nmac={PEER_MAC}\nprofile=strict\n")
        os.chown(config, PEER_UID, PEER_UID)
        for pattern, to in ((r"<name>.*?</name>", "<name>peer</name>"), (r"<uuid>.*?</uuid>", f"<uuid>{self.uuid}</uuid>"),
                            (r"<metadata>.*?</metadata>", ""), (r"dev='isct\d+'", f"dev='{PEER_TAP}'"),
                            (r"address='52:54:[^']*'", f"address='{PEER_MAC}'"),
                            (r"<label>.*?</label>", f"<label>+{PEER_UID}:+{PEER_UID}</label>"),
                            (r"file='[^']*/config'", f"file='{config}'"), (r"file='[^']*overlay[^']*'", f"file='{PEER_DIR}/overlay'"),
                            (r"(<secret type='passphrase' uuid=)'[^']*'", rf"\1'{self.secret}'")):
            xml = re.sub(pattern, to, xml, flags=re.S)
        self.ours = xml
        # What a script would write: a full machine, and no word to the kernel that it does not need.
        stock = re.sub(r"<cmdline>.*?</cmdline>", f"<cmdline>{STOCK_WORDS}</cmdline>", xml, flags=re.S)
        stock = re.sub(r"<cpu .*?</cpu>", "", stock, flags=re.S)
        stock = stock.replace("machine='microvm'", "machine='q35'").replace("<address type='virtio-mmio'/>", "")
        self.stock = stock.replace("<controller type='usb' index='0' model='none'/>", "")

    def plug_in(self):
        """Its tap, on a bridge of its own."""
        run("ip", "link", "add", "peer0", "type", "bridge")
        run("ip", "addr", "add", f"{PEER_GATEWAY}/24", "dev", "peer0")
        run("ip", "link", "set", "peer0", "up")
        run("ip", "tuntap", "add", PEER_TAP, "mode", "tap")
        run("ip", "link", "set", PEER_TAP, "master", "peer0", "up")

    def overlay(self, *options):
        key = os.urandom(32).hex()
        path, keyfile = str(self.disk), f"{PEER_DIR}/key"
        pathlib.Path(keyfile).write_text(key)
        # It fails at random ("Unable to get accurate CPU usage"): a script would try again as well.
        for attempt in range(15):
            done = subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "--object", f"secret,id=s,file={keyfile}", "-o",
                                   ",".join(("encrypt.format=luks", "encrypt.key-secret=s") + options), path, "64M"],
                                  stderr=subprocess.DEVNULL)
            if done.returncode == 0:
                break
        os.chown(path, PEER_UID, PEER_UID)
        os.chmod(path, 0o600)
        xml = (f"<secret ephemeral='yes' private='yes'><uuid>{self.secret}</uuid>"
               "<usage type='volume'><volume>peer</volume></usage></secret>")
        run("virsh", "-q", "secret-define", "/dev/stdin", input=xml)
        run("virsh", "-q", "secret-set-value", self.secret, "--file", keyfile, "--plain")

    def define(self, xml):
        run("virsh", "-q", "define", "/dev/stdin", input=xml)

    def start(self):
        run("virsh", "-q", "start", "peer")

    def answer(self, port):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                with socket.create_connection((PEER_IP, port), 0.2) as s:
                    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    s.settimeout(2)
                    if s.recv(16).startswith(b"HTTP/"):
                        return
            except OSError:
                time.sleep(0.01)
        raise RuntimeError("the peer's service does not answer")

    def away(self):
        for words in (["destroy", "peer"], ["undefine", "peer"], ["secret-undefine", self.secret]):
            subprocess.run(["virsh", "-q", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.disk.unlink(missing_ok=True)
