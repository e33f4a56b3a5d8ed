"""Reduces the photographs that scikit-image ships to the sizes kept here.

    pip download --no-deps scikit-image && unzip scikit_image-*.whl
    python assets/photos/make.py skimage/data         (needs pillow)

Every picture is public domain or CC0; README.md beside this file says which, and by whom.
"""
import os
import sys

from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
SIDE = 256
PHOTOS = ["astronaut.png", "coffee.png", "retina.jpg", "hubble_deep_field.jpg", "brick.png", "grass.png",
          "gravel.png", "chelsea.png", "camera.png", "rocket.jpg"]

for name in PHOTOS:
    picture = Image.open(os.path.join(sys.argv[1], name))
    picture = picture.convert("L" if picture.mode in ("L", "P", "1") else "RGB")
    scale = SIDE / max(picture.size)
    # Divisible by 6, so that ×2 and ×3 both fit.
    size = [max(6, round(side * scale) // 6 * 6) for side in picture.size]
    picture = picture.resize(size, Image.LANCZOS)
    path = os.path.join(HERE, os.path.splitext(name)[0] + ".png")
    picture.save(path, optimize=True)
    print(os.path.basename(path), picture.size, picture.mode, os.path.getsize(path))
