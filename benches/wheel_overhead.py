"""What the Python package adds to a call of the library: contributions of one score, in turn with Rust, in one run.

    python benches/wheel_overhead.py RUST_BENCH MODEL.onnx PICTURE [ROUNDS]

RUST_BENCH is the program of `cargo bench --bench contributions --no-run`; linearscope, NumPy and pandas are in this Python. The
picture is preprocessed as ImageNet's are. Prints medians in milliseconds and their ratio, with a DataFrame and without.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import linearscope as ls
import numpy as np

IMAGENET = dict(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), resize=256, crop=224)


def main() -> None:
    program, model, picture, *rest = sys.argv[1:]
    rounds = int(rest[0]) if rest else 60
    f = ls.load(model, **IMAGENET).freeze(picture)
    target = int(f.y0.argmax())
    times = {"rust": [], "python": [], "python, a DataFrame": []}
    with tempfile.TemporaryDirectory() as folder:
        x0 = Path(folder) / "x0.npy"
        np.save(x0, f.x0.astype(np.float32))
        rust = subprocess.Popen(
            [program, model, x0, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for number in range(rounds + 5):
            rust.stdin.write("\n")
            rust.stdin.flush()
            milliseconds, score = map(float, rust.stdout.readline().split())
            start = time.perf_counter()
            found = f._point.contributions(str(target), None)
            raw = time.perf_counter() - start
            start = time.perf_counter()
            table = f.contributions(target)
            whole = time.perf_counter() - start
            assert abs(table.attrs["score"] - score) < 1e-4 * abs(score), (table.attrs, score, found)
            if number >= 5:
                times["rust"].append(milliseconds)
                times["python"].append(1e3 * raw)
                times["python, a DataFrame"].append(1e3 * whole)
        rust.stdin.close()
        rust.wait()
    base = statistics.median(times["rust"])
    for name, all_of_them in times.items():
        median = statistics.median(all_of_them)
        paired = statistics.median(a / b for a, b in zip(all_of_them, times["rust"]))
        print(f"{name:22} {median:8.2f} ms   {median / base:.3f} of Rust, pair by pair {paired:.3f}")


if __name__ == "__main__":
    main()
