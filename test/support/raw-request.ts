// HTTP requests written by hand, for what no client lets one send: a broken Host, or a body that does not end.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely; their expectations are what types them
  body: any;
}

/** Sends the text as it is. `sendMore` writes what follows, while the answer may come already. */
export async function rawRequest(
  port: number,
  text: string,
  sendMore?: (socket: Socket) => Promise<void>,
): Promise<RawAnswer> {
  const socket = connect(port, '127.0.0.1');
  const answered = Promise.withResolvers<RawAnswer>();
  let received = '';
  socket.on('data', (bytes: Buffer) => {
    received += bytes;
    const answer = parseAnswer(received);
    if (answer !== undefined) answered.resolve(answer);
  });
  socket.on('error', () => {}); // a close follows
  socket.on('close', () => answered.reject(new Error(`Closed without a whole answer: ${received}`)));
  await once(socket, 'connect');
  socket.write(text);
  const [answer] = await Promise.all([answered.promise, sendMore?.(socket)]);
  socket.destroy();
  return answer;
}

/**
 * Sends the text as it is, each character a byte. Answers the statuses of what came until the server hung up, or until there
 * were so many.
 */
export async function rawExchange(
  port: number,
  text: string,
  enough = Number.POSITIVE_INFINITY,
): Promise<number[]> {
  const socket = connect(port, '127.0.0.1');
  const over = Promise.withResolvers<void>();
  let received = '';
  const statuses = () => [...received.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
  socket.on('data', (bytes: Buffer) => {
    received += bytes;
    if (statuses().length >= enough) over.resolve();
  });
  socket.on('error', () => {}); // a close follows
  socket.on('close', () => over.resolve());
  socket.write(text, 'latin1');
  await over.promise;
  socket.destroy();
  return statuses();
}

/** Undefined as long as something is missing. */
function parseAnswer(received: string): RawAnswer | undefined {
  const end = received.indexOf('\r\n\r\n');
  const head = received.slice(0, end);
  const length = /^content-length: (\d+)$/im.exec(head)?.[1];
  const body = received.slice(end + 4);
  if (end < 0 || body.length < Number(length)) return undefined;
  return {
    status: Number(head.split(' ')[1]),
    body: /^content-type: .*json/im.test(head) ? JSON.parse(body) : body,
  };
}
