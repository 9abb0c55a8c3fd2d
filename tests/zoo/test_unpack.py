"""Archives, good and evil."""

from __future__ import annotations

import gzip
import io
import random
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from tempseg.zoo import ArchiveError
from tempseg.zoo import unpack as unpacking
from tempseg.zoo.unpack import unpack

LIMIT = 100_000


def tar_of(path: Path, *members: tuple[str, bytes | tarfile.TarInfo], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, content in members:
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def zip_of(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members:
            opened.writestr(name, content)
    return path


def special(name: str, kind: bytes, target: str = "") -> tuple[str, tarfile.TarInfo]:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return name, info


def read_back(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refused(archive: Path, kind: str, told: str) -> None:
    folder = archive.parent / "unpacked"
    before = set(archive.parent.rglob("*"))
    with pytest.raises(ArchiveError, match=told):
        unpack(archive, folder, kind=kind, limit_bytes=LIMIT)  # type: ignore[arg-type]
    assert set(archive.parent.rglob("*")) == before


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_is_unpacked(tmp_path, mode) -> None:
    folder_info = special("m", tarfile.DIRTYPE)
    archive = tar_of(
        tmp_path / "a.tar", special(".", tarfile.DIRTYPE), folder_info, ("m/x.pb", b"1"), mode=mode
    )
    unpack(archive, tmp_path / "unpacked", kind="tar", limit_bytes=LIMIT)
    assert read_back(tmp_path / "unpacked") == {"m/x.pb": b"1"}


def test_a_zip_is_unpacked(tmp_path) -> None:
    archive = zip_of(tmp_path / "a.zip", ("m/", b""), ("m/x.pb", b"1"), ("y", b"2"))
    unpack(archive, tmp_path / "unpacked", kind="zip", limit_bytes=LIMIT)
    assert read_back(tmp_path / "unpacked") == {"m/x.pb": b"1", "y": b"2"}


def test_what_an_interrupted_unpacking_left_is_replaced(tmp_path) -> None:
    (tmp_path / ".unpacking").mkdir()
    (tmp_path / ".unpacking" / "stale").touch()
    archive = tar_of(tmp_path / "a.tar", ("x", b"1"))
    unpack(archive, tmp_path / "unpacked", kind="tar", limit_bytes=LIMIT)
    assert read_back(tmp_path / "unpacked") == {"x": b"1"}


UNSAFE = ["../evil", "a/../../evil", "/evil", "..", "a\\..\\evil", "c:evil", "a\nb", "n" * 201]


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, kind, name) -> None:
    pack = tar_of if kind == "tar" else zip_of
    refused(pack(tmp_path / "evil", ("good", b"1"), (name, b"2")), kind, "not safe to unpack")


@pytest.mark.parametrize(
    ("type_", "target"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.SYMTYPE, "../.."),
        (tarfile.SYMTYPE, "good"),
        (tarfile.LNKTYPE, "../../secret"),
        (tarfile.CHRTYPE, ""),
        (tarfile.BLKTYPE, ""),
        (tarfile.FIFOTYPE, ""),
    ],
)
def test_links_and_devices_are_refused(tmp_path, type_, target) -> None:
    archive = tar_of(tmp_path / "evil.tgz", ("good", b"1"), special("link", type_, target))
    refused(archive, "tar", "'link' is neither file nor folder")


def test_a_link_in_a_zip_is_refused(tmp_path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    refused(zip_of(tmp_path / "evil.zip", (link, b"/etc/passwd")), "zip", "neither file nor folder")


@pytest.mark.parametrize("names", [("x", "x"), ("x", "x/y"), ("./x", "x")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_member_over_another_is_refused(tmp_path, kind, names) -> None:
    pack = tar_of if kind == "tar" else zip_of
    refused(pack(tmp_path / "evil", *((name, b"1") for name in names)), kind, "comes twice")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_bomb_of_one_file_is_refused(tmp_path, kind) -> None:
    pack = tar_of if kind == "tar" else zip_of
    archive = pack(tmp_path / "bomb", ("zeros", bytes(5_000_000)))
    assert archive.stat().st_size < LIMIT
    refused(archive, kind, "more than it may")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_bomb_of_several_files_is_refused(tmp_path, kind) -> None:
    pack = tar_of if kind == "tar" else zip_of
    members = ((str(number), bytes(LIMIT // 4)) for number in range(5))
    refused(pack(tmp_path / "bomb", *members), kind, "more than it may")


def test_a_bomb_in_a_tars_headers_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(unpacking, "_TAR_MARGIN_BYTES", 1 << 16)
    info = tarfile.TarInfo("x")
    info.pax_headers = {"comment": "0" * 5_000_000}
    refused(tar_of(tmp_path / "bomb", ("x", info)), "tar", "more than it may")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_too_many_members_are_refused(tmp_path, monkeypatch, kind) -> None:
    monkeypatch.setattr(unpacking, "MAX_FILES", 3)
    pack = tar_of if kind == "tar" else zip_of
    members = ((str(number), b"") for number in range(4))
    refused(pack(tmp_path / "many", *members), kind, "more than 3 members")


def test_a_zip_that_lies_about_a_size_is_refused(tmp_path) -> None:
    archive = zip_of(tmp_path / "lie.zip", ("x", bytes(1000)))
    content = archive.read_bytes()
    archive.write_bytes(content.replace(struct.pack("<I", 1000), struct.pack("<I", 10)))
    refused(archive, "zip", "is damaged")


def test_an_encrypted_zip_is_refused(tmp_path) -> None:
    archive = zip_of(tmp_path / "secret.zip", ("x", b"1"))
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    refused(archive, "zip", "encrypted")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_no_archive_is_refused(tmp_path, kind) -> None:
    archive = tmp_path / "page.html"
    archive.write_bytes(b"<html>Not found</html>")
    refused(archive, kind, "is damaged, or no")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_empty_file_is_refused(tmp_path, kind) -> None:
    archive = tmp_path / "empty"
    archive.touch()
    refused(archive, kind, "is damaged, or no")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_truncated_archive_is_refused(tmp_path, kind, share) -> None:
    content = random.Random(0).randbytes(50_000)
    pack = tar_of if kind == "tar" else zip_of
    archive = pack(tmp_path / "short", ("a", content), ("b", content[::-1]))
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(len(whole) * share)])
    refused(archive, kind, "is damaged")


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_archive_is_refused_or_unpacked_but_nothing_else(tmp_path, seed) -> None:
    chance = random.Random(seed)
    kind = chance.choice(["tar", "zip"])
    pack = tar_of if kind == "tar" else zip_of
    archive = pack(tmp_path / "damaged", ("a/b", chance.randbytes(500)), ("c", b"1" * 300))
    content = bytearray(archive.read_bytes())
    if kind == "tar":
        content = bytearray(gzip.decompress(content))
    for _ in range(chance.randint(1, 8)):
        content[chance.randrange(min(len(content), 2048))] = chance.randrange(256)
    archive.write_bytes(content)
    try:
        unpack(archive, tmp_path / "in" / "unpacked", kind=kind, limit_bytes=LIMIT)
    except ArchiveError:
        assert list((tmp_path / "in").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"damaged", "in"}


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
