"""The launch form's fields, as the plain data that ``core.experiments.drafts`` reads. Nothing that was typed is lost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from dashboard.core.experiments.validation import Problem

_ARM = re.compile(r"arm-(\d{1,4})-([a-z_]{1,20})")
EXPERIMENT_FIELDS = ("image", "port", "publish", "names")


def typed_values(post: QueryDict) -> dict[str, Any]:
    """What stands in the form, to be shown again: texts, ``mode`` a list, ``arms`` a list of mappings."""
    arms: dict[int, dict[str, str]] = {}
    for name, value in post.items():
        found = _ARM.fullmatch(name)
        if found:
            arms.setdefault(int(found[1]), {})[found[2]] = str(value)
    values: dict[str, Any] = {name: post.get(name, "") for name in EXPERIMENT_FIELDS}
    values["mode"] = post.getlist("mode")
    values["arms"] = [arms[number] for number in sorted(arms)]
    return values


def draft_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same for ``parse_draft``: arms whose mode was not chosen are not used (see ``aimless_arms``)."""
    said: dict[str, Any] = {name: values.get(name, "") for name in EXPERIMENT_FIELDS}
    said["modes"] = list(values.get("mode", ()))
    said["arms"] = [dict(arm) for arm in values.get("arms", ()) if arm.get("mode", "").strip()]
    return said


def aimless_arms(values: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Groups of fields in which something was typed and no mode was chosen: nothing of it would be launched."""
    return tuple(
        Problem(None, f"group-{number}-mode", _("Arm %d has options and no mode: choose one, or empty it.") % number)
        for number, arm in enumerate(values.get("arms", ()), start=1)
        if not arm.get("mode", "").strip() and any(value.strip() for value in arm.values())
    )
