// The key that signs access tokens: from the configuration, or generated once and kept beside the embedded database.

import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { claimDataFolder } from '../db/data-folder.ts';

/** As JWT_SECRET must have. */
const minLength = 32;

/** Generates none in production: the configuration insists on one there. Throws where the file holds too short a one. */
export function readJwtSecret(config: Pick<Config, 'jwtSecret' | 'dataDir'>): string {
  if (config.jwtSecret !== undefined) return config.jwtSecret;
  claimDataFolder(config.dataDir);
  const path = join(config.dataDir, 'jwt-secret');
  if (!existsSync(path)) createSecret(path);
  const secret = readFileSync(path, 'utf8');
  if (secret.length >= minLength) return secret;
  throw new Error(
    `${path} must hold at least ${minLength} characters, but holds ${secret.length}. Restore it, or delete it: then a new ` +
      'one is generated, and everybody logs in again.',
  );
}

/** Whole or not at all, whenever this process ends; of two that do it at once, the first one's counts for both. */
function createSecret(path: string): void {
  const secret = Buffer.from(crypto.getRandomValues(new Uint8Array(48))).toString('base64url');
  const beside = `${path}-${crypto.randomUUID()}`;
  try {
    writeFileSync(beside, secret, { flag: 'wx', mode: 0o600, flush: true });
    linkSync(beside, path); // a rename would replace the other one's
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    rmSync(beside, { force: true });
  }
}
