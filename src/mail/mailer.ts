// How mail leaves the server. Variants: `smtp.ts`, and `log.ts` where no SMTP server is configured.

import type { Config } from '../config.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createLogMailer } from './log.ts';
import { createSmtpMailer } from './smtp.ts';

/** Plain text, to one address. */
export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

export interface Mailer {
  /** Resolves when the next server has taken it. Fails within a minute. Call it behind COMMIT. */
  send(mail: Mail): Promise<void>;
  /** Closes what is open; what is under way may fail. */
  stop(): void;
}

export function createMailer(
  config: Pick<Config, 'smtpUrl' | 'mailFrom' | 'production'>,
  logger: Logger,
): Mailer {
  const { smtpUrl, mailFrom, production } = config;
  return smtpUrl === undefined ? createLogMailer(logger, production) : createSmtpMailer(smtpUrl, mailFrom);
}
