"""Help texts on the pages of measurements."""

from dashboard.core.help.entry import Help
from dashboard.core.help.entry import mark as _

HELP: tuple[Help, ...] = (
    Help(
        "measure",
        _("measuring"),
        _(
            "Times one request and its answer on every path that there is. Blocks of all paths take turns in a random "
            "order and are compared in pairs, so that a busy moment meets all alike. The answer is a difference with "
            "an interval, and may be: no difference."
        ),
        "docs/measuring.md; docs/measuring-well.md",
        "./netmodes measure host bridge",
    ),
    Help(
        "costs",
        _("what each path costs"),
        _(
            "p50 is the median of all requests, p99 is what one in a hundred exceeds. The difference is the median of "
            "the differences within rounds, with its 95 % bootstrap interval. An arrow at the end of an interval means "
            "that it continues beyond the chart; the table shows both ends. A verdict requires 99 %. “Inconclusive” "
            "means that this run cannot tell; it does not mean “same”."
        ),
        "docs/measuring.md; Hesterberg 2015, “What Teachers Should Know About the Bootstrap”",
    ),
    Help(
        "blocks",
        _("the blocks"),
        _(
            "A run is made of short blocks. A round has one of each path, in an order that is drawn anew. What "
            "disturbs the machine for a moment meets neighbours alike, and leaves their difference as it is."
        ),
        "docs/measuring.md",
    ),
    Help(
        "distribution",
        _("the distribution"),
        _(
            "For each time the share of the requests that took at most so long. The right end is the tail: few "
            "requests, and those that somebody notices. A mean hides them."
        ),
        "docs/measuring.md",
    ),
    Help(
        "method",
        _("the method"),
        _(
            "Client and responder are processes of their own in the right network namespaces, on different cores "
            "where there are two, without garbage collection. In quiet conditions they have real-time priority and "
            "keep idle cores awake; in ordinary ones they do neither. The seed gives the same order of blocks again."
        ),
        "setns(2); sched(7); docs/measuring.md",
    ),
    Help(
        "environment",
        _("the environment"),
        _(
            "A figure holds only for the machine on which it was measured. Kernel, processor, virtualisation, "
            "docker-proxy, firewall, MTU and other load affect it: compare the load average before and after."
        ),
        "proc_loadavg(5); docs/measuring.md",
        "uname --all",
    ),
    Help(
        "runs",
        _("runs"),
        _(
            "Every run is kept with every block and its histogram, also one that was cancelled or killed: it is "
            "marked incomplete. ./netmodes prune forgets old ones."
        ),
        "docs/measuring.md",
        "./netmodes prune --days 90 --dry-run",
    ),
    Help(
        "history",
        _("a series over time"),
        _(
            "A series is one mode, path and probe with the same payload, rate, load and conditions. Its runs were not "
            "interleaved: what changed on the machine between two of them is in their difference, and in no interval."
        ),
        "docs/measuring.md",
    ),
)
