// The elections as a table, of which only the rows in sight are there.

import { Card, addressOf, left, marks, why } from "./card.js";
import { printable } from "./names.js";
import { $, arrange, clone, count, long, make, set, show } from "./text.js";

const spare = 8; // rows above and below those in sight
const gap = 16; // below and above a card, in px
const titles = { vacant: "without a leader", unknown: "not known", leader: "" };

export class Table {
	#model;
	#ask;
	#items = []; // what there is to show, from the top: headings, rows, and a card
	#tops = [0]; // where each begins, and the end of the last
	#index = new Map(); // of the rows, by key
	#elements = new Map(); // of the items that are there, by id
	#current = ""; // the key of the row that the keyboard is at
	#open = ""; // the key of the row whose card is open
	#height = 0; // of that card
	#row = 0; // the height of a row
	#sizes = new ResizeObserver((all) => {
		const height = Math.ceil(all.at(-1).borderBoxSize[0].blockSize);
		if (height > 0 && height !== this.#height) {
			this.#height = height;
			this.#layOut();
			this.draw();
		}
	});

	constructor(model, ask) {
		this.#model = model;
		this.#ask = ask;
		this.root = $("table");
		this.rows = $("rows");
		addEventListener("scroll", () => this.draw(), { passive: true });
		addEventListener("resize", () => {
			this.#layOut();
			this.draw();
		});
		this.rows.addEventListener("keydown", (e) => this.#key(e));
		this.rows.addEventListener("focusin", (e) => {
			const row = e.target.closest(".row");
			if (row?.dataset.key) this.#goTo(row.dataset.key);
		});
	}

	// show shows these elections and no others, in this order.
	show(all) {
		const items = [];
		const groups = new Map();
		for (const e of all) groups.set(`${e.state} ${e.group}`, (groups.get(`${e.state} ${e.group}`) ?? 0) + 1);
		const headings = groups.size > 1 || all[0]?.group !== "";
		let before = null;
		this.#index.clear();
		for (const e of all) {
			const id = `${e.state} ${e.group}`;
			if (headings && id !== before) items.push({ id: "group " + id, group: e.group, state: e.state, n: groups.get(id) });
			before = id;
			this.#index.set(e.key, items.length);
			items.push({ id: "row " + e.key, e });
			if (e.key === this.#open) items.push({ id: "card " + e.key, e, card: true });
		}
		this.#items = items;
		if (!this.#index.has(this.#current)) this.#current = all[0]?.key ?? "";
		if (!this.#index.has(this.#open)) this.#open = "";
		this.root.setAttribute("aria-rowcount", String(items.length + 1));
		this.#layOut();
		this.draw();
	}

	// layOut finds where each item begins.
	#layOut() {
		const style = getComputedStyle(this.rows);
		const [row, heading] = ["--row", "--heading"].map((name) => parseFloat(style.getPropertyValue(name)));
		this.#row = row;
		let y = 0;
		this.#tops = this.#items.map((item) => {
			const top = y;
			y += item.card ? this.#height + gap : item.e ? row : heading;
			return top;
		});
		this.#tops.push(y);
		this.rows.style.height = y + "px";
	}

	// at returns the index of the item at a height.
	#at(y) {
		let [from, to] = [0, this.#items.length - 1];
		while (from < to) {
			const middle = Math.ceil((from + to) / 2);
			if (this.#tops[middle] <= y) from = middle;
			else to = middle - 1;
		}
		return from;
	}

	// update shows what is new of one election, or of all.
	update(e, news) {
		if (e) {
			this.#elements.get("row " + e.key)?.update(news);
			this.#elements.get("card " + e.key)?.update(news);
		} else for (const element of this.#elements.values()) element.update?.();
	}

	tick() {
		for (const element of this.#elements.values()) element.tick?.();
	}

	// draw makes what is in sight be there, and no more.
	draw() {
		if (this.root.hidden) return;
		const above = -this.rows.getBoundingClientRect().top;
		const first = Math.max(this.#at(above) - spare, 0);
		const last = Math.min(this.#at(above + innerHeight) + spare, this.#items.length - 1);
		const sight = new Set();
		for (let i = first; i <= last; i++) sight.add(i);
		// The keyboard may be where one cannot see.
		if (this.#current) sight.add(this.#index.get(this.#current));
		if (this.#open) sight.add(this.#index.get(this.#open) + 1);
		const wanted = [...sight].sort((a, b) => a - b);
		const ids = new Set(wanted.map((i) => this.#items[i].id));
		for (const [id, element] of this.#elements) {
			if (ids.has(id) && (!element.e || element.e === this.#model.get(element.e.key))) continue;
			if (element.card) this.#sizes.disconnect();
			element.root.remove();
			this.#elements.delete(id);
		}
		const roots = wanted.map((i) => {
			const element = this.#element(this.#items[i]);
			element.root.style.transform = `translateY(${this.#tops[i]}px)`;
			element.root.setAttribute("aria-rowindex", String(i + 2));
			return element.root;
		});
		arrange(this.rows, roots);
		this.#marks();
	}

	// marks notes which row the keyboard is at, and which is open.
	#marks() {
		for (const { e, root, open } of this.#elements.values()) {
			if (!open) continue;
			open.tabIndex = e.key === this.#current ? 0 : -1;
			open.setAttribute("aria-expanded", String(e.key === this.#open));
			root.classList.toggle("open-row", e.key === this.#open);
		}
	}

	#element(item) {
		let element = this.#elements.get(item.id);
		if (!element) {
			element = item.card ? this.#card(item.e) : item.e ? new Row(item.e, this.#model, (key) => this.#toggle(key)) : heading(item);
			this.#elements.set(item.id, element);
		}
		element.heading?.(item);
		return element;
	}

	#card(e) {
		const card = new Card(e, this.#model, this.#ask);
		const root = make("div", "detail");
		root.setAttribute("role", "row");
		root.dataset.key = e.key;
		const cell = make("div");
		cell.setAttribute("role", "cell");
		cell.setAttribute("aria-colspan", "6");
		cell.append(card.root);
		root.append(cell);
		this.#sizes.observe(card.root);
		return { e, root, card, update: (news) => card.update(news), tick: () => card.tick() };
	}

	#toggle(key) {
		this.#height = 0;
		this.#open = this.#open === key ? "" : key;
		this.#goTo(key);
		this.show(this.#items.filter((item) => item.e && !item.card).map((item) => item.e));
	}

	#goTo(key) {
		if (this.#current === key) return;
		this.#current = key;
		this.#marks();
	}

	#key(event) {
		if (event.key === "Escape" && this.#open && event.target.closest(".detail")) {
			const key = this.#open;
			this.#toggle(key);
			this.#focus(key);
			return;
		}
		if (!event.target.classList.contains("open") || event.ctrlKey || event.metaKey || event.altKey) return;
		const keys = [...this.#index.keys()];
		const at = keys.indexOf(this.#current);
		const page = Math.max(Math.floor(innerHeight / this.#row) - 4, 1);
		const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: keys.length - 1 }[event.key];
		if (to === undefined) return;
		event.preventDefault();
		this.#focus(keys[Math.min(Math.max(to, 0), keys.length - 1)]);
	}

	// focus moves the keyboard to a row, and the row into sight.
	#focus(key) {
		this.#current = key;
		this.draw();
		const { root, open } = this.#elements.get("row " + key);
		const box = root.getBoundingClientRect();
		const head = $("table-head").getBoundingClientRect().bottom;
		if (box.top < head) scrollBy(0, box.top - head - box.height);
		else if (box.bottom > innerHeight - 8) scrollBy(0, box.bottom - innerHeight + 8 + box.height);
		open.focus({ preventScroll: true });
		this.draw();
	}
}

// heading is that of the elections of one prefix.
function heading({ group }) {
	const root = clone("group");
	const [name, number] = root.firstElementChild.children;
	set(name, group === "" ? "without a prefix" : printable(group));
	return {
		root,
		heading({ n, state }) {
			root.dataset.state = state;
			set(number, count(n, "election") + (titles[state] ? " " + titles[state] : ""));
		},
	};
}

class Row {
	constructor(e, model, toggle) {
		this.e = e;
		this.model = model;
		this.root = clone("row");
		this.root.dataset.key = e.key;
		this.open = this.root.querySelector(".open");
		this.open.addEventListener("click", () => toggle(e.key));
		this.bar = this.root.querySelector(".bar");
		for (const name of ["leader", "address", "for", "left-text", "token", "marks", "stem", "name"]) {
			this[name] = this.root.querySelector(`.${name}`);
		}
		this.update();
	}

	update(news = false) {
		const { e } = this;
		const { v } = e;
		this.root.dataset.state = e.state;
		// The stem is that of the heading; with a mark that does not show the whole key is quoted.
		const whole = printable(e.key);
		const stem = whole === e.key && e.key.startsWith(e.group) && e.key !== e.group ? e.group : "";
		set(this.stem, stem);
		set(this.name, stem ? e.key.slice(stem.length) : whole);
		this.open.title = whole;
		const leads = v.type === "leader";
		set(this.leader, leads ? printable(v.leader) : e.state === "unknown" ? "Not known" : "No leader");
		this.leader.title = this.leader.textContent;
		set(this.address, leads ? printable(addressOf(v)) : why(v));
		this.address.title = this.address.textContent;
		set(this.token, leads ? String(v.token) : "");
		set(this.marks, marks(v).map(([, text]) => text).join(", "));
		this.marks.title = this.marks.textContent;
		show(this.bar, leads);
		this.tick();
		if (news) {
			this.root.classList.remove("news");
			void this.root.offsetWidth; // begins the animation anew
			this.root.classList.add("news");
		}
	}

	tick() {
		const { e } = this;
		const { v } = e;
		const now = this.model.now();
		if (v.type === "leader") {
			set(this["left-text"], long(left(e, now, this.bar).ms));
			set(this.for, long(now - Date.parse(v.since)));
		} else {
			set(this["left-text"], "");
			set(this.for, v.vacant_since ? long(now - Date.parse(v.vacant_since)) : "");
		}
	}
}
