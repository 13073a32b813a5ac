"""Writes tests/fixtures/corrupt/corruptions.safetensors: a small image, what the library
imagecorruptions makes of it, and the random numbers that it drew on the way.

Needs imagecorruptions with numpy 1, scikit-image, opencv-python-headless and pillow.
Tensors: `image` [H, W, 3]; NAME.SEVERITY.image [H, W, 3]; NAME.SEVERITY.draws: standard normal
numbers, or numbers of [0, 1), or offsets, in the order of the draws; NAME.statistics [5, 7]: of 200
results less the image the mean and the deviation of each channel, and the correlation of pixels
side by side; `frost.texture` [H, W, 3], which took the place of a photograph; `frost.photographs`
[5, 3]: mean and deviation of the brightness of the library's photographs, and the share of the
deviation that is left in blocks of 8 x 8 pixels.
"""

import json
import struct
import sys
import warnings
from functools import partial
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")

import imagecorruptions.corruptions as library  # noqa: E402
from imagecorruptions import corrupt, get_corruption_names  # noqa: E402
from skimage.filters import gaussian  # noqa: E402

HEIGHT, WIDTH, RUNS = 32, 40, 200
RANDOM = [
    "gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise", "glass_blur", "motion_blur",
    "snow", "frost", "fog", "elastic_transform", "spatter",
]
# Poisson numbers and the places of impulses are not drawn by what is recorded.
UNRECORDED = ["shot_noise", "impulse_noise"]


def gaussian_of_old(image, sigma=1, multichannel=False, **rest):
    """scikit-image took `multichannel` where it takes `channel_axis` now."""
    return gaussian(image, sigma=sigma, channel_axis=-1 if multichannel else None, **rest)


library.gaussian = gaussian_of_old


def picture():
    """Edges, a gradient, fine texture, strong and gray colors."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    image = np.stack([60 + 4 * x, 200 - 3 * y - x, 90 + 60 * np.sin(x / 3) * np.cos(y / 4)], -1)
    image[(x - 12) ** 2 + (y - 14) ** 2 < 64] = [220, 40, 30]
    image[20:28, 22:36] = [30, 60, 190]
    image[4:12, 26:38] = np.where(((x + y) % 2)[4:12, 26:38, None] > 0, 240, 20)
    return np.uint8(np.clip(image, 0, 255))


class Recorder:
    """numpy.random whose numbers are those of 32 bits, and are kept."""

    def __init__(self, seed):
        self.rng, self.draws = np.random.RandomState(seed), []

    def keep(self, values):
        values = np.asarray(values, np.float32)
        self.draws.append(values.ravel())
        return values.astype(float)

    def normal(self, loc=0.0, scale=1.0, size=None):
        return loc + scale * self.keep(self.rng.standard_normal(size))

    def uniform(self, low=0.0, high=1.0, size=None):
        # The largest numbers below 1 may round up to it in 32 bits, which changes nothing.
        return low + (high - low) * self.keep(self.rng.random_sample(size))

    def randint(self, low, high, size=None):
        return self.keep(self.rng.randint(low, high, size=size)).astype(int)


def recorded(name, severity, image):
    recorder, own = Recorder(severity), {}
    for function in ["normal", "uniform", "randint"]:
        own[function] = getattr(np.random, function)
        setattr(np.random, function, getattr(recorder, function))
    try:
        result = corrupt(image, severity, name)
    finally:
        for function, original in own.items():
            setattr(np.random, function, original)
    return result, recorder.draws


def statistics(name, severity, image):
    changes = [corrupt(image, severity, name).astype(float) - image for _ in range(RUNS)]
    changes = np.stack(changes)
    left, right = changes[:, :, :-1].ravel(), changes[:, :, 1:].ravel()
    return [*changes.mean((0, 1, 2)), *changes.std((0, 1, 2)), np.corrcoef(left, right)[0, 1]]


def with_texture(severity, image, texture):
    """frost with a given texture, in OpenCV's order of channels as a photograph is read."""
    resize, own = library.cv2.resize, np.random.randint
    library.cv2.resize = lambda *_, **__: np.pad(texture[..., ::-1], ((0, 1), (0, 1), (0, 0)))
    np.random.randint = lambda *_: 0
    try:
        return corrupt(image, severity, "frost")
    finally:
        library.cv2.resize, np.random.randint = resize, own


def photographs():
    rows = []
    for file in ["frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg"]:
        path = Path(library.__file__).parent / "frost" / file
        # The benchmark scales them by 1.1.
        photo = library.cv2.resize(library.cv2.imread(str(path)), None, fx=1.1, fy=1.1)
        height, width = (photo.shape[0] // 256 * 256, photo.shape[1] // 256 * 256)
        for y in range(0, height, 256):
            for x in range(0, width, 256):
                gray = photo[y : y + 256, x : x + 256].astype(float).mean(2)
                blocks = gray.reshape(32, 8, 32, 8).mean((1, 3))
                rows.append((file, gray.mean(), gray.std(), blocks.std() / gray.std()))
    files = sorted({row[0] for row in rows})
    return [np.mean([row[1:] for row in rows if row[0] == file], 0) for file in files]


def write_safetensors(path, tensors):
    kinds = {"uint8": "U8", "float32": "F32"}
    header, at = {}, 0
    for name, values in tensors.items():
        end = at + values.nbytes
        header[name] = {
            "dtype": kinds[str(values.dtype)], "shape": values.shape, "data_offsets": [at, end],
        }
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for values in tensors.values():
            file.write(np.ascontiguousarray(values).tobytes())


def main():
    np.random.seed(0)
    # scikit-image would draw impulses from a stream without a seed.
    random_noise = library.sk.util.random_noise
    library.sk.util.random_noise = partial(random_noise, rng=np.random.default_rng(0))
    image = picture()
    texture = np.random.RandomState(9).randint(0, 256, image.shape).astype(np.uint8)
    tensors = {"image": image, "frost.texture": texture}
    tensors["frost.photographs"] = np.array(photographs(), np.float32)
    for name in get_corruption_names("all"):
        for severity in range(1, 6):
            if name in UNRECORDED:
                continue
            if name == "frost":
                tensors[f"frost.{severity}.image"] = with_texture(severity, image, texture)
                continue
            result, draws = recorded(name, severity, image)
            tensors[f"{name}.{severity}.image"] = result
            if draws:
                tensors[f"{name}.{severity}.draws"] = np.concatenate(draws)
        if name in RANDOM:
            rows = [statistics(name, severity, image) for severity in range(1, 6)]
            tensors[f"{name}.statistics"] = np.array(rows, np.float32)

    # Floats first, so that they are aligned.
    ordered = dict(sorted(tensors.items(), key=lambda item: item[1].dtype == np.uint8))
    out = Path(__file__).parent.parent / "tests/fixtures/corrupt/corruptions.safetensors"
    out.parent.mkdir(parents=True, exist_ok=True)
    write_safetensors(out, ordered)
    print(out, out.stat().st_size, file=sys.stderr)


main()
