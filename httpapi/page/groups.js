// Groups of keys, by what they begin with.

const few = 3; // keys do not make a group of their own

// group returns the prefix of the group that each key belongs to: where its folder, below
// what all have in common, has more than a few keys, that folder, and otherwise what all
// have in common.
export function group(keys) {
	const of = new Map();
	split("", keys, of);
	return of;
}

function split(prefix, keys, of) {
	const folders = new Map();
	for (const key of keys) {
		const end = key.indexOf("/", prefix.length);
		const folder = end < 0 ? prefix : key.slice(0, end + 1);
		if (!folders.has(folder)) folders.set(folder, []);
		folders.get(folder).push(key);
	}
	for (const [folder, inside] of folders) {
		if (folder !== prefix && folders.size === 1 && inside.length > 1) split(folder, inside, of);
		else for (const key of inside) of.set(key, inside.length > few ? folder : prefix);
	}
}
