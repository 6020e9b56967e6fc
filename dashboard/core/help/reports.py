"""Help texts on reports: one report, sharing, comparison, trend."""

from dashboard.core.help.entry import Help
from dashboard.core.help.entry import mark as _

HELP: tuple[Help, ...] = (
    Help(
        "save",
        _("saving a report"),
        _(
            "Freezes the journal, the measurements and the environment, with a hash. A saved report never changes; it "
            "can be read, replayed, verified and compared later, on another machine and without a network."
        ),
        "docs/report-format.md",
    ),
    Help(
        "summary",
        _("the summary"),
        _(
            "The most important differences, each with a link to the row that proves it, and the verdict on each path. "
            "It is computed from the content of the report."
        ),
        "docs/report-format.md",
    ),
    Help(
        "notes",
        _("the notes"),
        _("Notes are written when the report is saved. They are part of its content, and the hash covers them."),
        "docs/report-format.md",
    ),
    Help(
        "remarks",
        _("remarks"),
        _("Remarks are written after the report was saved. They are neither in its hash nor in its exports."),
        "docs/report-format.md",
    ),
    Help(
        "evidence",
        _("the evidence"),
        _(
            "The hash is the SHA-256 of the content's bytes. It proves that the report has not changed since it was "
            "saved. It does not prove who saved it."
        ),
        "sha256sum(1); docs/report-format.md",
    ),
    Help(
        "reports",
        _("saved reports"),
        _(
            "A report is a frozen experiment, measurement or run of claims. Reports of the same experiment form a "
            "trend. Select reports to compare them. A deleted report can be restored for 30 days."
        ),
        "docs/report-format.md",
        "./netmodes report list",
    ),
    Help(
        "deleted-reports",
        _("deleted reports"),
        _(
            "For 30 days, a deleted report can be restored with its remarks and links. Then it is removed. “Delete "
            "permanently” removes it at once."
        ),
        "docs/report-format.md",
    ),
    Help(
        "import",
        _("importing"),
        _(
            "Format, limits and hash are checked and the journal is replayed before the report is stored. An imported "
            "report shows the name of its file and the installation that saved it. If you already have this report, "
            "the page links to it instead of storing it twice."
        ),
        "docs/report-format.md",
        "./netmodes report import FILE",
    ),
    Help(
        "share",
        _("sharing"),
        _(
            "Anyone with the link can read this report, and only this report, without signing in. The link expires "
            "after the time that you choose."
        ),
        "docs/report-format.md",
    ),
    Help(
        "share-link",
        _("the link"),
        _("Shown only once, since only the SHA-256 of its token is stored. If you lose it, create a new one."),
        "docs/report-format.md",
    ),
    Help(
        "share-links",
        _("the links"),
        _(
            "Every link to this report, with its number of views and its expiry. An expired or revoked link no longer "
            "works."
        ),
        "docs/report-format.md",
    ),
    Help(
        "removed",
        _("replacements"),
        _(
            "The same detail of the machine is replaced by the same text everywhere: what was equal is still equal, "
            "and what differed still differs. Addresses are replaced by addresses that are reserved for documentation "
            "and tests. The output of programs may contain other private details, which are not replaced: read it "
            "before you share it."
        ),
        "RFC 5737; RFC 3849; RFC 2544; docs/report-format.md",
    ),
    Help(
        "beside",
        _("comparing reports"),
        _("Compares two to eight reports from any installation. The first report is the baseline."),
        "docs/report-format.md",
    ),
    Help(
        "unpaired",
        _("latency in different reports"),
        _(
            "Different reports come from different runs, so their blocks are not paired. The interval is computed "
            "from samples of the blocks of each run separately, and is wider than an interval of paired blocks. Other "
            "changes between the runs, such as load or clock speed, are part of the difference."
        ),
        "docs/measuring.md",
    ),
    Help(
        "environments",
        _("differing environments"),
        _(
            "Differences between the environments are marked: each is a possible reason for a different latency, not a "
            "proof. Change one thing at a time."
        ),
        "docs/measuring.md",
    ),
    Help(
        "changes",
        _("changed facts"),
        _(
            "Rows of the table that are not the same in every report. Values that change with each launch are not "
            "compared: inodes, process ids, MAC addresses, names of veth pairs, container ids."
        ),
        "docs/report-format.md",
    ),
    Help(
        "flipped",
        _("claims in different reports"),
        _(
            "Claims on which the reports have different verdicts come first, and claims that stated something else "
            "because the engines behave differently. Each report has its own evidence."
        ),
        "docs/claims.md",
    ),
    Help(
        "trend",
        _("a trend"),
        _(
            "Reports of the same experiment by date. Numbered marks on the axis show where the environment, such as "
            "the kernel or the version of the Engine, changed since the previous report."
        ),
        "docs/measuring.md",
    ),
)
