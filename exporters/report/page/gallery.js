"use strict";
// The thumbnails. Only those that can be seen, and a few around them, are in the document.

const gallery = (() => {
  const LEAST = 170,
    HEIGHT = 166,
    AROUND = 3; // pixels, pixels, rows
  let shown = [],
    columns = 1,
    current = 0,
    drawn = "";

  const box = () => dom.byId("tiles");

  function tile(place) {
    const number = shown[place],
      { list } = data;
    const bits = list.bits[number],
      masks = list.first[number + 1] - list.first[number];
    const marks = verdicts.of(list.names[number]).filter((mark) => mark.verdict);
    const wrong = marks.some((mark) => mark.verdict === "wrong");
    const seen = !(bits & data.UNSEEN);
    const badge =
      bits & data.FAILED
        ? "failed"
        : bits & data.TRUNCATED
          ? "cut"
          : list.notes[number]
            ? ""
            : dom.count(masks, "mask");
    return dom.el(
      "div",
      {
        role: "listitem",
        class: "tile",
        "aria-setsize": shown.length,
        "aria-posinset": place + 1,
        style:
          `left:${((place % columns) * 100) / columns}%;top:${Math.floor(place / columns) * HEIGHT}px;` +
          `width:${100 / columns}%;height:${HEIGHT}px`,
      },
      dom.el(
        "a",
        { href: `#/photograph/${number}`, "data-place": place, tabindex: place === current ? 0 : -1 },
        seen
          ? dom.el("img", { src: data.picture("thumbnails", number), alt: "", decoding: "async" })
          : dom.el("span", { class: "grey" }),
        dom.el("span", { class: "name" }, dom.foreign(list.names[number])),
        dom.el(
          "span",
          { class: bits & data.FAILED ? "badge bad" : "badge" },
          list.notes[number] ? dom.foreign(list.notes[number]) : badge,
        ),
        marks.length
          ? dom.el(
              "span",
              { class: wrong ? "mark wrong" : "mark right", title: dom.count(marks.length, "verdict") },
              wrong ? "✗" : "✓",
            )
          : null,
      ),
    );
  }

  function draw(force = false) {
    if (dom.byId("gallery").hidden || !data.list) return;
    const area = box();
    columns = Math.max(1, Math.floor(area.clientWidth / LEAST));
    const rows = Math.ceil(shown.length / columns);
    area.style.height = `${rows * HEIGHT}px`;
    const above = Math.max(0, -area.getBoundingClientRect().top);
    const first = Math.max(0, Math.floor(above / HEIGHT) - AROUND) * columns;
    const last = Math.min(shown.length, (Math.ceil((above + innerHeight) / HEIGHT) + AROUND) * columns);
    const now = `${first}-${last}-${columns}`;
    if (now === drawn && !force) return;
    drawn = now;
    const focused = document.activeElement?.closest?.("#tiles a") !== null && area.contains(document.activeElement);
    area.replaceChildren(...Array.from({ length: last - first }, (_, place) => tile(first + place)));
    if (focused) area.querySelector(`[data-place="${current}"]`)?.focus({ preventScroll: true });
  }

  /** Show these photographs, by their numbers. */
  function show(numbers) {
    const before = shown[current];
    shown = numbers;
    current = Math.max(0, shown.indexOf(before));
    draw(true);
  }

  /** Move the focus to a place, and the page with it. */
  function focus(place) {
    if (!shown.length) return;
    current = Math.min(shown.length - 1, Math.max(0, place));
    const top = box().getBoundingClientRect().top + scrollY + Math.floor(current / columns) * HEIGHT;
    if (top < scrollY || top + HEIGHT > scrollY + innerHeight) scrollTo(0, Math.max(0, top - innerHeight / 3));
    draw(true);
    box().querySelector(`[data-place="${current}"]`)?.focus({ preventScroll: true });
  }

  /** A key that was pressed on a tile; says whether it meant something. */
  function key(event) {
    const steps = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: columns,
      ArrowUp: -columns,
      PageDown: 4 * columns,
      PageUp: -4 * columns,
      Home: -Infinity,
      End: Infinity,
    };
    if (!(event.key in steps) || !event.target.closest?.("#tiles a")) return false;
    focus(current + steps[event.key]);
    return true;
  }

  addEventListener("scroll", () => draw(), { passive: true });
  addEventListener("resize", () => draw());
  return {
    show,
    draw,
    key,
    focus,
    /** The photograph before or behind one in what is shown; null at the ends. */
    beside: (number, step) => shown[shown.indexOf(number) + step] ?? null,
    place: (number) => shown.indexOf(number),
    count: () => shown.length,
    first: () => shown[0] ?? null,
    remember: (number) => {
      current = Math.max(0, shown.indexOf(number));
    },
    current: () => current,
  };
})();
