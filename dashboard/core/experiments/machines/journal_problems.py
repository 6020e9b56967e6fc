"""Shows in the head of an experiment why its journal cannot be written. The journal itself cannot record that."""

from collections.abc import Mapping
from dataclasses import replace

from dashboard.core.experiments.messages import ExperimentHead


def show_problems(
    head: ExperimentHead, problems: Mapping[str, tuple[str, float]], machines: Mapping[str, str]
) -> ExperimentHead:
    """Returns the head with the texts of ``problems`` and the time at which the earliest problem began.

    ``problems`` maps the id of an experiment to the text and the start of its problem. On one machine, this text
    replaces the problem that the head already shows. On several machines, the ids are those of the parts, and
    ``machines`` maps them to the names of the machines. Each text then begins with the name of its machine, and the
    head's own problem comes last.
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
