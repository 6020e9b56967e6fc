"""Workshops on disk: the built-in ones and those of this installation, read whole or not at all.

Only plain files directly in the folder are read, never through a link, each bounded in size.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dashboard.core.workshops.model import Problem, Workshop
from dashboard.core.workshops.parser import HEAD, Loaded, load

BUILT_IN = Path(__file__).resolve().parents[2] / "workshops"
MOST_FILES = 64
MOST_BYTES = 32 * 1024
MOST_WORKSHOPS = 100


@dataclass(frozen=True, slots=True)
class Shelved:
    """A workshop's folder with what came of reading it. ``own`` is false for the built-in ones."""

    name: str
    loaded: Loaded
    own: bool

    @property
    def workshop(self) -> Workshop | None:
        """The workshop, None where something is wrong with it."""
        return self.loaded.workshop


def read_folder(path: Path, *, follow: bool = True) -> Loaded:
    """A workshop's folder. Everything that is wrong is a problem; nothing is raised. ``follow`` takes a link to it."""
    files: dict[str, str] = {}
    problems: list[Problem] = []
    try:
        with _opened(path, os.O_DIRECTORY | (0 if follow else os.O_NOFOLLOW)) as folder:
            names = sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208 - by descriptor
            if len(names) > MOST_FILES:
                return _refused(f"there are {len(names)} files: at most {MOST_FILES} are read.")
            for name in names:
                text = _text(folder, name)
                if isinstance(text, Problem):
                    problems.append(text)
                else:
                    files[name] = text
    except NotADirectoryError:
        return _refused("this is no folder: give the folder that holds workshop.toml.", path.name)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        return _refused(f"the folder cannot be read: {reason or 'its name has a NUL character'}.", path.name)
    if problems:
        # What could not be read is not there: other problems would only follow from that.
        return Loaded(None, tuple(problems))
    return load(printable(path.resolve().name), files)


def _refused(sentence: str, file: str = HEAD) -> Loaded:
    return Loaded(None, (Problem(printable(file), 0, sentence),))


def printable(name: str) -> str:
    """A file's name as it can be shown: names are bytes and may hold anything."""
    return "".join(char if char.isprintable() and not "\ud800" <= char <= "\udfff" else "�" for char in name)[:100]


@contextmanager
def _opened(path: str | Path, flags: int, folder: int | None = None) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _text(folder: int, name: str) -> str | Problem:
    shown = printable(name)
    try:
        with _opened(name, os.O_NOFOLLOW, folder) as opened:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                return Problem(shown, 0, "only plain files may lie in a workshop's folder.")
            content = b"".join(iter(lambda: os.read(opened, MOST_BYTES), b"")) if _is_small(opened) else None
    except OSError as error:
        link = "links are not followed: put the file itself here." if Path(name).name == name else ""
        return Problem(shown, 0, link if error.errno == _LOOP else f"it cannot be read: {error.strerror}.")
    if content is None or len(content) > MOST_BYTES:
        return Problem(shown, 0, f"it is larger than {MOST_BYTES // 1024} KiB.")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        return Problem(shown, content[: error.start].count(b"\n") + 1, "this is not UTF-8.")


_LOOP = 40  # ELOOP: O_NOFOLLOW met a link (open(2))


def _is_small(opened: int) -> bool:
    return os.fstat(opened).st_size <= MOST_BYTES


class Library:
    """All workshops, sorted. What has not changed on disk is not read again."""

    def __init__(self, own: Path, built_in: Path = BUILT_IN) -> None:
        self._folders = ((built_in, False), (own, True))
        self._known: dict[Path, tuple[tuple[object, ...], Loaded]] = {}

    def all(self) -> tuple[Shelved, ...]:
        """The built-in ones, then those of this installation. Of two with one address the first counts."""
        found: list[Shelved] = []
        taken: set[str] = set()
        for parent, own in self._folders:
            for folder in _folders_in(parent):
                loaded = self._loaded(folder)
                if loaded.workshop is not None and loaded.workshop.slug in taken:
                    sentence = f"there is a workshop “{loaded.workshop.slug}” already: give another slug."
                    loaded = _refused(sentence)
                elif loaded.workshop is not None:
                    taken.add(loaded.workshop.slug)
                found.append(Shelved(printable(folder.name), loaded, own))
        return tuple(sorted(found, key=lambda one: (one.workshop.order if one.workshop else 1000, one.name)))

    def get(self, slug: str) -> Workshop | None:
        """A workshop by its address."""
        return next((one.workshop for one in self.all() if one.workshop and one.workshop.slug == slug), None)

    def _loaded(self, folder: Path) -> Loaded:
        print_now = _fingerprint(folder)
        known = self._known.get(folder)
        if known is None or known[0] != print_now:
            known = self._known[folder] = (print_now, read_folder(folder, follow=False))
        return known[1]


def _folders_in(parent: Path) -> list[Path]:
    try:
        return sorted(one for one in parent.iterdir() if not one.name.startswith((".", "_")) and one.is_dir())[
            :MOST_WORKSHOPS
        ]
    except OSError:
        return []


def _fingerprint(folder: Path) -> tuple[object, ...]:
    try:
        with os.scandir(folder) as entries:
            stats = [(one.name, one.stat(follow_symlinks=False)) for one in entries]
    except OSError:
        return ()
    return tuple(sorted((name, one.st_mtime_ns, one.st_size, one.st_ino) for name, one in stats))
