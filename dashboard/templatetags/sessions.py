"""Filters of the pages of a class: ``{% load sessions %}``."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext as _

from dashboard.core.join_codes import shown
from dashboard.core.training import Need

register = template.Library()


@register.filter
def code(text: str) -> str:
    """A join code in two halves."""
    return shown(text)


@register.filter
def need_word(need: str) -> str:
    """Why somebody needs help, in the reader's language."""
    return {
        Need.HAND: _("hand raised"),
        Need.FAILS: _("checks fail"),
        Need.SLOW: _("long in this step"),
    }[Need(need)]


@register.filter
def percent(part: int, whole: int) -> int:
    """For the width of a bar, 0 to 100."""
    return round(100 * part / whole) if whole else 0


@register.filter
def pointer_words(pointer: str) -> str:
    """A row's id as it is read: its section and its name."""
    section, _slash, rest = pointer.partition("/")
    return f"{section}: {rest.replace('/', ' ')}" if rest else pointer


def host_words() -> dict[str, str]:
    """The stages of a private host, in the reader's language."""
    return {
        "queued": _("waits in the queue"),
        "starting": _("starts"),
        "ready": _("ready"),
        "failed": _("failed"),
        "stopped": _("stopped"),
    }


def session_words() -> dict[str, object]:
    """What the browser says on the pages of a class."""
    return {
        "lost": _("connection lost: trying again"),
        "true": _("true"),
        "kernelSays": _("The kernel says:"),
        "itIs": _("It is:"),
        "nobodyRan": _("Nobody has run it yet: the kernel has not said anything."),
        "revealed": _("Your instructor has shown the answer."),
        "mirrorShown": _("Your instructor shows a comparison."),
        "you": _("You:"),
        "toAll": _("Instructor, to all:"),
        "toYou": _("Instructor, to you:"),
        "handUp": _("Your hand is up"),
        "askHelp": _("Ask for help"),
        "hostReady": _("Your private host is ready."),
        "hosts": host_words(),
        "needsHelp": _("Needs help:"),
        "kept": _("Kept."),
    }


@register.filter
def host_word(stage: str) -> str:
    """One of them."""
    return host_words().get(stage, stage)
