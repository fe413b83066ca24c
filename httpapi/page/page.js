// The page: it reads the stream of events and shows them.

import { Refused, listen } from "./api.js";
import { Cards } from "./card.js";
import { AskDialog, TokenDialog } from "./dialogs.js";
import { about, first } from "./about.js";
import { Model } from "./model.js";
import { printable } from "./names.js";
import { Rounds } from "./rounds.js";
import { Table } from "./table.js";
import { $, count, say, set, show } from "./text.js";
import { View } from "./view.js";

const slowest = 10000; // ms between two attempts to connect
const most = 100; // elections that show as cards
const calm = 200; // ms between two changes of what shows, where there are many

let stream = null; // ends the present one
let after = ""; // the id of the last event
let failures = 0;
let state = {}; // of the server's observing
let answered = false; // the state of all elections has come once
let connected = false;
let due = 0; // a timer: what shows has to change

const auth = new TokenDialog(() => connect(true));
const asking = new AskDialog((key) => model.nodes(key), () => auth.open());
const model = new Model((e, news) => {
	form().update(e, news);
	if (news && (model.size <= most || e.state === "vacant")) {
		say(`${printable(e.key)}: ${e.state === "leader" ? printable(e.v.leader) + " leads" : e.state === "unknown" ? "not known" : "no leader"}`);
	}
	soon();
});
const ask = (action, v) => asking.open(action, v);
const cards = new Cards(model, ask);
const table = new Table(model, ask);
const view = new View(() => draw());
const rounds = new Rounds(() => model.now(), () => connect(true), (n) => set($("count-rounds"), n > 0 ? String(n) : ""));

const form = () => (view.form(model.size) === "table" ? table : cards);

// soon draws what is new, once for all that comes at the same time.
function soon() {
	if (due) return;
	const draws = () => {
		due = 0;
		draw();
	};
	due = model.size > most ? setTimeout(draws, calm) : requestAnimationFrame(draws);
}

// draw shows the elections that the filter lets through.
function draw() {
	if (model.loading) return;
	const all = model.ordered(view);
	const asTable = form() === table;
	show($("table"), asTable && all.length > 0);
	show($("cards"), !asTable && all.length > 0);
	if (asTable) table.show(all);
	cards.show(asTable ? [] : all.slice(0, most));
	view.matches(all.length, model.size);
	set($("many"), `The first ${most} of ${count(all.length, "election")} show as cards. Filter them, or show them as a table.`);
	show($("many"), !asTable && all.length > most);
	sums();
	note();
}

function sums() {
	const n = model.counts();
	for (const [id, number] of [["all", n.all], ["led", n.leader], ["vacant", n.vacant], ["paused", n.paused]]) set($("sum-" + id), number.toLocaleString("en"));
	set($("count-elections"), n.all > 0 ? n.all.toLocaleString("en") : "");
	$("sum-vacant").parentElement.classList.toggle("any", n.vacant > 0);
	document.title = (n.vacant > 0 ? `(${n.vacant} without a leader) ` : "") + "leadership";
	show($("sums"), n.all > 0);
	show($("filter"), n.all > 0);
}

function told(event, id) {
	if (id) after = id;
	switch (event.type) {
		case "hello":
			state = event;
			model.hello(event);
			about(event);
			form().update();
			note();
			break;
		case "ready":
			answered = true;
			model.ready();
			draw();
			break;
		case "state":
			state = { ...state, error: event.error, listing: event.listing, more: event.more };
			note();
			break;
		case "renewed":
			model.renewed(event);
			break;
		case "gone":
			model.gone(event.key);
			break;
		case "rounds":
			rounds.told(event);
			break;
		case "systems":
			rounds.found(event);
			break;
		case "leader":
		case "vacant":
		case "expired":
		case "unknown":
			model.stands(event);
			break;
	}
}

// note shows what is to be known of all that is shown.
function note() {
	const text = state.error
		? `The server cannot find out which elections there are: ${state.error}. What shows here may be out of date.`
		: state.more ? "There are more elections than this server observes: some are missing here." : "";
	set($("banner"), text);
	show($("banner"), text !== "");
	show($("loading"), model.size === 0 && connected && !state.error && (!answered || Boolean(state.listing)));
	show($("empty"), answered && model.size === 0 && !state.error && !state.listing);
	if (connected) link(state.error ? "down" : "live", state.error ? "store down" : "live");
}

// link shows how the connection is.
function link(how, text) {
	const before = $("link").dataset.state;
	connected = how === "live" || how === "down";
	$("link").dataset.state = how;
	document.body.dataset.link = how;
	set($("link-text"), text);
	if (before !== how && how !== "wait") say(how === "live" ? "Connected" : text);
}

// refused shows why the server refuses, and returns whether asking again may help.
function refused(error) {
	if (error.status === 401) {
		link("lost", "token needed");
		auth.open();
		return false;
	}
	if (error.status === 404) {
		link("lost", "not observing");
		first("This server does not observe elections", "Start it with:", "leadership serve");
		show($("empty"), true);
		return false;
	}
	return true;
}

// connect begins the stream, anew if that is asked for, and again when it ends.
async function connect(anew) {
	stream?.abort();
	const mine = new AbortController();
	stream = mine;
	if (anew) {
		after = "";
		failures = 0;
	}
	for (;;) {
		const query = new URLSearchParams(rounds.named.map((s) => ["system", s]));
		try {
			await listen(query, after, mine.signal, () => {
				failures = 0;
				link("live", "live");
			}, (event, id) => {
				try {
					told(event, id);
				} catch (error) {
					reportError(error); // the stream goes on
				}
			});
		} catch (error) {
			if (mine.signal.aborted) return;
			if (error instanceof Refused && !refused(error)) return;
		}
		if (mine.signal.aborted) return;
		failures++;
		const wait = Math.min(500 * 2 ** (failures - 1), slowest) * (0.75 + Math.random() / 2);
		link("lost", failures > 1 ? `connection lost, retrying in ${Math.max(Math.round(wait / 1000), 1)} s` : "connection lost, reconnecting");
		await pause(wait, mine.signal);
		if (mine.signal.aborted) return;
	}
}

// pause waits for a time, or until it is worth trying at once.
function pause(ms, signal) {
	return new Promise((resolve) => {
		const over = () => {
			clearTimeout(timer);
			removeEventListener("online", over);
			resolve();
		};
		const timer = setTimeout(over, ms);
		addEventListener("online", over);
		signal.addEventListener("abort", over, { once: true });
	});
}

setInterval(() => {
	if (!document.hidden && !$("elections").hidden) form().tick();
}, 100);
setInterval(() => {
	if (!document.hidden) rounds.tick();
}, 1000);
void connect(true);
