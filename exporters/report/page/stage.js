"use strict";
// A photograph with the masks of one answer over it.

const stage = (() => {
  const NONE = [];

  /**
   * Build one.
   * `number`: of the photograph; `whole`: all of it; `events`: `hover(seg or -1)`, `pick(seg)` and `into(seg)`.
   */
  function build(number, whole, events) {
    const [width, height] = whole.frame;
    const canvas = dom.el("canvas", { width, height, "aria-hidden": "true" });
    const picture = whole.unseen
      ? null
      : dom.el("img", { src: data.picture("photographs", number), alt: "The photograph", width, height });
    const element = dom.el(
      "div",
      {
        class: picture ? "stage" : "stage grey",
        style: `aspect-ratio:${width}/${height};--high:${height}px;--wide:${width}px`,
      },
      picture,
      canvas,
      whole.unseen
        ? dom.el("p", { class: "unseen" }, "The photograph can't be shown: ", dom.foreign(whole.unseen))
        : null,
    );
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    let answer = null,
      tops = null,
      colours = NONE,
      lit = NONE,
      hidden = false,
      last = -1;

    function draw() {
      if (!answer || hidden) {
        context.clearRect(0, 0, width, height);
        return;
      }
      // What is lit lies over all others.
      let over = tops;
      if (lit.length) {
        over = tops.slice();
        for (const seg of lit) masks.fill(over, answer.masks[seg].counts, height, width, seg);
      }
      masks.paint(image, over, colours, lit);
      context.putImageData(image, 0, 0);
    }

    function at(event) {
      if (!tops || hidden) return -1;
      const box = canvas.getBoundingClientRect();
      const x = Math.floor(((event.clientX - box.left) * width) / box.width),
        y = Math.floor(((event.clientY - box.top) * height) / box.height);
      return x >= 0 && y >= 0 && x < width && y < height ? tops[y * width + x] : -1;
    }

    canvas.addEventListener("pointermove", (event) => {
      const seg = at(event);
      if (seg !== last) {
        last = seg;
        events.hover(seg);
      }
    });
    canvas.addEventListener("pointerleave", () => {
      last = -1;
      events.hover(-1);
    });
    canvas.addEventListener("click", (event) => events.pick(at(event)));
    canvas.addEventListener("dblclick", (event) => events.into(at(event)));

    return {
      element,
      /** Show an answer's masks; `palette` has the colour of each. */
      show(next, palette) {
        if (answer === next) return;
        answer = next;
        colours = palette;
        tops = next ? masks.top(next.masks, height, width) : null;
        lit = NONE;
        draw();
      },
      /** Light some masks, and dim the others; none: all are as they were. */
      light(segs) {
        if (segs.length === lit.length && segs.every((seg, place) => seg === lit[place])) return;
        lit = segs;
        draw();
      },
      /** Hide the masks, or show them again. */
      toggle() {
        hidden = !hidden;
        draw();
      },
      /** Which masks are lit, and which is on top of a pixel; tests look at it. */
      state: () => ({ lit: [...lit], top: (x, y) => tops[y * width + x] }),
    };
  }

  return { build };
})();
