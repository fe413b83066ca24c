// What of the page shows: the filter, the form of the elections and the tab, which the URL
// keeps.

import { $, count, set, show } from "./text.js";

const few = 20; // elections, which show as cards

export class View {
	text = "";
	vacant = false;
	#form = ""; // "cards" or "table", if the reader has chosen
	#tab = "elections";
	#changed;

	// changed is called when something else is to show.
	constructor(changed) {
		this.#changed = changed;
		this.#read();
		addEventListener("popstate", () => {
			this.#read();
			changed();
		});
		$("search").addEventListener("input", () => this.#set({ text: $("search").value }));
		$("search").addEventListener("keydown", (e) => {
			if (e.key === "Escape" && this.text) {
				e.preventDefault();
				$("search").value = "";
				this.#set({ text: "" });
			}
		});
		$("only-vacant").addEventListener("change", () => this.#set({ vacant: $("only-vacant").checked }));
		for (const form of ["cards", "table"]) $("as-" + form).addEventListener("change", () => this.#set({ form }));
		for (const tab of ["elections", "rounds"]) {
			const button = $("tab-" + tab);
			button.addEventListener("click", () => this.#set({ tab }));
			button.addEventListener("keydown", (e) => {
				if (!["ArrowLeft", "ArrowRight", "Home", "End"].includes(e.key)) return;
				e.preventDefault();
				const other = { Home: "elections", End: "rounds" }[e.key] ?? (tab === "rounds" ? "elections" : "rounds");
				this.#set({ tab: other });
				$("tab-" + other).focus();
			});
		}
		addEventListener("keydown", (e) => {
			if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey) return;
			if (e.target.closest?.("input:not([type=checkbox]):not([type=radio]), dialog") || document.querySelector("dialog[open]")) return;
			const box = $(this.#tab === "rounds" ? "system" : "search");
			if (!box.checkVisibility()) return;
			e.preventDefault();
			box.focus();
			box.select();
		});
	}

	#read() {
		const query = new URLSearchParams(location.search);
		this.text = query.get("q") ?? "";
		this.vacant = query.has("vacant");
		this.#form = ["cards", "table"].includes(query.get("view")) ? query.get("view") : "";
		this.#tab = query.get("tab") === "rounds" ? "rounds" : "elections";
		$("search").value = this.text;
		$("only-vacant").checked = this.vacant;
		this.#showTab();
	}

	#set({ text = this.text, vacant = this.vacant, form = this.#form, tab = this.#tab }) {
		[this.text, this.vacant, this.#form, this.#tab] = [text, vacant, form, tab];
		const query = new URLSearchParams(location.search);
		const put = (name, value) => (value ? query.set(name, value) : query.delete(name));
		put("q", text);
		put("vacant", vacant ? "1" : "");
		put("view", form);
		put("tab", tab === "rounds" ? tab : "");
		const search = query.toString();
		history.replaceState(null, "", location.pathname + (search ? "?" + search : "") + location.hash);
		this.#showTab();
		this.#changed();
	}

	#showTab() {
		for (const tab of ["elections", "rounds"]) {
			show($(tab), tab === this.#tab);
			$("tab-" + tab).setAttribute("aria-selected", String(tab === this.#tab));
			$("tab-" + tab).tabIndex = tab === this.#tab ? 0 : -1;
		}
	}

	// form returns how so many elections show.
	form(number) {
		const form = this.#form || (number > few ? "table" : "cards");
		$("as-" + form).checked = true;
		return form;
	}

	// matches tells how many of all elections show.
	matches(shown, all) {
		const filtered = this.text.trim() !== "" || this.vacant;
		set($("matches"), filtered && all > 0 ? `${shown.toLocaleString("en")} of ${count(all, "election")}` : "");
		show($("no-match"), shown === 0 && all > 0);
	}
}
