"""Measures of accuracy and of steadiness in time; one a file.

Each is a class with `update`, `merge` and `compute`, so that parts of a video, or many videos, add
up; and a function on whole arrays. Label maps are (H, W) uint8 or uint16, sequences (T, H, W).

Examples
--------
>>> import numpy as np
>>> from tempseg import metrics
>>> truth = np.array([[0, 0, 1, 1]], np.uint8)
>>> labels = np.array([[0, 1, 1, 1]], np.uint8)
>>> round(metrics.mean_iou(labels, truth, classes=2), 3)
0.583
"""

from tempseg.metrics.area_jitter import AreaJitter, area_jitter
from tempseg.metrics.boundary_f import BoundaryF, boundary_f
from tempseg.metrics.boundary_iou import BoundaryIou, boundary_iou, mask_boundary_iou
from tempseg.metrics.boundary_jitter import BoundaryJitter, boundary_jitter
from tempseg.metrics.changes import (
    Blink,
    FlipRate,
    StaticFlipRate,
    blink,
    flip_rate,
    static_flip_rate,
)
from tempseg.metrics.confusion import ConfusionMatrix, mean_iou
from tempseg.metrics.fidelity import Fidelity, FidelityFloor, fidelity, fidelity_floor
from tempseg.metrics.judge import Judge, JudgedPair
from tempseg.metrics.regions import RegionSimilarity, region_similarity
from tempseg.metrics.scene_cuts import SceneCuts, cut_f1
from tempseg.metrics.stq import SegmentationTrackingQuality, segmentation_tracking_quality
from tempseg.metrics.temporal_consistency import TemporalConsistency, temporal_consistency
from tempseg.metrics.trimap import TrimapIou, trimap_iou
from tempseg.metrics.video_consistency import VideoConsistency, video_consistency
from tempseg.metrics.vis_ap import InstanceTrack, VideoInstanceAP, vis_ap
from tempseg.metrics.vpq import VideoPanopticQuality, video_panoptic_quality
from tempseg.metrics.warp_error import WarpError, warp_error

__all__ = [
    "AreaJitter",
    "Blink",
    "BoundaryF",
    "BoundaryIou",
    "BoundaryJitter",
    "ConfusionMatrix",
    "Fidelity",
    "FidelityFloor",
    "FlipRate",
    "InstanceTrack",
    "Judge",
    "JudgedPair",
    "RegionSimilarity",
    "SceneCuts",
    "SegmentationTrackingQuality",
    "StaticFlipRate",
    "TemporalConsistency",
    "TrimapIou",
    "VideoConsistency",
    "VideoInstanceAP",
    "VideoPanopticQuality",
    "WarpError",
    "area_jitter",
    "blink",
    "boundary_f",
    "boundary_iou",
    "boundary_jitter",
    "cut_f1",
    "fidelity",
    "fidelity_floor",
    "flip_rate",
    "mask_boundary_iou",
    "mean_iou",
    "region_similarity",
    "segmentation_tracking_quality",
    "static_flip_rate",
    "temporal_consistency",
    "trimap_iou",
    "video_consistency",
    "video_panoptic_quality",
    "vis_ap",
    "warp_error",
]
