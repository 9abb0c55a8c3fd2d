"""Rendered scenes with exact labels, ids and motion."""

from tempseg.synthetic.events import Event
from tempseg.synthetic.film import street_film
from tempseg.synthetic.scene import Scene, SceneFrame
from tempseg.synthetic.shapes import MovingShape, moving_shapes
from tempseg.synthetic.street import STREET_CLASSES, street_scene

__all__ = [
    "STREET_CLASSES",
    "Event",
    "MovingShape",
    "Scene",
    "SceneFrame",
    "moving_shapes",
    "street_film",
    "street_scene",
]
