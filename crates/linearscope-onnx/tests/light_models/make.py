"""onnxruntime's scores of the light model-zoo networks with seeded random weights.

    python crates/linearscope-onnx/tests/light_models/make.py DATA_DIR   (needs numpy, onnx, onnxruntime)

Writes onnxruntime.json beside this file: norm and sampled values, f32. The networks keep each
weight as a ConstantOfShape node; here, and in ../light_models.rs alike, the k-th of them becomes
numbers of the sequence splitmix64((k << 32) + i), He-scaled. A softmax at the end is left off.
"""
import json
import os
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ["bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet",
         "squeezenet", "vgg19", "zfnet512"]
SAMPLES = 32


def uniform(stream, count):
    """In [-1, 1): splitmix64."""
    with np.errstate(over="ignore"):
        z = (np.uint64(stream) << np.uint64(32)) + np.arange(count, dtype=np.uint64)
        z = (z + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) / 2.0**52 - 1.0


def role(graph, name):
    """What the first reader takes a weight for."""
    for node in graph.node:
        for index, read in enumerate(node.input):
            if read == name:
                if node.op_type == "Unsqueeze":
                    return role(graph, node.output[0])
                if node.op_type == "BatchNormalization":
                    return {1: "scale", 4: "variance"}.get(index, "bias")
                return "scale" if node.op_type == "Mul" else "bias"
    return "bias"


def filled(path):
    model = onnx.load(path)
    graph = model.graph
    shapes = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    kept, stream = [], 0
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        shape = [int(s) for s in shapes[node.input[0]]]
        u = uniform(stream, int(np.prod(shape)))
        stream += 1
        if len(shape) >= 2:
            values = u * np.sqrt(6.0 / np.prod(shape[1:]))
        else:
            values = {"scale": 1 + 0.2 * u, "variance": 1 + 0.25 * u, "bias": 0.1 * u}[role(graph, node.output[0])]
        values = values.astype(np.float32).reshape(shape)
        graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
    if kept[-1].op_type == "Softmax":
        graph.output[0].name = kept.pop().input[0]
        del graph.output[0].type.tensor_type.shape.dim[:]
    del graph.node[:]
    graph.node.extend(kept)
    return model


def main(data):
    found = {}
    for name in NAMES:
        model = filled(os.path.join(data, "models/light", f"light_{name}.onnx"))
        weights = {t.name for t in model.graph.initializer}
        free = [i.name for i in model.graph.input if i.name not in weights]
        assert len(free) == 1, free
        model.graph.output[0].type.tensor_type.ClearField("shape")
        options = ort.SessionOptions()
        options.log_severity_level = 3
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        x = uniform(1 << 20, 3 * 224 * 224).astype(np.float32).reshape(1, 3, 224, 224)
        y = session.run(None, {free[0]: x})[0].astype(np.float64).ravel()
        at = np.linspace(0, y.size - 1, SAMPLES).astype(int)
        found[name] = {"size": int(y.size), "norm": float(np.linalg.norm(y)), "at": at.tolist(),
                       "values": y[at].tolist()}
        print(name, found[name]["norm"], float(y.std()), float(y.mean()))
    with open(os.path.join(HERE, "onnxruntime.json"), "w") as file:
        json.dump({"onnxruntime": ort.__version__, "networks": found}, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
