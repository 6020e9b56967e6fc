"""Help texts on the pages of measurements."""

from dashboard.core.help.entry import Help
from dashboard.core.help.entry import mark as _

HELP: tuple[Help, ...] = (
    Help(
        "measure",
        _("measuring"),
        _(
            "Times a request and its response on every path. Blocks of requests on all paths alternate in random order "
            "and are compared in pairs, so a busy moment affects all paths. The result is a difference with a "
            "confidence interval; it may also be “no difference”."
        ),
        "docs/measuring.md; docs/measuring-well.md",
        "./netmodes measure host bridge",
    ),
    Help(
        "costs",
        _("what each path costs"),
        _(
            "p50 is the median of all requests; one request in a hundred takes longer than p99. The difference is the "
            "median of the differences within rounds (one block of each path), with its 95 % bootstrap interval. An "
            "arrow means that the interval continues beyond the chart; the table shows both ends. A verdict requires "
            "99 %. “Inconclusive” means that this run cannot tell, not “same”."
        ),
        "docs/measuring.md; Hesterberg 2015, “What Teachers Should Know About the Bootstrap”",
    ),
    Help(
        "blocks",
        _("the blocks"),
        _(
            "A run consists of short blocks. Each round has one block of every path, in a new random order. A short "
            "disturbance of the machine affects adjacent blocks alike, so their difference hardly changes."
        ),
        "docs/measuring.md",
    ),
    Help(
        "distribution",
        _("the distribution"),
        _(
            "For each time, the share of requests that took at most that long. The right end is the tail: the few slow"
            " requests that users notice and that a mean hides."
        ),
        "docs/measuring.md",
    ),
    Help(
        "method",
        _("the method"),
        _(
            "Client and responder are separate processes in the network namespaces of the path, on different cores if "
            "there are two, without garbage collection. With the conditions “quiet” they have real-time priority and "
            "keep idle cores awake; with “ordinary” they do not. With the same seed, the blocks have the same order."
        ),
        "setns(2); sched(7); docs/measuring.md",
    ),
    Help(
        "environment",
        _("the environment"),
        _(
            "A figure holds only for the machine on which it was measured. Kernel, processor, virtualisation, "
            "docker-proxy, firewall, MTU and other load affect it. Compare the load average before and after the run."
        ),
        "proc_loadavg(5); docs/measuring.md",
        "uname --all",
    ),
    Help(
        "runs",
        _("runs"),
        _(
            "Every run is kept with all its blocks and their histograms. A run that was cancelled or killed is kept, "
            "too, and marked as such. The server deletes old runs, after 365 days unless set otherwise; "
            "./netmodes prune deletes them earlier."
        ),
        "docs/measuring.md",
        "./netmodes prune --days 90 --dry-run",
    ),
    Help(
        "history",
        _("a series over time"),
        _(
            "A series collects the runs that have the same mode, path, probe, payload, looked-up name, rate, load "
            "and conditions. These runs were not interleaved: if the machine changed between two of them, that change "
            "is part of the difference, and the intervals do not account for it."
        ),
        "docs/measuring.md",
    ),
)
