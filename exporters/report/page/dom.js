"use strict";
// Elements. Texts become text nodes, here and everywhere: nothing that a model or a file's name says is ever markup.

const dom = (() => {
  /** An element with attributes (functions listen to events, a key that is false or null is left out) and children. */
  function el(name, attributes = {}, ...children) {
    return dress(document.createElement(name), attributes, children);
  }

  const SVG = "http://www.w3.org/2000/svg";

  /** The same of a drawing. */
  function svg(name, attributes = {}, ...children) {
    return dress(document.createElementNS(SVG, name), attributes, children);
  }

  function dress(element, attributes, children) {
    for (const [key, value] of Object.entries(attributes)) {
      if (value === false || value === null || value === undefined) continue;
      if (typeof value === "function") element.addEventListener(key, value);
      else if (key === "style")
        element.style.cssText = value; // the attribute is what the page's policy refuses
      else element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  /** A text of somebody else's, which may run in another direction than the page. */
  function foreign(text, attributes = {}) {
    return el("bdi", { dir: "auto", ...attributes }, text);
  }

  const byId = (id) => document.getElementById(id);
  const count = (number, one, more = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : more}`;
  const colour = (number, alpha = 1) => {
    const [red, green, blue] = data.overview.palette[number % data.overview.palette.length];
    return `rgb(${red} ${green} ${blue} / ${alpha})`;
  };
  return { el, svg, foreign, byId, count, colour };
})();
