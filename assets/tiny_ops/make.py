"""Makes tiny_ops.onnx: seeded random weights, one node or more of every op family the loader has.

    python assets/tiny_ops/make.py       (needs numpy, onnx, onnxruntime)

Not trained and not meant to mean anything: it is what a clean clone tests the loader, the rules
and their adjoints on. Writes expected.npy beside it, onnxruntime's output for input.npy.
"""
import os

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(11)
nodes, weights = [], []


def const(name, array):
    weights.append(numpy_helper.from_array(np.asarray(array), name))
    return name


def rand(name, *shape, scale=1.0, shift=0.0):
    return const(name, (rng.standard_normal(shape) * scale + shift).astype(np.float32))


def node(op, inputs, name, **attributes):
    nodes.append(helper.make_node(op, inputs, [f"{name}_out"], name=name, **attributes))
    return f"{name}_out"


def conv(x, name, c_in, c_out, k, bias=True, **attributes):
    fan = c_in * k * k
    inputs = [x, rand(f"{name}.weight", c_out, c_in // attributes.get("group", 1), k, k, scale=(2 / fan) ** 0.5)]
    if bias:
        inputs.append(rand(f"{name}.bias", c_out, scale=0.1))
    return node("Conv", inputs, name, **attributes)


x = node("Pad", ["input", const("pads", np.array([0, 0, 1, 2, 0, 0, 2, 1], np.int64))], "pad", mode="reflect")
x = conv(x, "conv1", 3, 8, 3)
x = node("InstanceNormalization", [x, rand("norm.weight", 8, scale=0.3, shift=1), rand("norm.bias", 8, scale=0.2)], "norm")
skip = node("LeakyRelu", [x], "leaky", alpha=0.2)
x = conv(skip, "conv2", 8, 8, 3, pads=[1] * 4, group=2)
x = node("BatchNormalization", [x, rand("bn.weight", 8, scale=0.3, shift=1), rand("bn.bias", 8, scale=0.2),
                                rand("bn.mean", 8, scale=0.2), const("bn.var", rng.uniform(0.5, 2, 8).astype(np.float32))], "bn")
x = node("PRelu", [x, rand("prelu.slope", 8, 1, 1, scale=0.2)], "prelu")
x = node("Add", [x, skip], "skip")
x = node("MaxPool", [x], "maxpool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
left = conv(x, "conv3", 8, 6, 3, auto_pad="SAME_UPPER")
right = node("AveragePool", [x], "avgpool", kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4)
x = node("Concat", [left, right], "concat", axis=1)
x = node("Clip", [x, const("low", np.float32(-1)), const("high", np.float32(1.5))], "clip")
x = node("ConvTranspose", [x, rand("up.weight", 14, 8, 4, 4, scale=0.12), rand("up.bias", 8, scale=0.1)], "up",
         strides=[2, 2], pads=[0, 1, 1, 1])
x = node("Slice", [x, const("starts", np.array([1, 0], np.int64)), const("ends", np.array([-1, 13], np.int64)),
                   const("axes", np.array([2, 3], np.int64))], "slice")
x = node("Tanh", [x], "tanh")
x = node("Resize", [x, "", const("scales", np.array([1, 1, 2, 2], np.float32))], "resize", mode="linear",
         coordinate_transformation_mode="half_pixel")
x = node("Mul", [x, rand("gain", 1, 8, 1, 1)], "gain_mul")
x = node("DepthToSpace", [x], "shuffle", blocksize=2, mode="DCR")
x = node("Sub", [x, rand("shift", 1, 2, 1, 1)], "shift_sub")
x = node("Sigmoid", [x], "sigmoid")
x = node("Transpose", [x], "transpose", perm=[0, 2, 3, 1])
x = node("ReduceMean", [x], "reduce", axes=[2], keepdims=0)
x = node("Flatten", [x], "flatten", axis=1)
probe = helper.make_graph(nodes, "probe", [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 11, 13])],
                          [helper.make_tensor_value_info(x, TensorProto.FLOAT, None)], weights)
width = ort.InferenceSession(helper.make_model(probe, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
                             .SerializeToString()).run(None, {"input": np.zeros((1, 3, 11, 13), np.float32)})[0].shape[1]
x = node("Gemm", [x, rand("fc1.weight", 16, width, scale=width ** -0.5), rand("fc1.bias", 16, scale=0.1)], "fc1", transB=1)
x = node("Abs", [x], "abs")
x = node("MatMul", [x, rand("fc2.weight", 16, 5, scale=0.25)], "fc2")
nodes.append(helper.make_node("Add", [x, rand("fc2.bias", 5)], ["output"], name="fc2_bias"))

graph = helper.make_graph(nodes, "tiny_ops", [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 11, 13])],
                          [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", 5])], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
onnx.checker.check_model(model)
path = os.path.join(HERE, "tiny_ops.onnx")
onnx.save(model, path)
picture = rng.uniform(0, 1, (1, 3, 11, 13)).astype(np.float32)
np.save(os.path.join(HERE, "input.npy"), picture)
(expected,) = ort.InferenceSession(path).run(None, {"input": picture})
np.save(os.path.join(HERE, "expected.npy"), expected)
print("parameters", sum(int(np.prod(w.dims)) for w in weights), "output", expected)
