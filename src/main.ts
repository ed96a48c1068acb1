// The program: starts instances, and looks after their database. `bun start`, `bun run db:status` and so on are its commands,
// and so are those of the executable.

import { ConfigError, listVariables } from './config.ts';

interface Command {
  /** Behind the name. */
  readonly arguments?: string;
  readonly summary: string;
  /** How the message begins where it fails. */
  readonly failure: string;
  /** False: these are not its arguments. */
  run(given: readonly string[]): Promise<void> | false;
}

// Loaded when they run: an instance has no use for the others.
const commands: Readonly<Record<string, Command>> = {
  start: {
    arguments: '[--processes <n>]',
    summary: 'Runs an instance, or n of them on one port',
    failure: 'The instance was not started',
    run(given) {
      if (given.length === 0) return import('./commands/start.ts').then(({ start }) => start());
      const [option, value = ''] = given;
      if (given.length === 1 && option === '--share-port')
        return import('./commands/start.ts').then(({ start }) => start({ isPortShared: true }));
      const count = Number(value);
      if (given.length !== 2 || option !== '--processes' || !(count >= 1 && count <= 256)) return false;
      return import('./commands/processes.ts').then(({ startProcesses }) => startProcesses(count));
    },
  },
  status: {
    summary:
      'Which migrations the database has had, and how large it is; exits with 2 where some are missing',
    failure: 'The database was not read',
    run: withoutArguments(async () => (await import('./commands/status.ts')).showStatus()),
  },
  migrate: {
    summary: 'Applies migrations; an instance does that by itself when it starts',
    failure: 'The database was not migrated',
    run: withoutArguments(async () => (await import('./commands/migrate.ts')).migrate()),
  },
  'renew-epoch': {
    summary: 'After a backup was restored: clients with positions from before get a reset',
    failure: 'The epoch was not renewed',
    run: withoutArguments(async () => (await import('./commands/renew-epoch.ts')).renewEpoch()),
  },
  health: {
    arguments: '[--ready]',
    summary: 'Whether the instance on this machine is alive, or ready; exits with 1 where it is not',
    failure: 'It is not so',
    run(given) {
      if (given.length > 1 || (given.length === 1 && given[0] !== '--ready')) return false;
      const what = given.length === 1 ? 'ready' : 'live';
      return import('./commands/health.ts').then(({ checkHealth }) => checkHealth(what));
    },
  },
};

const given = process.argv.slice(2);
if (given.some((argument) => argument === '--help' || argument === '-h')) {
  process.stdout.write(describeProgram());
  process.exit(0);
}
// Without a command's name it starts an instance: `bun start` is `bun src/main.ts`.
const isNamed = given[0] !== undefined && !given[0].startsWith('-');
const command = isNamed ? commands[given[0] ?? ''] : commands.start;
const running = command?.run(isNamed ? given.slice(1) : given);
if (command === undefined || running === undefined || running === false) {
  process.stderr.write(`There is no argument ${given.join(' ')}.\n\n${describeProgram()}`);
  process.exit(1);
}
try {
  await running;
} catch (error) {
  if (error instanceof ConfigError) {
    process.stderr.write(`${error.message}\n`);
  } else {
    const { explain } = await import('./commands/existing.ts');
    process.stderr.write(`${command.failure}. ${explain(error)}\n`);
  }
  process.exit(1);
}

function withoutArguments(run: () => Promise<void>): Command['run'] {
  return (given) => given.length === 0 && run();
}

function describeProgram(): string {
  const list = Object.entries(commands).map(
    ([name, { arguments: given = '', summary }]) => `  ${`${name} ${given}`.padEnd(27)}${summary}\n`,
  );
  return `bun start: runs one instance of Carillon. The program has these commands, and without one it starts:

${list.join('')}
The configuration comes from the environment, or from a file .env in this folder, which Bun reads by itself.
.env.example shows every default, README.md says what each variable is for:

${listVariables()
  .map((name) => `  ${name}\n`)
  .join('')}
bun run dev   starts anew whenever a file changes
bun run demo  plays a first session with the instance
`;
}
