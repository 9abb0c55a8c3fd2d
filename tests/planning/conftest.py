"""A rendered street, which takes longer to render than most of what is planned of it."""

from __future__ import annotations

import pytest

import tempseg


@pytest.fixture(scope="session")
def street(tmp_path_factory):
    """A hundred frames with a cut and much that moves; nobody may write into the folder."""
    folder = tmp_path_factory.mktemp("scene") / "street"
    tempseg.synthesise(folder, duration_s=4.0, width=192, height=108)
    return folder
