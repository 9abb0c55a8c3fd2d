"""From a name to verified files: cache, mirror, network."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import tarfile
import threading
from pathlib import Path

import pytest

from tempseg.zoo import ZooEntry, ZooError, ZooFile, cache_folder, cached_model, fetch, obtain
from tempseg.zoo.kinds import is_of_kind
from tempseg.zoo.obtain import expected_checksum, resolve_model
from tests.zoo.conftest import NO_PAUSE, ONCE, Reply, WebServer, entry_of, known_file

CONTENT = (b"\x1c\0\0\0TFL3" + b"model" * 1000)[:5000]
PAGE = b"<!doctype html><title>Log in</title>"


def bring(entry: ZooEntry, **more) -> Path:
    return fetch(entry, settings=NO_PAUSE, **more)


def held(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def tar_bytes(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f"m/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture
def toy(web: WebServer) -> ZooEntry:
    web.replies["/toy.tflite"] = Reply(CONTENT)
    return entry_of(known_file(web.address("/toy.tflite"), CONTENT))


@pytest.fixture
def unknown(web: WebServer) -> ZooEntry:
    """A model whose checksum nobody knew."""
    web.replies["/toy.tflite"] = Reply(CONTENT)
    return entry_of(ZooFile(web.address("/toy.tflite"), max_bytes=10_000))


def test_a_model_comes_into_the_cache_and_nothing_else_stays(toy) -> None:
    path = bring(toy)
    assert path == cache_folder() / "toy" / "toy.tflite"
    assert path.read_bytes() == CONTENT
    assert held(cache_folder()) == {"toy/toy.tflite", "toy/.lock"}


def test_a_cached_model_is_not_asked_for_again(web, toy) -> None:
    assert bring(toy) == bring(toy)
    assert len(web.asked) == 1


def test_a_cache_that_cannot_be_written_still_gives_its_models(toy, monkeypatch) -> None:
    path = bring(toy)

    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(obtain, "locked", refuse)
    assert bring(toy) == path


def test_a_cache_that_cannot_be_made_is_told(toy, tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ZooError, match=r"file cannot be used .*; set TEMPSEG_CACHE"):
        bring(toy, cache=tmp_path / "file")


def test_a_damaged_model_in_the_cache_is_brought_anew(toy, caplog) -> None:
    path = bring(toy)
    path.write_bytes(b"bad")
    assert cached_model(toy) is None
    assert bring(toy).read_bytes() == CONTENT
    assert "is not the right file" in caplog.text


def test_a_wrong_file_is_refused_and_not_kept(web, toy) -> None:
    web.replies["/toy.tflite"] = Reply(CONTENT[::-1])
    with pytest.raises(ZooError, match=r"toy: .* gives another file than the zoo's table: SHA-256"):
        bring(toy)
    assert not any("tflite" in name and "json" not in name for name in held(cache_folder()))


def test_after_a_wrong_file_the_right_one_is_taken(web, toy) -> None:
    web.replies["/toy.tflite"] = Reply(CONTENT[::-1])
    with pytest.raises(ZooError):
        bring(toy)
    web.replies["/toy.tflite"] = Reply(CONTENT)
    assert bring(toy).read_bytes() == CONTENT


def test_an_interrupted_download_goes_on_next_time(web, toy) -> None:
    web.replies["/toy.tflite"] = Reply(CONTENT, breaks=[2000])
    with pytest.raises(ZooError, match="broke off at 2000 of 5000"):
        fetch(toy, settings=ONCE)
    assert bring(toy).read_bytes() == CONTENT
    assert web.asked[-1][1]["Range"] == "bytes=2000-"


def test_what_an_earlier_download_left_wrong_is_not_blamed_on_the_address(web, toy) -> None:
    part = cache_folder() / "toy" / "toy.tflite.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[::-1])
    assert bring(toy).read_bytes() == CONTENT
    assert len(web.asked) == 1


def test_a_wrong_beginning_that_was_gone_on_with_is_brought_anew(web, toy) -> None:
    web.replies["/toy.tflite"] = Reply(CONTENT, breaks=[2000])
    with pytest.raises(ZooError, match="broke off"):
        fetch(toy, settings=ONCE)
    (cache_folder() / "toy" / "toy.tflite.part").write_bytes(bytes(2000))
    assert bring(toy).read_bytes() == CONTENT
    assert [headers.get("Range") for _, headers in web.asked] == [None, "bytes=2000-", None]


def test_offline_says_address_place_and_mirror(tmp_path) -> None:
    entry = entry_of(known_file("http://127.0.0.1:1/toy.tflite", CONTENT))
    with pytest.raises(ZooError) as caught:
        bring(entry)
    told = str(caught.value)
    for part in (
        "http://127.0.0.1:1/toy.tflite",
        "out of reach",
        str(cache_folder() / "toy" / "toy.tflite"),
        "--mirror DIR",
    ):
        assert part in told
    assert "\n" not in told


def test_a_file_put_by_hand_is_taken(web, toy) -> None:
    path = cache_folder() / "toy" / "toy.tflite"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert bring(toy) == path
    assert web.asked == []


def test_an_unknown_checksum_is_pinned_and_said(unknown, caplog) -> None:
    path = bring(unknown)
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    assert json.loads((cache_folder() / "pins.json").read_text()) == {"toy/toy.tflite": sha256}
    assert expected_checksum(unknown, unknown.files[0]) == sha256
    assert f"pinned: {sha256}" in caplog.text
    caplog.clear()
    assert bring(unknown) == path
    assert caplog.text == ""


def test_a_pinned_file_that_changes_is_refused(web, unknown) -> None:
    bring(unknown).unlink()
    web.replies["/toy.tflite"] = Reply(CONTENT[::-1])
    with pytest.raises(ZooError, match=r"another file than what first came \(pins\.json\)"):
        bring(unknown)


def test_the_refusal_of_a_changed_file_says_how_to_take_it(web, unknown) -> None:
    bring(unknown).unlink()
    changed = CONTENT + b"2"
    web.replies["/toy.tflite"] = Reply(changed)
    pins = cache_folder() / "pins.json"
    with pytest.raises(ZooError, match=f'take "toy/toy.tflite" out of {pins} and try again'):
        bring(unknown)
    pins.write_text("{}")
    assert bring(unknown).read_bytes() == changed


def test_a_page_in_place_of_a_model_is_neither_kept_nor_pinned(web, unknown) -> None:
    web.replies["/toy.tflite"] = Reply(PAGE)
    with pytest.raises(ZooError, match=r"gives no \.tflite file, but .* page.*--mirror DIR"):
        bring(unknown)
    assert not (cache_folder() / "pins.json").exists()
    web.replies["/toy.tflite"] = Reply(CONTENT, etag='"2"')
    assert bring(unknown).read_bytes() == CONTENT


def test_a_page_put_by_hand_is_no_model(unknown, caplog) -> None:
    path = cache_folder() / "toy" / "toy.tflite"
    path.parent.mkdir(parents=True)
    path.write_bytes(PAGE)
    assert bring(unknown).read_bytes() == CONTENT
    assert "is not the right file" in caplog.text


def test_a_page_in_a_mirror_is_no_model(unknown, tmp_path) -> None:
    (tmp_path / "toy.tflite").write_bytes(PAGE)
    with pytest.raises(ZooError, match=r"expected a \.tflite file of at most 10000 bytes"):
        bring(unknown, mirror=tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "right"),
    [
        ("a.tflite", CONTENT, True),
        ("a.tflite", b"TFL3" + CONTENT, False),
        ("a.h5", b"\x89HDF\r\n\x1a\n", True),
        ("a.keras", PAGE, False),
        ("a.pb", b"\n\x10\n\x05image", True),
        ("a.pbtxt", b"node {\n", True),
        ("a.pbtxt", b"\xef\xbb\xbf \n<html>", False),
        ("a.pbtxt", b'{"error": 403}', False),
        ("a.pbtxt", b"", False),
    ],
)
def test_a_files_first_bytes_tell_its_kind(tmp_path, name, content, right) -> None:
    (tmp_path / "file").write_bytes(content)
    assert is_of_kind(tmp_path / "file", name) is right


def test_pins_of_others_stay(web, unknown) -> None:
    bring(unknown)
    bring(entry_of(unknown.files[0], name="twin"))
    assert set(json.loads((cache_folder() / "pins.json").read_text())) == {
        "toy/toy.tflite",
        "twin/toy.tflite",
    }


@pytest.mark.parametrize("damage", ["{", "[]", '{"a": 3}'])
def test_damaged_pins_are_told(unknown, damage) -> None:
    cache_folder().mkdir()
    (cache_folder() / "pins.json").write_text(damage)
    with pytest.raises(ZooError, match=r"pins\.json: is no table of checksums; remove it"):
        bring(unknown)


def test_pins_that_cannot_be_read_are_told(unknown) -> None:
    (cache_folder() / "pins.json").mkdir(parents=True)
    with pytest.raises(ZooError, match=r"pins\.json: cannot be read \(Is a directory\); remove it"):
        expected_checksum(unknown, unknown.files[0])


@pytest.mark.parametrize("name", ["toy.tflite", "other name.tflite"])
def test_a_mirror_is_searched_by_name_at_any_depth(web, tmp_path, name) -> None:
    place = tmp_path / "mirror" / "deep" / name
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT)
    file = known_file(web.address("/toy.tflite"), CONTENT, also=("other name.tflite",))
    assert bring(entry_of(file), mirror=tmp_path / "mirror").read_bytes() == CONTENT
    assert web.asked == []


def test_the_environment_names_a_mirror(toy, web, tmp_path, monkeypatch) -> None:
    (tmp_path / "toy.tflite").write_bytes(CONTENT)
    monkeypatch.setenv("TEMPSEG_MIRROR", str(tmp_path))
    bring(toy)
    assert web.asked == []


def test_of_several_in_a_mirror_the_right_one_is_taken(toy, tmp_path) -> None:
    for folder, content in {"a": b"bad", "b": CONTENT, "c": CONTENT[::-1]}.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "toy.tflite").write_bytes(content)
    assert bring(toy, mirror=tmp_path).read_bytes() == CONTENT


def test_a_wrong_file_in_a_mirror_is_told(toy, tmp_path) -> None:
    (tmp_path / "toy.tflite").write_bytes(CONTENT[::-1])
    with pytest.raises(ZooError, match=r"toy\.tflite: is not the file that the zoo knows"):
        bring(toy, mirror=tmp_path)


def test_what_a_mirror_lacks_comes_from_its_address(toy, web, tmp_path) -> None:
    bring(toy, mirror=tmp_path)
    assert len(web.asked) == 1


def test_a_mirror_that_is_no_folder_is_told(toy, tmp_path) -> None:
    with pytest.raises(ZooError, match="nowhere: is no folder"):
        bring(toy, mirror=tmp_path / "nowhere")


def test_an_archive_is_unpacked_and_its_model_found(web) -> None:
    packed = tar_bytes(graph=CONTENT)
    web.replies["/toy.tar.gz"] = Reply(packed)
    web.replies["/graph.txt"] = Reply(b"text")
    archive = known_file(
        web.address("/toy.tar.gz"), packed, archive="tar", max_unpacked_bytes=10_000
    )
    text = known_file(web.address("/graph.txt"), b"text", place="unpacked/m/graph.txt")
    entry = entry_of(archive, text, model="unpacked/m/graph")
    assert bring(entry).read_bytes() == CONTENT
    assert held(cache_folder() / "toy") == {
        ".lock",
        "unpacked/m/graph",
        "unpacked/m/graph.txt",
    }
    assert cached_model(entry) is not None


def test_an_unpacked_archive_that_lost_its_model_is_unpacked_anew(web) -> None:
    packed = tar_bytes(graph=CONTENT, weights=b"1")
    web.replies["/toy.tar.gz"] = Reply(packed)
    web.replies["/graph.txt"] = Reply(b"text")
    entry = entry_of(
        known_file(web.address("/toy.tar.gz"), packed, archive="tar", max_unpacked_bytes=10_000),
        known_file(web.address("/graph.txt"), b"text", place="unpacked/m/graph.txt"),
        model="unpacked/m/graph",
    )
    bring(entry).unlink()
    assert bring(entry).read_bytes() == CONTENT
    assert held(cache_folder() / "toy" / "unpacked") == {"m/graph", "m/graph.txt", "m/weights"}


def test_an_archive_that_is_refused_pins_nothing(web) -> None:
    web.replies["/toy.tar.gz"] = Reply(b"no archive")
    file = ZooFile(
        web.address("/toy.tar.gz"), max_bytes=10_000, archive="tar", max_unpacked_bytes=10_000
    )
    with pytest.raises(ZooError, match="is damaged, or no tar archive"):
        bring(entry_of(file, model="unpacked/m/graph"))
    assert not (cache_folder() / "pins.json").exists()


def test_an_archive_without_the_model_is_told(web) -> None:
    packed = tar_bytes(other=b"1")
    web.replies["/toy.tar.gz"] = Reply(packed)
    file = known_file(web.address("/toy.tar.gz"), packed, archive="tar", max_unpacked_bytes=10_000)
    with pytest.raises(ZooError, match="unpacked/m/graph was not among what was unpacked"):
        bring(entry_of(file, model="unpacked/m/graph"))


def test_two_at_once_download_once(web, toy) -> None:
    asked, go, waiting = threading.Event(), threading.Event(), threading.Event()

    def hold_back() -> None:
        asked.set()
        go.wait(20)

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "waiting for another" in record.getMessage():
                waiting.set()

    web.replies["/toy.tflite"] = Reply(CONTENT, before=hold_back)
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(bring(toy))) for _ in range(2)]
    watch = Watch()
    logging.getLogger("tempseg.locks").addHandler(watch)
    try:
        for thread in threads:
            thread.start()
        assert asked.wait(20)
        assert waiting.wait(20)
    finally:
        go.set()
        for thread in threads:
            thread.join()
        logging.getLogger("tempseg.locks").removeHandler(watch)
    assert paths == [cache_folder() / "toy" / "toy.tflite"] * 2
    assert len(web.asked) == 1


def test_a_path_is_resolved_to_itself() -> None:
    assert resolve_model("some/model.tflite") == "some/model.tflite"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"TEMPSEG_CACHE": "/a"}, "/a"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/tempseg"),
        ({"HOME": "/c"}, "/c/.cache/tempseg"),
    ],
)
def test_the_cache_is_where_the_environment_says(monkeypatch, variables, expected) -> None:
    for name in ("TEMPSEG_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(expected)
