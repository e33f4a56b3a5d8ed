"""First answers about a bundled classifier: python examples/python/first_answers.py"""

from pathlib import Path

import linearscope as ls

ASSETS = Path(__file__).parents[2] / "assets"

net = ls.load(ASSETS / "vgg/vgg.onnx")  # the recipe vgg.toml lies beside it
f = net.freeze(ASSETS / "pictures/scene.png")
best = int(f.y0.argmax())

print(f, "says", f.labels[best], f"({f.y0.max():.2f})")
print("exact to", f.certificate.exactness, "· largest singular values", f.svd(3).sigma.round(3))
print(f.contributions(best))  # which layer's biases made the score
print(f.attribute(best))  # how much each pixel adds to it
print("exact for", f"{f.validity('black').radius:.1e} of the way to black")

try:
    ls.plot.rows(f, [best])[0].figure.savefig("row.png")  # which pixels the score uses
    print("row.png")
except ImportError:
    print("with matplotlib: ls.plot.rows(f, [best])")
