"""Commands to measure one block, and their answers. A command is for a client process on this machine, or for the lab
of another machine."""

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.measurement import MAX_PAYLOAD_BYTES, Block, Options, Probe
from dashboard.core.measurements.schedule import MAX_REQUESTS, BlockPlan, Series
from dashboard.core.paths.model import PathKind

#: The longest time of a remote call: a block at the lowest rate, with its timeout.
MAX_BLOCK_S = 50.0
_FIGURES = ("n", "center_us", "p50_us", "p90_us", "p99_us", "p999_us", "max_us", "mean_us", "bytes_per_s")


@dataclass(frozen=True, slots=True)
class RemoteBlock:
    """The command to measure one block; ``latency.client`` executes it. ``payload`` is in bytes. ``most`` is the
    maximum number of requests. ``rate`` is in requests per second. If ``from_arm`` is true, the client runs in the
    namespace of its machine's arm on the overlay network, otherwise in that of the machine itself."""

    probe: Probe
    address: str
    port: int
    payload: int
    seconds: float
    warmup_s: float
    most: int
    rate: float | None
    timeout_s: float
    http_path: str
    host: str
    conditions: Conditions
    from_arm: bool = False

    @property
    def longest_s(self) -> float:
        """The longest time that the client may need: the timeout applies to the warm-up, to a queue of requests that
        wait for their turn (only at a rate), and to the last request."""
        return self.warmup_s + self.seconds + 3 * self.timeout_s


def make_block(series: Series, plan: BlockPlan, options: Options, port: int) -> RemoteBlock:
    """Returns the command to measure the next block of a series. ``port`` is the port to connect to."""
    return RemoteBlock(
        probe=series.probe,
        address=series.path.address,
        port=port,
        payload=options.payload_of(series.probe),
        seconds=plan.seconds,
        warmup_s=plan.warmup_s,
        most=plan.most,
        rate=options.rate,
        timeout_s=options.timeout_s,
        http_path=options.http_path,
        host=series.path.host_name,
        conditions=options.conditions,
        from_arm=series.path.kind is PathKind.FROM_MACHINE_OVERLAY,
    )


def client_command(block: RemoteBlock) -> dict[str, Any]:
    """Returns the command as the client process reads it: the fields of the block except ``conditions`` and
    ``from_arm``, which determine how the process is started."""
    command = asdict(block)
    del command["conditions"], command["from_arm"]
    return command


def read_block(answer: Mapping[str, Any], key: str, number: int, started_s: float, took_s: float) -> Block:
    """Returns the block of the series ``key`` in the round ``number`` from the fields of the client's answer.
    ``took_s`` is its duration if the answer has none, because the block failed."""
    return Block(
        key,
        number,
        started_s,
        float(answer.get("duration_s", took_s)),
        **{name: answer[name] for name in _FIGURES if name in answer},
        reconnects=answer.get("reconnects", 0),
        histogram=base64.b64decode(answer.get("histogram", "")),
        error=answer.get("error", ""),
        note=answer.get("note", ""),
    )


@dataclass(frozen=True, slots=True)
class RemoteAnswer:
    """The answer of a client process to a command: its ``fields`` or, if the machine can send no more answers, the
    reason as a sentence in ``lost``."""

    fields: dict[str, Any]
    lost: str = ""


@dataclass(frozen=True, slots=True)
class RemoteCommand:
    """The next block of a run for the client on ``machine``. ``number`` counts the blocks of the run from 1; 0 means
    that there is no block yet. ``is_over`` is true if the run has ended, or if another web process now relays its
    commands and answers."""

    number: int = 0
    machine: str = ""
    block: RemoteBlock | None = None
    is_over: bool = False


def block_problem(block: RemoteBlock) -> str:
    """Returns why a lab refuses to measure the block, as a sentence; empty if it accepts the block."""
    if block.probe is Probe.DNS:
        return "dns is measured from containers only."
    if not 0 < block.port < 65_536 or not 0 < block.payload <= MAX_PAYLOAD_BYTES:
        return "The block has an invalid port or payload."
    if not 0 < block.longest_s <= MAX_BLOCK_S or not 0 < block.most <= MAX_REQUESTS:
        return "The block is too long."
    if len(block.http_path) > 2000 or len(block.host) > 255 or not f"{block.http_path}{block.host}".isprintable():
        return "The block has an invalid HTTP request."
    return ""
