// The rounds: one table for each system.

import { $, clone, full, long, set, show } from "./text.js";

const kept = "leadership-systems";

export class Rounds {
	#blocks = new Map(); // by system
	#named = [];
	#now;

	// changed is called when the user asks for other systems.
	constructor(now, changed) {
		this.#now = now;
		try {
			this.#named = JSON.parse(sessionStorage.getItem(kept) ?? "[]").filter((s) => typeof s === "string").slice(0, 8);
		} catch {
			// nothing that could be read
		}
		$("system-form").addEventListener("submit", (e) => {
			e.preventDefault();
			const name = $("system").value.trim();
			if (!name) return;
			$("system").value = "";
			this.#name([name, ...this.#named.filter((s) => s !== name)].slice(0, 8));
			changed();
		});
		this.changed = changed;
	}

	#name(systems) {
		this.#named = systems;
		sessionStorage.setItem(kept, JSON.stringify(systems));
	}

	// named are the systems that the user has asked for.
	get named() {
		return this.#named;
	}

	told(v) {
		let block = this.#blocks.get(v.system);
		if (!block) {
			block = clone("system-block");
			set(block.querySelector("h3"), v.system);
			const hide = block.querySelector(".hide");
			hide.setAttribute("aria-label", `Hide ${v.system}`);
			hide.addEventListener("click", () => {
				block.remove();
				this.#blocks.delete(v.system);
				show($("no-rounds"), this.#blocks.size === 0);
				if (this.#named.includes(v.system)) {
					this.#name(this.#named.filter((s) => s !== v.system));
					this.changed();
				}
			});
			show(hide, this.#named.includes(v.system));
			const after = [...this.#blocks.keys()].filter((other) => other > v.system).sort()[0];
			$("systems").insertBefore(block, after === undefined ? null : this.#blocks.get(after));
			this.#blocks.set(v.system, block);
		}
		const note = block.querySelector(".none");
		set(note, v.error || (v.total === 0 ? "No rounds yet." : v.total > v.rounds.length ? `The latest ${v.rounds.length} of ${v.total}.` : ""));
		show(note, note.textContent !== "");
		note.classList.toggle("wrong", Boolean(v.error));
		if (!v.error) {
			show(block.querySelector("table"), v.total > 0);
			block.querySelector("tbody").replaceChildren(...v.rounds.map((r) => this.#row(r)));
		}
		show($("no-rounds"), false);
		this.tick();
	}

	#row(r) {
		const row = clone("round");
		const [name, winner, attempt, completion, age] = row.children;
		set(name, r.round);
		set(winner, r.winner);
		set(attempt, String(r.attempt));
		const state = completion.firstElementChild;
		state.dataset.state = r.completer ? "done" : r.failed ? "failed" : "open";
		// When an attempt is over another may begin.
		const over = r.attempt_ttl_ms ? Date.parse(r.elected) + r.attempt_ttl_ms : Infinity;
		const took = r.completed ? Date.parse(r.completed) - Date.parse(r.elected) : 0;
		const by = r.completer && r.completer !== r.winner ? ` by ${r.completer}` : "";
		state.dataset.over = String(over);
		set(state, r.completer ? `completed${by} in ${long(took, true)}` : r.failed ? "failed" : "under way");
		const text = r.result ?? r.failure ?? (r.result_base64 || r.failure_base64 ? "(not a text)" : "");
		completion.title = [full(r.completed ?? r.failed), text].filter(Boolean).join("\n");
		const time = age.firstElementChild;
		time.dateTime = r.elected;
		time.title = full(r.elected);
		return row;
	}

	tick() {
		const now = this.#now();
		for (const time of $("systems").querySelectorAll("time")) set(time, long(now - Date.parse(time.dateTime)));
		for (const open of $("systems").querySelectorAll("[data-state=open]")) set(open, now < Number(open.dataset.over) ? "under way" : "attempt over");
	}
}
