"""Tags for pages with a terminal: ``{% load terminal %}``."""

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
    """Returns the URLs of the terminal library; empty if it is not installed."""
    if any(finders.find(name) is None for name in LIBRARY.values()):
        return {}
    return {key: static(name) for key, name in LIBRARY.items()}


@register.simple_tag
def terminal_words() -> dict[str, str]:
    """Returns the translated texts for the terminal's script."""
    return {
        "input": _("Terminal: input goes to the shell on your host"),
        "closed": _("closed"),
        "ended": _("no shell"),
        "again": _("Press Enter for a new shell"),
        "notLoaded": _("The terminal could not be loaded. Reload the page to try again."),
        "gone": _("This terminal is closed: the session is over, or you were removed or moved to another device."),
        "many": _("Your terminal is open in too many windows. Close one, then try again."),
        "refused": _("The connection was closed because of too much input. Try again."),
        "tooMuch": _("Too much text: paste at most 64 kB at once."),
    }
