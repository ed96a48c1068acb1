// What browsers are told with every answer, and the pages that mails link to.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { browserMissing, launchBrowser } from '../support/browser.ts';
import { describeWith } from '../support/needs.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { startMailServer, type TestMailServer, tokenOf } from '../support/smtp.ts';

onEachDatabase('headers', (open, { kind }) => {
  if (kind === 'postgres') return; // it has nothing to do with it
  let server: TestServer;
  let mailServer: TestMailServer;
  beforeAll(async () => {
    mailServer = await startMailServer();
    server = await open({ SMTP_URL: mailServer.url, RATE_REQUESTS_PER_MINUTE: '1000' });
  });
  afterAll(() => mailServer.stop());

  test('every answer has them: routes, refusals of every kind, pages and files', async () => {
    const { accessToken: token } = await server.register('Ann');
    const asked: [status: number, method: string, path: string, options?: object][] = [
      [200, 'GET', '/v1/users/me', { token }],
      [401, 'GET', '/v1/users/me'],
      [404, 'GET', '/nothing'],
      [405, 'PUT', '/v1/users/me'],
      [204, 'OPTIONS', '/v1/users/me'],
      [400, 'POST', '/v1/auth/login', { body: '{' }],
      [400, 'GET', '/ws'],
      [200, 'GET', '/health/live'],
      [200, 'GET', '/swagger'],
      [200, 'GET', '/swagger/json'],
      [200, 'GET', '/swagger/start.js'],
      [200, 'GET', '/asyncapi.json'],
      [200, 'GET', '/asyncapi'],
      [200, 'GET', '/asyncapi/page.css'],
      [200, 'GET', '/'],
      [200, 'GET', '/account/verify'],
      [200, 'GET', '/account/start.js'],
    ];
    for (const [status, method, path, options] of asked) {
      const answer = await server.request(method, path, options);
      const read = (name: string) => answer.headers.get(name);
      expect([
        path,
        answer.status,
        ...['x-content-type-options', 'x-frame-options', 'referrer-policy'].map(read),
      ]).toEqual([path, status, 'nosniff', 'DENY', 'no-referrer']);
      expect([path, read('content-security-policy')]).toEqual([
        path,
        expect.stringMatching(/^default-src 'none'; .*frame-ancestors 'none'/),
      ]);
      expect([path, read('strict-transport-security')]).toEqual([path, null]);
    }
    const { headers } = await server.request('GET', '/account/verify');
    expect(headers.get('content-security-policy')).not.toContain('unsafe');
  });

  test('where people come by https, browsers are told to come by nothing else', async () => {
    const safe = await open({ PUBLIC_URL: 'https://chat.example.com' });
    const { headers } = await safe.request('GET', '/health/live');
    expect(headers.get('strict-transport-security')).toBe('max-age=31536000');
  });

  describeWith('in a browser', browserMissing, () => {
    test('the pages of mails verify an address and replace a password; the token goes into no URL', async () => {
      const ann = await server.register('Ann');
      await server.request('POST', '/v1/auth/verify/request', { token: ann.accessToken });
      const browser = await launchBrowser();
      await using _ = { [Symbol.asyncDispose]: () => browser.close() };
      const page = await browser.newPage();
      const urls: string[] = [];
      const problems: string[] = [];
      page.on('request', (request) => urls.push(request.url()));
      page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
      const verification = tokenOf(await mailServer.mailTo(ann.email));
      await page.goto(`${server.url}/account/verify#${verification}`);
      await page.click('button');
      await page.getByText('Done.').waitFor();
      const me = await server.request('GET', '/v1/users/me', { token: ann.accessToken });
      expect(me.body.emailVerified).toBe(true);

      await server.request('POST', '/v1/auth/password/reset/request', { body: { email: ann.email } });
      const secret = tokenOf(await mailServer.mailTo(ann.email, 2));
      await page.goto(`${server.url}/account/reset#${secret}`);
      await page.fill('input', 'a better one');
      await page.click('button');
      await page.getByText('Done.').waitFor();
      const login = { email: ann.email, password: 'a better one' };
      expect((await server.request('POST', '/v1/auth/login', { body: login })).status).toBe(200);
      expect(problems).toEqual([]);
      expect(page.url()).toBe(`${server.url}/account/reset`);

      await page.goto(`${server.url}/account/verify#${secret}`);
      await page.click('button');
      await page.getByText('Ask for a new one').waitFor();
      expect(urls.map((url) => url.split('#')[0]).join()).not.toContain(secret);
    });
  });
});
