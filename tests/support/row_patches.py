"""Patches of rows, applied as the browser does."""

from dashboard.core.experiments.messages import Row
from dashboard.core.experiments.stream import RowPatch, row_id


def apply_rows(rows: tuple[Row, ...], patch: RowPatch) -> tuple[Row, ...]:
    """The rows after the patch; a property test compares them with those of ``diff_rows``."""
    gone = set(patch.remove)
    result = [row for row in rows if row_id(row) not in gone]
    for placed in patch.set:
        index = next((n for n, row in enumerate(result) if row_id(row) == placed.id), None)
        if index is not None:
            result[index] = placed.row
            continue
        behind = next((n for n, row in enumerate(result) if row_id(row) == placed.after), -1)
        result.insert(behind + 1, placed.row)
    return tuple(result)
