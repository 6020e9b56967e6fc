"""Runs ufw, from the distribution's package, on one private host.

The package is unpacked into the cache and copied for each host, because ufw keeps its rules beside its program. ufw
runs with the machine's Python and iptables in the host's network namespace (ufw(8), ``--rootdir`` and ``--datadir``);
nothing is installed on the machine.
"""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dashboard.engine.lab_image import build_lock, download_packages, unpack

PACKAGE = "ufw"
PYTHON_MODULES = "usr/lib/python3/dist-packages"
#: The files that the package's installation script creates from its own (ufw.postinst).
RULES = ("before", "before6", "after", "after6", "user", "user6")


def unpacked_package(cache: Path) -> Path:
    """Returns the folder in ``cache`` with the unpacked package. Downloads the package the first time. Blocks. Raises
    LabImageUnavailableError if the package cannot be downloaded."""
    place = cache / PACKAGE
    if place.exists():
        return place
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with build_lock(cache), tempfile.TemporaryDirectory(prefix="ufw-new-", dir=cache) as folder:
        if not place.exists():
            tree = Path(folder) / "tree"
            for package in download_packages([PACKAGE], Path(folder), cache):
                unpack(package, tree)
            _configure(tree)
            tree.replace(place)
    return place


def _configure(tree: Path) -> None:
    share, config = tree / "usr/share/ufw", tree / "etc/ufw"
    for name in RULES:
        shutil.copy(share / "iptables" / f"{name}.rules", config)
    shutil.copy(share / "ufw.conf", config)
    if not (tree / "lib").exists():
        (tree / "lib").symlink_to("usr/lib")


def _copy_package(package: Path, root: Path, cache: Path) -> None:
    """Copies the folder ``package`` to ``root``, completely or not at all. Meanwhile holds the lock on ``cache``."""
    with build_lock(cache), tempfile.TemporaryDirectory(prefix="ufw-new-", dir=root.parent) as folder:
        if not root.exists():
            tree = Path(folder) / "tree"
            shutil.copytree(package, tree, symlinks=True)
            tree.replace(root)


def ufw_command(root: Path, cache: Path, arguments: Sequence[str]) -> list[str]:
    """Returns the command that runs ufw with these arguments. ``root`` is the folder with the host's own copy of the
    package and its rules. It is created if it does not exist. ``cache`` is the folder that contains the unpacked
    package. Blocks. Raises LabImageUnavailableError if the package cannot be downloaded."""
    if not root.exists():
        _copy_package(unpacked_package(cache), root, cache)
    modules = f"PYTHONPATH={root / PYTHON_MODULES}"
    python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
    options = [f"--rootdir={root}", f"--datadir={root}"]
    return ["env", modules, python, str(root / "usr/sbin/ufw"), *options, *arguments]
