"""Stores the latest output of a terminal. A window that reconnects requests the output after the last byte that it
received."""

from dataclasses import dataclass, field

#: How far behind the cut position the end of a line is searched.
LINE_SEARCH_BYTES = 4096


@dataclass(slots=True)
class Scrollback:
    """Keeps the last ``size`` bytes of output, and at most a quarter more. An offset is a position in all output since
    the start of the shell; ``start`` is the offset of the first byte that is kept."""

    size: int
    start: int = 0
    _data: bytearray = field(default_factory=bytearray)

    @property
    def end(self) -> int:
        """The offset after the last byte."""
        return self.start + len(self._data)

    def append(self, data: bytes) -> None:
        """Adds output, and drops the oldest output if there is too much."""
        self._data += data
        if len(self._data) > self.size + self.size // 4:
            cut = self._boundary(len(self._data) - self.size)
            del self._data[:cut]
            self.start += cut

    def _boundary(self, cut: int) -> int:
        """Returns a position at or after ``cut``, so that the remaining output begins with a line, or at least with a
        whole character."""
        line = self._data.find(b"\n", cut, cut + LINE_SEARCH_BYTES)
        if line >= 0:
            return line + 1
        for position in range(cut, cut + 4):
            if position >= len(self._data) or self._data[position] & 0xC0 != 0x80:
                return position
        return cut

    def read(self, offset: int, limit: int) -> tuple[int, bytes]:
        """Returns the offset of the first returned byte, and up to ``limit`` bytes. They begin at ``offset``, or later
        if that output was already dropped. There are none if ``offset`` is at or after the end."""
        begin = min(max(offset, self.start), self.end)
        position = begin - self.start
        return begin, bytes(self._data[position : position + limit])
