"use strict";
// The files of data/, each of which calls mglmm(kind, number, value): a page from a disk may load
// scripts, but not JSON. The list stays in memory, as columns of numbers; of everything else a few shards do.

const data = { overview: null };

/** Takes what a file of data/ hands over. */
const mglmm = (() => {
  const waiting = new Map();

  function take(kind, number, value) {
    if (kind === "overview") {
      data.overview = value;
      return;
    }
    const key = `${kind}-${number}`;
    const wait = waiting.get(key);
    if (wait) wait.value = value;
  }

  /** A promise of the value of one file. */
  data.load = (kind, number) => {
    const key = `${kind}-${number}`;
    const before = waiting.get(key);
    if (before) return before.promise;
    const entry = {};
    entry.promise = new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `data/${key}.js`;
      const end = (error) => {
        script.remove();
        waiting.delete(key);
        if (error) reject(error);
        else resolve(entry.value);
      };
      script.onload = () => end(entry.value === undefined ? new Error(`data/${key}.js is damaged`) : null);
      script.onerror = () => end(new Error(`data/${key}.js is missing: was the whole folder copied?`));
      document.head.append(script);
    });
    waiting.set(key, entry);
    return entry.promise;
  };

  return take;
})();

{
  const KEPT = 6; // shards of whole photographs
  const shards = new Map(); // the last used at the end

  /** All of one photograph. */
  data.photograph = async (number) => {
    const size = data.overview.sizes.photographs,
      shard = Math.floor(number / size);
    const found = shards.get(shard) ?? data.load("photographs", shard);
    shards.delete(shard);
    shards.set(shard, found);
    while (shards.size > KEPT) shards.delete(shards.keys().next().value);
    try {
      return (await found)[number % size];
    } catch (error) {
      shards.delete(shard);
      throw error;
    }
  };

  /** How many shards are in memory; tests look at it. */
  data.kept = () => shards.size;

  // Bits, as exporters/report/forms.py sets them.
  data.FAILED = 1;
  data.TRUNCATED = 2;
  data.UNSEEN = 4;
  data.EMPTY = 1;
  data.AGAIN = 2;
  data.SCORES = 1000;
  data.AREAS = 1e6;

  /** Load the list; `step` is called with the number of photographs that are there so far. */
  data.loadList = async (step) => {
    const { photographs, masks, sizes } = data.overview;
    const list = (data.list = {
      count: 0,
      names: [],
      notes: [],
      bits: new Uint8Array(photographs),
      width: new Uint16Array(photographs),
      height: new Uint16Array(photographs),
      first: new Uint32Array(photographs + 1), // of its masks, in the columns below
      run: new Uint8Array(masks),
      category: new Uint32Array(masks),
      score: new Int16Array(masks),
      nameScore: new Int16Array(masks),
      area: new Uint32Array(masks),
      maskBits: new Uint8Array(masks),
    });
    const columns = [list.run, list.category, list.score, list.nameScore, list.area, list.maskBits];
    let at = 0;
    for (let shard = 0; shard * sizes.list < photographs; shard++) {
      for (const row of await data.load("list", shard)) {
        const [name, width, height, bits, note, ...values] = row;
        list.names.push(name);
        list.notes.push(note);
        list.width[list.count] = width;
        list.height[list.count] = height;
        list.bits[list.count] = bits;
        columns.forEach((column, place) => column.set(values[place], at));
        at += values[0].length;
        list.first[++list.count] = at;
      }
      step(list.count);
    }
  };

  /** The path of a picture of a photograph, in `photographs` or `thumbnails`. */
  data.picture = (folder, number) => `${folder}/${Math.floor(number / data.overview.sizes.folder)}/${number}.jpg`;
}
