// Starts one instance. SIGTERM and SIGINT drain it; a second one ends it at once. [C1]

import { ConfigError, readConfig } from './config.ts';
import { startServer } from './server.ts';
import { createLogger } from './telemetry/logger.ts';

/** What a stop may take behind the drain: more than a statement that a lost database never answers. */
const stopPatienceMs = 40_000;

const config = readConfigOrExit();
const logger = createLogger(config);

// One lost promise must not take every connection with it; it is a bug all the same, and logged as one.
process.on('unhandledRejection', (error) =>
  logger.error({ err: error }, 'a promise failed that nobody waited for'),
);

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
    { url, port, docs: `${url}/swagger`, socket: `${url.replace('http', 'ws')}/ws`, tookMs },
    'ready',
  );
} catch (error) {
  logger.fatal({ err: error }, error instanceof Error ? error.message : 'could not start');
  process.exit(1);
}

function readConfigOrExit() {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
