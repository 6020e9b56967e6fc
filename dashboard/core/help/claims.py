"""Claims, misconceptions and workshops."""

from __future__ import annotations

from dashboard.core.help.entry import Help
from dashboard.core.help.entry import mark as _

HELP: tuple[Help, ...] = (
    Help(
        "claims",
        _("claims"),
        _(
            "A claim is a sentence about a network mode that is executed: containers are launched, kernel and Engine "
            "are read, a pure function judges. It holds, differs, or cannot be tested here, with the evidence. Claims "
            "that need ports or files of a machine run on a private host, not on yours."
        ),
        "docs/claims.md",
        "./netmodes claims --list",
    ),
    Help(
        "claim-runs",
        _("runs of claims"),
        _("Every run is kept with its verdicts and evidence, and can be saved as a report."),
        "docs/claims.md",
    ),
    Help(
        "misconceptions",
        _("misconceptions"),
        _(
            "Set-ups that surprise most people. Each is a claim with a question in front of it: who has predicted "
            "remembers what happened. It runs on a private host and is removed again."
        ),
        "docs/claims.md",
    ),
    Help(
        "happened",
        _("what happened"),
        _(
            "Read from the kernel and the Engine after the set-up was launched; the evidence is what was read, as it "
            "was."
        ),
        "docs/claims.md",
    ),
    Help(
        "workshops",
        _("workshops"),
        _(
            "Steps to predict, run and understand. What is checked is the state of the kernel and of the Engine, "
            "whoever launched it and how: a command that was typed counts like a button that was pressed."
        ),
        "docs/workshops.md",
        "./netmodes workshop list",
    ),
    Help(
        "steps",
        _("the steps"),
        _("The first time through, a step opens when the one before it is done. Going back is always possible."),
        "docs/workshops.md",
    ),
    Help(
        "predict",
        _("predicting"),
        _(
            "Say what you expect before you see it. The first answer counts. What is true is read from the kernel "
            "where it can be, and stands in the workshop where the answer is fixed."
        ),
        "docs/workshops.md",
    ),
    Help(
        "run",
        _("running"),
        _(
            "Type the line in a terminal of this machine, or press the button that does the same. Nothing goes "
            "through a shell: the line is read, and what it asks for is done."
        ),
        "docs/workshops.md",
    ),
    Help(
        "check",
        _("the check"),
        _(
            "Compares what is expected with what is observed: namespaces by inode, sockets with sock_diag, resolver "
            "files, sysctls, the Engine's answers. What a command printed is never looked at."
        ),
        "sock_diag(7); docs/workshops.md",
    ),
    Help(
        "result",
        _("the result"),
        _("Your predictions against the truth, how often a check failed first, and how long each step took."),
        "docs/workshops.md",
    ),
)
