"""Names and colours of the classes of well-known data sets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from tempseg.errors import ConfigError

__all__ = ["CLASS_SETS", "ClassSet", "class_set", "custom", "generic"]

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class ClassSet:
    """The classes of a label map, by id.

    Parameters
    ----------
    name : str
        `voc`, `cityscapes`, `camvid`, `ade20k`, … or `custom`.
    names : tuple of str
        Class names; the place is the id.
    colours : tuple of (int, int, int)
        RGB, one a class.
    background : frozenset of int
        Ids that an overlay leaves untinted.
    """

    name: str
    names: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]
    background: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if len(self.names) != len(self.colours):
            raise ValueError(f"{len(self.names)} names but {len(self.colours)} colours")


def class_set(name: str) -> ClassSet:
    """Return a well-known class set.

    Parameters
    ----------
    name : str
        One of `CLASS_SETS`.

    Raises
    ------
    ConfigError
        When there is no set of that name.

    Examples
    --------
    >>> class_set("voc").names[15]
    'person'
    """
    if name not in _BUILDERS:
        close = get_close_matches(name.lower(), CLASS_SETS, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise ConfigError(
            f"there is no class set {name!r}{hint}; "
            f"accepted: {', '.join(CLASS_SETS)}, or a list of class names"
        )
    return _BUILDERS[name]()


def custom(names: Sequence[str]) -> ClassSet:
    """Return a class set of given names, coloured by id.

    Names such as `background` or `void` are left untinted by overlays.

    Raises
    ------
    ConfigError
        When there is no name, or one comes twice.

    Examples
    --------
    >>> custom(["background", "kite"]).background
    frozenset({0})
    """
    if not names:
        raise ConfigError("a list of class names needs at least one name")
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise ConfigError(f"class names must differ, but {twice[0]!r} comes more than once")
    background = frozenset(i for i, name in enumerate(names) if name.lower() in _UNTINTED)
    return ClassSet("custom", tuple(names), _id_colours(len(names)), background)


def generic(count: int) -> ClassSet:
    """Return `count` classes without known names; id 0 counts as background.

    Raises
    ------
    ValueError
        When `count` is not in 1 to 65535.

    Examples
    --------
    >>> generic(3).names
    ('class 0', 'class 1', 'class 2')
    """
    if not 1 <= count <= 65535:
        raise ValueError(f"count is {count}, expected 1 to 65535")
    names = tuple(f"class {i}" for i in range(count))
    return ClassSet("generic", names, _id_colours(count), frozenset({0}))


_PLASTIC = 1.32471795724474602596
_UNTINTED = frozenset({"background", "other", "unlabeled", "unlabelled", "void"})


@cache
def _id_colours(count: int) -> tuple[Colour, ...]:
    return tuple(_id_colour(i) for i in range(count))


def _id_colour(class_id: int) -> Colour:
    # The two-dimensional golden sequence (Roberts' R2, on the plastic number) spreads hue and
    # lightness at once: any first n ids are nearly as far apart as n colours can be. Oklab, so
    # that equal steps look equal.
    hue = math.tau * ((0.07 + class_id / _PLASTIC**2) % 1.0)
    lightness = 0.42 + 0.46 * ((0.5 + class_id / _PLASTIC) % 1.0)
    chroma = 0.2
    while True:
        rgb = _oklab_to_linear(lightness, chroma * math.cos(hue), chroma * math.sin(hue))
        if all(-1e-6 <= value <= 1.0 + 1e-6 for value in rgb):
            break
        chroma *= 0.97
    red, green, blue = (_to_srgb_8(value) for value in rgb)
    return red, green, blue


def _oklab_to_linear(lightness: float, a: float, b: float) -> tuple[float, float, float]:
    # Björn Ottosson, "A perceptual color space for image processing" (2020).
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _to_srgb_8(linear: float) -> int:
    value = min(max(linear, 0.0), 1.0)
    encoded = 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
    return round(255 * encoded)


def _voc_colour(class_id: int) -> Colour:
    # PASCAL VOC's own rule: the id's bits, three at a time, fill the channels from the top bit.
    channels = [0, 0, 0]
    for shift in range(8):
        for channel in range(3):
            bit = (class_id >> (3 * shift + channel)) & 1
            channels[channel] |= bit << (7 - shift)
    return channels[0], channels[1], channels[2]


def _hex_colours(text: str) -> tuple[Colour, ...]:
    values = (int(word, 16) for word in text.split())
    return tuple((value >> 16, value >> 8 & 255, value & 255) for value in values)


def _words(text: str) -> tuple[str, ...]:
    return tuple(" ".join(word.split()) for word in text.split(","))


_VOC_NAMES = _words(
    """
    background, aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, dining table,
    dog, horse, motorbike, person, potted plant, sheep, sofa, train, tv monitor
    """
)
_CITYSCAPES_NAMES = _words(
    """
    road, sidewalk, building, wall, fence, pole, traffic light, traffic sign, vegetation, terrain,
    sky, person, rider, car, truck, bus, train, motorcycle, bicycle, background
    """
)
_CITYSCAPES_COLOURS = _hex_colours(
    """
    804080 f423e8 464646 66669c be9999 999999 faaa1e dcdc00 6b8e23 98fb98
    4682b4 dc143c ff0000 00008e 000046 003c64 005064 0000e6 770b20 000000
    """
)
_CAMVID_NAMES = _words(
    "Sky, Building, Pole, Road, Pavement, Tree, SignSymbol, Fence, Car, Pedestrian, Bicyclist"
)
_CAMVID_COLOURS = _hex_colours(
    "808080 800000 c0c080 804080 3c28de 808000 c08080 404080 400080 404000 0080c0"
)
# The 150 classes of the scene parsing benchmark, most frequent first, in its order and colours.
_ADE20K_NAMES = _words(
    """
    wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk,
    person, earth, door, table, mountain, plant, curtain, chair, car, water, painting, sofa,
    shelf, house, sea, mirror, rug, field, armchair, seat, fence, desk, rock, wardrobe, lamp,
    bathtub, railing, cushion, base, box, column, signboard, chest of drawers, counter, sand,
    sink, skyscraper, fireplace, refrigerator, grandstand, path, stairs, runway, case, pool table,
    pillow, screen door, stairway, river, bridge, bookcase, blind, coffee table, toilet, flower,
    book, hill, bench, countertop, stove, palm, kitchen island, computer, swivel chair, boat, bar,
    arcade machine, hovel, bus, towel, light, truck, tower, chandelier, awning, streetlight,
    booth, television receiver, airplane, dirt track, apparel, pole, land, bannister, escalator,
    ottoman, bottle, buffet, poster, stage, van, ship, fountain, conveyer belt, canopy, washer,
    plaything, swimming pool, stool, barrel, basket, waterfall, tent, bag, minibike, cradle, oven,
    ball, food, step, tank, trade name, microwave, pot, animal, bicycle, lake, dishwasher, screen,
    blanket, sculpture, hood, sconce, vase, traffic light, tray, ashcan, fan, pier, crt screen,
    plate, monitor, bulletin board, shower, radiator, glass, clock, flag
    """
)
_ADE20K_COLOURS = _hex_colours(
    """
    787878 b47878 06e6e6 503232 04c803 787850 8c8c8c cc05ff e6e6e6 04fa07 e005ff ebff07 96053d
    787846 08ff33 ff0652 8fff8c ccff04 ff3307 cc4603 0066c8 3de6fa ff0633 0b66ff ff0747 ff09e0
    0907e6 dcdcdc ff095c 7009ff 08ffd6 07ffe0 ffb806 0aff47 ff290a 07ffff e0ff08 6608ff ff3d06
    ffc207 ff7a08 00ff14 ff0829 ff0599 0633ff eb0cff a09614 00a3ff 8c8c8c fa0a0f 14ff00 1fff00
    ff1f00 ffe000 99ff00 0000ff ff4700 00ebff 00adff 1f00ff 0bc8c8 ff5200 00fff5 003dff 00ff70
    00ff85 ff0000 ffa300 ff6600 c2ff00 008fff 33ff00 0052ff 00ff29 00ffad 0a00ff adff00 00ff99
    ff5c00 ff00ff ff00f5 ff0066 ffad00 ff0014 ffb8b8 001fff 00ff3d 0047ff ff00cc 00ffc2 00ff52
    000aff 0070ff 3300ff 00c2ff 007aff 00ffa3 ff9900 00ff0a ff7000 8fff00 5200ff a3ff00 ffeb00
    08b8aa 8500ff 00ff5c b800ff ff001f 00b8ff 00d6ff ff0070 5cff00 00e0ff 70e0ff 46b8a0 a300ff
    9900ff 47ff00 ff00a3 ffcc00 ff008f 00ffeb 85ff00 ff00eb f500ff ff007a fff500 0abed4 d6ff00
    00ccff 1400ff ffff00 0099ff 0029ff 00ffcc 2900ff 29ff00 ad00ff 00f5ff 4700ff 7a00ff 00ffb8
    005cff b8ff00 0085ff ffd600 19c2c2 66ff00 5c00ff
    """
)


def _two(name: str, foreground: str, colour: Colour) -> ClassSet:
    return ClassSet(name, ("background", foreground), ((0, 0, 0), colour), frozenset({0}))


_BUILDERS: dict[str, Callable[[], ClassSet]] = {
    "ade20k": lambda: ClassSet("ade20k", _ADE20K_NAMES, _ADE20K_COLOURS),
    # MLPerf's mobile models: the 31 most frequent classes of ADE20K shifted by one, 0 for the rest.
    "ade20k32": lambda: ClassSet(
        "ade20k32",
        ("other", *_ADE20K_NAMES[:31]),
        ((0, 0, 0), *_ADE20K_COLOURS[:31]),
        frozenset({0}),
    ),
    "binary": lambda: _two("binary", "foreground", (230, 60, 70)),
    "camvid": lambda: ClassSet("camvid", _CAMVID_NAMES, _CAMVID_COLOURS),
    "cityscapes": lambda: ClassSet(
        "cityscapes", _CITYSCAPES_NAMES, _CITYSCAPES_COLOURS, frozenset({19})
    ),
    "hair": lambda: _two("hair", "hair", (200, 90, 220)),
    "person": lambda: _two("person", "person", (192, 128, 128)),
    "voc": lambda: ClassSet(
        "voc", _VOC_NAMES, tuple(_voc_colour(i) for i in range(21)), frozenset({0})
    ),
}

CLASS_SETS = tuple(_BUILDERS)
"""Names of the well-known class sets."""
