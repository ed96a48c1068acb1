// The console is served whole from this origin: one small page with a strict policy, and files that are named by their content.

import { beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { createConsole } from '../../src/http/console.ts';
import { buildConsole } from '../../src/http/console-build.ts';
import { onEmbeddedDatabase, type TestServer } from '../support/server.ts';

setDefaultTimeout(60_000);

onEmbeddedDatabase('the console as it is served', (open) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await open();
  });
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(new URL(path, server.url), { headers, decompress: false });
  const listFiles = async () =>
    [...(await (await get('/')).text()).matchAll(/\/console\/[\w.-]+/g)].map(String);

  test('the page has the policy to the letter, and is asked for anew each time', async () => {
    const page = await get('/');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toStartWith('text/html');
    expect(page.headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(page.headers.get('cache-control')).toBe('no-cache');
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    const again = await get('/', { 'If-None-Match': page.headers.get('etag') ?? '' });
    expect([again.status, (await again.text()).length]).toEqual([304, 0]);
    expect((await get('/', { 'If-None-Match': '"other"' })).status).toBe(200);
  });

  test('the page names no other origin, and has no script or style of its own', async () => {
    const html = await (await get('/')).text();
    expect(html).not.toMatch(/https?:|\/\//);
    expect(html).not.toMatch(/<style|<script(?![^>]* src=)|\sstyle=|\son\w+=/);
  });

  test('its files are kept for ever, compressed where the browser takes that', async () => {
    const files = await listFiles();
    expect(files.map((file) => file.replace(/^.*\./, '')).sort()).toEqual(['css', 'js', 'svg']);
    for (const file of files) {
      const [plain, gzipped] = [await get(file), await get(file, { 'Accept-Encoding': 'br, gzip' })];
      expect(plain.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(plain.headers.get('content-encoding')).toBeNull();
      expect(gzipped.headers.get('content-encoding')).toBe('gzip');
      expect(gzipped.headers.get('vary')).toContain('Accept-Encoding');
      const text = await plain.text();
      expect(new TextDecoder().decode(Bun.gunzipSync(await gzipped.arrayBuffer()))).toBe(text);
      const refused = await get(file, { 'Accept-Encoding': 'gzip;q=0' });
      expect(refused.headers.get('content-encoding')).toBeNull();
    }
  });

  test('a file that is not there is a refusal as everywhere', async () => {
    for (const name of ['index-00000000.js', '..%2f..%2fpackage.json', 'main.tsx']) {
      const answer = await server.request('GET', `/console/${name}`);
      expect([name, answer.status, answer.body.error.code]).toEqual([name, 404, 'not_found']);
    }
    expect((await server.request('POST', '/', { body: {} })).status).toBe(405);
  });
});

describe('the build', () => {
  const files = [{ name: 'index.html', type: 'text/html', text: '<p>' }];
  const ask = (app: ReturnType<typeof createConsole>) => app.handle(new Request('http://console.local/'));

  test('is made once, however many ask for it at first', async () => {
    let built = 0;
    const app = createConsole(async () => {
      built += 1;
      return files;
    });
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(app)));
    expect([...new Set(answers.map(({ status }) => status))]).toEqual([200]);
    expect(built).toBe(1);
  });

  test('that failed is tried again by the next one', async () => {
    let built = 0;
    const app = createConsole(async () => {
      built += 1;
      if (built === 1) throw new Error('The disk is full.');
      return files;
    });
    expect((await ask(app)).status).toBe(500);
    expect((await ask(app)).status).toBe(200);
  });

  test('is small, and for production: no schemas, no development build of React', async () => {
    const built = await buildConsole();
    const script = built.find(({ name }) => name.endsWith('.js'))?.text ?? '';
    expect(script).not.toContain('jsxDEV');
    expect(script).not.toContain('TypeBox');
    expect(script).not.toContain('Check your code at');
    expect(Bun.gzipSync(script).length).toBeLessThan(120_000);
  });
});
