"""An experiment on two machines, and what their labs write."""

from __future__ import annotations

from typing import Any

from dashboard.core.experiments.journal import Entry, Facts
from dashboard.core.operations.machines import MachineFacts
from dashboard.store import journal as journal_store
from dashboard.store import machines as machine_store
from dashboard.store import parts
from tests.core.machine_scenes import LAB2, SERVER, entries_of
from tests.support.records import load_record
from tests.support.specs import make_spec
from tests.web.experiments.hub_browser import CAUSE

FACTS = {"server": SERVER, "lab2": LAB2}


def create() -> str:
    """An experiment on the server's machine and on lab2."""
    if machine_store.find("lab2") is None:
        machine_store.register("lab2", {}, MachineFacts())
    return parts.create(make_spec("host", "bridge", machines=["server", "lab2"]))


def part_of(identity: str, machine: str) -> str:
    record = load_record(identity)
    return parts.ids_of(record.parts)[machine]


def observe(identity: str, *names: str) -> None:
    """The labs of these machines write what they observe."""
    for name in names:
        journal_store.append(part_of(identity, name), entries_of(name, ("host", "bridge"), FACTS[name]))


def launch_form(**more: Any) -> dict[str, Any]:
    return {"image": "nginx", "port": "80", "mode": ["host", "bridge"], "publish": "none"} | more


def add_later(identity: str, machine: str, *facts: Facts) -> None:
    """The lab of a machine writes entries after those of ``observe``."""
    part = part_of(identity, machine)
    last = journal_store.newest([part])[part][0]
    later = [Entry(last + number, 1200.0, CAUSE, one, "later") for number, one in enumerate(facts, start=1)]
    journal_store.append(part, later)
