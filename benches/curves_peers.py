"""How cost grows: with the picture, with depth, with the triplets asked for, with the number of pictures. Ours, and PyTorch's.

    python benches/curves_peers.py PROGRAM SVD_BENCH DATA_DIR [size|depth|triplets|svd|pictures ...]

PROGRAM is `linearscope`, SVD_BENCH the program of `cargo bench -p linearscope-benches --bench svd --no-run`, DATA_DIR the folder with
`models` and `images` (needs what `svd_peers.py` and `contributions_peers.py` need). Each curve is a table with the slope of its columns in
log-log over its last three points: 1 is proportional. Both sides are measured one after the other at each point.

  size      super_resolution_x3_dyn, 64² to 1024²: one product with F and one with its transpose, k = 1, milliseconds. PyTorch: frozen by
            hand, see `svd_peers.py`
  depth     3×3 convolutions of 32 channels with ReLUs at 64², seeded, 4 to 64 of them: the same
  triplets  svd of super_resolution_x3_dyn at 64², k = 1 to 32: seconds and products. PyTorch: ARPACK over products frozen by hand
  svd       the same for k = 8 at 64² to 256², with the peak of resident memory; at 512² ours alone, with zeros for ARPACK
  pictures  contributions of squeezenet1.1 for 1 to 104 photographs: seconds of the whole process. PyTorch: the same, see
            `contributions_peers.py`, without starting
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

import contributions_peers
import svd_peers

ROUNDS = 9


def slope(points):
    """The exponent over the last three points."""
    x, y = np.log(np.array(points[-3:], dtype=float).T)
    return float(np.polyfit(x, y, 1)[0])


def table(title, head, rows):
    print(f"\n{title}\n\n| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    for row in rows:
        print("| " + " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row) + " |")
    slopes = [slope([(row[0], row[i]) for row in rows if row[i] > 0]) for i in range(1, len(head))]
    print("| slope | " + " | ".join(f"{s:.2f}" for s in slopes) + " |", flush=True)


def ours(program, model, shape):
    """Milliseconds of a replay and an adjoint."""
    lines = subprocess.run([program, "bench", model, "--shape", ",".join(map(str, shape)), "-k", "1", "--json"],
                           check=True, capture_output=True, text=True).stdout
    found = json.loads(lines)
    return [found["forward_ms"] * found[f"{way}_over_forward"] for way in ("replay", "adjoint")]


def theirs(model, shape):
    """The same, frozen by hand."""
    network = svd_peers.Network(model)
    x0 = torch.from_numpy(np.random.default_rng(0).standard_normal(shape).astype(np.float32))
    y0 = network.freeze(x0)
    probe = torch.zeros_like(x0, requires_grad=True)
    made = network.frozen(probe)
    u, v = torch.ones_like(y0), torch.ones_like(x0)
    times = [[], []]
    for _ in range(ROUNDS):
        start = time.perf_counter()
        with torch.no_grad():
            network.frozen(v)
        middle = time.perf_counter()
        torch.autograd.grad(made, probe, u, retain_graph=True)
        times[0].append(middle - start)
        times[1].append(time.perf_counter() - middle)
    return [1e3 * statistics.median(way) for way in times]


def by_size(program, _, data):
    model = os.path.join(data, "models", "super_resolution_x3_dyn.onnx")
    rows = []
    for size in (64, 128, 256, 512, 1024):
        shape = (1, 1, size, size)
        rows.append([size, *ours(program, model, shape), *theirs(model, shape)])
    table("super_resolution_x3_dyn, one product, ms", ["pixels a side", "F", "Fᵀ", "F, PyTorch", "Fᵀ, PyTorch"], rows)


def chain(path, depth, channels=32, size=64):
    """A seeded chain of convolutions and ReLUs."""
    rng = np.random.default_rng(depth)
    nodes, weights, name = [], [], "x"
    for i in range(depth):
        fan = (3 if i == 0 else channels)
        w = rng.standard_normal((channels, fan, 3, 3)).astype(np.float32) * (2 / (9 * fan)) ** 0.5
        b = 0.1 * rng.standard_normal(channels).astype(np.float32)
        weights += [numpy_helper.from_array(w, f"w{i}"), numpy_helper.from_array(b, f"b{i}")]
        nodes.append(helper.make_node("Conv", [name, f"w{i}", f"b{i}"], [f"c{i}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"]))
        name = f"r{i}"
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, c, size, size]) for n, c in (("x", 3), (name, channels))]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return 1, 3, size, size


def by_depth(program, _, __):
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for depth in (4, 8, 16, 32, 64):
            model = os.path.join(folder, f"chain{depth}.onnx")
            shape = chain(model, depth)
            rows.append([depth, *ours(program, model, shape), *theirs(model, shape)])
    table("a chain of convolutions, one product, ms", ["layers", "F", "Fᵀ", "F, PyTorch", "Fᵀ, PyTorch"], rows)


def by_triplets(_, bench, data):
    path = os.path.join(data, "models", "super_resolution_x3_dyn.onnx")
    x0 = svd_peers.photograph(os.path.join(data, "images", "set5_x3/butterflyx3.bmp"), 64, "y", 1.0)
    network = svd_peers.Network(path)
    y0 = network.freeze(torch.from_numpy(x0))
    operator, count = svd_peers.products(network, torch.from_numpy(x0), y0, "frozen")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        array = os.path.join(folder, "x0.npy")
        np.save(array, x0)
        for k in (1, 2, 4, 8, 16, 32):
            lines = subprocess.run([bench, path, array, "1", str(k)], check=True, capture_output=True, text=True).stdout
            mine = json.loads(lines.splitlines()[-1])
            svd_peers.K = k
            peer = svd_peers.solve(operator, count, "arpack")
            rows.append([k, float(mine["seconds"]), mine["products"], float(peer["seconds"]), peer["products"]])
    table("super_resolution_x3_dyn at 64², singular triplets", ["k", "s", "products", "s, ARPACK", "products, ARPACK"], rows)


def measured(command):
    """What a command prints last, and its peak of resident memory in MB, to a hundredth of a second."""
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen(command, stdout=out)
        peak = 0
        while child.poll() is None:
            try:
                with open(f"/proc/{child.pid}/status") as status:
                    peak = max([peak, *(int(line.split()[1]) for line in status if line.startswith("VmHWM"))])
            except OSError:
                pass
            time.sleep(0.01)
        if child.returncode != 0:
            raise subprocess.CalledProcessError(child.returncode, command)
        out.seek(0)
        return json.loads(out.read().splitlines()[-1]), peak / 1024


def by_area(_, bench, data):
    path = os.path.join(data, "models", "super_resolution_x3_dyn.onnx")
    rows = []
    svd_peers.K = 8
    with tempfile.TemporaryDirectory() as folder:
        for size in (64, 128, 256, 512):
            x0 = svd_peers.photograph(os.path.join(data, "images", "cat.jpg"), size, "y", 1.0)
            array = os.path.join(folder, "x0.npy")
            np.save(array, x0)
            mine, peak = measured([bench, path, array, "1", "8"])
            peer = {"seconds": 0, "products": 0}
            if size < 512:
                network = svd_peers.Network(path)
                y0 = network.freeze(torch.from_numpy(x0))
                operator, count = svd_peers.products(network, torch.from_numpy(x0), y0, "frozen")
                peer = svd_peers.solve(operator, count, "arpack")
            rows.append([size, float(mine["seconds"]), mine["products"], peak, float(peer["seconds"]), peer["products"]])
    table("super_resolution_x3_dyn, 8 triplets", ["pixels a side", "s", "products", "MB", "s, ARPACK", "products, ARPACK"], rows)


def by_pictures(program, _, data):
    model_path = os.path.join(data, "models", "squeezenet1.1.onnx")
    pictures = os.path.join(data, "images", "imagenet_curated")
    names = sorted(n for n in os.listdir(pictures) if n.lower().endswith((".jpg", ".jpeg", ".png")))
    model = contributions_peers.convert(model_path).eval()
    rows = []
    with tempfile.TemporaryDirectory() as work:
        for count in (1, 4, 26, 104):
            folder = os.path.join(work, f"pictures{count}")
            os.mkdir(folder)
            paths = []
            for i in range(count):
                name = names[i % len(names)]
                paths.append(os.path.join(folder, f"{i:03}_{name}"))
                shutil.copy(os.path.join(pictures, name), paths[-1])
            mine = min(contributions_peers.ours(program, model_path, folder, os.path.join(work, "out")) for _ in range(3))
            peer = min(contributions_peers.theirs(model, paths)[0] for _ in range(3))
            rows.append([count, float(mine), float(peer)])
    table("contributions of squeezenet1.1, s", ["pictures", "whole process", "PyTorch, without starting"], rows)


CURVES = {"size": by_size, "depth": by_depth, "triplets": by_triplets, "svd": by_area, "pictures": by_pictures}

if __name__ == "__main__":
    if len(sys.argv) < 4 or any(curve not in CURVES for curve in sys.argv[4:]):
        sys.exit(__doc__)
    for curve in sys.argv[4:] or CURVES:
        CURVES[curve](*sys.argv[1:4])
