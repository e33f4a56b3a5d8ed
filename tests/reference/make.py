"""References made by other people's code, on networks of the shared data.

    python tests/reference/make.py DATA_DIR     (needs numpy, onnx, onnxruntime, scipy, torch)

Writes beside this file
  onnxruntime.json  norm and sampled values of the plain output of every network (f32)
  twin.json         rows, columns and residuals of three networks by an independent f64
                    implementation of the interpreter (PyTorch, rows by autograd)
  svd.json          the eight largest singular values of the same networks, by scipy's ARPACK on
                    that implementation

Inputs are the fixed sequence of `linearscope_tests::pseudo`. Only sampled numbers are kept.
"""
import json
import os
import re
import sys

import numpy as np
import onnx
import onnxruntime as ort
import scipy.sparse.linalg
import torch
import torch.nn.functional as F
from onnx import numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLES = 64


def pseudo(numel, offset=0):
    i = np.arange(numel, dtype=np.uint64) + np.uint64(offset + 1)
    return (i * np.uint64(2654435761) % np.uint64(1 << 32)).astype(np.float64) / float(1 << 32)


def networks():
    source = open(os.path.join(HERE, "../src/lib.rs")).read()
    for name, shape, scale in re.findall(r'real\("([^"]+)", \[([^\]]+)\], ([0-9.]+)\)', source):
        yield name, [int(s) for s in shape.split(",")], float(scale)


def sampled(x):
    x = np.asarray(x, dtype=np.float64).ravel()
    # Half spread evenly, half where the values are largest: a row is zero nearly everywhere.
    even = np.linspace(0, x.size - 1, min(SAMPLES // 2, x.size)).astype(int)
    large = np.argsort(-np.abs(x), kind="stable")[:SAMPLES // 2]
    at = sorted({int(j) for j in np.concatenate([even, large])})
    return {"size": int(x.size), "norm": float(np.linalg.norm(x)), "at": at,
            "values": [float(x[j]) for j in at]}


class Twin:
    """y(x) = F x + r in f64: every op on (reference, probe), non-linear units frozen."""

    def __init__(self, path):
        model = onnx.load(path)
        self.graph = model.graph
        self.weights = {t.name: torch.tensor(np.array(numpy_helper.to_array(t)))
                        for t in model.graph.initializer}
        self.weights = {k: (v.double() if v.is_floating_point() else v)
                        for k, v in self.weights.items()}

    def run(self, x0, x1):
        env = {self.graph.input[0].name: (x0, x1)}
        for node in self.graph.node:
            a = {k.name: onnx.helper.get_attribute_value(k) for k in node.attribute}
            args = [env.get(n, self.weights.get(n)) for n in node.input]
            env[node.output[0]] = getattr(self, node.op_type)(a, *args)
        return env[self.graph.output[0].name]

    @staticmethod
    def both(f, x):
        return f(x[0]), f(x[1])

    def Conv(self, a, x, w, b=None):
        p = a.get("pads", [0, 0, 0, 0])
        pad = lambda t: F.pad(t, (p[1], p[3], p[0], p[2]))
        return self.both(lambda t: F.conv2d(pad(t), w, b, a.get("strides", 1), 0,
                                            a.get("dilations", 1), a.get("group", 1)), x)

    def ConvTranspose(self, a, x, w, b=None):
        p = a.get("pads", [0, 0, 0, 0])

        def f(t):
            y = F.conv_transpose2d(t, w, b, a.get("strides", 1))
            return y[:, :, p[0]:y.shape[2] - p[2], p[1]:y.shape[3] - p[3]]
        return self.both(f, x)

    def Relu(self, a, x):
        mask = (x[0] > 0).double()
        return x[0] * mask, x[1] * mask

    def MaxPool(self, a, x):
        assert not any(a.get("pads", [0]))
        kwargs = dict(kernel_size=a["kernel_shape"], stride=a["strides"],
                      ceil_mode=bool(a.get("ceil_mode", 0)))
        y, index = F.max_pool2d(x[0], return_indices=True, **kwargs)
        return y, x[1].flatten(2).gather(2, index.flatten(2)).reshape(y.shape)

    def InstanceNormalization(self, a, x, w, b):
        mean = x[0].mean((2, 3), keepdim=True)
        std = (x[0].var((2, 3), unbiased=False, keepdim=True) + a.get("epsilon", 1e-5)).sqrt()
        w, b = w.reshape(1, -1, 1, 1), b.reshape(1, -1, 1, 1)
        return self.both(lambda t: w * (t - mean) / std + b, x)

    def Tanh(self, a, x):
        safe = torch.where(x[0] == 0, torch.ones_like(x[0]), x[0])
        gain = torch.where(x[0] == 0, torch.ones_like(x[0]), torch.tanh(safe) / safe)
        return torch.tanh(x[0]), gain * x[1]

    def Add(self, a, x, y):
        pair = lambda t: t if isinstance(t, tuple) else (t, t)
        (x0, x1), (y0, y1) = pair(x), pair(y)
        return x0 + y0, x1 + y1

    def Mul(self, a, x, y):
        if not isinstance(x, tuple):
            x, y = y, x
        return self.both(lambda t: t * y, x)

    def Concat(self, a, *xs):
        return tuple(torch.cat([x[i] for x in xs], a["axis"]) for i in (0, 1))

    def GlobalAveragePool(self, a, x):
        return self.both(lambda t: t.mean((2, 3), keepdim=True), x)

    def Flatten(self, a, x):
        return self.both(lambda t: t.flatten(a.get("axis", 1)), x)

    def DepthToSpace(self, a, x):
        b = a["blocksize"]

        def f(t):
            n, c, h, w = t.shape
            if a.get("mode", b"DCR") == b"DCR":
                return (t.reshape(n, b, b, c // b ** 2, h, w).permute(0, 3, 4, 1, 5, 2)
                        .reshape(n, c // b ** 2, h * b, w * b))
            return F.pixel_shuffle(t, b)
        return self.both(f, x)

    def Pad(self, a, x, pads, value=None):
        p = pads.tolist()
        mode = {b"constant": "constant", b"reflect": "reflect", b"edge": "replicate"}[a.get("mode", b"constant")]
        assert mode != "constant" or value is None or float(value) == 0.0
        return self.both(lambda t: F.pad(t, (p[3], p[7], p[2], p[6]), mode), x)


def twin(data, name, shape, scale):
    net = Twin(os.path.join(data, "models", name + ".onnx"))
    x0 = torch.tensor(pseudo(int(np.prod(shape))).reshape(shape) * scale)
    # The Rust side rounds its input to f32 first.
    x0 = x0.float().double()
    y0, r = net.run(x0, torch.zeros_like(x0))
    column_at = x0.numel() // 2 + shape[3] // 2
    row_at = y0.numel() // 2 + y0.shape[-1] // 2 if y0.dim() == 4 else int(y0.argmax())
    delta = torch.zeros_like(x0).flatten()
    delta[column_at] = 1.0
    column = net.run(x0, delta.reshape(shape))[1] - r
    probe = torch.zeros_like(x0, requires_grad=True)
    y1 = net.run(x0, probe)[1]
    (row,) = torch.autograd.grad(y1.flatten()[row_at], probe)
    return {"shape": shape, "scale": scale, "column_at": column_at, "row_at": row_at,
            "reference": sampled(y0), "residual": sampled(r), "column": sampled(column),
            "row": sampled(row)}


def singular_values(data, name, shape, scale):
    net = Twin(os.path.join(data, "models", name + ".onnx"))
    x0 = torch.tensor(pseudo(int(np.prod(shape))).reshape(shape) * scale).float().double()
    y0, r = net.run(x0, torch.zeros_like(x0))

    def apply(v):
        return (net.run(x0, torch.tensor(v).reshape(shape))[1] - r).flatten().numpy()

    def adjoint(u):
        probe = torch.zeros_like(x0, requires_grad=True)
        y1 = net.run(x0, probe)[1]
        (row,) = torch.autograd.grad(y1, probe, torch.tensor(u).reshape(y1.shape))
        return row.flatten().numpy()

    operator = scipy.sparse.linalg.LinearOperator(
        (y0.numel(), x0.numel()), matvec=apply, rmatvec=adjoint, dtype=np.float64)
    found = scipy.sparse.linalg.svds(operator, k=8, tol=1e-9, return_singular_vectors=False,
                                     random_state=0)
    return {"shape": shape, "scale": scale, "sigma": sorted(map(float, found), reverse=True)}


def main(data):
    plain = {}
    for name, shape, scale in networks():
        session = ort.InferenceSession(os.path.join(data, "models", name + ".onnx"),
                                       providers=["CPUExecutionProvider"])
        x = (pseudo(int(np.prod(shape))) * scale).astype(np.float32).reshape(shape)
        (y,) = session.run(None, {session.get_inputs()[0].name: x})[:1]
        plain[name] = sampled(y) | {"shape": list(y.shape)}
        print(f"{name:36} {list(y.shape)}")
    with open(os.path.join(HERE, "onnxruntime.json"), "w") as f:
        json.dump(plain, f, indent=1)
    three = [net for net in networks()
             if net[0] in ("super_resolution_x3_dyn", "squeezenet1.1", "tiny_style_bedroom")]
    for file, of in (("twin.json", twin), ("svd.json", singular_values)):
        with open(os.path.join(HERE, file), "w") as f:
            json.dump({net[0]: of(data, *net) for net in three}, f, indent=1)


if __name__ == "__main__":
    main(sys.argv[1])
