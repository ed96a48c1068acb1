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

  test.each(['/nope', '/sub', '/sub chat:1 later', '/sub chat:1 1 2', '/unsub', '/chat', '/chat a b'])(
    'such as "%s" is answered with what there is',
    (line) => {
      const input = read(line);
      expect(input.kind).toBe('tell');
      if (input.kind === 'tell') expect(input.text).toContain('/sub chat:<id> [since]');
    },
  );
});
