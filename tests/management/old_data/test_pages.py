"""The owner's pages, experiments and measurements of version 0013."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.management.old_data.installation import Installation
from tests.management.old_data.recorded import CLOSED, CONSOLE, EXPERIMENT, MEASUREMENT, OLD, OPEN, SAVED, recorded

PARTICIPANTS = CLOSED["participants"]
SERIES = recorded("report-0013.json")["content"]["measurements"][0]["series"][0]
#: Every address that showed something of the owner's, with a text from the data that must be in the answer.
OWNER = {
    "/": "Host or bridge",
    f"/experiments/{EXPERIMENT}/": "Host or bridge",
    f"/experiments/{EXPERIMENT}/?at=8": "Host or bridge",
    f"/experiments/{EXPERIMENT}/track/": EXPERIMENT,
    f"/experiments/{OLD['failed_experiment']}/": "registry.invalid/none:1",
    "/measurements/": MEASUREMENT,
    f"/measurements/{MEASUREMENT}/": "Host or bridge",
    f"/measurements/history/?signature={quote('bridge bridge-address tcp-rr 64B closed idle')}": MEASUREMENT,
    "/reports/": SAVED,
    "/reports/?q=bridge&tag=monday&origin=experiment": SAVED,
    "/reports/?archived=1": OLD["archived_report"],
    f"/reports/{SAVED}/": "<strong>No load</strong>",
    f"/reports/{SAVED}/#remark-1": "The <em>proxy</em> costs most.",
    f"/reports/{SAVED}/track/": "veth",
    f"/reports/{SAVED}/export.html": "Host or bridge, measured",
    f"/reports/{SAVED}/export.md": "Host or bridge, measured",
    f"/reports/{SAVED}/export.histograms.csv": MEASUREMENT,
    f"/reports/{OLD['archived_report']}/": "Only the measurement",
    f"/reports/{OLD['claims_report']}/": "host-shares-netns",
    f"/reports/{OLD['imported_report']}/": "host-shares-netns",
    f"/reports/compare/?report={SAVED}&report={OLD['archived_report']}": "Only the measurement",
    "/reports/trends/c04c078990305e7e/": SAVED,
    f"/reports/{SAVED}/share/": "",
    "/claims/": "host-shares-netns",
    f"/claims/runs/{OLD['claims']}/": "host-copies-hostname",
    f"/misconceptions/add-host-hides/?run={OLD['misconception']}": "",
    "/workshop/": "bridge-and-dns",
    "/workshop/bridge-and-dns/": "no-names",
    "/workshop/bridge-and-dns/two-containers/": "",
    "/sessions/": "Host network on Tuesday",
    CONSOLE: "Bridge and DNS on Monday",
    f"{CONSOLE}projector/": "Bridge and DNS on Monday",
    f"{CONSOLE}mirror/": "Host or bridge",
    f"{CONSOLE}seats/{PARTICIPANTS['Ben']}/": "Why does the name not resolve?",
    f"{CONSOLE}seats/{PARTICIPANTS['Ada']}/": "nginx on port 80",
    f"{CONSOLE}seats/{PARTICIPANTS['Ada']}/terminal/?step=two-containers": "docker ps --format",
    f"{CONSOLE}seats/{PARTICIPANTS['Ada']}/experiments/{CLOSED['experiment']}/": "nginx on port 80",
    f"{CONSOLE}results/replay.html": "Ben",
    f"{CONSOLE}results/share/": "",
    f"{CONSOLE}results/anonymous/": "Bridge and DNS on Monday",
    f"/sessions/{CLOSED['session']}/results/": "Chen",
    f"/sessions/{CLOSED['session']}/results/?person={PARTICIPANTS['Ada']}": "Ada",
    f"/sessions/{OPEN['session']}/console/": "Bring the projector.",
    f"/api/experiments/{EXPERIMENT}": "Host or bridge",
    f"/api/experiments?session={CLOSED['session']}": CLOSED["experiment"],
    f"/api/measurements?session={CLOSED['session']}": CLOSED["measurement"],
    f"/api/claims/runs?session={CLOSED['session']}": CLOSED["claims"],
    f"/api/measurements/{MEASUREMENT}/distribution": SERIES["key"],
    f"/api/claims/runs/{OLD['claims']}": "ip-refused",
    "/api/claims": "host-shares-netns",
    f"/api/reports/{SAVED}/about": "Seen again on Tuesday.",
    "/api/reports/trends/c04c078990305e7e": SAVED,
}


def known(after: Any, before: Any) -> Any:
    """``after`` without the members of objects that ``before`` does not have: fields are added between versions."""
    if isinstance(after, dict) and isinstance(before, dict):
        return {key: known(value, before[key]) for key, value in after.items() if key in before}
    if isinstance(after, list) and isinstance(before, list) and len(after) == len(before):
        return [known(*pair) for pair in zip(after, before, strict=True)]
    return after


def test_every_address_of_the_owner_opens_with_the_old_cookie(old: Installation) -> None:
    for path, text in OWNER.items():
        assert text in old.open("owner", path).body, path


def test_an_experiment_shows_the_same_facts(old: Installation) -> None:
    before = recorded("comparison-0013.json")
    frozen = recorded("report-0013.json")["content"]["experiment"]["journal"]
    shown = old.open("owner", f"/api/experiments/{EXPERIMENT}/comparison").json
    assert shown["schema"] == "comparison/1"
    assert known(shown["columns"], before["columns"]) == before["columns"]
    assert set(shown["states"]) == {"machine", "host", "bridge"}
    # The old version returned the columns from before the stop, with published ports, and the states from after it.
    after = old.open("owner", f"/api/experiments/{EXPERIMENT}/comparison?at={frozen[-1]['seq']}").json
    assert known(after["states"], before["states"]) == before["states"]

    def in_state(row: Any) -> bool:
        return bool(row["section"] != "published")

    named = [
        sorted((row["section"], row["key"], row["field"], row["relation"]) for row in one["rows"] if in_state(row))
        for one in (before, after)
    ]
    assert named[0] == named[1]
    entries = old.open("owner", f"/api/experiments/{EXPERIMENT}/journal").json
    assert len(entries) == len(frozen)
    for entry, old_entry in zip(entries, frozen, strict=True):
        for name in ("seq", "at", "facts"):
            assert known(entry[name], old_entry[name]) == old_entry[name]


def test_a_measurement_shows_the_same_figures(old: Installation) -> None:
    before = recorded("report-0013.json")["content"]["measurements"][0]["measurement"]
    after = old.open("owner", f"/api/measurements/{MEASUREMENT}").json["measurement"]
    for name in ("schema", "seed", "elapsed_s", "started_at", "options", "environment", "series", "stopped"):
        assert known(after[name], before[name]) == before[name], name


def test_websockets_of_experiments_and_measurements_keep_their_addresses(old: Installation) -> None:
    snapshot = old.receive("owner", f"/ws/experiments/{EXPERIMENT}/", "snapshot")
    assert snapshot["experiment"]["title"] == "Host or bridge"
    old.receive("owner", f"/ws/measurements/{MEASUREMENT}/", "measurement")
    mirrored = old.receive("Eva", f"/ws/sessions/{OPEN['session']}/mirror/", "snapshot")
    assert mirrored["experiment"]["id"] == EXPERIMENT
