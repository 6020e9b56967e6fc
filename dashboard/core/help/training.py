"""Help texts on training sessions: the pages of the instructor and of participants."""

from dashboard.core.help.entry import Help
from dashboard.core.help.entry import mark as _

_PAGE = "docs/sessions.md"

HELP: tuple[Help, ...] = (
    Help(
        "sessions",
        _("training sessions"),
        _(
            "Participants take a workshop together. They join with a code and need no account. In each step they "
            "predict the result, run the command on a private host, and see what is true. You see everyone's progress "
            "and who needs help."
        ),
        _PAGE,
    ),
    Help(
        "session-new",
        _("a new session"),
        _(
            "The code expires after the chosen hours, and all private hosts are removed then, unless you extend the "
            "time in the console. Pace: “follow the instructor” keeps all participants at your step; “self-paced” "
            "unlocks the next step for each participant who finishes one, up to a step that you set."
        ),
        _PAGE,
    ),
    Help(
        "session-hosts",
        _("private hosts"),
        _(
            "A Docker host for each participant or team, with its own port 80, so that host mode works for all at the "
            "same time. Root on a private host is an ordinary user of the machine, or root of the machine if the "
            "server runs with --privileged-hosts. The form that creates a session says which."
        ),
        _PAGE,
        "./netmodes hosts list",
    ),
    Help(
        "session-step",
        _("the step"),
        _(
            "The current step of the session. While it is locked, participants cannot predict or run anything in it. "
            "“Reveal answers to all” shows all participants how often each answer was chosen, and the correct answer: "
            "the reading of most hosts."
        ),
        _PAGE,
    ),
    Help(
        "session-answers",
        _("the predictions"),
        _(
            "How often each answer was chosen in this step. Only first answers count, and only those before the "
            "reveal. Participants see this when you reveal it."
        ),
        _PAGE,
    ),
    Help(
        "session-help",
        _("who needs help"),
        _(
            "Participants with a raised hand, several failed checks in a step, or a long time in it. Raised hands come "
            "first, then the longest wait."
        ),
        _PAGE,
    ),
    Help(
        "session-admission",
        _("admission"),
        _("While admission is required, newcomers wait here until you admit them."),
        _PAGE,
    ),
    Help(
        "session-removal",
        _("removing participants"),
        _(
            "The links and browsers of removed participants lose access at once; their answers are kept. Hosts that "
            "no participant uses are stopped. From one network address, forty participants can join at once, then "
            "forty a minute."
        ),
        _PAGE,
    ),
    Help(
        "session-code",
        _("how to join"),
        _(
            "The code has eight symbols out of 32 that are hard to confuse: 40 bits. Wrong codes are rate limited by "
            "address and overall. The link and the QR code contain a signature, so this limit does not apply to "
            "them. From one network address, forty participants can join at once, then forty a minute."
        ),
        _PAGE,
    ),
    Help(
        "session-say",
        _("a hint to all"),
        _(
            "The hint stays on top of every participant's page until they dismiss it. It is also kept among their "
            "messages."
        ),
        _PAGE,
    ),
    Help(
        "session-mirror",
        _("the comparison for all"),
        _("All participants see this experiment live and read-only. The row that you point at is highlighted."),
        _PAGE,
    ),
    Help(
        "session-notes",
        _("your notes"),
        _("Your notes are stored with the session. Neither participants nor the projector see them."),
        _PAGE,
    ),
    Help(
        "session-people-console",
        _("the participants"),
        _(
            "Participants who need help come first: a raised hand, failed checks, or a long time in a step. The state "
            "refers to the step that the participant opened last."
        ),
        _PAGE,
    ),
    Help(
        "session-grid",
        _("the progress"),
        _(
            "A row is a participant, a column is a step. A cell shows the number of failed checks and the time in the "
            "step. A tick means done, a triangle running, a question mark predicting. Participants count as away 12 "
            "seconds after their last connection."
        ),
        _PAGE,
    ),
    Help(
        "session-people",
        _("who is here"),
        _("Participants see only each other's name and presence."),
        _PAGE,
    ),
    Help(
        "session-participant",
        _("a participant"),
        _(
            "A participant uses one device at a time. A personal link moves the participant to another device. It "
            "works once, and a new link voids the previous one. Only its SHA-256 is stored."
        ),
        _PAGE,
    ),
    Help(
        "session-talk",
        _("questions and hints"),
        _(
            "This participant's questions, your hints to this participant, and your hints to all. Other participants "
            "see only the hints to all."
        ),
        _PAGE,
    ),
    Help(
        "session-events",
        _("the events"),
        _("All predictions, attempts and results of this participant, in the order in which they were stored."),
        _PAGE,
    ),
    Help(
        "terminal",
        _("the terminal"),
        _(
            "A shell in your host's network: its interfaces, its port 80, its engine. The tools are those of the "
            "machine, but the machine's data, its processes and other hosts are not visible. You are root on your host "
            "only, unless the server runs with --privileged-hosts."
        ),
        _PAGE,
        "docker ps",
    ),
    Help(
        "terminal-recording",
        _("a recorded terminal"),
        _(
            "The output of the terminal in each step, up to 256 kB per step. Terminals are recorded only in sessions "
            "with recording switched on; the lobby and the terminal announce it beforehand."
        ),
        _PAGE,
    ),
    Help(
        "session-lab",
        _("a host of your own"),
        _(
            "The private host of you or your team. In addition to the workshop's steps, you can launch, compare and "
            "measure containers and run claims on it. Only your group and your instructor see it, and it affects no "
            "other group."
        ),
        _PAGE,
    ),
    Help(
        "session-runs",
        _("runs on the host"),
        _(
            "What this participant or team launched on their private host outside the workshop's steps, with the "
            "results."
        ),
        _PAGE,
    ),
    Help(
        "session-predictions",
        _("the predictions of all"),
        _("All first answers, and the correct one. Shown after your instructor has revealed the answer."),
        _PAGE,
    ),
    Help(
        "join",
        _("joining"),
        _(
            "This browser stores a secret that identifies you. Other participants see your name and whether you are "
            "here."
        ),
        _PAGE,
    ),
)
