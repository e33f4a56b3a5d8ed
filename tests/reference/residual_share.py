"""squeezenet1.1's residual share over labelled photographs, by PyTorch and torchvision alone.

    python tests/reference/residual_share.py DATA     (needs torch, torchvision, pillow, numpy, onnx, onnxruntime)

The network is piecewise linear, so F x = ⟨∇y, x⟩ and the share of the best score y is 1 − ⟨∇y, x⟩ / y, by autograd.
Pictures go through torchvision's pipeline. With torch 2.15, torchvision 0.29.2 and Pillow 13 it prints 88.47 ± 9.71 %,
which crates/linearscope-cli/tests/classifiers.rs holds the library to.
"""
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from PIL import Image
from torchvision.models import squeezenet1_1
from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor

data = Path(sys.argv[1])
path = str(data / "models/squeezenet1.1.onnx")
graph = onnx.load(path).graph
weights = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
network = squeezenet1_1(weights=None).eval()
convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
for conv, node in zip(convolutions, [n for n in graph.node if n.op_type == "Conv"], strict=True):
    assert tuple(conv.weight.shape) == weights[node.input[1]].shape, node.name
    conv.weight.data = torch.tensor(weights[node.input[1]])
    conv.bias.data = torch.tensor(weights[node.input[2]])
for pool in network.modules():
    if isinstance(pool, torch.nn.MaxPool2d):
        pool.ceil_mode = False  # as in the file
session = onnxruntime.InferenceSession(path)
pipeline = Compose(
    [Resize(256), CenterCrop(224), ToTensor(), Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
)

shares, gap = [], 0.0
for file in sorted((data / "images/imagenet_curated").glob("*.JPEG")):
    x = pipeline(Image.open(file).convert("RGB"))[None].requires_grad_()
    y = network(x)[0]
    expected = session.run(None, {session.get_inputs()[0].name: x.detach().numpy()})[0].ravel()
    gap = max(gap, np.abs(expected - y.detach().numpy()).max())
    best = y[y.argmax()]
    best.backward()
    shares.append(1 - (x.grad * x).sum().item() / best.item())
assert gap < 1e-3, f"this is not the network of the file: scores differ by {gap}"
shares = 100 * np.array(shares)
print(f"{shares.mean():.2f} ± {shares.std(ddof=1):.2f} % over {len(shares)} photographs, scores within {gap:.0e}")
