"""`linearscope bench --gpu-suite` in PyTorch: the same networks, weights, rows and JSON keys, one object a line.

    python benches/gpu_suite.py [--device cuda] [--scale N] [--rounds N] [--row-limit SECONDS]

Needs numpy and torch; scipy for the rows `svd`. Strict f32: TF32 is off everywhere; cuDNN may choose among its f32
algorithms. Weights are the same numbers (SplitMix64), so `reference_norm` of the rows `freeze` and `sigma` of the rows
`svd` are those of the program, up to rounding; where they differ, the times do not compare.

What PyTorch is asked to do is what an expert writes down by hand: `freeze` runs the network once and keeps masks,
winners of pools, statistics of norms and gains; `replay` is a forward of convolutions without biases that uses them;
`adjoint` goes back through a graph of it that is built once and kept; `rows` are such adjoints of unit vectors, read
back; `svd` is SciPy's ARPACK over both, which counts no products for measuring residuals; `votes` are the conserving
discussions of VGG-19, layer by layer, with everything that does not depend on the class made once. Operations are those
of convolutions and matrices alone; the program counts the others, too, which are one or two in a hundred.
"""
import argparse
import json
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

SEED, TRIPLETS, TOLERANCE, CLASSES, CHUNK = 1, 8, 1e-5, 32, 4
WHOLE = 345.0


def uniform(start, count, seed):
    """Numbers number `start` to `start + count` of SplitMix64, uniform in [-1, 1)."""
    made = np.empty(count)
    for begin in range(0, count, 1 << 22):
        at = np.arange(start + begin + 1, start + min(begin + (1 << 22), count) + 1, dtype=np.uint64)
        with np.errstate(over="ignore"):
            z = np.uint64(seed) + at * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z ^= z >> np.uint64(31)
        made[begin:begin + len(at)] = (z >> np.uint64(11)).astype(np.float64) / float(1 << 52) - 1.0
    return made


def noise(shape, seed, device):
    values = 0.5 + 0.5 * uniform(0, int(np.prod(shape)), seed)
    return torch.from_numpy(values.astype(np.float32)).reshape(shape).to(device)


class Network:
    """Layers with seeded weights; units that are plain, are being frozen, or are frozen."""

    def __init__(self, scale, device):
        self.scale, self.device, self.drawn = scale, device, 0
        self.mode, self.kept, self.at, self.flops = "plain", [], 0, 0

    def width(self, published):
        return max(published // self.scale, 4)

    def draw(self, shape, bound):
        count = int(np.prod(shape))
        values = (bound * uniform(self.drawn, count, SEED)).astype(np.float32)
        self.drawn += count
        return torch.from_numpy(values).reshape(shape).to(self.device)

    def weights(self, shape, outputs, fan_in):
        return self.draw(shape, (6.0 / fan_in) ** 0.5), self.draw([outputs], (1.0 / fan_in) ** 0.5)

    def conv_of(self, to, k):
        return self.weights([to[1], to[0], k, k], to[1], to[0] * k * k)

    def up_of(self, to):
        return self.weights([to[0], to[1], 3, 3], to[1], to[0] * 9 // 4)

    def dense_of(self, to):
        return self.weights([to[0], to[1]], to[1], to[0])

    def bias(self, layer):
        return None if self.mode == "frozen" else layer[1]

    def conv(self, layer, x, pad=0, stride=1):
        y = F.conv2d(x, layer[0], self.bias(layer), stride, pad)
        self.flops += 2 * y.numel() * layer[0][0].numel()
        return y

    def up(self, layer, x):
        self.flops += 2 * x.numel() * layer[0][0].numel()
        return F.conv_transpose2d(x, layer[0], self.bias(layer), 2, 1, 1)

    def dense(self, layer, x):
        self.flops += 2 * x.shape[0] * layer[0].numel()
        return x @ layer[0] if self.mode == "frozen" else torch.addmm(layer[1], x, layer[0])

    def unit(self, x, value, decide, use):
        """`value` of x; what it decides is kept in order, and used in that order."""
        if self.mode == "frozen":
            self.at += 1
            return use(self.kept[self.at - 1])
        if self.mode == "freeze":
            self.kept.append(decide())
        return value()

    def relu(self, x):
        return self.unit(x, lambda: F.relu(x), lambda: (x > 0).to(x.dtype), lambda mask: x * mask)

    def tanh(self, x):
        gain = lambda: torch.where(x == 0, torch.ones_like(x), torch.tanh(x) / x)
        return self.unit(x, lambda: torch.tanh(x), gain, lambda gain: x * gain)

    def norm(self, x):
        return self.unit(x, lambda: F.instance_norm(x, eps=1e-5),
                         lambda: (x.var((2, 3), unbiased=False, keepdim=True) + 1e-5).rsqrt(),
                         lambda over: x * over)

    def pool(self, x, size, ceil):
        def winners():
            return F.max_pool2d(x, size, 2, ceil_mode=ceil, return_indices=True)[1]

        def pick(at):
            picked = x.flatten(2).gather(2, at.flatten(2).expand(x.shape[0], -1, -1))
            return picked.reshape(x.shape[0], *at.shape[1:])
        return self.unit(x, lambda: F.max_pool2d(x, size, 2, ceil_mode=ceil), winners, pick)

    def run(self, mode, x):
        self.mode, self.at, self.flops = mode, 0, 0
        if mode == "freeze":
            self.kept = []
        y = self.forward(x)
        self.mode = "plain"
        return y


class SqueezeNet(Network):
    FIRES = [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)]

    def __init__(self, scale, device, size):
        super().__init__(scale, device)
        width = self.width(64)
        self.first, self.fires = self.conv_of((3, width), 3), []
        for squeezed, branch in self.FIRES:
            squeezed, branch = self.width(squeezed), self.width(branch)
            self.fires.append((self.conv_of((width, squeezed), 1), self.conv_of((squeezed, branch), 1),
                               self.conv_of((squeezed, branch), 3)))
            width = 2 * branch
        self.last = self.conv_of((width, self.width(1000)), 1)

    def forward(self, x):
        x = self.relu(self.conv(self.first, x, 0, 2))
        for number, (squeeze, one, three) in enumerate(self.fires):
            if number in (0, 2, 4):
                x = self.pool(x, 3, True)
            x = self.relu(self.conv(squeeze, x))
            x = torch.cat([self.relu(self.conv(one, x)), self.relu(self.conv(three, x, 1))], 1)
        return self.relu(self.conv(self.last, x)).mean((2, 3))


class CycleGan(Network):
    def __init__(self, scale, device, size):
        super().__init__(scale, device)
        narrow, middle, wide = map(self.width, (64, 128, 256))
        self.down = [self.conv_of((3, narrow), 7), self.conv_of((narrow, middle), 3),
                     self.conv_of((middle, wide), 3)]
        self.blocks = [self.conv_of((wide, wide), 3) for _ in range(18)]
        self.ups = [self.up_of((wide, middle)), self.up_of((middle, narrow))]
        self.last = self.conv_of((narrow, 3), 7)

    def forward(self, x):
        reflect = lambda x, p: F.pad(x, (p, p, p, p), "reflect")
        x = self.relu(self.norm(self.conv(self.down[0], reflect(x, 3))))
        for down in self.down[1:]:
            x = self.relu(self.norm(self.conv(down, x, 1, 2)))
        for one, two in zip(self.blocks[::2], self.blocks[1::2]):
            branch = self.relu(self.norm(self.conv(one, reflect(x, 1))))
            x = x + self.norm(self.conv(two, reflect(branch, 1)))
        for up in self.ups:
            x = self.relu(self.norm(self.up(up, x)))
        return self.tanh(self.conv(self.last, reflect(x, 3)))


class Edsr(Network):
    def __init__(self, scale, device, size):
        super().__init__(scale, device)
        width = self.width(256)
        self.head = self.conv_of((3, width), 3)
        self.body = [self.conv_of((width, width), 3) for _ in range(65)]
        self.ups = [self.conv_of((width, 4 * width), 3) for _ in range(2)]
        self.tail = self.conv_of((width, 3), 3)

    def forward(self, x):
        head = x = self.conv(self.head, x, 1)
        for one, two in zip(self.body[:64:2], self.body[1:64:2]):
            x = x + 0.1 * self.conv(two, self.relu(self.conv(one, x, 1)), 1)
        x = self.conv(self.body[64], x, 1) + head
        for up in self.ups:
            x = F.pixel_shuffle(self.conv(up, x, 1), 2)
        return self.conv(self.tail, x, 1)


class Vgg(Network):
    STAGES = [(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)]

    def __init__(self, scale, device, size):
        super().__init__(scale, device)
        width, self.convs = 3, []
        for channels, count in self.STAGES:
            for _ in range(count):
                self.convs.append(self.conv_of((width, self.width(channels)), 3))
                width = self.width(channels)
        hidden, flat = self.width(4096), width * (size // 32) ** 2
        self.denses = [self.dense_of((flat, hidden)), self.dense_of((hidden, hidden)),
                       self.dense_of((hidden, self.width(1000)))]

    def forward(self, x):
        convs = iter(self.convs)
        for _, count in self.STAGES:
            for _ in range(count):
                x = self.relu(self.conv(next(convs), x, 1))
            x = self.pool(x, 2, False)
        x = self.relu(self.dense(self.denses[0], x.flatten(1)))
        return self.dense(self.denses[2], self.relu(self.dense(self.denses[1], x)))

    def steps(self, x):
        """Layers from first to last, each with what its inputs pass on: (kind, weight, bias, shares, below)."""
        made, convs, alive = [], iter(self.convs), torch.ones_like(x)
        for _, count in self.STAGES:
            for _ in range(count):
                weight, bias = next(convs)
                sums = F.conv2d(alive, weight.abs(), padding=1)
                made.append(("conv", weight, bias, sums, alive))
                x = F.relu(F.conv2d(x, weight, bias, padding=1))
                alive = (x > 0).to(x.dtype)
            x, at = F.max_pool2d(x, 2, 2, return_indices=True)
            made.append(("pool", at, alive.shape, None, None))
            alive = (x > 0).to(x.dtype)
        x, alive = x.flatten(1), alive.flatten(1)
        made.append(("flat", at.shape, None, None, None))
        for weight, bias in self.denses:
            made.append(("dense", weight, bias, alive @ weight.abs(), alive))
            x = F.relu(x @ weight + bias)
            alive = (x > 0).to(x.dtype)
        return made

    def discussions(self, steps, x0, classes):
        """What pixels say for each class, summing to its score: `[classes, 3, h, w]`."""
        q = F.one_hot(classes, self.denses[2][1].numel()).to(x0.dtype)
        s = torch.zeros_like(q)
        for kind, weight, bias, sums, alive in reversed(steps):
            if kind == "flat":
                q, s = (v.reshape(-1, *weight[1:]) for v in (q, s))
                continue
            if kind == "pool":
                q, s = (F.max_unpool2d(v, weight.expand(v.shape[0], -1, -1, -1), 2, output_size=bias[2:])
                        for v in (q, s))
                continue
            s = s + q * (bias if kind == "dense" else bias.reshape(1, -1, 1, 1))
            s = torch.where(sums > 0, s / sums, torch.zeros_like(s))
            if kind == "dense":
                q, s = (q @ weight.T), (s @ weight.abs().T)
            else:
                q = F.conv_transpose2d(q, weight, padding=1)
                s = F.conv_transpose2d(s, weight.abs(), padding=1)
            # The units below that are off pass nothing on; pixels all do.
            q, s = q * alive, s * alive
        return q * x0 + s


OPERATOR = ["load", "freeze", "forward", "replay", "adjoint", "rows", "svd"]
PLANS = [
    ("squeezenet1.1", SqueezeNet, 224, 32, 8, OPERATOR),
    ("cyclegan_9_blocks", CycleGan, 256, 16, 4, OPERATOR),
    ("vgg19", Vgg, 224, 32, 1, ["load", "freeze", "forward", "votes"]),
    ("edsr_32x256_x4", Edsr, 128, 4, 1, OPERATOR),
]


class OutOfTime(Exception):
    pass


class Suite:
    def __init__(self, args):
        self.args, self.began, self.peak = args, time.perf_counter(), None

    def sync(self):
        if self.args.device.startswith("cuda"):
            torch.cuda.synchronize()

    def over(self):
        return time.perf_counter() >= self.deadline

    def rounds(self, work):
        def timed():
            start = time.perf_counter()
            work()
            self.sync()
            return time.perf_counter() - start
        first = last = timed()
        all_ = []
        while len(all_) < self.args.rounds and time.perf_counter() + last < self.deadline:
            last = timed()
            all_.append(1e3 * last)
        if not all_:
            raise OutOfTime
        all_.sort()
        return all_, {"ms": all_[int((len(all_) - 1) * 0.5 + 0.5)], "first_ms": 1e3 * first, "rounds": len(all_)}

    def at_rate(self, figures, flops):
        rate = 1e3 * flops / figures["ms"]
        share = {"peak_share": rate / self.peak} if self.peak else {}
        return figures | {"gflop": flops / 1e9, "gflops": rate / 1e9} | share

    def row(self, row, work):
        """Measure, write, and whether it went well."""
        began = time.perf_counter()
        left = WHOLE - (began - self.began)
        limit = min(self.args.row_limit, left)
        self.deadline = began + limit
        status, because, figures = "ok", None, {}
        if left <= 0:
            status, because = "time", f"not begun: the {WHOLE:.0f} s of the whole suite are used up"
        else:
            try:
                figures = work()
                status = figures.pop("status", "ok")
            except OutOfTime:
                status = "time"
            except Exception as error:  # every backend has its own
                memory = any(word in str(error).lower() for word in ("memory", "allocat"))
                status, because = "memory" if memory else "failed", str(error).splitlines()[0]
            if status == "time":
                because = (f"stopped after {time.perf_counter() - began:.1f} s, "
                           f"the most a row may take is {limit:.1f} s")
        seconds = time.perf_counter() - began if left > 0 else 0.0
        because = {"because": because} if because else {}
        print(json.dumps(row | {"status": status} | because | {"seconds": seconds} | figures), flush=True)
        return status

    def find_peak(self):
        largest, size = max(8192 // self.args.scale, 128), 128
        while True:
            a, b = (torch.rand(size, size, device=self.args.device) for _ in range(2))
            self.sync()
            for _ in range(2):
                start = time.perf_counter()
                a @ b
                self.sync()
            if time.perf_counter() - start >= 0.1 or 2 * size > largest:
                break
            size *= 2
        all_, figures = self.rounds(lambda: a @ b)
        found = self.at_rate(figures | {"ms": all_[0], "size": size}, 2.0 * size ** 3)
        self.peak = 1e9 * found["gflops"]
        return found

    def run(self):
        self.row({"row": "peak"}, self.find_peak)
        for name, kind, size, multiple, k, measures in PLANS:
            size = max(size // self.args.scale // multiple, 1) * multiple
            subject = Subject(self, kind, size, k)
            loaded = None
            for measure in measures:
                row = {"row": measure, "network": name, "input": [1, 3, size, size]}
                if measure in ("forward", "replay", "adjoint"):
                    row["k"] = k
                if loaded not in (None, "ok"):
                    because = "the network was not loaded"
                    print(json.dumps(row | {"status": loaded, "because": because, "seconds": 0.0}), flush=True)
                    continue
                status = self.row(row, getattr(subject, measure))
                loaded = status if measure == "load" else loaded
            del subject
            if self.args.device.startswith("cuda"):
                torch.cuda.empty_cache()


class Subject:
    """A network and the rows that are about it."""

    def __init__(self, suite, kind, size, k):
        self.suite, self.kind, self.size, self.k = suite, kind, size, k
        self.device = suite.args.device

    def load(self):
        start = time.perf_counter()
        self.network = self.kind(self.suite.args.scale, self.device, self.size)
        self.suite.sync()
        return {"ms": 1e3 * (time.perf_counter() - start)}

    def frozen_at(self):
        self.x0 = noise((1, 3, self.size, self.size), 1, self.device)
        with torch.no_grad():
            self.y0 = self.network.run("freeze", self.x0)

    def need_frozen(self):
        if not hasattr(self, "y0"):
            self.frozen_at()

    def freeze(self):
        figures = self.suite.rounds(self.frozen_at)[1]
        return figures | {"reference_norm": float(self.y0.double().norm())}

    def timed(self, work):
        figures = self.suite.rounds(work)[1]
        return self.suite.at_rate(figures, self.network.flops)

    def forward(self):
        x = noise((self.k, 3, self.size, self.size), 2, self.device)
        with torch.no_grad():
            return self.timed(lambda: self.network.run("plain", x))

    def replay(self):
        self.need_frozen()
        x = noise((self.k, 3, self.size, self.size), 3, self.device)
        with torch.no_grad():
            return self.timed(lambda: self.network.run("frozen", x))

    def pull(self, k):
        """Fᵀ for k cotangents at a time: the graph is kept."""
        self.need_frozen()
        probe = torch.zeros((k, 3, self.size, self.size), device=self.device, requires_grad=True)
        made = self.network.run("frozen", probe)
        return made, lambda y: torch.autograd.grad(made, probe, y, retain_graph=True)[0]

    def adjoint(self):
        made, pull = self.pull(self.k)
        y = noise(tuple(made.shape), 3, self.device)
        return self.timed(lambda: pull(y))

    def rows(self):
        self.need_frozen()
        n = self.y0.numel()
        count = min(2 * self.k, n)
        made, pull = self.pull(count)
        y = torch.zeros(count, n, device=self.device)
        for i in range(count):
            y[i, (2 * i + 1) * n // (2 * count)] = 1
        figures = self.suite.rounds(lambda: pull(y.reshape(made.shape)).cpu())[1]
        return figures | {"rows": count, "rows_per_second": 1e3 * count / figures["ms"]}

    def svd(self):
        from scipy.sparse.linalg import LinearOperator, svds

        _, pull = self.pull(1)
        count = [0]

        def flat(work, shape):
            def product(v):
                if self.suite.over():
                    raise OutOfTime
                count[0] += 1
                v = torch.from_numpy(np.ascontiguousarray(v, dtype=np.float32)).reshape(shape)
                return work(v.to(self.device)).cpu().numpy().ravel()
            return product

        def apply(v):
            with torch.no_grad():
                return self.network.run("frozen", v)

        operator = LinearOperator((self.y0.numel(), self.x0.numel()), matvec=flat(apply, self.x0.shape),
                                  rmatvec=flat(pull, self.y0.shape), dtype=np.float32)
        start = time.perf_counter()
        # ARPACK's tolerance is of F^T F: this one leaves residuals of about TOLERANCE.
        u, sigma, vt = svds(operator, k=TRIPLETS, tol=1e-4, random_state=0)
        ms, products = 1e3 * (time.perf_counter() - start), count[0]
        self.suite.deadline = float("inf")
        worst = [max(np.linalg.norm(operator.matvec(v) - s * u_), np.linalg.norm(operator.rmatvec(u_) - s * v))
                 / sigma.max() for s, u_, v in zip(sigma, u.T, vt)]
        good = sorted((float(s) for s, w in zip(sigma, worst) if w <= TOLERANCE), reverse=True)
        return {"ms": ms, "triplets": len(good), "triplets_wanted": TRIPLETS, "tolerance": TOLERANCE,
                "worst_residual": float(max(worst)), "products": products, "sigma": good}

    def votes(self):
        self.need_frozen()
        of = self.y0.numel()

        def hear(count):
            heard, sums = 0, []
            with torch.no_grad():
                steps = self.network.steps(self.x0)
                for begin in range(0, count, CHUNK):
                    if self.suite.over():
                        break
                    classes = torch.arange(begin, min(begin + CHUNK, count), device=self.device)
                    said = self.network.discussions(steps, self.x0, classes)
                    sums.append(said.sum((1, 2, 3)).double().cpu())
                    said.sum(1).cpu()
                    heard += len(classes)
            return heard, sums
        hear(min(CHUNK, of))
        start = time.perf_counter()
        heard, sums = hear(min(CLASSES, of))
        seconds = time.perf_counter() - start
        if not heard:
            raise OutOfTime
        scores = self.y0.flatten()[:heard].double().cpu()
        gap = float(((torch.cat(sums) - scores).abs() / scores.abs()).max())
        return {"ms": 1e3 * seconds, "classes": heard, "ms_per_class": 1e3 * seconds / heard, "classes_of": of,
                "extrapolated_seconds": of * seconds / heard, "largest_gap": gap}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--scale", type=int, default=1, help="divides widths and sizes")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--row-limit", type=float, default=30.0, metavar="SECONDS")
    args = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    name = torch.cuda.get_device_name() if args.device.startswith("cuda") else "cpu"
    header = {"schema": 2, "command": "bench", "row": "suite", "program": f"torch {torch.__version__}",
              "device": args.device, "backend": name, "dtype": "f32", "threads": torch.get_num_threads(), "seed": SEED,
              "scale": args.scale, "rounds": args.rounds, "row_limit_seconds": args.row_limit, "limit_seconds": WHOLE}
    print(json.dumps(header), flush=True)
    Suite(args).run()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
