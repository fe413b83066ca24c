// The server's API, with the token of this tab.

const kept = "leadership-token";

export const token = () => sessionStorage.getItem(kept) ?? "";

export function setToken(text) {
	if (text) sessionStorage.setItem(kept, text);
	else sessionStorage.removeItem(kept);
}

function headers(more) {
	const h = new Headers(more);
	if (token()) h.set("Authorization", "Bearer " + token());
	return h;
}

// parse reads JSON; a fencing token may be too large for a number, and is a text then.
const parse = (text) =>
	large.test(text)
		? JSON.parse(text, (name, value, context) => (name === "token" ? (context?.source ?? String(value)) : value))
		: JSON.parse(text);
const large = /"token":\d{16}/;

// Refused is an answer that reports an error.
export class Refused extends Error {
	constructor(status, text) {
		super(text);
		this.status = status;
	}
}

async function refusal(response) {
	let text = response.statusText || `status ${response.status}`;
	try {
		text = (await response.json()).error || text;
	} catch {
		// no JSON
	}
	return new Refused(response.status, text);
}

// ask sends a request to an election, and returns whether it was obeyed.
export async function ask(key, request) {
	const response = await fetch(`api/v1/elections/${encodeURIComponent(key)}/requests`, {
		method: "POST",
		headers: headers({ "Content-Type": "application/json" }),
		body: JSON.stringify(request),
		redirect: "error",
		signal: AbortSignal.timeout(30000),
	});
	if (!response.ok) throw await refusal(response);
	return (await response.json()).obeyed;
}

// terms gets the terms of an election that the server remembers.
export async function terms(key) {
	const response = await fetch(`api/v1/elections/${encodeURIComponent(key)}/terms`, {
		headers: headers(), cache: "no-store", redirect: "error", signal: AbortSignal.timeout(10000),
	});
	if (!response.ok) throw await refusal(response);
	return parse(await response.text());
}

// silence is how long a stream may send nothing before it is given up: the server sends
// something every 15 s.
const silence = 40000;

// listen reads the stream of events once, until it ends or signal aborts it. told is
// called with each event, opened once before.
export async function listen(query, after, signal, opened, told) {
	const quiet = new AbortController();
	let timer = setTimeout(() => quiet.abort(), silence);
	const stop = AbortSignal.any([signal, quiet.signal]);
	try {
		const response = await fetch("api/v1/events?" + query, {
			headers: headers(after ? { "Last-Event-ID": after } : {}),
			cache: "no-store",
			redirect: "error",
			signal: stop,
		});
		if (!response.ok) throw await refusal(response);
		opened();
		const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
		let rest = "";
		let id = "";
		for (;;) {
			const { value, done } = await reader.read();
			if (done) return;
			clearTimeout(timer);
			timer = setTimeout(() => quiet.abort(), silence);
			const lines = (rest + value).split("\n");
			rest = lines.pop();
			for (const line of lines) {
				if (line.startsWith("id: ")) id = line.slice(4);
				else if (line.startsWith("data: ")) told(parse(line.slice(6)), id);
				else if (line === "") id = "";
			}
		}
	} finally {
		clearTimeout(timer);
	}
}
