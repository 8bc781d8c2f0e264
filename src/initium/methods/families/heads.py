"""Heads: the first loss should be what chance gives, so biases start from the class frequencies."""

from __future__ import annotations

import math
from collections.abc import Iterable

from initium.errors import UsageError
from initium.methods.families.variance_kit import fans_of, spread
from initium.methods.kit.layout import fixed
from initium.methods.method import EVERYTHING, MATRICES, Method, Paper, Param, refuse
from initium.random.distributions import Constant, Draw
from initium.theory.layer import Kind, Layer


def focal_prior(layer: Layer, *, prior: float) -> Draw:
    """B = -ln((1 - prior) / prior): every anchor starts with probability `prior` of being an object.

    0.01 gives -4.595. Without it a hundred thousand background anchors at probability 1/2 make the
    first loss, and the first steps, explode. The tower before it is N(0, 0.01^2).

    Reference: Lin et al. (2017), arXiv:1708.02002, section 4.1.
    """
    del layer
    return Constant(-math.log((1 - prior) / prior))


def heatmap_prior(layer: Layer, *, prior: float) -> Draw:
    """`focal_prior` with 0.1 (-2.19), for key-point heat maps.

    Reference: Zhou, Wang and Kraehenbuehl (2019), arXiv:1904.07850.
    """
    return focal_prior(layer, prior=prior)


def yolo_prior(
    layer: Layer,
    *,
    part: str,
    num_classes: int,
    stride: int,
    image_size: int,
    objects: float | None,
    box: float,
) -> Draw:
    """Biases of a YOLO head at one stride: `objects` spread over classes and (image_size / stride)^2 cells.

    part="class": ln(objects / num_classes / cells), published with 5 objects; part="object":
    ln(objects / cells), published with 8; part="box": the constant `box` (2 now, 1 before).

    Reference: ultralytics, head.py, bias_init; Lin et al. (2017), arXiv:1708.02002.
    """
    del layer
    cells = (image_size / stride) ** 2
    if part == "box":
        return Constant(box)
    if objects is None:
        objects = 5.0 if part == "class" else 8.0
    return Constant(math.log(objects / cells / (num_classes if part == "class" else 1)))


def class_prior(
    layer: Layer, *, frequencies: tuple[float, ...], loss: str, smoothing: float, copies: int
) -> Draw:
    """Biases at which the head predicts the class frequencies, whatever the input.

    loss="softmax": b_c = ln p_c, first loss the entropy of the classes instead of more than ln C.
    loss="sigmoid" or "focal": b_c = ln(p_c / (1 - p_c)). Counts are fine: they are normalized for
    softmax; for sigmoid they must be shares of samples already. Without frequencies: 1/C each
    (softmax: 0; sigmoid: -ln(C - 1)). `smoothing` is added to every count, so that an unseen
    class has a finite bias. The classes repeat `copies` times (anchors of a detector), class fastest.
    `initium.class_prior` counts them from data.

    Reference: Lin et al. (2017), arXiv:1708.02002; timm's "nlhb" uses -ln C for sigmoid.
    """
    size = math.prod(layer.shape)
    if not frequencies:
        return Constant(0.0 if loss == "softmax" or size < 2 else -math.log(size - 1))
    if len(frequencies) * copies != size:
        times = f" times {copies} copies" if copies > 1 else ""
        expected = f"one frequency for each of the {size} classes, not {len(frequencies)}{times}"
        raise refuse("class_prior", layer, expected, instead="focal_prior, which needs no frequencies")
    values = class_biases(frequencies, loss=loss, smoothing=smoothing) * copies
    return fixed(values)


def class_biases(
    frequencies: Iterable[float], *, loss: str = "softmax", smoothing: float = 0.0
) -> tuple[float, ...]:
    """The biases of `class_prior` as numbers.

    Raises:
        UsageError: a negative frequency, a class never seen without smoothing, or, for sigmoid, a
            share that is not strictly between 0 and 1.

    Example:
        >>> [round(b, 3) for b in class_biases([90, 10])]
        [-0.105, -2.303]
    """
    counts = [float(x) + smoothing for x in frequencies]
    total = sum(counts) if loss == "softmax" else 1.0
    shares = [count / total if total > 0 else 0.0 for count in counts]
    # A class in every sample has a finite log, but an infinite logit.
    top = 1.0 if loss == "softmax" else 1.0 - 1e-12
    if not all(0 < share <= top for share in shares):
        raise UsageError(
            f"class frequencies {tuple(counts)[:8]} for a {loss} head",
            expected="positive counts"
            if loss == "softmax"
            else "shares of samples, strictly between 0 and 1",
            remedy="pass smoothing=1 for classes that were never seen, or drop them",
        )
    return tuple(math.log(p) if loss == "softmax" else math.log(p / (1 - p)) for p in shares)


def detection_head(layer: Layer, *, part: str) -> Draw:
    """N(0, std^2) of R-CNN heads: class 0.01, box 0.001, rpn 0.01, mask 0.001, tower 0.01; biases 0.

    Reference: Ren et al. (2015), arXiv:1506.01497; He et al. (2017), arXiv:1703.06870; detectron2.
    """
    if layer.kind == "vector":
        return Constant(0.0)
    return spread("normal", {"class": 0.01, "box": 0.001, "rpn": 0.01, "mask": 0.001, "tower": 0.01}[part])


def zero_head(layer: Layer) -> Draw:
    """W = 0 and b = 0: the first prediction is uniform and the backbone gets no gradient in the first step.

    Reference: Zhang et al. (2019), arXiv:1901.09321; Dosovitskiy et al. (2020), arXiv:2010.11929.
    """
    del layer
    return Constant(0.0)


def zero_conv(layer: Layer) -> Draw:
    """W = 0, b = 0 for the layer through which an adapter joins a trained model: at first it adds nothing.

    It learns at once, since its input is not zero; two of them in a row never do.

    Reference: Zhang, Rao and Agrawala (2023), arXiv:2302.05543.
    """
    del layer
    return Constant(0.0)


def lora(layer: Layer, *, part: str, rule: str) -> Draw:
    """A low-rank adapter B A: B = 0, and A uniform of bound 1/sqrt(fan_in), or N(0, 1/r^2).

    rule="uniform" is what peft does (kaiming_uniform with a = sqrt 5), rule="gaussian" its option.

    Reference: Hu et al. (2021), arXiv:2106.09685.
    """
    if part == "b":
        return Constant(0.0)
    if rule == "gaussian":
        return spread("normal", 1 / max(layer.num_out, 1))
    return spread("uniform", 1 / math.sqrt(3 * max(fans_of(layer, "effective").fan_in, 1)))


_VECTOR: tuple[Kind, ...] = ("vector",)
_LIN = Paper("Lin, Goyal, Girshick, He, Dollar", 2017, "Focal Loss for Dense Object Detection", "1708.02002")
_HELP = "probability of the class at the start"

METHODS = (
    Method(
        "focal_prior",
        "heads",
        "Bias at which every anchor is an object with a small probability.",
        (Param("prior", 0.01, _HELP, low=1e-9, high=1 - 1e-9),),
        _VECTOR,
        _LIN,
        focal_prior,
        aliases=("prior_bias", "retinanet_prior"),
        instead="detection_head",
    ),
    Method(
        "heatmap_prior",
        "heads",
        "Bias of key-point heat maps: probability 0.1.",
        (Param("prior", 0.1, _HELP, low=1e-9, high=1 - 1e-9),),
        _VECTOR,
        Paper("Zhou, Wang, Kraehenbuehl", 2019, "Objects as Points", "1904.07850"),
        heatmap_prior,
        aliases=("centernet_prior",),
        instead="detection_head",
    ),
    Method(
        "yolo_prior",
        "heads",
        "Biases of a YOLO head at one stride.",
        (
            Param("part", "class", "which bias", choices=("class", "object", "box")),
            Param("num_classes", 80, "classes", low=1),
            Param("stride", 8, "stride of the level", low=1),
            Param("image_size", 640, "side of the image", low=1),
            Param("objects", None, "objects expected in an image; 5 for class, 8 for object", low=1e-9),
            Param("box", 2.0, "bias of the box outputs"),
        ),
        _VECTOR,
        Paper("Jocher et al.", 2023, "Ultralytics YOLO"),
        yolo_prior,
        instead="detection_head",
    ),
    Method(
        "class_prior",
        "heads",
        "Biases from class frequencies, for softmax, sigmoid and focal losses.",
        (
            Param("frequencies", (), "counts or shares of the classes, in order", low=0.0),
            Param("loss", "softmax", "the loss of the head", choices=("softmax", "sigmoid", "focal")),
            Param("smoothing", 0.0, "added to every count", low=0.0),
            Param("copies", 1, "how often the classes repeat in the bias, as anchors do", low=1),
        ),
        _VECTOR,
        _LIN,
        class_prior,
        aliases=("softmax_prior", "log_prior"),
        instead="zero_head",
    ),
    Method(
        "detection_head",
        "heads",
        "Small normals of R-CNN heads, by part.",
        (Param("part", "class", "which head", choices=("class", "box", "rpn", "mask", "tower")),),
        EVERYTHING,
        Paper("Ren, He, Girshick, Sun", 2015, "Faster R-CNN", "1506.01497"),
        detection_head,
        aliases=("rcnn_head",),
    ),
    Method(
        "zero_head",
        "heads",
        "The classifier starts at 0: uniform predictions.",
        (),
        EVERYTHING,
        Paper("Dosovitskiy et al.", 2020, "An Image is Worth 16x16 Words", "2010.11929"),
        zero_head,
    ),
    Method(
        "zero_conv",
        "heads",
        "The joint between adapter and trained model starts at 0.",
        (),
        EVERYTHING,
        Paper("Zhang, Rao, Agrawala", 2023, "Adding Conditional Control", "2302.05543"),
        zero_conv,
        aliases=("zero_adapter", "controlnet"),
    ),
    Method(
        "lora",
        "heads",
        "Low-rank adapters: A random, B zero.",
        (
            Param("part", "a", "which factor", choices=("a", "b")),
            Param("rule", "uniform", "how A is drawn", choices=("uniform", "gaussian")),
        ),
        MATRICES,
        Paper("Hu et al.", 2021, "LoRA", "2106.09685"),
        lora,
    ),
)
