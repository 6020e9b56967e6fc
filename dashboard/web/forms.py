"""The launch form's fields, as the plain data that ``core.drafts`` reads. Nothing that was typed is lost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

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
    """The same for ``read_draft``: arms whose mode was not chosen are not used."""
    said: dict[str, Any] = {name: values.get(name, "") for name in EXPERIMENT_FIELDS}
    said["modes"] = list(values.get("mode", ()))
    said["arms"] = [dict(arm) for arm in values.get("arms", ()) if arm.get("mode", "").strip()]
    return said
