// Elements made of texts: nothing that a router has heard from others is ever read as markup.

/** A child is an element or becomes a text. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

/** `columns` are [title, cell of a row, class]; cells as children of `element`. */
export function table(columns, rows, nothing) {
  if (rows.length === 0) return element("p", { className: "quiet" }, nothing);
  const head = columns.map(([title, , kind = ""]) => element("th", { scope: "col", className: kind }, title));
  const body = rows.map((row) =>
    element("tr", {}, ...columns.map(([, cell, kind = ""]) => element("td", { className: kind }, cell(row)))));
  return element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
}

const JUDGED = { healthy: "good", up: "good", unhealthy: "bad", down: "bad" };

export function status(word) {
  return element("span", { className: JUDGED[word] ?? "" }, word);
}

export function list(texts) {
  return element("ul", {}, ...texts.map((text) => element("li", {}, text)));
}

/** Folded away until somebody wants to see it. */
export function folded(title, ...children) {
  return element("details", {}, element("summary", {}, title), ...children);
}

export const usd = (amount) => (amount === null || amount === undefined ? "–" : amount.toFixed(Math.abs(amount) < 1 ? 6 : 2));
export const milliseconds = (time) => (time === null || time === undefined ? "–" : `${Math.round(time)} ms`);
export const at = (moment) => (moment ? new Date(moment).toLocaleString() : "–");
