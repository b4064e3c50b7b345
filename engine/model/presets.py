"""Named configurations: `nano` (the embedded model), `nano-plain` (what it has grown from: without finer maps and
without the names of its backbone's classifier), `7b` and `13b` (the paper's parts and sizes), `bench-768`.

`bench-768` is only for measuring on a CPU (`mglmm bench --model random:bench-768`): the paper's kind of prompt, with
576 image tokens, before a language model of 12 layers of 768 with the whole vocabulary. Its encoders are too small to
hide what the language model costs: a CLIP tower of 3 layers of 192, and SAM's ViT with 4 layers of 96 at 512 pixels.
"""

from __future__ import annotations

from engine.model.config import (
    ClipConfig,
    HintsConfig,
    LanguageConfig,
    MaskDecoderConfig,
    ModelConfig,
    PyramidConfig,
    PyramidTokensConfig,
    SamEncoderConfig,
)

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


PRESETS: dict[str, ModelConfig] = {
    "nano": NANO,
    "nano-plain": NANO_PLAIN,
    "7b": _vicuna("7b", 4096, 11008, 32, 32),
    "13b": _vicuna("13b", 5120, 13824, 40, 40),
    "bench-768": BENCH_768,
}
