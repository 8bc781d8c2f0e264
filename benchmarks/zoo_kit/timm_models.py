"""One or more small members of every architecture family of timm.

A row is (model, image size, arguments). The sizes are the smallest that the architecture takes without
degenerating; giants without a small member are built thinner, with the depth and the parts they have.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from .entry import Entry, Inputs
from .photographs import batch_of

Row = tuple[str, int, dict[str, Any]]

ROWS: tuple[Row, ...] = (
    ("beit_base_patch16_224", 96, {"img_size": 96, "embed_dim": 192, "num_heads": 3}),
    ("beitv2_base_patch16_224", 96, {"img_size": 96, "embed_dim": 192, "num_heads": 3}),
    ("botnet26t_256", 128, {"img_size": 128}),
    ("halonet26t", 256, {}),
    ("lambda_resnet26t", 128, {}),
    ("repvgg_a0", 96, {}),
    ("mobileone_s1", 96, {}),
    ("gcresnext26ts", 96, {}),
    ("cait_xxs24_224", 96, {"img_size": 96}),
    ("coat_tiny", 96, {"img_size": 96}),
    ("coat_lite_tiny", 96, {"img_size": 96}),
    ("convit_tiny", 96, {"img_size": 96}),
    ("convmixer_768_32", 56, {}),
    ("convnext_atto", 96, {}),
    ("convnextv2_atto", 96, {}),
    ("convnext_zepto_rms", 96, {}),
    ("cpubone_nano", 96, {}),
    ("crossvit_tiny_240", 120, {"img_size": 120}),
    ("csatv2", 256, {}),
    ("cs3darknet_s", 96, {}),
    ("darknet17", 96, {}),
    ("cspnext_tiny", 96, {}),
    ("davit_tiny", 96, {}),
    ("deepseek_vit_412m", 98, {"embed_dim": 192, "num_heads": 3, "depth": 12}),
    ("deit_tiny_distilled_patch16_224", 96, {"img_size": 96}),
    ("deit3_small_patch16_224", 96, {"img_size": 96}),
    ("densenet121", 96, {}),
    ("dla46_c", 96, {}),
    ("dpn48b", 96, {}),
    ("edgenext_xx_small", 96, {}),
    ("efficientformer_l1", 224, {}),
    ("efficientformerv2_s0", 96, {"img_size": 96}),
    ("efficientnet_b0", 96, {}),
    ("mobilenetv2_035", 96, {}),
    ("efficientvim_m1", 128, {}),
    ("efficientvit_b0", 96, {}),
    ("efficientvit_m0", 128, {"img_size": 128}),
    ("eva02_tiny_patch14_224", 98, {"img_size": 98}),
    ("vit_tiny_patch16_dinov3_qkvb", 96, {"img_size": 96}),
    ("fasternet_t0", 96, {}),
    ("fastvit_t8", 96, {}),
    ("focalnet_tiny_srf", 96, {}),
    ("gcvit_xxtiny", 96, {"img_size": 96}),
    ("gemma4_vit_167m", 96, {"embed_dim": 192, "num_heads": 3}),
    ("ghostnet_050", 96, {}),
    ("ghostnetv3_050", 96, {}),
    ("hardcorenas_a", 96, {}),
    ("hgnetv2_b0", 96, {}),
    ("hiera_tiny_224", 96, {"img_size": 96}),
    ("hieradet_small", 128, {}),
    ("hrnet_w18_small", 96, {}),
    ("iformer_t", 96, {}),
    ("inception_next_atto", 96, {}),
    ("inception_resnet_v2", 139, {}),
    ("inception_v3", 139, {}),
    ("inception_v4", 139, {}),
    ("lcnetv2_small", 96, {}),
    ("levit_128s", 96, {"img_size": 96}),
    ("lowformer_b0", 96, {}),
    ("mambaout_femto", 96, {}),
    ("maxvit_pico_rw_256", 128, {"img_size": 128}),
    ("coatnet_pico_rw_224", 96, {"img_size": 96}),
    ("poolformer_s12", 96, {}),
    ("caformer_s18", 96, {}),
    ("mixer_s16_224", 96, {"img_size": 96}),
    ("gmlp_ti16_224", 96, {"img_size": 96}),
    ("resmlp_12_224", 96, {"img_size": 96}),
    ("mobilenetv3_small_050", 96, {}),
    ("mobilenetv4_conv_small_035", 96, {}),
    ("mobilenetv5_base", 96, {}),
    ("mobilevit_xxs", 128, {}),
    ("mobilevitv2_050", 128, {}),
    ("mvitv2_tiny", 96, {"img_size": 96}),
    ("naflexvit_base_patch16_map", 96, {"embed_dim": 192, "num_heads": 3}),
    ("nasnetalarge", 96, {}),
    ("nest_tiny", 128, {"img_size": 128}),
    ("nextvit_small", 96, {}),
    ("nf_regnet_b0", 96, {}),
    ("nf_resnet26", 96, {}),
    ("eca_nfnet_l0", 96, {}),
    ("pit_ti_224", 96, {"img_size": 96}),
    ("pnasnet5large", 96, {}),
    ("pvt_v2_b0", 96, {}),
    ("qwen3_vit_88m", 96, {"embed_dim": 192, "num_heads": 3}),
    ("rdnet_tiny", 96, {}),
    ("regnetx_002", 96, {}),
    ("regnety_002", 96, {}),
    ("repghostnet_050", 96, {}),
    ("repvit_m1", 96, {}),
    ("res2net50_14w_8s", 96, {}),
    ("resnest14d", 96, {}),
    ("resnet18", 96, {}),
    ("resnet50", 96, {}),
    ("ecaresnet26t", 96, {}),
    ("resnet50_gn", 96, {}),
    ("resnetv2_18", 96, {}),
    ("resnetv2_50x1_bit", 96, {}),
    ("rexnet_100", 96, {}),
    ("selecsls42", 96, {}),
    ("legacy_seresnet18", 96, {}),
    ("sequencer2d_s", 96, {"img_size": 96}),
    ("shvit_s1", 128, {}),
    ("skresnet18", 96, {}),
    ("starnet_s050", 96, {}),
    ("swiftformer_xs", 96, {}),
    ("swin_tiny_patch4_window7_224", 96, {"img_size": 96, "window_size": 3}),
    ("swinv2_tiny_window8_256", 128, {"img_size": 128, "window_size": 4}),
    ("swinv2_cr_tiny_224", 96, {"img_size": 96}),
    ("tiny_vit_5m_224", 96, {}),
    ("tnt_s_patch16_224", 96, {"img_size": 96}),
    ("tresnet_m", 96, {}),
    ("twins_svt_small", 96, {"img_size": 96}),
    ("twins_pcpvt_small", 96, {"img_size": 96}),
    ("vgg11", 64, {"mlp_ratio": 0.125}),
    ("vgg11_bn", 64, {"mlp_ratio": 0.125}),
    ("visformer_tiny", 96, {"img_size": 96}),
    ("vit_tiny_patch16_224", 96, {"img_size": 96}),
    ("vit_base_patch16_siglip_224", 96, {"img_size": 96, "embed_dim": 192, "num_heads": 3}),
    ("vit_tiny_r_s16_p8_224", 96, {"img_size": 96}),
    ("vit_relpos_small_patch16_224", 96, {"img_size": 96}),
    ("samvit_base_patch16_224", 96, {"img_size": 96, "embed_dim": 192, "num_heads": 3}),
    ("vitamin_small_224", 96, {"img_size": 96}),
    ("volo_d1_224", 96, {"img_size": 96}),
    ("ese_vovnet19b_slim_dw", 96, {}),
    ("legacy_xception", 96, {}),
    ("xception41", 96, {}),
    ("xcit_nano_12_p8_224", 64, {"img_size": 64}),
)


def _make(name: str, arguments: dict[str, Any]) -> nn.Module:
    import timm

    model: nn.Module = timm.create_model(name, pretrained=False, drop_rate=0.0, **arguments)
    return model


def _feed(size: int, batch: int, seed: int) -> Inputs:
    return batch_of(batch, size, size, seed)


def _family(name: str) -> str:
    from timm.models._registry import _model_to_module

    return f"timm.{_model_to_module.get(name, 'unknown')}"


def entries() -> tuple[Entry, ...]:
    """The rows as entries."""
    return tuple(
        Entry(f"timm:{name}", _family(name), partial(_make, name, kwargs), partial(_feed, size))
        for name, size, kwargs in ROWS
    )
