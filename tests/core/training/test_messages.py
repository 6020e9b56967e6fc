"""The messages of a session's websocket."""

from __future__ import annotations

import json

from dashboard.core.experiments.messages import encode
from dashboard.core.training.messages import ParticipantState, ProgressChanged, SessionMessage


def test_messages_name_their_type_and_their_version() -> None:
    participant = json.loads(encode(ParticipantState("Ada", True, False, (SessionMessage(1.0, "Look", True),))))
    assert (participant["type"], participant["v"], participant["messages"][0]["text"]) == ("participant", 1, "Look")
    assert json.loads(encode(ProgressChanged(3))) == {"number": 3, "type": "progress", "v": 1}
