// A mail server on a free port, which takes every mail unless told otherwise: as much of RFC 5321 as a sender needs.

import { createServer, type Socket } from 'node:net';
import { until } from './until.ts';

export interface ReceivedMail {
  readonly to: string;
  /** Headers and text as they came, without soft line breaks. */
  readonly data: string;
}

export interface TestMailServer {
  readonly url: string;
  readonly mails: ReceivedMail[];
  /** What `RCPT` is answered from now on; undefined: taken. */
  refuseWith(answer: string | undefined): void;
  /** How often `RCPT` was refused. */
  readonly refused: number;
  /** The n-th mail to the address, once it has come. */
  mailTo(email: string, n?: number): Promise<ReceivedMail>;
  stop(): Promise<void>;
}

export async function startMailServer(): Promise<TestMailServer> {
  const mails: ReceivedMail[] = [];
  const sockets = new Set<Socket>();
  let refusal: string | undefined;
  let refused = 0;

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    let to = '';
    let data: string[] | undefined;
    let rest = '';
    const answer = (line: string): string => {
      const [verb = ''] = line.toUpperCase().split(' ');
      if (verb === 'EHLO' || verb === 'HELO') return '250 test';
      if (verb === 'QUIT') return '221 bye';
      if (verb === 'RCPT') {
        if (refusal !== undefined) {
          refused += 1;
          return refusal;
        }
        to = /<([^>]*)>/.exec(line)?.[1] ?? '';
      }
      if (verb === 'DATA') {
        data = [];
        return '354 go on';
      }
      return '250 ok';
    };
    socket.on('data', (chunk) => {
      const lines = (rest + chunk.toString()).split('\r\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (data === undefined) socket.write(`${answer(line)}\r\n`);
        else if (line !== '.') data.push(line);
        else {
          const text = data.join('\n').replaceAll('=\n', '').replaceAll('=3D', '=');
          data = undefined;
          mails.push({ to, data: text });
          socket.write('250 taken\r\n');
        }
      }
    });
    socket.write('220 test ESMTP\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('It listens on a port.');

  return {
    url: `smtp://127.0.0.1:${address.port}`,
    mails,
    refuseWith(answer) {
      refusal = answer;
    },
    get refused() {
      return refused;
    },
    async mailTo(email, n = 1) {
      const own = () => mails.filter(({ to }) => to === email);
      await until(() => own().length >= n, `mail ${n} to ${email}`);
      const mail = own()[n - 1];
      if (mail === undefined) throw new Error('It has come.');
      return mail;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The secret in a mail. */
export function tokenOf({ data }: ReceivedMail): string {
  const token = /: ([\w-]{43})$/m.exec(data)?.[1];
  if (token === undefined) throw new Error(`No token in ${data}`);
  return token;
}
