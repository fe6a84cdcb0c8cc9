// What the bot calls, and how to make it go wrong.

import { el, icon, toast } from "./dom.js";
import { act, getCalls } from "./api.js";
import { LISTENER } from "./store.js";
import { t } from "./words.js";

const KEPT = 300;
const SENDS = "send*";
const PRESETS = [
  ["🚦", "faultFlood", { method: "send[MVAPD]*", error_code: 429, description: "Too Many Requests: retry after 3", retry_after_s: 3 }],
  ["🛠", "faultDown", { method: SENDS, error_code: 502, description: "Bad Gateway", times: 3 }],
  ["🕳", "faultLost", { method: "send[MVAPD]*", kind: "drop_after" }],
  ["🐌", "faultSlow", { method: "*", kind: "slow", delay_s: 2, times: null }],
  ["📦", "faultDownload", { method: "download", error_code: 404, description: "Not Found" }],
];

export class Inspector {
  constructor(store) {
    this.store = store;
    this.node = document.getElementById("inspector");
    this.tab = "calls";
    this.calls = [];
    this.button = document.getElementById("inspect");
    this.button.addEventListener("click", () => this.toggle());
    this.node.addEventListener("keydown", (event) => event.key === "Escape" && this.toggle(false));
    store.addEventListener("call", ({ detail }) => this.#add(detail));
    store.addEventListener("faults", () => this.tab === "trouble" && this.draw());
    store.addEventListener("reset", () => this.tab === "trouble" && this.draw());
  }

  async toggle(isOpen = this.node.hidden) {
    this.node.hidden = !isOpen;
    document.getElementById("app").classList.toggle("with-inspector", isOpen);
    localStorage.setItem("inspector", isOpen ? "open" : "");
    this.label();
    if (!isOpen) return;
    this.draw();
    this.calls = (await getCalls()).slice(-KEPT);
    this.draw();
  }

  label() {
    const isOpen = !this.node.hidden;
    this.button.replaceChildren(icon("inspect"));
    this.button.setAttribute("aria-expanded", String(isOpen));
    this.button.setAttribute("aria-label", isOpen ? t("closeInspector") : t("openInspector"));
    this.button.title = this.button.getAttribute("aria-label");
    this.node.setAttribute("aria-label", t("inspector"));
  }

  draw() {
    if (this.node.hidden) return;
    const tab = (name, text) =>
      el(
        "button",
        {
          type: "button",
          "aria-pressed": String(this.tab === name),
          onclick: () => {
            this.tab = name;
            this.draw();
          },
        },
        text,
      );
    const head = el(
      "div.inspector-head",
      {},
      el("h2", {}, t("inspector")),
      el("div.segmented", { role: "group", "aria-label": t("inspector") }, tab("calls", t("tabCalls")), tab("trouble", t("tabTrouble"))),
      el("button.icon", { type: "button", "aria-label": t("closeInspector"), onclick: () => this.toggle(false) }, icon("close")),
    );
    this.body = el("div.inspector-body", {});
    this.node.replaceChildren(head, this.body);
    if (this.tab === "calls") this.#drawCalls();
    else this.#drawTrouble();
  }

  #drawCalls() {
    const filter = el("input", { type: "search", placeholder: t("filter"), "aria-label": t("filter"), value: this.filter ?? "" });
    filter.addEventListener("input", () => {
      this.filter = filter.value;
      this.#fillCalls();
    });
    const clear = el(
      "button.small",
      {
        type: "button",
        onclick: () => {
          this.calls = [];
          this.#fillCalls();
        },
      },
      t("clear"),
    );
    this.list = el("div", { role: "feed", "aria-label": t("tabCalls") });
    this.body.replaceChildren(el("div.inspector-tools", {}, filter, clear), this.list);
    this.#fillCalls();
  }

  #fillCalls() {
    const wanted = (this.filter ?? "").toLowerCase();
    const shown = this.calls.filter((call) => JSON.stringify([call.method, call.params]).toLowerCase().includes(wanted));
    this.list.replaceChildren(...shown.reverse().map(callRow));
    if (!shown.length) this.list.append(el("p.trouble", {}, t("noCalls")));
  }

  #add(call) {
    if (this.node.hidden) return;
    this.calls.push(call);
    if (this.calls.length > KEPT) this.calls.shift();
    if (this.tab !== "calls" || !this.list) return;
    const isWanted = JSON.stringify([call.method, call.params]).toLowerCase().includes((this.filter ?? "").toLowerCase());
    if (!isWanted) return;
    if (this.calls.length === 1) this.list.replaceChildren();
    this.list.prepend(callRow(call));
    while (this.list.children.length > KEPT) this.list.lastChild.remove();
  }

  #drawTrouble() {
    const { faults } = this.store.state;
    const person = this.store.person(LISTENER);
    const inject = (fault) => act("inject", fault).catch((error) => toast(error.message, true));
    const active = faults.map((fault) =>
      el(
        "div.fault",
        {},
        el("span", {}, el("b", {}, fault.method), ` ${t("kinds")[fault.kind]} · ${t("times_n")(fault.times)}`),
        el("button.small", { type: "button", onclick: () => act("remove_faults", { id: fault.id }) }, t("remove")),
      ),
    );
    const toggle = (text, isOn, field) =>
      el(
        "label.toggle",
        {},
        text,
        el("input", {
          type: "checkbox",
          role: "switch",
          checked: isOn,
          onchange: ({ target }) => act("set_person", { user: LISTENER, [field]: target.checked }),
        }),
      );
    const presets = PRESETS.map(([emoji, words, fault]) => {
      const [title, about] = t(words);
      return el("button.preset", { type: "button", onclick: () => inject(fault) }, el("em", { "aria-hidden": "true" }, emoji), el("span", {}, el("b", {}, title), el("span", {}, about)));
    });
    this.body.replaceChildren(
      el(
        "div.trouble",
        {},
        el("section", {}, el("h3", {}, t("faultsActive")), active.length ? active : el("p", {}, t("faultsNone"))),
        el("section", {}, el("h3", {}, t("presets")), el("div.presets", {}, presets)),
        el("section", {}, el("h3", {}, t("person")), toggle(t("noVoice"), person.no_voice, "forbids_voice"), toggle(t("blocked"), person.blocked, "blocked")),
        el("section", {}, el("h3", {}, t("custom")), customFault(inject)),
      ),
    );
  }
}

function customFault(inject) {
  const method = el("input", { name: "method", value: "sendVoice", required: true });
  const kind = el("select", { name: "kind" }, Object.entries(t("kinds")).map(([value, text]) => el("option", { value }, text)));
  const times = el("input", { name: "times", type: "number", min: "1", value: "1" });
  const code = el("input", { name: "code", type: "number", min: "0", value: "500" });
  const field = (text, input) => el("label", {}, text, input);
  return el(
    "form.custom",
    {
      onsubmit: (event) => {
        event.preventDefault();
        const number = Number(code.value);
        const about = kind.value === "error" ? { error_code: number, description: number === 429 ? "Too Many Requests: retry after 3" : `Injected ${number}`, retry_after_s: number === 429 ? 3 : null } : { delay_s: number };
        inject({ method: method.value, kind: kind.value, times: Number(times.value), ...about });
      },
    },
    field(t("method"), method),
    field(t("kind"), kind),
    field(t("times"), times),
    field(t("code"), code),
    el("button.small", { type: "submit" }, t("inject")),
  );
}

function callRow(call) {
  const isRefused = call.status !== 200;
  const about = isRefused ? call.answer.description : briefly(call);
  const row = el(
    `details.call${isRefused ? ".is-refused" : ""}`,
    {},
    el(
      "summary",
      {},
      el("span.code", {}, String(call.status)),
      el("span.method", {}, call.method, call.fault ? el("span.struck", {}, ` ⚡ ${call.fault}`) : null, el("span.about", {}, about)),
      el("span.took", {}, `${Math.round(call.elapsed_ms)} ms`),
    ),
  );
  row.addEventListener(
    "toggle",
    () => {
      const show = (value) => el("pre", {}, JSON.stringify(value, null, 2));
      row.append(el("h4", {}, t("params")), show(call.params), el("h4", {}, t("answer")), show(call.answer));
    },
    { once: true },
  );
  return row;
}

function briefly({ method, params, answer }) {
  if (method === "getUpdates") {
    return (answer.result ?? []).map((update) => Object.keys(update).find((key) => key !== "update_id")).join(", ");
  }
  const { text, caption, action, file_id: fileId, callback_query_id: query, chat_id: chat } = params;
  return [chat && `→ ${chat}`, text ?? caption ?? action ?? fileId ?? query].filter(Boolean).join("  ");
}
