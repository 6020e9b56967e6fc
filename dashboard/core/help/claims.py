"""Help texts on claims, misconceptions and workshops."""

from dashboard.core.help.entry import Help
from dashboard.core.help.entry import mark as _

HELP: tuple[Help, ...] = (
    Help(
        "questions",
        _("questions"),
        _(
            "Common questions about Docker's networks. Search for what you see, such as an error message. “Run” "
            "executes the claims behind an answer, on your engine or on a private host, and shows the verdict with the "
            "evidence."
        ),
        "docs/claims.md",
        "./netmodes claims --list",
    ),
    Help(
        "claims",
        _("claims"),
        _(
            "A claim is a statement about a network mode that Netmodes tests: it launches containers, reads the kernel "
            "and the Engine, and judges the result. The verdict is “confirmed”, “differs” or “not testable here”, with "
            "the evidence. Claims that need a machine's ports or files run on a private host, not on your machine."
        ),
        "docs/claims.md",
        "./netmodes claims --list",
    ),
    Help(
        "claim-runs",
        _("runs of claims"),
        _(
            "The newest 200 runs are kept with their verdicts and evidence, and so is the newest verdict of each "
            "claim. Each run can be saved as a report."
        ),
        "docs/claims.md",
    ),
    Help(
        "misconceptions",
        _("misconceptions"),
        _(
            "Setups with a result that surprises most people. Each is a claim with a question. You remember the result "
            "better if you predict it first. The setup runs on a private host or, if it is harmless, on your engine, "
            "and is removed afterwards."
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
            "A workshop consists of steps: predict the result, run the command, and see what happened. Checks read the "
            "state of the kernel and the Engine, so a typed command counts the same as a button."
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
            "Predict the outcome before you see it. Only your first answer counts. The correct answer is read from the "
            "kernel if possible; otherwise the workshop defines it."
        ),
        "docs/workshops.md",
    ),
    Help(
        "run",
        _("running"),
        _(
            "Type the command in a terminal on this machine, or press its button. A button starts no shell: Netmodes "
            "parses the command and performs it. In a container it uses the machine's tools, which an image may lack."
        ),
        "docs/workshops.md",
    ),
    Help(
        "check",
        _("the check"),
        _(
            "Compares the expected state with the observed one: network namespaces by inode, sockets with sock_diag, "
            "resolver files, sysctls, and the Engine's responses. The output of commands is never used."
        ),
        "sock_diag(7); docs/workshops.md",
    ),
    Help(
        "step-measure",
        _("measuring in a step"),
        _(
            "Launches a container in each mode of this step and times small requests on every path to them, in short "
            "alternating blocks. Then the containers are removed. Containers that the step launched are left "
            "unchanged."
        ),
        "docs/measuring.md",
    ),
    Help(
        "result",
        _("the result"),
        _("Your predictions and the correct answers, failed checks, and the time that you needed for each step."),
        "docs/workshops.md",
    ),
)
