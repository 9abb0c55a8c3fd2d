"""How much disk a run is expected to take, and what is told where there is less."""

from __future__ import annotations

import errno
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest

from tempseg.config import load_config
from tempseg.errors import OutputError, is_full
from tempseg.runners import ledger, space
from tempseg.runners.space import check_space, shortage_bytes, told_bytes
from tempseg.types import VideoInfo

VIDEO = VideoInfo("clip", 1280, 720, Fraction(1, 25), Fraction(25), frame_count=10_000)
SPARE = 16 << 20


@pytest.fixture
def free(monkeypatch):
    """Say how many bytes are free."""

    def free(count):
        monkeypatch.setattr(space.shutil, "disk_usage", lambda _: SimpleNamespace(free=count))

    return free


def _needed(free, tmp_path, *, video=VIDEO, bits=8, left=1.0, **output):
    """Return what a run is expected to take, without what is spared."""
    free(0)
    wanted = load_config(overrides={f"output.{k}": v for k, v in output.items()}).output
    with pytest.raises(OutputError) as caught:
        check_space(tmp_path, video, wanted, label_bits=bits, left=left)
    number, unit = str(caught.value).partition("takes about ")[2].split()[:2]
    return float(number) * {"GB": 1e9, "MB": 1e6}[unit.strip(",")] - SPARE


def test_masks_of_a_run_lie_there_twice(free, tmp_path):
    assert _needed(free, tmp_path, overlay=False) == pytest.approx(2 * 1500 * 10_000, rel=0.02)


def test_labels_of_sixteen_bits_take_three_times_as_much(free, tmp_path):
    narrow, wide = (_needed(free, tmp_path, overlay=False, bits=bits) for bits in (8, 16))
    assert wide == pytest.approx(3 * narrow, rel=0.02)


@pytest.mark.parametrize(("crf", "share"), [(20, 1.0), (26, 0.5), (14, 2.0)])
def test_an_overlay_takes_half_as_much_for_every_six_steps_of_crf(free, tmp_path, crf, share):
    alone = _needed(free, tmp_path, overlay=False)
    found = _needed(free, tmp_path, overlay=True, crf=crf) - alone
    assert found == pytest.approx(2 * share * 0.02 * 1280 * 720 * 10_000, rel=0.02)


def test_of_what_is_done_only_the_copy_is_still_to_come(free, tmp_path):
    whole, quarter = (_needed(free, tmp_path, left=left) for left in (1.0, 0.25))
    assert quarter == pytest.approx(whole * 1.25 / 2, rel=0.02)


def test_a_run_that_fits_is_let_through_and_of_one_that_does_not_the_rest_is_told(free, tmp_path):
    wanted = load_config(overrides={"output.overlay": False}).output
    needed = 2 * 1500 * 10_000 + SPARE
    free(needed)
    check_space(tmp_path, VIDEO, wanted, label_bits=8)
    free(needed - 4_000_000)
    with pytest.raises(OutputError, match=r"takes about 46\.8 MB, and 42\.8 MB.* about 4\.0 MB"):
        check_space(tmp_path, VIDEO, wanted, label_bits=8)


def test_a_run_of_unknown_length_is_not_refused(free, tmp_path):
    free(0)
    endless = replace(VIDEO, frame_count=None)
    check_space(tmp_path, endless, load_config().output, label_bits=8)


def test_on_a_full_disk_it_is_told_how_much_is_missing(free, material, tmp_path, monkeypatch):
    free(0)
    monkeypatch.setattr(ledger, "write_sealed", _full)
    with pytest.raises(OutputError, match=r"and 0 kB are free; make room for about \d+"):
        material.run(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_where_nothing_can_be_made_on_a_full_disk_room_is_asked_for(
    material, tmp_path, monkeypatch
):
    with monkeypatch.context() as patched:
        patched.setattr(ledger, "write_sealed", _full)
        with pytest.raises(OutputError, match="disk is full; make room"):
            material.run(tmp_path / "run")
    monkeypatch.setattr(Path, "mkdir", _full)
    with pytest.raises(OutputError, match="disk is full; make room"):
        material.run(tmp_path / "run")


def _full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_is_full_for_all_and_for_one_user(number):
    assert is_full(OSError(number, "full"))
    assert not is_full(OSError(errno.EACCES, "denied"))
    assert not is_full(None)


def test_a_full_disk_is_found_behind_what_it_led_to():
    def failing(*, named):
        try:
            raise OSError(errno.ENOSPC, "full")
        except OSError as error:
            if named:
                raise OutputError("cannot be written") from error
            raise OutputError("cannot be closed")  # noqa: B904 - as where nobody thought of it

    for named in (True, False):
        with pytest.raises(OutputError) as caught:
            failing(named=named)
        assert is_full(caught.value)


def test_what_is_missing_is_the_rest_of_the_chunks_and_the_join_less_what_is_free(free, tmp_path):
    free(50_000_000)
    # Half is done: 100 MB of chunks are to come, and of 200 MB to be joined 100.
    assert shortage_bytes(tmp_path, chunks_bytes=100_000_000, done=0.5) == 150_000_000
    free(10**12)
    assert shortage_bytes(tmp_path, chunks_bytes=100_000_000, done=0.5) == SPARE


@pytest.mark.parametrize(
    ("count", "told"),
    [(999, "1 kB"), (999_999, "1000 kB"), (10**6, "1.0 MB"), (10**9, "1.0 GB"), (0, "0 kB")],
)
def test_bytes_are_told_in_the_largest_unit_that_they_fill(count, told):
    assert told_bytes(count) == told
