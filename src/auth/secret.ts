// The key that signs access tokens: from the configuration, or generated once and kept beside the embedded database.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config.ts';

/** At least 32 characters. Generates none in production: the configuration insists on one there. */
export function readJwtSecret(config: Pick<Config, 'jwtSecret' | 'dataDir'>): string {
  if (config.jwtSecret !== undefined) return config.jwtSecret;
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const path = join(config.dataDir, 'jwt-secret');
  const generated = Buffer.from(crypto.getRandomValues(new Uint8Array(48))).toString('base64url');
  try {
    writeFileSync(path, generated, { flag: 'wx', mode: 0o600 });
    return generated;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    return readFileSync(path, 'utf8');
  }
}
