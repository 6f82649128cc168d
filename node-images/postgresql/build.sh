#!/bin/sh
# The package makes a database of its own at installation: it would be the same for all nodes of the image, and another
# one in each build.
set -eu
rm -rf /var/lib/postgresql/15 /etc/postgresql/15 /etc/postgresql-common/createcluster.conf
rm -rf /usr/lib/postgresql/15/lib/bitcode
