"""A public checkpoint becomes a model folder of mglmm.

The order: read keys and shapes of all sources, tell the config from them, compare with the network that the config
builds (on the meta device), and only then read and write the weights, one tensor at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from engine.convert import architecture, initial, lora, sa2va, tower
from engine.convert.card import terms_of
from engine.convert.download import Note, ignore
from engine.convert.families import AUTO, Kind, recognise
from engine.convert.folder import check_out, write_folder
from engine.convert.inventory import Inventory, Shapes
from engine.convert.mapping import checkpoint_rules, sam_rules, tower_rules
from engine.convert.report import Report, made_of, parts_of, parts_of_planned
from engine.convert.sources import open_directory, open_weights
from engine.convert.tensors import TensorFiles
from engine.convert.tokens import Vocabulary, extend_vocabulary, read_vocabulary
from engine.convert.writer import SHARD, Planned, write
from engine.errors import UsageError
from engine.model.checkpoint import CONFIG
from engine.model.config import ClipConfig, ModelConfig, SamEncoderConfig
from engine.model.limits import building, read_table
from engine.model.mglmm import MGLMM

_TABLES = ("language_model.model.embed_tokens.weight", "language_model.lm_head.weight")
"""A row per token."""
_SAM = ("pixel_encoder.", "mask_head.")
_TOWER = "global_encoder."


@dataclass(frozen=True, slots=True)
class Source:
    """A checkpoint as it was found.

    Attributes:
        name: of the model.
        folder: its directory.
        config: its config.json.
        files: reads its weights.
        parts: the tensors and LoRA factors by their plain names.
        kind: what it is.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]
    files: TensorFiles
    parts: lora.Parts
    kind: Kind


def convert(
    source: str,
    out: Path,
    *,
    vision_tower: str | None = None,
    sam: Path | None = None,
    family: str = AUTO,
    name: str | None = None,
    shard: int = SHARD,
    advance: Callable[[int, int], None] = lambda more, total: None,
    note: Note = ignore,
) -> Report:
    """Convert a checkpoint of MGLMM, GLaMM, LISA or Sa2VA, or make an untrained MGLMM of a LLaVA and a SAM.

    Args:
        source: its directory, or a name on the hub.
        out: the model folder; must be empty or not exist. It appears only when all is written.
        vision_tower: directory of the CLIP, or a name on the hub; by default what the checkpoint holds or names.
        sam: file of a plain SAM, instead of the checkpoint's.
        family: a name of `FAMILIES`, or `auto`.
        name: of the model; by default that of the source.
        shard: bytes of weights in one file.
        advance: called for each tensor that is written with its bytes, and those of all.
        note: told what is downloaded, in a line.

    Returns:
        what was done.

    Raises:
        UsageError: if a source can't be read, is none of these, or its parts don't fit together.
    """
    check_out(out)
    folder, described = _look_at(source, note)
    name = name or _name_of(source, folder)
    if sa2va.is_one(folder, described):
        if vision_tower or sam:
            raise UsageError(f"{folder}: a Sa2VA holds all of its parts: leave out --vision-tower and --sam")
        write_tensors = partial(write, shard=shard, advance=advance)
        return _convert_sa2va(folder, described, name, out, write_tensors)
    checkpoint = _open(name, folder, described, family)
    found = _take_stock(checkpoint, sam)
    with building(checkpoint.folder / CONFIG):
        clip = _find_tower(found, checkpoint, vision_tower, note)
        vocabulary = _read_vocabulary(found, checkpoint)
        merged = _merge_lora(found, checkpoint)
        _extend_tables(found, checkpoint, vocabulary)
        config = _config(found, checkpoint, clip, vocabulary)
        needed = _needed(config)
    if checkpoint.kind.starting_point:
        _draw_text_layers(found, needed)
    found.fill_unused(needed)
    found.check(needed)
    terms = terms_of(checkpoint.folder, name)
    pieces = [piece.tensor for piece in found.pieces.values()]
    write_folder(pieces, config, vocabulary.tokenizer, out, partial(write, shard=shard, advance=advance), terms)
    return Report(
        folder=out,
        facts=_facts(checkpoint, config, vocabulary, merged),
        parts=parts_of(found),
        made=made_of(found),
        ignored={reason: tuple(keys) for reason, keys in found.ignored.items()},
        notes=_notes(checkpoint, config, vocabulary),
    )


def _look_at(source: str, note: Note) -> tuple[Path, Mapping[str, Any]]:
    """The directory of a checkpoint and its config.json."""
    folder = open_directory(source, note)
    path = folder / "config.json"
    if not path.is_file():
        raise UsageError(f"{path}: missing; copy it from the release that the checkpoint was trained from")
    return folder, read_table(path)


def _name_of(source: str, folder: Path) -> str:
    is_hub_name = not Path(source).is_dir()
    return source.partition("@")[0].rpartition("/")[2] if is_hub_name else folder.resolve().name


def _open(name: str, folder: Path, config: Mapping[str, Any], family: str) -> Source:
    files = open_weights(folder)
    parts = lora.take_apart(files)
    kind = recognise(folder, parts.weights, config, family)
    return Source(name, folder, config, files, parts, kind)


def _convert_sa2va(
    folder: Path,
    config: Mapping[str, Any],
    name: str,
    out: Path,
    write_tensors: Callable[[Path, Sequence[Planned]], object],
) -> Report:
    tensors, ignored = sa2va.plan(open_weights(folder), config)
    with building(folder / CONFIG):
        made = sa2va.config_of(folder, config, tensors, name)
        needed = _needed(made)
    tokenizer = sa2va.tokenizer_of(folder)
    sa2va.check(folder, tensors, needed, tokenizer)
    write_folder(tensors, made, tokenizer, out, write_tensors, terms_of(folder, name))
    return Report(
        folder=out,
        facts={"family": "Sa2VA", "template": made.template, "language model": made.language.model_type},
        parts=parts_of_planned(tensors, folder),
        made={},
        ignored={reason: tuple(keys) for reason, keys in ignored.items()},
        notes=(),
    )


def _take_stock(source: Source, sam: Path | None) -> Inventory:
    """Everything that the checkpoint and the SAM file hold."""
    rules = checkpoint_rules(source.kind.family)
    found = Inventory(source.folder, rules)
    replaced = {} if sam is None else {start: f"replaced by --sam {sam}" for start in _SAM}
    found.add(source.files, source.parts.weights, rules, unwanted=replaced)
    if sam is not None:
        files = TensorFiles((sam,))
        if not any(key.startswith("image_encoder.") for key in files.tensors):
            raise UsageError(f"{sam}: no key begins with image_encoder.: not a SAM file")
        found.add(files, files.tensors, sam_rules())
    elif not any(found.has(start) for start in _SAM):
        raise UsageError(f"{source.folder}: holds no SAM; give the file of one (sam_vit_*.pth) with --sam")
    return found


def _find_tower(found: Inventory, source: Source, given: str | None, note: Note) -> ClipConfig:
    """Add the vision tower; its config."""
    layer = architecture.select_layer(source.folder, source.config)
    local = tower.look_up(source.folder, source.config)
    if given is None and found.has(_TOWER):
        return tower.read_clip(local, layer) if local else tower.clip_by_shapes(found, layer)
    if given is not None:
        folder = tower.open_tower(given, note)
    else:
        folder = local or tower.download(source.folder, source.config, note)
    clip = tower.read_clip(folder, layer)
    inside = [name for name in found.pieces if name.startswith(_TOWER)]
    if inside:
        keys = [found.pieces.pop(name).key for name in inside]
        found.ignored[f"the vision tower is that of {folder}"] = keys
    files = open_weights(folder)
    found.add(files, files.tensors, tower_rules(frozenset(files.tensors)))
    return clip


def _read_vocabulary(found: Inventory, source: Source) -> Vocabulary:
    rows = found.shape(_TABLES[0])[0]
    if source.kind.starting_point:
        return extend_vocabulary(source.folder, rows)
    regions = found.has("region_encoder.")
    return read_vocabulary(source.folder, source.kind.family, source.config, rows, regions=regions)


def _merge_lora(found: Inventory, source: Source) -> str | None:
    """Put merged weights in the place of those that have factors; what was done, in words."""
    scales: set[tuple[int, float]] = set()
    pairs = dict(source.parts.pairs)
    for name, piece in list(found.pieces.items()):
        weight = source.parts.weights.get(lora.plain(piece.key))
        if piece.file not in source.files.files or weight is None:
            continue
        if (pair := pairs.pop(lora.plain(piece.key), None)) is None:
            continue
        if source.kind.starting_point and name in _TABLES:
            raise UsageError(f"{pair.a.file}: {pair.a.key}: a table that gets new rows can't have LoRA factors")
        scale = lora.scale(source.folder, pair.rank)
        scales.add((pair.rank, scale))
        found.change(name, partial(lora.merged_chunks, source.files, weight, pair, scale))
    for pair in pairs.values():
        found.ignored.setdefault("LoRA of a part that is taken from elsewhere", []).extend((pair.a.key, pair.b.key))
    if not scales:
        return None
    how = ", ".join(f"rank {rank} scaled by {scale:g}" for rank, scale in sorted(scales))
    return f"{len(source.parts.pairs) - len(pairs)} pairs merged, {how}"


def _extend_tables(found: Inventory, source: Source, vocabulary: Vocabulary) -> None:
    """Rows for the tokens that are added to a LLaVA."""
    if not source.kind.starting_point:
        return
    for name in _TABLES:
        rows, width = found.shape(name)
        table = source.files.tensors[found.pieces[name].key]
        if rows < vocabulary.kept:
            raise UsageError(f"{table.file}: {table.key} has {rows} rows, the vocabulary has {vocabulary.kept} tokens")
        chunks = partial(initial.with_mean_rows, source.files, table, vocabulary.kept, len(vocabulary.new))
        made = f"{len(vocabulary.new)} new rows, each the mean of the others"
        found.change(name, chunks, shape=(vocabulary.rows, width), made=made if vocabulary.new else None)


def _config(found: Inventory, source: Source, clip: ClipConfig, vocabulary: Vocabulary) -> ModelConfig:
    # A LLaVA has no prompt vectors yet, so its config.json can't say how long they are.
    out_dim = None if source.kind.starting_point else source.config.get("out_dim")
    try:
        return ModelConfig(
            name=source.name,
            global_encoder=clip,
            projector=architecture.projector(found),
            language=architecture.language_model(found, source.config, vocabulary.rows),
            pixel_encoder=architecture.sam_encoder(found),
            mask_decoder=architecture.mask_decoder(found, out_dim),
            seg_state_offset=-1,
            template=source.kind.family.template,
            max_new_tokens=512,
            region_encoder=architecture.region_encoder(found),
        )
    except ValidationError as error:
        raise UsageError(f"{source.folder}: the parts don't fit together: {error.errors()[0]['msg']}") from error


def _needed(config: ModelConfig) -> Shapes:
    """Names and shapes of the network's tensors."""
    with torch.device("meta"):
        network = MGLMM(config)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def _draw_text_layers(found: Inventory, needed: Shapes) -> None:
    """Random layers between the language model and the mask decoder, where there are none."""
    dtype = found.pieces[_TABLES[0]].tensor.dtype
    for name, shape in needed.items():
        if name.startswith("text_hidden_fcs.") and name not in found.pieces:
            fan_in = needed[f"{name.rpartition('.')[0]}.weight"][1]
            found.put(name, initial.linear(name, shape, fan_in, dtype), "drawn at random with a fixed seed")


def _facts(source: Source, config: ModelConfig, vocabulary: Vocabulary, merged: str | None) -> dict[str, str]:
    """What the report begins with."""
    assert isinstance(config.global_encoder, ClipConfig) and isinstance(config.pixel_encoder, SamEncoderConfig)
    clip, family = config.global_encoder, source.kind.family.name
    facts = {
        "family": f"{family}{', a starting point' if source.kind.starting_point else ''} ({source.kind.told_by})",
        "template": config.template,
        "pixel encoder": architecture.sam_name(config.pixel_encoder),
        "vision tower": f"CLIP, {clip.image_size} pixels in patches of {clip.patch_size}, {clip.tokens} image tokens",
        "projector": config.projector,
        "tokens": ", ".join(f"{token} {number}" for token, number in vocabulary.added.items()),
    }
    if config.region_encoder is not None:
        facts["region encoder"] = f"{config.region_encoder.dim} channels, layers {config.region_encoder.layers}"
    if merged is not None:
        facts["LoRA"] = merged
    return facts


def _notes(source: Source, config: ModelConfig, vocabulary: Vocabulary) -> tuple[str, ...]:
    notes = list(vocabulary.notes)
    named = source.config.get("vocab_size")
    if named is not None and named != vocabulary.rows and not source.kind.starting_point:
        notes.append(f"vocab_size is {named} in config.json, the embeddings have {vocabulary.rows} rows")
    if source.kind.starting_point:
        notes.append("this model has not been trained to make masks yet: train it with 'mglmm train'")
    return tuple(notes)
