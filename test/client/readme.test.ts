// README's first session, word for word: it works on a new server, and pasted again on one that knows Ann and Ben.

import { afterAll, expect, test } from 'bun:test';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { endLater, makeFolder, removeFolder } from '../support/janitor.ts';
import { onEachDatabase } from '../support/server.ts';

/** A paste starts some fifteen programs. */
const timeoutMs = 120_000;

const project = join(import.meta.dir, '../..');

/** The shell blocks between a heading and another one. */
async function readBlocks(from: string, to: string): Promise<string> {
  const readme = await Bun.file(join(project, 'README.md')).text();
  const start = readme.indexOf(`\n${from}\n`);
  const end = readme.indexOf(`\n${to}\n`, start);
  expect([start, end].every((index) => index >= 0)).toBe(true);
  const blocks = [...readme.slice(start, end).matchAll(/^```sh\n(.*?)^```$/gms)];
  return blocks.map(([, block]) => block).join('\n');
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

const listMatches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, found]) => found);

onEachDatabase('the first session of README', (open) => {
  const ofDefault = {
    RATE_LOGINS_PER_MINUTE: '10',
    RATE_MESSAGES_PER_MINUTE: '30',
    RATE_REGISTRATIONS_PER_HOUR: '20',
  };

  test(
    'can be pasted any number of times, into the same terminal and into another',
    async () => {
      const server = await open(ofDefault);
      const folder = makeFolder('readme');
      afterAll(() => removeFolder(folder));
      for (const name of ['package.json', 'tsconfig.json', 'src', 'node_modules']) {
        symlinkSync(join(project, name), join(folder, name));
      }
      const session = await readBlocks('## A first session', '## From a page or a program');
      const env = { CARILLON_URL: server.url };

      const twice = await paste(`${session}\n${session}`, folder, env);
      const elsewhere = await paste(session, folder, env);
      const output = twice + elsewhere;

      // Where Ben came back, and what he got: the two messages that he missed, each time.
      expect(listMatches(output, /→ \{"id":"t1","type":"subscribe",.*"payload":\{"since":(\d+)\}/g)).toEqual([
        '2',
        '5',
        '8',
      ]);
      expect(listMatches(output, /← \{"type":"ok","id":"t1",.*"seq":(\d+),.*"replay":2\}/g)).toEqual([
        '2',
        '5',
        '8',
      ]);
      // Any client: the chat from its beginning, three messages longer each time.
      expect(listMatches(output, /^\{"type":"ok","id":"1",.*"seq":0,"head":(\d+),/gm)).toEqual([
        '4',
        '7',
        '10',
      ]);
      expect(listMatches(output, /^\{"topic":"app:public.lobby",.*"seq":(\d+)\}\]\}/gm)).toEqual([
        '1',
        '2',
        '3',
      ]);
      expect(output).not.toMatch(/error|refused|not found|Usage/i);
    },
    timeoutMs,
  );
});
