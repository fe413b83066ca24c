// The dialogs: for requests to an election, and for the token.

import { Refused, ask, setToken, token } from "./api.js";
import { printable } from "./names.js";
import { $, make, say, set, show, toast } from "./text.js";

const words = {
	resign: ["Ask the leader to resign?", (v) => `${printable(v.leader)} ends its work and gives up its seat. Anyone else may win it.`, "Resign"],
	transfer: ["Transfer to another node", (v) => `${printable(v.leader)} ends its work and gives up its seat, and the others leave it to that node for 15 s.`, "Transfer"],
	pause: ["Pause the election?", () => "The seat stays empty until the election is resumed.", "Pause"],
	resume: ["Resume the election?", () => "The seat may be taken again.", "Resume"],
};
const done = { resign: "has resigned", transfer: "has handed over", pause: "is paused", resume: "goes on" };
const keptBy = "leadership-by";

export class AskDialog {
	#what = null;
	#opener = null; // the button that had the focus

	// nodes returns the nodes to which an election may be transferred, as Model does; refused is called
	// when a token is needed.
	constructor(nodes, refused) {
		this.nodes = nodes;
		this.refused = refused;
		$("ask").addEventListener("close", () => {
			// What was asked for may have taken the place of the button that had the focus.
			if (!this.#opener?.checkVisibility()) this.#opener?.parentElement?.querySelector("button:not([hidden])")?.focus();
		});
		$("ask-to").addEventListener("input", () => this.#chosen());
		$("ask-cancel").addEventListener("click", () => $("ask").close());
		$("ask-form").addEventListener("submit", (e) => {
			e.preventDefault();
			void this.#go();
		});
	}

	open(action, v) {
		this.#opener = document.activeElement;
		this.#what = { action, v };
		const [title, text, go] = words[action];
		set($("ask-title"), title);
		set($("ask-key"), printable(v.key));
		set($("ask-text"), text(v));
		set($("ask-go"), go);
		show($("ask-to-field"), action === "transfer");
		$("ask-to").required = action === "transfer";
		$("ask-to").value = "";
		show($("ask-keep-field"), action === "pause" && v.type === "leader");
		$("ask-keep").checked = false;
		$("ask-by").value = sessionStorage.getItem(keptBy) ?? "";
		show($("ask-wrong"), false);
		this.#busy(false);
		const { waiting, others } = this.nodes(v.key);
		this.#offer("ask-waiting", action === "transfer" ? waiting.map(([name, priority]) => [name, `, priority ${priority}`]) : []);
		this.#offer("ask-others", action === "transfer" ? others.map((name) => [name, ""]) : []);
		show($("ask-none"), action === "transfer" && waiting.length === 0);
		$("ask").showModal();
		(action === "transfer" ? ($("ask-waiting").querySelector("button") ?? $("ask-to")) : $("ask-go")).focus();
	}

	// offer shows the names of nodes, of which one is taken by a click.
	#offer(id, names) {
		show($(id), names.length > 0);
		$(id).querySelector("span").replaceChildren(
			...names.map(([name, more]) => {
				const b = make("button", "node", printable(name) + more);
				b.type = "button";
				b.dataset.node = name;
				b.addEventListener("click", () => {
					$("ask-to").value = name;
					this.#chosen();
				});
				return b;
			}),
		);
		this.#chosen();
	}

	// chosen marks the node that is typed in.
	#chosen() {
		for (const b of $("ask").querySelectorAll(".node")) b.setAttribute("aria-pressed", String(b.dataset.node === $("ask-to").value));
	}

	#busy(busy) {
		$("ask-go").disabled = busy;
		$("ask-form").setAttribute("aria-busy", String(busy));
	}

	async #go() {
		const { action, v } = this.#what;
		const by = $("ask-by").value.trim();
		sessionStorage.setItem(keptBy, by);
		const request = { action };
		if (by) request.by = by;
		if (action === "transfer") {
			request.to = $("ask-to").value.trim();
			request.wait = 25; // seconds: until that node leads, or has not taken the seat
		}
		if (action === "pause" && v.type === "leader" && $("ask-keep").checked) request.keep = true;
		this.#busy(true);
		try {
			const obeyed = await ask(v.key, request);
			if (this.#what?.v === v) $("ask").close();
			const who = printable(action === "resign" || action === "transfer" ? v.leader : v.key);
			const late = action === "transfer" ? `${printable(request.to)} does not lead yet` : `${printable(v.leader || "the leader")} has not obeyed yet`;
			const text = obeyed ? `${who} ${done[action]}.` : `Asked; ${late}.`;
			toast(text);
			say(text);
		} catch (e) {
			set($("ask-wrong"), e instanceof Refused ? e.message : "The server does not answer: it is not known whether it has got the request.");
			show($("ask-wrong"), true);
			if (e.status === 401) this.refused();
		} finally {
			this.#busy(false);
		}
	}
}

export class TokenDialog {
	// changed is called when there is another token.
	constructor(changed) {
		$("token-open").addEventListener("click", () => this.open());
		$("auth-forget").addEventListener("click", () => {
			setToken("");
			$("auth").close();
			changed();
		});
		$("auth-form").addEventListener("submit", (e) => {
			e.preventDefault();
			setToken($("auth-token").value.trim());
			$("auth").close();
			changed();
		});
	}

	open() {
		if ($("auth").open) return;
		$("auth-token").value = token();
		$("auth").showModal();
		$("auth-token").focus();
	}
}
