"""The lab image: built from packages; its server works in every network mode and environment."""

from __future__ import annotations

import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.engine import lab_image
from dashboard.engine.lab_image import (
    LabImageUnavailableError,
    changes,
    lab_image_archive,
    library_closure,
    parse_depends,
    parse_sections,
    recipe,
)
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine, build_lab_image

Run = Callable[..., str]

#: The instructions that Engine 20.10 accepts at import (Moby 20.10, builder/dockerfile/builder.go).
ACCEPTED = {"CMD", "ENTRYPOINT", "HEALTHCHECK", "ENV", "EXPOSE", "LABEL", "ONBUILD", "USER", "VOLUME", "WORKDIR"}

DEPENDS = """\
nginx
  Depends: libc6
 |Depends: debconf
  Depends: <debconf-2.0>
    cdebconf
    debconf
  PreDepends: init-system
libc6
  Depends: libgcc-s1
libgcc-s1
  Depends: gcc-base
  Depends: libc6
debconf
  Depends: libperl
"""
SHOW = """\
Package: nginx
Section: httpd

Package: libc6
Section: universe/libs
Description: with Section: in it

Package: libgcc-s1
Section: libs

Package: gcc-base
Section: libs

Package: libperl
Section: libs

Package: debconf
Section: admin
"""


def test_every_engine_accepts_the_instructions_of_the_import() -> None:
    """Moby 20.10, builder/dockerfile/builder.go, validCommitCommands: it refuses any other."""
    accepted = {"CMD", "ENTRYPOINT", "HEALTHCHECK", "ENV", "EXPOSE", "LABEL", "ONBUILD", "USER", "VOLUME", "WORKDIR"}
    assert {line.partition(" ")[0] for line in changes()} <= accepted


def test_libraries_are_followed_and_nothing_else_is() -> None:
    needs, sections = parse_depends(DEPENDS), parse_sections(SHOW)
    assert needs["nginx"] == ["libc6", "debconf", "<debconf-2.0>", "init-system"]
    assert sections["libc6"] == "libs"
    assert library_closure(["nginx"], needs, sections) == ["nginx", "libc6", "libgcc-s1", "gcc-base"]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("usr/sbin/nginx", True),
        ("bin/busybox", True),
        ("usr/bin/busybox", True),
        ("lib/x86_64-linux-gnu/libc.so.6", True),
        ("usr/lib/aarch64-linux-gnu/libssl.so.3", True),
        ("lib64/ld-linux-x86-64.so.2", True),
        ("lib/ld-linux-aarch64.so.1", True),
        ("usr/lib/x86_64-linux-gnu/gconv/EUC-JP.so", False),
        ("usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so", False),
        ("usr/share/doc/nginx/copyright", False),
        ("etc/nginx/nginx.conf", False),
        ("usr/sbin/nginx-debug", False),
    ],
)
def test_only_the_program_and_its_libraries_are_taken_from_a_package(path: str, wanted: bool) -> None:
    assert bool(lab_image.WANTED.fullmatch(path)) is wanted


def test_the_archive_is_kept_and_named_after_its_recipe(tmp_path: Path) -> None:
    archive = build_lab_image()
    assert archive.name == f"lab-image-{recipe()}.tar"
    before = archive.stat().st_mtime_ns
    assert build_lab_image() == archive
    assert archive.stat().st_mtime_ns == before


def test_everything_in_the_archive_belongs_to_root_and_nothing_is_special() -> None:
    with tarfile.open(build_lab_image()) as archive:
        for member in archive:
            assert (member.uid, member.gid) == (0, 0)
            assert not member.name.startswith(("/", ".."))
            assert member.isreg() or member.issym() or member.isdir()
            assert member.mode & 0o6000 == 0


def test_every_folder_has_an_entry_that_lets_other_users_in() -> None:
    """Engine 20.10 gives a folder without an entry the mode 0600 (moby, pkg/archive/diff.go)."""
    with tarfile.open(build_lab_image()) as archive:
        entries = {member.name: member for member in archive}
        parents = {str(parent) for name in entries for parent in Path(name).parents} - {"."}
    assert {name for name in parents if not (name in entries and entries[name].isdir())} == set()
    assert {name for name in parents if entries[name].mode != 0o755} == set()


def test_without_the_distributions_tools_a_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(LabImageUnavailableError, match=r"apt-get is not installed: .*docker load"):
        lab_image_archive(tmp_path)


def test_a_failed_build_leaves_no_archive_and_nothing_unfinished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(command: list[str], _folder: Path) -> str:
        raise LabImageUnavailableError(f"{command[0]} failed: no network")

    monkeypatch.setattr(lab_image, "_run", fail)
    with pytest.raises(LabImageUnavailableError, match=r"does not answer .*no network"):
        lab_image_archive(tmp_path)
    assert list((tmp_path / "cache").glob("lab-image*")) == []


def test_the_oldest_engine_accepts_every_instruction() -> None:
    assert {change.partition(" ")[0] for change in changes()} <= ACCEPTED


HOLDS_ON_PODMAN = frozenset({"test_the_lab_image_serves_a_page_that_names_host_and_client[plain]"})
HARDENED = ("--read-only", "--tmpfs", "/tmp:size=16m", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


@pytest.mark.engine
@pytest.mark.parametrize(
    "options",
    [(), HARDENED, ("--user", "1000:1000"), (*HARDENED, "--user", "1000:1000")],
    ids=["plain", "hardened", "as a user", "hardened as a user"],
)
@pytest.mark.usefixtures("docker")
def test_the_lab_image_serves_a_page_that_names_host_and_client(
    engine_host: PrivateEngine, run: Run, options: tuple[str, ...]
) -> None:
    one = run("--hostname", "page", *options, "nginx")
    fetch = ("exec", one, "wget", "-qSO-", "http://127.0.0.1/")
    done = until(lambda: (answer := engine_host.try_docker(*fetch)).returncode == 0 and answer)
    assert "<h1>page</h1>" in done.stdout
    assert "X-Client-Address: 127.0.0.1" in done.stderr
    assert "X-Hostname: page" in done.stderr
    assert '"GET / HTTP/1.1" 200' in until(lambda: engine_host.docker("logs", one))
    engine_host.docker("stop", one)
    assert engine_host.inspect(one, "{{.State.ExitCode}}") == "0"


@pytest.mark.engine
def test_the_lab_image_listens_at_the_given_address_and_port(engine_host: PrivateEngine, run: Run) -> None:
    both = run("-e", "NETMODES_PORT=8081", "nginx")
    until(lambda: engine_host.docker("exec", both, "netstat", "-tln").count(":8081") == 2)
    one = run("-e", "NETMODES_PORT=8082", "-e", "NETMODES_ADDRESS=127.0.0.1", "nginx")
    until(lambda: "127.0.0.1:8082" in engine_host.docker("exec", one, "netstat", "-tln"))
    assert ":::8082" not in engine_host.docker("exec", one, "netstat", "-tln")


@pytest.mark.engine
def test_the_lab_image_runs_any_other_command_and_has_the_network_tools(engine_host: PrivateEngine) -> None:
    tools = ("sh", "ip", "netstat", "nslookup", "wget", "nc", "ping", "ps", "httpd", "sysctl", "hostname", "id")
    loop = f"for tool in {' '.join(tools)}; do command -v $tool; done"
    found = engine_host.docker("run", "--rm", "nginx", "sh", "-c", loop)
    assert len(found.splitlines()) == len(tools)
    assert re.match(r"nginx/[\d.]+", engine_host.try_docker("run", "--rm", "nginx", "nginx", "-v").stderr.split()[-1])


@pytest.mark.engine
def test_the_lab_image_is_small_and_exposes_its_port(engine_host: PrivateEngine) -> None:
    size, exposed = engine_host.inspect("nginx", "{{.Size}} {{json .Config.ExposedPorts}}").split()
    assert int(size) < 40_000_000
    assert exposed == '{"80/tcp":{}}'


def test_the_archive_in_a_container_image_of_netmodes_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried = tmp_path / "share" / f"lab-image-{recipe()}.tar"
    carried.parent.mkdir()
    monkeypatch.setattr(lab_image, "CARRIED", carried.parent)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(LabImageUnavailableError):
        lab_image_archive(tmp_path / "data")
    carried.touch()
    assert lab_image_archive(tmp_path / "data") == carried
