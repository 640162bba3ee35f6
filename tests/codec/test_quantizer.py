from __future__ import annotations

import torch
import torch.nn.functional as F
from golden_data import codec, expected


def test_decoding_sums_the_levels_and_projects() -> None:
    """The table lookup equals codebook row, projection, sum and output projection, level by level."""
    q, codes = codec().quantizer, expected("cat")["a.codes"][:6]
    with torch.inference_mode():
        total = sum(
            F.linear(q.codebook[level][codes[:, level]], q.out_weight[level], q.out_bias[level])
            for level in range(3)
        )
        wanted = q.output_proj(total)
        torch.testing.assert_close(q.decode(codes[None, :, :3])[0], wanted, atol=1e-5, rtol=1e-5)


def test_fewer_levels_are_a_prefix() -> None:
    """Encoding with fewer codebooks gives the first codes of encoding with all."""
    hidden = expected("cat")["a.encoder_hidden"].T[None]
    with torch.inference_mode():
        full, some = codec().quantizer.encode(hidden, 8), codec().quantizer.encode(hidden, 3)
    assert torch.equal(full[..., :3], some)
    assert torch.equal(full[0], expected("cat")["a.codes"])
