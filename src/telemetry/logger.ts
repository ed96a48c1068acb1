// Structured logs on standard output. Secrets never reach a log line: the paths below are cut out by the logger.

import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from '../config.ts';

export type { Logger };

const secrets = ['password', 'token', 'accessToken', 'refreshToken', 'authorization'];

export function createLogger(config: Pick<Config, 'logLevel' | 'logFormat' | 'instanceId'>): Logger {
  const options = {
    level: config.logLevel,
    base: { instanceId: config.instanceId },
    redact: secrets.flatMap((name) => [name, `*.${name}`]),
  };
  if (config.logFormat === 'json') return pino(options);
  // In this thread: a worker would outlive a crash and loses the last lines of it.
  return pino(options, pretty({ colorize: true, ignore: 'pid,hostname,instanceId', sync: true }));
}
