"""Reports: one, several beside each other, over time, shared."""

from __future__ import annotations

from dashboard.core.help.entry import Help
from dashboard.core.help.entry import mark as _

HELP: tuple[Help, ...] = (
    Help(
        "save",
        _("saving a report"),
        _(
            "Freezes the journal, the measurements and the environment as they are, with a hash. A saved report never "
            "changes; it can be read, replayed, checked and compared later, elsewhere and without a network."
        ),
        "docs/report-format.md",
    ),
    Help(
        "summary",
        _("the summary"),
        _(
            "The differences that matter most, each with a link to the row that shows it, and the verdict on each "
            "path. It is computed from what was frozen, not typed by anybody."
        ),
        "docs/report-format.md",
    ),
    Help(
        "notes",
        _("the notes"),
        _("Written by whoever saved the report, and part of its content: they are in the hash."),
        "docs/report-format.md",
    ),
    Help(
        "remarks",
        _("remarks"),
        _("Written later, beside the report. They are neither in its hash nor in its exports."),
        "docs/report-format.md",
    ),
    Help(
        "evidence",
        _("what the report rests on"),
        _(
            "The hash is the SHA-256 of the content's bytes, and the line below computes it with coreutils alone. It "
            "proves that nothing was changed since the report was saved. It does not prove who saved it."
        ),
        "sha256sum(1); docs/report-format.md",
    ),
    Help(
        "reports",
        _("saved reports"),
        _(
            "A report is one frozen experiment, measurement or run of claims. Two of the same experiment make a "
            "trend. Ticked ones can be put beside each other. A deleted one is kept for 30 days."
        ),
        "docs/report-format.md",
        "./netmodes report list",
    ),
    Help(
        "import",
        _("importing"),
        _(
            "Form, limits and hash are checked, and the journal is replayed, before anything is kept. What an "
            "imported report says was measured elsewhere, and it is marked so."
        ),
        "docs/report-format.md",
        "./netmodes report import FILE",
    ),
    Help(
        "share",
        _("sharing"),
        _(
            "Whoever has the link sees this report and nothing else, without signing in, and can change nothing. The "
            "link ends by itself after the time that you choose."
        ),
        "docs/report-format.md",
    ),
    Help(
        "share-link",
        _("the link"),
        _("Only the SHA-256 of its token is kept, so it can be shown this once. If it is lost, make a new one."),
        "docs/report-format.md",
    ),
    Help(
        "share-links",
        _("the links"),
        _("Every link to this report, how often it was opened, and when it ends. An ended link opens nothing."),
        "docs/report-format.md",
    ),
    Help(
        "removed",
        _("what would be removed"),
        _(
            "Each detail of the machine gets one stand-in wherever it occurs, so that same, different and only in one "
            "column stay so. Addresses become those set aside for documents and tests. Text that a program printed is "
            "searched for the same details and for nothing else: read it before you share it."
        ),
        "RFC 5737; RFC 3849; RFC 2544; docs/report-format.md",
    ),
    Help(
        "beside",
        _("reports beside each other"),
        _("The first report is what the others are compared with. They are two to eight, from any installation."),
        "docs/report-format.md",
    ),
    Help(
        "unpaired",
        _("time in different reports"),
        _(
            "Two reports are two runs, and no block of one is the partner of a block of the other. The interval draws "
            "the blocks of each run for themselves and is wider for it. What else changed between them, such as load "
            "or clock speed, is in the difference."
        ),
        "docs/measuring.md",
    ),
    Help(
        "environments",
        _("environments that differ"),
        _(
            "What differs is marked, with what it could explain. It is a suspicion, not a proof: change one thing at "
            "a time."
        ),
        "docs/measuring.md",
    ),
    Help(
        "changes",
        _("facts that changed"),
        _(
            "Rows of the table that are not the same in every report. What changes with each launch is left out: "
            "inodes, process ids, MAC addresses, names of veth pairs, ids of containers."
        ),
        "docs/report-format.md",
    ),
    Help(
        "flipped",
        _("claims in different reports"),
        _("A claim flipped where its verdict is not the same in every report. Its evidence stands in each of them."),
        "docs/claims.md",
    ),
    Help(
        "trend",
        _("a trend"),
        _(
            "Reports whose experiments ask for the same, in the order of their dates. A number on the axis is a "
            "moment at which the environment was not that of the report before."
        ),
        "docs/measuring.md",
    ),
)
