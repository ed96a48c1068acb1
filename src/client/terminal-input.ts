// What a line typed into the terminal client means. Pure.

import { chatTopic } from '../protocol/topics.ts';

export type Input =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'send'; readonly frame: string }
  | { readonly kind: 'choose'; readonly chatId: string }
  | { readonly kind: 'tell'; readonly text: string }
  | { readonly kind: 'quit' };

export const help = `  /sub chat:<id> [since]  subscribe, from the event behind since
  /unsub chat:<id>        unsubscribe
  /chat <id>              choose the chat that plain text goes to
  plain text              send a message to that chat
  { … }                   send this envelope as it is
  /help, /quit`;

/** `createId` names the next frame. `chatId`: the chosen chat. */
export function readLine(line: string, chatId: string | undefined, createId: () => string): Input {
  const text = line.trim();
  if (text === '') return { kind: 'nothing' };
  if (text.startsWith('{')) return { kind: 'send', frame: line };
  const send = (frame: object): Input => ({
    kind: 'send',
    frame: JSON.stringify({ id: createId(), ...frame }),
  });
  if (!text.startsWith('/')) {
    if (chatId === undefined) return { kind: 'tell', text: 'Choose a chat first: /chat <id>' };
    return send({ type: 'message.send', payload: { chatId, content: text } });
  }
  const [command, first, second, ...rest] = text.split(/\s+/);
  switch (rest.length === 0 ? command : undefined) {
    case '/sub':
      if (first === undefined || (second !== undefined && !/^\d+$/.test(second))) break;
      return send({
        type: 'subscribe',
        topic: first,
        payload: second === undefined ? undefined : { since: Number(second) },
      });
    case '/unsub':
      if (first === undefined || second !== undefined) break;
      return send({ type: 'unsubscribe', topic: first });
    case '/chat':
      if (first === undefined || second !== undefined) break;
      return { kind: 'choose', chatId: first.replace(chatTopic(''), '') };
    case '/quit':
      return { kind: 'quit' };
    case '/help':
      return { kind: 'tell', text: `What you may type:\n${help}` };
  }
  return { kind: 'tell', text: `"${text}" is none of these:\n${help}` };
}
