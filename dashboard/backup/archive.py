"""The file of a backup: a compressed tar archive that starts with ``manifest.json``. It is written and read as a
stream."""

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

from dashboard.core.operations.backup_manifest import BackupFile, Manifest
from dashboard.core.operations.storage import format_size

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 1 << 20
CHUNK = 1 << 20
#: Free space on the disk that a restore does not use.
RESERVED_BYTES = 16 << 20


class BackupError(Exception):
    """A backup cannot be made or restored. ``str()`` is a message for the user."""


def manifest_entry(name: str, path: Path) -> BackupFile:
    """Returns the manifest's entry for a file: its name in the backup, its size and its SHA-256."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return BackupFile(name, path.stat().st_size, digest.hexdigest())


def write_archive(target: Path, manifest: Manifest, files: Mapping[str, Path], folder: Path) -> None:
    """Writes a backup, completely or not at all. Only its owner can read it. ``files`` maps names in the manifest to
    paths. ``folder`` is a temporary folder of this backup, in the file system of ``target``. Raises OSError if the file
    cannot be written or exists already."""
    part = folder / "archive"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as raw:
        with tarfile.open(fileobj=raw, mode="w|gz") as tar:
            encoded = msgspec.json.encode(manifest)
            _add(tar, MANIFEST, io.BytesIO(encoded), len(encoded))
            for entry in manifest.files:
                with files[entry.name].open("rb") as content:
                    _add(tar, entry.name, content, entry.size)
        raw.flush()
        os.fsync(raw.fileno())
    try:
        # Never overwrites a file that was created meanwhile.
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        part.rename(target)
    sync_folder(target.parent)


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    tar.addfile(info, content)


def sync_folder(folder: Path) -> None:
    """Synchronizes the folder with the disk, so that new and renamed files in it survive a crash."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # some file systems do not support it
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _damage_as_error(source: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, msgspec.DecodeError, UnicodeError) as error:
        raise BackupError(f"{source} is damaged, or is not a backup of Netmodes ({error}).") from None


class Archive:
    """An open backup. Its manifest has been read; ``extract`` reads the rest."""

    def __init__(self, source: Path, tar: tarfile.TarFile, manifest: Manifest) -> None:
        self._source = source
        self._tar = tar
        self.manifest = manifest

    def extract(self, folder: Path) -> dict[str, Path]:
        """Writes all files of the backup into the folder. Returns the path of each by its name in the backup. Raises
        BackupError if a file is missing, differs from the manifest, or does not fit on the disk."""
        free = shutil.disk_usage(folder).free
        if self.manifest.size + RESERVED_BYTES > free:
            available, needed = format_size(max(1, free - RESERVED_BYTES)), format_size(self.manifest.size)
            raise BackupError(f"Not enough space in {folder}: the backup needs {needed}, {available} is free.")
        entries = {entry.name: entry for entry in self.manifest.files}
        extracted: dict[str, Path] = {}
        with _damage_as_error(self._source):
            while (member := self._tar.next()) is not None:
                entry = entries.get(member.name)
                if entry is None or member.name in extracted or not member.isreg() or member.size != entry.size:
                    raise BackupError(f"{self._source} is damaged: {member.name[:60]} does not match its manifest.")
                extracted[member.name] = self._extract(member, entry, folder)
        if missing := sorted(entries.keys() - extracted.keys()):
            raise BackupError(f"{self._source} is damaged: {missing[0]} is missing.")
        return extracted

    def _extract(self, member: tarfile.TarInfo, entry: BackupFile, folder: Path) -> Path:
        path, digest, size = folder / entry.name, hashlib.sha256(), 0
        content = self._tar.extractfile(member)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            while content is not None and (chunk := content.read(CHUNK)):
                size += len(chunk)
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if (size, digest.hexdigest()) != (entry.size, entry.sha256):
            raise BackupError(f"{self._source} is damaged: the checksum of {entry.name} differs.")
        return path


@contextmanager
def read_archive(source: Path) -> Iterator[Archive]:
    """Opens a backup and reads its manifest. Raises BackupError if the file is not a backup or is damaged, OSError if
    it cannot be read."""
    with source.open("rb") as raw, _damage_as_error(source), tarfile.open(fileobj=raw, mode="r|gz") as tar:
        first = tar.next()
        if first is None or first.name != MANIFEST or first.size > MAX_MANIFEST_BYTES:
            raise BackupError(f"{source} is not a backup of Netmodes: it does not start with a manifest.")
        content = tar.extractfile(first)
        manifest = msgspec.json.decode(content.read(MAX_MANIFEST_BYTES) if content else b"", type=Manifest)
        names = [entry.name for entry in manifest.files]
        if len(names) != len(set(names)) or any("/" in name or name.startswith(".") or not name for name in names):
            raise BackupError(f"{source} is damaged: its manifest has an invalid file name.")
        yield Archive(source, tar, manifest)
