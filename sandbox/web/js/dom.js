// Building elements: no framework, no innerHTML with foreign text.

/** el("button.small", {onclick, "aria-label": "x"}, children...) */
export function el(selector, props = {}, ...children) {
  const [tag, ...classes] = selector.split(".");
  const node = document.createElement(tag || "div");
  if (classes.length) node.className = classes.join(" ");
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(node.dataset, value);
    else if (name === "class") node.classList.add(...value.split(" ").filter(Boolean));
    else if (name in node && typeof value !== "string") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const PATHS = {
  play: '<path fill="currentColor" d="M8 5.6v12.8c0 .8.9 1.3 1.6.9l10-6.400a1.100 1.100 0 0 0 0-1.800l-10-6.400C8.900 4.300 8 4.800 8 5.600z"/>',
  pause: '<rect x="6.500" y="5" width="4" height="14" rx="1.300" fill="currentColor"/><rect x="13.500" y="5" width="4" height="14" rx="1.300" fill="currentColor"/>',
  send: '<path fill="currentColor" d="M3.400 20.300 21 12.700a.8.8 0 0 0 0-1.400L3.400 3.700c-.6-.3-1.200.3-1 .9L4.700 11l8.300 1-8.300 1-2.300 6.400c-.2.6.4 1.200 1 .9z"/>',
  attach: '<path d="m20 11.500-8.200 8.200a5 5 0 0 1-7.100-7.100l8.700-8.700a3.300 3.300 0 0 1 4.700 4.700l-8.600 8.600a1.700 1.700 0 0 1-2.400-2.400l7.600-7.500"/>',
  menu: '<path d="M4 7h16M4 12h16M4 17h16"/>',
  reply: '<path d="M10 6 4 11.500 10 17v-3.500c5 0 7.800 1.500 10 4.500-.6-5.600-4-9-10-9z"/>',
  smile: '<circle cx="12" cy="12" r="8.500"/><path d="M8.500 14c.8 1.300 2 2 3.500 2s2.700-.7 3.500-2M9 9.500v.5M15 9.500v.5"/>',
  down: '<path d="m6 10 6 6 6-6"/>',
  close: '<path d="m6 6 12 12M18 6 6 18"/>',
  sun: '<circle cx="12" cy="12" r="4"/><path d="M12 3v2M12 19v2M3 12h2M19 12h2M5.600 5.600 7 7M17 17l1.400 1.400M18.400 5.600 17 7M7 17l-1.400 1.400"/>',
  moon: '<path d="M20 14.500A8.300 8.300 0 0 1 9.500 4a8.300 8.300 0 1 0 10.500 10.500z"/>',
  inspect: '<path d="m8 8-4 4 4 4M16 8l4 4-4 4M13.500 5l-3 14"/>',
  note: '<path d="M9 17.500V6l10-2v11"/><circle cx="6.500" cy="17.500" r="2.500"/><circle cx="16.500" cy="15" r="2.500"/>',
  file: '<path d="M7 3h7l4 4v14H7z"/><path d="M14 3v4h4"/>',
  spark: '<path d="M12 3.500 14 10l6.500 2L14 14l-2 6.500L10 14l-6.500-2L10 10z"/>',
  forward: '<path d="M14 6l6 5.500L14 17v-3.500c-5 0-7.800 1.500-10 4.500.6-5.600 4-9 10-9z"/>',
  mic: '<rect x="9" y="3" width="6" height="11" rx="3"/><path d="M6 11.500a6 6 0 0 0 12 0M12 17.500V21"/>',
  stop: '<rect x="7" y="7" width="10" height="10" rx="2" fill="currentColor"/>',
  link: '<path d="M9 15 19 5M12 5h7v7"/>',
};

/** A 24 x 24 line icon. */
export function icon(name) {
  const holder = document.createElement("template");
  holder.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round">${PATHS[name]}</svg>`;
  return holder.content.firstChild;
}

/** Bars on an equaliser: the bot's face. */
export function logo() {
  const holder = document.createElement("template");
  holder.innerHTML =
    '<svg viewBox="0 0 24 24" aria-hidden="true" fill="currentColor"><rect x="2" y="10" width="2.600" height="4" rx="1.300" opacity=".75"/><rect x="6.500" y="7" width="2.600" height="10" rx="1.300" opacity=".9"/><rect x="11" y="3" width="2.600" height="18" rx="1.300"/><rect x="15.500" y="6" width="2.600" height="12" rx="1.300" opacity=".9"/><rect x="20" y="10" width="2.600" height="4" rx="1.300" opacity=".75"/></svg>';
  return holder.content.firstChild;
}

/** 75 -> "1:15"; hours only where there are some. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return (h ? `${h}:${String(m).padStart(2, "0")}` : m) + ":" + String(s).padStart(2, "0");
}

export function toast(text, isError = false) {
  const node = el(`div.toast${isError ? ".is-error" : ""}`, {}, text);
  document.getElementById("toasts").append(node);
  setTimeout(() => node.remove(), Math.max(3500, text.length * 70));
}

export function showAlert(text) {
  const dialog = document.getElementById("alert");
  dialog.classList.remove("is-picture");
  document.getElementById("alert-text").replaceChildren(text);
  if (!dialog.open) dialog.showModal();
}

export function showPicture(source, text) {
  const dialog = document.getElementById("alert");
  dialog.classList.add("is-picture");
  document.getElementById("alert-text").replaceChildren(el("img", { src: source, alt: text || "" }));
  if (!dialog.open) dialog.showModal();
}
