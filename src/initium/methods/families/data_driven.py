"""Methods that look at data or gradients; they run on a model (plan/data_driven), not on a layer."""

from __future__ import annotations

from initium.methods.method import EVERYTHING, MATRICES, Method, Paper, Param

_STEPS_PARAM = Param("steps", 50, "optimization steps", low=1)

METHODS = (
    Method(
        "lsuv",
        "data_driven",
        "Orthogonal, then every layer's output scaled to a standard deviation of 1.",
        (
            Param("target", 1.0, "standard deviation of each output", low=1e-6),
            # Of the published loop; a sweep meets the target at once, so policy "lsuv" reads the target alone.
            Param("tolerance", 0.1, "how near is enough", low=1e-6),
            Param("max_tries", 10, "rescalings of one layer", low=1),
        ),
        MATRICES,
        Paper("Mishkin, Matas", 2015, "All you need is a good init", "1511.06422"),
        None,
        needs="data",
        instead="scaled_orthogonal",
    ),
    Method(
        "kraehenbuehl",
        "data_driven",
        "PCA or k-means filters, unit outputs, then equal learning rates across layers.",
        (
            Param("filters", "pca", "what the weights are made of", choices=("pca", "kmeans", "normal")),
            Param("balance", True, "equalize the rates of change of all layers"),
        ),
        MATRICES,
        Paper(
            "Kraehenbuehl, Doersch, Donahue, Darrell", 2015, "Data-dependent Initializations", "1511.06856"
        ),
        None,
        aliases=("krahenbuhl", "data_dependent", "magic_init"),
        needs="data",
    ),
    Method(
        "weight_norm_data",
        "data_driven",
        "Gain 1/std and shift -mean/std of each unit from one batch.",
        (),
        EVERYTHING,
        Paper("Salimans, Kingma", 2016, "Weight Normalization", "1602.07868"),
        None,
        aliases=("actnorm", "wn_data"),
        needs="data",
        instead="weight_norm_he",
    ),
    Method(
        "metainit",
        "data_driven",
        "Norms of the weights tuned until gradients change least along themselves.",
        (
            Param("lr", 0.1, "step of the sign descent on norms", low=0.0),
            Param("momentum", 0.5, "momentum", low=0.0, high=1.0),
            _STEPS_PARAM,
            Param("epsilon", 1e-5, "added to the gradient by its sign", low=0.0),
        ),
        MATRICES,
        Paper("Dauphin, Schoenholz", 2019, "MetaInit"),
        None,
        needs="gradient",
    ),
    Method(
        "gradinit",
        "data_driven",
        "Scales of the weights learned so that the loss after one step is least.",
        (
            Param("lr", 1e-3, "step of the scales", low=0.0),
            _STEPS_PARAM,
            Param("eta", 0.1, "learning rate of the step looked ahead", low=0.0),
            Param("gamma", 1.0, "bound on the gradient norm", low=0.0),
            Param("norm", 2, "p of the gradient norm: 2 for SGD, 1 for Adam", low=1),
            Param("min_scale", 0.01, "smallest scale", low=0.0),
        ),
        EVERYTHING,
        Paper("Zhu, Ni, Xu, Kong, Huang, Goldstein", 2021, "GradInit", "2102.08098"),
        None,
        needs="gradient",
    ),
    Method(
        "nio",
        "data_driven",
        "Scales learned so that the gradients of samples point the same way.",
        (
            Param("lr", 1e-3, "step of the scales", low=0.0),
            _STEPS_PARAM,
            Param("gamma", 1.0, "bound on the gradient norm", low=0.0),
            Param("norm", 2, "p of the gradient norm", low=1),
            Param("groups", 2, "sub-batches whose gradients are compared", low=2),
        ),
        EVERYTHING,
        Paper(
            "Yang et al.",
            2022,
            "Towards Theoretically Inspired Neural Initialization Optimization",
            "2210.05956",
        ),
        None,
        aliases=("gradcosine",),
        needs="gradient",
    ),
    Method(
        "autoinit",
        "data_driven",
        "Means and variances carried through the graph; each weight scaled to keep 1.",
        (),
        MATRICES,
        Paper("Bingham, Miikkulainen", 2021, "AutoInit", "2109.08958"),
        None,
        needs="graph",
        instead="numeric_gain",
    ),
)
