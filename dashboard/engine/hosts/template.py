"""A template of private hosts: a data-root with the lab image, prepared once and shared by many hosts.

Small files are copied for each host. The image's layers are mounted read-only into each host, so they exist once on
disk and once in the page cache. A host that removes the image removes only its own mount. If the file system does not
permit such mounts for hosts in user namespaces (``runtimes.sharing_refusal``), each of these hosts gets a copy of the
layers.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import shutil
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import disk, id_ranges, private_host
from dashboard.engine.hosts.programs import engine_options, engine_root, engine_setup, engine_version
from dashboard.engine.hosts.registry import PrivateHost, folders, read
from dashboard.engine.hosts.runtimes import suitable_runtime
from dashboard.engine.images import ensure_image
from dashboard.engine.lab_image import recipe

log = logging.getLogger(__name__)
IMAGES = ("netmodes-lab:1", "nginx")
LAYERS = "overlay2"
#: The names of folders with unfinished templates begin with this.
UNFINISHED = "host-template-new-"
#: Files that must differ between engines or describe the engine that prepared the template.
NOT_SHARED = ("engine-id", "network", "containers", "volumes", "tmp", "runtimes", "swarm", "plugins")
_IMAGE_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class HostTemplate:
    """A finished template. ``folder`` is its data-root. ``layers`` are the paths, relative to ``folder``, of the
    folders with the image's layers. These folders are mounted into each host."""

    folder: Path
    layers: tuple[str, ...]

    def copy_to(self, data: Path, *, with_layers: bool = False) -> None:
        """Copies the template to ``data``, a new data-root. The folders of the layers are empty there unless
        ``with_layers`` is true. Blocks."""
        skipped = set() if with_layers else {str(self.folder / layer) for layer in self.layers}

        def ignore(folder: str, names: list[str]) -> set[str]:
            return set(names) if folder in skipped else set()

        shutil.copytree(self.folder, data, symlinks=True, ignore=ignore)

    def disk_image(self, megabytes: int) -> Path:
        """Returns the image file of a disk of this size, with the content that ``copy_to`` copies. Creates the file if
        it is missing or has a different size. Each host gets a copy of the file.

        The files on the disk belong to root of this machine. The first start of a host makes the host their owner
        (``user_namespace.boot``). Blocks. Raises OSError.
        """
        image = self.folder.with_suffix(".disk")
        with _IMAGE_LOCK:
            if not image.exists() or image.stat().st_size != megabytes << 20:
                with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=self.folder.parent) as place:
                    data, new = Path(place, "data"), Path(place, "disk")
                    self.copy_to(data)
                    disk.make(data, new, megabytes)
                    new.replace(image)
        return image

    @property
    def mounts(self) -> str:
        """One line for each layer: the folder to mount, and its mount point relative to the host's data-root."""
        return "".join(f"{self.folder / layer} {layer}\n" for layer in self.layers)


async def host_template(data_dir: Path) -> HostTemplate:
    """Returns the template for the current lab image and engine. If it is missing, creates it, which takes a few
    seconds, and removes templates that no host uses. Do not call it concurrently, and only with the lock of the data
    folder (``LabLock``), because it ends the preparation of other processes.

    Raises PrivateHostError or EngineError if the template cannot be created.
    """
    folder = await asyncio.to_thread(_place, data_dir)
    await _remove_unfinished(folder.parent)
    template = await asyncio.to_thread(_read, folder)
    if template is None:
        await _make(data_dir, folder)
        await asyncio.to_thread(_prune, data_dir, folder)
        template = await asyncio.to_thread(_read, folder)
    if template is None:
        raise private_host.PrivateHostError(f"The template of private hosts in {folder} is incomplete: try again.")
    return template


def _place(data_dir: Path) -> Path:
    version = f"{engine_version(engine_root())} {suitable_runtime(engine_setup(), engine_options())}"
    cache = data_dir.absolute() / "cache"
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    return cache / f"host-template-{hashlib.sha256(f'{recipe()} {version}\n'.encode()).hexdigest()[:12]}"


def _read(folder: Path) -> HostTemplate | None:
    found = sorted(str(one.relative_to(folder)) for one in (folder / LAYERS).glob("*/diff"))
    return HostTemplate(folder, tuple(found)) if found else None


async def _remove_unfinished(cache: Path) -> None:
    """Removes templates that are unfinished because the server was killed, and the hosts that were started for them.
    Nothing else removes these hosts, because they are not in the data folder's ``hosts``."""
    for left in await asyncio.to_thread(_unfinished, cache):
        try:
            await private_host.stop_all(left)
            await asyncio.to_thread(shutil.rmtree, left)
        except OSError as error:
            log.warning("the unfinished template of private hosts in %s cannot be removed: %s", left, error)


def _unfinished(cache: Path) -> list[Path]:
    return list(cache.glob(f"{UNFINISHED}*"))


async def _make(data_dir: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=folder.parent) as place:
        host = await private_host.start(Path(place), daemon={"storage-driver": "overlay2"}, is_disk_limited=False)
        try:
            async with DockerEngine(host.endpoint, timeout_s=60) as engine:
                for image in IMAGES:
                    await ensure_image(engine, image, data_dir, lambda _text, _fraction: None, private=True)
            await private_host.end_engine(host)
            await asyncio.to_thread(_finish, host, folder)
        finally:
            await private_host.stop(host)


def _finish(host: PrivateHost, folder: Path) -> None:
    for path in (host.data / name for name in NOT_SHARED):
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
    # The files get ids of this machine, which each host that uses the template maps to its own.
    id_ranges.shift(host.data, host.owner, 0)
    host.data.replace(folder)


def _prune(data_dir: Path, keep: Path) -> None:
    used = {str(read(folder).get("template", "")) for folder in folders(data_dir)}
    for old in keep.parent.glob("host-template-*"):
        if old.suffix or old == keep or str(old) in used or old.name.startswith(UNFINISHED):
            continue
        old.with_suffix(".disk").unlink(missing_ok=True)
        shutil.rmtree(old, ignore_errors=True)
