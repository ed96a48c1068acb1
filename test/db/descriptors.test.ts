// What an embedded database holds open goes with it: a process may open and close many, as tests do.

import { expect, setDefaultTimeout, test } from 'bun:test';
import { existsSync, readdirSync } from 'node:fs';
import { connectDatabase } from '../../src/db/connect.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createDataFolder } from '../support/embedded.ts';
import { removeFolder } from '../support/janitor.ts';

setDefaultTimeout(60_000);

const ownDescriptors = '/proc/self/fd';

test.skipIf(!existsSync(ownDescriptors))(
  'a closed embedded database holds no descriptors (counted in /proc, which Linux has)',
  async () => {
    const dataDir = await createDataFolder();
    const config = { databaseUrl: undefined, databasePool: 1, dataDir };
    const logger = createLogger({
      logLevel: 'silent',
      logFormat: 'json',
      instanceId: 'one',
      jwtSecret: undefined,
      databaseUrl: undefined,
      redisUrl: undefined,
    });
    const openAndClose = async () => {
      const database = await connectDatabase(config, logger);
      await database.db.execute('SELECT 1');
      await database.close();
      return readdirSync(ownDescriptors).length;
    };
    const first = await openAndClose(); // what is opened once stays: the compiled program, for one
    expect(await openAndClose()).toBeLessThanOrEqual(first);
    removeFolder(dataDir);
  },
);
