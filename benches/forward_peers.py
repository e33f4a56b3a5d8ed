#!/usr/bin/env python3
"""A plain forward of eight pictures: this project's kernels, Burn's, and PyTorch's, in turn.

    forward_peers.py PROGRAM DATA [ROUNDS]

PROGRAM is the built `linearscope`, DATA the folder of real networks (see the tests). Needs torch, onnx and onnx2torch. Each
round asks all three; the figures are medians over the rounds, in milliseconds.
"""

import json
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import onnx
import torch
from onnx2torch import convert

K = 8
NETWORKS = [
    ("squeezenet1.1.onnx", (3, 224, 224)),
    ("carn_m_x4.onnx", (3, 32, 32)),
    ("super_resolution_x3_dyn.onnx", (1, 64, 64)),
    ("resnet20_cifar10.onnx", (3, 32, 32)),
    ("fns_mosaic.onnx", (3, 96, 96)),
    ("edsr_small_d8_w32_x4.onnx", (3, 48, 48)),
    ("realesr_animevideo_x4.onnx", (3, 48, 48)),
]


def ours(program, model, shape, kernels):
    """Milliseconds of a forward, the median of seven."""
    command = [program, "bench", str(model), "--shape", ",".join(map(str, (1,) + shape))]
    command += ["-k", str(K), "--rounds", "7", "--kernels", kernels, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["forward_ms"]


def theirs(model):
    """The network in PyTorch; None where it cannot be converted."""
    try:
        return convert(onnx.load(model)).eval()
    except Exception as error:  # what onnx2torch does not know, it says in many ways
        print(f"{model.name}: not in PyTorch: {error}", file=sys.stderr)
        return None


@torch.no_grad()
def forward(network, x):
    network(x)
    times = []
    for _ in range(7):
        start = time.perf_counter()
        network(x)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def main():
    warnings.filterwarnings("ignore")
    program, data = sys.argv[1], Path(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    print("| network | own | Burn's | PyTorch's | own over PyTorch's | Burn's over PyTorch's |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, shape in NETWORKS:
        model = data / "models" / name
        network, x = theirs(model), torch.rand((K,) + shape)
        found = {"own": [], "burn": [], "torch": []}
        for _ in range(rounds):
            if network is not None:
                found["torch"].append(forward(network, x))
            for kernels in ("own", "burn"):
                found[kernels].append(ours(program, model, shape, kernels))
        own, burn = (statistics.median(found[kernels]) for kernels in ("own", "burn"))
        row = f"| {name}, {K} × {shape} | {own:.1f} ms | {burn:.1f} ms "
        if network is None:
            print(row + "| – | – | – |", flush=True)
            continue
        torch_ms = statistics.median(found["torch"])
        print(row + f"| {torch_ms:.1f} ms | {own / torch_ms:.2f} | {burn / torch_ms:.2f} |", flush=True)


if __name__ == "__main__":
    main()
