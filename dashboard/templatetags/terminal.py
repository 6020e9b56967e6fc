"""Tags of pages with a terminal: ``{% load terminal %}``."""

from __future__ import annotations

from django import template
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.utils.translation import gettext as _

register = template.Library()

LIBRARY = {
    "xterm": "vendor/xterm/xterm.mjs",
    "fit": "vendor/xterm/addon-fit.mjs",
    "style": "vendor/xterm/xterm.css",
}


@register.simple_tag
def terminal_library() -> dict[str, str]:
    """Where the terminal's library is served, empty where it was not installed."""
    if any(finders.find(name) is None for name in LIBRARY.values()):
        return {}
    return {key: static(name) for key, name in LIBRARY.items()}


@register.simple_tag
def terminal_words() -> dict[str, str]:
    """What the browser itself says at a terminal. Only pages that have one carry it."""
    return {
        "input": _("Terminal: what you type goes to the shell on your host"),
        "closed": _("closed"),
        "ended": _("no shell"),
        "again": _("Press Enter for a new shell"),
        "notLoaded": _("The terminal could not be loaded: reload the page to try again."),
        "gone": _(
            "This terminal is closed: the session is over, or your participant is on another device or taken away."
        ),
        "many": _("Your terminal is open in too many windows: close one, then try again."),
        "refused": _("The connection was ended, because too much was sent at once. Try again."),
        "tooMuch": _("That is too much to paste at once: at most 64 kB."),
    }
