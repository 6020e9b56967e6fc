"""Experiments with parts on several machines, in the database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source, View, replay
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.machines.heads import apply_requests
from dashboard.core.experiments.messages import Phase
from dashboard.core.operations.machines import MachineFacts
from dashboard.models import AuditEntry, Experiment, JournalEntry
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store import machines, parts, recent_entries, unsettled
from dashboard.store.machines import MachineClosedError
from dashboard.store.operations.audit import PendingEntry, pending
from dashboard.store.operations.retention import DeletedRows, delete_experiments
from dashboard.store.operations.storage import journals
from dashboard.store.parts import PartError
from dashboard.store.reports.snapshot import freeze_experiment
from tests.core.machine_scenes import LAB2, SERVER, entries_of, make_head, two_machines
from tests.support.records import load_record as load
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db(transaction=True)
SPEC = make_spec("host", "bridge", machines=["server", "lab2"], title="Two")


@pytest.fixture
def whole() -> Iterator[str]:
    machines.register("lab2", {}, MachineFacts())
    made = parts.create(SPEC)
    yield made
    for row in Experiment.objects.all():
        recent_entries.forget(row.pk)


def ids(identity: str) -> dict[str, str]:
    return parts.ids_of(load(identity).parts)


def observe(identity: str) -> None:
    """Both labs write what they observe, in turn."""
    for name, facts in (("server", SERVER), ("lab2", LAB2)):
        journal_store.append(ids(identity)[name], entries_of(name, ("host", "bridge"), facts))


def end(identity: str, machine: str, phase: Phase = Phase.STOPPED, shown: int = 0) -> None:
    """The lab of a machine ends its part."""
    experiment_store.save_head(ids(identity)[machine], make_head(phase=phase), shown)


def test_an_experiment_on_one_machine_has_no_parts() -> None:
    identity = parts.create(make_spec("host", "bridge"))
    assert Experiment.objects.count() == 1
    assert load(identity).parts == ""
    assert parts.parts_of(load(identity)) == ()
    assert parts.find_column(identity, "machine") == parts.ColumnPlace(identity, "machine")


def test_an_experiment_runs_on_the_only_machine_that_its_arms_name() -> None:
    machines.register("lab2", {}, MachineFacts())
    identity = parts.create(make_spec("host", "bridge", machines=["lab2"]))
    assert Experiment.objects.count() == 1
    assert load(identity).machine == "lab2"
    assert {arm.machine for arm in load(identity).spec.arms} == {""}


def test_an_experiment_is_refused_if_one_of_its_machines_accepts_no_new_work() -> None:
    """A machine may be revoked or drained after the form has listed it."""
    for name in ("lab2", "lab3"):
        machines.register(name, {}, MachineFacts())
    machines.set_draining("lab2", draining=True)
    machines.revoke("lab3")
    with pytest.raises(MachineClosedError, match="“lab2” is drained"):
        parts.create(SPEC)
    with pytest.raises(MachineClosedError, match="“lab3” was revoked"):
        parts.create(make_spec("host"), machine="lab3")
    assert not Experiment.objects.exists()


def test_each_machine_has_a_part_with_its_arms(whole: str) -> None:
    record = load(whole)
    assert record.spec == SPEC
    assert [(part.machine, part.number, [arm.key for arm in part.arms]) for part in parts.parts_of(record)] == [
        ("server", 1, ["host", "bridge"]),
        ("lab2", 2, ["host-lab2", "bridge-lab2"]),
    ]
    assert {name: load(part).machine for name, part in ids(whole).items()} == {"server": None, "lab2": "lab2"}
    assert {load(part).parent for part in ids(whole).values()} == {whole}


def test_the_merged_journal_begins_by_the_clock_of_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of this web process is an hour ahead of that of the database, by which labs write."""
    machines.register("lab2", {}, MachineFacts())
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    monkeypatch.setattr(parts, "shared_now", lambda: hour_ago)
    first = next(parts.read(load(parts.create(SPEC))))
    assert first.at == pytest.approx(hour_ago.timestamp(), abs=0.001)


def test_the_row_belongs_to_no_machine_and_names_the_machine_of_each_arm(whole: str) -> None:
    spec = make_spec("host", arms=[{"mode": "bridge", "machine": "server"}])
    record = load(parts.create(spec, machine="lab2"))
    assert record.machine is None
    assert [(arm.key, arm.machine) for arm in record.spec.arms] == [("host", "lab2"), ("bridge", "server")]
    assert [part.machine for part in parts.parts_of(record)] == ["lab2", "server"]


def test_the_audit_trail_names_the_experiment_and_none_of_its_parts() -> None:
    machines.register("lab2", {}, MachineFacts())
    with pending(PendingEntry(action="launch")):
        identity = parts.create(SPEC)
    assert list(AuditEntry.objects.values_list("object", flat=True)) == [identity]


def test_a_new_name_is_also_that_of_the_parts(whole: str) -> None:
    lab2 = ids(whole)["lab2"]
    assert experiment_store.rename(whole, "Shop") == "Shop"
    assert {(row.title, load(row.pk).spec.title) for row in Experiment.objects.all()} == {("Shop", "Shop")}
    assert [arm.key for arm in load(lab2).spec.arms] == ["host-lab2", "bridge-lab2"]
    Experiment.objects.filter(pk=lab2).update(spec="{")
    assert experiment_store.rename(whole, "") == "nginx on port 80"
    assert set(Experiment.objects.values_list("title", flat=True)) == {"nginx on port 80"}


def test_labs_drive_the_parts_and_not_the_experiment(whole: str) -> None:
    assert unsettled.load_ids() == {ids(whole)["server"]}
    assert {one.id for one in experiment_store.load_unsettled_of("lab2", "")} == {ids(whole)["lab2"]}


def test_the_journal_has_the_columns_of_both_machines(whole: str) -> None:
    observe(whole)
    view = parts.view(load(whole))
    columns, states = two_machines()
    assert (view.columns, view.states) == (columns, states)
    assert view.head is not None
    assert (view.head.id, view.head.title) == (whole, "Two")


def test_a_late_commit_is_read_although_a_later_entry_is_known(whole: str) -> None:
    """Numbers of rows are given before transactions end: an entry may appear before one that was read."""
    observe(whole)
    journal = parts.merged_journal(load(whole))
    missing = JournalEntry.objects.filter(experiment=ids(whole)["server"]).last()
    assert missing is not None
    JournalEntry.objects.filter(pk=missing.pk).delete()
    view = replay(parts.read_journal(journal))
    assert view.head is not None
    assert view.head.phase is Phase.LAUNCHING
    missing.save(force_insert=True)
    later = list(journal.extend(list(parts.read_parts(dict(journal.seen)))))
    assert [entry.text for entry in later] == ["server: running"]
    assert later[0].seq > view.seq


def test_entries_can_be_read_in_pages(whole: str, monkeypatch: pytest.MonkeyPatch) -> None:
    observe(whole)
    entries = list(parts.read(load(whole)))
    monkeypatch.setattr(parts, "PAGE", 3)
    assert list(parts.read(load(whole))) == entries
    middle = entries[4].seq
    assert list(parts.read(load(whole), middle)) == entries[5:]
    assert list(parts.read(load(whole), until=middle)) == entries[:5]
    assert parts.view(load(whole), middle) == replay(entries[:5])
    view, shown, first_at = parts.fold(lambda: iter(entries), View(), 2)
    assert (view, shown, first_at) == (replay(entries), tuple(entries[-2:]), entries[0].at)


def test_a_column_and_a_request_are_found_on_their_machine(whole: str) -> None:
    server, lab2 = ids(whole)["server"], ids(whole)["lab2"]
    found = {key: parts.find_column(whole, key) for key in ("machine", "machine@2", "host", "host-lab2")}
    assert {key: (place.experiment, place.column, place.number) for key, place in found.items()} == {
        "machine": (server, "machine", 1),
        "machine@2": (lab2, "machine", 2),
        "host": (server, "host", 1),
        "host-lab2": (lab2, "host-lab2", 2),
    }
    request = parts.find_request(whole, "machine@2/resolver/127.0.0.11:53")
    assert (request.experiment, request.column) == (lab2, "machine/resolver/127.0.0.11:53")
    assert parts.find_column(whole, "machine@7").experiment == whole
    assert parts.ids_by_place(whole) == {"": server, "@lab2": lab2}


def test_a_command_reaches_every_machine(whole: str) -> None:
    assert parts.set_wanted(whole, Wanted.STOPPED)
    assert {load(part).wanted for part in ids(whole).values()} == {Wanted.STOPPED}
    assert parts.set_wanted(whole, Wanted.RUNNING, again=True)
    assert {(load(one).wanted, load(one).round) for one in ids(whole).values()} == {(Wanted.RUNNING, 2)}
    assert load(whole).round == 2
    assert not parts.set_wanted("nothing", Wanted.STOPPED)


def test_a_command_to_a_part_reaches_its_machine_only(whole: str) -> None:
    part = ids(whole)["lab2"]
    assert parts.set_wanted(part, Wanted.STOPPED)
    assert load(ids(whole)["server"]).wanted is Wanted.RUNNING
    with pytest.raises(PartError, match=f"part of the experiment {whole}"):
        parts.set_wanted(part, Wanted.REMOVED)
    assert load(part).wanted is Wanted.STOPPED


def test_a_removed_experiment_is_gone_at_once_and_its_parts_when_their_labs_have_cleaned_up(whole: str) -> None:
    both = tuple(ids(whole).values())
    assert parts.set_wanted(whole, Wanted.REMOVED)
    assert experiment_store.load(whole) is None
    assert {(load(part).wanted, load(part).parent) for part in both} == {(Wanted.REMOVED, None)}


def test_a_drained_machine_does_not_prevent_the_others(whole: str) -> None:
    machines.set_draining("lab2", draining=True)
    assert parts.set_wanted(whole, Wanted.RUNNING, again=True)
    assert load(ids(whole)["server"]).round == 2
    assert load(ids(whole)["lab2"]).round == 1
    Experiment.objects.filter(pk=ids(whole)["server"]).update(machine="lab2")
    with pytest.raises(MachineClosedError, match="drained"):
        parts.set_wanted(whole, Wanted.RUNNING, again=True)
    assert load(whole).round == 2


def begin(identity: str, name: str) -> None:
    """The lab of a machine begins the round that is requested from it, and its arms run."""
    part = ids(identity)[name]
    seq = journal_store.newest([part])[part][0]
    head = make_head(round=load(part).round)
    journal_store.append(part, [Entry(seq + 1, 3000.0, Cause(Source.LAB, "launch"), Facts(head=head), "running")])


def shown_phase(identity: str) -> Phase:
    head = parts.view(load(identity)).head
    assert head is not None
    return apply_requests(head, (), 0.0, load(identity).round).phase


def test_an_experiment_whose_machines_are_drained_in_turn_waits_until_a_lab_has_begun_the_round() -> None:
    """As during an upgrade of the machines."""
    for name in ("lab2", "lab3"):
        machines.register(name, {}, MachineFacts())
    identity = parts.create(make_spec("host", machines=["lab2", "lab3"]))
    for name in ("lab2", "lab3"):
        begin(identity, name)
    for drained, other in (("lab2", "lab3"), ("lab3", "lab2")):
        machines.set_draining(drained, draining=True)
        assert parts.set_wanted(identity, Wanted.RUNNING, again=True)
        assert shown_phase(identity) is Phase.WAITING
        begin(identity, other)
        assert shown_phase(identity) is Phase.RUNNING
        machines.set_draining(drained, draining=False)


def test_an_experiment_no_longer_waits_when_one_lab_has_begun_the_round_and_another_is_absent(whole: str) -> None:
    for name in ("server", "lab2"):
        begin(whole, name)
    parts.set_wanted(ids(whole)["lab2"], Wanted.RUNNING, again=True)
    begin(whole, "lab2")
    parts.set_wanted(whole, Wanted.RUNNING, again=True)
    assert shown_phase(whole) is Phase.WAITING
    begin(whole, "server")
    assert shown_phase(whole) is Phase.RUNNING


def test_an_experiment_has_ended_when_it_has_on_all_machines(whole: str) -> None:
    plain = parts.create(make_spec("none", "bridge"))
    own = Experiment.objects.filter(parent=None)
    assert not own.filter(parts.has_ended()).exists()
    end(whole, "server")
    assert not own.filter(parts.has_ended()).exists()
    end(whole, "lab2", Phase.FAILED)
    assert [row.pk for row in own.filter(parts.has_ended())] == [whole]
    assert [row.pk for row in own.exclude(parts.has_ended())] == [plain]
    assert sorted(parts.phases_of([whole, plain])[whole]) == [Phase.FAILED, Phase.STOPPED]
    assert parts.count_by_phase() == {"stopped": 1, "waiting": 1}


def stop(identity: str, name: str) -> None:
    """The lab of a machine stops its part."""
    part = ids(identity)[name]
    seq = journal_store.newest([part])[part][0]
    facts = Facts(head=make_head(phase=Phase.STOPPED, stopped_at=2000.0))
    journal_store.append(part, [Entry(seq + 1, 2000.0, Cause(Source.LAB, "removed"), facts, "stopped")])
    end(identity, name, shown=seq)


def shown(identity: str) -> int:
    return parts.shown_number(load(identity), Experiment.objects.get(pk=identity).shown_seq)


def test_a_stopped_experiment_shows_what_was_there_when_it_was_stopped(whole: str) -> None:
    observe(whole)
    newest = parts.view(load(whole)).seq
    end(whole, "server", Phase.RUNNING)
    end(whole, "lab2", Phase.RUNNING)
    assert parts.set_wanted(whole, Wanted.STOPPED)
    assert shown(whole) == 0
    stop(whole, "server")
    assert parts.set_wanted(whole, Wanted.STOPPED), "once more, while lab2 still stops"
    stop(whole, "lab2")
    assert shown(whole) == newest
    frozen = freeze_experiment(whole)
    assert frozen.shown_seq == newest
    assert frozen.head.phase is Phase.STOPPED
    assert frozen.spec.arms == replace(SPEC).arms
    assert [entry.seq for entry in frozen.journal] == sorted({entry.seq for entry in frozen.journal})


def test_old_data_is_deleted_with_its_parts_only_if_all_have_ended(whole: str) -> None:
    observe(whole)
    Experiment.objects.update(created_at=datetime(2020, 1, 1, tzinfo=UTC))
    limit = datetime(2030, 1, 1, tzinfo=UTC)
    end(whole, "server")
    Experiment.objects.update(wanted=Wanted.STOPPED)
    assert delete_experiments(limit, dry_run=False).comparisons == 0
    end(whole, "lab2")
    assert delete_experiments(limit, dry_run=True).comparisons == 1
    assert delete_experiments(limit, dry_run=False).comparisons == 1
    assert not Experiment.objects.exists()
    assert not JournalEntry.objects.exists()


def test_only_the_experiment_decides_which_parts_it_has(whole: str) -> None:
    """A lab may write the rows of its machine only, so its rows do not decide."""
    stranger = experiment_store.create_experiment(make_spec("none", "host"), machine="lab2")
    Experiment.objects.filter(pk=stranger).update(parent=whole)
    assert stranger not in {part.id for part in parts.parts_of(load(whole))}
    assert stranger not in json.loads(load(whole).parts).values()


def test_parts_that_were_stopped_one_by_one_show_what_was_there_before_the_last_stop(whole: str) -> None:
    observe(whole)
    for name in ("lab2", "server"):
        parts.set_wanted(ids(whole)[name], Wanted.STOPPED)
        stop(whole, name)
    before_last = parts.view(load(whole)).seq - 1
    assert shown(whole) == before_last


def test_a_round_without_a_drained_machine_is_shown(whole: str) -> None:
    observe(whole)
    parts.set_wanted(whole, Wanted.STOPPED)
    for name in ("server", "lab2"):
        stop(whole, name)
    first_round = shown(whole)
    machines.set_draining("lab2", draining=True)
    parts.set_wanted(whole, Wanted.RUNNING, again=True)
    server = ids(whole)["server"]
    seq = journal_store.newest([server])[server][0]
    launch = Entry(seq + 1, 3000.0, Cause(Source.LAB, "launch"), Facts(head=make_head(round=2)), "running")
    journal_store.append(server, [launch])
    end(whole, "server", Phase.RUNNING)
    stop(whole, "server")
    assert shown(whole) > first_round, "also if only the part was stopped"
    assert shown(whole) == parts.view(load(whole)).seq - 1


def test_a_part_that_was_launched_again_alone_is_shown_as_it_was_before_its_last_stop(whole: str) -> None:
    observe(whole)
    parts.set_wanted(whole, Wanted.STOPPED)
    for name in ("server", "lab2"):
        stop(whole, name)
    first_round = shown(whole)
    part = ids(whole)["lab2"]
    parts.set_wanted(part, Wanted.RUNNING, again=True)
    seq = journal_store.newest([part])[part][0]
    launch = Entry(seq + 1, 3000.0, Cause(Source.LAB, "launch"), Facts(head=make_head(round=2)), "running")
    journal_store.append(part, [launch])
    end(whole, "lab2", Phase.RUNNING)
    parts.set_wanted(part, Wanted.STOPPED)
    stop(whole, "lab2")
    assert shown(whole) > first_round
    assert shown(whole) == parts.view(load(whole)).seq - 1
    assert freeze_experiment(whole).shown_seq == shown(whole)


def test_no_lab_launches_the_experiment_of_all_machines() -> None:
    """A lab of an earlier version would launch any row of its machine that is not stopped."""
    machines.register("lab2", {}, MachineFacts())
    for place in (None, "lab2"):
        made = parts.create(make_spec("host", machines=["", "server"]) if place else SPEC, machine=place)
        row = Experiment.objects.get(pk=made)
        assert (row.machine_id, row.wanted, row.phase) == (None, "stopped", "stopped")


def test_arms_keep_the_machine_on_which_they_were_launched() -> None:
    """A report's specification may be launched again on other machines."""
    machines.register("lab2", {}, MachineFacts())
    spec = make_spec("host", "bridge", machines=["server"])
    here, there = spec.arms[0], replace(spec.arms[1], machine="")
    made = parts.create(replace(spec, arms=(here, there)), machine="lab2")
    assert [arm.machine for arm in load(made).spec.arms] == ["server", "lab2"]
    assert {name: load(part).machine for name, part in ids(made).items()} == {"server": None, "lab2": "lab2"}


def test_an_invalid_entry_of_one_lab_does_not_hide_the_others(whole: str) -> None:
    observe(whole)
    part = ids(whole)["lab2"]
    rows = JournalEntry.objects.filter(experiment=part)
    head = Facts(head=make_head(started_at=1e300))
    seq = journal_store.newest([part])[part][0]
    journal_store.append(part, [Entry(seq + 1, 1200.0, Cause(Source.LAB), head, "running for ever")])
    rows.filter(seq=2).update(facts='{"states": 1}')
    rows.filter(seq=3).update(source="x")
    rows.filter(seq=4).update(at=1e300)
    entries = list(parts.read(load(whole)))
    unread = [entry for entry in entries if entry.cause.detail == "unreadable"]
    assert [entry.text for entry in unread] == ["lab2: An entry of this machine cannot be read"] * 4
    assert [entry.at for entry in unread] == [1002.0, 1003.0, 0.0, 1200.0]
    assert {"host", "bridge", "machine"} <= replay(entries).states.keys()
    Experiment.objects.filter(pk=part).update(phase="x", wanted="y")
    end(whole, "server", Phase.RUNNING)
    assert parts.phases_of([whole]) == {whole: (Phase.RUNNING,)}
    assert parts.count_by_phase() == {"running": 1}


def test_an_entry_that_is_committed_late_is_not_skipped_by_the_next_page(
    whole: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row number is smaller than those of entries of another machine that were read before it was visible."""
    observe(whole)
    server, lab2 = ids(whole)["server"], ids(whole)["lab2"]
    late = JournalEntry.objects.filter(experiment=server, seq=2).get()
    JournalEntry.objects.filter(experiment=server, seq__gt=2).delete()
    after = Entry(3, 1300.0, Cause(Source.LAB), Facts(), "the next one")
    late.delete()
    late.experiment_id = server
    monkeypatch.setattr(parts, "PAGE", 4)
    read = []
    for number, (identity, entry) in enumerate(parts.read_parts({server: 0, lab2: 0})):
        read.append((identity, entry.seq))
        if number == 3:  # the page is full; late has a smaller key than its last row
            late.save(force_insert=True)
            journal_store.append(server, [after])
    assert [seq for identity, seq in read if identity == server] == [1, 2, 3]
    assert [seq for identity, seq in read if identity == lab2] == sorted({seq for one, seq in read if one == lab2})


def test_a_stop_that_an_absent_lab_has_not_answered_is_shown_as_requested(whole: str) -> None:
    observe(whole)
    assert parts.requested_phases([whole]) == {}
    end(whole, "server", Phase.RUNNING)
    assert parts.set_wanted(whole, Wanted.STOPPED)
    assert parts.requested_phases([whole]) == parts.phases_of([whole])
    own = Experiment.objects.filter(parts.has_ended(), parent=None)
    assert parts.phases_of([whole])[whole] == (Phase.STOPPING, Phase.STOPPED)
    assert not own.exists()
    stop(whole, "server")
    assert own.exists(), "lab2 never started, and shall not"
    assert shown(whole) > 0
    end(whole, "lab2", Phase.RUNNING)
    assert sorted(parts.phases_of([whole])[whole]) == [Phase.STOPPED, Phase.STOPPING]
    assert not own.exists()


def test_an_experiment_on_several_machines_counts_once_with_the_entries_of_all(whole: str) -> None:
    observe(whole)
    assert journals().experiments == 1
    entries = JournalEntry.objects.count()
    assert journals().entries == entries
    Experiment.objects.update(created_at=datetime(2020, 1, 1, tzinfo=UTC), wanted=Wanted.STOPPED, phase=Phase.STOPPED)
    limit = datetime(2030, 1, 1, tzinfo=UTC)
    for dry_run in (True, False):
        assert delete_experiments(limit, dry_run=dry_run) == DeletedRows(comparisons=1, entries=entries)


def test_a_part_that_shall_run_keeps_the_experiment(whole: str) -> None:
    Experiment.objects.update(created_at=datetime(2020, 1, 1, tzinfo=UTC), wanted=Wanted.STOPPED, phase=Phase.STOPPED)
    Experiment.objects.filter(pk=ids(whole)["lab2"]).update(wanted=Wanted.RUNNING)
    assert delete_experiments(datetime(2030, 1, 1, tzinfo=UTC), dry_run=False).comparisons == 0
