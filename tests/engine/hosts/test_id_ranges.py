"""Ranges of ids: no two hosts share one, and files change their owner with everything that belongs to it."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

import pytest

from dashboard.engine.hosts import id_ranges
from dashboard.engine.hosts.id_ranges import CAPABILITY, COUNT, NoIdsError, claim, release, shift

#: cap_net_raw in the permitted set, revision 2 (linux/capability.h).
NET_RAW = bytes.fromhex("0100000200200000000000000000000000000000")


def files(folder: Path, subuid: str = "", subgid: str | None = None) -> tuple[Path, Path]:
    """Files in place of /etc/subuid and /etc/subgid."""
    made = folder / "subuid", folder / "subgid"
    made[0].write_text(subuid)
    made[1].write_text(subuid if subgid is None else subgid)
    return made


def host(folder: Path, name: str) -> Path:
    made = folder / "hosts" / name
    made.mkdir(parents=True)
    return made


def test_each_host_has_a_range_of_its_own_until_it_is_released(tmp_path: Path) -> None:
    etc, claims = files(tmp_path), tmp_path / "claims"
    one, two, three = (host(tmp_path, name) for name in ("one", "two", "three"))
    assert claim(one, claims=claims, files=etc) == 524288
    assert claim(one, claims=claims, files=etc) == 524288, "the same host again"
    assert claim(two, claims=claims, files=etc) == 524288 + COUNT
    release(one, claims)
    assert claim(three, claims=claims, files=etc) == 524288
    assert claim(one, 524288, claims, etc) == 524288 + 2 * COUNT, "the wanted one is taken"
    for folder in (one, two, three):
        release(folder, claims)
    assert not claims.exists()


def test_the_claim_of_a_host_that_was_deleted_by_hand_is_free(tmp_path: Path) -> None:
    etc, claims = files(tmp_path), tmp_path / "claims"
    gone = host(tmp_path, "gone")
    claim(gone, claims=claims, files=etc)
    gone.rmdir()
    assert claim(host(tmp_path, "next"), claims=claims, files=etc) == 524288


def test_hosts_without_a_folder_yet_have_different_ranges(tmp_path: Path) -> None:
    etc, claims = files(tmp_path), tmp_path / "claims"
    firsts = [claim(tmp_path / "hosts" / name, claims=claims, files=etc) for name in ("one", "two", "three")]
    assert firsts == [524288, 524288 + COUNT, 524288 + 2 * COUNT]


def test_the_range_of_a_deleted_host_is_claimed_once_if_two_hosts_find_it_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    etc, claims, readlink = files(tmp_path), tmp_path / "claims", Path.readlink
    claims.mkdir()
    (claims / "524288").symlink_to(tmp_path / "deleted")
    second: list[int] = []
    claimer = Thread(target=lambda: second.append(claim(tmp_path / "second", claims=claims, files=etc)))

    def read_while_another_claims(link: Path) -> Path:
        holder = readlink(link)
        monkeypatch.setattr(Path, "readlink", readlink)
        claimer.start()
        claimer.join(0.2)
        return holder

    monkeypatch.setattr(Path, "readlink", read_while_another_claims)
    first = claim(tmp_path / "first", claims=claims, files=etc)
    claimer.join(20)
    assert (first, second) == (524288, [524288 + COUNT])


def test_ranges_of_users_are_skipped(tmp_path: Path) -> None:
    etc = files(tmp_path, "alice:524288:65536\nbob:600000:10\n", "alice:100000:65536\ncarol:655360:65536\n")
    assert claim(host(tmp_path, "one"), claims=tmp_path / "claims", files=etc) == 524288 + 3 * COUNT


def test_a_reserved_range_is_used_and_no_other(tmp_path: Path) -> None:
    etc, claims = files(tmp_path, "# ids\nnetmodes:2000000:131072\n"), tmp_path / "claims"
    assert [claim(host(tmp_path, name), claims=claims, files=etc) for name in "ab"] == [2000000, 2065536]
    with pytest.raises(NoIdsError, match="no range of user ids is free"):
        claim(host(tmp_path, "c"), claims=claims, files=etc)


@pytest.mark.parametrize("subgid", ["", "netmodes:3000000:65536\n"])
def test_ranges_that_only_one_file_reserves_are_not_used_and_the_error_names_both_files(
    tmp_path: Path, subgid: str
) -> None:
    etc = files(tmp_path, "netmodes:2000000:65536\n", subgid)
    with pytest.raises(NoIdsError, match="the same in /etc/subuid and in /etc/subgid"):
        claim(host(tmp_path, "one"), claims=tmp_path / "claims", files=etc)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_files_change_their_owner_and_keep_modes_and_capabilities(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("of the machine")
    tree = tmp_path / "tree"
    (tree / "folder").mkdir(parents=True)
    (tree / "program").write_text("")
    (tree / "link").symlink_to(outside)
    os.chown(tree / "folder", 33, 34)
    (tree / "program").chmod(0o4755)
    os.setxattr(tree / "program", CAPABILITY, NET_RAW)

    shift(tree, 0, 524288)
    assert (tree.lstat().st_uid, (tree / "folder").lstat().st_uid, (tree / "folder").lstat().st_gid) == (
        524288,
        524288 + 33,
        524288 + 34,
    )
    assert ((tree / "link").lstat().st_uid, outside.stat().st_uid) == (524288, 0)
    assert (tree / "program").stat().st_mode & 0o7777 == 0o4755
    assert id_ranges._capability(tree / "program")[-4:] == (524288).to_bytes(4, "little")

    shift(tree, 524288, 0)
    assert {one.lstat().st_uid for one in (tree, tree / "link", tree / "program")} == {0}
    assert (tree / "folder").lstat().st_gid == 34
    assert id_ranges._capability(tree / "program") == NET_RAW
