"""The signature by which series of different runs are compared."""

from collections.abc import Mapping

from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.measurement import Options
from dashboard.core.measurements.schedule import Series


def series_signature(series: Series, modes: Mapping[str, str], options: Options) -> str:
    """Returns the signature of a series: its mode, path, probe, payload, rate and load, such as ``bridge published-dnat
    tcp-rr 64B closed idle``. The rate is ``closed`` (a closed loop) or a number, as in ``100/s``. The load is ``idle``
    or ``loaded``. If the conditions were ordinary, ``ordinary`` follows. ``modes`` maps columns to modes."""
    rate = f"{options.rate:g}/s" if options.rate else "closed"
    load = "loaded" if options.under_load else "idle"
    mode = modes.get(series.path.server, series.path.server)
    conditions = "" if options.conditions is Conditions.QUIET else f" {options.conditions}"
    return f"{mode} {series.path.name} {series.probe} {options.payload_of(series.probe)}B {rate} {load}{conditions}"
