// Two people in two browsers, in one chat: what one does, the other one sees.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import type { Browser } from 'playwright-core';
import { browserMissing, launchBrowser } from '../support/browser.ts';
import { describeWith } from '../support/needs.ts';
import { onEmbeddedDatabase, type TestServer } from '../support/server.ts';
import { messageOf, password, say, signUp, takePicture, textsOf, type Visitor, visit } from './setup.ts';

setDefaultTimeout(60_000);

describeWith('the console in browsers', browserMissing, () => {
  onEmbeddedDatabase('of two people', (open) => {
    let server: TestServer;
    let browser: Browser;
    let ann: Visitor;
    let ben: Visitor;

    beforeAll(async () => {
      [server, browser] = await Promise.all([open(), launchBrowser()]);
      [ann, ben] = await Promise.all([visit(browser, server.url), visit(browser, server.url)]);
      await Promise.all([signUp(ann, 'Ann Archer'), signUp(ben, 'Ben Baker')]);
    });
    afterAll(() => browser?.close());

    test('one begins a chat with the other, and both talk', async () => {
      await ann.page.getByRole('button', { name: 'New chat' }).click();
      await ann.page.getByLabel('With whom').fill('Ben');
      await ann.page.getByRole('button', { name: 'Ben Baker' }).click();
      await ann.page.getByRole('button', { name: 'Begin' }).click();
      await say(ann, 'Hello Ben');
      const item = ben.page.getByRole('link', { name: /Ann Archer/ });
      await item.getByText('unread').waitFor({ state: 'attached' });
      await item.click();
      await messageOf(ben, 'Hello Ben').waitFor();
      await say(ben, 'Hello @Ann Archer');
      await messageOf(ann, 'Hello @Ann Archer').locator('mark.me').waitFor();
      expect(await textsOf(ann)).toEqual(['Hello Ben', 'Hello @Ann Archer']);
      expect(await textsOf(ben)).toEqual(['Hello Ben', 'Hello @Ann Archer']);
    });

    test('each sees that the other one is here, types, and has read', async () => {
      await ann.page.getByText('Ben Baker is here').waitFor();
      await ben.page.getByRole('textbox', { name: 'Message', exact: true }).pressSequentially('Well');
      await ann.page.getByText('Ben Baker is typing').waitFor();
      await ben.page.getByRole('textbox', { name: 'Message', exact: true }).fill('');
      await ann.page.getByText('Ben Baker is typing').waitFor({ state: 'hidden' });
      await ben.page.getByText('Read by Ann Archer').waitFor();
    });

    test('what is read is no more unread, here and after a reload', async () => {
      await ben.page.getByRole('link', { name: 'Account' }).click();
      await say(ann, 'Are you there?');
      await ben.page.getByRole('link', { name: /Chats/ }).getByText('1', { exact: false }).waitFor();
      await ben.page.getByRole('link', { name: /Chats/ }).click();
      await ben.page.getByRole('link', { name: /Ann Archer/ }).click();
      await ben.page.locator('.divider').waitFor();
      await ann.page.getByText('Read by Ben Baker').waitFor();
      await ben.page.reload();
      await messageOf(ben, 'Are you there?').waitFor();
      expect(await ben.page.locator('.badge').count()).toBe(0);
    });

    test('markup in a message, and in a name, stays text', async () => {
      const markup = `<img src=x onerror="alert(1)"><script>alert(2)</script><b>bold</b> javascript:alert(3)`;
      await say(ann, markup);
      await messageOf(ben, 'bold').waitFor();
      expect(await messageOf(ben, 'bold').locator('.content').textContent()).toBe(markup);
      await ann.page.getByRole('link', { name: 'Account' }).click();
      await ann.page.getByLabel('Name', { exact: true }).fill('<i onclick=alert(4)>Ann');
      await ann.page.getByRole('button', { name: 'Rename me' }).click();
      await ben.page.getByRole('heading', { name: '<i onclick=alert(4)>Ann' }).waitFor();
      for (const { page, complaints } of [ann, ben]) {
        expect(await page.locator('main :is(b.bold, i, img, script)').count()).toBe(0);
        expect(complaints).toEqual([]);
      }
      await ann.page.goBack();
      await messageOf(ann, 'bold').waitFor();
    });

    test('messages are edited, deleted, answered and reacted to', async () => {
      await say(ben, 'A misteak');
      const open = async (visitor: Visitor, text: string) => {
        await messageOf(visitor, text).hover();
        await messageOf(visitor, text)
          .getByRole('button', { name: /What to do/ })
          .click();
      };
      await messageOf(ben, 'A misteak').and(ben.page.locator(':not(.pending)')).waitFor();
      await open(ben, 'A misteak');
      await messageOf(ben, 'A misteak').getByRole('button', { name: 'Edit' }).click();
      await ben.page.getByLabel('New text').fill('A mistake');
      await ben.page.getByRole('button', { name: 'Save' }).click();
      await messageOf(ann, 'A mistake').getByText('(edited)').waitFor();
      await open(ann, 'A mistake');
      await ann.page.getByRole('button', { name: 'React with thumbs up' }).click();
      await messageOf(ben, 'A mistake').getByRole('button', { name: '👍 1' }).click();
      await messageOf(ann, 'A mistake').getByRole('button', { name: '👍 2' }).waitFor();
      await open(ann, 'A mistake');
      await ann.page.getByRole('button', { name: 'Reply' }).click();
      await say(ann, 'Never mind');
      await messageOf(ben, 'Never mind').locator('.quote', { hasText: 'A mistake' }).waitFor();
      await takePicture(ann, 'chat');
      await open(ben, 'A mistake');
      await messageOf(ben, 'A mistake').getByRole('button', { name: 'Delete' }).click();
      await ann.page.getByText('Message deleted', { exact: true }).waitFor();
      expect(await textsOf(ann)).not.toContain('A mistake (edited)');
    });

    test('the inspector shows every envelope with topic and seq, without a gap, and no token', async () => {
      await ann.page.getByRole('button', { name: 'Inspect', exact: true }).click();
      // What happened while the chat was not open came as a snapshot, and in no envelope.
      await ann.page.getByRole('button', { name: 'Clear' }).click();
      await ann.page.getByLabel('Filter by topic or type').fill('message.created chat:');
      const created = ann.page.locator('.envelope', { hasText: 'message.created' });
      const before = await created.count();
      await say(ann, 'And one more');
      await say(ben, 'And another one');
      await created.nth(before + 1).waitFor();
      await ann.page.getByLabel('Filter by topic or type').fill('message.send');
      await ann.page.locator('.envelope.out', { hasText: 'message.send' }).first().waitFor();
      await ann.page.locator('.envelope.in', { hasText: 'ok to message.send' }).first().waitFor();
      await ann.page.getByLabel('Filter by topic or type').fill('chat:');
      const shown = await ann.page.locator('.envelope .seq').allInnerTexts();
      const seqs = shown.map((text) => Number(text.replace('seq ', ''))).reverse();
      expect(seqs.length).toBeGreaterThan(1);
      expect(seqs).toEqual(seqs.map((_, index) => (seqs[0] ?? 0) + index));
      await ann.page.locator('.envelope.in').first().getByRole('button').click();
      await ann.page.locator('.envelope pre', { hasText: '"topic": "chat:' }).first().waitFor();
      await takePicture(ann, 'inspector');
      await ann.page.getByRole('button', { name: 'Close the inspector' }).click();
    });

    test('older messages are loaded where one scrolls to, and stay in their order', async () => {
      const chatId = ann.page.url().split('/').at(-1);
      const cat = await server.register('Cat');
      const { body: chat } = await server.request('POST', '/v1/chats', {
        token: cat.accessToken,
        body: { type: 'group', name: 'A long story', participantIds: [] },
      });
      const texts = Array.from({ length: 120 }, (_, index) => `Part ${index + 1} of 120.`);
      for (const content of texts) {
        await server.request('POST', `/v1/chats/${chat.id}/messages`, {
          token: cat.accessToken,
          body: { content },
        });
      }
      const { body: found } = await server.request('GET', '/v1/users?search=ben%20baker', {
        token: cat.accessToken,
      });
      await server.request('POST', `/v1/chats/${chat.id}/members`, {
        token: cat.accessToken,
        body: { userId: found.items[0].id },
      });
      expect(chat.id).not.toBe(chatId);
      await ben.page.getByRole('link', { name: /A long story/ }).click();
      await messageOf(ben, 'Part 120 of').waitFor();
      for (const first of ['Part 50 of', 'Part 1 of']) {
        while ((await messageOf(ben, first).count()) === 0) {
          const top = await ben.page.locator('.content').first().textContent();
          await ben.page.getByRole('button', { name: 'Load older messages' }).click();
          await ben.page
            .locator('.content')
            .first()
            .filter({ hasNotText: top ?? '' })
            .waitFor();
        }
      }
      expect(await textsOf(ben)).toEqual(texts);
      await ben.page.getByRole('button', { name: 'Load older messages' }).waitFor({ state: 'hidden' });
    });

    test('more chats than a page has are shown when asked for', async () => {
      const dan = await visit(browser, server.url);
      const email = await signUp(dan, 'Dan');
      const { accessToken } = await server.login({ email, password });
      for (let n = 1; n <= 55; n += 1) {
        const body = { type: 'group', name: `Group ${n}`, participantIds: [] };
        await server.request('POST', '/v1/chats', { token: accessToken, body });
      }
      await dan.page.getByText('Group 55', { exact: true }).waitFor();
      await dan.page.getByRole('button', { name: 'Show more chats' }).click();
      await dan.page.getByText('Group 1', { exact: true }).waitFor();
      expect(await dan.page.locator('.item').count()).toBe(55);
      await dan.page.getByRole('button', { name: 'Show more chats' }).waitFor({ state: 'hidden' });
      await dan.context.close();
    });

    test('an offer is made, countered and accepted in the chat', async () => {
      await ann.page.getByRole('button', { name: 'Offers' }).click();
      await ann.page.getByRole('textbox', { name: 'What' }).fill('A bicycle');
      await ann.page.getByLabel('Amount').fill('80');
      await ann.page.getByRole('button', { name: 'Make the offer' }).click();
      await ben.page.getByRole('link', { name: /Ann/ }).click();
      await ben.page.getByRole('button', { name: 'Counter', exact: true }).click();
      await ben.page.getByLabel('Amount').fill('60.001');
      await ben.page.getByRole('button', { name: 'Send the counter' }).click();
      await ben.page.getByRole('alert').filter({ hasText: 'decimals' }).waitFor();
      await ben.page.getByLabel('Amount').fill('60');
      await ben.page.getByRole('button', { name: 'Send the counter' }).click();
      await ann.page.locator('.offer.countered', { hasText: '80.00' }).waitFor();
      const counter = ann.page.locator('.offer.pending', { hasText: '60.00 EUR' });
      await takePicture(ann, 'offer');
      await counter.getByRole('button', { name: 'Accept' }).click();
      await ben.page.locator('.offer.accepted', { hasText: '60.00 EUR' }).waitFor();
    });

    test('nothing was asked of any other origin, and nothing went wrong in the page', () => {
      for (const { requested, complaints } of [ann, ben]) {
        const own = [`${server.url}/`, 'data:'];
        expect(requested.filter((url) => !own.some((start) => url.startsWith(start)))).toEqual([]);
        expect(complaints).toEqual([]);
      }
    });
  });
});
