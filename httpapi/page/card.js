// The card of one election, which is changed in place.

import { printable } from "./names.js";
import { $, address, arrange, at, clone, full, long, make, set, show } from "./text.js";
import { Terms } from "./terms.js";

// addressOf is what a leader tells of itself.
export const addressOf = (v) => v.payload ?? (v.payload_base64 ? "(not a text)" : v.payload_omitted ? "(too long to show)" : "");

// why tells why nobody leads an election.
export function why(v) {
	if (v.type === "unknown") return "the store does not answer this server" + (v.leader ? ` · ${printable(v.leader)} led last` : "");
	if (v.type === "expired") return `${printable(v.leader)} fell silent`;
	const last = v.terms?.findLast((t) => t.reason);
	return last ? `${printable(last.leader)} ${last.reason}` : "never held";
}

// vacancy tells that, since when, and for how long.
const vacancy = (v, now) =>
	v.type !== "unknown" && v.vacant_since ? `since ${at(v.vacant_since, now)} · ${long(now - Date.parse(v.vacant_since))} · ${why(v)}` : why(v);

// left shows how much of its time a leader has left in a bar.
export function left(e, now, bar) {
	const ms = Math.max(e.free - now, 0);
	const part = e.v.ttl_ms ? Math.min(ms / e.v.ttl_ms, 1) : 0;
	bar.firstElementChild.style.transform = `scaleX(${part.toFixed(3)})`;
	bar.dataset.level = part > 0.5 ? "high" : part > 0.2 ? "low" : "out";
	return { ms, part };
}

// marks are what is to be known of an election besides who leads: pairs of a kind and a text.
export function marks(v) {
	const all = [];
	const a = v.asked;
	if (a) {
		const what = { pause: "paused", resign: "asked to resign", transfer: `transfer to ${printable(a.to ?? "")}` }[a.action] ?? a.action;
		all.push(["asked", what + (a.by ? ` by ${printable(a.by)}` : "")]);
	}
	for (const w of v.waiting ?? []) all.push(["", `${printable(w.node)} waits, priority ${w.priority}`]);
	return all;
}

export class Card {
	// ask is called with an action and the election that it is for.
	constructor(e, model, ask) {
		this.model = model;
		this.e = e;
		this.root = clone("card");
		const one = (name) => this.root.querySelector("." + name);
		this.parts = Object.fromEntries(
			["key", "leader", "address", "token", "since", "leads", "renewals", "left", "left-text", "bar", "tags", "acts"].map((name) => [name, one(name)]),
		);
		this.root.dataset.key = e.key;
		set(this.parts.key, printable(e.key));
		this.terms = new Terms(this.root, e, model);
		this.buttons = {};
		for (const action of ["resign", "transfer", "pause", "resume"]) {
			const b = make("button", "act", action[0].toUpperCase() + action.slice(1));
			b.type = "button";
			b.dataset.action = action;
			b.setAttribute("aria-label", `${b.textContent}: ${printable(e.key)}`);
			b.addEventListener("click", () => ask(action, this.e.v));
			this.parts.acts.append(b);
			this.buttons[action] = b;
		}
		this.update();
	}

	// update shows the state of the election, as an event of it when that is news.
	update(news = false) {
		const { e, parts, root } = this;
		const { v } = e;
		const leads = v.type === "leader";
		root.dataset.state = e.state;
		set(parts.leader, leads ? printable(v.leader) : v.type === "unknown" ? "Not known" : "No leader");
		if (leads) this.#address(addressOf(v));
		set(parts.token, String(v.token ?? v.terms?.at(-1)?.token ?? "none yet"));
		for (const part of [parts.since, parts.renewals]) show(part.closest("div"), leads);
		show(parts.left, leads);
		parts.tags.replaceChildren(...marks(v).map(([kind, text]) => make("span", `tag ${kind}`, text)));
		this.#acts();
		this.terms.update();
		this.tick();
		if (news) {
			root.classList.remove("news");
			void root.offsetWidth; // begins the animation anew
			root.classList.add("news");
		}
	}

	// address shows what a leader tells of itself; only that may become a link.
	#address(text) {
		if (this.address === text) return;
		this.address = text;
		address(this.parts.address, text);
	}

	// acts shows what the reader may ask now.
	#acts() {
		const { v } = this.e;
		const paused = v.asked?.action === "pause";
		const focused = Object.values(this.buttons).find((b) => b === document.activeElement);
		show(this.parts.acts, this.model.mayWrite);
		show(this.buttons.resign, v.type === "leader" && !paused);
		show(this.buttons.transfer, v.type === "leader" && !paused);
		show(this.buttons.pause, !paused);
		show(this.buttons.resume, paused);
		if (focused?.hidden) Object.values(this.buttons).find((b) => !b.hidden)?.focus();
	}

	// tick updates what changes as time passes.
	tick() {
		const { e, parts } = this;
		const { v } = e;
		const now = this.model.now();
		if (v.type === "leader") {
			const { ms, part } = left(e, now, parts.bar);
			parts.bar.setAttribute("aria-valuenow", String(Math.round(part * 100)));
			parts.bar.setAttribute("aria-valuetext", long(ms));
			set(parts["left-text"], `${long(ms, v.ttl_ms < 10000)} of ${long(v.ttl_ms, v.ttl_ms % 1000 !== 0)}`);
			set(parts.renewals, e.renewals.toLocaleString("en"));
			set(parts.since, at(v.since, now));
			set(parts.leads, long(now - Date.parse(v.since)));
			parts.since.dateTime = v.since ?? "";
			parts.since.title = full(v.since);
		} else {
			this.address = null;
			set(this.parts.address, vacancy(v, now));
		}
		this.terms.tick(now);
	}
}

// Cards shows a few elections, each as a card.
export class Cards {
	#shown = new Map(); // by key
	#model;
	#ask;
	// Only cards in sight are updated as time passes.
	#sight = new IntersectionObserver((changes) => {
		for (const c of changes) {
			const card = this.#shown.get(c.target.dataset.key);
			if (card) card.seen = c.isIntersecting;
		}
	});

	constructor(model, ask) {
		this.#model = model;
		this.#ask = ask;
	}

	// show shows these elections and no others.
	show(all) {
		const keys = new Set(all.map((e) => e.key));
		for (const [key, card] of this.#shown) {
			if (keys.has(key) && card.e === this.#model.get(key)) continue;
			this.#sight.unobserve(card.root);
			card.root.remove();
			this.#shown.delete(key);
		}
		for (const e of all) {
			if (this.#shown.has(e.key)) continue;
			const card = new Card(e, this.#model, this.#ask);
			card.root.setAttribute("role", "listitem");
			this.#shown.set(e.key, card);
			this.#sight.observe(card.root);
		}
		arrange($("cards"), all.map((e) => this.#shown.get(e.key).root));
	}

	// update shows what is new of one election, or of all.
	update(e, news) {
		if (e) this.#shown.get(e.key)?.update(news);
		else for (const card of this.#shown.values()) card.update();
	}

	tick() {
		for (const card of this.#shown.values()) if (card.seen) card.tick();
	}
}
