"""Whether hosts in user namespaces can share the layers of a template: by idmapped mounts (mount_setattr(2)), which not
every file system permits."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

from dashboard.engine.hosts.runtimes import SEARCH_PATH

TIMEOUT_S = 10.0
FIRST_ID = 524288
#: Mounts a new folder below $1, which the machine's root owns, with other ids onto itself, and prints its owner then.
PROBE = f"""
folder=$(mktemp -d "$1/.probe.XXXXXX")
unshare --user --map-users=0:{FIRST_ID}:2 --map-groups=0:{FIRST_ID}:2 --setuid 0 --setgid 0 -- sleep {TIMEOUT_S:.0f} &
holder=$!
trap 'kill $holder; ! mountpoint -q "$folder" || umount "$folder"; rmdir "$folder"' EXIT
until grep -qs " {FIRST_ID} " /proc/$holder/uid_map && grep -qs " {FIRST_ID} " /proc/$holder/gid_map; do
    kill -0 $holder
    sleep 0.005
done
mount -o "bind,ro,X-mount.idmap=/proc/$holder/ns/user" "$folder" "$folder"
stat -c %u "$folder"
"""


class _RefusedError(Exception):
    """Layers cannot be shared; ``str()`` states the reason."""


def sharing_refusal(folder: Path) -> str:
    """Why layers below this folder cannot be shared, so that each host needs a copy; empty if they can. Blocks."""
    try:
        _mount_with_other_ids(folder)
    except _RefusedError as error:
        return str(error)[:200]
    return ""


@functools.cache
def _mount_with_other_ids(folder: Path) -> None:
    """Run the probe. Only a success is cached: an exception is not. Raises _RefusedError."""
    command = ["unshare", "--mount", "--propagation", "private", "--", "/bin/sh", "-eu", "-c", PROBE, "sh", str(folder)]
    environment = {"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=TIMEOUT_S, env=environment
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise _RefusedError(error) from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise _RefusedError(lines[0].rpartition(".probe.")[2][8:] if lines else f"exit status {done.returncode}")
    if done.stdout.strip() != str(FIRST_ID):
        raise _RefusedError("mount(8) ignores X-mount.idmap, which needs util-linux 2.39")
