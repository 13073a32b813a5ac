#!/usr/bin/env python3
"""Writes tests/fixtures/images/: small files of the kinds that the Rust encoders cannot write.

The committed files were made with Pillow 13.0.0. Nothing is downloaded. Usage:

    pip install pillow
    python scripts/make_image_fixtures.py
"""

from pathlib import Path

from PIL import Image

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "images"


def picture():
    image = Image.new("RGB", (16, 12))
    for y in range(12):
        for x in range(16):
            image.putpixel((x, y), (x * 15, y * 20, x * y))
    return image


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    image = picture()
    negative = Image.eval(image, lambda value: 255 - value)
    with_alpha = image.convert("RGBA")
    with_alpha.putalpha(image.convert("L"))
    cmyk = image.convert("CMYK")

    image.save(OUT / "progressive.jpg", progressive=True, quality=50, optimize=True)
    cmyk.save(OUT / "cmyk.jpg", quality=50, optimize=True)
    image.save(OUT / "lossy.webp", quality=40)
    with_alpha.save(OUT / "alpha.webp", quality=40)
    image.save(OUT / "animated.webp", save_all=True, append_images=[negative], quality=40, duration=100)
    first, second = image.quantize(8), negative.quantize(8)
    first.save(OUT / "animated.png", save_all=True, append_images=[second], duration=100, optimize=True)
    for compression in ["tiff_lzw", "tiff_adobe_deflate", "packbits"]:
        image.save(OUT / f"{compression}.tif", compression=compression)
    cmyk.resize((4, 3)).save(OUT / "cmyk.tif")


main()
