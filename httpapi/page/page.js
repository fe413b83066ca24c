// The page: it reads the stream of events and shows them.

import { Refused, listen } from "./api.js";
import { AskDialog, TokenDialog } from "./dialogs.js";
import { Elections } from "./elections.js";
import { Rounds } from "./rounds.js";
import { $, say, set, show } from "./text.js";

const slowest = 10000; // between two attempts to connect

let stream = null; // ends the present one
let after = ""; // the id of the last event
let failures = 0;
let state = {}; // of the server's observing
let answered = false; // the state of all elections has come once

const auth = new TokenDialog(() => connect(true));
const asking = new AskDialog((key) => elections.nodes(key), () => auth.open());
const elections = new Elections((action, v) => asking.open(action, v));
const rounds = new Rounds(() => elections.now(), () => connect(true));

function told(event, id) {
	if (id) after = id;
	switch (event.type) {
		case "hello":
			state = event;
			elections.hello(event);
			note();
			break;
		case "ready":
			elections.ready();
			answered = true;
			note();
			break;
		case "state":
			state = { ...state, error: event.error, more: event.more };
			note();
			break;
		case "renewed":
			elections.renewed(event);
			break;
		case "gone":
			elections.gone(event.key);
			note();
			break;
		case "rounds":
			rounds.told(event);
			break;
		case "leader":
		case "vacant":
		case "expired":
		case "unknown":
			elections.stands(event);
			note();
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
	show($("empty"), answered && elections.size === 0 && !state.error);
}

// link shows how the connection is.
function link(how, text) {
	const before = $("link").dataset.state;
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
		set($("empty-title"), "This server does not observe elections");
		set($("empty-text"), "Start it with: ");
		set($("empty-code"), "leadership serve");
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
			}, told);
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
	if (!document.hidden) elections.tick();
}, 100);
setInterval(() => {
	if (!document.hidden) rounds.tick();
}, 1000);
void connect(true);
