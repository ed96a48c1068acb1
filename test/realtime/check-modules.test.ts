// What contradicts itself in the declarations of modules stops the start, and says where it stands.

import { expect, test } from 'bun:test';
import { Type } from '@sinclair/typebox';
import { sql } from 'drizzle-orm';
import { pgTable, timestamp, uuid } from 'drizzle-orm/pg-core';
import { durable, type EventTable } from '../../src/protocol/events.ts';
import { checkModules } from '../../src/realtime/check-modules.ts';
import {
  command,
  defineModule,
  type ModuleCore,
  type Operation,
  query,
  timed,
} from '../../src/realtime/index.ts';
import { type TopicKind, topicKind } from '../../src/realtime/topic-kind.ts';

const core = {} as ModuleCore; // nothing of it is asked for
const strict = { additionalProperties: false };
const Named = Type.Object({ name: Type.String() }, strict);
const Answer = Type.Object({ name: Type.String() }, { title: 'Answer' });
const events = { 'bell.rung': durable(['bell'], Answer) };
const heard = { 'horn.blown': durable(['bell'], Answer, { liveOn: ['bird'] }) };
const bell = topicKind('bell', { events, mayFollow: async () => true });

const read = (http: `GET /${string}`, input = Type.Object({}, strict), name = 'bell.get') =>
  query(name, { summary: 'Look', http, input, output: Answer, run: async () => ({ name: '' }) });
const change = (output: typeof Answer, name = 'bell.ring') =>
  command(name, {
    summary: 'Ring',
    http: 'POST /bells',
    input: Named,
    output,
    run: async (_, input) => input,
  });
const check = (
  operations: readonly Operation[],
  table: EventTable = events,
  kinds: readonly TopicKind[] = [bell],
) =>
  checkModules([
    defineModule('bells', { topicKinds: [bell], events, operations: [] }).start(core),
    defineModule('more', { topicKinds: kinds.slice(1), events: table, operations }).start(core),
  ]);

test('what fits is taken', () => {
  check([change(Answer), read('GET /bells/:name', Named)], { 'bell.cast': durable(['bell'], Answer) });
  const bird = topicKind('bird', { mayFollow: async () => true });
  check([], { 'bell.rung': durable(['bird'], Answer) }, [bell, bird]);
});

test.each<[string, Operation[], string]>([
  ['a name with blanks', [change(Answer, 'Ring it')], 'The operation Ring it: a name has'],
  ['a closed output', [change(Type.Object({ name: Type.String() }, strict))], 'its output is closed'],
  [
    'two operations on one route',
    [read('GET /bells/:name', Named), read('GET /bells/:id', Type.Object({ id: Type.String() }), 'other')],
    'Both bell.get and other have the route GET /bells/:.',
  ],
  ['a field of the path that is not there', [read('GET /bells/:nope', Named)], 'needs a field nope'],
  ['a number in the path', [read('GET /bells/:n', Type.Object({ n: Type.Integer() }))], 'must be text.'],
  [
    'a boolean in the query',
    [read('GET /bells', Type.Object({ loud: Type.Boolean() }))],
    'text or an integer',
  ],
  ['a list in the query', [read('GET /bells', Type.Object({ l: Type.Array(Type.String()) }))], 'the field l'],
  [
    'two shapes of one name',
    [change(Type.Object({ size: Type.Integer() }, { title: 'Answer' }) as never)],
    'Two shapes are called Answer: one of bell.ring, the other of bell.rung.',
  ],
  [
    'an operation that nobody can call',
    [query('x', { summary: 'X', socket: false, input: Named, output: Answer, run: async (_, i) => i })],
    'cannot be called',
  ],
])('%s stops the start', (_, operations, message) => {
  expect(() => check(operations, {})).toThrow(message);
});

test.each<[string, EventTable, string]>([
  ['the event of another module', events, 'Both bells and more have the event bell.rung on bell.'],
  [
    'the event of another module with another payload',
    { 'bell.rung': durable(['bird'], Named) },
    'bells and more mean different things by the event bell.rung.',
  ],
  [
    'an event on no kind of topic',
    { 'x.y': durable(['bel'], Answer) },
    'is on "bel", which is no kind of topic',
  ],
  [
    'an event that is a frame of the server',
    { welcome: durable(['bell'], Answer) },
    'has an event "welcome"',
  ],
])('%s stops the start', (_, table, message) => {
  expect(() => check([], table)).toThrow(message);
});

test('an event may be durable on one kind and live alone on another, and each kind has it so', () => {
  const bird = topicKind('bird', { events: heard, mayFollow: async () => true });
  check([], heard, [bell, bird]);
  expect(bird.events).toEqual({ 'horn.blown': { on: ['bird'], payload: Answer, isDurable: false } });
  expect(bell.carrying(heard).on('x').events).toEqual({ 'horn.blown': heard['horn.blown'] });
  expect(() => check([], heard)).toThrow('The event horn.blown of the module more is on "bird"');
  const twice = { 'horn.blown': durable(['bell'], Answer, { liveOn: ['bell'] }) };
  expect(() => check([], twice)).toThrow('Both more and more have the event horn.blown on bell.');
});

test('a kind may have one topic only', () => {
  const tower = topicKind('tower', { name: { before: 'the:tower' }, id: '', mayFollow: async () => true });
  expect([tower.form, tower.on('').name, tower.parse('the:tower')]).toEqual(['the:tower', 'the:tower', '']);
  expect([tower.parse('the:towers'), tower.parse('the:tower:x')]).toEqual([undefined, undefined]);
});

test('a kind of topic that is there stops the start, and one whose events were left out', () => {
  const same = topicKind('bell', { mayFollow: async () => true });
  expect(() => check([], {}, [bell, same])).toThrow('Both bells and more have the kind of topic bell.');
  const alone = defineModule('bells', { topicKinds: [bell], operations: [] }).start(core);
  expect(() => checkModules([alone])).toThrow('leaves out of its events what bell has: bell.rung');
});

test.each<[string, string, string]>([
  ['a kind without a snapshot', 'bell', 'which has none.'],
  ['a kind that is not there', 'horn', 'which has none.'],
  ['a field that is there', 'chime', 'which has that field already.'],
])('a part of a snapshot is refused on %s', (_, on, message) => {
  const snapshot = { schema: Type.Object({ notes: Type.String() }), read: async () => ({ notes: '' }) };
  const chime = topicKind('chime', { mayFollow: async () => true, snapshot });
  const part = { on, name: 'notes', schema: Type.String(), read: async () => '' };
  const modules = [
    defineModule('bells', { topicKinds: [bell, chime], events, operations: [] }).start(core),
    defineModule('more', { snapshotParts: [part], operations: [] }).start(core),
  ];
  expect(() => checkModules(modules)).toThrow(message);
});

test('two timed things of one name stop the start, whoever has them', () => {
  const table = pgTable('bells', { id: uuid('id').primaryKey(), dueAt: timestamp('due_at') });
  const ring = timed('bell.ring', {
    table,
    id: table.id,
    dueAt: table.dueAt,
    isOpen: sql`true`,
    run: async () => {},
  });
  const bells = defineModule('bells', { timed: [ring], operations: [] }).start(core);
  const more = defineModule('more', {
    timed: (given) => (given === core ? [ring] : []),
    operations: [],
  }).start(core);
  checkModules([bells]);
  expect(() => checkModules([bells, more])).toThrow('Both bells and more have the timed thing bell.ring.');
});
