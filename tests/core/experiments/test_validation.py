"""Validation of options. Docker validates the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.experiments.launch import format_publish
from dashboard.core.experiments.validation import (
    MAX_ARMS,
    MAX_ITEMS,
    parse_add_host,
    parse_command,
    parse_environment,
    parse_publish,
    parse_sysctls,
    problems,
)
from dashboard.core.modes import ArmSpec, ExperimentSpec, Mode, NetworkAttachment, Publish

WEB = ArmSpec("web", Mode.BRIDGE)


def experiment(*arms: ArmSpec, **changes: Any) -> ExperimentSpec:
    return replace(ExperimentSpec("Title", "nginx", 80, arms or (WEB,)), **changes)


def fields(*arms: ArmSpec, **changes: Any) -> list[tuple[str | None, str]]:
    return [(one.arm, one.field) for one in problems(experiment(*arms, **changes))]


def test_a_valid_experiment_has_no_problems() -> None:
    arms = (
        ArmSpec("host", Mode.HOST, publish=(Publish(80, 8080),)),
        ArmSpec("bridge", Mode.BRIDGE, image="ghcr.example:5000/team/nginx:1.27", publish_all=True),
        ArmSpec("own", Mode.USER_BRIDGE, dns=("2001:db8::53",), add_host=("a:host-gateway", "b=[::1]", "c:::1")),
        ArmSpec("guest", Mode.CONTAINER, target="own", command=("sleep", "60"), environment={"A": "=x"}),
    )
    assert problems(experiment(*arms, names=("example.org", "web."))) == ()


@pytest.mark.parametrize(
    "arm",
    [
        ArmSpec("guest", Mode.CONTAINER, target="web", publish=(Publish(80, 80),), dns=("192.0.2.1",), hostname="x"),
        ArmSpec("host", Mode.HOST, sysctls={"net.ipv4.ip_forward": "1"}, publish=(Publish(80, 80),)),
        ArmSpec("none", Mode.NONE, publish=(Publish(80, 80),), publish_all=True),
        ArmSpec("taken", Mode.BRIDGE, publish=(Publish(80, 80), Publish(81, 80))),
        ArmSpec("image", Mode.BRIDGE, image="no-such-image:0"),
    ],
)
def test_combinations_that_docker_refuses_or_discards_are_left_to_docker(arm: ArmSpec) -> None:
    assert problems(experiment(WEB, arm)) == ()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"port": -1}, "port"),
        ({"publish": (Publish(0),)}, "publish"),
        ({"publish": (Publish(80, 65536),)}, "publish"),
        ({"publish": (Publish(80, -1),)}, "publish"),
        ({"publish": (Publish(80, 80, "icmp"),)}, "publish"),
        ({"publish": (Publish(80, 80, "tcp", "example.org"),)}, "publish"),
        ({"publish": (Publish(80, 80, "tcp", "fe80::1%eth0"),)}, "publish"),
        ({"image": ""}, "image"),
        ({"image": "UPPER"}, "image"),
        ({"image": "nginx --privileged"}, "image"),
        ({"image": "-v"}, "image"),
        ({"hostname": "a" * 64}, "hostname"),
        ({"hostname": "a" * 40 + "." + "b" * 40}, "hostname"),
        ({"hostname": "under_score"}, "hostname"),
        ({"hostname": "-x"}, "hostname"),
        ({"hostname": "a..b"}, "hostname"),
        ({"dns": ("example.org",)}, "dns"),
        ({"dns": ("",)}, "dns"),
        ({"add_host": ("name",)}, "add_host"),
        ({"add_host": (":192.0.2.1",)}, "add_host"),
        ({"add_host": ("name:nowhere",)}, "add_host"),
        ({"environment": {"": "1"}}, "environment"),
        ({"environment": {"A=B": "1"}}, "environment"),
        ({"environment": {"A B": "1"}}, "environment"),
        ({"environment": {"A": "\0"}}, "environment"),
        ({"environment": {"A": "x" * 5000}}, "environment"),
        ({"environment": {f"A{n}": "" for n in range(101)}}, "environment"),
        ({"sysctls": {"nodots": "1"}}, "sysctls"),
        ({"sysctls": {"net.ipv4.ip_forward=1": "1"}}, "sysctls"),
        ({"sysctls": {"../kernel.x": "1"}}, "sysctls"),
        ({"user": "root --privileged"}, "user"),
        ({"user": ":"}, "user"),
        ({"command": ("a\0b",)}, "command"),
        ({"command": ("x" * 5000,)}, "command"),
        ({"key": "a/b"}, "key"),
        ({"key": ""}, "key"),
        ({"key": "x" * 64}, "key"),
        ({"key": "-a"}, "key"),
        ({"key": "machine"}, "key"),
        ({"key": "neighbour"}, "key"),
        ({"mode": Mode.NS}, "netns"),
        ({"mode": Mode.NS, "netns": "lab"}, "netns"),
        ({"mode": Mode.NS, "netns": "/run/netns/\0"}, "netns"),
        ({"netns": "/run/netns/lab"}, "netns"),
    ],
)
def test_a_malformed_value_is_one_problem_at_its_field(changes: dict[str, Any], field: str) -> None:
    arm = replace(WEB, **changes)
    assert fields(arm) == [(arm.key, field)]
    (problem,) = problems(experiment(arm))
    assert problem.sentence.endswith((".", "…"))
    assert len(problem.sentence) < 200


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"arms": ()}, "arms"),
        ({"arms": tuple(ArmSpec(f"a{n}", Mode.NONE) for n in range(MAX_ARMS + 1))}, "arms"),
        ({"port": 0}, "port"),
        ({"title": "x" * 201}, "title"),
        ({"title": "\0"}, "title"),
        ({"names": ("not a name",)}, "names"),
        ({"names": ("",)}, "names"),
        (
            {"arms": tuple(ArmSpec(f"a{n}", Mode.OVERLAY, networks=(NetworkAttachment(f"n{n}"),)) for n in range(9))},
            "networks",
        ),
    ],
)
def test_a_problem_of_the_whole_experiment_has_no_arm(changes: dict[str, Any], field: str) -> None:
    assert fields(**changes) == [(None, field)]


@pytest.mark.parametrize(
    ("arms", "words"),
    [
        ((ArmSpec("a", Mode.CONTAINER),), "Name the arm"),
        ((ArmSpec("a", Mode.CONTAINER, target="a"),), "cannot share its own"),
        ((ArmSpec("a", Mode.CONTAINER, target="b"),), "No arm is called “b”"),
        (
            (
                ArmSpec("a", Mode.CONTAINER, target="b"),
                ArmSpec("b", Mode.CONTAINER, target="c"),
                ArmSpec("c", Mode.NONE),
            ),
            "also shares a namespace",
        ),
        ((ArmSpec("a", Mode.HOST, target="b"), ArmSpec("b", Mode.HOST)), "Only mode container has a target"),
    ],
)
def test_the_target_of_a_shared_namespace_must_be_valid(arms: tuple[ArmSpec, ...], words: str) -> None:
    (problem,) = problems(experiment(*arms))
    assert (problem.arm, problem.field) == ("a", "target")
    assert words in problem.sentence


def test_two_arms_that_share_each_others_namespace_are_both_problems() -> None:
    arms = (ArmSpec("a", Mode.CONTAINER, target="b"), ArmSpec("b", Mode.CONTAINER, target="a"))
    assert fields(*arms) == [("a", "target"), ("b", "target")]


def test_two_arms_with_one_name_are_a_problem() -> None:
    assert fields(WEB, WEB) == [("web", "key")]


@pytest.mark.parametrize(
    ("text", "publish"),
    [
        ("80", Publish(80)),
        (" 8080:80 ", Publish(80, 8080)),
        ("8080:80/udp", Publish(80, 8080, "udp")),
        ("8080:80/TCP", Publish(80, 8080)),
        ("127.0.0.1:8080:80", Publish(80, 8080, "tcp", "127.0.0.1")),
        ("127.0.0.1::80", Publish(80, 0, "tcp", "127.0.0.1")),
        ("[::1]:8080:80", Publish(80, 8080, "tcp", "::1")),
    ],
)
def test_a_mapping_is_parsed_as_docker_parses_it(text: str, publish: Publish) -> None:
    assert parse_publish(text) == publish


@pytest.mark.parametrize(
    "text",
    ["", "0", "65536", "a", "80:", ":", "80:0", "0:80", "80/", "80/icmp", "example.org:80:80", "1:2:3:4", "٨٠", "8 0"],
)
def test_an_invalid_mapping_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        parse_publish(text)


@given(
    st.builds(
        Publish,
        st.integers(1, 65535),
        st.integers(0, 65535),
        st.sampled_from(["tcp", "udp", "sctp"]),
        st.one_of(st.just(""), st.ip_addresses().map(str).filter(lambda text: "%" not in text)),
    )
)
def test_every_mapping_is_unchanged_after_formatting_and_parsing(publish: Publish) -> None:
    assert parse_publish(format_publish(publish)) == publish


def test_environment_sysctls_and_hosts_are_one_per_line() -> None:
    assert parse_environment("A=1\n\n B =x=y\n") == {"A": "1", "B": "x=y"}
    assert parse_sysctls("net.ipv4.ip_forward = 1\n") == {"net.ipv4.ip_forward": "1"}
    assert parse_add_host("a:192.0.2.1\n\n  b:host-gateway ") == ("a:192.0.2.1", "b:host-gateway")
    assert parse_command("sh -c 'echo  hi'") == ("sh", "-c", "echo  hi")


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_environment, "A"),
        (parse_environment, "=1"),
        (parse_sysctls, "x=1"),
        (parse_sysctls, "net.ipv4.ip_forward"),
        (parse_add_host, "name"),
        (parse_add_host, "name:nowhere"),
        (parse_command, "sh -c 'open"),
        (parse_command, "a\0b"),
    ],
)
def test_an_invalid_line_is_refused_with_a_sentence(parse: Any, text: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        parse(text)


@given(st.sampled_from([parse_publish, parse_environment, parse_sysctls, parse_add_host, parse_command]), st.text())
def test_no_text_breaks_a_parser(parse: Any, text: str) -> None:
    try:
        parse(text)
    except ValueError as error:
        assert str(error).endswith(".")  # noqa: PT017  either outcome is right


words = st.text(max_size=40)


@given(
    st.lists(
        st.builds(
            ArmSpec,
            key=words,
            mode=st.sampled_from(list(Mode)),
            image=words,
            target=st.none() | words,
            command=st.lists(words, max_size=2).map(tuple),
            port=st.integers(),
            publish=st.lists(st.builds(Publish, st.integers(), st.integers(), words, words), max_size=2).map(tuple),
            environment=st.dictionaries(words, words, max_size=2),
            hostname=words,
            dns=st.lists(words, max_size=2).map(tuple),
            add_host=st.lists(words, max_size=2).map(tuple),
            sysctls=st.dictionaries(words, words, max_size=2),
            user=words,
            netns=words,
        ),
        max_size=4,
    ).map(tuple),
    words,
)
def test_every_invalid_specification_gives_short_sentences(arms: tuple[ArmSpec, ...], name: str) -> None:
    for problem in problems(ExperimentSpec("t", "nginx", 80, arms, (name,))):
        assert problem.sentence
        assert len(problem.sentence) < 400


@pytest.mark.parametrize(
    "changes",
    [
        {"port": 1},
        {"port": 65535},
        {"publish": (Publish(1, 0), Publish(65535, 65535))},
        {"hostname": "a" * 63},
        {"key": "x" * 63},
        {"image": "a" * 512},
        {"environment": {f"A{n}": "" for n in range(100)}},
        {"environment": {"A": "x" * 4096}},
        {"command": tuple("x" for _ in range(100))},
        {"user": "1000"},
        {"user": "www-data:www-data"},
        {"sysctls": {"net/ipv4/ip_forward": "1"}},
    ],
)
def test_values_at_their_limits_have_no_problems(changes: dict[str, Any]) -> None:
    assert problems(experiment(replace(WEB, **changes))) == ()


def test_an_experiment_at_its_limits_has_no_problems() -> None:
    arms = tuple(ArmSpec(f"a{n}", Mode.NONE) for n in range(MAX_ARMS))
    names = tuple(f"host{n}.example." for n in range(MAX_ITEMS))
    for port in (1, 65535):
        assert problems(experiment(*arms, title="x" * 200, port=port, names=names)) == ()


@pytest.mark.parametrize(
    ("arm", "field"),
    [
        (replace(WEB, image="a" * 513), "image"),
        (replace(WEB, environment={"A": "x" * 4097}), "environment"),
        (replace(WEB, hostname="\ud800"), "hostname"),
        (replace(WEB, command=("\udfff",)), "command"),
        (replace(WEB, publish=(Publish(65536),)), "publish"),
        (replace(WEB, publish=(Publish(-1),)), "publish"),
        (replace(WEB, publish=tuple(Publish(80) for _ in range(101))), "publish"),
        (replace(WEB, dns=("192.0.2.1",) * 101), "dns"),
        (replace(WEB, add_host=("a:192.0.2.1",) * 101), "add_host"),
        (replace(WEB, sysctls={f"net.a{n}": "1" for n in range(101)}), "sysctls"),
        (replace(WEB, command=("x",) * 101), "command"),
        (replace(WEB, target="x"), "target"),
        (ArmSpec("guest", Mode.CONTAINER, target=None), "target"),
        (ArmSpec("guest", Mode.CONTAINER, target="guest"), "target"),
        (ArmSpec("guest", Mode.CONTAINER, target="nobody"), "target"),
    ],
)
def test_a_value_beyond_its_limit_is_a_problem_at_its_field(arm: ArmSpec, field: str) -> None:
    assert field in [name for key, name in fields(arm) if key == arm.key]


def test_names_of_an_experiment_are_limited_in_number_and_length() -> None:
    assert fields(names=tuple(f"host{n}" for n in range(MAX_ITEMS + 1))) == [(None, "names")]
    label = "a" * 63
    assert fields(names=(f"{label}.{label}.{label}.{'a' * 61}",)) == []
    assert fields(names=(f"{label}.{label}.{label}.{'a' * 62}",)) == [(None, "names")]
    assert fields(title="\ud83d") == [(None, "title")]


def test_no_more_than_twice_as_many_arms_as_are_allowed_are_checked() -> None:
    arms = tuple(ArmSpec(f"a{n}", Mode.NONE, port=0) for n in range(3 * MAX_ARMS))
    assert [field for _arm, field in fields(*arms)] == ["arms", *["port"] * (2 * MAX_ARMS)]


@pytest.mark.parametrize("text", ["80", "1", "65535", "8080:65535/UDP", "[::1]:1:1"])
def test_ports_from_1_to_65535_are_parsed(text: str) -> None:
    assert parse_publish(text).container_port > 0


@pytest.mark.parametrize("text", ["0", "65536", "0000080", "8080:0", "0:80", "127.0.0.1:65536:80", "²", "80/", ":x:80"])
def test_invalid_published_ports_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|protocol|IP address"):
        parse_publish(text)


def test_a_host_port_may_be_left_to_docker() -> None:
    assert parse_publish("127.0.0.1::80") == Publish(80, 0, "tcp", "127.0.0.1")
    assert parse_publish("000080") == Publish(80, 0, "tcp")


@pytest.mark.parametrize("port", [-1, 0, 65536])
def test_the_port_of_an_experiment_is_checked_as_those_of_its_arms(port: int) -> None:
    assert fields(port=port) == [(None, "port")]
    assert fields(replace(WEB, port=port)) == [("web", "port")]
