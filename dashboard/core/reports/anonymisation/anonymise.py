"""Anonymises a report: replaces each detail that identifies the machine with a pseudonym, the same one wherever the
detail occurs.

Equal cells stay equal, and different ones stay different. The following is replaced: host names, addresses (see
``core.reports.anonymisation.pseudonyms``), MAC addresses, container ids, arguments of commands, values of environment
variables, paths of user files, the engine's address, the installation and the author. Kernel, processor, versions,
images, ports and names of programs are kept, because the figures mean nothing without them.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from http import HTTPStatus
from typing import Any

from dashboard.core.comparison.phrases import join_names
from dashboard.core.experiments.journal import Attempt, Entry
from dashboard.core.experiments.machines.journals import LAUNCH_REQUESTED
from dashboard.core.experiments.messages import Check, Column, EngineRef, ExperimentHead
from dashboard.core.measurements.measurement import Block, Environment
from dashboard.core.modes import ArmSpec
from dashboard.core.reports.anonymisation.identifiers import (
    NAMES,
    REMOVED,
    Identifiers,
    collect_texts,
    find_identifiers,
    machine_in_key,
    shorten_command,
)
from dashboard.core.reports.anonymisation.pseudonyms import Pseudonyms
from dashboard.core.reports.model import ClaimResult, ReportContent

#: Fields with texts that name the machines of an experiment.
MACHINE_TEXTS: dict[type[Any], tuple[str, ...]] = {
    Entry: ("text",),
    ExperimentHead: ("notice", "progress", "problem", "measured", "tried"),
    Check: ("name", "detail"),
    Column: ("title",),
}
#: The standard reason phrases of HTTP; any other phrase is a text of the service.
PHRASES = frozenset({"", *(status.phrase for status in HTTPStatus)})
#: A shorter name is replaced in fields for names only; in a text it may be any word.
MIN_LITERAL = 3
#: A text of at least this length is also replaced within longer words.
LONG = 8

_IPV4 = r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)"
_IPV6 = r"(?<![\w:.])(?=[0-9A-Fa-f:]*:[0-9A-Fa-f]*:)[0-9A-Fa-f:]+(?:(?<=:)(?:\d{1,3}\.){3}\d{1,3})?(?![\w:]|\.\d)"
_MAC = r"(?<![0-9A-Fa-f:])(?:(?:[0-9A-Fa-f]{2}:){14})?(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}(?![0-9A-Fa-f:])"
_ID = r"(?<![0-9a-f])(?<!sha256:)[0-9a-f]{12,64}(?![0-9a-f])"
_PATH = r"(?<![\w:/.])/(?:home|root|Users|srv|opt|mnt|media|data|tmp|var/lib|var/www)/[^\s\"',;:()<>]+"


@dataclass(frozen=True, slots=True)
class Replacement:
    """A detail (``before``) and its pseudonym (``after``). ``kind`` describes the detail, such as "host name";
    ``count`` is the number of replacements."""

    kind: str
    before: str
    after: str
    count: int


def anonymise(content: ReportContent) -> tuple[ReportContent, tuple[Replacement, ...]]:
    """Returns the content without the details of the machine, and the list of replacements. Unknown fields of the
    report's file are lost, because ``ReportContent`` does not hold them."""
    anonymiser = _Anonymiser(content)
    return anonymiser.content(content), anonymiser.replacements()


class _Anonymiser:
    def __init__(self, content: ReportContent) -> None:
        identifiers = find_identifiers(content)
        texts = collect_texts(content)
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._known: dict[str, tuple[str, Counter[tuple[str, str, str]]]] = {}
        self._addresses = Pseudonyms(identifiers.networks, identifiers.addresses)
        self._ids: dict[str, str] = {}
        for identity in sorted(identifiers.ids):
            self._ids.setdefault(identity[:12], f"{len(self._ids) + 1:012x}".ljust(64, "0"))
        self._paths: dict[str, str] = {}
        self._fields: dict[type[Any], tuple[str, ...]] = {}
        self._names = self._name_all(identifiers, texts)
        self._machines = frozenset(identifiers.machines)
        self._machine_pattern = _compile_machines(self._machines)
        self._literal = self._literals(identifiers)
        self._pattern = self._compile(identifiers, texts)

    def _name_all(self, identifiers: Identifiers, texts: Iterable[str]) -> dict[str, str]:
        used = set(texts)
        numbers = (number for number in range(1, 1 << 30) if f"host{number}.example" not in used)
        named = {}
        for name in sorted(identifiers.names):
            is_id = len(name) >= 12 and name[:12] in self._ids
            named[name] = self._ids[name[:12]][: len(name)] if is_id else f"host{next(numbers)}.example"
        return named

    def _literals(self, identifiers: Identifiers) -> dict[str, tuple[str, str]]:
        """Returns the details that are searched for in every text of the report, each with its kind and pseudonym."""
        literals = {text: ("command", after) for text, after in identifiers.commands.items()}
        literals |= {text: ("environment", after) for text, after in identifiers.settings.items()}
        literals |= dict.fromkeys(identifiers.authors, ("author", "anonymous"))
        literals |= dict.fromkeys(identifiers.installations, ("installation", REMOVED))
        literals |= dict.fromkeys(identifiers.endpoints, ("engine", REMOVED))
        literals |= {text: ("host name", after) for text, after in self._names.items() if text not in identifiers.words}
        for key, machine in identifiers.keys.items():
            literals[key] = ("host name", re.sub(machine_in_key(machine), self._names[machine], key))
        for mac in identifiers.macs:
            bare = mac.replace(":", "")
            literals[bare] = ("MAC address", self._addresses.mac(mac).replace(":", ""))
        return {text: pseudonym for text, pseudonym in literals.items() if len(text) >= MIN_LITERAL}

    def _compile(self, identifiers: Identifiers, texts: Iterable[str]) -> re.Pattern[str]:
        """Returns one pattern that finds all details in a single pass over a text. ``texts`` are all texts of the
        report. A detail that occurs only as a whole text is left out, because ``_replace`` looks up whole texts
        first."""
        joined = "\0".join(text for text in texts if text not in self._literal)
        inside = sorted((text for text in self._literal if text in joined), key=lambda text: (-len(text), text))
        words = [_bounded(text, in_names=text in identifiers.keys) for text in inside]
        literal = f"(?P<literal>{'|'.join(words)})|" if words else ""
        rest = f"(?P<mac>{_MAC})|(?P<inet6>{_IPV6})|(?P<inet>{_IPV4})|(?P<id>{_ID})|(?P<path>{_PATH})"
        return re.compile(literal + rest)

    def text(self, text: str) -> str:
        """Returns the text with a pseudonym for each detail, and counts the replacements."""
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._replace(text)
        self._counts.update(known[1])
        return known[0]

    def _replace(self, text: str) -> tuple[str, Counter[tuple[str, str, str]]]:
        counts: Counter[tuple[str, str, str]] = Counter()
        if text in self._literal:
            kind, after = self._literal[text]
            return after, Counter({(kind, text, after): 1})

        def replace_match(match: re.Match[str]) -> str:
            before = match.group()
            kind, after = self._pseudonym(match.lastgroup or "", before)
            if after != before:
                counts[kind, before, after] += 1
            return after

        return self._pattern.sub(replace_match, text), counts

    def _pseudonym(self, group: str, before: str) -> tuple[str, str]:
        if group == "literal":
            return self._literal[before]
        if group == "mac":
            return "MAC address", self._addresses.mac(before)
        if group in {"inet", "inet6"}:
            return "address", self._addresses.address(before)
        if group == "path":
            return "path", self._paths.setdefault(before, f"/removed/path{len(self._paths) + 1}")
        known = self._ids.get(before[:12])
        return "container id", before if known is None else known[: len(before)]

    def name(self, text: str) -> str:
        """Returns the pseudonym for the text of a field that holds a name, and counts the replacement."""
        after = self._names.get(text)
        if after is None:
            return self.text(text)
        self._counts["host name", text, after] += 1
        return after

    def replace_machines(self, text: str) -> str:
        """Returns the text with a pseudonym for each detail, including the names of machines that are also ordinary
        words. These names are replaced only where texts name a machine: before a colon, in parentheses, and in the list
        of machines in the journal's entry of a launch."""
        if not self._machines:
            return self.text(text)
        if text.startswith(LAUNCH_REQUESTED):
            names = text.removeprefix(LAUNCH_REQUESTED).replace(" and ", ", ").split(", ")
            return LAUNCH_REQUESTED + join_names(map(self._machine, names))
        pieces = self._machine_pattern.split(text)
        return "".join(self._machine(piece) if number % 2 else self.text(piece) for number, piece in enumerate(pieces))

    def _machine(self, name: str) -> str:
        return self.name(name) if name in self._machines else name

    def value(self, value: Any) -> Any:
        """Returns a copy of a value of any type with a pseudonym for each detail in it."""
        if isinstance(value, Enum) or value is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, tuple):
            return tuple(self.value(one) for one in value)
        if isinstance(value, Mapping):
            return {self.value(key): self.value(one) for key, one in value.items()}
        if is_dataclass(value) and not isinstance(value, type):
            return self._record(value)
        return value

    def _record(self, value: Any) -> Any:
        if isinstance(value, Environment):
            return replace(value, mtu=self.value(value.mtu), offloads=self.value(value.offloads))
        if isinstance(value, EngineRef):
            return replace(value, name=self.name(value.name), endpoint="")
        if isinstance(value, Block):
            return replace(
                value, series=self.text(value.series), error=self.text(value.error), note=self.text(value.note)
            )
        if isinstance(value, ClaimResult):
            value = replace(value, engine=value.engine.partition(" (")[0])  # without its name or address
        kind = type(value)
        if kind not in self._fields:
            self._fields[kind] = tuple(field.name for field in fields(kind))
        values = {name: self._field(kind, name, getattr(value, name)) for name in self._fields[kind]}
        if isinstance(value, Attempt) and value.body_start:
            values["body_start"] = REMOVED  # a response may contain anything
        if isinstance(value, Attempt) and value.status is not None and value.reason not in PHRASES:
            values["reason"] = REMOVED
        if isinstance(value, ArmSpec):
            values["environment"] = {self.text(key): REMOVED for key in value.environment}
            values["command"] = shorten_command(value.command)
        return kind(**values)

    def _field(self, kind: type[Any], field: str, value: Any) -> Any:
        if field == "machine" and kind in {ArmSpec, Column}:
            return self._machine(value)
        if field in MACHINE_TEXTS.get(kind, ()):
            return self.replace_machines(value)
        if field not in NAMES.get(kind, ()) or value is None:
            return self.value(value)
        return self.name(value) if isinstance(value, str) else tuple(self.name(one) for one in value)

    def content(self, content: ReportContent) -> ReportContent:
        anonymous: ReportContent = self._record(replace(content, author="", installation="", version=""))
        return replace(anonymous, version=content.version, saved_at=content.saved_at)

    def replacements(self) -> tuple[Replacement, ...]:
        ordered = sorted(self._counts.items(), key=lambda item: (item[0][0], -item[1], item[0][1]))
        return tuple(Replacement(kind, before, after, times) for (kind, before, after), times in ordered)


def _compile_machines(machines: Collection[str]) -> re.Pattern[str]:
    """Returns a pattern that finds the names of the machines where they stand before a colon or in parentheses."""
    names = "|".join(re.escape(name) for name in sorted(machines, key=lambda name: (-len(name), name)))
    return re.compile(rf"(?:(?<![^ ])|(?<=\())({names})(?=: |\)(?: |$))")


def _bounded(text: str, *, in_names: bool = False) -> str:
    """Returns a pattern that finds the detail ``text``. A detail of at least ``LONG`` characters is also found within
    longer words, a shorter one only as a whole word.

    If ``in_names`` is true, the detail is the key of an arm. It is found only as a whole word, however long it is, but
    may follow a hyphen, as in the name of the arm's container.
    """
    if len(text) >= LONG and not in_names:
        return re.escape(text)
    return rf"(?<![{'' if in_names else '-'}\w]){re.escape(text)}(?![\w-])"
