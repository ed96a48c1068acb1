// No text can stall a pattern: every schema of the source, against texts made to be hard for it.

import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { KindGuard, type TSchema, type TString } from '@sinclair/typebox';
import { Glob } from 'bun';
import { userTopics } from '../../src/auth/topics.ts';
import { chat } from '../../src/modules/chat/topics.ts';
import { app } from '../../src/modules/topics/operations.ts';
import { compileCheck } from '../../src/protocol/check.ts';
import { createTopicKinds } from '../../src/realtime/topic-kind.ts';

const source = join(import.meta.dir, '../../src');

/** Every text with a pattern, once for each pattern, by where it was found first. */
async function findPatterns(): Promise<Map<string, TString>> {
  const found = new Map<string, TString>();
  const seen = new Set<string>();
  const visit = (part: unknown, where: string): void => {
    if (part === null || typeof part !== 'object') return;
    if (KindGuard.IsString(part) && part.pattern !== undefined) {
      const text = JSON.stringify([part.pattern, part.maxLength]);
      if (!seen.has(text)) found.set(where, part);
      seen.add(text);
    }
    for (const [name, inner] of Object.entries(part)) visit(inner, `${where}/${name}`);
  };
  for await (const file of new Glob('{protocol,realtime,auth,modules}/**/*.ts').scan(source)) {
    for (const [name, value] of Object.entries(await import(join(source, file)))) {
      if (KindGuard.IsKind(value) || KindGuard.IsSchema(value)) visit(value, `${file} ${name}`);
    }
  }
  return found;
}

const size = 1_000_000;
/** What a pattern tries hardest on: nearly right to the very end, with many ways to be split up. */
const hard = [
  'a',
  '0',
  '-',
  '.',
  ' ',
  'a.',
  'a@',
  '@a.',
  ',',
  '0-',
  '\u{1f98a}',
  'a\u{1f98a}',
  '\ud800',
  '\0',
  '\n',
  '*',
];
const ids = `${Array.from({ length: 100 }, () => crypto.randomUUID()).join()},`;
const starts = ['', 'a@', 'https://', 'app:', 'user:', '00000000-0000-4000-8000-', ids];
const texts = starts.flatMap((start) =>
  hard.flatMap((part) =>
    ['', '\0', '!', '\udc00'].map((end) => start + part.repeat(size / part.length) + end),
  ),
);

const patterns = await findPatterns();

describe('a text of a million characters is refused in no time', () => {
  test('there are patterns', () => {
    // The ones of e-mail addresses, names, ids, messages, types and events at least.
    expect(patterns.size).toBeGreaterThan(9);
  });

  test.each([...patterns])('by %s', (_, schema) => {
    const check = compileCheck(schema as TSchema);
    let worstMs = 0;
    for (const text of texts) {
      const startedAt = performance.now();
      const errors = check.fits(text) ? [] : check.listErrors(text, '');
      worstMs = Math.max(worstMs, performance.now() - startedAt);
      expect(errors.length).toBe(1);
    }
    expect(worstMs).toBeLessThan(150); // 370 ms for the first ones that were found
  });

  test('as the name of a topic', () => {
    const kinds = createTopicKinds([userTopics, app, chat]);
    const startedAt = performance.now();
    for (const text of texts) expect(kinds.find(text)).toBeUndefined();
    expect((performance.now() - startedAt) / texts.length).toBeLessThan(10);
  });
});

describe('a text that is just long enough takes no time either', () => {
  test.each([...patterns].filter(([, { maxLength }]) => maxLength !== undefined))('for %s', (_, schema) => {
    const check = compileCheck(schema as TSchema);
    const length = schema.maxLength ?? 0;
    const startedAt = performance.now();
    for (const text of texts) {
      const fitting = text.slice(0, length - 1) + text.slice(-1);
      if (!check.fits(fitting)) check.listErrors(fitting, '');
    }
    expect((performance.now() - startedAt) / texts.length).toBeLessThan(10);
  });
});
