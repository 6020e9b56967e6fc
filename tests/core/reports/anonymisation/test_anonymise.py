"""dashboard.core.reports.anonymisation.anonymise: no identifier is left, and comparisons stay the same."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.claims.catalogue.host_mode_shares import judge_copied_hostname, judge_interfaces, judge_own_hostname
from dashboard.core.claims.catalogue.resolv_conf import judge_only
from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.journal import Attempt, Cause, Entry, Facts, Source, Trial, replay
from dashboard.core.experiments.messages import Check, ContainerRef, EngineRef
from dashboard.core.modes import ArmSpec, Mode
from dashboard.core.namespaces.state import HostsEntry, Lookup, NamespaceState
from dashboard.core.reports.anonymisation.anonymise import Replacement, anonymise
from dashboard.core.reports.model import ReportContent, canonical
from dashboard.core.reports.validate import validate_content
from tests.core.builders import container_id, make_arm, make_interface, with_column
from tests.core.machine_scenes import make_head, two_machines
from tests.core.scenes import make_scene, recorded_scene
from tests.support.reports import AT, make_content, with_scene

IDENTIFIERS = {
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


def identifying_content() -> ReportContent:
    """A report with every identifier in every text."""
    everything = " | ".join([*IDENTIFIERS.values(), IDENTIFIERS["MAC"].replace(":", ""), IDENTIFIERS["container"][:12]])
    columns, states = make_scene(("host", "bridge", "user-bridge"))
    machine = replace(
        states["machine"],
        hostname=IDENTIFIERS["machine"],
        interfaces=(
            *states["machine"].interfaces,
            make_interface(
                f"enx{IDENTIFIERS['MAC'].replace(':', '')}",
                90,
                mac=IDENTIFIERS["MAC"],
                addresses=(f"{IDENTIFIERS['IPv4']}/24", f"{IDENTIFIERS['IPv6']}/64", f"{IDENTIFIERS['link-local']}/64"),
            ),
        ),
        hosts=(HostsEntry(IDENTIFIERS["IPv4"], (IDENTIFIERS["host name"], IDENTIFIERS["machine"])),),
        lookups=(
            Lookup(IDENTIFIERS["host name"], "answer", (IDENTIFIERS["public address"],), IDENTIFIERS["IPv4"], 20),
        ),
        resolver=replace(
            states["machine"].resolver, search=(IDENTIFIERS["search"],), nameservers=(IDENTIFIERS["IPv4"],)
        ),  # type: ignore[type-var]
    )
    columns = with_column(
        columns, "bridge", logs=(everything,), error=everything, warnings=(everything,), command=everything
    )
    content = with_scene(columns, states | {"machine": machine, "host": replace(machine, namespaces={})})
    assert content.experiment is not None
    arm = make_arm(
        "bridge",
        image=f"{IDENTIFIERS['registry']}/app:1",
        command=("serve", IDENTIFIERS["argument"]),
        environment={"TOKEN": IDENTIFIERS["variable"]},
        hostname=IDENTIFIERS["machine"],
        add_host=(f"{IDENTIFIERS['host name']}:{IDENTIFIERS['IPv4']}",),
    )
    entry = Entry(3, AT + 2, Cause(Source.ENGINE, everything, everything), Facts(), everything, ("bridge",))
    experiment = replace(
        content.experiment,
        spec=replace(content.experiment.spec, arms=(arm,), names=(IDENTIFIERS["host name"],), title=everything),
        engine=EngineRef("26.1.5", "1.45", IDENTIFIERS["machine"], endpoint=IDENTIFIERS["endpoint"]),
        journal=(*content.experiment.journal, entry),
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
        author=IDENTIFIERS["author"],
        installation=IDENTIFIERS["installation"],
    )


IDENTIFYING = identifying_content()


@pytest.mark.parametrize("name", IDENTIFIERS)
def test_no_identifier_is_left(name: str) -> None:
    assert IDENTIFIERS[name] in json.loads(canonical(IDENTIFYING))["notes"]
    anonymous, _ = anonymise(IDENTIFYING)
    left = canonical(anonymous).decode()
    assert IDENTIFIERS[name] not in left
    assert IDENTIFIERS["MAC"].replace(":", "") not in left
    assert IDENTIFIERS["container"][:12] not in left
    validate_content(anonymous)


def test_replacements_are_listed_with_their_pseudonyms_and_counts() -> None:
    _, replaced = anonymise(IDENTIFYING)
    kinds = {one.kind for one in replaced}
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
    found = {one.before: one for one in replaced}
    assert found[IDENTIFIERS["path"]].after == "/removed/path1"
    assert found[IDENTIFIERS["machine"]].after.endswith(".example")
    assert found[IDENTIFIERS["machine"]].count > 5
    assert anonymise(make_content(0, ()))[1] != ()


def test_the_engine_of_a_claim_loses_its_name_and_keeps_its_version() -> None:
    """A report of claims has no other field with the engine's name, which may be the machine's host name."""
    (claim,) = make_content().claims
    claims = tuple(
        replace(claim, engine=f"Docker Engine 26.1.5 ({name})") for name in ("my-laptop", "private host abc")
    )
    anonymous, _ = anonymise(replace(make_content(), claims=claims))
    assert [one.engine for one in anonymous.claims] == ["Docker Engine 26.1.5"] * 2


def test_a_report_of_claims_names_neither_the_machine_nor_its_search_domain() -> None:
    """These claims are harmless: they run on the user's own engine."""
    name, domain, usb = "ada-laptop", "corp.internal", "enx0050b6123456"
    machine = NamespaceState(1, hostname=name, namespaces={"uts": 1}, interfaces=(make_interface(usb, 2),))
    judgements = (
        judge_copied_hostname((machine, replace(machine, namespaces={"uts": 2}))),
        judge_own_hostname((machine, replace(machine, hostname="mine"))),
        judge_only("127.0.0.11", "", "ndots:0")(f"nameserver 127.0.0.11\nsearch {domain} x\noptions ndots:0\n"),
        judge_interfaces((machine, machine)),
    )
    (claim,) = make_content().claims
    claims = tuple(replace(claim, verdict=one.verdict, evidence=one.evidence, engine="") for one in judgements)
    anonymous, replaced = anonymise(replace(make_content(), experiment=None, measurements=(), claims=claims))
    left = canonical(anonymous).decode()
    assert [text for text in (name, domain, usb.removeprefix("enx")) if text in left] == []
    assert {one.before for one in replaced} >= {name, domain, usb.removeprefix("enx")}
    copied, own, resolver, _ = (one.evidence for one in anonymous.claims)
    assert copied[0].removeprefix("machine").partition(",")[0] == copied[1].removeprefix("container").partition(",")[0]
    assert own[0] == "host name in the container: mine"
    assert resolver[0].endswith(".example x; options ndots:0")


def test_the_name_of_the_engine_of_a_claim_is_replaced_in_evidence_and_notes() -> None:
    (claim,) = make_content().claims
    claims = (replace(claim, engine="Docker Engine 26.1.5 (my-laptop)"), replace(claim, engine="x (private host abc)"))
    notes = anonymous_notes("my-laptop abc lab.example", experiment=None, claims=claims)
    assert notes == "host1.example abc lab.example"


def test_figures_programs_ports_and_versions_are_kept() -> None:
    anonymous, _ = anonymise(make_content())
    before = make_content()
    assert anonymous.environment == before.environment
    assert [run.blocks for run in anonymous.measurements] == [run.blocks for run in before.measurements]
    assert anonymous.claims == before.claims
    assert anonymous.experiment is not None
    assert before.experiment is not None
    assert anonymous.experiment.spec == before.experiment.spec
    assert len(anonymous.experiment.journal) == len(before.experiment.journal)
    assert [entry.text for entry in anonymous.experiment.journal] == [entry.text for entry in before.experiment.journal]


def relations(content: ReportContent) -> Counter[tuple[str, str, str]]:
    """The number of rows of each section and field by their relation."""
    assert content.experiment is not None
    view = replay(content.experiment.journal)
    return Counter((row.section, row.field, str(row.relation)) for row in compare(view.columns, view.states))


def test_relations_of_rows_stay_the_same_for_a_recorded_engine() -> None:
    columns, states = recorded_scene()
    content = with_scene(columns, dict(states))
    assert relations(anonymise(content)[0]) == relations(content)
    assert relations(anonymise(IDENTIFYING)[0]) == relations(IDENTIFYING)


hosts = st.sampled_from(["10.0.0.1", "10.0.0.2", "172.17.0.1", "8.8.8.8", "127.0.0.1", "fe80::5", "2001:db8::7", "::1"])
words = st.sampled_from(["web", "web1", "Web1", "web1.corp", "localhost", "nginx", "lab-1", "zephyr", "db.corp"])


@given(st.data())
def test_relations_of_rows_stay_the_same_for_any_names_and_addresses(data: st.DataObject) -> None:
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
    assert relations(anonymise(content)[0]) == relations(content)


def test_a_container_keeps_the_relation_of_its_host_name_to_its_id() -> None:
    columns, states = make_scene(("bridge",))
    anonymous, _ = anonymise(with_scene(columns, states))
    assert anonymous.experiment is not None
    view = replay(anonymous.experiment.journal)
    container = view.columns[1].container
    assert container is not None
    assert container.id != container_id("bridge")
    assert container.id.startswith(view.states["bridge"].hostname)
    assert view.states["bridge"].listeners[0].container == container.id


def test_anonymising_twice_changes_no_relation() -> None:
    once, _ = anonymise(make_content())
    twice, replaced = anonymise(once)
    assert relations(twice) == relations(once)
    assert {one.kind for one in replaced} <= {"host name", "address", "MAC address", "container id"}


def test_a_host_with_a_common_word_as_name_leaves_the_word_in_texts() -> None:
    columns, states = make_scene(("host", "bridge"))
    named = {key: replace(state, hostname="docker") for key, state in states.items() if key != "bridge"}
    content = with_scene(columns, states | named)
    anonymous, replaced = anonymise(content)
    assert anonymous.experiment is not None
    view = replay(anonymous.experiment.journal)
    assert view.states["machine"].hostname == "host1.example"
    assert view.columns[1].command.startswith("docker run")
    assert any(one.before == "docker" for one in replaced)


def test_a_long_journal_is_anonymised_within_seconds() -> None:
    content = make_content(10_000, ())
    started = time.process_time()
    assert isinstance(anonymise(content)[1][0], Replacement)
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    ("command", "after"),
    [
        ((), ()),
        (("/opt/x/serve",), ("serve",)),
        (("serve", "-v"), ("serve", "[removed]")),
        (("/opt/x/", "-v"), ("[removed]", "[removed]")),
    ],
)
def test_a_command_keeps_only_its_program(command: tuple[str, ...], after: tuple[str, ...]) -> None:
    content = make_content(0, ())
    assert content.experiment is not None
    spec = replace(content.experiment.spec, arms=(make_arm("bridge", command=command),))
    changed, _ = anonymise(replace(content, experiment=replace(content.experiment, spec=spec)))
    assert changed.experiment is not None
    assert changed.experiment.spec.arms[0].command == after


def anonymous_notes(notes: str, **more: object) -> str:
    return anonymise(make_content(0, (), notes=notes, **more))[0].notes


def test_a_short_name_is_replaced_only_as_a_whole_word() -> None:
    notes = anonymous_notes("Eve, Eve's, Evening, Eve-1 and steve", author="Eve")
    assert notes == "anonymous, anonymous's, Evening, Eve-1 and steve"


def test_a_long_name_is_replaced_within_words() -> None:
    assert anonymous_notes("xAlicesomx Alicesom", author="Alicesom") == "xanonymousx anonymous"
    assert anonymous_notes("xAliceso Aliceso", author="Aliceso") == "xAliceso anonymous"


def test_a_name_of_two_letters_is_not_replaced_in_a_text() -> None:
    assert anonymous_notes("Al met Bob", author="Al") == "Al met Bob"
    assert anonymous_notes("Ali met Bob", author="Ali") == "anonymous met Bob"


def test_the_same_path_has_the_same_pseudonym() -> None:
    notes = "/home/a/x /srv/b /home/a/x /usr/bin/env /etc/hosts"
    assert anonymous_notes(notes) == "/removed/path1 /removed/path2 /removed/path1 /usr/bin/env /etc/hosts"


def test_replacements_are_sorted_by_kind_and_then_by_how_often_they_occur() -> None:
    replaced = anonymise(make_content(0, (), notes="/home/a /home/b /home/b /home/c"))[1]
    paths = [(one.before, one.after, one.count) for one in replaced if one.kind == "path"]
    assert paths == [
        ("/home/b", "/removed/path2", 2),
        ("/home/a", "/removed/path1", 1),
        ("/home/c", "/removed/path3", 1),
    ]
    assert [one.kind for one in replaced] == sorted(one.kind for one in replaced)


def test_an_id_is_replaced_at_any_length_and_an_unknown_one_stays() -> None:
    identity = "0123456789abcdef" * 4
    unknown = "fedcba987654"
    whole, short, other, digest = anonymous_notes(f"{identity} {identity[:12]} {unknown} sha256:{identity}").split()
    assert whole != identity
    assert whole.startswith(short)
    assert (len(whole), len(short), other, digest) == (64, 12, unknown, f"sha256:{identity}")
    assert re.fullmatch("[0-9a-f]{64}", whole)


def test_the_version_and_the_time_of_a_report_stay() -> None:
    content = make_content(0, ())
    changed, _ = anonymise(content)
    assert (changed.version, changed.saved_at) == (content.version, content.saved_at)
    assert (changed.author, changed.installation) == ("", "")


def test_a_name_that_begins_with_another_is_replaced_as_a_whole() -> None:
    columns, states = make_scene(("host",))
    machine = replace(states["machine"], hostname="zephyr", lookups=(Lookup("zephyr.corp", "answer"),))
    content = with_scene(columns, {"machine": machine, "host": machine}, notes="zephyr.corp and zephyr")
    first, second = anonymise(content)[0].notes.split(" and ")
    assert first != second
    assert ".corp" not in first


def test_responses_are_removed_and_addresses_of_attempts_replaced() -> None:
    content = make_content()
    assert content.experiment is not None
    last = content.experiment.journal[-1]
    url = f"http://{IDENTIFIERS['public address']}:8080/"
    attempt = Attempt("machine-address", "", "machine", "host", url, f"curl -i {url}", 200, body_start="my secret page")
    named = replace(attempt, reason="OK from secret-node-7")
    usual = replace(attempt, status=404, reason="Not Found")
    entry = Entry(last.seq + 1, last.at, last.cause, Facts(trial=Trial((attempt, named, usual), AT, 1)))
    tried = replace(content, experiment=replace(content.experiment, journal=(*content.experiment.journal, entry)))
    text = canonical(anonymise(tried)[0]).decode()
    assert "secret" not in text
    assert IDENTIFIERS["public address"] not in text
    assert "8080" in text
    assert '"Not Found"' in text


def test_the_names_of_machines_are_replaced_everywhere_and_relations_stay() -> None:
    columns, states = two_machines()
    content = with_scene(columns, states)
    assert "lab2" in canonical(content).decode()
    anonymous, replaced = anonymise(content)
    assert "lab2" not in canonical(anonymous).decode()
    name = next(one.after for one in replaced if one.before == "lab2")
    assert anonymous.experiment is not None
    view = replay(anonymous.experiment.journal)
    assert [column.machine for column in view.columns] == ["server"] * 3 + [name] * 3
    before = [(row.section, row.relation) for row in compare(columns, states)]
    assert [(row.section, row.relation) for row in compare(view.columns, view.states)] == before


@pytest.mark.parametrize("machine", ["m1", "host", "debian", "lab", "nginx", "bridge"])
def test_a_short_or_common_name_of_a_machine_is_replaced_where_a_machine_is_named(machine: str) -> None:
    """In other texts such a name may be any word."""
    names = {"lab2": machine, "server": "server"}
    columns = tuple(
        replace(
            one,
            key=one.key.replace("lab2", machine),
            title=one.title.replace("lab2", machine),
            machine=names[one.machine],
        )
        for one in (*two_machines()[0], replace(two_machines()[0][-1], key="bridge-lab2-2", title="bridge-lab2-2"))
    )
    container = ContainerRef("a" * 64, f"netmodes-7f2a9c-none-{machine}", "nginx")
    columns = (*columns[:-1], replace(columns[-1], container=container), replace(columns[-1], key=f"none-{machine}"))
    head = make_head(
        notice=f"server: a {machine}: b",
        problem=f"{machine}: disk full",
        proof=(Check(f"containers ({machine})", True, f"{machine}: none is left"),),
    )
    cause = Cause(Source.LAB, "observe")
    entries = (
        Entry(1, AT, cause, Facts(head=head, columns=columns), f"Launch requested on server and {machine}"),
        Entry(2, AT, cause, Facts(), f"{machine}: the debian image with nginx in host mode"),
    )
    arm = ArmSpec(f"bridge-{machine}-2", Mode.BRIDGE, machine=machine)
    base = with_scene(*two_machines())
    assert base.experiment is not None
    spec = replace(base.experiment.spec, arms=(ArmSpec("host", Mode.HOST, machine="server"), arm))
    anonymous, _replaced = anonymise(
        replace(base, experiment=replace(base.experiment, spec=spec, head=head, journal=entries))
    )
    assert anonymous.experiment is not None
    first, second = anonymous.experiment.journal
    shown = first.facts.columns
    server, name = (arm.machine for arm in anonymous.experiment.spec.arms)
    assert server == "server"
    assert re.fullmatch(r"host\d\.example", name)
    assert anonymous.experiment.spec.arms[1].key == f"bridge-{name}-2"
    assert {one.machine for one in shown} == {"server", name}
    assert f"this machine ({name})" in {one.title for one in shown}
    assert {f"host-{name}", f"bridge-{name}-2"} <= {one.key for one in shown}
    assert shown[-2].container is not None
    assert shown[-2].container.name.endswith(f"-none-{name}")
    assert first.text == f"Launch requested on server and {name}"
    assert second.text == f"{name}: the debian image with nginx in host mode"
    found = anonymous.experiment.head
    assert (found.notice, found.problem) == (f"server: a {name}: b", f"{name}: disk full")
    assert (found.proof[0].name, found.proof[0].detail) == (
        f"containers ({name})",
        f"{name}: none is left",
    )
    assert shown[-2].container.image == "nginx"
