"""Makes tiny_sr.onnx: a ×2 upscaler of grey pictures, small enough to commit (3.3 k parameters).

    python assets/tiny_sr/make.py        (needs numpy, torch, onnx, pillow; 15 seconds on 2 cores)

conv 5×5 1→16, ReLU, conv 3×3 16→16, ReLU, conv 3×3 16→4, pixel shuffle; trained from seed 7 on
procedural pictures (discs, polygons, gratings, strokes; antialiased at 4×). Held out: seed 1007.
Prints the PSNR against bicubic; the figures reached are in README.md beside this file.
"""
import math
import os

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw

HERE = os.path.dirname(os.path.abspath(__file__))


def picture(rng, size):
    """A grey procedural picture in [0, 1], drawn at 4× and reduced."""
    s = 4 * size
    image = Image.new("L", (s, s), int(rng.integers(20, 235)))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(4, 10))):
        grey = int(rng.integers(0, 256))
        x, y = rng.uniform(0, s, 2)
        r = rng.uniform(0.05, 0.35) * s
        kind = rng.integers(0, 4)
        if kind == 0:
            draw.ellipse([x - r, y - r, x + r, y + r], fill=grey)
        elif kind == 1:
            n, turn = int(rng.integers(3, 7)), rng.uniform(0, math.pi)
            draw.polygon([(x + r * math.cos(turn + 2 * math.pi * i / n),
                           y + r * math.sin(turn + 2 * math.pi * i / n)) for i in range(n)], fill=grey)
        elif kind == 2:
            turn = rng.uniform(0, 2 * math.pi)
            draw.line([x, y, x + 3 * r * math.cos(turn), y + 3 * r * math.sin(turn)],
                      fill=grey, width=int(rng.uniform(4, 20)))
        else:
            period, turn = rng.uniform(20, 80), rng.uniform(0, math.pi)
            v, u = np.mgrid[0:s, 0:s]
            wave = 127 + 100 * np.sin(2 * math.pi * (u * math.cos(turn) + v * math.sin(turn)) / period)
            mask = ((u - x) ** 2 + (v - y) ** 2) < r * r
            pixels = np.asarray(image).copy()
            pixels[mask] = wave[mask]
            image = Image.fromarray(pixels.astype(np.uint8))
            draw = ImageDraw.Draw(image)
    return np.asarray(image.resize((size, size), Image.BOX), dtype=np.float32) / 255


def batch(rng, n, size=32):
    high = torch.tensor(np.stack([picture(rng, size) for _ in range(n)]))[:, None]
    return F.avg_pool2d(high, 2), high


def psnr(a, b):
    return float(-10 * torch.log10(((a.clamp(0, 1) - b) ** 2).mean()))


def main():
    torch.manual_seed(7)
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng(7)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 5, padding=2), torch.nn.ReLU(),
        torch.nn.Conv2d(16, 16, 3, padding=1), torch.nn.ReLU(),
        torch.nn.Conv2d(16, 4, 3, padding=1), torch.nn.PixelShuffle(2))
    low, high = batch(rng, 768)
    steps = 3000
    optimiser = torch.optim.Adam(net.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        pick = torch.randint(0, len(low), (16,))
        loss = F.mse_loss(net(low[pick]), high[pick])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    held_low, held_high = batch(np.random.default_rng(1007), 128)
    with torch.no_grad():
        ours = psnr(net(held_low), held_high)
        bicubic = psnr(F.interpolate(held_low, scale_factor=2, mode="bicubic"), held_high)
    print(f"held out: {ours:.2f} dB, bicubic {bicubic:.2f} dB")

    nodes, weights, x = [], [], "input"
    for i, layer in enumerate([net[0], net[2], net[4]], 1):
        for kind, tensor in (("weight", layer.weight), ("bias", layer.bias)):
            weights.append(numpy_helper.from_array(tensor.detach().numpy(), f"conv{i}.{kind}"))
        k = layer.kernel_size[0]
        nodes.append(helper.make_node("Conv", [x, f"conv{i}.weight", f"conv{i}.bias"], [f"conv{i}_out"],
                                      name=f"conv{i}", kernel_shape=[k, k], pads=[k // 2] * 4))
        x = f"conv{i}_out"
        if i < 3:
            nodes.append(helper.make_node("Relu", [x], [f"relu{i}_out"], name=f"relu{i}"))
            x = f"relu{i}_out"
    nodes.append(helper.make_node("DepthToSpace", [x], ["output"], name="shuffle", blocksize=2, mode="CRD"))
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "tiny_sr", [value("input", ["N", 1, "H", "W"])],
                              [value("output", ["N", 1, "Ho", "Wo"])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, os.path.join(HERE, "tiny_sr.onnx"))
    shown = (255 * picture(np.random.default_rng(2024), 48)).astype(np.uint8)
    Image.fromarray(shown).save(os.path.join(HERE, "input.png"))


if __name__ == "__main__":
    main()
