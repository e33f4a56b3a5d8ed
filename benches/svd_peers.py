"""The eight largest singular triplets: ours, and scipy's ARPACK and PROPACK over PyTorch, in one run.

    python benches/svd_peers.py SVD_BENCH DATA_DIR [ROUNDS]

SVD_BENCH is the program of `cargo bench -p linearscope-benches --bench svd --no-run`, DATA_DIR the
folder with `models` and `images` (needs numpy, onnx, pillow, scipy, torch). The five networks and
sizes of docs/book/src/performance.md, each at a photograph. Two kinds of products for scipy:

  jvp     torch.func.jvp for F, vjp for its adjoint, of the network (of the frozen two-batch network
          where units are smooth): what a user writes down in five lines
  frozen  masks and statistics kept by hand, a forward for F, a retained backward for its adjoint:
          the best that PyTorch can do

Solvers are interleaved round by round; the printed times are medians, ratios are of medians. An
implementation that did not converge is said to have failed, and does not count.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from PIL import Image
from scipy.sparse.linalg import LinearOperator, svds

K = 8
NETWORKS = [
    ("super_resolution_x3_dyn", "set5_x3/butterflyx3.bmp", 64, "y", 1.0),
    ("edsr_small_d8_w32_x4", "set5_x4/butterflyx4.bmp", 48, "rgb", 255.0),
    ("carn_m_x4", "set5_x4/butterflyx4.bmp", 32, "rgb", 1.0),
    ("tiny_style_bedroom", "cat.jpg", 128, "rgb", 255.0),
    ("style_lengstrom_wave", "cat.jpg", 64, "rgb", 255.0),
]


def photograph(path, size, channels, scale):
    image = Image.open(path).convert("RGB")
    if min(image.size) < 2 * size:
        left, top = (image.size[0] - size) // 2, (image.size[1] - size) // 2
        image = image.crop((left, top, left + size, top + size))
    else:
        image = image.resize((size, size))
    if channels == "y":
        pixels = np.asarray(image.convert("YCbCr"), dtype=np.float32)[..., :1]
    else:
        pixels = np.asarray(image, dtype=np.float32)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]) / 255 * scale


class Network:
    """An ONNX graph in PyTorch. `freeze` keeps what its units decide; `frozen` is F then."""

    def __init__(self, path):
        model = onnx.load(path)
        self.graph = model.graph
        self.constants = {t.name: torch.tensor(np.array(numpy_helper.to_array(t)))
                          for t in model.graph.initializer}
        self.smooth = any(n.op_type in ("Tanh", "InstanceNormalization") for n in self.graph.node)
        self.input = next(i.name for i in self.graph.input if i.name not in self.constants)
        self.kept = {}
        self.mode = "plain"

    def __call__(self, x):
        env = {self.input: x}
        for node in self.graph.node:
            a = {k.name: onnx.helper.get_attribute_value(k) for k in node.attribute}
            args = [env[n] if n in env else self.constants.get(n) for n in node.input]
            made = getattr(self, node.op_type)(node.output[0], a, *args)
            env[node.output[0]] = made
        return env[self.graph.output[0].name]

    def freeze(self, x0):
        self.mode = "freeze"
        with torch.no_grad():
            y0 = self(x0)
        self.mode = "plain"
        return y0

    def frozen(self, x):
        self.mode = "frozen"
        y = self(x)
        self.mode = "plain"
        return y

    def bias(self, b):
        return None if self.mode == "frozen" else b

    def unit(self, name, x, value, gain):
        if self.mode == "frozen":
            return x * self.kept[name]
        if self.mode == "freeze":
            self.kept[name] = gain()
        return value()

    def Constant(self, name, a):
        return torch.tensor(np.array(numpy_helper.to_array(a["value"])))

    def Identity(self, name, a, x):
        return x

    def Conv(self, name, a, x, w, b=None):
        p = a.get("pads", [0, 0, 0, 0])
        if p[0] == p[2] and p[1] == p[3]:
            pad = (p[0], p[1])
        else:
            x, pad = F.pad(x, (p[1], p[3], p[0], p[2])), 0
        return F.conv2d(x, w, self.bias(b), a.get("strides", 1), pad, a.get("dilations", 1),
                        a.get("group", 1))

    def ConvTranspose(self, name, a, x, w, b=None):
        p = a.get("pads", [0, 0, 0, 0])
        y = F.conv_transpose2d(x, w, self.bias(b), a.get("strides", 1),
                               output_padding=a.get("output_padding", 0))
        return y[:, :, p[0]:y.shape[2] - p[2], p[1]:y.shape[3] - p[3]]

    def Relu(self, name, a, x):
        return self.unit(name, x, lambda: F.relu(x), lambda: (x > 0).to(x.dtype))

    def Tanh(self, name, a, x):
        return self.unit(name, x, lambda: torch.tanh(x),
                         lambda: torch.where(x == 0, torch.ones_like(x), torch.tanh(x) / x))

    def InstanceNormalization(self, name, a, x, w, b):
        w, b = w.reshape(1, -1, 1, 1), b.reshape(1, -1, 1, 1)
        if self.mode == "frozen":
            return x * self.kept[name]
        mean = x.mean((2, 3), keepdim=True)
        std = (x.var((2, 3), unbiased=False, keepdim=True) + a.get("epsilon", 1e-5)).sqrt()
        if self.mode == "freeze":
            self.kept[name] = w / std
        return w * (x - mean) / std + b

    def Add(self, name, a, x, y):
        # A constant is a source: F has none of it.
        if self.mode == "frozen":
            constants = [t for n, t in self.constants.items() if t is x or t is y]
            if constants:
                return y if constants[0] is x else x
        return x + y

    def Sub(self, name, a, x, y):
        if self.mode == "frozen" and any(t is y for t in self.constants.values()):
            return x
        return x - y

    def Mul(self, name, a, x, y):
        return x * y

    def Div(self, name, a, x, y):
        return x / y

    def Concat(self, name, a, *xs):
        return torch.cat(xs, a["axis"])

    def Reshape(self, name, a, x, shape):
        return x.reshape([x.shape[i] if s == 0 else int(s) for i, s in enumerate(shape.tolist())])

    def Transpose(self, name, a, x):
        return x.permute(a["perm"])

    def DepthToSpace(self, name, a, x):
        b = a["blocksize"]
        if a.get("mode", b"DCR") != b"DCR":
            return F.pixel_shuffle(x, b)
        n, c, h, w = x.shape
        return (x.reshape(n, b, b, c // b ** 2, h, w).permute(0, 3, 4, 1, 5, 2)
                .reshape(n, c // b ** 2, h * b, w * b))

    def Pad(self, name, a, x, pads=None, value=None):
        p = pads.tolist() if pads is not None else a["pads"]
        mode = {b"constant": "constant", b"reflect": "reflect",
                b"edge": "replicate"}[a.get("mode", b"constant")]
        return F.pad(x, (p[3], p[7], p[2], p[6]), mode)


def products(network, x0, y0, kind):
    """F v and its adjoint on flat arrays, and how often they were asked."""
    count = [0]
    zero = torch.zeros_like(x0)
    if kind == "frozen":
        probe = torch.zeros_like(x0, requires_grad=True)
        made = network.frozen(probe)

        def apply(v):
            with torch.no_grad():
                return network.frozen(v)

        def adjoint(u):
            return torch.autograd.grad(made, probe, u, retain_graph=True)[0]
    else:
        def two_batch(x):
            """The frozen network as a hand-rolled one has it: the reference runs along."""
            network.freeze(x0)
            return network.frozen(x)

        f, at = (two_batch, zero) if network.smooth else (network, x0)
        _, pull = torch.func.vjp(f, at)

        def apply(v):
            return torch.func.jvp(f, (at,), (v,))[1].detach()

        def adjoint(u):
            return pull(u)[0]

    def flat(work, shape):
        def product(v):
            count[0] += 1
            v = torch.from_numpy(np.ascontiguousarray(v, dtype=np.float32)).reshape(shape)
            return work(v).numpy().ravel()
        return product

    operator = LinearOperator((y0.numel(), x0.numel()), matvec=flat(apply, x0.shape),
                              rmatvec=flat(adjoint, y0.shape), dtype=np.float32)
    return operator, count


def solve(operator, count, solver):
    count[0] = 0
    start = time.perf_counter()
    try:
        u, sigma, vt = svds(operator, k=K, tol=1e-4, solver=solver, random_state=0)
    except Exception as failure:  # scipy's own kinds differ by solver
        return {"failed": str(failure).splitlines()[0][:60], "products": count[0],
                "seconds": time.perf_counter() - start}
    seconds, used = time.perf_counter() - start, count[0]
    largest = sigma.max()
    worst = max(max(np.linalg.norm(operator.matvec(v) - s * u_),
                    np.linalg.norm(operator.rmatvec(u_) - s * v)) / largest
                for s, u_, v in zip(sigma, u.T, vt))
    return {"seconds": seconds, "products": used, "worst": float(worst),
            "sigma": sorted(map(float, sigma), reverse=True)}


def main(bench, data, rounds):
    ratios = {"jvp": [], "frozen": []}
    for name, image, size, channels, scale in NETWORKS:
        path = os.path.join(data, "models", name + ".onnx")
        x0 = photograph(os.path.join(data, "images", image), size, channels, scale)
        network = Network(path)
        x0_ = torch.from_numpy(x0)
        y0 = network.freeze(x0_)
        found = {}
        with tempfile.TemporaryDirectory() as folder:
            array = os.path.join(folder, "x0.npy")
            np.save(array, x0)
            for _ in range(rounds):
                lines = subprocess.run([bench, path, array, "1", str(K)], check=True,
                                       capture_output=True, text=True).stdout
                found.setdefault("ours", []).append(json.loads(lines.splitlines()[-1]))
                for kind in ("jvp", "frozen"):
                    operator, count = products(network, x0_, y0, kind)
                    for solver in ("arpack", "propack"):
                        found.setdefault(f"{solver} {kind}", []).append(
                            solve(operator, count, solver))
        print(f"\n{name} {list(x0.shape)}")
        medians = {}
        for who, all_ in found.items():
            last = all_[-1]
            seconds = statistics.median(one["seconds"] for one in all_)
            if "failed" in last:
                print(f"  {who:15} {seconds:8.2f} s  {last['products']:5} products  failed: {last['failed']}")
                continue
            medians[who] = seconds
            print(f"  {who:15} {seconds:8.2f} s  {last['products']:5} products  worst residual {last['worst']:.1e}")
        ours = found["ours"][-1]["sigma"]
        for who, all_ in found.items():
            theirs = all_[-1].get("sigma")
            if theirs and max(abs(a - b) / ours[0] for a, b in zip(ours, theirs)) > 1e-3:
                print(f"  {who} has other singular values: {theirs}, ours {ours}")
        for kind in ratios:
            best = min(t for who, t in medians.items() if who.endswith(kind))
            ratios[kind].append(medians["ours"] / best)
            print(f"  ours over the better one, {kind}: {ratios[kind][-1]:.2f}")
    for kind, all_ in ratios.items():
        print(f"\n{kind}: geometric mean {np.exp(np.mean(np.log(all_))):.2f}, largest {max(all_):.2f}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1)
