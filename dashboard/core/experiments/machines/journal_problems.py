"""Why the journals of an experiment cannot be written: no journal entry can record that."""

from collections.abc import Mapping
from dataclasses import replace

from dashboard.core.experiments.messages import ExperimentHead


def show_problems(
    head: ExperimentHead, problems: Mapping[str, tuple[str, float]], machines: Mapping[str, str]
) -> ExperimentHead:
    """The head with these problems and the time of the first. ``problems`` (text and time) and ``machines`` are by the
    id of the experiment, or of its parts if it runs on several machines; then each problem names its machine, and
    problems that a journal has recorded stay."""
    if not problems:
        return head
    since = min(since for _text, since in problems.values())
    if len(machines) < 2:
        texts = [text for text, _since in problems.values()]
    else:
        texts = [f"{machines[key]}: {text}" for key, (text, _since) in problems.items()]
        if head.problem:
            texts.append(head.problem)
            since = min(since, head.problem_since or since)
    return replace(head, problem=" ".join(texts), problem_since=since)
