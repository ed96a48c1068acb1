// The session in the module's README, word for word: it works on a new server, and again on one that knows Ann and Ben.

import { afterAll, expect, test } from 'bun:test';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { endLater, makeFolder, removeFolder } from '../../support/janitor.ts';
import { onEachDatabase } from '../../support/server.ts';

/** A paste starts some twenty programs. */
const timeoutMs = 120_000;

const project = join(import.meta.dir, '../../..');

async function readSession(): Promise<string> {
  const readme = await Bun.file(join(project, 'src/modules/campaigns/README.md')).text();
  const [, block = ''] = /^```sh\n(.*?)^```$/ms.exec(readme) ?? [];
  expect(block).not.toBe('');
  return block;
}

/** What a shell says to the text. It goes on whatever fails, as a terminal does. */
async function paste(text: string, folder: string, env: Record<string, string>): Promise<string> {
  // A file: what the session leaves running in the background would hold a pipe open.
  const log = join(folder, `${crypto.randomUUID()}.log`);
  const shell = Bun.spawn(['bash', '-c', 'exec bash -s > "$0" 2>&1', log], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdin: new Blob([text]),
  });
  const forget = endLater(shell.pid, 'KILL');
  await shell.exited;
  forget();
  return await Bun.file(log).text();
}

onEachDatabase('the session of campaigns', (open) => {
  test(
    'can be pasted twice, and Ben hears what the README says',
    async () => {
      const server = await open({ RATE_MESSAGES_PER_MINUTE: '30', RATE_LOGINS_PER_MINUTE: '10' });
      const folder = makeFolder('campaigns-readme');
      afterAll(() => removeFolder(folder));
      for (const name of ['package.json', 'tsconfig.json', 'src', 'node_modules']) {
        symlinkSync(join(project, name), join(folder, name));
      }
      const session = await readSession();
      for (let round = 0; round < 2; round += 1) {
        const output = await paste(session, folder, { CARILLON_URL: server.url });
        const log = await Bun.file(join(folder, 'campaign.log')).text();
        expect(output).toContain(log);
        const heard = [...log.matchAll(/^.*?"type":"([a-z.-]+)","topic":"([a-z]+):/gm)];
        expect(
          heard.map(([, type, kind]) => `${type} ${kind}`).filter((each) => !each.startsWith('subscribe')),
        ).toEqual([
          'settlement.updated campaign',
          'settlement.updated settlement',
          'state.invalidated campaign',
          'world-time.changed campaign',
          'state.invalidated campaign',
          'entity.updated campaign',
          'unsubscribed campaign',
          'unsubscribed settlement',
        ]);
        expect(output).toContain('"current":"1203-04-06T06:00:00.000Z"');
        expect(output.match(/That was another version\./g)).toHaveLength(1);
        expect(output).toContain('"name":"Dead Harrow","level":0,"version":3');
        expect(log).not.toContain('Dead Harrow');
        expect(output).not.toMatch(/"error"|not found|Usage/i);
      }
    },
    timeoutMs,
  );
});
