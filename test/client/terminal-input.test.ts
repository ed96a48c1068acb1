import { describe, expect, test } from 'bun:test';
import { type Input, readLine } from '../../src/client/terminal-input.ts';

const chatId = '01990000-0000-7000-8000-000000000000';
const read = (line: string, chosen?: string): Input => readLine(line, chosen, () => 't1');

describe('a line typed into the terminal client', () => {
  test('that begins with a brace is sent as it is, valid or not', () => {
    expect(read('{"type":"ping"}')).toEqual({ kind: 'send', frame: '{"type":"ping"}' });
    expect(read('{nonsense')).toEqual({ kind: 'send', frame: '{nonsense' });
  });

  test('subscribes, with and without since, and unsubscribes', () => {
    expect(read('/sub chat:1')).toEqual({
      kind: 'send',
      frame: '{"id":"t1","type":"subscribe","topic":"chat:1"}',
    });
    expect(read('/sub chat:1 41')).toEqual({
      kind: 'send',
      frame: '{"id":"t1","type":"subscribe","topic":"chat:1","payload":{"since":41}}',
    });
    expect(read('/unsub chat:1')).toEqual({
      kind: 'send',
      frame: '{"id":"t1","type":"unsubscribe","topic":"chat:1"}',
    });
  });

  test('chooses a chat by its id or its topic', () => {
    expect(read(`/chat ${chatId}`)).toEqual({ kind: 'choose', chatId });
    expect(read(`/chat chat:${chatId}`)).toEqual({ kind: 'choose', chatId });
  });

  test('of plain text is a message to the chosen chat, and not sent without one', () => {
    expect(read('  Hello there ', chatId)).toEqual({
      kind: 'send',
      frame: `{"id":"t1","type":"message.send","payload":{"chatId":"${chatId}","content":"Hello there"}}`,
    });
    expect(read('Hello there')).toEqual({ kind: 'tell', text: 'Choose a chat first: /chat <id>' });
  });

  test('that is empty does nothing; /quit quits', () => {
    expect(read('   ')).toEqual({ kind: 'nothing' });
    expect(read('/quit')).toEqual({ kind: 'quit' });
  });

  test.each(['app:public.lobby', 'app:game.42', 'user:1', 'job:1', 'nonsense'])(
    'takes any topic, such as %s: the server is to say what it thinks of it',
    (topic) => {
      expect(read(`/sub ${topic} 3`)).toEqual({
        kind: 'send',
        frame: `{"id":"t1","type":"subscribe","topic":"${topic}","payload":{"since":3}}`,
      });
    },
  );

  test.each([
    ['{"seat":3}', { data: { seat: 3 } }],
    ['{ "seat": 3, "of": [1, 2] }', { data: { seat: 3, of: [1, 2] } }],
    ['{ "seat": 3 }   durable ', { data: { seat: 3 }, durable: true }],
    ['null', { data: null }],
    ['"a text" durable', { data: 'a text', durable: true }],
    ['"is durable"', { data: 'is durable' }],
    ['7 durable', { data: 7, durable: true }],
  ])('publishes %s', (rest, payload) => {
    const input = read(`/publish app:public.lobby  player.ready ${rest}`);
    expect(input.kind === 'send' && JSON.parse(input.frame)).toEqual({
      id: 't1',
      type: 'publish',
      topic: 'app:public.lobby',
      payload: { event: 'player.ready', ...payload },
    });
  });

  test('asks for help, and gets every command', () => {
    const input = read('/help');
    const text = input.kind === 'tell' ? input.text : '';
    for (const command of ['/sub <topic> [since]', '/unsub', '/publish <topic>', '/chat <id>', '/quit']) {
      expect(text).toContain(command);
    }
  });

  test('that is no command is answered with what there is', () => {
    const input = read('/nope at all');
    expect(input.kind === 'tell' && input.text).toStartWith('There is no /nope. What you may type:');
    expect(input.kind === 'tell' && input.text).toContain('/sub <topic> [since]');
    expect(read('/constructor').kind).toBe('tell');
  });

  test.each([
    ['/sub', '/sub <topic> [since], as in: /sub app:public.lobby 41'],
    ['/sub chat:1 later', '/sub <topic> [since]'],
    ['/sub chat:1 -1', '/sub <topic> [since]'],
    ['/sub chat:1 1 2', '/sub <topic> [since]'],
    ['/unsub', '/unsub <topic>'],
    ['/unsub a b', '/unsub <topic>'],
    ['/chat', '/chat <id>'],
    ['/chat a b', '/chat <id>'],
    ['/publish', '/publish <topic> <event> <json> [durable], as in: /publish app:'],
    ['/publish app:public.lobby', '/publish <topic> <event> <json> [durable]'],
    ['/publish app:public.lobby player.ready', '/publish <topic> <event> <json> [durable]'],
    ['/publish app:public.lobby player.ready durable', '/publish <topic> <event> <json> [durable]'],
    ['/publish app:public.lobby player.ready {"seat":', '/publish <topic> <event> <json> [durable]'],
    ['/publish app:public.lobby player.ready {} later', '/publish <topic> <event> <json> [durable]'],
  ])('"%s" is answered with what that command expects', (line, expected) => {
    const input = read(line);
    expect(input.kind === 'tell' && input.text).toStartWith(`"${line}" does not fit. Expected: ${expected}`);
  });
});
