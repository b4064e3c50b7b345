"use strict";
// What one run said of a photograph: a stage, the caption of one answer, and the tree of all answers.
//
//   Whole scene           an answer that no mask led to
//     a person            a mask of it
//       a red hat         a mask of the answer about the person

const answers = (() => {
  /** The colour of each mask: by the number of its phrase among those that have a pixel, as in the overlays. */
  function palette(answer) {
    const colours = answer.masks.map(() => data.overview.palette[0]);
    let number = 0;
    for (const phrase of answer.phrases) {
      for (const seg of phrase.segs) colours[seg] = data.overview.palette[number % data.overview.palette.length];
      if (phrase.segs.some((seg) => answer.masks[seg].area)) number++;
    }
    return colours;
  }

  const known = (score) => (score === null ? "" : score.toFixed(2)); // null: nobody knows it
  const css = ([red, green, blue]) => `rgb(${red} ${green} ${blue})`;

  function titleOf(answer) {
    return answer.granularity === "panoptic" ? "Whole scene" : answer.instruction;
  }

  /**
   * Build a side of the view.
   * `api`: `selected(target or null, words)` is told what is chosen, a target being `{segcap, segs}`.
   */
  function build(number, whole, run, api) {
    const outcome = whole.runs[run];
    const title = data.overview.runs.length > 1 ? dom.el("h2", {}, dom.foreign(data.overview.runs[run].title)) : null;
    const element = dom.el("section", { class: "side", "aria-label": data.overview.runs[run].title }, title);
    if (!outcome || outcome.failure) {
      const view = stage.build(number, whole, { hover() {}, pick() {}, into() {} });
      element.append(
        view.element,
        outcome
          ? dom.el(
              "p",
              { class: "failure" },
              "Failed in ",
              dom.foreign(outcome.failure[0]),
              ": ",
              dom.foreign(outcome.failure[1]),
            )
          : dom.el("p", { class: "failure" }, "This run has nothing about it."),
      );
      return {
        element,
        stage: view,
        lead() {},
        back: () => false,
        clear: () => false,
        refresh() {},
        answer: () => null,
      };
    }

    const all = outcome.answers;
    const colours = all.map(palette);
    let shown = -1,
      selected = null;
    const view = stage.build(number, whole, {
      hover: (seg) => light(seg < 0 ? null : { segcap: shown, segs: [seg] }),
      pick: (seg) => select(seg < 0 ? null : { segcap: shown, segs: [seg] }),
      into: (seg) => {
        if (seg >= 0) walk(shown, seg);
      },
    });
    const trail = dom.el("nav", { class: "trail", "aria-label": "Where this answer stands" });
    const caption = dom.el("div", { class: "caption" });
    const details = dom.el("p", { class: "details", "aria-live": "polite" });
    const tree = dom.el("ul", { role: "tree", class: "tree", "aria-label": "Granularity" });
    element.append(view.element, dom.el("div", { class: "words" }, trail, caption, details, tree));

    const childrenOf = (segcap, seg) =>
      all.flatMap((answer, place) =>
        answer.parent && answer.parent[0] === segcap && answer.parent[1] === seg ? [place] : [],
      );
    const phraseOf = (segcap, seg) => all[segcap].phrases.findIndex((phrase) => phrase.segs.includes(seg));

    /** Light what the pointer or the focus is on; nothing: what is selected. */
    function light(target) {
      const on = target ?? selected;
      const segs = on && on.segcap === shown ? on.segs : [];
      view.light(segs);
      for (const node of caption.querySelectorAll(".phrase")) {
        const own = all[shown].phrases[node.dataset.phrase].segs;
        node.classList.toggle("lit", own.length > 0 && own.some((seg) => segs.includes(seg)));
      }
      for (const node of tree.querySelectorAll("[role=treeitem]")) {
        const item = node.item;
        node.classList.toggle(
          "lit",
          item.seg !== null && on !== null && item.segcap === on.segcap && on.segs.includes(item.seg),
        );
      }
      tell(on);
    }

    function tell(target) {
      details.replaceChildren();
      if (!target || target.segcap !== shown) return;
      const answer = all[target.segcap];
      for (const seg of target.segs) {
        const mask = answer.masks[seg],
          phrase = answer.phrases[phraseOf(target.segcap, seg)];
        const share = (100 * mask.area) / Math.max(1, whole.full[0] * whole.full[1]);
        const facts = [
          mask.score === null ? null : `mask ${known(mask.score)}`,
          phrase.score === null ? null : `name ${known(phrase.score)}`,
          mask.area
            ? `${mask.area.toLocaleString("en")} pixels, ${share < 0.1 ? "under 0.1" : share.toFixed(1)}%`
            : "no pixel",
          mask.again ? "repeats a mask before it" : null,
          mask.id ? `annotation ${mask.id}` : null,
        ].filter(Boolean);
        details.append(dom.el("span", {}, dom.foreign(phrase.text || "(no phrase)"), `: ${facts.join(" · ")}. `));
      }
    }

    function select(target) {
      selected = target;
      if (target && target.segcap !== shown) show(target.segcap);
      for (const node of tree.querySelectorAll("[role=treeitem]")) {
        const { segcap, seg } = node.item;
        const on = target
          ? segcap === target.segcap && (seg === null ? target.segs.length === 0 : target.segs.includes(seg))
          : seg === null && segcap === shown;
        node.setAttribute("aria-selected", on);
      }
      light(null);
      const text = target
        ? [...new Set(target.segs.map((seg) => all[target.segcap].phrases[phraseOf(target.segcap, seg)].text))].join(
            ", ",
          )
        : "";
      api.selected(target && target.segs.length ? target : null, text);
    }

    /** Go into the answer that a mask led to; says whether there is one. */
    function walk(segcap, seg) {
      const [child] = childrenOf(segcap, seg);
      if (child === undefined) return false;
      show(child);
      select(null);
      caption.querySelector(".phrase[tabindex]")?.focus();
      return true;
    }

    function back() {
      const parent = all[shown]?.parent;
      if (!parent) return false;
      select({ segcap: parent[0], segs: [parent[1]] });
      caption.querySelector(".phrase.lit")?.focus();
      return true;
    }

    /** Show one of the answers. */
    function show(place) {
      shown = place;
      const answer = all[place];
      view.show(answer, colours[place]);
      drawTrail(place);
      caption.replaceChildren(
        ...answer.pieces.map(([text, phrase]) => piece(place, text, phrase)),
        ...answer.phrases.flatMap((phrase, at) => (phrase.text ? [] : [piece(place, "(no phrase)", at)])),
        ...(answer.truncated ? [dom.el("span", { class: "cut" }, " … cut at the length limit")] : []),
      );
      caption.removeAttribute("tabindex");
      if (caption.scrollHeight > caption.clientHeight) caption.setAttribute("tabindex", 0);
    }

    function piece(segcap, text, place) {
      if (place < 0) return dom.foreign(text);
      const phrase = all[segcap].phrases[place];
      if (!text && phrase.text === "") return null;
      if (!phrase.segs.length) return dom.foreign(text, { class: "nothing", title: "without a mask" });
      const target = { segcap, segs: phrase.segs };
      const leads = phrase.segs.find((seg) => childrenOf(segcap, seg).length);
      const empty = !phrase.segs.some((seg) => all[segcap].masks[seg].area);
      const enter = () => {
        if (leads === undefined || !walk(segcap, leads)) select(target);
      };
      return dom.foreign(text, {
        class: `phrase${empty ? " empty" : ""}${leads === undefined ? "" : " leads"}`,
        tabindex: 0,
        role: "button",
        "data-phrase": place,
        style: `--colour:${css(colours[segcap][phrase.segs[0]])}`,
        title: leads === undefined ? false : "Enter, or a double click, leads into it",
        pointerenter: () => light(target),
        pointerleave: () => light(null),
        focus: () => select(target),
        click: () => select(target),
        dblclick: enter,
        keydown: (event) => {
          if (event.key === "Enter" || event.key === " ") {
            event.preventDefault();
            enter();
          }
        },
      });
    }

    function drawTrail(place) {
      const chain = [];
      for (let at = place, steps = 0; at !== null && steps <= all.length; steps++) {
        const parent = all[at].parent;
        chain.unshift([at, parent ? all[parent[0]].phrases[phraseOf(parent[0], parent[1])].text : titleOf(all[at])]);
        at = parent ? parent[0] : null;
      }
      trail.replaceChildren(
        ...chain
          .flatMap(([at, text], step) => [
            step ? " › " : null,
            at === place
              ? dom.el("strong", {}, dom.foreign(text || "(no phrase)"))
              : dom.el(
                  "button",
                  {
                    type: "button",
                    class: "link",
                    click: () => {
                      show(at);
                      select(null);
                    },
                  },
                  dom.foreign(text || "(no phrase)"),
                ),
          ])
          .filter(Boolean),
      );
    }

    function masksOf(segcap, level, above) {
      const answer = all[segcap];
      return answer.phrases.flatMap((phrase) =>
        phrase.segs.map((seg, turn) => {
          const own = phrase.segs.length > 1 ? ` (${turn + 1} of ${phrase.segs.length})` : "";
          const inner = above.has(segcap)
            ? []
            : childrenOf(segcap, seg).flatMap((child) => masksOf(child, level + 1, new Set([...above, segcap])));
          return item(
            { segcap, seg },
            level,
            inner,
            dom.el("span", { class: "dot", style: `background:${css(colours[segcap][seg])}` }),
            dom.foreign(phrase.text || "(no phrase)"),
            own,
            dom.el("small", {}, ` ${known(answer.masks[seg].score)}`),
            answer.masks[seg].area ? null : dom.el("small", { class: "warn" }, " no pixel"),
            answer.masks[seg].again ? dom.el("small", { class: "warn" }, " again") : null,
          );
        }),
      );
    }

    function item(what, level, inner, ...label) {
      const node = dom.el(
        "li",
        {
          role: "treeitem",
          "aria-level": level,
          tabindex: -1,
          "aria-selected": "false",
          "aria-expanded": inner.length ? "true" : null,
        },
        dom.el("span", { class: "label" }, dom.el("span", { class: "verdict" }), ...label),
        inner.length ? dom.el("ul", { role: "group" }, ...inner) : null,
      );
      node.item = what;
      const target = what.seg === null ? null : { segcap: what.segcap, segs: [what.seg] };
      const choose = () => {
        if (target) select(target);
        else {
          show(what.segcap);
          select(null);
        }
      };
      node.addEventListener("focus", choose);
      node.firstChild.addEventListener("click", () => {
        roam(node);
        choose();
      });
      node.firstChild.addEventListener("dblclick", () => target && walk(what.segcap, what.seg));
      node.firstChild.addEventListener("pointerenter", () => {
        if (what.segcap === shown) light(target);
      });
      node.firstChild.addEventListener("pointerleave", () => light(null));
      return node;
    }

    /** Make an item the one that Tab leads to, and focus it. */
    function roam(node) {
      for (const other of tree.querySelectorAll("[tabindex='0']")) other.tabIndex = -1;
      node.tabIndex = 0;
      node.focus();
    }

    tree.addEventListener("keydown", (event) => {
      const nodes = [...tree.querySelectorAll("[role=treeitem]")].filter(
        (node) => !node.parentElement.closest("[aria-expanded=false]"),
      );
      const node = event.target.closest("[role=treeitem]"),
        place = nodes.indexOf(node);
      if (place < 0) return;
      const open = node.getAttribute("aria-expanded"),
        above = node.parentElement.closest("[role=treeitem]");
      const to = { ArrowDown: nodes[place + 1], ArrowUp: nodes[place - 1], Home: nodes[0], End: nodes.at(-1) };
      if (event.key in to) {
        if (to[event.key]) roam(to[event.key]);
      } else if (event.key === "ArrowRight") {
        if (open === "false") node.setAttribute("aria-expanded", "true");
        else if (open === "true") roam(nodes[place + 1]);
      } else if (event.key === "ArrowLeft") {
        if (open === "true") node.setAttribute("aria-expanded", "false");
        else if (above) roam(above);
      } else if (event.key === "Enter" || event.key === " ") {
        if (node.item.seg !== null) walk(node.item.segcap, node.item.seg);
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });

    all.forEach((answer, place) => {
      if (!answer.parent)
        tree.append(
          item(
            { segcap: place, seg: null },
            1,
            masksOf(place, 2, new Set()),
            dom.foreign(titleOf(answer)),
            answer.truncated ? dom.el("small", { class: "warn" }, " cut") : null,
          ),
        );
    });
    const [first] = tree.children;
    if (first) {
      first.tabIndex = 0;
      show(first.item.segcap);
    }
    light(null);

    return {
      element,
      stage: view,
      back,
      /** The focus, from the stage to the words. */
      lead: () => (caption.querySelector(".phrase[tabindex]") ?? first)?.focus(),
      /** Select nothing; says whether anything was. */
      clear: () => {
        const before = selected !== null;
        if (before) select(null);
        return before;
      },
      /** Show the verdicts, as `of({segcap, seg})` tells them. */
      refresh: (of) => {
        for (const node of tree.querySelectorAll("[role=treeitem]")) {
          const verdict = node.item.seg === null ? "" : of(node.item);
          const sign = node.firstChild.firstChild;
          sign.textContent = verdict === "right" ? "✓ " : verdict === "wrong" ? "✗ " : "";
          sign.className = `verdict ${verdict}`;
        }
      },
      answer: () => shown,
      outcome,
    };
  }

  return { build };
})();
