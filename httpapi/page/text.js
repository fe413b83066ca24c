// Functions that show what others have written: as text, never as markup.

import { printable } from "./names.js";

export const $ = (id) => document.getElementById(id);

// clone makes the one element of a template.
export const clone = (id) => $(id).content.firstElementChild.cloneNode(true);

// make makes an element of a class, with a text.
export function make(kind, className = "", text = "") {
	const element = document.createElement(kind);
	if (className) element.className = className;
	if (text) element.textContent = text;
	return element;
}

// set changes the text of an element, if it is different.
export function set(element, text) {
	if (element.textContent !== text) element.textContent = text;
}

// show shows or hides an element.
export function show(element, shown) {
	if (element.hidden === shown) element.hidden = !shown;
}

// arrange puts elements into a parent in that order, without moving the one that has the
// focus, which would lose it.
export function arrange(parent, elements) {
	const still = elements.find((element) => element.parentElement === parent && element.contains(document.activeElement));
	let next = parent.firstElementChild;
	for (const element of elements) {
		while (element === still && next !== element) {
			const before = next;
			next = next.nextElementSibling;
			parent.append(before);
		}
		if (element === next) next = next.nextElementSibling;
		else parent.insertBefore(element, next);
	}
}

// count is a number for people, and the things that it counts.
export const count = (n, one, many = one + "s") => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

// long is a number of milliseconds for people, with tenths of a few seconds.
export function long(ms, tenths = false) {
	const s = Math.max(ms, 0) / 1000;
	if (tenths && s < 9.95) return s.toFixed(1) + " s";
	if (s < 60) return Math.floor(s) + " s";
	const of = (n, unit, m, small) => `${n} ${unit}` + (m ? ` ${m} ${small}` : "");
	const minutes = Math.floor(s / 60);
	if (minutes < 60) return of(minutes, "min", Math.floor(s % 60), "s");
	const hours = Math.floor(minutes / 60);
	if (hours < 48) return of(hours, "h", minutes % 60, "min");
	return of(Math.floor(hours / 24), "d", hours % 24, "h");
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

// at is an instant for people.
export function at(text, now = Date.now()) {
	const t = Date.parse(text);
	if (Number.isNaN(t)) return "";
	return (Math.abs(now - t) < 12 * 3600e3 ? clock : day).format(t);
}

// full is an instant with its date.
export const full = (text) => (Number.isNaN(Date.parse(text)) ? "" : day.format(Date.parse(text)));

// address puts the address of a leader into an element: a link if it is the URL of a
// web page, and text otherwise.
export function address(element, text) {
	let url = null;
	try {
		url = new URL(text);
	} catch {
		// no URL
	}
	if (url && (url.protocol === "http:" || url.protocol === "https:")) {
		const a = make("a", "", printable(text));
		a.href = url.href;
		a.rel = "noopener noreferrer";
		a.target = "_blank";
		element.replaceChildren(a);
	} else {
		element.replaceChildren(document.createTextNode(printable(text)));
	}
}

let waiting = [];
let timer = 0;

// say tells screen readers what has changed, a few things at a time.
export function say(text) {
	waiting.push(text);
	if (waiting.length > 5) waiting = waiting.slice(-5);
	if (timer) return;
	timer = setTimeout(() => {
		timer = 0;
		$("live").textContent = waiting.join(". ");
		waiting = [];
	}, 400);
}

let gone = 0;

// toast shows the outcome of a request for some seconds.
export function toast(text) {
	clearTimeout(gone);
	$("toast").textContent = text;
	show($("toast"), true);
	gone = setTimeout(() => show($("toast"), false), 6000);
}
