// Imports go down the floors only.

import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { Glob, Transpiler } from 'bun';
import { findViolations, listImports, type Sources } from './support/floors.ts';

describe('floors', () => {
  test('no import in src runs up a floor, or over to a neighbour', async () => {
    const sources = await readSources();
    expect(sources.size).toBeGreaterThan(30);
    expect(findViolations(sources)).toEqual([]);
  });

  test('every import that the runtime would load is seen', async () => {
    for (const [path, source] of await readSources()) {
      const transpiler = new Transpiler({ loader: path.endsWith('x') ? 'tsx' : 'ts' });
      // What the compiler adds for JSX is no import of the file.
      const loaded = transpiler
        .scanImports(source)
        .flatMap((found) => (/^react(?:\/jsx-.+)?$/.test(found.path) ? [] : [found.path]));
      expect([path, listImports(source)]).toEqual([path, expect.arrayContaining(loaded)]);
    }
  });

  test.each([
    ['an import up', 'realtime/hub/hub.ts', "import { x } from '../../auth/auth.ts';"],
    ['a type from above', 'db/connect.ts', "import type { Hub } from '../realtime/hub/hub.ts';"],
    ['an import over several lines', 'auth/auth.ts', "import {\n  a,\n  b,\n} from '../modules/index.ts';"],
    ['an export from above', 'realtime/core.ts', "export * from '../server.ts';"],
    ['an import for its effect', 'protocol/errors.ts', "import '../db/connect.ts';"],
    ['a dynamic import', 'db/connect.ts', "const later = await import('../http/app.ts');"],
    ['the type of an import', 'db/connect.ts', "type App = import('../http/app.ts').App;"],
    ['a computed import', 'auth/auth.ts', 'const module = await import(name);'],
    ['a core that knows who logs in', 'realtime/socket/hello.ts', "import '../../auth/tokens.ts';"],
    ['a core that knows a module', 'realtime/core.ts', "import { x } from '../modules/chat/index.ts';"],
    ['a core that knows HTTP', 'realtime/operation.ts', "import { x } from '../http/app.ts';"],
    ['Redis that knows the core', 'redis/client.ts', "import { x } from '../realtime/index.ts';"],
    ['users that know a module', 'auth/accounts.ts', "import { x } from '../modules/chat/index.ts';"],
    ['users that know HTTP', 'auth/auth.ts', "import { x } from '../http/guard.ts';"],
    ['a module that knows HTTP', 'modules/chat/chats.ts', "import { x } from '../../http/app.ts';"],
    [
      'users behind the face of the core',
      'auth/auth.ts',
      "import type { Hub } from '../realtime/hub/hub.ts';",
    ],
    [
      'a module behind the face of the core',
      'modules/chat/chats.ts',
      "import { x } from '../../realtime/log/commit.ts';",
    ],
    ['a module that imports another', 'modules/game/rules.ts', "import { x } from '../chat/index.ts';"],
    ['a module behind the face of chat', 'modules/offers/offers.ts', "import '../chat/schema.ts';"],
    ['a list behind the face of a module', 'modules/index.ts', "import { x } from './chat/chats.ts';"],
    ['a server behind the face of a module', 'server.ts', "import { x } from './modules/chat/chats.ts';"],
    ['a server package in the protocol', 'protocol/envelope.ts', "import { Elysia } from 'elysia';"],
    ['a server file in a contract', 'modules/chat/contract.ts', "import { x } from './schema.ts';"],
    ['a server file in rules', 'modules/offers/rules.ts', "import { offers } from './schema.ts';"],
    ['a built-in module in a state', 'modules/chat/state.ts', "import { hash } from 'node:crypto';"],
    ['a service in the client', 'client/client.ts', "import { x } from '../modules/chat/service.ts';"],
    ['a dependency in the client', 'client/client.ts', "import pino from 'pino';"],
    ['a service in the console', 'console/main.tsx', "import { x } from '../modules/chat/chats.ts';"],
    ['a dependency in the console', 'console/main.tsx', "import pino from 'pino';"],
    ['a server that knows the console', 'http/console.ts', "import { x } from '../console/main.tsx';"],
    ['React in the client itself', 'client/client.ts', "import { useEffect } from 'react';"],
    ['a folder that has no floor', 'utils/strings.ts', "import { x } from '../protocol/errors.ts';"],
  ])('%s is found', (_, path, source) => {
    expect(findViolations(new Map([[path, source]]))).toHaveLength(1);
  });

  test('what is allowed is not found', () => {
    const allowed: Sources = new Map([
      ['modules/offers/offers.ts', "import { sendMessage } from '../chat/index.ts';"],
      ['modules/index.ts', "import { chatModule } from './chat/index.ts';"],
      ['modules/chat/chats.ts', "import { command } from '../../realtime/index.ts';\nimport './rows.ts';"],
      ['realtime/bridge/redis.ts', "import { mapSingle } from '../../redis/servers.ts';"],
      ['http/routes.ts', "import { startOperation } from '../realtime/operation.ts';"],
      ['modules/chat/state.ts', "import type { Chat } from './contract.ts';"],
      ['client/client.ts', "import { apply } from '../modules/chat/state.ts';\nimport './backoff.ts';"],
      ['console/main.tsx', "import 'react-dom/client';\nimport { Client } from '../client/client.ts';"],
      ['client/react/use-topic.ts', "import { useMemo } from 'react';"],
      ['auth/auth.ts', "import type { Config } from '../config.ts';\nimport pg from 'pg';"],
    ]);
    expect(findViolations(allowed)).toEqual([]);
  });
});

async function readSources(): Promise<Sources> {
  const root = join(import.meta.dir, '../src');
  const paths = [...new Glob('**/*.{ts,tsx}').scanSync(root)].sort();
  return new Map(
    await Promise.all(paths.map(async (path) => [path, await Bun.file(join(root, path)).text()] as const)),
  );
}
