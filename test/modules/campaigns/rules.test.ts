// The rules, without a server: what variables are like, what fits them, how far world time goes.

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  maxStepSeconds,
  maxVariablesBytes,
  type VariableSchema,
  type Variables,
} from '../../../src/modules/campaigns/contract.ts';
import {
  advance,
  findChanged,
  findMalformed,
  findMisfits,
  isSame,
  requireFit,
  requireInstant,
} from '../../../src/modules/campaigns/rules.ts';
import type { AppError } from '../../../src/protocol/errors.ts';

function refusal(work: () => unknown): { code: string; message: string } | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    const { code, message } = error as AppError; // anything else has no code, which no expectation below takes
    return { code, message };
  }
}

describe('variables', () => {
  const schemas: VariableSchema[] = [
    { name: 'count', type: 'number', min: 0, max: 10 },
    { name: 'free', type: 'number' },
    { name: 'title', type: 'string' },
    { name: 'open', type: 'boolean' },
    { name: 'mood', type: 'enum', options: ['calm', 'wild'] },
  ];

  test.each<[Variables]>([
    [{}],
    [{ count: 0 }],
    [{ count: 10 }],
    [{ free: -1e308 }],
    [{ title: '' }],
    [{ open: false }],
    [{ mood: 'wild' }],
    [{ count: 1, free: 0.5, title: 'x', open: true, mood: 'calm' }],
  ])('fit: %j', (variables) => {
    expect(findMisfits(variables, schemas)).toEqual([]);
  });

  test.each<[Variables, string]>([
    [{ count: -1 }, 'Expected at least 0'],
    [{ count: 10.5 }, 'Expected at most 10'],
    [{ count: '5' }, 'Expected a number'],
    [{ title: 5 }, 'Expected a string'],
    [{ open: 'true' }, 'Expected a boolean'],
    [{ mood: 'angry' }, 'Expected one of "calm", "wild"'],
    [{ mood: true }, 'Expected one of "calm", "wild"'],
    [{ other: 1 }, 'Expected a schema of this name'],
    [{ toString: 1 } as unknown as Variables, 'Expected a schema of this name'],
  ])('do not fit: %j: %s', (variables, message) => {
    const [name = ''] = Object.keys(variables);
    expect(findMisfits(variables, schemas)).toEqual([{ path: `/variables/${name}`, message }]);
  });

  test.each([
    [{ variables: { '': 1 } }, '/variables/'],
    [{ variables: { '1a': 1 } }, '/variables/1a'],
    [{ variables: { 'a/b': 1 } }, '/variables/a~1b'],
    [{ variables: { [`a${'b'.repeat(64)}`]: 1 } }, `/variables/a${'b'.repeat(64)}`],
    [{ variables: JSON.parse('{"__proto__":1}') }, '/variables/__proto__'],
    [{ variables: { constructor: 1 } as unknown as Variables }, '/variables/constructor'],
    [{ variables: { prototype: 1 } }, '/variables/prototype'],
    [{ variableSchemas: [{ name: '__proto__', type: 'string' }] }, '/variableSchemas/0/name'],
    [
      {
        variableSchemas: [
          { name: 'a', type: 'string' },
          { name: 'a', type: 'number' },
        ],
      },
      '/variableSchemas/1/name',
    ],
    [{ variableSchemas: [{ name: 'a', type: 'number', min: 2, max: 1 }] }, '/variableSchemas/0/max'],
    [{ variableSchemas: [{ name: 'a', type: 'enum', options: ['x', 'x'] }] }, '/variableSchemas/0/options'],
  ] as [Parameters<typeof findMalformed>[0], string][])('are malformed: %j at %s', (given, path) => {
    expect(findMalformed(given).map((field) => field.path)).toEqual([path]);
  });

  test('32 of them are well-formed and 33 are not', () => {
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`v${n}`, n]));
    expect(findMalformed({ variables: many(32) })).toEqual([]);
    expect(findMalformed({ variables: many(33) }).map(({ path }) => path)).toEqual(['/variables']);
  });

  test('a schema with one bound, or with equal ones, is well-formed', () => {
    const bounds = [{ min: 1 }, { max: 1 }, { min: 1, max: 1 }];
    const variableSchemas = bounds.map((bound, n) => ({ name: `v${n}`, type: 'number' as const, ...bound }));
    expect(findMalformed({ variableSchemas })).toEqual([]);
  });

  test('their size counts as JSON in UTF-8, and the limit is a conflict that names it', () => {
    const variableSchemas: VariableSchema[] = [{ name: 'a', type: 'string' }];
    const withBytes = (bytes: number) => ({
      variables: { a: `€${'x'.repeat(bytes - 11)}` },
      variableSchemas,
    });
    expect(Buffer.byteLength(JSON.stringify(withBytes(4_096).variables))).toBe(maxVariablesBytes);
    expect(refusal(() => requireFit(withBytes(4_096)))).toBeUndefined();
    expect(refusal(() => requireFit(withBytes(4_097)))).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('4096'),
    });
  });

  const value = fc.oneof(fc.string({ maxLength: 5 }), fc.double({ noNaN: true }), fc.boolean());
  const variables = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), value);

  test('[property] what changed is what has another value, and nothing where they are the same', () => {
    fc.assert(
      fc.property(variables, variables, (before, after) => {
        const changed = findChanged(before, after);
        expect(changed).toEqual([...changed].sort());
        expect(findChanged(after, before)).toEqual(changed);
        const apart = ['a', 'b', 'c', 'd'].filter(
          (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
        );
        expect(changed).toEqual(apart);
        expect(changed.length === 0).toBe(isSame(before, after));
      }),
    );
  });

  test('[property] a variable fits the schema that is made for it, and no schema of another type', () => {
    fc.assert(
      fc.property(value, (given) => {
        const types = ['string', 'number', 'boolean'] as const;
        const fitting = types.filter((type) => findMisfits({ a: given }, [{ name: 'a', type }]).length === 0);
        expect(fitting as string[]).toEqual([typeof given]);
      }),
    );
  });

  test('[property] the order of fields is no difference', () => {
    fc.assert(
      fc.property(variables, (given) => {
        expect(isSame(given, Object.fromEntries(Object.entries(given).reverse()))).toBe(true);
      }),
    );
  });
});

describe('world time', () => {
  test.each([
    ['0001-01-01T00:00:00.000Z', { seconds: 1 }, '0001-01-01T00:00:01.000Z'],
    ['2026-02-28T23:59:59.999Z', { seconds: 1 }, '2026-03-01T00:00:00.999Z'],
    ['0099-12-31T23:59:59.000Z', { seconds: 1 }, '0100-01-01T00:00:00.000Z'],
    ['2000-01-01T00:00:00.000Z', { seconds: maxStepSeconds }, '2100-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:58.999Z', { seconds: 1 }, '9999-12-31T23:59:59.999Z'],
    ['2026-01-01T00:00:00.000Z', { to: new Date('2026-01-01T00:00:01.500Z') }, '2026-01-01T00:00:01.500Z'],
  ])('from %s by %j is %s', (present, step, current) => {
    const elapsedSeconds = (Date.parse(current) - Date.parse(present)) / 1_000;
    expect(advance(present, step)).toEqual({ previous: present, current, elapsedSeconds });
  });

  test.each([
    ['back', '2026-01-01T00:00:00.000Z', { to: new Date('2025-01-01') }, /forward only/],
    ['where it is', '2026-01-01T00:00:00.000Z', { to: new Date('2026-01-01') }, /forward only/],
    [
      'less than a second',
      '2026-01-01T00:00:00.000Z',
      { to: new Date(Date.UTC(2026, 0, 1, 0, 0, 0, 999)) },
      /1 second/,
    ],
    ['over 100 years', '2026-01-01T00:00:00.000Z', { to: new Date('2126-01-03') }, /100 years/],
    ['out of the years', '9999-12-31T23:59:59.000Z', { seconds: 1 }, /9999/],
  ])('%s is a conflict that says why', (_, present, step, message) => {
    expect(refusal(() => advance(present, step))).toEqual({
      code: 'conflict',
      message: expect.stringMatching(message),
    });
  });

  test.each(['2026-02-30T00:00:00Z', '0000-01-01T00:00:00Z', '2026-13-01T00:00:00Z', '2026-01-01T25:00:00Z'])(
    '%s is no instant',
    (text) => {
      expect(refusal(() => requireInstant(text, '/to'))?.code).toBe('invalid');
    },
  );

  test('[property] steps add up, whatever they are', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1_000_000 })), (steps) => {
        const start = '0001-01-01T00:00:00.000Z';
        const end = steps.reduce((present, seconds) => advance(present, { seconds }).current, start);
        const sum = steps.reduce((total, seconds) => total + seconds, 0);
        expect(Date.parse(end) - Date.parse(start)).toBe(sum * 1_000);
      }),
    );
  });

  test('[property] an instant and the step to it lead to the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: maxStepSeconds }), (seconds) => {
        const present = '1203-04-05T06:07:08.090Z';
        const bySeconds = advance(present, { seconds });
        expect(advance(present, { to: new Date(bySeconds.current) })).toEqual(bySeconds);
      }),
    );
  });
});
