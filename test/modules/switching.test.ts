// MODULES: what is left out is not there, and what cannot be switched on stops the start.

import { expect, test } from 'bun:test';
import { defineModule } from '../../src/realtime/index.ts';
import { chooseModules } from '../../src/realtime/module.ts';
import { onEachDatabase } from '../support/server.ts';
import { unknownId } from './chat/setup.ts';

onEachDatabase('a module that is left out', (open) => {
  test('has no routes, commands or topics; the others have theirs', async () => {
    const server = await open({ MODULES: 'topics' });
    const ann = await server.register('Ann');
    const { status, body } = await server.request('GET', '/v1/chats', { token: ann.accessToken });
    expect([status, body.error.code]).toEqual([404, 'not_found']);
    const client = await server.connect(ann);
    const sent = await client.request('message.send', { chatId: unknownId, content: 'Hi' });
    expect(sent.error?.code).toBe('unknown_command');
    const refused = await client.request('subscribe', undefined, { topic: `chat:${unknownId}` });
    expect(refused.error?.code).toBe('unknown_topic');
    await client.subscribe('app:public.lobby');
    const { body: docs } = await server.request('GET', '/swagger/json');
    expect(Object.keys(docs.paths).filter((path) => path.includes('chat'))).toEqual([]);
  });

  test('stops the start where there is no such module, or where another one needs it', async () => {
    await expect(open({ MODULES: 'topics,chats' })).rejects.toThrow('MODULES must list some of topics, ');
  });
});

test('a module that needs another one is not switched on without it', () => {
  const all = [
    defineModule('bells', { operations: [] }),
    defineModule('chimes', { needs: ['bells'], operations: [] }),
  ];
  const choose = (...asked: string[]) => {
    const { chosen, problems } = chooseModules(all, asked);
    return [chosen.map(({ name }) => name), problems];
  };
  expect(choose()).toEqual([['bells', 'chimes'], []]);
  expect(choose('bells')).toEqual([['bells'], []]);
  expect(choose('chimes', 'bells')).toEqual([['bells', 'chimes'], []]);
  expect(choose('chimes')).toEqual([
    ['chimes'],
    ['MODULES lists chimes, which needs bells: list that, too.'],
  ]);
  expect(choose('horns')[1]).toEqual(['MODULES must list some of bells, chimes, not "horns".']);
});
