"""Bleu 1-4, METEOR, ROUGE_L and CIDEr of captions, as the COCO caption evaluation computes them.

Captions are tokenised by the Stanford PTB tokenizer (lower case) and lose the tokens of `PUNCTUATION`. As the tokens
are in lower case by then, `-lrb-` and its like stay in the text; that is how published numbers are made.
The tokenizer and METEOR are Java programs. SPICE is computed if asked for, see `trainer.metrics.spice`.

Source: the COCO caption server (arXiv 1504.00325) and its package `pycocoevalcap`.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from trainer.metrics.java import NO_JAVA, NO_PACKAGE, JavaError, jar, java, last_line, run
from trainer.metrics.spice import spice

METRICS = ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "METEOR", "ROUGE_L", "CIDEr")
PUNCTUATION = frozenset(
    ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";"]
)

_TOKENIZER_JAR = Path("tokenizer", "stanford-corenlp-3.4.1.jar")
_METEOR_JAR = Path("meteor", "meteor-1.5.jar")

Tokens = dict[str, list[str]]
"""Image id to tokenised sentences, tokens joined by one space."""


@dataclass(frozen=True, slots=True)
class CaptionScores:
    """Scores of a set of captions, as fractions (CIDEr: 0 to 10).

    Attributes:
        corpus: name (of `METRICS`, or SPICE) to the number for the whole set.
        per_image: image id to name to number.
        missing: name to one line that says why it could not be computed and what to install.
        references, candidates: the tokenised text that was scored.
    """

    corpus: Mapping[str, float]
    per_image: Mapping[str, Mapping[str, float]]
    missing: Mapping[str, str] = field(default_factory=dict)
    references: Mapping[str, Sequence[str]] = field(default_factory=dict)
    candidates: Mapping[str, str] = field(default_factory=dict)


def all_missing(reason: str) -> CaptionScores:
    """Scores of which none could be computed."""
    return CaptionScores({}, {}, dict.fromkeys(METRICS, reason))


def unavailable() -> str | None:
    """Why captions can't be scored here and what to install, in one line; None if they can."""
    if importlib.util.find_spec("pycocoevalcap") is None:
        return NO_PACKAGE
    return NO_JAVA if shutil.which("java") is None else None


def score_captions(
    references: Mapping[str, Sequence[str]], candidates: Mapping[str, str], *, with_spice: bool = False
) -> CaptionScores:
    """Tokenise and score captions. An empty caption is kept and scores 0.

    Args:
        references: image id to one or more true captions.
        candidates: image id to the caption to score.
        with_spice: compute SPICE as well.

    Returns:
        Every metric that can be computed here; the others under `missing`.

    Raises:
        ValueError: if the two do not hold the same images, or an image has no reference, or there is no image.
    """
    _check(references, candidates)
    if (reason := unavailable()) is not None:
        return all_missing(reason)
    try:
        # Two runs, since the tokenizer looks across line ends; see `tokenize`.
        truth = tokenize(references)
        answer = tokenize({key: [candidates[key]] for key in references})
    except JavaError as error:
        return all_missing(str(error))
    return score_tokens(truth, {key: sentences[0] for key, sentences in answer.items()}, with_spice=with_spice)


def score_tokens(
    references: Mapping[str, Sequence[str]], candidates: Mapping[str, str], *, with_spice: bool = False
) -> CaptionScores:
    """Score captions that are tokenised already; only METEOR and SPICE need Java here.

    Args, Raises: as `score_captions`.
    """
    _check(references, candidates)
    if importlib.util.find_spec("pycocoevalcap") is None:
        return all_missing(NO_PACKAGE)
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    truth = {key: list(sentences) for key, sentences in references.items()}
    answer = {key: [candidates[key]] for key in truth}
    corpus: dict[str, float] = {}
    columns: dict[str, Sequence[float]] = {}
    missing: dict[str, str] = {}

    bleu, bleu_columns = Bleu(4).compute_score(truth, answer, verbose=0)
    corpus.update((f"Bleu_{n}", float(value)) for n, value in enumerate(bleu, start=1))
    columns.update((f"Bleu_{n}", values) for n, values in enumerate(bleu_columns, start=1))
    try:
        corpus["METEOR"], columns["METEOR"] = _meteor(truth, {key: candidates[key] for key in truth})
    except JavaError as error:
        missing["METEOR"] = str(error)
    corpus["ROUGE_L"], columns["ROUGE_L"] = Rouge().compute_score(truth, answer)
    if any(sentence.split() for sentences in truth.values() for sentence in sentences):
        corpus["CIDEr"], columns["CIDEr"] = Cider().compute_score(truth, answer)
    else:  # the package takes the maximum over no n-grams
        corpus["CIDEr"], columns["CIDEr"] = 0.0, [0.0] * len(truth)

    if with_spice:
        try:
            corpus["SPICE"], columns["SPICE"] = spice(truth, {key: candidates[key] for key in truth})
        except JavaError as error:
            missing["SPICE"] = str(error)

    names = [name for name in (*METRICS, "SPICE") if name in corpus]
    per_image = {key: {name: float(columns[name][row]) for name in names} for row, key in enumerate(truth)}
    return CaptionScores({name: float(corpus[name]) for name in names}, per_image, missing, truth, dict(candidates))


def tokenize(sentences: Mapping[str, Iterable[str]]) -> Tokens:
    """Tokens of each sentence by the Stanford PTB tokenizer, in lower case, without `PUNCTUATION`.

    The tokenizer reads one text with a sentence per line, without a line end after the last, and its rules look beyond
    a line end: a final "x." keeps or loses its full stop by what follows. So the order of the sentences matters.

    Raises:
        JavaError: if the tokenizer fails.
    """
    keys = [(key, text) for key, texts in sentences.items() for text in texts]
    tokens: Tokens = {key: [] for key in sentences}
    if not keys:
        return tokens
    # Any line separator inside a caption would shift all captions after it.
    text = "\n".join(" ".join(sentence.splitlines()) for _, sentence in keys)
    arguments = ["-cp", str(jar(_TOKENIZER_JAR)), "edu.stanford.nlp.process.PTBTokenizer"]
    arguments += ["-preserveLines", "-lowerCase", "-encoding", "utf-8"]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "captions.txt")
        source.write_text(text, encoding="utf-8", newline="\n")
        lines = run("the PTB tokenizer", [*arguments, str(source)]).decode("utf-8").split("\n")
    # A line end follows the last sentence, unless that one is empty.
    if len(lines) == len(keys) + 1 and not lines[-1]:
        lines.pop()
    if len(lines) != len(keys):
        raise JavaError(f"the PTB tokenizer answered {len(lines)} lines for {len(keys)} captions")
    for (key, _), line in zip(keys, lines, strict=True):
        tokens[key].append(" ".join(token for token in line.rstrip().split(" ") if token not in PUNCTUATION))
    return tokens


def _check(references: Mapping[str, Sequence[str]], candidates: Mapping[str, str]) -> None:
    if not references:
        raise ValueError("no captions to score")
    if references.keys() != candidates.keys():
        odd = sorted(references.keys() ^ candidates.keys())
        raise ValueError(f"references and candidates differ in {len(odd)} images, such as {odd[0]!r}")
    if bare := [key for key, sentences in references.items() if not sentences]:
        raise ValueError(f"image {bare[0]!r} has no reference")


def _meteor(references: Mapping[str, Sequence[str]], candidates: Mapping[str, str]) -> tuple[float, list[float]]:
    """Corpus METEOR over the aggregated statistics, and METEOR of each image."""
    # Java before 18 reads its input in the locale's charset.
    command = [java(), "-Xmx2G", "-Dfile.encoding=UTF-8", "-jar", str(jar(_METEOR_JAR))]
    command += ["-", "-", "-stdio", "-l", "en", "-norm"]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        assert process.stdin is not None and process.stdout is not None
        try:
            statistics = []
            for key, sentences in references.items():
                parts = [_meteor_text(sentence) for sentence in (*sentences, candidates[key])]
                statistics.append(_ask(process.stdin, process.stdout, " ||| ".join(["SCORE", *parts])))
            first = _ask(process.stdin, process.stdout, " ||| ".join(["EVAL", *statistics]))
            scores = [float(first)] + [float(_line(process.stdout)) for _ in statistics]
        except (OSError, ValueError) as error:
            process.kill()
            process.wait()
            errors.seek(0)
            raise JavaError(f"METEOR failed: {last_line(errors.read()) or error}") from error
        finally:
            process.kill()
            process.communicate()
    return scores[-1], scores[:-1]


def _meteor_text(sentence: str) -> str:
    """One line without the separator of METEOR's protocol."""
    tokens = " ".join(sentence.splitlines()).replace("|||", " ").split(" ")
    return " ".join(token for token in tokens if token)


def _ask(stdin: IO[bytes], stdout: IO[bytes], question: str) -> str:
    stdin.write(f"{question}\n".encode())
    stdin.flush()
    return _line(stdout)


def _line(stdout: IO[bytes]) -> str:
    answer = stdout.readline()
    if not answer:
        raise OSError("it ended without an answer")
    return answer.decode("utf-8").strip()
