// Names in a text: `@Ann` names the member who is called Ann. Pure.

import type { Person } from '../people/people.ts';

export interface TextPart {
  readonly text: string;
  /** Whom it names. */
  readonly person: Person | undefined;
}

/** The text in parts, which together are the text. Of two names that fit the longer one counts. */
export function splitMentions(text: string, people: readonly Person[]): TextPart[] {
  const byLength = people.toSorted((a, b) => b.name.length - a.name.length);
  const parts: TextPart[] = [];
  let plainFrom = 0;
  for (let at = text.indexOf('@'); at !== -1; at = text.indexOf('@', at + 1)) {
    const mayName = at >= plainFrom && !/[\p{L}\p{N}_.]$/u.test(text.slice(Math.max(0, at - 2), at)); // no e-mail address
    const person = mayName ? byLength.find(({ name }) => isNamed(text, at + 1, name)) : undefined;
    if (person === undefined) continue;
    if (at > plainFrom) parts.push({ text: text.slice(plainFrom, at), person: undefined });
    plainFrom = at + 1 + person.name.length;
    parts.push({ text: text.slice(at, plainFrom), person });
  }
  if (plainFrom < text.length) parts.push({ text: text.slice(plainFrom), person: undefined });
  return parts;
}

/** Ids of those whom the text names, each once. */
export function listMentions(text: string, people: readonly Person[]): string[] {
  return [...new Set(splitMentions(text, people).flatMap(({ person }) => person?.id ?? []))];
}

/** What is being typed behind the last `@` before the cursor; undefined where no name can be meant. */
export function findMentionAt(text: string, cursor: number): string | undefined {
  return /(?:^|\s)@([^\s@]{0,40})$/.exec(text.slice(0, cursor))?.[1];
}

/** `@An` before the cursor becomes `@Ann `. */
export function completeMention(text: string, cursor: number, name: string): string {
  return `${text.slice(0, cursor).replace(/@[^\s@]*$/, `@${name} `)}${text.slice(cursor)}`;
}

/** Not where the word goes on: `@Anna` does not name Ann. */
function isNamed(text: string, at: number, name: string): boolean {
  if (name === '' || !text.startsWith(name, at)) return false;
  return !/^[\p{L}\p{N}_]/u.test(text.slice(at + name.length, at + name.length + 2));
}
