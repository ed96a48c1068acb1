// `bun start --processes 4`: so many instances on this machine, on one port. A process uses one core. One that ends is started
// again; SIGTERM and SIGINT drain all of them; and when this one is killed, they drain by themselves.

import { type Config, ConfigError, readConfig } from '../config.ts';
import { createLogger } from '../telemetry/logger.ts';

/** Before one that ended is started again: so that one which cannot run does not take the machine. */
const restartAfterMs = 1_000;

/** What it runs is the same program with these arguments. */
const ownArguments = ['start', '--share-port'];

export async function startProcesses(count: number): Promise<void> {
  const config = readConfig(process.env);
  requireShareable(config, count);
  const logger = createLogger(config);
  if (config.redisUrl === undefined) {
    logger.warn(
      'without REDIS_URL, events reach the other processes through the database: up to two seconds later',
    );
  }
  const children = new Set<Bun.Subprocess>();
  let isStopping = false;

  /** Resolves when it is ready; fails when it ends before. */
  const run = (index: number): Promise<void> =>
    new Promise((resolve, reject) => {
      let isReady = false;
      const child = Bun.spawn([...command(), ...ownArguments], {
        stdio: ['ignore', 'inherit', 'inherit'],
        env: envOf(config, index),
        ipc() {
          isReady = true; // it says nothing else
          resolve();
        },
        onExit(_, code, signal) {
          children.delete(child);
          if (!isReady) reject(new Error(`A process ended before it was ready, with ${signal ?? code}.`));
          else if (!isStopping) restart(index, signal ?? code);
        },
      });
      children.add(child);
    });
  const restart = (index: number, ended: string | number | null): void => {
    logger.error({ ended }, 'a process ended, and is started again');
    setTimeout(() => {
      if (!isStopping) run(index).catch(() => restart(index, 'an end before it was ready'));
    }, restartAfterMs);
  };
  /** Answers the exit codes. */
  const end = (signal: NodeJS.Signals): Promise<number[]> =>
    Promise.all(
      [...children].map((child) => {
        child.kill(signal);
        return child.exited;
      }),
    );
  const stop = async (signal: NodeJS.Signals): Promise<never> => {
    if (isStopping) process.exit(1); // the second one; who is left sees this one's end
    isStopping = true;
    const codes = await end(signal);
    process.exit(codes.every((code) => code === 0) ? 0 : 1);
  };
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));

  try {
    await run(0); // alone: it applies the migrations, and says first what is wrong with the configuration
    await Promise.all(Array.from({ length: count - 1 }, (_, index) => run(index + 1)));
    if (!isStopping) logger.info({ processes: count, port: config.port }, 'all processes are ready');
  } catch (error) {
    if (isStopping) return;
    logger.fatal({ err: error }, 'not all processes could be started');
    isStopping = true;
    await end('SIGTERM');
    process.exit(1);
  }
}

/** Metrics are each process's own: the ports for them are one behind another. */
const envOf = ({ metricsPort }: Config, index: number): Record<string, string | undefined> => ({
  ...process.env,
  ...(metricsPort && { METRICS_PORT: `${metricsPort + index}` }),
});

function requireShareable({ databaseUrl, port }: Config, count: number): void {
  const problems: string[] = [];
  if (databaseUrl === undefined && count > 1) {
    problems.push('DATABASE_URL must be set for several processes: the embedded database belongs to one.');
  }
  if (port === 0) problems.push('PORT must be a number above 0 for several processes: they share it.');
  if (problems.length > 0) throw new ConfigError(problems);
}

/** This program: an executable is all of it, and Bun runs a file, with what Bun itself was told. */
const command = (): string[] =>
  Bun.main.startsWith('/$bunfs') ? [process.execPath] : [process.execPath, ...process.execArgv, Bun.main];
