from __future__ import annotations

import torch
from golden_data import codec, model
from torch import nn

from moss_stream.codec.config import CatConfig
from moss_stream.codec.weights import cat_weights, modern_name
from moss_stream.families.local.config import LocalConfig
from moss_stream.families.local.load import is_ignored
from moss_stream.families.local.weights import local_weights


def test_every_parameter_has_a_source() -> None:
    """The plans name exactly the parameters of the modules."""
    assert local_weights(model().config, None).keys() == dict(model().named_parameters()).keys()
    assert cat_weights(codec().config).keys() == dict(codec().named_parameters()).keys()


def test_no_tensor_is_used_twice() -> None:
    """Each tensor on disk belongs to one parameter (or, folded, to one matrix)."""
    for plan in (local_weights(model().config, None), cat_weights(codec().config)):
        names = [name for weight in plan.values() for name in weight.sources]
        assert len(names) == len(set(names))


def test_a_folded_convolution_is_torchs_weight_norm() -> None:
    """Gain and direction join to the matrix that torch's weight normalisation uses."""
    torch.manual_seed(0)
    conv = nn.utils.parametrizations.weight_norm(nn.Conv1d(64, 40, 1))
    plan = cat_weights(codec().config)["quantizer.input_proj.weight"]
    parts = [conv.parametrizations.weight.original0, conv.parametrizations.weight.original1]
    torch.testing.assert_close(plan.combine(parts), conv.weight[..., 0])


def test_a_projection_between_equal_widths_is_the_identity() -> None:
    """Where the reference has no projection, ours does nothing."""
    config = codec().config
    quantizer = config.quantizer_kwargs.model_copy(update={"rvq_dim": 64})
    plan = cat_weights(
        CatConfig.model_validate(config.model_dump() | {"quantizer_kwargs": quantizer.model_dump()})
    )
    assert torch.equal(plan["quantizer.input_proj.weight"].combine([]), torch.eye(64))
    assert not plan["quantizer.input_proj.bias"].combine([]).any()


def test_a_codec_without_layer_scale_scales_by_one() -> None:
    """A stage whose config has no layer scale needs no tensor for it."""
    raw = codec().config.model_dump()
    raw["decoder_kwargs"][0]["layer_scale"] = None
    weight = cat_weights(CatConfig.model_validate(raw))["decoder.stages.0.layers.0.scale1"]
    assert not weight.sources and torch.equal(weight.combine([]), torch.ones(64))


def test_modern_names() -> None:
    """Older spellings are translated, others stay."""
    layer = "decoder.0.transformer.layers.0.self_attn"
    assert modern_name(f"{layer}.in_proj_weight") == f"{layer}.in_projs.0.weight"
    assert modern_name(f"{layer}.out_proj.weight") == f"{layer}.out_projs.0.weight"
    assert (
        modern_name("quantizer.output_proj.weight_g")
        == "quantizer.output_proj.parametrizations.weight.original0"
    )
    assert modern_name("local_transformer.layers.0.self_attn.o_proj.weight").endswith("o_proj.weight")


def test_what_may_be_there_without_use() -> None:
    """The unused embedding and old rotary buffers are no surplus."""
    assert is_ignored("model.language_model.embed_tokens.weight")
    assert is_ignored("model.language_model.rotary_emb.inv_freq")
    assert not is_ignored("model.embedding_list.0.weight")


def test_head_rows_are_read_alone() -> None:
    """With chosen text ids only those rows of the head are read."""
    config: LocalConfig = model().config
    assert local_weights(config, [505, 507])["depth.heads.0.weight"].rows == (505, 507)
    assert local_weights(config, None)["depth.heads.0.weight"].rows is None
