// From a frame to its command and back: which command waits for which, and what becomes of it where the connection goes
// away in between. [E6]

import { expect, test } from 'bun:test';
import { Type } from '@sinclair/typebox';
import type { Socket } from '../../../src/realtime/socket/connection.ts';
import { createDispatch } from '../../../src/realtime/socket/dispatch.ts';
import { createTelemetry } from '../../../src/telemetry/tracing.ts';
import { createConnection } from '../../support/connection.ts';
import { reporter } from '../../support/reporter.ts';

test('[E6] a command that still waits for the replies before it is not run, nor greeted, once the connection is closed', async () => {
  let saving = Promise.withResolvers<object>();
  const done: string[] = [];
  const readFrame = createDispatch({
    coreCommands: [],
    commands: ['save', 'note'].map((lane) => ({
      type: lane,
      input: Type.Object({}),
      takesKey: false,
      takesTopic: false,
      lane,
      run({ entered }) {
        done.push(lane);
        entered();
        return saving.promise;
      },
    })),
    greet: async () => void done.push('greet'),
    onLimited() {},
    reporter,
    telemetry: createTelemetry(),
  });
  for (const second of ['{"type":"auth"}', '{"type":"note"}']) {
    const connection = createConnection({ readFrame });
    const actor = { userId: 'u', sessionId: 's', role: 'user', source: 'ws' } as const;
    connection.phase = { name: 'live', actor, expiresAtMs: 0, warnAtMs: 0 };
    saving = Promise.withResolvers();
    connection.receive('{"type":"save"}');
    connection.receive(second);
    await new Promise(setImmediate); // the second one waits now for the reply to the first one
    connection.close(1000, 'gone');
    saving.resolve({});
    await connection.finish();
    expect(done.splice(0)).toEqual(['save']);
  }
});

/** A connection whose commands `save` and `note`, each with a lane of its own, and `look`, with none, end when told to. */
function createLanes() {
  const sent: string[] = [];
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const begin = async (name: string): Promise<object> => {
    begun.push(name);
    const { promise, resolve } = Promise.withResolvers<undefined>();
    ends.set(name, () => resolve(undefined));
    await promise;
    return {};
  };
  const readFrame = createDispatch({
    coreCommands: [],
    commands: ['save', 'note', 'look'].map((type) => ({
      type,
      input: Type.Object({}),
      takesKey: false,
      takesTopic: false,
      lane: type === 'look' ? undefined : type,
      run({ actor, entered }) {
        entered();
        return begin(actor.correlationId ?? '');
      },
    })),
    greet: async () => {},
    onLimited() {},
    reporter,
    telemetry: createTelemetry(),
  });
  const connection = createConnection({ readFrame });
  const actor = { userId: 'u', sessionId: 's', role: 'user', source: 'ws' } as const;
  connection.phase = { name: 'live', actor, expiresAtMs: 0, warnAtMs: 0 };
  const socket = {
    send: (frame: string) => sent.push(JSON.parse(frame).id),
    cork: (write: () => void) => write(),
    getBufferedAmount: () => 0,
  };
  connection.open(socket as unknown as Socket, undefined); // all of a socket that a reply touches
  const receive = (type: string, id: string) => connection.receive(JSON.stringify({ id, type }));
  const end = async (id: string) => {
    ends.get(id)?.();
    await turn();
  };
  return { sent, begun, receive, end };
}

/** Whatever could go on has gone on. */
const turn = () => new Promise(setImmediate);

test('[E6] commands of one lane run beside each other, and their replies leave in order, whichever is done first', async () => {
  const { sent, begun, receive, end } = createLanes();
  for (const id of ['1', '2', '3']) receive('save', id);
  await turn();
  expect(begun).toEqual(['1', '2', '3']);
  await end('3');
  await end('2');
  expect(sent).toEqual([]);
  await end('1');
  expect(sent).toEqual(['1', '2', '3']);
});

test.each(['note', 'look'])(
  '[E6] what is not of the lane waits until all before it is answered: %s',
  async (other) => {
    const { sent, begun, receive, end } = createLanes();
    receive('save', '1');
    receive('save', '2');
    receive(other, '3');
    receive('save', '4');
    await turn();
    expect(begun).toEqual(['1', '2']);
    await end('1');
    expect(begun).toEqual(['1', '2']);
    await end('2');
    expect(begun).toEqual(['1', '2', '3']);
    await end('3');
    expect(begun).toEqual(['1', '2', '3', '4']);
    await end('4');
    expect(sent).toEqual(['1', '2', '3', '4']);
  },
);
