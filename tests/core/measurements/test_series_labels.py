"""Labels, colours and shapes of series."""

from __future__ import annotations

import pytest

from dashboard.core.measurements.series_labels import label_series, label_signatures, spread_labels


def test_a_path_has_the_same_colour_and_shape_in_every_chart() -> None:
    proxy = ("bridge/published-proxy", "bridge", "published-proxy", "tcp-rr")
    loopback = ("host/loopback", "host", "loopback", "tcp-rr")
    for series in ([proxy], [loopback, proxy], [proxy, loopback]):
        label = label_series(series)[proxy[0]]
        assert (label.mark, label.dash) == ("published-proxy", "")
        assert label.words == "127.0.0.1 → published port (docker-proxy)"


def test_series_over_one_path_differ_by_dash_and_are_named() -> None:
    columns = [(f"{name}/bridge-address", name, "bridge-address", "tcp-rr") for name in ("web", "db", "a", "b", "c")]
    labels = label_series(columns)
    assert [one.dash for one in labels.values()] == ["", "second", "third", "fourth", "fourth"]
    assert labels["db/bridge-address"].words == "machine → container's address, db"
    assert labels["db/bridge-address"].short == "container's address, db"
    probes = label_series([("a", "web", "loopback", "tcp-rr"), ("b", "web", "loopback", "udp-rr")])
    assert [one.words for one in probes.values()] == ["127.0.0.1 → host, tcp-rr", "127.0.0.1 → host, udp-rr"]


def test_ipv6_has_a_shape_and_a_dash_of_its_own() -> None:
    labels = label_series((name, "host", name, "tcp-rr") for name in ("loopback", "loopback-ipv6"))
    assert [(one.mark, one.dash) for one in labels.values()] == [("loopback", ""), ("loopback-ipv6", "six")]


def test_series_of_several_runs_are_labelled_by_their_signatures() -> None:
    quiet = "bridge published-dnat tcp-rr 64B closed idle"
    labels = label_signatures([quiet, f"{quiet} ordinary", "odd"])
    assert labels[quiet].words == "machine's address → published port (DNAT)"
    assert labels[f"{quiet} ordinary"].words == "machine's address → published port (DNAT), ordinary"
    other = "bridge published-dnat udp-rr 1024B closed idle"
    assert label_signatures([quiet, other])[other].short == "DNAT, udp-rr, 1024B"
    assert labels["odd"].words == ""
    assert label_signatures([quiet])[quiet].words == "machine's address → published port (DNAT)"


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([], ()),
        ([100.0], (100.0,)),
        ([10.0, 100.0], (10.0, 100.0)),
        ([100.0, 100.0], (100.0, 118.0)),
        ([118.0, 100.0, 100.0], (136.0, 100.0, 118.0)),
        ([240.0, 240.0, 240.0], (204.0, 222.0, 240.0)),
        ([0.0, 230.0, 239.0], (0.0, 222.0, 240.0)),
    ],
)
def test_labels_are_near_their_lines_and_do_not_overlap(ends: list[float], expected: tuple[float, ...]) -> None:
    assert spread_labels(ends, 240) == pytest.approx(expected)
