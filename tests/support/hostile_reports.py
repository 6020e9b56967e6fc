"""A report in which every free text is an XSS string (``tests.support.xss``)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from dashboard.core.experiments.messages import ArmStatus
from dashboard.core.reports.model import ReportContent, canonical
from tests.support.reports import make_content
from tests.support.xss import STRINGS

#: Fields that are no free text: members of an enumeration, bytes, addresses (a report with invalid ones is refused).
CLOSED = {
    *("mode", "status", "phase", "source", "protocol", "family", "origin", "verdict", "probe", "kind", "stopped"),
    *("histogram", "schema", "relation", "address", "host_address", "engine_kind", "conditions"),
}
#: Fields that are filled although they are empty. A text in any other empty field would hide what is shown beside it.
FILLED = {
    *("notice", "progress", "problem", "error", "note", "reason", "cause", "stop_reason", "setup", "governor"),
    *("virtualisation", "python", "firewall_backend", "actor", "detail", "user", "hostname"),
}
#: Mappings whose keys are texts that the machine provides.
NAMED = frozenset({"sysctls", "networks", "mtu", "offloads"})
#: A key by which parts of a report name each other: it is renamed everywhere at once.
RENAMED = "user-bridge"


class _Reader:
    """Finds the free texts of a report. ``keys``, by which parts of it refer to each other, are not free texts."""

    def __init__(self, keys: frozenset[str]) -> None:
        self._keys = keys

    def is_text(self, value: str, name: str) -> bool:
        return name not in CLOSED and value not in self._keys and (bool(value) or name in FILLED)

    def fields(self, value: Any, name: str = "") -> list[str]:
        """The field names of all free texts, in the order in which they are filled."""
        if isinstance(value, str):
            return [name] if self.is_text(value, name) else []
        if isinstance(value, list | tuple):
            return [found for one in value for found in self.fields(one, name)]
        if isinstance(value, dict):
            inside = [found for key, one in value.items() for found in self.fields(one, name if name in NAMED else key)]
            return inside + [f"key of {name}"] * (len(value) if name in NAMED else 0)
        return []


class _Filler(_Reader):
    """Distributes the strings over the texts of each field, so that every field has every string."""

    def __init__(self, keys: frozenset[str], strings: Sequence[str], said: Any) -> None:
        super().__init__(keys)
        self._strings = strings
        self._counts = Counter(self.fields(said))
        self._met: Counter[str] = Counter()

    def text(self, name: str) -> str:
        count, number = self._counts[name], self._met[name]
        self._met[name] += 1
        return " ".join(self._strings[number % len(self._strings) :: count])

    def fill(self, value: Any, name: str = "") -> Any:
        if isinstance(value, str):
            if value == RENAMED and name not in CLOSED:
                return self._strings[0]
            return self.text(name) if self.is_text(value, name) else value
        if isinstance(value, list | tuple):
            return [self.fill(one, name) for one in value]
        if isinstance(value, dict):
            if name in NAMED:
                return {self.text(f"key of {name}"): self.fill(one, name) for one in value.values()}
            return {(self._strings[0] if key == RENAMED else key): self.fill(one, key) for key, one in value.items()}
        return value


def _broken(content: ReportContent) -> ReportContent:
    """Adds an arm that exited with a reason, so that the report has logs and errors."""
    experiment = content.experiment
    assert experiment is not None
    entry = experiment.journal[1]
    columns = tuple(
        replace(one, status=ArmStatus.EXITED, exit_code=1, logs=("a", "b"), error="no", warnings=("w",), setup="s")
        if one.key == "none"
        else one
        for one in entry.facts.columns
    )
    entry = replace(entry, facts=replace(entry.facts, columns=columns))
    journal = (experiment.journal[0], entry, *experiment.journal[2:])
    return replace(content, experiment=replace(experiment, journal=journal))


def make_hostile(seed: int = 1) -> ReportContent:
    """The hostile report. The seed determines the order of the strings. Keys by which parts refer to each other are
    unchanged, except ``RENAMED``."""
    content = _broken(make_content(changes=6))
    strings = list(STRINGS)
    random.Random(seed).shuffle(strings)
    experiment, runs = content.experiment, content.measurements
    assert experiment is not None
    keys = {column.key for entry in experiment.journal for column in entry.facts.columns}
    keys |= {one.key for run in runs for one in run.series} | {one.path.name for run in runs for one in run.series}
    said: dict[str, Any] = msgspec.to_builtins(content)
    filler = _Filler(frozenset(keys), strings, said)
    return msgspec.convert(filler.fill(said), ReportContent)


def keep_hostile() -> str:
    """Stores the report without the checks of forms and imports, with a remark. Returns its id."""
    from dashboard.store.reports import saved as saved_reports

    content = make_hostile()
    number = saved_reports.insert_report(content, canonical(content), None, imported_from=STRINGS[1][:16])
    saved_reports.annotate(number, " ".join(STRINGS), author=STRINGS[0])
    return number


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    django.setup()
    print(keep_hostile())  # noqa: T201 - for the test that runs this beside a server
