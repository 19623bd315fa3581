// Shows what the page holds. The texts of tables are those of `fscost table`; names are only ever set as text.

const find = (selector, from = document) => from.querySelector(selector);
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
  element.append(...children);
  return element;
};

// --- what the page holds, compressed ---------------------------------------------------------------

const unpacked = async (id) => {
  const packed = await fetch(`data:;base64,${find(`#${id}`).textContent}`);
  return new Response(packed.body.pipeThrough(new DecompressionStream("gzip")));
};
const script = async (id) => URL.createObjectURL(new Blob([await (await unpacked(id)).blob()], { type: "text/javascript" }));

let plotly = null; // takes longer than all else, so it is not waited for
const withPlotly = () => (plotly ??= script("plotly-packed").then((src) => new Promise((ready) => {
  const element = make("script", { src });
  element.onload = () => ready(window.Plotly);
  document.head.append(element);
})));

const [library, packed] = await Promise.all([script("datatables-packed").then((url) => import(url)), unpacked("data-packed")]);
const DataTable = library.default;
let data = await packed.json();

// --- tables ----------------------------------------------------------------------------------------

const byKnown = (order) => (a, b) => (a === null) - (b === null) || order * (a - b); // unknown is last either way
DataTable.type("known", {
  order: { pre: (text) => (text === "" ? null : Number(text)), asc: byKnown(1), desc: byKnown(-1) },
});
const kept = {}; // filters and order of each table, by its name

const fitting = (state, number) => // of a table that has other columns by now, only the filter of all holds
  (state && state.columns.length !== number ? { time: state.time, search: state.search } : state ?? null);

const head = (columns) => {
  const cell = ([, text, isRight], attributes) =>
    make("th", { scope: "col", class: isRight ? "number" : null, ...attributes }, text);
  if (!columns.some(([group]) => group)) return make("thead", {}, make("tr", {}, ...columns.map((c) => cell(c, {}))));
  const upper = [];
  columns.forEach((column, number) => {
    const [group] = column;
    if (group && number && columns[number - 1][0] === group) upper.at(-1).colSpan += 1;
    else upper.push(group ? make("th", { scope: "colgroup", "data-dt-order": "disable" }, group) : cell(column, { rowspan: 2 }));
  });
  const lower = columns.filter(([group]) => group).map((column) => cell(column, {}));
  return make("thead", {}, make("tr", {}, ...upper), make("tr", {}, ...lower));
};

const entry = (value, [group, head, isRight, isNumber]) => {
  const [text, order, style] = Array.isArray(value) ? value : [value, null, null];
  const attributes = { class: [style, isRight && "number"].filter(Boolean).join(" "), "data-order": order ?? (isNumber ? "" : null) };
  return make(isNumber ? "td" : "th", { ...attributes, scope: isNumber ? null : "row", "data-head": group ? `${group}: ${head}` : head }, text);
};

const interactive = (name, holder, columns, rows) => {
  const table = make("table", { class: "compact hover" }, head(columns), make("tbody", {}, ...rows));
  holder.replaceChildren(table);
  table.tHead.addEventListener("keydown", (event) => { // DataTables hears Enter alone, and a button both
    if (event.key !== " " || !event.target.matches(".dt-column-order")) return;
    event.preventDefault();
    event.target.click();
  });
  const [numbers, labels] = [true, false].map((wanted) => columns.flatMap((column, i) => (column[3] === wanted ? [i] : [])));
  const chosen = labels.filter((i) => new Set(rows.map((row) => row.cells[i].textContent)).size > 1);
  return new DataTable(table, {
    autoWidth: false,
    order: [],
    paging: rows.length > 200,
    pageLength: 100,
    lengthMenu: [100, 500, { label: "all", value: -1 }],
    columnDefs: [{ targets: numbers, type: "known" }, { targets: chosen, columnControl: [["searchList"]] }],
    ordering: { indicators: true },
    layout: { topStart: "search", topEnd: null, bottomStart: "info", bottomEnd: rows.length > 200 ? ["pageLength", "paging"] : null },
    language: { search: "Filter ", info: "_TOTAL_ _ENTRIES-TOTAL_", entries: { _: "rows", 1: "row" }, infoFiltered: "of _MAX_", infoEmpty: "no rows", zeroRecords: "no row has that" },
    stateSave: true,
    stateSaveCallback: (_, state) => { kept[name] = state; },
    stateLoadCallback: () => fitting(kept[name], columns.length),
  });
};

const refusal = (shown) => make("p", { class: "warning" }, shown.refused);

const showTable = (chosen) => {
  const shown = data.tables[`${chosen.measure} ${chosen.traffic} ${chosen.unit}`] ?? data.tables.always;
  const holder = find("#table .holder");
  if (shown.refused) return holder.replaceChildren(refusal(shown));
  const place = make("div");
  const notes = make("div", { class: "notes" }, make("p", {}, shown.reading.join(" ")),
    make("dl", {}, ...shown.notes.flatMap(([mark, meaning]) => [make("dt", {}, mark), make("dd", {}, meaning)])));
  holder.replaceChildren(make("p", { class: "caption" }, shown.caption), place, notes);
  const rows = shown.rows.map((row) => make("tr", {}, ...row.map((value, i) => entry(value, shown.columns[i]))));
  copied(shown, interactive("table", place, shown.columns, rows), holder);
};

// --- the table as it is filtered and sorted, for a paper or a README --------------------------------

const filteredRows = (table) => table.rows({ search: "applied", order: "applied" }).nodes().toArray().map((row) => [...row.cells].map((cell) =>
  ({ text: cell.textContent, style: ["best", "second"].find((name) => cell.classList.contains(name)) ?? "" })));

const tex = (text) => [...text].map((c, i, all) => { // characters as fscost's own LaTeX has them
  const code = c.codePointAt(0);
  const own = data.tex[c] ?? (code < 0x80 || /\s/.test(c) ? c : `\\texttt{U+${code.toString(16).toUpperCase().padStart(4, "0")}}`);
  return c === all[i - 1] && "-,<>'".includes(c) ? `\\kern0pt ${own}` : own;
}).join("");
const TEX = { best: (text) => `\\textbf{${text}}`, second: (text) => `\\underline{${text}}`, "": (text) => text };
const texHead = (columns) => {
  const lower = `${columns.map(([, text]) => tex(text)).join(" & ")} \\\\`;
  if (!columns.some(([group]) => group)) return [lower];
  const groups = [];
  columns.forEach(([group], i) => {
    if (group && groups.at(-1)?.group === group) groups.at(-1).last = i + 1;
    else groups.push({ group, first: i + 1, last: i + 1 });
  });
  const upper = groups.map(({ group, first, last }) => (group ? `\\multicolumn{${last - first + 1}}{c}{${tex(group)}}` : "")).join(" & ");
  return [`${upper} \\\\`, groups.filter(({ group }) => group).map(({ first, last }) => `\\cmidrule(lr){${first}-${last}}`).join(" "), lower];
};
const asLatex = (shown, rows) => [
  "% needs \\usepackage{booktabs}", "\\begin{table}", "\\centering", `\\caption{${tex(shown.caption)}}`,
  `\\begin{tabular}{${shown.columns.map(([, , isRight]) => (isRight ? "r" : "l")).join("")}}`, "\\toprule", ...texHead(shown.columns), "\\midrule",
  ...rows.map((row) => `${row.map(({ text, style }) => TEX[style](tex(text))).join(" & ")} \\\\`), "\\bottomrule", "\\end{tabular}", "",
  `\\smallskip\\footnotesize ${tex([...shown.reading, ...shown.notes.map(([mark, meaning]) => `${mark}: ${meaning}.`)].join(" "))}`,
  "\\end{table}", "",
].join("\n");

const inline = (text) => text.replace(/[\\`*_[\]|~<]/g, "\\$&").replaceAll("$", "<span>$</span>");
const MARKDOWN = { best: (text) => `**${text}**`, second: (text) => `<ins>${text}</ins>`, "": (text) => text };
const asMarkdown = (shown, rows) => [
  `**${inline(shown.caption)}**`, "", `| ${shown.columns.map(([group, text]) => inline(group ? `${group}: ${text}` : text)).join(" | ")} |`,
  `| ${shown.columns.map(([, , isRight]) => (isRight ? "---:" : ":---")).join(" | ")} |`,
  ...rows.map((row) => `| ${row.map(({ text, style }) => MARKDOWN[style](inline(text))).join(" | ")} |`), "",
  inline(shown.reading.join(" ")), "", ...shown.notes.map(([mark, meaning]) => `- ${inline(mark)}: ${inline(meaning)}`), "",
].join("\n");

const toClipboard = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // a page that is opened from disk may not be allowed to
    const area = make("textarea", {});
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
};
const copied = (shown, table, holder) => {
  const said = make("span", { role: "status" });
  const button = (name, written) => {
    const made = make("button", { type: "button" }, `Copy as ${name}`);
    made.onclick = async () => {
      const rows = filteredRows(table);
      await toClipboard(written(shown, rows));
      said.textContent = `${rows.length.toLocaleString("en")} row${rows.length === 1 ? "" : "s"} copied`;
    };
    return made;
  };
  holder.append(make("p", { class: "copy" }, button("LaTeX", asLatex), " ", button("Markdown", asMarkdown), " ", said));
};

// --- figures ---------------------------------------------------------------------------------------

const TITLES = {
  accuracy: "What accuracy costs", pareto: "What is best for its bytes", size: "What model size costs",
  traffic: "What the bytes are for", audit: "What is logged, and what travels",
};
const INK = "#000000"; // in the dark it is light
const MOST_PANELS = 8;

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colour = (own) => (own === INK ? style("--ink") : own);
const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const bytes = (value) => (value === null ? "n/a" : `${value.toLocaleString("en", { maximumFractionDigits: 1 })} B`);
const lookOf = (figure, n) => { // later lines have smaller markers, so that one below is seen
  const [own, dash, symbol] = figure.looks[n];
  return {
    mode: "lines+markers",
    line: { color: colour(own), dash, width: 2 },
    marker: { color: colour(own), symbol: `${symbol}-open`, size: 10 - 1.5 * (n % 4), line: { width: 1.5 } },
  };
};
const over = { accuracy: "bytes" }; // what the x axis is
const alongOf = (figure) => (over.accuracy in figure.overs ? over.accuracy : Object.keys(figure.overs)[0]);
const classes = () => Object.entries(data.classes).map(([name, [own, hatch]], number) => ({ name, own, hatch, number }));
const [LOGGED, TRUE] = [["#D55E00", "circle-open"], ["#0072B2", "square"]];

const hasBand = (s) => [...s.below, ...s.above].some((end) => end);

// Each returns traces with the number of their legend's entry; texts of hovering are exact.
const DRAW = {
  accuracy: (figure, panel) => panel.series.flatMap((s) => {
    const along = { bytes: s.bytes, uplink: s.uplink, rounds: s.round }[alongOf(figure)];
    const [x, y] = [alongOf(figure) === "rounds" ? along : along.map((b) => b / figure.scale), s.y.map((v) => v * figure.factor)];
    const told = alongOf(figure) === "uplink" ? s.uplink : s.bytes;
    const lines = [{ entry: s.name, x, y, ...lookOf(figure, s.name), text: told.map((b, i) =>
      `${plain(figure.names[s.name])}<br>after round ${s.round[i]}: ${y[i].toPrecision(4)}<br>${bytes(b)}`) }];
    if (!hasBand(s)) return lines;
    const [below, above] = [s.below, s.above].map((ends) => ends.map((end) => end * figure.factor));
    const bound = { entry: s.name, mode: "lines", line: { width: 0 }, hoverinfo: "skip" };
    const fill = { fill: "tonexty", fillcolor: `${colour(figure.looks[s.name][0])}2e` };
    return [{ ...bound, x, y: y.map((v, i) => v - below[i]) }, { ...bound, ...fill, x, y: y.map((v, i) => v + above[i]) }, ...lines];
  }),
  pareto: (figure, panel) => {
    const front = panel.series.flatMap((s) => s.bytes.flatMap((b, i) => (s.front[i] ? [[b / figure.scale, s.y[i] * figure.factor]] : [])));
    front.sort(([a], [b]) => a - b);
    const steps = { x: front.map(([a]) => a), y: front.map(([, b]) => b), mode: "lines", line: { color: style("--faint"), width: 1, shape: "hv" }, hoverinfo: "skip" };
    return [steps, ...panel.series.map((s) => ({ entry: s.name, x: s.bytes.map((b) => b / figure.scale), y: s.y.map((v) => v * figure.factor),
      ...lookOf(figure, s.name), mode: "markers", error_y: { type: "data", symmetric: false, array: s.above.map((end) => end * figure.factor), arrayminus: s.below.map((end) => end * figure.factor),
        visible: hasBand(s), thickness: 1, width: 0 }, text: s.bytes.map((b, i) =>
        `${plain([figure.names[s.name], s.point[i]].filter(Boolean).join(", "))}<br>${(s.y[i] * figure.factor).toPrecision(4)}<br>${bytes(b)}`) }))];
  },
  size: (figure, panel) => panel.series.map((s) => {
    const order = s.params.map((_, i) => i).sort((a, b) => s.params[a] - s.params[b]);
    return { entry: s.name, x: order.map((i) => s.params[i] / figure.x_scale), y: order.map((i) => s.bytes[i] / figure.scale),
      ...lookOf(figure, s.name), text: order.map((i) =>
        `${plain(figure.names[s.name])}<br>${s.params[i].toLocaleString("en")} parameters<br>${bytes(s.bytes[i])}`) };
  }),
  traffic: (figure, panel) => classes().map(({ name, own, hatch, number }) => {
    const rows = panel.series.flatMap((s) => s.traffic.flatMap((t, i) => (t === name ? [[figure.names[s.name], s.bytes[i]]] : [])));
    return { entry: number, type: "bar", orientation: "h", x: rows.map(([, b]) => b / figure.scale), y: rows.map(([n]) => plain(n)),
      marker: { color: colour(own), pattern: { shape: hatch } },
      text: rows.map(([n, b]) => `${plain(n)}<br>${name}: ${bytes(b)}`), textposition: "none" };
  }),
  audit: (figure, panel) => {
    const rows = panel.series.flatMap((s) => s.row.map((row, i) => ({ row: plain(row), logged: s.logged[i], bytes: s.bytes[i] })));
    const dots = (entry, key, marker) => {
      const own = rows.filter((r) => r[key]);
      return { entry, mode: "markers", x: own.map((r) => r[key] / figure.scale), y: own.map((r) => r.row), marker: { size: 9, ...marker },
        text: own.map((r) => `${r.row}<br>logged: ${bytes(r.logged)}<br>true: ${bytes(r.bytes)}`) };
    };
    const both = rows.filter((r) => r.logged && r.bytes);
    const gap = { x: both.flatMap((r) => [r.logged / figure.scale, r.bytes / figure.scale, null]), y: both.flatMap((r) => [r.row, r.row, null]),
      mode: "lines", line: { color: style("--faint"), width: 1 }, hoverinfo: "skip" };
    return [gap, ...[["logged", LOGGED], ["bytes", TRUE]].map(([key, [color, symbol]], n) => dots(n, key, { color, symbol }))];
  },
};
const ENTRIES = {
  traffic: () => classes().map(({ name, own }) => [name, own, "square"]),
  audit: (figure) => [[figure.y, ...LOGGED], [figure.measure, ...TRUE]],
};
const entriesOf = (name, figure) => ENTRIES[name]?.(figure) ?? figure.names.map((text, i) => [text, figure.looks[i][0], figure.looks[i][2]]);

// What has no place on a logarithmic axis, and the factor between the two numbers of a row.
const words = (figure, panel) => [...marks(figure, panel), ...panel.series.flatMap((s) => s.row.flatMap((row, i) => {
  const [logged, real] = [s.logged[i], s.bytes[i]];
  const left = logged === 0 ? "0" : logged === null ? "log n/a" : real === 0 ? "0" : "";
  const right = real === null ? "n/a" : logged && real ? `×${Number((real / logged).toPrecision(3)).toLocaleString("en")}` : "";
  return [...(left ? [atSide(0.01, row, left, style("--ink"))] : []), ...(right ? [atSide(0.99, row, right, style("--ink"))] : [])];
}))];
const marks = (figure, panel) => panel.series.filter((s) => s.mark).map((s) => atSide(0.01, figure.names[s.name], s.mark, style("--faint")));
const atSide = (x, row, text, color) =>
  ({ x, xref: "paper", xanchor: x < 0.5 ? "left" : "right", y: plain(row), text: plain(text), showarrow: false, font: { color, size: 11 } });
const rowNames = (figure, panel) => panel.series.flatMap((s) => (s.row?.length ? s.row : [figure.names[s.name]]));
const spanOf = (values) => {
  const known = values.filter((v) => v > 0);
  return known.length ? [Math.log10(Math.min(...known)), Math.log10(Math.max(...known))] : [0, 1];
};
const logAxis = (values, before, behind) => {
  const [low, high] = spanOf(values);
  const room = Math.max(high - low, 0.5);
  const range = [low - before * room, high + behind * room];
  return { type: "log", range, dtick: range[1] - range[0] > 1.5 ? 1 : "D2", tickformat: "~g" };
};
const WIDE = 10;
const wideAxis = (values) => // 0 has no place on a logarithmic one
  (Math.min(...values) > 0 && Math.max(...values) > WIDE * Math.min(...values) ? logAxis(values, 0.1, 0.1) : { range: [-0.03, 1.06].map((end) => end * Math.max(...values, 1e-9)) });
const everySeries = (figure) => figure.panels.flatMap((panel) => panel.series);

const axis = (text, more) => ({ title: { text: plain(text), font: { size: 12 } }, gridcolor: style("--hair"), linecolor: style("--faint"),
  zeroline: false, automargin: true, ...more });
const FORMS = { // axes that all panels share, and texts
  accuracy: (figure) => ({ xaxis: axis(figure.overs[alongOf(figure)], { rangemode: "tozero" }), yaxis: axis(figure.y, { range: sameRange(figure) }), height: 300 }),
  pareto: (figure) => ({
    xaxis: axis(figure.x, wideAxis(everySeries(figure).flatMap((s) => s.bytes.map((b) => b / figure.scale)))),
    yaxis: axis(figure.y, { range: sameRange(figure) }), height: 300,
  }),
  size: (figure) => ({
    xaxis: axis(figure.x, logAxis(everySeries(figure).flatMap((s) => s.params.map((n) => n / figure.x_scale)), 0.1, 0.1)),
    yaxis: axis(figure.y, logAxis(everySeries(figure).flatMap((s) => s.bytes.map((b) => b / figure.scale)), 0.1, 0.1)), height: 300,
  }),
  traffic: (figure, panel) => ({ xaxis: axis(figure.x, { rangemode: "tozero" }), ...rowsOf(rowNames(figure, panel)),
    annotations: marks(figure, panel) }),
  audit: (figure, panel) => ({
    xaxis: axis(figure.x, logAxis(everySeries(figure).flatMap((s) => [...s.logged, ...s.bytes].map((b) => b / figure.scale)), 0.25, 0.3)),
    ...rowsOf(rowNames(figure, panel)), annotations: words(figure, panel),
  }),
};
const sameRange = (figure) => {
  const ends = everySeries(figure).flatMap((s) => s.y.flatMap((v, i) => [v - s.below[i], v + s.above[i]]));
  const [low, high] = [Math.min(...ends), Math.max(...ends)].map((v) => v * figure.factor);
  const room = (high - low || 1) * 0.06;
  return figure.is_rate ? [Math.max(low - room, -1), Math.min(high + room, 101)] : [low - room, high + room];
};
const rowsOf = (names) => ({
  yaxis: axis("", { type: "category", categoryorder: "array", categoryarray: names.map(plain), range: [names.length - 0.5, -0.5], showgrid: false }),
  height: 90 + 24 * names.length,
});
const mouse = matchMedia("(hover: hover)"); // a finger scrolls the page instead of zooming a figure
const layout = (name, figure, panel) => ({
  uirevision: figure.of, // as long as it is the same, zoom stays
  dragmode: mouse.matches && "zoom", modebar: { bgcolor: "transparent", color: style("--faint"), activecolor: style("--ink") },
  margin: { l: 60, r: 14, t: 8, b: 48 }, showlegend: false, hovermode: "closest", barmode: "stack",
  font: { color: style("--ink"), family: "system-ui, sans-serif", size: 12 },
  paper_bgcolor: "transparent", plot_bgcolor: "transparent",
  hoverlabel: { bgcolor: style("--paper"), bordercolor: style("--faint"), font: { color: style("--ink") }, align: "left" },
  ...FORMS[name](figure, panel),
});

const panels = new Map(); // place → what draws it
const off = {}; // names that are hidden, by figure
const whole = new Set(); // figures of which all panels are shown
const near = new IntersectionObserver((seen) => seen.forEach(({ target, isIntersecting }) => {
  if (isIntersecting) drawn(target);
}), { rootMargin: "400px" });
const drawn = async (place) => {
  near.unobserve(place);
  const library = await withPlotly();
  const own = panels.get(place);
  if (!own || !place.isConnected) return;
  const names = entriesOf(own.name, own.figure).map(([text]) => text);
  const traces = DRAW[own.name](own.figure, own.panel).filter((trace) => !off[own.name].has(names[trace.entry]));
  traces.forEach((trace) => { trace.hoverinfo ??= "text"; });
  await library.react(place, traces, layout(own.name, own.figure, own.panel), { responsive: true, displaylogo: false, displayModeBar: mouse.matches && "hover" });
  place.dataset.drawn = "";
};
const redraw = () => panels.forEach((_, place) => { if ("drawn" in place.dataset) drawn(place); });

const legend = (name, figure) => make("ul", { class: "legend" }, ...entriesOf(name, figure).map(([text, own, symbol]) => {
  const swatch = make("span", { "aria-hidden": "true", style: `color: ${own === INK ? "inherit" : own}` }, SHAPES[symbol]);
  const button = make("button", { type: "button", "aria-pressed": !off[name].has(text) }, swatch, text);
  button.onclick = () => {
    const isShown = off[name].delete(text) || !off[name].add(text);
    button.setAttribute("aria-pressed", isShown);
    redraw();
  };
  return make("li", {}, button);
}));
const SHAPES = { circle: "●", square: "■", "triangle-up": "▲", diamond: "◆", "triangle-down": "▼", cross: "✚", x: "✖", "circle-open": "○" };

const panelOf = (name, figure, panel, before) => {
  const place = before.get(`${name} ${panel.title}`) ?? make("div", { class: "plot", role: "img" });
  place.setAttribute("aria-label", `${TITLES[name]}: ${panel.title || figure.caption[0]}`);
  place.style.minHeight = `${layout(name, figure, panel).height}px`; // so that nothing moves when it is drawn
  panels.set(place, { name, figure, panel });
  if (!("drawn" in place.dataset)) near.observe(place);
  const lines = [...(panel.title ? [make("h4", {}, panel.title)] : []), ...(name === "size" && slopes(figure, panel) ? [make("p", {}, slopes(figure, panel))] : []),
    ...panel.series.filter((s) => s.mark && !(name in ENTRIES)).map((s) => make("p", {}, `${figure.names[s.name]}: ${s.mark}`))];
  return make("div", { class: "panel" }, ...lines, place);
};

const slopes = (figure, panel) => {
  const known = panel.series.filter((s) => s.slope !== null).map((s) => [figure.names[s.name], s.slope.toFixed(2)]);
  const alike = new Set(known.map(([, slope]) => slope)).size === 1 && known.length === panel.series.filter((s) => !s.mark).length;
  return alike ? `Slope ${known[0][1]}` : known.map(([name, slope]) => `${name}: slope ${slope}`).join("; ");
};

const figureOf = (name, figure, before) => {
  const title = make("h3", {}, TITLES[name]);
  if (figure.refused) return make("section", { "data-figure": name }, title, make("p", { class: "notes" }, figure.refused));
  off[name] ??= new Set();
  const most = whole.has(name) ? Infinity : MOST_PANELS;
  const grid = make("div", { class: "panels" }, ...figure.panels.slice(0, most).map((p) => panelOf(name, figure, p, before)));
  const rest = figure.panels.slice(most);
  const more = make("button", { type: "button", class: "more" }, `Show ${rest.length} more`);
  more.onclick = () => { whole.add(name); grid.append(...rest.map((p) => panelOf(name, figure, p, before))); more.remove(); };
  const choice = make("label", { class: "over" }, "Over ", make("select", { "aria-label": "Over" },
    ...Object.keys(figure.overs).map((key) => make("option", { value: key, selected: key === alongOf(figure) ? "" : null }, key))));
  choice.lastChild.onchange = (event) => { over.accuracy = event.target.value; redraw(); };
  const partly = make("ul", { class: "partly" }, ...figure.partly.map((line) => make("li", {}, line)));
  return make("section", { "data-figure": name }, title, make("p", { class: "caption" }, figure.caption.join(" ")),
    ...(name === "accuracy" ? [choice] : []), legend(name, figure), grid, ...(rest.length ? [more] : []), ...(figure.partly.length ? [partly] : []));
};

const showFigures = (chosen) => {
  const before = new Map([...panels].map(([place, own]) => [`${own.name} ${own.panel.title}`, place]));
  before.forEach((place) => near.unobserve(place));
  panels.clear();
  const figures = data.shown.map((name) => {
    const figure = data.figures[`${name} ${chosen.measure} ${chosen.traffic}`] ?? data.figures[`${name} ${chosen.measure}`];
    return figureOf(name, { ...figure, measure: chosen.measure, of: `${chosen.measure} ${chosen.traffic}` }, before);
  });
  find("#figures .holder").replaceChildren(...figures);
  redraw();
};

// --- cells -----------------------------------------------------------------------------------------

const showFailures = () => {
  const failed = data.failures.map((cell) => make("li", {}, make("em", {}, cell.status), " ",
    make("a", { href: `#cell-${cell.id}` }, cell.name), cell.reason ? `: ${cell.reason}` : ""));
  const missing = data.missing ? [make("li", {}, `${data.missing.toLocaleString("en")} missing: not computed yet`)] : [];
  const toDo = data.to_do.map((command) => make("li", {}, "to do: ", make("code", {}, command)));
  find("#failures").hidden = !failed.length && !missing.length;
  find("#failures ul").replaceChildren(...failed, ...missing, ...toDo);
};

const section = ([id, cell]) => {
  const body = make("div");
  const state = make("span", { class: `state ${cell.status}` }, cell.status);
  const details = make("details", { id: `cell-${id}` }, make("summary", {}, cell.name, " ", state), body);
  details.fill = () => { if (details.open && !body.hasChildNodes()) body.innerHTML = cell.html; }; // escaped by its template
  details.ontoggle = details.fill;
  return details;
};

const showCells = () => {
  const open = new Set([...document.querySelectorAll("#sections details[open]")].map((details) => details.id));
  const all = Object.entries(data.cells).map(section);
  all.forEach((details) => { details.open = open.has(details.id); details.fill(); });
  find("#sections").replaceChildren(...all);
  const columns = [["", "cell", false, false], ...data.index.columns];
  const rows = data.index.rows.map(([id, ...values]) => make("tr", { "data-cell": id },
    make("th", { scope: "row" }, make("a", { href: `#cell-${id}` }, id)), ...values.map((value, i) => entry(value, columns[i + 1]))));
  const table = interactive("index", find("#cells .holder"), columns, rows);
  const filtered = () => {
    const found = new Set(table.rows({ search: "applied" }).nodes().toArray().map((row) => `cell-${row.dataset.cell}`));
    all.forEach((details) => { details.hidden = !found.has(details.id); });
  };
  table.on("draw", filtered);
  filtered();
};

const openLinked = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.tagName !== "DETAILS") return;
  target.hidden = false;
  target.open = true;
  target.scrollIntoView();
  find("summary", target).focus({ preventScroll: true });
};

// --- the page --------------------------------------------------------------------------------------

const controls = find("#controls");
const chosen = () => Object.fromEntries(new FormData(controls));
const showCounted = () => {
  for (const select of controls.querySelectorAll("select")) select.parentElement.dataset.chosen = select.selectedOptions[0].text;
  const measure = controls.elements.measure.selectedOptions[0];
  find("#meaning").textContent = `${measure.value}: ${measure.title}.`;
  showTable(chosen());
  showFigures(chosen());
};
const show = () => {
  find("#summary").textContent = data.summary;
  find("#provenance").textContent = [...data.provenance, ...data.warnings.map((line) => `warning: ${line}`)].join("\n");
  showFailures();
  showCounted();
  showCells();
};

const dark = matchMedia("(prefers-color-scheme: dark)");
const dress = () => { document.documentElement.classList.toggle("dark", dark.matches); redraw(); };
dark.addEventListener("change", dress);
dress();
controls.addEventListener("change", showCounted);
controls.addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", openLinked);
const PAPER_PX = 340; // two beside each other, on A4 and on Letter
const fit = (width) => panels.forEach((_, place) => {
  if ("drawn" in place.dataset) window.Plotly.relayout(place, { width, autosize: !width });
  else drawn(place);
});
addEventListener("beforeprint", () => fit(PAPER_PX));
addEventListener("afterprint", () => fit(null));
show();
openLinked();
document.documentElement.dataset.ready = "";
const REST_MS = 1500;
const drawRest = () => { // one after another, so that the page answers meanwhile
  const next = [...panels.keys()].find((place) => !("drawn" in place.dataset));
  if (next) drawn(next).then(() => requestIdleCallback(drawRest));
};
setTimeout(drawRest, REST_MS); // for a search in the page and for print
