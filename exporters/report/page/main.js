"use strict";
// Which view is shown, keys, and the form.

const main = (() => {
  const VIEWS = ["gallery", "photograph", "statistics"];
  const KEYS = [
    ["arrows, Page keys, Home, End", "move among the photographs"],
    ["Enter", "open one; on a phrase: go into its object"],
    ["j k, → ←", "next, previous photograph"],
    ["t", "to the phrases; Tab goes on to the tree"],
    ["↑ ↓ → ←", "in the tree: move, open, close"],
    ["Backspace", "from an object back to where it stands"],
    ["r w", "mark what is chosen, or the photograph, right or wrong"],
    ["n", "write a note"],
    ["u", "take the mark away"],
    ["m", "hide or show the masks"],
    ["/", "search"],
    ["g", "photographs"],
    ["s", "statistics"],
    ["Esc", "choose nothing; back"],
    ["?", "these keys"],
  ];
  let searched = null,
    query = "",
    ready = false,
    scrolled = 0,
    waiting = 0;

  function route() {
    const [, view, number] = location.hash.match(/^#\/(photograph|statistics)?\/?(\d+)?$/) ?? [];
    const name =
      view === "photograph" && Number(number) < data.overview.photographs
        ? "photograph"
        : view === "statistics"
          ? "statistics"
          : "gallery";
    if (!dom.byId("gallery").hidden) scrolled = scrollY;
    for (const one of VIEWS) dom.byId(one).hidden = one !== name;
    dom.byId("filters").hidden = name !== "gallery";
    for (const link of document.querySelectorAll("nav a[data-view]"))
      link.toggleAttribute("aria-current", link.dataset.view === name);
    if (!ready) return;
    if (name === "photograph") photograph.show(Number(number));
    else if (name === "statistics") {
      statistics.show();
      dom.byId("statistics").focus();
    } else {
      apply(); // what was marked meanwhile may change what is shown
      if (photograph.number() >= 0 && gallery.place(photograph.number()) >= 0) {
        scrollTo(0, scrolled);
        gallery.remember(photograph.number());
        gallery.focus(gallery.current());
      }
    }
  }

  function apply() {
    const wanted = filter.asked();
    const { found, masks } = filter.match(wanted, searched);
    gallery.show(found);
    dom.byId("found").textContent = `${dom.count(found.length, "photograph")}, ${dom.count(masks, "mask")}`;
  }

  async function search() {
    const wanted = dom.byId("query").value.trim();
    if (wanted === query) {
      apply();
      return;
    }
    query = wanted;
    let result;
    try {
      result = await filter.search(wanted, (count) => {
        if (count < data.overview.photographs)
          dom.byId("found").textContent = `searching, ${dom.count(count, "photograph")} so far`;
      });
    } catch (error) {
      dom.byId("found").textContent = error.message;
      return;
    }
    if (!result) return;
    searched = result.set;
    apply();
  }

  /** Show only what has one value in one field of the form. */
  function only(field, value) {
    dom.byId("filters").reset();
    query = "";
    searched = null;
    dom.byId(field).value = value;
    apply();
    location.hash = "#/";
  }

  function keydown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || dom.byId("help").open) return;
    if (event.target.closest("input, select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const inPhotograph = !dom.byId("photograph").hidden;
    if (event.key === "?") help();
    else if (event.key === "/") {
      location.hash = "#/";
      setTimeout(() => dom.byId("query").focus());
    } else if (event.key === "g") location.hash = "#/";
    else if (event.key === "s") location.hash = "#/statistics";
    else if (inPhotograph ? photograph.key(event) : gallery.key(event)) {
      /* done */
    } else if (!inPhotograph && event.key === "Escape") location.hash = "#/";
    else if (!inPhotograph && event.key === "j") gallery.focus(gallery.current());
    else return;
    event.preventDefault();
  }

  const help = () => dom.byId("help").showModal();

  function notes() {
    const { runs, unseen, photographs } = data.overview;
    const lines = runs.flatMap((run) => run.notes.map((note) => [run.title, note]));
    dom
      .byId("notes")
      .replaceChildren(
        ...lines.map(([title, note]) => dom.el("p", {}, dom.foreign(title), ": ", dom.foreign(note))),
        ...(unseen
          ? [
              dom.el(
                "p",
                {},
                `${unseen.toLocaleString("en")} of ${photographs.toLocaleString("en")} photographs were not where ` +
                  "they had been when this page was made: their masks are shown on grey. " +
                  "mglmm report --photos DIR says where they lie.",
              ),
            ]
          : []),
      );
  }

  function saving() {
    const count = verdicts.count();
    dom.byId("marked").textContent = count
      ? `${dom.count(count, "verdict")}${verdicts.saved() ? "" : ", not saved"}`
      : "";
    dom.byId("save").disabled = !count;
  }

  function form() {
    const { categories, runs } = data.overview;
    const order = categories.map((name, place) => [name, place]).sort(([a], [b]) => (a < b ? -1 : 1));
    dom.byId("category").append(...order.map(([name, place]) => dom.el("option", { value: place }, name)));
    dom
      .byId("run")
      .append(
        dom.el("option", { value: "" }, "all"),
        ...runs.map((run, place) => dom.el("option", { value: place }, run.title)),
      );
    dom.byId("run-label").hidden = runs.length < 2;
    const filters = dom.byId("filters");
    filters.addEventListener("submit", (event) => {
      event.preventDefault();
      search();
    });
    filters.addEventListener("input", (event) => {
      if (event.target.id !== "query") {
        apply();
        return;
      }
      clearTimeout(waiting);
      waiting = setTimeout(search, 200);
    });
    filters.addEventListener("reset", () => setTimeout(search));
  }

  async function start() {
    const { overview } = data;
    if (!overview) {
      dom.byId("title").textContent = "data/overview-0.js is missing: was the whole folder copied?";
      return;
    }
    dom.byId("title").textContent = overview.title;
    document.title = `${overview.title} · mglmm report`;
    dom.byId("keys").append(...KEYS.flatMap(([keys, meaning]) => [dom.el("dt", {}, keys), dom.el("dd", {}, meaning)]));
    dom.byId("help-button").addEventListener("click", help);
    dom.byId("save").addEventListener("click", verdicts.save);
    dom.byId("load").addEventListener("change", async (event) => {
      const [file] = event.target.files;
      if (file) dom.byId("marked").textContent = await verdicts.load(file);
      event.target.value = "";
      apply();
    });
    notes();
    form();
    verdicts.changed(saving);
    verdicts.recall();
    addEventListener("hashchange", route);
    addEventListener("keydown", keydown);
    addEventListener("beforeunload", (event) => {
      if (verdicts.unsafe()) event.preventDefault();
    });
    route();
    try {
      let first = true;
      await data.loadList((count) => {
        if (first) gallery.show(Array.from({ length: count }, (_, number) => number));
        first = false;
        dom.byId("found").textContent = `${dom.count(count, "photograph")} so far`;
      });
    } catch (error) {
      dom.byId("found").textContent = error.message;
      return;
    }
    ready = true;
    apply();
    route();
    document.body.dataset.ready = "true";
  }

  start();
  return { only };
})();
