// `bun run docs`: renews the copies of both documents in this folder. A test fails while they are not what a server answers.

import { copyOf, names, readServed } from './served.ts';

const documents = await readServed();
for (const name of names) {
  await Bun.write(copyOf(name), `${JSON.stringify(documents[name], null, 2)}\n`);
  process.stdout.write(`${name}.json is as the source says.\n`);
}
