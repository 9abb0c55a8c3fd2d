"""The connection to a Ray cluster."""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any

from tempseg.errors import ConfigError
from tempseg.runners.processes import cpus
from tempseg.segmenters.native_log import quiet_native_log

__all__ = ["connected"]

_REACHED_S = 5.0
_STARTED_S = 10.0
_LOOK_S = 0.02
# What opens a connection in HTTP/2, which clusters talk, and what the answer begins with (RFC 9113,
# 3.4).
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_HEADER_BYTES, _KIND, _SETTINGS = 9, 3, 4
# Messages are small and frames never pass through it: the least that Ray takes.
_OBJECT_STORE_BYTES = 80 << 20


@contextlib.contextmanager
def connected(address: str, workers: int | None) -> Iterator[Any]:
    """Give Ray's module, connected; what is started here is stopped at the end.

    Parameters
    ----------
    address : str
        As for `RayActors`.
    workers : int, optional
        What a cluster of its own must have room for.

    Raises
    ------
    ConfigError
        When Ray is not installed, or the cluster cannot be joined.
    """
    if address.startswith("ray://"):
        raise ConfigError(
            f"--ray {address}: a run has to be on a node of the cluster; start it there, with "
            "--ray auto"
        )
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ConfigError("--ray: Ray is not installed: pip install 'tempseg[ray]'") from error
    if ray.is_initialized():
        yield ray
        return
    options: dict[str, Any] = {"address": address}
    if address == "local":
        options |= {"num_cpus": max(cpus(), workers or 0), "include_dashboard": False}
        options |= {"object_store_memory": _OBJECT_STORE_BYTES}
    elif address != "auto":
        _reach(address)
    logger = logging.getLogger("ray")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with _quiet():
            try:
                # While it tries to join a cluster it says so once a second.
                with _lean() if address == "local" else quiet_native_log(everything=True):
                    ray.init(
                        **options,
                        log_to_driver=False,
                        configure_logging=False,
                        logging_level=logging.ERROR,
                    )
            # Ray leaves the process where a cluster does not answer.
            except (
                SystemExit,
                OSError,
                RuntimeError,
                ValueError,
                ray.exceptions.RayError,
            ) as error:
                if isinstance(error, SystemExit) and error.code == signal.SIGTERM:
                    # What Ray makes of the signal.
                    raise
                told = " ".join(str(error).split())
                if address == "auto" and isinstance(error, ConnectionError):
                    told = "none runs on this machine; start one with `ray start --head`"
                elif "RAY_AUTH_MODE" not in os.environ:
                    told += "; where it asks for a token, set RAY_AUTH_MODE=token"
                raise ConfigError(f"--ray {address}: cannot be joined: {told}") from error
            try:
                yield ray
            finally:
                ray.shutdown()
    finally:
        logger.setLevel(before)


def _reach(address: str) -> None:
    """Raise at once where no cluster listens: Ray would try for minutes, or for ever."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_REACHED_S) as line:
            answers = _encrypted() or _answers(line)
    except ValueError as error:
        raise ConfigError(
            f"--ray {address}: is no address; give HOST:PORT, auto or local"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"--ray {address}: no cluster answers there ({error.strerror or error}); start "
            "one with `ray start --head`, or leave the address out"
        ) from error
    if not answers:
        raise ConfigError(
            f"--ray {address}: what listens there is no cluster; give the address that "
            "`ray start --head` prints"
        )


def _encrypted() -> bool:
    """Tell whether Ray is to talk to clusters in a way that cannot be tried here."""
    return os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true")


def _answers(line: socket.socket) -> bool:
    """Tell whether what is at the other end talks as clusters do."""
    line.sendall(_GREETING)
    found = b""
    while len(found) < _HEADER_BYTES:
        more = line.recv(_HEADER_BYTES - len(found))
        if not more:
            return False
        found += more
    return found[_KIND] == _SETTINGS


@contextlib.contextmanager
def _lean() -> Iterator[None]:
    """Start a cluster with what chunks need alone, and go on as soon as it is there.

    What asks for more nodes takes a second to end, what serves pages nearly one to begin; logs
    are not gathered. Ray asks whether its node is there every two seconds, which is soon after one.
    """
    import ray
    from ray._private import parameter, services

    whole, found = parameter.RayParams, services.get_node
    client: Any = getattr(ray._raylet, "GcsClient", None)
    unwanted = {"no_monitor": True, "include_log_monitor": False}
    if not unwanted.keys() <= inspect.signature(whole).parameters.keys():
        yield
        return

    class Lean(whole):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**unwanted, **options})

    def no_pages(*_arguments: Any, **_options: Any) -> tuple[None, None]:
        """Return what Ray's own does where pages cannot be served."""
        return None, None

    def awaited(gcs_address: str, node_id: str) -> Any:
        """Return what Ray knows of a node, once it does."""
        if hasattr(client, "get_all_node_info"):
            _await_node(client(address=gcs_address), node_id)
        return found(gcs_address, node_id)

    with (
        _replaced(parameter, "RayParams", Lean),
        _replaced(services, "start_api_server", no_pages),
        _replaced(services, "get_node", awaited),
    ):
        yield


def _await_node(client: Any, node_id: str) -> None:
    """Wait until a node is known; not for ever, for Ray waits and tells why itself."""
    end = time.monotonic() + _STARTED_S
    while time.monotonic() < end:
        known = client.get_all_node_info(timeout=_STARTED_S)
        if any(node.hex() == node_id for node in known):
            return
        time.sleep(_LOOK_S)


@contextlib.contextmanager
def _replaced(module: Any, name: str, other: Any) -> Iterator[None]:
    """Put something else in the place of what a module has by a name, if it has."""
    own = getattr(module, name, None)
    if own is None:
        yield
        return
    setattr(module, name, other)
    try:
        yield
    finally:
        setattr(module, name, own)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray from printing the deaths of workers, which a run tells of itself."""
    from ray._private import worker

    with _replaced(worker, "print_to_stdstream", lambda *_arguments, **_options: None):
        yield
