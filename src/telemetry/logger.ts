// Structured logs on standard output. Secrets never reach a log line: the paths below are cut out by the logger, errors
// say only what `redact.ts` lets through, and the configured secrets are looked for in every finished line.

import pino, { type Logger, type LoggerOptions } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from '../config.ts';
import { cut, toLoggedError } from './redact.ts';

export { describeError } from './redact.ts';
export type { Logger };

const secrets = ['password', 'token', 'accessToken', 'refreshToken', 'authorization'];

type LogConfig = Pick<
  Config,
  'logLevel' | 'logFormat' | 'instanceId' | 'jwtSecret' | 'databaseUrl' | 'redisUrl'
> &
  Partial<Pick<Config, 'metricsToken'>>;

/** `output`: where lines in JSON go, if not to standard output. */
export function createLogger(config: LogConfig, output?: pino.DestinationStream): Logger {
  const configured = listSecrets(config);
  const options: LoggerOptions = {
    level: config.logLevel,
    base: { instanceId: config.instanceId },
    redact: secrets.flatMap((name) => [name, `*.${name}`]),
    serializers: { err: (error: unknown) => toLoggedError(error) },
    hooks: {
      streamWrite: (line) => configured.reduce((text, secret) => text.replaceAll(secret, cut), line),
    },
  };
  if (output !== undefined) return pino(options, output);
  if (config.logFormat === 'json') return pino(options);
  // In this thread: a worker would outlive a crash and loses the last lines of it.
  return pino(options, pretty({ colorize: true, ignore: 'pid,hostname,instanceId', sync: true }));
}

/** As they would stand in a line of JSON. Short ones and numbers would be found in what is none of them. */
function listSecrets({ jwtSecret, databaseUrl, redisUrl, metricsToken }: LogConfig): string[] {
  const passwords = [databaseUrl, redisUrl].flatMap((url) => {
    const password = /^[^/]*\/\/[^@/]*?:([^@/]*)@/.exec(url ?? '')?.[1] ?? '';
    return [password, decode(password)];
  });
  return [jwtSecret ?? '', metricsToken ?? '', ...passwords]
    .map((secret) => JSON.stringify(secret).slice(1, -1))
    .filter((secret) => secret.length >= 8 && !/^\d+$/.test(secret));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone % is meant as it is
  }
}
