// What is said of a value that does not fit, on the schemas with alternatives that clients meet.

import { describe, expect, test } from 'bun:test';
import type { TSchema } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { CreateChat } from '../../src/modules/chat/contract.ts';
import { listFieldErrors } from '../../src/protocol/field-errors.ts';
import { Id, nullable } from '../../src/protocol/values.ts';
import { SubscribePayload } from '../../src/realtime/socket/subscribe.ts';

describe('field errors', () => {
  const explain = (schema: TSchema, value: unknown) =>
    listFieldErrors(Value.Errors(schema, value), '/body').map(({ path, message }) => `${path}: ${message}`);

  const chatTypes = ["/body/type: Expected 'group' or 'direct'"];
  const cases: [what: string, schema: TSchema, value: unknown, expected: string[]][] = [
    ['a tag that is none', CreateChat, { type: 'x', participantIds: [] }, chatTypes],
    ['no tag', CreateChat, {}, chatTypes],
    ['no object', CreateChat, 'group', ['/body: Expected object']],
    [
      'the variant of the tag',
      CreateChat,
      { type: 'direct', name: 'Us', participantIds: [] },
      [
        '/body/name: Unexpected property',
        '/body/participantIds: Expected array length to be greater or equal to 1',
      ],
    ],
    [
      'the variant with the fields that are there',
      SubscribePayload,
      { topics: [{ topic: 7 }, {}] },
      ['/body/topics/0/topic: Expected string', '/body/topics/1/topic: Expected required property'],
    ],
    [
      'the first variant that is as near as any',
      SubscribePayload,
      { sequence: 7 },
      ['/body/sequence: Unexpected property'],
    ],
    ['a value or null', nullable(Id), 7, ['/body: Expected string or null']],
    ['a pattern in words', Id, 'x', ['/body: Expected: A UUID in lower case']],
  ];
  for (const [what, schema, value, expected] of cases) {
    test(`name ${what}`, () => {
      expect(explain(schema, value)).toEqual(expected);
    });
  }

  test('are 20 at most', () => {
    const body = { topics: Array.from({ length: 30 }, () => ({})) };
    expect(explain(SubscribePayload, body)).toHaveLength(20);
  });
});
