"""The networks of an experiment: names, requests, options, and what an engine lacks."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.experiments.engine_kind import ONLY_PODMAN, EngineKind
from dashboard.core.experiments.networks import (
    NeededNetwork,
    attached_name,
    attached_networks,
    check_networks,
    free_subnet,
    local_subnet6,
    may_attach_later,
    missing_feature,
    needed_networks,
    network_body,
    network_line,
    network_name,
    network_request,
    own_network,
    parse_attachment,
    too_many_networks,
)
from dashboard.core.modes import ArmSpec, IPv6, Mode, NetworkAttachment
from tests.core.builders import make_arm

BACK = NetworkAttachment("back")
WEB = ArmSpec("web", Mode.USER_BRIDGE)


def test_names_are_readable_and_unique() -> None:
    assert network_name("7f2a9c", Mode.USER_BRIDGE) == "nm-7f2a9c"
    assert network_name("7f2a9c", Mode.MACVLAN) == "nm-7f2a9c-macvlan"
    assert network_name("7f2a9c", Mode.USER_BRIDGE, IPv6.ONLY) == "nm-7f2a9c.ipv6-only"
    assert attached_name("7f2a9c", BACK) == "nm-7f2a9c-net-back"
    assert attached_name("7f2a9c", replace(BACK, ipv6=IPv6.ON)) == "nm-7f2a9c-net-back.ipv6"
    assert len({network_name("7f2a9c", mode) for mode in Mode}) == len(Mode)


def test_a_family_is_not_confused_with_a_part_of_the_name() -> None:
    texts = ("a", "a,ipv6", "a,ipv6-only", "a-ipv6", "a-ipv6,ipv6-only", "a-ipv6-only", "a_ipv6")
    networks = tuple(parse_attachment(text) for text in texts)
    assert len(attached_networks("7f2a9c", replace(WEB, networks=networks))) == len(texts)


def test_each_network_is_needed_once_with_its_families() -> None:
    arms = [make_arm(key) for key in ("host", "user-bridge", "bridge", "user-bridge-2", "macvlan", "none", "overlay")]
    arms += [replace(WEB, ipv6=IPv6.ON, networks=(BACK,)), replace(WEB, key="two", networks=(BACK,))]
    assert needed_networks("x", arms) == {
        "nm-x": NeededNetwork(Mode.USER_BRIDGE),
        "nm-x-macvlan": NeededNetwork(Mode.MACVLAN),
        "nm-x-overlay": NeededNetwork(Mode.OVERLAY),
        "nm-x.ipv6": NeededNetwork(Mode.USER_BRIDGE, IPv6.ON),
        "nm-x-net-back": NeededNetwork(Mode.USER_BRIDGE),
    }
    assert needed_networks("x", [make_arm("host"), make_arm("bridge")]) == {}
    assert own_network("x", make_arm("host")) is None
    assert attached_networks("x", replace(WEB, networks=(BACK,))) == {"nm-x-net-back": BACK}


def test_the_parts_of_an_experiment_share_an_overlay_and_nothing_else() -> None:
    arms = [make_arm("overlay"), make_arm("user-bridge")]
    assert needed_networks("x", arms, "whole").keys() == {"nm-whole-overlay", "nm-x"}
    assert own_network("x", make_arm("user-bridge"), "whole") == "nm-x"


def test_each_network_has_its_driver_and_options() -> None:
    assert network_request(Mode.USER_BRIDGE).driver == "bridge"
    assert network_request(Mode.USER_BRIDGE).options == {}
    overlay = network_request(Mode.OVERLAY)
    assert (overlay.driver, overlay.options) == ("overlay", {"attachable": True})
    macvlan = network_request(Mode.MACVLAN, parent="eth0", subnet="10.213.0.0/24")
    assert (macvlan.driver, macvlan.options) == ("macvlan", {"subnet": "10.213.0.0/24", "parent": "eth0"})
    assert network_request(Mode.IPVLAN, parent="eth0", subnet="10.213.0.0/24").driver == "ipvlan"


@pytest.mark.parametrize("mode", [Mode.HOST, Mode.BRIDGE, Mode.NONE, Mode.CONTAINER])
def test_a_mode_without_a_network_requests_none(mode: Mode) -> None:
    with pytest.raises(ValueError, match="no network of its own"):
        network_request(mode)


@pytest.mark.parametrize("options", [{}, {"parent": "eth0"}, {"subnet": "10.213.0.0/24"}])
def test_macvlan_needs_a_parent_and_a_subnet(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="parent interface of the machine and a subnet"):
        network_request(Mode.MACVLAN, **options)


def test_a_free_subnet_avoids_taken_ones_and_ignores_malformed_ones() -> None:
    assert free_subnet([]) == "10.213.0.0/24"
    assert free_subnet(["10.213.0.7/23", "nonsense", "2001:db8::/32", ""]) == "10.213.2.0/24"
    with pytest.raises(ValueError, match="remove unused networks"):
        free_subnet(["10.0.0.0/8"])


@given(st.lists(st.integers(0, 255), max_size=200))
def test_a_free_subnet_never_overlaps(third: list[int]) -> None:
    taken = [f"10.213.{one}.0/24" for one in third]
    free = ipaddress.ip_network(free_subnet(taken))
    assert not any(free.overlaps(ipaddress.ip_network(one)) for one in taken)


@pytest.mark.parametrize(
    ("mode", "options", "line"),
    [
        (Mode.USER_BRIDGE, {}, "docker network create lab"),
        (Mode.USER_BRIDGE, {"subnet": "10.213.0.0/24"}, "docker network create --subnet 10.213.0.0/24 lab"),
        (Mode.OVERLAY, {}, "docker network create -d overlay --attachable lab"),
        (
            Mode.MACVLAN,
            {"parent": "eth0", "subnet": "10.213.0.0/24"},
            "docker network create -d macvlan --subnet 10.213.0.0/24 -o parent=eth0 lab",
        ),
    ],
)
def test_the_line_of_a_network_has_its_driver_and_options(mode: Mode, options: dict[str, Any], line: str) -> None:
    assert network_line("lab", network_request(mode, **options)) == line


def test_ipv6_has_a_subnet_and_may_be_the_only_family() -> None:
    request = network_request(Mode.USER_BRIDGE, ipv6=IPv6.ON, subnet6="fd00:1::/64")
    assert network_line("lab", request) == "docker network create --ipv6 --subnet fd00:1::/64 lab"
    body = network_body("lab", request.driver, {"a": "b"}, request.options)
    assert (body["EnableIPv6"], "EnableIPv4" in body) == (True, False)
    assert body["IPAM"]["Config"] == [{"Subnet": "fd00:1::/64"}]
    only = network_request(Mode.USER_BRIDGE, ipv6=IPv6.ONLY, subnet6="fd00:1::/64")
    assert network_line("lab", only) == "docker network create --ipv4=false --ipv6 --subnet fd00:1::/64 lab"
    assert network_body("lab", only.driver, {}, only.options)["EnableIPv4"] is False


def test_a_body_has_driver_options_and_refuses_a_second_network_of_its_name() -> None:
    options = {"parent": "eth0", "subnet": "10.213.0.0/24", "com.docker.network.driver.mtu": 1400, "internal": True}
    body = network_body("lab", "macvlan", {}, options)
    assert body["Options"] == {"parent": "eth0", "com.docker.network.driver.mtu": "1400"}
    assert (body["Internal"], body["CheckDuplicate"], body["EnableIPv6"]) == (True, True, False)
    assert "Attachable" not in body
    assert network_body("lab", "overlay", {}, {"attachable": True})["Attachable"] is True


@given(st.text(max_size=40), st.text(max_size=40))
def test_local_ipv6_subnets_differ_by_name(one: str, two: str) -> None:
    subnets = {ipaddress.IPv6Network(local_subnet6(name)) for name in (one, two)}
    assert all(subnet.prefixlen == 64 and subnet.is_private for subnet in subnets)
    assert len(subnets) == len({one, two})


@pytest.mark.parametrize(
    ("text", "attachment"),
    [
        ("back", BACK),
        (" back,ipv6 ", replace(BACK, ipv6=IPv6.ON)),
        ("back,ipv6-only", replace(BACK, ipv6=IPv6.ONLY)),
        ("back,gw-priority=-3,ifname=eth7", replace(BACK, gw_priority=-3, ifname="eth7")),
    ],
)
def test_a_network_is_written_with_its_options(text: str, attachment: NetworkAttachment) -> None:
    assert parse_attachment(text) == attachment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Back",
        "a b",
        "../x",
        "x" * 40,
        "back,mtu=1",
        "back,gw-priority=x",
        "back,ifname=a/b",
        "back,ifname=" + "x" * 16,
    ],
)
def test_an_invalid_network_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"“.*” is not") as refused:
        parse_attachment(text)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, None),
        ({"networks": (BACK, replace(BACK, name="side"))}, None),
        ({"ipv6": IPv6.ONLY}, None),
        ({"mode": Mode.MACVLAN, "networks": (BACK,)}, None),
        ({"mode": Mode.MACVLAN, "ipv6": IPv6.ON}, "ipv6"),
        ({"mode": Mode.BRIDGE, "networks": (BACK,)}, "networks"),
        ({"mode": Mode.HOST, "networks": (BACK,)}, "networks"),
        ({"networks": (BACK, BACK)}, "networks"),
    ],
)
def test_networks_that_docker_cannot_combine_are_problems(changes: dict[str, Any], field: str | None) -> None:
    assert [found for found, _ in check_networks(replace(WEB, **changes))] == ([field] if field else [])


def test_an_experiment_has_at_most_eight_further_networks_which_arms_may_share() -> None:
    eight = tuple(replace(BACK, name=f"n{number}") for number in range(8))
    arms = [replace(WEB, key=f"web{number}", networks=eight) for number in range(50)]
    assert too_many_networks(arms) is None
    sentence = "The arms have 9 further networks: at most 8 are allowed in one experiment."
    assert too_many_networks([*arms, replace(WEB, networks=(replace(eight[0], ipv6=IPv6.ON),))]) == sentence


def test_docker_engine_has_no_mode_of_podman() -> None:
    arm = ArmSpec("web", Mode.PASTA)
    assert missing_feature(arm, "1.41", EngineKind.DOCKER) == ONLY_PODMAN
    assert missing_feature(arm, "1.41", EngineKind.PODMAN) is None


@pytest.mark.parametrize(
    ("changes", "api", "words"),
    [
        ({}, "1.41", None),
        ({"ipv6": IPv6.ON}, "1.41", None),
        ({"networks": (BACK,)}, "1.44", None),
        ({"networks": (replace(BACK, gw_priority=1, ifname="eth7", ipv6=IPv6.ONLY),)}, "1.48", None),
        ({"networks": (BACK,)}, "1.43", r"Docker Engine 25.0 \(API 1.44\), and this engine has API 1.43"),
        ({"ipv6": IPv6.ONLY}, "1.45", "A network without IPv4 needs Docker Engine 28.0"),
        ({"networks": (replace(BACK, gw_priority=1),)}, "1.47", "gw-priority needs Docker Engine 28.0"),
        ({"networks": (replace(BACK, ifname="eth7"),)}, "1.47", "ifname needs Docker Engine 28.0"),
        ({"networks": (BACK,)}, "", "Docker Engine 25.0"),
    ],
)
def test_a_missing_feature_of_an_engine_is_explained_in_a_sentence(
    changes: dict[str, Any], api: str, words: str | None
) -> None:
    sentence = missing_feature(replace(WEB, **changes), api)
    if words is None:
        assert sentence is None
    else:
        assert sentence is not None
        assert re.search(words, sentence)


@pytest.mark.parametrize(
    ("status", "text", "later"),
    [
        (404, "network nm-7f2a9c-overlay not found", True),
        (404, "No such container: 1a2b3c", False),
        (500, "attaching to network failed, make sure your network options are correct and check manager logs", True),
        (500, "driver failed programming external connectivity: port is already allocated", False),
        (400, "exec: no such file", False),
    ],
)
def test_an_engine_may_attach_a_container_later(status: int, text: str, later: bool) -> None:
    assert may_attach_later(status, text) is later
