// `bun start`: runs one instance. SIGTERM and SIGINT drain it; a second one ends it at once. [C1]

import { ConfigError, readConfig } from '../config.ts';
import { startServer } from '../server.ts';
import { createLogger, describeError, type Logger } from '../telemetry/logger.ts';

/** What a stop may take behind the drain: more than a statement that a lost database never answers. */
const stopPatienceMs = 40_000;

/** `isPortShared`: with other processes of the same user, among which the kernel divides the connections. */
export async function start({
  isPortShared = false,
}: {
  readonly isPortShared?: boolean;
} = {}): Promise<void> {
  const config = readConfig(process.env);
  const logger = createLogger(config);
  reportTheUnexpected(logger);
  const startedAt = performance.now();
  try {
    const instance = await startServer(config, logger, { isPortShared });
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
    process.on('disconnect', () => void stop('the end of whoever started it'));

    // Behind the handlers: whoever reads this may send a signal at once.
    const { url, port, metricsPort } = instance;
    const tookMs = Math.round(performance.now() - startedAt);
    logger.info(
      {
        url,
        port,
        metricsPort,
        console: `${url}/`,
        docs: `${url}/swagger`,
        socket: `${url.replace('http', 'ws')}/ws`,
        tookMs,
      },
      'ready',
    );
    process.send?.('ready');
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    logger.fatal({ err: error }, describeError(error));
    process.exit(1);
  }
}

function reportTheUnexpected(logger: Logger): void {
  // One lost promise must not take every connection with it; it is a bug all the same, and logged as one.
  process.on('unhandledRejection', (error) =>
    logger.error({ err: error }, 'a promise failed that nobody waited for'),
  );
  // Said by the logger: Bun would print everything that the error carries, secrets too.
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'an error that nobody caught');
    process.exit(1);
  });
}
