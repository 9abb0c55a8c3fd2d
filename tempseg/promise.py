"""A run that keeps a promise: no more than so many points below the segmenter's own noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tempseg.api import ConfigLike, RunSummary, effective_config, run
from tempseg.auditing import Audit
from tempseg.config import Config, check_keys, load_config
from tempseg.errors import ConfigError
from tempseg.outputs import RunFolder, amend_record
from tempseg.protocols import RunObserver, WorkObserver
from tempseg.tuning import choose, default_cache, studies_of

__all__ = ["Attempt", "Promise", "run_within"]

SAMPLE_FRAMES = 200
"""Frames that thresholds are chosen on, drawn across the video."""

CONFIGS = 10
"""Configs that are measured on all of these."""

AUDITED = 40
"""Frames between keyframes that the promise is held against, where the config says no number."""

MOST_ATTEMPTS = 4

TIGHTER = 0.6
"""What thresholds are lowered to, of themselves, where an attempt fell short."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One config that was run and audited.

    Parameters
    ----------
    policy : str
    keyframe_share : float
        In [0, 1].
    audit : Audit
    """

    policy: str
    keyframe_share: float
    audit: Audit


@dataclass(frozen=True, slots=True)
class Promise:
    """What was promised, and what came of it.

    Parameters
    ----------
    max_drop : float
        Points of mIoU that fidelity may lie below the segmenter's noise floor.
    kept : bool
        Whether the audit of the last attempt finds it kept: its estimate is within the promise.
    attempts : tuple of Attempt
    summary : RunSummary
        Of the last attempt, whose files are the result.
    """

    max_drop: float
    kept: bool
    attempts: tuple[Attempt, ...]
    summary: RunSummary

    @property
    def message(self) -> str:
        """What came of it, in one sentence."""
        last = self.attempts[-1]
        told = f"at most {self.max_drop:g} points below the segmenter's noise floor"
        if not last.audit.between:
            return f"kept: {told}, with the segmenter on every frame"
        gap = last.audit.difference
        if math.isnan(gap.mean):
            return f"NOT kept: {told}, which cannot be told on so few frames"
        found = (
            f"fidelity less floor is {gap.mean * 100:+.1f} points ({gap.low * 100:+.1f} to "
            f"{gap.high * 100:+.1f}) with {last.keyframe_share:.1%} keyframes"
        )
        if not self.kept:
            count = len(self.attempts)
            tries = "1 attempt" if count == 1 else f"{count} attempts"
            return f"NOT kept: {told}; {found}, after {tries}"
        sure = gap.low * 100 >= -self.max_drop
        return f"kept: {told}; {found}" + ("" if sure else "; a larger --audit would be surer")

    def as_dict(self) -> dict[str, object]:
        """Return what `run.json` holds."""
        return {
            "max_drop": self.max_drop,
            "kept": self.kept,
            "attempts": [
                {
                    "policy": attempt.policy,
                    "keyframe_share": attempt.keyframe_share,
                    "audit": attempt.audit.as_dict(),
                }
                for attempt in self.attempts
            ],
        }


def run_within(
    source: str | Path,
    out: str | Path,
    *,
    max_drop: float,
    model: str | Path | None = None,
    config: ConfigLike = None,
    fixed: Sequence[str] = (),
    overwrite: bool = False,
    cache: str | Path | None = None,
    observer: RunObserver | None = None,
    worker: WorkObserver | None = None,
    command: Sequence[str] = (),
) -> Promise:
    """Run with as few keyframes as keep fidelity within `max_drop` points of the noise floor.

    Thresholds are chosen on a sample of the video (see `tempseg.tune`), the run is audited, and
    where it falls short, tighter thresholds are run, `MOST_ATTEMPTS` times at most. The files are
    those of the last attempt; `run.json` says under `promise` what came of each.

    Parameters
    ----------
    source, out, model, config, overwrite, observer, command
        As for `tempseg.run`.
    max_drop : float
        Points of mIoU, above 0 and at most 100.
    fixed : sequence of str
        Full keys that stay as they are.
    cache : str or Path, optional
        Where the sample is recorded; by default where `tempseg tune` keeps its own.
    worker : WorkObserver, optional
        Follows the choosing and the audits.

    Raises
    ------
    ConfigError, SourceError, ModelError, OutputError, RunError
        As `tempseg.run` does, and where `max_drop` is out of range.
    """
    if not 0 < max_drop <= 100:
        raise ConfigError(f"--max-drop {max_drop:g}: expected points of mIoU above 0, at most 100")
    base = effective_config(config, model)
    check_keys(fixed)
    # First, so that an occupied folder is told before minutes of choosing.
    RunFolder(out, overwrite=overwrite)
    count = base.run.audit or AUDITED
    studies = studies_of(
        [str(source)],
        base,
        cache=default_cache() if cache is None else Path(cache),
        sample=SAMPLE_FRAMES,
        seed=base.run.seed,
        observer=worker,
    )
    target = f"fidelity=floor-{max_drop:g}"
    chosen = choose(
        studies, target, config=base, fixed=fixed, in_full=CONFIGS, observer=worker
    ).config
    attempts: list[Attempt] = []
    while True:
        own: dict[str, object] = {"run.audit": count, "keyframe.guard": base.keyframe.guard}
        chosen = load_config(overrides=chosen.set_keys() | own)
        summary = run(
            source,
            out,
            config=chosen,
            overwrite=overwrite or bool(attempts),
            observer=observer,
            auditor=worker,
            command=command,
        )
        assert summary.audit is not None
        share = summary.totals.keyframe_share
        attempts.append(Attempt(summary.config.keyframe.policy, share, summary.audit))
        kept = _kept(summary.audit, max_drop)
        promise = Promise(max_drop, kept, tuple(attempts), summary)
        # After each attempt: one that is the last because somebody stops here is told apart.
        amend_record(summary.folder / "run.json", promise=promise.as_dict())
        tighter = tightened(chosen, fixed)
        if kept or tighter is None or len(attempts) == MOST_ATTEMPTS:
            return promise
        chosen = tighter


def _kept(audit: Audit, max_drop: float) -> bool:
    return not audit.between or audit.difference.mean * 100 >= -max_drop


def tightened(config: Config, fixed: Sequence[str] = ()) -> Config | None:
    """Return a config that runs the segmenter more often; none where nothing is left to lower.

    Examples
    --------
    >>> tightened(load_config(overrides={"keyframe.policy": "interval"})).keyframe.interval
    6
    """
    keyframe = config.keyframe
    keys: dict[str, object] = {}
    shortest = max(int(keyframe.shortest * TIGHTER), 1)
    if "keyframe.min_interval" in fixed:
        shortest = keyframe.shortest
    if keyframe.policy == "interval" and keyframe.interval > 1:
        keys["keyframe.interval"] = max(int(keyframe.interval * TIGHTER), 1)
    elif keyframe.policy == "share" and keyframe.share < 1:
        keys["keyframe.share"] = min(keyframe.share / TIGHTER, 1 / shortest)
    elif keyframe.policy in ("span", "adaptive"):
        keys["keyframe.doubt_threshold"] = keyframe.doubt_threshold * TIGHTER
        if keyframe.policy == "adaptive":
            keys["keyframe.drift_threshold"] = keyframe.drift_threshold * TIGHTER
    if keys and keyframe.policy != "interval":
        keys["keyframe.min_interval"] = shortest
    keys = {
        key: value
        for key, value in keys.items()
        if key not in fixed and value != getattr(keyframe, key.partition(".")[2])
    }
    return load_config(overrides=config.set_keys() | keys) if keys else None
