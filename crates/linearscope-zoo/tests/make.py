"""What PyTorch's networks make of weights and pictures that any language can make up.

    python make.py                        expected.json and the small files of weights beside this script
    python make.py --weights NAME FILE    a state dict of one network, .pth or .safetensors
    python make.py --onnx NAME FILE       the same network as .onnx, by PyTorch's exporter
                                          (with --state-dict, with published weights)
    python make.py --output NAME          norm and sampled values of one network, as JSON

Needs torch and torchvision; --onnx also onnx, .safetensors also safetensors. The classifiers are torchvision's
own. The others are written out below, under the parameter names of their authors' repositories.
"""
import argparse
import json
import math
import os

import numpy as np
import torch
import torchvision
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLES = 64


def fnv(text):
    """FNV-1a, 64 bits."""
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001B3 % (1 << 64)
    return h


def uniform(text, count):
    """`count` numbers in [-1, 1): splitmix64 from the name's hash, as linearscope_test_support::Random."""
    step = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = step + np.uint64(fnv(text))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) / float(1 << 52) - 1.0


def value(name, shape):
    """A parameter from its name and shape, f32."""
    u = uniform(name, math.prod(shape)).reshape(shape)
    if name.endswith("running_var"):
        v = 1.25 + 0.75 * u
    elif name.endswith("running_mean"):
        v = 0.2 * u
    elif name.endswith("bias"):
        v = 0.1 * u
    elif len(shape) > 1:
        v = u * math.sqrt(6.0 / math.prod(shape[1:]))
    elif shape[0] == 1:
        v = 0.25 + 0.1 * u  # a slope
    else:
        v = 1.0 + 0.2 * u  # a norm
    return torch.from_numpy(v.astype(np.float32))


class EDSR(nn.Module):
    """sanghyun-son/EDSR-PyTorch."""

    def __init__(self, blocks, width, residual_scale, scale):
        super().__init__()
        conv = lambda a, b: nn.Conv2d(a, b, 3, padding=1)

        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = nn.Sequential(conv(width, width), nn.ReLU(), conv(width, width))

            def forward(self, x):
                return self.body(x).mul(residual_scale) + x

        upsampler = []
        for factor in [2] * int(math.log2(scale)) if scale & (scale - 1) == 0 else [scale]:
            upsampler += [conv(width, factor * factor * width), nn.PixelShuffle(factor)]
        self.sub_mean = nn.Conv2d(3, 3, 1)
        self.add_mean = nn.Conv2d(3, 3, 1)
        self.head = nn.Sequential(conv(3, width))
        self.body = nn.Sequential(*[Block() for _ in range(blocks)], conv(width, width))
        self.tail = nn.Sequential(nn.Sequential(*upsampler), conv(width, 3))

    def forward(self, x):
        x = self.head(self.sub_mean(x))
        return self.add_mean(self.tail(self.body(x) + x))


class SuperResolution(nn.Module):
    """pytorch/examples, super_resolution."""

    def __init__(self, width, scale):
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 5, padding=2)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv3 = nn.Conv2d(width, width // 2, 3, padding=1)
        self.conv4 = nn.Conv2d(width // 2, scale * scale, 3, padding=1)
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, x):
        for conv in (self.conv1, self.conv2, self.conv3):
            x = torch.relu(conv(x))
        return self.shuffle(self.conv4(x))


class SRResNet(nn.Module):
    """leftthomas/SRGAN's generator; with `paper`, Ledig et al.'s."""

    def __init__(self, blocks, width, scale, paper):
        super().__init__()
        conv = lambda a, b, k: nn.Conv2d(a, b, k, padding=k // 2)

        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv1, self.bn1 = conv(width, width, 3), nn.BatchNorm2d(width)
                self.prelu = nn.PReLU()
                self.conv2, self.bn2 = conv(width, width, 3), nn.BatchNorm2d(width)

            def forward(self, x):
                return x + self.bn2(self.conv2(self.prelu(self.bn1(self.conv1(x)))))

        class Upsample(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.prelu = conv(width, 4 * width, 3), nn.PReLU()
                self.shuffle = nn.PixelShuffle(2)

            def forward(self, x):
                return self.prelu(self.shuffle(self.conv(x)))

        self.blocks, self.paper = blocks, paper
        self.block1 = nn.Sequential(conv(3, width, 9), nn.PReLU())
        for i in range(blocks):
            self.add_module(f"block{i + 2}", Block())
        behind = nn.BatchNorm2d(width) if paper else nn.PReLU()
        self.add_module(f"block{blocks + 2}", nn.Sequential(conv(width, width, 3), behind))
        steps = [Upsample() for _ in range(int(math.log2(scale)))]
        self.add_module(f"block{blocks + 3}", nn.Sequential(*steps, conv(width, 3, 9)))

    def forward(self, x):
        first = y = self.block1(x)
        for i in range(self.blocks + 1):
            y = getattr(self, f"block{i + 2}")(y)
        y = getattr(self, f"block{self.blocks + 3}")(first + y)
        return y if self.paper else (torch.tanh(y) + 1) / 2


class CycleGAN(nn.Module):
    """junyanz/pytorch-CycleGAN-and-pix2pix, ResnetGenerator without dropout."""

    def __init__(self, blocks, width):
        super().__init__()
        norm = lambda c: nn.InstanceNorm2d(c, affine=False, track_running_stats=False)

        class Block(nn.Module):
            def __init__(self, c):
                super().__init__()
                half = lambda: [nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3), norm(c)]
                self.conv_block = nn.Sequential(*half(), nn.ReLU(), *half())

            def forward(self, x):
                return x + self.conv_block(x)

        w = width
        layers = [nn.ReflectionPad2d(3), nn.Conv2d(3, w, 7), norm(w), nn.ReLU()]
        for c in (w, 2 * w):
            layers += [nn.Conv2d(c, 2 * c, 3, stride=2, padding=1), norm(2 * c), nn.ReLU()]
        layers += [Block(4 * w) for _ in range(blocks)]
        for c in (4 * w, 2 * w):
            up = nn.ConvTranspose2d(c, c // 2, 3, stride=2, padding=1, output_padding=1)
            layers += [up, norm(c // 2), nn.ReLU()]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(w, 3, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        return self.model(x)


class Bicubic(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, x):
        return nn.functional.interpolate(x, scale_factor=self.scale, mode="bicubic", align_corners=False)


def torchvision_model(name):
    options = {"transform_input": True, "init_weights": False} if name == "inception_v3" else {}
    return lambda: getattr(torchvision.models, name)(weights=None, **options)


# Network and input shape: small pictures whose sides differ, two where that is cheap.
CASES = {
    "alexnet": (None, [2, 3, 63, 95]),
    "squeezenet1_0": (None, [2, 3, 50, 37]),
    "squeezenet1_1": (None, [2, 3, 50, 37]),
    **{f"vgg{n}{bn}": (None, [1, 3, 32, 64]) for n in (11, 13, 16, 19) for bn in ("", "_bn")},
    **{f"resnet{n}": (None, [1, 3, 40, 72]) for n in (18, 34, 50, 101, 152)},
    "densenet121": (None, [1, 3, 40, 72]),
    "densenet161": (None, [1, 3, 40, 72]),
    "inception_v3": (None, [1, 3, 75, 91]),
    **{f"edsr_baseline_x{s}": (lambda s=s: EDSR(16, 64, 1.0, s), [1, 3, 7, 10]) for s in (2, 3, 4)},
    **{f"edsr_x{s}": (lambda s=s: EDSR(32, 256, 0.1, s), [1, 3, 4, 5]) for s in (2, 3, 4)},
    "super_resolution_x3": (lambda: SuperResolution(64, 3), [2, 1, 9, 14]),
    "srresnet_x4": (lambda: SRResNet(16, 64, 4, True), [1, 3, 6, 9]),
    "srgan_x4_leftthomas": (lambda: SRResNet(5, 64, 4, False), [1, 3, 6, 9]),
    "cyclegan_6blocks": (lambda: CycleGAN(6, 64), [1, 3, 24, 32]),
    "cyclegan_9blocks": (lambda: CycleGAN(9, 64), [1, 3, 24, 32]),
    **{f"bicubic_x{s}": (lambda s=s: Bicubic(s), [2, 3, 6, 9]) for s in (2, 3, 4)},
}


def build(name):
    make, shape = CASES[name]
    return (make or torchvision_model(name))().eval(), shape


def filled(model):
    """The model with made-up weights, under its own names."""
    state = model.state_dict()
    made = {k: v if k.endswith("num_batches_tracked") else value(k, list(v.shape)) for k, v in state.items()}
    model.load_state_dict(made)
    return model


def picture(name, shape):
    return torch.from_numpy(uniform(f"picture of {name}", math.prod(shape)).reshape(shape).astype(np.float32))


def sampled(y):
    y = y.double().numpy().ravel()
    even = np.linspace(0, y.size - 1, min(SAMPLES // 2, y.size)).astype(int)
    large = np.argsort(-np.abs(y), kind="stable")[: SAMPLES // 2]
    at = sorted({int(j) for j in np.concatenate([even, large])})
    return {"size": int(y.size), "norm": float(np.linalg.norm(y)), "at": at, "values": [float(y[j]) for j in at]}


def parameters(model):
    """Names and shapes of what decides the output, sorted, as one hash."""
    state = model.state_dict()
    lines = [
        f"{k} {list(v.shape)}"
        for k, v in sorted(state.items())
        if not k.endswith("num_batches_tracked") and not k.startswith("AuxLogits")
    ]
    return {"count": len(lines), "hash": f"{fnv(chr(10).join(lines)):016x}"}


def expected(name):
    model, shape = build(name)
    filled(model)
    names = parameters(model)
    with torch.no_grad():
        # In f64: what is compared is the f32 of one implementation, not of two.
        y = model.double()(picture(name, shape).double())
    return {"shape": shape, "parameters": names, "output": sampled(y)}


def save(state, path):
    if path.endswith(".safetensors"):
        from safetensors.torch import save_file

        save_file({k: v.contiguous() for k, v in state.items()}, path)
    else:
        torch.save(state, path)


def small_densenet():
    model = torchvision.models.DenseNet(growth_rate=4, block_config=(2, 1, 2, 1), num_init_features=8, num_classes=5)
    return filled(model.eval())


def small_files():
    """Small networks, to load: zipped and legacy .pth, .safetensors, old names, wrapped."""
    folder = os.path.join(HERE, "weights")
    os.makedirs(folder, exist_ok=True)
    at = lambda name: os.path.join(folder, name)
    state = small_densenet().state_dict()
    torch.save(state, at("densenet.pth"))
    old = {}
    for k, v in state.items():
        if "denselayer" in k:
            for part in ("norm1", "norm2", "conv1", "conv2"):
                k = k.replace(f".{part}.", f".{part[:-1]}.{part[-1]}.")
        if not k.endswith("num_batches_tracked"):
            old[k] = v
    torch.save(old, at("densenet_old.pth"), _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}, at("densenet_wrapped.pth"))
    srresnet = filled(SRResNet(1, 6, 2, True).eval())
    save(srresnet.state_dict(), at("srresnet.safetensors"))
    cyclegan = filled(CycleGAN(1, 4).eval())
    torch.save(cyclegan.state_dict(), at("cyclegan.pth"))
    found = {}
    for name, model, shape in [
        ("densenet", small_densenet(), [1, 3, 40, 36]),
        ("srresnet", srresnet, [1, 3, 7, 5]),
        ("cyclegan", cyclegan, [1, 3, 12, 16]),
    ]:
        with torch.no_grad():
            y = model.double()(picture(name, shape).double())
        found[name] = {"shape": shape, "output": sampled(y)}
    return found


def main():
    torch.manual_seed(0)
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--weights", nargs=2, metavar=("NAME", "FILE"))
    arguments.add_argument("--onnx", nargs=2, metavar=("NAME", "FILE"))
    arguments.add_argument("--state-dict", metavar="FILE", help="weights for --onnx, instead of made-up ones")
    arguments.add_argument("--shape", help="n,c,h,w for --onnx")
    arguments.add_argument("--output", metavar="NAME")
    asked = arguments.parse_args()
    if asked.weights:
        name, path = asked.weights
        save(filled(build(name)[0]).state_dict(), path)
    elif asked.onnx:
        name, path = asked.onnx
        model, shape = build(name)
        if asked.state_dict:
            model.load_state_dict(torch.load(asked.state_dict, map_location="cpu", weights_only=True))
        else:
            filled(model)
        if CASES[name][0] is None:
            # The size of their training: adaptive pools must divide what they get to be exported.
            shape = [1, 3, 299, 299] if name == "inception_v3" else [1, 3, 224, 224]
        shape = [int(n) for n in asked.shape.split(",")] if asked.shape else shape
        torch.onnx.export(
            model, (torch.zeros(shape),), path, input_names=["image"], output_names=["output"], dynamo=False
        )
    elif asked.output:
        print(json.dumps(expected(asked.output)))
    else:
        networks = {}
        for name in CASES:
            networks[name] = expected(name)
            print(name, networks[name]["output"]["norm"])
        # Numbers of one network on one line each.
        with open(os.path.join(HERE, "expected.json"), "w") as file:
            lines = [f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in networks.items()]
            file.write('{"networks": {\n' + ",\n".join(lines) + "\n},\n")
            lines = [f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in small_files().items()]
            file.write('"files": {\n' + ",\n".join(lines) + "\n}}\n")


if __name__ == "__main__":
    main()
