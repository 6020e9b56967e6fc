"""The list of mounts of a process."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dashboard.engine.mountinfo import Mount, parse_mountinfo

#: How the kernel writes the characters that separate fields and lines (fs/proc_namespace.c, show_mountinfo).
ESCAPED = {" ": r"\040", "\t": r"\011", "\n": r"\012", "\\": r"\134"}


def test_mounts_are_listed_in_order_with_their_options() -> None:
    lines = rb"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/a rw
30 22 8:2 / /srv/a\040disk ro,nosuid - ext4 /dev/b rw
"""
    assert parse_mountinfo(lines) == [
        Mount(Path("/"), ("rw", "relatime")),
        Mount(Path("/srv/a disk"), ("ro", "nosuid")),
    ]


@given(st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1))
def test_every_name_of_a_mount_point_is_read(name: str) -> None:
    written = "".join(ESCAPED.get(one, one) for one in name)
    line = f"22 1 8:1 / /srv/{written} rw shared:1 - ext4 /dev/a rw\n"
    assert [mount.point for mount in parse_mountinfo(line.encode())] == [Path("/srv", name)]
