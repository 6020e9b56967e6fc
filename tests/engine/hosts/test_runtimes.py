"""The runtimes of private hosts: which one is used, and what is said where the kernel refuses user namespaces."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.engine.hosts import programs, runtimes
from dashboard.engine.hosts.runtimes import (
    DEFAULT,
    VARIABLE,
    Runtime,
    configured_runtime,
    sharing_refusal,
    suitable_runtime,
    user_namespace_refusal,
)
from dashboard.netns.processes import start_of
from tests.support.polling import until

#: A user namespace in which no other can be created (namespaces(7), user.max_user_namespaces).
CLOSED = 'unshare --user --map-root-user --mount sh -c \'echo 0 > /proc/sys/user/max_user_namespaces; exec "$0" "$@"\''


def test_the_variable_names_the_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert configured_runtime() is DEFAULT is Runtime.USER_NAMESPACE
    for runtime in Runtime:
        monkeypatch.setenv(VARIABLE, runtime)
        assert configured_runtime() is runtime


def test_an_unknown_runtime_is_refused_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "microvm")
    with pytest.raises(ValueError, match="is microvm: use user-namespace or privileged"):
        configured_runtime()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "use user-namespace or privileged" in programs.missing_requirement()


@pytest.mark.parametrize(
    ("setup", "options", "expected"),
    [
        ("", {}, Runtime.USER_NAMESPACE),
        ("", {"ipv6": True}, Runtime.USER_NAMESPACE),
        ("rootless-pasta", {}, Runtime.PRIVILEGED),
        ("firewalld", {}, Runtime.PRIVILEGED),
        ("", {"userns-remap": "nobody:nogroup"}, Runtime.PRIVILEGED),
        ("", {"live-restore": True}, Runtime.PRIVILEGED),
    ],
)
def test_engines_that_need_more_than_a_user_namespace_are_privileged(
    setup: str, options: dict[str, object], expected: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, Runtime.USER_NAMESPACE)
    assert suitable_runtime(setup, options) is expected


def test_this_machine_permits_user_namespaces() -> None:
    assert user_namespace_refusal() == ""


def test_a_successful_probe_is_kept_and_a_failed_one_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    results = [
        subprocess.CompletedProcess([], code, "", error) for code, error in ((1, "a\nno space\n"), (1, ""), (0, ""))
    ]
    monkeypatch.setattr(runtimes, "_probe", lambda *_command: results.pop(0))
    runtimes._create_user_namespace.cache_clear()
    assert "(no space)" in user_namespace_refusal()
    assert "(exit status 1)" in user_namespace_refusal()
    assert [user_namespace_refusal() for _ in range(3)] == ["", "", ""]
    assert results == []


def test_a_probe_that_takes_too_long_ends_with_all_that_it_has_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(runtimes, "PROBE_TIMEOUT_S", 2.0)
    started = tmp_path / "pid"
    with pytest.raises(runtimes._RefusedError, match="timed out"):
        runtimes._probe("/bin/sh", "-c", f"sleep 600 & echo $! > {started}; wait")
    until(lambda: start_of(int(started.read_text())) is None)


def test_a_probe_does_not_wait_for_what_it_has_left_behind(tmp_path: Path) -> None:
    started = tmp_path / "pid"
    done = runtimes._probe("/bin/sh", "-c", f"sleep 600 & echo $! > {started}; echo refused >&2; exit 3")
    assert (done.returncode, done.stderr) == (3, "refused\n")
    until(lambda: start_of(int(started.read_text())) is None)


def test_the_refusal_of_a_machine_is_one_sentence_with_both_remedies() -> None:
    code = "from dashboard.engine.hosts.runtimes import user_namespace_refusal as ask; print(ask())"
    command = f"{CLOSED} {sys.executable} -c '{code}'"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    (sentence,) = done.stdout.strip().splitlines()
    assert sentence.startswith("This machine does not permit user namespaces (")
    assert "No space left on device" in sentence
    assert "user.max_user_namespaces" in sentence
    assert f"{VARIABLE}=privileged" in sentence


@pytest.fixture
def ramfs(tmp_path: Path) -> Iterator[Path]:
    """A file system without FS_ALLOW_IDMAP (linux/fs.h)."""
    folder = tmp_path / "ramfs"
    folder.mkdir()
    subprocess.run(["mount", "-t", "ramfs", "none", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.engine  # needs root
def test_hosts_share_layers_on_the_disk_of_this_machine_and_nothing_remains(tmp_path: Path) -> None:
    assert sharing_refusal(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


@pytest.mark.engine
def test_a_file_system_without_idmapped_mounts_is_reported_with_the_reason(ramfs: Path) -> None:
    assert "mount_setattr() failed: cannot set ID-mapping" in sharing_refusal(ramfs)
    assert list(ramfs.iterdir()) == []


def test_a_mount_command_that_ignores_the_option_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = subprocess.CompletedProcess([], 0, "0\n", "")
    monkeypatch.setattr(runtimes, "_probe", lambda *_command: done)
    runtimes._mount_with_other_ids.cache_clear()
    assert "util-linux 2.39" in sharing_refusal(tmp_path)
