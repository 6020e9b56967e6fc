"""The texts for JavaScript: ``{% load script_words %}``."""

from functools import cache
from typing import Any

from django import template
from django.utils.html import json_script
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from dashboard.core.experiments.engine_kind import ENGINE_NAMES
from dashboard.core.experiments.messages import ArmStatus, Phase, Relation
from dashboard.templatetags.netmodes import phase_word, relation_word, status_word
from dashboard.templatetags.training import session_words
from dashboard.templatetags.words import CHART_WORDS

register = template.Library()


@register.simple_tag
def interface_words() -> SafeString:
    """Returns a script element with the texts for JavaScript (``words_for_scripts``) as JSON."""
    return _script_of_words(get_language())


@cache
def _script_of_words(_language: str | None) -> SafeString:
    return json_script(words_for_scripts(), "words")


def words_for_scripts() -> dict[str, Any]:
    """Returns the translated texts for JavaScript, which replaces the placeholders ``{…}``."""
    return {
        "phases": {phase.value: phase_word(phase) for phase in Phase},
        "engines": ENGINE_NAMES,
        "statuses": {status.value: status_word(status) for status in ArmStatus},
        "relations": {relation.value: relation_word(relation) for relation in Relation},
        "session": session_words(),
        "chart": CHART_WORDS,
        "partlyRunning": _("partly running"),
        "runningEngineAway": _("running, engine unavailable"),
        "counts": _("{differ} differ · {same} same"),
        "noDiagram": _("There is no diagram: {reason}."),
        "showAll": _("show all {count}"),
        "showFewer": _("show fewer"),
        "details": _("details ({count})"),
        "matching": _("{count} of {all} rows match"),
        "omitted": _("Earlier entries not shown here: {count}."),
        "connecting": _("connecting"),
        "live": _("live"),
        "reconnecting": _("reconnecting since {time}"),
        "stale": _("Not live since {time}: this page may be out of date."),
        "disconnected": _("disconnected"),
        "signedOut": _("signed out: sign in again"),
        "gone": _("this experiment was removed or is no longer shown"),
        "copied": _("Copied"),
        "copyByHand": _("Text selected: press Ctrl+C to copy it"),
        "changedOne": _("one fact changed"),
        "changedMany": _("{count} facts changed"),
        "otherVersion": _("this page is out of date: reload it"),
        "pathShown": _("Shown on the diagram: {hops}"),
        "pathHidden": _("No path is shown on the diagram."),
        "since": _("since {time}"),
        "engineAway": _("{engine} does not answer"),
        "asItWas": _("State at {time}."),
        "from": _("from {from}"),
        "trying": _("Trying every path…"),
        "tried": _("{count} paths tried"),
        "failed": _("Failed: {reason}"),
        "printing": _("Printing…"),
        "finished": _("Finished at {time}"),
        "cancelled": _("Cancelled"),
        "cut": _("The output is too long: its beginning was cut."),
        "nothing": _("nothing"),
        "replay": {
            "loading": _("Loading the journal…"),
            "empty": _("Nothing to replay yet."),
            "play": _("Play"),
            "pause": _("Pause"),
            "end": _("End of the journal"),
            "when": _("{time} · {offset} after the start"),
            "moment": _("{time}, {offset} after the start: {text}"),
            "count": _("entry {number} of {count}"),
            "nothing": _("no entry yet"),
        },
        "exit": _("exit code {code}"),
        "asking": _("Checking…"),
        "stepDone": _("Step done: see the explanation below."),
        "themes": {"auto": _("auto"), "light": _("light"), "dark": _("dark")},
        "theme": _("Theme: {name}"),
    }
