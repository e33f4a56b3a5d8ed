"""Golden attributions: Captum's and zennit's maps of four small networks, in f64.

    python3 -m venv venv && venv/bin/pip install torch torchvision onnx captum zennit
    venv/bin/python make.py

writes the networks (`*.onnx`, batch norms not fused, random weights) and `golden.json`: of each map its norm, its sum and
64 entries at random places, with the versions that made them. zennit's stabiliser is 1e-6 everywhere, batch norms are
merged by its canonisers, and sums of branches are its `Sum` layers.

Beside the maps stand `deep-lift`, Captum's between the picture and `baseline()`, with f(x) − f(baseline) as `promised`,
and `full-grad`, of shape [h, w], by `full_grad` below.
"""

import json
import pathlib
import platform
import warnings

import captum
import captum.attr
import captum.attr._core.deep_lift as deep_lift
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision
import zennit
import zennit.composites
import zennit.torchvision
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.layer import Sum

HERE = pathlib.Path(__file__).parent
SIDE, CLASSES = 16, 5
warnings.filterwarnings("ignore")


class Add(nn.Module):
    """a + b, or zennit's layer for it."""

    def __init__(self):
        super().__init__()
        self.sum = None

    def forward(self, a, b):
        if self.sum is None:
            return a + b
        return self.sum(torch.stack([a, b], dim=-1))


def lenet():
    return nn.Sequential(
        nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(72, 12), nn.ReLU(), nn.Linear(12, CLASSES),
    )


def vgg():
    def block(i, o):
        return [nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU()]

    return nn.Sequential(
        *block(3, 6), *block(6, 6), nn.MaxPool2d(2), *block(6, 10), *block(10, 10), nn.MaxPool2d(2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(10, CLASSES),
    )


class ResNet(nn.Module):
    """Two of torchvision's basic blocks, the second with a stride and a projection."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU())
        block = torchvision.models.resnet.BasicBlock
        self.first = block(6, 6)
        down = nn.Sequential(nn.Conv2d(6, 8, 1, 2, bias=False), nn.BatchNorm2d(8))
        self.second = block(6, 8, stride=2, downsample=down)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x):
        x = self.second(self.first(self.stem(x)))
        return self.head(torch.flatten(self.pool(x), 1))


class Inverted(nn.Module):
    """MobileNet's block: wider, each channel by itself, narrower, and the input added."""

    def __init__(self, channels):
        super().__init__()
        wide = 2 * channels
        self.inner = nn.Sequential(
            nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(),
            nn.Conv2d(wide, wide, 3, padding=1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(),
            nn.Conv2d(wide, channels, 1, bias=False), nn.BatchNorm2d(channels),
        )
        self.add = Add()

    def forward(self, x):
        return self.add(x, self.inner(x))


def mobilenet():
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU6(),
        Inverted(6), Inverted(6),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, CLASSES),
    )


def varied(model):
    """Batch norms that do something, and weights of f32."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            n = module.num_features
            module.weight.data = 0.6 + torch.rand(n) - 0.4 * (torch.rand(n) < 0.3)
            module.bias.data = 0.4 * torch.randn(n)
            module.running_mean.data = 0.3 * torch.randn(n)
            module.running_var.data = 0.5 + torch.rand(n)
    return model.eval()


def picture():
    """The same numbers as in the test: no generator to agree on."""
    at = torch.arange(3 * SIDE * SIDE, dtype=torch.float64)
    return (torch.remainder(at * 37, 101) / 101 * 2 - 0.8).reshape(1, 3, SIDE, SIDE)


def baseline():
    """The picture's formula with another stride, on a smaller scale: what DeepLift compares with."""
    at = torch.arange(3 * SIDE * SIDE, dtype=torch.float64)
    return (torch.remainder(at * 53, 89) / 89 * 0.6 - 0.2).reshape(1, 3, SIDE, SIDE)


def record(maps, name, found, places=False):
    found = found.detach().reshape(-1)
    if found.numel() == SIDE * SIDE and not places:  # said of places, shared out evenly
        found = (found / 3).repeat(3)
    at = torch.randperm(found.numel(), generator=torch.Generator().manual_seed(len(maps)))[:64]
    assert found.norm() > 0, f"{name} says nothing: take another seed"
    maps[name] = {
        "norm": found.norm().item(),
        "sum": found.sum().item(),
        "at": at.tolist(),
        "values": found[at].tolist(),
    }


def by_captum(model, x, target, layer, maps):
    attr = captum.attr
    record(maps, "saliency", attr.Saliency(model).attribute(x, target))
    record(maps, "gradient", attr.Saliency(model).attribute(x, target, abs=False))
    record(maps, "gradient-input", attr.InputXGradient(model).attribute(x, target))
    # Captum clips at nn.ReLU alone.
    if not any(isinstance(module, nn.ReLU6) for module in model.modules()):
        record(maps, "guided-backprop", attr.GuidedBackprop(model).attribute(x, target))
        record(maps, "deconvolution", attr.Deconvolution(model).attribute(x, target))
    zeros = torch.zeros_like(x)
    integrated = attr.IntegratedGradients(model).attribute(x, zeros, target, n_steps=20, method="gausslegendre")
    record(maps, "integrated-gradients:20", integrated)
    occluded = attr.Occlusion(model).attribute(x, (3, 4, 4), (3, 2, 2), zeros, target)
    record(maps, "occlusion:4/2", occluded[:, 0])
    cam = attr.LayerGradCam(model, layer).attribute(x, target, relu_attributions=True)
    record(maps, "grad-cam", attr.LayerAttribution.interpolate(cam, (SIDE, SIDE), "bilinear"))


class Apart(nn.Module):
    def forward(self, x):
        return x.clone()


def by_deep_lift(model, x, target, more):
    # Captum knows ReLU, and takes the gradient of ReLU6.
    deep_lift.SUPPORTED_NON_LINEAR[nn.ReLU6] = deep_lift.nonlinear
    # Where a pool reads a unit's very output, Captum's hook of the unit runs first and keeps what came before the pool's
    # rule: the pool passes its gradient, and the sum is missed. A copy between them helps.
    if isinstance(model, nn.Sequential):
        apart = [[Apart(), module] if isinstance(module, nn.MaxPool2d) else [module] for module in model]
        model = nn.Sequential(*sum(apart, []))
    found, missed = captum.attr.DeepLift(model).attribute(x, baseline(), target, return_convergence_delta=True)
    promised = (model(x) - model(baseline()))[0, target].item()
    assert missed.abs() < 1e-12 and abs(found.sum().item() - promised) < 1e-12, "DeepLift keeps the sum"
    record(more, "deep-lift", found)
    more["deep-lift"]["promised"] = promised


def full_grad(model, x, target):
    """FullGrad (Srinivas and Fleuret, 2019), [h, w], as the authors' code has it (github.com/idiap/fullgrad-saliency).

    Of the input, ψ(∂f/∂x ⊙ x); of each convolution with a bias, ψ(∂f/∂z ⊙ b), z its output; of each batch norm
    ψ(∂f/∂z ⊙ (β − γ μ/√(σ² + ε))). ψ takes magnitudes, then for each of these tensors, over all its channels, subtracts
    the least and divides by the largest + 1e-6, then enlarges bilinearly to the input's size with corners aligned.
    The sum over all their channels is the map. Biases of linear layers have no place and are left out.
    """
    def psi(found):
        found = found.abs()
        found = found - found.min()
        found = found / (found.max() + 1e-6)
        return F.interpolate(found, (SIDE, SIDE), mode="bilinear", align_corners=True).sum(dim=(0, 1))

    implicit, hooks = [], []

    def keep(bias):
        def hook(module, inputs, output):
            implicit.append((output, bias.reshape(1, -1, 1, 1)))
        return hook

    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            hooks.append(module.register_forward_hook(keep(module.bias)))
        if isinstance(module, nn.BatchNorm2d):
            scale = module.weight / torch.sqrt(module.running_var + module.eps)
            hooks.append(module.register_forward_hook(keep(module.bias - scale * module.running_mean)))
    of = x.clone().requires_grad_()
    score = model(of)[0, target]
    for hook in hooks:
        hook.remove()
    gradient, *gradients = torch.autograd.grad(score, [of] + [output for output, _ in implicit])
    parts = [psi(gradient * x)]
    parts += [psi(gradient * bias) for gradient, (_, bias) in zip(gradients, implicit)]
    return torch.stack(parts).sum(dim=0), len(parts)


def by_zennit(make, canonizers, x, target, maps):
    low, high = torch.full((1, 3, 1, 1), -1.0).double(), torch.full((1, 3, 1, 1), 1.5).double()
    composites = {
        "lrp-epsilon-plus": lambda **more: zennit.composites.EpsilonPlus(**more),
        "lrp-epsilon-plus-flat": lambda **more: zennit.composites.EpsilonPlusFlat(**more),
        "lrp-epsilon-gamma-box": lambda **more: zennit.composites.EpsilonGammaBox(low=low, high=high, **more),
        "lrp-epsilon-alpha2-beta1": lambda **more: zennit.composites.EpsilonAlpha2Beta1(**more),
        "lrp-epsilon": lambda **more: zennit.composites.LayerMapComposite(
            zennit.composites.layer_map_base(1e-6) + [(zennit.types.Linear, zennit.rules.Epsilon(1e-6))], **more),
        "lrp-conv=gamma:0.5,epsilon:0.01": lambda **more: zennit.composites.LayerMapComposite(
            zennit.composites.layer_map_base(1e-6)
            + [(zennit.types.Convolution, zennit.rules.Gamma(0.5)), (zennit.types.Linear, zennit.rules.Epsilon(0.01))],
            **more),
        "lrp-first=w-square,epsilon": lambda **more: zennit.composites.SpecialFirstLayerMapComposite(
            zennit.composites.layer_map_base(1e-6) + [(zennit.types.Linear, zennit.rules.Epsilon(1e-6))],
            [(zennit.types.Linear, zennit.rules.WSquare())], **more),
    }
    for name, composite in composites.items():
        model = make()
        for module in model.modules():
            if isinstance(module, Add):
                module.sum = Sum(-1)
        of = x.clone().requires_grad_()
        with composite(canonizers=canonizers).context(model) as changed:
            # The canoniser puts a variance of 1 in place of the merged norm's and leaves its 1e-5 beside it, which
            # scales each norm by 1 − 5e-6.
            for module in changed.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eps = 0.0
            score = changed(of)
            chosen = torch.zeros_like(score)
            chosen[0, target] = score[0, target].detach()
            (relevance,) = torch.autograd.grad(score, of, grad_outputs=chosen)
        record(maps, name, relevance)


def main():
    networks = {
        "lenet": (lenet, [], lambda model: model[4]),
        "vgg": (vgg, [SequentialMergeBatchNorm()], lambda model: model[12]),
        "resnet": (ResNet, [zennit.torchvision.ResNetCanonizer()], lambda model: model.second),
        "mobilenet": (mobilenet, [SequentialMergeBatchNorm()], lambda model: model[4]),
    }
    versions = {module.__name__: getattr(module, "__version__", "") for module in (torch, torchvision, captum)}
    from importlib.metadata import version

    golden = {"versions": {**versions, "zennit": version("zennit"), "python": platform.python_version()}}
    for number, (name, (build, canonizers, layer)) in enumerate(networks.items()):
        torch.manual_seed(number + 10)
        model = varied(build())
        weights = {key: value.clone() for key, value in model.state_dict().items()}
        torch.onnx.export(
            model, (picture().float(),), str(HERE / f"{name}.onnx"), input_names=["x"], output_names=["y"],
            opset_version=17, dynamo=False, do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE,
        )

        def make():
            fresh = build()
            fresh.load_state_dict(weights)
            return fresh.double().eval()

        x, model = picture(), make()
        # Units in place would change what Captum hooks see.
        for module in model.modules():
            if hasattr(module, "inplace"):
                module.inplace = False
        scores = model(x)[0]
        target = int(scores.argmax())
        maps = {}
        # Captum wants a module for every unit; torchvision's blocks use one twice.
        captum_maps = maps if name != "resnet" else {}
        if name == "resnet":
            for block in (model.first, model.second):
                forward_with_two(block)
        by_captum(model, x, target, layer(model), captum_maps)
        maps.update(captum_maps)
        by_zennit(make, canonizers, x, target, maps)
        more = {}
        by_deep_lift(model, x, target, more)
        found, parts = full_grad(model, x, target)
        record(more, "full-grad", found, places=True)
        more["full-grad"].update(shape=list(found.shape), parts=parts)
        golden[name] = {"target": target, "scores": scores.tolist(), "maps": maps, **more}
        print(name, target, len(maps))
    (HERE / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")


def forward_with_two(block):
    """The block with a unit of its own at each place."""
    block.relu2 = nn.ReLU()

    def forward(x):
        out = block.bn2(block.conv2(block.relu(block.bn1(block.conv1(x)))))
        return block.relu2(out + (x if block.downsample is None else block.downsample(x)))

    block.forward = forward


if __name__ == "__main__":
    main()
