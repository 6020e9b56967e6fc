"""Loads workshops from folders: the built-in ones and those of this installation. A folder with problems is not loaded.

Only regular files directly in the folder are read, up to a maximum size. Links are not followed.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dashboard.core.workshops.model import Problem, Workshop
from dashboard.core.workshops.parser import HEAD, ParsedWorkshop, parse_workshop

BUILT_IN = Path(__file__).resolve().parents[2] / "workshops"
MAX_FILES = 64
MAX_BYTES = 32 * 1024
MAX_WORKSHOPS = 100


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    """The folder of a workshop with the result of parsing it. ``own`` is False for a built-in workshop."""

    name: str
    parsed: ParsedWorkshop
    own: bool

    @property
    def workshop(self) -> Workshop | None:
        """The workshop; None if the folder has problems."""
        return self.parsed.workshop


def read_folder(path: Path, *, follow: bool = True) -> ParsedWorkshop:
    """Parses the folder of a workshop. Errors are returned as problems, not raised. If ``follow`` is true, ``path``
    itself may be a link."""
    files: dict[str, str] = {}
    problems: list[Problem] = []
    try:
        with _open(path, os.O_DIRECTORY | (0 if follow else os.O_NOFOLLOW)) as folder:
            names = sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208 - by descriptor
            if len(names) > MAX_FILES:
                return _invalid(f"there are {len(names)} files: at most {MAX_FILES} are allowed.")
            for name in names:
                text = _read(folder, name)
                if isinstance(text, Problem):
                    problems.append(text)
                else:
                    files[name] = text
    except NotADirectoryError:
        return _invalid("this is not a folder: give the folder that has workshop.toml.", path.name)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        return _invalid(f"the folder cannot be read: {reason or 'its name has a NUL character'}.", path.name)
    if problems:
        # Does not parse the rest: a file that cannot be read would cause further, misleading problems.
        return ParsedWorkshop(None, tuple(problems))
    return parse_workshop(printable(path.resolve().name), files)


def _invalid(sentence: str, file: str = HEAD) -> ParsedWorkshop:
    return ParsedWorkshop(None, (Problem(printable(file), 0, sentence),))


def printable(name: str) -> str:
    """Returns a file's name for display, with at most 100 characters. Characters that cannot be displayed are replaced,
    because a name may contain arbitrary bytes."""
    return "".join(char if char.isprintable() and not "\ud800" <= char <= "\udfff" else "�" for char in name)[:100]


@contextmanager
def _open(path: str | Path, flags: int, folder: int | None = None) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read(folder: int, name: str) -> str | Problem:
    shown = printable(name)
    try:
        with _open(name, os.O_NOFOLLOW, folder) as opened:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                return Problem(shown, 0, "a workshop's folder may contain regular files only.")
            content = (
                b"".join(iter(lambda: os.read(opened, MAX_BYTES), b""))
                if os.fstat(opened).st_size <= MAX_BYTES
                else None
            )
    except OSError as error:
        link = "links are not followed: replace it with the file." if Path(name).name == name else ""
        return Problem(shown, 0, link if error.errno == errno.ELOOP else f"it cannot be read: {error.strerror}.")
    if content is None or len(content) > MAX_BYTES:
        return Problem(shown, 0, f"it is larger than {MAX_BYTES // 1024} KiB.")
    try:
        return content.decode("utf-8-sig")  # editors on Windows write a byte order mark
    except UnicodeDecodeError as error:
        return Problem(shown, content[: error.start].count(b"\n") + 1, "this is not UTF-8.")


class Library:
    """Finds all workshops of an installation. A folder is parsed again only after it has changed. ``own`` and
    ``built_in`` are the folders that contain the workshops' folders."""

    def __init__(self, own: Path, built_in: Path = BUILT_IN) -> None:
        self._folders = ((built_in, False), (own, True))
        self._cache: dict[Path, tuple[tuple[object, ...], ParsedWorkshop]] = {}

    def all(self) -> tuple[LibraryEntry, ...]:
        """Returns all workshops in the order in which pages list them. If several have the same slug, only one is
        valid, and the others get a problem. A built-in workshop takes precedence; if none is built-in, the workshop in
        the first folder does."""
        entries: list[LibraryEntry] = []
        slugs: set[str] = set()
        for parent, own in self._folders:
            for folder in _folders_in(parent):
                parsed = self._parsed(folder)
                if parsed.workshop is not None and parsed.workshop.slug in slugs:
                    parsed = _invalid(f"a workshop “{parsed.workshop.slug}” already exists: choose another slug.")
                elif parsed.workshop is not None:
                    slugs.add(parsed.workshop.slug)
                entries.append(LibraryEntry(printable(folder.name), parsed, own))
        return tuple(sorted(entries, key=lambda entry: (entry.workshop.order if entry.workshop else 1000, entry.name)))

    def get(self, slug: str) -> Workshop | None:
        """Returns the workshop with this slug; None if it does not exist or has problems."""
        workshops = (entry.workshop for entry in self.all())
        return next((workshop for workshop in workshops if workshop is not None and workshop.slug == slug), None)

    def _parsed(self, folder: Path) -> ParsedWorkshop:
        fingerprint = _fingerprint(folder)
        cached = self._cache.get(folder)
        if cached is None or cached[0] != fingerprint:
            cached = self._cache[folder] = (fingerprint, read_folder(folder, follow=False))
        return cached[1]


def _folders_in(parent: Path) -> list[Path]:
    try:
        folders = [path for path in parent.iterdir() if not path.name.startswith((".", "_")) and path.is_dir()]
        return sorted(folders)[:MAX_WORKSHOPS]
    except OSError:
        return []


def _fingerprint(folder: Path) -> tuple[object, ...]:
    try:
        with os.scandir(folder) as entries:
            stats = [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
    except OSError:
        return ()
    return tuple(sorted((name, stat.st_mtime_ns, stat.st_size, stat.st_ino) for name, stat in stats))
