"""Files of one trick each, for a fuzzer to begin with: python make_corpus.py (needs the package onnx)."""
import pathlib
import numpy as np
import onnx
from onnx import TensorProto as T, helper as h, numpy_helper as nh

out = pathlib.Path(__file__).parent / "corpus" / "load"
out.mkdir(parents=True, exist_ok=True)


def value(name, shape=("N", 3, 8, 8), kind=T.FLOAT):
    return h.make_tensor_value_info(name, kind, shape)


def model(nodes, weights=(), inputs=None, outputs=None, functions=(), opset=17):
    graph = h.make_graph(nodes, "g", inputs or [value("x")], outputs or [value("y", None)], list(weights))
    domains = [h.make_opsetid("", opset), h.make_opsetid("mine", 1)]
    return h.make_model(graph, opset_imports=domains, functions=list(functions), ir_version=8)


def save(name, what):
    data = what if isinstance(what, bytes) else what.SerializeToString()
    (out / f"{name}.onnx").write_bytes(data)


def weight(name, *shape):
    return nh.from_array(np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape), name)


def longs(name, *values):
    return nh.from_array(np.array(values, np.int64), name)


conv = h.make_node("Conv", ["x", "w"], ["y"], name="conv", pads=[1, 1, 1, 1])
sound = model([conv], [weight("w", 4, 3, 3, 3)])
save("sound", sound)
whole = sound.SerializeToString()

save("empty", b"")
save("text", b"this is no model\n")
save("cut", whole[: len(whole) // 2])
save("varint_without_end", b"\x08" + b"\xff" * 11)
save("group", b"\x0b" + whole)
save("nested", b"".join([b"\x3a\x7f"] * 40))


def varint(n):
    s = b""
    while n >= 128:
        s, n = s + bytes([n & 127 | 128]), n >> 7
    return s + bytes([n])


# A body in an attribute in a node in a graph, 200 deep.
deep = b""
for _ in range(200):
    for tag in (b"\x32", b"\x2a", b"\x0a"):
        deep = tag + varint(len(deep)) + deep
save("deep", b"\x3a" + varint(len(deep)) + deep)

lying = model([conv], [weight("w", 4, 3, 3, 3)])
lying.graph.initializer[0].dims[:] = [1 << 31, 1 << 31, 3, 3]
save("lying_dims", lying)
lying.graph.initializer[0].dims[:] = [-4, 3, 3, 3]
save("negative_dims", lying)
twice = model([conv], [weight("w", 4, 3, 3, 3)])
twice.graph.initializer[0].float_data[:] = [0.0] * 108
save("two_lists", twice)
pieces = T()
pieces.CopyFrom(weight("w", 4, 3, 3, 3))
raw = pieces.SerializeToString() + b"\x4a\x04abcd"
graph = sound.graph.SerializeToString()
old = sound.graph.initializer[0].SerializeToString()
at = graph.index(b"\x2a" + varint(len(old)) + old)
new = b"\x2a" + varint(len(raw)) + raw
graph = graph[:at] + new + graph[at + len(b"\x2a" + varint(len(old)) + old) :]
save("two_pieces", b"\x08\x08\x3a" + varint(len(graph)) + graph)

beside = model([conv], [weight("w", 4, 3, 3, 3)])
tensor = beside.graph.initializer[0]
tensor.ClearField("raw_data")
tensor.data_location = T.EXTERNAL
for key, text in (("location", "../../../etc/passwd"), ("offset", "0"), ("length", "432")):
    entry = tensor.external_data.add()
    entry.key, entry.value = key, text
save("escape", beside)

call = h.make_node("F0", ["x"], ["y"], domain="mine")
imports = [h.make_opsetid("", 17), h.make_opsetid("mine", 1)]


def function(name, nodes):
    return h.make_function("mine", name, ["a"], ["out"], nodes, imports)


save("itself", model([call], functions=[function("F0", [h.make_node("F0", ["a"], ["out"], domain="mine")])]))
bomb = [
    function(f"F{i}", [h.make_node(f"F{i+1}", ["a"], ["m"], domain="mine"),
                       h.make_node(f"F{i+1}", ["m"], ["out"], domain="mine")])
    for i in range(40)
] + [function("F40", [h.make_node("Relu", ["a"], ["out"])])]
save("bomb", model([call], functions=bomb))

body = h.make_graph(
    [h.make_node("Identity", ["c"], ["d"]), h.make_node("Concat", ["v", "v"], ["u"], axis=0)],
    "b",
    [value("i", [], T.INT64), value("c", [], T.BOOL), value("v", None)],
    [value("d", [], T.BOOL), value("u", None)],
)
save("endless", model([h.make_node("Loop", ["", "", "x"], ["y"], body=body)]))
save("doubling", model([h.make_node("Loop", ["n", "", "x"], ["y"], body=body)], [longs("n", 60)]))
save("pad", model([h.make_node("Pad", ["x", "p"], ["y"])], [longs("p", 0, 0, 1 << 40, 0, 0, 0, 0, 0)]))
save("tile", model([h.make_node("Tile", ["x", "r"], ["y"])], [longs("r", 1 << 20, 1 << 20, 1, 1)]))
save("kernel", model([h.make_node("MaxPool", ["x"], ["y"], kernel_shape=[0, -1])]))
save("strides", model([h.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[0, 0])]))
save("groups", model([h.make_node("Conv", ["x", "w"], ["y"], group=0)], [weight("w", 4, 3, 3, 3)]))
save("itself_made", model([h.make_node("Add", ["y", "x"], ["y"])]))
save("none_made", model([h.make_node("Relu", ["nobody"], ["y"])]))
save("perm", model([h.make_node("Transpose", ["x"], ["y"], perm=[0, 0, 9, 1])]))
save("gru", model([h.make_node("GRU", ["x", "x", "x"], ["y"], hidden_size=4)]))
four = h.make_tensor("w", T.INT4, [5], b"\x12\x34\x05", raw=True)
four.raw_data = b"\x12"
save("four_bits", model([h.make_node("Cast", ["w"], ["y"], to=1)], [four]))
save("scale", model([h.make_node("QuantizeLinear", ["x", "s"], ["y"], axis=9)], [weight("s", 5)]))
save("einsum", model([h.make_node("Einsum", ["x", "x"], ["y"], equation="...ij,->zz")]))
