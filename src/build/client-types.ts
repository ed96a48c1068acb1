// `bun run types:client`: writes `src/client/declarations.ts` anew, from a server that is started for it and stopped again.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../config.ts';
import { startServer } from '../server.ts';
import { createLogger } from '../telemetry/logger.ts';
import { writeDeclarations } from './declarations.ts';
import { listDeclared } from './declared.ts';
import { format } from './format.ts';

const path = join(import.meta.dir, '../client/declarations.ts');
const folder = await mkdtemp(join(tmpdir(), 'carillon-types-'));
const config = readConfig({ PORT: '0', HOST: '127.0.0.1', DATA_DIR: folder, LOG_LEVEL: 'silent' });
const instance = await startServer(config, createLogger(config));
try {
  await Bun.write(path, await format(writeDeclarations(listDeclared(instance.modules))));
} finally {
  await instance.stop();
  await rm(folder, { recursive: true });
}
