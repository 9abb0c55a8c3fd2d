"""What the public docstrings tell of each measure."""

from __future__ import annotations

import inspect
import re

import pytest

from tempseg import metrics

OTHERS = {"InstanceTrack", "Judge", "JudgedPair"}
"""Public, but no measures."""

MEASURES = sorted(set(metrics.__all__) - OTHERS)


@pytest.mark.parametrize("name", MEASURES)
def test_range_and_direction_are_told(name):
    told = inspect.getdoc(getattr(metrics, name))
    assert re.search(r"Range (from )?\[?-?\d", told)
    assert re.search(r"(higher|lower) is better", " ".join(told.split()))


@pytest.mark.parametrize("name", MEASURES)
def test_formula_and_source_are_told(name):
    measure = getattr(metrics, name)
    told = " ".join(inspect.getdoc(measure).split())
    if not inspect.isclass(measure):
        (name,) = re.findall(r"Formula and source as in `(\w+)`", told)
        told = " ".join(inspect.getdoc(getattr(metrics, name)).split())
    assert "Source: " in told
    assert re.search(r"`[^`]*[|=Σ(√²][^`]*`", told)
