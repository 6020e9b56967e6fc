"""``machine-faults``: injects faults into an installation with three machines. Shows what is lost, what people see, and
for how long.

Each machine has an experiment and private hosts. Each participant checks a workshop step all the time.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from http import HTTPStatus

from dashboard.bench.benchmark import BenchmarkRun
from dashboard.bench.operations.machines.installation import machines_installation
from dashboard.bench.operations.machines.rounds import FAULTS, FaultRound
from dashboard.bench.operations.machines.scene import open_scene
from dashboard.bench.statistics import Figure, Result, at_most, figure

LIMIT_S = 7200.0
ROUNDS, QUICK_ROUNDS = 20, 2
HEALED_S = 30.0
#: How many different answers of a fault are reported.
MAX_ANSWERS = 6


async def benchmark(run: BenchmarkRun) -> Result:
    """Injects all faults, one after the other."""
    rounds, notes = await inject(run, FAULTS, QUICK_ROUNDS if run.quick else ROUNDS)
    return Result(
        "machine-faults",
        "Faults in an installation with three machines: what is lost, and the time until everything works again",
        f"nothing is lost, no page fails, and everything works again within {HEALED_S:g} s",
        figures_of(rounds),
        tuple(notes),
    )


async def inject(run: BenchmarkRun, faults: Collection[str], rounds: int) -> tuple[list[FaultRound], list[str]]:
    """Injects each of these faults ``rounds`` times, all with the same experiments and hosts. Returns the rounds, and
    notes on what participants saw."""
    done: list[FaultRound] = []
    notes: list[str] = []
    async with machines_installation(run) as installation, open_scene(installation) as scene:
        notes += installation.notes
        for name in faults:
            scene.answers.clear()
            for number in range(rounds):
                async with scene.watched():
                    done.append(await FAULTS[name](scene, number))
                last = done[-1]
                seen = "nothing" if last.seen_s is None else f"{last.seen_s:.1f} s"
                run.say(
                    f"{last.fault}, round {number + 1} of {rounds}: seen {seen}, "
                    f"healed {last.healed_s:.1f} s, lost {last.lost}"
                )
            notes.append(f"{done[-1].fault}: participants saw {describe_answers(scene.answers)}.")
            run.say(notes[-1])
    return done, notes


def describe_answers(answers: Counter[tuple[int, str]]) -> str:
    """A text with the answers that participants received, the most frequent first. The keys are tuples of status and
    message; status 0 means that no process answered."""
    parts = []
    for (status, sentence), count in answers.most_common(MAX_ANSWERS):
        text = "the page" if status == HTTPStatus.OK else f"{status or 'no answer'} “{sentence}”"
        parts.append(f"{text} ({count} times)")
    return ", ".join(parts)


def figures_of(rounds: Sequence[FaultRound]) -> tuple[Figure, ...]:
    """The figures for what was lost in all rounds, and for the times of each fault."""
    figures = [figure("lost", "", [float(each.lost) for each in rounds], percent=100, promise=at_most(0))]
    for fault in dict.fromkeys(each.fault for each in rounds):
        of_fault = [each for each in rounds if each.fault == fault]
        if seen := [each.seen_s for each in of_fault if each.seen_s is not None]:
            figures.append(figure(f"{fault}: seen", "s", seen, percent=100))
        healed = [each.healed_s for each in of_fault]
        figures.append(figure(f"{fault}: everything works again", "s", healed))
        figures.append(figure(f"{fault}: the longest", "s", healed, percent=100, promise=at_most(HEALED_S)))
    return tuple(figures)
