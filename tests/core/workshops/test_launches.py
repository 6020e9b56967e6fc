"""Which launches of a workshop have a button."""

from __future__ import annotations

import pytest

from dashboard.core.workshops.actions import LABELS
from dashboard.core.workshops.commands import parse_command
from dashboard.core.workshops.launches import Launch, TypedLine


@pytest.mark.parametrize(
    "options",
    [
        "--privileged",
        "-v /:/h",
        "--volume=/:/h",
        "--mount type=bind,source=/,target=/h",
        "--device /dev/sda",
        "--security-opt seccomp=unconfined",
        "--cap-add SYS_ADMIN",
        "--pid host",
        "--pid=host",
        "--ipc host",
        "--uts host",
        "--userns host",
        "--cgroup-parent /x",
        "--sysctl kernel.shmmax=1",
    ],
)
def test_a_launch_with_rights_beyond_its_network_has_no_button(options: str) -> None:
    action = parse_command(f"docker run -d {options} nginx")
    assert isinstance(action, TypedLine)
    assert options.partition("=")[0].split()[0] in action.reason
    assert type(action) not in LABELS


def test_a_launch_with_sysctls_of_its_network_has_a_button() -> None:
    assert isinstance(parse_command("docker run -d --sysctl net.ipv4.ip_forward=1 nginx"), Launch)
