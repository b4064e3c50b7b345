"use strict";
// One photograph, large: a side for each run, and what is marked of the first one.

const photograph = (() => {
  let number = -1,
    whole = null,
    sides = [],
    target = null,
    words = "",
    turn = 0;
  const view = () => dom.byId("photograph");

  /** Show a photograph. */
  async function show(next) {
    const mine = ++turn;
    number = next;
    whole = null;
    let found;
    try {
      found = await data.photograph(next);
    } catch (error) {
      if (mine === turn) view().replaceChildren(dom.el("p", { class: "failure" }, String(error.message)));
      return;
    }
    if (mine !== turn) return;
    whole = found;
    target = null;
    words = "";
    sides = data.overview.runs.map((run, at) =>
      answers.build(number, whole, at, {
        selected: (chosen, text) => {
          if (at === 0) choose(chosen, text);
        },
      }),
    );
    const name = data.list.names[number],
      note = data.list.notes[number];
    const place = gallery.place(number),
      count = gallery.count();
    const beside = (step, label, sign) => {
      const other = gallery.beside(number, step);
      return dom.el(
        "a",
        {
          class: "step",
          href: other === null ? null : `#/photograph/${other}`,
          "aria-label": label,
          "aria-disabled": other === null ? "true" : null,
        },
        sign,
      );
    };
    view().replaceChildren(
      dom.el(
        "div",
        { class: "bar" },
        dom.el("a", { href: "#/", class: "step", "aria-label": "Back to the photographs" }, "▦"),
        beside(-1, "Previous", "‹"),
        beside(1, "Next", "›"),
        dom.el("span", { class: "title" }, dom.foreign(name)),
        note ? dom.el("span", { class: "note" }, dom.foreign(note)) : null,
        dom.el(
          "span",
          { class: "count" },
          `${whole.full[0]} × ${whole.full[1]}${place < 0 ? "" : ` · ${place + 1} of ${count}`}`,
        ),
      ),
      marking(),
      dom.el(
        "div",
        { class: sides.length === 1 ? "sides single" : "sides", style: `--sides:${sides.length}` },
        ...sides.map((side) => side.element),
      ),
    );
    scrollTo(0, 0);
    view().focus({ preventScroll: true });
    // What comes next is likely to be next.
    const next1 = gallery.beside(number, 1);
    if (next1 !== null) data.photograph(next1).catch(() => {});
    refresh();
  }

  function marking() {
    const mark = (verdict) => () => set({ verdict });
    return dom.el(
      "div",
      { class: "marking", role: "group", "aria-label": "Verdict" },
      dom.el("span", { id: "about" }),
      dom.el("button", { type: "button", id: "right", "aria-pressed": "false", click: mark("right") }, "✓ right"),
      dom.el("button", { type: "button", id: "wrong", "aria-pressed": "false", click: mark("wrong") }, "✗ wrong"),
      dom.el("input", {
        id: "note",
        type: "text",
        placeholder: "note",
        "aria-label": "Note",
        dir: "auto",
        maxlength: 2000,
        change: (event) => set({ note: event.target.value }),
      }),
    );
  }

  function choose(chosen, text) {
    target = chosen;
    words = text;
    refresh();
  }

  /** What a verdict is about now: masks of the first run, or the photograph. */
  function targets() {
    const name = data.list.names[number];
    if (!target) return [{ file_name: name, annotation_id: null, segcap: null, seg: null, phrase: null }];
    const answer = sides[0].outcome.answers[target.segcap];
    return target.segs.map((seg) => ({
      file_name: name,
      annotation_id: answer.masks[seg].id,
      segcap: target.segcap,
      seg,
      phrase: answer.phrases.find((phrase) => phrase.segs.includes(seg)).text,
    }));
  }

  /** Mark what is selected, or the photograph; the same verdict once more takes it away. */
  function set(change) {
    if (!whole) return;
    const all = targets();
    const same = "verdict" in change && all.every((one) => verdicts.get(one)?.verdict === change.verdict);
    for (const one of all) verdicts.set(one, same ? { verdict: "" } : change);
  }

  function refresh() {
    if (!whole || !dom.byId("about")) return;
    const marks = targets().map((one) => verdicts.get(one));
    const verdict = marks.every((mark) => mark?.verdict === marks[0]?.verdict) ? (marks[0]?.verdict ?? "") : "";
    dom.byId("about").replaceChildren(target ? dom.foreign(words || "(no phrase)") : "The photograph", " is");
    for (const one of ["right", "wrong"]) dom.byId(one).setAttribute("aria-pressed", verdict === one);
    dom.byId("note").value = marks[0]?.note ?? "";
    sides[0].refresh((item) => verdicts.get({ file_name: data.list.names[number], ...item })?.verdict ?? "");
  }

  /** A key; says whether it meant something. */
  function key(event) {
    const step = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 }[event.key];
    if (step) {
      const other = gallery.beside(number, step);
      if (other !== null) location.hash = `#/photograph/${other}`;
    } else if (event.key === "r") set({ verdict: "right" });
    else if (event.key === "w") set({ verdict: "wrong" });
    else if (event.key === "u") set({ verdict: "", note: "" });
    else if (event.key === "n") dom.byId("note")?.focus();
    else if (event.key === "m") sides.forEach((side) => side.stage.toggle());
    else if (event.key === "t") sides[0]?.lead();
    else if (event.key === "Backspace") {
      for (const side of sides) side.back();
    } else if (event.key === "Escape") {
      if (!sides.map((side) => side.clear()).some(Boolean)) location.hash = "#/";
      else view().focus({ preventScroll: true });
    } else return false;
    return true;
  }

  verdicts.changed(refresh);
  return { show, key, number: () => number, sides: () => sides };
})();
