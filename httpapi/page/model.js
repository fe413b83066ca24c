// The elections that the server has told of, without what shows them.

import { group } from "./groups.js";

// ranks put the elections in order: what needs somebody comes first.
const ranks = { vacant: 0, unknown: 1, leader: 2 };

export class Model {
	mayWrite = false;
	#all = new Map(); // by key
	#fresh = null; // the keys since a stream began, until all have come
	#offset = 0; // of the server's clock, in milliseconds
	#groups = null; // the prefix that each key is shown under; null when that has to be found
	#changed;

	// changed is called when something has to be shown anew: with the election of which
	// something is new, if it is one, and whether another leads it.
	constructor(changed) {
		this.#changed = changed;
	}

	now() {
		return Date.now() + this.#offset;
	}

	get(key) {
		return this.#all.get(key);
	}

	get size() {
		return this.#all.size;
	}

	// loading means that not all have come yet.
	get loading() {
		return this.#fresh !== null;
	}

	// hello begins a stream: elections that it does not have are gone, unless it resumes.
	hello(event) {
		this.#offset = Date.parse(event.now) - Date.now();
		this.mayWrite = event.may_write;
		this.#fresh = event.resumed ? null : new Set();
	}

	ready() {
		if (this.#fresh) {
			for (const key of [...this.#all.keys()]) if (!this.#fresh.has(key)) this.#drop(key);
		}
		this.#fresh = null;
		this.#changed();
	}

	gone(key) {
		this.#drop(key);
		this.#changed();
	}

	#drop(key) {
		this.#all.delete(key);
		this.#groups = null;
	}

	// stands notes the state of an election.
	stands(v) {
		this.#fresh?.add(v.key);
		let e = this.#all.get(v.key);
		const news = e !== undefined && (e.v.type !== v.type || String(e.v.token) !== String(v.token));
		if (!e) {
			e = { key: v.key };
			this.#all.set(v.key, e);
			this.#groups = null;
		}
		e.v = v;
		e.renewals = v.renewals;
		e.state = v.type === "leader" || v.type === "unknown" ? v.type : "vacant";
		e.text = `${v.key}\n${v.leader ?? ""}\n${v.payload ?? ""}`.toLowerCase();
		this.#renewed(e, Date.parse(v.at), v.free_in_ms ?? 0);
		if (!this.#fresh) this.#changed(e, news);
	}

	// renewed notes that a leader has renewed its term.
	renewed(event) {
		const e = this.#all.get(event.key);
		if (!e || String(e.v.token) !== String(event.token)) return;
		e.renewals = event.renewals;
		this.#renewed(e, Date.parse(event.at), event.free_in_ms);
	}

	#renewed(e, at, left) {
		e.free = at + left;
	}

	// counts returns how many elections are in each state, and paused.
	counts() {
		const n = { all: this.#all.size, leader: 0, vacant: 0, unknown: 0, paused: 0 };
		for (const e of this.#all.values()) {
			n[e.state]++;
			if (e.v.asked?.action === "pause") n.paused++;
		}
		return n;
	}

	// ordered returns the elections that a filter lets through, those without a leader
	// first, then by prefix and key.
	ordered(filter) {
		this.#groups ??= group([...this.#all.keys()]);
		for (const e of this.#all.values()) e.group = this.#groups.get(e.key);
		const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
		const all = [];
		for (const e of this.#all.values()) {
			if (filter.vacant && e.state !== "vacant") continue;
			if (words.every((word) => e.text.includes(word))) all.push(e);
		}
		const less = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
		return all.sort((a, b) => ranks[a.state] - ranks[b.state] || less(a.group, b.group) || less(a.key, b.key));
	}

	// nodes returns the nodes to which an election may be transferred: those that are known
	// to wait, and others that have led.
	nodes(key) {
		const v = this.#all.get(key)?.v ?? {};
		const waiting = new Map((v.waiting ?? []).map((w) => [w.node, w.priority]));
		const others = new Set((v.terms ?? []).map((t) => t.leader));
		waiting.delete(v.leader);
		for (const name of [v.leader, ...waiting.keys()]) others.delete(name);
		return { waiting: [...waiting], others: [...others] };
	}
}
