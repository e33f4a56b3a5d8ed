"""Makes the arrays beside this file: what torchvision's classic pipeline gives on pictures made by a formula.

    python make.py        # needs torch, torchvision, numpy, pillow; writes .npy files here

PIL picture -> Resize -> CenterCrop, as uint8 [h, w] or [h, w, 3]; two cases go on through ToTensor and
Normalize, as float32 [c, h, w]. tests/torchvision.rs has the same formula and the same table.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize, ToTensor

BILINEAR, BICUBIC = InterpolationMode.BILINEAR, InterpolationMode.BICUBIC

# name, channels, (h, w), resize, crop, interpolation. torchvision: an int is the shorter side.
CASES = [
    ("landscape_down", 3, (47, 61), 32, 27, BILINEAR),
    ("portrait_down", 3, (83, 45), 30, 24, BILINEAR),
    ("tall_down", 3, (120, 41), 20, (25, 20), BILINEAR),
    ("portrait_up", 3, (23, 19), 40, (33, 37), BILINEAR),
    ("grey_down", 1, (37, 50), 25, 22, BILINEAR),
    ("grey_up", 1, (9, 14), 31, (30, 28), BILINEAR),
    ("exact_up_and_down", 3, (41, 33), (20, 50), None, BILINEAR),
    ("exact_rows_kept", 3, (41, 33), (41, 20), (38, 17), BILINEAR),
    ("exact_columns_kept", 3, (41, 33), (55, 33), None, BILINEAR),
    ("shorter_side_kept", 3, (41, 33), 33, (30, 30), BILINEAR),
    ("far_down", 3, (150, 200), 11, None, BILINEAR),
    ("one_row", 3, (1, 3), (5, 7), None, BILINEAR),
    ("panorama", 1, (20, 171), 13, (13, 100), BILINEAR),
    ("crop_alone", 3, (28, 35), None, (23, 24), BILINEAR),
    ("imagenet", 3, (375, 500), 256, 224, BILINEAR),
    ("bicubic_down", 3, (47, 61), 32, 27, BICUBIC),
    ("bicubic_up", 3, (23, 19), 40, (33, 37), BICUBIC),
    ("bicubic_grey", 1, (37, 50), (60, 21), None, BICUBIC),
]

# name of the case above, mean, std.
NORMALISED = [
    ("landscape_down", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ("grey_down", [0.1307], [0.3081]),
]


def picture(channels, h, w):
    """Ramps that wrap around (edges from 255 to 0), fine texture, and channels that differ."""
    y, x, c = np.mgrid[0:h, 0:w, 0:channels]
    v = (x * (5 + 2 * c) + y * (3 + c) + (((x * 7) ^ (y * 13)) & 63) + 50 * c) & 255
    v = v.astype(np.uint8)
    return Image.fromarray(v[..., 0] if channels == 1 else v)


def steps(resize, crop, interpolation):
    made = []
    if resize is not None:
        made.append(Resize(resize, interpolation=interpolation))
    if crop is not None:
        made.append(CenterCrop(crop))
    return made


here = Path(__file__).parent
for name, channels, (h, w), resize, crop, interpolation in CASES:
    pipeline = Compose(steps(resize, crop, interpolation))
    np.save(here / f"{name}.npy", np.asarray(pipeline(picture(channels, h, w))))
for name, mean, std in NORMALISED:
    _, channels, (h, w), resize, crop, interpolation = next(case for case in CASES if case[0] == name)
    pipeline = Compose(steps(resize, crop, interpolation) + [ToTensor(), Normalize(mean, std)])
    np.save(here / f"{name}_normalised.npy", pipeline(picture(channels, h, w)).numpy())
