// `bun run admin <email>`: the first admin of a server.

import { expect, setDefaultTimeout, test } from 'bun:test';
import { readAudit, readUserEvents } from '../auth/log.ts';
import { type Env, onEachDatabase } from '../support/server.ts';
import { runProgram } from './program.ts';

setDefaultTimeout(40_000);

const makeAdmin = (env: Env, ...args: string[]) => runProgram(['admin', ...args], env);

onEachDatabase('bun run admin', (open, database) => {
  test('makes an admin of the user with the address, once; it says who', async () => {
    const env = await database.create();
    const before = await open(env);
    const ann = await before.register('Ann');
    if (database.kind === 'embedded') {
      expect((await makeAdmin(env, ann.email)).complaints).toStartWith('Nobody was made an admin. ');
      await before.stop();
    }
    const made = await makeAdmin(env, ann.email.toUpperCase());
    expect(made).toMatchObject({ code: 0, output: `Ann (${ann.email}) is an admin now.\n` });
    expect((await makeAdmin(env, ann.email)).output).toBe(`Ann (${ann.email}) was one already.\n`);
    const after = database.kind === 'embedded' ? await open(env) : before;
    const users = await after.request('GET', '/v1/admin/users', { token: ann.accessToken });
    expect(users.status).toBe(200);
    expect(await readUserEvents(after.db, ann.id)).toEqual([
      { type: 'role.changed', payload: { role: 'admin' } },
    ]);
    expect((await readAudit(after.db, ann.id)).at(-1)).toMatchObject({
      event: 'role_changed',
      details: { by: 'bun run admin', to: 'admin' },
    });
    await after.stop();
  });

  test('an address that nobody has, none and several are refused', async () => {
    const env = await database.create();
    const server = await open(env);
    await server.stop();
    for (const [args, complaint] of [
      [['nobody@example.com'], 'Nobody has registered with nobody@example.com.'],
      [[], 'Name one e-mail address: bun run admin <email>'],
      [['a@example.com', 'b@example.com'], 'Name one e-mail address: bun run admin <email>'],
    ] as const) {
      expect(await makeAdmin(env, ...args)).toMatchObject({
        code: 1,
        output: '',
        complaints: `Nobody was made an admin. ${complaint}\n`,
      });
    }
  });
});
