"""A web server on this machine that can do wrong, and entries that point at it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tempseg.zoo import TransferSettings, ZooEntry, ZooFile

NO_PAUSE = TransferSettings(timeout_s=10, attempts=4, sleep=lambda _: None)
ONCE = TransferSettings(timeout_s=10, attempts=1)


@dataclass
class Reply:
    """What the server does when asked for a path.

    `breaks` holds after how many bytes the connection ends, one a request, then never again.
    """

    content: bytes = b""
    status: int = 200
    etag: str = '"1"'
    ranges: bool = True
    declared: int | None = None
    chunked: bool = False
    endless: bool = False
    untold: bool = False
    location: str = ""
    breaks: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    before: Callable[[], object] = lambda: None


class WebServer:
    """Replies by path, and remembers what it was asked."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        replies, asked = self.replies, self.asked

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                self.close_connection = True
                asked.append((self.path, dict(self.headers)))
                reply = replies.get(self.path, Reply(status=404))
                reply.before()
                # Who refuses a reply hangs up while it is still being sent.
                with suppress(BrokenPipeError, ConnectionResetError):
                    _answer(self, reply)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _answer(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    status = reply.statuses.pop(0) if reply.statuses else reply.status
    if status != 200:
        handler.send_response(status)
        if reply.location:
            handler.send_header("Location", reply.location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    wanted = handler.headers.get("Range")
    start = 0
    if wanted and reply.ranges and handler.headers.get("If-Range") == reply.etag:
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
    body = reply.content[start:]
    handler.send_response(206 if start else 200)
    if start:
        last = len(reply.content) - 1
        handler.send_header("Content-Range", f"bytes {start}-{last}/{len(reply.content)}")
    if reply.etag:
        handler.send_header("ETag", reply.etag)
    if reply.chunked or reply.endless:
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        chunk = b"%x\r\n%s\r\n" % (len(body), body)
        handler.wfile.write(chunk)
        while reply.endless:
            handler.wfile.write(chunk)
        handler.wfile.write(b"0\r\n\r\n")
        return
    if not reply.untold:
        declared = len(body) if reply.declared is None else reply.declared
        handler.send_header("Content-Length", str(declared))
    handler.end_headers()
    handler.wfile.write(body[: reply.breaks.pop(0)] if reply.breaks else body)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """Return a server on this machine; no proxy stands before it."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = WebServer()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TEMPSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TEMPSEG_MIRROR", raising=False)


def entry_of(*files: ZooFile, model: str = "", name: str = "toy", **segmenter: object) -> ZooEntry:
    """Return an entry of these files; the first one is the model."""
    return ZooEntry(
        name=name,
        title="A toy",
        licence="MIT",
        home="https://example.org",
        input="none",
        model=model or files[0].place,
        files=files,
        segmenter=segmenter,
    )


def known_file(address: str, content: bytes, **more: Any) -> ZooFile:
    """Return a file of known size and checksum."""
    sha256 = hashlib.sha256(content).hexdigest()
    return ZooFile(address, sha256=sha256, bytes=len(content), **more)
