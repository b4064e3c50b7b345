"use strict";
// Run lengths to pixels, and pixels to a picture.
// `h x w` is the frame of the page in pixels; arrays of it are row by row, run lengths column by column.

const masks = (() => {
  /** The run lengths of COCO's compressed text: groups of five bits; from the fourth on, differences to two before. */
  function runs(counts) {
    const found = [];
    for (let at = 0; at < counts.length;) {
      let value = 0,
        shift = 0,
        group;
      do {
        group = counts.charCodeAt(at++) - 48;
        value |= (group & 31) << shift;
        shift += 5;
      } while (group & 32);
      if (group & 16) value |= -1 << shift;
      if (found.length > 2) value += found[found.length - 2];
      found.push(value);
    }
    return found;
  }

  /** Write `value` where a mask has pixels. */
  function fill(target, counts, height, width, value) {
    let at = 0,
      inside = false;
    for (const run of runs(counts)) {
      if (inside) {
        for (let pixel = at; pixel < at + run; pixel++)
          target[(pixel % height) * width + Math.floor(pixel / height)] = value;
      }
      at += run;
      inside = !inside;
    }
  }

  /** A mask as one byte a pixel. */
  function pixels(counts, height, width) {
    const found = new Uint8Array(height * width);
    fill(found, counts, height, width, 1);
    return found;
  }

  /** Which mask is on top at each pixel, -1 for none: the smaller lie over the larger, as a part on its whole. */
  function top(list, height, width) {
    const found = new Int16Array(height * width).fill(-1);
    const order = list.map((mask, place) => place).sort((a, b) => list[b].area - list[a].area);
    for (const place of order) fill(found, list[place].counts, height, width, place);
    return found;
  }

  /** Draw masks into an `ImageData`: `tops` as `top` gives them, `colours` `[r, g, b]` of each, and which are lit. */
  function paint(image, tops, colours, lit) {
    const { width, height, data: out } = image;
    const some = lit.length > 0;
    const bright = new Set(lit);
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at++) {
        const mask = tops[at];
        if (mask < 0) {
          out[4 * at + 3] = 0;
          continue;
        }
        const edge =
          (x + 1 < width && tops[at + 1] !== mask) ||
          (x > 0 && tops[at - 1] !== mask) ||
          (y + 1 < height && tops[at + width] !== mask) ||
          (y > 0 && tops[at - width] !== mask);
        const [red, green, blue] = colours[mask];
        out[4 * at] = red;
        out[4 * at + 1] = green;
        out[4 * at + 2] = blue;
        out[4 * at + 3] = bright.has(mask) ? (edge ? 255 : 165) : some ? (edge ? 70 : 25) : edge ? 255 : 105;
      }
    }
    // A lit mask is seen whole, also where others lie over it.
    return image;
  }

  return { runs, fill, pixels, top, paint };
})();
