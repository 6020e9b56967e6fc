"""The file system of a private host in a user namespace: the lines of fstab(5)."""

from __future__ import annotations

import tomllib

from dashboard.engine.hosts.user_namespace import tree

RESTRICTED = "nosuid,nodev,noexec"


def test_every_hierarchy_with_the_host_is_mounted() -> None:
    own = ["0::/", "9:name=systemd:/netmodes-abc/engine", "3:cpu,cpuacct:/netmodes-abc/engine", "2:rdma:/other"]
    assert tree.cgroup_mounts("netmodes-abc", own) == [
        f"netmodes-cgroup /host/sys/fs/cgroup tmpfs {RESTRICTED},mode=0755,size=64k",
        f"cgroup /host/sys/fs/cgroup/systemd cgroup {RESTRICTED},none,name=systemd,X-mount.mkdir",
        f"cgroup /host/sys/fs/cgroup/cpu,cpuacct cgroup {RESTRICTED},cpu,cpuacct,X-mount.mkdir",
    ]


def test_the_unified_hierarchy_is_mounted_alone() -> None:
    own = ["0::/docker/1/netmodes-abc/engine"]
    assert tree.cgroup_mounts("netmodes-abc", own) == [f"cgroup /host/sys/fs/cgroup cgroup2 {RESTRICTED}"]


def test_a_host_cannot_take_all_pseudo_terminals_of_the_machine_in_its_own_dev_pts() -> None:
    (line,) = [line for line in tree.MOUNTS if " devpts " in line]
    assert "max=64" in line.split()[3].split(",")


def test_a_path_with_spaces_is_escaped() -> None:
    assert tree.escape("/a b/c\\d\te\nf") == r"/a\040b/c\134d\011e\012f"


def test_any_folder_can_be_named_in_the_configuration_of_containerd() -> None:
    folder = '/a "b" \\c'
    config = tomllib.loads(tree.containerd_config(folder, "/run/netmodes/x"))
    assert config["root"] == f"{folder}/data/containerd/daemon"
    assert config["grpc"]["address"] == "/run/netmodes/x/exec/containerd/containerd.sock"
