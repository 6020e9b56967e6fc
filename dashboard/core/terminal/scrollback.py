"""The last that a terminal has printed, by offset: whoever comes back asks for what follows the last byte they have."""

from __future__ import annotations

from dataclasses import dataclass, field

#: How far from where it must be cut a line's end is looked for.
NEAR = 4096


@dataclass(slots=True)
class Scrollback:
    """At most ``most`` bytes, and a quarter more until they are cut. Offsets count all that ever was printed."""

    most: int
    start: int = 0
    _data: bytearray = field(default_factory=bytearray)

    @property
    def end(self) -> int:
        """Where the next byte will stand."""
        return self.start + len(self._data)

    def append(self, data: bytes) -> None:
        """Something was printed."""
        self._data += data
        if len(self._data) > self.most + self.most // 4:
            cut = self._whole(len(self._data) - self.most)
            del self._data[:cut]
            self.start += cut

    def _whole(self, cut: int) -> int:
        """Where to cut so that what is left begins with a line, or at least with a whole letter."""
        line = self._data.find(b"\n", cut, cut + NEAR)
        if line >= 0:
            return line + 1
        for after in range(4):
            place = cut + after
            if place >= len(self._data) or self._data[place] & 0xC0 != 0x80:
                return place
        return cut

    def read(self, offset: int, most: int) -> tuple[int, bytes]:
        """(where it begins, at most ``most`` bytes) from the offset on; from the beginning of what is left, if that is
        later; nothing for an offset in the future."""
        begin = min(max(offset, self.start), self.end)
        place = begin - self.start
        return begin, bytes(self._data[place : place + most])
