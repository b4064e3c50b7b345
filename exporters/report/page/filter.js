"use strict";
// Which photographs are shown, and in which order. A photograph is, if one of its masks has all that is asked of masks.

const filter = (() => {
  const NUMBERS = ["score-from", "score-to", "name-from", "name-to", "area-from", "area-to"];
  const FIELDS = ["query", "run", "category", ...NUMBERS, "only", "order"];

  /** What the form says, as texts. */
  const asked = () => Object.fromEntries(FIELDS.map((id) => [id, dom.byId(id).value.trim()]));

  /** A test of mask number `at` in the columns, or null if nothing is asked of masks. */
  function maskTest(wanted) {
    const { list } = data;
    const range = (column, from, to, parts, shares = 1) => {
      if (wanted[from] === "" && wanted[to] === "") return null;
      const least = wanted[from] === "" ? -Infinity : Math.round((Number(wanted[from]) * parts) / shares);
      const most = wanted[to] === "" ? Infinity : Math.round((Number(wanted[to]) * parts) / shares);
      // -1 stands for a score that nobody knows.
      return (at) => column[at] >= 0 && column[at] >= least && column[at] <= most;
    };
    const category = wanted.category === "" ? -1 : Number(wanted.category),
      run = wanted.run === "" ? -1 : Number(wanted.run);
    const tests = [
      run < 0 ? null : (at) => list.run[at] === run,
      category < 0 ? null : (at) => list.category[at] === category,
      range(list.score, "score-from", "score-to", data.SCORES),
      range(list.nameScore, "name-from", "name-to", data.SCORES),
      range(list.area, "area-from", "area-to", data.AREAS, 100),
      wanted.only === "again" ? (at) => (list.maskBits[at] & data.AGAIN) !== 0 : null,
      wanted.only === "empty" ? (at) => (list.maskBits[at] & data.EMPTY) !== 0 : null,
    ].filter(Boolean);
    return tests.length ? (at) => tests.every((test) => test(at)) : null;
  }

  /** A test of a photograph, or null. */
  function photographTest(wanted) {
    const { list } = data;
    const marked = (number) => verdicts.of(list.names[number]);
    switch (wanted.only) {
      case "truncated":
        return (number) => (list.bits[number] & data.TRUNCATED) !== 0;
      case "failed":
        return (number) => (list.bits[number] & data.FAILED) !== 0;
      case "right":
      case "wrong":
        return (number) => marked(number).some((mark) => mark.verdict === wanted.only);
      case "unmarked":
        return (number) => !marked(number).some((mark) => mark.verdict);
      default:
        return null;
    }
  }

  /** Numbers to sort by, small first; masks without a pixel say nothing of how sure a model was. */
  function sortKeys(order, test) {
    const { list } = data;
    const keys = new Float64Array(list.count);
    for (let number = 0; number < list.count; number++) {
      let least = Infinity,
        masks = 0;
      for (let at = list.first[number]; at < list.first[number + 1]; at++) {
        if (test && !test(at)) continue;
        masks++;
        const score = list.score[at] < 0 || list.maskBits[at] & data.EMPTY ? Infinity : list.score[at];
        const name = list.nameScore[at] < 0 ? Infinity : list.nameScore[at];
        least = Math.min(least, order === "mask" ? score : order === "name" ? name : Math.min(score, name));
      }
      keys[number] = order === "most" ? -masks : least;
    }
    return keys;
  }

  /**
   * What matches: numbers of photographs in their order, and how many masks.
   * `searched` is a set of photographs, or null.
   */
  function match(wanted, searched) {
    const { list } = data;
    const test = maskTest(wanted),
      whole = photographTest(wanted);
    const found = [];
    let masks = 0;
    for (let number = 0; number < list.count; number++) {
      if (searched && !searched[number]) continue;
      if (whole && !whole(number)) continue;
      let here = list.first[number + 1] - list.first[number];
      if (test) {
        here = 0;
        for (let at = list.first[number]; at < list.first[number + 1]; at++) here += test(at) ? 1 : 0;
        if (!here) continue;
      }
      masks += here;
      found.push(number);
    }
    if (wanted.order !== "given") {
      const keys = sortKeys(wanted.order, test);
      found.sort((a, b) => (keys[a] < keys[b] ? -1 : keys[a] > keys[b] ? 1 : a - b));
    }
    return { found, masks };
  }

  const plain = (text) => text.normalize("NFKC").toLowerCase();
  let turn = 0;

  /** Which photographs have all words of a query; null if it is none, or if another search began meanwhile. */
  async function search(query, step) {
    const mine = ++turn;
    const words = plain(query).split(/\s+/).filter(Boolean);
    if (!words.length) return { set: null };
    const { photographs, sizes } = data.overview;
    const set = new Uint8Array(photographs);
    for (let shard = 0; shard * sizes.words < photographs; shard++) {
      const texts = await data.load("words", shard);
      if (mine !== turn) return null;
      texts.forEach((text, place) => {
        const here = plain(text);
        if (words.every((word) => here.includes(word))) set[shard * sizes.words + place] = 1;
      });
      step(Math.min(photographs, (shard + 1) * sizes.words));
    }
    return { set };
  }

  return { asked, match, search, FIELDS };
})();
