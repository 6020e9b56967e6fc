"""Help texts on claims, misconceptions and workshops."""

from dashboard.core.help.entry import Help
from dashboard.core.help.entry import mark as _

HELP: tuple[Help, ...] = (
    Help(
        "questions",
        _("questions"),
        _(
            "Common questions about Docker's networks. Search by what you see. Run executes the claims of "
            "an answer, on your engine or on a private host, and shows the verdict with the evidence."
        ),
        "docs/claims.md",
        "./netmodes claims --list",
    ),
    Help(
        "claims",
        _("claims"),
        _(
            "A claim is a statement about a network mode that is tested: Netmodes launches containers, reads the "
            "kernel and the Engine, and judges the result. The verdict is “confirmed”, “differs” or “not testable "
            "here”, with the evidence. Claims that need a machine's ports or files run on a private host, not on yours."
        ),
        "docs/claims.md",
        "./netmodes claims --list",
    ),
    Help(
        "claim-runs",
        _("runs of claims"),
        _("Runs are kept with verdicts and evidence, and can be saved as reports."),
        "docs/claims.md",
    ),
    Help(
        "misconceptions",
        _("misconceptions"),
        _(
            "Setups that surprise most people. Each is a claim with a question: you remember the result better if you "
            "predict it first. The setup runs on a private host and is removed afterwards."
        ),
        "docs/claims.md",
    ),
    Help(
        "happened",
        _("what happened"),
        _(
            "The outcome, read from the kernel and the Engine after the setup was launched. The evidence shows what "
            "was read, unchanged."
        ),
        "docs/claims.md",
    ),
    Help(
        "workshops",
        _("workshops"),
        _(
            "Steps to predict, run and understand. Checks read the state of the kernel and the Engine, so a typed "
            "command counts the same as a button."
        ),
        "docs/workshops.md",
        "./netmodes workshop list",
    ),
    Help(
        "steps",
        _("the steps"),
        _("A step unlocks when the previous one is done. You can always go back."),
        "docs/workshops.md",
    ),
    Help(
        "predict",
        _("predicting"),
        _(
            "Predict the outcome before you see it. The first answer counts. The truth is read from the kernel if "
            "possible; otherwise the workshop defines it."
        ),
        "docs/workshops.md",
    ),
    Help(
        "run",
        _("running"),
        _(
            "Type the command in a terminal on this machine, or press the button that does the same. Buttons use no "
            "shell: Netmodes parses the command and performs it."
        ),
        "docs/workshops.md",
    ),
    Help(
        "check",
        _("the check"),
        _(
            "Compares expected and observed: namespaces by inode, sockets with sock_diag, resolver files, sysctls, the "
            "Engine's responses. The output of a command is never used."
        ),
        "sock_diag(7); docs/workshops.md",
    ),
    Help(
        "step-measure",
        _("measuring in a step"),
        _(
            "Launches a container in each of these modes, times small requests on every path to them in short "
            "alternating blocks, and removes them. Containers that the step launched are left unchanged."
        ),
        "docs/measuring.md",
    ),
    Help(
        "result",
        _("the result"),
        _("Your predictions and the truth, failed checks, and the time of each step."),
        "docs/workshops.md",
    ),
)
