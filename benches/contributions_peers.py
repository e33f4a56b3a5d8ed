"""Contributions by layer over a folder: ours, and PyTorch's forward with gradients of all biases, in one run.

    python benches/contributions_peers.py LINEARSCOPE DATA_DIR [ROUNDS]

LINEARSCOPE is the program, DATA_DIR the folder with `models` and `images` (needs numpy, onnx, onnx2torch, pillow,
torch, torchvision). squeezenet1.1 on the labelled photographs. What a picture costs is the time for the folder less
the time for a folder of one, over the difference, so that starting and loading the model do not count.

PyTorch: decode, resize, crop, normalise, one forward of all pictures, one backward of the sum of their best scores
to the output of every convolution, and the products with the biases, a sum for each picture and layer. That is what a
user writes down; ours also writes each picture's table, chart and certificate.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from onnx2torch import convert
from PIL import Image
from torchvision import transforms

RECIPE = ["--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225", "--resize", "256", "--crop", "224"]


def ours(program, model, folder, out):
    shutil.rmtree(out, ignore_errors=True)
    start = time.perf_counter()
    subprocess.run([program, "contributions", model, "--input", folder, *RECIPE, "--out", out],
                   check=True, capture_output=True)
    return time.perf_counter() - start


def theirs(model, paths):
    start = time.perf_counter()
    prepare = transforms.Compose([
        transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
    x = torch.stack([prepare(Image.open(path).convert("RGB")) for path in paths])
    biased, kept = [], []
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d) and module.bias is not None:
            biased.append((module, module.register_forward_hook(lambda m, i, y: kept.append(y))))
    y = model(x.requires_grad_())
    scores = y.flatten(1).max(1).values
    gradients = torch.autograd.grad(scores.sum(), kept)
    found = [(g * m.bias.reshape(1, -1, 1, 1)).sum((1, 2, 3)) for (m, _), g in zip(biased, gradients)]
    for _, hook in biased:
        hook.remove()
    return time.perf_counter() - start, torch.stack(found, 1).detach(), scores.detach()


def main(program, data, rounds):
    model_path = os.path.join(data, "models", "squeezenet1.1.onnx")
    pictures = os.path.join(data, "images", "imagenet_curated")
    paths = sorted(os.path.join(pictures, name) for name in os.listdir(pictures)
                   if name.lower().endswith((".jpg", ".jpeg", ".png")))
    model = convert(model_path).eval()
    times = {"ours": [], "theirs": []}
    with tempfile.TemporaryDirectory() as work:
        many, one = os.path.join(work, "many"), os.path.join(work, "one")
        for folder, some in ((many, paths), (one, paths[:1])):
            os.mkdir(folder)
            for path in some:
                shutil.copy(path, folder)
        out = os.path.join(work, "out")
        theirs(model, paths[:1])
        for _ in range(rounds):
            spent = ours(program, model_path, many, out) - ours(program, model_path, one, out)
            times["ours"].append(spent / (len(paths) - 1))
            spent, shares, scores = theirs(model, paths)
            times["theirs"].append(spent / len(paths))
    print(f"{len(paths)} pictures; residuals by PyTorch {float((shares.sum(1) / scores).mean()):.4f} of the score")
    for who, all_ in times.items():
        print(f"{who:7} {1e3 * statistics.median(all_):7.1f} ms a picture")
    print(f"ours over theirs: {statistics.median(times['ours']) / statistics.median(times['theirs']):.2f}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 5)
