"""The signature by which series of different runs are compared."""

import hashlib
from collections.abc import Mapping

from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.measurements.schedule import Series

DEFAULT_NAME = Options().lookup_name
#: The column of the database has 200 characters.
MAX_NAME = 100


def _name_part(options: Options) -> str:
    """Returns the looked-up name followed by a space; empty for the default name, whose series have always had this
    signature. A longer name than ``MAX_NAME`` is replaced by its hash."""
    name = options.lookup_name.rstrip(".").lower()
    if name == DEFAULT_NAME:
        return ""
    return f"{name if len(name) <= MAX_NAME else hashlib.sha256(name.encode()).hexdigest()} "


def series_signature(series: Series, modes: Mapping[str, str], options: Options) -> str:
    """Returns the signature of a series: its mode, path, probe, payload, rate and load, such as ``bridge published-dnat
    tcp-rr 64B closed idle``. The rate is ``closed`` (a closed loop) or a number, as in ``100/s``. The load is ``idle``
    or ``loaded``. If the conditions were ordinary, ``ordinary`` follows. The probe dns is followed by the looked-up
    name, unless it is the default. ``modes`` maps columns to modes."""
    rate = f"{options.rate:g}/s" if options.rate else "closed"
    load = "loaded" if options.under_load else "idle"
    mode = modes.get(series.path.server, series.path.server)
    conditions = "" if options.conditions is Conditions.QUIET else f" {options.conditions}"
    name = _name_part(options) if series.probe is Probe.DNS else ""
    size = options.payload_of(series.probe)
    return f"{mode} {series.path.name} {series.probe} {name}{size}B {rate} {load}{conditions}"
