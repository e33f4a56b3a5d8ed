#!/usr/bin/env python3
"""How long a row and a column take under the pointer: the explorer asked at scripted places.

    benches/explorer_latency.py target/release/linearscope MODEL --input PIC [any flag of `linearscope explore`]

Starts the server, asks 200 places for a row of the output and a column of the input, and 200 classes for their attribution, as
the page does (one after the other, over one connection), and prints median and 95th percentile of the time until the last byte is here, in ms.
Standard library only. Places are the same in every run.
"""

import argparse
import http.client
import json
import random
import statistics
import subprocess
import sys
import time


def places(shape, count, dice):
    """Places of a picture, all channels; of scores the classes, best first."""
    if len(shape) == 3:
        _, h, w = shape
        return [f"all,{dice.randrange(h)},{dice.randrange(w)}" for _ in range(count)]
    return [str(dice.randrange(shape[-1])) for _ in range(count)]


def ask(connection, path):
    began = time.perf_counter()
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    took = 1e3 * (time.perf_counter() - began)
    if response.status != 200:
        sys.exit(f"{path}: {response.status} {body[:300]!r}")
    return took, float(response.headers.get("Linearscope-Ms", "nan")), len(body)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--json", action="store_true", help="print numbers as JSON")
    ours, rest = parser.parse_known_args()
    command = [ours.program, "explore", *rest, "--no-open", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        link = server.stdout.readline().strip()
        host = link.removeprefix("http://").split("/")[0]
        if not host:
            sys.exit("the server did not start")
        connection = http.client.HTTPConnection(host, timeout=600)
        connection.request("GET", "/api/session")
        net = json.loads(connection.getresponse().read())["nets"][0]
        dice = random.Random(0)
        found = {}
        kinds = [("row", "row?at=", net["output_shape"]), ("column", "column?at=", net["input_shape"])]
        if len(net["output_shape"]) != 3:
            # What the page asks while the pointer is on a class.
            kinds.append(("class", "attribution?method=conserving&target=", net["output_shape"]))
        for what, question, shape in kinds:
            asked = [f"/api/{question}{at}&hover=1&client=bench" for at in places(shape, ours.count + 3, dice)]
            for path in asked[:3]:
                ask(connection, path)
            took = [ask(connection, path) for path in asked[3:]]
            times = sorted(one[0] for one in took)
            found[what] = {
                "median_ms": round(statistics.median(times), 2),
                "p95_ms": round(times[int(0.95 * (len(times) - 1))], 2),
                "median_kB": round(statistics.median(one[2] for one in took) / 1e3, 1),
            }
        if ours.json:
            print(json.dumps({"model": net["model"], "input": net["input_shape"], **found}))
            return
        shapes = " → ".join("×".join(map(str, net[end])) for end in ("input_shape", "output_shape"))
        print(f"{net['model']} {shapes}")
        for what, one in found.items():
            print(f"  {what:7} median {one['median_ms']:8.2f} ms  95th {one['p95_ms']:8.2f} ms  {one['median_kB']} kB")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
