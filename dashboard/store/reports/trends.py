"""All reports of one experiment over time."""

from __future__ import annotations

import zlib

from dashboard.core.reports.figures import decode_light
from dashboard.core.reports.trend import MOST_REPORTS, Kept, Trend, build_trend
from dashboard.models import Report


def load_trend(signature: str) -> Trend | None:
    """The newest reports of the experiment with this signature (``core.reports.model.signature_of``), archived ones too;
    None where there is none."""
    rows = Report.objects.filter(signature=signature, deleted_at=None).exclude(signature="").order_by("-saved_at", "pk")
    bodies = rows.values_list("pk", "body")[:MOST_REPORTS]
    kept = [Kept(str(pk), decode_light(zlib.decompress(body))) for pk, body in bodies]
    return build_trend(kept) if kept else None
