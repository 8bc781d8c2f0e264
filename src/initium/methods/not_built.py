"""Published methods that are no initialization of a given network: cards that say why."""

from __future__ import annotations

from initium.methods.method import Method, Paper

_FORWARD = "not built: it changes the forward pass of the network, which initium leaves as it is"
_GROWTH = "not built: it grows another trained network; its weights, not a rule, are the start"
_HYPER = "not built: a trained hypernetwork predicts the weights; it is a model, not a rule"

METHODS = (
    Method(
        "dks",
        "not_built",
        "Deep kernel shaping and tailored activations: activations are transformed.",
        (),
        (),
        Paper("Martens et al.; Zhang et al.", 2021, "Deep Kernel Shaping", "2110.01765"),
        None,
        aliases=("tat", "deep_kernel_shaping"),
        needs="graph",
        instead="scaled_orthogonal, the weights that DKS uses",
        left_out=_FORWARD,
    ),
    Method(
        "net2net",
        "not_built",
        "Function-preserving growth: Net2Net, bert2BERT, LiGO.",
        (),
        (),
        Paper("Chen, Goodfellow, Shlens; Chen et al.; Wang et al.", 2015, "Net2Net", "1511.05641"),
        None,
        aliases=("bert2bert", "ligo", "growth"),
        needs="weights",
        instead="weight_selection, from a bigger model",
        left_out=_GROWTH,
    ),
    Method(
        "ghn",
        "not_built",
        "A graph hypernetwork predicts all weights from the architecture.",
        (),
        (),
        Paper(
            "Knyazev, Hwang, Lacoste-Julien",
            2023,
            "Can We Scale Transformers to Predict Parameters?",
            "2303.04143",
        ),
        None,
        aliases=("ghn3", "ghn_3"),
        needs="graph",
        left_out=_HYPER,
    ),
    Method(
        "unit_scaling",
        "not_built",
        "u-muP and unit scaling: N(0, 1) weights, every operation rescaled forward and backward.",
        (),
        (),
        Paper("Blake, Orr, Luschi; Blake et al.", 2023, "Unit Scaling", "2303.11257"),
        None,
        aliases=("u_mup", "umup"),
        needs="graph",
        instead="mup, which needs no change of the forward pass",
        left_out=_FORWARD,
    ),
    Method(
        "ntk",
        "not_built",
        "Neural-tangent and mean-field parametrization: N(0, 1) weights, outputs divided by sqrt(n) or n.",
        (),
        (),
        Paper("Jacot, Gabriel, Hongler", 2018, "Neural Tangent Kernel", "1806.07572"),
        None,
        aliases=("ntk_parametrization", "mean_field_parametrization"),
        needs="graph",
        instead="lecun_normal, the same function at the start",
        left_out=_FORWARD,
    ),
)
