"""Times a training step of the official iBOT code and of `ibot bench` in turn, on the same machine and threads.

    python scripts/side_by_side.py --official DIR [--rounds 3] [--threads N]
    python scripts/side_by_side.py --official DIR --loading

DIR is a checkout of github.com/bytedance/ibot. Needs torch, torchvision, timm, tensorboardX, scipy, sklearn and munkres
(what its modules import; stand-ins serve for the last four when absent) and `ibot` built with `cargo build --release`.
Both sides compute the full step on random crops: teacher, student, losses, backward, clipping, AdamW, moving average;
full precision. The official side runs without DistributedDataParallel and gathers no metrics, which favours it. Every
measurement is a process of its own; peak memory is that process's. --loading times the augmentation of a 400 x 400
image in memory to 2 x 224 + 10 x 96 by one thread instead.
"""

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import time
from unittest.mock import MagicMock

SMALL = ["--recipe", "vit-small-imagenet", "--set", "optim.batch_size=4"]
CONFIGURATIONS = {
    "A": dict(
        name="ViT-S/16, 2x224 + 10x96, batch 4, K 8192", ours=SMALL,
        arch=dict(patch=16, dim=384, depth=12, heads=6), sizes=(224, 96), local=10, batch=4, out_dim=8192, drop_path=0.1),
    "B": dict(
        name="ViT-Ti/16, 2x224 + 8x96, batch 4, K 8192",
        ours=SMALL + ["--set", "model.arch=vit_tiny", "--set", "crops.local_crops_number=8"],
        arch=dict(patch=16, dim=192, depth=12, heads=3), sizes=(224, 96), local=8, batch=4, out_dim=8192, drop_path=0.1),
    "C": dict(
        name="dim 192, depth 6, heads 3, patch 4, 2x32 + 4x16, batch 32, K 1024",
        ours=["--recipe", "cpu-quick"] + [
            word for setting in ("model.dim=192", "model.depth=6", "model.heads=3", "model.patch_size=4",
                                 "optim.batch_size=32", "head.out_dim=1024", "head.hidden_dim=2048",
                                 "head.bottleneck_dim=256") for word in ("--set", setting)],
        arch=dict(patch=4, dim=192, depth=6, heads=3), sizes=(32, 16), local=4, batch=32, out_dim=1024, drop_path=0.0),
}


def official_modules(folder):
    """The official code's modules, with stand-ins for packages that a step does not use."""
    sys.path.insert(0, folder)
    # These look through all modules when imported, so they come before the stand-ins.
    import torch
    import torchvision  # noqa: F401
    for name in ("tensorboardX", "munkres", "scipy", "scipy.optimize", "sklearn", "sklearn.metrics", "sklearn.cluster"):
        try:
            importlib.import_module(name)
        except ImportError:
            sys.modules[name] = MagicMock()
    import main_ibot
    import utils
    from models.head import iBOTHead
    from models.vision_transformer import VisionTransformer
    return torch, main_ibot, utils, iBOTHead, VisionTransformer


def official(folder, configuration, steps, warmup, threads):
    """Seconds of `steps` official steps after `warmup` others, and the peak memory of this process in MiB."""
    torch, main_ibot, utils, iBOTHead, VisionTransformer = official_modules(folder)
    from functools import partial
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", str(20000 + os.getpid() % 20000))
    torch.distributed.init_process_group("gloo", rank=0, world_size=1)

    arch, (size, small), batch = configuration["arch"], configuration["sizes"], configuration["batch"]
    backbone = partial(
        VisionTransformer, img_size=[size], patch_size=arch["patch"], embed_dim=arch["dim"], depth=arch["depth"],
        num_heads=arch["heads"], mlp_ratio=4, qkv_bias=True, return_all_tokens=True,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6))
    head = partial(iBOTHead, arch["dim"], configuration["out_dim"], patch_out_dim=configuration["out_dim"], act="gelu",
                   shared_head=True)
    student = utils.MultiCropWrapper(
        backbone(drop_path_rate=configuration["drop_path"], masked_im_modeling=True), head(norm_last_layer=False))
    teacher = utils.MultiCropWrapper(backbone(), head())
    teacher.load_state_dict(student.state_dict(), strict=False)
    for parameter in teacher.parameters():
        parameter.requires_grad = False
    criterion = main_ibot.iBOTLoss(configuration["out_dim"], configuration["out_dim"], 2, configuration["local"],
                                   0.04, 0.04, 0.04, 0.04, 0, 100)
    optimizer = torch.optim.AdamW(utils.get_params_groups(student))
    pairs = [(dict(student.named_parameters())[name], parameter) for name, parameter in teacher.named_parameters()
             if name in dict(student.named_parameters())]

    sides = [size] * 2 + [small] * configuration["local"]
    grid = size // arch["patch"]

    def step():
        images = [torch.randn(batch, 3, side, side) for side in sides]
        masks = [torch.rand(batch, grid, grid) < (0.15 if number else 0.3) for number in range(2)]
        targets = teacher(images[:2])
        predictions = student(images[:2], mask=masks)
        student.backbone.masked_im_modeling = False
        local = student(images[2:])[0]
        student.backbone.masked_im_modeling = True
        loss = criterion(predictions, targets, local, masks, 5)["loss"]
        assert loss.isfinite()
        optimizer.zero_grad()
        loss.backward()
        utils.clip_gradients(student, 3.0)
        utils.cancel_gradients_last_layer(5, student, 1)
        for group in optimizer.param_groups:
            group["lr"] = 1e-5
        optimizer.step()
        with torch.no_grad():
            for new, old in pairs:
                old.data.mul_(0.996).add_(0.004 * new.detach().data)

    seconds = []
    for number in range(warmup + steps):
        start = time.perf_counter()
        step()
        if number >= warmup:
            seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return dict(shortest=min(seconds), mean=sum(seconds) / steps, peak_mib=peak, torch=torch.__version__)


def official_augmentation(folder, seconds=10):
    """Images a second that the official augmentation makes crops of on one thread."""
    torch, main_ibot, *_ = official_modules(folder)
    from PIL import Image
    torch.set_num_threads(1)
    augment = main_ibot.DataAugmentationiBOT((0.25, 1.0), (0.05, 0.25), 2, 10)
    image = Image.frombytes("RGB", (400, 400), os.urandom(3 * 400 * 400))
    augment(image)
    start, images = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        augment(image)
        images += 1
    return dict(images_per_second=images / (time.perf_counter() - start))


def our_augmentation(ibot):
    """The same figure of `ibot bench --loading`."""
    command = [ibot, "bench", "--device", "cpu", "--json", "--loading", "--recipe", "vit-small-imagenet"]
    return dict(images_per_second=json.loads(subprocess.check_output(command))["augment_per_thread"])


def ours(ibot, configuration, steps, warmup, threads):
    """The same figures of `ibot bench`."""
    command = [ibot, "bench", "--device", "cpu", "--json", "--steps", str(steps), "--warmup", str(warmup),
               "--shards", str(threads)]
    measured = json.loads(subprocess.check_output(command + configuration["ours"]))
    return dict(shortest=measured["seconds_per_step"], mean=measured["mean_seconds_per_step"],
                peak_mib=measured["memory_peak_mib"])


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--official", required=True, metavar="DIR", help="checkout of the official code")
    arguments.add_argument("--ibot", default="target/release/ibot", help="our program [default: %(default)s]")
    arguments.add_argument("--only", choices=CONFIGURATIONS, help="one configuration instead of all")
    arguments.add_argument("--rounds", type=int, default=3, help="times each side is run, in turn")
    arguments.add_argument("--steps", type=int, default=5)
    arguments.add_argument("--warmup", type=int, default=2)
    arguments.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments.add_argument("--json", action="store_true", help="one JSON object a line in place of the table")
    arguments.add_argument("--loading", action="store_true", help="augmentation in place of the step")
    arguments.add_argument("--child", choices=[*CONFIGURATIONS, "loading"], help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.child == "loading":
        print(json.dumps(official_augmentation(given.official)))
        return
    if given.child:
        measured = official(given.official, CONFIGURATIONS[given.child], given.steps, given.warmup, given.threads)
        print(json.dumps(measured))
        return
    if given.loading:
        loading(given)
        return
    for key, configuration in CONFIGURATIONS.items():
        if given.only not in (None, key):
            continue
        sides = {"official": [], "ibot": []}
        for _ in range(given.rounds):
            sides["official"].append(child(given, key))
            sides["ibot"].append(ours(given.ibot, configuration, given.steps, given.warmup, given.threads))
        report(key, configuration, sides, given)


def child(given, what):
    """What this script measures of the official code in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, "--official", given.official, "--child", what, "--steps",
               str(given.steps), "--warmup", str(given.warmup), "--threads", str(given.threads)]
    return json.loads(subprocess.check_output(command).splitlines()[-1])


def loading(given):
    """Augmentation on both sides in turn: the fastest of all rounds."""
    sides = {"official": [], "ibot": []}
    for _ in range(given.rounds):
        sides["official"].append(child(given, "loading")["images_per_second"])
        sides["ibot"].append(our_augmentation(given.ibot)["images_per_second"])
    figures = {side: max(rates) for side, rates in sides.items()}
    if given.json:
        print(json.dumps(dict(key="augmentation", **figures)))
        return
    print("augmentation of a 400 x 400 image to 2 x 224 + 10 x 96, one thread, the fastest of "
          f"{given.rounds} rounds of seconds")
    for side, figure in figures.items():
        print(f"  {side:<9} {figure:.1f} img/s")
    print(f"  ratio     {figures['ibot'] / figures['official']:.2f}")


def report(key, configuration, sides, given):
    """Prints one configuration: the shortest step of all rounds, the mean of the rounds' means, the highest peak."""
    batch = configuration["batch"]
    figures = {side: dict(shortest=min(run["shortest"] for run in runs),
                          mean=sum(run["mean"] for run in runs) / len(runs),
                          peak_mib=max(run["peak_mib"] for run in runs)) for side, runs in sides.items()}
    if given.json:
        print(json.dumps(dict(key=key, name=configuration["name"], threads=given.threads, **figures)))
        return
    print(f"{key}: {configuration['name']}; {given.threads} threads, {given.rounds} x {given.steps} steps")
    for side, figure in figures.items():
        print(f"  {side:<9} {figure['shortest']:.2f} s a step, {batch / figure['shortest']:.2f} img/s"
              f" (mean {figure['mean']:.2f} s, {batch / figure['mean']:.2f} img/s), peak {figure['peak_mib'] / 1024:.2f} GiB")
    theirs, mine = figures["official"], figures["ibot"]
    print(f"  ratio     {theirs['shortest'] / mine['shortest']:.2f} (mean {theirs['mean'] / mine['mean']:.2f}),"
          f" memory {mine['peak_mib'] / theirs['peak_mib']:.2f}", flush=True)


if __name__ == "__main__":
    main()
