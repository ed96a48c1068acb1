// Variables of settlements and structures, over HTTP: what is refused, what is over a limit, what comes back.

import { beforeAll, expect, test } from 'bun:test';
import { type Kingdom, type Settlement, settlementTopic } from '../../../src/modules/campaigns/contract.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  attempt,
  createCampaign,
  createKingdom,
  createSettlement,
  createStructure,
  eventsOf,
  must,
  outputOf,
  refusalOf,
  registerAll,
} from './setup.ts';

onEachDatabase('variables in campaigns', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let kingdom: Kingdom;
  let settlement: Settlement;

  beforeAll(async () => {
    server = await open();
    [ann] = await registerAll(server, 'Ann');
    kingdom = await createKingdom(server, ann, await createCampaign(server, ann));
    settlement = await createSettlement(server, ann, kingdom);
  });

  const schemas = [
    { name: 'population', type: 'number', min: 0, max: 1_000 },
    { name: 'mood', type: 'enum', options: ['calm', 'wild'] },
    { name: 'open', type: 'boolean' },
    { name: 'motto', type: 'string' },
  ];

  const malformed: [string, object][] = [
    ['level 101', { level: 101 }],
    ['level −1', { level: -1 }],
    ['level 1.5', { level: 1.5 }],
    ['a variable without a schema', { variables: { a: 1 } }],
    [
      'a variable that does not fit',
      { variables: { a: 'x' }, variableSchemas: [{ name: 'a', type: 'number' }] },
    ],
    ['a variable that is null', { variables: { a: null }, variableSchemas: [{ name: 'a', type: 'string' }] }],
    ['a variable that is a list', { variables: { a: [] }, variableSchemas: [{ name: 'a', type: 'string' }] }],
    ['a variable with a NUL', { variables: { a: '\0' }, variableSchemas: [{ name: 'a', type: 'string' }] }],
    [
      'a variable with half a surrogate pair',
      { variables: { a: '\ud800' }, variableSchemas: [{ name: 'a', type: 'string' }] },
    ],
    [
      'a variable called __proto__',
      JSON.parse('{"variables":{"__proto__":1},"variableSchemas":[{"name":"a","type":"number"}]}'),
    ],
    ['a schema called __proto__', { variableSchemas: [{ name: '__proto__', type: 'number' }] }],
    ['a schema of no type', { variableSchemas: [{ name: 'a', type: 'list' }] }],
    ['a bound of a string', { variableSchemas: [{ name: 'a', type: 'string', max: 1 }] }],
    ['bounds the wrong way round', { variableSchemas: [{ name: 'a', type: 'number', min: 2, max: 1 }] }],
    ['a choice without options', { variableSchemas: [{ name: 'a', type: 'enum', options: [] }] }],
    [
      'a choice with an option twice',
      { variableSchemas: [{ name: 'a', type: 'enum', options: ['x', 'x'] }] },
    ],
    [
      'two schemas of one name',
      {
        variableSchemas: [
          { name: 'a', type: 'string' },
          { name: 'a', type: 'string' },
        ],
      },
    ],
    [
      '33 schemas',
      { variableSchemas: Array.from({ length: 33 }, (_, n) => ({ name: `v${n}`, type: 'string' })) },
    ],
    ['33 variables', { variables: Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`v${n}`, n])) }],
    ['a field that nobody knows', { kingdom: 1 }],
  ];

  test.each(malformed)('%s is invalid, in a settlement and a structure, new or there', async (_, given) => {
    const structure = await createStructure(server, ann, settlement);
    for (const [method, path, body] of [
      ['POST', `/kingdoms/${kingdom.id}/settlements`, { name: 'x', ...given }],
      ['PATCH', `/settlements/${settlement.id}`, { version: 1, ...given }],
      ['POST', `/settlements/${settlement.id}/structures`, { name: 'x', type: 'x', ...given }],
      ['PATCH', `/structures/${structure.id}`, { version: 1, ...given }],
    ] as const) {
      const { status, body: answer } = await attempt(server, ann, method, path, body);
      expect([method, status, answer.error?.code]).toEqual([method, 400, 'invalid']);
      expect(answer.error.details).not.toBeEmpty();
    }
  });

  test('variables of more than 4 KiB together, and schemas of more than 16 KiB, are conflicts that name the limit', async () => {
    const options = Array.from({ length: 50 }, (_, n) => `${n}`.padEnd(100, '€'));
    for (const [given, limit] of [
      [
        {
          variables: { a: 'x'.repeat(2_000), b: '€'.repeat(700) },
          variableSchemas: ['a', 'b'].map((name) => ({ name, type: 'string' })),
        },
        '4096 bytes',
      ],
      [{ variableSchemas: ['a', 'b'].map((name) => ({ name, type: 'enum', options })) }, '16384 bytes'],
    ] as const) {
      for (const [method, path] of [
        ['POST', `/kingdoms/${kingdom.id}/settlements`],
        ['PATCH', `/settlements/${settlement.id}`],
      ] as const) {
        const body = method === 'POST' ? { name: 'x', ...given } : { version: 1, ...given };
        expect(refusalOf(await attempt(server, ann, method, path, body))).toEqual([
          409,
          'conflict',
          expect.stringContaining(limit),
        ]);
      }
    }
  });

  test('new schemas that present variables do not fit are invalid, unless the same change mends them', async () => {
    const place = await createSettlement(server, ann, kingdom, {
      variables: { population: 120 },
      variableSchemas: schemas,
    });
    const path = `/settlements/${place.id}`;
    const patch = (body: object) => attempt(server, ann, 'PATCH', path, { version: 1, ...body });
    const narrow = [{ name: 'population', type: 'number', max: 100 }];
    const refused = await patch({ variableSchemas: narrow });
    expect([refused.status, refused.body.error.details]).toEqual([
      400,
      [{ path: '/body/variables/population', message: 'Expected at most 100' }],
    ]);
    expect((await patch({ variableSchemas: [] })).status).toBe(400);
    expect((await patch({ variables: { population: 1_001 } })).status).toBe(400);
    expect(await eventsOf(server, settlementTopic(place.id))).toEqual([]);
    const mended = await patch({ variableSchemas: narrow, variables: { population: 100 } });
    expect(outputOf(mended.body)).toEqual({
      ...place,
      variables: { population: 100 },
      variableSchemas: narrow,
      version: 2,
    });
    // A schema may stand without its variable, and all of them go with what takes their place.
    const emptied = await must(server, ann, 'PATCH', path, { version: 2, variables: {} });
    expect(emptied.variables).toEqual({});
    expect(
      (await must(server, ann, 'PATCH', path, { version: 3, variableSchemas: [] })).variableSchemas,
    ).toEqual([]);
  });

  test('numbers and texts of any kind come back as they were given', async () => {
    const variables = {
      huge: 1e308,
      tiny: 5e-324,
      third: 1 / 3,
      whole: Number.MAX_SAFE_INTEGER,
      text: '\u0001 "quoted" \\ 🎉\n',
      toString: 'mine',
    };
    const variableSchemas = Object.entries(variables).map(([name, value]) => ({ name, type: typeof value }));
    const made = await createStructure(server, ann, settlement, { variables, variableSchemas });
    expect(made.variables).toEqual(variables as unknown as typeof made.variables); // a name that objects have, too
    expect(await must(server, ann, 'GET', `/structures/${made.id}`)).toEqual(made);
    const same = await must(server, ann, 'PATCH', `/structures/${made.id}`, { version: 1, variables });
    expect(same).toEqual(made);
  });
});
