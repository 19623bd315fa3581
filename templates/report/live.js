// A page that is served: progress on top, and results as they come. It stands behind report.js in one module.

const [LIVE_MS, IDLE_MS, HIDDEN_MS, MOST_MS] = [1000, 5000, 15000, 15000];
const MARKS = { done: "✓", failed: "✗", timeout: "!", running: "▸", interrupted: "‖", corrupt: "?", missing: "·" };
const MOST_RUNNING = 10;
const counted = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
const say = (element, text) => { if (element.textContent !== text) element.textContent = text; };

const asked = async (path) => {
  const response = await fetch(path, { signal: AbortSignal.timeout(MOST_MS) });
  if (!response.ok) throw new Error(response.statusText);
  return [await response.json(), (response.headers.get("ETag") ?? "").replace(/^W\/|"/g, "")];
};

const squareOf = () => make("span", { class: "square", role: "img" });
const dressSquare = (square, { state, text, part }) => {
  say(square, MARKS[state]);
  square.className = `square ${state}`;
  square.title = text;
  square.setAttribute("aria-label", text);
  square.style.setProperty("--part", `${100 * (part ?? 0)}%`);
};
const gridOf = ({ title, clients, rows }) => {
  const heads = clients.map((number) => make("th", { scope: "col" },
    number ? counted(number, "client") : number === null ? "all clients" : ""));
  const row = ([method, places]) => make("tr", {}, make("th", { scope: "row" }, method),
    ...places.map((squares) => make("td", {}, ...squares.map(squareOf))));
  return make("table", {}, make("thead", {}, make("tr", {}, make("th", { scope: "col" }, title), ...heads)),
    make("tbody", {}, ...rows.map(row)));
};
const shapeOf = (grids) => JSON.stringify(grids.map(({ title, clients, rows }) =>
  [title, clients, rows.map(([method, places]) => [method, places.map((squares) => squares.length)])]));

const totals = make("p", { class: "totals" });
const trouble = make("p", { class: "warning", role: "status" });
const states = make("p", { class: "states" });
const grids = make("div", { class: "grids", tabindex: "0", role: "group", "aria-label": "Cells by method and clients" });
const running = make("table", { class: "running" });
let shape = "";

const showProgress = (told) => {
  say(find("#summary"), `Shown below: ${data.summary}`); // which may be older than the progress
  say(totals, told.totals + (told.others ? `; ${counted(told.others, "other cell")} running in this store` : ""));
  const squares = told.grids.flatMap(({ rows }) => rows.flatMap(([, places]) => places.flat()));
  if (shape !== shapeOf(told.grids)) {
    shape = shapeOf(told.grids);
    grids.replaceChildren(...told.grids.map(gridOf));
  }
  grids.querySelectorAll(".square").forEach((square, number) => dressSquare(square, squares[number]));
  const known = Object.keys(MARKS).filter((state) => squares.some((square) => square.state === state));
  say(states, known.map((state) => `${MARKS[state]} ${state}`).join("   "));
  const more = told.running.length - MOST_RUNNING;
  running.replaceChildren(...told.running.slice(0, MOST_RUNNING).map(([name, ...facts]) =>
    make("tr", {}, make("th", { scope: "row" }, name), ...facts.map((fact) => make("td", {}, fact)))),
    ...(more > 0 ? [make("tr", {}, make("th", { scope: "row" }, `and ${more} more`))] : []));
};

// What is looked at stays where it is, and what has the focus keeps it, while all around is made again.
const PLACES = "main > section, [data-figure], #sections > details, tr[data-cell]";
const homeOf = (element) => {
  const home = element.closest(PLACES);
  if (home.id) return `#${CSS.escape(home.id)}`;
  return home.dataset.figure ? `[data-figure="${home.dataset.figure}"]` : `tr[data-cell="${CSS.escape(home.dataset.cell)}"]`;
};
const successorOf = (element) => { // what finds the same element once all is made again
  const selector = homeOf(element);
  if (element.matches(PLACES)) return () => find(selector);
  const key = (other) => `${other.getAttribute("aria-label")} ${other.textContent}`;
  const alike = () => [...find(selector)?.querySelectorAll(element.tagName) ?? []].filter((other) => key(other) === key(element));
  const number = alike().indexOf(element);
  return () => (element.isConnected ? element : alike()[number]);
};
const focusKept = (element) => {
  const [successor, start, end] = [successorOf(element), element.selectionStart, element.selectionEnd];
  return () => {
    const now = successor();
    if (!now || now === document.activeElement) return;
    now.focus({ preventScroll: true });
    if (Number.isInteger(start)) now.setSelectionRange(start, end);
  };
};
const topOf = (element) => element.getBoundingClientRect().top;
const seenPlace = () => { // the last that begins above what is seen
  const edge = controls.getBoundingClientRect().bottom + 1;
  const above = [...document.querySelectorAll(PLACES)].filter((place) => place.checkVisibility() && topOf(place) <= edge);
  return above.reduce((lowest, place) => (!lowest || topOf(place) >= topOf(lowest) ? place : lowest), null);
};
const scrollKept = (element) => {
  const [successor, top] = [successorOf(element), topOf(element)];
  return () => {
    const now = successor();
    if (now) scrollBy({ top: topOf(now) - top, behavior: "instant" });
  };
};
const SIDEWAYS = ["#table", "#cells"].flatMap((id) => [`${id} .dt-layout-full`, `${id} .dt-layout-table > div`]);
const sidesKept = () => {
  const before = SIDEWAYS.map((selector) => find(selector)?.scrollLeft ?? 0);
  return () => SIDEWAYS.forEach((selector, number) => { if (before[number]) find(selector)?.scrollTo({ left: before[number] }); });
};
const keeping = (work) => {
  const active = document.activeElement?.closest("main") ? document.activeElement : null;
  const isSeen = active && topOf(active) >= 0 && topOf(active) < innerHeight;
  const place = isSeen ? active : seenPlace();
  const restored = [sidesKept(), ...(active ? [focusKept(active)] : []), ...(place ? [scrollKept(place)] : [])];
  document.documentElement.style.overflowAnchor = "none";
  work();
  restored.forEach((restore) => restore());
  requestAnimationFrame(() => { document.documentElement.style.overflowAnchor = ""; });
};

let isHeld = false; // a button of the mouse is down, or a word is being composed
const HOLDS = { pointerdown: true, pointerup: false, pointercancel: false, compositionstart: true, compositionend: false, blur: false };
const isBusy = () => isHeld || find(".dtcc-dropdown") || !getSelection().isCollapsed;

const BUSY = "Newer results are shown once no text is selected and no menu is open.";
const fetched = async (tag) => {
  if (tag === document.body.dataset.content || isBusy()) return;
  const [content, newest] = await asked("content");
  if (isBusy()) return;
  data = content;
  keeping(show);
  document.body.dataset.content = newest;
  setTimeout(drawRest, REST_MS);
};
const refreshed = async () => {
  const [told] = await asked("progress");
  if (told.page !== document.body.dataset.page) location.reload(); // another selection is served at this address
  showProgress(told);
  find("#summary").setAttribute("aria-live", told.is_over ? "polite" : "off"); // the end is told, not each cell
  await fetched(told.content);
  const isOld = told.content !== document.body.dataset.content;
  say(trouble, told.problem || (isOld && isBusy() ? BUSY : ""));
  return told.is_over && !isOld ? IDLE_MS : LIVE_MS;
};

let wake = () => {};
const slept = (ms) => new Promise((done) => { wake = done; setTimeout(done, ms); });
const follow = async () => {
  find("#progress").append(totals, grids, states, running);
  controls.append(trouble); // which stays in sight
  find("#progress").hidden = false;
  Object.entries(HOLDS).forEach(([type, value]) => addEventListener(type, () => { isHeld = value; }, true));
  document.addEventListener("visibilitychange", () => wake());
  for (let lost = 0; ;) {
    let ms = LIVE_MS;
    try {
      ms = await refreshed();
      lost = 0;
    } catch (error) {
      say(trouble, `Connection lost: ${error.message}; trying again.`);
      ms = Math.min(MOST_MS, LIVE_MS * 2 ** lost++);
    }
    await slept(document.hidden ? Math.max(ms, HIDDEN_MS) : ms);
  }
};
if (document.body.dataset.page) follow();
