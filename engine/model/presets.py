"""Named configurations: `nano` (the embedded model), `nano-plain` (what it has grown from: without finer maps and
without the names of its backbone's classifier), `7b` and `13b` (the paper's parts and sizes), `sa2va-...` (the sizes of
its releases over InternVL and Qwen3-VL), `bench-...`.

`bench-768` is only for measuring on a CPU (`mglmm bench --model random:bench-768`): the paper's kind of prompt, with
576 image tokens, before a language model of 12 layers of 768 with the whole vocabulary. Its encoders are too small to
hide what the language model costs: a CLIP tower of 3 layers of 192, and SAM's ViT with 4 layers of 96 at 512 pixels.
`bench-sa2va` and `bench-sa2va-qwen3vl` are Sa2VA's two lines for the same purpose: tiles or grid, SAM 2 at 1024 pixels
and the vocabulary as they are, with Hiera-T, 6 layers of 384 in the vision tower and 8 of 512 in the language model.
"""

from __future__ import annotations

from engine.model.config import (
    ClipConfig,
    GridConfig,
    HintsConfig,
    MaskDecoderConfig,
    ModelConfig,
    PyramidConfig,
    PyramidTokensConfig,
    Sam2EncoderConfig,
    SamEncoderConfig,
    TilesConfig,
)
from engine.model.config_part import Part
from engine.model.language_config import LanguageConfig

NANO_PLAIN = ModelConfig(
    name="nano-plain",
    global_encoder=PyramidTokensConfig(tokens_per_side=12),
    language=LanguageConfig(
        options={
            "vocab_size": 3072,
            "hidden_size": 256,
            "intermediate_size": 704,
            "num_hidden_layers": 6,
            "num_attention_heads": 8,
            "num_key_value_heads": 8,
            "max_position_embeddings": 1024,
            "tie_word_embeddings": True,
        }
    ),
    pixel_encoder=PyramidConfig(image_size=384, out_channels=128),
    mask_decoder=MaskDecoderConfig(dim=128, mlp_dim=512),
    template="nano",
    max_new_tokens=192,
)

NANO = NANO_PLAIN.model_copy(
    update={
        "name": "nano",
        "global_encoder": PyramidTokensConfig(tokens_per_side=12, class_features=True, hints=HintsConfig(names=562)),
        "pixel_encoder": PyramidConfig(image_size=384, out_channels=128, high_res=True, classifier=True),
        "mask_decoder": MaskDecoderConfig(dim=128, mlp_dim=512, upscaling=(3, 2), high_res=True),
    }
)


def _vicuna(name: str, hidden: int, intermediate: int, layers: int, heads: int) -> ModelConfig:
    return ModelConfig(
        name=name,
        global_encoder=ClipConfig(),
        language=LanguageConfig(
            options={
                # 32,000 of LLaMA and the 7 added tokens of MGLMM.
                "vocab_size": 32007,
                "hidden_size": hidden,
                "intermediate_size": intermediate,
                "num_hidden_layers": layers,
                "num_attention_heads": heads,
                "num_key_value_heads": heads,
                "max_position_embeddings": 4096,
                "rms_norm_eps": 1e-5,
                "tie_word_embeddings": False,
            }
        ),
        pixel_encoder=SamEncoderConfig(),
    )


BENCH_768 = ModelConfig(
    name="bench-768",
    global_encoder=ClipConfig(hidden_size=192, intermediate_size=768, num_hidden_layers=3, num_attention_heads=3),
    language=LanguageConfig(
        options={
            "vocab_size": 32007,
            "hidden_size": 768,
            "intermediate_size": 2048,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "num_key_value_heads": 12,
            "max_position_embeddings": 2048,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": False,
        }
    ),
    pixel_encoder=SamEncoderConfig(image_size=512, embed_dim=96, depth=4, num_heads=3, global_attn_indexes=(3,)),
)


def _sa2va(name: str, hidden: int, intermediate: int, layers: int, heads: int) -> ModelConfig:
    """Sa2VA over InternVL: the sizes of its Qwen2.5."""
    return ModelConfig(
        name=name,
        global_encoder=TilesConfig(repeats_regions=True),
        projector="norm_mlp2x_gelu",
        language=LanguageConfig(
            model_type="qwen2",
            options={
                # 151,665 of Qwen2.5, and the added tokens of InternVL and Sa2VA.
                "vocab_size": 151679,
                "hidden_size": hidden,
                "intermediate_size": intermediate,
                "num_hidden_layers": layers,
                "num_attention_heads": heads,
                "num_key_value_heads": {14: 2, 12: 2, 16: 2, 28: 4, 40: 8}[heads],
                "max_position_embeddings": 32768,
                "rms_norm_eps": 1e-6,
                "tie_word_embeddings": False,
                "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
            },
        ),
        pixel_encoder=Sam2EncoderConfig(),
        mask_decoder=MaskDecoderConfig(high_res=True, padding_prompts=2, object_score=True, best="predicted_iou"),
        seg_state_offset=0,
        template="qwen_chat",
        max_new_tokens=2048,
    )


def _sa2va_internlm2(name: str, hidden: int, intermediate: int, layers: int, heads: int) -> ModelConfig:
    """Sa2VA over InternVL with an InternLM2.5, which is a Llama: its sizes."""
    options = {
        # 92,544 of InternLM2, and the added tokens of InternVL and Sa2VA.
        "vocab_size": 92558,
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": 8,
        "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": False,
        "attention_bias": False,
        "mlp_bias": False,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
    }
    return _sa2va(name, 896, 4864, 24, 14).model_copy(
        update={"language": LanguageConfig(model_type="llama", options=options)}
    )


def _sa2va_qwen3_vl(name: str, hidden: int, intermediate: int, layers: int, heads: int) -> ModelConfig:
    """Sa2VA over Qwen3-VL: the sizes of its language model; the vision tower is the same in both."""
    return ModelConfig(
        name=name,
        global_encoder=GridConfig(),
        projector="none",
        language=LanguageConfig(
            model_type="qwen3_vl_text",
            options={
                # 151,669 of Qwen3-VL, and the added tokens of Sa2VA.
                "vocab_size": 151674,
                "hidden_size": hidden,
                "intermediate_size": intermediate,
                "num_hidden_layers": layers,
                "num_attention_heads": heads,
                "num_key_value_heads": 8,
                "head_dim": 128,
                "max_position_embeddings": 262144,
                "rms_norm_eps": 1e-6,
                "tie_word_embeddings": False,
                "rope_parameters": {
                    "rope_type": "default",
                    "rope_theta": 5e6,
                    "mrope_section": [24, 20, 20],
                    "mrope_interleaved": True,
                },
            },
        ),
        pixel_encoder=Sam2EncoderConfig(),
        mask_decoder=MaskDecoderConfig(high_res=True, padding_prompts=2, object_score=True, best="predicted_iou"),
        seg_state_offset=0,
        seg_state_normed=False,
        template="qwen3_vl",
        max_new_tokens=2048,
    )


_SMALL_LANGUAGE = {
    "hidden_size": 512,
    "intermediate_size": 1408,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
}


def _small(config: ModelConfig, name: str, **parts: Part) -> ModelConfig:
    """A Sa2VA of the same structure, with Hiera-T's sizes and a small language model."""
    options = {**config.language.options, **_SMALL_LANGUAGE}
    if "head_dim" in options:
        options |= {"head_dim": 64, "rope_parameters": {**options["rope_parameters"], "mrope_section": [12, 10, 10]}}
    pixel = Sam2EncoderConfig(
        blocks=(1, 2, 7, 2),
        dims=(96, 192, 384, 768),
        heads=(1, 2, 4, 8),
        windows=(8, 4, 14, 7),
        global_blocks=(5, 7, 9),
    )
    language = config.language.model_copy(update={"options": options})
    return config.model_copy(update={"name": name, "language": language, "pixel_encoder": pixel, **parts})


BENCH_SA2VA = _small(
    _sa2va("", 896, 4864, 24, 14),
    "bench-sa2va",
    global_encoder=TilesConfig(
        hidden_size=384, intermediate_size=1536, num_hidden_layers=6, num_attention_heads=6, repeats_regions=True
    ),
)
BENCH_SA2VA_QWEN = _small(
    _sa2va_qwen3_vl("", 2048, 6144, 28, 16),
    "bench-sa2va-qwen3vl",
    global_encoder=GridConfig(
        hidden_size=384, intermediate_size=1536, num_hidden_layers=6, num_attention_heads=6, deep=(1, 3, 5)
    ),
)

PRESETS: dict[str, ModelConfig] = {
    "nano": NANO,
    "nano-plain": NANO_PLAIN,
    "7b": _vicuna("7b", 4096, 11008, 32, 32),
    "13b": _vicuna("13b", 5120, 13824, 40, 40),
    "bench-768": BENCH_768,
    "bench-sa2va": BENCH_SA2VA,
    "bench-sa2va-qwen3vl": BENCH_SA2VA_QWEN,
    "sa2va-1b": _sa2va("sa2va-1b", 896, 4864, 24, 14),
    "sa2va-4b": _sa2va("sa2va-4b", 2048, 11008, 36, 16),
    "sa2va-8b": _sa2va_internlm2("sa2va-8b", 4096, 14336, 32, 32),
    "sa2va-internvl3-2b": _sa2va("sa2va-internvl3-2b", 1536, 8960, 28, 12),
    "sa2va-internvl3-8b": _sa2va("sa2va-internvl3-8b", 3584, 18944, 28, 28),
    "sa2va-internvl3-14b": _sa2va("sa2va-internvl3-14b", 5120, 13824, 48, 40),
    "sa2va-qwen3vl-2b": _sa2va_qwen3_vl("sa2va-qwen3vl-2b", 2048, 6144, 28, 16),
    "sa2va-qwen3vl-4b": _sa2va_qwen3_vl("sa2va-qwen3vl-4b", 2560, 9728, 36, 32),
}
