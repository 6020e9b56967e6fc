"""Experiments parsed from forms, the API and the command line."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.core.experiments.drafts import parse_draft, parse_mode, parse_port
from dashboard.core.modes import ArmSpec, ExperimentSpec, IPv6, Mode, NetworkAttachment, Publish
from tests.core.experiments.drafts.contents import arms_of, problems_of, sentence_of


def test_two_ticked_modes_are_an_experiment() -> None:
    draft = parse_draft({"image": "", "port": "", "publish": "", "names": "", "modes": ["host", "bridge"], "arms": []})
    assert draft.problems == ()
    assert draft.spec == ExperimentSpec(
        "nginx on port 80", "nginx", 80, (ArmSpec("host", Mode.HOST), ArmSpec("bridge", Mode.BRIDGE))
    )


#: The same experiment as a form submits it and as JSON states it.
FORM: dict[str, Any] = {
    "image": " nginx:1.27 ",
    "port": " 8000 ",
    "publish": "8080:8000, 53:53/udp",
    "names": "db, web.example",
    "modes": ["host", "bridge"],
    "arms": [
        {
            "mode": "user-bridge",
            "image": "",
            "command": "sh -c 'echo hello'",
            "port": "81",
            "publish": "127.0.0.1:9000:81",
            "environment": "A=1\r\nB=two words\r\n",
            "hostname": "web",
            "dns": "192.0.2.53 2001:db8::53",
            "add_host": "db:192.0.2.9\nhost.docker.internal:host-gateway",
            "sysctls": "net.ipv4.ip_forward=1",
            "user": "1000",
            "publish_all": "on",
        },
        {"mode": "container", "target": "1", "publish": ""},
    ],
}
JSON: dict[str, Any] = {
    "image": "nginx:1.27",
    "port": 8000,
    "publish": ["8080:8000", "53:53/udp"],
    "names": ["db", "web.example"],
    "modes": ["host", "bridge"],
    "arms": [
        {
            "mode": "user-bridge",
            "command": ["sh", "-c", "echo hello"],
            "port": 81,
            "publish": ["127.0.0.1:9000:81"],
            "environment": {"A": "1", "B": "two words"},
            "hostname": "web",
            "dns": ["192.0.2.53", "2001:db8::53"],
            "add_host": ["db:192.0.2.9", "host.docker.internal:host-gateway"],
            "sysctls": {"net.ipv4.ip_forward": 1},
            "user": 1000,
            "publish_all": True,
        },
        {"mode": "container:1"},
    ],
}


def test_a_form_and_json_give_the_same_experiment() -> None:
    draft = parse_draft(FORM)
    assert draft.problems == ()
    assert draft == parse_draft(JSON)
    assert draft.spec.names == ("db", "web.example")
    _, _, web, joined = draft.spec.arms
    assert web == ArmSpec(
        "user-bridge",
        Mode.USER_BRIDGE,
        "nginx:1.27",
        command=("sh", "-c", "echo hello"),
        port=81,
        publish=(Publish(81, 9000, "tcp", "127.0.0.1"),),
        publish_all=True,
        environment={"A": "1", "B": "two words"},
        hostname="web",
        dns=("192.0.2.53", "2001:db8::53"),
        add_host=("db:192.0.2.9", "host.docker.internal:host-gateway"),
        sysctls={"net.ipv4.ip_forward": "1"},
        user="1000",
    )
    assert joined == ArmSpec("container", Mode.CONTAINER, "nginx:1.27", target="host", port=8000)


def test_a_value_of_several_lines_stays_one_value() -> None:
    (arm,) = arms_of(arms=[{"mode": "host", "environment": {"A": "1\nB=2", "C": " spaced "}}])
    assert arm.environment == {"A": "1\nB=2", "C": " spaced "}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("host", (Mode.HOST, None)),
        (" user-bridge ", (Mode.USER_BRIDGE, None)),
        ("container:1", (Mode.CONTAINER, "1")),
        ("container:web", (Mode.CONTAINER, "web")),
        ("container", (Mode.CONTAINER, "1")),
        ("container:", (Mode.CONTAINER, "1")),
    ],
)
def test_a_mode_may_include_its_target(text: str, expected: tuple[Mode, str | None]) -> None:
    assert parse_mode(text) == expected


def test_a_namespace_is_joined_by_its_path() -> None:
    assert parse_mode("ns:/run/netns/lab") == (Mode.NS, "/run/netns/lab")
    for arm in ({"mode": "ns:/run/netns/lab"}, {"mode": "ns", "netns": "/run/netns/lab"}):
        (read,) = arms_of(arms=[arm])
        assert (read.key, read.mode, read.netns, read.target) == ("ns", Mode.NS, "/run/netns/lab", None)
    assert problems_of(arms=[{"mode": "ns"}]) == [("ns", "netns")]
    assert problems_of(modes=["ns:lab"]) == [("ns", "netns")]


@pytest.mark.parametrize("text", ["", "HOST", "bridge:1", "host:", "tcp", "container1", "x" * 500])
def test_an_unknown_mode_is_refused_with_a_list_of_modes(text: str) -> None:
    with pytest.raises(ValueError, match=r"Unknown mode|Only container") as caught:
        parse_mode(text)
    assert len(str(caught.value)) < 200


def test_a_wrong_mode_names_its_arm_as_the_form_does() -> None:
    assert problems_of(modes=["host"], arms=[{"mode": "bridge"}, {"mode": "brigde"}]) == [(None, "arms-1-mode")]
    assert problems_of(modes=["host", "brigde"]) == [(None, "modes-1-mode")]


def test_networks_are_read_from_lines_or_a_list() -> None:
    networks = (NetworkAttachment("back", gw_priority=1), NetworkAttachment("side", IPv6.ON))
    for value in ("back,gw-priority=1\nside,ipv6", ["back,gw-priority=1", "side,ipv6"]):
        draft = parse_draft({"arms": [{"mode": "user-bridge", "networks": value, "ipv6": "only"}]})
        assert draft.problems == ()
        assert (draft.spec.arms[0].networks, draft.spec.arms[0].ipv6) == (networks, IPv6.ONLY)


@pytest.mark.parametrize(
    ("value", "ipv6"), [("yes", IPv6.ON), (True, IPv6.ON), ("only", IPv6.ONLY), ("no", IPv6.OFF), ("", IPv6.OFF)]
)
def test_ipv6_is_off_on_or_the_only_family(value: object, ipv6: IPv6) -> None:
    assert parse_draft({"arms": [{"mode": "user-bridge", "ipv6": value}]}).spec.arms[0].ipv6 is ipv6


def test_networks_of_an_arm_that_cannot_have_them_are_problems() -> None:
    assert problems_of(arms=[{"mode": "bridge", "networks": "back", "ipv6": "yes"}]) == [
        ("bridge", "ipv6"),
        ("bridge", "networks"),
    ]
    assert problems_of(arms=[{"mode": "user-bridge", "networks": "back,mtu=9", "ipv6": "maybe"}]) == [
        ("user-bridge", "networks"),
        ("user-bridge", "ipv6"),
    ]


def test_arms_of_the_same_mode_get_different_names() -> None:
    assert [arm.key for arm in arms_of(modes=["host", "host", "bridge", "host"])] == [
        "host",
        "host-2",
        "bridge",
        "host-3",
    ]
    assert [arm.key for arm in arms_of(arms=[{"mode": "host", "key": "web"}, {"mode": "host"}])] == ["web", "host"]


def test_two_arms_with_the_same_name_are_a_problem() -> None:
    assert problems_of(arms=[{"mode": "host", "key": "web"}, {"mode": "bridge", "key": "web"}]) == [("web", "key")]


@pytest.mark.parametrize(
    ("target", "expected"), [("1", "host"), ("2", "web"), ("web", "web"), ("host", "host"), (1, "host")]
)
def test_a_target_is_an_arm_s_number_or_name(target: object, expected: str) -> None:
    arms = arms_of(modes=["host"], arms=[{"mode": "bridge", "key": "web"}, {"mode": "container", "target": target}])
    assert arms[2].target == expected


@pytest.mark.parametrize("mode", ["container", "container:1", "container:container"])
def test_a_container_cannot_share_its_own_stack(mode: str) -> None:
    assert sentence_of(modes=[mode]) == "An arm cannot share its own namespace: name another arm."


@pytest.mark.parametrize("target", ["0", "3", "99999999999999999999", "-1", "missing", "²"])
def test_a_missing_target_is_a_problem(target: str) -> None:
    assert problems_of(modes=["host", f"container:{target}"]) == [("container", "target")]


def test_a_target_that_also_shares_a_stack_is_a_problem() -> None:
    assert problems_of(modes=["host", "container:1", "container:2"]) == [("container-2", "target")]


def test_other_modes_ignore_a_target() -> None:
    assert arms_of(arms=[{"mode": "host", "target": "bridge"}])[0].target is None


@pytest.mark.parametrize(("value", "port"), [(1, 1), ("80", 80), (" 65535 ", 65535), (65535, 65535)])
def test_a_port_is_a_number_or_digits(value: object, port: int) -> None:
    assert parse_port(value) == port


@pytest.mark.parametrize(
    "value", [0, 65536, "0", "65536", "eighty", "", "-1", "8 0", "80.0", 80.0, True, None, [80], "٨٠", "1e3", 10**30]
)
def test_an_invalid_port_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="The port must be a number from 1 to 65535"):
        parse_port(value)


@pytest.mark.parametrize("port", [0, 65536, "eighty", "80 81", {"a": 1}])
def test_an_invalid_port_is_reported_once_and_the_rest_is_parsed(port: object) -> None:
    draft = parse_draft({"port": port, "modes": ["host", "bridge"]})
    assert [(problem.arm, problem.field) for problem in draft.problems] == [(None, "port")]
    assert len(draft.spec.arms) == 2


def host_ports(**values: Any) -> dict[str, list[int]]:
    return {arm.key: [one.host_port for one in arm.publish] for arm in arms_of(**values)}


def test_a_shared_port_goes_to_the_first_arm_that_forwards_and_the_next_ports_to_others() -> None:
    modes = ["host", "bridge", "none", "user-bridge", "macvlan", "bridge", "container:2"]
    assert host_ports(publish="8080:80", modes=modes) == {
        "host": [8080],
        "bridge": [8080],
        "none": [8080],
        "user-bridge": [8081],
        "macvlan": [8080],
        "bridge-2": [8082],
        "container": [],
    }


def test_a_port_that_an_arm_requests_itself_is_kept() -> None:
    arms = [{"mode": "bridge"}, {"mode": "user-bridge", "publish": "8080:80"}]
    assert host_ports(publish="8080:80", arms=arms) == {"bridge": [8081], "user-bridge": [8080]}


def test_a_port_that_the_engine_chooses_stays_unset() -> None:
    assert host_ports(publish="80", modes=["bridge", "user-bridge"]) == {"bridge": [0], "user-bridge": [0]}


def test_tcp_and_udp_may_use_the_same_port() -> None:
    arms = [{"mode": "bridge"}, {"mode": "user-bridge", "publish": "53:53/udp"}]
    assert host_ports(publish="53:53/tcp 53:53/udp", arms=arms) == {"bridge": [53, 54], "user-bridge": [53]}


def test_the_last_port_has_no_next_one() -> None:
    assert host_ports(publish="65535:80", modes=["bridge", "bridge"]) == {"bridge": [65535], "bridge-2": [65535]}


def test_combinations_that_docker_refuses_are_valid_here() -> None:
    arm = {"mode": "container", "target": "host", "publish": "8080:80", "dns": "9.9.9.9", "hostname": "web"}
    assert arms_of(modes=["host"], arms=[arm])[1].publish == (Publish(80, 8080),)
    assert arms_of(arms=[{"mode": "host", "sysctls": "net.ipv4.ip_forward=1"}])[0].sysctls


def test_the_number_of_a_target_may_have_leading_zeros_up_to_four_digits() -> None:
    assert arms_of(modes=["host", "container:0001"])[1].target == "host"
    assert problems_of(modes=["host", "container:00001"]) == [("container", "target")]


def test_ports_move_past_those_that_are_taken_up_to_the_last_one() -> None:
    own = [{"mode": "user-bridge", "publish": f"{port}:80"} for port in (8081, 8082)]
    assert host_ports(publish="8080:80", modes=["bridge", "bridge"], arms=own) == {
        "bridge": [8080],
        "bridge-2": [8083],
        "user-bridge": [8081],
        "user-bridge-2": [8082],
    }
    assert host_ports(publish="65534:80", modes=["bridge", "bridge"]) == {"bridge": [65534], "bridge-2": [65535]}
    assert host_ports(publish="8080:80 8080:81", modes=["bridge"]) == {"bridge": [8080, 8081]}


def test_the_title_names_image_and_port_unless_it_is_given() -> None:
    assert parse_draft({"modes": ["host"], "image": "httpd", "port": 81}).spec.title == "httpd on port 81"
    assert parse_draft({"modes": ["host"], "title": " Mine "}).spec.title == "Mine"
    assert parse_draft({"modes": ["host"], "image": "a" * 300}).spec.title == f"{'a' * 180} on port 80"


@pytest.mark.parametrize("value", [True, 1.5, 7])
def test_only_texts_and_numbers_are_accepted_as_text(value: object) -> None:
    draft = parse_draft({"modes": ["host"], "names": [value]})
    assert draft.spec.names == (() if value is True else (str(value),))
