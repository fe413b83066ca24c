// The terms of one election: the last as a strip in its card, and all that the server
// remembers, to scale, when that is asked for.

import { terms as get } from "./api.js";
import { printable } from "./names.js";
import { at, clone, count, full, long, make, set, show } from "./text.js";

// bad are the reasons of terms that no node and no operator has ended.
const bad = new Set(["expired", "unhealthy", "unknown"]);

// grow is by how much more room a longer time has in the strip.
const grow = (ms) => Math.log10(Math.max(ms, 0) / 10000 + 10).toFixed(2) ** 2;

// widths keeps the end of each strip in sight, unless the reader has scrolled it.
const widths = new ResizeObserver((all) => {
	for (const { target } of all) if (target.dataset.scrolled !== "true") target.scrollLeft = target.scrollWidth;
});

const shortest = 1000; // ms of a time without a leader that shows

export class Terms {
	#all = null; // what the server remembers, while it shows
	#asked = ""; // the terms for which that was asked
	#drawn = 0;
	#lasts = null; // shows for how long the present term has lasted
	#lengths = []; // elements that show for how long something lasts

	constructor(root, e, model) {
		this.e = e;
		this.model = model;
		this.strip = root.querySelector(".past");
		this.open = root.querySelector(".more-terms");
		this.panel = root.querySelector(".timeline");
		this.strip.setAttribute("aria-label", `The last terms of ${printable(e.key)}`);
		this.open.setAttribute("aria-label", `Timeline of ${printable(e.key)}`);
		this.strip.addEventListener("scroll", () => {
			const { scrollLeft, clientWidth, scrollWidth, dataset } = this.strip;
			dataset.scrolled = String(scrollLeft + clientWidth < scrollWidth - 8);
		});
		widths.observe(this.strip);
		this.open.addEventListener("click", () => {
			const opened = this.panel.hidden;
			this.open.setAttribute("aria-expanded", String(opened));
			show(this.panel, opened);
			this.#asked = "";
			this.update();
		});
	}

	// update shows the last terms, the latest at the right.
	update() {
		const { v } = this.e;
		const terms = v.terms ?? [];
		const { strip } = this;
		this.#lengths = [];
		const blocks = [];
		terms.forEach((t, i) => {
			const before = terms[i - 1];
			const gap = before?.until && t.since ? Date.parse(t.since) - Date.parse(before.until) : 0;
			if (gap >= shortest) blocks.push(this.#gap(gap, before.until, t.since));
			blocks.push(this.#term(t));
		});
		if (v.type !== "leader" && v.vacant_since && terms.length > 0) blocks.push(this.#gap(null, v.vacant_since, null));
		strip.firstElementChild.replaceChildren(...blocks);
		show(strip, terms.length > 0);
		show(this.open.parentElement, terms.length > 0);
		set(this.open, v.earlier_terms ? `Timeline, ${v.earlier_terms} more` : "Timeline");
		if (strip.dataset.scrolled !== "true") strip.scrollLeft = strip.scrollWidth;
		if (!this.panel.hidden) void this.#load();
	}

	#term(t) {
		const { v } = this.e;
		const block = clone("term");
		const [who, why, how] = block.children;
		const open = !t.reason;
		set(who, printable(t.leader));
		const state = { leader: ["leads", "open"], expired: ["fell silent", "bad"] }[v.type] ?? ["not known", ""];
		set(why.lastElementChild, t.reason || state[0]);
		block.dataset.why = open ? state[1] : bad.has(t.reason) ? "bad" : "good";
		const until = t.until ?? (v.type === "expired" ? v.vacant_since : v.at);
		if (t.since) block.style.flexGrow = grow(Date.parse(until) - Date.parse(t.since));
		if (t.since && t.until) set(how, long(Date.parse(t.until) - Date.parse(t.since)));
		else if (open) this.#lengths.push([how, Date.parse(t.since), v.type === "leader" ? null : Date.parse(v.vacant_since ?? v.at)]);
		block.title = `${printable(t.leader)}, token ${t.token}` + (t.since ? `, from ${full(t.since)}` : "") +
			(t.until ? ` to ${full(t.until)}` : "") + (t.reason ? `: ${t.reason}` : "");
		return block;
	}

	#gap(ms, from, to) {
		const block = clone("term");
		const [who, why, how] = block.children;
		block.dataset.why = "gap";
		set(who, "no leader");
		why.remove();
		block.style.flexGrow = grow(ms ?? Date.parse(this.e.v.at) - Date.parse(from)) / 2;
		if (ms === null) this.#lengths.push([how, Date.parse(from), null]);
		else set(how, long(ms));
		block.title = `No leader from ${full(from)}` + (to ? ` to ${full(to)}` : "");
		return block;
	}

	// tick updates how long the present term, or the time without a leader, has lasted.
	tick(now) {
		for (const [element, from, to] of this.#lengths) set(element, long((to ?? now) - from));
		if (!this.panel.hidden && this.#all && now - this.#drawn >= 1000) this.#draw(now);
	}

	// load gets what the server remembers, if there is something new.
	async #load() {
		const { v } = this.e;
		const last = v.terms?.at(-1);
		const asked = `${v.type} ${last?.token} ${last?.reason}`;
		if (asked === this.#asked) return;
		this.#asked = asked;
		const note = this.panel.querySelector(".none");
		try {
			const { terms } = await get(this.e.key);
			this.#all = terms;
			const scroll = this.panel.querySelector(".terms");
			scroll.setAttribute("aria-label", `Terms of ${printable(this.e.key)}`);
			const first = terms.find((t) => t.since);
			set(note, `${count(terms.length, "term")} in the memory of this server` + (first ? `, since ${full(first.since)}, to scale.` : "."));
			this.#list(this.model.now());
		} catch (error) {
			this.#asked = "";
			set(note, `The terms cannot be shown: ${error.message}.`);
		}
	}

	// draw draws the terms to scale, and returns how long each has lasted.
	#draw(now) {
		this.#drawn = now;
		const { v } = this.e;
		const end = v.type === "leader" ? now : Date.parse(v.vacant_since ?? v.at);
		const spans = this.#all.filter((t) => t.since).map((t) => ({ t, from: Date.parse(t.since), to: t.until ? Date.parse(t.until) : t.reason ? null : end }));
		for (const [i, s] of spans.entries()) s.to ??= spans[i + 1]?.from ?? end;
		const start = spans[0]?.from ?? now;
		const whole = Math.max(now - start, 1);
		const bars = [];
		const bar = (kind, from, to) => {
			if (to <= from) return;
			const b = make("i");
			b.dataset.why = kind;
			b.style.left = `${(((from - start) / whole) * 100).toFixed(3)}%`;
			b.style.width = `${(((to - from) / whole) * 100).toFixed(3)}%`;
			bars.push(b);
		};
		spans.forEach(({ t, from, to }, i) => {
			if (i > 0 && from - spans[i - 1].to >= shortest) bar("gap", spans[i - 1].to, from);
			bar(t.reason ? (bad.has(t.reason) ? "bad" : "good") : "open", from, to);
		});
		if (spans.length > 0 && v.type !== "leader" && v.vacant_since) bar("gap", end, now);
		const scale = this.panel.querySelector(".scale");
		scale.firstElementChild.replaceChildren(...bars);
		show(scale, bars.length > 0);
		const [from, middle, to] = scale.lastElementChild.children;
		set(from, at(new Date(start).toISOString(), now));
		set(middle, at(new Date(start + whole / 2).toISOString(), now));
		set(to, "now");
		if (this.#lasts) set(this.#lasts, long(end - spans.at(-1).from, true));
		return new Map(spans.map((s) => [s.t, s.to - s.from]));
	}

	// list lists the terms, the latest first.
	#list(now) {
		this.#lasts = null;
		const { v } = this.e;
		const lasted = this.#draw(now);
		this.panel.querySelector("tbody").replaceChildren(...this.#all.toReversed().map((t) => {
			const row = make("tr");
			const who = make("th", "", printable(t.leader));
			who.scope = "row";
			const why = make("td", "", t.reason ? t.reason : v.type === "leader" ? "leads" : v.type === "expired" ? "fell silent" : "not known");
			why.dataset.why = t.reason ? (bad.has(t.reason) ? "bad" : "good") : v.type === "leader" ? "open" : "bad";
			const length = make("td", "", lasted.has(t) ? long(lasted.get(t), true) : "");
			if (!t.reason && lasted.has(t)) this.#lasts = length;
			row.append(who, make("td", "", String(t.token)), make("td", "", t.since ? at(t.since, now) : "not seen"),
				make("td", "", t.until ? at(t.until, now) : t.reason ? "not seen" : ""), length, why);
			return row;
		}));
	}
}
