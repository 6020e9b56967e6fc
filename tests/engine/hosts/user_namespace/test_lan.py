"""The LAN of a private host, in namespaces of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dashboard
from dashboard.engine.hosts.user_namespace import lan

ROOT = Path(dashboard.__file__).parent.parent


class Machine:
    """The folders of a host, and its network namespace while a command runs in it."""

    def __init__(self, tmp_path: Path, line: str = "") -> None:
        self.folder, self.run = tmp_path / "host", tmp_path / "run"
        self.folder.mkdir()
        self.run.mkdir()
        if line:
            (self.folder / "lan").write_text(line)

    def create(self, then: str) -> subprocess.CompletedProcess[str]:
        """Creates the LAN, then runs a shell command in the host's namespaces."""
        create = [sys.executable, "-I", "-S", "-c", lan.COMMAND, str(ROOT), str(self.folder), str(self.run)]
        command = ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-ec", f'"$@"; {then}', "sh"]
        return subprocess.run([*command, *create], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root creates network namespaces")
@pytest.mark.parametrize("line", ["", "3 2 1400 - - - -\n"])
def test_a_host_its_router_and_its_neighbours_have_addresses_on_one_switch(tmp_path: Path, line: str) -> None:
    machine = Machine(tmp_path, line)
    spaces = ["lan", "neighbour", "neighbour2"] if line else ["lan", "neighbour"]
    inside = "; ".join(f"nsenter --net={machine.run}/{space} ip -j address" for space in spaces)
    inodes = "; ".join(f"stat -c %i {machine.run}/{space}" for space in spaces)
    done = machine.create(f"ip -j address; {inside}; {inodes}")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    own, router, *neighbours = (
        {link["ifname"]: link for link in json.loads(text)} for text in lines[: len(spaces) + 1]
    )

    def addresses(link: dict[str, list[dict[str, str]]]) -> list[str]:
        return [one["local"] for one in link["addr_info"] if one["scope"] == "global"]

    number = 3 if line else 1
    assert addresses(own["eth0"]) == [f"192.0.2.{number + 1}", f"2001:db8::{number + 1}"]
    assert own["eth0"]["mtu"] == (1400 if line else 1500)
    assert addresses(router["lan"]) == ["192.0.2.1", "2001:db8::1"]
    assert {name for name, link in router.items() if link.get("master") == "lan"} == {f"uplink{number}", *spaces[1:]}
    for index, neighbour in enumerate(neighbours, 10):
        assert addresses(neighbour["eth0"]) == [f"192.0.2.{index}", f"2001:db8::{index}"]
    recorded = [(machine.folder / f"netns-{space}").read_text().strip() for space in spaces]
    assert recorded == lines[len(spaces) + 1 :]
    assert len(set(recorded)) == len(spaces)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root enters network namespaces")
@pytest.mark.parametrize("replaced", ["another namespace", "no namespace", "nothing"])
def test_a_namespace_that_the_other_host_replaced_is_not_joined(tmp_path: Path, replaced: str) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "netns-neighbour").write_text("1\n")
    path = other / "neighbour"
    if replaced == "another namespace":
        path.symlink_to("/proc/self/ns/net")
    elif replaced == "no namespace":
        os.mkfifo(path)
    done = Machine(tmp_path, f"2 1 1500 - - {other} {other}\n").create("echo connected")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{path} is not a namespace of the LAN." in done.stderr


def test_without_ipv6_a_link_gets_the_other_address_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disabled = tmp_path / "disable_ipv6"
    monkeypatch.setattr(lan, "IPV6_DISABLED", str(disabled))
    without = ["link set lo up", "address add 192.0.2.2/24 dev eth0", "link set eth0 up"]
    assert lan._addresses("eth0", "192.0.2.2", "2001:db8::2") == without
    disabled.write_text("1\n")
    assert lan._addresses("eth0", "192.0.2.2", "2001:db8::2") == without
    disabled.write_text("0\n")
    assert lan._addresses("eth0", "192.0.2.2", "2001:db8::2") == [*without, "address add 2001:db8::2/64 dev eth0 nodad"]
