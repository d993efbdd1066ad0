/** Changes members of an object in JSON text and leaves everything else as somebody has written it. */

export type JsonChanges = Readonly<Record<string, string | number | boolean | readonly string[] | null>>;

interface Token {
  text: string;
  start: number;
  end: number;
}

/** Where a member of an object stands. */
interface Member {
  key: string;
  start: number;
  valueStart: number;
  end: number;
}

/** An object's members, and where its closing brace stands. */
interface Shape {
  open: number;
  close: number;
  members: Member[];
}

const DEEPER: Readonly<Record<string, number>> = { "{": 1, "[": 1, "}": -1, "]": -1 };
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/**
 * `text`, which must be valid JSON that is an object, with `changes` made in its member `section`; null takes a member out. A section
 * that is not there is added, last.
 */
export function editSection(text: string, section: string, changes: JsonChanges): string {
  const whole = shapeOf(text, text.indexOf("{"));
  const found = whole.members.findLast(({ key }) => key === section);
  if (!found) return insert(text, whole, section, added(changes));
  let edited = text;
  for (const [key, value] of Object.entries(changes)) {
    const shape = shapeOf(edited, found.valueStart);
    // The last of several is the one that counts.
    const member = shape.members.findLast((one) => one.key === key);
    if (value === null) edited = without(edited, found.valueStart, key);
    else if (member) edited = splice(edited, member.valueStart, member.end, JSON.stringify(value));
    else edited = insert(edited, shape, key, value);
  }
  return edited;
}

function added(changes: JsonChanges): JsonChanges {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== null));
}

/** The object that opens at `open`. */
function shapeOf(text: string, open: number): Shape {
  const members: Member[] = [];
  let tokens: Token[] = [];
  let depth = 0;
  for (const token of tokensFrom(text, open + 1)) {
    const ends = depth === 0 && (token.text === "," || token.text === "}");
    if (ends) {
      members.push(...memberOf(tokens));
      tokens = [];
      if (token.text === "}") return { open, close: token.start, members };
    } else {
      tokens.push(token);
      depth += DEEPER[token.text] ?? 0;
    }
  }
  throw new SyntaxError("no JSON object");
}

/** Of its tokens: the key, a colon, and those of the value. */
function memberOf(tokens: Token[]): Member[] {
  const [key, , value] = tokens;
  const last = tokens.at(-1);
  if (!key || !value || !last) return [];
  return [{ key: JSON.parse(key.text) as string, start: key.start, valueStart: value.start, end: last.end }];
}

function* tokensFrom(text: string, from: number): Generator<Token> {
  const pattern = new RegExp(TOKENS);
  pattern.lastIndex = from;
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    yield { text: match[0], start: match.index, end: pattern.lastIndex };
  }
}

/** Last in the object, on a line of its own where its members have theirs, and indented as they are. */
function insert(text: string, { open, close, members }: Shape, key: string, value: unknown): string {
  const last = members.at(-1);
  const name = JSON.stringify(key);
  if (last && !text.slice(open, last.start).includes("\n"))
    return splice(text, last.end, last.end, `, ${name}: ${JSON.stringify(value)}`);
  const unit = /\n([ \t]+)"/.exec(text)?.[1] ?? "  ";
  const lineBefore = (text.includes("\r\n") ? "\r\n" : "\n") + indentOf(text, open);
  const json = JSON.stringify(value, null, unit).replaceAll("\n", lineBefore + unit);
  const written = `${lineBefore}${unit}${name}: ${json}`;
  return last
    ? splice(text, last.end, last.end, `,${written}`)
    : splice(text, open + 1, close, written + lineBefore);
}

function without(text: string, open: number, key: string): string {
  const shape = shapeOf(text, open);
  const member = shape.members.find((one) => one.key === key);
  return member ? without(remove(text, shape, member), open, key) : text;
}

function remove(text: string, { open, members }: Shape, member: Member): string {
  const index = members.indexOf(member);
  const before = members[index - 1];
  const after = members[index + 1];
  if (before) return splice(text, before.end, member.end, "");
  return after ? splice(text, member.start, after.start, "") : splice(text, open + 1, member.end, "");
}

function splice(text: string, start: number, end: number, instead: string): string {
  return text.slice(0, start) + instead + text.slice(end);
}

/** Of the line on which the character at `at` stands. */
function indentOf(text: string, at: number): string {
  return /^[ \t]*/.exec(text.slice(text.lastIndexOf("\n", at) + 1, at))?.[0] ?? "";
}
