// Text with entities -> nodes. Offsets are UTF-16 units, as JavaScript counts.

import { el } from "./dom.js";

const TIME = /(?<![\d:.,])(?:(\d{1,2}):)?([0-5]?\d):([0-5]\d)(?![\d:])/g;

/**
 * The nodes of a message's text. `onCommand(text)` sends a tapped command; `seekable(seconds)` gives a function that
 * plays from there, or null where there is nothing to seek.
 */
export function renderText(text, entities, { onCommand, seekable }) {
  const tree = nest(entities ?? [], 0, text.length);
  return build(text, tree, 0, text.length, { onCommand, seekable });
}

function nest(entities, start, end) {
  const inside = entities
    .filter((entity) => entity.offset >= start && entity.offset + entity.length <= end)
    .sort((a, b) => a.offset - b.offset || b.length - a.length);
  const roots = [];
  let reach = start;
  for (const entity of inside) {
    if (entity.offset < reach) continue;
    reach = entity.offset + entity.length;
    const rest = inside.filter((other) => other !== entity);
    roots.push({ entity, children: nest(rest, entity.offset, reach) });
  }
  return roots;
}

function build(text, roots, start, end, tools) {
  const nodes = [];
  let at = start;
  for (const { entity, children } of roots) {
    nodes.push(...plain(text.slice(at, entity.offset), tools));
    const stop = entity.offset + entity.length;
    const inner = build(text, children, entity.offset, stop, entity.type === "code" || entity.type === "pre" ? { ...tools, seekable: null } : tools);
    nodes.push(wrap(entity, text.slice(entity.offset, stop), inner, tools));
    at = stop;
  }
  nodes.push(...plain(text.slice(at, end), tools));
  return nodes;
}

function wrap(entity, text, inner, { onCommand }) {
  switch (entity.type) {
    case "bold": return el("b", {}, inner);
    case "italic": return el("i", {}, inner);
    case "underline": return el("u", {}, inner);
    case "strikethrough": return el("s", {}, inner);
    case "spoiler": return el("span.spoiler", { tabindex: "0" }, inner);
    case "code": return el("code", {}, inner);
    case "pre": return el("pre", {}, inner);
    case "blockquote":
    case "expandable_blockquote": return el("blockquote", {}, inner);
    case "text_link": return link(entity.url, inner);
    case "url": return link(text, inner);
    case "bot_command":
      return el("button.command", { type: "button", onclick: () => onCommand(text) }, text);
    case "mention": return el("span.mention", {}, text);
    case "hashtag": return el("span.hashtag", {}, text);
    default: return el("span", {}, inner);
  }
}

const link = (url, inner) =>
  !/^https?:/.test(url) ? el("span.mention", { title: url }, inner) : el("a", { href: url, target: "_blank", rel: "noreferrer noopener" }, inner);

/** Text where time codes can be tapped. */
function plain(text, { seekable }) {
  if (!seekable) return [text];
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(TIME)) {
    const seconds = Number(match[1] ?? 0) * 3600 + Number(match[2]) * 60 + Number(match[3]);
    const seek = seekable(seconds);
    if (!seek) continue;
    nodes.push(text.slice(at, match.index));
    nodes.push(el("button.timecode", { type: "button", onclick: seek, "aria-label": `▶ ${match[0]}` }, match[0]));
    at = match.index + match[0].length;
  }
  nodes.push(text.slice(at));
  return nodes.filter((node) => node !== "");
}
