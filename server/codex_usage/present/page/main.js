// The frame: navigation, filters, language, theme, keyboard, live data;
// it draws the current view when something changes.

const LANGUAGES = { en: "English", vi: "Tiếng Việt", es: "Español", fr: "Français", de: "Deutsch",
  pt: "Português", ja: "日本語", zh: "简体中文", ko: "한국어", ru: "Русский", it: "Italiano", ar: "العربية" };
const THEMES = ["auto", "light", "dark"];
const at = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** What a visitor chose, kept by this browser when it lets a page keep anything, or by this tab alone. */
const kept = {
  get(/** @type {string} */ key, where = () => localStorage) {
    try { return where().getItem("codex-usage " + key); } catch { return null; }
  },
  set(/** @type {string} */ key, /** @type {string} */ value, where = () => localStorage) {
    try { where().setItem("codex-usage " + key, value); } catch { /* then it holds until the page is closed */ }
  },
};

/** A labelled choice from a list. @param {string} id @param {string} label @param {[string, string][]} options
 * @param {string} value @param {(value: string) => void} pick */
const choice = (id, label, options, value, pick) =>
  el("select", { id, "aria-label": label, title: label,
      onchange: (/** @type {any} */ event) => pick(event.target.value) },
    options.map(([one, text]) => el("option", { value: one, selected: one === value }, text)));

function theme(value = kept.get("theme") ?? "auto") {
  kept.set("theme", value);
  document.documentElement.dataset.theme = value;
}

let languages = /** @type {string[]} */ ([]); // the name and the texts of each
/** @param {string} value */
function speak(value) {
  lang = value in LANGUAGES ? value : "en";
  words = JSON.parse(languages.find((line) => line.startsWith(lang))?.slice(2) ?? "{}");
  document.documentElement.lang = lang;
  document.documentElement.dir = lang === "ar" ? "rtl" : "ltr";
  for (const node of document.querySelectorAll("[data-t]"))
    node.textContent = t(/** @type {HTMLElement} */ (node).dataset.t ?? "");
  for (const node of document.querySelectorAll("[data-label]"))
    node.setAttribute("aria-label", t(/** @type {HTMLElement} */ (node).dataset.label ?? ""));
}

/** The newest day there may be data of. */
const lastDay = () => daysOf("today")[1];

const current = () => views.all.find((one) => one.id === state.get("view")) ?? views.all[0];

let framed = ""; // what the header was drawn from: while that holds it stays, with what is open or being typed in it
function drawFrame() {
  const { meta, board } = data, lists = FILTER_WORDS.map((word) => board?.[word + "s"] ?? 0);
  at("footer").replaceChildren(...[
    board && el("bdi", {}, board.data_quality),
    board && !board.coverage.complete
      ? el("span", {}, t("core.incomplete", { files: board.coverage.pending_files })) : null,
    el("span", {},
      t("core.made", { time: fmt.time(Date.parse(meta.generated_at)), zone: zone(), version: meta.version })),
    el("span", {}, chip(t("core.mode", { mode: meta.privacy_mode }))),
    meta.demo ? el("span", {}, chip(t("core.demo"), "warn")) : null,
    el("span", {}, t("core.private"))].filter((one) => one));
  const now = JSON.stringify([lang, String(state.params), kept.get("theme"), live.on, lists, lastDay()]),
      focused = document.activeElement?.id;
  if (framed === (framed = now)) return;
  at("nav").replaceChildren(...views.all.filter((one) => !one.hidden).map((one) =>
    el("a", { href: "?" + new URLSearchParams({ ...Object.fromEntries(state.params), view: one.id }),
      "aria-current": one === current() ? "page" : null,
      onclick: (/** @type {MouseEvent} */ event) => {
        if (event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        state.set({ view: one.id, record: null, sel: null }, { push: true });
      } }, t(one.key))));
  const period = state.period(), own = period.includes("..") || /^\d/.test(period), [first, last] = daysOf(period);
  const day = (/** @type {string} */ id, /** @type {number} */ value, /** @type {(text: string) => string} */ span) =>
    el("input", { type: "date", id, "aria-label": t("core." + id), value: Math.abs(value) < 1e6 ? dayText(value) : "",
      onchange: (/** @type {any} */ event) => state.set({ period: span(event.target.value) }) });
  at("tools").replaceChildren(...[
    segmented(t("core.provider"), [["", "combined"], ["codex", "codex"], ["claude", "claude"]]
      .map(([value, key]) => ({ value, label: t("core." + key) })),
      state.get("provider") ?? "", (provider) => state.set({ provider })),
    choice("period", t("core.period"),
      [...PRESET_PERIODS.map((one) => /** @type {[string, string]} */ ([one, t("core.periods." + one)])),
        ["own", t("core.periods.own")]], own ? "own" : period,
      (value) => state.set({ period: value === "own" ? `${dayText(lastDay() - 13)}..${dayText(lastDay())}` : value })),
    own ? day("from", first, (text) => `${text}..${period.split("..")[1] ?? text}`) : null,
    own ? day("to", last, (text) => `${period.split("..")[0]}..${text}`) : null,
    meta.live ? el("button", { id: "live", type: "button", "aria-pressed": String(live.on),
        onclick: () => live.toggle() },
      el("span", { class: "dot", "aria-hidden": "true" }), t("core.live")) : null,
    meta.live ? el("button", { id: "refresh", type: "button", onclick: () => data.refresh(true).catch(failed) },
      t("core.refresh")) : null,
    el("button", { id: "copy", type: "button", onclick: copyLink }, t("core.copy")),
    choice("lang", t("core.language"), Object.entries(LANGUAGES), lang,
      (value) => { kept.set("lang", value); speak(value); data.changed(); }),
    choice("theme", t("core.theme"), THEMES.map((one) => [one, t("core.themes." + one)]),
      kept.get("theme") ?? "auto", theme),
    el("button", { type: "button", "aria-label": t("core.help"), onclick: help }, "?")].filter((one) => one !== null));
  drawFilters();
  if (focused && document.activeElement?.id !== focused)
    document.getElementById(focused)?.focus({ preventScroll: true });
}

function drawFilters() {
  const row = at("filters"), focused = document.activeElement?.id,
      open = row.querySelector("details")?.open ?? false, board = data.board ?? {};
  const set = FILTER_WORDS.filter((word) => word !== "provider" && state.get(word));
  const menus = FILTER_WORDS.filter((word) => word !== "provider").map((word) => {
    const list = (board[word === "confidence" ? "confidences" : word + "s"] ?? []).slice().sort();
    return list.length > 1 || state.get(word)
      ? el("label", {}, el("span", { class: "sub" }, t("core.filter." + word)),
        choice("by-" + word, t("core.filter." + word),
          [["", t("core.any")], ...list.map((/** @type {string} */ one) => [one, one])],
          state.get(word) ?? "", (value) => state.set({ [word]: value }))) : null;
  });
  row.replaceChildren(el("details", { open },
      el("summary", {}, t("core.filters"), set.length ? ` (${set.length})` : ""), el("div", { class: "menus" }, menus)),
    ...set.map((word) => el("button", { type: "button", class: "chip",
      "aria-label": t("core.drop", { what: `${t("core.filter." + word)} ${state.get(word)}` }),
      onclick: () => { state.set({ [word]: null }); row.querySelector("summary")?.focus(); } },
      `${t("core.filter." + word)}: ${state.get(word)} ✕`)));
  if (focused) document.getElementById(focused)?.focus();
}

async function copyLink() {
  const link = location.href;
  try { await navigator.clipboard.writeText(link); } catch {
    const box = el("textarea", { class: "hidden" }, link);
    document.body.append(box);
    /** @type {HTMLTextAreaElement} */ (box).select();
    document.execCommand("copy");
    box.remove();
  }
  announce(t("core.copied"));
  at("copy").textContent = t("core.copied");
}

function help() {
  const dialog = /** @type {HTMLDialogElement} */ (at("help"));
  dialog.replaceChildren(el("h2", { id: "help-title" }, t("core.help")), el("dl", { class: "keys" },
    [["/", "search"], ["1 – 5", "numbers"], ["r", "reload"], ["c", "link"],
      ["t", "themed"], ["?", "this"], ["Esc", "close"]].map(([key, what]) =>
      el("div", {}, el("dt", {}, el("kbd", {}, key)), el("dd", {}, t("core.keys." + what))))),
    el("button", { type: "button", onclick: () => dialog.close() }, t("core.close")));
  dialog.showModal();
}

addEventListener("keydown", (event) => {
  const typing = /** @type {HTMLElement} */ (event.target).closest?.("input, select, textarea, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const shown = views.all.filter((one) => !one.hidden), view = shown[Number(event.key) - 1];
  if (event.key === "/") {
    if (current().id !== "calls") state.set({ view: "calls" }, { push: true });
    document.getElementById("search")?.focus();
  } else if (view) state.set({ view: view.id, record: null }, { push: true });
  else if (event.key === "?") help();
  else if (event.key === "c") copyLink();
  else if (event.key === "r" && data.meta.live) data.refresh(true).catch(failed);
  else if (event.key === "t") { theme(THEMES[(THEMES.indexOf(kept.get("theme") ?? "auto") + 1) % 3]); drawFrame(); }
  else return;
  event.preventDefault();
});
addEventListener("keydown", (event) => {
  const menu = document.querySelector("#filters details[open]");
  if (event.key !== "Escape" || !menu) return;
  menu.removeAttribute("open");
  menu.querySelector("summary")?.focus();
});
addEventListener("pointerdown", (event) => {
  const menu = document.querySelector("#filters details[open]");
  if (menu && !menu.contains(/** @type {Node} */ (event.target))) menu.removeAttribute("open");
});

/** @param {unknown} error */
const failed = (error) => {
  data.problem = error instanceof Error ? error.message : String(error);
  announce(data.problem);
  at("main").prepend(el("p", { class: "card problem", role: "alert" }, data.problem));
};

/** Do something after the next frame is on the screen. @param {() => void} act */
const afterFrame = (act) => requestAnimationFrame(() => requestAnimationFrame(act));

/** Draw the frame and the view; the place that had the focus keeps it. */
function draw(moved = false) {
  const root = at("main"), view = current(), focused = document.activeElement?.id,
      box = /** @type {any} */ (document.activeElement);
  const caret = focused && "selectionStart" in box ? box.selectionStart : null;
  drawFrame();
  root.toggleAttribute("data-fresh",
    scrollY < 50 && !root.contains(document.activeElement)); // what is out of sight waits
  root.replaceChildren();
  afterFrame(() => root.removeAttribute("data-fresh"));
  root.dataset.view = view.id;
  document.title = `${t(view.key)} · Codex usage`;
  if (!data.board || !data.usage) root.append(empty(t(data.problem ? "core.failed" : "core.loading"), data.problem));
  else if (!data.usage.total && !data.board.cube.day.length)
    root.append(el("h1", {}, t(view.key)), empty(t("core.nothing"), t("core.nothing_hint")));
  else try { view.render(root); } catch (error) { failed(error); } // what one view cannot draw leaves the others whole
  if (moved) scrollTo(0, 0);
  const again = focused ? /** @type {any} */ (document.getElementById(focused)) : null;
  if (again && again !== document.activeElement) {
    again.focus({ preventScroll: true });
    if (caret !== null && "setSelectionRange" in again && again.type === "search")
      again.setSelectionRange(caret, caret);
  } else if (moved && !again) root.focus({ preventScroll: true });
}

/** Calls as they are made: the server tells when a log has changed. */
const live = {
  on: false,
  stop: /** @type {AbortController|null} */ (null),
  toggle() { this.on ? this.stop?.abort() : void this.listen(); this.on = !this.on; drawFrame(); },
  async listen() {
    this.stop = new AbortController();
    try {
      const answer = await fetch("/api/events",
        { headers: { "X-Codex-Usage-Token": data.token }, signal: this.stop.signal });
      const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body)
        .pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
      for (let text = ""; ;) {
        const { value, done } = await reader.read();
        if (done) break;
        text += value;
        for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
          const told = text.slice(0, end);
          text = text.slice(end + 2);
          if (!told.includes("event: changed")) continue;
          while (CSS.supports("selector(:open)") && document.querySelector("select:open"))
            await new Promise((done) => setTimeout(done, 200)); // what is being chosen stays
          await data.refresh(true);
        }
      }
    } catch (error) {
      if (!this.stop.signal.aborted) failed(error);
    }
    this.on = false;
    drawFrame();
  },
};

/** What a script element of the page holds compressed. @param {string} id */
async function held(id) {
  const text = at(id).textContent ?? "",
      { fromBase64: read } = /** @type {any} */ (Uint8Array); // older browsers lack it
  const bytes = read ? read.call(Uint8Array, text) : Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const whole = new ReadableStream({
    start(flow) { flow.enqueue(bytes); flow.close(); } }); // a Blob's would go by way of other processes
  return new Response(whole.pipeThrough(new DecompressionStream("gzip")));
}

async function begin() {
  const { columns, ...told } = JSON.parse(at("data").textContent ?? "{}"),
      bytes = held("numbers").then((one) => one.arrayBuffer());
  languages = (await (await held("words")).text()).split("\n");
  const numbers = await bytes;
  if (columns) told.usage.calls = unpack(columns, numbers);
  data.take(told);
  data.token = new URLSearchParams(location.hash.slice(1)).get("token")
    ?? kept.get("token", () => sessionStorage) ?? "";
  if (data.token) kept.set("token", data.token, () => sessionStorage);
  if (data.meta.live) history.replaceState(null, "", location.pathname + location.search);
  theme();
  speak(kept.get("lang") ?? lang);
  data.on(draw);
  addEventListener("popstate", () => { state.params = new URLSearchParams(location.search); draw(true); });
  addEventListener("scroll", () => { at("top").hidden = scrollY < 600; }, { passive: true });
  at("top").addEventListener("click", () => { scrollTo({ top: 0 }); at("main").focus({ preventScroll: true }); });
  draw();
  if (data.meta.live) {
    try { await data.refresh(); live.toggle(); } catch (error) {
      data.problem = error instanceof Error ? error.message : String(error);
      draw();
    }
  }
  document.documentElement.dataset.ready = "1";
  afterFrame(() => { later.begin(); document.documentElement.dataset.shown = "1"; });
}

begin();
