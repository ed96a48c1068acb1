// Where no SMTP server is configured, mails stand in the log: for trying things out. In production they carry secrets of
// people, so there the log says only that one was not sent.

import type { Logger } from '../telemetry/logger.ts';
import type { Mailer } from './mailer.ts';

export function createLogMailer(logger: Pick<Logger, 'info' | 'warn'>, isProduction: boolean): Mailer {
  return {
    async send(mail) {
      if (isProduction) logger.warn({ subject: mail.subject }, 'a mail was not sent: set SMTP_URL');
      else logger.info({ mail }, 'a mail, here instead of sent: SMTP_URL is not set');
    },
    stop() {},
  };
}
