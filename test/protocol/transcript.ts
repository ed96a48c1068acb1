// The transcript of PROTOCOL.md's guide: its steps, and whether what a server says is what the text says.

/** A step of the transcript, in the order of the text. */
export type Step =
  | { readonly kind: 'send' | 'receive'; readonly frame: Json }
  | { readonly kind: 'request'; readonly method: string; readonly path: string; readonly body: Json }
  | { readonly kind: 'answer'; readonly status: number; readonly body: Json }
  | { readonly kind: 'connect'; readonly protocols: string[] }
  | { readonly kind: 'happening'; readonly text: string };

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The steps of every block that is fenced as a transcript. Throws at a line that is none. */
export function readTranscript(markdown: string): Step[] {
  const blocks = [...markdown.matchAll(/^```transcript\n(.*?)^```$/gms)].map(([, block = '']) => block);
  // A line that begins with a space goes on with the one before.
  return blocks.flatMap((block) => block.replaceAll(/\n +/g, '').trimEnd().split('\n').map(readStep));
}

function readStep(line: string): Step {
  const [head = '', ...rest] = line.split(' ');
  const text = rest.join(' ');
  if (head === '→') return { kind: 'send', frame: readJson(text) };
  if (head === '←') return { kind: 'receive', frame: readJson(text) };
  if (head === '*') return { kind: 'happening', text };
  if (/^\d{3}$/.test(head)) return { kind: 'answer', status: Number(head), body: readJson(text) };
  const offered = /^\/ws Sec-WebSocket-Protocol: (.*)$/.exec(text)?.[1];
  if (head === 'GET' && offered !== undefined) return { kind: 'connect', protocols: offered.split(', ') };
  const [, path, body] = /^(\/\S+) (.*)$/.exec(text) ?? [];
  if (head === 'POST' && path !== undefined && body !== undefined)
    return { kind: 'request', method: head, path, body: readJson(body) };
  throw new Error(`The transcript has a line that is no step: ${line}`);
}

const readJson = (text: string): Json => JSON.parse(text.replaceAll(/\{…\}|\[…\]/g, '"$&"'));

const cutShort = /[A-Za-z0-9-]+…/g;
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** What the names that the text cuts short (`c4a7…`) stand for. One name means one value, and no two the same. */
export class Names {
  readonly #values = new Map<string, string>();

  set(name: string, value: string): void {
    this.#values.set(name, value);
  }

  /** The text with what its names stand for; throws where one has not been met yet. */
  fill<Value extends Json>(text: Value): Value {
    const filled = JSON.stringify(text).replaceAll(cutShort, (name) => {
      const value = this.#values.get(name);
      if (value === undefined)
        throw new Error(`The transcript uses ${name} before it says where it comes from.`);
      return value;
    });
    return JSON.parse(filled);
  }

  /**
   * The text as it has to be if `actual` is what it describes, keys in their order: names stand for what they stood for
   * before or, new ones, for what is there; times, `…`, `{…}` and `[…]` for whatever is there of their kind.
   */
  match(text: Json, actual: Json | undefined): Json {
    if (Array.isArray(text)) {
      return text.map((each, index) => this.match(each, Array.isArray(actual) ? actual[index] : undefined));
    }
    if (text !== null && typeof text === 'object') {
      const there = isObject(actual) ? actual : {};
      return Object.fromEntries(
        Object.entries(text).map(([key, value]) => [key, this.match(value, there[key])]),
      );
    }
    if (typeof text !== 'string') return text;
    if (text === '{…}') return isObject(actual) ? actual : text;
    if (text === '[…]') return Array.isArray(actual) ? actual : text;
    if (typeof actual !== 'string') return text;
    if (text === '…' || (instant.test(text) && instant.test(actual))) return actual;
    const isNew = text.match(cutShort)?.[0] === text && !this.#values.has(text);
    if (isNew && ![...this.#values.values()].includes(actual)) this.#values.set(text, actual);
    return text.replaceAll(cutShort, (name) => this.#values.get(name) ?? name);
  }
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
