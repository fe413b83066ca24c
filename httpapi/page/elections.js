// The elections: one card for each, which is changed in place.

import { $, address, at, clone, full, long, say, set, show } from "./text.js";

// bad are the reasons of terms that no node and no operator has ended.
const bad = new Set(["expired", "unhealthy", "unknown"]);

// grow is by how much more room a longer time has in a timeline.
const grow = (ms) => Math.log10(Math.max(ms, 0) / 10000 + 10).toFixed(2) ** 2;

export class Elections {
	#cards = new Map(); // by key
	#fresh = null; // the keys since a stream began, until all have come
	#offset = 0; // of the server's clock, in milliseconds
	#mayWrite = false;
	// Only cards in sight are updated as time passes.
	#sight = new IntersectionObserver((changes) => {
		for (const c of changes) {
			const card = this.#cards.get(c.target.dataset.key);
			if (!card) continue;
			card.seen = c.isIntersecting;
			if (card.seen) this.#tickOne(card);
		}
	});
	#ask;

	// ask is called with an action and the election that it is for.
	constructor(ask) {
		this.#ask = ask;
		$("search").addEventListener("input", () => this.filter());
		$("only-vacant").addEventListener("change", () => this.filter());
	}

	now() {
		return Date.now() + this.#offset;
	}

	// hello begins a stream: elections that it does not have are gone, unless it resumes.
	hello(event) {
		this.#offset = Date.parse(event.now) - Date.now();
		this.#mayWrite = event.may_write;
		this.#fresh = event.resumed ? null : new Set();
		for (const card of this.#cards.values()) this.#acts(card);
	}

	ready() {
		if (this.#fresh) {
			for (const key of [...this.#cards.keys()]) if (!this.#fresh.has(key)) this.gone(key);
		}
		this.#fresh = null;
		this.sums();
	}

	gone(key) {
		const card = this.#cards.get(key);
		if (card) {
			this.#sight.unobserve(card.root);
			card.root.remove();
		}
		this.#cards.delete(key);
		this.sums();
	}

	// renewed notes that a leader has renewed its term.
	renewed(event) {
		const card = this.#cards.get(event.key);
		if (!card || card.v.token !== event.token) return;
		card.free = Date.parse(event.at) + event.free_in_ms;
		set(card.renewals, event.renewals.toLocaleString());
		this.#tickOne(card);
	}

	// stands shows the state of an election.
	stands(v) {
		this.#fresh?.add(v.key);
		let card = this.#cards.get(v.key);
		const news = card && (card.v.type !== v.type || card.v.token !== v.token);
		if (!card) card = this.#add(v.key);
		card.v = v;
		card.free = Date.parse(v.at) + (v.free_in_ms ?? 0);
		const leads = v.type === "leader";
		card.root.dataset.state = leads || v.type === "unknown" ? v.type : "vacant";
		set(card.leader, leads ? v.leader : v.type === "unknown" ? "Not known" : "No leader");
		this.#address(card, leads ? (v.payload ?? (v.payload_base64 ? "(not a text)" : v.payload_omitted ? "(too long to show)" : "")) : "");
		set(card.token, v.token ?? v.terms?.at(-1)?.token ?? "none yet");
		set(card.renewals, v.renewals.toLocaleString());
		show(card.since.closest("div"), leads);
		show(card.renewals.closest("div"), leads);
		show(card.left, leads);
		this.#tags(card);
		this.#acts(card);
		this.#past(card);
		if (news) {
			say(`${v.key}: ${leads ? v.leader + " leads" : v.type === "unknown" ? "not known" : "no leader"}`);
			card.root.classList.remove("news");
			void card.root.offsetWidth; // begins the animation anew
			card.root.classList.add("news");
		}
		if (!this.#fresh) this.sums();
	}

	#add(key) {
		const root = clone("card");
		const one = (name) => root.querySelector("." + name);
		const card = {
			key, root, v: {}, free: 0, leader: one("leader"), address: one("address"), token: one("token"),
			since: one("since"), leads: one("leads"), renewals: one("renewals"), left: one("left"), leftText: one("left-text"),
			bar: one("bar"), fill: one("bar").firstElementChild, tags: one("tags"), acts: one("acts"),
			past: one("past"), terms: one("past").firstElementChild,
		};
		root.dataset.key = key;
		set(one("key"), key);
		one("past").setAttribute("aria-label", `The last terms of ${key}`);
		card.buttons = {};
		for (const action of ["resign", "transfer", "pause", "resume"]) {
			const b = document.createElement("button");
			b.type = "button";
			b.className = "act";
			b.dataset.action = action;
			b.textContent = action[0].toUpperCase() + action.slice(1);
			b.setAttribute("aria-label", `${b.textContent}: ${key}`);
			b.addEventListener("click", () => this.#ask(action, card.v));
			card.acts.append(b);
			card.buttons[action] = b;
		}
		const after = [...this.#cards.keys()].filter((other) => other > key).sort()[0];
		$("cards").insertBefore(root, after === undefined ? null : this.#cards.get(after).root);
		this.#cards.set(key, card);
		this.#sight.observe(root);
		return card;
	}

	#address(card, text) {
		if (card.addressText === text) return;
		card.addressText = text;
		address(card.address, text);
		card.address.title = text;
	}

	// acts shows what the reader may ask now.
	#acts(card) {
		const { v, buttons } = card;
		const paused = v.asked?.action === "pause";
		show(card.acts, this.#mayWrite);
		show(buttons.resign, v.type === "leader" && !paused);
		show(buttons.transfer, v.type === "leader" && !paused);
		show(buttons.pause, !paused);
		show(buttons.resume, paused);
	}

	#tags(card) {
		const { v } = card;
		const tags = [];
		const a = v.asked;
		if (a) {
			const what = { pause: "paused", resign: "asked to resign", transfer: `transfer to ${a.to}` }[a.action] ?? a.action;
			tags.push(["asked", what + (a.by ? ` by ${a.by}` : "")]);
		}
		for (const w of v.waiting ?? []) tags.push(["", `${w.node} waits, priority ${w.priority}`]);
		card.tags.replaceChildren(
			...tags.map(([kind, text]) => {
				const tag = document.createElement("span");
				tag.className = "tag " + kind;
				tag.textContent = text;
				return tag;
			}),
		);
	}

	// past shows the last terms, the latest at the right.
	#past(card) {
		const terms = card.v.terms ?? [];
		const atEnd = card.past.scrollLeft + card.past.clientWidth >= card.past.scrollWidth - 8;
		card.lengths = [];
		const blocks = [];
		terms.forEach((t, i) => {
			const before = terms[i - 1];
			const gap = before?.until && t.since ? Date.parse(t.since) - Date.parse(before.until) : 0;
			if (gap >= 1000) blocks.push(this.#gap(gap, before.until, t.since));
			blocks.push(this.#term(card, t));
		});
		const last = terms.at(-1);
		if (card.v.type !== "leader" && card.v.vacant_since && last) blocks.push(this.#gap(null, card.v.vacant_since, null, card));
		card.terms.replaceChildren(...blocks);
		show(card.past, terms.length > 0);
		this.#tickOne(card);
		if (atEnd) card.past.scrollLeft = card.past.scrollWidth;
	}

	#term(card, t) {
		const block = clone("term");
		const [who, why, how] = block.children;
		const open = !t.reason;
		set(who, t.leader);
		const state = { leader: ["leads", "open"], expired: ["fell silent", "bad"] }[card.v.type] ?? ["not known", ""];
		set(why.lastElementChild, t.reason || state[0]);
		block.dataset.why = open ? state[1] : bad.has(t.reason) ? "bad" : "good";
		const until = t.until ?? (card.v.type === "expired" ? card.v.vacant_since : card.v.at);
		if (t.since) block.style.flexGrow = grow(Date.parse(until) - Date.parse(t.since));
		if (t.since && t.until) set(how, long(Date.parse(t.until) - Date.parse(t.since)));
		else if (open) card.lengths.push([how, Date.parse(t.since), card.v.type === "leader" ? null : Date.parse(card.v.vacant_since ?? card.v.at)]);
		block.title = `${t.leader}, token ${t.token}` + (t.since ? `, from ${full(t.since)}` : "") +
			(t.until ? ` to ${full(t.until)}` : "") + (t.reason ? `: ${t.reason}` : "");
		return block;
	}

	#gap(ms, from, to, card) {
		const block = clone("term");
		const [who, why, how] = block.children;
		block.dataset.why = "gap";
		set(who, "no leader");
		why.remove();
		block.style.flexGrow = grow(ms ?? Date.parse(card.v.at) - Date.parse(from)) / 2;
		if (ms === null) card.lengths.push([how, Date.parse(from), null]);
		else set(how, long(ms));
		block.title = `No leader from ${full(from)}` + (to ? ` to ${full(to)}` : "");
		return block;
	}

	// tick updates what changes as time passes.
	tick() {
		for (const card of this.#cards.values()) if (card.seen) this.#tickOne(card);
	}

	#tickOne(card) {
		const now = this.now();
		const { v } = card;
		if (v.type === "leader") {
			const left = Math.max(card.free - now, 0);
			const part = v.ttl_ms ? Math.min(left / v.ttl_ms, 1) : 0;
			card.fill.style.transform = `scaleX(${part.toFixed(3)})`;
			card.bar.dataset.level = part > 0.5 ? "high" : part > 0.2 ? "low" : "out";
			card.bar.setAttribute("aria-valuenow", String(Math.round(part * 100)));
			card.bar.setAttribute("aria-valuetext", long(left));
			set(card.leftText, `${long(left, v.ttl_ms < 10000)} of ${long(v.ttl_ms, v.ttl_ms % 1000 !== 0)}`);
			set(card.since, at(v.since, now));
			set(card.leads, long(now - Date.parse(v.since)));
			card.since.dateTime = v.since ?? "";
			card.since.title = full(v.since);
		} else if (v.type === "unknown") {
			this.#address(card, "the store does not answer this server" + (v.leader ? ` · ${v.leader} led last` : ""));
		} else if (v.vacant_since) {
			const last = v.terms?.findLast((t) => t.reason || v.type === "expired");
			const why = v.type === "expired" ? `${v.leader} fell silent` : last ? `${last.leader} ${last.reason}` : "never held";
			this.#address(card, `since ${at(v.vacant_since, now)} · ${long(now - Date.parse(v.vacant_since))} · ${why}`);
		}
		for (const [element, from, to] of card.lengths ?? []) set(element, long((to ?? now) - from));
	}

	// filter shows the elections that are asked for.
	filter() {
		const text = $("search").value.trim().toLowerCase();
		const vacant = $("only-vacant").checked;
		let shown = 0;
		for (const { key, root, v } of this.#cards.values()) {
			const match = `${key}\n${v.leader ?? ""}\n${v.payload ?? ""}`.toLowerCase().includes(text) && (!vacant || root.dataset.state === "vacant");
			show(root, match);
			if (match) shown++;
		}
		show($("no-match"), shown === 0 && this.#cards.size > 0);
	}

	sums() {
		const all = [...this.#cards.values()];
		const count = (state) => all.filter((c) => c.root.dataset.state === state).length;
		const vacant = count("vacant");
		set($("sum-all"), String(all.length));
		set($("sum-led"), String(count("leader")));
		set($("sum-vacant"), String(vacant));
		set($("sum-paused"), String(all.filter((c) => c.v.asked?.action === "pause").length));
		$("sum-vacant").parentElement.classList.toggle("any", vacant > 0);
		document.title = (vacant > 0 ? `(${vacant} without a leader) ` : "") + "leadership";
		show($("sums"), all.length > 0);
		show($("filter"), all.length > 0);
		this.filter();
	}

	// nodes returns the names of nodes that may stand in an election.
	nodes(key) {
		const v = this.#cards.get(key)?.v ?? {};
		const names = new Set([...(v.waiting ?? []).map((w) => w.node), ...(v.terms ?? []).map((t) => t.leader)]);
		names.delete(v.leader);
		return [...names];
	}

	get size() {
		return this.#cards.size;
	}
}
