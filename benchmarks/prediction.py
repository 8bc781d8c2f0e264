"""How far theory reaches on real models: predicted against measured second moments at every weighted site.

    python -m benchmarks.prediction [--only PATTERN] [--strip] [--batch 8] [--show]

Columns: weighted sites; share that theory has a rule for; of those the share predicted throughout, from input or
the last norm, and the share within their error bar; how far the worst lies outside its bar, as a factor; the same of
the gradients; reasons. A site
is silently wrong if it is predicted, outside its bar, and nothing was said: the aim is as few as the bars claim (5 %).
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence

import torch
from benchmarks.zoo_models import select, strip_norms

from initium.predict.prediction import Bar, Predicted, predict
from initium.record import record

NAMES = (
    "timm:resnet18", "timm:resnet50", "timm:resnetv2_18", "timm:vgg11", "timm:vgg11_bn", "timm:densenet121",
    "timm:efficientnet_b0", "timm:mobilenetv3_small_050", "timm:regnety_002", "timm:convnext_atto",
    "timm:vit_tiny_patch16_224", "timm:swin_tiny_patch4_window7_224", "timm:mixer_s16_224", "timm:nf_resnet26",
    "timm:ghostnet_050", "timm:inception_v3", "torchvision:alexnet", "torchvision:mnasnet0_5",
    "torchvision:googlenet", "torchvision:shufflenet_v2_x0_5",
)  # fmt: skip


def off(one: Bar) -> float:
    """How many times the measurement lies beyond its bar; 1 within it."""
    if one.measured is None or one.inside:
        return 1.0
    if min(one.measured, one.second) <= 0:
        return math.inf
    return max(one.measured / one.high, one.low / one.measured)


def main() -> None:
    """Record, predict, print a row a model and the totals."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="a glob or part of the names, of the whole zoo")
    parser.add_argument("--strip", action="store_true", help="normalization layers replaced by identity")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--show", action="store_true", help="the sites outside their bars")
    parser.add_argument("--smoke", action="store_true", help="tiny inputs, and a check of what comes out")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.smoke:
        smoke()
        return
    names = [e.name for e in select(chosen.only)] if chosen.only else NAMES
    totals(names, strip=chosen.strip, batch=chosen.batch, show=chosen.show)


def smoke() -> None:
    """One small model: its sites are counted, and those that theory speaks of mostly lie within their bars."""
    total = totals(["torchvision:squeezenet1_1"], strip=False, batch=2, show=True)
    assert total["sites"] == 26  # 2 convolutions, and 3 in each of 8 fire modules
    assert total["failed"] == 0
    assert total["spoken"] == total["through"] == 26  # convolutions, ReLUs, joined values and pools alone
    assert total["within"] >= 0.5 * total["spoken"]
    assert total["gradients_within"] >= 0.8 * total["gradients"] > 0


def totals(names: Sequence[str], *, strip: bool, batch: int, show: bool) -> Counter[str]:
    """A row a model, then the counts over all, which are returned."""
    total: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    print(f"{'model':40} sites    rule  throughout  within  worst  gradients  within  worst  reasons")
    for name in names:
        entry = next((e for e in select(name) if e.name == name), None)
        if entry is None or entry.reason:
            continue
        try:
            model = strip_norms(entry.build()) if strip else entry.build()
            found = predict(record(model, entry.inputs(batch)))
        except Exception as error:
            print(f"{name:40} {type(error).__name__}: {str(error)[:80]}")
            total["failed"] += 1
            continue
        count(name, found, total, reasons)
        if show:
            for one in found:
                if not one.outside and not one.inside:
                    print(
                        f"    {one.names[0]:50} {one.second:9.3g} {one.measured:9.3g} +-{one.error:.3f} {one.restarted}"
                    )
    print(f"\n{dict(total)}")
    for reason, number in reasons.most_common():
        print(f"{number:6}  {reason}")
    return total


def count(name: str, found: Sequence[Predicted], total: Counter[str], reasons: Counter[str]) -> None:
    """Add one model to the totals, and print its row."""
    spoken = [one for one in found if not one.outside]
    through = [one for one in spoken if not one.restarted]
    within = [one for one in spoken if one.inside]
    why = Counter(one.outside or one.restarted for one in found if one.outside or one.restarted)
    reasons.update(why)
    total.update(sites=len(found), spoken=len(spoken), through=len(through), within=len(within))
    total["through within"] += sum(one.inside for one in through)
    slopes = [one.gradient for one in found if one.gradient is not None and not one.gradient.outside]
    total.update(gradients=len(slopes), gradients_within=sum(one.inside for one in slopes))
    steep = max((off(one) for one in slopes), default=1.0)
    worst = max((off(one) for one in spoken), default=1.0)
    fitting = [one for one in slopes if one.inside]
    said = "; ".join(f"{reason} ({number})" for reason, number in why.most_common(3))
    print(
        f"{name:40} {len(found):5} {share(spoken, found)} {share(through, spoken):>11} {share(within, spoken):>7} "
        f"{worst:6.3g}  {share(slopes, found):>9} {share(fitting, slopes):>7} {steep:6.3g}  {said}",
        flush=True,
    )


def share(some: Sequence[Bar], of: Sequence[Bar]) -> str:
    """A share as text."""
    return f"{len(some) / len(of):7.0%}" if of else "      -"


if __name__ == "__main__":
    main()
