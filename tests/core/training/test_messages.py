"""What the websocket of a session tells."""

from __future__ import annotations

import json

from dashboard.core.experiments.messages import encode
from dashboard.core.training.messages import ClassChanged, ParticipantState, Said


def test_messages_name_their_type_and_their_version() -> None:
    participant = json.loads(encode(ParticipantState("Ada", True, False, (Said(1.0, "Look", True),))))
    assert (participant["type"], participant["v"], participant["said"][0]["text"]) == ("participant", 1, "Look")
    assert json.loads(encode(ClassChanged(3))) == {"number": 3, "type": "class", "v": 1}
