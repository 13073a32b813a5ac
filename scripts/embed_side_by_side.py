"""Times the features of JPEGs by `ibot embed`, by timm under PyTorch and by onnxruntime, in turn on the same threads.

    python scripts/embed_side_by_side.py [--ibot PROGRAM] [--rounds 5] [--images 192] [--threads N] [--json FILE]

Needs torch, timm, onnxruntime, safetensors, numpy and PIL, and `ibot` built with `cargo build --release`. The network is
timm's ViT-S/16 at 224 pixels with random weights: PyTorch runs it, `ibot embed` reads its safetensors, and onnxruntime
runs what `ibot export --to onnx` makes of them. Each side decodes and resizes the images itself, the Python sides on as
many threads beside the network. A round of a side is a process of its own. Of `ibot` the whole process is timed, from
its start to the written file; of the others only the images, after their imports, the loading of the network and a
warm-up. Both favour the others.

--avx2 holds PyTorch to AVX2. onnxruntime has no such switch, and `ibot` must be built for it: without `x86-v4` in
native/Cargo.toml.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

SIDES = ("ibot", "timm", "onnxruntime")
ARCH = "vit_small_patch16_224"
SIZE = 224
# How the images are shown: the shorter side is resized to 256 pixels, then the middle is cut out.
RESIZED = 256
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
AVX2 = dict(ATEN_CPU_CAPABILITY="avx2", ONEDNN_MAX_CPU_ISA="AVX2", MKL_ENABLE_INSTRUCTIONS="AVX2")


def make_images(folder, count):
    """Writes JPEGs of 500 x 375 pixels, about 50 KB each: smooth shapes with a little noise."""
    import numpy as np
    from PIL import Image
    os.makedirs(folder)
    for number in range(count):
        rng = np.random.default_rng(number)
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((500, 375), Image.BICUBIC), dtype=np.float32)
        noisy = smooth + rng.normal(0, 9, smooth.shape)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(f"{folder}/{number:04}.jpg", quality=85)


def make_models(folder, ibot):
    """Writes random weights for all sides."""
    import timm
    import torch
    from safetensors.torch import save_file
    torch.manual_seed(0)
    network = timm.create_model(ARCH, num_classes=0)
    save_file(network.state_dict(), f"{folder}/model.safetensors")
    subprocess.run([ibot, "export", "--model", f"{folder}/model.safetensors", "--to", "onnx", "--size", str(SIZE), "--out",
                    f"{folder}/model.onnx"], check=True, stdout=subprocess.DEVNULL)


def load(path):
    """The normalised view of an image, [3, SIZE, SIZE]."""
    import numpy as np
    from PIL import Image
    image = Image.open(path).convert("RGB")
    scale = RESIZED / min(image.size)
    image = image.resize([round(side * scale) for side in image.size], Image.BICUBIC)
    left, top = ((side - SIZE) // 2 for side in image.size)
    image = image.crop((left, top, left + SIZE, top + SIZE))
    values = np.asarray(image, dtype=np.float32) / 255
    values = (values - np.float32(MEAN)) / np.float32(DEVIATION)
    return values.transpose(2, 0, 1)


def network(side, folder, threads):
    """A function from a batch of images to features."""
    if side == "timm":
        import timm
        import torch
        from safetensors.torch import load_file
        torch.set_num_threads(threads)
        model = timm.create_model(ARCH, num_classes=0).eval()
        model.load_state_dict(load_file(f"{folder}/model.safetensors"))

        def features(batch):
            with torch.inference_mode():
                return model(torch.from_numpy(batch)).numpy()

        return features, torch.__version__

    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(f"{folder}/model.onnx", options, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(["cls"], {"image": batch})[0], onnxruntime.__version__


def child(given):
    """Times a Python side in this process."""
    import numpy as np
    features, version = network(given.child, given.folder, given.threads)
    folder = f"{given.folder}/images"
    paths = [f"{folder}/{name}" for name in sorted(os.listdir(folder))]
    features(np.zeros((given.batch, 3, SIZE, SIZE), dtype=np.float32))
    load(paths[0])

    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    rows = []
    with ThreadPoolExecutor(given.threads) as pool:
        images = pool.map(load, paths)
        for first in range(0, len(paths), given.batch):
            batch = [next(images) for _ in paths[first:first + given.batch]]
            rows.append(features(np.stack(batch)))
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)

    np.save(f"{given.folder}/{given.child}.npy", np.concatenate(rows))
    print(json.dumps(dict(seconds=seconds, processor=used(after) - used(before), version=version)))


def used(usage):
    return usage.ru_utime + usage.ru_stime


def run(side, given, folder):
    """Seconds and processor seconds of one round of a side."""
    environment = dict(os.environ, RAYON_NUM_THREADS=str(given.threads), OMP_NUM_THREADS=str(given.threads))
    if given.avx2:
        environment.update(AVX2)
    if side != "ibot":
        command = [sys.executable, "-W", "ignore", __file__, "--child", side, "--folder", folder, "--threads",
                   str(given.threads), "--batch", str(given.batch)]
        return json.loads(subprocess.check_output(command, env=environment).splitlines()[-1])

    command = [given.ibot, "embed", "--device", "cpu", "--data", f"{folder}/images", "--model",
               f"{folder}/model.safetensors", "--out", f"{folder}/ibot.npy"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    version = subprocess.check_output([given.ibot, "--version"], text=True).split()[-1]
    return dict(seconds=seconds, processor=used(after) - used(before), version=version)


def least_cosine(folder, side):
    """The cosine of our feature and that of another side, for the image where it is least."""
    import numpy as np
    ours, theirs = (np.load(f"{folder}/{name}.npy") for name in ("ibot", side))
    cosines = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    return float(cosines.min())


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--ibot", default="target/release/ibot", help="our program [default: %(default)s]")
    arguments.add_argument("--rounds", type=int, default=5, help="times each side is run, in turn")
    arguments.add_argument("--images", type=int, default=192)
    arguments.add_argument("--batch", type=int, default=16, help="images at a time on the Python sides")
    arguments.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments.add_argument("--avx2", action="store_true", help="hold PyTorch to AVX2")
    arguments.add_argument("--only", choices=SIDES, nargs="*", default=SIDES, help="some sides in place of all")
    arguments.add_argument("--json", metavar="FILE", help="also write the figures here")
    arguments.add_argument("--child", choices=SIDES[1:], help=argparse.SUPPRESS)
    arguments.add_argument("--folder", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.child:
        child(given)
        return

    with tempfile.TemporaryDirectory() as folder:
        make_images(f"{folder}/images", given.images)
        make_models(folder, given.ibot)
        rounds = {side: [] for side in given.only}
        for _ in range(given.rounds):
            for side in given.only:
                rounds[side].append(run(side, given, folder))
        report(rounds, given, folder)


def report(rounds, given, folder):
    """Prints the median round of each side, the range of all, the least processor time, and the ratios to ours."""
    figures = {}
    for side, runs in rounds.items():
        speeds = [given.images / run["seconds"] for run in runs]
        figures[side] = dict(
            version=runs[0]["version"], slowest=min(speeds), median=statistics.median(speeds),
            fastest=max(speeds),
            processor_ms=1000 * min(run["processor"] for run in runs) / given.images)
        if side != "ibot" and "ibot" in rounds:
            figures[side]["least_cosine"] = least_cosine(folder, side)

    print(f"{given.images} JPEGs, {ARCH}, {given.threads} threads, {given.rounds} rounds in turn")
    for side, figure in figures.items():
        line = (f"  {side:<11} {figure['version']:<14} {figure['median']:6.2f} img/s ({figure['slowest']:.2f} to "
                f"{figure['fastest']:.2f}), {figure['processor_ms']:.1f} processor ms an image")
        if "least_cosine" in figure:
            ours = figures["ibot"]
            line += (f"; ibot is {ours['median'] / figure['median']:.2f} times as fast, by processor time "
                     f"{figure['processor_ms'] / ours['processor_ms']:.2f}; features agree to a cosine of "
                     f"{figure['least_cosine']:.6f}")
        print(line)
    if given.json:
        with open(given.json, "w", encoding="utf-8") as file:
            json.dump(dict(images=given.images, threads=given.threads, rounds=given.rounds, avx2=given.avx2, sides=figures),
                      file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
