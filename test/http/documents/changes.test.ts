// What changed between two documents: our own ones, each with one thing done to it, and the sentence that names it.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compareDocuments, sayChange } from '../../../src/http/documents/changes.ts';
import { copyOf, type Documents } from '../../../src/http/documents/served.ts';
import { removeFolder } from '../../support/janitor.ts';

// biome-ignore lint/suspicious/noExplicitAny: what is done to the documents reaches anywhere into them
type Loose = any;

const copies: Documents = {
  openapi: await Bun.file(copyOf('openapi')).json(),
  asyncapi: await Bun.file(copyOf('asyncapi')).json(),
};

const say = (name: keyof Documents, change: (document: Loose) => void): string[] => {
  const after = structuredClone(copies[name]);
  change(after);
  return compareDocuments(copies[name], after).map(sayChange);
};

test.each(['openapi', 'asyncapi'] as const)('nothing changed in the same %s document', (name) => {
  expect(say(name, () => {})).toEqual([]);
});

const bodyOf = (route: Loose): Loose => route.requestBody.content['application/json'].schema;
const inForbidden = { $ref: '#/components/schemas/ForbiddenError' };

const ofRoutes: readonly (readonly [string, (document: Loose) => unknown, string[]])[] = [
  ['a route is gone', ({ paths }) => delete paths['/v1/chats'].get, ['breaking: GET /v1/chats: is gone.']],
  ['a route is new', ({ paths }) => (paths['/v1/new'] = paths['/v1/chats']), []],
  [
    'a field of a body is gone',
    ({ paths }) => delete bodyOf(paths['/v1/auth/login'].post).properties.password,
    ['breaking: POST /v1/auth/login, body /password: is gone.'],
  ],
  [
    'a body takes less',
    ({ paths }) => (bodyOf(paths['/v1/chats/{chatId}/messages'].post).properties.content.maxLength = 9),
    ['breaking: POST /v1/chats/{chatId}/messages, body /content: its maxLength was 10000, and is 9 now.'],
  ],
  [
    'a body is needed where there was none',
    ({ paths }) => {
      const schema = { type: 'object', required: ['why'], properties: { why: { type: 'string' } } };
      paths['/v1/auth/logout'].post.requestBody = { content: { 'application/json': { schema } } };
    },
    ['breaking: POST /v1/auth/logout, body /why: is new, and required.'],
  ],
  [
    'a parameter is gone',
    ({ paths }) => paths['/v1/chats'].get.parameters.shift(),
    ['breaking: GET /v1/chats, query /limit: is gone.'],
  ],
  [
    'a parameter is required now',
    ({ paths }) => (paths['/v1/chats'].get.parameters[0].required = true),
    ['breaking: GET /v1/chats, query /limit: is required now.'],
  ],
  [
    'a shape that is answered has a field less',
    ({ components }) => delete components.schemas.Member.properties.role,
    ['breaking: Member (as in POST /v1/chats, answer) /role: is gone.'],
  ],
  [
    'a shape that is answered knows a new word',
    ({ components }) => components.schemas.Member.properties.role.enum.push('guest'),
    ['warning: Member (as in POST /v1/chats, answer) /role: may be "guest" now.'],
  ],
  [
    'a token is needed now',
    ({ paths }) => (paths['/v1/auth/login'].post.security = [{ bearer: [] }]),
    ['breaking: POST /v1/auth/login: needs a token now.'],
  ],
  ['no token is needed any more', ({ paths }) => (paths['/v1/chats'].get.security = []), []],
  [
    'success has another status',
    ({ paths }) => {
      const { responses } = paths['/v1/chats'].post;
      [responses[200], responses[201]] = [responses[201], undefined];
      delete responses[201];
    },
    ['breaking: POST /v1/chats: its status was 201, and is 200 now.'],
  ],
  [
    'a refusal is new',
    ({ paths }) =>
      (paths['/v1/chats'].get.responses[403] = { content: { 'application/json': { schema: inForbidden } } }),
    ['note: GET /v1/chats: may refuse with ForbiddenError now.'],
  ],
  [
    'a refusal says less',
    ({ components }) => delete components.schemas.InvalidError.properties.error.properties.details,
    ['breaking: InvalidError (as in refusal InvalidError, frame) /error/details: is gone.'],
  ],
];

test.each(ofRoutes)('of HTTP: %s', (_, change, expected) => {
  expect(say('openapi', change)).toEqual(expected);
});

const eventsOn = (kind: string): string[] =>
  Object.keys(copies.asyncapi.channels[kind]?.messages ?? {}).map((key) =>
    key.replace(/^(?:event|live)[.]/, ''),
  );
const frameOf = ({ components }: Loose, key: string): Loose => components.messages[key].payload;

const ofSocket: readonly (readonly [string, (document: Loose) => unknown, string[]])[] = [
  ['a command is gone', ({ operations }) => delete operations.typing, ['breaking: command typing: is gone.']],
  ['a command is new', ({ operations }) => (operations['typing.again'] = operations.typing), []],
  [
    'a command takes a key no longer',
    (document) => delete frameOf(document, 'command.message.send').properties.key,
    ['breaking: command message.send, frame /key: is gone.'],
  ],
  [
    'a command needs one more field',
    (document) => {
      const { payload } = frameOf(document, 'command.message.send').properties;
      payload.properties.colour = { type: 'string' };
      payload.required.push('colour');
    },
    ['breaking: command message.send, frame /payload/colour: is new, and required.'],
  ],
  [
    'a command is answered late now',
    ({ operations }) => (operations['message.send']['x-late'] = true),
    ['breaking: command message.send: is answered behind later commands now.'],
  ],
  [
    'a command refuses with one code more',
    ({ operations }) => operations.ping['x-refuses'].push('conflict'),
    ['note: command ping: may refuse with conflict now.'],
  ],
  [
    'a reply says less',
    (document) => delete frameOf(document, 'reply.unsubscribe').properties.payload.properties.topic,
    ['breaking: command unsubscribe, reply /payload/topic: is gone.'],
  ],
  [
    'a kind of topic is gone, and what happens there with it',
    ({ channels }) => delete channels['user-jobs'],
    [
      'breaking: topics user-jobs: is gone.',
      ...eventsOn('user-jobs').map((name) => `breaking: event ${name} on user-jobs: is gone.`),
    ],
  ],
  [
    'topics are called otherwise',
    ({ channels }) => (channels.chat.address = 'room:{chatId}'),
    ['breaking: topics chat: its address was chat:{chatId}, and is room:{chatId} now.'],
  ],
  [
    'a kind of topic loses its presence and its snapshot',
    ({ channels }) => {
      channels.chat['x-presence'] = false;
      delete channels.job['x-snapshot'];
    },
    ['breaking: topics chat: have presence no longer.', 'breaking: topics job, snapshot: is gone.'],
  ],
  [
    'an event is no longer durable',
    ({ components }) => (components.messages['event.message.created']['x-durable'] = false),
    ['breaking: event message.created on chat: is durable no longer.'],
  ],
  [
    'an event comes on one kind of topic less',
    ({ channels }) => delete channels.campaign.messages['event.profile.updated'],
    ['breaking: event profile.updated on campaign: is gone.'],
  ],
  [
    'an event says less',
    (document) => delete frameOf(document, 'event.typing').properties.payload.properties.active,
    ['breaking: event typing on chat, frame /payload/active: is gone.'],
  ],
  [
    'a notice says less',
    ({ components }) => delete components.schemas.Welcome.properties.limits,
    ['breaking: Welcome (as in notice welcome, frame /payload) /limits: is gone.'],
  ],
];

test.each(ofSocket)('of the socket: %s', (_, change, expected) => {
  expect(say('asyncapi', change)).toEqual(expected);
});

test('what breaks comes first, and what is good to know last', () => {
  const said = say('openapi', ({ paths, components }) => {
    ofRoutes.find(([title]) => title === 'a refusal is new')?.[1]({ paths });
    components.schemas.Member.properties.role.enum.push('guest');
    delete paths['/v1/users/me'].get;
  });
  expect(said.map((sentence) => sentence.split(':')[0])).toEqual(['breaking', 'warning', 'note']);
});

const program = join(import.meta.dir, '../../../src/http/documents/find-breaking.ts');

function run(...given: string[]) {
  const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, program, ...given]);
  return { exitCode, output: stdout.toString(), errors: stderr.toString() };
}

describe('bun run docs:breaking', () => {
  let folder: string;
  const write = async (name: string, text: string) => {
    const path = join(folder, name);
    await Bun.write(path, text);
    return path;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'carillon-breaking-'));
  });
  afterAll(() => removeFolder(folder));

  test('names what breaks clients between two files, and ends with 1', async () => {
    const { operations, ...rest } = copies.asyncapi;
    const { typing: _, ...others } = operations;
    const after = await write('after.json', JSON.stringify({ ...rest, operations: others }));
    expect(run(copyOf('asyncapi'), after)).toEqual({
      exitCode: 1,
      output: 'breaking: command typing: is gone.\n1 changes break clients.\n',
      errors: '',
    });
    expect(run(after, copyOf('asyncapi'))).toMatchObject({
      exitCode: 0,
      output: 'Nothing breaks clients.\n',
    });
  });

  test('compares the copies with what the source says', () => {
    expect(run()).toEqual({ exitCode: 0, output: 'Nothing breaks clients.\n', errors: '' });
  }, 60_000);

  test('says what it cannot read, and ends with 2', async () => {
    const other = await write('other.json', '{}');
    expect(run(other, other)).toMatchObject({
      exitCode: 2,
      errors: `${other} is neither an OpenAPI nor an AsyncAPI document.\n`,
    });
    expect(run(other)).toMatchObject({
      exitCode: 2,
      errors: expect.stringContaining('Name a second document'),
    });
    expect(run('a', 'b', 'c')).toMatchObject({ exitCode: 2, errors: expect.stringContaining('at most two') });
    expect(run('no-revision', 'HEAD')).toMatchObject({
      exitCode: 2,
      errors: expect.stringContaining('no-revision is no file, and no revision'),
    });
  });
});
