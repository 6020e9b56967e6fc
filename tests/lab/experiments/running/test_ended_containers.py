"""Containers that end, are killed or are removed while their experiment runs on a real engine."""

from __future__ import annotations

from dashboard.core.experiments.lifecycle import container_name
from dashboard.core.experiments.messages import ArmStatus, Phase
from dashboard.core.modes import OBSERVERS
from tests.lab.experiments.conftest import names
from tests.support import engine_api
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine


async def test_an_image_that_ends_at_once_shows_its_exit_code_and_last_log_lines(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    words = 'sh -c \'echo first; printf "not \\377\\376 text\\n"; printf "\\033[31mred\\n" >&2; exit 7\''
    identity = await lab_harness.running(arms=[{"mode": "bridge", "command": words}, {"mode": "none"}])
    column = await lab_harness.ends_as(identity, "bridge", ArmStatus.EXITED)
    assert column.exit_code == 7
    assert {"first", "not \ufffd\ufffd text"} <= set(column.logs)
    assert any("red" in line for line in column.logs), column.logs
    assert "bridge" not in (await lab_harness.view(identity)).states
    assert names(engine_host) == {container_name(identity, "none")}
    assert any("exited with code 7" in entry.text for entry in await lab_harness.entries(identity))


async def test_an_exit_during_the_launch_of_others_is_not_missed(lab_harness: LabHarness) -> None:
    arms = [{"mode": "none", "command": "sh -c 'sleep 0.3; exit 3'"}, *[{"mode": "bridge"} for _ in range(4)]]
    identity = await lab_harness.running(arms=arms)
    column = await lab_harness.ends_as(identity, "none", ArmStatus.EXITED)
    assert column.exit_code == 3


async def test_two_host_mode_servers_on_one_port_end_with_the_program_s_error(lab_harness: LabHarness) -> None:
    identity = await lab_harness.running(arms=[{"mode": "host"}, {"mode": "host"}])

    async def one_has_ended() -> bool:
        columns = (await lab_harness.view(identity)).columns
        return sorted(str(one.status) for one in columns if one.key not in OBSERVERS) == ["exited", "running"]

    await eventually(one_has_ended)
    ended = next(one for one in (await lab_harness.view(identity)).columns if one.status is ArmStatus.EXITED)
    assert ended.exit_code == 1
    assert any("Address already in use" in line for line in ended.logs), ended.logs


async def test_a_container_removed_outside_netmodes_is_lost_and_the_others_run_on(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    # A program in host mode may not open port 80 of a rootless Podman.
    identity = await lab_harness.running(
        arms=[{"mode": "host", "command": "sleep 600"}, {"mode": "bridge"}, {"mode": "none"}]
    )
    for key in ("bridge", "none"):
        engine_host.docker("rm", "-f", container_name(identity, key))
        column = await lab_harness.ends_as(identity, key, ArmStatus.LOST)
        assert "removed outside Netmodes" in (column.error or "")
        assert key not in (await lab_harness.view(identity)).states
    assert (await lab_harness.column(identity, "host")).status is ArmStatus.RUNNING
    assert "host" in (await lab_harness.view(identity)).states
    head = await lab_harness.stop(identity)
    assert all(check.ok for check in head.proof)


async def test_a_killed_container_has_exited(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    identity = await lab_harness.running("bridge", "none")
    engine_host.docker("kill", container_name(identity, "bridge"))
    column = await lab_harness.ends_as(identity, "bridge", ArmStatus.EXITED)
    assert column.exit_code == 137


async def test_a_restarted_container_is_observed_again(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    identity = await lab_harness.running("bridge", "none")
    seen = (await lab_harness.view(identity)).seq
    engine_host.docker("restart", "-t", "0", container_name(identity, "bridge"))

    async def told() -> bool:
        texts = [entry.text for entry in await lab_harness.entries(identity) if entry.seq > seen]
        return any("bridge started" in text or "bridge exited" in text for text in texts)

    await eventually(told)
    column = await lab_harness.column(identity, "bridge")
    if column.status is ArmStatus.RUNNING:  # it was up again before it was asked about
        assert "bridge" in (await lab_harness.view(identity)).states
    else:
        assert column.status is ArmStatus.EXITED


async def test_the_experiment_fails_when_the_last_arm_ends(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    identity = await lab_harness.running("bridge", "user-bridge")
    engine_host.docker("rm", "-f", *names(engine_host))
    head = await lab_harness.reaches(identity, Phase.FAILED)
    assert "No container is running" in head.notice
    assert engine_api.networks(engine_host.endpoint) == []
