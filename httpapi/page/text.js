// Functions that show what others have written: as text, never as markup.

export const $ = (id) => document.getElementById(id);

// clone makes the one element of a template.
export const clone = (id) => $(id).content.firstElementChild.cloneNode(true);

// set changes the text of an element, if it is different.
export function set(element, text) {
	if (element.textContent !== text) element.textContent = text;
}

// show shows or hides an element.
export function show(element, shown) {
	if (element.hidden === shown) element.hidden = !shown;
}

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
		const a = document.createElement("a");
		a.href = url.href;
		a.rel = "noopener noreferrer";
		a.target = "_blank";
		a.textContent = text;
		element.replaceChildren(a);
	} else {
		element.replaceChildren(document.createTextNode(text));
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
