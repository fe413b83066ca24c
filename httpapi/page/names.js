// Names that others have chosen, for people and for shells.

// Marks that do not show, or that change how what follows does: controls, formats such as
// those of bidirectional texts, and blanks other than a space.
const unseen = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;
const each = /["\\]|[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;
const short = { 7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\" };

function escaped(mark) {
	const code = mark.codePointAt(0);
	const hex = (digits) => code.toString(16).padStart(digits, "0");
	return short[code] ?? (code < 0x80 ? "\\x" + hex(2) : code < 0x10000 ? "\\u" + hex(4) : "\\U" + hex(8));
}

// printable is a name with escapes for what does not show, in quotes then, as the command
// line has it; any other name is as it is. What begins and ends with a quote is always
// one with escapes.
export function printable(name) {
	if (!unseen.test(name) && !/^".*"$/s.test(name)) return name;
	return `"${name.replace(each, escaped)}"`;
}

// lines is a text of several lines, with escapes for what does not show.
export const lines = (text) =>
	text.replace(each, (mark) => (mark === "\n" || mark === "\t" || mark === '"' || mark === "\\" ? mark : escaped(mark)));

// shell is a word for a shell.
export const shell = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);
