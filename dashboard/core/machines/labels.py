"""Labels of machines, written ``key=value``. A session may require machines with certain labels."""

import re

MAX_LABELS, MAX_LABEL = 20, 40
#: The greatest number of labels that a session may require.
MAX_WANTED = 5
_LABEL = re.compile(r"[a-z0-9A-Z]([\w./-]*[a-z0-9A-Z])?", re.ASCII)


def parse_labels(texts: list[str]) -> dict[str, str]:
    """Parses ``key=value`` texts. Returns the value of each key. Raises ValueError, with a message for the user, if a
    text has a different form or if there are more than ``MAX_LABELS`` keys."""
    labels: dict[str, str] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        for part in (key, value):
            if not sign or len(part) > MAX_LABEL or not _LABEL.fullmatch(part):
                raise ValueError(
                    f"“{text[:90]}” is not a label: write key=value with letters, digits and “_./-”, at most "
                    f"{MAX_LABEL} characters on each side."
                )
        labels[key] = value
    if len(labels) > MAX_LABELS:
        raise ValueError(f"A machine has at most {MAX_LABELS} labels.")
    return labels


def parse_wanted(text: str) -> str:
    """Parses the labels that a session requires, separated by white space. Returns them sorted, without repetitions and
    separated by spaces. Raises ValueError, with a message for the user, if there are more than ``MAX_WANTED`` labels,
    if one is not valid, or if two have the same key."""
    words = sorted(set(text.split()))
    if len(words) > MAX_WANTED:
        raise ValueError(f"Use at most {MAX_WANTED} labels.")
    wanted = parse_labels(words)
    if len(wanted) < len(words):
        raise ValueError("A machine has one value for each label: enter only one.")
    return " ".join(words)
