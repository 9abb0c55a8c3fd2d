"""The scripts that make the embedded model."""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
HEIGHT, WIDTH = 48, 64


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))


def module(name):
    return importlib.import_module(name)


@pytest.fixture
def camvid(tmp_path):
    """Two drives of five pictures: a road of one colour below a sky of another, and void."""
    rng = np.random.default_rng(5)
    folder, truth = tmp_path / "train", tmp_path / "trainannot"
    folder.mkdir()
    truth.mkdir()
    for drive in ("A_", "B_f"):
        for index in range(5):
            horizon = int(rng.integers(16, 32))
            labels = np.full((HEIGHT, WIDTH), 0, np.uint8)
            labels[horizon:] = 3
            image = np.where(labels[..., None] == 0, (230, 180, 120), (90, 90, 90))
            noisy = np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8)
            labels[:2] = 11
            cv2.imwrite(str(folder / f"{drive}{index:02}.png"), noisy)
            cv2.imwrite(str(truth / f"{drive}{index:02}.png"), labels)
    return folder


def train(camvid, work, *more):
    words = ["--camvid", str(camvid), "--work", str(work), "--rendered-seeds", "0", "--batch", "2"]
    return module("train_street").main([*words, "--hold-out", "0.2", "--score-every", "2", *more])


@pytest.fixture
def shallow(monkeypatch):
    """The network with fewer blocks, which is built in less time."""
    widths = module("street_training.network").Widths(eighth_blocks=0, dilations=(2,))
    for script in ("train_street", "export_street"):
        for name in {"Learner", "folded"} & set(vars(module(script))):
            made = partial(getattr(module(script), name), widths=widths)
            monkeypatch.setattr(module(script), name, made)


@pytest.mark.slow
def test_training_learns_goes_on_where_it_was_stopped_and_is_exported(
    camvid, tmp_path, monkeypatch, shallow
) -> None:
    work, out = tmp_path / "work", tmp_path / "out"
    script = module("train_street")
    whole = ["--epochs", "1", "--finish-epochs", "0.4", "--peak", "0.2"]

    def stopping(*checkpoint):
        module("street_training.progress").saved(*checkpoint)
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr(script, "saved", stopping)
        assert train(camvid, work, *whole) == 130
    assert train(camvid, work, *whole, "--resume") == 0
    rows = module("street_training.curves").read_rows(work / "curves.csv")
    assert [(row["stage"], row["step"]) for row in rows] == [
        ("held-out", "2"),
        ("held-out", "4"),
        ("everything", "6"),
    ]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert "<svg" in (work / "curves.svg").read_text(encoding="utf-8")
    words = [str(work), "--camvid", str(camvid), "--to", str(out), "--pictures", "2"]
    assert module("export_street").main(words) == 0
    assert (out / "street.tflite").is_file()
    assert (out / "saved_model" / "saved_model.pb").is_file()


@pytest.mark.parametrize("more", [[], ["--resume"]], ids=["no-folder", "no-checkpoint"])
def test_what_is_missing_is_named_in_one_line(more, camvid, tmp_path, capsys) -> None:
    folder = camvid if more else tmp_path / "nowhere"
    assert train(folder, tmp_path / "work", *more) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"train_street: {tmp_path}")
    assert told.count("\n") == 1


def test_a_checkpoint_that_is_cut_short_is_refused(tmp_path) -> None:
    progress, material = module("street_training.progress"), module("street_training.material")
    path = tmp_path / "checkpoint.npz"
    progress.saved(path, [], progress.Position(stage=1, step=7))
    assert progress.restored(path, []) == progress.Position(stage=1, step=7)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(material.MaterialError, match=r"checkpoint\.npz: is no whole checkpoint"):
        progress.restored(path, [])


def test_holding_out_everything_is_refused(camvid, tmp_path, capsys) -> None:
    assert train(camvid, tmp_path / "work", "--hold-out", "1") == 2
    assert "--hold-out 1 leaves nothing to learn from" in capsys.readouterr().err


def test_a_label_map_that_is_missing_is_named(camvid, tmp_path) -> None:
    material = module("street_training.material")
    (tmp_path / "trainannot" / "B_f03.png").unlink()
    with pytest.raises(material.MaterialError, match=r"B_f03\.png: cannot be read"):
        material.camvid_pictures(camvid)


def test_of_each_drive_the_end_is_held_out() -> None:
    split_tails = module("street_training.material").split_tails
    names = [*(f"A_{i}" for i in range(10)), *(f"B_{i}" for i in range(4))]
    assert split_tails(names, 0.25) == ([0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12], [8, 9, 13])


def test_a_batch_is_the_same_whenever_it_is_made(camvid) -> None:
    batches, material = module("street_training.batches"), module("street_training.material")
    pictures = material.camvid_pictures(camvid)

    def made():
        return batches.Mixture(pictures, pictures, 4, 0.3, 9, HEIGHT, WIDTH)

    one, ahead = made(), batches.working_ahead(made(), 2)
    one.batch(0)
    for images, labels in (one.batch(2), one.batch(3)):
        others = next(ahead)
        np.testing.assert_array_equal(images, others[0])
        np.testing.assert_array_equal(labels, others[1])
    ahead.close()


def test_labels_stay_on_what_they_name(camvid) -> None:
    augment, material = module("street_training.augment"), module("street_training.material")
    labels = material.camvid_pictures(camvid).labels[0]
    image = np.where(labels[..., None] == 3, 255, 0).astype(np.uint8).repeat(3, -1)
    how = augment.Augmentation(HEIGHT, WIDTH)
    rng = np.random.default_rng(11)
    for _ in range(20):
        shown, truth = augment.augmented(image, labels, how, rng)
        gray = cv2.resize(shown, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA).mean(-1)
        known = truth != material.VOID
        bright = gray > (gray[known].min() + gray[known].max()) / 2
        if len(np.unique(truth[known])) == 2:
            assert np.mean(bright[known] == (truth[known] == 3)) > 0.9


def test_the_rate_rises_then_falls_to_nothing() -> None:
    progress = module("street_training.progress")
    stage = progress.Stage("a", None, 1000, 2e-3, everything=False)
    rates = [
        progress.rate_at(stage, progress.Position(stage_step=step))
        for step in (0, 150, 300, 650, 999, 1000)
    ]
    assert rates[0] < rates[1] < rates[2] > rates[3] > rates[4]
    assert rates[5] == 0.0


def test_rare_classes_weigh_more_and_pixels_one_on_average() -> None:
    shares = np.array([0.3, 0.003, 0.697])
    weights = module("street_training.learning").class_weights(shares)
    assert weights[1] > 3 * weights[0] > 3 * weights[2]
    assert (weights * shares).sum() == pytest.approx(1)
