// Mail over SMTP. A few connections are kept: what is sent at once takes turns on them.

import { createTransport } from 'nodemailer';
import type { Mailer } from './mailer.ts';

/** Together less than a minute: behind that a mail is sent again. */
const times = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 20_000 };
const connections = { pool: true, maxConnections: 3 } as const;

/** `url`: with the user and the password, where the server wants them. */
export function createSmtpMailer(url: string, from: string): Mailer {
  const transport = createTransport({
    url,
    ...connections,
    ...times,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    async send({ to, subject, text }) {
      // As an object: what is in an address must not be read as a list of several.
      await transport.sendMail({ from, to: { name: '', address: to }, subject, text });
    },
    stop: () => transport.close(),
  };
}
