// What the module's README shows, it does: the session, word for word and again, the worker in Python, and the demo worker.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import type { TestUser } from '../../support/api.ts';
import { startChild } from '../../support/child.ts';
import { endLater, makeFolder, removeFolder } from '../../support/janitor.ts';
import { describeWith } from '../../support/needs.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { act, create, must, registerWorker, rootEmail, statusOf } from './setup.ts';

const project = join(import.meta.dir, '../../..');
const pythonMissing = Bun.which('python3') === null ? 'no python3 is on the PATH' : undefined;

async function readBlock(language: string): Promise<string> {
  const readme = await Bun.file(join(project, 'src/modules/jobs/README.md')).text();
  const [, block = ''] = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(readme) ?? [];
  expect(block).not.toBe('');
  return block;
}

onEachDatabase('the README of jobs', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let worker: TestUser;
  let folder: string;

  beforeAll(async () => {
    server = await open({ ADMIN_EMAILS: rootEmail });
    await server.register('Root', { email: rootEmail });
    ann = await server.register('Ann');
    worker = await registerWorker(server);
    folder = makeFolder('jobs-readme');
  });
  afterAll(() => removeFolder(folder));

  const account = () => ({
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    CARILLON_URL: server.url,
    CARILLON_EMAIL: worker.email,
    CARILLON_PASSWORD: worker.password,
  });

  test('the session can be pasted twice, and answers what it says', async () => {
    const session = await readBlock('sh');
    for (const round of [1, 2]) {
      // A file: what the session leaves running in the background would hold a pipe open.
      const log = join(folder, `session-${round}.log`);
      const shell = Bun.spawn(['bash', '-c', 'exec bash -s > "$0" 2>&1', log], {
        cwd: project,
        env: { PATH: process.env.PATH, HOME: process.env.HOME, CARILLON_URL: server.url },
        stdin: new Blob([session]),
      });
      const forget = endLater(shell.pid, 'KILL');
      await shell.exited;
      forget();
      const lines = (await Bun.file(log).text()).trim().split('\n');
      const answers = lines.filter((line) => !/demo|is done/.test(line));
      expect(answers).toEqual(['worker', '{}', 'completed', 'Hello Ann', 'queued', 'completed']);
    }
  }, 60_000);

  test('the demo worker counts, and leaves what was cancelled', async () => {
    const child = await startChild({
      command: [process.execPath, '--no-env-file', 'src/modules/jobs/demo-worker.ts'],
      cwd: project,
      env: account(),
      stopSignal: 'SIGTERM',
      isReady: (line) => line.includes('waits for jobs'),
    });
    const client = await server.connect(ann);
    const long = await create(server, ann, { payload: { to: 1_000 } });
    await client.subscribe(`job:${long.id}`);
    expect((await client.next('job.progress')).payload).toMatchObject({
      current: 1,
      total: 1_000,
      message: '1 of 1000',
    });
    await act(server, ann, long, 'cancel');
    await until(() => child.output.includes(`${long.id} is not ours any more`), 'it learns of the cancel');
    const job = await create(server, ann, { payload: { to: 2 } });
    await until(async () => (await statusOf(server, job)) === 'completed', 'it counts');
    expect(await must(server, ann, 'GET', `/jobs/${job.id}`)).toMatchObject({
      result: { counted: 2 },
      progress: { current: 2, percentage: 100 },
    });
    client.close();
    await child.stop();
  });

  describeWith('with python3', pythonMissing, () => {
    test('the worker in Python has 40 lines at most, works, fails what it cannot do, and leaves what was cancelled', async () => {
      const program = await readBlock('python');
      expect(program.trimEnd().split('\n').length).toBeLessThanOrEqual(40);
      const file = join(folder, 'worker.py');
      await Bun.write(file, program);
      const job = await create(server, ann, { type: 'words.count', payload: { text: 'one two three' } });
      const wrong = await create(server, ann, { type: 'words.count', payload: 1, maxAttempts: 1 });
      const child = await startChild({
        command: ['sh', '-c', 'echo starting; exec python3 "$0"', file],
        env: account(),
        stopSignal: 'SIGTERM',
        isReady: (line) => line.includes('starting'),
      });
      await until(async () => (await statusOf(server, wrong)) === 'failed', 'it fails the wrong one');
      expect(await must(server, ann, 'GET', `/jobs/${job.id}`)).toMatchObject({
        status: 'completed',
        result: { words: 3 },
        progress: { current: 3, total: 3, message: 'three' },
        workerId: expect.stringContaining('python-'),
      });
      expect((await must(server, ann, 'GET', `/jobs/${wrong.id}`)).error).toContain('not subscriptable');
      const client = await server.connect(ann);
      const text = 'word '.repeat(10_000);
      const long = await create(server, ann, { type: 'words.count', payload: { text } });
      await client.subscribe(`job:${long.id}`);
      await client.next('job.progress');
      await act(server, ann, long, 'cancel');
      const next = await create(server, ann, { type: 'words.count', payload: { text: 'again' } });
      await until(async () => (await statusOf(server, next)) === 'completed', 'it goes on with the next one');
      expect(await statusOf(server, long)).toBe('cancelled');
      client.close();
      await child.stop();
    }, 30_000);
  });
});
