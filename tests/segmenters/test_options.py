"""What is guessed about a model's classes."""

from __future__ import annotations

from dataclasses import fields

import pytest

from tempseg.config import SegmenterConfig
from tempseg.errors import ConfigError
from tempseg.segmenters.options import SegmenterOptions, choose_classes


@pytest.mark.parametrize(
    ("path", "channels", "name", "count"),
    [
        ("model.tflite", 21, "voc", 21),
        ("model.tflite", 20, "cityscapes", 20),
        ("model.tflite", 19, "cityscapes", 19),
        ("model.tflite", 11, "camvid", 11),
        ("model.tflite", 12, "camvid", 12),
        ("model.tflite", 150, "ade20k", 150),
        ("model.tflite", 32, "ade20k32", 32),
        ("model.tflite", 7, "generic", 7),
        ("model.tflite", 1, "binary", 2),
        ("selfie_segmentation.tflite", 1, "person", 2),
        ("selfiesegmentation_mlkit-256x256.f16.tflite", 1, "person", 2),
        ("SINet_portrait.tflite", 2, "person", 2),
        ("hair_segmentation.tflite", 2, "hair", 2),
        ("deeplabv3_mnv2_pascal_quant.tflite", None, "voc", 21),
        ("slim_cityscapes_quant.tflite", None, "cityscapes", 20),
        ("net_city_512x256", None, "cityscapes", 20),
        ("deeplabv3_mnv2_ade20k_int8.tflite", None, "ade20k", 150),
        ("velocity.tflite", None, "generic", 255),
    ],
)
def test_classes_are_guessed_from_channels_and_name(
    path: str, channels: int | None, name: str, count: int
) -> None:
    chosen = choose_classes(SegmenterOptions(), path=path, channels=channels)
    assert (chosen.class_set.name, len(chosen.class_set.names)) == (name, count)


def test_a_guess_is_recorded_with_its_key() -> None:
    (told,) = choose_classes(SegmenterOptions(), path="m.tflite", channels=21).assumptions
    assert "21 channels taken as voc" in told
    assert "segmenter.classes" in told


def test_named_classes_are_no_guess() -> None:
    chosen = choose_classes(SegmenterOptions(classes="camvid"), path="m", channels=21)
    assert (chosen.class_set.name, chosen.assumptions) == ("camvid", ())


def test_class_names_make_a_custom_set() -> None:
    chosen = choose_classes(SegmenterOptions(classes=("sky", "kite")), path="m", channels=2)
    assert chosen.class_set.names == ("sky", "kite")


def test_an_unknown_class_set_is_refused() -> None:
    with pytest.raises(ConfigError, match="camvit"):
        choose_classes(SegmenterOptions(classes="camvit"), path="m", channels=2)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"input_size": (0, 5)}, "input_size"),
        ({"threshold": 1.0}, "threshold"),
        ({"threads": 0}, "threads"),
        ({"tiles": (0, 5)}, "tiles"),
        ({"tile_overlap": 0.95}, "tile_overlap"),
        ({"scales": ()}, "scales"),
        ({"scales": (1.0, 5.0)}, "scales"),
    ],
)
def test_values_out_of_range_are_refused(options: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        SegmenterOptions(**options)  # type: ignore[arg-type]


def test_defaults_of_the_config_are_those_of_the_options() -> None:
    config, options = SegmenterConfig(), SegmenterOptions()
    assert (config.threads, config.timeout_s) == (0, 0)
    assert (options.threads, options.timeout_s) == (None, None)
    for field in fields(SegmenterOptions):
        if field.name in ("threads", "timeout_s", "first_mask"):
            continue
        told = getattr(config, field.name)
        assert (tuple(told) if isinstance(told, list) else told) == getattr(options, field.name)
