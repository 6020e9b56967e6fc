"""Training sessions: the instructor's pages and those of a seat."""

from __future__ import annotations

from dashboard.core.help.entry import Help
from dashboard.core.help.entry import mark as _

HELP: tuple[Help, ...] = (
    Help(
        "sessions",
        _("training sessions"),
        _(
            "A class walks through a workshop together. People join with a code and need no account. Each predicts, "
            "runs it on a private host, and sees what is true; you see who is where and who needs help."
        ),
        "docs/sessions.md",
    ),
    Help(
        "session-new",
        _("a new session"),
        _(
            "The code lives for the hours that you say. Follow me: everybody is at your step. Self-paced: each step "
            "opens the next, up to a gate that you set."
        ),
        "docs/sessions.md",
    ),
    Help(
        "session-hosts",
        _("private hosts"),
        _(
            "A Docker host for each person or team, with its own port 80, so that host mode works for all at once. It "
            "keeps people out of each other's way. It is no security boundary: whoever may run containers as root can "
            "get through."
        ),
        "docs/sessions.md",
        "./netmodes hosts list",
    ),
    Help(
        "session-step",
        _("the step"),
        _(
            "Where the class is. Locked: nobody predicts or runs in it. Reveal shows everybody the class's answers "
            "and what is true, as it was read on most of the hosts."
        ),
        "docs/sessions.md",
    ),
    Help(
        "session-answers",
        _("the predictions"),
        _(
            "How often each answer was chosen in this step. First answers count, each once. The class sees it at the "
            "reveal."
        ),
        "docs/sessions.md",
    ),
    Help(
        "session-help",
        _("who needs help"),
        _(
            "A raised hand, or so many failed checks in a step, or so many minutes in it. Hands come first, then who "
            "has waited longest."
        ),
        "docs/sessions.md",
    ),
    Help(
        "session-door",
        _("the door"),
        _("Who comes after you shut the doors waits here until you let them in."),
        "docs/sessions.md",
    ),
    Help(
        "session-code",
        _("the way in"),
        _(
            "Eight of 32 symbols that nobody mistakes: 40 bits. Wrong codes are throttled, by address and overall. "
            "The link and the QR code also hold a signature and are not throttled."
        ),
        "docs/sessions.md",
    ),
    Help(
        "session-say",
        _("a hint to all"),
        _("It appears on every page of the class, and stays with the seats' messages."),
        "docs/sessions.md",
    ),
    Help(
        "session-mirror",
        _("the comparison for all"),
        _(
            "Everybody sees this experiment live and can press nothing. A row that you point at is marked and brought "
            "into view."
        ),
        "docs/sessions.md",
    ),
    Help(
        "session-notes",
        _("your notes"),
        _("They are kept with the session and are sent to nobody, nor shown on the wall."),
        "docs/sessions.md",
    ),
    Help(
        "session-grid",
        _("everybody"),
        _(
            "A row is a person, a column is a step: ✓ done, ▶ at running, ? at predicting, with failed checks and "
            "time. Who has not been heard of for 12 seconds counts as away."
        ),
        "docs/sessions.md",
    ),
    Help(
        "session-people",
        _("who is here"),
        _("Names and presence are all that people of a class see of each other."),
        "docs/sessions.md",
    ),
    Help(
        "session-seat",
        _("a seat"),
        _(
            "A place in the session, held by one device at a time. A link moves it to another device; it works once, "
            "and a new link voids the one before. Only its SHA-256 is kept."
        ),
        "docs/sessions.md",
    ),
    Help(
        "session-talk",
        _("questions and hints"),
        _(
            "What this person asked and what they were told. Nobody else in the class sees it; hints to all stand "
            "among them."
        ),
        "docs/sessions.md",
    ),
    Help(
        "session-events",
        _("what somebody did"),
        _("Every prediction, attempt and result of this seat in the order in which the server wrote it down."),
        "docs/sessions.md",
    ),
    Help(
        "terminal",
        _("the terminal"),
        _(
            "A shell in your host's network: its interfaces, its port 80, its engine. Of the machine it sees tools, "
            "and none of its data, processes and other hosts. It is a classroom boundary: whoever may use an engine "
            "that runs as root can get through."
        ),
        "docs/sessions.md",
        "docker ps",
    ),
    Help(
        "terminal-recording",
        _("a recorded terminal"),
        _(
            "What the terminal showed in each step, until 256 kB of a step were kept. Only sessions record that say "
            "so when they are made; the lobby and the terminal tell everybody before."
        ),
        "docs/sessions.md",
    ),
    Help(
        "session-lab",
        _("a host to work on at will"),
        _(
            "A Docker host of your own or of your team, beside the steps: launch, compare, measure and execute "
            "claims. Only your group and your instructor see it, and nothing on it touches anybody else's."
        ),
        "docs/sessions.md",
    ),
    Help(
        "session-works",
        _("what runs on the host"),
        _("What this person or team launched at will on their private host, with what became of it."),
        "docs/sessions.md",
    ),
    Help(
        "class-answers",
        _("what the class expected"),
        _("All first answers, and what is true. Nothing is shown until your instructor reveals it."),
        "docs/sessions.md",
    ),
    Help(
        "join",
        _("joining"),
        _(
            "Your seat is a secret in this browser. The others of the class see the name that you type, and nothing "
            "else."
        ),
        "docs/sessions.md",
    ),
)
