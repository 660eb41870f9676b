// Numbers as text, and elements with text. Names and labels are text, never markup.

/** Return an element with text and children; whatever the text is, it is shown as it is. */
export function element(tag, { text, className, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Return a share of 0 to 1 as a percentage that no line end can cut. */
export function percent(share) {
  if (share > 0 && share < 0.001) return "<\u00a00.1\u00a0%";
  if (share < 1 && share > 0.999) return ">\u00a099.9\u00a0%";
  return `${(100 * share).toFixed(1)}\u00a0%`;
}

export function bytes(count) {
  if (count < 1024) return `${count} bytes`;
  const [size, unit] = count < 1024 ** 2 ? [count / 1024, "KiB"] : [count / 1024 ** 2, "MiB"];
  return `${Number(size.toFixed(size < 10 ? 1 : 0))} ${unit}`;
}
