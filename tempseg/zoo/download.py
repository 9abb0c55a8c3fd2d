"""Brings one file over HTTP: resumed where it broke off, never larger than it should be."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPMessage
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import urlsplit

from tempseg.zoo.errors import TransferError

__all__ = ["TransferObserver", "TransferSettings", "download"]

_BLOCK_BYTES = 1 << 16
_TRY_AGAIN = frozenset({408, 416, 429, 500, 502, 503, 504})


class TransferObserver(Protocol):
    """Follows transfers: for progress bars."""

    def begin(self, address: str, *, done: int, total: int | None) -> None:
        """Learn that a transfer starts, or starts again, with `done` of `total` bytes there."""

    def advance(self, count: int) -> None:
        """Learn that `count` more bytes are there."""


@dataclass(frozen=True, slots=True)
class TransferSettings:
    """How patient a transfer is.

    Parameters
    ----------
    timeout_s : float
        The longest silence.
    attempts : int
        Tries before giving up on a connection that breaks off.
    pause_s : float
        Before the second try; doubles with each further one.
    sleep : callable
        Waits that many seconds.
    """

    timeout_s: float = 30.0
    attempts: int = 4
    pause_s: float = 1.0
    sleep: Callable[[float], None] = time.sleep


class _BrokenOffError(Exception):
    """The transfer broke off; the next try goes on from there."""


def download(
    address: str,
    part: Path,
    *,
    size: int | None,
    limit_bytes: int,
    settings: TransferSettings,
    observer: TransferObserver | None = None,
) -> None:
    """Complete the file `part` from an address.

    What an earlier transfer left in `part` is kept where the server says that its file is still
    the same (RFC 9110, section 13.1.5: `If-Range`); beside it, `NAME.json` keeps what tells.

    Parameters
    ----------
    address : str
    part : Path
        Left as it is when the transfer breaks off.
    size : int or None
        The exact number of bytes, where it is known.
    limit_bytes : int
        The most to accept.
    settings : TransferSettings
    observer : TransferObserver, optional

    Raises
    ------
    TransferError
        When the address is out of reach, refuses, breaks off for good, or gives a file of
        another size.
    """
    reason = ""
    for attempt in range(settings.attempts):
        if attempt:
            settings.sleep(settings.pause_s * 2 ** (attempt - 1))
        try:
            _attempt(address, part, size, limit_bytes, settings.timeout_s, observer)
        except _BrokenOffError as error:
            reason = str(error)
        else:
            return
    kept = f"; {_size(part)} bytes are kept, and the next try goes on from there"
    raise TransferError(f"{address}: {reason}{kept if _size(part) else ''}")


def _attempt(
    address: str,
    part: Path,
    size: int | None,
    limit_bytes: int,
    timeout_s: float,
    observer: TransferObserver | None,
) -> None:
    done, validator = _size(part), _validator(part, address)
    if size is not None and done == size:
        return
    headers = {"User-Agent": f"tempseg/{version('tempseg')}", "Accept-Encoding": "identity"}
    if 0 < done < limit_bytes and validator is not None:
        headers |= {"Range": f"bytes={done}-", "If-Range": validator}
    with _opened(address, headers, part, timeout_s) as response:
        _receive(response, address, part, size, limit_bytes, observer)


def _opened(address: str, headers: dict[str, str], part: Path, timeout_s: float) -> Any:
    request = urllib.request.Request(address, headers=headers)
    try:
        return _opener().open(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            # What is here already is no beginning of what is there.
            _discard(part)
        problem = f"the server answers {error.code} {error.reason}"
        if str(error.reason).startswith(_WebOnly.inf_msg):
            problem = "redirects in a circle, or too often"
        if error.code in _TRY_AGAIN:
            raise _BrokenOffError(problem) from error
        raise TransferError(f"{address}: {problem}") from error
    except urllib.error.URLError as error:
        raise TransferError(
            f"{address}: {urlsplit(address).hostname} is out of reach ({error.reason})"
        ) from error
    except (http.client.HTTPException, OSError) as error:
        raise _BrokenOffError(_broke_off(error)) from error


def _receive(
    response: Any,
    address: str,
    part: Path,
    size: int | None,
    limit_bytes: int,
    observer: TransferObserver | None,
) -> None:
    done = _size(part) if response.status == 206 else 0
    if response.status == 206 and _range_start(response.headers) != done:
        _discard(part)
        raise _BrokenOffError("the server sent another part of the file than the one asked for")
    declared = _declared_length(response.headers)
    total = None if declared is None else done + declared
    if total is None and size is None and not response.chunked:
        raise TransferError(
            f"{address}: does not tell its length, so that nothing would tell a file cut short"
        )
    if total is not None:
        _check_length(address, part, total, size=size, limit_bytes=limit_bytes)
        free = shutil.disk_usage(part.parent).free
        if total - done > free:
            raise TransferError(
                f"{part.parent}: {free} bytes are free, but {total - done} are to come"
            )
    if response.status != 206:
        _remember_validator(part, address, response.headers)
    if observer is not None:
        observer.begin(address, done=done, total=total)
    with part.open("ab" if done else "wb") as file:
        for block in _blocks(response):
            done += len(block)
            if done > limit_bytes:
                break
            file.write(block)
            if observer is not None:
                observer.advance(len(block))
    if done > limit_bytes:
        _discard(part)
        raise TransferError(f"{address}: gives more than the {limit_bytes} bytes it may")
    expected = total if total is not None else size
    if expected is not None and done < expected:
        raise _BrokenOffError(f"the connection broke off at {done} of {expected} bytes")


def _blocks(response: Any) -> Iterator[bytes]:
    while True:
        try:
            block = response.read(_BLOCK_BYTES)
        except (http.client.HTTPException, OSError) as error:
            raise _BrokenOffError(_broke_off(error)) from error
        if not block:
            return
        yield block


def _broke_off(error: Exception) -> str:
    return f"the connection broke off ({str(error) or type(error).__name__})"


def _check_length(
    address: str, part: Path, length: int, *, size: int | None, limit_bytes: int
) -> None:
    if size is not None and length != size:
        _discard(part)
        raise TransferError(
            f"{address}: gives {length} bytes, expected {size}: there is another file now"
        )
    if length > limit_bytes:
        _discard(part)
        raise TransferError(f"{address}: gives {length} bytes, more than the {limit_bytes} it may")


class _WebOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirections to the web alone, and none from https down to http."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme != "https"):
            raise TransferError(f"{req.full_url}: redirects to {newurl}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    # By hand: the ready-made opener also reads file:, ftp: and data: addresses.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _WebOnly(),
    ):
        opener.add_handler(handler)
    return opener


def _declared_length(headers: HTTPMessage) -> int | None:
    text = headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _range_start(headers: HTTPMessage) -> int | None:
    found = re.match(r"bytes (\d+)-", headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _remember_validator(part: Path, address: str, headers: HTTPMessage) -> None:
    etag = headers.get("ETag", "")
    # A weak tag does not promise the same bytes.
    told = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")
    part.unlink(missing_ok=True)
    _beside(part).write_text(json.dumps({"address": address, "validator": told}))


def _validator(part: Path, address: str) -> str | None:
    try:
        kept = json.loads(_beside(part).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(kept, dict) or kept.get("address") != address:
        return None
    validator = kept.get("validator")
    return validator if isinstance(validator, str) else None


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _beside(part).unlink(missing_ok=True)


def _beside(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
