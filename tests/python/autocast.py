"""How far PyTorch's autocast takes the official code from its own f32: the yardstick of `optim.precision`.

    python tests/python/autocast.py DIR

DIR is a checkout of github.com/bytedance/ibot. Repeats the first step of each fixture under autocast on the CPU, and
prints the largest relative errors (L2 over L2) of logits, losses and any tensor's gradient, as the parity tests do.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[2] / "scripts"))
from side_by_side import official_modules  # noqa: E402

torch, main_ibot, utils, iBOTHead, VisionTransformer = official_modules(sys.argv[1])
from functools import partial  # noqa: E402

from safetensors import safe_open  # noqa: E402


def network(config, tensors, role):
    student = role == "student"
    backbone = VisionTransformer(
        img_size=[config["global_size"]], patch_size=config["patch_size"], embed_dim=config["embed_dim"],
        depth=config["depth"], num_heads=config["num_heads"], mlp_ratio=config.get("mlp_ratio", 4), qkv_bias=True,
        return_all_tokens=True, norm_layer=partial(torch.nn.LayerNorm, eps=1e-6), masked_im_modeling=student)
    head = iBOTHead(
        config["embed_dim"], config["out_dim"], patch_out_dim=config["patch_out_dim"], act="gelu", norm=None,
        shared_head=config["shared_head"], hidden_dim=config["hidden_dim"], bottleneck_dim=config["bottleneck_dim"],
        **(dict(norm_last_layer=config["norm_last_layer"]) if student else {}))
    wrapped = utils.MultiCropWrapper(backbone, head)
    prefix = f"init/{role}/"
    state = {name[len(prefix):]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    missing, unexpected = wrapped.load_state_dict(state, strict=False)
    assert not unexpected, unexpected
    assert all("last_layer2" in name or name.endswith("weight_g") for name in missing), missing
    return wrapped


def error(actual, expected):
    actual, expected = actual.double(), expected.double()
    return ((actual - expected).norm() / expected.norm().clamp_min(1e-300)).item()


def first_step(config, tensors, log, dtype):
    student, teacher = network(config, tensors, "student"), network(config, tensors, "teacher")
    loss = main_ibot.iBOTLoss(
        config["out_dim"], config["patch_out_dim"], 2, config["locals"], config["warmup_teacher_temp"],
        config["teacher_temp"], config["warmup_teacher_patch_temp"], config["teacher_patch_temp"],
        config["warmup_teacher_temp_epochs"], config["epochs"], lambda1=config.get("lambda1", 1.0),
        lambda2=config.get("lambda2", 1.0), mim_start_epoch=config["pred_start_epoch"])
    crop = lambda kind, count: [tensors[f"step0/{kind}{i}"] for i in range(count)]
    masks = [mask.bool() for mask in crop("mask", 2)]
    with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
        with torch.no_grad():
            targets = teacher(crop("global", 2))
        outputs = student(crop("global", 2), mask=masks)
        student.backbone.masked_im_modeling = False
        local = student(crop("local", config["locals"]))[0] if config["locals"] else None
        losses = loss(outputs, targets, local, masks, 0)
    # A loss scale that nothing overflows at.
    scale = 512.0 if dtype == torch.float16 else 1.0
    (losses["loss"] * scale).backward()
    named = {name: parameter.grad / scale for name, parameter in student.named_parameters() if parameter.grad is not None}
    return {
        "logits": max(error(ours, tensors[f"step0/{name}"]) for name, ours in (
            ("student_cls_logits", outputs[0]), ("student_patch_logits", outputs[1]),
            ("teacher_cls_logits", targets[0]), ("teacher_patch_logits", targets[1]))),
        "losses": max(abs(losses[name].item() / log[0][name] - 1) for name in ("loss", "cls", "patch")),
        "gradients": max(error(gradient, tensors[f"step0/grad/{name}"])
                         for name, gradient in named.items() if f"step0/grad/{name}" in tensors),
    }


torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
torch.Tensor.cuda = lambda tensor, *_, **__: tensor
for file in sorted((HERE.parents[1] / "fixtures").glob("vit_*.safetensors")):
    with safe_open(file, "pt") as fixture:
        metadata = fixture.metadata()
        tensors = {name: fixture.get_tensor(name) for name in fixture.keys()}
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        errors = first_step(json.loads(metadata["config"]), tensors, json.loads(metadata["log"]), dtype)
        print(file.stem, str(dtype)[6:], *(f"{name} {value:.1e}" for name, value in errors.items()))
