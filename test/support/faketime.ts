// A clock that is wrong, for a process: libfaketime, where it is installed.

import { Glob } from 'bun';
import type { Env } from './server.ts';

const [library = ''] = [...new Glob('/usr/lib/*/faketime/libfaketime.so.1').scanSync('/')];

/** Why there is none; undefined where there is. */
export const faketimeMissing: string | undefined =
  library === '' ? 'libfaketime is not installed in /usr/lib' : undefined;

/** The environment of a process whose clock is off by as much as the file says, such as `+1h`, at any time. */
export const clockOf = (file: string): Env => ({
  LD_PRELOAD: library,
  FAKETIME_TIMESTAMP_FILE: file,
  FAKETIME_NO_CACHE: '1',
  FAKETIME_DONT_FAKE_MONOTONIC: '1', // nobody sets that one
});
