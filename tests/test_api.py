"""What the functions of the package take, and what they say of what they do not."""

from __future__ import annotations

import numpy as np
import pytest

import tempseg
from tempseg.api import effective_config
from tempseg.config import load_config
from tempseg.errors import ConfigError, ModelError

from .video.clips import write_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("api") / "clip.mp4", range(12))


def bright(image):
    return (image[..., 2] > 120).astype(np.uint8)


def test_a_function_is_a_model_as_its_name_is(clip):
    config = {"keyframe.policy": "interval", "keyframe.interval": 4}
    found = list(tempseg.segment(clip, model=bright, config=config))
    named = list(tempseg.segment(clip, model=f"python:{__name__}:bright", config=config))
    assert [result.reason for result in found] == [result.reason for result in named]
    for one, other in zip(found, named, strict=True):
        assert np.array_equal(one.segmentation.labels, other.segmentation.labels)


def test_a_function_is_asked_as_the_config_says(clip):
    sizes = []

    def noting(image):
        sizes.append(image.shape[:2])
        return bright(image)

    config = {
        "keyframe.policy": "every",
        "segmenter.tiles": [40, 40],
        "segmenter.classes": "binary",
    }
    assert len(list(tempseg.segment(clip, model=noting, config=config))) == 12
    assert max(height for height, _ in sizes) < 48
    with pytest.raises(ModelError, match=r"remove segmenter\.batch"):
        next(tempseg.segment(clip, model=bright, config={"segmenter.batch": 2}))


def test_a_run_takes_a_function_by_its_name_alone(clip, tmp_path):
    with pytest.raises(ConfigError, match="model is a function, expected its name"):
        tempseg.run(clip, tmp_path / "run", model=bright)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("source", [None, np.zeros((2, 48, 64, 3), np.uint8), 5])
def test_a_source_that_is_no_path_is_named_by_its_type(source):
    with pytest.raises(TypeError, match=rf"source is a {type(source).__name__}, expected a path"):
        next(tempseg.segment(source, model=bright))


def test_a_config_that_is_a_list_is_named_by_its_type():
    with pytest.raises(TypeError, match="config is a list, expected a Config, a TOML file"):
        next(tempseg.segment("a.mp4", model=bright, config=["keyframe.interval=3"]))


def test_one_path_is_no_list_of_them(tmp_path):
    with pytest.raises(TypeError, match="sources is a str, expected a list of paths"):
        next(tempseg.run_each("a.mp4", tmp_path, model="street"))


def test_a_key_that_is_no_text_is_a_wrong_config(clip):
    with pytest.raises(ConfigError, match="5: expected a key such as"):
        next(tempseg.segment(clip, model=bright, config={5: 5}))


def test_another_model_does_not_inherit_what_the_one_before_expects(tmp_path):
    for name, text in (("a", "mean = 1.5\ninput_size = [10, 10]"), ("b", "scale = 9.0")):
        (tmp_path / f"{name}.tflite").touch()
        (tmp_path / f"{name}.toml").write_text(f"[segmenter]\n{text}\n")
    one, other = (str(tmp_path / f"{name}.tflite") for name in ("a", "b"))
    config = load_config(overrides={"segmenter.model": one, "segmenter.threads": 1})
    assert config.segmenter.mean == 1.5
    changed = effective_config(config, other)
    assert changed.set_keys() == {
        "segmenter.model": other,
        "segmenter.scale": 9.0,
        "segmenter.threads": 1,
    }
    assert effective_config(config, one) == config
    assert effective_config(config) == config
