"""The config.json of the speech model."""

from __future__ import annotations

from typing import Any

from training.settings import SpeechSettings

__all__ = ["local_config"]


def local_config(
    s: SpeechSettings, ids: dict[str, int], vocab_size: int, codebooks: tuple[int, int]
) -> dict[str, Any]:
    """Return the config.json of a speech model of these sizes.

    Args:
        s: Sizes.
        ids: Of the special tokens.
        vocab_size: Of the tokenizer.
        codebooks: How many the codec has, and their size.
    """
    language = {
        "model_type": "qwen3",
        "hidden_size": s.hidden,
        "intermediate_size": s.inner,
        "num_hidden_layers": s.layers,
        "num_attention_heads": s.heads,
        "num_key_value_heads": s.kv_heads,
        "head_dim": s.head_dim,
        "vocab_size": vocab_size,
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-6,
        "hidden_act": "silu",
        "rope_parameters": {"rope_type": "default", "rope_theta": 100_000},
        "tie_word_embeddings": False,
    }
    return {
        "architectures": ["MossTTSDelayModel"],
        "model_type": "moss_tts_delay",
        "language_config": language,
        "hidden_size": s.hidden,
        "vocab_size": vocab_size,
        "n_vq": codebooks[0],
        "audio_vocab_size": codebooks[1],
        "audio_pad_code": codebooks[1],
        "sampling_rate": 24_000,
        "local_num_layers": s.depth_layers,
        "local_hidden_size": s.depth_hidden,
        "local_ffn_hidden_size": s.depth_inner,
        "additional_mlp_ffn_hidden_size": s.bridge,
        "pad_token_id": ids["<|endoftext|>"],
        "im_start_token_id": ids["<|im_start|>"],
        "im_end_token_id": ids["<|im_end|>"],
        "audio_start_token_id": ids["<|audio_start|>"],
        "audio_end_token_id": ids["<|audio_end|>"],
        "audio_user_slot_token_id": ids["<|audio_user_slot|>"],
        "audio_assistant_gen_slot_token_id": ids["<|audio_gen_slot|>"],
        "audio_assistant_delay_slot_token_id": ids["<|audio_delay_slot|>"],
    }
