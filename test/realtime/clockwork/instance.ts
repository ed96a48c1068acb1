// An instance with the bells as a process of its own, for what only a process can show: `bun src/main.ts` has no fixtures.

import { readConfig } from '../../../src/config.ts';
import { startServer } from '../../../src/server.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { bellsModule } from './bells.ts';

const config = readConfig(process.env);
const logger = createLogger(config);
const { port } = await startServer(config, logger, { modules: [bellsModule] });
logger.info({ port, now: Date.now() }, 'ready');
