"""The config tree, its files and its errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tempseg.config import Config, load_config, sidecar_path
from tempseg.errors import ConfigError

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.name)
def test_shipped_config_loads(path):
    load_config(path)


@pytest.mark.parametrize(
    ("keys", "shortest"),
    [
        ({}, 3),
        ({"policy": "span"}, 3),
        ({"max_interval": 2}, 2),
        ({"min_interval": 5}, 5),
        ({"policy": "share"}, 3),
        ({"policy": "share", "share": 0.25}, 2),
        ({"policy": "share", "share": 0.5}, 1),
        ({"policy": "share", "share": 1.0}, 1),
        ({"policy": "share", "share": 0.02, "max_interval": 1}, 1),
    ],
)
def test_keyframes_may_be_as_near_as_the_policy_needs(keys, shortest):
    config = load_config(overrides={f"keyframe.{name}": value for name, value in keys.items()})
    assert config.keyframe.shortest == shortest <= config.keyframe.longest


@pytest.mark.parametrize("share", [0.3, 0.34, 0.5, 0.9, 1.0])
def test_a_share_that_the_shortest_interval_does_not_allow_is_refused(share):
    keys = {"policy": "share", "share": share, "min_interval": 3}
    overrides = {f"keyframe.{name}": value for name, value in keys.items()}
    if share <= 1 / 3:
        load_config(overrides=overrides)
        return
    told = rf"share \({share:g}\) cannot be spent with min_interval \(3\)"
    with pytest.raises(ConfigError, match=told) as caught:
        load_config(overrides=overrides)
    # What it says would do does.
    assert str(caught.value).endswith(
        f"set min_interval to {int(1 / share)}, or share to 1/3 at most"
    )
    load_config(overrides=overrides | {"keyframe.min_interval": int(1 / share)})
    load_config(overrides=overrides | {"keyframe.share": 1 / 3})


def test_default_toml_says_what_the_defaults_are():
    assert load_config(CONFIGS / "default.toml") == Config()


def test_default_toml_names_every_key():
    text = (CONFIGS / "default.toml").read_text()
    for section, keys in Config().model_dump().items():
        _, _, body = text.partition(f"\n[{section}]\n")
        lines = body.split("\n[")[0].splitlines()
        named = {line.lstrip("# ").partition(" =")[0] for line in lines}
        assert set(keys) <= named


def test_one_setting_is_no_list_of_them():
    with pytest.raises(TypeError, match=r"overrides is the string 'keyframe\.interval=3'"):
        load_config(overrides="keyframe.interval=3")


def test_a_section_of_a_file_is_told_of_its_name(tmp_path):
    (tmp_path / "mine.toml").write_text("[keyframes]\ninterval = 3\n")
    with pytest.raises(ConfigError, match=r"keyframes: no such key; did you mean keyframe\?"):
        load_config(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("keyframe.intervl=3", "keyframe.intervl: no such key; did you mean keyframe.interval?"),
        ("interval=3", "interval: no such key; did you mean keyframe.interval?"),
        ("keyframes=3", "keyframes: no such key; did you mean keyframe?"),
        ("keyframe.interval=0", "keyframe.interval: input should be greater than or equal to 1"),
        ("keyframe.interval=1.5", "keyframe.interval"),
        ("keyframe.interval=true", "keyframe.interval"),
        ("keyframe.scene_threshold=nan", "keyframe.scene_threshold"),
        ("keyframe.forced=[3, 2.5]", "keyframe.forced: numbers are of frames: give times as text"),
        (
            "keyframe={min_interval=30, max_interval=15}",
            "min_interval (30) is above max_interval (15)",
        ),
        ("keyframe={policy='share', share=0.5, min_interval=3}", "set min_interval to 2, or share"),
        ("segmenter.output=softmax", "segmenter.output"),
        ("segmenter.input_size=[3]", "segmenter.input_size"),
        ("flow.preset=quick", "flow.preset"),
        ("segmenter.classes=[]", "segmenter.classes: expected at least one name"),
        ("segmenter.classes=['a', 'a']", "segmenter.classes: expected at least one name"),
        ("keyframe=3", "keyframe: is a section; give one of keyframe.policy, keyframe.interval"),
        ("nothing", "expected KEY=VALUE"),
        ("x.y=1", "x.y: no such key"),
    ],
)
def test_wrong_override_is_told_by_its_key(override, told):
    with pytest.raises(ConfigError) as caught:
        load_config(overrides=[override])
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_override_beats_file_beats_default(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[keyframe]\ninterval = 7\nmax_interval = 9\n")
    config = load_config(path, overrides=["keyframe.interval=5"])
    assert config.keyframe.interval == 5
    assert config.keyframe.max_interval == 9
    assert config.keyframe.min_interval == Config().keyframe.min_interval


def test_error_in_a_file_names_the_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[keyframe]\nintervall = 7\n")
    with pytest.raises(ConfigError, match=r"mine\.toml: keyframe\.intervall: no such key"):
        load_config(path)


@pytest.mark.parametrize("text", ["[keyframe", "keyframe = 3\n", "\x00", "[[flow]]\n"])
def test_broken_file_is_a_config_error(tmp_path, text):
    path = tmp_path / "broken.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="broken"):
        load_config(path)


def test_missing_file_and_folder_are_config_errors(tmp_path):
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ConfigError):
            load_config(path)


def test_models_own_file_goes_under_the_users(tmp_path):
    model = tmp_path / "net.tflite"
    model.write_bytes(b"")
    (tmp_path / "net.toml").write_text("[segmenter]\nmean = 0.0\nscale = 0.5\n")
    config = load_config(overrides={"segmenter.model": str(model), "segmenter.scale": 0.25})
    assert config.segmenter.mean == 0.0
    assert config.segmenter.scale == 0.25


@pytest.mark.parametrize("model", [".", "./", "./.", "variables/..", "../net/", "../link"])
def test_a_folder_finds_its_own_file_however_it_is_named(tmp_path, monkeypatch, model):
    (tmp_path / "net" / "variables").mkdir(parents=True)
    (tmp_path / "link").symlink_to("net")
    name = "link" if model == "../link" else "net"
    (tmp_path / f"{name}.toml").write_text("[segmenter]\nmean = 0.25\n")
    monkeypatch.chdir(tmp_path / "net")
    assert load_config(overrides={"segmenter.model": model}).segmenter.mean == 0.25


@pytest.mark.parametrize("model", ["", "/", "\0/.."])
def test_what_has_no_name_has_no_file_of_its_own(model):
    assert sidecar_path(model) is None


def test_models_own_file_may_hold_no_other_section(tmp_path):
    model = tmp_path / "net.tflite"
    model.write_bytes(b"")
    (tmp_path / "net.toml").write_text("[keyframe]\ninterval = 3\n")
    with pytest.raises(ConfigError, match="only \\[segmenter\\]"):
        load_config(overrides={"segmenter.model": str(model)})


def test_text_that_is_no_toml_is_a_plain_string():
    assert load_config(overrides=["segmenter.model=a b/c.tflite"]).segmenter.model == "a b/c.tflite"


def test_a_table_of_keys_does_what_its_full_keys_do():
    nested = load_config(overrides={"keyframe": {"interval": 5, "policy": "interval"}})
    assert nested == load_config(overrides={"keyframe.interval": 5, "keyframe.policy": "interval"})


def test_numpy_numbers_tuples_and_paths_are_taken_as_plain_values():
    overrides = {
        "keyframe.interval": np.int64(5),
        "segmenter.input_size": (np.int32(64), 48),
        "segmenter.mean": np.array([1.0, 2.0]),
        "segmenter.model": Path("model.tflite"),
    }
    config = load_config(overrides=overrides)
    assert config.keyframe.interval == 5
    assert config.segmenter.input_size == [64, 48]
    assert config.segmenter.mean == [1.0, 2.0]
    assert config.segmenter.model == "model.tflite"


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf[keyframe]\ninterval = 7\n")
    assert load_config(path).keyframe.interval == 7


@pytest.mark.parametrize("raw", ["9" * 5000, "[" * 3000, "{a=" * 3000])
def test_toml_that_its_reader_gives_up_on_is_refused(raw, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(f"[keyframe]\ninterval = {raw}\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config(path)
    with pytest.raises(ConfigError, match=r"keyframe\.interval"):
        load_config(overrides=[f"keyframe.interval={raw}"])


@pytest.mark.parametrize("value", [10**5000, "9" * 5000, [1] * 5000], ids=["int", "text", "list"])
def test_long_values_are_cut_short_in_the_message(value):
    with pytest.raises(ConfigError, match=r"keyframe\.interval") as caught:
        load_config(overrides={"keyframe.interval": value})
    assert len(str(caught.value)) < 400


def test_a_place_in_a_video_is_no_time_of_day():
    assert load_config(overrides=["source.start=00:00:05"]).source.start == "00:00:05"
    assert load_config(overrides=["source.end=01:02:03.5"]).source.end == "01:02:03.5"
