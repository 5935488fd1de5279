// The little that this page needs of a view library. Text goes in as text, never as HTML.

export const find = (id) => document.getElementById(id);

/** An element with properties, a class among them, and children: elements or texts. */
export function make(tag, properties = {}, ...children) {
  const { className, dataset, ...rest } = properties;
  const element = Object.assign(document.createElement(tag), rest);
  if (className) element.className = className;
  Object.assign(element.dataset, dataset);
  element.append(...children.filter((child) => child !== undefined && child !== ''));
  return element;
}

/** Sets a text only where it changes, so that nothing is read out twice. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function show(element, shown) {
  element.hidden = !shown;
}

/**
 * Makes a list's children be these items, in this order. An item's element is kept as long as its key is, so that focus and what
 * screen readers have read stay; `draw` makes it, or fills the old one.
 */
export function list(parent, items, key, draw) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    const before = old.get(name);
    const element = draw(item, before);
    element.dataset.key = name;
    if (before && before !== element) before.replaceWith(element);
    if (place === before) place = element;
    old.delete(name);
    if (place === element) place = element.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const element of old.values()) element.remove();
}

/** A round badge with the first letters of a name, in the name's own colour. */
export function badge(name, { square = false } = {}) {
  const element = make('span', { className: square ? 'badge square' : 'badge', ariaHidden: 'true' });
  dress(element, name);
  return element;
}

export function dress(element, name) {
  say(element, name.replace(/[^\p{L}\p{N}]/gu, '').slice(0, 2) || '#');
  let hue = 0;
  for (const letter of name) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  element.style.setProperty('--hue', hue);
}

/** Says something that went wrong, until it is dismissed or has been there for a while. */
export function notice(text) {
  const close = make('button', { type: 'button', ariaLabel: 'Dismiss' }, '✕');
  const element = make('div', { className: 'notice' }, make('span', {}, text), close);
  close.addEventListener('click', () => element.remove());
  setTimeout(() => element.remove(), 12_000);
  find('notices').append(element);
}
