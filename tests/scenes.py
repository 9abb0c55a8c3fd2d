"""Scenes that many tests look at."""

from __future__ import annotations

from tempseg.synthetic import SceneFrame


class Remembered:
    """A scene whose frames are rendered once: that takes longer than most of what is tested."""

    def __init__(self, scene):
        self._scene = scene
        self._frames: dict[int, SceneFrame] = {}

    def __len__(self):
        return len(self._scene)

    def render(self, index):
        """Return a frame; nobody may write into it."""
        if index not in self._frames:
            self._frames[index] = self._scene.render(index)
        return self._frames[index]
