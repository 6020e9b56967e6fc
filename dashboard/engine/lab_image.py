"""Builds the lab image: nginx and busybox from the distribution's packages, FROM scratch, without a registry.

Building it needs apt and dpkg-deb, but neither root nor an installation: packages are downloaded and read, and nothing
is unpacked onto the machine."""

import fcntl
import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path, PurePosixPath
from threading import Lock

LAB_REFERENCE = "netmodes-lab:1"
RECIPE_LABEL = "netmodes.recipe"
SEEDS = ("nginx", "busybox-static")
ROOT = Path(__file__).parent / "lab_root"
#: Instructions that every engine accepts at import: 20.10 refuses STOPSIGNAL, and nginx stops on SIGTERM as well.
CHANGES = (
    'ENTRYPOINT ["/bin/serve"]',
    'CMD ["nginx", "-g", "daemon off;"]',
    "EXPOSE 80/tcp",
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
)
#: nginx, busybox, and libraries directly in a library folder; no modules, documents, locales.
WANTED = re.compile(
    r"(usr/)?(s?bin/(nginx|busybox)|lib(32|64)?/([^/]+-linux-[^/]+/)?[^/]+\.so(\.[0-9][0-9.]*)?)", re.ASCII
)
#: Merged /usr, as in the distributions: both forms of a path must work.
LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
FOLDERS = {"tmp": 0o1777, "root": 0o700, "var/log": 0o755, "usr/share": 0o755}
#: Increased when the archive of the same content changes.
FORMAT = "2"
COMMAND_LIMIT_S = 180.0
#: Netmodes' container images contain the archive of their recipe here.
CARRIED = Path("/usr/share/netmodes")

_building = Lock()


class LabImageUnavailableError(Exception):
    """The lab image cannot be built here; ``str()`` tells why and what to do."""


@cache
def recipe() -> str:
    """Returns a digest (twelve hexadecimal digits) of all that determines the image, except package versions."""
    digest = hashlib.sha256("\n".join((platform.machine(), WANTED.pattern, *SEEDS, *CHANGES, FORMAT)).encode())
    for path in sorted(one for one in ROOT.rglob("*") if one.is_file()):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def changes() -> tuple[str, ...]:
    """Returns the Dockerfile instructions of the lab image, for ``docker import --change``."""
    return (*CHANGES, f"LABEL {RECIPE_LABEL}={recipe()}")


def lab_image_archive(data_dir: Path, progress: Callable[[str, float | None], None] | None = None) -> Path:
    """Returns the path of a tar archive with the root file system of the lab image. Netmodes' own container images
    contain this archive. Elsewhere it is built once for each recipe and kept in ``data_dir/cache``.

    ``progress`` is called with a text and a fraction (None if unknown). Blocks for some seconds the first time. Raises
    LabImageUnavailableError if the archive cannot be built."""
    cache = data_dir / "cache"
    archive = cache / f"lab-image-{recipe()}.tar"
    if (carried := CARRIED / archive.name).exists():
        return carried
    if archive.exists():
        return archive
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with build_lock(cache):
        if archive.exists():
            return archive
        for tool in ("apt-get", "apt-cache", "dpkg-deb"):
            if shutil.which(tool) is None:
                raise LabImageUnavailableError(
                    f"The lab image is built from packages of Debian or Ubuntu, but {tool} is not installed: "
                    "load your own image with `docker load`, or connect this machine to a registry."
                )
        with tempfile.TemporaryDirectory(prefix="lab-image-", dir=cache) as folder:
            report = progress or (lambda _text, _fraction: None)
            report("Finding nginx and its libraries among the distribution's packages", 0.05)
            packages = _with_lists(Path(folder), cache, lambda options: _fetch(Path(folder), options, report), report)
            report("Writing the lab image", 0.7)
            unfinished = Path(folder) / "root.tar"
            _write(unfinished, packages)
            unfinished.replace(archive)
        shutil.rmtree(cache / "apt-lists", ignore_errors=True)
    return archive


@contextmanager
def build_lock(cache: Path) -> Iterator[None]:
    """Holds a lock while the body of the ``with`` statement runs: only one thread or process at a time builds in the
    folder ``cache``."""
    with _building, (cache / ".lab-image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str], folder: Path) -> str:
    """Runs a command in ``folder`` and returns its stdout. If it fails, raises LabImageUnavailableError with the last
    line of its stderr."""
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, timeout=COMMAND_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabImageUnavailableError(f"{command[0]} failed: {error}") from error
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise LabImageUnavailableError(f"{command[0]} failed: {words[-1][:300]}")
    return done.stdout.decode("utf-8", "replace")


def download_packages(names: list[str], folder: Path, cache: Path) -> list[Path]:
    """Downloads packages by name into ``folder`` and returns their files. If the machine's package lists cannot be
    used, stores new ones in ``cache``. Raises LabImageUnavailableError if a package cannot be downloaded."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise LabImageUnavailableError(f"{', '.join(names)} cannot be downloaded: apt-get or dpkg-deb is missing.")

    def fetch(options: list[str]) -> list[Path]:
        _run(["apt-get", "-qq", *options, "download", *names], folder)
        return sorted(folder.glob("*.deb"))

    return _with_lists(folder, cache, fetch, lambda _text, _fraction: None)


def unpack(package: Path, folder: Path) -> None:
    """Unpacks a package into a folder. Raises LabImageUnavailableError if that fails."""
    _run(["dpkg-deb", "-x", str(package), str(folder)], package.parent)


def _with_lists(
    folder: Path,
    cache: Path,
    fetch: Callable[[list[str]], list[Path]],
    progress: Callable[[str, float | None], None],
) -> list[Path]:
    """Calls ``fetch`` with options for apt, and returns the files that it downloads. If this fails, the machine's
    package lists may be missing or old: downloads new lists below ``cache``, and calls ``fetch`` again. Raises
    LabImageUnavailableError if that fails, too."""
    options = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    try:
        return fetch(options)
    except LabImageUnavailableError:
        lists = cache / "apt-lists"
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        options += [
            *("-o", f"Dir::State::lists={lists}/"),
            *("-o", "Dir::Cache::pkgcache="),
            *("-o", "Dir::Cache::srcpkgcache="),
        ]
    progress("Reading the distribution's package lists", None)
    try:
        _run(["apt-get", "-qq", *options, "update"], folder)
        return fetch(options)
    except LabImageUnavailableError as error:
        raise LabImageUnavailableError(
            f"Packages cannot be downloaded: the package archive does not answer ({error}). "
            "Check the network and run `apt-get update`, or load an image with `docker load`."
        ) from error


def _fetch(folder: Path, options: list[str], progress: Callable[[str, float | None], None]) -> list[Path]:
    names = _closure(folder, options)
    progress(f"Downloading {len(names)} packages", 0.2)
    _run(["apt-get", "-qq", *options, "download", *names], folder)
    return sorted(folder.glob("*.deb"))


def _closure(folder: Path, options: list[str]) -> list[str]:
    """Returns SEEDS and every library package that they need, directly or indirectly. ``options`` are for apt."""
    quiet = [f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")]
    listing = _run(["apt-cache", *options, "depends", "--recurse", *quiet, *SEEDS], folder)
    needs = parse_depends(listing)
    every = sorted({name for name in needs if not name.startswith("<")})
    sections = parse_sections(_run(["apt-cache", *options, "show", "--no-all-versions", *every], folder))
    return library_closure(SEEDS, needs, sections)


def parse_depends(listing: str) -> dict[str, list[str]]:
    """Parses the output of ``apt-cache depends --recurse``. Returns the dependencies of each package."""
    needs: dict[str, list[str]] = {}
    current: list[str] = []
    for line in listing.splitlines():
        word = line.strip().lstrip("|")
        if line and not line[0].isspace():
            current = needs.setdefault(word, [])
        elif word.startswith(("Depends:", "PreDepends:")):
            current.append(word.partition(":")[2].strip())
    return needs


def parse_sections(listing: str) -> dict[str, str]:
    """Parses the output of ``apt-cache show``. Returns the section of each package; universe/libs becomes ``libs``."""
    sections: dict[str, str] = {}
    package = ""
    for line in listing.splitlines():
        key, _, value = line.partition(": ")
        if key == "Package":
            package = value.strip()
        elif key == "Section":
            sections[package] = value.strip().rpartition("/")[2]
    return sections


def library_closure(seeds: Iterable[str], needs: dict[str, list[str]], sections: dict[str, str]) -> list[str]:
    """Returns ``seeds`` and the packages of section ``libs`` that they need, directly or through other libraries."""
    found: list[str] = []
    waiting = list(seeds)
    while waiting:
        name = waiting.pop(0)
        if name in found:
            continue
        found.append(name)
        waiting += [one for one in needs.get(name, []) if sections.get(one) == "libs"]
    return found


def _write(archive: Path, packages: list[Path]) -> None:
    with tarfile.open(archive, "w") as target:
        for name, mode in FOLDERS.items():
            _add(target, name, tarfile.DIRTYPE, mode=mode)
        for name, aim in LINKS.items():
            _add(target, name, tarfile.SYMTYPE, link=aim)
        taken: set[str] = set()
        for package in packages:
            _copy(target, package, taken)
        missing = {"usr/sbin/nginx", "usr/bin/busybox"} - taken
        if missing:
            raise LabImageUnavailableError(f"The distribution's packages do not contain {', '.join(sorted(missing))}.")
        for path in sorted(one for one in ROOT.rglob("*") if one.is_file()):
            name = _merged(path.relative_to(ROOT).as_posix())
            _add(target, name, tarfile.REGTYPE, mode=0o755 if "/bin/" in f"/{name}" else 0o644, data=path.read_bytes())
        for applet in _applets(packages):
            if f"usr/bin/{applet}" not in taken and applet != "busybox":
                _add(target, f"usr/bin/{applet}", tarfile.SYMTYPE, link="busybox")


def _merged(name: str) -> str:
    top, slash, rest = name.partition("/")
    return f"{LINKS[top]}/{rest}" if slash and top in LINKS else name


def _copy(target: tarfile.TarFile, package: Path, taken: set[str]) -> None:
    """Copies the files that match WANTED from a package into the archive ``target``, where root owns them. Skips the
    paths in ``taken`` and adds the copied ones to it."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as reader:
        with tarfile.open(fileobj=reader.stdout, mode="r|") as source:
            for member in source:
                name = member.name.removeprefix("./")
                if not WANTED.fullmatch(name) or not (member.isreg() or member.issym()):
                    continue
                if _merged(name) in taken:
                    continue
                taken.add(_merged(name))
                if member.issym():
                    _add(target, _merged(name), tarfile.SYMTYPE, link=member.linkname)
                    continue
                content = source.extractfile(member)
                data = content.read() if content else b""
                _add(target, _merged(name), tarfile.REGTYPE, mode=member.mode & 0o755, data=data)
        reader.communicate()
    if reader.returncode:
        raise LabImageUnavailableError(f"dpkg-deb cannot read {package.name}.")


def _add(
    target: tarfile.TarFile, name: str, kind: bytes, *, mode: int = 0o777, link: str = "", data: bytes = b""
) -> None:
    # Engine 20.10 makes folders that have no entry closed to all but root (moby, pkg/archive/diff.go).
    for folder in reversed(PurePosixPath(name).parents[:-1]):
        if str(folder) not in target.getnames():
            _add(target, str(folder), tarfile.DIRTYPE, mode=0o755)
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.linkname, member.size = kind, mode, link, len(data)
    target.addfile(member, io.BytesIO(data))


def _applets(packages: list[Path]) -> list[str]:
    """Returns the names of busybox's applets. Runs the packaged busybox to list them, which works because it is static
    and built for this machine."""
    package = next(one for one in packages if one.name.startswith("busybox"))
    with tempfile.TemporaryDirectory(prefix="busybox-", dir=package.parent) as folder:
        _run(["dpkg-deb", "-x", str(package), folder], package.parent)
        binary = next(one for one in Path(folder).rglob("busybox") if one.is_file() and os.access(one, os.X_OK))
        return [line for line in _run([str(binary), "--list"], package.parent).split() if "/" not in line]
