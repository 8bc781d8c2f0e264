"""Recipes of detectors: pyramids, region proposals, dense heads, and heads on regions; trunks are kept."""

from __future__ import annotations

from initium.plan.recipes.library.convnets import FAN_OUT
from initium.plan.recipes.library.shared_lines import TORCH_BIAS, TORCH_DEFAULT, ZEROS
from initium.plan.recipes.recipe import Line, Measured, Need, Recipe, start

_CAFFE = start("xavier_uniform", convention="caffe", fans="torch")
_DENSE_HEAD = start("normal", std=0.01)
_CENTERNET_HEAD = start("normal", std=0.001)
_PRIOR = start("focal_prior", prior=0.01)
_DENSE = "!in_region !lateral !pyramid"

PYRAMID = (Line("lateral|pyramid", _CAFFE, ZEROS),)
PROPOSALS = (Line(f"conv tower|final {_DENSE}", start("detection_head", part="rpn"), ZEROS),)
MASKS = (
    Line("conv final in_region", start("detection_head", part="mask"), ZEROS),
    Line("conv|conv_transpose in_region", FAN_OUT, ZEROS),
)
# Two final convolutions on one tower (boxes and the centre score of FCOS) are "paired": the second is scored by a
# sigmoid as well, but its bias is no class prior.
DENSE = (
    Line(f"conv final sigmoid_score !paired {_DENSE}", _DENSE_HEAD, _PRIOR),
    Line(f"conv tower|final {_DENSE}", _DENSE_HEAD, ZEROS),
)

_PYRAMID = Need("lateral", "sum of a feature map with an upsampled one")
_PROPOSALS = Need(f"conv tower {_DENSE}", "convolution that feeds final ones on whole maps")
_REGIONS = Need("in_region", "weight that reads what was cut out of a feature map")
_SCORES = Need(f"conv final sigmoid_score {_DENSE}", "convolution whose output is scored by a sigmoid")
_MODE = (
    "Scores are distinguished from boxes by what reads them, so record the model with its loss, or in evaluation mode: "
    "raw outputs that leave the model look alike."
)

RECIPES = (
    Recipe(
        "fpn",
        "detection",
        "Lateral and output convolutions of a feature pyramid U(-b, b), b = sqrt(3 / fan_in), biases 0.",
        "torchvision, feature_pyramid_network.py; detectron2, c2_xavier_fill; Lin+ 2016, 1612.03144",
        PYRAMID,
        (_PYRAMID,),
        ("Caffe2 calls this Xavier; it is kaiming_uniform with a = 1, and looks at fan_in alone.",),
    ),
    Recipe(
        "rpn",
        "detection",
        "Region proposal heads N(0, 0.01^2), biases 0.",
        "torchvision, rpn.py; detectron2, rpn.py; Ren+ 2015, 1506.01497",
        PROPOSALS,
        (_PROPOSALS,),
    ),
    Recipe(
        "mask_head",
        "detection",
        "Mask convolutions by He over fan_out, the predictor N(0, 0.001^2), biases 0.",
        "detectron2, mask_head.py; He+ 2017, 1703.06870",
        MASKS,
        (Need("conv|conv_transpose in_region", "convolution on what was cut out of a feature map"),),
        ("torchvision draws the predictor by He too, and leaves its biases at torch's default (torchvision_rcnn).",),
    ),
    Recipe(
        "torchvision_rcnn",
        "detection",
        "Pyramid, proposals, and box, mask and key-point heads as torchvision starts them.",
        "torchvision, faster_rcnn.py, mask_rcnn.py, keypoint_rcnn.py",
        (
            *PYRAMID,
            *PROPOSALS,
            Line("linear in_region", TORCH_DEFAULT, TORCH_BIAS),
            Line("conv_transpose in_region final", FAN_OUT, ZEROS),
            Line("conv final in_region", FAN_OUT, TORCH_BIAS),
            Line("conv_transpose in_region", FAN_OUT, TORCH_BIAS),
            Line("conv in_region", FAN_OUT, ZEROS),
        ),
        (_REGIONS, _PROPOSALS),
        (
            ("The papers draw class and box layers from N(0, 0.01^2) and N(0, 0.001^2) (detectron2_rcnn); torchvision "
            "leaves them at torch's default, and the biases of its mask predictor too."),
        ),
    ),
    Recipe(
        "detectron2_rcnn",
        "detection",
        "Pyramid, proposals, and box and mask heads as detectron2 starts them: class 0.01, box 0.001, mask 0.001.",
        "detectron2, fpn.py, rpn.py, box_head.py, fast_rcnn.py, mask_head.py",
        (
            *PYRAMID,
            *PROPOSALS,
            Line("linear final softmax_score in_region", start("detection_head", part="class"), ZEROS),
            Line("linear final in_region", start("detection_head", part="box"), ZEROS),
            Line("linear in_region", _CAFFE, ZEROS),
            *MASKS,
        ),
        (_REGIONS, _PROPOSALS),
        (_MODE,),
    ),
    Recipe(
        "retinanet",
        "detection",
        "Pyramid; towers, classes and boxes N(0, 0.01^2), the class bias at probability 0.01.",
        "torchvision, retinanet.py; detectron2, retinanet.py; Lin+ 2017, 1708.02002",
        (*PYRAMID, *DENSE),
        (_SCORES,),
        (_MODE,),
    ),
    Recipe(
        "fcos",
        "detection",
        "As retinanet; the centre score, which shares its tower with the boxes, has bias 0.",
        "torchvision, fcos.py; Tian+ 2019, 1904.01355",
        (*PYRAMID, *DENSE),
        (_SCORES,),
        (_MODE,),
    ),
    Recipe(
        "centernet",
        "detection",
        "Heat map bias at probability 0.1, other last convolutions N(0, 0.001^2), else torch's default.",
        "CenterNet, msra_resnet.py; Zhou+ 2019, 1904.07850",
        (
            Line(f"conv final sigmoid_score {_DENSE}", TORCH_DEFAULT, start("heatmap_prior")),
            Line(f"conv final {_DENSE}", _CENTERNET_HEAD, ZEROS),
            Line(f"conv tower {_DENSE}", TORCH_DEFAULT, TORCH_BIAS),
        ),
        (_SCORES,),
        (_MODE, "The code writes the bias as -2.19; the probability 0.1 that it stands for gives -2.1972."),
    ),
    Recipe(
        "yolo",
        "detection",
        "Class biases for five objects an image, spread over classes and cells; box biases 2; weights torch's default.",
        "ultralytics, head.py, bias_init",
        (
            Line(
                f"conv final sigmoid_score {_DENSE}",
                TORCH_DEFAULT,
                start(
                    "yolo_prior", part="class", num_classes=Measured("channels"), stride=1,
                    image_size=Measured("grid_side"),
                ),
            ),
            Line(f"conv final {_DENSE}", TORCH_DEFAULT, start("yolo_prior", part="box")),
            Line(f"conv tower {_DENSE}", TORCH_DEFAULT, TORCH_BIAS),
        ),
        (_SCORES,),
        (
            _MODE,
            ("The published code always counts the cells of a 640 pixel image; here those of the recorded run, "
            "so record it at the size you train at."),
            "Heads whose last convolution holds classes, boxes and objectness together (before v8) are not separated.",
        ),
    ),
)  # fmt: skip
