"""The examples of labs on several machines start the same lab with the same settings."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "labs"
DOCUMENT = (ROOT / "docs" / "deploying.md").read_text()
SETTINGS = {
    "NETMODES_MACHINE_FILE": "/etc/netmodes/machine",
    "NATS_URL_FILE": "/etc/netmodes/nats-url",
    "DATABASE_URL_FILE": "/etc/netmodes/database-url",
}
IN_CONTAINERS = SETTINGS | {"NETMODES_ROLE": "lab", "DOCKER_HOST": "unix:///run/docker.sock"}
MOUNTED = {"/sys/fs/cgroup", "/lib/modules", "/run/docker.sock", "/var/lib/netmodes", "/etc/netmodes"}


def text(name: str) -> str:
    return (EXAMPLES / name).read_text()


def read(name: str) -> Any:
    return yaml.safe_load(text(name))


def test_the_document_names_every_example() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == set(re.findall(r"\(labs/([\w.-]+)\)", DOCUMENT))


def test_the_stack_starts_a_privileged_lab_on_every_node() -> None:
    service = read("stack.yaml")["services"]["lab"]
    assert service["deploy"]["mode"] == "global"
    command = service["command"][2].partition("exec ")[2].split()
    assert service["command"][:2] == ["sh", "-c"]
    assert command[:3] == ["docker", "run", "--rm"]
    assert {"--privileged", "--pid=host", "--cgroupns=host"} <= set(command)
    options = [part.partition("=")[::2] for part in command if part.startswith("--")]
    assert dict(value.partition("=")[::2] for option, value in options if option == "--env") == IN_CONTAINERS
    assert {value.split(":")[1] for option, value in options if option == "--volume"} == MOUNTED
    assert command[-1].endswith("netmodes:hosts}")


def test_docker_reads_the_stack() -> None:
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("no docker command here")
    command = [docker, "stack", "config", "--compose-file", str(EXAMPLES / "stack.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "netmodes:hosts" in done.stdout


def test_the_daemon_set_starts_a_privileged_lab_on_every_node() -> None:
    pod = read("daemonset.yaml")["spec"]["template"]["spec"]
    (lab,) = pod["containers"]
    assert pod["hostPID"] is True
    assert lab["securityContext"] == {"privileged": True}
    assert {each["name"]: each["value"] for each in lab["env"]} == IN_CONTAINERS
    assert {each["mountPath"] for each in lab["volumeMounts"]} == MOUNTED
    assert {each["name"] for each in lab["volumeMounts"]} == {each["name"] for each in pod["volumes"]}
    labels = read("daemonset.yaml")["spec"]["template"]["metadata"]["labels"]
    assert read("daemonset.yaml")["spec"]["selector"]["matchLabels"] == labels


def test_the_nomad_job_starts_a_privileged_lab_on_every_client() -> None:
    job = "\n".join(line for line in text("lab.nomad.hcl").splitlines() if not line.startswith("#"))
    assert job.count("{") == job.count("}")
    for line in ('type = "system"', "privileged = true", 'pid_mode   = "host"', 'cgroupns   = "host"'):
        assert line in job
    env = re.search(r"env \{(.*?)\}", job, re.DOTALL)
    assert env is not None
    assert dict(re.findall(r'(\w+) += "([^"]*)"', env[1])) == IN_CONTAINERS
    assert set(re.findall(r'"[\w/.-]+:(/[\w/.]+)(?::ro)?",', job)) == MOUNTED


def test_systemd_reads_the_unit_with_the_additions(tmp_path: Path) -> None:
    additions = text("netmodes.service.d.conf")
    assert dict(re.findall(r"^Environment=(\w+)=(.*)$", additions, re.MULTILINE)) == SETTINGS
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd here")
    program = tmp_path / "netmodes"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "netmodes.service"
    lines = (ROOT / "vagrant" / "netmodes.service").read_text().replace("/opt/netmodes/netmodes", str(program))
    unit.write_text(lines)
    (tmp_path / "netmodes.service.d").mkdir()
    (tmp_path / "netmodes.service.d" / "lab.conf").write_text(additions)
    done = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False, timeout=60)
    assert [line for line in done.stderr.splitlines() if "netmodes" in line] == []
