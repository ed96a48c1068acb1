// How long a sync takes in this folder, as PostgreSQL does one at every COMMIT: a page written over in the middle of a file
// that is there already, then fdatasync. Prints the median, in milliseconds. On Node: what is preloaded reaches it.

import { closeSync, fdatasyncSync, fsyncSync, openSync, writeSync } from 'node:fs';

const page = Buffer.alloc(8_192, 'x');
const pages = 101;
const file = openSync('sync-time', 'w');
for (let index = 0; index < pages; index += 1) writeSync(file, page);
fsyncSync(file);

const durationsMs = Array.from({ length: pages }, (_, index) => {
  const startedAt = performance.now();
  writeSync(file, page, 0, page.length, index * page.length);
  fdatasyncSync(file);
  return performance.now() - startedAt;
});
closeSync(file);
console.log(durationsMs.sort((a, b) => a - b)[50]);
