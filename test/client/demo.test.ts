import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { createDataFolder } from '../support/embedded.ts';
import { type ServerProcess, spawnServer } from '../support/process.ts';
import { runProgram } from './program.ts';

setDefaultTimeout(20_000);

describe('the demo', () => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await spawnServer({ DATA_DIR: await createDataFolder() });
  });
  afterAll(() => server.stop());

  test('shows every envelope of a chat that survives a cut, and ends with 0', async () => {
    const demo = runProgram('demo.ts', ['--url', server.url]);
    expect(await demo.exited).toBe(0);
    expect(demo.output).toContain('Missed by Ben: 3; replayed to him: 3.');
    expect(demo.output).toContain('Ann: received 7, lost 0, repeated 0, reordered 0');
    expect(demo.output).toContain('Ben: received 7, lost 0, repeated 0, reordered 0');
    expect(demo.output).toMatch(/Ann → \{.*"type":"message.send"/);
    expect(demo.output).toMatch(/Ben ← \{.*"type":"message.created"/);
  });

  test('shows one thing of each other module, live', async () => {
    const demo = runProgram('demo.ts', ['--url', server.url]);
    expect(await demo.exited).toBe(0);
    expect(demo.output).toMatch(/Ann ← \{.*"type":"offer.updated".*"change":"accepted"/);
    expect(demo.output).toMatch(/Ben ← \{.*"type":"settlement.updated".*"level":3/);
    expect(demo.output).toMatch(/Ben ← \{.*"type":"world-time.changed"/);
    expect(demo.output).toMatch(/Ann ← \{.*"type":"job.cancelled"/);
    expect(demo.output).toMatch(/Ann ← \{.*"type":"defense.installed"/);
  });

  test('passes over what the server has switched off', async () => {
    const small = await spawnServer({ DATA_DIR: await createDataFolder(), MODULES: 'chat' });
    const demo = runProgram('demo.ts', ['--url', small.url]);
    expect(await demo.exited).toBe(0);
    expect(demo.output.match(/This server has the module switched off\./g)).toHaveLength(4);
    await small.stop();
  });

  test('says that no server answers, and ends with 1', async () => {
    const demo = runProgram('demo.ts', ['--url', 'http://127.0.0.1:1']);
    expect(await demo.exited).toBe(1);
    expect(demo.output).toContain('Nothing answers at http://127.0.0.1:1');
  });

  test('--help says what it takes, and ends with 0', async () => {
    const demo = runProgram('demo.ts', ['--help']);
    expect(await demo.exited).toBe(0);
    expect(demo.output).toStartWith('Usage: bun run demo');
  });

  test('refuses an option that it does not know, and ends with 1', async () => {
    const demo = runProgram('demo.ts', ['--port', '3000']);
    expect(await demo.exited).toBe(1);
    expect(demo.output).toContain("Unknown option '--port'");
  });
});
