// From a frame to its command, where the connection goes away in between.

import { expect, test } from 'bun:test';
import { Type } from '@sinclair/typebox';
import { AppError } from '../../src/protocol/errors.ts';
import { Connection } from '../../src/realtime/connection.ts';
import { createDispatch } from '../../src/realtime/dispatch.ts';

test('[E6] a command that still waits for the replies before it is not run, nor greeted, once the connection is closed', async () => {
  let saving = Promise.withResolvers<undefined>();
  const done: string[] = [];
  const dispatch = createDispatch({
    coreCommands: [],
    commands: ['save', 'note'].map((lane) => ({
      type: lane,
      input: Type.Object({}),
      takesKey: false,
      takesTopic: false,
      lane,
      run(_actor, _input, { entered }) {
        done.push(lane);
        entered();
        return saving.promise;
      },
    })),
    greet: async () => void done.push('greet'),
    onLimited() {},
    toRefusal: (error) => new AppError('internal', String(error)),
  });
  for (const second of ['{"type":"auth"}', '{"type":"note"}']) {
    const connection = new Connection({
      upgradeToken: undefined,
      greetingDeadlineMs: 0,
      limits: { commandsPerSecond: 0, waitingFrames: 256, waitingBytes: 1_000 },
      handleFrame: dispatch,
      onEnded() {},
    });
    const actor = { userId: 'u', sessionId: 's', role: 'user', source: 'ws' } as const;
    connection.phase = { name: 'live', actor, expiresAtMs: 0, warnAtMs: 0 };
    saving = Promise.withResolvers();
    connection.receive('{"type":"save"}');
    connection.receive(second);
    await new Promise(setImmediate); // the second one waits now for the reply to the first one
    connection.close(1000, 'gone');
    saving.resolve(undefined);
    await connection.finish();
    expect(done.splice(0)).toEqual(['save']);
  }
});
