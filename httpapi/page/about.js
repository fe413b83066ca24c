// What the page tells of the server: in its foot, and where there are no elections yet.

import { token } from "./api.js";
import { printable, shell } from "./names.js";
import { $, set, show } from "./text.js";

// about shows the store, the prefix and the version of the server.
export function about(hello) {
	const store = hello.url || hello.store || "";
	for (const [id, text] of [["store", store], ["prefix", hello.prefix], ["version", hello.version ?? ""]]) {
		set($("about-" + id), printable(text));
		show($("about-" + id).parentElement, text !== "");
	}
	show($("metrics"), token() === ""); // a link takes no token along
	const key = hello.prefix + "demo/leader";
	const alone = !hello.url || hello.url.startsWith("memory:"); // no other process gets there by a URL
	if (alone) {
		const url = new URL(`api/v1/elections/${encodeURIComponent(key)}/claim`, location.href.replace(/[?#].*/, "")).href;
		const auth = token() ? ' -H "Authorization: Bearer $LEADERSHIP_WRITE_TOKEN"' : "";
		first("No elections yet", "An election appears here as soon as it has a candidate. Lead one for a minute, in a terminal:",
			`curl -d '{"node": "anna", "ttl": "60s"}'${auth} ${shell(url)}`);
		return;
	}
	const secret = hello.url.includes("xxxxx") ? "What stands as xxxxx in it is a secret, for you to fill in." : "";
	first("No elections yet", "An election appears here as soon as it has a candidate. Try one in a terminal:",
		`leadership run --store ${shell(hello.url)} ${shell(key)} -- sleep 60`, secret);
}

// first shows how to begin.
export function first(title, text, command, more = "") {
	set($("empty-title"), title);
	set($("empty-text"), text);
	set($("empty-code"), command);
	set($("empty-more"), more);
	show($("empty-more"), more !== "");
}
