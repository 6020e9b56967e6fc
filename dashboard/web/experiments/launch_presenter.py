"""The launch form as the page shows it: what was typed, and what is wrong beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from dashboard.core.modes import Mode

#: Rows of arm options that stand in the page without JavaScript.
BLANK_ARMS = 2
CHECKED = (Mode.HOST, Mode.BRIDGE)
SHARED_FIELDS = ("image", "port", "publish", "names")
MODE_LIST = "field-mode"

ABOUT_MODE: dict[str, Promise] = {
    Mode.HOST: _("the machine's own network stack, no isolation"),
    Mode.BRIDGE: _("a stack of its own behind docker0, the default"),
    Mode.USER_BRIDGE: _("a bridge network of our own, with Docker's DNS"),
    Mode.NONE: _("a stack with nothing but loopback"),
    Mode.CONTAINER: _("shares the stack of another arm"),
    Mode.MACVLAN: _("its own MAC address on the machine's link"),
    Mode.IPVLAN: _("its own address on the machine's link, same MAC"),
    Mode.OVERLAY: _("a network across machines, needs a swarm"),
}


@dataclass(frozen=True, slots=True)
class FieldView:
    """One input with its label, value and what is wrong with it."""

    name: str
    id: str
    key: str
    label: str | Promise
    kind: str
    value: str
    hint: str | Promise = ""
    sample: str = ""
    problems: tuple[str, ...] = ()
    checked: bool = False


@dataclass(frozen=True, slots=True)
class ModeView:
    """One mode to tick. An unavailable one shows its reason."""

    mode: str
    about: str | Promise
    available: bool
    reason: str
    checked: bool


@dataclass(frozen=True, slots=True)
class ArmView:
    """One repeated group of fields. ``number`` counts from 1; ``__N__`` in the one that is cloned."""

    number: str
    mode: str
    mode_problems: tuple[str, ...]
    fields: tuple[FieldView, ...]


@dataclass(frozen=True, slots=True)
class ProblemView:
    """One line of the summary, with the id of the field that it is about."""

    target: str
    sentence: str


@dataclass(frozen=True, slots=True)
class LaunchView:
    """The whole form."""

    image: FieldView
    port: FieldView
    publish: FieldView
    names: FieldView
    modes: tuple[ModeView, ...]
    mode_problems: tuple[str, ...]
    arms: tuple[ArmView, ...]
    blank: ArmView
    problems: tuple[ProblemView, ...]
    options_open: bool


_ARM_FIELDS: tuple[tuple[str, Promise, str, Promise | str, str], ...] = (
    ("image", _("Image"), "text", _("empty: the image above"), ""),
    ("command", _("Command"), "text", _("empty: the image's own"), "nginx -g 'daemon off;'"),
    ("port", _("Port it listens on"), "number", _("empty: the port above"), ""),
    ("publish", _("Publish (-p)"), "text", _("empty: as above"), "127.0.0.1:8080:80"),
    ("hostname", _("Host name (--hostname)"), "text", "", "web"),
    ("dns", _("DNS servers (--dns)"), "text", "", "192.0.2.53"),
    ("user", _("User (--user)"), "text", "", "1000:1000"),
    ("target", _("Shares the stack of"), "text", _("only for mode container: another arm by its name"), "bridge"),
    ("add_host", _("Extra hosts (--add-host)"), "lines", _("one per line"), "db:192.0.2.7"),
    ("environment", _("Environment (-e)"), "lines", _("one per line"), "NAME=value"),
    ("sysctls", _("Kernel settings (--sysctl)"), "lines", _("one per line"), "net.core.somaxconn=1024"),
    ("publish_all", _("Publish all exposed ports (-P)"), "check", "", ""),
)


ARM_FIELDS = tuple(key for key, *_rest in _ARM_FIELDS)


def format_value(value: Any, joint: str = " ") -> str:
    """What stands in the input: text as it is, a list joined, a mapping as ``name=value``."""
    if value is None or value is False:
        return ""
    if isinstance(value, Mapping):
        return joint.join(f"{name}={text}" for name, text in value.items())
    if isinstance(value, (list, tuple)):
        return joint.join(str(one) for one in value)
    return str(value)


def read_attribute(one: Any, name: str) -> str:
    """An attribute of an object or a key of a mapping, as text; empty when it is not there."""
    value = one.get(name) if isinstance(one, Mapping) else getattr(one, name, None)
    return "" if value is None else str(value)


def number_arms(ticked: Iterable[str], modes: Iterable[str]) -> dict[str, int]:
    """Which group of fields (from 1) each arm's key stands for.

    Keys as ``core.experiments.drafts.parse_draft`` gives them: ticked modes come first and take their own names, then each
    group whose mode was chosen takes its mode's name, or ``bridge-2`` when that is taken.
    """
    taken = set(ticked)
    numbers = {}
    for place, mode in enumerate(modes, start=1):
        if not mode:
            continue
        key, count = mode, 1
        while key in taken:
            count += 1
            key = f"{mode}-{count}"
        taken.add(key)
        numbers[key] = place
    return numbers


def find_target(field: str, arm: str, ticked: Sequence[str], modes: Sequence[str]) -> str:
    """The id of the input that a problem is about."""
    if group := re.fullmatch(r"group-(\d+)-mode", field):
        return f"arm-{group[1]}-mode"
    place = re.fullmatch(r"arm-(\d+)-mode", field)
    if place:
        # Counts through the ticked modes first, then through the groups whose mode was chosen.
        used = [number for number, mode in enumerate(modes, start=1) if mode]
        behind = int(place[1]) - len(ticked) - 1
        return f"arm-{used[behind]}-mode" if 0 <= behind < len(used) else MODE_LIST
    number = number_arms(ticked, modes).get(arm)
    if number is not None:
        return f"arm-{number}-{field if field in ARM_FIELDS else 'mode'}"
    return f"field-{field}" if field in SHARED_FIELDS else MODE_LIST


class _Problems:
    """The problems by the input that they are about."""

    def __init__(self, problems: Iterable[Any], ticked: Sequence[str] = (), modes: Sequence[str] = ()) -> None:
        self.lines = tuple(
            ProblemView(
                find_target(read_attribute(one, "field"), read_attribute(one, "arm"), ticked, modes),
                read_attribute(one, "sentence"),
            )
            for one in problems
        )

    def of(self, target: str) -> tuple[str, ...]:
        return tuple(one.sentence for one in self.lines if one.target == target)


def _arm(number: str, values: Mapping[str, Any], problems: _Problems) -> ArmView:
    fields = []
    for key, label, kind, hint, sample in _ARM_FIELDS:
        name = f"arm-{number}-{key}"
        value = values.get(key)
        text = format_value(value, "\n" if kind == "lines" else " ")
        checked = kind == "check" and bool(value)
        fields.append(FieldView(name, name, key, label, kind, text, hint, sample, problems.of(name), checked))
    mode = f"arm-{number}-mode"
    return ArmView(number, format_value(values.get("mode")), problems.of(mode), tuple(fields))


def build_form(
    defaults: Mapping[str, Any], values: Mapping[str, Any] | None, problems: Iterable[Any], modes: Iterable[Any]
) -> LaunchView:
    """The form with what was typed (``values``), or the defaults on a first visit."""
    typed: Mapping[str, Any] = values or defaults
    groups = list(typed.get("arms") or ())
    ticked = typed.get("mode", typed.get("modes"))
    chosen = [str(one) for one in (CHECKED if ticked is None else ticked)]
    found = _Problems(problems, chosen, [read_attribute(one, "mode") for one in groups])

    def field(key: str, label: Promise, kind: str, hint: Promise, sample: str) -> FieldView:
        target = f"field-{key}"
        return FieldView(key, target, key, label, kind, format_value(typed.get(key)), hint, sample, found.of(target))

    offered = []
    for one in modes:
        name = read_attribute(one, "mode")
        available = bool(one.get("available") if isinstance(one, Mapping) else one.available)
        reason = read_attribute(one, "reason")
        offered.append(ModeView(name, ABOUT_MODE.get(name, ""), available, reason, available and name in chosen))
    arms = [_arm(str(place), one, found) for place, one in enumerate(groups, start=1)]
    used = any(one.mode for one in arms)
    while len(arms) < BLANK_ARMS:
        arms.append(_arm(str(len(arms) + 1), {}, found))
    return LaunchView(
        field("image", _("Image"), "text", _("any tag or digest; local ones are offered"), "nginx"),
        field("port", _("Port it listens on"), "number", _("inside the container"), "80"),
        field("publish", _("Publish (-p)"), "text", _("host:container; several with spaces"), "8080:80"),
        field("names", _("Names to look up"), "text", _("besides the usual ones"), "db.internal"),
        tuple(offered),
        found.of(MODE_LIST),
        tuple(arms),
        _arm("__N__", {}, _Problems(())),
        found.lines,
        used or any(one.target.startswith("arm-") for one in found.lines),
    )
