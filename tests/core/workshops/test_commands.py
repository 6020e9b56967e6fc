"""Commands of a workshop: the action of a line, and lines that are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.workshops.actions import (
    LABELS,
    ChangeFirewall,
    ChangeSwarm,
    CreateNetwork,
    Curl,
    Inspect,
    ListContainers,
    OnOtherHost,
    Pull,
    Remove,
    RemoveNetwork,
    ShowLogs,
    ShowPorts,
    Stop,
)
from dashboard.core.workshops.commands import parse_command, with_image
from dashboard.core.workshops.launches import Launch
from dashboard.core.workshops.model import Command


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("docker stop web", Stop(("web",))),
        ("docker rm web", Remove(("web",))),
        ("docker rm -f web shop", Remove(("web", "shop"), force=True)),
        ("docker network create lab", CreateNetwork("lab")),
        ("docker network create --subnet 10.9.0.0/24 lab", CreateNetwork("lab", {"subnet": "10.9.0.0/24"})),
        ("docker network create --subnet=10.9.0.0/24 lab", CreateNetwork("lab", {"subnet": "10.9.0.0/24"})),
        (
            "docker network create -d overlay --attachable span",
            CreateNetwork("span", {"attachable": "true"}, "overlay"),
        ),
        ("docker swarm init", ChangeSwarm()),
        ("docker swarm init --advertise-addr 192.0.2.2", ChangeSwarm("192.0.2.2")),
        ("docker swarm leave --force", ChangeSwarm(leave=True)),
        ("docker network rm lab", RemoveNetwork("lab")),
        ("docker pull nginx", Pull("nginx")),
        ("docker ps", ListContainers()),
        ("curl -i http://192.0.2.2:8080/ # on another machine", Curl("192.0.2.2", 8080, outside=True)),
        (
            "iptables -I DOCKER-USER -i eth0 -p tcp --dport 80 -j DROP",
            ChangeFirewall(("iptables", "-I", "DOCKER-USER", "-i", "eth0", "-p", "tcp", "--dport", "80", "-j", "DROP")),
        ),
        ("ufw deny 80/tcp", ChangeFirewall(("ufw", "deny", "80/tcp"))),
        ("ufw --force enable", ChangeFirewall(("ufw", "--force", "enable"))),
        ("docker ps -a", ListContainers(show_all=True)),
        ("docker logs web", ShowLogs("web")),
        ("docker port web", ShowPorts("web")),
        ("curl http://127.0.0.1/", Curl("127.0.0.1", 80)),
        ("curl -i localhost:8080/a", Curl("127.0.0.1", 8080, "/a")),
        ("curl http://[::1]:81/", Curl("::1", 81)),
        ("ip addr show", Inspect(("ip", "addr", "show"))),
        ("netstat -tulpn | grep :80", Inspect(("netstat", "-tulpn"), grep=":80")),
        ("ss -Hltnp 'sport = :80'", Inspect(("ss", "-Hltnp", "sport = :80"))),
        ("docker exec web cat /etc/resolv.conf", Inspect(("cat", "/etc/resolv.conf"), "web")),
        ("docker exec web wget -qO- http://shop/", Inspect(("wget", "-qO-", "http://shop/"), "web")),
    ],
)
def test_a_line_is_parsed_as_its_action(line: str, action: object) -> None:
    assert parse_command(line) == action
    assert LABELS[type(action)]


def test_a_line_can_name_the_other_host() -> None:
    line = "docker exec far wget -qO- http://web/ # on the other host"
    assert parse_command(line) == OnOtherHost(Inspect(("wget", "-qO-", "http://web/"), "far"))
    assert Command(line, parse_command(line)).label == LABELS[Inspect]


def test_a_docker_run_line_is_parsed_as_a_launch() -> None:
    action = parse_command("docker run --rm -d --name web --network host -p 8080:80 nginx")
    assert isinstance(action, Launch)
    assert (action.run.name, action.run.image, action.run.network) == ("web", "nginx", "host")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "empty"),
        ("docker run nginx", "needs -d"),
        ("docker run -d --no-such-option 1 nginx", "--no-such-option is not supported"),
        ("docker exec web rm -rf /", "only commands that read"),
        ("docker exec web sh -c id", "only commands that read"),
        ("docker system prune -f", "is not supported"),
        ("docker rm ../../x", "not a valid name"),
        ("docker stop", "Name the container"),
        ("docker network create --opt x=y lab", "does not support --opt"),
        ("rm -rf /", "only commands that read"),
        ("ip link set eth0 down", "only commands that read"),
        ("ip addr add 10.0.0.1/8 dev lo", "only commands that read"),
        ("cat /etc/shadow", "only commands that read"),
        ("cat /proc/sys/net/../../../etc/shadow", "only commands that read"),
        ("ip route show # on another machine", "Only curl can run on another machine"),
        ("docker network rm lab # on the other host", "cannot run on the other host"),
        ("ufw deny 80/tcp # on the other host", "cannot run on the other host"),
        ("curl http://192.0.2.2/ # on another machine # on the other host", "cannot run on the other host"),
        ("docker run -d --privileged nginx # on the other host", "cannot run on the other host"),
        ("iptables -F", "only commands that read"),
        ("iptables -t nat -I PREROUTING -j DROP", "only commands that read"),
        ("iptables -I INPUT -j DROP; id", "only commands that read"),
        ("ufw reset", "only commands that read"),
        ("netstat -tulpn | sh", "grep TEXT"),
        ("netstat -tulpn | grep -f /etc/shadow", "grep TEXT"),
        ("netstat -tulpn | grep -v", "grep TEXT"),
        ("netstat -tulpn; id", "only commands that read"),
        ("curl http://127.0.0.1/ -o /etc/passwd", "Write curl as"),
        ("curl file:///etc/passwd", "not of the form"),
        ("curl http://example.com/", "Use an address"),
        ("curl http://127.0.0.1:99999/", "range"),
        ("ss 'sport", "unclosed"),
        ("x" * 500, "at most 400"),
    ],
)
def test_unsupported_lines_are_refused(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_command(line)


_WORDS = ("docker", "run", "-d", "|", "grep", "curl", "http://[", "'", "exec", "a", "--network", "=")
_LINES = st.text(max_size=120) | st.lists(st.sampled_from(_WORDS)).map(" ".join)


@given(_LINES)
def test_any_line_is_an_action_or_a_sentence(line: str) -> None:
    sentence = ""
    try:
        assert LABELS[type(parse_command(line))]
    except ValueError as error:
        sentence = str(error)
    assert "Traceback" not in sentence


def test_the_shown_line_works_on_an_engine_that_has_only_the_lab_image() -> None:
    line = "docker run --rm -d --name nginx-web --network host nginx"
    assert with_image(line, frozenset({"netmodes-lab:1"})) == line[:-5] + "netmodes-lab:1"
    assert with_image(line, frozenset({"netmodes-lab:1", "nginx:latest"})) == line
    assert with_image(line, frozenset()) == line
    assert with_image("docker pull nginx", frozenset({"netmodes-lab:1"})) == "docker pull nginx"


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("docker rm --force web", Remove(("web",), force=True)),
        ("docker stop a b c d e f g h i j", Stop(tuple("abcdefghij"))),
        (
            "docker network create --subnet 10.9.0.0/24 --gateway=10.9.0.1 lab",
            CreateNetwork("lab", {"subnet": "10.9.0.0/24", "gateway": "10.9.0.1"}),
        ),
        ("curl -sS http://127.0.0.1", Curl("127.0.0.1", 80, "/")),
        ("curl 192.0.2.1:8080", Curl("192.0.2.1", 8080, "/")),
        ("docker exec web ip addr", Inspect(("ip", "addr"), "web")),
        (f"docker stop {'x' * 63}", Stop(("x" * 63,))),
    ],
)
def test_a_line_at_its_limits_is_parsed(line: str, action: object) -> None:
    assert parse_command(line) == action


def test_a_line_may_have_400_characters() -> None:
    words = " ".join(["docker stop", *(["x" * 38] * 9), "x" * 37])
    assert len(words) == 400
    assert isinstance(parse_command(words), Stop)
    with pytest.raises(ValueError, match="at most 400"):
        parse_command(f"{words}x")


@pytest.mark.parametrize(
    "line",
    [
        "docker stop a b c d e f g h i j k",
        f"docker stop {'x' * 64}",
        "docker network create --gateway lab",
        "docker network create --subnet=1 --gateway",
        "curl",
        "curl http://127.0.0.1/ http://127.0.0.1/",
        "netstat -tulpn | grep a b",
        "netstat -tulpn | grep",
        "netstat -tulpn | wc tcp",
        "docker exec web",
        "docker ps -q",
        "docker stop a\tb",
    ],
)
def test_a_line_beyond_its_limits_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        parse_command(line)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("docker run -d nginx", "docker run -d netmodes-lab:1"),
        ("docker run -d --name nginx nginx", "docker run -d --name nginx netmodes-lab:1"),
        ("docker run -d --name nginx-1 nginx nginx -t", "docker run -d --name nginx-1 netmodes-lab:1 nginx -t"),
        ("docker run -d --rm=true --name=nginx -P nginx", "docker run -d --rm=true --name=nginx -P netmodes-lab:1"),
        ("docker run --privileged -v a:/a -d nginx", "docker run --privileged -v a:/a -d netmodes-lab:1"),
        ("docker run -d -e 'A=b c' nginx", "docker run -d -e 'A=b c' netmodes-lab:1"),
        ("docker run -d nginx # on the other host", "docker run -d netmodes-lab:1 # on the other host"),
        ("docker run -d httpd nginx", "docker run -d httpd nginx"),
        ("docker run -d my-nginx", "docker run -d my-nginx"),
        ("docker run -d --name nginx", "docker run -d --name nginx"),
        ("docker stop nginx", "docker stop nginx"),
    ],
)
def test_the_lab_image_replaces_only_the_image(line: str, shown: str) -> None:
    assert with_image(line, frozenset({"netmodes-lab:1"})) == shown


def test_a_line_stays_if_the_engine_has_nginx_or_no_lab_image() -> None:
    for images in (frozenset({"httpd:2", "nginx-like:1"}), frozenset({"netmodes-lab:1", "nginx:1.29"})):
        assert with_image("docker run -d nginx", images) == "docker run -d nginx"
