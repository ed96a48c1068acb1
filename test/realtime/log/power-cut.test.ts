// The embedded database behind a power cut: an earlier state of its folder comes back, under another boot of the machine,
// and others write on. Whoever was told of what is lost gets a reset. [S4]

import { afterAll, expect, setDefaultTimeout, test } from 'bun:test';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readConfig } from '../../../src/config.ts';
import { readBootId } from '../../../src/db/boot.ts';
import { type Instance, startServer } from '../../../src/server.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { createApi, type TestUser } from '../../support/api.ts';
import { createDataFolder } from '../../support/embedded.ts';
import { makeFolder, removeFolder } from '../../support/janitor.ts';
import { quietEnv } from '../../support/server.ts';

setDefaultTimeout(60_000);

const topic = 'app:public.log';
const [boot, nextBoot] = ['a boot of the machine', 'the boot behind it'];

/** One embedded database, and what it was at moments before. */
class Machine {
  readonly #folder: string;
  readonly #kept: string[] = [];
  #instance: Instance | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async start(bootId: string) {
    const config = readConfig({ ...quietEnv, DATA_DIR: this.#folder });
    this.#instance = await startServer(config, createLogger(config), { bootId });
    return createApi(`http://127.0.0.1:${this.#instance.port}`);
  }

  /** What the disk has now; the files are whole, as no statement is under way. */
  keep(): string {
    const copy = makeFolder('kept');
    cpSync(this.#folder, copy, { recursive: true });
    this.#kept.push(copy);
    return copy;
  }

  /** The folder as it was then. Whatever came later is lost, but for the mark, which waits for the disk. */
  async fallBackTo(kept: string, mark?: string): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true });
    cpSync(kept, this.#folder, { recursive: true });
    if (mark !== undefined) writeFileSync(this.markPath, mark);
  }

  get markPath(): string {
    return join(this.#folder, 'boot.json');
  }

  async stop(): Promise<void> {
    await this.#instance?.stop();
    this.#instance = undefined;
  }

  async remove(): Promise<void> {
    await this.stop();
    for (const folder of [this.#folder, ...this.#kept]) removeFolder(folder);
  }
}

const machines: Machine[] = [];
afterAll(() => Promise.all(machines.map((machine) => machine.remove())));

/** A machine on which Ann has followed the topic to its 10th event, of which `kept` has five. */
async function setScene() {
  const machine = new Machine(await createDataFolder());
  machines.push(machine);
  const api = await machine.start(boot);
  const ann = await api.register('Ann');
  const client = await api.connect(ann);
  const { epoch } = await client.subscribe(topic);
  await write(api, ann, 5);
  const kept = machine.keep();
  await write(api, ann, 5);
  await client.next(({ seq }) => seq === 10);
  return { machine, ann, kept, latest: machine.keep(), position: { since: 10, epoch } };
}

async function write(api: ReturnType<typeof createApi>, user: TestUser, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const body = { event: 'thing.said', data: n, durable: true };
    const { status } = await api.request('POST', `/v1/topics/${topic}/events`, {
      token: user.accessToken,
      body,
    });
    expect(status).toBe(201);
  }
}

test('[S4] a power cut that took the last events along resets whoever was told of them', async () => {
  const { machine, ann, kept, position } = await setScene();
  await machine.fallBackTo(kept);
  let api = await machine.start(nextBoot);
  await write(api, ann, 10); // beyond what was lost
  const reset = await (await api.connect(ann)).subscribe(topic, position);
  expect(reset).toMatchObject({ reset: true, seq: 15, replay: 0 });
  expect(reset.epoch).not.toBe(position.epoch);

  // Once: what is delivered since is good, over a kill as well.
  await machine.fallBackTo(machine.keep());
  api = await machine.start(nextBoot);
  const resumed = await (await api.connect(ann)).subscribe(topic, { since: 12, epoch: reset.epoch });
  expect(resumed).toMatchObject({ replay: 3, epoch: reset.epoch });
  expect(resumed.reset).toBeUndefined();
});

test('[S4] a power cut right behind a stop in order does, too', async () => {
  const { machine, ann, kept, position } = await setScene();
  await machine.stop();
  await machine.fallBackTo(kept, readFileSync(machine.markPath, 'utf8'));
  const api = await machine.start(nextBoot);
  await write(api, ann, 10);
  expect(await (await api.connect(ann)).subscribe(topic, position)).toMatchObject({ reset: true });
});

test('[S4] nobody is reset where nothing was lost: a killed process, and a machine that was shut down', async () => {
  const { machine, ann, latest, position } = await setScene();
  await machine.fallBackTo(latest);
  let api = await machine.start(boot);
  await write(api, ann, 2);
  const killed = await (await api.connect(ann)).subscribe(topic, position);
  expect(killed).toMatchObject({ replay: 2, epoch: position.epoch });
  await machine.stop();

  api = await machine.start(nextBoot);
  const shutDown = await (await api.connect(ann)).subscribe(topic, position);
  expect(shutDown).toMatchObject({ replay: 2, epoch: position.epoch });
  for (const { reset } of [killed, shutDown]) expect(reset).toBeUndefined();
});

test('[S4] a mark that was cut off while it was written counts as a power cut', async () => {
  const { machine, ann, latest, position } = await setScene();
  await machine.fallBackTo(latest, '{"bootId":"a boot of');
  const api = await machine.start(boot);
  expect(await (await api.connect(ann)).subscribe(topic, position)).toMatchObject({ reset: true });
});

test('the boot of this machine has a name that stays', () => {
  expect(readBootId()).toMatch(/^[0-9a-f-]{36}$/i);
  if (process.platform === 'linux') expect(readBootId()).toBe(readBootId());
});
