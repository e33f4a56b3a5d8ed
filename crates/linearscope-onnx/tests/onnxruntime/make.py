"""onnxruntime's outputs of single nodes whose results hang on how sizes are rounded.

    python crates/linearscope-onnx/tests/onnxruntime/make.py   (needs numpy, onnx, onnxruntime)

Writes cases.json beside this file; ../onnxruntime.rs builds the same models. With a number as argument,
that many random cases go to stdout instead, in the same form. The input is the sequence
`linearscope_test_support::numbers::pseudo`, as f32. What onnxruntime refuses is left out.
"""
import json
import os
import random
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
COORDINATES = ["half_pixel", "pytorch_half_pixel", "half_pixel_symmetric", "asymmetric", "align_corners",
               "tf_crop_and_resize"]
NEAREST = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]


def pseudo(shape):
    i = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(1)
    x = (i * np.uint64(2654435761) % np.uint64(1 << 32)).astype(np.float64) / float(1 << 32)
    return x.astype(np.float32).reshape(shape)


def run(case):
    """The case with onnxruntime's output, or None where it refuses."""
    names, weights = ["x"], []
    for name, (kind, values) in case["constants"]:
        names.append(name)
        if name:
            array = np.array(values, dtype={"f": np.float32, "i": np.int64}[kind])
            weights.append(numpy_helper.from_array(array, name))
    node = helper.make_node(case["op"], names, ["y"], "node", **case["attributes"])
    graph = helper.make_graph(
        [node], "case", [helper.make_tensor_value_info("x", TensorProto.FLOAT, case["shape"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", case["opset"])], ir_version=8)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        y = session.run(None, {"x": pseudo(case["shape"])})[0]
    except Exception as error:  # noqa: BLE001 (whatever it is, the case is not one)
        print(str(error)[:150], file=sys.stderr)
        return None
    if y.size == 0 or deviates(case, y.shape):
        return None
    if not np.isfinite(y).all():
        y = np.where(np.isfinite(y), y, -1e30)
    return {**case, "y_shape": list(y.shape), "y": [float(f"{v:.7g}") for v in y.ravel()]}


def resize(shape, scales=None, sizes=None, roi=None, opset=19, **attributes):
    constants = [["roi" if roi else "", ["f", roi or []]]]
    constants.append(["scales" if scales else "", ["f", scales or []]])
    if sizes:
        constants.append(["sizes", ["i", sizes]])
    return {"op": "Resize", "opset": opset, "attributes": attributes, "shape": shape, "constants": constants}


def pool(op, shape, **attributes):
    return {"op": op, "opset": 22 if op != "LpPool" else 18, "attributes": attributes, "shape": shape,
            "constants": []}


def empty(case):
    """A window on fewer cells without ceil_mode: no elements by the standard; onnxruntime gives one."""
    a = case["attributes"]
    if "kernel_shape" not in a or a["ceil_mode"] == 1:
        return False
    axes = range(len(a["kernel_shape"]))
    return any((a["kernel_shape"][i] - 1) * a["dilations"][i] + 1
               > case["shape"][2 + i] + a["pads"][i] + a["pads"][len(axes) + i] for i in axes)


def deviates(case, y_shape):
    """Where onnxruntime leaves the standard, and PyTorch: it copies an input whose shape stays, whatever
    the scales; antialias does so with each axis whose length stays; tf_crop_and_resize does not crop those."""
    if case["op"] != "Resize":
        return False
    attributes, shape = case["attributes"], case["shape"]
    stays = [a == b for a, b in zip(shape, y_shape)]
    if attributes.get("coordinate_transformation_mode") == "tf_crop_and_resize":
        return any(stays[2:])
    scales = [values for name, (_, values) in case["constants"] if name == "scales"]
    odd = [scale != 1 for scale in scales[0]] if scales and len(scales[0]) == len(shape) else [False] * len(shape)
    kept = [a and b for a, b in zip(stays, odd)]
    return any(kept) if attributes.get("antialias") else all(stays) and any(odd)


def chosen():
    """Sizes that do not divide, and scales whose product with a length is not whole or only just."""
    for scales in [[1, 1, 2.5, 0.7], [1, 1, 0.6, 1.5]]:
        for coordinates in COORDINATES:
            roi = [0, 0, 0.2, -0.1, 1, 1, 0.9, 1.2] if coordinates == "tf_crop_and_resize" else None
            extra = {"extrapolation_value": 2.0} if roi else {}
            common = {"coordinate_transformation_mode": coordinates, **extra}
            # Of half_pixel_symmetric the last bit of a whole coordinate is another one, so floor and ceil may be.
            for nearest in NEAREST[:2] if coordinates == "half_pixel_symmetric" else NEAREST:
                yield resize([1, 1, 5, 10], scales, roi=roi, mode="nearest", nearest_mode=nearest, **common)
            yield resize([1, 1, 5, 10], scales, roi=roi, mode="linear", **common)
            yield resize([1, 1, 5, 10], scales, roi=roi, mode="cubic", **common)
            yield resize([1, 1, 5, 10], scales, roi=roi, mode="cubic", exclude_outside=1, cubic_coeff_a=-0.5, **common)
    for coordinates in COORDINATES[:5]:
        common = {"coordinate_transformation_mode": coordinates}
        yield resize([1, 2, 7], [1, 1, 1.7], mode="linear", **common)
        yield resize([1, 1, 3, 5, 2], [1, 1, 1.5, 0.5, 1.3], mode="linear", **common)
        yield resize([1, 1, 3, 5, 2], [1, 1, 1.5, 0.5, 1.3], mode="nearest", **common)
        yield resize([1, 1, 7, 5], sizes=[1, 1, 3, 8], mode="linear", **common)
        yield resize([1, 1, 7, 5], sizes=[1, 1, 1, 8], mode="linear", **common)
        yield resize([1, 1, 7, 5], sizes=[1, 1, 1, 8], mode="nearest", **common)
        yield resize([1, 1, 7, 5], sizes=[1, 1, 3, 8], mode="cubic", **common)
    for antialias in ["linear", "cubic"]:
        for exclude in [0, 1] if antialias == "cubic" else [0]:
            for scales in [[1, 1, 0.6, 0.35], [1, 1, 1.5, 0.7]]:
                yield resize([1, 1, 7, 11], scales, mode=antialias, antialias=1, exclude_outside=exclude)
    for policy in ["stretch", "not_larger", "not_smaller"]:
        for mode in ["nearest", "linear"]:
            yield resize([1, 1, 7, 5], sizes=[9, 4], axes=[2, 3], mode=mode, keep_aspect_ratio_policy=policy)
    yield resize([1, 1, 10, 5], [0.7, 2.6], axes=[3, 2], mode="linear", coordinate_transformation_mode="align_corners")
    for scales in [[1, 1, 0.7, 1.5], [1, 1, 2, 0.6]]:
        for mode in ["nearest", "linear"]:
            case = resize([1, 1, 10, 5], scales, opset=10, mode=mode)
            yield {**case, "constants": case["constants"][1:2]}
    for op in ["MaxPool", "AveragePool", "LpPool"]:
        for size, kernel, stride, pads in [(4, 5, 2, [0, 0]), (3, 5, 1, [1, 0]), (4, 7, 3, [1, 1]), (7, 3, 2, [1, 0]),
                                           (6, 4, 5, [0, 1]), (2, 3, 1, [0, 0])]:
            common = dict(kernel_shape=[kernel], strides=[stride], pads=pads, ceil_mode=1)
            yield pool(op, [1, 2, size], **common)
            if op == "AveragePool":
                yield pool(op, [1, 2, size], **common, count_include_pad=1)
        yield pool(op, [1, 1, 4, 6], kernel_shape=[5, 3], strides=[2, 2], ceil_mode=1)
        yield pool(op, [1, 1, 4, 2, 3], kernel_shape=[3, 3, 2], strides=[2, 2, 2], ceil_mode=1)
        yield pool(op, [1, 1, 4, 6], kernel_shape=[3, 2], strides=[2, 2], dilations=[2, 1], ceil_mode=1)
        yield pool(op, [1, 1, 4, 6], kernel_shape=[5, 7], strides=[2, 2], auto_pad="SAME_UPPER", ceil_mode=1)


def drawn(count):
    random.seed(7)
    for _ in range(count):
        if random.random() < 0.3:
            axes = random.choice([1, 1, 2, 3])
            op = random.choice(["MaxPool", "AveragePool", "LpPool"])
            kernel = [random.randint(1, 6) for _ in range(axes)]
            pads = [random.randint(0, k - 1) for k in kernel] + [random.randint(0, k - 1) for k in kernel]
            extra = {"count_include_pad": random.randint(0, 1)} if op == "AveragePool" else {}
            yield pool(op, [1, 1] + [random.randint(1, 8) for _ in range(axes)], kernel_shape=kernel,
                       strides=[random.randint(1, 4) for _ in range(axes)], pads=pads,
                       dilations=[random.choice([1, 1, 2]) for _ in range(axes)],
                       ceil_mode=random.choice([0, 1, 1]), **extra)
            continue
        mode = random.choice(["nearest", "linear", "cubic"])
        axes = 2 if mode == "cubic" else random.choice([1, 2, 2, 3])
        shape = [1, random.randint(1, 2)] + [random.randint(1, 12) for _ in range(axes)]
        attributes = {"mode": mode, "coordinate_transformation_mode": random.choice(COORDINATES)}
        roi = None
        if attributes["coordinate_transformation_mode"] == "tf_crop_and_resize":
            roi = [0, 0] + [round(random.uniform(-0.2, 0.4), 2) for _ in range(axes)] + [1, 1] + [
                round(random.uniform(0.6, 1.3), 2) for _ in range(axes)]
            attributes["extrapolation_value"] = 3.0
        if mode == "nearest":
            symmetric = attributes["coordinate_transformation_mode"] == "half_pixel_symmetric"
            attributes["nearest_mode"] = random.choice(NEAREST[:2] if symmetric else NEAREST)
        if mode == "cubic":
            attributes["exclude_outside"] = random.randint(0, 1)
            attributes["cubic_coeff_a"] = random.choice([-0.75, -0.5])
        if mode != "nearest" and random.random() < 0.3:
            attributes["antialias"] = 1
        if random.random() < 0.5:
            scales = [1, 1] + [random.choice([round(random.uniform(0.2, 3), 1), round(random.uniform(0.2, 3), 3)])
                               for _ in range(axes)]
            yield resize(shape, scales, roi=roi, **attributes)
        else:
            if random.random() < 0.3:
                attributes["keep_aspect_ratio_policy"] = random.choice(["not_larger", "not_smaller"])
            yield resize(shape, sizes=shape[:2] + [random.randint(1, 20) for _ in range(axes)], roi=roi, **attributes)


def main():
    cases = drawn(int(sys.argv[1])) if len(sys.argv) > 1 else chosen()
    found = [case for case in map(run, (case for case in cases if not empty(case))) if case]
    text = ",\n".join(json.dumps(case, separators=(",", ":")) for case in found)
    text = f'{{"onnxruntime":"{ort.__version__}","onnx":"{onnx.__version__}","cases":[\n{text}\n]}}\n'
    if len(sys.argv) > 1:
        sys.stdout.write(text)
    else:
        with open(os.path.join(HERE, "cases.json"), "w") as file:
            file.write(text)
    print(len(found), "cases", file=sys.stderr)


if __name__ == "__main__":
    main()
