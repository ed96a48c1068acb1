// The page of the AsyncAPI document has all of it, leads nowhere else, and can be read by everybody.

import { beforeAll, describe, expect, test } from 'bun:test';
import { html } from '../../src/http/asyncapi/html.ts';
import { renderSchema } from '../../src/http/asyncapi/schema-html.ts';
import type { AsyncApi } from '../support/asyncapi.ts';
import { listSeriousFaults } from '../support/axe.ts';
import { browserMissing, launchBrowser } from '../support/browser.ts';
import { describeWith } from '../support/needs.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';

onEachDatabase('the AsyncAPI page', (open, { kind }) => {
  if (kind === 'postgres') return; // it is the same
  let server: TestServer;
  let page: string;
  let ids: string[];

  beforeAll(async () => {
    server = await open();
    page = (await server.request('GET', '/asyncapi')).body;
    ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id = '']) => id);
  });

  test('has an anchor for every command, kind of topic, event, notice and shape, and no two alike', async () => {
    const { body } = await server.request('GET', '/asyncapi.json');
    const { operations, channels, components }: AsyncApi = body;
    const commands = Object.keys(operations).filter((name) => operations[name]?.action === 'send');
    const kinds = Object.keys(channels).filter((name) => channels[name]?.address !== null);
    const events = Object.keys(components.messages).filter((key) => /^(?:event|live|published)[.]/.test(key));
    const expected = [
      ...commands.map((type) => `command-${type}`),
      ...kinds.map((name) => `topic-${name}`),
      ...events,
      ...['welcome', 'auth.expiring', 'unsubscribed', 'draining', 'error'].map((type) => `notice-${type}`),
      ...Object.keys(components.schemas).map((name) => `shape-${name}`),
    ];
    expect(expected.length).toBeGreaterThan(200);
    expect(expected.filter((id) => !ids.includes(id))).toEqual([]);
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
  });

  test('leads to its own anchors and to its own server only, and has no script', () => {
    const targets = [...page.matchAll(/ (?:href|src)="([^"]*)"/g)].map(([, target = '']) => target);
    const lost = targets.filter((target) => target.startsWith('#') && !ids.includes(target.slice(1)));
    expect(lost).toEqual([]);
    const others = new Set(targets.filter((target) => !target.startsWith('#')));
    expect([...others].sort()).toEqual([
      '/asyncapi.json',
      '/asyncapi/page.css',
      '/swagger/favicon-32x32.png',
    ]);
    expect(page).not.toMatch(/<script|<style| style=| on\w+=/);
  });

  test('is served with a policy that lets nothing else in', async () => {
    const { headers } = await server.request('GET', '/asyncapi');
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(headers.get('content-security-policy')).toStartWith("default-src 'none'; style-src 'self'");
    const style = await server.request('GET', '/asyncapi/page.css');
    expect([style.status, style.headers.get('content-type')]).toEqual([200, 'text/css; charset=utf-8']);
  });

  describeWith('in a browser', browserMissing, () => {
    test.each(['light', 'dark'] as const)(
      'in %s colours axe finds no serious fault, no other origin is asked, and a phone need not scroll sideways',
      async (colorScheme) => {
        // Of a part of the modules: axe takes 20 s for all of them, which have the same markup.
        const { url: origin } = await open({ MODULES: 'topics,chat' });
        const browser = await launchBrowser();
        try {
          const shown = await browser.newPage({ colorScheme, viewport: { width: 360, height: 800 } });
          const requested: string[] = [];
          const complaints: string[] = [];
          shown.on('request', (request) => requested.push(request.url()));
          shown.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
          await shown.goto(`${origin}/asyncapi`);
          await shown.locator('#command-message\\.send').waitFor();
          expect(await shown.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
          expect(complaints).toEqual([]);
          expect(requested.filter((url) => !url.startsWith(`${origin}/`))).toEqual([]);
          expect(requested).toContain(`${origin}/asyncapi/page.css`);
          expect(await listSeriousFaults(shown)).toEqual([]);
        } finally {
          await browser.close();
        }
      },
      30_000,
    );
  });
});

describe('a schema on the page', () => {
  const render = (schema: object) => renderSchema({ ...schema }, 'Fields').html;

  test('is a table of its fields, of those inside as well, with their bounds', () => {
    const inner = { type: 'object', required: ['b'], properties: { b: { type: 'integer', minimum: 0 } } };
    const table = render({ type: 'object', properties: { a: { type: 'array', items: inner, maxItems: 3 } } });
    expect(table).toContain('<code>a</code> <small>optional</small>');
    expect(table).toContain('At most 3 items.');
    expect(table).toContain('<code>a[].b</code></th>');
    expect(table).toContain('At least 0.');
  });

  test('names its choices, and links to what has a name', () => {
    const choice = { anyOf: [{ $ref: '#/components/schemas/Chat' }, { type: 'null' }] };
    expect(render(choice)).toContain('<a href="#shape-Chat">Chat</a> or null');
    expect(render({ type: 'string', enum: ['a', 'b'] })).toContain('<code>a</code>, <code>b</code>');
  });

  test('shows what it is given as text', () => {
    const evil = '<img src=x onerror=alert(1)>';
    const shown = render({ type: 'object', description: evil, properties: { [evil]: { const: evil } } });
    expect(shown).not.toContain('<img');
    expect(html`<p title="${'"'}">${[evil, 1, false, undefined]}</p>`.html).toBe(
      '<p title="&quot;">&lt;img src=x onerror=alert(1)&gt;1</p>',
    );
  });
});
