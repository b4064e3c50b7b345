"use strict";
// What people mark: right or wrong, with a note. It is kept by the browser, and saved as JSON-lines.

const verdicts = (() => {
  const marks = new Map(); // photograph's name -> Map of place -> mark
  const listeners = [];
  let saved = true,
    kept = true;

  const place = (target) => (target.segcap === null ? "" : `${target.segcap}:${target.seg}`);
  const key = () => `mglmm-report-${data.overview.key}`;

  /** What stands on a target `{file_name, segcap, seg}`; `segcap` is null for the whole photograph. */
  function get(target) {
    return marks.get(target.file_name)?.get(place(target)) ?? null;
  }

  /** Mark a target; `change` has `verdict` ("right", "wrong" or "") or `note`. */
  function set(target, change) {
    put({ verdict: "", note: "", ...get(target), ...target, ...change });
    saved = false;
    keep();
    listeners.forEach((listener) => listener());
  }

  function put(mark) {
    const of = marks.get(mark.file_name) ?? new Map();
    if (mark.verdict || mark.note) of.set(place(mark), mark);
    else of.delete(place(mark));
    if (of.size) marks.set(mark.file_name, of);
    else marks.delete(mark.file_name);
  }

  const all = () => [...marks.values()].flatMap((of) => [...of.values()]);

  /** One line of JSON for each mark. */
  function lines() {
    return all()
      .map(
        ({ file_name, annotation_id, segcap, seg, phrase, verdict, note }) =>
          `${JSON.stringify({ file_name, annotation_id, segcap, seg, phrase, verdict: verdict || null, note })}\n`,
      )
      .join("");
  }

  function keep() {
    try {
      localStorage.setItem(key(), lines());
    } catch {
      kept = false;
    }
  }

  /** What the browser kept of an earlier visit. */
  function recall() {
    try {
      read(localStorage.getItem(key()) ?? "");
    } catch {
      kept = false;
    }
    listeners.forEach((listener) => listener());
  }

  /** Take lines that were saved; says how many, and how many were none. */
  function read(text) {
    let good = 0,
      bad = 0;
    for (const line of text.split("\n")) {
      if (!line.trim()) continue;
      let mark = null;
      try {
        mark = JSON.parse(line);
      } catch {
        /* counted below */
      }
      const whole = mark?.segcap === null && mark?.seg === null;
      const part = Number.isInteger(mark?.segcap) && Number.isInteger(mark?.seg);
      if (typeof mark?.file_name !== "string" || !(whole || part) || !["right", "wrong", null].includes(mark.verdict)) {
        bad++;
        continue;
      }
      put({ ...mark, verdict: mark.verdict ?? "", note: String(mark.note ?? "") });
      good++;
    }
    return [good, bad];
  }

  /** Hand a file to the browser, which asks where it goes. */
  function save() {
    const url = URL.createObjectURL(new Blob([lines()], { type: "application/jsonl" }));
    const link = dom.el("a", { href: url, download: "verdicts.jsonl" });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
    saved = true;
    listeners.forEach((listener) => listener());
  }

  /** Take a file that was saved. */
  async function load(file) {
    const [good, bad] = read(await file.text());
    keep();
    listeners.forEach((listener) => listener());
    return `${dom.count(good, "verdict")} loaded${bad ? `; ${dom.count(bad, "line")} of the file are none` : ""}`;
  }

  return {
    get,
    set,
    lines,
    read,
    recall,
    save,
    load,
    of: (name) => [...(marks.get(name)?.values() ?? [])],
    count: () => all().length,
    changed: (listener) => listeners.push(listener),
    /** Whether closing the page would lose any. */
    unsafe: () => !kept && !saved,
    saved: () => saved,
  };
})();
