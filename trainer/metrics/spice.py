"""SPICE of captions: F1 of the scene graphs that a parser makes of them.

Source: SPICE (arXiv 1607.08822), its program inside `pycocoevalcap`. The program needs the models of Stanford CoreNLP
3.6.0, which are not in that package; nothing is downloaded from here.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from trainer.metrics.java import JavaError, jar, run

NO_MODELS = (
    "SPICE needs the models of Stanford CoreNLP 3.6.0 (a download of some 400 MB): "
    "python -m pycocoevalcap.spice.get_stanford_models"
)
_JAR = Path("spice", "spice-1.0.jar")
_MODELS = Path("lib", "stanford-corenlp-3.6.0-models.jar")


def spice(references: Mapping[str, Sequence[str]], candidates: Mapping[str, str]) -> tuple[float, list[float]]:
    """SPICE of the whole set and of each image.

    Args:
        references: image id to tokenised true captions.
        candidates: image id to the tokenised caption to score.

    Raises:
        JavaError: if Java or the models are missing, or the program fails.
    """
    program = jar(_JAR)
    if not (program.parent / _MODELS).is_file():
        raise JavaError(NO_MODELS)
    asked = [
        {"image_id": key, "test": candidates[key], "refs": list(sentences)} for key, sentences in references.items()
    ]
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "captions.json"), Path(folder, "scores.json")
        source.write_text(json.dumps(asked), encoding="utf-8")
        arguments = ["-Xmx8G", "-jar", str(program), str(source), "-out", str(result), "-subset", "-silent"]
        run("SPICE", arguments, folder=program.parent)
        try:
            found = {
                entry["image_id"]: float(entry["scores"]["All"]["f"])
                for entry in json.loads(result.read_text(encoding="utf-8"))
            }
            scores = [found[key] for key in references]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise JavaError(f"SPICE answered something unexpected: {error}") from error
    return sum(scores) / len(scores), scores
