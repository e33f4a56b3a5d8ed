"""Attributions of ResNet-18 at 224², in process: ours through the Python package, and PyTorch's, in turn, in one run.

    python benches/attribute_peers.py [ROUNDS]

linearscope, numpy, onnx, torch and torchvision are in this Python. The network has torchvision's shape and random weights. What is measured:

  one target   freezing at a new picture and the row of its best score; PyTorch: forward, and backward of that score
  64 targets   a target's share of freezing at a new picture and the rows of 64 scores; PyTorch: forward, and backward of each score
               over a kept graph, or of all at once (`is_grads_batched`), whichever is faster
  conserving   freezing and the attribution of one score that adds up to it; PyTorch: as for one target

Prints medians in milliseconds and their ratios, pair by pair.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import linearscope as ls
import numpy as np
import torch
from torchvision.models import resnet18


def timed(call):
    start = time.perf_counter()
    found = call()
    return 1e3 * (time.perf_counter() - start), found


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    torch.manual_seed(0)
    model = resnet18().eval()
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet18.onnx"
        torch.onnx.export(model, torch.zeros(1, 3, 224, 224), path, dynamo=False)
        net = ls.load(path)

    def gradients(x, targets, batched=False):
        x = torch.from_numpy(x).requires_grad_()
        y = model(x)[0]
        if targets is None:
            return [torch.autograd.grad(y[int(y.argmax())], x)[0]]
        if batched:
            units = torch.eye(1000)[targets]
            return list(torch.autograd.grad(y, x, units, is_grads_batched=True)[0])
        return [torch.autograd.grad(y[t], x, retain_graph=True)[0] for t in targets]

    many = list(range(0, 960, 15))
    assert len(many) == 64
    asked = {
        "one target": (
            lambda x: net.freeze(x).rows("top1"),
            [lambda x: gradients(x, None)],
            1,
        ),
        "64 targets, each": (
            lambda x: net.freeze(x).rows(many),
            [lambda x: gradients(x, many), lambda x: gradients(x, many, True)],
            64,
        ),
        "conserving": (
            lambda x: net.freeze(x).attribute("top1", "conserving"),
            [lambda x: gradients(x, None)],
            1,
        ),
    }
    for name, (ours, theirs, share) in asked.items():
        times, ratios = [[], []], []
        for number in range((rounds if share == 1 else max(rounds // 5, 2)) + 1):
            x = random.standard_normal((1, 3, 224, 224)).astype(np.float32)
            mine, found = timed(lambda: ours(x))
            peers = [timed(lambda way=way: way(x)) for way in theirs]
            peer = min(time for time, _ in peers)
            if name != "conserving" and number == 0:
                rows = np.asarray(found).reshape(share, -1)
                grads = torch.stack(peers[0][1]).reshape(share, -1).numpy()
                apart = np.linalg.norm(rows - grads) / np.linalg.norm(grads)
                # Decisions within rounding of their kink may differ.
                assert apart < 1e-2, f"different rows: {apart:.1e}"
            if number > 0:
                times[0].append(mine / share)
                times[1].append(peer / share)
                ratios.append(mine / peer)
        print(
            f"{name:18} ours {statistics.median(times[0]):8.2f} ms   PyTorch {statistics.median(times[1]):8.2f} ms   "
            f"ratio {statistics.median(ratios):.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
