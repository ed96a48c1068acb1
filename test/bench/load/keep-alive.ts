// A kept-alive HTTP connection with one request on the way, as raw as the rest of the load: what it costs, the server's
// core does not see.

import type { Socket } from 'bun';
import { concat } from './socket.ts';

export interface KeepAlive {
  /** Answers the body. Fails where the status is another one than expected, or the connection breaks. */
  post(path: string, body: object, expectedStatus: number): Promise<string>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export async function openKeepAlive(port: number, token: string): Promise<KeepAlive> {
  let rest: Uint8Array = new Uint8Array();
  let asked: { readonly status: number; readonly answer: PromiseWithResolvers<string> } | undefined;
  let lost: Error | undefined;

  const read = (_: Socket, chunk: Uint8Array): void => {
    const bytes = rest.length === 0 ? chunk : concat(rest, chunk);
    const text = decoder.decode(bytes);
    const end = text.indexOf('\r\n\r\n');
    const [, length] = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end + 2)) ?? [];
    if (end < 0 || length === undefined || bytes.length < end + 4 + Number(length)) {
      rest = bytes.slice();
      return;
    }
    rest = new Uint8Array();
    const { status, answer } = asked ?? {};
    asked = undefined;
    if (text.startsWith(`HTTP/1.1 ${status} `)) answer?.resolve(text.slice(end + 4));
    else answer?.reject(new Error(`Answered: ${text}`));
  };
  const lose = (why: string): void => {
    lost = new Error(why);
    asked?.answer.reject(lost);
  };
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: {
      data: read,
      close: () => lose('The connection broke.'),
      error: (_, error) => lose(error.message),
    },
  });

  return {
    post(path, body, status) {
      if (lost !== undefined) return Promise.reject(lost);
      const json = encoder.encode(JSON.stringify(body));
      const head = `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n`;
      asked = { status, answer: Promise.withResolvers<string>() };
      socket.write(concat(encoder.encode(head), json));
      return asked.answer.promise;
    },
  };
}
