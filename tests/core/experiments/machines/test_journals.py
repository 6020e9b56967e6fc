"""One journal of all machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.experiments.journal import Attempt, Cause, Entry, Facts, Source, Trial, View, replay
from dashboard.core.experiments.machines.journals import (
    FIRST,
    MergedJournal,
    number_to_show,
    shared_attempt,
    shared_request,
)
from dashboard.core.experiments.messages import Phase, ReportedEngine
from dashboard.core.namespaces.delta import Changes
from dashboard.core.paths.multicast import NOT_SENT
from tests.core.machine_scenes import LAB2, MACHINES, SERVER, entries_of, make_head, make_parts, two_machines

WHOLE = make_head(phase=Phase.WAITING, round=0, started_at=None, engine="")


def new_journal() -> MergedJournal:
    return MergedJournal(WHOLE, make_parts("host", "bridge"))


def stored() -> tuple[list[tuple[str, Entry]], list[tuple[str, Entry]]]:
    """The entries of both parts."""
    facts = dict(zip(MACHINES, (SERVER, LAB2), strict=True))
    first, second = (
        [(f"part{number}", entry) for entry in entries_of(name, ("host", "bridge"), facts[name])]
        for number, name in enumerate(MACHINES, start=1)
    )
    return first, second


def interleaved() -> list[tuple[str, Entry]]:
    return [entry for pair in zip_longest(*stored()) for entry in pair if entry is not None]


def whole(entries: Sequence[tuple[str, Entry]]) -> list[Entry]:
    journal = new_journal()
    return [journal.first(), *journal.extend(entries)]


def test_the_view_of_the_merged_journal_has_the_columns_of_both_machines() -> None:
    view = replay(whole(interleaved()))
    columns, states = two_machines()
    assert view.columns == columns
    assert view.states == states
    assert view.head is not None
    assert (view.head.id, view.head.phase, view.head.engine) == ("whole", Phase.RUNNING, "28.5.2, 26.1.5")


def test_numbers_grow_with_every_entry() -> None:
    seqs = [entry.seq for entry in whole(interleaved())]
    assert seqs == list(range(FIRST, FIRST + len(seqs)))


@given(st.randoms(use_true_random=False))
def test_the_last_view_does_not_depend_on_the_order_of_the_machines(random: st.DrawFn) -> None:
    first, second = stored()
    places = [0] * len(first) + [1] * len(second)
    random.shuffle(places)  # type: ignore[attr-defined]
    sources = iter(first), iter(second)
    entries = whole([next(sources[place]) for place in places])
    assert replay(entries).states == replay(whole(interleaved())).states
    assert replay(entries).columns == replay(whole(interleaved())).columns
    seqs = [entry.seq for entry in entries]
    assert seqs == sorted(set(seqs))


def test_a_journal_that_continues_gives_the_same_entries() -> None:
    entries = interleaved()
    journal = new_journal()
    some = [journal.first(), *journal.extend(entries[:5])]
    rest = list(journal.extend(entries[3:]))  # two of them again
    assert [*some, *rest] == whole(entries)
    assert journal.seen == {"part1": len(stored()[0]), "part2": len(stored()[1])}


def test_a_machine_without_a_lab_has_waiting_columns() -> None:
    view = replay(whole(stored()[0]))
    assert [column.key for column in view.columns if column.machine == "lab2"] == [
        "machine@2",
        "host-lab2",
        "bridge-lab2",
    ]
    assert "machine@2" not in view.states


def test_texts_and_columns_of_an_entry_name_the_machine() -> None:
    texts = {entry.text: entry.about for entry in whole(interleaved())}
    assert texts["lab2: machine is read"] == ("machine@2",)
    assert texts["server: bridge is read"] == ("bridge",)
    assert "Launch requested on server and lab2" in texts


def test_a_lab_of_an_earlier_version_reports_the_engine_in_its_head_only() -> None:
    entries = [("part1", entry) for entry in entries_of("server", ("host",), None)]
    column = replay(whole(entries)).columns[0]
    assert column.engine == ReportedEngine("28.5.2")


def test_the_requests_of_both_machines_are_one_trial() -> None:
    journal = new_journal()
    attempt = Attempt(
        "loopback", "Loopback", "machine", "host-lab2", "http://127.0.0.1/", "curl", 200, key="host-lab2/loopback"
    )
    trial = Trial((attempt,), 1200.0, 1)
    server = replace(attempt, server="host", key="host/loopback")
    trials = {"part1": replace(trial, attempts=(server,)), "part2": trial}
    entries = [(part, Entry(1, 1.0, Cause(Source.PERSON, "try"), Facts(trial=one))) for part, one in trials.items()]
    view = replay([journal.first(), *journal.extend(entries)], View())
    assert [one.origin for one in view.trial.attempts] == ["machine", "machine@2"]
    assert view.trial.number == 2
    assert shared_attempt(attempt, 2) == replace(attempt, origin="machine@2")
    assert shared_request("machine/resolver/1", 2) == "machine@2/resolver/1"
    assert shared_request("", 2) == ""


def test_earlier_requests_of_a_machine_that_is_absent_now_are_not_in_the_trial() -> None:
    attempt = Attempt("loopback", "Loopback", "machine", "machine", "http://127.0.0.1/", "curl", 200)

    def tried(seq: int, at: float, answer: str) -> Entry:
        facts = Facts(head=make_head(tried=answer), trial=Trial((attempt,), at, seq))
        return Entry(seq, at, Cause(Source.PERSON, "try"), facts)

    journal = new_journal()
    first_use = [("part1", tried(1, 1200.0, "1 of 1")), ("part2", tried(1, 1230.0, "0 of 1"))]
    view = replay([journal.first(), *journal.extend(first_use)], View())
    assert view.head is not None
    assert view.head.tried == "server: 1 of 1 lab2: 0 of 1"
    assert [one.origin for one in view.trial.attempts] == ["machine", "machine@2"]
    unchanged = replace(tried(2, 3000.0, ""), facts=Facts(trial=Trial((attempt,), 3000.0, 2)))
    view = replay(journal.extend([("part1", unchanged)]), view)
    assert view.head is not None
    assert (view.head.tried, view.trial.at, view.trial.number) == ("server: 1 of 1", 3000.0, 3)
    assert [one.origin for one in view.trial.attempts] == ["machine"]
    view = replay(journal.extend([("part2", tried(2, 3060.0, "1 of 1"))]), view)
    assert view.head is not None
    assert (view.head.tried, view.trial.number) == ("1 of 1", 4)
    assert [one.origin for one in view.trial.attempts] == ["machine", "machine@2"]


def test_requests_from_other_machines_are_in_the_trial() -> None:
    journal = new_journal()
    over = Attempt("from-machine-overlay", "Overlay", "@server", "host-lab2", "http://10.0.1.3/", "curl", 200)
    forged = replace(over, origin="@server@2")
    trial = Trial((over, forged, replace(over, server="host")), 1200.0, 1)
    entry = Entry(1, 1.0, Cause(Source.PERSON, "try"), Facts(trial=trial))
    assert replay([journal.first(), *journal.extend([("part2", entry)])], View()).trial.attempts == (over,)


def test_the_requests_of_the_last_machine_are_kept_if_each_has_many() -> None:
    journal = new_journal()
    attempts = (Attempt("loopback", "Loopback", "machine", "machine", "http://127.0.0.1/", "curl", 200),) * 60
    entry = Entry(1, 1.0, Cause(Source.PERSON, "try"), Facts(trial=Trial(attempts, 1200.0, 1)))
    trial = replay([journal.first(), *journal.extend([("part1", entry), ("part2", entry)])], View()).trial
    assert [one.origin for one in trial.attempts] == ["machine"] * 60 + ["machine@2"] * 60


def test_a_lab_writes_only_about_the_columns_of_its_own_machine() -> None:
    journal = new_journal()
    view = replay([journal.first(), *journal.extend(interleaved())])
    columns, states = two_machines()
    seq = len(stored()[1])
    servers = next(column for column in columns if column.key == "bridge")
    changes = Changes(hostname="forged")
    own = Attempt("loopback", "Loopback", "machine", "host-lab2", "http://127.0.0.1/", "curl", key="host-lab2/loopback")
    forged = (
        replace(own, server="host"),
        replace(own, origin="bridge"),
        replace(own, key="bridge/loopback"),
        replace(own, origin="machine@2"),
    )
    facts = [
        Facts(columns=(replace(servers, title="forged"), replace(servers, key="new"))),
        Facts(states={"bridge": states["machine"]}, changes={"host": changes, "machine@2": changes}),
        Facts(forgotten=("bridge", "machine@2")),
        Facts(removed=("bridge", "host", "machine@2")),
        Facts(trial=Trial((*forged, own), 1200.0, 1)),
    ]
    entries = [
        ("part2", Entry(seq + number, 1200.0, Cause(Source.LAB, "x"), one, "x", ("bridge", "machine", "machine@2")))
        for number, one in enumerate(facts, start=1)
    ]
    merged = list(journal.extend(entries))
    assert {entry.about for entry in merged} == {("machine@2",)}
    after = replay(merged, view)
    assert (after.columns, after.states) == (view.columns, view.states)
    assert after.trial.attempts == (shared_attempt(own, 2),)


def test_requests_from_other_machines_are_kept() -> None:
    """Their origin is a machine, not a column of another part."""
    journal = new_journal()
    sent = Attempt("from-machine-overlay", "", "@lab2", "host", "http://10.0.1.2/", "curl", 200)
    forged = replace(sent, origin="machine@2"), replace(sent, origin="@machine@2"), replace(sent, server="host-lab2")
    entry = Entry(1, 1.0, Cause(Source.PERSON, "try"), Facts(trial=Trial((sent, *forged), 1.0, 1)))
    assert replay(journal.extend([("part1", entry)])).trial.attempts == (sent,)


def test_the_first_machine_writes_nothing_about_the_others() -> None:
    """Its keys have no number, so a key with one would be that of another machine."""
    view = replay(whole(interleaved()))
    facts = Facts(
        columns=tuple(column for column in view.columns if column.machine == "lab2"),
        states={"machine@2": view.states["machine"]},
        removed=("bridge-lab2",),
    )
    entry = Entry(len(stored()[0]) + 1, 1200.0, Cause(Source.LAB, "x"), facts)
    after = replay(whole([*interleaved(), ("part1", entry)]))
    assert (after.columns, after.states) == (view.columns, view.states)


def test_a_datagram_that_was_not_sent_has_no_receiver() -> None:
    journal = new_journal()
    entry = Entry(1, 1.0, Cause(Source.PERSON, "try"), Facts(trial=Trial((NOT_SENT,), 1.0, 1)))
    assert replay(journal.extend([("part2", entry)])).trial.attempts == (shared_attempt(NOT_SENT, 2),)


def test_a_copy_continues_independently() -> None:
    journal = new_journal()
    entries = interleaved()
    some = [journal.first(), *journal.extend(entries[:5])]
    seen = dict(journal.seen)
    list(journal.copy().extend(entries))
    assert journal.seen == seen
    assert [*some, *journal.extend(entries)] == whole(entries)


def test_an_ended_experiment_shows_what_was_there_before_the_first_stop() -> None:
    entries = interleaved()
    number = number_to_show("part1", 3, entries)
    shown = [entry for entry in whole(entries) if entry.seq <= number]
    assert shown[-1].text.startswith("server: ")
    assert number == FIRST + 3 + 2
    assert number_to_show("part1", 10_000, entries) == 0
