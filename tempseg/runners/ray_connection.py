"""The connection to a Ray cluster."""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import socket
from collections.abc import Iterator
from typing import Any

from tempseg.errors import ConfigError
from tempseg.runners.processes import cpus
from tempseg.segmenters.native_log import quiet_native_log

__all__ = ["connected"]

_REACHED_S = 5.0
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
    """Raise at once where nothing listens: Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACHED_S).close()
    except ValueError as error:
        raise ConfigError(
            f"--ray {address}: is no address; give HOST:PORT, auto or local"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"--ray {address}: no cluster answers there ({error.strerror or error}); start "
            "one with `ray start --head`, or leave the address out"
        ) from error


@contextlib.contextmanager
def _lean() -> Iterator[None]:
    """Start a cluster without what asks for more nodes and what gathers logs.

    There are none to ask for here; what asks takes a second to end.
    """
    from ray._private import parameter

    whole = parameter.RayParams
    unwanted = {"no_monitor": True, "include_log_monitor": False}
    if not unwanted.keys() <= inspect.signature(whole).parameters.keys():
        yield
        return

    class Lean(whole):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**unwanted, **options})

    parameter.RayParams = Lean
    try:
        yield
    finally:
        parameter.RayParams = whole


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray from printing the deaths of workers, which a run tells of itself."""
    from ray._private import worker

    printing = getattr(worker, "print_to_stdstream", None)
    if printing is None:
        yield
        return
    worker.print_to_stdstream = lambda *_arguments, **_options: None
    try:
        yield
    finally:
        worker.print_to_stdstream = printing
