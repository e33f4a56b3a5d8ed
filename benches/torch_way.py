"""The same questions asked of PyTorch: a forward, torch.func.jvp and vjp, scipy's svds over them.

    python benches/torch_way.py net.onnx n,c,h,w [K]        (needs torch, onnx, onnx2torch; scipy for svds)

Prints milliseconds of a plain forward of K inputs and what K products cost over it: `jvp` is F x for
the network differentiated at x0 (for networks of convolutions, ReLU and pools that is the frozen F),
`vjp` the adjoint. Medians of interleaved rounds, as `linearscope bench` takes them.
"""
import statistics
import sys
import time

try:
    import torch
    from onnx2torch import convert
except ImportError as missing:
    sys.exit(f"skipped: {missing}; the PyTorch way needs torch, onnx and onnx2torch")

ROUNDS = 15


def main(path, shape, k):
    try:
        network = convert(path).eval()
    except NotImplementedError as missing:
        sys.exit(f"skipped: onnx2torch does not convert {path}: {missing}")
    x0 = torch.rand(shape)
    batch = torch.rand(k * shape[0], *shape[1:])
    probes = torch.rand(k, *shape)
    with torch.no_grad():
        y0 = network(x0)
    cotangents = torch.rand(k, *y0.shape)

    def forward():
        with torch.no_grad():
            return network(batch)

    def jvp():
        return torch.func.vmap(lambda v: torch.func.jvp(network, (x0,), (v,))[1])(probes)

    def vjp():
        _, pull = torch.func.vjp(network, x0)
        return torch.func.vmap(pull)(cotangents)

    ways = {"forward": forward, "jvp": jvp, "vjp": vjp}
    times = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if round_:
                times[name].append(1e3 * (time.perf_counter() - start))
    medians = {name: statistics.median(all_) for name, all_ in times.items()}
    base = medians["forward"]
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads: forward of {k} {base:.1f} ms, "
          f"jvp {medians['jvp'] / base:.2f}, vjp {medians['vjp'] / base:.2f} forwards")

    try:
        from scipy.sparse.linalg import LinearOperator, svds
    except ImportError:
        return print("svds is skipped: no scipy")
    n, m = x0.numel(), y0.numel()
    count = [0]
    _, pull = torch.func.vjp(network, x0)

    def matvec(v):
        count[0] += 1
        tangent = torch.from_numpy(v.astype("float32")).reshape(shape)
        return torch.func.jvp(network, (x0,), (tangent,))[1].detach().numpy().ravel()

    def rmatvec(u):
        count[0] += 1
        cotangent = torch.from_numpy(u.astype("float32")).reshape(y0.shape)
        return pull(cotangent)[0].detach().numpy().ravel()

    operator = LinearOperator((m, n), matvec=matvec, rmatvec=rmatvec, dtype="float32")
    start = time.perf_counter()
    sigma = svds(operator, k=8, tol=1e-4, return_singular_vectors=False)
    seconds = time.perf_counter() - start
    print(f"svds top 8: {count[0]} products, {seconds:.2f} s, sigma {sorted(sigma)[::-1]}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], [int(d) for d in sys.argv[2].split(",")],
         int(sys.argv[3]) if len(sys.argv) > 3 else 8)
