"""Merges the heads of an experiment's parts on several machines into the head of the whole experiment. A head
(``ExperimentHead``) is everything about an experiment except its columns."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import ENDED, ExperimentHead, Phase

#: The phase of an experiment that has not ended is the first of these that a part has. A part that waits for an absent
#: lab does not delay the others.
_ORDER = (Phase.LAUNCHING, Phase.PREPARING, Phase.STOPPING, Phase.RUNNING, Phase.WAITING)


def requested_phase(phase: Phase, wanted: Wanted) -> Phase:
    """Returns the phase in which a part is shown. ``phase`` is the phase that the part's lab has recorded. After a
    requested stop, the result is stopping, stopped or failed. The lab may not have acted on the request yet, for
    example because it is absent."""
    if wanted is Wanted.RUNNING or phase in ENDED:
        return phase
    return Phase.STOPPED if phase is Phase.WAITING else Phase.STOPPING


def apply_requests(
    head: ExperimentHead, phases: Collection[Phase], last_at: float, requested_round: int = 0
) -> ExperimentHead:
    """Returns the head of the whole experiment after a requested stop or launch, even if no lab has acted on the
    request yet.

    ``phases`` are the phases in which the parts are shown (``requested_phase``). Without a requested stop, ``phases``
    is empty. ``last_at`` is the time of the newest entry. If all parts have ended and no lab has recorded
    ``stopped_at``, ``last_at`` takes its place. ``requested_round`` is the newest round that was requested. Until a lab
    has begun it, the experiment is waiting.
    """
    if phases:
        phase = merge_phases(phases)
        ended = (head.stopped_at or last_at) if phase in ENDED else None
        head = replace(head, phase=phase, stopped_at=ended)
    if 0 < head.round < requested_round:
        head = replace(head, phase=Phase.WAITING, started_at=None, stopped_at=None, proof=(), notice="")
    return head


def merge_phases(phases: Iterable[Phase]) -> Phase:
    """Returns the phase of the whole experiment: the first phase in ``_ORDER`` that a part has. If all parts have
    ended, the result is failed if every part has failed, otherwise stopped."""
    found = set(phases)
    for phase in _ORDER:
        if phase in found:
            return phase
    return Phase.FAILED if found == {Phase.FAILED} else Phase.STOPPED


def merge_heads(experiment: ExperimentHead, heads: Mapping[str, ExperimentHead]) -> ExperimentHead:
    """Returns the head of the whole experiment. ``experiment`` is its head before anything runs: the title, the time of
    creation and other fixed fields come from there. ``heads`` are the heads of the parts by the names of their
    machines. A part is waiting until its lab has recorded something."""
    if not heads:
        return experiment
    known = [head for head in heads.values() if head.round]
    phase = merge_phases(head.phase for head in heads.values())

    def merge_texts(text_of: Callable[[ExperimentHead], str]) -> str:
        """Joins the texts that ``text_of`` returns for the heads. If all heads have the same text, that text is
        returned once. Otherwise each text follows the name of its machine."""
        texts = {machine: text_of(head) for machine, head in heads.items() if text_of(head)}
        if len(texts) == len(heads) and len(set(texts.values())) == 1:
            return next(iter(texts.values()))
        return " ".join(f"{machine}: {text}" for machine, text in texts.items())

    troubled = [head for head in known if head.problem]
    stopped = [head.stopped_at for head in known if head.stopped_at is not None]
    return replace(
        experiment,
        phase=phase,
        started_at=min((head.started_at for head in known if head.started_at is not None), default=None),
        stopped_at=max(stopped, default=None) if phase in ENDED else None,
        engine=", ".join(dict.fromkeys(head.engine for head in known if head.engine)),
        engine_kind=next((head.engine_kind for head in known), experiment.engine_kind),
        private=bool(known) and all(head.private for head in known),
        notice=merge_texts(lambda head: head.notice),
        progress=merge_texts(lambda head: head.progress),
        fraction=next((head.fraction for head in known if head.fraction is not None), None),
        problem=merge_texts(lambda head: head.problem),
        problem_since=min((head.problem_since for head in troubled if head.problem_since is not None), default=None),
        proof=tuple(
            replace(check, name=f"{check.name} ({machine})") for machine, head in heads.items() for check in head.proof
        ),
        round=max((head.round for head in known), default=0),
        engine_away=any(head.engine_away for head in known),
        measured=merge_texts(lambda head: head.measured),
        measurement=next((head.measurement for head in known if head.measurement), ""),
        tried=merge_texts(lambda head: head.tried),
    )
