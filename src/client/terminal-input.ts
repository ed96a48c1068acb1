// What a line typed into the terminal client means. Pure.

import { chatTopic } from '../modules/chat/contract.ts';

export type Input =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'send'; readonly frame: string }
  | { readonly kind: 'choose'; readonly chatId: string }
  | { readonly kind: 'tell'; readonly text: string }
  | { readonly kind: 'quit' };

const commands = {
  '/sub': '/sub <topic> [since]',
  '/unsub': '/unsub <topic>',
  '/publish': '/publish <topic> <event> <json> [durable]',
  '/chat': '/chat <id>',
  '/help': '/help',
  '/quit': '/quit',
} as const;

const examples: Partial<Record<keyof typeof commands, string>> = {
  '/sub': '/sub app:public.lobby 41',
  '/unsub': '/unsub app:public.lobby',
  '/publish': '/publish app:public.lobby player.ready {"seat":3} durable',
};

export const help = `  ${commands['/sub']}    subscribe, from the event behind since
  ${commands['/unsub']}          unsubscribe
  ${commands['/publish']}
                          as in: ${examples['/publish']}
  ${commands['/chat']}              choose the chat that plain text goes to
  plain text              send a message to that chat
  { … }                   send this envelope as it is
  /help, /quit
A topic is chat:<id>, app:<name>, user:<id>, or another one of src/protocol/PROTOCOL.md.`;

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
    if (chatId === undefined) return { kind: 'tell', text: `Choose a chat first: ${commands['/chat']}` };
    return send({ type: 'message.send', payload: { chatId, content: text } });
  }
  const [command = '', first, second, ...rest] = text.split(/\s+/);
  if (!isCommand(command))
    return { kind: 'tell', text: `There is no ${command}. What you may type:\n${help}` };
  const example = command in examples ? `, as in: ${examples[command]}` : '';
  const misfit: Input = {
    kind: 'tell',
    text: `"${text}" does not fit. Expected: ${commands[command]}${example}`,
  };
  switch (command) {
    case '/sub':
      if (first === undefined || rest.length > 0 || !/^\d*$/.test(second ?? '')) return misfit;
      return send({
        type: 'subscribe',
        topic: first,
        payload: second === undefined ? undefined : { since: Number(second) },
      });
    case '/unsub':
      if (first === undefined || second !== undefined) return misfit;
      return send({ type: 'unsubscribe', topic: first });
    case '/publish': {
      const payload = readPublication(text);
      return payload === undefined ? misfit : send({ type: 'publish', topic: first, payload });
    }
    case '/chat':
      if (first === undefined || second !== undefined) return misfit;
      return { kind: 'choose', chatId: first.replace(chatTopic(''), '') };
    case '/help':
      return { kind: 'tell', text: `What you may type:\n${help}` };
    case '/quit':
      return { kind: 'quit' };
  }
}

const isCommand = (word: string): word is keyof typeof commands => Object.hasOwn(commands, word);

/** The data may have blanks in it, so what stands behind it is looked for from the end. [T1] */
function readPublication(text: string): object | undefined {
  const [, event, rest = ''] = /^\S+\s+\S+\s+(\S+)\s+(.+)$/.exec(text) ?? [];
  const data = parseJson(rest);
  if (data !== undefined) return { event, data };
  const [, before = ''] = /^(.+)\s+durable$/.exec(rest) ?? [];
  const durableData = parseJson(before);
  return durableData === undefined ? undefined : { event, data: durableData, durable: true };
}

/** Undefined: it is no JSON, in which nothing is undefined. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
