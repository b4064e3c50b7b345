"use strict";
// What the runs hold as a whole, in small drawings of our own.

const statistics = (() => {
  const WIDTH = 520,
    HEIGHT = 190,
    LEFT = 46,
    BOTTOM = 30,
    TOP = 12,
    BINS = 20,
    MOST = 25;

  const run = (number) => dom.colour(number);

  /** Bars of several series beside each other; `label` names the ends of the axis. */
  function bars(title, series, labels, describe) {
    const most = Math.max(1, ...series.flat());
    const count = series[0].length,
      slot = (WIDTH - LEFT) / count,
      wide = (slot * 0.85) / series.length;
    const high = (value) => ((HEIGHT - TOP - BOTTOM) * value) / most;
    return chart(
      title,
      most,
      ...series.flatMap((values, number) =>
        values.map((value, at) =>
          dom.svg(
            "rect",
            {
              x: LEFT + at * slot + number * wide,
              y: HEIGHT - BOTTOM - high(value),
              width: wide,
              height: high(value),
              fill: run(number),
            },
            dom.svg("title", {}, describe(at, value, number)),
          ),
        ),
      ),
      ...labels.map(([at, text], place) =>
        dom.svg(
          "text",
          {
            x: LEFT + at * (WIDTH - LEFT),
            y: HEIGHT - 10,
            "text-anchor": place === 0 ? "start" : place === labels.length - 1 ? "end" : "middle",
          },
          text,
        ),
      ),
    );
  }

  /** A line for each series of points `[x, y]`. */
  function lines(title, series, unit) {
    const right = Math.max(1e-9, ...series.flat().map(([x]) => x)),
      most = Math.max(1e-9, ...series.flat().map(([, y]) => y));
    const x = (value) => LEFT + ((WIDTH - LEFT - 4) * value) / right,
      y = (value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * value) / most;
    return chart(
      title,
      most,
      ...series.map((points, number) =>
        dom.svg("polyline", {
          points: points.map(([at, value]) => `${x(at)},${y(value)}`).join(" "),
          fill: "none",
          stroke: run(number),
          "stroke-width": 2,
        }),
      ),
      dom.svg("text", { x: LEFT, y: HEIGHT - 10 }, "0"),
      dom.svg(
        "text",
        { x: WIDTH, y: HEIGHT - 10, "text-anchor": "end" },
        `${right.toFixed(right < 10 ? 1 : 0)} ${unit}`,
      ),
    );
  }

  /** A drawing under its title, with the axes of values up to `most`. */
  function chart(title, most, ...inside) {
    const frame = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title };
    return dom.el("figure", {}, dom.el("figcaption", {}, title), dom.svg("svg", frame, ...axis(most), ...inside));
  }

  function axis(most) {
    const text = most >= 10 ? Math.round(most).toLocaleString("en") : most.toFixed(most < 1 ? 2 : 1);
    return [
      dom.svg("line", { x1: LEFT, x2: WIDTH, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM, class: "axis" }),
      dom.svg("text", { x: LEFT - 6, y: TOP + 8, "text-anchor": "end" }, text),
      dom.svg("text", { x: LEFT - 6, y: HEIGHT - BOTTOM, "text-anchor": "end" }, "0"),
    ];
  }

  function figure(title, drawing) {
    return dom.el("figure", {}, dom.el("figcaption", {}, title), drawing);
  }

  function histogram(column, place) {
    const series = data.overview.runs.map(() => new Array(BINS).fill(0));
    for (let at = 0; at < data.list.first[data.list.count]; at++) {
      const bin = column[at] < 0 ? -1 : place(column[at], at);
      if (bin >= 0) series[data.list.run[at]][Math.min(BINS - 1, bin)]++;
    }
    return series;
  }

  const scores = (value, at) => (data.list.maskBits[at] & data.EMPTY ? -1 : Math.floor((value * BINS) / data.SCORES));
  // From a ten-thousandth of the photograph to all of it, by factors.
  const areas = (value, at) =>
    data.list.maskBits[at] & data.EMPTY
      ? -1
      : Math.max(0, Math.floor(((Math.log10(Math.max(1, value) / data.AREAS) + 4) * BINS) / 4));

  /** Categories, the frequent ones first; each leads to its photographs. */
  function categories() {
    const { categories: names, runs } = data.overview;
    const counts = names.map(() => new Array(runs.length).fill(0)),
      totals = new Array(names.length).fill(0);
    for (let at = 0; at < data.list.first[data.list.count]; at++) {
      counts[data.list.category[at]][data.list.run[at]]++;
      totals[data.list.category[at]]++;
    }
    const order = totals.map((total, place) => place).sort((a, b) => totals[b] - totals[a]);
    const most = Math.max(1, ...counts.flat());
    return dom.el(
      "section",
      { class: "categories" },
      dom.el(
        "h3",
        {},
        `Categories: ${order.length > MOST ? `the ${MOST} most frequent of ${order.length.toLocaleString("en")}` : order.length}`,
      ),
      dom.el(
        "ol",
        {},
        ...order.slice(0, MOST).map((place) =>
          dom.el(
            "li",
            {},
            dom.el(
              "button",
              { type: "button", class: "link", click: () => main.only("category", String(place)) },
              dom.foreign(names[place]),
            ),
            dom.svg(
              "svg",
              {
                viewBox: `0 0 200 ${8 * runs.length}`,
                preserveAspectRatio: "none",
                "aria-hidden": "true",
                style: `height:${0.55 * runs.length}rem`,
              },
              ...counts[place].map((count, number) =>
                dom.svg("rect", { x: 0, y: 8 * number, width: (200 * count) / most, height: 7, fill: run(number) }),
              ),
            ),
            dom.el("span", { class: "number" }, counts[place].map((count) => count.toLocaleString("en")).join(" / ")),
          ),
        ),
      ),
    );
  }

  function facts() {
    const { runs } = data.overview;
    const names = [...new Set(runs.flatMap((one) => Object.keys(one.facts)))];
    return dom.el(
      "table",
      {},
      dom.el(
        "thead",
        {},
        dom.el(
          "tr",
          {},
          dom.el("td", {}),
          ...runs.map((one, number) =>
            dom.el(
              "th",
              { scope: "col" },
              dom.el("span", { class: "dot", style: `background:${run(number)}` }),
              dom.foreign(one.title),
            ),
          ),
        ),
      ),
      dom.el(
        "tbody",
        {},
        ...names.map((name) =>
          dom.el(
            "tr",
            {},
            dom.el("th", { scope: "row" }, name),
            ...runs.map((one) => dom.el("td", {}, dom.foreign(one.facts[name] ?? ""))),
          ),
        ),
      ),
    );
  }

  /** Draw all. */
  function show() {
    const { runs } = data.overview;
    const share = (at) => `${(at / BINS).toFixed(2)} to ${((at + 1) / BINS).toFixed(2)}`;
    const told = (range) => (at, value, number) => `${runs[number].title}: ${value} masks, ${range(at)}`;
    const percent = (at) =>
      `${(100 * 10 ** ((4 * at) / BINS - 4)).toPrecision(2)}% to ${(100 * 10 ** ((4 * (at + 1)) / BINS - 4)).toPrecision(2)}%`;
    const speeds = runs.map((one) => one.speed);
    dom.byId("statistics").replaceChildren(
      dom.el("h2", {}, "Statistics"),
      facts(),
      categories(),
      dom.el(
        "div",
        { class: "figures" },
        bars(
          "Mask scores",
          histogram(data.list.score, scores),
          [
            [0, "0"],
            [0.5, "0.5"],
            [1, "1"],
          ],
          told(share),
        ),
        bars(
          "Name scores",
          histogram(data.list.nameScore, (value) => Math.floor((value * BINS) / data.SCORES)),
          [
            [0, "0"],
            [0.5, "0.5"],
            [1, "1"],
          ],
          told(share),
        ),
        bars(
          "Areas, as a share of the photograph",
          histogram(data.list.area, areas),
          [
            [0, "0.01%"],
            [0.25, "0.1%"],
            [0.5, "1%"],
            [0.75, "10%"],
            [1, "100%"],
          ],
          told(percent),
        ),
        speeds.some((points) => points.length > 1)
          ? lines("Photographs per second", speeds, "minutes")
          : figure(
              "Photographs per second",
              dom.el("p", {}, "The journal does not say when its photographs were done, or there are too few."),
            ),
      ),
    );
  }

  return { show };
})();
