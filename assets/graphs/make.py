"""Makes the graphs that examples/ imports with burn-onnx, and the bicubic upscaler.

    python assets/graphs/make.py         (needs numpy, onnx)

Each is the graph of its kind at a small width with seeded random weights: they show that code
which burn-onnx generates runs unchanged, and mean nothing as networks.

  vgg.onnx       VGG: 3×3 convolutions, batch norm, ReLU, max pools, two dense layers
  edsr.onnx      EDSR: residual blocks with a scaled branch, a long skip, pixel shuffle ×2
  cyclegan.onnx  CycleGAN's generator: reflect pads, instance norms, six residual blocks, two
                 transposed convolutions, tanh
  bicubic.onnx   cubic interpolation ×3 (a = −0.75, half-pixel), no weights at all
"""
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))


class Graph:
    def __init__(self, name, seed):
        self.name, self.rng, self.nodes, self.weights = name, np.random.default_rng(seed), [], []

    def const(self, name, array):
        self.weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def rand(self, name, *shape, scale=1.0, shift=0.0):
        return self.const(name, (self.rng.standard_normal(shape) * scale + shift).astype(np.float32))

    def node(self, op, inputs, name, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [f"{name}_out"], name=name, **attributes))
        return f"{name}_out"

    def conv(self, x, name, c_in, c_out, k, gain=2.0, **attributes):
        attributes.setdefault("pads", [k // 2] * 4)
        weight = self.rand(f"{name}.weight", c_out, c_in, k, k, scale=(gain / (c_in * k * k)) ** 0.5)
        bias = self.rand(f"{name}.bias", c_out, scale=0.1)
        return self.node("Conv", [x, weight, bias], name, kernel_shape=[k, k], **attributes)

    def instance_norm(self, x, name, c):
        return self.node("InstanceNormalization", [x, self.rand(f"{name}.weight", c, scale=0.2, shift=1),
                                                   self.rand(f"{name}.bias", c, scale=0.2)], name)

    def relu(self, x, name):
        return self.node("Relu", [x], name)

    def reflect(self, x, name, p):
        pads = self.const(f"{name}.pads", np.array([0, 0, p, p, 0, 0, p, p], np.int64))
        return self.node("Pad", [x, pads], name, mode="reflect")

    def save(self, x, input_shape, output_shape):
        self.nodes[-1].output[0] = "output"
        value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, self.name, [value("input", input_shape)],
                                  [value("output", output_shape)], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, os.path.join(HERE, f"{self.name}.onnx"))
        print(self.name, sum(int(np.prod(w.dims)) for w in self.weights), "parameters")


def vgg():
    g = Graph("vgg", 1)
    x, c_in = "input", 3
    for block, (c, repeats) in enumerate([(12, 1), (24, 2), (32, 2)], 1):
        for i in range(1, repeats + 1):
            name = f"conv{block}_{i}"
            x = g.conv(x, name, c_in, c, 3)
            # epsilon is written out: burn-onnx 0.22.0 takes 0 for a missing one, which Burn refuses.
            x = g.node("BatchNormalization", [
                x, g.rand(f"{name}.bn.weight", c, scale=0.1, shift=1), g.rand(f"{name}.bn.bias", c, scale=0.2),
                g.rand(f"{name}.bn.mean", c, scale=0.2),
                g.const(f"{name}.bn.var", g.rng.uniform(0.5, 2, c).astype(np.float32))], f"bn{block}_{i}", epsilon=1e-5)
            x, c_in = g.relu(x, f"relu{block}_{i}"), c
        x = g.node("MaxPool", [x], f"pool{block}", kernel_shape=[2, 2], strides=[2, 2])
    x = g.node("Flatten", [x], "flatten", axis=1)
    x = g.node("Gemm", [x, g.rand("fc1.weight", 48, 32 * 16, scale=(2 / 512) ** 0.5), g.rand("fc1.bias", 48, scale=0.1)],
               "fc1", transB=1)
    x = g.relu(x, "relu_fc1")
    x = g.node("Gemm", [x, g.rand("fc2.weight", 10, 48, scale=48 ** -0.5), g.rand("fc2.bias", 10, scale=0.1)],
               "fc2", transB=1)
    g.save(x, [1, 3, 32, 32], [1, 10])


def edsr():
    g = Graph("edsr", 2)
    head = g.conv("input", "head", 3, 24, 3)
    x = head
    for i in range(1, 5):
        y = g.relu(g.conv(x, f"block{i}_conv1", 24, 24, 3), f"block{i}_relu")
        y = g.conv(y, f"block{i}_conv2", 24, 24, 3, gain=1.0)
        y = g.node("Mul", [y, g.const(f"block{i}.scale", np.float32(0.1))], f"block{i}_scale")
        x = g.node("Add", [x, y], f"block{i}_add")
    x = g.node("Add", [g.conv(x, "body", 24, 24, 3, gain=1.0), head], "skip")
    x = g.conv(x, "upsample", 24, 24 * 4, 3, gain=1.0)
    x = g.node("DepthToSpace", [x], "shuffle", blocksize=2, mode="CRD")
    x = g.conv(x, "tail", 24, 3, 3, gain=1.0)
    g.save(x, [1, 3, 20, 20], [1, 3, 40, 40])


def cyclegan():
    g = Graph("cyclegan", 3)
    x = g.reflect("input", "pad_in", 3)
    x = g.conv(x, "conv_in", 3, 8, 7, pads=[0] * 4)
    x = g.relu(g.instance_norm(x, "norm_in", 8), "relu_in")
    for i, c in enumerate([8, 16], 1):
        x = g.conv(x, f"down{i}", c, 2 * c, 3, strides=[2, 2], pads=[1] * 4)
        x = g.relu(g.instance_norm(x, f"down{i}_norm", 2 * c), f"down{i}_relu")
    for i in range(1, 7):
        y = g.conv(g.reflect(x, f"block{i}_pad1", 1), f"block{i}_conv1", 32, 32, 3, pads=[0] * 4)
        y = g.relu(g.instance_norm(y, f"block{i}_norm1", 32), f"block{i}_relu")
        y = g.conv(g.reflect(y, f"block{i}_pad2", 1), f"block{i}_conv2", 32, 32, 3, pads=[0] * 4)
        x = g.node("Add", [x, g.instance_norm(y, f"block{i}_norm2", 32)], f"block{i}_add")
    for i, c in enumerate([32, 16], 1):
        x = g.node("ConvTranspose", [x, g.rand(f"up{i}.weight", c, c // 2, 3, 3, scale=(2 / (c * 9 / 4)) ** 0.5),
                                     g.rand(f"up{i}.bias", c // 2, scale=0.1)], f"up{i}",
                   kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, output_padding=[1, 1])
        x = g.relu(g.instance_norm(x, f"up{i}_norm", c // 2), f"up{i}_relu")
    x = g.conv(g.reflect(x, "pad_out", 3), "conv_out", 8, 3, 7, gain=1.0, pads=[0] * 4)
    g.node("Tanh", [x], "tanh")
    g.save("output", [1, 3, 32, 32], [1, 3, 32, 32])


def bicubic():
    g = Graph("bicubic", 4)
    scales = g.const("scales", np.array([1, 1, 3, 3], np.float32))
    x = g.node("Resize", ["input", "", scales], "resize", mode="cubic", cubic_coeff_a=-0.75,
               coordinate_transformation_mode="half_pixel")
    g.save(x, ["N", 1, "H", "W"], ["N", 1, "H3", "W3"])


if __name__ == "__main__":
    vgg()
    edsr()
    cyclegan()
    bicubic()
