"""Readability of a text: the Flesch-Kincaid grade (Kincaid et al., 1975), with syllables counted by rule."""

from __future__ import annotations

import re

_VOWELS = re.compile(r"[aeiouy]+")


def plain(markdown: str) -> str:
    """The text without markup: code counts as one short word, list items as sentences."""
    text = re.sub(r"`[^`]*`", "code", markdown)
    text = re.sub(r"\]\([^)]*\)", "", text)
    text = re.sub(r"^\s*[-*] (.*?),?$", r"\1.", text, flags=re.MULTILINE)
    # Addresses, options and numbers count as one word each.
    text = re.sub(r"\S*[\d/:=]\S*[\d/]\S*|--?\w+", "it", text)
    return re.sub(r"[*_#>\[\]“”\"]", "", text)


def syllables(word: str) -> int:
    """Groups of vowels, without a silent e at the end."""
    word = word.lower()
    count = len(_VOWELS.findall(word))
    if word.endswith("e") and not word.endswith(("le", "ee")) and count > 1:
        count -= 1
    if word.endswith("ed") and not word.endswith(("ted", "ded")) and count > 1:
        count -= 1
    return max(count, 1)


def grade(markdown: str) -> float:
    """The US school grade needed to read the text."""
    text = plain(markdown)
    sentences = [one for one in re.split(r"[.!?:;](?:\s|$)|\n\n", text) if re.search(r"\w", one)]
    found = re.findall(r"[A-Za-z][A-Za-z'-]*", text)
    per_sentence = len(found) / max(len(sentences), 1)
    return 0.39 * per_sentence + 11.8 * sum(map(syllables, found)) / max(len(found), 1) - 15.59
