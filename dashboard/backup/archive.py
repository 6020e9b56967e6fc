"""The file of a backup: a compressed tar with ``manifest.json`` first, written and read as a stream."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import msgspec

from dashboard.core.operations.backup_manifest import BackedUp, Manifest, say_size

MANIFEST = "manifest.json"
MOST_MANIFEST = 1 << 20
CHUNK = 1 << 20
#: Room that is left to others on the disk.
SPARE = 16 << 20


class BackupError(Exception):
    """It cannot be made or restored; ``str()`` is a sentence."""


def described(name: str, path: Path) -> BackedUp:
    """A file as it goes into a manifest."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return BackedUp(name, path.stat().st_size, digest.hexdigest())


def write_archive(target: Path, manifest: Manifest, files: Mapping[str, Path]) -> None:
    """Makes the file, readable by its owner alone, complete or not at all. It must not be there yet; OSError."""
    part = target.with_name(f"{target.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        with os.fdopen(descriptor, "wb") as raw:
            with tarfile.open(fileobj=raw, mode="w|gz") as tar:
                _add(tar, MANIFEST, io.BytesIO(said := msgspec.json.encode(manifest)), len(said))
                for one in manifest.files:
                    with files[one.name].open("rb") as content:
                        _add(tar, one.name, content, one.size)
            raw.flush()
            os.fsync(raw.fileno())
        try:
            # Not over a file that came meanwhile: a backup is nothing to lose.
            os.link(part, target)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            part.rename(target)
        sync_folder(target.parent)
    finally:
        part.unlink(missing_ok=True)


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    tar.addfile(info, content)


def sync_folder(folder: Path) -> None:
    """Makes new names in it outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # some file systems cannot
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _damage_is_a_sentence(source: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, msgspec.DecodeError, UnicodeError) as error:
        raise BackupError(f"{source} is damaged, or is no backup of Netmodes ({error}).") from None


class Archive:
    """A backup that is read. The manifest is there at once; the rest comes with ``extract``."""

    def __init__(self, source: Path, tar: tarfile.TarFile, manifest: Manifest) -> None:
        self._source = source
        self._tar = tar
        self.manifest = manifest

    def extract(self, folder: Path) -> dict[str, Path]:
        """Writes every file into ``folder``, each compared with its sum; BackupError if one differs or is missing."""
        free = shutil.disk_usage(folder).free
        if self.manifest.size + SPARE > free:
            room, needed = say_size(max(1, free - SPARE)), say_size(self.manifest.size)
            raise BackupError(f"{folder} has room for {room}, the backup needs {needed}.")
        wanted = {one.name: one for one in self.manifest.files}
        found: dict[str, Path] = {}
        with _damage_is_a_sentence(self._source):
            while (member := self._tar.next()) is not None:
                one = wanted.get(member.name)
                if one is None or member.name in found or not member.isreg() or member.size != one.size:
                    raise BackupError(f"{self._source} is damaged: {member.name[:60]} is not what its list says.")
                found[member.name] = self._extract(member, one, folder)
        if missing := sorted(wanted.keys() - found.keys()):
            raise BackupError(f"{self._source} is damaged: {missing[0]} is missing.")
        return found

    def _extract(self, member: tarfile.TarInfo, one: BackedUp, folder: Path) -> Path:
        path, digest, size = folder / one.name, hashlib.sha256(), 0
        content = self._tar.extractfile(member)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            while content is not None and (chunk := content.read(CHUNK)):
                size += len(chunk)
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if (size, digest.hexdigest()) != (one.size, one.sha256):
            raise BackupError(f"{self._source} is damaged: the sum of {one.name} differs.")
        return path


@contextmanager
def read_archive(source: Path) -> Iterator[Archive]:
    """Opens a backup; BackupError if it is none, OSError if it cannot be read."""
    with source.open("rb") as raw, _damage_is_a_sentence(source), tarfile.open(fileobj=raw, mode="r|gz") as tar:
        first = tar.next()
        if first is None or first.name != MANIFEST or first.size > MOST_MANIFEST:
            raise BackupError(f"{source} is no backup of Netmodes: its list is not where it should be.")
        content = tar.extractfile(first)
        manifest = msgspec.json.decode(content.read(MOST_MANIFEST) if content else b"", type=Manifest)
        names = [one.name for one in manifest.files]
        if len(names) != len(set(names)) or any("/" in name or name.startswith(".") or not name for name in names):
            raise BackupError(f"{source} is damaged: its list names a file that no backup has.")
        yield Archive(source, tar, manifest)
