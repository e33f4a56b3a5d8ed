"""Makes the files beside this one: small pictures of every kind that people have, and what Pillow makes of them.

    python make.py        # needs numpy and pillow 13; writes pictures and .npy files here

NAME.EXT is a picture, NAME.npy what Pillow gives for it: uint8 or uint16 [h, w] or [h, w, c]; resized ones float32.
tests/pictures.rs has the same names.
"""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

here = Path(__file__).parent
H, W = 24, 36


def levels(h=H, w=W, c=3, top=256):
    """Smooth ramps that differ by channel: JPEG keeps them well, and no turn of them is like another."""
    y, x, k = np.mgrid[0:h, 0:w, 0:c]
    v = (x * (3 + k) / (w * (3 + k)) * 0.6 + (y / h) ** 2 * 0.3 + 0.05 * k) * (top - 1)
    return np.round(v).astype(np.uint8 if top == 256 else np.uint16)


def rgb(h=H, w=W):
    return Image.fromarray(levels(h, w))


def save_array(name, picture):
    np.save(here / f"{name}.npy", np.asarray(picture))


def tiff_tag(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


# EXIF: each orientation in a PNG, one in each other format.
for tag in range(1, 9):
    rgb().save(here / f"turned{tag}.png", exif=tiff_tag(tag))
    save_array(f"turned{tag}", ImageOps.exif_transpose(Image.open(here / f"turned{tag}.png")))
rgb().save(here / "turned.webp", lossless=True, exif=tiff_tag(6))
save_array("turned_webp", ImageOps.exif_transpose(Image.open(here / "turned.webp")))
rgb().save(here / "turned.tif", compression="tiff_lzw", tiffinfo={0x0112: 8})
save_array("turned_tif", ImageOps.exif_transpose(Image.open(here / "turned.tif")))
rgb().save(here / "turned.jpg", quality=95, subsampling=0, exif=tiff_tag(6))
save_array("turned_jpg", ImageOps.exif_transpose(Image.open(here / "turned.jpg")))
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="8"/></x:xmpmeta>'
rgb().save(here / "xmp.jpg", quality=95, subsampling=0, xmp=XMP)
save_array("xmp_jpg", ImageOps.exif_transpose(Image.open(here / "xmp.jpg")))


# JPEG: grey, progressive, CMYK with Adobe's marker, YCCK (the same file, its marker saying so).
rgb().convert("L").save(here / "grey.jpg", quality=95)
save_array("grey_jpg", Image.open(here / "grey.jpg"))
rgb().save(here / "progressive.jpg", quality=95, subsampling=0, progressive=True)
save_array("progressive_jpg", Image.open(here / "progressive.jpg"))
inks = Image.fromarray(levels(c=4), mode="CMYK")
inks.save(here / "cmyk.jpg", quality=95, subsampling=0)
save_array("cmyk_jpg", Image.open(here / "cmyk.jpg").convert("RGB"))
bytes_ = bytearray((here / "cmyk.jpg").read_bytes())
at = bytes_.index(b"Adobe")
assert bytes_[at + 11] == 0
bytes_[at + 11] = 2
(here / "ycck.jpg").write_bytes(bytes_)
save_array("ycck_jpg", Image.open(here / "ycck.jpg").convert("RGB"))
# Without the marker: nobody says how inks are stored.
start = at - 4
del bytes_[start : start + 16]
(here / "cmyk_unmarked.jpg").write_bytes(bytes_)
save_array("cmyk_unmarked_jpg", Image.open(here / "cmyk_unmarked.jpg").convert("RGB"))


# 16 bits.
def png16(name, values, colour):
    """Pillow writes no RGB of 16 bits."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    h, w = values.shape[:2]
    rows = values.astype(">u2").reshape(h, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", w, h, 16, colour, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    (here / f"{name}.png").write_bytes(data)


grey16 = levels(c=1, top=65536)[..., 0]
Image.fromarray(grey16).save(here / "grey16.png")
np.save(here / "grey16.npy", grey16)
rgb16 = levels(c=3, top=65536)
png16("rgb16", rgb16, 2)
np.save(here / "rgb16.npy", rgb16)
grey12 = levels(c=1, top=4096)[..., 0]
Image.fromarray(grey12).save(here / "grey12.png")
np.save(here / "grey12.npy", grey12)
Image.fromarray(grey16).save(here / "grey16.tif", compression="tiff_deflate")
# Resized as mode F, channel by channel.
for name, size, how in [("bilinear", (17, 13), Image.BILINEAR), ("bicubic", (50, 31), Image.BICUBIC)]:
    parts = [np.asarray(Image.fromarray(rgb16[..., c].astype(np.float32)).resize(size, how)) for c in range(3)]
    np.save(here / f"rgb16_{name}.npy", np.stack(parts, -1))

# Fewer bits.
rgb().convert("1").save(here / "one_bit.png")
save_array("one_bit", Image.open(here / "one_bit.png").convert("L"))
rgb().convert("1").save(here / "one_bit.tif", compression="group4")

# Transparency.
alpha = levels(c=1)[..., 0][:, ::-1]
alpha = np.where(alpha < 30, 0, np.where(alpha > 150, 255, alpha)).astype(np.uint8)
see_through = Image.fromarray(np.dstack([levels(), alpha]))
see_through.save(here / "rgba.png")
see_through.save(here / "rgba.webp", lossless=True, exact=True)
see_through.save(here / "rgba.tif", compression="tiff_lzw")


def on(picture, colour):
    picture = picture.convert("RGBA")
    behind = Image.new("RGB", picture.size, colour)
    behind.paste(picture, mask=picture.getchannel("A"))
    return behind


save_array("rgba_on_white", on(see_through, (255, 255, 255)))
save_array("rgba_on_teal", on(see_through, (0, 128, 120)))
save_array("rgba_as_it_is", see_through)
for name, size, how in [("bilinear", (17, 13), Image.BILINEAR), ("bicubic", (50, 31), Image.BICUBIC)]:
    save_array(f"rgba_{name}", see_through.resize(size, how))
grey_alpha = Image.merge("LA", (see_through.convert("L"), see_through.getchannel("A")))
grey_alpha.save(here / "grey_alpha.png")
save_array("grey_alpha_on_white", on(grey_alpha, (255, 255, 255)).getchannel("R"))
save_array("grey_alpha_on_teal", on(grey_alpha, (0, 128, 120)))
palette = rgb().quantize(16)
palette.info["transparency"] = 3
palette.save(here / "palette.png", transparency=3)
save_array("palette_on_white", on(Image.open(here / "palette.png"), (255, 255, 255)))
# Associated alpha: colours are stored multiplied by it.
Image.fromarray(np.asarray(see_through.convert("RGBa"))).save(here / "associated.tif", compression="raw")
bytes_ = bytearray((here / "associated.tif").read_bytes())
at = bytes_.index(struct.pack("<HHI", 338, 3, 1)) + 8
assert bytes_[at] == 2
bytes_[at] = 1
(here / "associated.tif").write_bytes(bytes_)
save_array("associated_on_white", on(Image.open(here / "associated.tif"), (255, 255, 255)))

# Several frames and pages.
frames = [rgb(), Image.fromarray(255 - levels()), rgb().convert("L").convert("RGB")]
frames[0].save(here / "animated.gif", save_all=True, append_images=frames[1:], duration=40)
save_array("animated_gif", Image.open(here / "animated.gif").convert("RGB"))
frames[0].save(here / "animated.webp", save_all=True, append_images=frames[1:], lossless=True)
save_array("animated_webp", Image.open(here / "animated.webp").convert("RGB"))
frames[0].save(here / "animated.png", save_all=True, append_images=frames[1:])
save_array("animated_png", Image.open(here / "animated.png").convert("RGB"))
frames[0].save(here / "pages.tif", save_all=True, append_images=frames[1:], compression="tiff_lzw")
save_array("pages_tif", Image.open(here / "pages.tif"))
rgb().quantize(32).save(here / "still.gif")
save_array("still_gif", Image.open(here / "still.gif").convert("RGB"))
rgb().save(here / "plain.bmp")
save_array("plain_bmp", Image.open(here / "plain.bmp"))
rgb().save(here / "lossy.webp", quality=90)
Image.fromarray(levels(c=4), mode="CMYK").save(here / "cmyk.tif", compression="tiff_lzw")
save_array("cmyk_tif", Image.open(here / "cmyk.tif").convert("RGB"))

# Colour profiles: sRGB, and one whose red and green are far from it.
srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
rgb().save(here / "srgb.png", icc_profile=srgb)
save_array("srgb", rgb())


def tag(kind, data):
    return kind + b"\0\0\0\0" + data


def wide_profile():
    """Adobe RGB (1998)'s primaries, adapted to D50, and its gamma of 563/256. Version 2.1."""
    s15 = lambda v: struct.pack(">i", round(v * 65536))
    xyz = lambda *v: tag(b"XYZ ", b"".join(map(s15, v)))
    text = b"Wide RGB\0"
    desc = tag(b"desc", struct.pack(">I", len(text)) + text + b"\0" * (4 + 4 + 2 + 1 + 67))
    curve = tag(b"curv", struct.pack(">IH", 1, 563))
    tags = [
        (b"desc", desc),
        (b"cprt", tag(b"text", b"public domain\0")),
        (b"wtpt", xyz(0.9505, 1.0, 1.0891)),
        (b"rXYZ", xyz(0.60974, 0.31111, 0.01947)),
        (b"gXYZ", xyz(0.20528, 0.62567, 0.06087)),
        (b"bXYZ", xyz(0.14919, 0.06322, 0.74457)),
        (b"rTRC", curve),
        (b"gTRC", curve),
        (b"bTRC", curve),
    ]
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags:
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    size = at + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"none", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28 + s15(0.9642) + s15(1) + s15(0.8249)
    return header + b"\0" * (128 - len(header)) + struct.pack(">I", len(tags)) + table + body


wide = wide_profile()
rgb().save(here / "wide.png", icc_profile=wide)
to = ImageCms.profileToProfile(rgb(), io.BytesIO(wide), io.BytesIO(srgb), renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC)
save_array("wide", to)
rgb().save(here / "wide.jpg", quality=95, subsampling=0, icc_profile=wide)
