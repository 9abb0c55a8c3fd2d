"""Bringing one file, from a server that can do wrong."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

import pytest

from tempseg.zoo import TransferError, TransferSettings
from tempseg.zoo.download import download
from tests.zoo.conftest import NO_PAUSE, ONCE, Reply, WebServer

CONTENT = bytes(range(256)) * 1000
SIZE = len(CONTENT)


class Recorder:
    def __init__(self) -> None:
        self.begun: list[tuple[int, int | None]] = []
        self.count = 0

    def begin(self, address: str, *, done: int, total: int | None) -> None:
        self.begun.append((done, total))
        self.count = done

    def advance(self, count: int) -> None:
        self.count += count


def bring(
    web: WebServer,
    part: Path,
    *,
    size: int | None = SIZE,
    limit: int = SIZE,
    settings: TransferSettings = NO_PAUSE,
    path: str = "/model",
    observer: Recorder | None = None,
) -> bytes:
    download(
        web.address(path),
        part,
        size=size,
        limit_bytes=limit,
        settings=settings,
        observer=observer,
    )
    return part.read_bytes()


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "model.part"


def test_a_file_arrives_whole(web, part) -> None:
    web.replies["/model"] = Reply(CONTENT)
    assert bring(web, part) == CONTENT


def test_a_broken_transfer_goes_on_where_it_broke(web, part) -> None:
    web.replies["/model"] = Reply(CONTENT, breaks=[100_000, 50_000])
    assert bring(web, part) == CONTENT
    assert [headers.get("Range") for _, headers in web.asked] == [
        None,
        "bytes=100000-",
        "bytes=150000-",
    ]


def test_a_later_call_goes_on_from_what_is_kept(web, part) -> None:
    web.replies["/model"] = Reply(CONTENT, breaks=[100_000])
    with pytest.raises(TransferError, match=r"broke off at 100000 of 256000 bytes.*are kept"):
        bring(web, part, settings=ONCE)
    assert bring(web, part, settings=ONCE) == CONTENT
    assert web.asked[-1][1]["Range"] == "bytes=100000-"


def test_a_file_that_changed_meanwhile_starts_anew(web, part) -> None:
    web.replies["/model"] = Reply(CONTENT, breaks=[100_000])
    with pytest.raises(TransferError):
        bring(web, part, settings=ONCE)
    web.replies["/model"] = Reply(CONTENT[::-1], etag='"2"')
    assert bring(web, part) == CONTENT[::-1]
    assert web.asked[-1][1]["If-Range"] == '"1"'


def test_a_server_that_knows_no_ranges_starts_anew(web, part) -> None:
    web.replies["/model"] = Reply(CONTENT, breaks=[100_000], ranges=False)
    assert bring(web, part) == CONTENT


@pytest.mark.parametrize("etag", ["", 'W/"1"'])
def test_without_a_strong_tag_nothing_is_resumed(web, part, etag) -> None:
    web.replies["/model"] = Reply(CONTENT, etag=etag, breaks=[100_000])
    assert bring(web, part) == CONTENT
    assert "Range" not in web.asked[-1][1]


def test_what_another_address_began_is_not_gone_on_with(web, part) -> None:
    web.replies["/other"] = Reply(CONTENT[::-1], breaks=[100_000])
    with pytest.raises(TransferError):
        bring(web, part, path="/other", settings=ONCE)
    web.replies["/model"] = Reply(CONTENT)
    assert bring(web, part) == CONTENT


def test_a_beginning_that_the_server_calls_too_long_is_dropped(web, part) -> None:
    web.replies["/model"] = Reply(CONTENT, statuses=[416])
    part.write_bytes(b"x" * 10)
    part.with_name("model.part.json").write_text(
        json.dumps({"address": web.address("/model"), "validator": '"1"'})
    )
    assert bring(web, part) == CONTENT


def test_what_was_complete_is_not_asked_for_again(web, part) -> None:
    part.write_bytes(CONTENT)
    assert bring(web, part) == CONTENT
    assert web.asked == []


def test_a_server_that_always_breaks_off_is_given_up(web, part) -> None:
    web.replies["/model"] = Reply(CONTENT, ranges=False, breaks=[10] * 9)
    with pytest.raises(TransferError, match="broke off at 10 of 256000 bytes; 10 bytes are kept"):
        bring(web, part)
    assert len(web.asked) == NO_PAUSE.attempts


def test_pauses_between_tries_double(web, part) -> None:
    web.replies["/model"] = Reply(CONTENT, statuses=[503, 429, 500])
    pauses: list[float] = []
    settings = TransferSettings(attempts=4, pause_s=2.0, sleep=pauses.append)
    assert bring(web, part, settings=settings) == CONTENT
    assert pauses == [2.0, 4.0, 8.0]


@pytest.mark.parametrize("status", [401, 404, 410])
def test_a_refusal_is_final(web, part, status) -> None:
    web.replies["/model"] = Reply(status=status)
    with pytest.raises(TransferError, match=f"the server answers {status}"):
        bring(web, part)
    assert len(web.asked) == 1


def test_a_file_of_another_size_is_refused_before_it_comes(web, part) -> None:
    web.replies["/model"] = Reply(CONTENT[:-1])
    observer = Recorder()
    with pytest.raises(TransferError, match="gives 255999 bytes, expected 256000"):
        bring(web, part, observer=observer)
    assert observer.begun == []


def test_a_huge_file_is_refused_by_what_it_declares(web, part) -> None:
    web.replies["/model"] = Reply(CONTENT, declared=10**12)
    with pytest.raises(TransferError, match="more than the 300000 it may"):
        bring(web, part, size=None, limit=300_000)
    assert not part.exists()


def test_an_endless_file_is_cut_at_its_limit(web, part) -> None:
    web.replies["/model"] = Reply(CONTENT, endless=True)
    with pytest.raises(TransferError, match="more than the 300000 bytes it may"):
        bring(web, part, size=None, limit=300_000)
    assert not part.exists()


def test_a_file_in_chunks_needs_no_length(web, part) -> None:
    web.replies["/model"] = Reply(CONTENT, chunked=True)
    assert bring(web, part, size=None) == CONTENT


def test_a_file_of_untold_length_is_taken_only_where_its_size_is_known(web, part) -> None:
    web.replies["/model"] = Reply(CONTENT, untold=True)
    assert bring(web, part) == CONTENT
    part.unlink()
    with pytest.raises(TransferError, match="does not tell its length"):
        bring(web, part, size=None)


def test_a_file_of_untold_length_that_is_short_is_known_by_its_size(web, part) -> None:
    web.replies["/model"] = Reply(CONTENT[:1000], untold=True)
    with pytest.raises(TransferError, match="broke off at 1000 of 256000"):
        bring(web, part, settings=ONCE)


def test_a_redirection_is_followed(web, part) -> None:
    web.replies["/model"] = Reply(status=302, location="/elsewhere")
    web.replies["/elsewhere"] = Reply(CONTENT)
    assert bring(web, part) == CONTENT


def test_a_redirected_transfer_goes_on_where_it_broke(web, part) -> None:
    web.replies["/model"] = Reply(status=302, location="/elsewhere")
    web.replies["/elsewhere"] = Reply(CONTENT, breaks=[100_000])
    assert bring(web, part) == CONTENT
    assert [headers.get("Range") for path, headers in web.asked if path == "/elsewhere"] == [
        None,
        "bytes=100000-",
    ]


def test_redirections_in_a_circle_are_told_in_one_line(web, part) -> None:
    web.replies["/model"] = Reply(status=302, location="/elsewhere")
    web.replies["/elsewhere"] = Reply(status=302, location="/model")
    with pytest.raises(TransferError, match=r"/model: redirects in a circle, or too often\Z"):
        bring(web, part)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/model", "data:,x"])
def test_a_redirection_off_the_web_is_not_followed(web, part, location) -> None:
    web.replies["/model"] = Reply(status=302, location=location)
    with pytest.raises(TransferError, match=r"[Rr]edirect"):
        bring(web, part)


def test_an_unreachable_server_is_told_by_name(part) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(TransferError, match=r"127\.0\.0\.1 is out of reach \(.*refused"):
        download(
            f"http://127.0.0.1:{port}/model",
            part,
            size=SIZE,
            limit_bytes=SIZE,
            settings=NO_PAUSE,
        )


def test_a_full_disk_is_told_before_the_transfer(web, part, monkeypatch) -> None:
    web.replies["/model"] = Reply(CONTENT)
    usage = shutil.disk_usage(part.parent)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(TransferError, match="1000 bytes are free, but 256000 are to come"):
        bring(web, part)


def test_the_observer_counts_every_byte_once(web, part) -> None:
    web.replies["/model"] = Reply(CONTENT, breaks=[100_000])
    observer = Recorder()
    bring(web, part, observer=observer)
    assert observer.begun == [(0, SIZE), (100_000, SIZE)]
    assert observer.count == SIZE
