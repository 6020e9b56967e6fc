"""Why the journals of an experiment cannot be written: no journal entry can record that."""

from collections.abc import Mapping
from dataclasses import replace

from dashboard.core.experiments.messages import ExperimentHead


def show_problems(
    head: ExperimentHead, problems: Mapping[str, tuple[str, float]], machines: Mapping[str, str]
) -> ExperimentHead:
    """Returns the head with the texts of ``problems`` and the time of the earliest one.

    ``problems`` (text and time) and ``machines`` (names) have the id of the experiment as key, or the ids of its parts
    if it runs on several machines. With several machines, the name of the machine precedes each text, and the problem
    that the head already has is kept.
    """
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
