"""A seeded slice of what scripts/fuzz.py does by the thousand."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tempseg.config import Config, load_config
from tempseg.errors import ConfigError

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


@pytest.fixture
def fuzz(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    # Worker processes import it, too.
    monkeypatch.setenv("PYTHONPATH", str(SCRIPTS))
    return importlib.import_module("fuzz")


def test_random_configs_load_or_are_refused_in_words(fuzz):
    ends, findings = fuzz.fuzz_configs(400, seed=1)
    assert findings == []
    assert ends["loads"] > 20
    assert ends["refused"] > 100


def test_damaged_clips_run_or_are_refused_in_words(fuzz):
    ends, findings = fuzz.fuzz_videos(24, seed=1)
    assert findings == []
    assert sum(ends.values()) == 24
    assert ends["status 0"] > 3
    assert ends["status 2"] > 3


def test_damage_follows_from_the_seed(fuzz):
    whole = bytes(range(256)) * 8
    assert fuzz.damaged(whole, 3) == fuzz.damaged(whole, 3)
    assert len({fuzz.damaged(whole, seed) for seed in range(50)}) > 45


KEYS = [f"{section}.{key}" for section, keys in Config().model_dump().items() for key in keys]
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
TREES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=12), TREES, max_size=4))
def test_any_tree_of_overrides_loads_or_is_refused_by_its_key(tree):
    told = ""
    try:
        config = load_config(overrides=tree)
    except ConfigError as error:
        config, told = None, str(error)
    assert told if config is None else isinstance(config, Config)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.text(max_size=40) | st.builds(lambda key, text: f"{key}={text}", st.sampled_from(KEYS),
                                        st.text(max_size=12)))  # fmt: skip
def test_any_text_after_set_loads_or_is_refused(text):
    told = ""
    try:
        config = load_config(overrides=[text])
    except ConfigError as error:
        config, told = None, str(error)
    assert told if config is None else isinstance(config, Config)
