// Starts one instance. SIGTERM and SIGINT drain it; a second one ends it at once. [C1]

import { ConfigError, listVariables, readConfig } from './config.ts';
import { startServer } from './server.ts';
import { createLogger, describeError } from './telemetry/logger.ts';

/** What a stop may take behind the drain: more than a statement that a lost database never answers. */
const stopPatienceMs = 40_000;

const help = `bun start: runs one instance of Carillon. It takes no arguments.

The configuration comes from the environment, or from a file .env in this folder, which Bun reads by itself.
.env.example shows every default, README.md says what each variable is for:

${listVariables()
  .map((name) => `  ${name}\n`)
  .join('')}
bun run dev   starts anew whenever a file changes
bun run demo  plays a first session with the instance
`;

readArguments(process.argv.slice(2));
const config = readConfigOrExit();
const logger = createLogger(config);

// One lost promise must not take every connection with it; it is a bug all the same, and logged as one.
process.on('unhandledRejection', (error) =>
  logger.error({ err: error }, 'a promise failed that nobody waited for'),
);
// Said by the logger: Bun would print everything that the error carries, secrets too.
process.on('uncaughtException', (error) => {
  logger.fatal({ err: error }, 'an error that nobody caught');
  process.exit(1);
});

const startedAt = performance.now();
try {
  const instance = await startServer(config, logger);
  let isStopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (isStopping) process.exit(1);
    isStopping = true;
    logger.info({ signal }, 'draining');
    setTimeout(
      () => {
        logger.error('something did not end in time');
        process.exit(1);
      },
      config.drainSeconds * 1_000 + stopPatienceMs,
    ).unref();
    try {
      await instance.stop();
    } catch (error) {
      logger.error({ err: error }, 'could not stop in order');
      process.exit(1);
    }
    logger.info('stopped');
    process.exit(0);
  };
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));

  // Behind the handlers: whoever reads this may send a signal at once.
  const { url, port } = instance;
  const tookMs = Math.round(performance.now() - startedAt);
  logger.info(
    {
      url,
      port,
      console: `${url}/`,
      docs: `${url}/swagger`,
      socket: `${url.replace('http', 'ws')}/ws`,
      tookMs,
    },
    'ready',
  );
} catch (error) {
  exitOnConfigError(error);
  logger.fatal({ err: error }, describeError(error));
  process.exit(1);
}

/** There are none but the question which: whoever tries one should not have started an instance. */
function readArguments(given: readonly string[]): void {
  if (given.length === 0) return;
  if (given.every((argument) => argument === '--help' || argument === '-h')) {
    process.stdout.write(help);
    process.exit(0);
  }
  process.stderr.write(`There is no argument ${given.join(' ')}.\n\n${help}`);
  process.exit(1);
}

function readConfigOrExit() {
  try {
    return readConfig(process.env);
  } catch (error) {
    exitOnConfigError(error);
    throw error;
  }
}

function exitOnConfigError(error: unknown): void {
  if (!(error instanceof ConfigError)) return;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
