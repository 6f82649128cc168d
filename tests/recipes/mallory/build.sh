#!/bin/busybox sh
# The user, and a large file that is nothing but zeroes: it costs nothing in the image and takes long to download.
set -e
echo 'mallory:x:900:900::/nonexistent:/bin/false' >>/etc/passwd
echo 'mallory:x:900:' >>/etc/group
mkdir -p /srv
dd if=/dev/zero of=/srv/big bs=1M count=256
