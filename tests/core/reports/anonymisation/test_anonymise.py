"""A scrubbed report says nothing of its machine, and everything of what was compared."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.journal import Cause, Entry, Facts, Source, replay
from dashboard.core.experiments.messages import EngineRef
from dashboard.core.namespaces.state import HostsEntry, Lookup
from dashboard.core.reports.anonymisation.anonymise import Removal, scrub
from dashboard.core.reports.model import ReportContent, canonical
from dashboard.core.reports.validate import check_content
from tests.core.builders import container_id, make_arm, make_interface, make_scene, recorded_scene, with_column
from tests.reports import AT, make_content
from tests.scrubbed import with_scene

SECRETS = {
    "host name": "payroll-db.corp.internal",
    "machine": "zephyr-lab-07",
    "IPv4": "10.99.3.77",
    "public address": "81.2.69.142",
    "IPv6": "2a02:8109:9c40:1::77",
    "link-local": "fe80::5054:ff:fe12:3456",
    "MAC": "52:54:00:12:34:56",
    "container": container_id("bridge"),
    "argument": "--license-key=QX7-8841",
    "variable": "s3cr3t-hunter2",
    "path": "/home/alice/project/run.sh",
    "author": "Alice Sommer",
    "installation": "k3m9xq2r7t",
    "endpoint": "tcp://10.99.3.77:2376",
    "search": "corp.internal",
    "registry": "registry.corp.internal",
}


def told() -> ReportContent:
    """A report in which each secret stands in every text that there is."""
    everything = " | ".join([*SECRETS.values(), SECRETS["MAC"].replace(":", ""), SECRETS["container"][:12]])
    columns, states = make_scene(("host", "bridge", "user-bridge"))
    machine = replace(
        states["machine"],
        hostname=SECRETS["machine"],
        interfaces=(
            *states["machine"].interfaces,
            make_interface(
                f"enx{SECRETS['MAC'].replace(':', '')}",
                90,
                mac=SECRETS["MAC"],
                addresses=(f"{SECRETS['IPv4']}/24", f"{SECRETS['IPv6']}/64", f"{SECRETS['link-local']}/64"),
            ),
        ),
        hosts=(HostsEntry(SECRETS["IPv4"], (SECRETS["host name"], SECRETS["machine"])),),
        lookups=(Lookup(SECRETS["host name"], "answer", (SECRETS["public address"],), SECRETS["IPv4"], 20),),
        resolver=replace(states["machine"].resolver, search=(SECRETS["search"],), nameservers=(SECRETS["IPv4"],)),  # type: ignore[type-var]
    )
    columns = with_column(
        columns, "bridge", logs=(everything,), error=everything, warnings=(everything,), command=everything
    )
    content = with_scene(columns, states | {"machine": machine, "host": replace(machine, namespaces={})})
    assert content.experiment is not None
    arm = make_arm(
        "bridge",
        image=f"{SECRETS['registry']}/app:1",
        command=("serve", SECRETS["argument"]),
        environment={"TOKEN": SECRETS["variable"]},
        hostname=SECRETS["machine"],
        add_host=(f"{SECRETS['host name']}:{SECRETS['IPv4']}",),
    )
    said = Entry(3, AT + 2, Cause(Source.ENGINE, everything, everything), Facts(), everything, ("bridge",))
    experiment = replace(
        content.experiment,
        spec=replace(content.experiment.spec, arms=(arm,), names=(SECRETS["host name"],), title=everything),
        engine=EngineRef("26.1.5", "1.45", SECRETS["machine"], endpoint=SECRETS["endpoint"]),
        journal=(*content.experiment.journal, said),
        head=replace(content.experiment.head, problem=everything),
    )
    run = make_content(0).measurements[0]
    run = replace(run, title=everything, blocks=(replace(run.blocks[0], error=everything), *run.blocks[1:]))
    return replace(
        content,
        title=everything[:200],
        notes=everything,
        experiment=experiment,
        measurements=(run,),
        author=SECRETS["author"],
        installation=SECRETS["installation"],
    )


TOLD = told()


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_is_left_anywhere(name: str) -> None:
    assert SECRETS[name] in json.loads(canonical(TOLD))["notes"]
    scrubbed, _ = scrub(TOLD)
    left = canonical(scrubbed).decode()
    assert SECRETS[name] not in left
    assert SECRETS["MAC"].replace(":", "") not in left
    assert SECRETS["container"][:12] not in left
    check_content(scrubbed)


def test_what_was_removed_is_listed_with_what_stands_there_and_how_often() -> None:
    _, removed = scrub(TOLD)
    kinds = {one.kind for one in removed}
    assert kinds == {
        "host name",
        "address",
        "MAC address",
        "container id",
        "command",
        "environment",
        "path",
        "author",
        "installation",
        "engine",
    }
    found = {one.before: one for one in removed}
    assert found[SECRETS["path"]].after == "/removed/path1"
    assert found[SECRETS["machine"]].after.endswith(".example")
    assert found[SECRETS["machine"]].count > 5
    assert scrub(make_content(0, ()))[1] != ()


def test_figures_programs_ports_and_versions_stay() -> None:
    scrubbed, _ = scrub(make_content())
    before = make_content()
    assert scrubbed.environment == before.environment
    assert [run.blocks for run in scrubbed.measurements] == [run.blocks for run in before.measurements]
    assert scrubbed.claims == before.claims
    assert scrubbed.experiment is not None
    assert before.experiment is not None
    assert scrubbed.experiment.spec == before.experiment.spec
    assert len(scrubbed.experiment.journal) == len(before.experiment.journal)
    assert [entry.text for entry in scrubbed.experiment.journal] == [entry.text for entry in before.experiment.journal]


def relations(content: ReportContent) -> Counter[tuple[str, str, str]]:
    """How many rows of each section and kind say same, differs and only."""
    assert content.experiment is not None
    view = replay(content.experiment.journal)
    return Counter((row.section, row.field, str(row.relation)) for row in compare(view.columns, view.states))


def test_what_is_same_and_what_differs_stays_so_in_what_an_engine_did() -> None:
    columns, states = recorded_scene()
    content = with_scene(columns, dict(states))
    assert relations(scrub(content)[0]) == relations(content)
    assert relations(scrub(TOLD)[0]) == relations(TOLD)


hosts = st.sampled_from(["10.0.0.1", "10.0.0.2", "172.17.0.1", "8.8.8.8", "127.0.0.1", "fe80::5", "2001:db8::7", "::1"])
words = st.sampled_from(["web", "web1", "Web1", "web1.corp", "localhost", "nginx", "lab-1", "zephyr", "db.corp"])


@given(st.data())
def test_what_is_same_and_what_differs_stays_so_whatever_the_machine_is_called(data: st.DataObject) -> None:
    columns, states = make_scene(("host", "bridge", "user-bridge", "none"))
    entries = st.lists(st.builds(HostsEntry, hosts, st.lists(words, min_size=1, max_size=2).map(tuple)), max_size=4)
    changed = {
        key: replace(
            state,
            hostname=data.draw(st.one_of(words, st.just(state.hostname))),
            hosts=tuple(data.draw(entries)),
            lookups=tuple(
                data.draw(st.lists(st.builds(Lookup, words, st.just("answer"), hosts.map(lambda one: (one,)))))
            ),
        )
        for key, state in states.items()
    }
    content = with_scene(columns, changed)
    assert relations(scrub(content)[0]) == relations(content)


def test_a_container_is_still_known_by_the_start_of_its_id() -> None:
    columns, states = make_scene(("bridge",))
    scrubbed, _ = scrub(with_scene(columns, states))
    assert scrubbed.experiment is not None
    view = replay(scrubbed.experiment.journal)
    container = view.columns[1].container
    assert container is not None
    assert container.id != container_id("bridge")
    assert container.id.startswith(view.states["bridge"].hostname)
    assert view.states["bridge"].listeners[0].container == container.id


def test_scrubbing_again_changes_nothing_that_matters() -> None:
    once, _ = scrub(make_content())
    twice, removed = scrub(once)
    assert relations(twice) == relations(once)
    assert {one.kind for one in removed} <= {"host name", "address", "MAC address", "container id"}


def test_a_host_called_like_a_word_of_ours_leaves_the_words_alone() -> None:
    columns, states = make_scene(("host", "bridge"))
    named = {key: replace(state, hostname="docker") for key, state in states.items() if key != "bridge"}
    content = with_scene(columns, states | named)
    scrubbed, removed = scrub(content)
    assert scrubbed.experiment is not None
    view = replay(scrubbed.experiment.journal)
    assert view.states["machine"].hostname == "host1.example"
    assert view.columns[1].command.startswith("docker run")
    assert any(one.before == "docker" for one in removed)


def test_a_long_journal_is_scrubbed_in_seconds() -> None:
    content = make_content(10_000, ())
    begun = time.process_time()
    assert isinstance(scrub(content)[1][0], Removal)
    assert time.process_time() - begun < 20
