"""What `mglmm bench` prints for people."""

from __future__ import annotations

from rich.table import Table

from engine.bench import Report
from mglmm_cli.tables import table_console, titled_table
from mglmm_cli.text import clean

_PIPE_WIDTH = 120
"""Columns where there is no terminal to ask."""
_STAGES = {
    "wait": ("wait for photographs", ""),
    "decode": ("decode files, in threads", "photographs"),
    "encode": ("encoders", "photographs"),
    "prefill": ("prompts", "prompts"),
    "decode_tokens": ("answers", "tokens"),
    "masks": ("mask decoder", "masks"),
    "finish": ("full masks and RLE, in threads", "masks"),
}
"""Stages in the order of a photograph's way: what is printed for each, and the unit of its count."""


def print_bench(report: Report) -> None:
    """Print the stages, the totals, and the baselines if there are any."""
    console = table_console(_PIPE_WIDTH)
    console.print(_stages(report))
    console.print(_totals(report))
    if report.baselines:
        console.print()
        console.print(_baselines(report))


def _stages(report: Report) -> Table:
    title = f"{clean(report.model)}, {report.precision}, {clean(report.hardware)}"
    table = titled_table(title, "stage", numbers=("ms per photograph", "share of wall", "per second"))
    for name in sorted(report.stages, key=lambda name: (*_STAGES, name).index(name)):
        stage = report.stages[name]
        label, unit = _STAGES.get(name, (name, ""))
        rate = "" if not (unit and stage.count and stage.per_second) else f"{stage.per_second:.1f} {unit}"
        share = stage.seconds / report.seconds
        table.add_row(label, f"{1000 * stage.seconds / report.images:.1f}", f"{share:.1%}", rate)
    wall = f"{1000 * report.seconds / report.images:.1f}"
    table.add_row("wall", wall, "", f"{report.images_per_second:.2f} photographs", style="bold")
    table.add_row("  of it outside the network", "", f"{report.outside_share:.1%}", "")
    return table


def _totals(report: Report) -> Table:
    table = Table.grid(padding=(0, 2))
    failed = f", {report.failed} failed" if report.failed else ""
    memory = "unknown" if report.peak_memory is None else f"{report.peak_memory / 1e6:,.0f} MB"
    table.add_row("photographs", f"{report.images}{failed}, {report.megapixels / report.images:.2f} megapixels each")
    table.add_row("answers", f"{report.questions}, {report.tokens} tokens, {report.masks} masks")
    table.add_row("loading", f"{report.load_seconds:.1f} s, not in the wall time")
    table.add_row("peak memory", memory)
    if report.roofline_share is not None:
        table.add_row("decode steps", f"{report.roofline_share:.1%} of the card's bandwidth, reading weights")
    return table


def _baselines(report: Report) -> Table:
    headings = ("photographs", "per second", "engine is faster by", "same texts", "equal pixels, worst mask")
    table = titled_table("Baselines", "", numbers=headings)
    for name, run in report.baselines.items():
        agreement = run.agreement
        pixels = "-" if agreement.mask_agreement is None else f"{agreement.mask_agreement:.3%}"
        texts = f"{agreement.same_texts} of {agreement.texts}"
        table.add_row(
            name, str(run.images), f"{run.images_per_second:.3f}", f"{report.ratio[name]:.1f} x", texts, pixels
        )
    return table
