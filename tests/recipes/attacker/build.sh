#!/bin/busybox sh
set -e
echo 'attacker:x:900:900::/nonexistent:/bin/false' >>/etc/passwd
echo 'attacker:x:900:' >>/etc/group
# What the packages' scripts would have done.
ln -s blas/libblas.so.3 /usr/lib/x86_64-linux-gnu/libblas.so.3
# Python compiles what it imports, and cannot keep it in a read-only root: a minute at each start, emulated.
python3 -B - <<'END'
import py_compile
import sys

sys.path.insert(0, "/usr/lib/attacker")
import forge  # and with it all that it imports

for module in list(sys.modules.values()):
    source = getattr(module, "__file__", None) or ""
    if source.endswith(".py"):
        py_compile.compile(source, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
END
