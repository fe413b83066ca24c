// The rounds: one table for each system.

import { lines, printable } from "./names.js";
import { $, clone, count, full, long, make, set, show } from "./text.js";

const kept = "leadership-systems";
const most = 8; // systems that the user asks for
const latest = 10; // rounds of a system that show at first
const brief = 160; // letters of a text that show at first

export class Rounds {
	#blocks = new Map(); // by system
	#named = [];
	#known = { total: 0, names: [] }; // what the server has found
	#now;

	// changed is called when the user asks for other systems, counted with how many show.
	constructor(now, changed, counted) {
		this.#now = now;
		this.changed = changed;
		this.counted = counted;
		try {
			this.#named = JSON.parse(sessionStorage.getItem(kept) ?? "[]").filter((s) => typeof s === "string").slice(0, most);
		} catch {
			// nothing that could be read
		}
		$("system-form").addEventListener("submit", (e) => {
			e.preventDefault();
			const name = $("system").value.trim();
			$("system").value = "";
			if (name) this.#ask(name);
		});
	}

	#ask(name) {
		this.#name([name, ...this.#named.filter((s) => s !== name)].slice(0, most));
		this.changed();
	}

	#name(systems) {
		this.#named = systems;
		sessionStorage.setItem(kept, JSON.stringify(systems));
	}

	// named are the systems that the user has asked for.
	get named() {
		return this.#named;
	}

	// found notes which systems the server has found.
	found(v) {
		this.#known = v;
		this.#count();
	}

	// count tells which systems do not show.
	#count() {
		const names = this.#known.names.filter((name) => !this.#blocks.has(name));
		const shown = this.#known.names.length - names.length;
		const hidden = this.#known.total - shown;
		show($("hidden-systems"), hidden > 0);
		set($("hidden-count"), `${count(hidden, "more system")} ${hidden === 1 ? "has" : "have"} rounds, and ${hidden === 1 ? "is" : "are"} not shown:`);
		const some = names.slice(0, 12);
		$("hidden-names").replaceChildren(
			...some.map((name) => {
				const b = make("button", "node", printable(name));
				b.type = "button";
				b.setAttribute("aria-label", `Show ${printable(name)}`);
				b.addEventListener("click", () => this.#ask(name));
				return b;
			}),
			...(hidden > some.length ? [make("span", "none", `and ${hidden - some.length} more`)] : []),
		);
		$("system-names").replaceChildren(...names.map((name) => Object.assign(make("option"), { value: name })));
		show($("no-rounds"), this.#blocks.size === 0);
		this.counted(this.#blocks.size);
	}

	// told shows the rounds of a system.
	told(v) {
		let block = this.#blocks.get(v.system);
		if (!block) {
			block = this.#add(v.system);
			this.#count();
		}
		block.v = v;
		this.#fill(block);
		this.tick();
	}

	#add(system) {
		const root = clone("system-block");
		const block = { root, all: false, opened: new Set() };
		set(root.querySelector("h3"), printable(system));
		root.querySelector("table").setAttribute("aria-label", `Rounds of ${printable(system)}`);
		const hide = root.querySelector(".hide");
		hide.setAttribute("aria-label", `Hide ${printable(system)}`);
		hide.addEventListener("click", () => {
			root.remove();
			this.#blocks.delete(system);
			this.#count();
			if (this.#named.includes(system)) {
				this.#name(this.#named.filter((s) => s !== system));
				this.changed();
			}
		});
		show(hide, this.#named.includes(system));
		root.querySelector(".more").addEventListener("click", () => {
			block.all = !block.all;
			this.#fill(block);
			this.tick();
		});
		const after = [...this.#blocks.keys()].filter((other) => other > system).sort()[0];
		$("systems").insertBefore(root, after === undefined ? null : this.#blocks.get(after).root);
		this.#blocks.set(system, block);
		return block;
	}

	#fill(block) {
		const { v, root } = block;
		const note = root.querySelector(".none");
		set(note, v.error || (v.total === 0 ? "No rounds yet." : v.total > v.rounds.length ? `The latest ${v.rounds.length} of ${count(v.total, "round")}.` : ""));
		show(note, note.textContent !== "");
		note.classList.toggle("wrong", Boolean(v.error));
		if (v.error) return;
		show(root.querySelector("table"), v.total > 0);
		const shown = block.all ? v.rounds : v.rounds.slice(0, latest);
		const more = root.querySelector(".more");
		show(more, v.rounds.length > latest);
		set(more, block.all ? "Show fewer" : `Show ${v.rounds.length - latest} more`);
		more.setAttribute("aria-label", `${more.textContent} rounds of ${printable(v.system)}`);
		root.querySelector("tbody").replaceChildren(...shown.map((r) => this.#row(r, block)));
	}

	#row(r, block) {
		const row = clone("round");
		const [name, winner, attempt, completion, age] = row.children;
		set(name, printable(r.round));
		set(winner, printable(r.winner));
		set(attempt, String(r.attempt));
		const state = completion.firstElementChild;
		state.dataset.state = r.completer ? "done" : r.failed ? "failed" : "open";
		state.dataset.since = String(Date.parse(r.failed ?? r.elected));
		// When an attempt is over another may begin.
		state.dataset.over = String(r.attempt_ttl_ms ? Date.parse(r.elected) + r.attempt_ttl_ms : Infinity);
		if (r.completer) {
			const took = r.completed ? Date.parse(r.completed) - Date.parse(r.elected) : 0;
			const by = r.completer !== r.winner ? ` by ${printable(r.completer)}` : "";
			set(state, `completed${by} in ${long(took, true)}`);
		}
		const text = r.result ?? r.failure ?? (r.result_base64 || r.failure_base64 ? "(not a text)" : "");
		if (text) completion.append(this.#why(text, r, block));
		const time = age.firstElementChild;
		time.dateTime = r.elected;
		time.title = full(r.elected);
		return row;
	}

	// why is the reason of a failure, or a result: all of it, or the beginning of a long one,
	// to be opened.
	#why(text, r, block) {
		const whole = lines(text.trimEnd());
		const kind = r.completer ? "why" : "why wrong";
		const first = whole.split("\n", 1)[0].slice(0, brief);
		if (first === whole) return make("p", kind, whole);
		const details = make("details", kind);
		details.append(make("summary", "", first + " …"), make("pre", "", whole));
		details.open = block.opened.has(r.round);
		details.addEventListener("toggle", () => (details.open ? block.opened.add(r.round) : block.opened.delete(r.round)));
		return details;
	}

	// tick updates what changes as time passes.
	tick() {
		const now = this.#now();
		for (const time of $("systems").querySelectorAll("time")) set(time, long(now - Date.parse(time.dateTime)));
		for (const state of $("systems").querySelectorAll(".state:not([data-state=done])")) {
			const lasts = long(now - Number(state.dataset.since));
			if (state.dataset.state === "failed") set(state, `failed ${lasts} ago, not completed`);
			else if (now < Number(state.dataset.over)) set(state, `under way for ${lasts}`);
			else set(state, `not completed for ${lasts}, attempt over`);
		}
	}
}
