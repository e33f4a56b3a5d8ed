"""Ray and Dask with real processes, one of which is killed half-way."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import linearscope as ls
from linearscope._pieces import piece
from linearscope._results import png

PICTURES = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """40 pictures of noise, and what one process makes of them."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        pixels = rng.integers(0, 256, (48, 48, 3), np.uint8)
        (folder / f"{number:02}.png").write_bytes(png(pixels))
    return folder


@pytest.fixture(scope="module")
def alone(vgg, folder):
    return [piece(vgg, str(path), "attribute", None, {}) for path in sorted(folder.iterdir())]


def same(records, alone):
    """Nothing lost, nothing twice, and every byte of every file."""
    assert [record["path"] for record in records] == [record["path"] for record in alone]
    for ours, theirs in zip(records, alone):
        assert {name for name in ours} == {name for name in theirs}
        for name, value in theirs.items():
            assert ours[name] == value, name
    assert {"attribution.npy", "attributions.csv", "manifest.json"} <= set(records[0])


@pytest.fixture
def broken(folder, tmp_path):
    """Two pictures, and between them a file that ends in the middle."""
    names = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    for name, of in zip(names, ("00.png", "01.png", "02.png")):
        name.write_bytes((folder / of).read_bytes())
    names[1].write_bytes(names[1].read_bytes()[:100])
    return tmp_path


def leaves_out(records, alone):
    """The broken picture has a reason in place of files, and the others are as ever."""
    a, b, c = sorted(records, key=lambda record: record["path"])
    assert b["error"] and "b.png" in b["error"] and b["found"] is None
    assert b.get("attribution.npy") is None
    for ours, theirs in ((a, alone[0]), (c, alone[2])):
        assert ours["error"] is None and ours["attribution.npy"] == theirs["attribution.npy"]


def test_a_broken_picture_does_not_stop_dask(vgg, broken, alone):
    distributed = pytest.importorskip("distributed")
    with distributed.Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        leaves_out(ls.dask.analyse(client, broken, vgg, "attribute"), alone)
        # A flag that means nothing is nobody's picture.
        with pytest.raises(ls.InputError, match="no_such"):
            ls.dask.analyse(client, broken, vgg, "attribute", retries=0, no_such=1)


def kill_half_way(done, find, killed):
    """SIGKILL to the first process that is found, when some pictures are done and others are not."""

    def kill():
        until = time.monotonic() + 120
        while not killed and time.monotonic() < until:
            if done() >= 8:
                for pid in find():
                    os.kill(pid, signal.SIGKILL)
                    killed.append((pid, done()))
                    return
            time.sleep(0.02)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


def test_dask_loses_nothing_when_a_worker_is_killed(vgg, folder, alone):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        workers = list(client.run(os.getpid).values())
        assert len(set(workers)) == 2
        killed = []
        def done():
            return sum(task.state == "memory" for task in list(cluster.scheduler.tasks.values()))

        thread = kill_half_way(done, lambda: workers[:1], killed)
        records = ls.dask.analyse(client, folder, vgg, "attribute")
        thread.join()
        assert killed and killed[0][1] < PICTURES
        same(records, alone)
        # Rows in blocks are rows.
        path = folder / "00.png"
        blocks = ls.dask.rows(vgg, path, range(8), block=3)
        assert blocks.shape == (8, 1, 3, 48, 48)
        found = blocks.compute(scheduler=client)
        assert found.tobytes() == vgg.freeze(path).rows(list(range(8))).tobytes()


@pytest.fixture(scope="module")
def two_nodes():
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 2**27})
    cluster.add_node(num_cpus=1, object_store_memory=2**27)
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to find a worker")
def test_ray_loses_nothing_when_a_worker_is_killed(two_nodes, vgg, folder, alone, tmp_path):
    nodes = [two_nodes.head_node, *two_nodes.worker_nodes]
    raylets = {node.all_processes["raylet"][0].process.pid for node in nodes}

    def workers():
        """Actors at work, of our own nodes: Ray writes into a process's title what it does."""
        for entry in Path("/proc").iterdir():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                title = (entry / "cmdline").read_text()
            except (OSError, IndexError, ValueError):
                continue
            if parent in raylets and title.startswith("ray::MapWorker"):
                yield int(entry.name)

    killed = []
    out = tmp_path / "out"
    thread = kill_half_way(lambda: len(list(out.glob("*.parquet"))), workers, killed)
    found = ls.ray.analyse(folder, vgg, "attribute", out=out)
    thread.join()
    assert killed and killed[0][1] < PICTURES
    same(sorted(found.take_all(), key=lambda record: record["path"]), alone)


def test_ray_goes_on_where_it_was(two_nodes, vgg, folder, alone, tmp_path):
    out = tmp_path / "out"
    ls.ray.analyse(sorted(folder.iterdir())[:7], vgg, "attribute", out=out)
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert before
    found = ls.ray.analyse(folder, vgg, "attribute", out=out)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    same(sorted(found.take_all(), key=lambda record: record["path"]), alone)
    # Another question is not answered by these.
    other = ls.ray.analyse(sorted(folder.iterdir())[:2], vgg, "attribute", out=out, target=[1]).take_all()
    assert len(other) == 2 and all(record["found"] != alone[0]["found"] for record in other)
    assert {record["attribution.npy"] for record in other}.isdisjoint(
        record["attribution.npy"] for record in alone
    )


def test_a_broken_picture_does_not_stop_ray(two_nodes, vgg, broken, alone, tmp_path):
    leaves_out(ls.ray.analyse(broken, vgg, "attribute", out=tmp_path / "out").take_all(), alone)
    leaves_out(ls.ray.analyse(broken, vgg, "attribute").take_all(), alone)


def test_rays_rows_are_rows(two_nodes, vgg, folder):
    path = str(folder / "00.png")
    found = ls.ray.rows(vgg, path, range(8), block=3)
    assert found.tobytes() == vgg.freeze(path).rows(list(range(8))).tobytes()
