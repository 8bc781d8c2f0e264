"""Writes index.md and results.md of this folder: `python docs/methods/make.py [index] [results]`.

With `--smoke` nothing is written: the index is compared with its file, and two methods are measured in ten steps.

results.md trains a plain ReLU net from every method that serves hidden linear weights, and from every data-driven
policy: a few minutes. Rows that the file already has are kept; delete a row to have it measured again.
"""

from __future__ import annotations

import argparse
import math
import statistics
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from initium.data.clothes import fashion_mnist
from initium.errors import LayerError
from initium.methods.catalogue import CATALOGUE
from initium.methods.method import Method
from initium.plan import plan
from initium.plan.data_driven.data_policy import DATA_DRIVEN
from initium.random.fill import fill_
from initium.random.key import key_for
from initium.testing.layer_response import signal
from initium.theory.layer import Layer

HERE = Path(__file__).parent
WIDTH, BATCH, STEPS, RATES, SEEDS, DEPTHS = 64, 128, 150, (1e-3, 3e-3), (0, 1), (8, 20)
SEEN = 512
PLAIN = Layer("linear", (WIDTH, WIDTH))
LAYERS = {
    "64 to 256": Layer("linear", (256, 64)),
    "depthwise 3x3": Layer("conv", (64, 1, 3, 3), groups=64, padding=(1, 1), input_size=(16, 16)),
    "3x3 stride 2": Layer("conv", (64, 32, 3, 3), stride=(2, 2), padding=(1, 1), input_size=(16, 16)),
}


def index() -> str:
    """The catalogue as one table a family."""
    lines = [
        "# Methods",
        "",
        f"{len(CATALOGUE)} records. `initium methods` searches them; `initium explain NAME` prints the card of one",
        "(`--lang zh` in Chinese, `--layer conv:3,64,7` with its formula worked out).",
        "What they measure and how nets train from them: [results](results.md).",
    ]
    for family in dict.fromkeys(method.family for method in CATALOGUE):
        lines += [
            "",
            f"## {family}",
            "",
            "| method | what it is | layers | needs | source |",
            "|---|---|---|---|---|",
        ]
        for method in CATALOGUE:
            if method.family == family:
                layers = ", ".join(method.layers) or "none"
                summary = method.summary.replace("|", "\\|")
                lines.append(f"| `{method.name}` | {summary} | {layers} | {method.needs} | {method.paper} |")
    return "\n".join(lines) + "\n"


def results() -> str:
    """Measured variances and the loss of a plain net, one row a method."""
    lines = [
        "# What the methods do",
        "",
        "Mean square out over mean square in, forward, and of gradients backward, for unit Gaussian inputs and the",
        "method's defaults (mean of 8 weights). Then the training loss (mean of the last 10 steps) of a plain ReLU net",
        f"of width {WIDTH} on Fashion-MNIST at 14x14, {STEPS} steps of AdamW on batches of {BATCH}, the better of the",
        f"learning rates {' and '.join(f'{rate:g}' for rate in RATES)}, mean of {len(SEEDS)} seeds; biases 0.",
        f"ln 10 = {math.log(10):.3f} is a dead net. A dash: the method refuses the layer.",
        f"Methods that look at data or gradients see {SEEN} training images (gradinit and nio their labels too), and",
        "set biases where that is their rule. Written by `docs/methods/make.py`; one seed more or less moves the",
        "losses by about 0.05.",
        "",
    ]
    sides = [f"{name}, {way}" for name in LAYERS for way in ("forward", "backward")]
    heads = ["method", *sides, *(f"loss, {depth} layers" for depth in DEPTHS)]
    lines += ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    known = _known()
    for method in CATALOGUE:
        served = method.draw and any(_takes(method, layer) for layer in (PLAIN, *LAYERS.values()))
        if method.name in known:
            lines.append(known[method.name])
        elif served or any(method is one.method for one in DATA_DRIVEN):
            lines.append(_row(method))
            print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def _known() -> dict[str, str]:
    """The rows that the file has."""
    path = HERE / "results.md"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {line.split("`")[1]: line for line in lines if line.startswith("| `")}


def _row(method: Method) -> str:
    cells = [cell for layer in LAYERS.values() for cell in _ratios(method, layer)]
    trained = not method.draw or _takes(method, PLAIN)
    cells += [f"{_loss(method, depth):.3f}" if trained else "-" for depth in DEPTHS]
    return f"| `{method.name}` | " + " | ".join(cells) + " |"


def _takes(method: Method, layer: Layer) -> bool:
    return layer.kind in method.layers and _serves(method, layer)


def _serves(method: Method, layer: Layer) -> bool:
    try:
        method(layer)
    except LayerError:
        return False
    return True


def _ratios(method: Method, layer: Layer) -> list[str]:
    if not method.draw or not _takes(method, layer):
        return ["-", "-"]
    generator = torch.Generator().manual_seed(0)
    seen = [signal(_weight(method, layer, f"{seed}"), layer, generator) for seed in range(8)]
    return [f"{statistics.mean(way):.3g}" for way in zip(*seen, strict=True)]


def _weight(method: Method, layer: Layer, name: str, **params: object) -> Tensor:
    return fill_(torch.empty(layer.shape), method(layer, **params), key_for(0, name))


@dataclass
class Plain:
    """A plain ReLU net as a list of weights."""

    weights: list[Tensor]
    biases: list[Tensor]

    def loss(self, x: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of a batch."""
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = F.relu(F.linear(x, weight, bias))
        return F.cross_entropy(F.linear(x, self.weights[-1], self.biases[-1]), labels)


def _driven(method: Method, depth: int, seed: int) -> Plain:
    """The net as a model, planned by the method as a policy on a few training images."""
    images, labels = fashion_mnist("train", size=14)
    images, labels = images[:SEEN].flatten(1), labels[:SEEN]
    sizes = [196, *[WIDTH] * (depth - 1), 10]
    layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())][:-1]
    model = nn.Sequential(*layers)
    loss = None if method.needs in ("data", "graph") else lambda output: F.cross_entropy(output, labels)
    plan(model, images, policy=method.name, loss=loss, seed=seed).apply(model, seed=seed)
    linear = [layer for layer in model if isinstance(layer, nn.Linear)]
    return Plain([layer.weight for layer in linear], [layer.bias for layer in linear])


def _plain(method: Method, depth: int, seed: int) -> Plain:
    if method.draw is None:
        return _driven(method, depth, seed)
    sizes = [196, *[WIDTH] * (depth - 1), 10]
    weights, biases = [], []
    for place, (num_in, num_out) in enumerate(pairwise(sizes)):
        layer = Layer("linear", (num_out, num_in))
        where = "first" if place == 0 else "last" if place == depth - 1 else "hidden"
        params: dict[str, object] = {"position": where} if method.name == "mirrored" else {}
        usable = method if _serves_with(method, layer, params) else _lecun()
        weights.append(_weight(usable, layer, f"{seed} {place}", **(params if usable is method else {})))
        biases.append(torch.zeros(num_out))
    for tensor in (*weights, *biases):
        tensor.requires_grad_()
    return Plain(weights, biases)


def _serves_with(method: Method, layer: Layer, params: dict[str, object]) -> bool:
    try:
        method(layer, **params)
    except LayerError:
        return False
    return True


def _lecun() -> Method:
    return next(method for method in CATALOGUE if method.name == "lecun_normal")


def _loss(method: Method, depth: int) -> float:
    return min(statistics.mean(_train(method, depth, rate, seed) for seed in SEEDS) for rate in RATES)


def _train(method: Method, depth: int, rate: float, seed: int, steps: int = STEPS) -> float:
    images, labels = fashion_mnist("train", size=14)
    images, net = images.flatten(1), _plain(method, depth, seed)
    parameters = [*net.weights, *net.biases]
    optimizer = torch.optim.AdamW(parameters, lr=rate, fused=True)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed)).repeat(5)
    seen: list[float] = []
    for step in range(steps):
        batch = order[step * BATCH : (step + 1) * BATCH]
        loss = net.loss(images[batch], labels[batch])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        value = loss.item()
        seen.append(min(value, 9.99) if math.isfinite(value) else 9.99)
    return statistics.mean(seen[-10:])


def smoke() -> None:
    """The index is the one of the catalogue; a row of a drawn and one of a data-driven method have sound numbers."""
    assert (HERE / "index.md").read_text(encoding="utf-8") == index(), "run docs/methods/make.py index"
    for name, num_known in (("he_normal", 6), ("lsuv", 0)):
        (method,) = (one for one in CATALOGUE if one.name == name)
        cells = [cell for layer in LAYERS.values() for cell in _ratios(method, layer)]
        assert sum(cell != "-" for cell in cells) == num_known
        loss = _train(method, 8, RATES[0], seed=0, steps=10)
        print(name, *cells, f"{loss:.3f}")
        assert 0.3 < loss < 3.0
    ahead = float(_ratios(next(one for one in CATALOGUE if one.name == "he_normal"), LAYERS["64 to 256"])[0])
    assert abs(ahead - 2) < 0.1  # fan_in E w^2 = 2; 8 weights of 16,384 elements


def main() -> None:
    """Write the parts asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="index, results; by default both")
    parser.add_argument("--smoke", action="store_true", help="tiny inputs, and a check of what comes out")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if chosen.smoke:
        smoke()
        return
    for part in chosen.parts or ["index", "results"]:
        (HERE / f"{part}.md").write_text({"index": index, "results": results}[part](), encoding="utf-8")


if __name__ == "__main__":
    main()
